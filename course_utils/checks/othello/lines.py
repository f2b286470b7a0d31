"""Exercise: which neurons read a line of squares that allows a move?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from course_utils import probe_directions
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_shape, noncontiguous
from course_utils.checks.othello.inputs import noise


def _one_by_one(reads: Tensor, lines: Tensor) -> Tensor:
    rows = [
        [min(neuron[a][0], neuron[b][2], neuron[c][1]) for a, b, c in lines.tolist()]
        for neuron in reads.double().tolist()
    ]
    return torch.tensor(rows, dtype=torch.float64)


def _at_once(reads: Tensor, lines: Tensor) -> Tensor:
    """All three reads of all lines by one index, neurons last in memory."""
    found = reads.movedim(0, -1)[lines, torch.tensor([0, 2, 1])]  # (line, 3, neuron)
    return found.min(1).values.T


def _numpy(reads: Tensor, lines: Tensor) -> Any:
    r, (a, b, c) = np.asarray(reads, dtype=np.float32), np.asarray(lines).T
    return np.minimum(np.minimum(r[:, a, 0], r[:, c, 1]), r[:, b, 2])


def _per_line(reads: Tensor, lines: Tensor) -> Tensor:
    """One line after the other, by comparisons."""
    columns = []
    for first, middle, last in lines:
        low = torch.where(reads[:, first, 0] < reads[:, middle, 2], reads[:, first, 0], reads[:, middle, 2])
        columns.append(torch.where(low < reads[:, last, 1], low, reads[:, last, 1]))
    return torch.stack(columns, 1)


def _reads(reads: Tensor, lines: Tensor, places: Any = (0, 1, 2), states: Any = (0, 2, 1)) -> Tensor:
    """What neurons read along each line: (part, neuron, line)."""
    return torch.stack([reads[:, lines[:, p], s] for p, s in zip(places, states, strict=True)])


def _variant(least: Callable[[Tensor], Tensor] = lambda parts: parts.amin(0), **other: Any) -> Any:
    """A wrong answer: other places or states, or something else than the least of them."""
    return lambda reads, lines: least(_reads(reads, lines, **other))


_right = _variant()

MISTAKES = [
    Mistake(
        "sum",
        _variant(lambda parts: parts.sum(0)),
        "You add the three readings up. Then a strong one makes up for one that is missing: take the least.",
    ),
    Mistake(
        "mean",
        _variant(lambda parts: parts.mean(0)),
        "You take the mean of the three readings. Then a strong one makes up for one that is missing: take the least.",
    ),
    Mistake(
        "product",
        _variant(lambda parts: parts.prod(0)),
        "You multiply the three readings. Two negative ones give a positive product: take the least.",
    ),
    Mistake(
        "largest",
        _variant(lambda parts: parts.amax(0)),
        "You take the largest of the three readings. Take the least.",
    ),
    Mistake(
        "median",
        _variant(lambda parts: parts.median(0).values),
        "You take the middle one of the three readings. Take the least.",
    ),
    Mistake(
        "which is least",
        _variant(lambda parts: parts.argmin(0)),
        "You return which of the three is the least. Return its value.",
    ),
    Mistake(
        "least in magnitude",
        _variant(lambda parts: parts.gather(0, parts.abs().argmin(0, keepdim=True))[0]),
        "You take the reading that is nearest to 0. The least may be a negative number.",
    ),
    Mistake(
        "magnitudes",
        _variant(lambda parts: parts.abs().amin(0)),
        "You take magnitudes first. A negative reading speaks against the state: keep its sign.",
    ),
    Mistake(
        "cut off at 0",
        _variant(lambda parts: parts.amin(0).clamp(min=0)),
        "Your scores are never negative. Leave them as they are.",
    ),
    Mistake(
        "mine and theirs exchanged",
        _variant(states=(0, 1, 2)),
        "You read state 1 (mine) in the middle and state 2 (theirs) at the end. A move turns over *their* disc in the middle.",
    ),
    Mistake(
        "lines backwards",
        _variant(states=(1, 2, 0)),
        "You read the lines backwards: the empty square comes first.",
    ),
    Mistake(
        "states go round",
        _variant(states=(2, 1, 0)),
        "You read theirs, mine, empty. The order is empty (0), theirs (2), mine (1).",
    ),
    Mistake(
        "first square only",
        _variant(places=(0, 0, 0)),
        "You read all three states on the line's first square. Each state has its own square.",
    ),
    Mistake(
        "empty everywhere",
        _variant(states=(0, 0, 0)),
        "You read state 0 on all three squares. Wanted are 0, 2 and 1.",
    ),
    Mistake(
        "empty square left out",
        _variant(places=(1, 2), states=(2, 1)),
        "You leave out the first square, which has to be empty.",
    ),
    Mistake(
        "last square left out",
        _variant(places=(0, 1), states=(0, 2)),
        "You leave out the third square, which has to have one of my discs.",
    ),
    Mistake(
        "middle left out",
        _variant(places=(0, 2), states=(0, 1)),
        "You leave out the second square, which has to have one of their discs.",
    ),
    Mistake(
        "any state",
        lambda reads, lines: reads[:, lines].amin((2, 3)),
        "You take the least over all states of the three squares. On each square one state counts.",
    ),
    Mistake(
        "three apart",
        lambda reads, lines: _reads(reads, lines).movedim(0, -1),
        "You return three readings for each line. Take the least of them.",
    ),
    Mistake(
        "transposed",
        lambda reads, lines: _right(reads, lines).T,
        "Your rows are lines. Rows are neurons, columns are lines.",
    ),
    Mistake(
        "best line",
        lambda reads, lines: _right(reads, lines).amax(1),
        "You return each neuron's best line only. Return the score of every line.",
    ),
]


def _lines(count: int, squares: int, seed: int) -> Int[Tensor, "line 3"]:
    """Triples of different squares, in no order."""
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randperm(squares, generator=generator)[:3] for _ in range(count)])


@check(
    reference=probe_directions.line_scores,
    alternatives=[_one_by_one, _at_once, _numpy, _per_line],
    mistakes=MISTAKES,
    cases=lambda: [
        (noise(5, 12, 3, seed=40), _lines(8, 12, seed=41)),
        (noise(4, 6, 3, seed=50) + 0.8, _lines(9, 6, 51)),
    ],
)
def test_line_scores(answer: Any) -> None:
    """Score how much each neuron reads "empty, theirs, mine" along each line, by the least of the three readings."""
    reads = torch.tensor([[[0.9, -0.4, 0.1], [0.3, 0.2, 0.8], [-0.5, 0.7, 0.6], [0.4, -0.2, 0.05]]])
    lines = torch.tensor([[0, 1, 2], [3, 2, 1], [2, 0, 3]])
    found = call(answer, reads, lines)
    what = "one neuron and three lines on four squares"
    expect_shape(found, (1, 3), what=what, why="A row for each neuron, a column for each line.")
    for line, wanted, parts in (
        (0, 0.7, "0.9, 0.8 and 0.7"),
        (1, 0.2, "0.4, 0.6 and 0.2"),
        (2, -0.5, "−0.5, 0.1 and −0.2"),
    ):
        expect_close(
            found[0, line],
            wanted,
            what=f"the score of the line {lines[line].tolist()}",
            why=f"Its readings of empty, theirs and mine are {parts}: the least counts.",
        )
    for neurons, squares, count, shift in ((4, 9, 7, 0.0), (6, 16, 11, 0.7), (2, 36, 5, 0.0), (1, 5, 8, 0.3)):
        reads, lines = noise(neurons, squares, 3, seed=squares) + shift, _lines(count, squares, seed=count)
        if squares == 16:
            reads, lines = noncontiguous(reads), noncontiguous(lines)
        reads = reads.float() if squares == 36 else reads
        found = call(answer, reads, lines)
        what = f"{neurons} neuron{'s' * (neurons > 1)} and {count} lines on {squares} squares"
        expect_shape(found, (neurons, count), what=what, why="A row for each neuron, a column for each line.")
        expect_close(found, _one_by_one(reads, lines), what=what, why="Taken line by line.")
