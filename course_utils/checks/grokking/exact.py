"""Exercise: a cross-entropy that is right however small it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils import progress
from course_utils.checks.framework import (
    Mistake,
    call,
    check,
    expect_close,
    expect_dtype,
    expect_finite,
    expect_shape,
    noncontiguous,
)
from course_utils.checks.grokking.inputs import noise


def _right_logit(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.gather(1, labels[:, None])[:, 0]


def _others(logits: Tensor, labels: Tensor) -> Tensor:
    """All logits but the right one: (n, classes − 1)."""
    n, classes = logits.shape
    keep = torch.ones(n, classes, dtype=torch.bool).scatter(1, labels[:, None], False)
    return logits[keep].reshape(n, classes - 1)


def _gap(logits: Tensor, labels: Tensor) -> Tensor:
    """d: by how much the others together exceed the right logit."""
    return _others(logits, labels).logsumexp(1) - _right_logit(logits, labels)


def _of_gap(change: Callable[[Tensor], Tensor]) -> Any:
    """A wrong answer that makes something else of d."""
    return lambda logits, labels: change(_gap(logits, labels))


def _masked_with(value: float) -> Any:
    """A wrong answer that puts a number in the place of the right class's logit."""

    def wrong(logits: Tensor, labels: Tensor) -> Tensor:
        masked = logits.scatter(1, labels[:, None], value)
        return F.softplus(masked.logsumexp(1) - _right_logit(logits, labels))

    return wrong


def _top_for_label(logits: Tensor, labels: Tensor) -> Tensor:
    return F.softplus(_gap(logits, logits.argmax(1)))


def _one_minus_others(logits: Tensor, labels: Tensor) -> Tensor:
    return -torch.log1p(-_others(logits.softmax(1), labels).sum(1))


def _overwritten(logits: Tensor, labels: Tensor) -> Tensor:
    right = _right_logit(logits, labels)
    logits[torch.arange(len(labels)), labels] = -torch.inf
    return F.softplus(logits.logsumexp(1) - right)


def _by_cases(logits: Tensor, labels: Tensor) -> Tensor:
    d = _gap(logits, labels)
    return torch.where(d > 0, d + torch.log1p(torch.exp(-d.abs())), torch.log1p(torch.exp(-d.abs())))


def _by_log_sigmoid(logits: Tensor, labels: Tensor) -> Tensor:
    """Row by row, through −log sigmoid(−d), in double precision, in the caller's precision in the end."""
    rows = []
    for row, label in zip(logits.double(), labels.tolist(), strict=True):
        rows.append(-F.logsigmoid(row[label] - torch.cat([row[:label], row[label + 1 :]]).logsumexp(0)))
    return torch.stack(rows).to(logits.dtype)


def _by_logaddexp(logits: Tensor, labels: Tensor) -> Tensor:
    differences = logits - _right_logit(logits, labels)[:, None]
    top = _others(differences, labels).max(1).values
    rest = top + (_others(differences, labels) - top[:, None]).exp().sum(1).log()
    return torch.maximum(rest, torch.zeros_like(rest)) + (-rest.abs()).exp().log1p()


MISTAKES = [
    Mistake(
        "plain cross-entropy",
        lambda logits, labels: F.cross_entropy(logits, labels, reduction="none"),
        "This is the usual cross-entropy, the difference of two numbers of nearly the same size: what is smaller than their "
        "rounding error comes out as 0. Compute log(1 + e^d) from d, without forming that difference.",
    ),
    Mistake(
        "cross-entropy in double precision",
        lambda logits, labels: F.cross_entropy(logits.double(), labels, reduction="none").to(logits.dtype),
        "This is the usual cross-entropy in double precision. That moves the trouble from 6e-8 to 1e-16, and losses below "
        "that still come out as 0. Compute log(1 + e^d) from d, in any precision.",
    ),
    Mistake(
        "single precision",
        lambda logits, labels: F.softplus(_gap(logits.float(), labels)),
        "You round the logits to float32 on the way. The losses are to come in the logits' own dtype: a float64 reaches down "
        "to 1e-308, and a logit of 30,000 keeps its decimals.",
    ),
    Mistake(
        "logarithm of a rounded number",
        _of_gap(lambda d: (1 + d.exp()).log()),
        "You take the logarithm of a number that has been rounded: where the right class is far ahead, 1 + e^d (like its "
        "softmax) is rounded to 1; where it is far behind, e^d overflows (and the softmax becomes 0). PyTorch has a function "
        "for the whole of log(1 + e^d) that does neither.",
    ),
    Mistake(
        "logarithm of the softmax, kept off 0",
        lambda logits, labels: -(_right_logit(logits.softmax(1), labels) + 1e-12).log(),
        "You add a small number to the softmax so that its logarithm exists. That hides the rounding, and the losses are "
        "wrong where they are smallest and largest. Compute log(1 + e^d) from d.",
    ),
    Mistake(
        "log1p(exp(d))",
        _of_gap(lambda d: d.exp().log1p()),
        "log1p saves the small losses, but e^d still overflows where the right class is far behind: the loss is infinite "
        "there. PyTorch has one function for the whole of log(1 + e^d).",
    ),
    Mistake(
        "e^d",
        _of_gap(torch.exp),
        "You return e^d. That is close to log(1 + e^d) where both are small, but not where the answer is uncertain or wrong.",
    ),
    Mistake(
        "d",
        _of_gap(lambda d: d),
        "You return d itself. The loss is log(1 + e^d), which is never negative.",
    ),
    Mistake(
        "1 minus the others' shares",
        _one_minus_others,
        "You compute log(1 − what the softmax gives the others). That keeps small losses, but where the right class is far "
        "behind the others have all of it, and the loss is infinite. Compute log(1 + e^d) from d.",
    ),
    Mistake(
        "right class among the others",
        lambda logits, labels: F.softplus(logits.logsumexp(1) - _right_logit(logits, labels)),
        "Your logsumexp includes the right class, so that d is never below 0 and the loss never below log 2. Leave the right "
        "class out.",
    ),
    Mistake(
        "right class masked with 0",
        _masked_with(0.0),
        "You put the right class's logit at 0 before the logsumexp. A logit of 0 still counts, as e⁰ = 1: to take a class "
        "out its logit has to be −∞.",
    ),
    *(
        Mistake(
            f"right class masked with {value:.0e}",
            _masked_with(value),
            f"You put {value:.0e} in the place of the right class's logit before the logsumexp. It counts where the "
            "other logits lie lower still: to take a class out its logit has to be −∞.",
        )
        for value in (-1e4, -1e9)
    ),
    Mistake(
        "logits overwritten",
        _overwritten,
        "Your losses are right, but you write −∞ into `logits` itself, which the caller still needs. Write it into a copy "
        "(`scatter` and `masked_fill` without the underscore make one).",
    ),
    Mistake(
        "sign of d",
        _of_gap(lambda d: F.softplus(-d)),
        "Your d has the wrong sign: losses are large where the answer is right. d is the others' logsumexp minus the right "
        "logit.",
    ),
    Mistake(
        "right logit not subtracted",
        lambda logits, labels: F.softplus(_others(logits, labels).logsumexp(1)),
        "The right class's logit is not subtracted: d is the others' logsumexp minus it.",
    ),
    Mistake(
        "largest of the others",
        lambda logits, labels: F.softplus(_others(logits, labels).max(1).values - _right_logit(logits, labels)),
        "You compare with the largest of the other logits only. All of them count: take their logsumexp.",
    ),
    Mistake(
        "sum of the other logits",
        lambda logits, labels: F.softplus(_others(logits, labels).sum(1) - _right_logit(logits, labels)),
        "You add up the other logits themselves. Their exponentials add up: take the logsumexp.",
    ),
    Mistake(
        "labels ignored",
        _top_for_label,
        "You take the class with the highest logit for the right one. The right class is in `labels`.",
    ),
    Mistake(
        "mean",
        lambda logits, labels: F.softplus(_gap(logits, labels)).mean(),
        "You return the mean. Each example's loss is wanted, one number a row.",
    ),
    Mistake(
        "sum",
        lambda logits, labels: F.softplus(_gap(logits, labels)).sum(),
        "You return the sum. Each example's loss is wanted, one number a row.",
    ),
]


def _examples(
    leads: list[float], classes: int, seed: int, dtype: torch.dtype = torch.float64, level: float = 0.0
) -> tuple[Tensor, Tensor]:
    """One row for each lead of the right class over the others, which lie about the same level."""
    labels = torch.randint(classes, (len(leads),), generator=torch.Generator().manual_seed(seed))
    logits = 0.5 * noise(len(leads), classes, seed=seed) + level
    logits[torch.arange(len(leads)), labels] += torch.tensor(leads, dtype=torch.float64)
    return logits.to(dtype), labels


def _wanted(logits: Tensor, labels: Tensor) -> list[float]:
    """Row by row in Python, in whichever form loses nothing."""
    losses = []
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        differences = [other - row[label] for i, other in enumerate(row) if i != label]
        top = max(differences)
        d = top + math.log(math.fsum(math.exp(x - top) for x in differences))
        losses.append(math.log1p(math.exp(d)) if d < 0 else d + math.log1p(math.exp(-d)))
    return losses


def _cases() -> list[tuple[Tensor, Tensor]]:
    return [
        _examples([0.5, -1.0, 2.0, 3.0], 6, seed=41, level=0.8),
        _examples([-130.0, -150.0, 140.0], 5, seed=42, dtype=torch.float32),
        _examples([24.0, 25.0, 24.5], 4, seed=43, dtype=torch.float32),
        _examples([40.0, 41.0], 3, seed=44),
        _examples([-900.0, -1000.0], 7, seed=45),
        _examples([2.0, -3.0, 1.5], 4, seed=47, level=-1e10),  # no finite number is low enough to stand for −∞
        _examples([1.0, -2.0, 0.5], 5, seed=46, level=30_000.0),  # single precision has no digits left for these
    ]


@check(
    reference=progress.exact_loss,
    alternatives=[_by_cases, _by_log_sigmoid, _by_logaddexp],
    mistakes=MISTAKES,
    cases=_cases,
)
def test_exact_loss(answer: Any) -> None:
    """Compute each example's cross-entropy, right to its last digits even where it is tiny."""
    for words, (logits, labels) in (
        ("ordinary logits", _examples([0.0, 1.0, -2.0, 3.0, 0.5, -0.5, 2.0], 5, seed=1, level=-0.6)),
        ("113 classes", _examples([4.0, -3.0, 8.0], 113, seed=2, level=1.5)),
        ("right classes far ahead", _examples([25.0, 38.0, 60.0, 300.0], 6, seed=3)),
        (
            "right classes far ahead, in float32",
            _examples([12.0, 17.0, 23.0, 45.0, 60.0], 4, seed=4, dtype=torch.float32),
        ),
        ("right classes far behind, in float32", _examples([-30.0, -95.0, -400.0], 7, seed=5, dtype=torch.float32)),
        ("right classes far behind", _examples([-50.0, -800.0], 3, seed=6)),
        ("large logits", _examples([2.0, -1.0, 30.0, -4.0, 7.0], 9, seed=7, level=5000.0)),
        ("logits far below 0", _examples([2.0, -1.0, 5.0], 5, seed=9, level=-1e10)),
        ("two classes", _examples([1.0, -70.0, 50.0], 2, seed=8, level=-3.0)),
    ):
        given = noncontiguous(logits) if words == "113 classes" else logits
        losses = call(answer, given, labels)
        what = f"the losses for {words}"
        expect_shape(losses, (len(labels),), what=what, why="One loss for each example.")
        expect_dtype(losses, "float", what=what)
        expect_finite(losses, what=what)
        expect_close(
            losses,
            torch.tensor(_wanted(logits, labels), dtype=torch.float64),
            rtol=1e-4,
            atol=0,
            what=what,
            why="log(1 + e^d), with d worked out number by number. The digits of the smallest losses count too.",
            picture=False,
        )
