"""Clouds of points coloured by features of the questions, in two and in three dimensions.

Which features are the differences between the two sides of a pair spread out along? (:class:`course_utils.contrast.Pairs`)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_utils.errors import CourseError
from course_utils.plots import labels, style

YES, NO = style.BLUE, style.RED
SPACE = "#8C8C8C"  # lines in three dimensions: drawn without transparency, on light and dark pages alike


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
    height = (330, 270, 220, 190)[len(panels) - 1]
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
                marker={"color": hue, "symbol": symbol, "size": 6, "opacity": 0.8,
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
    fig = labels.panels(title, alt, 1, 1, 390, above=34, below=10, specs=[[{"type": "scene"}]])
    drawn = points[:most]
    for i, (feature, values) in enumerate(features.items()):
        for value, hue, called in zip((True, False), (YES, NO), (names or {}).get(feature, ("yes", "no")), strict=True):
            chosen = _rounded(drawn[values[:most] == value])
            fig.add_scatter3d(
                x=[p[0] for p in chosen], y=[p[1] for p in chosen], z=[p[2] for p in chosen], mode="markers",
                name=f"{feature}: {called}", visible=i == 0, hoverinfo="name",
                marker={"color": hue, "size": 3.6, "opacity": 0.9, "line": {"width": 0}},
            )  # fmt: skip
    spans = drawn.amax(0) - drawn.amin(0)
    sides = [round(side, 3) for side in (1.5 * spans / spans.max()).tolist()]  # one scale on all three axes
    buttons = [
        {
            "label": f"by {feature}",
            "method": "restyle",
            "args": [{"visible": [j // 2 == i for j in range(2 * len(features))]}],
        }
        for i, feature in enumerate(features)
    ]
    axis = {
        "showbackground": False, "gridcolor": SPACE, "linecolor": style.TEXT, "zeroline": False, "nticks": 5,
        "tickfont": {"size": 10, "color": style.TEXT}, "showspikes": False,
    }  # fmt: skip
    fig.update_layout(
        scene={
            **{
                f"{letter}axis": axis | {"title": {"text": text, "font": {"size": 12, "color": style.TEXT}}}
                for letter, text in zip("xyz", axes, strict=True)
            },
            "aspectmode": "manual", "aspectratio": dict(zip("xyz", sides, strict=True)), "bgcolor": "rgba(0,0,0,0)",
            "camera": {"eye": {"x": 0.75, "y": -1.75, "z": 0.7}, "center": {"x": 0, "y": 0, "z": -0.1}},
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
