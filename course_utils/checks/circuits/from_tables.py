"""Exercise: a network's answer from three tables."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import circuits
from course_utils.checks.circuits.inputs import noise
from course_utils.checks.framework import (
    Mistake,
    call,
    check,
    expect_close,
    expect_dtype,
    expect_finite,
    expect_shape,
    noncontiguous,
)

Inputs = tuple[Tensor, Tensor, Tensor, Tensor]


def _shares(tokens: Tensor, scores: Tensor) -> Tensor:
    return scores[tokens].softmax(0)


def _looking(shares: Any) -> Any:
    """A wrong answer that attends in another way to the places of the sequence."""
    return lambda tokens, scores, ov, direct: direct + shares(tokens, scores) @ ov[tokens]


_right = _looking(_shares)


def _each_token_once(tokens: Tensor, scores: Tensor, ov: Tensor, direct: Tensor) -> Tensor:
    return _right(tokens.unique(), scores, ov, direct)


def _whole_vocabulary(tokens: Tensor, scores: Tensor, ov: Tensor, direct: Tensor) -> Tensor:
    return direct + scores.softmax(0) @ ov


def _shares_of_the_vocabulary(tokens: Tensor, scores: Tensor) -> Tensor:
    return scores.softmax(0)[tokens]


def _winner_takes_all(tokens: Tensor, scores: Tensor, ov: Tensor, direct: Tensor) -> Tensor:
    return direct + ov[tokens[scores[tokens].argmax()]]


def _equal_shares(tokens: Tensor, scores: Tensor) -> Tensor:
    return torch.full_like(scores[tokens], 1 / len(tokens))


def _not_the_last(tokens: Tensor, scores: Tensor, ov: Tensor, direct: Tensor) -> Tensor:
    return _right(tokens[:-1], scores, ov, direct)


def _divided_by_the_sum(tokens: Tensor, scores: Tensor) -> Tensor:
    return scores[tokens] / scores[tokens].sum()


def _by_loops(tokens: Tensor, scores: Tensor, ov: Tensor, direct: Tensor) -> Tensor:
    """Place by place, in Python's own numbers."""
    seen = tokens.tolist()
    top = max(float(scores[t]) for t in seen)
    weights = [math.exp(float(scores[t]) - top) for t in seen]
    logits = direct.double().numpy().copy()
    for token, weight in zip(seen, weights, strict=True):
        logits += weight / sum(weights) * ov[token].double().numpy()
    return torch.from_numpy(logits)


def _by_counts(tokens: Tensor, scores: Tensor, ov: Tensor, direct: Tensor) -> Any:
    """Each token that occurs counts as often as it does, in NumPy."""
    counts = Counter(tokens.tolist())
    weight = np.zeros(len(scores))
    for token, n in counts.items():
        weight[token] = n * np.exp(float(scores[token]) - float(scores[tokens].max()))
    return direct.numpy() + weight / weight.sum() @ ov.numpy()


def _as_a_mean(tokens: Tensor, scores: Tensor, ov: Tensor, direct: Tensor) -> Tensor:
    """The shares sum to 1, so the direct path can be mixed with the rest, in single precision."""
    rows = ov.float() + direct.float()
    attention = torch.softmax(scores.float().index_select(0, tokens), dim=-1)
    return torch.einsum("p,pv->v", attention, rows[tokens])


def _by_one_hot(tokens: Tensor, scores: Tensor, ov: Tensor, direct: Tensor) -> Tensor:
    chosen = torch.nn.functional.one_hot(tokens, len(scores)).to(ov.dtype)
    return (chosen @ scores).softmax(-1) @ chosen @ ov + direct


MISTAKES = [
    Mistake(
        "direct path left out",
        lambda tokens, scores, ov, direct: _shares(tokens, scores) @ ov[tokens],
        "The direct path is missing: what the last token says on its own is added to what the head carries.",
    ),
    Mistake(
        "direct path only",
        lambda tokens, scores, ov, direct: direct.clone(),
        "This is what the last token says on its own. What the head carries from the other places is to be added.",
    ),
    Mistake(
        "whole vocabulary",
        _whole_vocabulary,
        "Your softmax runs over the whole vocabulary. The head only sees the tokens of the sequence: take their scores first.",
    ),
    Mistake(
        "softmax before choosing",
        _looking(_shares_of_the_vocabulary),
        "You take the softmax over the vocabulary, then choose the sequence's tokens, so the shares no longer sum to 1. Choose "
        "first.",
    ),
    Mistake(
        "each token once",
        _each_token_once,
        "A token that comes twice counts once with you. The softmax runs over *places*: each of them gets its share.",
    ),
    Mistake(
        "no softmax",
        _looking(lambda tokens, scores: scores[tokens]),
        "You weight by the raw scores. Attention is their softmax over the places.",
    ),
    Mistake(
        "divided by the sum",
        _looking(_divided_by_the_sum),
        "You divide the scores by their sum. Attention is their softmax: exponentials, divided by their sum.",
    ),
    Mistake(
        "winner takes all",
        _winner_takes_all,
        "You take the token with the highest score alone. A softmax gives the others their share too.",
    ),
    Mistake(
        "equal shares",
        _looking(_equal_shares),
        "You attend to all places alike. The scores say how much each gets.",
    ),
    Mistake(
        "divided by √d_head again",
        _looking(lambda tokens, scores: (scores[tokens] / 32**0.5).softmax(0)),
        "You divide the scores by √d_head once more. They come divided already.",
    ),
    Mistake(
        "sum of what is carried",
        _looking(lambda tokens, scores: torch.ones_like(scores[tokens])),
        "You add up what all tokens carry, each with weight 1. Weight them by the attention, which sums to 1.",
    ),
    Mistake(
        "last place left out",
        _not_the_last,
        "You leave out the last place. The head looks at it like at the others: a query sees its own place.",
    ),
    Mistake(
        "OV of the last token only",
        lambda tokens, scores, ov, direct: direct + ov[tokens[-1]],
        "You add what attending to the *last* token would carry. The head looks at all places, by their scores.",
    ),
    Mistake(
        "OV transposed",
        lambda tokens, scores, ov, direct: _right(tokens, scores, ov.T, direct),
        "You use the columns of `ov`. Row t is what attending to token t adds.",
    ),
    Mistake(
        "signs of the scores",
        _looking(lambda tokens, scores: (-scores[tokens]).softmax(0)),
        "You attend most where the score is lowest. The sign is reversed.",
    ),
    Mistake(
        "direct path counted at each place",
        lambda tokens, scores, ov, direct: len(tokens) * direct + _shares(tokens, scores) @ ov[tokens],
        "You add the direct path once for each place. It comes once: from the last place to the logits.",
    ),
    Mistake(
        "probabilities",
        lambda *args: _right(*args).softmax(0),
        "You return probabilities. The logits are wanted.",
    ),
    Mistake(
        "place by place",
        lambda tokens, scores, ov, direct: direct + _shares(tokens, scores)[:, None] * ov[tokens],
        "You return one row for each place. Add up what they carry: one row of logits is wanted.",
    ),
    Mistake(
        "tables written on",
        lambda tokens, scores, ov, direct: direct.add_(_shares(tokens, scores) @ ov[tokens]),
        "Your logits are right, but you add them into `direct` itself, which the caller still needs. Write `direct + …`.",
    ),
]


def _inputs(vocab: int, pos: int, seed: int, repeat: bool = True) -> Inputs:
    """Scores of a few units; with ``repeat``, a token that comes more than once."""
    tokens = torch.randint(vocab, (pos,), generator=torch.Generator().manual_seed(seed))
    if repeat and pos > 2:
        tokens[1] = tokens[0]
    return tokens, 1.5 * noise(vocab, seed=seed), 2 * noise(vocab, vocab, seed=seed + 1), noise(vocab, seed=seed + 2)


@check(
    reference=circuits.answer_from_tables,
    alternatives=[_by_loops, _by_counts, _as_a_mean, _by_one_hot],
    mistakes=MISTAKES,
    cases=lambda: [_inputs(6, 4, seed=61), _inputs(5, 9, seed=71), _inputs(8, 3, seed=81)],
)
def test_answer_from_tables(answer: Any) -> None:
    """Compute the logits of a network with one head after its last token, from three tables."""
    for vocab, pos in ((5, 4), (9, 3), (4, 11), (13, 7), (6, 1)):
        given = _inputs(vocab, pos, seed=10 * vocab)
        if vocab == 9:
            given = tuple(map(noncontiguous, given))  # type: ignore[assignment]
        logits = call(answer, *given)
        what = f"the logits for a vocabulary of {vocab} after {pos} token{'s' * (pos > 1)}"
        expect_shape(logits, (vocab,), what=what, why="One logit for each token of the vocabulary.")
        expect_dtype(logits, "float", what=what)
        expect_finite(logits, what=what)
        expect_close(logits, _by_loops(*given), what=what, why="Worked out place by place.")
    tokens, scores, ov, direct = _inputs(7, 5, seed=3)
    tokens[:] = torch.tensor([2, 4, 2, 2, 6])
    expect_close(
        call(answer, tokens, 0 * scores, ov, direct),
        direct + (3 * ov[2] + ov[4] + ov[6]) / 5,
        what="the logits after the tokens 2, 4, 2, 2, 6 where all scores are 0",
        why="Every place gets a fifth, so what token 2 carries counts three times.",
    )
