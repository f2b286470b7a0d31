"""Figures about Othello: what is on the board, what a network expects, and what a probe believes.

Boards are by colour (0 empty, 1 black, 2 white), squares row by row from a1 in the top left corner; moves are all
squares but the middle four, as in :mod:`course_utils.tasks.othello`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import plotly.graph_objects as go
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_utils.errors import CourseError
from course_utils.plots import othello_boards as draw
from course_utils.plots import othello_positions as positions
from course_utils.plots import style
from course_utils.plots.othello_boards import Look
from course_utils.plots.othello_cells import cells

__all__ = ["Panel", "before_after", "belief", "board", "cells", "game"]


@dataclass(frozen=True)
class Panel:
    """One board of :func:`before_after`.

    Attributes:
        absolute: each square's state by colour.
        legal: the moves that this board allows.
        probabilities: the model's, of each move.
        edited: the square that an intervention changed.
        error: moves predicted though illegal, and legal moves missed (``legality.intervention_error``).
    """

    absolute: Int[Tensor, "square"]
    legal: Bool[Tensor, "move"]
    probabilities: Float[Tensor, "move"]
    edited: int | None = None
    error: int | None = None


def board(
    absolute: Int[Tensor, "square"],
    title: str,
    *,
    size: int = 6,
    last: int | None = None,
    legal: Bool[Tensor, "move"] | None = None,
    probabilities: Float[Tensor, "move"] | None = None,
) -> go.Figure:
    """One board, and what may be, or is expected to be, played on it.

    Args:
        absolute: each square's state by colour.
        title: the finding.
        size: squares along a side.
        last: the square of the last move, which gets a dot.
        legal: the next move's choices, which get rings.
        probabilities: the model's, of each next move: written on the squares, which they turn gold. Illegal moves of
            1% and more get a cross if ``legal`` is given.

    Raises:
        CourseError: not as many squares or moves as such a board has, or logits for probabilities.
    """
    look = positions.played(absolute, size, last, legal, probabilities)
    alt = f"An Othello board with {positions.count(absolute)}"
    if probabilities is not None:
        alt += ", and a model's probability of each move"
    fig = draw.panels(title, f"{alt}. {title}.", [""], size, side=350, bottom=40)
    _place(fig, look, size, 0, text=12)
    draw.say(
        fig, positions.key(last is not None, legal is not None, probabilities is not None), below=size - 0.43, shift=-8
    )
    return fig


def belief(
    absolute: Int[Tensor, "square"],
    probabilities: Float[Tensor, "square state"],
    title: str,
    *,
    size: int = 6,
    last: int | None = None,
) -> go.Figure:
    """The board that is there, and the board that a probe believes in.

    A disc is as solid as the probe is sure that there is one, and its shade lies between black and white as the probe
    does. Squares where the most probable state is not the true one get a frame with a cross.

    Args:
        absolute: each square's state by colour.
        probabilities: of each square's states empty, black and white.
        title: the finding.
        size: squares along a side.
        last: the square of the last move.

    Raises:
        CourseError: not as many squares or states as such a board has, or logits for probabilities.
    """
    real, believed = (
        positions.played(absolute, size, last, None, None),
        positions.believed(absolute, probabilities, size),
    )
    alt = f"Two Othello boards: the true one with {positions.count(absolute)}, and what a probe believes. {title}."
    names = ["<b>The board</b><br>" + positions.count(absolute), positions.probe_name(believed, size)]
    fig = draw.panels(title, alt, names, size, side=325, bottom=40)
    for panel, look in enumerate((real, believed)):
        _place(fig, look, size, panel, text=11)
    if last is not None:
        draw.say(fig, positions.key(True, False, False), below=size - 0.43, shift=-8)
    draw.say(fig, f"{positions.PROBE}<br>frame with ×: wrong", panel=1, below=size - 0.43, shift=-8)
    return fig


def game(
    absolutes: Int[Tensor, "ply square"],
    moves: Int[Tensor, "ply"],
    black_next: Bool[Tensor, "ply"],
    legal: Bool[Tensor, "ply move"],
    move_probabilities: Float[Tensor, "ply move"],
    beliefs: Float[Tensor, "ply square state"] | None,
    title: str,
    *,
    size: int = 6,
    start: int = 12,
) -> go.Figure:
    """A game with a slider over its moves: the board with what the model expects next, and what a probe believes.

    Args:
        absolutes, moves, black_next, legal: of one game, as in ``othello.Games``; −1 ends the moves.
        move_probabilities: the model's, of the move after each ply.
        beliefs: a probe's, of each square's states empty, black and white; None: only the board.
        title: the finding.
        size: squares along a side.
        start: the move that is shown at first, from 1.

    Raises:
        CourseError: parts of unequal length, squares or moves that such a board does not have, or logits.
    """
    parts = {"absolutes": absolutes, "moves": moves, "black_next": black_next, "legal": legal}
    parts |= {"move_probabilities": move_probabilities} | ({} if beliefs is None else {"beliefs": beliefs})
    if moves.ndim != 1 or len({len(part) for part in parts.values()}) > 1:
        lengths = ", ".join(f"{name} {list(part.shape)}" for name, part in parts.items())
        raise CourseError(f"All parts of one game have one entry for each ply; these have shapes {lengths}.")
    plies = int((moves >= 0).int().cumprod(0).sum())
    if not plies:
        raise CourseError("This game has no moves: all are −1.")
    played = moves[:plies].tolist()
    looks = [[_expected(absolutes[t], size, played[t], legal[t], move_probabilities[t]) for t in range(plies)]]
    if beliefs is not None:
        looks.append([positions.believed(absolutes[t], beliefs[t], size) for t in range(plies)])
    first = min(max(start, 1), plies) - 1

    shapes = [
        [s for panel, look in enumerate(looks) for s in draw.shapes(look[t], size, panel, text=11)]
        for t in range(plies)
    ]
    texts = [
        [
            positions.caption(t, played, black_next, absolutes[t], legal[t], size),
            positions.model_name(legal[t], move_probabilities[t]),
        ]
        + [positions.probe_name(look[t], size) for look in looks[1:]]
        for t in range(plies)
    ]
    alt = "A slider over the moves of a game of Othello: the board with a model's probability of each next move"
    alt += f"{', and the board as a probe reads it' * (beliefs is not None)}. {title}."
    fig = draw.panels(title, alt, texts[first][1:], size, side=325 if beliefs is not None else 350, top=26, bottom=108)
    for panel, look in enumerate(looks):
        fig.add_trace(draw.shading(look[first], size), 1, panel + 1)
    fig.update_layout(shapes=shapes[first])
    draw.say(fig, texts[first][0], shift=62, anchor="bottom")
    draw.say(fig, positions.key(True, True, True), below=size - 0.43, shift=-8)
    if beliefs is not None:
        draw.say(fig, f"{positions.PROBE}<br>frame with ×: wrong", panel=1, below=size - 0.43, shift=-8)

    caption = len(looks)  # its place among the annotations, after the boards' names
    steps = []
    for t, shape_values in enumerate(draw.varying(shapes)):
        values = {f"annotations[{caption}].text": texts[t][0]}
        values |= {f"annotations[{i}].text": text for i, text in enumerate(texts[t][1:])}
        boards = {
            "z": [draw.in_rows(look[t].shading, size) for look in looks],
            "text": [draw.in_rows(look[t].hover, size) for look in looks],
        }
        steps.append({"label": str(t + 1), "method": "update", "args": [boards, shape_values | values]})
    fig.update_layout(
        sliders=[{
            "steps": steps, "active": first, "currentvalue": {"visible": False}, "font": {"color": style.TEXT, "size": 10},
            "tickcolor": style.TEXT, "bgcolor": draw.BOARD, "bordercolor": draw.EDGE, "pad": {"t": 54}, "len": 1.0,
        }]
    )  # fmt: skip
    return fig


def before_after(panels: Mapping[str, Panel], title: str, *, size: int = 6) -> go.Figure:
    """Boards side by side, with what the model expects on each: before and after an intervention, say.

    With N legal moves, the N most probable ones count as predicted. Those of them that are illegal get a cross, and
    legal ones that are not among them a dotted ring: as many marks as the error says.

    Args:
        panels: by what stands above it: what a board shows.
        title: the finding.
        size: squares along a side.

    Raises:
        CourseError: not as many squares or moves as such a board has, or logits for probabilities.
    """
    if not 1 <= len(panels) <= 4:
        raise CourseError(f"There is room for one to four boards; these are {len(panels)}.")
    names = [
        f"<b>{name}</b>" + ("" if panel.error is None else f"<br>error {panel.error}") for name, panel in panels.items()
    ]
    alt = f"Othello boards with a model's probability of each move: {', '.join(panels)}. {title}."
    fig = draw.panels(title, alt, names, size, side=min(325, 640 // len(panels)), bottom=56)
    for i, panel in enumerate(panels.values()):
        look = positions.played(panel.absolute, size, None, panel.legal, panel.probabilities)
        top = panel.probabilities.argsort(descending=True)[: int(panel.legal.sum())]
        predicted = torch.zeros_like(panel.legal).index_fill(0, top, True)
        marks = {
            "legal": positions.squares(panel.legal & predicted, size),
            "missed": positions.squares(panel.legal & ~predicted, size),
            "illegal": positions.squares(predicted & ~panel.legal, size),
        }
        if panel.edited is not None:
            positions.check_square(panel.edited, size, "The edited square")
            marks["edited"] = [panel.edited]
        _place(fig, look._replace(marks=marks), size, i, text=11 if len(panels) < 3 else 10)
    key = f"○ legal and predicted &nbsp; ◌ legal, not predicted &nbsp; × predicted, illegal<br>{positions.MODEL}"
    if any(panel.edited is not None for panel in panels.values()):
        key += " &nbsp; □ edited"
    draw.say(fig, key, below=size - 0.43, shift=-8)
    return fig


def _place(fig: go.Figure, look: Look, size: int, panel: int, *, text: int) -> None:
    fig.add_trace(draw.shading(look, size), 1, panel + 1)
    fig.update_layout(shapes=[*fig.layout.shapes, *draw.shapes(look, size, panel, text=text)])


def _expected(absolute: Tensor, size: int, last: int, legal: Tensor, probabilities: Tensor) -> draw.Look:
    """A board with what the model expects on it; without, when the game is over."""
    look = positions.played(absolute, size, last, legal, probabilities)
    if bool(legal.any()):
        return look
    return positions.played(absolute, size, last, None, None)._replace(
        marks={"legal": [], "illegal": [], "last": [last]}
    )
