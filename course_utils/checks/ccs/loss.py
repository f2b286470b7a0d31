"""Exercise: the loss of contrast-consistent search."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import ccs
from course_utils.checks.ccs.inputs import both_sides
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite, expect_shape, noncontiguous


def _one_by_one(p_positive: Tensor, p_negative: Tensor) -> Tensor:
    """Question by question."""
    found = torch.zeros(p_positive.shape[:-1], dtype=torch.float64)
    for place in itertools.product(*map(range, found.shape)):
        pairs = list(zip(p_positive[place].tolist(), p_negative[place].tolist(), strict=True))
        found[place] = sum((p + q - 1) ** 2 + min(p, q) ** 2 for p, q in pairs) / len(pairs)
    return found


def _two_means(p_positive: Tensor, p_negative: Tensor) -> Tensor:
    confidence = torch.stack([p_positive, p_negative]).amin(0)
    return (1 - p_positive - p_negative).square().mean(-1) + confidence.square().mean(-1)


def _numpy(p_positive: Tensor, p_negative: Tensor) -> Any:
    p, q = (np.asarray(part, dtype=np.float64) for part in (p_positive, p_negative))
    return np.mean((p - (1 - q)) ** 2 + np.where(p < q, p, q) ** 2, axis=-1)


def _by_products(p_positive: Tensor, p_negative: Tensor) -> Tensor:
    """Dot products over questions, the smaller one from sum and distance."""
    away = p_positive + p_negative - 1
    least = (p_positive + p_negative - (p_positive - p_negative).abs()) / 2
    return (torch.einsum("...n, ...n -> ...", away, away) + torch.linalg.vecdot(least, least)) / away.shape[-1]


def _mean(term: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """A wrong answer: the mean over questions of something else."""
    return lambda p_positive, p_negative: term(p_positive, p_negative).mean(-1)


def _term(p: Tensor, q: Tensor) -> Tensor:
    return (p + q - 1) ** 2 + torch.minimum(p, q) ** 2


def _reduced(reduce: Callable[[Tensor], Tensor]) -> Any:
    """A wrong answer: the right terms, put together in another way."""
    return lambda p_positive, p_negative: reduce(_term(p_positive, p_negative))


def _symmetric(p: Tensor, q: Tensor) -> Tensor:
    least = torch.minimum(torch.minimum(p, q), torch.minimum(1 - p, 1 - q))
    return (p + q - 1) ** 2 + least**2


MISTAKES = [
    Mistake(
        "sides taken to be equal",
        _mean(lambda p, q: (p - q) ** 2 + torch.minimum(p, q) ** 2),
        "Your first term wants p⁺ and p⁻ to be equal. Statement and denial cannot both be so: p⁺ is to be 1 − p⁻.",
    ),
    Mistake(
        "maximum",
        _mean(lambda p, q: (p + q - 1) ** 2 + torch.maximum(p, q) ** 2),
        "You take the larger of the two probabilities. The smaller one is to be near 0: take the minimum.",
    ),
    Mistake(
        "minimum not squared",
        _mean(lambda p, q: (p + q - 1) ** 2 + torch.minimum(p, q)),
        "The smaller probability is not squared in your loss.",
    ),
    Mistake(
        "inconsistency not squared",
        _mean(lambda p, q: (p + q - 1) + torch.minimum(p, q) ** 2),
        "Your first term is not squared, so that a probe that says 0 to everything would have the lowest loss. Square it.",
    ),
    Mistake(
        "size of the inconsistency",
        _mean(lambda p, q: (p + q - 1).abs() + torch.minimum(p, q) ** 2),
        "You take the size of the first term. Take its square.",
    ),
    Mistake(
        "inconsistency only",
        _mean(lambda p, q: (p + q - 1) ** 2),
        "Your loss has the first term only. A probe that says ½ to everything makes it 0: add min(p⁺, p⁻)².",
    ),
    Mistake(
        "confidence only",
        _mean(lambda p, q: torch.minimum(p, q) ** 2),
        "Your loss has the second term only. A probe that says 0 to everything makes it 0: add (p⁺ − (1 − p⁻))².",
    ),
    Mistake(
        "wants the smaller one to be 1",
        _mean(lambda p, q: (p + q - 1) ** 2 + (1 - torch.minimum(p, q)) ** 2),
        "Your second term, (1 − min)², wants the smaller probability to be near 1. It is to be near 0: take min².",
    ),
    Mistake(
        "wants the larger one to be 1",
        _mean(lambda p, q: (p + q - 1) ** 2 + (1 - torch.maximum(p, q)) ** 2),
        "Your second term, (1 − max)², wants the larger probability to be near 1. The smaller one is to be near 0: take "
        "min(p⁺, p⁻)².",
    ),
    Mistake(
        "symmetric",
        _mean(_symmetric),
        "Your second term takes the smallest of p⁺, p⁻, 1 − p⁺ and 1 − p⁻. This is the symmetric loss, which comes later. Here "
        "it is the smaller of p⁺ and p⁻.",
    ),
    Mistake(
        "product",
        _mean(lambda p, q: (p + q - 1) ** 2 + p * q),
        "Your second term is the product of p⁺ and p⁻. Wanted is the square of the smaller one.",
    ),
    Mistake(
        "the 1 left out",
        _mean(lambda p, q: (p + q) ** 2 + torch.minimum(p, q) ** 2),
        "Your first term is (p⁺ + p⁻)². The 1 is missing: p⁺ and p⁻ are to add up to 1.",
    ),
    Mistake(
        "1 with the wrong sign",
        _mean(lambda p, q: (p - (1 + q)) ** 2 + torch.minimum(p, q) ** 2),
        "Your first term is (p⁺ − 1 − p⁻)². Mind the brackets: it is p⁺ − (1 − p⁻).",
    ),
    Mistake(
        "terms subtracted",
        _mean(lambda p, q: (p + q - 1) ** 2 - torch.minimum(p, q) ** 2),
        "You subtract the second term, which would reward a probe for saying yes to both. Add it.",
    ),
    Mistake(
        "square of the sum",
        _mean(lambda p, q: ((p + q - 1) + torch.minimum(p, q)) ** 2),
        "You add the terms up and square the sum. Square each of them, then add up.",
    ),
    Mistake(
        "mean of the two terms",
        _mean(lambda p, q: _term(p, q) / 2),
        "You take the mean of the two terms, which is half of what is wanted. Add them up.",
    ),
    Mistake(
        "sum over questions",
        _reduced(lambda terms: terms.sum(-1)),
        "You add up over questions. Take the mean, so that the loss does not depend on how many there are.",
    ),
    Mistake(
        "mean over everything",
        _reduced(lambda terms: terms.mean()),
        "You take the mean over everything. Take it over questions only, the last dimension: each probe has a loss of its own.",
    ),
    Mistake(
        "mean over the first dimension",
        _reduced(lambda terms: terms.mean(0)),
        "You take the mean over the first dimension. Questions are the last one, whatever stands in front of it.",
    ),
    Mistake(
        "no mean",
        _reduced(lambda terms: terms),
        "You return a loss for each question. Take the mean over questions.",
    ),
    Mistake(
        "mean before the square",
        lambda p, q: _term(p.mean(-1), q.mean(-1)),
        "You take the mean of the probabilities before you compare them. Each question has its own loss: take the mean last.",
    ),
    Mistake(
        "inconsistency on average",
        lambda p, q: (p + q - 1).mean(-1) ** 2 + (torch.minimum(p, q) ** 2).mean(-1),
        "Your first term takes the mean over questions and then squares, so that questions with opposite errors cancel. Square "
        "first.",
    ),
    Mistake(
        "confidence on average",
        lambda p, q: ((p + q - 1) ** 2).mean(-1) + torch.minimum(p, q).mean(-1) ** 2,
        "Your second term takes the mean of the smaller probabilities and then squares. Square each question's first.",
    ),
    Mistake(
        "both terms on average",
        lambda p, q: (p + q - 1).mean(-1) ** 2 + torch.minimum(p, q).mean(-1) ** 2,
        "You take the mean over questions before you square, in both terms, so that errors of opposite sign cancel in the "
        "first. Square first, then take the mean.",
    ),
    Mistake(
        "smaller of p⁺ and 1 − p⁻",
        _mean(lambda p, q: (p + q - 1) ** 2 + torch.minimum(p, 1 - q) ** 2),
        "Your second term takes the smaller of p⁺ and 1 − p⁻, which both say yes: it wants every answer to be no. Take the "
        "smaller of p⁺ and p⁻, of which one is to be near 0.",
    ),
    Mistake(
        "smaller of 1 − p⁺ and p⁻",
        _mean(lambda p, q: (p + q - 1) ** 2 + torch.minimum(1 - p, q) ** 2),
        "Your second term takes the smaller of 1 − p⁺ and p⁻, which both say no: it wants every answer to be yes. Take the "
        "smaller of p⁺ and p⁻, of which one is to be near 0.",
    ),
    Mistake(
        "Python's min",
        lambda p, q: ((p + q - 1) ** 2 + min(p, q) ** 2).mean(-1),
        "Python's `min` asks which of two tensors is smaller as a whole. Compare them element by element, with "
        "`torch.minimum(p_positive, p_negative)`.",
    ),
    Mistake(
        "smallest over questions",
        lambda p, q: ((p + q - 1) ** 2).mean(-1) + torch.minimum(p.amin(-1), q.amin(-1)) ** 2,
        "Your minimum goes over questions too. It compares the sides of one question: `torch.minimum(p_positive, p_negative)`.",
    ),
]


@check(
    reference=ccs.ccs_loss,
    alternatives=[_one_by_one, _two_means, _numpy, _by_products],
    mistakes=MISTAKES,
    cases=lambda: [both_sides(9, seed=60), both_sides(3, 7, seed=70), both_sides(2, 4, 5, seed=80)],
)
def test_ccs_loss(answer: Any) -> None:
    """Find each probe's mean over questions of (p⁺ − (1 − p⁻))² + min(p⁺, p⁻)²."""
    found = call(answer, torch.tensor([0.9, 0.6]), torch.tensor([0.3, 0.6]))
    expect_shape(found, (), what="the loss for two questions", why="Without a dimension of restarts it is one number.")
    expect_close(
        found,
        0.265,
        what="the loss for p⁺ = 0.9, 0.6 and p⁻ = 0.3, 0.6",
        why="The questions' losses are 0.2² + 0.3² and 0.2² + 0.6²: the mean of 0.13 and 0.4.",
    )
    for shape, dtype in (
        ((31,), torch.float32),
        ((5, 12), torch.float32),
        ((4, 3, 8), torch.float64),
        ((6, 1), torch.float32),
        ((2, 5, 3, 7), torch.float32),
    ):
        p_positive, p_negative = both_sides(*shape, seed=shape[-1], dtype=dtype)
        if shape[-1] == 12:
            p_positive, p_negative = noncontiguous(p_positive), noncontiguous(p_negative)
        found = call(answer, p_positive, p_negative)
        what = f"the loss for probabilities of shape {list(shape)}"
        expect_shape(found, shape[:-1], what=what, why="The last dimension is questions. The mean over it is taken.")
        expect_finite(found, what=what)
        expect_close(found, _one_by_one(p_positive, p_negative), what=what, why="Reckoned question by question.")
    sure = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.5, 0.5, 0.5]])
    denied = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.5, 0.5, 0.5]])
    expect_close(
        call(answer, sure, denied),
        torch.tensor([0.0, 1.0, 2.0, 0.25]),
        what="the losses of four special probes",
        why="The first is sure and consistent. The others say 0, 1 and ½ to everything.",
    )
