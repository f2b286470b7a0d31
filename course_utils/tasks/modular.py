"""Arithmetic modulo p: every question there is, and a random split of them.

A question is the sequence ``a b =``: two numbers and the token ``=`` (number p). The answer to (a, b) is
a + b, or a - b, modulo p. With p = 113 there are only 12 769 questions, so a network can be asked all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_utils.errors import CourseError


def _random_answers(a: Tensor, b: Tensor, p: int) -> Tensor:
    """A table without any rule, the same each time: what is left of a task when only memory can solve it."""
    return torch.randint(p, (p, p), generator=torch.Generator().manual_seed(p))[a, b]


OPERATIONS = {
    "add": lambda a, b, p: (a + b) % p,
    "subtract": lambda a, b, p: (a - b) % p,
    "random": _random_answers,
}
"""By name: the answers to numbers a and b modulo p."""


@dataclass(frozen=True)
class ModularTask:
    """Which arithmetic, and how much of it is shown in training.

    Attributes:
        p: the modulus; the numbers are 0 … p − 1. A prime keeps all frequencies alike.
        fraction: the share of all p² pairs in the training set.
        operation: ``"add"``, ``"subtract"`` or ``"random"`` (answers drawn once and for all, without a rule).
        split_seed: which pairs are drawn.

    Raises:
        CourseError: another operation, or a fraction that is not in (0, 1].
    """

    p: int = 113
    fraction: float = 0.3
    operation: str = "add"
    split_seed: int = 0

    def __post_init__(self) -> None:
        if self.operation not in OPERATIONS:
            raise CourseError(f"Unknown operation {self.operation!r}: choose one of {', '.join(OPERATIONS)}.")
        if not 0 < self.fraction <= 1:
            raise CourseError(f"The training fraction must lie in (0, 1]; it was {self.fraction}.")

    @property
    def n_train(self) -> int:
        """How many pairs are in the training set (the paper rounds down: 3 830 of 12 769)."""
        return int(self.fraction * self.p**2)


def all_pairs(p: int) -> Int[Tensor, "p*p 2"]:
    """Every pair (a, b) of numbers below p, with a the slow index: row a·p + b is (a, b)."""
    return torch.cartesian_prod(torch.arange(p), torch.arange(p))


def tokens(pairs: Int[Tensor, "pairs 2"], p: int) -> Int[Tensor, "pairs 3"]:
    """The pairs as the sequences ``a b =`` that a transformer reads."""
    return torch.cat([pairs, torch.full_like(pairs[:, :1], p)], dim=1)


def labels(pairs: Int[Tensor, "pairs 2"], task: ModularTask) -> Int[Tensor, "pairs"]:
    """The right answer to each pair."""
    return OPERATIONS[task.operation](pairs[:, 0], pairs[:, 1], task.p)


def train_mask(task: ModularTask) -> Bool[Tensor, "p*p"]:
    """Which rows of :func:`all_pairs` are in the training set; the others are the test set."""
    order = torch.randperm(task.p**2, generator=torch.Generator().manual_seed(task.split_seed))
    mask = torch.zeros(task.p**2, dtype=torch.bool)
    mask[order[: task.n_train]] = True
    return mask


def two_hot(pairs: Int[Tensor, "pairs 2"], p: int) -> Int[Tensor, "pairs p"]:
    """The sum of the one-hot vectors of a and b: what the multilayer perceptron reads. It cannot tell a from b."""
    return torch.nn.functional.one_hot(pairs, p).sum(1)


def table_loss(logits: Float[Tensor, "p p p"], task: ModularTask, part: str = "all") -> float:
    """The mean cross-entropy of a table of logits [a, b, c], in nats, in float64.

    Args:
        logits: the logit of each class c for each question (a, b).
        task: says what is right, and which questions are in the training set.
        part: ``"train"``, ``"test"`` or ``"all"``.

    Raises:
        CourseError: another part.
    """
    chosen = _part(task, part)
    answers = labels(all_pairs(task.p), task)
    return F.cross_entropy(logits.flatten(0, 1).double()[chosen], answers[chosen]).item()


def table_accuracy(logits: Float[Tensor, "p p p"], task: ModularTask, part: str = "all") -> float:
    """The fraction of questions whose largest logit is the right answer's; arguments and errors as for :func:`table_loss`."""
    chosen = _part(task, part)
    answers = labels(all_pairs(task.p), task)
    return (logits.flatten(0, 1)[chosen].argmax(-1) == answers[chosen]).double().mean().item()


def _part(task: ModularTask, part: str) -> Bool[Tensor, "p*p"]:
    train = train_mask(task)
    parts = {"train": train, "test": ~train, "all": torch.ones_like(train)}
    if part not in parts:
        raise CourseError(f"Unknown part {part!r}: choose one of {', '.join(parts)}.")
    return parts[part]
