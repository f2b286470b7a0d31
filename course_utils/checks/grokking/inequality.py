"""Exercise: how unequal are the values?"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_utils import fourier
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite, noncontiguous
from course_utils.checks.grokking.inputs import noise


def _formula(
    values: Tensor,
    shift: float = 0.5,
    factor: float = 2.0,
    order: Any = lambda magnitudes: magnitudes.sort().values,
    whole: Any = torch.sum,
) -> float:
    ordered = order(values)
    n = len(ordered)
    ranks = torch.arange(1, n + 1, dtype=torch.float64)
    return float(1 - factor * (ordered / whole(ordered) * (n - ranks + shift) / n).sum())


def _variant(of: Any = torch.abs, **change: Any) -> Any:
    """A wrong answer: the formula with one thing changed."""
    return lambda values: _formula(of(values), **change)


def _pairs(values: Tensor) -> Tensor:
    magnitudes = values.abs()
    return (magnitudes[:, None] - magnitudes[None, :]).abs()


def _undivided(values: Tensor) -> float:
    ordered = values.abs().sort().values
    n = len(ordered)
    return float(1 - 2 * (ordered / ordered.sum() * (n - torch.arange(1, n + 1) + 0.5)).sum())


def _sorted_then_magnitude(values: Tensor) -> float:
    return _formula(values.sort().values.abs(), order=lambda magnitudes: magnitudes)


def _by_pairs(values: Tensor) -> Tensor:
    """Half the mean difference of two values, as a share of the mean."""
    return _pairs(values).mean() / (2 * values.abs().mean())


def _by_area(values: Tensor) -> float:
    """Twice the area between the curve of running shares and the diagonal, by trapezia."""
    shares = torch.cat([torch.zeros(1).double(), values.abs().sort().values.double().cumsum(0)])
    return float(1 - 2 * torch.trapezoid(shares / shares[-1], dx=1 / len(values)))


def _by_ranks(values: Tensor) -> Tensor:
    """Plain Python over descending values, single precision in the end."""
    ordered = sorted((abs(v) for v in values.tolist()), reverse=True)
    n = len(ordered)
    return torch.tensor([(n + 1 - 2 * sum((i + 1) * v for i, v in enumerate(ordered)) / sum(ordered)) / n])[0].float()


MISTAKES = [
    Mistake(
        "not sorted",
        _variant(order=lambda magnitudes: magnitudes),
        "Your values are not sorted. The formula gives each value a weight by its rank: sort in increasing order first.",
    ),
    Mistake(
        "sorted in decreasing order",
        _variant(order=lambda magnitudes: magnitudes.sort(descending=True).values),
        "You sort in decreasing order, so that the largest value gets the weight of the smallest. Sort in increasing order.",
    ),
    Mistake(
        "signs kept",
        _variant(of=lambda values: values),
        "You use the values with their signs, which cancel in the sum. What counts is each value's magnitude: take absolute "
        "values first.",
    ),
    Mistake(
        "magnitudes after sorting",
        _sorted_then_magnitude,
        "You sort first and take absolute values afterwards, which spoils the order: a large negative value comes first. "
        "Take absolute values, then sort.",
    ),
    Mistake(
        "1 missing in the weights",
        _variant(shift=0.0),
        "Your weights are 2i − n: the −1 is missing, and equal values come out at 1/n in place of 0.",
    ),
    Mistake(
        "ranks from 0",
        _variant(shift=1.5),
        "Your ranks run from 0 to n − 1. The formula counts from 1: the smallest value has i = 1, the largest i = n.",
    ),
    Mistake(
        "2 in place of 1 in the weights",
        _variant(shift=1.0),
        "Your weights are 2i − n − 2: with −2 in place of −1, equal values come out at −1/n in place of 0.",
    ),
    Mistake(
        "n − 1 in place of n",
        lambda values: _formula(values.abs()) * len(values) / max(len(values) - 1, 1),
        "Your result is n/(n − 1) times too large: it reaches 1 when a single value holds everything. The definition used "
        "here gives 1 − 1/n then.",
    ),
    Mistake(
        "equality in place of inequality",
        lambda values: 1 - _formula(values.abs()),
        "Your result is 1 for equal values: this is 1 minus the Gini coefficient.",
    ),
    Mistake(
        "factor 2 missing",
        _variant(factor=1.0),
        "The factor 2 is missing: equal values have to give 0, and yours give ½.",
    ),
    Mistake(
        "factor 2 missing in the weights",
        lambda values: _formula(values.abs(), shift=1.0, factor=1.0) - 1,
        "Your weights are i − n − 1: the 2 before i is missing, and no weight is positive.",
    ),
    Mistake(
        "n missing in the denominator",
        lambda values: _formula(values.abs()) * len(values),
        "Your result is n times too large: the denominator is n times the sum of the values.",
    ),
    Mistake(
        "not divided by n",
        _undivided,
        "Your weights are not divided by n, so that the result depends on how many values there are and becomes negative.",
    ),
    Mistake(
        "not divided by the sum",
        _variant(whole=lambda ordered: 1.0),
        "You do not divide the values by their sum. Only the shares count: ten times the values have the same Gini "
        "coefficient.",
    ),
    Mistake(
        "divided by the largest",
        _variant(whole=torch.amax),
        "You divide the values by the largest one. Divide by their sum, so that they become shares.",
    ),
    Mistake(
        "divided by the length",
        _variant(whole=torch.linalg.vector_norm),
        "You divide the values by the root of their sum of squares. Divide by their sum, so that they become shares.",
    ),
    Mistake(
        "squares in place of magnitudes",
        _variant(of=torch.square),
        "You square the values. That makes them look more unequal than they are: take absolute values.",
    ),
    Mistake(
        "mean difference without the half",
        lambda values: float(_pairs(values).mean() / values.abs().mean()),
        "Your result is twice as large as it should be: the mean difference of two values is divided by *twice* the mean.",
    ),
]


@check(
    reference=fourier.gini,
    alternatives=[_by_pairs, _by_area, _by_ranks],
    mistakes=MISTAKES,
    cases=lambda: [(noise(6, seed=1) - 0.3,), (noise(11, seed=2) * 3,), (noise(8, seed=3).exp() + 2,)],
)
def test_gini(answer: Any) -> None:
    """Say how unequal the values are: 0 where all are equal, near 1 where a single one holds everything."""
    for n in (3, 8):
        found = call(answer, torch.full((n,), 2.5).double(), returns=float)
        expect_finite(found, what=f"the result for {n} equal values")
        expect_close(found, 0.0, what=f"the result for {n} equal values", why="Nothing is unequal.")
        alone = torch.zeros(n).double()
        alone[1] = 7.0
        expect_close(
            call(answer, alone, returns=float),
            1 - 1 / n,
            what=f"the result for {n} values of which all but one are 0",
            why="All but a share of 1/n of the values have nothing: 1 − 1/n.",
        )
    expect_close(
        call(answer, torch.tensor([3.0, 1, 4, 2]).double(), returns=float),
        0.25,
        what="the result for 3, 1, 4, 2",
        why="Two of them differ by 5/4 on average, and twice their mean is 5.",
    )
    for n, kind in ((5, "positive"), (7, "of both signs"), (18, "of both signs"), (113, "positive"), (1, "alone")):
        values = noise(n, seed=n) if kind == "of both signs" else (1.5 * noise(n, seed=n)).exp()
        given = noncontiguous(values) if n == 18 else values
        wanted = sum(abs(abs(x) - abs(y)) for x in values.tolist() for y in values.tolist())
        expect_close(
            call(answer, given, returns=float),
            wanted / (2 * n * float(values.abs().sum())),
            what=f"the result for {n} random values, {kind}",
            why="It is the mean difference of the magnitudes of two values, divided by twice the mean magnitude.",
        )
