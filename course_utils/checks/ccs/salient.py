"""Exercise: which share of the differences' variance lies between the means of two labels?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import directions
from course_utils.checks.ccs.inputs import labels, noise
from course_utils.checks.framework import Mistake, call, check, expect_close, noncontiguous


def _number_by_number(difference: Tensor, label: Tensor) -> float:
    rows, so = difference.tolist(), label.tolist()
    n, q = len(rows), sum(so) / len(so)
    between = total = 0.0
    for column in zip(*rows, strict=True):
        sides = [[x for x, is_so in zip(column, so, strict=True) if is_so == which] for which in (False, True)]
        m0, m1 = (math.fsum(side) / len(side) for side in sides)
        between += q * (1 - q) * (m1 - m0) ** 2
        total += math.fsum((x - math.fsum(column) / n) ** 2 for x in column) / n
    return between / total


def _what_is_left(difference: Tensor, label: Tensor) -> Any:
    """NumPy: 1 less what lies within the labels."""
    x, so = np.asarray(difference, dtype=np.float64), np.asarray(label)
    within = sum(((x[side] - x[side].mean(0)) ** 2).sum() for side in (so, ~so))
    return 1 - within / ((x - x.mean(0)) ** 2).sum()


def _variance_of_means(difference: Tensor, label: Tensor) -> Tensor:
    """In the precision of the differences: each row replaced by its label's mean."""
    means = torch.where(label[:, None], difference[label].mean(0), difference[~label].mean(0))
    return means.var(0, correction=0).sum() / difference.var(0, correction=0).sum()


def _by_covariance(difference: Tensor, label: Tensor) -> Tensor:
    """By how the differences go with the label."""
    towards = label.double() - label.double().mean()
    centred = difference.double() - difference.double().mean(0)
    return (towards @ centred).square().sum() / (towards.square().sum() * centred.square().sum())


def _of_parts(parts: Callable[[Tensor, Tensor, Tensor, Tensor], Any]) -> Any:
    """A wrong answer made of the differences, the step between the means, the share of True, and the variances."""

    def wrong(difference: Tensor, label: Tensor) -> float:
        x = difference.double()
        step = x[label].mean(0) - x[~label].mean(0)
        return float(parts(x, step, label.double().mean(), x.var(0, correction=0)))

    return wrong


def _within(difference: Tensor, label: Tensor) -> Tensor:
    """The variance within the labels, all dimensions added up."""
    x = difference.double()
    return sum((x[side].var(0, correction=0).sum() * side.double().mean() for side in (label, ~label)), torch.zeros(()))


def _right(difference: Tensor, label: Tensor) -> float:
    return float(_by_covariance(difference, label))


def _fisher(difference: Tensor, label: Tensor) -> float:
    x = difference.double()
    step = x[label].mean(0) - x[~label].mean(0)
    q = label.double().mean()
    return float(q * (1 - q) * step.square().sum() / _within(difference, label))


MISTAKES = [
    Mistake(
        "q (1 − q) left out",
        _of_parts(lambda x, step, q, var: step.square().sum() / var.sum()),
        "The factor q (1 − q) is missing: with few of one label, the variance between the means is small.",
    ),
    Mistake(
        "¼ in place of q (1 − q)",
        _of_parts(lambda x, step, q, var: step.square().sum() / 4 / var.sum()),
        "You multiply by ¼, which q (1 − q) is if both labels are equally frequent. Take q from the labels.",
    ),
    Mistake(
        "q only",
        _of_parts(lambda x, step, q, var: q * step.square().sum() / var.sum()),
        "You multiply by q. The factor is q (1 − q).",
    ),
    Mistake(
        "1 − q only",
        _of_parts(lambda x, step, q, var: (1 - q) * step.square().sum() / var.sum()),
        "You multiply by 1 − q. The factor is q (1 − q).",
    ),
    Mistake(
        "2 q (1 − q)",
        _of_parts(lambda x, step, q, var: 2 * q * (1 - q) * step.square().sum() / var.sum()),
        "Your result is twice what it should be: the factor is q (1 − q).",
    ),
    Mistake(
        "distance not squared",
        _of_parts(lambda x, step, q, var: q * (1 - q) * step.norm() / var.sum()),
        "You take the distance of the means. Square it: variances are compared.",
    ),
    Mistake(
        "square root",
        lambda difference, label: _right(difference, label) ** 0.5,
        "You return the square root of what is wanted.",
    ),
    Mistake(
        "in standard deviations",
        _of_parts(lambda x, step, q, var: step.norm() / var.sum().sqrt()),
        "You return the distance of the means in standard deviations. Wanted is a share of the variance: square it, and "
        "multiply by q (1 − q).",
    ),
    Mistake(
        "standard deviations added up",
        _of_parts(lambda x, step, q, var: q * (1 - q) * step.square().sum() / var.sqrt().sum()),
        "You divide by the sum of the standard deviations. Divide by that of the variances.",
    ),
    Mistake(
        "divided by n − 1",
        _of_parts(lambda x, step, q, var: q * (1 - q) * step.square().sum() / x.var(0).sum()),
        "Your variances are divided by n − 1, as `var` does unless told otherwise. Here it is n (`correction=0`), so that the "
        "parts between and within the labels add up to the whole.",
    ),
    Mistake(
        "not centred",
        _of_parts(lambda x, step, q, var: q * (1 - q) * step.square().sum() / x.square().sum(1).mean()),
        "You divide by the mean square of the differences. Their variance is about their mean: take it away first.",
    ),
    Mistake(
        "variance of all numbers",
        _of_parts(lambda x, step, q, var: q * (1 - q) * step.square().sum() / x.var(correction=0)),
        "You divide by one variance, that of all numbers. Take each dimension's variance over the rows, and add them up.",
    ),
    Mistake(
        "mean over dimensions below",
        _of_parts(lambda x, step, q, var: q * (1 - q) * step.square().sum() / var.mean()),
        "You divide by the mean of the dimensions' variances. Add them up, as you do above the line.",
    ),
    Mistake(
        "mean over dimensions above",
        _of_parts(lambda x, step, q, var: q * (1 - q) * step.square().mean() / var.sum()),
        "Above the line you take the mean over dimensions. |m₁ − m₀|² is a sum.",
    ),
    Mistake(
        "mean of the dimensions' shares",
        _of_parts(lambda x, step, q, var: (q * (1 - q) * step.square() / var).mean()),
        "You take each dimension's share and average. Dimensions that vary little then count as much as the others: add up "
        "above and below the line, then divide.",
    ),
    Mistake(
        "sum of the dimensions' shares",
        _of_parts(lambda x, step, q, var: (q * (1 - q) * step.square() / var).sum()),
        "You add up the dimensions' shares, which may be more than 1. Add up above and below the line, then divide.",
    ),
    Mistake(
        "along the step only",
        _of_parts(
            lambda x, step, q, var: q * (1 - q) * step.square().sum() / (x @ (step / step.norm())).var(correction=0)
        ),
        "You divide by the variance along the line from one mean to the other. Divide by that of all dimensions: the question "
        "is how much of everything the label is.",
    ),
    Mistake(
        "divided by what is within",
        _fisher,
        "You divide by the variance within the labels. Divide by the whole, that between them included.",
    ),
    Mistake(
        "share within",
        lambda difference, label: 1 - _right(difference, label),
        "You return the share within the labels. Wanted is that between them.",
    ),
    Mistake(
        "not divided",
        _of_parts(lambda x, step, q, var: q * (1 - q) * step.square().sum()),
        "You return the variance between the means. Divide by the whole variance.",
    ),
    Mistake(
        "difference of the lengths",
        lambda difference, label: float(
            label.double().mean()
            * (1 - label.double().mean())
            * (difference[label].mean(0).norm() - difference[~label].mean(0).norm()).double() ** 2
            / difference.double().var(0, correction=0).sum()
        ),
        "You take the difference of the means' lengths. Take the length of their difference.",
    ),
]


def _question(
    n: int, d_model: int, seed: int, share: float = 0.3, step: float = 1.0, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """Differences around a mean, with dimensions of different variance, that know the label in part."""
    label = labels(n, seed=seed, share=share)
    spread = torch.linspace(0.4, 2.5, d_model)
    x = noise(n, d_model, seed=seed + 1) * spread + noise(d_model, seed=seed + 2)
    return (x + step * label[:, None] * noise(d_model, seed=seed + 3)).to(dtype), label


@check(
    reference=directions.salience,
    alternatives=[_number_by_number, _what_is_left, _variance_of_means, _by_covariance],
    mistakes=MISTAKES,
    cases=lambda: [_question(13, 5, 300), _question(21, 8, 400, 0.7, 2.0)],
)
def test_salience(answer: Any) -> None:
    """Find the share of the differences' variance that lies between the means of the two labels."""
    difference = torch.tensor([[4.0, 1.0], [0.0, 1.0], [0.0, 3.0], [0.0, -1.0]])
    found = call(answer, difference, torch.tensor([True, False, False, False]), returns=float)
    expect_close(
        found,
        0.6,
        what="the salience of a label that is True for the first of (4, 1), (0, 1), (0, 3), (0, −1)",
        why="The means are (4, 1) and (0, 1), so that ¼ · ¾ · 4² = 3 lies between them. The variances are 3 and 2.",
    )
    for words, question in (
        ("12 differences in 4 dimensions", _question(12, 4, 10)),
        ("150 differences, the label True in most", _question(150, 10, 20, 0.8)),
        ("float64 differences", _question(30, 7, 30, 0.4, 3.0, torch.float64)),
        ("a label that hardly matters", _question(60, 6, 40, 0.2, 0.1)),
    ):
        if words.startswith("float64"):
            question = (noncontiguous(question[0]), noncontiguous(question[1]))
        expect_close(
            call(answer, *question, returns=float),
            _number_by_number(*question),
            what=f"the salience for {words}",
            why="Between the means: q (1 − q) times their squared distance. The whole: each dimension's variance, added up.",
        )
    two = torch.tensor([[1.0, 2.0, 5.0], [3.0, -1.0, 4.0]])
    expect_close(
        call(answer, two, torch.tensor([False, True]), returns=float),
        1.0,
        what="the salience for two differences, one of each label",
        why="Each label has one difference, so that everything lies between the means.",
    )
