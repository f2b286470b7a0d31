"""How an Othello board is drawn: green squares, discs, and marks on them, for every figure that shows one.

Discs and marks are shapes in the coordinates of the board, so that they keep their proportions on a page of any width.
Below them lies a heat map: it shades the squares and answers the mouse. A board is described square by square in a
:class:`Look`; two looks with the same kinds of marks give the same list of shapes with other values in it, which is what
lets a slider go from one to the next by naming only the values that change.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go
from plotly.colors import hex_to_rgb
from plotly.subplots import make_subplots

from course_utils.plots import style
from course_utils.tasks import othello

# A green between black and white in lightness; squares that a model bets on turn towards a light gold, which is told
# from the green by its lightness as well as by its hue.
BOARD, EDGE, GOLD, INK = "#57906F", "#2C5140", "#FFD978", "#0E2018"
BLACK_DISC, WHITE_DISC, SHADE, NOTHING = "#17191B", "#F8F7F2", "#07120C", "rgba(0,0,0,0)"
RADIUS = 0.4  # of a disc, in squares
SHADES = 100  # levels of shading

Path = Callable[[float, float], str]
Shape = dict[str, Any]


class Look(NamedTuple):
    """What a board shows on each square.

    Attributes:
        discs: the colour of the disc; ``NOTHING`` where there is none.
        solid: how solid it is, from 0 to 1.
        labels: what is written on the square.
        shading: from 0 (green) to ``SHADES`` (gold).
        hover: what the mouse finds, below the square's name.
        marks: which squares have each kind of mark (the names in ``MARKS``).
    """

    discs: list[str]
    solid: list[float]
    labels: list[str]
    shading: list[int]
    hover: list[str]
    marks: Mapping[str, Sequence[int]]


def mix(first: str, second: str, share: float) -> str:
    """From the first colour (share 0) to the second (1)."""
    pairs = zip(hex_to_rgb(first), hex_to_rgb(second), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * min(1.0, max(0.0, share))):02x}" for a, b in pairs)


def label(text: str, ground: str) -> str:
    """A label that can be read on a disc of that colour."""
    dark = ground != NOTHING and sum(hex_to_rgb(ground)) < 360
    return f'<span style="color:{WHITE_DISC}">{text}</span>' if dark else text


def circle(radius: float) -> Path:
    """A circle around the middle of the square, of four curves."""
    bend = 0.5523 * radius

    def path(x: float, y: float) -> str:
        def at(dx: float, dy: float) -> str:
            return f"{x + dx:.3g},{y + dy:.3g}"

        first = f"M{at(radius, 0)}C{at(radius, bend)} {at(bend, radius)} {at(0, radius)}"
        rest = ((-radius, bend, -radius, 0), (-bend, -radius, 0, -radius), (radius, -bend, radius, 0))
        return first + "".join(f"S{at(a, b)} {at(c, d)}" for a, b, c, d in rest) + "Z"

    return path


def frame(inset: float) -> Path:
    """The outline of a square, a little inside."""
    half = 0.5 - inset
    return lambda x, y: f"M{x - half:.3g},{y - half:.3g}H{x + half:.3g}V{y + half:.3g}H{x - half:.3g}Z"


def cross(dx: float, dy: float, arm: float) -> Path:
    """A small cross, away from the middle of the square by (dx, dy)."""

    def path(x: float, y: float) -> str:
        left, right, top, bottom = x + dx - arm, x + dx + arm, y + dy - arm, y + dy + arm
        return f"M{left:.3g},{top:.3g}L{right:.3g},{bottom:.3g}M{left:.3g},{bottom:.3g}L{right:.3g},{top:.3g}"

    return path


def both(first: Path, second: Path) -> Path:
    """Two outlines as one."""
    return lambda x, y: first(x, y) + second(x, y)


def _line(colour: str, width: float, dash: str = "solid") -> Shape:
    return {"line": {"color": colour, "width": width, "dash": dash}}


_WRONG, _RING = both(frame(0.07), cross(0.3, -0.3, 0.09)), circle(0.37)
# Each kind of mark: its outline and one or two ways of drawing it, the lower first.
MARKS: Mapping[str, tuple[Path, tuple[Shape, ...]]] = {
    "choice": (circle(0.13), (_line("#F4FFF8", 1.6),)),
    "legal": (_RING, (_line("#F4FFF8", 1.6),)),
    "missed": (_RING, (_line("#F4FFF8", 1.6, "2px,3px"),)),
    "illegal": (cross(0.34, -0.34, 0.065), (_line(INK, 1.5),)),
    "edited": (frame(0.03), (_line(SHADE, 5), _line("#8FD3FF", 2.5))),
    "wrong": (_WRONG, (_line(SHADE, 4.5), _line("#FFB238", 2.2))),
    "last": (circle(0.1), ({"fillcolor": style.RED, "line": {"width": 0}},)),
}


def shapes(look: Look, size: int, panel: int, *, text: int) -> list[Shape]:
    """Everything of a board but its shading.

    Args:
        look: what it shows.
        size: squares along a side.
        panel: which of the figure's boards, from 0.
        text: the size of labels, in pixels.
    """
    on = {"xref": f"x{panel + 1 if panel else ''}", "yref": f"y{panel + 1 if panel else ''}"}
    low, high, rim = -0.5, size - 0.5, 0.07
    inner = [k - 0.5 for k in range(1, size)]
    grid = "".join(f"M{at},{low}V{high}M{low},{at}H{high}" for at in inner)
    corner = min(2, size // 2 - 1)
    points = "".join(circle(0.055)(x, y) for x in (low + corner, high - corner) for y in (low + corner, high - corner))
    board: list[Shape] = [
        {"type": "rect", "x0": low - rim, "x1": high + rim, "y0": low - rim, "y1": high + rim, "layer": "below",
         "fillcolor": EDGE, "line": {"width": 0}},
        {"type": "path", "path": grid, **_line(EDGE, 1)},
        {"type": "path", "path": points, "fillcolor": EDGE, "line": {"width": 0}},
    ]  # fmt: skip
    for square, solid in enumerate(look.solid):
        board.append(
            _disc(square, size, RADIUS + 0.02, 0.025) | {"fillcolor": SHADE, "opacity": round(0.75 * solid, 2)}
        )
    for square, colour in enumerate(look.discs):
        label = {"text": look.labels[square], "font": {"size": text, "color": INK}, "padding": 0}
        board.append(_disc(square, size, RADIUS, 0.0) | {"fillcolor": colour, "label": label})
    for kind, (outline, ways) in MARKS.items():
        if kind in look.marks:
            path = "".join(outline(square % size, square // size) for square in look.marks[kind]) or "M0,0Z"
            board += [{"type": "path", "path": path, **way} for way in ways]
    return [shape | on for shape in board]


def _disc(square: int, size: int, radius: float, lower: float) -> Shape:
    x, y = square % size, square // size + lower
    ends = {"x0": x - radius, "x1": x + radius, "y0": y - radius, "y1": y + radius}
    return {"type": "circle", **{end: round(at, 3) for end, at in ends.items()}, "line": {"width": 0}}


def in_rows(values: Sequence[Any], size: int) -> list[list[Any]]:
    """The squares' values as rows of the board."""
    return [list(values[first : first + size]) for first in range(0, size * size, size)]


def shading(look: Look, size: int) -> go.Heatmap:
    """The squares: shaded, and with what the mouse finds on them."""
    names = [othello.square_name(square, size) for square in range(size * size)]
    return go.Heatmap(
        z=in_rows(look.shading, size), zmin=0, zmax=SHADES, colorscale=[(0.0, BOARD), (1.0, GOLD)], showscale=False,
        customdata=in_rows(names, size), text=in_rows(look.hover, size),
        hovertemplate="<b>%{customdata}</b><br>%{text}<extra></extra>",
    )  # fmt: skip


def panels(
    title: str, alt: str, names: Sequence[str], size: int, *, side: int, top: int = 0, bottom: int = 0, rows: int = 1
) -> go.Figure:
    """A figure with room for boards side by side: square cells, files a, b, … above and ranks 1, 2, … on the left.

    Args:
        title: the finding; a long one is broken into lines.
        alt: for a reader who cannot see it.
        names: what stands above each board, of one or two lines; where it is empty there is no board.
        size: squares along a side of a board.
        side: of a board, in pixels, on a page that is wide enough.
        top: additional space for something above the boards, in pixels.
        bottom: the same below them.
        rows: rows of boards, all of which have ``bottom`` below them.
    """
    lines = textwrap.wrap(title, 80, break_on_hyphens=False) or [""]
    fig = style.figure("<br>".join(lines), alt)
    layout = fig.layout.to_plotly_json()
    columns = -(-len(names) // rows)
    above = 26 + 16 * max(name.count("<br>") + bool(name) for name in names)
    head = 26 + 20 * len(lines) + top + above
    height = head + rows * side + (rows - 1) * above + bottom + 14
    gap = (above + 12) / (height - head - bottom - 14) if rows > 1 else 0.0
    spacing = 0.09 if columns == 2 else 0.055
    fig = make_subplots(rows, columns, horizontal_spacing=spacing if columns > 1 else 0.0, vertical_spacing=gap)
    fig.update_layout(layout)
    fig.update_layout(
        meta={"alt": alt, "least": min(columns * side, 640)},  # narrower, texts overlap
        height=height, margin={"l": 24, "r": 12, "t": head, "b": bottom + 14}, dragmode=False,
        title_y=1 - (14 + 11 * (len(lines) - 1)) / height,
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": style.LINE, "activecolor": style.TEXT},
        hoverlabel={"bgcolor": "#22272B", "bordercolor": "#8A8F94", "font": {"color": "#FFFFFF", "size": 12}},
    )  # fmt: skip
    bare = {
        "showgrid": False, "zeroline": False, "showline": False, "ticks": "", "fixedrange": True, "constrain": "domain",
        "tickvals": list(range(size)), "tickfont": {"size": 11, "color": style.TEXT}, "title_text": "",
    }  # fmt: skip
    fig.update_xaxes(
        **bare, ticktext=list("abcdefgh"[:size]), side="top", range=[-0.57, size - 0.43], constraintoward="left"
    )
    fig.update_yaxes(**bare, ticktext=[str(k + 1) for k in range(size)], range=[size - 0.43, -0.57])
    for i, name in enumerate(names):
        ref = str(i + 1) if i else ""
        fig.update_yaxes(
            scaleanchor=f"x{ref}", constraintoward="top", row=i // columns + 1, col=i % columns + 1, title_text=""
        )
        say(fig, name, panel=i, shift=22, anchor="bottom")
    return fig


def say(
    fig: go.Figure, text: str, *, panel: int = 0, below: float | None = None, shift: int = 0, anchor: str = "top"
) -> None:
    """Writes above a board's left corner; or below it, if told how many squares down from the middle of the first."""
    ref = str(panel + 1) if panel else ""
    fig.add_annotation(
        text=text, showarrow=False, align="left", font={"size": 12, "color": style.TEXT}, yshift=shift,
        xref=f"x{ref}", x=-0.57, xanchor="left", yanchor=anchor,
        yref=f"y{ref} domain" if below is None else f"y{ref}", y=1 if below is None else below,
    )  # fmt: skip


def varying(moments: Sequence[Sequence[Shape]]) -> list[dict[str, Any]]:
    """For each moment, the values in its shapes that are not the same at all moments, by their names in a layout."""
    flat = [
        {f"shapes[{i}].{key}": value for i, shape in enumerate(moment) for key, value in _leaves(shape)}
        for moment in moments
    ]
    changing = [key for key in flat[0] if any(moment[key] != flat[0][key] for moment in flat)]
    return [{key: moment[key] for key in changing} for moment in flat]


def _leaves(tree: Shape, name: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in tree.items():
        found += _leaves(value, f"{name}{key}.") if isinstance(value, dict) else [(name + key, value)]
    return found
