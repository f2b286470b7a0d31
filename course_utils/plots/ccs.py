"""Figures about answers found without labels: clouds of pair differences, losses, and what each random start found.

"Differences" are those of the two sides of a pair, as in :class:`course_utils.ccs.Pairs`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_utils.errors import CourseError
from course_utils.plots import labels, style

YES, NO = style.BLUE, style.RED
# What a probe can answer, in one colour each, in every figure; other names get the colours that are left, in their order.
FOUND = {
    "truth": style.BLUE, "word": style.ORANGE, "opinion": style.GREEN, "charge": style.PURPLE, "none": style.GREY,
}  # fmt: skip
SPARE = (style.RED, style.SKY)


@dataclass(frozen=True)
class Panel:
    """One panel of :func:`cloud`.

    Attributes:
        name: what stands above it.
        points: the differences, projected on two directions.
        colour: a feature of each question, shown by colour.
        shape: another one, shown by circles (yes) and crosses (no).
        colour_names, shape_names: what the two values are called, yes first.
    """

    name: str
    points: Float[Tensor, "n 2"]
    colour: Bool[Tensor, "n"]
    shape: Bool[Tensor, "n"] | None = None
    colour_names: tuple[str, str] = ("yes", "no")
    shape_names: tuple[str, str] = ("yes", "no")

    def kinds(self) -> dict[str, tuple[str, str, Bool[Tensor, "n"]]]:
        """Colour, symbol and members of each kind of point, by the kind's name."""
        found = {}
        for name, hue, members in zip(self.colour_names, (YES, NO), (self.colour, ~self.colour), strict=True):
            if self.shape is None:
                found[name] = (hue, "circle", members)
                continue
            for other, symbol, those in zip(
                self.shape_names, ("circle", "x-thin"), (self.shape, ~self.shape), strict=True
            ):
                found[f"{name}, {other}"] = (hue, symbol, members & those)
        return found


def cloud(
    panels: Sequence[Panel],
    title: str,
    *,
    x_title: str = "first principal component",
    y_title: str = "second principal component",
    most: int = 400,
) -> go.Figure:
    """Which feature are the differences spread out along? Panels side by side, both axes of each on one scale.

    Args:
        panels: one to four.
        title: the finding.
        x_title, y_title: what the two directions are.
        most: how many points of each panel are drawn: the first ones.

    Raises:
        CourseError: points, colours or shapes that do not belong together, or no panels or too many.
    """
    if not 1 <= len(panels) <= 4:
        raise CourseError(f"A cloud has one to four panels; {len(panels)} were given.")
    for panel in panels:
        _same_length(panel.name, panel.points, 2, panel.colour, panel.shape)
    shared = len({tuple(panel.kinds()) for panel in panels}) == 1
    lines = 1 if shared else max(len(panel.kinds()) for panel in panels)
    alt = f"Scatter plots of {', '.join(panel.name for panel in panels)}, coloured by "
    alt += f"{'; '.join(dict.fromkeys(', '.join(panel.kinds()) for panel in panels))}. {title}."
    height = 330 if len(panels) == 1 else 270
    fig = labels.panels(
        title, alt, 1, len(panels), height, above=30, below=58 + 20 * lines, horizontal_spacing=0.2 / (len(panels) + 1),
        subplot_titles=[panel.name for panel in panels],
    )  # fmt: skip
    for i, panel in enumerate(panels):
        legend = "legend" if shared or i == 0 else f"legend{i + 1}"
        points = panel.points[:most]
        for name, (hue, symbol, members) in panel.kinds().items():
            chosen = _rounded(points[members[:most]])
            thin = symbol == "x-thin"
            fig.add_scatter(
                x=[x for x, _ in chosen], y=[y for _, y in chosen], mode="markers", name=name, legend=legend,
                legendgroup=name if shared else None, showlegend=not shared or i == 0, hoverinfo="name",
                marker={"color": hue, "symbol": symbol, "size": 6, "opacity": 0.75,
                        "line": {"color": hue, "width": 1.6 if thin else 0}},
                row=1, col=i + 1,
            )  # fmt: skip
        low = 0.0 if shared else fig.layout[f"xaxis{i + 1 if i else ''}"].domain[0]
        fig.layout[legend] = {
            "orientation": "h" if shared else "v", "x": low, "xanchor": "left", "y": -52 / height, "yanchor": "top",
            "bgcolor": "rgba(0,0,0,0)", "itemsizing": "constant", "font": {"size": 12},
        }  # fmt: skip
        fig.update_yaxes(scaleanchor=f"x{i + 1 if i else ''}", row=1, col=i + 1)
    fig.update_xaxes(title_text=x_title, nticks=6)
    fig.update_yaxes(title_text=y_title, row=1, col=1)
    fig.update_yaxes(nticks=6)
    return fig


def cloud3(
    points: Float[Tensor, "n 3"],
    features: Mapping[str, Bool[Tensor, "n"]],
    title: str,
    *,
    names: Mapping[str, tuple[str, str]] | None = None,
    axes: tuple[str, str, str] = ("component 1", "component 2", "component 3"),
    most: int = 400,
) -> go.Figure:
    """The differences in three dimensions, to be turned with the mouse; buttons colour them by each feature.

    Args:
        features: each question's value of each; the first colours the points at first.
        names: what a feature's two values are called, yes first; else "yes" and "no".
        axes: what the three directions are.
        most: how many points are drawn: the first ones.

    Raises:
        CourseError: no features, or one with a value for more or fewer questions.
    """
    if not features:
        raise CourseError("A cloud needs at least one feature to colour its points by.")
    for name, values in features.items():
        _same_length(name, points, 3, values)
    alt = f"A rotatable cloud of points in three dimensions, coloured by {', '.join(features)}. {title}."
    fig = labels.panels(title, alt, 1, 1, 420, above=34, below=10, specs=[[{"type": "scene"}]])
    drawn = points[:most]
    for i, (feature, values) in enumerate(features.items()):
        for value, hue, called in zip((True, False), (YES, NO), (names or {}).get(feature, ("yes", "no")), strict=True):
            chosen = _rounded(drawn[values[:most] == value])
            fig.add_scatter3d(
                x=[p[0] for p in chosen], y=[p[1] for p in chosen], z=[p[2] for p in chosen], mode="markers",
                name=f"{feature}: {called}", visible=i == 0, hoverinfo="name",
                marker={"color": hue, "size": 3.6, "opacity": 0.9, "line": {"width": 0}},
            )  # fmt: skip
    buttons = [
        {
            "label": f"by {feature}",
            "method": "restyle",
            "args": [{"visible": [j // 2 == i for j in range(2 * len(features))]}],
        }
        for i, feature in enumerate(features)
    ]
    axis = {
        "showbackground": False, "gridcolor": style.LINE, "linecolor": style.TEXT, "zeroline": False, "nticks": 5,
        "tickfont": {"size": 10, "color": style.TEXT}, "showspikes": False,
    }  # fmt: skip
    fig.update_layout(
        scene={
            **{
                f"{letter}axis": axis | {"title": {"text": text, "font": {"size": 12, "color": style.TEXT}}}
                for letter, text in zip("xyz", axes, strict=True)
            },
            "aspectmode": "data", "bgcolor": "rgba(0,0,0,0)", "camera": {"eye": {"x": 1.25, "y": -1.55, "z": 0.75}},
        },
        uirevision="kept",  # the view stays as it was turned when a button is pressed
        margin={"l": 8, "r": 8},
        legend={"x": 0.0, "xanchor": "left", "y": 0.98, "yanchor": "top", "itemsizing": "constant"},
        updatemenus=[{
            "type": "buttons", "direction": "right", "buttons": buttons, "x": 0.0, "xanchor": "left", "y": 1.01,
            "yanchor": "bottom", "bgcolor": "rgba(128,128,128,0.12)", "bordercolor": style.LINE, "showactive": True,
            "font": {"size": 12, "color": style.TEXT}, "pad": {"t": 0, "b": 0}, "visible": len(features) > 1,
        }],
    )  # fmt: skip
    return fig


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
    """
    if not losses:
        raise CourseError("Give at least one loss to draw.")
    alt = f"Maps of {', '.join(losses)} over the probabilities of both sides"
    alt += f", with {', '.join(marks)} marked. {title}." if marks else f". {title}."
    fig = labels.panels(
        title, alt, 1, len(losses), 270, above=26, below=48, subplot_titles=list(losses),
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
        fig.update_yaxes(scaleanchor=f"x{ref}", constrain="domain", row=1, col=i)
    ends = {
        "range": [0, 1],
        "tickvals": [0, 0.25, 0.5, 0.75, 1],
        "ticktext": ["0", "", "0.5", "", "1"],
        "showgrid": False,
    }
    fig.update_xaxes(**ends, constrain="domain", title_text="p⁺, probability of the positive side")
    fig.update_yaxes(**ends)
    fig.update_yaxes(title_text="p⁻, of the negative side", row=1, col=1)
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
        CourseError: an agreement below 0.5, or lists of different lengths.
    """
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
        ]
        fig.add_scatter(
            x=[x for x, _ in dots] or [None], y=[y for _, y in dots] or [None], mode="markers", name=kind,
            legendgroup=kind, cliponaxis=False, hovertemplate="%{y:.0%}",
            marker={"color": hues[kind], "size": 7, "opacity": 0.7}, row=1, col=1,
        )  # fmt: skip
        shares = [sum(found == kind for found in column.found) / len(column.found) for column in columns]
        fig.add_bar(
            x=list(range(len(columns))), y=[round(share, 4) for share in shares], name=kind, legendgroup=kind,
            showlegend=False, marker={"color": hues[kind], "line": {"width": 0}}, width=0.8,
            text=[f"{100 * share:.0f}%" if share >= 0.1 else "" for share in shares], textposition="inside",
            insidetextanchor="middle", textangle=0, hovertemplate="%{y:.0%}", row=2, col=1,
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
        x=1, xref="x domain", y=0.5, yref="y", text="chance", showarrow=False, xanchor="right", yanchor="bottom",
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
        barmode="stack", hovermode="closest", margin={"l": 76},
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
    """Where each dot stands, from −0.38 to 0.18 of a column: dots within 1.5 points of another share the width."""
    crowds: dict[int, list[int]] = {}
    for i in torch.argsort(column.agreement, stable=True).tolist():
        if i != column.lowest:
            crowds.setdefault(round(float(column.agreement[i]) / 0.015), []).append(i)
    found = [0.0] * len(column.found)
    for crowd in crowds.values():
        step = min(0.09, 0.56 / max(1, len(crowd) - 1))
        for k, i in enumerate(sorted(crowd)):
            found[i] = -0.1 + step * (k - (len(crowd) - 1) / 2)
    return found


def _rounded(points: Float[Tensor, "n k"]) -> list[tuple[float, ...]]:
    return [tuple(float(f"{value:.3g}") for value in point) for point in points.tolist()]


def _same_length(name: str, points: Tensor, dimensions: int, *features: Tensor | None) -> None:
    """Raises if points have other than so many coordinates, or features other than one Boolean for each."""
    if points.ndim != 2 or points.shape[1] != dimensions:
        raise CourseError(f"{name}: points of shape {list(points.shape)}; [n, {dimensions}] is needed.")
    for feature in features:
        if feature is not None and (feature.shape != points.shape[:1] or feature.dtype != torch.bool):
            raise CourseError(
                f"{name}: a feature has one Boolean for each of the {len(points)} points; this one is "
                f"{feature.dtype} of shape {list(feature.shape)}."
            )
