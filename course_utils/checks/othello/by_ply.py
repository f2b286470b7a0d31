"""Exercise: how often is a probe right, ply by ply?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from course_utils import board_probes
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_shape, noncontiguous
from course_utils.checks.othello.inputs import boards, plies

Two = tuple[Any, Any]


def _counted(predicted: Tensor, states: Tensor, ply: Tensor) -> tuple[Float[Tensor, "ply"], Float[Tensor, "ply"]]:
    """Square by square."""
    count = int(ply.max()) + 1
    right, seen, right_discs, discs = ([0] * count for _ in range(4))
    for guess, board, t in zip(predicted.tolist(), states.tolist(), ply.tolist(), strict=True):
        for g, s in zip(guess, board, strict=True):
            right[t] += g == s
            seen[t] += 1
            right_discs[t] += g == s and s > 0
            discs[t] += s > 0
    return _ratio(right, seen), _ratio(right_discs, discs)


def _ratio(above: Any, below: Any) -> Float[Tensor, "ply"]:
    return torch.tensor([a / b for a, b in zip(above, below, strict=True)], dtype=torch.float64)


def _selected(predicted: Tensor, states: Tensor, ply: Tensor) -> list[Tensor]:
    """In single precision, in a list."""
    results: list[list[Tensor]] = [[], []]
    for t in range(int(ply.max()) + 1):
        guess, board = predicted[ply == t], states[ply == t]
        right = (guess == board).float()
        results[0].append(right.mean())
        results[1].append(right[board != 0].mean())
    return [torch.stack(part) for part in results]


def _numpy(predicted: Tensor, states: Tensor, ply: Tensor) -> Any:
    right, disc, at = np.asarray(predicted == states), np.asarray(states) > 0, np.asarray(ply)
    boards = np.bincount(at)
    everywhere = np.bincount(at, weights=right.sum(1)) / (boards * right.shape[1])
    return everywhere, np.bincount(at, weights=(right & disc).sum(1)) / np.bincount(at, weights=disc.sum(1))


def _each(measure: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """What is measured on the predictions and boards at each ply."""

    def measured(predicted: Tensor, states: Tensor, ply: Tensor) -> Tensor:
        found = [measure(predicted[ply == t].long(), states[ply == t].long()) for t in range(int(ply.max()) + 1)]
        return torch.stack(found).double()

    return measured


def _share(of: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """The share of right predictions among some squares."""
    return _each(lambda guess, board: (guess == board)[of(guess, board)].double().mean())


_all = _each(lambda guess, board: (guess == board).double().mean())
_occupied = _share(lambda guess, board: board > 0)


def _variant(everywhere: Any = _all, occupied: Any = _occupied) -> Any:
    """A wrong answer that differs in one of the two."""
    return lambda *args: (everywhere(*args), occupied(*args))


_right = _variant()


def _changed(change: Callable[[Tensor, Tensor], Two]) -> Any:
    return lambda *args: change(*_right(*args))


def _in_pieces(predicted: Tensor, states: Tensor, ply: Tensor) -> Two:
    """As if the examples were sorted by ply, equally many at each."""
    count = int(ply.max()) + 1
    order = torch.cat([torch.full((len(piece),), t) for t, piece in enumerate(ply.tensor_split(count))])
    return _right(predicted, states, order)


def _pooled(predicted: Tensor, states: Tensor, ply: Tensor) -> Two:
    everywhere, occupied = _right(predicted, states, torch.zeros_like(ply))
    return everywhere.expand(int(ply.max()) + 1), occupied.expand(int(ply.max()) + 1)


def _up_to(predicted: Tensor, states: Tensor, ply: Tensor) -> Two:
    found = [_right(*(x[ply <= t] for x in (predicted, states, 0 * ply))) for t in range(int(ply.max()) + 1)]
    return tuple(torch.cat([pair[i] for pair in found]) for i in range(2))  # type: ignore[return-value]


def _mean_of_boards(guess: Tensor, board: Tensor) -> Tensor:
    right, disc = guess == board, board > 0
    return ((right & disc).sum(1) / disc.sum(1).clamp(min=1)).mean()


MISTAKES = [
    Mistake(
        "discs by prediction",
        _variant(occupied=_share(lambda guess, board: guess > 0)),
        "Your `occupied` looks at squares where a disc is *predicted*. Take those that really have one.",
    ),
    Mistake(
        "discs in both",
        _variant(occupied=_share(lambda guess, board: (guess > 0) & (board > 0))),
        "Your `occupied` leaves out discs that were taken for empty squares. They count, as wrong.",
    ),
    Mistake(
        "discs in either",
        _variant(occupied=_share(lambda guess, board: (guess > 0) | (board > 0))),
        "Your `occupied` also counts empty squares where a disc is predicted. Take those that really have a disc.",
    ),
    Mistake(
        "mean over boards",
        _variant(occupied=_each(_mean_of_boards)),
        "You take each board's share first, and then the mean. Boards have different numbers of discs: add up right discs and "
        "discs over all boards of a ply, then divide.",
    ),
    Mistake(
        "empty squares",
        _variant(occupied=_share(lambda guess, board: board == 0)),
        "Your `occupied` is the share among empty squares. Take states 1 and 2.",
    ),
    Mistake(
        "mine only",
        _variant(occupied=_share(lambda guess, board: board == 1)),
        "Your `occupied` looks at state 1 only. State 2 is a disc too.",
    ),
    Mistake(
        "theirs only",
        _variant(occupied=_share(lambda guess, board: board == 2)),
        "Your `occupied` looks at state 2 only. State 1 is a disc too.",
    ),
    Mistake(
        "divided by all squares",
        _variant(occupied=_each(lambda guess, board: ((guess == board) & (board > 0)).double().mean())),
        "Your `occupied` divides right discs by all squares. Divide by the number of discs.",
    ),
    Mistake(
        "empty squares counted as wrong",
        lambda *args: (
            _each(lambda guess, board: ((guess == board) & (board > 0)).double().mean())(*args),
            _occupied(*args),
        ),
        "Your `all` counts empty squares as wrong. A 0 that is predicted as 0 is right.",
    ),
    Mistake(
        "both among discs",
        _variant(everywhere=_occupied),
        "Both of your results are about squares with a disc. The first is about all squares.",
    ),
    Mistake(
        "both among all squares",
        _variant(occupied=_all),
        "Both of your results are about all squares. The second is about those with a disc.",
    ),
    Mistake(
        "whole boards",
        _variant(everywhere=_each(lambda guess, board: (guess == board).all(1).double().mean())),
        "Your `all` counts a board only if every square is right. Each square counts by itself.",
    ),
    Mistake(
        "disc or no disc",
        _variant(everywhere=_each(lambda guess, board: ((guess > 0) == (board > 0)).double().mean())),
        "Your `all` only asks whether there is a disc. Whose it is has to be right too.",
    ),
    Mistake(
        "errors",
        _changed(lambda everywhere, occupied: (1 - everywhere, 1 - occupied)),
        "You return the shares of wrong predictions. Wanted are those of right ones.",
    ),
    Mistake(
        "exchanged",
        _changed(lambda everywhere, occupied: (occupied, everywhere)),
        "Your results have changed places. The share among all squares comes first.",
    ),
    Mistake(
        "plies pooled",
        _pooled,
        "You have the same number at every ply: it is that of all plies together. Keep them apart.",
    ),
    Mistake(
        "one number",
        _changed(lambda everywhere, occupied: (everywhere.mean(), occupied.mean())),
        "You average over plies. Return one number for each ply.",
    ),
    Mistake(
        "up to the ply",
        _up_to,
        "Your entry t is about all plies up to t. Take ply t alone.",
    ),
    Mistake(
        "taken for sorted",
        _in_pieces,
        "You cut the examples into pieces as if they were sorted by ply. They are in any order: `ply` says where each belongs.",
    ),
    Mistake(
        "last ply left out",
        _changed(lambda everywhere, occupied: (everywhere[:-1], occupied[:-1])),
        "The last ply is missing. Plies go from 0 to `ply.max()`, both included.",
    ),
    Mistake(
        "squares apart",
        _variant(everywhere=_each(lambda guess, board: (guess == board).double().mean(0))),
        "Your `all` has a number for each square. Average over squares too.",
    ),
    Mistake(
        "counts",
        lambda *args: (
            _each(lambda guess, board: (guess == board).sum())(*args),
            _each(lambda guess, board: ((guess == board) & (board > 0)).sum())(*args),
        ),
        "You count right predictions. Divide by how many there are.",
    ),
]


def _question(n: int, squares: int, count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Predictions that are right more often than not; at each ply there is a disc."""
    ply, states = plies(n, count, seed), boards(n, squares, seed=seed + 1)
    states[:, 2] = 1 + torch.arange(n) % 2
    keep = torch.rand(n, squares, generator=torch.Generator().manual_seed(seed)) < 0.5
    predicted = torch.where(keep, states, boards(n, squares, seed=seed + 2))
    predicted[1::3] = states[1::3]
    return predicted, states, ply


@check(
    reference=board_probes.accuracy_by_ply,
    alternatives=[_selected, _numpy, _counted],
    mistakes=MISTAKES,
    cases=lambda: [_question(60, 9, 4, 500), _question(45, 16, 5, 600), _question(30, 4, 3, 700)],
)
def test_accuracy_by_ply(answer: Any) -> None:
    """Find the share of right predictions at each ply, among all squares and among those with a disc."""
    states = torch.tensor([[0, 1, 2, 0], [1, 1, 2, 0], [0, 0, 1, 0]])
    predicted = torch.tensor([[0, 1, 1, 0], [1, 1, 2, 2], [0, 0, 1, 2]])
    ply = torch.tensor([1, 0, 1])
    words = {
        "all": "Right squares over all squares of the boards at that ply.",
        "occupied": "Right discs over all discs of the boards at that ply.",
    }
    found = call(answer, predicted, states, ply, returns=(Tensor, Tensor))
    for (name, why), mine, wanted in zip(words.items(), found, torch.tensor([[3 / 4, 6 / 8], [1, 2 / 3]]), strict=True):
        what = f"`{name}` of three boards at plies 0 and 1"
        expect_shape(mine, (2,), what=what, why="One number for each ply.")
        expect_close(mine, wanted, what=what, why=why)
    for n, squares, count in ((40, 7, 4), (64, 16, 6), (33, 5, 3), (8, 36, 1)):
        predicted, states, ply = _question(n, squares, count, seed=n)
        if n == 33:
            predicted, states, ply = noncontiguous(predicted), noncontiguous(states), noncontiguous(ply)
        found = call(answer, predicted, states, ply, returns=(Tensor, Tensor))
        for (name, why), mine, wanted in zip(words.items(), found, _counted(predicted, states, ply), strict=True):
            what = f"`{name}` of {n} boards of {squares} squares at {count} pl{'ies' if count > 1 else 'y'}"
            expect_shape(mine, (count,), what=what, why="One number for each ply.")
            expect_close(mine, wanted, what=what, why=why)
