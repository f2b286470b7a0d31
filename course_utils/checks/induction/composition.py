"""Exercise: how strongly does a later head read what an earlier one writes?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import circuits
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite, noncontiguous
from course_utils.checks.induction.inputs import noise, random_circuit

Three = tuple[Any, Any, Any]
Pairs = tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor], tuple[Tensor, Tensor]]


def _pairs(earlier_ov: Tensor, later_qk: Tensor, later_ov: Tensor) -> Pairs:
    return (earlier_ov, later_qk), (later_qk, earlier_ov.T), (earlier_ov, later_ov)


def _ratio(a: Tensor, b: Tensor) -> Any:
    return (a @ b).norm() / (a.norm() * b.norm())


def _variant(pairs: Callable[[Tensor, Tensor, Tensor], Pairs] = _pairs, score: Callable[..., Any] = _ratio) -> Any:
    """A wrong answer that multiplies other matrices, or measures them otherwise."""
    return lambda *matrices: tuple(score(a, b) for a, b in pairs(*matrices))


def _with_norm(norm: Callable[[Tensor], Tensor]) -> Any:
    return _variant(score=lambda a, b: norm(a @ b) / (norm(a) * norm(b)))


def _loops(earlier_ov: Tensor, later_qk: Tensor, later_ov: Tensor) -> tuple[float, ...]:
    """Number by number; what reads on the key side meets the earlier OV with its columns."""

    def norm(rows: list[list[float]]) -> float:
        return math.sqrt(sum(x * x for row in rows for x in row))

    def times(a: list[list[float]], b: list[list[float]]) -> list[list[float]]:
        return [[sum(x * y for x, y in zip(row, column, strict=True)) for column in zip(*b, strict=True)] for row in a]

    ov, qk, later = earlier_ov.tolist(), later_qk.tolist(), later_ov.tolist()
    keys = [[sum(x * y for x, y in zip(q, written, strict=True)) for written in ov] for q in qk]
    sizes = norm(ov), norm(qk), norm(later)
    through = norm(times(ov, qk)), norm(keys), norm(times(ov, later))
    return through[0] / sizes[0] / sizes[1], through[1] / sizes[0] / sizes[1], through[2] / sizes[0] / sizes[2]


def _by_traces(earlier_ov: Tensor, later_qk: Tensor, later_ov: Tensor) -> list[Tensor]:
    """‖AB‖² = tr(AᵀA BBᵀ): 0-d tensors in a list."""

    def score(a: Tensor, b: Tensor) -> Tensor:
        return ((a.T @ a @ b @ b.T).trace() / ((a.T @ a).trace() * (b @ b.T).trace())).sqrt()

    return [score(earlier_ov, later_qk), score(earlier_ov, later_qk.T), score(earlier_ov, later_ov)]


def _normalised_first(earlier_ov: Tensor, later_qk: Tensor, later_ov: Tensor) -> Three:
    ov, qk, later = (x / torch.linalg.matrix_norm(x) for x in (earlier_ov, later_qk, later_ov))
    return tuple(torch.linalg.matrix_norm(product).item() for product in (ov @ qk, ov @ qk.T, ov @ later))


def _numpy(earlier_ov: Tensor, later_qk: Tensor, later_ov: Tensor) -> Three:
    ov, qk, later = (np.asarray(x, np.float32) for x in (earlier_ov, later_qk, later_ov))

    def size(x: Any) -> Any:
        return np.sqrt(np.einsum("ij,ij->", x, x))

    products = ((ov @ qk, qk), ((ov @ qk.T).T, qk), (ov @ later, later))
    return tuple(size(product) / (size(ov) * size(other)) for product, other in products)


MISTAKES = [
    Mistake(
        "K without a transpose",
        _variant(lambda ov, qk, later: ((ov, qk), (qk, ov), (ov, later))),
        "Your K score multiplies QK by OV as it is. QK takes the key from the right as a column, and what the earlier head "
        "writes into keys is a row x OV: it enters as OVᵀ.",
    ),
    Mistake(
        "Q transposed",
        _variant(lambda ov, qk, later: ((ov.T, qk), (qk, ov.T), (ov, later))),
        "Your Q score has OVᵀ. On the query side the vector is a row from the left, so it is OV QK.",
    ),
    Mistake(
        "Q and K exchanged",
        _variant(lambda ov, qk, later: ((qk, ov.T), (ov, qk), (ov, later))),
        "Q- and K-composition are exchanged. With QK = W_Q W_Kᵀ queries multiply from the left (OV QK), keys from the right "
        "(QK OVᵀ).",
    ),
    Mistake(
        "K and V exchanged",
        _variant(lambda ov, qk, later: ((ov, qk), (ov, later), (qk, ov.T))),
        "These are Q, V, K. Return them in the order Q, K, V.",
    ),
    Mistake(
        "products in the order of columns",
        _variant(lambda ov, qk, later: ((qk.T, ov), (qk, ov), (later, ov))),
        "These are the paper's products, in which vectors are columns: QKᵀ OV, QK OV, OV OV. The course's are rows: OV QK, "
        "QK OVᵀ, and the earlier OV before the later.",
    ),
    Mistake(
        "later head first",
        _variant(lambda ov, qk, later: ((ov, qk), (qk, ov.T), (later, ov))),
        "In V the later head comes first. A row vector meets the earlier head first: earlier OV times later OV.",
    ),
    Mistake(
        "later OV transposed",
        _variant(lambda ov, qk, later: ((ov, qk), (qk, ov.T), (ov, later.T))),
        "In V the later OV is transposed. What the earlier head writes is a row that the later one carries on: "
        "OV(earlier) OV(later).",
    ),
    Mistake(
        "squared norms",
        _variant(score=lambda a, b: (a @ b).square().sum() / (a.square().sum() * b.square().sum())),
        "These are ratios of sums of squares. Take the root: Frobenius norms.",
    ),
    Mistake(
        "not divided",
        _variant(score=lambda a, b: (a @ b).norm()),
        "You return the norm of the product, which grows with the weights. Divide by the norms of both factors.",
    ),
    Mistake(
        "divided by the first norm only",
        _variant(score=lambda a, b: (a @ b).norm() / a.norm()),
        "You divide by the norm of one factor only. Divide by both.",
    ),
    Mistake(
        "divided by the sum of the norms",
        _variant(score=lambda a, b: (a @ b).norm() / (a.norm() + b.norm())),
        "You divide by the *sum* of the two norms. Divide by their product: then the size of the weights drops out.",
    ),
    Mistake(
        "norms multiplied after dividing",
        _variant(score=lambda a, b: (a @ b).norm() / a.norm() * b.norm()),
        "You divide by one norm and multiply by the other: `x / a * b` is (x / a) · b. Put the product in parentheses.",
    ),
    Mistake(
        "spectral norms",
        _with_norm(lambda x: torch.linalg.matrix_norm(x, 2)),
        "You use the spectral norm, the largest singular value. The Frobenius norm counts all of them: the root of the sum of "
        "squares.",
    ),
    Mistake(
        "largest entries",
        _with_norm(lambda x: x.abs().max()),
        "You compare the largest entries. The Frobenius norm counts all: the root of the sum of squares.",
    ),
    Mistake(
        "sums of absolute values",
        _with_norm(lambda x: x.abs().sum()),
        "You add absolute values. The Frobenius norm is the root of the sum of squares.",
    ),
    Mistake(
        "entry by entry",
        _variant(score=lambda a, b: (a * b).norm() / (a.norm() * b.norm())),
        "`*` multiplies entry by entry. A head after a head is a matrix product, `@`.",
    ),
    Mistake(
        "overlap of the matrices",
        _variant(score=lambda a, b: (a * b.T).sum() / (a.norm() * b.norm())),
        "You measure how alike the two matrices are (the trace of their product). Wanted is the size of the whole product: "
        "its norm.",
    ),
    Mistake(
        "chance subtracted",
        _variant(score=lambda a, b: _ratio(a, b) - len(a) ** -0.5),
        "You subtract what random matrices have, 1/√d. The scores are wanted as they are.",
    ),
    Mistake(
        "V through the QK circuit",
        _variant(lambda ov, qk, later: ((ov, qk), (qk, ov.T), (qk, later))),
        "Your V multiplies the later head's own QK and OV. The *earlier* head writes, so V is earlier OV times later OV.",
    ),
]


def _example(d: int, rank: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    sizes = (1.7, 0.4, 3.0)
    return tuple(size * random_circuit(d, rank, seed + i) for i, size in enumerate(sizes))  # type: ignore[return-value]


@check(
    reference=circuits.composition_scores,
    alternatives=[_by_traces, _normalised_first, _numpy],
    mistakes=MISTAKES,
    cases=lambda: [_example(5, 2, 91), (*(noise(7, 7, seed=s) for s in (92, 93, 94)),)],
)
def test_composition_scores(answer: Any) -> None:
    """Measure Q-, K- and V-composition of two heads: the norm of a product, divided by the factors' norms."""
    d = 4
    unit = torch.eye(d, dtype=torch.float64)

    def step(a: int, b: int) -> Tensor:
        """The matrix that takes axis a to axis b, and all else to 0."""
        return unit[a][:, None] * unit[b]

    # The earlier head writes axis 1. The later one asks with axis 1, is found by axis 2, and carries axis 3.
    heads = (5 * step(0, 1), 2 * step(1, 2), 3 * step(3, 0))
    asks = "The earlier head writes along an axis that the later one reads on the {} side only."
    examples = [
        ("a later head that asks with what the earlier one writes", heads, (1.0, 0.0, 0.0), asks.format("query")),
        (
            "a later head that is found by what the earlier one writes",
            (5 * step(0, 1), 2 * step(2, 1), 3 * step(3, 0)),
            (0.0, 1.0, 0.0),
            asks.format("key"),
        ),
        (
            "a later head that carries what the earlier one writes",
            (5 * step(0, 1), 2 * step(2, 3), 3 * step(1, 2)),
            (0.0, 0.0, 1.0),
            asks.format("value"),
        ),
        (
            "two heads of which each matrix is a multiple of the identity",
            (2 * unit, 7 * unit, -unit),
            (0.5, 0.5, 0.5),
            "‖1‖ / (‖1‖‖1‖) = √4 / 4.",
        ),
    ]
    for rank, size in ((2, 6), (3, 9), (5, 5), (1, 7)):
        example = _example(size, rank, seed=size)
        words = f"random circuits of rank {rank} in {size} dimensions"
        examples.append((words, example, _loops(*example), "Computed number by number."))  # type: ignore[arg-type]
    for words, matrices, wanted, why in examples:
        given = tuple(map(noncontiguous, matrices)) if len(matrices[0]) == 9 else matrices
        if len(matrices[0]) == 6:
            given = tuple(x.float() for x in matrices)
        found = call(answer, *given, returns=(float, float, float))
        for name, mine, right in zip("QKV", found, wanted, strict=True):
            what = f"the {name} score of {words}"
            expect_finite(mine, what=what, why=why)
            expect_close(mine, right, what=what, why=why, atol=1e-6)
