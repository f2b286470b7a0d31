"""Exercise: what the variance of the differences along a direction is made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from course_utils import directions
from course_utils.checks.ccs.inputs import noise
from course_utils.checks.framework import Mistake, call, check, expect_close, noncontiguous

Question = tuple[Tensor, Tensor, Tensor]


class _Named(NamedTuple):
    """As a learner may name the parts; numbers as 0-d tensors."""

    spread: Tensor
    opposition: Tensor


def _number_by_number(positive: Tensor, negative: Tensor, direction: Tensor) -> tuple[float, float]:
    n, d = len(positive), direction.tolist()
    a, b = (
        [math.fsum(u * v for u, v in zip(x, d, strict=True)) for x in side.tolist()] for side in (positive, negative)
    )
    a, b = ([value - math.fsum(side) / n for value in side] for side in (a, b))
    spread = math.fsum(x * x for x in a) / n + math.fsum(y * y for y in b) / n
    return spread, -2 * math.fsum(x * y for x, y in zip(a, b, strict=True)) / n


def _by_covariance(positive: Tensor, negative: Tensor, direction: Tensor) -> Any:
    """NumPy."""
    a, b = (
        np.asarray(side, dtype=np.float64) @ np.asarray(direction, dtype=np.float64) for side in (positive, negative)
    )
    covariance = np.cov(a, b, bias=True)
    return np.trace(covariance), -2 * covariance[0, 1]


def _by_subtraction(positive: Tensor, negative: Tensor, direction: Tensor) -> _Named:
    """The second part is what the first one leaves of Var(a − b)."""
    a, b = positive.double() @ direction.double(), negative.double() @ direction.double()
    spread = a.var(correction=0) + b.var(correction=0)
    return _Named(spread, (a - b).var(correction=0) - spread)


def _single(positive: Tensor, negative: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """In the precision of the activations."""
    a, b = positive @ direction, negative @ direction
    a, b = a - a.mean(), b - b.mean()
    return a.square().mean() + b.square().mean(), -2 * (a * b).mean()


def _sides(parts: Callable[[Tensor, Tensor], tuple[Any, Any]]) -> Any:
    """A wrong answer: something else is made of the projections a and b."""
    return lambda positive, negative, direction: tuple(
        float(part) for part in parts(positive.double() @ direction.double(), negative.double() @ direction.double())
    )


def _var(a: Tensor) -> Tensor:
    return a.var(correction=0)


def _cov(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).mean() - a.mean() * b.mean()


def _right(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return _var(a) + _var(b), -2 * _cov(a, b)


def _normalised(positive: Tensor, negative: Tensor, direction: Tensor) -> tuple[Any, Any]:
    return _sides(_right)(positive, negative, direction / direction.norm())


def _all_dimensions(positive: Tensor, negative: Tensor, direction: Tensor) -> tuple[float, float]:
    a, b = (side.double() - side.double().mean(0) for side in (positive, negative))
    return float(((a * a) + (b * b)).mean(0).sum()), -2 * float((a * b).mean(0).sum())


MISTAKES = [
    Mistake(
        "not centred",
        _sides(lambda a, b: ((a * a).mean() + (b * b).mean(), -2 * (a * b).mean())),
        "You take mean squares and products of the projections as they are. Variance and covariance are about the mean: take "
        "it away from each side first.",
    ),
    Mistake(
        "covariance not centred",
        _sides(lambda a, b: (_var(a) + _var(b), -2 * (a * b).mean())),
        "Your second part is −2 times the mean product. A covariance is about the means: take them away first.",
    ),
    Mistake(
        "variances not centred",
        _sides(lambda a, b: ((a * a).mean() + (b * b).mean(), -2 * _cov(a, b))),
        "Your first part adds up mean squares. A variance is about the mean: take it away first.",
    ),
    Mistake(
        "centred together",
        _sides(
            lambda a, b: _sides_of(a - (a.mean() + b.mean()) / 2, b - (a.mean() + b.mean()) / 2),
        ),
        "You take away the common mean of both sides. Each side has its own, and what they differ by on average must not "
        "count.",
    ),
    Mistake(
        "sign of the covariance",
        _sides(lambda a, b: (_var(a) + _var(b), 2 * _cov(a, b))),
        "Your second part is +2 Cov(a, b). In Var(a − b) it is −2 Cov(a, b), which is positive if the sides are opposed.",
    ),
    Mistake(
        "covariance once",
        _sides(lambda a, b: (_var(a) + _var(b), -_cov(a, b))),
        "The 2 in −2 Cov(a, b) is missing. Then the parts do not add up to Var(a − b).",
    ),
    Mistake(
        "covariance itself",
        _sides(lambda a, b: (_var(a) + _var(b), _cov(a, b))),
        "Your second part is the covariance. Multiply it by −2.",
    ),
    Mistake(
        "correlation",
        _sides(lambda a, b: (_var(a) + _var(b), -2 * _cov(a, b) / (_var(a) * _var(b)).sqrt())),
        "Your second part is made of the correlation. The covariance is not divided by the standard deviations.",
    ),
    Mistake(
        "standard deviations",
        _sides(lambda a, b: (_var(a).sqrt() + _var(b).sqrt(), -2 * _cov(a, b))),
        "You add up standard deviations. Add up variances, their squares.",
    ),
    Mistake(
        "positive side only",
        _sides(lambda a, b: (_var(a), -2 * _cov(a, b))),
        "Your first part has the positive side's variance only. Add the negative side's.",
    ),
    Mistake(
        "mean of the variances",
        _sides(lambda a, b: ((_var(a) + _var(b)) / 2, -2 * _cov(a, b))),
        "Your first part is the mean of the two variances. Add them up.",
    ),
    Mistake(
        "difference of the variances",
        _sides(lambda a, b: (_var(a) - _var(b), -2 * _cov(a, b))),
        "You subtract one variance from the other. Add them up: in Var(a − b) both count as positive.",
    ),
    Mistake(
        "variance of the difference",
        _sides(lambda a, b: (_var(a - b), -2 * _cov(a, b))),
        "Your first part is Var(a − b), which is what both parts add up to. The first is Var(a) + Var(b).",
    ),
    Mistake(
        "variance of the sum",
        _sides(lambda a, b: (_var(a + b), -2 * _cov(a, b))),
        "Your first part is Var(a + b), in which the covariance counts too. The first is Var(a) + Var(b).",
    ),
    Mistake(
        "parts exchanged",
        _sides(lambda a, b: (-2 * _cov(a, b), _var(a) + _var(b))),
        "You return the parts in the wrong order. The spread comes first.",
    ),
    Mistake(
        "shares",
        _sides(lambda a, b: ((_var(a) + _var(b)) / _var(a - b), -2 * _cov(a, b) / _var(a - b))),
        "You divide the parts by Var(a − b). They are asked for as they are.",
    ),
    Mistake(
        "divided by n − 1",
        _sides(lambda a, b: tuple(part * len(a) / (len(a) - 1) for part in _right(a, b))),  # type: ignore[arg-type, return-value]
        "You divide by n − 1, as `var` and `cov` do unless told otherwise. Here sums are divided by n: `correction=0`.",
    ),
    Mistake(
        "variances divided by n − 1",
        _sides(lambda a, b: (a.var() + b.var(), -2 * _cov(a, b))),
        "You divide the variances by n − 1 and the covariance by n, so that they do not add up to Var(a − b). Give `var` "
        "`correction=0`.",
    ),
    Mistake(
        "covariance divided by n − 1",
        _sides(lambda a, b: (_var(a) + _var(b), -2 * _cov(a, b) * len(a) / (len(a) - 1))),
        "You divide the covariance by n − 1 and the variances by n, so that they do not add up to Var(a − b). `torch.cov` "
        "takes `correction=0`.",
    ),
    Mistake(
        "sums",
        _sides(lambda a, b: tuple(part * len(a) for part in _right(a, b))),  # type: ignore[arg-type, return-value]
        "You add up over questions. Divide by n.",
    ),
    Mistake(
        "direction normalised",
        _normalised,
        "You give the direction length 1. It is used as it is here: a probe's length matters too.",
    ),
    Mistake(
        "direction left out",
        _all_dimensions,
        "You add up over all dimensions. Project on the direction first: a = positive @ direction.",
    ),
]


def _sides_of(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return (a * a).mean() + (b * b).mean(), -2 * (a * b).mean()


def _question(n: int, d_model: int, seed: int, opposed: float = 0.8, dtype: torch.dtype = torch.float32) -> Question:
    """Sides that are opposed (or, with less than 0, alike) in part, around means of their own."""
    shared = noise(n, d_model, seed=seed)
    positive = shared + 0.7 * noise(n, d_model, seed=seed + 1) + noise(d_model, seed=seed + 2)
    negative = -opposed * shared + 0.5 * noise(n, d_model, seed=seed + 3) + noise(d_model, seed=seed + 4)
    direction = noise(d_model, seed=seed + 5)
    return positive.to(dtype), negative.to(dtype), direction.to(dtype)


@check(
    reference=directions.variance_parts,
    alternatives=[_number_by_number, _by_covariance, _by_subtraction, _single],
    mistakes=MISTAKES,
    cases=lambda: [_question(9, 4, 700), _question(14, 7, 800, opposed=-0.6)],
)
def test_variance_parts(answer: Any) -> None:
    """Take Var(a − b) of the sides' projections apart: Var(a) + Var(b), and −2 Cov(a, b)."""
    positive, negative = torch.tensor([[1.0, 5.0], [3.0, 5.0]]), torch.tensor([[2.0, 0.0], [-2.0, 1.0]])
    spread, opposition = call(answer, positive, negative, torch.tensor([2.0, 0.0]), returns=(float, float))
    words = "the projections a = 2, 6 and b = 4, −4"
    expect_close(spread, 20.0, what=f"the spread of {words}", why="Var(a) is 4 and Var(b) is 16.")
    expect_close(
        opposition, 16.0, what=f"the opposition of {words}", why="Cov(a, b) is −8: one rises where the other falls."
    )
    for words, question in (
        ("8 pairs in 5 dimensions", _question(8, 5, 10)),
        ("200 pairs, sides alike", _question(200, 12, 20, opposed=-0.9)),
        ("float64 activations", _question(25, 9, 30, dtype=torch.float64)),
        ("a short direction", (*_question(12, 6, 40)[:2], 0.05 * noise(6, seed=41))),
        ("two pairs", _question(2, 3, 50)),
    ):
        if words.startswith("float64"):
            question = (noncontiguous(question[0]), noncontiguous(question[1]), noncontiguous(question[2]))
        spread, opposition = call(answer, *question, returns=(float, float))
        wanted = _number_by_number(*question)
        size = max(map(abs, wanted))
        expect_close(
            spread,
            wanted[0],
            what=f"the spread for {words}",
            why="It is Var(a) + Var(b), sums divided by n.",
            atol=1e-5 * size,
        )
        expect_close(
            opposition,
            wanted[1],
            what=f"the opposition for {words}",
            why="It is −2 Cov(a, b), the sum divided by n.",
            atol=1e-5 * size,
        )
