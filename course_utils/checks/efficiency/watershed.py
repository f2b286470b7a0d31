"""Exercise: where does neither of two circuits buy logit cheaper at the margin?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course_utils import efficiency_simulation
from course_utils.checks.framework import Mistake, call, check, expect, expect_close, expect_finite


def _price(norm: float, scale: float, kappa: float) -> float:
    """What a little more logit costs a circuit of this scale: both differences measured, with the scale a little changed."""
    low, high = scale * (1 - 1e-5), scale * (1 + 1e-5)
    return norm**2 * (high**2 - low**2) / (high**kappa - low**kappa)


def _halved(norm_M: float, norm_G: float, kappa: float, s_G: float = 1.0) -> float:
    """The ratio at which both prices are equal, by halving an interval of its logarithm."""
    low, high = -60.0, 60.0
    for _ in range(70):
        middle = (low + high) / 2
        cheaper = _price(norm_M, s_G * math.exp(middle), kappa) < _price(norm_G, s_G, kappa)
        low, high = (low, middle) if cheaper else (middle, high)
    return math.exp(low)


def _by_logarithm(norm_M: float, norm_G: float, kappa: float) -> Any:
    return torch.tensor(2 * (math.log(norm_M) - math.log(norm_G)) / (kappa - 2)).exp()


def _root_of_squares(norm_M: float, norm_G: float, kappa: float) -> Any:
    """Each s is the root of its circuit's slope: P² s^(2 − κ) is 1 for both."""
    s_M, s_G = np.power([norm_M**2, norm_G**2], 1 / (kappa - 2))
    return np.float32(s_M / s_G)


def _power(exponent: Callable[[float], float]) -> Any:
    """A wrong answer that is another power of P_M / P_G."""
    return lambda norm_M, norm_G, kappa: (norm_M / norm_G) ** exponent(kappa)


_right = _power(lambda k: 2 / (k - 2))

MISTAKES = [
    Mistake(
        "upside down",
        _power(lambda k: -2 / (k - 2)),
        "Your ratio is upside down. For κ over 2 a larger circuit buys logit more cheaply: the one with the greater P needs "
        "the greater scale to keep up.",
    ),
    Mistake(
        "P in place of P²",
        _power(lambda k: 1 / (k - 2)),
        "Your ratio is the root of what it should be: P enters the cost squared.",
    ),
    Mistake(
        "P⁴",
        _power(lambda k: 4 / (k - 2)),
        "Your ratio is the square of what it should be: P² over P² is (P_M / P_G)², and not more.",
    ),
    Mistake(
        "ratio of the logits",
        _power(lambda k: 2 * k / (k - 2)),
        "This is the ratio w_M / w_G of the *logits* where both prices are equal. Wanted is that of the scales, w = s^κ.",
    ),
    Mistake(
        "inverse ratio of the logits",
        _power(lambda k: 2 * k / (2 - k)),
        "This is w_G / w_M, the ratio of the *logits*, as in the cheapest division. Wanted is that of the scales, s_M / s_G, "
        "with w = s^κ.",
    ),
    Mistake(
        "slopes of the cost by s",
        _power(lambda k: -2),
        "You set ∂cost/∂s equal. A step in s gives the two circuits different amounts of logit: divide each by ∂w/∂s.",
    ),
    Mistake(
        "equal costs",
        _power(lambda k: -1),
        "You set the costs P²s² equal. What a little *more* logit costs is to be equal: (∂cost/∂s) / (∂w/∂s).",
    ),
    Mistake(
        "w in place of its derivative",
        _power(lambda k: 2 / (k - 1)),
        "You divide ∂cost/∂s by w = s^κ. Divide it by the derivative ∂w/∂s, whose exponent is smaller by 1.",
    ),
    Mistake(
        "exponent κ − 1",
        _power(lambda k: 1 / (k - 1)),
        "Your exponent is 1/(κ − 1). The slope of the cost has a factor s too, which takes one from the exponent κ − 1, and P "
        "is squared.",
    ),
    Mistake(
        "multiplied",
        _power(lambda k: 2 * (k - 2)),
        "You multiply by κ − 2 in the exponent. From P_M² / P_G² = (s_M / s_G)^(κ − 2) it takes a root to get to the ratio.",
    ),
    Mistake(
        "root forgotten",
        _power(lambda k: 2),
        "You return (P_M / P_G)², which is the ratio to the power of κ − 2. Take the root.",
    ),
    Mistake(
        "logarithm",
        lambda norm_M, norm_G, kappa: 2 * math.log(norm_M / norm_G) / (kappa - 2),
        "You return the logarithm of the ratio.",
    ),
    Mistake(
        "share",
        lambda *args: _right(*args) / (1 + _right(*args)),
        "You return the share s_M / (s_M + s_G). Wanted is the ratio s_M / s_G.",
    ),
]

_QUESTIONS = ((2.0, 1.0, 3.0), (1.5, 0.7, 4.0), (0.8, 1.3, 2.5), (1.1, 1.0, 2.2), (3.0, 2.0, 6.0), (0.5, 1.7, 3.6))


@check(
    reference=efficiency_simulation.ridge,
    alternatives=[_halved, _by_logarithm, _root_of_squares],
    mistakes=MISTAKES,
    cases=lambda: [(1.7, 1.2, 2.8), (0.9, 1.4, 5.0)],
)
def test_ridge(answer: Any) -> None:
    """Find the ratio of two circuits' scales at which neither buys logit cheaper at the margin, for κ above 2."""
    for norm_M, norm_G, kappa in _QUESTIONS:
        ratio = call(answer, norm_M, norm_G, kappa, returns=float)
        what = f"s_M / s_G for P_M = {norm_M:g}, P_G = {norm_G:g}, κ = {kappa:g}"
        expect_finite(ratio, what=what)
        expect(ratio > 0, what=what, why="Both scales are positive.", expected="a number above 0", got=ratio)
        s_G = 0.7
        prices = [_price(norm, scale, kappa) for norm, scale in ((norm_M, ratio * s_G), (norm_G, s_G))]
        expect_close(
            ratio,
            _halved(norm_M, norm_G, kappa, s_G),
            what=what,
            why="The scales were moved a little to see what logit costs at the margin. With your ratio (and s_G = 0.7) the "
            f"price is {prices[0]:.5g} for M and {prices[1]:.5g} for G.",
        )
