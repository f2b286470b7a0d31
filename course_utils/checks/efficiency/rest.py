"""Exercise: does the loss's push outwards balance the penalty's pull inwards?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import efficiency
from course_utils.checks.fourier.inputs import noise
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite, noncontiguous

Parts = Sequence[Tensor]


def _vector(parts: Parts) -> Tensor:
    return torch.cat([part.detach().double().reshape(-1) for part in parts])


def _numbers(parts: Parts) -> list[float]:
    return [x for part in parts for x in part.detach().double().flatten().tolist()]


def _wanted(weights: Parts, gradients: Parts, penalty: float) -> float:
    """Number by number."""
    w, g = _numbers(weights), _numbers(gradients)
    push = math.fsum(a * b for a, b in zip(w, g, strict=True))
    return -push / (penalty * math.fsum(a * a for a in w))


def _by_numpy(weights: Parts, gradients: Parts, penalty: float) -> Any:
    theta, slope = (np.concatenate([x.detach().numpy().ravel() for x in parts]) for parts in (weights, gradients))
    return np.dot(theta, slope) / np.linalg.norm(theta) ** 2 / -penalty


def _by_torch(weights: Parts, gradients: Parts, penalty: float) -> Tensor:
    """Part by part, in the parts' own precision; a 0-d tensor that may want grad comes back."""
    along, squares = torch.zeros(()), torch.zeros(())
    for w, g in zip(weights, gradients, strict=True):
        along = along + (w * g).sum()
        squares = squares + w.norm() ** 2
    return -along / (penalty * squares)


def _by_scaling(weights: Parts, gradients: Parts, penalty: float) -> float:
    """By how much does the loss fall to first order when θ grows, measured in the growth of the penalty?"""
    h = 1e-3
    fall = rise = 0.0
    for w, g in zip(weights, gradients, strict=True):
        w, g = w.detach().double(), g.double()
        larger, smaller = (1 + h) * w, (1 - h) * w
        fall -= float((g * (larger - smaller)).sum())
        rise += penalty / 2 * float((larger**2 - smaller**2).sum())
    return fall / rise


def _variant(change: Callable[[Tensor, Tensor, float], Any]) -> Any:
    """A wrong answer made of θ and ∇L as vectors, and λ."""
    return lambda weights, gradients, penalty: float(change(_vector(weights), _vector(gradients), penalty))


def _by_part(combine: Callable[[list[Tensor]], Any]) -> Any:
    """A wrong answer that combines what each part alone would give."""

    def wrong(weights: Parts, gradients: Parts, penalty: float) -> float:
        ratios = [_ratio(w.double(), g.double(), penalty) for w, g in zip(weights, gradients, strict=True)]
        return float(combine(ratios))

    return wrong


def _ratio(w: Tensor, g: Tensor, penalty: float) -> Tensor:
    return -(w * g).sum() / (penalty * w.square().sum())


def _means_of_parts(weights: Parts, gradients: Parts, penalty: float) -> float:
    along = sum((w * g).double().mean() for w, g in zip(weights, gradients, strict=True))
    return float(-along / (penalty * sum(w.double().square().mean() for w in weights)))


def _mean_along(weights: Parts, gradients: Parts, penalty: float) -> float:
    along = sum((w * g).double().mean() for w, g in zip(weights, gradients, strict=True))
    return float(-along / (penalty * _vector(weights).square().sum()))


def _sum_of_norms(weights: Parts, gradients: Parts, penalty: float) -> float:
    along = (_vector(weights) * _vector(gradients)).sum()
    return float(-along / (penalty * sum(w.double().norm() for w in weights) ** 2))


MISTAKES = [
    Mistake(
        "sign",
        _variant(lambda w, g, penalty: -_ratio(w, g, penalty)),
        "Your ratio has the wrong sign. The loss falls when the weights grow, so θ·∇L is negative: the minus makes it a push "
        "outwards.",
    ),
    Mistake(
        "norm in place of its square",
        _variant(lambda w, g, penalty: -(w @ g) / (penalty * w.norm())),
        "You divide by λ‖θ‖. The norm is to be squared: it comes from θ·(λθ).",
    ),
    Mistake(
        "λ left out",
        _variant(lambda w, g, penalty: _ratio(w, g, 1.0)),
        "You do not divide by λ, the strength of the pull.",
    ),
    Mistake(
        "multiplied by λ",
        _variant(lambda w, g, penalty: _ratio(w, g, 1 / penalty)),
        "You multiply by λ. It belongs below, with ‖θ‖²: in Python `a / b * c` multiplies by c, `a / (b * c)` divides by both.",
    ),
    Mistake(
        "multiplied by the squared norm",
        _variant(lambda w, g, penalty: -(w @ g) / penalty * (w @ w)),
        "You multiply by ‖θ‖². It belongs below, with λ: in Python `a / b * c` multiplies by c, `a / (b * c)` divides by both.",
    ),
    Mistake(
        "half of the pull",
        _variant(lambda w, g, penalty: 2 * _ratio(w, g, penalty)),
        "Your ratio is twice what it should be: you divide by λ/2 ‖θ‖², the penalty itself. The *gradient* of that is λθ, "
        "without the half.",
    ),
    Mistake(
        "twice the pull",
        _variant(lambda w, g, penalty: _ratio(w, g, penalty) / 2),
        "Your ratio is half of what it should be: the gradient of λ/2 ‖θ‖² is λθ, and not 2λθ.",
    ),
    Mistake(
        "penalty's gradient included",
        _variant(lambda w, g, penalty: _ratio(w, g + penalty * w, penalty)),
        "You add λθ to the gradients: that is ∇J, which vanishes where J is stationary. The ratio compares ∇L, without the "
        "penalty, with λθ.",
    ),
    Mistake(
        "one minus",
        _variant(lambda w, g, penalty: 1 - _ratio(w, g, penalty)),
        "You return one minus the ratio, which is 0 where J is stationary. Wanted is the ratio itself.",
    ),
    Mistake(
        "upside down",
        _variant(lambda w, g, penalty: 1 / _ratio(w, g, penalty)),
        "Your ratio is upside down: the loss's push stands above, the penalty's pull below.",
    ),
    Mistake(
        "ratio of norms",
        _variant(lambda w, g, penalty: g.norm() / (penalty * w.norm())),
        "You compare the lengths ‖∇L‖ and λ‖θ‖. Wanted is how far ∇L points along −θ: the sum of the products θ·∇L.",
    ),
    Mistake(
        "cosine",
        _variant(lambda w, g, penalty: -(w @ g) / (w.norm() * g.norm())),
        "You return the cosine of the angle between θ and −∇L. Wanted is the push along θ measured in the pull: divide by "
        "λ‖θ‖².",
    ),
    Mistake(
        "gradient's norm",
        _variant(lambda w, g, penalty: -(w @ g) / (penalty * (g @ g))),
        "You divide by the squared norm of the gradient. It is the squared norm of the weights that belongs there.",
    ),
    Mistake(
        "square of the sum",
        _variant(lambda w, g, penalty: -(w @ g) / (penalty * w.sum() ** 2)),
        "You square the sum of the weights. ‖θ‖² is the sum of their squares.",
    ),
    Mistake(
        "mean of the parts' ratios",
        _by_part(lambda ratios: sum(ratios) / len(ratios)),
        "You average the ratios of the single tensors. θ is all weights as one vector: add up all products first, and all "
        "squares, and divide once.",
    ),
    Mistake(
        "sum of the parts' ratios",
        _by_part(sum),
        "You add up the ratios of the single tensors. θ is all weights as one vector: add up all products first, and all "
        "squares, and divide once.",
    ),
    Mistake(
        "means of the parts",
        _means_of_parts,
        "You take means over each tensor, so that an entry of a small tensor counts more than one of a large tensor. Take "
        "sums.",
    ),
    Mistake(
        "mean above, sum below",
        _mean_along,
        "You take the mean of the products in each tensor where their sum is wanted: θ·∇L adds them up.",
    ),
    Mistake(
        "sum of the norms",
        _sum_of_norms,
        "You add up the norms of the tensors and square the sum. Squares add up, norms do not: ‖θ‖² is the sum of all squares.",
    ),
    Mistake(
        "first part only",
        lambda weights, gradients, penalty: float(_ratio(weights[0].double(), gradients[0].double(), penalty)),
        "You use the first tensor only. θ is all of them.",
    ),
    Mistake(
        "last part only",
        lambda weights, gradients, penalty: float(_ratio(weights[-1].double(), gradients[-1].double(), penalty)),
        "You keep the last tensor only: is the sum started anew in each round of the loop?",
    ),
]


def _question(
    shapes: Sequence[tuple[int, ...]], penalty: float, along: float, seed: int, dtype: torch.dtype = torch.float64
) -> tuple[list[Tensor], list[Tensor], float]:
    """Weights of about size 1, and gradients that lie along −λθ by `along` on average, more in some parts than in others."""
    weights = [noise(*shape, seed=seed + i) + 0.3 for i, shape in enumerate(shapes)]
    gradients = [
        penalty * (-(along + 0.3 * (i % 2)) * w + 0.4 * noise(*w.shape, seed=seed + 50 + i))
        for i, w in enumerate(weights)
    ]
    return [w.to(dtype) for w in weights], [g.to(dtype) for g in gradients], penalty


@check(
    reference=efficiency.rest_ratio,
    alternatives=[_by_numpy, _by_torch, _by_scaling],
    mistakes=MISTAKES,
    cases=lambda: [
        _question([(3, 2), (4,), (2, 5, 3)], 0.3, 0.8, seed=301),
        _question([(6,), (3, 4)], 2.0, 1.6, seed=401),
    ],
)
def test_rest_ratio(answer: Any) -> None:
    """Compare the loss's push outwards, along the weights, with the penalty's pull inwards."""
    for words, (weights, gradients, penalty) in (
        ("one vector", _question([(7,)], 0.5, 1.4, seed=1)),
        ("three tensors", _question([(3, 5), (4,), (2, 3, 6)], 0.2, 0.7, seed=2)),
        ("gradients that point outwards", _question([(5, 2), (9, 3)], 1.5, -0.6, seed=3)),
        (
            "float32 tensors and a small λ",
            _question([(11, 4), (), (13,), (2, 8)], 1e-4, 1.1, seed=4, dtype=torch.float32),
        ),
        ("a strong penalty", _question([(4, 4), (6,)], 8.0, 0.3, seed=5)),
    ):
        if words == "three tensors":
            weights, gradients = [noncontiguous(w) for w in weights], [noncontiguous(g) for g in gradients]
        ratio = call(answer, weights, gradients, penalty, returns=float)
        what = f"the ratio for {words} with λ = {penalty:g}"
        expect_finite(ratio, what=what)
        expect_close(
            ratio, _wanted(weights, gradients, penalty), what=what, why="−θ·∇L and λ‖θ‖², added up number by number."
        )
    weights = [w.requires_grad_() for w in _question([(5, 3), (8,), (3, 2, 2)], 0.1, 1.0, seed=6)[0]]
    penalty = 0.04
    still = [-penalty * w.detach() for w in weights]
    expect_close(
        call(answer, tuple(weights), tuple(still), penalty, returns=float),
        1.0,
        what="the ratio for ∇L = −λθ, where J is stationary",
        why="Push and pull are equal. (The weights are parameters that want gradients.)",
    )
    across = [(-1.5 * penalty * w + g).detach() for w, g in zip(weights, _orthogonal(weights), strict=True)]
    expect_close(
        call(answer, weights, across, penalty, returns=float),
        1.5,
        what="the ratio for ∇L = −1.5 λθ and something orthogonal to θ",
        why="What is orthogonal to θ adds nothing to θ·∇L.",
    )


def _orthogonal(weights: Parts) -> list[Tensor]:
    theta = _vector(weights)
    other = noise(len(theta), seed=99)
    other = 0.1 * (other - (other @ theta) / (theta @ theta) * theta)
    parts = other.split([w.numel() for w in weights])
    return [part.reshape(w.shape) for part, w in zip(parts, weights, strict=True)]
