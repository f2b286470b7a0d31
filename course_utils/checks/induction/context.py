"""Exercise: how much better is a late token predicted than an early one?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils import heads
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite, noncontiguous
from course_utils.checks.induction.inputs import noise, words


def _losses(logits: Tensor, tokens: Tensor, place: int) -> Tensor:
    """The loss of the token at a place in each sequence."""
    return F.cross_entropy(logits[:, place - 1], tokens[:, place], reduction="none")


def _variant(
    loss: Callable[[Tensor, Tensor, int], Tensor] = lambda logits, tokens, place: _losses(logits, tokens, place).mean(),
    combine: Callable[[Tensor, Tensor], Tensor] = lambda late, early: late - early,
) -> Any:
    """A wrong answer that measures something else at the two places, or compares them otherwise."""
    return lambda logits, tokens, early, late: combine(loss(logits, tokens, late), loss(logits, tokens, early))


def _of_losses(summary: Callable[[Tensor], Tensor]) -> Any:
    return _variant(lambda logits, tokens, place: summary(_losses(logits, tokens, place)))


def _same_place(logits: Tensor, tokens: Tensor, place: int) -> Tensor:
    return F.cross_entropy(logits[:, place], tokens[:, place])


def _next_token(logits: Tensor, tokens: Tensor, place: int) -> Tensor:
    following = tokens[:, min(place + 1, tokens.shape[1] - 1)]
    return F.cross_entropy(logits[:, place], following)


def _next_place(logits: Tensor, tokens: Tensor, place: int) -> Tensor:
    return F.cross_entropy(logits[:, place], tokens[:, place - 1])


def _up_to(logits: Tensor, tokens: Tensor, place: int) -> Tensor:
    return torch.stack([_losses(logits, tokens, i) for i in range(1, place + 1)]).mean()


def _accuracy(logits: Tensor, tokens: Tensor, place: int) -> Tensor:
    return (logits[:, place - 1].argmax(-1) == tokens[:, place]).double().mean()


def _entropy(logits: Tensor, tokens: Tensor, place: int) -> Tensor:
    p = logits[:, place - 1].softmax(-1)
    return -(p * p.log()).sum(-1).mean()


def _own_logit(logits: Tensor, tokens: Tensor, place: int) -> Tensor:
    return -logits[:, place - 1].gather(1, tokens[:, place, None]).mean()


def _softmax_twice(logits: Tensor, tokens: Tensor, place: int) -> Tensor:
    return F.cross_entropy(logits[:, place - 1].softmax(-1), tokens[:, place])


def _loss_by_hand(rows: list[list[list[float]]], tokens: list[list[int]], place: int) -> float:
    """From the definition, in Python."""
    total = 0.0
    for row, sequence in zip(rows, tokens, strict=True):
        scores = row[place - 1]
        top = max(scores)
        total += top + math.log(math.fsum(math.exp(x - top) for x in scores)) - scores[sequence[place]]
    return total / len(tokens)


def _loops(logits: Tensor, tokens: Tensor, early: int, late: int) -> float:
    rows, sequences = logits.tolist(), tokens.tolist()
    return _loss_by_hand(rows, sequences, late) - _loss_by_hand(rows, sequences, early)


def _all_losses(logits: Tensor, tokens: Tensor, early: int, late: int) -> Tensor:
    """The loss of every place at once, in single precision."""
    losses = F.cross_entropy(logits[:, :-1].float().transpose(1, 2), tokens[:, 1:], reduction="none").mean(0)
    return losses[late - 1] - losses[early - 1]


def _numpy(logits: Tensor, tokens: Tensor, early: int, late: int) -> Any:
    x, t = np.asarray(logits), np.asarray(tokens)
    log_p = x - np.logaddexp.reduce(x, axis=2, keepdims=True)
    rows = np.arange(len(t))
    return np.mean(log_p[rows, early - 1, t[:, early]]) - np.mean(log_p[rows, late - 1, t[:, late]])


MISTAKES = [
    Mistake(
        "early minus late",
        _variant(combine=lambda late, early: early - late),
        "You return early minus late. The score is the loss at `late` minus that at `early`: negative if context helps.",
    ),
    Mistake(
        "logits of the same place",
        _variant(_same_place),
        "You compare the logits at place i with token i, which the model has already seen there. Token i is predicted by the "
        "logits of place i − 1.",
    ),
    Mistake(
        "one place too late",
        _variant(_next_token),
        "You measure how well the token *after* the place is predicted. The loss at place i is that of token i, from the "
        "logits of place i − 1.",
    ),
    Mistake(
        "shifted the wrong way",
        _variant(_next_place),
        "You compare the logits at place i with token i − 1, the past. The loss at place i is that of token i, from the logits "
        "of place i − 1.",
    ),
    Mistake(
        "probabilities",
        _of_losses(lambda losses: -(-losses).exp().mean()),
        "You compare probabilities. A loss is the negative logarithm of the probability, in nats.",
    ),
    Mistake(
        "logarithm of the mean probability",
        _of_losses(lambda losses: -(-losses).exp().mean().log()),
        "You average probabilities over sequences and take the logarithm then. Take each sequence's loss, and average these.",
    ),
    Mistake(
        "bits",
        _of_losses(lambda losses: losses.mean() / math.log(2)),
        "Your losses are in bits. Nats are wanted: the natural logarithm.",
    ),
    Mistake(
        "perplexity",
        _of_losses(lambda losses: losses.mean().exp()),
        "You compare perplexities, e to the loss. The score is a difference of the losses themselves.",
    ),
    Mistake(
        "sum over sequences",
        _of_losses(torch.sum),
        "You add the losses of all sequences up. Average over sequences.",
    ),
    Mistake(
        "first sequence only",
        _of_losses(lambda losses: losses[0]),
        "You measure the first sequence only. Average over all of them.",
    ),
    Mistake(
        "median",
        _of_losses(torch.median),
        "You take the median over sequences. The mean is wanted.",
    ),
    Mistake(
        "each sequence by itself",
        _of_losses(lambda losses: losses),
        "You return a difference for each sequence. Average over sequences: one number.",
    ),
    Mistake(
        "means up to each place",
        _variant(_up_to),
        "You average the losses of all places up to `early` and `late`. Take the loss at these two places alone.",
    ),
    Mistake(
        "accuracy",
        _variant(_accuracy),
        "You compare accuracies. The loss also says by how much an answer is right.",
    ),
    Mistake(
        "entropy",
        _variant(_entropy),
        "You compare how sure the model is (its entropy), not how right. The loss looks at the probability of the token that "
        "came.",
    ),
    Mistake(
        "logit in place of its log-probability",
        _variant(_own_logit),
        "You take the token's logit itself. Without a softmax it says nothing: adding the same to all logits would change your "
        "loss.",
    ),
    Mistake(
        "softmax twice",
        _variant(_softmax_twice),
        "You take a softmax before the cross-entropy, which takes one itself. Give it the logits.",
    ),
    Mistake(
        "ratio",
        _variant(combine=lambda late, early: late / early),
        "You divide the losses. The score is their difference.",
    ),
    Mistake(
        "late loss only",
        _variant(combine=lambda late, early: late),
        "You return the loss at `late`. Subtract the loss at `early`.",
    ),
    Mistake(
        "size of the difference",
        _variant(combine=lambda late, early: (late - early).abs()),
        "You drop the sign. A model that learns from its context has a negative score.",
    ),
]


def _example(batch: int, n: int, vocab: int, seed: int, size: float = 2.0) -> tuple[Tensor, Tensor]:
    return size * noise(batch, n, vocab, seed=seed) + noise(n, 1, seed=seed + 1), words(
        batch, n, vocab=vocab, seed=seed
    )


@check(
    reference=heads.in_context_score,
    alternatives=[_loops, _all_losses, _numpy],
    mistakes=MISTAKES,
    cases=lambda: [(*_example(4, 8, 6, 41), 2, 6), (*_example(5, 7, 3, 42), 5, 1)],
)
def test_in_context_score(answer: Any) -> None:
    """Measure by how much the loss at a late place differs from that at an early one."""
    tokens = words(3, 6, vocab=4, seed=1)
    logits = torch.zeros(3, 6, 4, dtype=torch.float64)
    logits[:, 3] = 30 * F.one_hot(tokens[:, 4], 4)  # the token at place 4 is known, all else a guess among four
    score = call(answer, logits, tokens, 1, 4, returns=float)
    why = "The loss at place 1 is log 4, and at place 4 it is 0."
    what = "the score of a model that knows the token at place 4 and guesses the others among four, early = 1, late = 4"
    expect_finite(score, what=what)
    expect_close(score, -math.log(4), what=what, why=why)
    for batch, n, vocab, early, late, size in (
        (5, 9, 7, 2, 7, 2.0),
        (1, 4, 11, 1, 3, 1.0),
        (7, 6, 3, 4, 2, 3.0),
        (2, 12, 5, 3, 11, 40.0),
        (4, 5, 13, 1, 2, 0.5),
    ):
        logits, tokens = _example(batch, n, vocab, seed=n, size=size)
        given = noncontiguous(logits) if n == 6 else logits.float() if n == 5 else logits
        score = call(answer, given, tokens, early, late, returns=float)
        what = f"the score of random logits of shape {tuple(logits.shape)}, early = {early}, late = {late}"
        expect_finite(score, what=what)
        expect_close(score, _loops(logits, tokens, early, late), what=what, why="Computed sequence by sequence.")
