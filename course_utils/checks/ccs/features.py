"""Exercise: which feature does each probe answer?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import ccs
from course_utils.checks.ccs.inputs import labels
from course_utils.checks.ccs.wrong_features import MISTAKES
from course_utils.checks.framework import call, check, expect_dtype, expect_equal, expect_shape, noncontiguous


def _counted(answer: Tensor, features: Tensor, least: float = 0.9) -> Tensor:
    """Restart by restart, feature by feature."""
    found, n = [], answer.shape[1]
    for row in answer.tolist():
        counts = [sum(a == b for a, b in zip(row, feature, strict=True)) for feature in features.tolist()]
        counts = [max(count, n - count) for count in counts]
        found.append(counts.index(max(counts)) if max(counts) / n >= least else -1)
    return torch.tensor(found)


def _by_products(answer: Tensor, features: Tensor, least: float = 0.9) -> Tensor:
    """Signs ±1, all pairs in one product."""
    a, f = 2 * answer.float() - 1, 2 * features.float() - 1
    share = (1 + (a @ f.T).abs() / a.shape[1]) / 2
    found = share.argmax(1)
    found[share.amax(1) < least] = -1
    return found


def _numpy(answer: Tensor, features: Tensor, least: float = 0.9) -> Any:
    share = (np.asarray(answer)[:, None] == np.asarray(features)[None]).mean(-1)
    share = np.maximum(share, 1 - share)
    return np.where(share.max(1) >= least, share.argmax(1), -1)


def _both_ways(answer: Tensor, features: Tensor, least: float = 0.9) -> Tensor:
    """Each feature and its opposite stand in one table."""
    table = torch.cat([features, ~features])
    share = (answer[:, None] == table).double().mean(2)
    which = share.argmax(1) % len(features)
    return torch.where(share.max(1).values < least, torch.full_like(which, -1), which).int()


def _question(restarts: int, features: int, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Features that go together in part, some turned round, and probes that answer one or its opposite, more or less well."""
    generator = torch.Generator().manual_seed(seed)
    common = labels(n, seed=seed + 1)
    table = common ^ (torch.rand(features, n, generator=generator) < torch.linspace(0.15, 0.4, features)[:, None])
    table = table ^ (torch.arange(features) % 2 == 1)[:, None]
    which = torch.randint(features, (restarts,), generator=generator)
    often = torch.linspace(0.0, 0.3, restarts)[torch.randperm(restarts, generator=generator)]
    turned = torch.rand(restarts, generator=generator) < 0.5
    answer = table[which] ^ (torch.rand(restarts, n, generator=generator) < often[:, None]) ^ turned[:, None]
    return answer, table


def _exactly(least: float) -> tuple[Tensor, Tensor, float]:
    """Probes that agree with a feature in exactly this share of 8 questions, one of them the opposite way round."""
    feature = torch.tensor([[1, 1, 1, 1, 0, 0, 0, 0], [1, 0, 0, 1, 0, 1, 1, 0]]).bool()
    answer = feature.clone()
    answer[:, : round(8 * (1 - least))] ^= True
    answer[1] ^= True
    return answer, feature, least


@check(
    reference=ccs.feature_found,
    alternatives=[_counted, _by_products, _numpy, _both_ways],
    mistakes=MISTAKES,
    cases=lambda: [
        (*_question(9, 4, 41, 200), 0.7),
        (*_question(6, 8, 29, 300), 0.8),
        _question(12, 3, 51, 400),
        (*_question(10, 5, 37, 500), 0.6),
        (*_question(7, 1, 23, 600), 0.7),
        (*_question(8, 3, 31, 700), 0.3),  # always reached, also by what is a distance from ½
        _exactly(0.75),
        _exactly(0.875),
    ],
)
def test_feature_found(answer: Any) -> None:
    """Say which feature each probe agrees with most often, either way round; −1 where that is less often than asked."""
    features = torch.tensor([[1, 1, 1, 1, 0, 0, 0, 0], [1, 0, 1, 0, 1, 0, 1, 0], [1, 1, 0, 0, 0, 0, 1, 1]]).bool()
    answers = torch.tensor([[1, 0, 1, 0, 1, 0, 1, 0], [0, 0, 0, 0, 1, 1, 1, 1], [0, 1, 1, 0, 0, 0, 1, 1]]).bool()
    for least in (None, 0.8):
        found = call(answer, answers, features) if least is None else call(answer, answers, features, least)
        what = "three probes and three features" + (f", `least` {least}" if least else "")
        expect_shape(found, (3,), what=what, why="One number for each probe.")
        expect_dtype(found, "int", what=what, why="They are numbers of features, to be used as indices.")
        expect_equal(
            found,
            torch.tensor([1, 0, -1]),
            what=what,
            why="The first agrees with the features in 4, 8 and 4 of 8 questions. The second does in 0, 4 and 4, so that it "
            "answers the opposite of feature 0. The third does in 4, 4 and 6, and 6 of 8 is too seldom.",
        )
    for restarts, n_features, n, least in (
        (7, 4, 40, 0.6),
        (11, 5, 33, 0.75),
        (4, 9, 61, 0.85),
        (20, 6, 27, None),
        (1, 2, 15, 0.55),
    ):
        question = _question(restarts, n_features, n, seed=n)
        if n == 33:
            question = (noncontiguous(question[0]), noncontiguous(question[1]))
        found = call(answer, *question) if least is None else call(answer, *question, least)
        what = f"{restarts} probe{'s' * (restarts > 1)}, {n_features} features, `least` {least or 'not given'}"
        expect_shape(found, (restarts,), what=what, why="One number for each probe.")
        expect_dtype(found, "int", what=what, why="They are numbers of features, to be used as indices.")
        wanted = _counted(*question, least or 0.9)
        expect_equal(found, wanted, what=what, why="Counted probe by probe and feature by feature, either way round.")
    found = call(answer, answers[2:], features, 0.75)
    expect_equal(
        found,
        torch.tensor([2]),
        what="a probe that agrees with feature 2 in 6 of 8 questions, `least` 0.75",
        why="That is not less often than 0.75, so the feature is found.",
    )
