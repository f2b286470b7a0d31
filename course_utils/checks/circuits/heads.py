"""Exercise: one attention head."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils import circuits
from course_utils.checks.circuits.inputs import head_by_hand, noise
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

Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def _products(q: Tensor, k: Tensor) -> Tensor:
    return q @ k.T


def _past(scores: Tensor) -> Tensor:
    return scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), -torch.inf)


def _shares(scores: Tensor) -> Tensor:
    return _past(scores).softmax(-1)


def _head(
    products: Callable[[Tensor, Tensor], Tensor] = _products,
    scale: Callable[[Tensor, Tensor], float] = lambda x, W_Q: W_Q.shape[1] ** -0.5,
    shares: Callable[[Tensor], Tensor] = _shares,
    out: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] = lambda pattern, x, W_V, W_O: pattern @ (x @ W_V) @ W_O,
) -> Any:
    """A wrong answer that differs from a head in one of its steps."""

    def wrong(x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor) -> tuple[Tensor, Tensor]:
        pattern = shares(products(x @ W_Q, x @ W_K) * scale(x, W_Q))
        return pattern, out(pattern, x, W_V, W_O)

    return wrong


_right = _head()


def _pattern_of_raw_scores(x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor) -> tuple[Tensor, Tensor]:
    scores = (x @ W_Q) @ (x @ W_K).T / W_Q.shape[1] ** 0.5
    return scores, _right(x, W_Q, W_K, W_V, W_O)[1]


def _masked_afterwards(scores: Tensor) -> Tensor:
    return scores.softmax(-1).tril()


def _zeros_for_mask(scores: Tensor) -> Tensor:
    return scores.tril().softmax(-1)


def _no_own_place(scores: Tensor) -> Tensor:
    return scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(), -torch.inf).softmax(-1)


def _no_own_place_but_no_nan(scores: Tensor) -> Tensor:
    return scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(), -1e9).softmax(-1)


def _no_own_place_nan_to_zero(scores: Tensor) -> Tensor:
    return _no_own_place(scores).nan_to_num()


def _own_and_later(scores: Tensor) -> Tensor:
    return scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).tril(-1), -torch.inf).softmax(-1)


def _one_too_far(scores: Tensor) -> Tensor:
    return scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(2), -torch.inf).softmax(-1)


def _by_library(x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor) -> list[Tensor]:
    """PyTorch's own attention; asked for the identity as values, it gives the pattern."""
    q, k, eye = x @ W_Q, x @ W_K, torch.eye(len(x), dtype=x.dtype)
    pattern = F.scaled_dot_product_attention(q[None], k[None], eye[None], is_causal=True)[0]
    return [pattern, pattern @ x @ W_V @ W_O]


def _by_loops(x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor) -> tuple[Tensor, Tensor]:
    """One query at a time; the future is never computed."""
    pattern, out = torch.zeros(len(x), len(x), dtype=x.dtype), torch.zeros_like(x)
    for i in range(len(x)):
        q = x[i] @ W_Q
        pattern[i, : i + 1] = torch.stack([q @ (x[j] @ W_K) for j in range(i + 1)]).div(len(q) ** 0.5).softmax(0)
        for j in range(i + 1):
            out[i] += pattern[i, j] * (x[j] @ W_V @ W_O)
    return pattern, out


def _by_circuits(x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor) -> Any:
    """QK and OV as whole matrices, a large negative number for the mask, single precision."""
    x, W_Q, W_K, W_V, W_O = (part.float() for part in (x, W_Q, W_K, W_V, W_O))
    mask = torch.full((len(x), len(x)), -1e9).triu(1)
    weights = (torch.einsum("im,mn,jn->ij", x, W_Q @ W_K.T, x) / W_K.shape[-1] ** 0.5 + mask).softmax(1)
    return weights, weights @ (x @ (W_V @ W_O))


MISTAKES = [
    Mistake(
        "no mask",
        _head(shares=lambda scores: scores.softmax(-1)),
        "Nothing is masked: each query sees the places after it. Set their scores to −∞ before the softmax.",
    ),
    Mistake(
        "mask the wrong way round",
        _head(shares=_own_and_later),
        "Your mask hides the past: a query sees its own place and those *after* it. In scores[query, key] the future lies "
        "above the diagonal.",
    ),
    Mistake(
        "own place masked",
        _head(shares=_no_own_place),
        "You mask the diagonal too, so that the first query sees nothing and gets NaN. A query sees its own place: mask from "
        "one above the diagonal on.",
    ),
    Mistake(
        "own place masked with a large number",
        _head(shares=_no_own_place_but_no_nan),
        "You mask the diagonal too: no query sees its own place, and the first, for which all is masked, looks at all places "
        "alike. A query sees its own place: mask from one above the diagonal on.",
    ),
    Mistake(
        "own place masked, NaN made 0",
        _head(shares=_no_own_place_nan_to_zero),
        "You mask the diagonal too: no query sees its own place, and the first sees nothing. A query sees its own place: mask "
        "from one above the diagonal on, and no NaN has to be mended.",
    ),
    Mistake(
        "mask one place late",
        _head(shares=_one_too_far),
        "Each query sees one place too many, the one right after it. Mask from one above the diagonal on.",
    ),
    Mistake(
        "mask after the softmax",
        _head(shares=_masked_afterwards),
        "You mask after the softmax, so the rows no longer sum to 1: the future has taken its share. Mask the scores, then "
        "take the softmax.",
    ),
    Mistake(
        "masked with zeros",
        _head(shares=_zeros_for_mask),
        "You set the scores of the future to 0. A score of 0 still counts, as e⁰ = 1: only −∞ takes a place out of the softmax.",
    ),
    Mistake(
        "not scaled",
        _head(scale=lambda x, W_Q: 1.0),
        "Your scores are the plain dot products q·k. Divide them by √d_head before the softmax.",
    ),
    Mistake(
        "scaled by √d_model",
        _head(scale=lambda x, W_Q: x.shape[1] ** -0.5),
        "You divide by √d_model. Queries and keys have d_head entries: divide by √d_head.",
    ),
    Mistake(
        "scaled by d_head",
        _head(scale=lambda x, W_Q: 1 / W_Q.shape[1]),
        "You divide by d_head. The sum of d_head random products grows like √d_head: divide by the root.",
    ),
    Mistake(
        "multiplied by √d_head",
        _head(scale=lambda x, W_Q: W_Q.shape[1] ** 0.5),
        "You multiply by √d_head where the scores are divided by it.",
    ),
    Mistake(
        "softmax over the queries",
        _head(shares=lambda scores: _past(scores).softmax(0)),
        "Your columns sum to 1. Each *query* shares out its attention: the softmax runs over the keys, the last axis.",
    ),
    Mistake(
        "softmax over everything",
        _head(shares=lambda scores: _past(scores).flatten().softmax(0).reshape(scores.shape)),
        "Your softmax runs over all pairs at once. Each query has its own: every row sums to 1.",
    ),
    Mistake(
        "no softmax",
        _head(shares=torch.tril),
        "There is no softmax: you mix the values by the raw scores. The softmax makes shares of them that are positive and "
        "sum to 1 for each query.",
    ),
    Mistake(
        "queries and keys exchanged",
        _head(products=lambda q, k: k @ q.T),
        "Queries and keys have changed places: entry [i, j] is the score that j gives to i. Rows are queries, columns keys.",
    ),
    Mistake(
        "keys from W_Q",
        lambda x, W_Q, W_K, W_V, W_O: _right(x, W_Q, W_Q, W_V, W_O),
        "Your keys come from W_Q. Queries are x W_Q, keys are x W_K.",
    ),
    Mistake(
        "values from W_K",
        lambda x, W_Q, W_K, W_V, W_O: _right(x, W_Q, W_K, W_K, W_O),
        "Your values come from W_K. What is carried is x W_V.",
    ),
    Mistake(
        "pattern transposed where it mixes",
        _head(out=lambda pattern, x, W_V, W_O: pattern.T @ (x @ W_V) @ W_O),
        "Your pattern is right, but you mix the values with its transpose. Row i of the pattern says what place i gets.",
    ),
    Mistake(
        "nothing moved",
        _head(out=lambda pattern, x, W_V, W_O: x @ W_V @ W_O),
        "Each place gets its own value: the pattern is not used. Multiply the values by it from the left.",
    ),
    Mistake(
        "W_O left out",
        _head(out=lambda pattern, x, W_V, W_O: pattern @ (x @ W_V)),
        "The result is still in the head's own d_head dimensions. W_O brings it back to the stream.",
    ),
    Mistake(
        "stream added",
        _head(out=lambda pattern, x, W_V, W_O: x + pattern @ (x @ W_V) @ W_O),
        "You have added x. `out` is only what the head adds to the stream.",
    ),
    Mistake(
        "scores for the pattern",
        _pattern_of_raw_scores,
        "Your output is right, but the pattern you return is the scores. The pattern is what comes out of mask and softmax.",
    ),
    Mistake(
        "output first",
        lambda *args: _right(*args)[::-1],
        "You return the output first. The pattern comes first.",
    ),
    Mistake(
        "output alone",
        lambda *args: _right(*args)[1],
        "You return the output alone. The pattern is wanted too: `return pattern, out`.",
    ),
]


def _inputs(pos: int, d_model: int, d_head: int, seed: int) -> Inputs:
    """A stream, and weights that give scores of a few units."""
    x = noise(pos, d_model, seed=seed)
    W_Q, W_K = (1.6 * noise(d_model, d_head, seed=seed + i) / d_model**0.5 for i in (1, 2))
    return x, W_Q, W_K, noise(d_model, d_head, seed=seed + 3), noise(d_head, d_model, seed=seed + 4) / d_head**0.5


@check(
    reference=circuits.attention_head,
    alternatives=[_by_loops, _by_library, _by_circuits],
    mistakes=MISTAKES,
    cases=lambda: [_inputs(5, 7, 3, seed=61), _inputs(4, 6, 9, seed=71)],
)
def test_attention_head(answer: Any) -> None:
    """Compute where one causal attention head looks, and what it adds to the stream."""
    for pos, d_model, d_head in ((3, 7, 4), (6, 5, 2), (8, 11, 9), (2, 6, 16), (1, 4, 3)):
        given = _inputs(pos, d_model, d_head, seed=10 * pos)
        if pos == 6:
            given = tuple(map(noncontiguous, given))  # type: ignore[assignment]
        pattern, out = call(answer, *given, returns=(Tensor, Tensor))
        where = f"for {pos} place{'s' * (pos > 1)}, d_model = {d_model}, d_head = {d_head}"
        expect_shape(
            pattern, (pos, pos), what=f"the pattern {where}", why="One row for each query, one column for each key."
        )
        expect_shape(
            out, (pos, d_model), what=f"the output {where}", why="It is added to the stream, so it has its shape."
        )
        for part, name in ((pattern, "pattern"), (out, "output")):
            expect_dtype(part, "float", what=f"the {name}")
            expect_finite(part, what=f"the {name} {where}")
        wanted, mixed = head_by_hand(*(part.numpy() for part in given))
        rows = pattern.double().sum(1)
        expect_close(rows, torch.ones(pos), what=f"the sums of the pattern's rows {where}", why="Shares sum to 1.")
        expect_close(
            pattern.double().triu(1),
            torch.zeros(pos, pos),
            what=f"the pattern above its diagonal {where}",
            why="A query does not see the places after it.",
        )
        expect_close(
            pattern,
            torch.from_numpy(wanted),
            what=f"the pattern {where}",
            why="Worked out query by query: the softmax of q·k / √d_head over the places up to its own.",
        )
        expect_close(
            out,
            torch.from_numpy(mixed @ given[4].numpy()),
            what=f"the output {where}",
            why="The pattern mixes the values x W_V, and W_O brings the mixture back to the stream.",
        )
    x, W_Q, W_K, W_V, W_O = _inputs(7, 5, 3, seed=3)
    pattern, _ = call(answer, x, 0 * W_Q, W_K, W_V, W_O, returns=(Tensor, Tensor))
    expect_close(
        pattern,
        torch.from_numpy(np.tril(1 / np.arange(1, 8)[:, None] * np.ones(7))),
        what="the pattern where all queries are zero",
        why="All scores are 0, so each query shares its attention equally among the places it sees.",
    )
