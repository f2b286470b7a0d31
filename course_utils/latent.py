"""When several things could be read off the same activations: which one was found, and how a search is kept from the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_utils import directions
from course_utils.ccs import agreement, ccs_loss
from course_utils.contrast import Pairs
from course_utils.errors import CourseError


class Scorecard(NamedTuple):
    """How often answers agree with the truth, with an opinion, and with the truth where the opinion is another one."""

    truth: float
    opinion: float
    lied_to: float


def scorecard(answer: Bool[Tensor, "n"], truth: Bool[Tensor, "n"], opinion: Bool[Tensor, "n"]) -> Scorecard:
    """What do the answers go by?

    Raises:
        CourseError: no question on which truth and opinion differ.
    """
    differ = truth != opinion
    if not differ.any():
        raise CourseError("Truth and opinion are the same everywhere: no answer can show which of them it goes by.")
    return Scorecard(
        agreement(answer, truth).item(),
        agreement(answer, opinion).item(),
        agreement(answer[differ], truth[differ]).item(),
    )


def swap_invariant_loss(
    p_positive: Float[Tensor, "*restart n"],
    p_negative: Float[Tensor, "*restart n"],
    q_positive: Float[Tensor, "*restart n"],
    q_negative: Float[Tensor, "*restart n"],
    strength: float = 10.0,
) -> Float[Tensor, "*restart"]:
    """The mean CCS loss of questions (p) and of the same questions after a swap (q), and a price on every change.

    The price is ``strength`` times the mean over questions of (p⁺ − q⁺)² + (p⁻ − q⁻)².
    """
    change = (p_positive - q_positive) ** 2 + (p_negative - q_negative) ** 2
    return (ccs_loss(p_positive, p_negative) + ccs_loss(q_positive, q_negative)) / 2 + strength * change.mean(-1)


def normalised_together(pairs: Pairs, swapped: Pairs) -> tuple[Pairs, Pairs]:
    """Each side normalised by mean and scale of the questions as they were, before and after the swap alike.

    Normalised apart, the two would lose what a swap changes for all questions at once.
    """
    first, second = [], []
    for side, other in zip(pairs, swapped, strict=True):
        mean, scale = side.mean(0), side.std(0, correction=0).clamp_min(1e-6)
        first.append((side - mean) / scale)
        second.append((other - mean) / scale)
    return Pairs(*first), Pairs(*second)


def lowest_of(loss: Float[Tensor, "restart"], hit: Bool[Tensor, "restart"], k: int) -> float:
    """How likely is it that the one with the lowest loss, of k different restarts drawn at random, is a hit?

    Exact: the restart with the i-th lowest loss is chosen in C(n − i, k − 1) of the C(n, k) draws.

    Raises:
        CourseError: fewer restarts than k, or k below 1.
    """
    n = len(loss)
    if not 1 <= k <= n:
        raise CourseError(f"Of {n} restarts 1 to {n} can be drawn, not {k}.")
    order = hit[loss.argsort()].tolist()
    ways = sum(math.comb(n - place, k - 1) for place, is_hit in enumerate(order, 1) if is_hit)
    return ways / math.comb(n, k)


def cross_readings(
    train: Sequence[Float[Tensor, "n d_model"]],
    train_truth: Bool[Tensor, "n"],
    test: Sequence[Float[Tensor, "m d_model"]],
    test_truth: Bool[Tensor, "m"],
) -> Float[Tensor, "trained read"]:
    """Entry [i, j]: how often a logistic reader fitted at place i is right at place j."""
    readers = [directions.logistic(x, train_truth) for x in train]
    return torch.stack(
        [torch.stack([agreement(reader.answers(x), test_truth) for x in test]) for reader in readers]
    ).float()
