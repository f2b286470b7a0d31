"""Exercise: the QK circuit, or where a head looks from."""

from __future__ import annotations

from collections.abc import Callable
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


def _right(queries: Tensor, keys: Tensor, W_Q: Tensor, W_K: Tensor) -> Tensor:
    return queries @ W_Q @ W_K.T @ keys.T / W_Q.shape[1] ** 0.5


def _then(change: Callable[[Tensor], Tensor]) -> Any:
    """A wrong answer that goes on with the right scores."""
    return lambda *args: change(_right(*args))


def _times(factor: Callable[[Tensor, Tensor], float]) -> Any:
    """A wrong answer that multiplies the dot products by a factor of its own, made from W_Q and the keys."""
    return lambda queries, keys, W_Q, W_K: queries @ W_Q @ (keys @ W_K).T * factor(W_Q, keys)


def _unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=1, keepdim=True)


def _by_loops(queries: Tensor, keys: Tensor, W_Q: Tensor, W_K: Tensor) -> Tensor:
    """Dot product after dot product, in NumPy."""
    q, k = queries.double().numpy() @ W_Q.double().numpy(), keys.double().numpy() @ W_K.double().numpy()
    return torch.tensor([[float((a * b).sum()) / np.sqrt(len(a)) for b in k] for a in q], dtype=torch.float64)


def _by_bilinear_form(queries: Tensor, keys: Tensor, W_Q: Tensor, W_K: Tensor) -> Tensor:
    """d_model × d_model first, in single precision."""
    form = W_Q.float() @ W_K.float().mT / torch.tensor(W_K.shape[-1]).sqrt()
    return torch.einsum("im,mn,jn->ij", queries.float(), form, keys.float())


def _by_scaled_weights(queries: Tensor, keys: Tensor, W_Q: Tensor, W_K: Tensor) -> Tensor:
    """Half of the scale on each side, keys first."""
    quarter = W_Q.shape[-1] ** -0.25
    return ((quarter * W_K.T @ keys.T).T @ (quarter * W_Q.T @ queries.T)).T


MISTAKES = [
    Mistake(
        "not scaled",
        _times(lambda W_Q, keys: 1.0),
        "These are the plain dot products q·k. A head divides them by √d_head, or its scores could not be compared.",
    ),
    Mistake(
        "scaled by √d_model",
        _times(lambda W_Q, keys: W_Q.shape[0] ** -0.5),
        "You divide by √d_model. Queries and keys have d_head entries, the second axis of W_Q: divide by √d_head.",
    ),
    Mistake(
        "scaled by d_head",
        _times(lambda W_Q, keys: 1 / W_Q.shape[1]),
        "You divide by d_head. Divide by its root.",
    ),
    Mistake(
        "multiplied by √d_head",
        _times(lambda W_Q, keys: W_Q.shape[1] ** 0.5),
        "You multiply by √d_head where the dot products are divided by it.",
    ),
    Mistake(
        "scaled by the number of keys",
        _times(lambda W_Q, keys: len(keys) ** -0.5),
        "You divide by the root of the number of keys. Divide by √d_head, whatever the keys.",
    ),
    Mistake(
        "scaled twice",
        _times(lambda W_Q, keys: W_Q.shape[1] ** -1.5),
        "You divide both by √d_head and by d_head. Once by √d_head is enough.",
    ),
    Mistake(
        "scaled by the √d_head of other heads",
        _times(lambda W_Q, keys: 32**-0.5),
        "You divide by √32, whatever the matrices. d_head is the second axis of W_Q: divide by the root of `W_Q.shape[1]`.",
    ),
    Mistake(
        "transposed",
        _then(lambda scores: scores.T),
        "Your rows are keys. Rows are queries, columns are keys.",
    ),
    Mistake(
        "W_Q and W_K exchanged",
        lambda queries, keys, W_Q, W_K: _right(queries, keys, W_K, W_Q),
        "You read the queries with W_K and the keys with W_Q. It is the other way round, and a head's QK is not symmetric.",
    ),
    Mistake(
        "queries and keys exchanged",
        lambda queries, keys, W_Q, W_K: _right(keys, queries, W_Q, W_K),
        "You use the keys as queries and the queries as keys. Rows are queries, read with W_Q.",
    ),
    Mistake(
        "keys from W_Q",
        lambda queries, keys, W_Q, W_K: _right(queries, keys, W_Q, W_Q),
        "You read the keys with W_Q too. Keys have their own matrix, W_K.",
    ),
    Mistake(
        "queries on both sides",
        lambda queries, keys, W_Q, W_K: _right(queries, queries, W_Q, W_K),
        "You compare the queries with themselves. The second argument holds the keys.",
    ),
    Mistake(
        "matrix without the vectors",
        lambda queries, keys, W_Q, W_K: W_Q @ W_K.T / W_Q.shape[1] ** 0.5,
        "This is the head's QK matrix, d_model × d_model. Put the queries on its left and the keys on its right.",
    ),
    Mistake(
        "softmax",
        _then(lambda scores: scores.softmax(-1)),
        "You take a softmax. The scores themselves are wanted, before mask and softmax.",
    ),
    Mistake(
        "masked",
        _then(torch.tril),
        "You set scores above the diagonal to 0. There are no places here, only vectors: every query meets every key.",
    ),
    Mistake(
        "masked with −∞",
        _then(lambda scores: scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), -torch.inf)),
        "You mask what lies above the diagonal. There are no places here, only vectors: every query meets every key.",
    ),
    Mistake(
        "cosines",
        lambda queries, keys, W_Q, W_K: _unit(queries @ W_Q) @ _unit(keys @ W_K).T,
        "You divide by the lengths of the vectors, which gives cosines. A head does not: divide by √d_head only.",
    ),
]


def _inputs(n: int, m: int, d_model: int, d_head: int, seed: int) -> Inputs:
    vectors = noise(n, d_model, seed=seed), noise(m, d_model, seed=seed + 1)
    return *vectors, noise(d_model, d_head, seed=seed + 2), noise(d_model, d_head, seed=seed + 3)


def _why(scores: Tensor, wanted: Tensor, d_head: int) -> str:
    """How the wanted scores came about, and of which other number the root was taken, if it looks like that."""
    why = "Worked out one dot product at a time, over √d_head."
    mine = scores.detach().cpu().double()
    factor = float((mine * wanted).sum() / (wanted * wanted).sum())
    if factor > 0 and torch.allclose(mine, factor * wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max())):
        number = d_head / factor**2
        if round(number) not in (0, 1, d_head) and abs(number - round(number)) < 1e-3 * number:
            why += f" You seem to divide by √{round(number)}, and here d_head, the second axis of W_Q, is {d_head}."
    return why


@check(
    reference=circuits.qk_circuit,
    alternatives=[_by_loops, _by_bilinear_form, _by_scaled_weights],
    mistakes=MISTAKES,
    cases=lambda: [_inputs(4, 6, 7, 3, seed=61), _inputs(5, 2, 6, 8, seed=71)],
)
def test_qk_circuit(answer: Any) -> None:
    """Compute the attention score that each query vector gives to each key vector."""
    for n, m, d_model, d_head in ((3, 5, 7, 4), (6, 2, 5, 9), (4, 8, 10, 2), (1, 3, 6, 16), (7, 1, 4, 3)):
        given = _inputs(n, m, d_model, d_head, seed=10 * n)
        if n == 6:
            given = tuple(map(noncontiguous, given))  # type: ignore[assignment]
        scores = call(answer, *given)
        what = f"the scores of {n} queries with {m} keys, d_model = {d_model}, d_head = {d_head}"
        expect_shape(scores, (n, m), what=what, why="One row for each query, one column for each key.")
        expect_dtype(scores, "float", what=what)
        expect_finite(scores, what=what, why="There is no mask.")
        wanted = _by_loops(*given)
        expect_close(scores, wanted, what=what, why=_why(scores, wanted, d_head))
