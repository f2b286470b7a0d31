"""Exercise: boards by colour, seen by the side that moves next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.checks.framework import Mistake, call, check, expect_equal, expect_shape, noncontiguous
from course_utils.checks.othello.inputs import boards
from course_utils.tasks import othello

_SEEN = {True: {0: 0, 1: 1, 2: 2}, False: {0: 0, 1: 2, 2: 1}}


def _square_by_square(absolute: Tensor, black_next: Tensor) -> Tensor:
    games = zip(absolute.tolist(), black_next.tolist(), strict=True)
    return torch.tensor(
        [[[_SEEN[black][s] for s in board] for board, black in zip(*game, strict=True)] for game in games]
    )


def _looked_up(absolute: Tensor, black_next: Tensor) -> Tensor:
    """A table of three entries for each side, in whatever dtype."""
    table = torch.tensor([[0, 2, 1], [0, 1, 2]], dtype=torch.int16)
    return table[black_next.long().unsqueeze(-1), absolute.long()]


def _numpy(absolute: Tensor, black_next: Tensor) -> Any:
    boards, black = np.asarray(absolute), np.asarray(black_next)[..., None]
    mine = np.where(black, boards == 1, boards == 2)
    return mine + 2 * ((boards > 0) & ~mine)


def _in_axes_of_its_own(absolute: Tensor, black_next: Tensor) -> Tensor:
    """The square's axis first in memory, and signs: black 1, white −1."""
    sign = (absolute == 1).int() - (absolute == 2).int()
    own = sign.movedim(-1, 0) * (2 * black_next.int() - 1)
    return ((own == 1) + 2 * (own == -1).int()).movedim(0, -1)


def _turned(absolute: Tensor) -> Tensor:
    return torch.where(absolute == 0, 0, 3 - absolute)


def _variant(
    stays: Callable[[Tensor], Tensor] = lambda black_next: black_next, turned: Callable[[Tensor], Tensor] = _turned
) -> Any:
    """A wrong answer: which positions stay as they are, and what becomes of the others."""

    def wrong(absolute: Tensor, black_next: Tensor) -> Tensor:
        return torch.where(stays(black_next).expand(black_next.shape)[..., None], absolute, turned(absolute))

    return wrong


def _odd(black_next: Tensor) -> Tensor:
    return torch.arange(black_next.shape[1]) % 2 == 1


def _before(black_next: Tensor) -> Tensor:
    return torch.cat([torch.ones_like(black_next[:, :1]), black_next[:, :-1]], 1)


MISTAKES = [
    Mistake(
        "parity of the ply",
        _variant(_odd),
        "You let the sides take turns by the number of the ply. After a pass the same side moves again: go by `black_next`.",
    ),
    Mistake(
        "parity of the ply, the other way",
        _variant(lambda black_next: ~_odd(black_next)),
        "You go by the number of the ply, and you begin with black. After move 0 it is white's turn, and after a pass the order "
        "changes: go by `black_next`.",
    ),
    Mistake(
        "never turned",
        lambda absolute, black_next: absolute.clone(),
        "You return the boards by colour as they are. Where white moves next, black discs are theirs.",
    ),
    Mistake(
        "always turned",
        lambda absolute, black_next: _turned(absolute),
        "You exchange the colours in every position. Where black moves next, black is already mine and stays 1.",
    ),
    Mistake(
        "turned for black",
        _variant(lambda black_next: ~black_next),
        "You exchange the colours where black moves next. It is the other way round: black's discs are 1 already, and are mine "
        "when black moves.",
    ),
    Mistake(
        "who has just moved",
        _variant(_before),
        "You use `black_next` of the ply before: that tells who has made this move. Wanted is who makes the next one.",
    ),
    Mistake(
        "empty squares turned",
        _variant(turned=lambda absolute: 3 - absolute),
        "Where white moves next, your empty squares have become 3. Only discs change sides: 0 stays 0.",
    ),
    Mistake(
        "empty squares turned everywhere",
        lambda absolute, black_next: 3 - absolute,
        "You subtract every number from 3, whoever moves. Empty squares stay 0, and nothing changes where black moves next.",
    ),
    Mistake(
        "all discs mine",
        _variant(turned=lambda absolute: (absolute > 0).to(absolute)),
        "Where white moves next, all your discs are mine. Do you change 1 into 2 first, and then every 2 into 1? Read from the "
        "old board while you write the new one.",
    ),
    Mistake(
        "all discs theirs",
        _variant(turned=lambda absolute: 2 * (absolute > 0).to(absolute)),
        "Where white moves next, all your discs are theirs. Do you change 2 into 1 first, and then every 1 into 2? Read from the "
        "old board while you write the new one.",
    ),
    Mistake(
        "goes round",
        _variant(turned=lambda absolute: (absolute + 1) % 3),
        "Where white moves next, your states go round: 0, 1, 2 become 1, 2, 0. Only 1 and 2 change places.",
    ),
    Mistake(
        "minus",
        _variant(turned=lambda absolute: -absolute),
        "Where white moves next you put a minus before the states. States are 0, 1 and 2: exchange 1 and 2.",
    ),
    Mistake(
        "signs",
        lambda absolute, black_next: torch.where(_square_by_square(absolute, black_next) == 2, -1, absolute > 0),
        "Your theirs is −1. It is to be 2.",
    ),
    Mistake(
        "only mine",
        lambda absolute, black_next: (_square_by_square(absolute, black_next) == 1).to(absolute),
        "You mark my discs only. Theirs are 2, and not 0 like the empty squares.",
    ),
    Mistake(
        "one answer for a game",
        _variant(lambda black_next: black_next[:, :1]),
        "You use the first ply's `black_next` for the whole game. Each position has its own.",
    ),
    Mistake(
        "one answer for all games",
        _variant(lambda black_next: black_next[:1]),
        "You use the first game's `black_next` for all games. Each game has its own passes.",
    ),
    Mistake(
        "no axis for the squares",
        lambda absolute, black_next: torch.where(black_next, absolute, _turned(absolute)),
        "`black_next` has no axis for squares, so it does not line up with the boards. Give it one of length 1 at its end.",
    ),
    Mistake(
        "axis in the middle",
        lambda absolute, black_next: torch.where(black_next[:, None], absolute, _turned(absolute)),
        "You have given `black_next` its new axis in the middle, so that its plies line up with squares. The new axis belongs "
        "at the end.",
    ),
]


def _games(n: int, plies: int, squares: int, seed: int) -> tuple[Tensor, Tensor]:
    """Random boards; the sides take turns, with a pass now and then."""
    alternates = torch.rand(n, plies, generator=torch.Generator().manual_seed(seed)) > 0.25
    return boards(n, plies, squares, seed=seed), alternates.cumsum(1) % 2 == 0


@check(
    reference=othello.mover_frame,
    alternatives=[_looked_up, _numpy, _square_by_square, _in_axes_of_its_own],
    mistakes=MISTAKES,
    cases=lambda: [_games(4, 6, 9, seed=70), _games(3, 5, 5, seed=80), _games(6, 8, 4, seed=90)],
)
def test_mover_frame(answer: Any) -> None:
    """Turn boards by colour into boards as the side that moves next sees them."""
    absolute = torch.tensor([[[0, 1, 2, 2, 0, 1]] * 4])
    black_next = torch.tensor([[False, True, True, False]])
    found = call(answer, absolute, black_next)
    expect_shape(found, absolute.shape, what="one game of four plies", why="One state for each game, ply and square.")
    for ply, black in enumerate(black_next[0].tolist()):
        side, other = ("black", "white") if black else ("white", "black")
        expect_equal(
            found[0, ply],
            _square_by_square(absolute, black_next)[0, ply],
            what=f"the board {absolute[0, ply].tolist()}, {side} moves next",
            why=f"{side.capitalize()}'s discs are mine (1), {other}'s are theirs (2), and empty squares stay 0.",
        )
    for n, count, squares in ((3, 7, 16), (2, 11, 36), (5, 4, 4), (1, 6, 64)):
        absolute, black_next = _games(n, count, squares, seed=squares)
        if squares == 16:
            absolute, black_next = noncontiguous(absolute), noncontiguous(black_next)
        found = call(answer, absolute, black_next)
        what = f"{n} games of {count} plies with passes ({squares} squares)"
        expect_shape(found, absolute.shape, what=what, why="One state for each game, ply and square.")
        expect_equal(found, _square_by_square(absolute, black_next), what=what, why="Looked up square by square.")
