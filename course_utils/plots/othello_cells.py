"""A number for each square of an Othello board: heat maps side by side on one scale."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import plotly.graph_objects as go
import torch
from jaxtyping import Float
from torch import Tensor

from course_utils.errors import CourseError
from course_utils.evidence import number
from course_utils.plots import othello_boards as draw
from course_utils.plots import othello_positions as positions
from course_utils.plots import style
from course_utils.tasks import othello


def cells(
    values: Mapping[str, Float[Tensor, "square"]],
    title: str,
    *,
    size: int = 6,
    diverging: bool = False,
    percent: bool = False,
    limit: float | None = None,
) -> go.Figure:
    """A number for each square, on boards side by side that share one scale: an accuracy, or what a neuron reads.

    Args:
        values: by what stands above it: the squares' values. NaN leaves a square open.
        title: the finding.
        size: squares along a side.
        diverging: colours centred at 0; otherwise from the smallest value to the largest (or from 0 to ``limit``).
        percent: the values are shares, to be written in percent.
        limit: the value at the end of the scale.

    Raises:
        CourseError: not one value for each square.
    """
    if not values:
        raise CourseError("Give at least one set of values.")
    for name, table in values.items():
        positions.check_squares(table, size, f"The values of {name!r} are")
    every = torch.cat([table.detach().double().cpu() for table in values.values()])
    every = every[every.isfinite()]
    if not len(every):
        raise CourseError("None of these values is a finite number.")
    high = limit if limit is not None else float((every.abs() if diverging else every).max())
    low = -high if diverging else 0.0 if limit is not None else float(every.min())
    columns = len(values) if len(values) <= 4 else 3
    rows = -(-len(values) // columns)
    names = [f"<b>{name}</b>" if name else "" for name in values]
    alt = f"Heat maps over the squares of an Othello board: {', '.join(values)}. {title}."
    side = min(300, 640 // columns)
    fig = draw.panels(title, alt, names + [""] * (rows * columns - len(names)), size, side=side, rows=rows)
    digits = 0 if percent else max(0, 1 - math.floor(math.log10(high))) if high > 0 else 1
    square_names = [othello.square_name(square, size) for square in range(size * size)]
    for i, table in enumerate(values.values()):
        listed = [float(f"{value:.4g}") for value in table.tolist()]
        texts = [_written(value, percent, digits) for value in listed]
        shown = texts if columns < 3 else [re.sub(r"^(−?)0\.", r"\1.", text) for text in texts]
        fits = max(map(len, shown)) <= (7 if columns == 1 else 5 if columns == 2 else 4)
        heat = go.Heatmap(
            z=draw.in_rows([value if value == value else None for value in listed], size), coloraxis="coloraxis",
            text=draw.in_rows(shown, size), texttemplate="%{text}" if fits else None, xgap=1, ygap=1, hoverongaps=False,
            textfont={"size": 12 if columns == 1 else 11 if columns == 2 else 10 if columns == 3 else 9},
            customdata=draw.in_rows(list(zip(square_names, texts, strict=True)), size),
            hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]}" + "%" * percent + "<extra></extra>",
        )  # fmt: skip
        fig.add_trace(heat, i // columns + 1, i % columns + 1)
    for i in range(len(values), rows * columns):
        hidden = {"visible": False, "row": i // columns + 1, "col": i % columns + 1}
        fig.update_xaxes(**hidden)
        fig.update_yaxes(**hidden)
    if columns == 1:  # the scale stands beside the board, not at the far end of the page
        fig.update_xaxes(domain=[0.0, 0.45])
    ticks = torch.linspace(low, high, 3).tolist()
    fig.update_layout(
        coloraxis={
            "cmin": low, "cmax": high if high > low else low + 1,
            "colorscale": style.DIVERGING if diverging else style.SEQUENTIAL,
            "colorbar": {
                "x": 0.47 if columns == 1 else 1.02, "thickness": 12, "outlinewidth": 0,
                "tickfont": {"color": style.TEXT, "size": 11}, "tickvals": ticks,
                "ticktext": [f"{100 * tick:.0f}%" if percent else number(tick).replace("-", "−") for tick in ticks],
            },
        }
    )  # fmt: skip
    return fig


def _written(value: float, percent: bool, digits: int) -> str:
    if value != value:
        return ""
    text = f"{100 * value:.0f}" if percent else f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) else text.removeprefix("-")
