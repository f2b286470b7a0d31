"""Figures about efficiency and ungrokking: repeated measurements over the number of questions, and points on a level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
import torch
from jaxtyping import Bool
from torch import Tensor

from course_utils.plots import style
from course_utils.plots.lines import colour_of

WRONG = "#DDDDDD"

Runs = Mapping[float, Sequence[float]]
"""By x: the values of all runs there."""


def repeated(
    lines: Mapping[str, Runs],
    title: str,
    x_title: str,
    y_title: str,
    *,
    levels: Mapping[str, Sequence[float]] | None = None,
    percent: bool = False,
    logarithmic: bool = False,
) -> go.Figure:
    """Each run a point, their mean a line; ``levels`` are values without an x, drawn as a band from least to largest."""
    alt = f"Points of {y_title} over {x_title} with a line through their means: {', '.join([*lines, *(levels or {})])}. {title}."
    fig = style.figure(title, alt, x_title, y_title)
    for place, (name, runs) in enumerate(lines.items()):
        xs, colour = sorted(runs), colour_of(name, place)
        fig.add_scatter(
            x=xs, y=[sum(runs[x]) / len(runs[x]) for x in xs], mode="lines", name=name, legendgroup=name,
            line={"color": colour, "width": 2},
        )  # fmt: skip
        fig.add_scatter(
            x=[x for x in xs for _ in runs[x]], y=[y for x in xs for y in runs[x]], mode="markers", name=name,
            legendgroup=name, showlegend=False, marker={"color": colour, "size": 6, "opacity": 0.6},
        )  # fmt: skip
    for place, (name, values) in enumerate((levels or {}).items(), start=len(lines)):
        low, high, colour = min(values), max(values), colour_of(name, place)
        if high > low:
            fig.add_hrect(low, high, fillcolor=colour, opacity=0.18, line_width=0)
        ends = [min(min(runs) for runs in lines.values()), max(max(runs) for runs in lines.values())]
        fig.add_scatter(
            x=ends, y=[sum(values) / len(values)] * 2, mode="lines", name=name, line={"color": colour, "width": 2, "dash": "dash"}
        )  # fmt: skip
    if percent:
        fig.update_yaxes(tickformat=".0%")
    if logarithmic:
        fig.update_yaxes(**style.logarithmic())
    return fig


def forgetting(right: Mapping[int, Bool[Tensor, "p p"]], trained: Bool[Tensor, "p p"], title: str) -> go.Figure:
    """Which questions [a, b] are answered right, behind a slider over training steps; those trained on are marked."""
    alt = f"A square of all questions behind a slider over training steps: wrong, right, and trained on. {title}."
    fig = style.figure(title, alt, "b", "a", height=560)
    kinds = {"wrong": WRONG, "right": style.BLUE, "right, trained on": style.ORANGE}
    colours = [(end / 3, colour) for i, colour in enumerate(kinds.values()) for end in (i, i + 1)]
    for i, answered in enumerate(right.values()):
        levels = torch.where(answered & trained, 2, answered.int()).to(torch.uint8).numpy()
        fig.add_heatmap(z=levels, zmin=0, zmax=2, colorscale=colours, showscale=False, visible=i == 0, hoverinfo="x+y")
    fig.add_annotation(
        text=" &nbsp; ".join(f'<span style="color:{colour}">■</span> {name}' for name, colour in kinds.items()),
        xref="paper", yref="paper", showarrow=False, x=0.5, y=1.0, xanchor="center", yanchor="bottom",
        font={"color": style.TEXT, "size": 12},
    )  # fmt: skip
    fig.update_xaxes(showgrid=False, constrain="domain")
    fig.update_yaxes(showgrid=False, autorange="reversed", scaleanchor="x", constrain="domain")
    fig.update_layout(sliders=[style.slider(list(right), 1)], margin={"l": 62, "r": 20, "t": 72, "b": 96})
    return fig
