"""Exercise: how far are the predictions from the rules of a board, after it was edited?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import legality
from course_utils.checks.framework import Mistake, call, check, expect_equal, expect_shape, noncontiguous
from course_utils.checks.othello.inputs import choices


def _as_sets(logits: Tensor, legal: Tensor) -> Tensor:
    """Sets of moves, position by position."""
    errors = []
    for row, allowed in zip(logits.tolist(), legal.tolist(), strict=True):
        rules = {move for move, a in enumerate(allowed) if a}
        predicted = set(sorted(range(len(row)), key=lambda move: -row[move])[: len(rules)])
        errors.append(len(predicted - rules) + len(rules - predicted))
    return torch.tensor(errors)


def _by_threshold(logits: Tensor, legal: Tensor) -> Tensor:
    """Whole numbers as floats."""
    lowest = logits.sort(1, descending=True).values.gather(1, legal.sum(1, keepdim=True) - 1)
    return ((logits >= lowest).double() - legal.double()).abs().sum(1)


def _numpy(logits: Tensor, legal: Tensor) -> Any:
    """There are as many of one kind as of the other."""
    order, allowed = np.argsort(-np.asarray(logits), axis=1), np.asarray(legal)
    sorted_rules = np.take_along_axis(allowed, order, 1)
    within = np.arange(allowed.shape[1]) < allowed.sum(1, keepdims=True)
    return 2 * (within & ~sorted_rules).sum(1)


def _top(logits: Tensor, number: Tensor) -> Tensor:
    """Which moves have the largest logits, so many in each row."""
    return logits.argsort(1, descending=True).argsort(1) < number[:, None]


Predicted = Callable[[Tensor, Tensor], Tensor]


def _own_number(logits: Tensor, legal: Tensor) -> Tensor:
    return _top(logits, legal.sum(1))


def _counted(count: Callable[[Tensor, Tensor], Tensor], predicted: Predicted = _own_number) -> Any:
    """A wrong answer: something else is predicted, or counted of what is predicted and what is legal."""
    return lambda logits, legal: count(predicted(logits, legal), legal)


def _differ(predicted: Tensor, legal: Tensor) -> Tensor:
    return (predicted ^ legal).sum(1)


def _same_number(number: Callable[[Tensor], Tensor]) -> Any:
    return _counted(_differ, lambda logits, legal: _top(logits, number(legal.sum(1)).expand(len(logits))))


MISTAKES = [
    Mistake(
        "one kind of error",
        _counted(lambda predicted, legal: (predicted & ~legal).sum(1)),
        "You count one kind of error only, which is half of the sum. Illegal moves predicted and legal moves not predicted both "
        "count.",
    ),
    Mistake(
        "hits",
        _counted(lambda predicted, legal: (predicted & legal).sum(1)),
        "You count moves that are predicted *and* legal. Count those that are only one of the two.",
    ),
    Mistake(
        "either",
        _counted(lambda predicted, legal: (predicted | legal).sum(1)),
        "You count moves that are predicted or legal or both. Leave out those that are both.",
    ),
    Mistake(
        "agreement",
        _counted(lambda predicted, legal: (predicted == legal).sum(1)),
        "You count the moves on which prediction and rules agree. Count those on which they do not.",
    ),
    Mistake(
        "difference of the numbers",
        _counted(lambda predicted, legal: predicted.sum(1) - legal.sum(1)),
        "Your errors are 0: the two kinds cancel each other. Compare move by move, and add up.",
    ),
    Mistake(
        "mean number of legal moves",
        _same_number(lambda numbers: numbers.double().mean().round().long()),
        "You predict equally many moves at each position, the mean number of legal ones. Each position has its own N.",
    ),
    Mistake(
        "largest number of legal moves",
        _same_number(lambda numbers: numbers.max()),
        "You predict as many moves everywhere as the richest position has legal ones. Each position has its own N.",
    ),
    Mistake(
        "first position's number",
        _same_number(lambda numbers: numbers[0]),
        "You use the first position's N everywhere. Each position has its own.",
    ),
    Mistake(
        "one too many",
        _counted(_differ, lambda logits, legal: _top(logits, legal.sum(1) + 1)),
        "You predict one move too many. Ranks begin with 0, so the N best are those below N.",
    ),
    Mistake(
        "best move only",
        _counted(_differ, lambda logits, legal: _top(logits, torch.ones(len(logits)))),
        "You predict the best move only. Predict as many as there are legal moves.",
    ),
    Mistake(
        "smallest logits",
        _counted(_differ, lambda logits, legal: _top(-logits, legal.sum(1))),
        "You predict the N moves with the *smallest* logits. Sort in descending order.",
    ),
    Mistake(
        "places for ranks",
        _counted(_differ, lambda logits, legal: logits.argsort(1, descending=True) < legal.sum(1, keepdim=True)),
        "`argsort` says which move stands at each rank, and you use it as the rank of each move. Sort its result once more.",
    ),
    Mistake(
        "positive logits",
        _counted(_differ, lambda logits, legal: logits > 0),
        "You predict every move with a positive logit. Logits may be shifted at will: predict the N largest.",
    ),
    Mistake(
        "logits above the mean",
        _counted(_differ, lambda logits, legal: logits > logits.mean(1, keepdim=True)),
        "You predict every move with a logit above the mean. Predict the N largest.",
    ),
    Mistake(
        "probability above a threshold",
        _counted(_differ, lambda logits, legal: logits.softmax(1) > 0.01),
        "You predict every move with a probability above 0.01. Predict the N largest.",
    ),
    Mistake(
        "share of N",
        lambda logits, legal: _as_sets(logits, legal) / legal.sum(1),
        "You divide by the number of legal moves. Wanted is a count.",
    ),
    Mistake(
        "share of all moves",
        lambda logits, legal: _as_sets(logits, legal) / legal.shape[1],
        "You divide by the number of all moves. Wanted is a count.",
    ),
    Mistake(
        "mean over positions",
        lambda logits, legal: _as_sets(logits, legal).double().mean(),
        "You return the mean over positions. Return each position's own count.",
    ),
    Mistake(
        "total over positions",
        lambda logits, legal: _as_sets(logits, legal).sum(),
        "You add up all positions. Return each position's own count.",
    ),
    Mistake(
        "any error",
        lambda logits, legal: (_as_sets(logits, legal) > 0).long(),
        "You return whether there is an error. Wanted is how many.",
    ),
    Mistake(
        "counted for each move",
        _counted(lambda predicted, legal: (predicted ^ legal).sum(0)),
        "You add up over positions. Add up over moves: one number for each position.",
    ),
]


@check(
    reference=legality.intervention_error,
    alternatives=[_as_sets, _by_threshold, _numpy],
    mistakes=MISTAKES,
    cases=lambda: [choices(21, 12, seed=55), choices(15, 7, seed=65), choices(6, 32, seed=75)],
)
def test_intervention_error(answer: Any) -> None:
    """Count at each position the moves predicted but not legal, and the legal moves not predicted."""
    logits = torch.tensor([[3.0, 2, 1, 0, -1], [-1, 3, 0, 2, 1], [0.5, 0, -2, -1, -3]])
    legal = torch.tensor([[1, 1, 0, 0, 0], [1, 1, 0, 0, 1], [0, 0, 0, 1, 1]]).bool()
    found = call(answer, logits, legal)
    what = "three positions with 2, 3 and 2 legal moves of 5"
    expect_shape(found, (3,), what=what, why="One number for each position.")
    expect_equal(
        found,
        torch.tensor([0, 2, 4]),
        what=what,
        why="The first has both legal moves at the top. The second has one illegal move among its best three, and one legal move "
        "below. The third has none right: two errors of each kind.",
    )
    for n, moves, dtype in (
        (9, 6, torch.float64),
        (40, 32, torch.float32),
        (26, 13, torch.float64),
        (1, 8, torch.float64),
    ):
        logits, legal = choices(n, moves, seed=n, dtype=dtype)
        if moves == 13:
            logits, legal = noncontiguous(logits - 7), noncontiguous(legal)
        found = call(answer, logits, legal)
        what = f"{n} random position{'s' * (n > 1)} with {moves} moves"
        expect_shape(found, (n,), what=what, why="One number for each position.")
        why = "Counted move by move, with each position's own N."
        expect_equal(found, _as_sets(logits, legal), what=what, why=why)
