"""Figures about contrast-consistent search: what its loss wants, and what it found from each random start."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import torch
from jaxtyping import Float
from torch import Tensor

from course_utils.errors import CourseError
from course_utils.plots import labels, style

# What a probe can answer, in one colour each, in every figure; other names get the colours that are left, in their order.
FOUND = {
    "truth": style.BLUE, "word": style.ORANGE, "opinion": style.GREEN, "charge": style.PURPLE,
    "none": style.GREY, "neither": style.GREY,
}  # fmt: skip
SPARE = (style.RED, style.SKY)


def loss_surface(
    losses: Mapping[str, Float[Tensor, "negative positive"]],
    title: str,
    marks: Mapping[str, tuple[float, float]] | None = None,
) -> go.Figure:
    """What does a loss want of the two probabilities? Maps of losses over both, from 0 to 1, on one scale of colours.

    Args:
        losses: by name: a row for each p⁻, a column for each p⁺, evenly spaced from 0 to 1.
        title: the finding.
        marks: named points (p⁺, p⁻), shown in every panel.

    Raises:
        CourseError: no losses, or one that is no table.
    """
    if not losses:
        raise CourseError("Give at least one loss to draw.")
    for name, values in losses.items():
        if values.ndim != 2 or min(values.shape) < 2:
            raise CourseError(
                f"{name}: losses of shape {list(values.shape)}; two rows and two columns at least are needed."
            )
    alt = f"Maps of {', '.join(losses)} over the probabilities of both sides"
    alt += f", with {', '.join(marks)} marked. {title}." if marks else f". {title}."
    fig = labels.panels(
        title, alt, 1, len(losses), 270 if len(losses) < 3 else 190, above=26, below=48, subplot_titles=list(losses),
        horizontal_spacing=0.22 / (len(losses) + 1),
    )  # fmt: skip
    for i, values in enumerate(losses.values(), start=1):
        rows, columns = values.shape
        fig.add_heatmap(
            z=values.detach().cpu().numpy().astype(np.float32), x0=0, dx=1 / (columns - 1), y0=0, dy=1 / (rows - 1),
            coloraxis="coloraxis", zsmooth="best", row=1, col=i,
            hovertemplate="p⁺ %{x:.2f}<br>p⁻ %{y:.2f}<br>loss %{z:.2f}<extra></extra>",
        )  # fmt: skip
        ref = str(i) if i > 1 else ""
        for name, (x, y) in (marks or {}).items():
            fig.add_scatter(
                x=[x], y=[y], mode="markers", showlegend=False, cliponaxis=False, hoverinfo="name", name=name, row=1, col=i,
                marker={"color": "#FFFFFF", "size": 9, "line": {"color": "#202020", "width": 1.5}},
            )  # fmt: skip
            fig.add_annotation(
                x=x, y=y, xref=f"x{ref}", yref=f"y{ref}", text=name, showarrow=False, borderpad=2,
                font={"size": 11, "color": "#FFFFFF"}, bgcolor="rgba(20,20,20,0.6)",
                xanchor="left" if x < 0.34 else "right" if x > 0.66 else "center", yanchor="top" if y > 0.5 else "bottom",
                xshift=8 if x < 0.34 else -8 if x > 0.66 else 0, yshift=-8 if y > 0.5 else 8,
            )  # fmt: skip
        fig.update_yaxes(scaleanchor=f"x{ref}", constrain="domain", constraintoward="top", row=1, col=i)
    ends = {
        "range": [0, 1],
        "tickvals": [0, 0.25, 0.5, 0.75, 1],
        "ticktext": ["0", "", "0.5", "", "1"],
        "showgrid": False,
    }
    fig.update_xaxes(**ends, constrain="domain", title_text="p⁺, of the positive side" if len(losses) < 3 else "p⁺")
    fig.update_yaxes(**ends)
    fig.update_yaxes(title_text="p⁻, of the negative side" if len(losses) < 3 else "p⁻", row=1, col=1)
    high = max(float(values.max()) for values in losses.values())
    fig.update_layout(
        coloraxis={
            "cmin": 0, "cmax": high, "colorscale": style.SEQUENTIAL,
            "colorbar": {"thickness": 12, "outlinewidth": 0, "title": {"text": "loss"}, "tickfont": {"color": style.TEXT}},
        }
    )  # fmt: skip
    return fig


@dataclass(frozen=True)
class Column:
    """One column of :func:`seeds`.

    Attributes:
        name: the condition.
        agreement: each start's with truth, up to sign: from 0.5 to 1.
        found: which feature each start answers: names in ``FOUND``, or others.
        lowest: the start with the lowest loss.
    """

    name: str
    agreement: Float[Tensor, "restart"]
    found: Sequence[str]
    lowest: int


def seeds(columns: Sequence[Column], title: str, *, y_title: str = "agreement with truth") -> go.Figure:
    """What did each random start find? A dot for each start over its condition, and the shares of what was found below.

    The start with the lowest loss, which the method would keep, is ringed and stands on the right of its column. Starts
    of nearly the same agreement are set side by side.

    Args:
        columns: the conditions, up to about 8.
        title: the finding.
        y_title: of the upper axis.

    Raises:
        CourseError: no columns, an agreement below 0.5, or lists of different lengths.
    """
    if not columns:
        raise CourseError("Give at least one column of starts.")
    for column in columns:
        _check(column)
    kinds = [*FOUND, *(name for column in columns for name in column.found if name not in FOUND)]
    kinds = [kind for kind in dict.fromkeys(kinds) if any(kind in column.found for column in columns)]
    others = [kind for kind in kinds if kind not in FOUND]
    hues = FOUND | {kind: SPARE[k % len(SPARE)] for k, kind in enumerate(others)}
    names = labels.across([column.name for column in columns])
    alt = f"A dot for each random start in {', '.join(column.name for column in columns)}, by agreement with truth and "
    alt += f"coloured by what it found ({', '.join(kinds)}). {title}."
    fig = labels.panels(
        title, alt, 2, 1, 350, above=30, below=16 + names.height, shared_xaxes=True, row_heights=[0.74, 0.26],
        vertical_spacing=0.05,
    )  # fmt: skip
    lowest, spread = [], {}
    for place, column in enumerate(columns):
        lowest.append((place + 0.34, float(column.agreement[column.lowest]), column.found[column.lowest]))
        spread[place] = [place + offset for offset in _side_by_side(column)]
    for kind in kinds:
        dots = [
            (round(spread[place][i], 3), round(float(column.agreement[i]), 3))
            for place, column in enumerate(columns)
            for i, found in enumerate(column.found)
            if found == kind and i != column.lowest
        ] or [(math.nan, math.nan)]  # without any dot the colour would be missing from the legend
        fig.add_scatter(
            x=[x for x, _ in dots], y=[y for _, y in dots], mode="markers", name=kind,
            legendgroup=kind, cliponaxis=False, hovertemplate="%{y:.0%}",
            marker={"color": hues[kind], "size": 7, "opacity": 0.85}, row=1, col=1,
        )  # fmt: skip
        shares = [sum(found == kind for found in column.found) / len(column.found) for column in columns]
        fig.add_bar(
            x=list(range(len(columns))), y=[round(share, 4) for share in shares], name=kind, legendgroup=kind,
            showlegend=False, marker={"color": hues[kind], "line": {"width": 0}}, width=0.8,
            text=[f"{100 * share:.0f}%" if share >= 0.15 else "" for share in shares], textposition="inside",
            insidetextanchor="middle", textangle=0, constraintext="none", textfont={"size": 11},
            hovertemplate="%{y:.0%}", row=2, col=1,
        )  # fmt: skip
    fig.add_scatter(
        x=[x for x, _, _ in lowest], y=[round(y, 3) for _, y, _ in lowest], mode="markers", showlegend=False,
        hoverinfo="skip", cliponaxis=False, marker={"color": [hues[kind] for _, _, kind in lowest], "size": 8},
        row=1, col=1,
    )  # fmt: skip
    fig.add_scatter(
        x=[x for x, _, _ in lowest], y=[round(y, 3) for _, y, _ in lowest], mode="markers", name="lowest loss",
        cliponaxis=False, hovertemplate="%{y:.0%}", row=1, col=1,
        marker={"symbol": "circle-open", "size": 15, "color": style.TEXT, "line": {"width": 2}},
    )  # fmt: skip
    fig.add_hline(0.5, line={"dash": "dot", "color": style.GREY, "width": 1.5}, row=1, col=1)
    fig.add_annotation(
        x=1, xref="x domain", y=0.5, yref="y", text="chance", showarrow=False, xanchor="left", xshift=4,
        font={"size": 11, "color": style.TEXT},
    )  # fmt: skip
    fig.update_xaxes(showgrid=False, ticks="", range=[-0.5, len(columns) - 0.5], tickvals=list(range(len(columns))))
    fig.update_xaxes(ticktext=names.texts, tickangle=names.angle, tickfont={"size": 11}, row=2, col=1)
    fig.update_yaxes(range=[0.48, 1.02], tickformat=".0%", tickvals=[0.5, 0.6, 0.7, 0.8, 0.9, 1], row=1, col=1)
    fig.update_yaxes(title_text=f"{y_title},<br>up to sign", row=1, col=1)
    fig.update_yaxes(
        title_text="share of<br>starts", range=[0, 1], tickformat=".0%", tickvals=[0, 0.5, 1], row=2, col=1
    )
    fig.update_layout(
        barmode="stack", hovermode="closest", margin={"l": 76, "r": 52},
        legend={
            "orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "itemsizing": "constant",
            "title": {"text": "found: ", "font": {"color": style.TEXT}},
        },
    )  # fmt: skip
    return fig


def _check(column: Column) -> None:
    if len(column.agreement) != len(column.found) or not 0 <= column.lowest < len(column.found):
        raise CourseError(
            f"{column.name}: {len(column.agreement)} agreements and {len(column.found)} names of what was found, and the "
            f"lowest loss is that of start {column.lowest}; each start needs one of both."
        )
    if float(column.agreement.min()) < 0.5 - 1e-6:
        raise CourseError(
            f"{column.name}: an agreement is {float(column.agreement.min()):.2f}. Agreement is up to sign here, so that "
            "it is at least 0.5: apply course_utils.ccs.up_to_sign first."
        )


def _side_by_side(column: Column) -> list[float]:
    """Where each dot stands, from −0.42 to 0.1 of a column: dots within 1.5 points of another share the width."""
    crowds: dict[int, list[int]] = {}
    for i in torch.argsort(column.agreement, stable=True).tolist():
        if i != column.lowest:
            crowds.setdefault(round(float(column.agreement[i]) / 0.015), []).append(i)
    found = [0.0] * len(column.found)
    for crowd in crowds.values():
        step = min(0.09, 0.52 / max(1, len(crowd) - 1))
        for k, i in enumerate(sorted(crowd)):
            found[i] = -0.16 + step * (k - (len(crowd) - 1) / 2)
    return found
