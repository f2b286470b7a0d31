"""Figures that set many things side by side: a table of shares in colour, and named things in a plane."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import plotly.colors
import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from course_utils.errors import CourseError
from course_utils.plots import labels, style

Scale = list[str]  # colours at even distances
Named = Mapping[str, tuple[float, float]]
WIDTHS, HEIGHT = (590, 890), 320  # of the area where named points lie, in pixels on a page of 700 and one of 1,000
AROUND_CHANCE: Scale = [style.RED, "#F2F2F2", style.BLUE]
SEQUENTIAL: Scale = [colour for _, colour in plotly.colors.get_colorscale(style.SEQUENTIAL)]


def grid(
    values: Float[Tensor, "row column"],
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    *,
    measure: str = "accuracy",
    chance: bool = False,
    low: float = 0.0,
    down: str = "",
    across: str = "",
) -> go.Figure:
    """A table of shares as a heatmap with a percentage in each cell: methods × conditions, or training × test.

    Args:
        values: from 0 to 1; NaN where nothing was measured, which leaves the cell empty.
        rows, columns: their names; long ones are wrapped or turned.
        title: the finding.
        measure: what the shares are, over the scale.
        chance: colours that part at 0.5: blue above, red below. Otherwise one scale from ``low`` to 1.
        down, across: what rows and columns are.

    Raises:
        CourseError: not as many names as rows or columns, or values outside 0 to 1.
    """
    if tuple(values.shape) != (len(rows), len(columns)):
        raise CourseError(f"Values of shape {list(values.shape)} for {len(rows)} rows and {len(columns)} columns.")
    known = values[~values.isnan()]
    if not len(known) or float(known.min()) < 0 or float(known.max()) > 1 + 1e-6:
        raise CourseError("A grid shows shares from 0 to 1, at least one of them.")
    listed = [[round(value, 4) if value == value else None for value in row] for row in values.tolist()]
    bottom, scale = (0.0, AROUND_CHANCE) if chance else (low, SEQUENTIAL)
    written = [["" if value is None else f"{100 * value:.0f}%" for value in row] for row in listed]
    inked = [
        [_inked(text, value, bottom, scale) for text, value in zip(*pair, strict=True)]
        for pair in zip(written, listed, strict=True)
    ]
    down_names = ["<br>".join(labels.lines(row, 26)) for row in rows]
    side = max((len(line) for name in down_names for line in name.split("<br>")), default=0) * labels.LETTER
    names = labels.across(columns, 590 - side)
    alt = f"A table of {measure} in percent for {', '.join(rows)} (down) and {', '.join(columns)} (across). {title}."
    cell = 46 if any("<br>" in name for name in down_names) else 36
    fig = labels.panels(title, alt, 1, 1, max(130, cell * len(rows)), below=14 + names.height + 22 * bool(across))
    fig.add_heatmap(
        z=listed, text=inked, texttemplate="%{text}", textfont={"size": 12}, xgap=2, ygap=2, hoverongaps=False,
        zmin=bottom, zmax=1.0, colorscale=scale,
        customdata=[
            [f"{row}, {column}: {text}" for column, text in zip(columns, texts, strict=True)]
            for row, texts in zip(rows, written, strict=True)
        ],
        hovertemplate="%{customdata}<extra></extra>",
        colorbar={
            "thickness": 12, "outlinewidth": 0, "tickformat": ".0%", "tickvals": [bottom, (bottom + 1) / 2, 1],
            "tickfont": {"color": style.TEXT},
            "title": {"text": measure, "side": "right", "font": {"color": style.TEXT, "size": 12}},
        },
    )  # fmt: skip
    bare = {"showgrid": False, "showline": False, "ticks": "", "tickfont": {"size": 12, "color": style.TEXT}}
    fig.update_xaxes(
        **bare, tickvals=list(range(len(columns))), ticktext=names.texts, tickangle=names.angle, title_text=across
    )
    fig.update_yaxes(
        **bare, tickvals=list(range(len(rows))), ticktext=down_names, title_text=down, autorange="reversed",
        automargin=True, ticklabelstandoff=4,
    )  # fmt: skip
    fig.update_layout(title={"x": 0, "xref": "container", "pad": {"l": 14}})  # there may be little room over the cells
    return fig


def _inked(text: str, value: float | None, low: float, scale: Scale) -> str:
    """A cell's text in black or white, whichever is told more easily from the cell's colour."""
    if value is None:
        return ""
    share = min(1.0, max(0.0, (value - low) / (1 - low)))
    red, green, blue = plotly.colors.sample_colorscale(scale, [share], colortype="tuple")[0]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    ink = "#101010" if luminance > 0.18 else "#FFFFFF"  # there both have a contrast of 4.5 to 1
    return f'<span style="color:{ink}">{text}</span>'


def named_points(
    points: Named | Mapping[str, Named],
    title: str,
    x_title: str,
    y_title: str,
    *,
    logarithmic: str = "",
) -> go.Figure:
    """Named things by two measures, such as how well a feature can be read out and how much variance it makes.

    Args:
        points: (x, y) by name; or groups of those by name, in one colour each. Up to about a dozen.
        title: the finding.
        x_title, y_title: what they measure, with units.
        logarithmic: the axes, of "x", "y" or "xy", that are logarithmic.

    Raises:
        CourseError: no points, or one that a logarithmic axis cannot show.
    """
    groups: dict[str, dict[str, tuple[float, float]]] = {}
    for name, value in points.items():
        if isinstance(value, Mapping):
            groups[name] = dict(value)
        else:
            groups.setdefault("", {})[name] = value
    named = [(name, at) for group in groups.values() for name, at in group.items()]
    if not named:
        raise CourseError("Give at least one point.")
    where = []
    for axis, letter in enumerate("xy"):
        wrong = [name for name, at in named if letter in logarithmic and at[axis] <= 0]
        if wrong:
            raise CourseError(f"A logarithmic axis shows numbers above 0 only; that of {wrong[0]} is not.")
        where.append([math.log10(at[axis]) if letter in logarithmic else at[axis] for _, at in named])
    ranges = [_padded(where[0], 0.13), _padded(where[1], 0.08)]  # names stand on the right of points, if they can
    several = len(groups) > 1
    alt = f"Points of {y_title} over {x_title}: {', '.join(name for name, _ in named)}. {title}."
    fig = labels.panels(title, alt, 1, 1, HEIGHT, above=26 if several else 4)
    for place, (group, members) in enumerate(groups.items()):
        fig.add_scatter(
            x=[float(f"{x:.4g}") for x, _ in members.values()], y=[float(f"{y:.4g}") for _, y in members.values()],
            mode="markers", name=group, text=list(members), showlegend=several, cliponaxis=False,
            hovertemplate="<b>%{text}</b><br>%{x:.3g}, %{y:.3g}<extra></extra>",
            marker={"size": 10, "color": style.SEQUENCE[place % len(style.SEQUENCE)]},
        )  # fmt: skip
    inside = [
        [(value - low) / (high - low) for value in values] for values, (low, high) in zip(where, ranges, strict=True)
    ]
    spots = labels.beside([name for name, _ in named], list(zip(*inside, strict=True)), WIDTHS, HEIGHT)
    for (name, _), x, y, spot in zip(named, *where, spots, strict=True):
        line = {"showarrow": True, "arrowhead": 0, "arrowwidth": 1, "arrowcolor": style.GREY, "standoff": 5}
        place_of = {"ax": spot.right, "ay": -spot.up, **line} if spot.far else {
            "xshift": spot.right, "yshift": spot.up, "showarrow": False,
        }  # fmt: skip
        fig.add_annotation(x=x, y=y, text=name, font={"size": 11, "color": style.TEXT}, borderpad=0, **place_of)
    for axis, letter, text in ((fig.layout.xaxis, "x", x_title), (fig.layout.yaxis, "y", y_title)):
        if letter in logarithmic:
            axis.update(style.logarithmic())
        axis.update(range=ranges["xy".index(letter)], title_text=text)
    fig.update_layout(
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"}, margin={"r": 28}
    )
    return fig


def _padded(values: Sequence[float], share: float) -> list[float]:
    """From a little under the smallest to a share of the whole over the largest."""
    low, high = min(values), max(values)
    span = high - low or 1.0
    return [low - 0.08 * span, high + share * span]
