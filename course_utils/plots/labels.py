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
    broken = lines(title, 80)
    head = 20 + 20 * len(broken) + above
    empty = style.figure("<br>".join(broken), alt, height=head + height + below)
    layout = empty.layout.to_plotly_json()
    fig = make_subplots(rows, columns, **subplots)
    fig.update_xaxes(**layout.pop("xaxis"))
    fig.update_yaxes(**layout.pop("yaxis"))
    fig.update_layout(layout)
    fig.update_layout(margin={"t": head, "b": below}, title_y=1 - (14 + 11 * (len(broken) - 1)) / fig.layout.height)
    fig.update_layout(modebar={"bgcolor": "rgba(0,0,0,0)", "color": style.LINE, "activecolor": style.TEXT})
    fig.update_annotations(font={"size": 12, "color": style.TEXT})
    return fig


def lines(text: str, letters: int) -> list[str]:
    """A text in as few lines of so many letters as it needs, all about as long as each other."""

    def broken(width: int) -> list[str]:
        return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)

    fewest = len(broken(letters))
    return broken(next(width for width in range(1, letters + 1) if len(broken(width)) == fewest)) or [""]


class Across(NamedTuple):
    """Names of columns as they are written: with line breaks, at an angle, and how many pixels high they are."""

    texts: list[str]
    angle: int
    height: int


def across(names: Sequence[str], room: float = 590.0) -> Across:
    """Names below columns that share ``room`` pixels: wrapped if every word fits its column, else turned."""
    letters = int((room / max(1, len(names)) - 6) / LETTER)
    if all(len(word) <= letters for name in names for word in name.split()):
        broken = [lines(name, letters) for name in names]
        return Across(["<br>".join(each) for each in broken], 0, LINE_HEIGHT * max(map(len, broken), default=1))
    longest = max(map(len, names))
    return Across(list(names), -40, int(LETTER * longest * math.sin(math.radians(40))) + LINE_HEIGHT)


class Spot(NamedTuple):
    """Where a name is written: the middle of its text from the point, in pixels to the right and up; far: needs a line."""

    right: float
    up: float
    far: bool


Box = tuple[float, float, float, float]


def beside(
    names: Sequence[str], points: Sequence[tuple[float, float]], widths: Sequence[float], height: float
) -> list[Spot]:
    """A place for each point's name where it covers no point, no other name, and nothing outside.

    Names are placed one after the other, the most crowded first, each at the nearest place around its point that is free:
    to the right if it can be. If none is free, the name is put where it covers least.

    Args:
        points: (x, y), each from 0 (left, bottom) to 1.
        widths: of the area, in pixels, on pages of different widths; a place has to do for all of them.
        height: of the area, in pixels.
    """
    pages = [[(x * width, y * height) for x, y in points] for width in widths]
    crowded = [sum(math.dist(point, other) < 60 for other in pages[0]) for point in pages[0]]
    spots: dict[int, Spot] = {}
    for i in sorted(range(len(points)), key=lambda i: (-crowded[i], i)):
        least: tuple[float, Spot] | None = None
        for spot in _around(_half(names[i])):
            covered = 0.0
            for page, width in zip(pages, widths, strict=True):
                taken = [_dot(point) for j, point in enumerate(page) if j != i]
                taken += [_box(page[j], other, names[j]) for j, other in spots.items()]
                box = _box(page[i], spot, names[i])
                covered += sum(_overlap(box, other) for other in taken)
                covered += 100 * (max(0, -box[0], box[2] - width) + max(0, -box[1], box[3] - height))
                if spot.far:  # its line should cross nothing either
                    line = [_dot(_moved(page[i], spot, share), 1) for share in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)]
                    covered += 50 * sum(_overlap(bit, other) for bit in line for other in taken)
            if least is None or covered < least[0]:
                least = covered, spot
            if covered == 0:
                break
        assert least is not None
        spots[i] = least[1]
    return [spots[i] for i in range(len(points))]


def _half(name: str) -> float:
    return LETTER * len(name) / 2 + 2


def _moved(point: tuple[float, float], spot: Spot, share: float = 1.0) -> tuple[float, float]:
    return point[0] + share * spot.right, point[1] + share * spot.up


def _dot(point: tuple[float, float], radius: float = 8) -> Box:
    return point[0] - radius, point[1] - radius, point[0] + radius, point[1] + radius


def _box(point: tuple[float, float], spot: Spot, name: str) -> Box:
    """The left, lower, right and upper end of a name written at a point."""
    (x, y), half = _moved(point, spot), _half(name)
    return x - half, y - 7, x + half, y + 7


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
