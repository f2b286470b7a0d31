"""Exercise: how often a probe's answers agree with the labels, or their opposites."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import ccs
from course_utils.checks.ccs.inputs import both_sides, labels
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite, expect_shape, noncontiguous


def _one_by_one(p_positive: Tensor, p_negative: Tensor, label: Tensor) -> Tensor:
    """Counted question by question."""
    found = torch.zeros(p_positive.shape[:-1], dtype=torch.float64)
    for place in itertools.product(*map(range, found.shape)):
        rows = zip(p_positive[place].tolist(), p_negative[place].tolist(), label.tolist(), strict=True)
        agreed = sum((p > q) == so for p, q, so in rows)
        found[place] = max(agreed, len(label) - agreed) / len(label)
    return found


def _from_one_half(p_positive: Tensor, p_negative: Tensor, label: Tensor) -> Tensor:
    """By the answers' probability, in single precision."""
    yes = (p_positive + (1 - p_negative)) / 2 > 0.5
    return ((yes ^ label).float().mean(-1) - 0.5).abs() + 0.5


def _by_products(p_positive: Tensor, p_negative: Tensor, label: Tensor) -> Tensor:
    """Signs ±1, whose products say whether two agree."""
    products = (p_positive - p_negative).sign() @ (2 * label.to(p_positive.dtype) - 1)
    return (1 + products.abs() / len(label)) / 2


def _numpy(p_positive: Tensor, p_negative: Tensor, label: Tensor) -> Any:
    share = np.mean((np.asarray(p_positive) > np.asarray(p_negative)) == np.asarray(label), axis=-1)
    return np.where(share < 0.5, 1 - share, share)


def _share(p_positive: Tensor, p_negative: Tensor, label: Tensor) -> Tensor:
    return ((p_positive > p_negative) == label).double().mean(-1)


def _up_to_sign(share: Tensor) -> Tensor:
    return torch.maximum(share, 1 - share)


def _of_share(change: Callable[[Tensor], Tensor]) -> Any:
    """A wrong answer made of the share that agrees."""
    return lambda p_positive, p_negative, label: change(_share(p_positive, p_negative, label))


def _answered(answers: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """A wrong answer: other answers, compared with the labels as they should be."""
    return lambda p_positive, p_negative, label: _up_to_sign(
        (answers(p_positive, p_negative) == label).double().mean(-1)
    )


def _among(chosen: Callable[[Tensor, Tensor], Tensor], wanted: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """A wrong answer: of some of the questions, how many are something."""

    def wrong(p_positive: Tensor, p_negative: Tensor, label: Tensor) -> Tensor:
        yes = p_positive > p_negative
        here = chosen(yes, label).double().expand(yes.shape)
        return _up_to_sign((here * wanted(yes, label)).sum(-1) / here.sum(-1))

    return wrong


def _each_question(p_positive: Tensor, p_negative: Tensor, label: Tensor) -> Tensor:
    agrees = ((p_positive > p_negative) == label).double()
    return torch.maximum(agrees, 1 - agrees).mean(-1)


def _equal_probabilities(p_positive: Tensor, p_negative: Tensor, label: Tensor) -> Tensor:
    return ((p_positive + 1 - p_negative) / 2 == label).double().mean(-1)


def _probability(p_positive: Tensor, p_negative: Tensor, label: Tensor) -> Tensor:
    answers = (p_positive + 1 - p_negative) / 2
    return _up_to_sign(torch.where(label, answers, 1 - answers).mean(-1))


MISTAKES = [
    Mistake(
        "one way only",
        _of_share(lambda share: share),
        'You count agreement one way only. A probe may have found "wrong" in place of "right": take the larger of the share '
        "and 1 − share.",
    ),
    Mistake(
        "the other way only",
        _of_share(lambda share: 1 - share),
        "You return the share of the *opposite* answers. Take the larger of the share and 1 − share.",
    ),
    Mistake(
        "the worse of the two",
        _of_share(lambda share: torch.minimum(share, 1 - share)),
        "You take the smaller of the share and 1 − share. Take the larger.",
    ),
    Mistake(
        "distance from chance",
        _of_share(lambda share: (share - 0.5).abs()),
        "You return how far the share is from ½. Add ½: the result goes from ½ to 1.",
    ),
    Mistake(
        "from 0 to 1",
        _of_share(lambda share: (2 * share - 1).abs()),
        "Your result is 0 by chance and 1 at best. Wanted is a share of questions, which is ½ by chance.",
    ),
    Mistake(
        "positive side alone",
        _answered(lambda p, q: p > 0.5),
        "You answer yes where p⁺ is above ½, and leave p⁻ out. The answer is yes where p⁺ is above p⁻.",
    ),
    Mistake(
        "negative side alone",
        _answered(lambda p, q: q < 0.5),
        "You answer yes where p⁻ is below ½, and leave p⁺ out. The answer is yes where p⁺ is above p⁻.",
    ),
    Mistake(
        "both sides needed",
        _answered(lambda p, q: (p > 0.5) & (q < 0.5)),
        "You answer yes only where p⁺ is above ½ and p⁻ below. Compare them with each other: yes where p⁺ is above p⁻.",
    ),
    Mistake(
        "sum of the sides",
        _answered(lambda p, q: p + q > 1),
        "You answer yes where p⁺ + p⁻ is above 1. The sides oppose each other: yes where p⁺ is above p⁻.",
    ),
    Mistake(
        "mean over restarts",
        lambda p, q, label: _share(p, q, label).mean(),
        "You return the mean over probes, one way. Each probe has an accuracy of its own, and a sign of its own.",
    ),
    Mistake(
        "mean over restarts, up to sign",
        lambda p, q, label: _up_to_sign(_share(p, q, label)).mean(),
        "You return the mean over probes. Each has an accuracy of its own: take the mean over questions only.",
    ),
    Mistake(
        "one sign and one number",
        lambda p, q, label: _up_to_sign(_share(p, q, label).mean()),
        "You take the mean over probes before you choose between the answers and their opposites. Each probe has its own sign.",
    ),
    Mistake(
        "one sign for all",
        lambda p, q, label: (
            _share(p, q, label) if float(_share(p, q, label).mean()) >= 0.5 else 1 - _share(p, q, label)
        ),
        "You choose one sign for all probes. Each probe has its own: compare element by element, with `torch.maximum`.",
    ),
    Mistake(
        "best probe",
        lambda p, q, label: _up_to_sign(_share(p, q, label)).max(),
        "You return the best probe's accuracy. Return each probe's own.",
    ),
    Mistake(
        "probabilities compared with labels",
        lambda p, q, label: _up_to_sign(_equal_probabilities(p, q, label)),
        "You compare a probability with the labels by `==`. They are equal only where it is exactly 0 or 1, so that the share "
        "is 0 and its opposite 1. Make answers of the probabilities first: yes where p⁺ is above p⁻.",
    ),
    Mistake(
        "probabilities compared with labels, one way",
        _equal_probabilities,
        "You compare a probability with the labels by `==`, and they are hardly ever equal. Make answers of the probabilities "
        "first (yes where p⁺ is above p⁻), and take the larger of the share and 1 − share.",
    ),
    Mistake(
        "always 1",
        _each_question,
        "Your accuracy is 1, whatever the probe answers. Do you choose the better sign question by question, so that every "
        "answer is right? A probe has one sign for all questions: take the mean over questions first, and then the larger of "
        "the share and 1 − share.",
    ),
    Mistake(
        "mean of True and False",
        lambda p, q, label: _up_to_sign(((p > q) == label).mean(-1)),  # raises
        "torch takes no mean of True and False. Make numbers of them first, with `.float()` or `.double()`: "
        "`(answer == label).double().mean(-1)`.",
    ),
    Mistake(
        "1 less True and False",
        lambda p, q, label: _up_to_sign((p > q) == label),  # raises
        "torch does not take True and False from 1. Make numbers of them and take their mean over questions first: "
        "`share = (answer == label).double().mean(-1)`.",
    ),
    Mistake(
        "Python's max",
        lambda p, q, label: max(_share(p, q, label), 1 - _share(p, q, label)),
        "Python's `max` (or an `if`) asks which of two tensors is larger as a whole. Each probe has a share of its own: compare "
        "element by element, with `torch.maximum(share, 1 - share)`.",
    ),
    Mistake(
        "mean over the first dimension",
        lambda p, q, label: _up_to_sign(((p > q) == label).double().mean(0)),
        "You take the mean over the first dimension. Questions are the last one.",
    ),
    Mistake(
        "counts",
        lambda p, q, label: _up_to_sign(_share(p, q, label)) * len(label),
        "You count questions. Divide by their number.",
    ),
    Mistake(
        "share of yes",
        lambda p, q, label: _up_to_sign((p > q).double().mean(-1)),
        "You return how often the answer is yes. Compare the answers with the labels.",
    ),
    Mistake(
        "among the labels yes",
        _among(lambda yes, label: label, lambda yes, label: yes),
        "You look only at questions whose label is True. Where label and answer are both no, they agree too.",
    ),
    Mistake(
        "among the answers yes",
        _among(lambda yes, label: yes, lambda yes, label: label),
        "You look only at questions that are answered yes. Where label and answer are both no, they agree too.",
    ),
    Mistake(
        "both yes",
        lambda p, q, label: _up_to_sign(((p > q) & label).double().mean(-1)),
        "You count questions where label and answer are both yes. Where both are no, they agree too: use `==`.",
    ),
    Mistake(
        "probability of being right",
        _probability,
        "You average the probability given to the label. Make answers of the probabilities first: yes where p⁺ is above p⁻.",
    ),
]


def _question(*shape: int, seed: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """Probes of which some read the label, some its opposite and some nothing; no p⁺ is equal to its p⁻."""
    p_positive, p_negative = both_sides(*shape, seed=seed, dtype=dtype)
    label = labels(shape[-1], seed=seed + 9, share=0.6)
    kind = torch.arange(p_positive[..., 0].numel()).reshape(p_positive.shape[:-1]) % 3
    turned = (((p_positive > p_negative) == label) == (kind == 0)[..., None]) & (kind < 2)[..., None]
    turned = turned & (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.6)
    sides = torch.where(turned, p_negative, p_positive), torch.where(turned, p_positive, p_negative)
    return (*sides, label)


def _sure(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities of 0 and 1, which are equal to labels or their opposites. No p⁺ is equal to its p⁻ here either."""
    p_positive, p_negative, label = _question(4, 15, seed=seed)
    yes = (p_positive > p_negative).to(p_positive.dtype)
    return yes, 1 - yes, label


@check(
    reference=ccs.accuracy_up_to_sign,
    alternatives=[_one_by_one, _from_one_half, _by_products, _numpy],
    mistakes=MISTAKES,
    cases=lambda: [_question(5, 17, seed=200), _question(13, seed=300), _question(2, 3, 11, seed=400), _sure(500)],
)
def test_accuracy_up_to_sign(answer: Any) -> None:
    """Find how often each probe's answers agree with the labels, or the opposite answers if that is more often."""
    p_positive = torch.tensor([[0.9, 0.8, 0.4, 0.7], [0.9, 0.8, 0.2, 0.1]])
    p_negative = torch.tensor([[0.3, 0.6, 0.2, 0.8], [0.2, 0.1, 0.9, 0.4]])
    label = torch.tensor([False, False, False, True])
    found = call(answer, p_positive, p_negative, label)
    expect_shape(found, (2,), what="the accuracies of two probes", why="One number for each probe.")
    expect_close(
        found,
        torch.tensor([1.0, 0.75]),
        what="the accuracies of two probes on four questions",
        why="The first answers yes, yes, yes, no where the labels are no, no, no, yes: always the opposite. The second answers "
        "yes, yes, no, no, and agrees once: its opposite agrees three times of four.",
    )
    for *shape, dtype in (
        (37, torch.float32),
        (6, 25, torch.float32),
        (4, 3, 20, torch.float64),
        (5, 10, torch.float64),
        (1, 101, torch.float32),
    ):
        question = _question(*shape, seed=shape[-1], dtype=dtype)
        if shape[-1] == 10:
            question = (noncontiguous(question[0]), noncontiguous(question[1]), noncontiguous(question[2]))
        found = call(answer, *question)
        what = f"the accuracy for probabilities of shape {shape}"
        expect_shape(found, shape[:-1], what=what, why="The last dimension is questions. The mean over it is taken.")
        expect_finite(found, what=what)
        expect_close(
            found, _one_by_one(*question), what=what, why="Counted question by question, each probe's way round."
        )
