"""Exercise: between two layers, which scale costs the least weight decay?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils import progress
from course_utils.checks.framework import (
    Mistake,
    call,
    check,
    expect,
    expect_close,
    expect_dtype,
    expect_finite,
    expect_shape,
    noncontiguous,
)
from course_utils.checks.grokking.inputs import noise

Size = Callable[[Tensor], Any]


def _length(matrix: Tensor) -> float:
    return float(matrix.square().sum().sqrt())


def _scaled(A: Tensor, B: Tensor, s: float) -> tuple[Tensor, Tensor]:
    return A * s, B / s


def _by(size: Size, power: float = 0.5) -> Any:
    """A wrong answer whose s is a power of the ratio of two sizes."""
    return lambda A, B: _scaled(A, B, float(size(B) / size(A)) ** power)


def _unit_by_unit(A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    s = (B.norm(dim=1) / A.norm(dim=0)).sqrt()
    return A * s, B / s[:, None]


def _by_svd(A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    """The factors of least sum of squares among all that have this product."""
    U, S, Vh = torch.linalg.svd(A @ B, full_matrices=False)
    k = A.shape[1]
    root = torch.zeros(k, dtype=A.dtype)
    rank = min(k, len(S))
    root[:rank] = S[:rank].sqrt()
    left, right = torch.zeros_like(A), torch.zeros_like(B)
    left[:, :rank], right[:rank] = U[:, :rank], Vh[:rank]
    return left * root, right * root[:, None]


def _to_common_length(A: Tensor, B: Tensor) -> list[Tensor]:
    """Both become as long as the geometric mean of their lengths."""
    common = math.sqrt(_length(A) * _length(B))
    return [A / _length(A) * common, B / _length(B) * common]


def _by_search(A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    """The minimum of ‖A‖²eᵗ + ‖B‖²e⁻ᵗ by halving an interval."""
    low, high = -60.0, 60.0
    for _ in range(80):
        t = (low + high) / 2
        slope = _length(A) ** 2 * math.exp(t) - _length(B) ** 2 * math.exp(-t)
        low, high = (low, t) if slope > 0 else (t, high)
    return A * math.exp(low / 2), B * math.exp(-low / 2)


def _single(A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    A, B = A.float(), B.float()
    s = (B.pow(2).sum() / A.pow(2).sum()) ** 0.25
    return s * A, B / s


MISTAKES = [
    Mistake(
        "1/s in place of s",
        _by(_length, -0.5),
        "You have scaled the wrong way: the larger of the two has become larger still. Multiply A by the root of ‖B‖/‖A‖.",
    ),
    Mistake(
        "root missing",
        _by(_length, 1.0),
        "Your s is ‖B‖/‖A‖, which exchanges the two lengths. What equals that ratio is s².",
    ),
    Mistake(
        "root taken twice",
        _by(_length, 0.25),
        "Your s is the fourth root of ‖B‖/‖A‖, so the lengths are only half way to being equal. (The fourth root belongs to "
        "the ratio of the sums of *squares*.)",
    ),
    Mistake(
        "ratio of squares without a root",
        _by(_length, 2.0),
        "Your s is the ratio of the sums of squares. That is s⁴.",
    ),
    Mistake(
        "both of length 1",
        lambda A, B: (A / _length(A), B / _length(B)),
        "You have normalised both to length 1, which changes their product. The two factors s and 1/s have to cancel.",
    ),
    Mistake(
        "the same factor for both",
        lambda A, B: (A * math.sqrt(_length(B) / _length(A)), B * math.sqrt(_length(B) / _length(A))),
        "You multiply both by s, which changes the product. B is divided by s.",
    ),
    Mistake(
        "B left as it was",
        lambda A, B: (A * math.sqrt(_length(B) / _length(A)), B),
        "You scale A only, which changes the product. B has to be divided by s.",
    ),
    Mistake(
        "A made as long as B",
        lambda A, B: (A * _length(B) / _length(A), B),
        "You have made A as long as B and left B as it was, which changes the product. What A gains B has to lose.",
    ),
    Mistake(
        "swapped",
        lambda A, B: _to_common_length(A, B)[::-1],
        "You return B first. The scaled A comes first.",
    ),
    Mistake(
        "nothing done",
        lambda A, B: (A, B),
        "You return A and B as they came. Scale them by s and 1/s.",
    ),
    Mistake(
        "mean squares in place of sums",
        _by(lambda matrix: matrix.square().mean().sqrt()),
        "You compare *mean* squares (or standard deviations). The matrices have different numbers of entries, and it is the "
        "sum of squares that is to be least.",
    ),
    Mistake(
        "standard deviations",
        _by(torch.std),
        "You compare standard deviations, which leave out the mean and divide by the number of entries. Use the root of the "
        "sum of squares.",
    ),
    Mistake(
        "largest singular values",
        _by(lambda matrix: torch.linalg.matrix_norm(matrix, 2)),
        "Your norm is the largest singular value. The norm that belongs to a sum of squares is the Frobenius norm, the root "
        "of the sum of all squared entries.",
    ),
    Mistake(
        "sums of magnitudes",
        _by(lambda matrix: matrix.abs().sum()),
        "You compare sums of absolute values. The sum of *squares* is to be least.",
    ),
    Mistake(
        "largest entries",
        _by(lambda matrix: matrix.abs().max()),
        "You compare the largest entries. The sum of squares of all entries is to be least.",
    ),
    Mistake(
        "unit by unit",
        _unit_by_unit,
        "You balance each hidden unit by itself. That lowers the sum of squares further, but the exercise asks for one "
        "number s for the whole of A.",
    ),
    Mistake(
        "other factors of the product",
        _by_svd,
        "You have found the smallest of all pairs with this product, by its singular values. Here only the scale may change: "
        "(sA, B/s).",
    ),
]


def _pair(m: int, k: int, n: int, a: float, b: float, seed: int) -> tuple[Tensor, Tensor]:
    return a * (noise(m, k, seed=seed) + 0.4), b * (noise(k, n, seed=seed + 1) - 0.7)


@check(
    reference=progress.balance,
    alternatives=[_to_common_length, _by_search, _single],
    mistakes=MISTAKES,
    cases=lambda: [_pair(3, 4, 6, 2.0, 0.3, seed=31), _pair(5, 2, 3, 0.2, 4.0, seed=33)],
)
def test_balance(answer: Any) -> None:
    """Scale A by s and B by 1/s so that the sum of all squares is the least possible."""
    for m, k, n, a, b in ((2, 3, 5, 1.0, 6.0), (6, 4, 1, 3.0, 0.02), (3, 2, 7, 0.1, 0.5), (8, 11, 5, 20.0, 1.0)):
        A, B = _pair(m, k, n, a, b, seed=m)
        given = (noncontiguous(A), noncontiguous(B)) if m == 3 else (A, B)
        left, right = call(answer, *given, returns=(Tensor, Tensor))
        lengths = f"for matrices of lengths {_length(A):.3g} and {_length(B):.3g}"
        for part, shape, name in ((left, (m, k), "the scaled A"), (right, (k, n), "the scaled B")):
            expect_shape(part, shape, what=f"{name} {lengths}", why="Scaling leaves the shape as it is.")
            expect_dtype(part, "float", what=name)
            expect_finite(part, what=f"{name} {lengths}")
        left, right = left.double(), right.double()
        expect_close(left @ right, A @ B, what=f"the product of the two {lengths}", why="The product is unchanged.")
        expect_close(
            left.square().sum() + right.square().sum(),
            2 * _length(A) * _length(B),
            what=f"the sum of all squares {lengths}",
            why="s²‖A‖² + ‖B‖²/s² is never less than 2‖A‖‖B‖, and equal to it for one s.",
        )
        expect(
            float((left * A).sum()) > 0,
            what=f"the scaled A {lengths} points the other way",
            why="s is positive.",
        )
        expect_close(
            left / _length(left),
            A / _length(A),
            what=f"the scaled A {lengths}, normalised",
            why="One positive number multiplies the whole of A.",
        )
        expect_close(
            right / _length(right),
            B / _length(B),
            what=f"the scaled B {lengths}, normalised",
            why="One positive number divides the whole of B.",
        )
