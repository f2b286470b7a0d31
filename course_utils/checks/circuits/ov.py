"""Exercise: the OV circuit, or what a head carries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


def _right(sources: Tensor, W_V: Tensor, W_O: Tensor, W_U: Tensor) -> Tensor:
    return sources @ W_V @ W_O @ W_U


def _then(change: Callable[[Tensor], Tensor]) -> Any:
    """A wrong answer that goes on with the right logits."""
    return lambda *args: change(_right(*args))


def _attended(sources: Tensor, W_V: Tensor, W_O: Tensor, W_U: Tensor) -> Tensor:
    return (sources @ sources.T / sources.shape[1] ** 0.5).softmax(-1) @ _right(sources, W_V, W_O, W_U)


def _by_loops(sources: Tensor, W_V: Tensor, W_O: Tensor, W_U: Tensor) -> Tensor:
    """Source after source, head dimension after head dimension, in double precision."""
    rows = []
    for source in sources.double():
        written = torch.zeros(W_O.shape[1], dtype=torch.float64)
        for d in range(W_V.shape[1]):
            written += float((source * W_V[:, d].double()).sum()) * W_O[d].double()
        rows.append([float((written * column.double()).sum()) for column in W_U.T])
    return torch.tensor(rows, dtype=torch.float64)


def _from_the_right(sources: Tensor, W_V: Tensor, W_O: Tensor, W_U: Tensor) -> Tensor:
    """Columns, as in the paper, from the unembedding backwards, in single precision."""
    return ((W_U.float().T @ W_O.float().T) @ (W_V.float().T @ sources.float().T)).T


def _by_einsum(sources: Tensor, W_V: Tensor, W_O: Tensor, W_U: Tensor) -> Tensor:
    OV = torch.einsum("md,dn->mn", W_V, W_O)
    return torch.einsum("sm,mn,nv->sv", sources, OV, W_U)


MISTAKES = [
    Mistake(
        "W_O before W_V",
        lambda sources, W_V, W_O, W_U: sources @ W_O.T @ W_V.T @ W_U,
        "You go through the head backwards, with both matrices transposed. W_V reads from the stream, W_O writes into it: "
        "x W_V W_O.",
    ),
    Mistake(
        "W_V twice",
        lambda sources, W_V, W_O, W_U: sources @ W_V @ W_V.T @ W_U,
        "You write back with W_V transposed. What the head has read is written by W_O.",
    ),
    Mistake(
        "W_O twice",
        lambda sources, W_V, W_O, W_U: sources @ W_O.T @ W_O @ W_U,
        "You read with W_O transposed. The head reads with W_V.",
    ),
    Mistake(
        "not unembedded",
        lambda sources, W_V, W_O, W_U: sources @ W_V @ W_O,
        "This is what the head writes into the stream. W_U makes logits of it.",
    ),
    Mistake(
        "inside the head",
        lambda sources, W_V, W_O, W_U: sources @ W_V,
        "These are the values, in the head's own d_head dimensions. W_O and W_U are still to come.",
    ),
    Mistake(
        "no sources",
        lambda sources, W_V, W_O, W_U: W_V @ W_O @ W_U,
        "This is what each *dimension* of the stream adds to the logits. Put the source vectors on the left.",
    ),
    Mistake(
        "direct path",
        lambda sources, W_V, W_O, W_U: sources @ W_U,
        "This is the path around the head, from the stream to the logits. Through the head it is W_V, W_O, then W_U.",
    ),
    Mistake(
        "direct path added",
        lambda sources, W_V, W_O, W_U: sources @ W_U + _right(sources, W_V, W_O, W_U),
        "You have added the direct path. Only what goes through the head is wanted.",
    ),
    Mistake(
        "transposed",
        _then(lambda logits: logits.T),
        "Your rows are tokens of the answer. Rows are sources, columns are logits.",
    ),
    Mistake(
        "scaled by √d_head",
        lambda sources, W_V, W_O, W_U: _right(sources, W_V, W_O, W_U) / W_V.shape[1] ** 0.5,
        "You divide by √d_head. That belongs to the scores of queries and keys, not to what is carried.",
    ),
    Mistake(
        "ReLU",
        lambda sources, W_V, W_O, W_U: (sources @ W_V).relu() @ W_O @ W_U,
        "There is a ReLU in your head. A head is linear in what it carries: only matrix products.",
    ),
    Mistake(
        "mean logit subtracted",
        _then(lambda logits: logits - logits.mean(-1, keepdim=True)),
        "You subtract the mean of each row. The logits themselves are wanted.",
    ),
    Mistake(
        "mean over the sources subtracted",
        _then(lambda logits: logits - logits.mean(0)),
        "You subtract the mean over the sources. The logits themselves are wanted.",
    ),
    Mistake(
        "probabilities",
        _then(lambda logits: logits.softmax(-1)),
        "You take a softmax over the vocabulary. What is added to the *logits* is wanted.",
    ),
    Mistake(
        "sources mixed",
        _attended,
        "You mix the sources by an attention of their own. Each row is for one source that gets all attention: weight 1.",
    ),
    Mistake(
        "sum over the sources",
        _then(lambda logits: logits.sum(0)),
        "You have added up the sources. One row for each source is wanted.",
    ),
]


def _inputs(n: int, d_model: int, d_head: int, vocab: int, seed: int) -> Inputs:
    sources, W_V = 1.5 * noise(n, d_model, seed=seed), noise(d_model, d_head, seed=seed + 1)
    return sources, W_V, noise(d_head, d_model, seed=seed + 2), noise(d_model, vocab, seed=seed + 3) / d_model


@check(
    reference=circuits.ov_circuit,
    alternatives=[_by_loops, _from_the_right, _by_einsum],
    mistakes=MISTAKES,
    cases=lambda: [_inputs(4, 6, 3, 9, seed=61), _inputs(3, 5, 7, 8, seed=71)],
)
def test_ov_circuit(answer: Any) -> None:
    """Compute what a head adds to the logits where it attends to each source vector with weight 1."""
    for n, d_model, d_head, vocab in ((3, 7, 4, 5), (6, 5, 2, 9), (4, 8, 11, 3), (1, 6, 3, 10), (9, 4, 1, 7)):
        given = _inputs(n, d_model, d_head, vocab, seed=10 * n)
        if n == 6:
            given = tuple(map(noncontiguous, given))  # type: ignore[assignment]
        logits = call(answer, *given)
        what = f"what a head carries from {n} source{'s' * (n > 1)}, d_model = {d_model}, d_head = {d_head}, {vocab} tokens"
        expect_shape(logits, (n, vocab), what=what, why="One row for each source, one column for each logit.")
        expect_dtype(logits, "float", what=what)
        expect_finite(logits, what=what)
        expect_close(
            logits, _by_loops(*given), what=what, why="Worked out source by source, one head dimension at a time."
        )
