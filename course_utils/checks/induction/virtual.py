"""Exercise: what does a later head match in what an earlier one has carried?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import circuits
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_dtype, expect_shape, noncontiguous
from course_utils.checks.induction.inputs import noise, random_circuit

Step = Callable[[Tensor, Tensor], Tensor]


def _variant(
    asks: Step = lambda queries, ov: queries,
    found: Step = lambda written, ov: written @ ov,
    scale: Callable[[int, int], float] = lambda d_model, d_head: math.sqrt(d_head),
) -> Any:
    """A wrong answer that differs in what is asked with, what is found, or the scale."""

    def wrong(queries: Tensor, written: Tensor, earlier_ov: Tensor, W_Q: Tensor, W_K: Tensor) -> Tensor:
        scores = (asks(queries, earlier_ov) @ W_Q) @ (found(written, earlier_ov) @ W_K).T
        return scores / scale(*W_Q.shape)

    return wrong


_scores = _variant()


def _transposed(queries: Tensor, written: Tensor, earlier_ov: Tensor, W_Q: Tensor, W_K: Tensor) -> Tensor:
    return _scores(queries, written, earlier_ov, W_Q, W_K).T


def _keys_ask(queries: Tensor, written: Tensor, earlier_ov: Tensor, W_Q: Tensor, W_K: Tensor) -> Tensor:
    return (queries @ W_K) @ (written @ earlier_ov @ W_Q).T / math.sqrt(W_Q.shape[1])


def _softmax(queries: Tensor, written: Tensor, earlier_ov: Tensor, W_Q: Tensor, W_K: Tensor) -> Tensor:
    return _scores(queries, written, earlier_ov, W_Q, W_K).softmax(-1)


def _one_number_each(queries: Tensor, written: Tensor, earlier_ov: Tensor, W_Q: Tensor, W_K: Tensor) -> Tensor:
    return _scores(queries, written, earlier_ov, W_Q, W_K).mean()


def _overwritten(queries: Tensor, written: Tensor, earlier_ov: Tensor, W_Q: Tensor, W_K: Tensor) -> Tensor:
    scores = _scores(queries, written, earlier_ov, W_Q, W_K)
    W_Q /= math.sqrt(W_Q.shape[1])
    return scores


def _loops(queries: Tensor, written: Tensor, earlier_ov: Tensor, W_Q: Tensor, W_K: Tensor) -> Tensor:
    """Carry each vector, then score each pair, in NumPy."""
    q, w, ov, Q, K = (np.asarray(x, np.float64) for x in (queries, written, earlier_ov, W_Q, W_K))
    scores = np.empty((len(q), len(w)))
    for j, vector in enumerate(w):
        carried = sum(vector[a] * ov[a] for a in range(len(ov)))
        key = sum(carried[a] * K[a] for a in range(len(K)))
        for i, asking in enumerate(q):
            query = sum(asking[a] * Q[a] for a in range(len(Q)))
            scores[i, j] = sum(query * key) / math.sqrt(len(key))
    return torch.from_numpy(scores)


def _one_matrix(queries: Tensor, written: Tensor, earlier_ov: Tensor, W_Q: Tensor, W_K: Tensor) -> Tensor:
    """Everything between the two vectors as one matrix: QK OVᵀ."""
    virtual = W_Q @ W_K.T @ earlier_ov.T / W_K.shape[1] ** 0.5
    return queries @ virtual @ written.T


def _einsum(queries: Tensor, written: Tensor, earlier_ov: Tensor, W_Q: Tensor, W_K: Tensor) -> Tensor:
    parts = [x.float() for x in (queries, W_Q, W_K, earlier_ov, written)]
    return torch.einsum("ia,ah,bh,cb,jc->ij", *parts) * W_Q.shape[1] ** -0.5


def _numpy(queries: Tensor, written: Tensor, earlier_ov: Tensor, W_Q: Tensor, W_K: Tensor) -> Tensor:
    q, w, ov, Q, K = (x.numpy() for x in (queries, written, earlier_ov, W_Q, W_K))
    return torch.from_numpy((q @ Q / np.sqrt(Q.shape[1])) @ (w @ (ov @ K)).T)


MISTAKES = [
    Mistake(
        "earlier head left out",
        _variant(found=lambda written, ov: written),
        "This is the later head's own QK circuit: the earlier head does not occur in it. The key is made of what that head "
        "has carried, `written @ earlier_ov`.",
    ),
    Mistake(
        "OV transposed",
        _variant(found=lambda written, ov: written @ ov.T),
        "You apply the earlier OV transposed. In the course vectors are rows, so carrying is `written @ earlier_ov`; "
        "papers that write columns have it the other way round.",
    ),
    Mistake(
        "OV on the query side",
        _variant(asks=lambda queries, ov: queries @ ov, found=lambda written, ov: written),
        "You let the earlier head carry the queries. It has carried `written` into the *keys*; the queries are as they are.",
    ),
    Mistake(
        "OV on both sides",
        _variant(asks=lambda queries, ov: queries @ ov),
        "You let the earlier head carry queries and keys. Only the key side has been carried.",
    ),
    Mistake(
        "carried twice",
        _variant(found=lambda written, ov: written @ ov @ ov),
        "You apply the earlier OV twice. The earlier head carries each vector once.",
    ),
    Mistake(
        "what was there added",
        _variant(found=lambda written, ov: written + written @ ov),
        "You add what was there before, so the keys also hold `written` itself. Wanted is only what the earlier head carries.",
    ),
    Mistake(
        "not divided",
        _variant(scale=lambda d_model, d_head: 1.0),
        "You leave out the scale. Attention scores are divided by √d_head.",
    ),
    Mistake(
        "divided by √d_model",
        _variant(scale=lambda d_model, d_head: math.sqrt(d_model)),
        "You divide by √d_model. Queries and keys have d_head numbers: divide by √d_head, where d_head is `W_Q.shape[1]`.",
    ),
    Mistake(
        "divided by d_head",
        _variant(scale=lambda d_model, d_head: d_head),
        "You divide by d_head. It is its square root.",
    ),
    Mistake(
        "multiplied by √d_head",
        _variant(scale=lambda d_model, d_head: 1 / math.sqrt(d_head)),
        "You multiply by √d_head. Scores are divided by it.",
    ),
    Mistake(
        "W_Q and W_K exchanged",
        _keys_ask,
        "W_Q and W_K are exchanged: queries go through W_Q, what the earlier head has carried through W_K.",
    ),
    Mistake(
        "transposed",
        _transposed,
        "Your table has the keys in its rows. Row n is query n, column m is key m.",
    ),
    Mistake(
        "roles exchanged",
        lambda queries, written, earlier_ov, W_Q, W_K: _scores(written, queries, earlier_ov, W_Q, W_K),
        "You ask with `written` and carry `queries`. It is the other way round.",
    ),
    Mistake(
        "softmax",
        _softmax,
        "You take the softmax as well. Wanted are the scores before it: they say what matches, whatever else is there.",
    ),
    Mistake(
        "mean of the scores",
        _one_number_each,
        "You return one number. Each query has a score for each key: a table (n, m).",
    ),
    Mistake(
        "weights written on",
        _overwritten,
        "Your scores are right, but you divide W_Q itself (`/=` works in place on a tensor). Divide the scores, or a copy.",
    ),
]


def _example(n: int, m: int, d_model: int, d_head: int, seed: int) -> tuple[Tensor, ...]:
    return (
        noise(n, d_model, seed=seed),
        noise(m, d_model, seed=seed + 1),
        random_circuit(d_model, d_head, seed + 2),
        noise(d_model, d_head, seed=seed + 3),
        noise(d_model, d_head, seed=seed + 4),
    )


@check(
    reference=circuits.virtual_qk,
    alternatives=[_one_matrix, _einsum, _numpy],
    mistakes=MISTAKES,
    cases=lambda: [_example(3, 5, 7, 2, 71), _example(4, 4, 6, 3, 81)],
)
def test_virtual_qk(answer: Any) -> None:
    """Score each query with what an earlier head has carried of each vector."""
    eye = torch.eye(4, dtype=torch.float64)
    shift = eye.roll(1, 1)  # carries axis a to axis a + 1
    scores = call(answer, eye[:3], eye[:2], shift, 2 * eye, 3 * eye)
    expect_shape(
        scores, (3, 2), what="the scores of 3 queries and 2 vectors", why="Queries in rows, vectors in columns."
    )
    expect_dtype(scores, "float", what="the scores")
    expect_close(
        scores,
        3 * shift[:2, :3].T,
        what="the scores where the earlier head carries axis 0 to 1 and 1 to 2, and queries and keys are 2x and 3x",
        why="Query 1 matches vector 0, and query 2 vector 1, each with 2 · 3 / √4 = 3.",
    )
    for n, m, d_model, d_head in ((5, 3, 8, 4), (2, 6, 9, 3), (7, 4, 5, 1), (1, 5, 6, 11), (6, 6, 10, 2)):
        example = _example(n, m, d_model, d_head, seed=10 * n)
        if n == 2:
            example = tuple(map(noncontiguous, example))
        if n == 7:
            example = tuple(x.float() for x in example)
        scores = call(answer, *example)
        what = f"the scores for n = {n}, m = {m}, d_model = {d_model}, d_head = {d_head}"
        expect_shape(scores, (n, m), what=what, why="Queries in rows, vectors in columns.")
        expect_close(scores, _loops(*example), what=what, why="Carried and multiplied number by number.")
