"""How names find room in a figure: titles broken into lines, names of columns wrapped or turned, names beside points.

A figure is as wide as its page, which is not known here. Everything is laid out for a page of 700 pixels; what fits on
that fits on a wider one.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from course_utils.plots import style

LETTER = 6.1  # the mean width of a letter of 11 or 12 pixels
LINE_HEIGHT = 14


def panels(
    title: str, alt: str, rows: int, columns: int, height: int, *, above: int = 0, below: int = 48, **subplots: object
) -> go.Figure:
    """A figure in the house style with a grid of panels, whose title is broken into as many lines as it needs.

    Args:
        title: the finding.
        alt: what the figure shows.
        rows, columns: of panels.
        height: of all panels together, in pixels.
        above, below: room over and under them, in pixels, besides the title.
        subplots: what ``plotly.subplots.make_subplots`` takes besides.
    """
    broken = textwrap.wrap(title, 80, break_on_hyphens=False) or [""]
    head = 20 + 20 * len(broken) + above
    empty = style.figure("<br>".join(broken), alt, height=head + height + below)
    layout = empty.layout.to_plotly_json()
    fig = make_subplots(rows, columns, **subplots)
    fig.update_xaxes(**layout.pop("xaxis"))
    fig.update_yaxes(**layout.pop("yaxis"))
    fig.update_layout(layout)
    fig.update_layout(margin={"t": head, "b": below}, title_y=1 - 14 / fig.layout.height)
    fig.update_annotations(font={"size": 12, "color": style.TEXT})
    return fig


class Across(NamedTuple):
    """Names of columns as they are written: with line breaks, at an angle, and how many pixels high they are."""

    texts: list[str]
    angle: int
    height: int


def across(names: Sequence[str], room: float = 590.0) -> Across:
    """Names below columns that share ``room`` pixels: wrapped if every word fits its column, else turned."""
    letters = int((room / max(1, len(names)) - 6) / LETTER)
    if all(len(word) <= letters for name in names for word in name.split()):
        lines = [textwrap.wrap(name, letters, break_on_hyphens=False) or [""] for name in names]
        return Across(["<br>".join(each) for each in lines], 0, LINE_HEIGHT * max(map(len, lines), default=1))
    longest = max(map(len, names))
    return Across(list(names), -40, int(LETTER * longest * math.sin(math.radians(40))) + LINE_HEIGHT)


class Spot(NamedTuple):
    """Where a name is written: the middle of its text from the point, in pixels to the right and up; far: needs a line."""

    right: float
    up: float
    far: bool


Box = tuple[float, float, float, float]


def beside(names: Sequence[str], points: Sequence[tuple[float, float]], width: float, height: float) -> list[Spot]:
    """A place for each point's name where it covers no point, no other name, and nothing outside.

    Names are placed one after the other, each at the nearest free place around its point: to the right if it can be. If
    none is free, the name is put where it covers least.

    Args:
        points: in pixels from the lower left corner.
        width, height: of the area, in pixels.
    """
    taken: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in points]
    crowded = [sum(math.dist(point, other) < 60 for other in points) for point in points]
    spots: dict[int, Spot] = {}
    for i in sorted(range(len(points)), key=lambda i: (-crowded[i], i)):
        (x, y), half = points[i], LETTER * len(names[i]) / 2 + 2
        best: tuple[float, Spot, Box] | None = None
        for spot in _around(half):
            middle_x, middle_y = x + spot.right, y + spot.up
            box = (middle_x - half, middle_y - 7, middle_x + half, middle_y + 7)
            outside = max(0, -box[0]) + max(0, -box[1]) + max(0, box[2] - width) + max(0, box[3] - height)
            covered = sum(_overlap(box, other) for other in taken) + 100 * outside
            if best is None or covered < best[0]:
                best = covered, spot, box
            if covered == 0:
                break
        assert best is not None
        spots[i] = best[1]
        taken.append(best[2])
    return [spots[i] for i in range(len(points))]


def _around(half: float) -> list[Spot]:
    """Places for a name of that half width, the nearest first; those away from the point need a line to it."""
    near = [(half + 8, 0), (-half - 8, 0), (0, 15), (0, -15)]
    near += [(half + 2, 12), (half + 2, -12), (-half - 2, 12), (-half - 2, -12)]
    found = [Spot(right, up, False) for right, up in near]
    for up in (26, 40, 56, 74, 94):
        for right in (half + 10, -half - 10, 0.0, half + 34, -half - 34):
            found += [Spot(right, up, True), Spot(right, -up, True)]
    return found


def _overlap(one: Box, other: Box) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, wide) * max(0.0, high)
