"""Exercise: how much of the test set does the network know because a + b = b + a?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils import progress
from course_utils.checks.framework import Mistake, call, check, expect_close
from course_utils.checks.grokking.inputs import questions

Groups = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def _mean(part: Tensor) -> float:
    return float(part.double().mean())


def _variant(seen: Any, unseen: Any) -> Any:
    """A wrong answer that averages over other questions."""
    return lambda correct, train: (_mean(correct[seen(correct, train)]), _mean(correct[unseen(correct, train)]))


def _diagonal(train: Tensor) -> Tensor:
    return torch.eye(len(train), dtype=torch.bool)


def _seen(correct: Tensor, train: Tensor) -> Tensor:
    return ~train & train.T


def _unseen(correct: Tensor, train: Tensor) -> Tensor:
    return ~train & ~train.T


def _right(correct: Tensor, train: Tensor) -> tuple[float, float]:
    return _mean(correct[_seen(correct, train)]), _mean(correct[_unseen(correct, train)])


def _over(denominator: Callable[[Tensor], Tensor]) -> Any:
    """Counts divided by something that is not the group's size."""

    def wrong(correct: Tensor, train: Tensor) -> tuple[float, float]:
        number = denominator(train).double()
        return tuple((correct & part(correct, train)).sum() / number for part in (_seen, _unseen))  # type: ignore[return-value]

    return wrong


def _by_loops(correct: Tensor, train: Tensor) -> tuple[float, float]:
    counts = {True: [0, 0], False: [0, 0]}
    for a in range(len(train)):
        for b in range(len(train)):
            if not train[a, b]:
                group = counts[bool(train[b, a])]
                group[0] += bool(correct[a, b])
                group[1] += 1
    return tuple(right / n if n else math.nan for right, n in (counts[True], counts[False]))  # type: ignore[return-value]


def _by_weights(correct: Tensor, train: Tensor) -> list[Tensor]:
    """Masks as numbers, in single precision, 0-d tensors in a list."""
    test, mirror, right = 1 - train.float(), train.T.float(), correct.float()
    return [(right * test * part).sum() / (test * part).sum() for part in (mirror, 1 - mirror)]


def _by_pairs(correct: Tensor, train: Tensor) -> tuple[Any, Any]:
    """A list of test questions and a set of training questions, in NumPy and Python."""
    trained = set(map(tuple, train.nonzero().tolist()))
    tested = list(map(tuple, (~train).nonzero().tolist()))
    seen = [float(correct[q]) for q in tested if q[::-1] in trained]
    unseen = [float(correct[q]) for q in tested if q[::-1] not in trained]
    return tuple(sum(part) / len(part) if part else float("nan") for part in (seen, unseen))  # type: ignore[return-value]


MISTAKES = [
    Mistake(
        "swapped",
        lambda correct, train: _right(correct, train)[::-1],
        "You return the questions with an unseen mirror first. Those whose mirror was seen come first.",
    ),
    Mistake(
        "accuracy on the mirror question",
        lambda correct, train: _right(correct.T, train),
        "You look up whether the *mirror* (b, a) is answered rightly. Wanted is the test question (a, b) itself; its mirror "
        "only decides to which group it belongs.",
    ),
    Mistake(
        "grouped by the mirror's correctness",
        _variant(lambda correct, train: ~train & correct.T, lambda correct, train: ~train & ~correct.T),
        "You group the test questions by whether their mirror is answered rightly. Group them by whether the mirror was in "
        "the training set.",
    ),
    Mistake(
        "training questions included",
        _variant(lambda correct, train: train.T, lambda correct, train: ~train.T),
        "Your groups contain training questions. Only test questions count: those where `train` is False.",
    ),
    Mistake(
        "training questions only",
        _variant(lambda correct, train: train & train.T, lambda correct, train: train & ~train.T),
        "You average over the training questions. Only test questions count: those where `train` is False.",
    ),
    Mistake(
        "diagonal left out",
        _variant(_seen, lambda correct, train: ~train & ~train.T & ~_diagonal(train)),
        "You leave out the questions with a = b. Such a question is its own mirror: in the test set, it has an unseen mirror "
        "like any other.",
    ),
    Mistake(
        "diagonal counted as seen",
        _variant(
            lambda correct, train: ~train & (train.T | _diagonal(train)),
            lambda correct, train: ~train & ~train.T & ~_diagonal(train),
        ),
        "You count a question with a = b as one whose mirror was seen. It is its own mirror: if it is in the test set, its "
        "mirror is not in the training set.",
    ),
    Mistake(
        "one of each pair",
        _variant(
            lambda correct, train: _seen(correct, train).triu(),
            lambda correct, train: _unseen(correct, train).triu(),
        ),
        "You look at questions with a ≤ b only. (a, b) and (b, a) are two questions, and each may be in the test set.",
    ),
    Mistake(
        "flipped in place of transposed",
        _variant(lambda correct, train: ~train & train.flip(1), lambda correct, train: ~train & ~train.flip(1)),
        "You flip the table, which turns (a, b) into (a, p − 1 − b). The mirror (b, a) is the transpose.",
    ),
    Mistake(
        "share of all test questions",
        _over(lambda train: (~train).sum()),
        "You divide by the number of all test questions. An accuracy is a share of its own group.",
    ),
    Mistake(
        "share of all questions",
        _over(lambda train: torch.tensor(train.numel())),
        "You divide by the number of all questions, p². An accuracy is a share of its own group.",
    ),
    Mistake(
        "counts",
        _over(lambda train: torch.tensor(1)),
        "You return how many questions are right. Divide each count by the size of its group.",
    ),
    Mistake(
        "error rate",
        lambda correct, train: tuple(1 - x for x in _right(correct, train)),
        "These are the shares of wrong answers. An accuracy is the share of right ones.",
    ),
    Mistake(
        "per cent",
        lambda correct, train: tuple(100 * x for x in _right(correct, train)),
        "You return per cent. The course's accuracies are fractions from 0 to 1.",
    ),
    Mistake(
        "0 for an empty group",
        lambda correct, train: tuple(0.0 if math.isnan(x) else x for x in _right(correct, train)),
        "Where a group has no question you return 0, as if all its answers were wrong. Return nan: there is nothing to "
        "measure.",
    ),
]


def _cases() -> list[tuple[Tensor, Tensor]]:
    sizes = ((6, 0.4), (9, 0.6), (13, 0.3))
    return [(questions(p, 0.5, seed=p), questions(p, part, seed=p + 1)) for p, part in sizes]


@check(
    reference=progress.mirror_accuracy,
    alternatives=[_by_loops, _by_weights, _by_pairs],
    mistakes=MISTAKES,
    cases=_cases,
)
def test_mirror_accuracy(answer: Any) -> None:
    """Measure the accuracy on test questions (a, b) whose mirror (b, a) was trained on, and on the others."""
    train = torch.tensor([[1, 0, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1], [0, 0, 0, 0]]).bool()
    correct = torch.tensor([[1, 1, 0, 0], [0, 1, 1, 0], [1, 1, 0, 0], [1, 0, 1, 0]]).bool()
    # Test: seen (0,1) (0,2) (2,1) (3,2), right 1 0 1 1; unseen (0,3) (1,1) (1,3) (2,2) (3,0) (3,1) (3,3), right 0 1 0 0 1 0 0
    seen, unseen = call(answer, correct, train, returns=(float, float))
    expect_close(
        seen,
        3 / 4,
        what="`seen` of a small table",
        why="Four test questions have their mirror in the training set, and three of these are right.",
    )
    expect_close(
        unseen,
        2 / 7,
        what="`unseen` of a small table",
        why="Seven test questions have no mirror in the training set, among them (1, 1), (2, 2) and (3, 3).",
    )
    for p, part, known in ((5, 0.5, 0.6), (7, 0.3, 0.4), (11, 0.6, 0.7), (23, 0.25, 0.9)):
        correct, train = questions(p, known, seed=p), questions(p, part, seed=p + 1)
        if p == 11:
            correct, train = correct.T, train.T  # the same questions in another layout of memory
        for name, mine, wanted in zip(
            ("seen", "unseen"),
            call(answer, correct, train, returns=(float, float)),
            _by_loops(correct, train),
            strict=True,
        ):
            expect_close(mine, wanted, what=f"`{name}` of random tables, p = {p}", why="Counted question by question.")
    for name, train, group in (
        ("always has (b, a) with (a, b)", questions(7, 0.3, seed=1) | questions(7, 0.3, seed=1).T, 0),
        ("holds (a, b) where a ≤ b", torch.ones(7, 7).bool().triu(), 1),
    ):
        correct = questions(7, 0.5, seed=3)
        found = call(answer, correct, train, returns=(float, float))
        for i, (mine, wanted) in enumerate(zip(found, _by_loops(correct, train), strict=True)):
            why = "There is no such question: the accuracy is nan." if i == group else "Counted question by question."
            expect_close(mine, wanted, what=f"`{('seen', 'unseen')[i]}` of a training set that {name}", why=why)
