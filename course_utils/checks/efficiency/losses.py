"""Exercise: the loss of two circuits in training and in testing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course_utils import efficiency_simulation
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite

Part = Callable[[float, float, int], float]


def _of_logits(logits: list[float]) -> float:
    """Cross-entropy of a list of logits with the right class first: minus the logarithm of its share, added up one by one."""
    return math.log(math.fsum(math.exp(x - logits[0]) for x in logits))


def _wanted(w_M: float, w_G: float, classes: int) -> tuple[float, float]:
    others = [0.0] * classes
    return _of_logits([w_M + w_G, *others[1:]]), _of_logits([w_G, w_M, *others[2:]])


def _train(w_M: float, w_G: float, C: int) -> float:
    return math.log(1 + (C - 1) * math.exp(-w_M - w_G))


def _test(w_M: float, w_G: float, C: int) -> float:
    return math.log(1 + math.exp(w_M - w_G) + (C - 2) * math.exp(-w_G))


def _variant(train: Part = _train, test: Part = _test) -> Any:
    return lambda w_M, w_G, classes: (train(w_M, w_G, classes), test(w_M, w_G, classes))


_right = _variant()


def _by_torch(w_M: float, w_G: float, classes: int) -> list[torch.Tensor]:
    """Cross-entropy of a batch of two rows, in single precision; the right class is the last."""
    logits = torch.zeros(2, classes)
    logits[0, -1] = w_M + w_G
    logits[1, -1], logits[1, 0] = w_G, w_M
    return list(F.cross_entropy(logits, torch.full((2,), classes - 1), reduction="none"))


def _by_logaddexp(w_M: float, w_G: float, classes: int) -> Any:
    train = np.logaddexp(0, np.log(classes - 1) - w_M - w_G)
    with np.errstate(divide="ignore"):  # with two classes M's is the only wrong one
        rest = np.log(np.float64(classes - 2))
    return train, np.logaddexp(w_G, np.logaddexp(w_M, rest)) - w_G


def _by_probability(w_M: float, w_G: float, classes: int) -> Any:
    shares = np.exp([w_M + w_G, w_G]) / (np.exp([w_M + w_G, w_G]) + np.array([classes - 1, np.exp(w_M) + classes - 2]))
    return tuple(-np.log(shares))


MISTAKES = [
    Mistake(
        "training and test exchanged",
        lambda *args: _right(*args)[::-1],
        "You return the test loss first. The training loss comes first.",
    ),
    Mistake(
        "M helps in testing",
        _variant(test=_train),
        "In testing M helps with you as it does in training. On a question that it has not seen it gives its logit to a wrong "
        "class.",
    ),
    Mistake(
        "M silent in testing",
        _variant(test=lambda M, G, C: math.log(1 + (C - 1) * math.exp(-G))),
        "In testing you leave M out. It does not fall silent on questions it has not seen: it gives w_M to a wrong class.",
    ),
    Mistake(
        "all wrong classes have w_M",
        _variant(test=lambda M, G, C: math.log(1 + (C - 1) * math.exp(M - G))),
        "In testing all wrong classes have the logit w_M with you (or the right one has w_G − w_M, which comes to the same). M "
        "adds its logit to *one* wrong class; the logits of the others are 0.",
    ),
    Mistake(
        "M's class counted twice",
        _variant(test=lambda M, G, C: math.log(1 + math.exp(M - G) + (C - 1) * math.exp(-G))),
        "In testing you count M's class twice: once with w_M, once among those with logit 0. How many are left when the right "
        "class and M's are taken out?",
    ),
    Mistake(
        "only M's wrong class",
        _variant(test=lambda M, G, C: math.log(1 + math.exp(M - G))),
        "In testing only two classes compete with you, the right one and M's. The others have logit 0, and e⁰ is 1 for each.",
    ),
    Mistake(
        "C in place of C − 1",
        _variant(train=lambda M, G, C: math.log(1 + C * math.exp(-M - G))),
        "In training you count C wrong classes. One of the C is the right one.",
    ),
    Mistake(
        "C and C − 1 wrong classes",
        _variant(
            lambda M, G, C: math.log(1 + C * math.exp(-M - G)),
            lambda M, G, C: math.log(1 + math.exp(M - G) + (C - 1) * math.exp(-G)),
        ),
        "You have one class too many in both losses: count the right class among the C.",
    ),
    Mistake(
        "right class left out below",
        _variant(
            lambda M, G, C: math.log(C - 1) - M - G,
            lambda M, G, C: math.log(math.exp(M) + C - 2) - G,
        ),
        "Your losses leave the right class out of the sum over classes, and can be negative. A softmax divides by the sum over "
        "*all* classes.",
    ),
    Mistake(
        "G silent in training",
        _variant(train=lambda M, G, C: math.log(1 + (C - 1) * math.exp(-M))),
        "In training you leave G out. Both circuits give their logits to the right class.",
    ),
    Mistake(
        "M silent in training",
        _variant(train=lambda M, G, C: math.log(1 + (C - 1) * math.exp(-G))),
        "In training you leave M out. Both circuits give their logits to the right class.",
    ),
    Mistake(
        "circuits exchanged in testing",
        _variant(test=lambda M, G, C: _test(G, M, C)),
        "In testing M gives its logit to the right class with you, and G to a wrong one. It is the other way round.",
    ),
    Mistake(
        "sign of the exponents",
        lambda M, G, C: _right(-M, -G, C),
        "Your losses grow with the logit of the right class. Look at the signs of the exponents.",
    ),
    Mistake(
        "bits",
        lambda *args: tuple(loss / math.log(2) for loss in _right(*args)),
        "Your losses are in bits. For nats take the natural logarithm.",
    ),
    Mistake(
        "logarithm of the probability",
        lambda *args: tuple(-loss for loss in _right(*args)),
        "You return the logarithm of the right answer's probability. The loss is minus that.",
    ),
    Mistake(
        "probability",
        lambda *args: tuple(math.exp(-loss) for loss in _right(*args)),
        "You return the right answer's probability. The loss is minus its logarithm.",
    ),
]

_QUESTIONS = (
    (2.0, 1.0, 5),
    (3.0, 0.5, 113),
    (0.4, 2.5, 11),
    (1.5, 3.0, 2),
    (4.0, 4.0, 59),
    (0.0, 2.0, 7),
    (1.7, 0.0, 3),
    (0.0, 0.0, 23),
    (20.0, 1.0, 97),
    (0.5, 9.0, 40),
)


@check(
    reference=efficiency_simulation.train_and_test_loss,
    alternatives=[_by_torch, _by_logaddexp, _by_probability],
    mistakes=MISTAKES,
    cases=lambda: [(1.2, 2.3, 9), (2.6, 0.7, 31), (0.8, 1.1, 4)],
)
def test_train_and_test_loss(answer: Any) -> None:
    """Compute the cross-entropy of the two circuits on questions seen and not seen."""
    for w_M, w_G, classes in _QUESTIONS:
        found = call(answer, w_M, w_G, classes, returns=(float, float))
        of = f"for w_M = {w_M:g}, w_G = {w_G:g} and {classes} classes"
        expect_finite(list(found), what=f"the losses {of}")
        reasons = (
            f"The logits are {w_M + w_G:g} for the right class and 0 for the {classes - 1} wrong ones.",
            f"The logits are {w_G:g} for the right class, {w_M:g} for one wrong class and 0 for all others.",
        )
        names = ("training loss", "test loss")
        for mine, wanted, name, why in zip(found, _wanted(w_M, w_G, classes), names, reasons, strict=True):
            expect_close(mine, wanted, rtol=1e-4, atol=2e-6, what=f"the {name} {of}", why=why)
