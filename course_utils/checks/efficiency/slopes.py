"""Exercise: the slopes of the loss with penalty, by the weight of each circuit."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course_utils import efficiency_simulation
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite
from course_utils.efficiency_simulation import TwoCircuits

Pair = tuple[Any, Any]


def _objective(c: TwoCircuits, w_M: float, w_G: float) -> float:
    """J, with |w| for w, so that it exists to the left of 0 too (where its slope is 0, as the exercise's cost has it)."""
    cost = c.norm_M**2 * abs(w_M) ** (2 / c.kappa) + c.norm_G**2 * abs(w_G) ** (2 / c.kappa)
    return math.log(1 + (c.classes - 1) * math.exp(-w_M - w_G)) + c.penalty * cost


def _measured(c: TwoCircuits, w_M: float, w_G: float, h: float = 1e-4) -> list[float]:
    """How J changes when one weight is moved a little to both sides."""
    by_M = _objective(c, w_M + h, w_G) - _objective(c, w_M - h, w_G)
    by_G = _objective(c, w_M, w_G + h) - _objective(c, w_M, w_G - h)
    return [by_M / (2 * h), by_G / (2 * h)]


def _by_autograd(c: TwoCircuits, w_M: float, w_G: float) -> Any:
    weights = torch.tensor([w_M, w_G], requires_grad=True)
    norms = torch.tensor([c.norm_M, c.norm_G])
    logits = torch.cat([weights.sum()[None], torch.zeros(c.classes - 1)])
    J = -logits.log_softmax(0)[0] + c.penalty * (norms**2 * weights ** (2 / c.kappa)).sum()
    return tuple(torch.autograd.grad(J, weights)[0])


def _by_softmax(c: TwoCircuits, w_M: float, w_G: float) -> Any:
    """The loss falls with the right logit by the probability of all wrong answers."""
    right = np.exp(w_M + w_G)
    missing = (c.classes - 1) / (right + c.classes - 1)
    exponent = 2 / c.kappa
    return [c.penalty * exponent * P**2 * w ** (exponent - 1) - missing for P, w in ((c.norm_M, w_M), (c.norm_G, w_G))]


def _loss_slope(c: TwoCircuits, w: float) -> float:
    return -1 / (1 + math.exp(w) / (c.classes - 1))


def _pull(c: TwoCircuits, norm: float, w: float) -> float:
    return c.penalty * norm**2 * (2 / c.kappa) * w ** (2 / c.kappa - 1)


def _variant(
    loss: Callable[[TwoCircuits, float], float] = _loss_slope,
    pull: Callable[[TwoCircuits, float, float], float] = _pull,
) -> Any:
    """A wrong answer that differs in the slope of the loss by the sum of the weights, or in that of one circuit's cost."""

    def wrong(c: TwoCircuits, w_M: float, w_G: float) -> Pair:
        slope = loss(c, w_M + w_G)
        return slope + pull(c, c.norm_M, w_M), slope + pull(c, c.norm_G, w_G)

    return wrong


_right = _variant()


def _own_weight_only(c: TwoCircuits, w_M: float, w_G: float) -> Pair:
    return _loss_slope(c, w_M) + _pull(c, c.norm_M, w_M), _loss_slope(c, w_G) + _pull(c, c.norm_G, w_G)


def _norms_exchanged(c: TwoCircuits, w_M: float, w_G: float) -> Pair:
    return _right(dataclasses.replace(c, norm_M=c.norm_G, norm_G=c.norm_M), w_M, w_G)


MISTAKES = [
    Mistake(
        "sign of the loss",
        _variant(loss=lambda c, w: -_loss_slope(c, w)),
        "The part of your slopes that comes from the loss has the wrong sign. More logit for the right class makes the loss "
        "smaller.",
    ),
    Mistake(
        "downhill",
        lambda *args: tuple(-slope for slope in _right(*args)),
        "You return −∂J/∂w, the direction of descent. Wanted are the derivatives themselves.",
    ),
    Mistake(
        "slopes exchanged",
        lambda *args: _right(*args)[::-1],
        "You return the slope by w_G first. The slope by w_M comes first.",
    ),
    Mistake(
        "norms exchanged",
        _norms_exchanged,
        "You use P_G in the slope by w_M and P_M in the slope by w_G. Each circuit pays with its own norm.",
    ),
    Mistake(
        "share of the right class",
        _variant(loss=lambda c, w: -1 - _loss_slope(c, w)),
        "Your slope of the loss is minus the probability of the *right* answer. It should go to 0 when the answer is certain: "
        "it is minus the probability of all wrong ones.",
    ),
    Mistake(
        "C − 1 left out",
        _variant(loss=lambda c, w: -1 / (1 + math.exp(w))),
        "Your slope of the loss has lost the factor C − 1 of e^−(w_M + w_G): there are C − 1 wrong classes, not one.",
    ),
    Mistake(
        "C in place of C − 1",
        _variant(loss=lambda c, w: -1 / (1 + math.exp(w) / c.classes)),
        "Your slope of the loss has C where J has C − 1, the number of wrong classes.",
    ),
    Mistake(
        "113 classes",
        _variant(loss=lambda c, w: -1 / (1 + math.exp(w) / 112)),
        "Your slope of the loss has 113 classes whatever the number is. It stands in `circuits.classes`.",
    ),
    Mistake(
        "1 + … left out",
        _variant(loss=lambda c, w: -(c.classes - 1) * math.exp(-w)),
        "Your slope of the loss is the derivative of what stands in the logarithm. By the chain rule it has to be divided by "
        "all that stands in the logarithm, 1 + (C − 1) e^−(w_M + w_G).",
    ),
    Mistake(
        "each circuit its own loss",
        _own_weight_only,
        "In your slope of the loss each circuit stands alone. The loss depends on the sum w_M + w_G, so that both slopes have "
        "the same part from it.",
    ),
    Mistake(
        "P in place of P²",
        _variant(pull=lambda c, norm, w: _pull(c, 1.0, w) * norm),
        "The penalty's part of your slopes has P where the cost has P².",
    ),
    Mistake(
        "2/κ not in front",
        _variant(pull=lambda c, norm, w: _pull(c, norm, w) * c.kappa / 2),
        "The derivative of w^(2/κ) has the factor 2/κ in front, which is missing.",
    ),
    Mistake(
        "exponent not lowered",
        _variant(pull=lambda c, norm, w: _pull(c, norm, w) * w),
        "The derivative of w^(2/κ) has an exponent that is smaller by 1. You have left it at 2/κ.",
    ),
    Mistake(
        "κ/2 in place of 2/κ",
        _variant(pull=lambda c, norm, w: c.penalty * norm**2 * c.kappa / 2 * w ** (c.kappa / 2 - 1)),
        "Your exponent is upside down: the cost grows with w to the power of 2/κ.",
    ),
    Mistake(
        "derivative of a square",
        _variant(pull=lambda c, norm, w: 2 * c.penalty * norm**2 * w),
        "Your penalty grows with w². That is right for κ = 1 alone: the cost grows with w to the power of 2/κ.",
    ),
    Mistake(
        "λ left out",
        _variant(pull=lambda c, norm, w: _pull(dataclasses.replace(c, penalty=1.0), norm, w)),
        "The penalty's part of your slopes is not multiplied by λ, which is `circuits.penalty`.",
    ),
    Mistake(
        "λ/2 in place of λ",
        _variant(pull=lambda c, norm, w: _pull(c, norm, w) / 2),
        "The penalty's part of your slopes is half of what it should be: in this J the cost is multiplied by λ, not by λ/2.",
    ),
    Mistake(
        "loss alone",
        _variant(pull=lambda c, norm, w: 0.0),
        "These are the slopes of the loss alone. J has the penalty as well.",
    ),
    Mistake(
        "penalty alone",
        _variant(loss=lambda c, w: 0.0),
        "These are the slopes of the penalty alone. J has the loss as well.",
    ),
]

_QUESTIONS = (
    (TwoCircuits(1.5, 0.8, 0.2, 1.0, classes=5), 0.7, 1.6),
    (TwoCircuits(2.0, 1.1, 0.05, 1.2, classes=113), 1.4, 3.0),
    (TwoCircuits(0.9, 1.7, 0.3, 0.7, classes=11), 2.2, 0.6),
    (TwoCircuits(1.3, 0.6, 0.1, 1.8, classes=2), 0.3, 2.4),
    (TwoCircuits(2.5, 1.2, 0.0, 1.4, classes=40), 1.1, 2.7),
    (TwoCircuits(), 4.0, 5.5),
    (TwoCircuits(1.4, 0.7, 0.25, 1.2, classes=23), 0.0, 1.9),
    (TwoCircuits(1.6, 0.9, 0.15, 1.5, classes=7), 2.1, 0.0),
    (TwoCircuits(1.2, 0.8, 0.02, 1.3, classes=113), 0.0, 50.0),
)


@check(
    reference=efficiency_simulation.slopes,
    alternatives=[_by_autograd, _by_softmax, _measured],
    mistakes=MISTAKES,
    cases=lambda: [
        (TwoCircuits(1.7, 0.9, 0.12, 1.35, classes=6), 0.9, 1.3),
        (TwoCircuits(0.8, 1.9, 0.4, 0.9, classes=17), 1.8, 0.5),
    ],
)
def test_slopes(answer: Any) -> None:
    """Differentiate the loss with penalty by the weight of each circuit."""
    for circuits, w_M, w_G in _QUESTIONS:
        found = call(answer, circuits, w_M, w_G, returns=(float, float))
        at = f"at w_M = {w_M:g}, w_G = {w_G:g} for {circuits}"
        expect_finite(list(found), what=f"the slopes {at}")
        for mine, wanted, name, w in zip(found, _measured(circuits, w_M, w_G), ("w_M", "w_G"), (w_M, w_G), strict=True):
            mirror = (
                "" if w else " (the cost of a negative weight is taken to be that of its size: at 0 its slope is 0)"
            )
            expect_close(
                mine,
                wanted,
                rtol=1e-4,
                atol=1e-6,
                what=f"∂J/∂{name} {at}",
                why=f"Measured: how J changes when {name} alone is moved by 0.0001 to either side{mirror}.",
            )
