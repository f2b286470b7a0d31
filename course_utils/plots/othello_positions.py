"""What a figure says about a position of Othello: on each square, above and below the board, or why it cannot say it.

The two sources of a :class:`~course_utils.plots.othello_boards.Look` are here: a true board with what may be played on it,
and a board as a probe believes it to be.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_utils.errors import CourseError
from course_utils.plots import othello_boards as draw
from course_utils.plots import style
from course_utils.plots.othello_boards import Look
from course_utils.tasks import othello

COLOURS = ("empty", "black", "white")
DISCS = (draw.NOTHING, draw.BLACK_DISC, draw.WHITE_DISC)
WRITTEN = 0.01  # probabilities from here on are written on the board, with a cross if the move is illegal
SURE = 0.9  # a probe's confidence is written where it is below this

LAST = f'<span style="color:{style.RED}">●</span> last move'
MODEL = "gold, number: the model's probability (%)"
PROBE = "grey, faint: unsure; number: how sure (%)"


def played(
    absolute: Int[Tensor, "square"],
    size: int,
    last: int | None,
    legal: Bool[Tensor, "move"] | None,
    probabilities: Float[Tensor, "move"] | None,
) -> Look:
    """A true board, with what is known of the next move."""
    check_board(absolute, size)
    states = absolute.tolist()
    chance = [0.0] * len(states)
    marks: dict[str, list[int]] = {}
    if probabilities is not None:
        check_moves(probabilities, size, "probabilities")
        check_probabilities(probabilities, "model")
        for square, p in zip(othello.playable(size).tolist(), probabilities.tolist(), strict=True):
            chance[square] = p
    if legal is not None:
        check_moves(legal, size, "legal moves")
        choices = squares(legal, size)
        marks["choice" if probabilities is None else "legal"] = choices
        marks["illegal"] = [square for square, p in enumerate(chance) if p >= WRITTEN and square not in choices]
    if last is not None:
        check_square(last, size, "The last move")
        marks["last"] = [last]
    labels, hover = [], []
    for square, (state, p) in enumerate(zip(states, chance, strict=True)):
        labels.append(draw.label(f"{100 * p:.0f}", DISCS[state]) if p >= WRITTEN else "")
        said = COLOURS[state] + " disc" * (state > 0) + ", just played" * (square == last)
        if legal is not None and not state:
            said += ", legal" if square in choices else ", illegal"
        if probabilities is not None and (p >= WRITTEN or not state):
            said += f"<br>model: {percent(p)}"
        hover.append(said)
    return Look(
        discs=[DISCS[state] for state in states],
        solid=[int(state > 0) for state in states],
        labels=labels,
        # Half the probability on one square is as golden as it gets; few moves get more while there is a choice.
        shading=[
            0 if state else round(draw.SHADES * min(1.0, 2 * p) ** 0.6) for state, p in zip(states, chance, strict=True)
        ],
        hover=hover,
        marks=marks,
    )


def believed(absolute: Int[Tensor, "square"], probabilities: Float[Tensor, "square state"], size: int) -> Look:
    """The board that a probe believes in, with marks where it is wrong."""
    check_board(absolute, size)
    if tuple(probabilities.shape) != (size * size, len(COLOURS)):
        raise CourseError(
            f"Beliefs about a {size} × {size} board are of shape [{size * size}, 3] (empty, black, white for each "
            f"square); these have shape {list(probabilities.shape)}."
        )
    check_probabilities(probabilities, "probe")
    sums = probabilities.sum(-1)
    if bool(((sums - 1).abs() > 0.01).any()):
        raise CourseError(
            f"A square's beliefs add up to 1; these add up to between {sums.min():.2f} and {sums.max():.2f}. "
            "Is the softmax over the last dimension?"
        )
    discs, solid, labels, hover, wrong = [], [], [], [], []
    for square, (state, shares) in enumerate(zip(absolute.tolist(), probabilities.tolist(), strict=True)):
        disc = shares[othello.BLACK] + shares[othello.WHITE]
        shade = draw.mix(draw.BLACK_DISC, draw.WHITE_DISC, shares[othello.WHITE] / disc if disc else 0.5)
        colour = draw.mix(draw.BOARD, shade, disc)
        order = sorted(range(len(shares)), key=lambda k: -shares[k])
        best = order[0]
        discs.append(colour)
        solid.append(round(disc, 1))
        labels.append(draw.label(f"{100 * shares[best]:.0f}", colour) if shares[best] < SURE else "")
        said = ", ".join(f"{COLOURS[k]} {percent(shares[k])}" for k in order if shares[k] >= 0.001)
        hover.append(f"truly {COLOURS[state]}<br>probe: {said}")
        if best != state:
            wrong.append(square)
    return Look(discs, solid, labels, [0] * len(discs), hover, {"wrong": wrong})


def caption(
    t: int,
    moves: list[int],
    black_next: Bool[Tensor, "ply"],
    absolute: Int[Tensor, "square"],
    legal: Bool[Tensor, "move"],
    size: int,
) -> str:
    """Which move was made by whom, and who is next?"""
    mover = "black" if t == 0 or bool(black_next[t - 1]) else "white"
    other = "white" if mover == "black" else "black"
    made = f"<b>Move {t + 1}: {mover} plays {othello.square_name(moves[t], size)}.</b>"
    if not bool(legal.any()):
        return f"{made} The game is over: {count(absolute)}."
    if bool(black_next[t]) == (mover == "black"):
        return f"{made} {other.capitalize()} has to pass: {mover} again."
    return f"{made} {other.capitalize()} is next."


def model_name(legal: Bool[Tensor, "move"], probabilities: Float[Tensor, "move"]) -> str:
    """What stands above a board that the model's probabilities are written on: how much of them goes to legal moves?"""
    name = "<b>The board, and what the model expects</b><br>"
    if not bool(legal.any()):
        return name + "no move is legal"
    return name + f"{percent(float((probabilities * legal).sum()))} on legal moves"


def probe_name(look: Look, size: int) -> str:
    """What stands above a board that a probe believes in: how much of it is right?"""
    return f"<b>What the probe reads</b><br>{size * size - len(look.marks['wrong'])} of {size * size} squares right"


def key(last: bool, legal: bool, probabilities: bool) -> str:
    """What the marks on a true board mean."""
    first = [LAST] * last + ["○ legal"] * legal + ["× illegal, yet ≥ 1%"] * (legal and probabilities)
    return "<br>".join([" &nbsp; ".join(first)] * bool(first) + [MODEL] * probabilities)


def percent(share: float) -> str:
    """At least 0.1% apart from both ends: what is not certain does not look so."""
    if 0 < share < 0.001:
        return "under 0.1%"
    if 0.999 < share < 0.999995:
        return "over 99.9%"
    return f"{100 * share:.1f}%" if 0 < share < 0.999995 else f"{100 * share:.0f}%"


def count(absolute: Int[Tensor, "square"]) -> str:
    """How many discs has each side?"""
    return f"{int((absolute == othello.BLACK).sum())} black and {int((absolute == othello.WHITE).sum())} white discs"


def squares(moves: Bool[Tensor, "move"], size: int) -> list[int]:
    """Where are these moves?"""
    return othello.playable(size)[moves.cpu().bool()].tolist()


def check_squares(values: Tensor, size: int, what: str) -> None:
    """One number for each square of the board, or an error that says how to get there."""
    moves = len(othello.playable(size))
    if values.ndim == 1 and len(values) == size * size:
        return
    hint = " One for each move? Put them on their squares: full[othello.playable(size)] = values." * (
        values.ndim == 1 and len(values) == moves
    )
    hint = hint or " Choose one position of one game, as in boards[game, ply]." * (values.ndim > 1)
    raise CourseError(f"{what} of shape {list(values.shape)}; a {size} × {size} board has {size * size} squares.{hint}")


def check_board(absolute: Tensor, size: int) -> None:
    """Is it a single board, by colour?"""
    check_squares(absolute, size, "The board is")
    if not bool(torch.isin(absolute, torch.arange(3, device=absolute.device).to(absolute.dtype)).all()):
        raise CourseError("A board's states are 0 (empty), 1 (black) and 2 (white).")


def check_moves(values: Tensor, size: int, what: str) -> None:
    """One number for each move, or an error that says which squares these are."""
    moves = len(othello.playable(size))
    if values.ndim != 1 or len(values) != moves:
        raise CourseError(
            f"The {what} are of shape {list(values.shape)}; there are {moves} moves on a {size} × {size} board: all squares "
            "but the middle four, in the order of othello.playable(size)."
        )


def check_probabilities(values: Tensor, whose: str) -> None:
    """Are they between 0 and 1?"""
    low, high = float(values.min()), float(values.max())
    if not (low >= -1e-6 and high <= 1 + 1e-4):
        raise CourseError(
            f"The {whose}'s probabilities go from {low:.3g} to {high:.3g}, not from 0 to 1. Are they logits? Take .softmax(-1)."
        )


def check_square(square: int, size: int, what: str) -> None:
    """Is it on the board?"""
    if not 0 <= square < size * size:
        raise CourseError(f"{what} is on square {square}; squares of this board go from 0 to {size * size - 1}.")
