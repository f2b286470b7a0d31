"""Exercise: probabilities whose answers are whatever is wanted."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from course_utils import ccs
from course_utils.checks.ccs.inputs import both_sides, labels
from course_utils.checks.framework import Mistake, call, check, expect, expect_close, expect_shape, noncontiguous
from course_utils.checks.returned import conformed


class _Named(NamedTuple):
    """As a learner may name the sides."""

    positive: Tensor
    negative: Tensor


def _one_by_one(p_positive: Tensor, p_negative: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Question by question."""
    found = torch.stack([p_positive, p_negative]).double()
    for place in itertools.product(*map(range, p_positive.shape)):
        if bool(p_positive[place] > p_negative[place]) != bool(wanted[place[-1]]):
            for side in found:
                side[place] = 1 - float(side[place])
    return found[0], found[1]


def _written_over(p_positive: Tensor, p_negative: Tensor, wanted: Tensor) -> list[Tensor]:
    """On copies."""
    elsewhere = (p_positive > p_negative) ^ wanted
    sides = [p_positive.clone(), p_negative.clone()]
    for side in sides:
        side[elsewhere] = 1 - side[elsewhere]
    return sides


def _around_one_half(p_positive: Tensor, p_negative: Tensor, wanted: Tensor) -> _Named:
    """A sign of each question's, and distances from ½."""
    sign = (p_positive - p_negative).sign() * (2 * wanted.to(p_positive.dtype) - 1)
    return _Named(0.5 + sign * (p_positive - 0.5), 0.5 + sign * (p_negative - 0.5))


def _numpy(p_positive: Tensor, p_negative: Tensor, wanted: Tensor) -> Any:
    p, q = np.asarray(p_positive), np.asarray(p_negative)
    stays = (p > q) == np.asarray(wanted)
    return tuple(np.where(stays, side, 1 - side) for side in (p, q))


def _elsewhere(p: Tensor, q: Tensor, wanted: Tensor) -> Tensor:
    return (p > q) != wanted


def _flipped(where: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Any:
    """A wrong answer: both sides become 1 − p, but somewhere else."""

    def wrong(p_positive: Tensor, p_negative: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        here = where(p_positive, p_negative, wanted)
        return torch.where(here, 1 - p_positive, p_positive), torch.where(here, 1 - p_negative, p_negative)

    return wrong


def _become(other: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Any:
    """A wrong answer: in the right places, but both sides become something else."""

    def wrong(p_positive: Tensor, p_negative: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        here = _elsewhere(p_positive, p_negative, wanted)
        p, q = other(p_positive, p_negative)
        return torch.where(here, p, p_positive), torch.where(here, q, p_negative)

    return wrong


def _sure(p_positive: Tensor, p_negative: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    yes = wanted.to(p_positive.dtype).expand(p_positive.shape).clone()
    return yes, 1 - yes


def _sides_in_wrong_order(p_positive: Tensor, p_negative: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    p, q = _flipped(_elsewhere)(p_positive, p_negative, wanted)
    return q, p


def _in_place(p_positive: Tensor, p_negative: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    here = _elsewhere(p_positive, p_negative, wanted)
    p_positive[here] = 1 - p_positive[here]
    p_negative[here] = 1 - p_negative[here]
    return p_positive, p_negative


def _stated_positive(p_positive: Tensor, p_negative: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    p = torch.where(_elsewhere(p_positive, p_negative, wanted), 1 - p_positive, p_positive)
    return p, 1 - p


def _one_after_the_other(p_positive: Tensor, p_negative: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    p = torch.where(_elsewhere(p_positive, p_negative, wanted), 1 - p_positive, p_positive)
    return p, torch.where(_elsewhere(p, p_negative, wanted), 1 - p_negative, p_negative)


MISTAKES = [
    Mistake(
        "where it agrees",
        _flipped(lambda p, q, wanted: (p > q) == wanted),
        "You change the questions whose answer is already the wanted one, so that all answers are the opposite of what is "
        "wanted. Change the others.",
    ),
    Mistake(
        "positive side only",
        _become(lambda p, q: (1 - p, q)),
        "You change p⁺ only. Both sides become 1 − p.",
    ),
    Mistake(
        "negative side only",
        _become(lambda p, q: (p, 1 - q)),
        "You change p⁻ only. Both sides become 1 − p.",
    ),
    Mistake(
        "sides exchanged",
        _become(lambda p, q: (q, p)),
        "You exchange p⁺ and p⁻ where the answer is another one. That gives the wanted answers, and even the same loss, but "
        "it is another construction: it makes a probe read the opposite statement. Asked for is 1 − p on each side, where it "
        "stands.",
    ),
    Mistake(
        "exchanged and 1 − p",
        _become(lambda p, q: (1 - q, 1 - p)),
        "You take 1 − p and exchange the sides, which turns the answer round twice, so that it stays. Take 1 − p alone.",
    ),
    Mistake(
        "wherever no is wanted",
        _flipped(lambda p, q, wanted: ~wanted.expand(p.shape)),
        "You change every question for which no is wanted, those that are answered so already among them. Compare the answer "
        "with the wanted one.",
    ),
    Mistake(
        "wherever yes is wanted",
        _flipped(lambda p, q, wanted: wanted.expand(p.shape)),
        "You change every question for which yes is wanted, those that are answered so already among them. Compare the answer "
        "with the wanted one.",
    ),
    Mistake(
        "wherever the answer is no",
        _flipped(lambda p, q, wanted: p < q),
        "You change every question that is answered no, whatever is wanted. Compare the answer with the wanted one.",
    ),
    Mistake(
        "wherever the answer is yes",
        _flipped(lambda p, q, wanted: p > q),
        "You change every question that is answered yes, whatever is wanted. Compare the answer with the wanted one.",
    ),
    Mistake(
        "only from yes to no",
        _flipped(lambda p, q, wanted: (p > q) & ~wanted),
        "You change questions from yes to no only. Those that are answered no and are to be yes are to change too.",
    ),
    Mistake(
        "only from no to yes",
        _flipped(lambda p, q, wanted: (p < q) & wanted),
        "You change questions from no to yes only. Those that are answered yes and are to be no are to change too.",
    ),
    Mistake(
        "everywhere",
        _flipped(lambda p, q, wanted: torch.ones_like(p).bool()),
        "You change every question. Where the answer is already the wanted one, both sides stay as they are.",
    ),
    Mistake(
        "nowhere",
        _flipped(lambda p, q, wanted: torch.zeros_like(p).bool()),
        "You return the probabilities as they are. Where the answer is not the wanted one, both sides become 1 − p.",
    ),
    Mistake(
        "answers by p⁺ alone",
        _flipped(lambda p, q, wanted: (p > 0.5) != wanted),
        "You take the answer to be yes where p⁺ is above ½. It is yes where p⁺ is above p⁻.",
    ),
    Mistake(
        "answers by p⁻ alone",
        _flipped(lambda p, q, wanted: (q < 0.5) != wanted),
        "You take the answer to be yes where p⁻ is below ½. It is yes where p⁺ is above p⁻.",
    ),
    Mistake(
        "each side by itself",
        lambda p, q, wanted: (
            torch.where((p > 0.5) != wanted, 1 - p, p),
            torch.where((q < 0.5) != wanted, 1 - q, q),
        ),
        "You compare each side with ½ by itself, so that one may change and the other stay. The two together give one answer "
        "(yes where p⁺ is above p⁻), and both change or both stay.",
    ),
    Mistake(
        "one after the other",
        _one_after_the_other,
        "You compare p⁻ with the p⁺ that you have just changed. Find out first which questions are to change, then change "
        "both.",
    ),
    Mistake(
        "0 and 1",
        _sure,
        "You return 0 and 1. The probabilities keep their distance from ½: they stay, or become 1 − p.",
    ),
    Mistake(
        "0 and 1 where it changes",
        _become(lambda p, q: ((p < q).to(p.dtype), (p > q).to(p.dtype))),
        "Where the answer changes, you put 0 and 1. Both sides become 1 − p there, which is no surer than before.",
    ),
    Mistake(
        "signs",
        _become(lambda p, q: (-p, -q)),
        "You turn the sign of p, which makes it no probability. The opposite of p is 1 − p.",
    ),
    Mistake(
        "made consistent",
        _stated_positive,
        "You put p⁻ at 1 − p⁺. p⁻ stays what it is, or becomes 1 − p⁻, so that the sides contradict each other as much as "
        "before.",
    ),
    Mistake(
        "sides in the wrong order",
        _sides_in_wrong_order,
        "You return p⁻ first. Return p⁺ and then p⁻.",
    ),
    Mistake(
        "in place",
        _in_place,
        "The numbers are right, but you have written them over the probabilities you were given. These are needed as they "
        "were: use `torch.where`, or work on a `clone()`.",
    ),
]


def _question(*shape: int, seed: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """No p⁺ is equal to its p⁻."""
    return (*both_sides(*shape, seed=seed, dtype=dtype), labels(shape[-1], seed=seed + 5))


def _sides(answer: Any, question: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """What the answer returns, p⁺ and p⁻: a pair, or one tensor in which the two are stacked, which unpacks as a pair does."""
    found = call(answer, *question, returns=object)
    if isinstance(found, Tensor) and found.shape == (2, *question[0].shape):
        found = found.unbind()
    first, second = conformed(found, (Tensor, Tensor), f"`{getattr(answer, '__name__', 'your answer')}`")
    return first, second


@check(
    reference=ccs.reassigned,
    alternatives=[_one_by_one, _written_over, _around_one_half, _numpy],
    mistakes=MISTAKES,
    cases=lambda: [_question(19, seed=200), _question(3, 13, seed=300), _question(2, 3, 8, seed=400)],
)
def test_reassigned(answer: Any) -> None:
    """Change the probabilities so that the answers are the wanted ones: 1 − p on both sides wherever they are not."""
    p_positive, p_negative = torch.tensor([0.9, 0.8, 0.4, 0.3]), torch.tensor([0.2, 0.7, 0.6, 0.1])
    wanted = torch.tensor([True, False, True, True])
    sides = _sides(answer, (p_positive, p_negative, wanted))
    by_hand = (torch.tensor([0.9, 0.2, 0.6, 0.3]), torch.tensor([0.2, 0.3, 0.4, 0.1]))
    for side, sign, want in zip(sides, "⁺⁻", by_hand, strict=True):
        expect_close(
            side,
            want,
            what=f"p{sign} of four questions",
            why="The answers are yes, yes, no, yes, and yes, no, yes, yes are wanted: the second and the third change.",
        )
    for *shape, dtype in (
        (23, torch.float32),
        (5, 16, torch.float32),
        (2, 4, 11, torch.float64),
        (3, 30, torch.float32),
    ):
        question = _question(*shape, seed=shape[-1], dtype=dtype)
        if shape[-1] == 30:
            question = (noncontiguous(question[0]), noncontiguous(question[1]), noncontiguous(question[2]))
        sides = _sides(answer, question)
        words = f"for probabilities of shape {shape}"
        for side, sign in zip(sides, "⁺⁻", strict=True):
            expect_shape(side, shape, what=f"p{sign} {words}", why="Each probability has its place as before.")
        agrees = (sides[0] > sides[1]) == question[2]
        expect(
            agrees.all(),
            what=f"not all answers are the wanted ones, {words}",
            why="After the change p⁺ is to be above p⁻ exactly where yes is wanted.",
            expected="no other answer",
            got=f"{int((~agrees).sum())} other answers of {agrees.numel()}",
        )
        for side, sign, want in zip(sides, "⁺⁻", _one_by_one(*question), strict=True):
            why = "It stays where the answer is already the wanted one, and becomes 1 − p elsewhere."
            expect_close(side, want, what=f"p{sign} {words}", why=why)
