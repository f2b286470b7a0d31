"""Figures about where heads look and what they carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from jaxtyping import Complex, Float
from plotly.subplots import make_subplots
from torch import Tensor

from course_utils.plots import style


def matrices(
    tables: Mapping[str, Float[Tensor, "rows columns"]],
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    down: str = "",
    across: str = "",
    diverging: bool = True,
    limit: float | None = None,
    height: int = 380,
) -> go.Figure:
    """Matrices as heatmaps side by side, on one scale, with names on rows and columns.

    Args:
        tables: name and matrix; all of one shape.
        title: the finding.
        rows, columns: the names; ticks are left out where they would not fit.
        down, across: what rows and columns are.
        diverging: colours centred at 0.
        limit: the value at the end of the scale; None: the largest of all matrices.
    """
    high = max(float(table.abs().max()) for table in tables.values()) if limit is None else limit
    fig = style.figure(title, f"Heatmaps of {', '.join(tables)}: {down} down, {across} across. {title}.")
    layout = fig.layout.to_plotly_json()
    fig = make_subplots(1, len(tables), subplot_titles=list(tables), horizontal_spacing=0.3 / (len(tables) + 2))
    fig.update_layout(layout)
    for i, table in enumerate(tables.values(), start=1):
        heat = style.image(table, diverging=diverging, limit=high, colorbar=i == len(tables))
        fig.add_trace(heat, 1, i)
    for axis, names, what in (("x", columns, across), ("y", rows, down)):
        every = -(-len(names) // (24 if axis == "y" else max(4, 24 // len(tables))))
        ticks = list(range(0, len(names), every))
        settings = {
            "tickvals": ticks, "ticktext": [names[k] for k in ticks], "showgrid": False, "zeroline": False,
            "title_text": what, "title_standoff": 4, "constrain": "domain",
            "tickangle": -90 if axis == "x" and len(ticks) > 12 and max(map(len, names)) > 2 else 0,
        }  # fmt: skip
        fig.update_xaxes(**settings) if axis == "x" else fig.update_yaxes(**settings, autorange="reversed")
    for i in range(2, len(tables) + 1):
        fig.update_yaxes(title_text="", showticklabels=False, row=1, col=i)
    fig.update_annotations(font={"size": 12, "color": style.TEXT})
    fig.update_layout(height=height, margin={"l": 62, "r": 20, "t": 84, "b": 52})
    return fig


def pattern_film(
    frames: Mapping[int, Mapping[str, Float[Tensor, "query key"]]], tokens: Sequence[str], title: str
) -> go.Figure:
    """Attention patterns of several heads side by side, with a slider through the steps of training.

    Args:
        frames: by step: the pattern of each head by its name.
        tokens: the sequence.
        title: the finding.
    """
    names = list(next(iter(frames.values())))
    fig = style.figure(title, f"A slider over training steps, with attention patterns of {', '.join(names)}. {title}.")
    layout = fig.layout.to_plotly_json()
    fig = make_subplots(1, len(names), subplot_titles=names, horizontal_spacing=0.1)
    fig.update_layout(layout)
    for number, patterns in enumerate(frames.values()):
        for column, pattern in enumerate(patterns.values(), start=1):
            heat = style.image(pattern, limit=1.0, colorbar=False)
            heat.update(visible=number == len(frames) - 1)
            fig.add_trace(heat, 1, column)
    places = list(range(len(tokens)))
    settings = {"tickvals": places, "ticktext": list(tokens), "showgrid": False, "zeroline": False}
    fig.update_xaxes(**settings, tickangle=-90, tickfont={"size": 8}, title_text="looks at", constrain="domain")
    fig.update_yaxes(**settings, tickfont={"size": 8}, autorange="reversed", constrain="domain")
    fig.update_yaxes(title_text="from", row=1, col=1)
    for column in range(1, len(names) + 1):
        across = f"x{column if column > 1 else ''}"
        fig.update_yaxes(scaleanchor=across, row=1, col=column)
    fig.update_annotations(font={"size": 12, "color": style.TEXT})
    fig.update_layout(
        sliders=[style.slider(list(frames), len(names), active=len(frames) - 1)],
        height=500, margin={"l": 52, "r": 16, "t": 84, "b": 96},
    )  # fmt: skip
    return fig


def plane(sets: Mapping[str, Complex[Tensor, "n"]], title: str) -> go.Figure:
    """Eigenvalues in the complex plane, each set divided by its largest absolute value."""
    fig = style.figure(
        title, f"Points in the complex plane for {', '.join(sets)}. {title}.", "real part", "imaginary part"
    )
    for (name, eigenvalues), colour in zip(sets.items(), style.SEQUENCE, strict=False):
        scaled = eigenvalues / eigenvalues.abs().max()
        fig.add_scatter(
            x=scaled.real.tolist(), y=scaled.imag.tolist(), mode="markers", name=name,
            marker={"color": colour, "size": 7, "opacity": 0.75},
        )  # fmt: skip
    fig.add_vline(0, line={"dash": "dot", "color": style.GREY, "width": 1.5})
    return fig
