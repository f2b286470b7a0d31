"""Exercise: where do the numbers lie in the plane in which an embedding holds one frequency?"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_utils import fourier
from course_utils.checks.fourier.inputs import basis_of, check, noise, wave
from course_utils.checks.framework import (
    Mistake,
    call,
    expect_close,
    expect_dtype,
    expect_finite,
    expect_shape,
    noncontiguous,
)


def _parts(W_E: Tensor, k: int) -> Tensor:
    return basis_of(len(W_E))[2 * k - 1 : 2 * k + 1].to(W_E.dtype) @ W_E


def _in_plane(W_E: Tensor, spanning: Tensor) -> Tensor:
    return W_E @ torch.linalg.qr(spanning.T).Q


def _principal(matrix: Tensor) -> Tensor:
    return torch.linalg.svd(matrix, full_matrices=False).Vh[:2]


def _lengths_only(W_E: Tensor, k: int) -> Tensor:
    parts = _parts(W_E, k)
    return W_E @ (parts / parts.norm(dim=1, keepdim=True)).T


def _wave_only(W_E: Tensor, k: int) -> Tensor:
    rows = basis_of(len(W_E))[2 * k - 1 : 2 * k + 1].to(W_E.dtype)
    return rows.T @ (rows @ W_E) @ torch.linalg.qr((rows @ W_E).T).Q


def _next_rows(W_E: Tensor, k: int) -> Tensor:
    rows = basis_of(len(W_E)).to(W_E.dtype)
    return _in_plane(W_E, torch.stack([rows[2 * k], rows[(2 * k + 1) % len(rows)]]) @ W_E)


def _gram_schmidt(W_E: Tensor, k: int) -> Tensor:
    """By hand, the sine first, in double precision."""
    first, second = _parts(W_E.double(), k).flip(0)
    first = first / first.norm()
    second = second - (second @ first) * first
    return torch.stack([W_E.double() @ first, W_E.double() @ second / second.norm()], 1)


def _svd(W_E: Tensor, k: int) -> Tensor:
    return W_E @ torch.linalg.svd(_parts(W_E, k), full_matrices=False).Vh.mT


def _symmetric(W_E: Tensor, k: int) -> Tensor:
    """The orthonormal pair nearest to the two components: S to the power −1/2, by eigenvectors."""
    parts = _parts(W_E.double(), k)
    values, vectors = torch.linalg.eigh(parts @ parts.T)
    return W_E.double() @ parts.T @ (vectors / values.sqrt()) @ vectors.T


MISTAKES = [
    Mistake(
        "principal components",
        lambda W_E, k: (W_E - W_E.mean(0)) @ _principal(W_E - W_E.mean(0)).T,
        "These are the first two principal components, whatever k is. The plane asked for is the one that the cos k and sin k "
        "components span.",
    ),
    Mistake(
        "a slice that begins one too late",
        lambda W_E, k: _in_plane(W_E, basis_of(len(W_E)).to(W_E.dtype)[2 * k : 2 * k + 2] @ W_E),
        "Your plane is spanned by rows 2k and 2k + 1 of the basis: sin k and the next cosine. Row 0 is the constant, so cos k is "
        "row 2k − 1.",
    ),
    Mistake(
        "raw dot products",
        lambda W_E, k: W_E @ _parts(W_E, k).T,
        "These are dot products with the two components as they are. They are neither of length 1 nor perpendicular, so "
        "your picture is stretched and skewed. Find an orthonormal basis of the plane they span first.",
    ),
    Mistake(
        "scaled, not made perpendicular",
        _lengths_only,
        "Your two axes have length 1 but are not perpendicular: the cos k and sin k components need not be. Take from the "
        "second what lies along the first before scaling it (or let a QR decomposition do so).",
    ),
    Mistake(
        "oblique coordinates",
        lambda W_E, k: W_E @ torch.linalg.pinv(_parts(W_E, k)),
        "You solve for the mixture of the two components that comes nearest to each row. That turns every embedding into a "
        "perfect circle if it holds frequency k alone, whatever its true shape. Coordinates along perpendicular unit axes "
        "keep lengths and angles.",
    ),
    Mistake(
        "the plane of largest variance",
        lambda W_E, k: W_E @ _principal(W_E - W_E.mean(0)).T,
        "These are the embedding's first two principal components, the same for every k. The plane wanted is the one spanned "
        "by the cos k and sin k components.",
    ),
    Mistake(
        "principal plane without centring",
        lambda W_E, k: W_E @ _principal(W_E).T,
        "These are the embedding's first two singular directions, the same for every k. The plane wanted is the one spanned "
        "by the cos k and sin k components.",
    ),
    Mistake(
        "the waves themselves",
        lambda W_E, k: basis_of(len(W_E))[2 * k - 1 : 2 * k + 1].T.to(W_E.dtype),
        "You return the basis rows themselves, a perfect circle for any embedding. The question is where *this* embedding "
        "puts the numbers: use the basis to find the plane in W_E's space, then project W_E's rows on it.",
    ),
    Mistake(
        "only frequency k of each row",
        _wave_only,
        "You have taken everything but frequency k out of the rows before projecting. What other frequencies put into this "
        "plane is part of where the numbers lie: project the rows of W_E as they are.",
    ),
    Mistake(
        "mean taken off",
        lambda W_E, k: _in_plane(W_E - W_E.mean(0), _parts(W_E, k)),
        "You have taken the mean row off. The right plane, but the picture is moved: project the rows of W_E as they are.",
    ),
    Mistake(
        "rows shifted by one",
        _next_rows,
        "Your plane is spanned by sin k and cos k + 1: one row too far. Row 0 is the constant, so frequency k has the rows "
        "2k − 1 and 2k.",
    ),
    Mistake(
        "next frequency",
        lambda W_E, k: _in_plane(W_E, _parts(W_E, k + 1)),
        "This is the plane of frequency k + 1. Frequencies count from 1: k = 1 has the rows 1 and 2.",
    ),
    Mistake(
        "transposed",
        lambda W_E, k: _in_plane(W_E, _parts(W_E, k)).T,
        "The two coordinates are your rows. One number a row, please: transpose.",
    ),
]


@check(
    reference=fourier.circle,
    alternatives=[_gram_schmidt, _svd, _symmetric],
    mistakes=MISTAKES,
    cases=lambda: [(noise(11, 4, seed=1) + 1, 2), (noise(7, 5, seed=2), 1), (noise(13, 6, seed=4) - 1, 5)],
)
def test_circle(answer: Any) -> None:
    """Give each number's coordinates in the plane in which the embedding holds frequency k."""
    for k in (1, 3):
        skew = torch.tensor([[2.0, 0.0, 0, 0], [1.0, 0.5, 0, 0]]).double()
        W_E = torch.stack([wave("cos", k, 7), wave("sin", k, 7)], 1) @ skew
        at = call(answer, W_E, k)
        what = f"for an embedding that holds frequency {k} alone, in a plane"
        expect_shape(at, (7, 2), what="circle(W_E, k)", why="Two coordinates for each number.")
        expect_dtype(at, "float", what="circle(W_E, k)")
        expect_finite(at, what=f"the coordinates {what}")
        expect_close(
            _distances(at),
            _distances(W_E),
            atol=1e-4,
            what=f"the distances between numbers {what}",
            why="All of this embedding lies in the plane, and coordinates along perpendicular unit axes keep distances.",
        )
    for p, d, k in ((11, 5, 2), (11, 5, 5), (23, 3, 1), (7, 9, 3), (13, 4, 4)):
        W_E = noise(p, d, seed=p + k) + torch.linspace(-1, 2, d)
        at = call(answer, W_E, k)
        expect_shape(at, (p, 2), what=f"circle(W_E, {k}) for W_E of shape ({p}, {d})")
        _expect_plane(at, W_E, k, f"for a random embedding of shape ({p}, {d}) and k = {k}")
    W_E = noncontiguous(noise(11, 6, seed=3))
    at = call(answer, W_E, 4)
    expect_shape(at, (11, 2), what="circle(W_E, 4) for an embedding with gaps in memory")
    _expect_plane(at, W_E, 4, "for an embedding with gaps in memory")


def _distances(points: Tensor) -> Tensor:
    return torch.cdist(points.double(), points.double())


def _expect_plane(at: Tensor, W_E: Tensor, k: int, what: str) -> None:
    """Dot products between points do not depend on how the axes are turned or mirrored."""
    W_E, at = W_E.double(), at.double()
    parts = basis_of(len(W_E))[2 * k - 1 : 2 * k + 1] @ W_E
    projector = torch.linalg.pinv(parts) @ parts
    expect_close(
        at @ at.T,
        W_E @ projector @ W_E.T,
        rtol=1e-3,
        what=f"the dot products between the numbers' positions {what}",
        why="Along perpendicular unit axes they are those of the rows' projections on the plane, however the axes are turned.",
    )
