"""Figures that every chapter needs: several quantities over one, and bars side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from course_utils.plots import style

Series = Sequence[float] | Float[Tensor, "n"]
"""Numbers."""
Places = Series | Sequence[str]
"""Numbers or names."""
COLOURS = {
    "train": style.TRAIN, "test": style.TEST, "restricted": style.RESTRICTED, "excluded": style.EXCLUDED,
    "G": style.RESTRICTED, "M": style.EXCLUDED, "G alone": style.RESTRICTED, "M alone": style.EXCLUDED,
}  # fmt: skip


def values_of(series: Places) -> list[Any]:
    """The numbers, or names, of a sequence or a tensor."""
    return series.tolist() if isinstance(series, Tensor) else list(series)


def colour_of(name: str, place: int) -> str:
    """The colour that a quantity has in every chapter, or that of its place in the legend."""
    return COLOURS.get(name, style.SEQUENCE[place % len(style.SEQUENCE)])


def curves(
    x: Places,
    lines: Mapping[str, Series],
    title: str,
    x_title: str,
    y_title: str,
    *,
    logarithmic: bool = False,
    markers: bool = True,
) -> go.Figure:
    """Several quantities over one.

    Args:
        x: numbers, or names, of which each gets its place.
        lines: by name; names that mean the same thing in every chapter (``train``, ``test``, …) have their colours.
        title: the finding.
        x_title, y_title: what the axes measure, with units.
        logarithmic: the axis of the quantities.
        markers: a dot at each value.
    """
    fig = style.figure(title, f"Lines over {x_title}: {', '.join(lines)}. {title}.", x_title, y_title)
    for i, (name, values) in enumerate(lines.items()):
        fig.add_scatter(
            x=values_of(x), y=values_of(values), name=name, mode="lines+markers" if markers else "lines",
            line={"color": colour_of(name, i), "width": 2, "dash": "solid" if i < 6 else "dot"}, marker={"size": 5},
        )  # fmt: skip
    if any(isinstance(name, str) for name in values_of(x)):
        fig.update_xaxes(type="category")
    if logarithmic:
        fig.update_yaxes(**style.logarithmic())
    return fig


def mark(fig: go.Figure, marks: Mapping[str, float]) -> None:
    """Adds a dotted vertical line with a name above it for each mark."""
    for name, at in marks.items():
        fig.add_vline(at, line={"dash": "dot", "color": style.GREY, "width": 1.5})
        fig.add_annotation(
            x=at, y=1.0, yref="paper", yanchor="bottom", xanchor="center", showarrow=False,
            text=name, font={"size": 11, "color": style.TEXT},
        )  # fmt: skip


def bars(
    categories: Sequence[str],
    groups: Mapping[str, Series],
    title: str,
    y_title: str,
    *,
    percent: bool = False,
    level: tuple[str, float] | None = None,
    colours: Sequence[str] = style.SEQUENCE,
) -> go.Figure:
    """Bars over categories, one colour a group; ``level`` is a named dotted horizontal line."""
    alt = f"Bars of {y_title} for {', '.join(categories)}"
    alt += f", by {', '.join(groups)}. {title}." if len(groups) > 1 else f". {title}."
    fig = style.figure(title, alt, "", y_title)
    for (name, values), colour in zip(groups.items(), colours, strict=False):
        fig.add_bar(x=list(categories), y=values_of(values), name=name, marker_color=colour)
    if level is not None:
        fig.add_hline(level[1], line={"dash": "dot", "color": style.GREY, "width": 1.5})
        fig.add_annotation(
            x=1, xref="paper", y=level[1], yanchor="bottom", xanchor="right", showarrow=False,
            text=level[0], font={"color": style.TEXT, "size": 11},
        )  # fmt: skip
    fig.update_layout(barmode="group", bargap=0.2, showlegend=len(groups) > 1)
    fig.update_xaxes(type="category", automargin=True)
    if percent:
        fig.update_yaxes(tickformat=".0%")
    return fig
