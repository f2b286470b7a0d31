"""Exercise: a reader who knows only the ply."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from course_utils import board_probes
from course_utils.checks.framework import Mistake, call, check, expect, expect_equal, expect_shape, noncontiguous
from course_utils.checks.othello.inputs import boards, plies


def _by_counter(states: Tensor, ply: Tensor) -> Tensor:
    """Among equals, the one that comes first."""
    rows = []
    for t in range(int(ply.max()) + 1):
        columns = zip(*(board for board, at in zip(states.tolist(), ply.tolist(), strict=True) if at == t), strict=True)
        rows.append([Counter(column).most_common(1)[0][0] for column in columns])
    return torch.tensor(rows)


def _largest_among_equals(states: Tensor, ply: Tensor) -> Tensor:
    """As bytes, the last of the states that are as frequent."""
    often = _counts(states, ply).flip(-1).argmax(-1)
    return (2 - often).to(torch.uint8)


def _by_mode(states: Tensor, ply: Tensor) -> Tensor:
    return torch.stack([states[ply == t].mode(0).values for t in range(int(ply.max()) + 1)])


def _numpy(states: Tensor, ply: Tensor) -> Any:
    counts = np.zeros((int(ply.max()) + 1, states.shape[1], 3))
    np.add.at(counts, (np.asarray(ply)[:, None], np.arange(states.shape[1]), np.asarray(states)), 1)
    return counts.argmax(-1)


def _counts(states: Tensor, ply: Tensor) -> Int[Tensor, "ply square 3"]:
    one_hot = torch.stack([states == k for k in range(3)], -1).long()
    return torch.stack([one_hot[ply == t].sum(0) for t in range(int(ply.max()) + 1)])


def _from_counts(choose: Callable[[Tensor], Tensor]) -> Any:
    """A wrong answer made of the right counts."""
    return lambda states, ply: choose(_counts(states, ply))


def _each(choose: Callable[[Tensor], Tensor]) -> Any:
    """A wrong answer made of the boards at each ply."""
    return lambda states, ply: torch.stack([choose(states[ply == t].long()) for t in range(int(ply.max()) + 1)])


def _in_pieces(states: Tensor, ply: Tensor) -> Tensor:
    pieces = states.long().tensor_split(int(ply.max()) + 1)
    return torch.stack([F.one_hot(piece, 3).sum(0).argmax(-1) for piece in pieces])


MISTAKES = [
    Mistake(
        "over all plies",
        _from_counts(lambda counts: counts.sum(0, keepdim=True).argmax(-1).expand(len(counts), -1)),
        "All your rows are alike: you count over all plies. Row t counts the examples at ply t only.",
    ),
    Mistake(
        "one row",
        _from_counts(lambda counts: counts.sum(0).argmax(-1)),
        "You count over all plies and return one board. Return one for each ply.",
    ),
    Mistake(
        "mean rounded",
        _each(lambda found: found.double().mean(0).round().long()),
        "You round the mean of the states. States are names: 1 is not between 0 and 2. Count how often each occurs.",
    ),
    Mistake(
        "mean",
        _each(lambda found: found.double().mean(0)),
        "You return the mean of the states. States are names: count how often each occurs, and take the most frequent.",
    ),
    Mistake(
        "median",
        _each(lambda found: found.median(0).values),
        "You take the median. States are names and have no order: take the most frequent.",
    ),
    Mistake(
        "largest state",
        _each(lambda found: found.amax(0)),
        "You take the largest state that occurs. Take the most frequent.",
    ),
    Mistake(
        "least frequent",
        _from_counts(lambda counts: counts.argmin(-1)),
        "You take the least frequent state. Take the most frequent.",
    ),
    Mistake(
        "discs only",
        _from_counts(lambda counts: 1 + counts[..., 1:].argmax(-1)),
        "You choose between the two kinds of disc only. A square that is mostly empty has state 0.",
    ),
    Mistake(
        "discs only, as 0 and 1",
        _from_counts(lambda counts: counts[..., 1:].argmax(-1)),
        "You count states 1 and 2 only, and your 0 stands for state 1. Count state 0 too.",
    ),
    Mistake(
        "empty or not",
        _from_counts(lambda counts: (counts[..., 0] * 2 < counts.sum(-1)).long()),
        "You return 1 wherever most boards have a disc. Whose disc it is matters too: the answer is 0, 1 or 2.",
    ),
    Mistake(
        "shifted by one ply",
        _from_counts(lambda counts: counts.argmax(-1).roll(1, 0)),
        "Your rows are shifted: row t is about ply t − 1. Row 0 is ply 0.",
    ),
    Mistake(
        "last ply left out",
        _from_counts(lambda counts: counts.argmax(-1)[:-1]),
        "The last ply has no row. Plies go from 0 to `ply.max()`, both included.",
    ),
    Mistake(
        "first ply left out",
        _from_counts(lambda counts: counts.argmax(-1)[1:]),
        "Ply 0 has no row. Plies go from 0 to `ply.max()`, both included.",
    ),
    Mistake(
        "first example",
        _each(lambda found: found[0]),
        "You return the first board at each ply. Count over all boards at that ply.",
    ),
    Mistake(
        "last example",
        _each(lambda found: found[-1]),
        "Your row is the last board at each ply: does each example overwrite the one before? Add up counts.",
    ),
    Mistake(
        "up to the ply",
        _from_counts(lambda counts: counts.cumsum(0).argmax(-1)),
        "Row t counts all plies up to t. Count those at ply t only.",
    ),
    Mistake(
        "taken for sorted",
        _in_pieces,
        "You cut the examples into pieces as if they were sorted by ply. They are in any order: `ply` says where each belongs.",
    ),
    Mistake(
        "counts",
        _from_counts(lambda counts: counts.amax(-1)),
        "You return how often the most frequent state occurs. Wanted is the state.",
    ),
    Mistake(
        "one state for a board",
        _from_counts(lambda counts: counts.sum(1, keepdim=True).argmax(-1).expand(-1, counts.shape[1])),
        "You count over all squares of a ply. Each square has its own most frequent state.",
    ),
    Mistake(
        "transposed",
        _from_counts(lambda counts: counts.argmax(-1).T),
        "Your rows are squares. Rows are plies, columns are squares.",
    ),
]


def _question(n: int, squares: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """What a square holds depends on the ply, and the two differ from example to example."""
    ply = plies(n, count, seed)
    usual = boards(count, squares, seed=seed + 1)
    other = boards(n, squares, seed=seed + 2)
    keep = torch.rand(n, squares, generator=torch.Generator().manual_seed(seed)) < 0.3
    return torch.where(keep, usual[ply], other), ply


@check(
    reference=board_probes.majority,
    alternatives=[_by_counter, _largest_among_equals, _by_mode, _numpy],
    mistakes=MISTAKES,
    cases=lambda: [_question(80, 9, 5, 700), _question(60, 16, 3, 800), _question(50, 4, 6, 900)],
)
def test_majority(answer: Any) -> None:
    """Find the state that each square has most often at each ply."""
    states = torch.tensor([[0, 2, 1], [2, 1, 0], [0, 2, 1], [2, 0, 0], [1, 0, 2], [2, 1, 0]])
    ply = torch.tensor([1, 0, 1, 0, 1, 0])
    found = call(answer, states, ply)
    expect_shape(
        found, (2, 3), what="six boards at plies 0 and 1", why="One row for each ply, one column for each square."
    )
    expect_equal(
        found,
        torch.tensor([[2, 1, 0], [0, 2, 1]]),
        what="six boards of three squares at plies 0 and 1",
        why=f"At ply 0 there are {states[ply == 0].tolist()}, at ply 1 {states[ply == 1].tolist()}.",
    )
    for n, squares, count in ((40, 7, 4), (90, 16, 6), (55, 5, 3), (9, 36, 1)):
        states, ply = _question(n, squares, count, seed=n)
        if n == 55:
            states, ply = noncontiguous(states), noncontiguous(ply)
        found = call(answer, states, ply)
        what = f"{n} boards of {squares} squares at {count} pl{'ies' if count > 1 else 'y'}"
        expect_shape(found, (count, squares), what=what, why="One row for each ply, one column for each square.")
        expect(
            (found == 0) | (found == 1) | (found == 2),
            what=f"the states for {what}",
            why="States are 0, 1 and 2.",
            got=found,
        )
        counts = _counts(states, ply)
        most = counts.amax(-1)
        times = counts.gather(-1, found.long()[..., None])[..., 0]
        if not bool((times == most).all()):
            t, square = (times != most).nonzero()[0].tolist()
            expect(
                False,
                what=f"{what}: square {square} at ply {t}",
                why="States 0, 1 and 2 occur there {}, {} and {} times.".format(*counts[t, square].tolist()),
                expected=f"state {int(counts[t, square].argmax())}",
                got=f"state {int(found[t, square])}",
            )
