"""Which wrong ways of naming a probe's feature are plausible?  The catalogue of `features`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils.checks.framework import Mistake


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
