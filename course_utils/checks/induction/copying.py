"""Exercise: when the head attends to a token, does it raise that token's own logit?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import heads
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite, noncontiguous
from course_utils.checks.induction.inputs import noise


def _raised(ov: Tensor) -> Tensor:
    return (ov - ov.mean(1, keepdim=True)).relu()


def _share(raised: Tensor) -> Tensor:
    total = raised.sum(1)
    return torch.where(total > 0, raised.diagonal() / total, 0.0)


def _variant(
    raised: Callable[[Tensor], Tensor] = _raised,
    share: Callable[[Tensor], Tensor] = _share,
    score: Callable[[Tensor], Any] = lambda share: (2 * share - 1).mean(),
) -> Any:
    """A wrong answer that differs in one of the three steps."""
    return lambda ov: score(share(raised(ov)))


def _eigenvalues(ov: Tensor) -> Tensor:
    values = torch.linalg.eigvals(ov)
    total = values.abs().sum()
    return values.sum().real / total if total > 0 else total


def _loops(ov: Tensor) -> float:
    scores = []
    for i, row in enumerate(ov.tolist()):
        mean = sum(row) / len(row)
        raised = [max(x - mean, 0.0) for x in row]
        scores.append(2 * raised[i] / sum(raised) - 1 if any(raised) else -1.0)
    return sum(scores) / len(scores)


def _numpy(ov: Tensor) -> Any:
    x = np.asarray(ov, np.float32)
    raised = np.maximum(x - x.mean(1)[:, None], 0)
    total = raised.sum(1)
    return 2 * np.divide(np.diag(raised), total, out=np.zeros_like(total), where=total > 0).mean() - 1


def _by_rivals(ov: Tensor) -> Tensor:
    """Own minus others, over own plus others: the same as 2·share − 1, as a tensor."""
    raised = _raised(ov)
    own = raised.diagonal()
    others = raised.sum(1) - own
    score = (own - others) / (own + others)
    return torch.where(raised.any(1), score, -torch.ones_like(score)).mean()


MISTAKES = [
    Mistake(
        "eigenvalues",
        _eigenvalues,
        "This is the eigenvalue score, Σλ / Σ|λ|. Wanted here is a share of what each row raises: mean off, positive part, "
        "the token's own share.",
    ),
    Mistake(
        "mean not subtracted",
        _variant(raised=torch.relu),
        "You take what is positive without subtracting the row's mean. A number added to all logits raises none of them: take "
        "the mean off first.",
    ),
    Mistake(
        "mean of the whole matrix",
        _variant(raised=lambda ov: (ov - ov.mean()).relu()),
        "You subtract the mean of the whole matrix. Each row is one attended token, with logits and a mean of its own.",
    ),
    Mistake(
        "mean of each column",
        _variant(raised=lambda ov: (ov - ov.mean(0)).relu()),
        "You subtract each *column's* mean (a mean over axis 0, or one without `keepdim` would do that). A row holds the logits "
        "of one attended token: subtract its mean.",
    ),
    Mistake(
        "row means on the wrong axis",
        _variant(raised=lambda ov: (ov - ov.mean(1)).relu()),
        "Your row means lie along the columns: without `keepdim=True`, or `[:, None]`, they are subtracted from the wrong axis.",
    ),
    Mistake(
        "rows and columns exchanged",
        lambda ov: _variant()(ov.T),
        "You work on columns. Row t is what attending to token t adds to the logits.",
    ),
    Mistake(
        "shares of the column",
        _variant(share=lambda raised: torch.where(raised.sum(0) > 0, raised.diagonal() / raised.sum(0), 0.0)),
        "You divide by the sum of each column. The share is of all that the *row* raises.",
    ),
    Mistake(
        "sizes in place of what is raised",
        _variant(raised=lambda ov: (ov - ov.mean(1, keepdim=True)).abs()),
        "You take absolute values, so a logit that the head lowers counts as raised. Keep the positive part only.",
    ),
    Mistake(
        "own logit not cut off",
        lambda ov: _variant(share=lambda r: _own_over(ov, r))(ov),
        "You divide the token's own logit by what is raised even where the own one is lowered. Cut everything below 0 off "
        "first, the own one too.",
    ),
    Mistake(
        "not rescaled",
        _variant(score=lambda share: share.mean()),
        "You return the mean share, from 0 to 1. The score is 2·share − 1, from −1 to 1.",
    ),
    Mistake(
        "1 − 2·share",
        _variant(score=lambda share: (1 - 2 * share).mean()),
        "Your score has the wrong sign: a head that copies perfectly has +1. It is 2·share − 1.",
    ),
    Mistake(
        "one share of everything",
        _variant(share=lambda raised: raised.trace() / raised.sum().clamp_min(1e-300)),
        "You divide the sum of the diagonal by the sum of all. Then loud rows count more: take each row's share, and average.",
    ),
    Mistake(
        "rows that raise nothing left out",
        _variant(share=lambda raised: _share(raised)[raised.sum(1) > 0]),
        "You leave out rows that raise nothing. Their share is 0, and they count in the average.",
    ),
    Mistake(
        "0 / 0",
        _variant(share=lambda raised: raised.diagonal() / raised.sum(1)),
        "A row whose logits are all alike raises nothing, and its share becomes 0 / 0. Give it the share 0.",
    ),
    Mistake(
        "shares that need more than 1",
        _variant(share=lambda raised: raised.diagonal() / raised.sum(1).clamp_min(1)),
        "You keep the divisor above 1. Logits of a head may all be small: only a sum of exactly 0 needs care.",
    ),
    Mistake(
        "how often the own token is raised most",
        lambda ov: (ov.argmax(1) == torch.arange(len(ov))).double().mean(),
        "You count how often the own token is raised most. Wanted is which share of all that is raised goes to it.",
    ),
    Mistake(
        "softmax",
        _variant(raised=lambda ov: ov.softmax(1)),
        "You take a softmax of the row. The share is of the raised logits themselves: mean off, positive part.",
    ),
    Mistake(
        "squares",
        _variant(raised=lambda ov: _raised(ov).square()),
        "You square what is raised before taking shares. Take it as it is.",
    ),
    Mistake(
        "one score for each token",
        _variant(score=lambda share: 2 * share - 1),
        "You return a score for each token. Average them: one number for the head.",
    ),
    Mistake(
        "sum over tokens",
        _variant(score=lambda share: (2 * share - 1).sum()),
        "You add the tokens' scores up. Average them, so that the score lies between −1 and 1.",
    ),
]


def _own_over(ov: Tensor, raised: Tensor) -> Tensor:
    own = (ov - ov.mean(1, keepdim=True)).diagonal()
    return torch.where(raised.sum(1) > 0, own / raised.sum(1), 0.0)


@check(
    reference=heads.copying_score,
    alternatives=[_loops, _numpy, _by_rivals],
    mistakes=MISTAKES,
    cases=lambda: [(noise(6, 6, seed=81) + torch.eye(6).double(),), (noise(9, 9, seed=82) - 1,)],
)
def test_copying_score(answer: Any) -> None:
    """Say which share of what a head raises is the attended token itself, from −1 to 1, averaged over tokens."""
    one = torch.eye(5, dtype=torch.float64)
    small = torch.tensor([[3.0, 1.0, -1.0], [0.0, 1.0, 5.0], [2.0, 2.0, 2.0]])
    # Means 1, 2, 2; raised: [2, 0, 0], [0, 0, 3], nothing; shares 1, 0, 0.
    two = torch.tensor([[4.0, 4.0, 0.0, 0.0], [0.0, 4.0, 3.0, 1.0], [1.0, 0.0, 0.0, 3.0], [5.0, 0.0, 0.0, 1.0]])
    # Means 2, 2, 1, 1.5; raised: [2, 2, 0, 0], [0, 2, 1, 0], [0, 0, 0, 2], [3.5, 0, 0, 0]; shares ½, ⅔, 0, 0.
    for what, ov, wanted, why in (
        ("of a head that raises the token alone", 3 * one, 1.0, "All that it raises is the token itself."),
        ("of a head that lowers the token alone", -one, -1.0, "It raises every token but that one."),
        ("of a head that raises the next token alone", one.roll(1, 1), -1.0, "It raises another token."),
        ("of a head that adds 7 to all logits and raises the token", 7 + one, 1.0, "Adding 7 to all says nothing."),
        (f"of {small.tolist()}", small, -1 / 3, "The rows' shares are 1, 0 and 0: the last raises nothing."),
        (f"of {two.tolist()}", two, 2 * (1 / 2 + 2 / 3) / 4 - 1, "The rows' shares are ½, ⅔, 0 and 0."),
        ("of a head that adds nothing", torch.zeros(4, 4).double(), -1.0, "Its rows raise nothing: their share is 0."),
    ):
        score = call(answer, ov, returns=float)
        expect_finite(score, what=f"the score {what}", why=why)
        expect_close(score, wanted, what=f"the score {what}", why=why)
    for n, size, level, copied in ((7, 1.0, 0.0, 0.5), (11, 0.01, 0.0, 2.0), (5, 4.0, 3.0, -1.0), (23, 1.0, -6.0, 3.0)):
        ov = size * (noise(n, n, seed=n) + copied * one.new_ones(n).diag() + 0.5 * noise(n, 1, seed=1) + level)
        given = noncontiguous(ov) if n == 11 else ov.float() if n == 5 else ov
        score = call(answer, given, returns=float)
        expect_finite(score, what=f"the score of a random {n} × {n} matrix")
        expect_close(score, _loops(ov), what=f"the score of a random {n} × {n} matrix", why="Computed row by row.")
