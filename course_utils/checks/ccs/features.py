"""Exercise: which feature does each probe answer?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import ccs
from course_utils.checks.ccs.inputs import labels
from course_utils.checks.framework import Mistake, call, check, expect_dtype, expect_equal, expect_shape, noncontiguous


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


def _shares(answer: Tensor, features: Tensor) -> Tensor:
    """How often they agree: a row for each restart, a column for each feature."""
    return (answer[:, None] == features).double().mean(2)


def _either(share: Tensor) -> Tensor:
    return torch.maximum(share, 1 - share)


def _from_shares(choose: Callable[[Tensor, float], Any]) -> Any:
    """A wrong answer: another choice from the shares of agreement."""

    def wrong(answer: Tensor, features: Tensor, least: float = 0.9) -> Any:
        return choose(_shares(answer, features), least)

    return wrong


def _chosen(share: Tensor, least: float) -> Tensor:
    most, which = share.max(1)
    return torch.where(most >= least, which, -1)


def _first_above(share: Tensor, least: float) -> Tensor:
    above = _either(share) >= least
    return torch.where(above.any(1), above.int().argmax(1), -1)


def _last_above(share: Tensor, least: float) -> Tensor:
    above = _either(share) >= least
    last = above.shape[1] - 1 - above.flip(1).int().argmax(1)
    return torch.where(above.any(1), last, -1)


def _sign_too_late(share: Tensor, least: float) -> Tensor:
    most, which = share.max(1)
    return torch.where(_either(most) >= least, which, -1)


def _threshold_too_early(share: Tensor, least: float) -> Tensor:
    which = _either(share).argmax(1)
    return torch.where(share.gather(1, which[:, None])[:, 0] >= least, which, -1)


def _none(number: int) -> Any:
    return _from_shares(
        lambda share, least: torch.where(_either(share).amax(1) >= least, _either(share).argmax(1), number)
    )


def _signed(share: Tensor, least: float) -> Tensor:
    which = _either(share).argmax(1)
    sign = torch.where(share.gather(1, which[:, None])[:, 0] < 0.5, -1, 1)
    return torch.where(_either(share).amax(1) >= least, sign * which, -1)


MISTAKES = [
    Mistake(
        "floats",
        _from_shares(lambda share, least: _chosen(_either(share), least).double()),
        "The numbers are right, but they are floats. They are to be used as indices, which are whole numbers: use `.long()`, or "
        "make your tensor with `dtype=torch.int64`.",
    ),
    Mistake(
        "a list",
        _from_shares(lambda share, least: _chosen(_either(share), least).tolist()),
        "The numbers are right, but they come in a list. Make a tensor of it, with `torch.tensor(…)`.",
    ),
    Mistake(
        "one way round only",
        _from_shares(_chosen),
        "You count agreement one way round only. A probe that answers the opposite of a feature answers that feature: take the "
        "larger of the share and 1 − share.",
    ),
    Mistake(
        "opposites only",
        _from_shares(lambda share, least: _chosen(1 - share, least)),
        "You count how often probe and feature *disagree*. Either way round counts: take the larger of the share and 1 − "
        "share.",
    ),
    Mistake(
        "sign too late",
        _from_shares(_sign_too_late),
        "You choose the feature before you turn agreement round, so that opposites are never chosen. Take the larger of the "
        "share and 1 − share first, then the largest over features.",
    ),
    Mistake(
        "opposites under the threshold",
        _from_shares(_threshold_too_early),
        "You choose the right feature, but compare the agreement one way round with `least`, so that opposites become −1. "
        "Compare the larger of the share and 1 − share.",
    ),
    Mistake(
        "first one above",
        _from_shares(_first_above),
        "You take the first feature that reaches `least`. Take the one with the largest agreement: features may go together.",
    ),
    Mistake(
        "last one above",
        _from_shares(_last_above),
        "You take the last feature that reaches `least`. Take the one with the largest agreement: features may go together.",
    ),
    Mistake(
        "threshold ignored",
        _from_shares(lambda share, least: _either(share).argmax(1)),
        "You name a feature for every probe. Where the largest agreement is below `least`, the number is −1.",
    ),
    Mistake(
        "0.9 written in",
        _from_shares(lambda share, least: _chosen(_either(share), 0.9)),
        "You compare with 0.9, whatever `least` is. 0.9 is only its default.",
    ),
    Mistake(
        "above the threshold only",
        _from_shares(lambda share, least: torch.where(_either(share).amax(1) > least, _either(share).argmax(1), -1)),
        "Your agreement has to be above `least`. Exactly `least` is enough: use `>=`.",
    ),
    Mistake(
        "below the threshold",
        _from_shares(lambda share, least: torch.where(_either(share).amax(1) < least, _either(share).argmax(1), -1)),
        "You name the feature where agreement is below `least`, and −1 where it is not. It is the other way round.",
    ),
    Mistake(
        "least agreement",
        _from_shares(lambda share, least: torch.where(_either(share).amax(1) >= least, _either(share).argmin(1), -1)),
        "You take the feature with the *smallest* agreement, either way round. Take the largest.",
    ),
    Mistake(
        "numbered from 1",
        _from_shares(
            lambda share, least: torch.where(_chosen(_either(share), least) < 0, -1, _chosen(_either(share), least) + 1)
        ),
        "You number features from 1. Number them from 0, as rows of `features`.",
    ),
    Mistake(
        "everything one higher",
        _from_shares(lambda share, least: _chosen(_either(share), least) + 1),
        "All your numbers are one too high: the first feature is 0, and none is −1.",
    ),
    Mistake(
        "0 for none",
        _none(0),
        "You return 0 where no feature agrees often enough, and 0 is the first feature's number. Return −1.",
    ),
    Mistake(
        "number of features for none",
        lambda answer, features, least=0.9: _none(len(features))(answer, features, least),
        "You return the number of features where none of them agrees often enough. Return −1.",
    ),
    Mistake(
        "last feature for none",
        lambda answer, features, least=0.9: _none(len(features) - 1)(answer, features, least),
        "You return the last feature's number where none agrees often enough. Return −1 itself. (Is there a `%` behind it, or "
        "does it stand as an index, which counts from the end?)",
    ),
    Mistake(
        "−1 for every probe",
        _from_shares(lambda share, least: torch.full((len(share),), -1)),
        "You return −1 for every probe, also for one that agrees with a feature in all questions. What do you compare with "
        "`least`? It is the share of questions in which the two agree, either way round, which goes from ½ to 1.",
    ),
    Mistake(
        "sign of the number",
        _from_shares(_signed),
        "You give the number of an opposite feature a minus. Which way round it is does not matter here.",
    ),
    Mistake(
        "distance from chance",
        _from_shares(lambda share, least: _chosen((share - 0.5).abs(), least)),
        "You compare the distance from ½ with `least`. Add ½ to it: an agreement of 0.02 counts as 0.98.",
    ),
    Mistake(
        "agreement itself",
        _from_shares(lambda share, least: _either(share).amax(1)),
        "You return how large the agreement is. Wanted is the number of the feature: `argmax`, or the indices that `max` "
        "gives.",
    ),
    Mistake(
        "probe of each feature",
        _from_shares(lambda share, least: _chosen(_either(share).T, least)),
        "You find the probe that goes with each feature. Asked for is the feature that goes with each probe: take the maximum "
        "over features.",
    ),
    Mistake(
        "one feature for all probes",
        _from_shares(lambda share, least: _chosen(_either(share).mean(0, keepdim=True), least)[0]),
        "You return one feature for all probes together. Each probe has one of its own.",
    ),
    Mistake(
        "mean of True and False",
        lambda answer, features, least=0.9: _chosen(_either((answer[:, None] == features).mean(2)), least),  # raises
        "torch takes no mean of True and False. Make numbers of them first, with `.float()` or `.double()`: "
        "`(answer == feature).double().mean(-1)`.",
    ),
    Mistake(
        "1 less True and False",
        lambda answer, features, least=0.9: _chosen(_either(answer[:, None] == features), least),  # raises
        "torch does not take True and False from 1. Make numbers of them and take their mean over questions first: "
        "`share = (answer == feature).double().mean(-1)`.",
    ),
    Mistake(
        "Python's max",
        _from_shares(lambda share, least: _chosen(max(share, 1 - share), least)),
        "Python's `max` (or an `if`) asks which of two tensors is larger as a whole. Compare them element by element, with "
        "`torch.maximum(share, 1 - share)`.",
    ),
    Mistake(
        "where both are yes",
        lambda answer, features, least=0.9: _chosen(_either((answer[:, None] & features).double().mean(2)), least),
        "You count questions where answer and feature are both yes. Where both are no, they agree too: use `==`.",
    ),
]


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
