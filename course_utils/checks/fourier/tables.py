"""Exercise: which products of waves make up a function of two numbers?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import fourier
from course_utils.checks.fourier.inputs import basis_of, check, noise, random_basis, table
from course_utils.checks.framework import (
    Mistake,
    call,
    expect_close,
    expect_dtype,
    expect_finite,
    expect_shape,
    noncontiguous,
)


def _both(values: Tensor, first: Tensor, second: Tensor) -> Tensor:
    return torch.einsum("ia,jb,abn->ijn", first, second, values)


def _matmul(values: Tensor, basis: Tensor) -> Tensor:
    return basis @ values @ basis.T


def _row_by_row(values: Tensor, basis: Tensor) -> Tensor:
    p = len(basis)
    found = torch.zeros(values.shape, dtype=values.dtype)
    for i in range(p):
        over_a = torch.stack([basis[i, a] * values[a] for a in range(p)]).sum(0)
        for j in range(p):
            found[i, j] = torch.stack([basis[j, b] * over_a[b] for b in range(p)]).sum(0)
    return found


def _batched(values: Tensor, basis: Tensor) -> Tensor:
    return (basis @ values.permute(2, 0, 1) @ basis.T).permute(1, 2, 0)


def _flat(values: Tensor, basis: Tensor) -> Tensor:
    """One big matrix of products of basis rows, in single precision."""
    pairs = torch.kron(basis, basis).float()
    return (pairs @ values.float().reshape(len(pairs), -1)).reshape(values.shape)


MISTAKES = [
    Mistake(
        "only the axis a",
        lambda values, basis: torch.einsum("ia,abn->ibn", basis, values),
        "You transform the first axis only: your second axis still runs over the numbers b. Do the same along b.",
    ),
    Mistake(
        "only the axis b",
        lambda values, basis: torch.einsum("jb,abn->ajn", basis, values),
        "You transform the second axis only: your first axis still runs over the numbers a. Do the same along a.",
    ),
    Mistake(
        "output axes swapped",
        lambda values, basis: _both(values, basis, basis).transpose(0, 1),
        "Your coefficients are right, with their two axes swapped: the component of a comes first.",
    ),
    Mistake(
        "transposed basis on both axes",
        lambda values, basis: _both(values, basis.T, basis.T),
        "You sum over the components of the basis where the numbers belong: that is the way back, from coefficients to "
        "values. A coefficient is a dot product with a *row* of the basis.",
    ),
    Mistake(
        "transposed basis on the axis b",
        lambda values, basis: _both(values, basis, basis.T),
        "The axis a is right, the axis b goes through the transposed basis. For a table as a matrix this is B · T · B; "
        "which of the two has to be transposed?",
    ),
    Mistake(
        "transposed basis on the axis a",
        lambda values, basis: _both(values, basis.T, basis),
        "The axis b is right, the axis a goes through the transposed basis. Each output index belongs to a row of the "
        "basis, each summed index to a number.",
    ),
    Mistake(
        "argument ignored",
        lambda values, basis: _both(
            values, basis_of(len(values)).to(values.dtype), basis_of(len(values)).to(values.dtype)
        ),
        "These are the coefficients in the wave basis, whatever basis is passed. Use the argument.",
    ),
    Mistake(
        "divided by p",
        lambda values, basis: _both(values, basis, basis) / len(basis),
        "Your coefficients are divided by p. The basis is orthonormal: the dot products are the coefficients already.",
    ),
    Mistake(
        "squared",
        lambda values, basis: _both(values, basis, basis).square(),
        "You have squared the coefficients. Power comes later: the sign is still needed to build the table back up.",
    ),
    Mistake(
        "summed over the last axis",
        lambda values, basis: _both(values, basis, basis).sum(-1),
        "You sum over the last axis. It stays as it is: each of its entries is a table over (a, b) of its own.",
    ),
    Mistake(
        "products of equal components only",
        lambda values, basis: torch.einsum("ia,ib,abn->in", basis, basis, values),
        "The two basis factors share one index here, so you get the diagonal only: cos 1 · cos 1, sin 1 · sin 1, … The "
        "component of b runs by itself.",
    ),
    Mistake(
        "sum of two transforms",
        lambda values, basis: torch.einsum("ia,abn->ibn", basis, values) + torch.einsum("jb,abn->ajn", basis, values),
        "You transform each axis by itself and add the results. A coefficient of a product needs both at once: transform "
        "along a, then transform what came out along b.",
    ),
    Mistake(
        "complex transform",
        lambda values, basis: torch.fft.fft2(values, dim=(0, 1), norm="ortho").real,
        "This is the real part of a complex transform: it ignores the basis, and half of the information is in the "
        "imaginary part. Use the basis that is passed.",
    ),
    Mistake(
        "matrix product over the wrong axes",
        _matmul,
        "`@` works on the last two axes, and here those are b and n. Name the axes (einsum), or bring a and b to the end "
        "first.",
    ),
]


@check(
    reference=fourier.fourier_2d,
    alternatives=[_row_by_row, _batched, _flat],
    mistakes=MISTAKES,
    cases=lambda: [(noise(5, 5, 3, seed=1), basis_of(5)), (noise(7, 7, 2, seed=2), random_basis(7))],
)
def test_fourier_2d(answer: Any) -> None:
    """Take a table over (a, b) apart into products of a wave in a with a wave in b."""
    p = 7
    basis = basis_of(p)
    for parts, words in (
        ({(1, 4): 1.0}, "cos 1 of a times sin 2 of b"),
        ({(0, 6): 1.0}, "the constant of a times sin 3 of b"),
        ({(0, 0): 2.0, (5, 0): -3.0, (6, 2): 0.5}, "2 constants, −3 (cos 3 of a) and ½ (sin 3 of a · sin 1 of b)"),
    ):
        values = torch.stack([table(parts, p), torch.zeros(p, p).double(), -2 * table(parts, p)], -1)
        found = call(answer, values, basis)
        wanted = torch.zeros(p, p, 3)
        for (i, j), c in parts.items():
            wanted[i, j] = torch.tensor([c, 0, -2 * c])
        expect_shape(
            found, (p, p, 3), what="the coefficients", why="The shape stays: component of a, component of b, n."
        )
        expect_dtype(found, "float", what="the coefficients", why="A real table in a real basis.")
        expect_finite(found, what="the coefficients")
        expect_close(
            found[..., 0],
            wanted[..., 0],
            atol=1e-5,
            what=f"the coefficients of a table made of {words}",
            why="A table that is one product of basis rows has one coefficient, at [row for a, row for b].",
        )
        expect_close(
            found, wanted, atol=1e-5, what="the coefficients of each of three tables", why="The last axis stays."
        )

    for p, n, basis in (
        (5, 3, basis_of(5)),
        (11, 2, basis_of(11)),
        (7, 4, random_basis(7)),
        (9, 1, random_basis(9, seed=1)),
    ):
        values = noise(p, p, n, seed=p) + 1
        kind = "wave" if torch.equal(basis, basis_of(p)) else "random orthonormal"
        found = call(answer, values, basis)
        what = f"of a random table with p = {p} in the {kind} basis"
        expect_shape(found, (p, p, n), what=f"the coefficients {what}")
        expect_close(
            found.double().square().sum((0, 1)),
            values.square().sum((0, 1)),
            rtol=1e-3,
            what=f"the sum of squares of the coefficients {what}",
            why="An orthonormal basis keeps lengths.",
        )
        B, T = basis.numpy(), values.numpy()
        coefficients = np.stack([B @ T[:, :, m] @ B.T for m in range(n)], -1)
        expect_close(
            found,
            torch.from_numpy(coefficients),
            atol=1e-4,
            what=f"the coefficients {what}",
            why="Row i over a, row j over b.",
        )

    values = noncontiguous(noise(5, 5, 4, seed=9, dtype=torch.float32)).transpose(0, 1)
    found = call(answer, values, noncontiguous(basis_of(5).float())).double()
    expect_shape(found, (5, 5, 4), what="the coefficients of a float32 table")
    back = torch.einsum("ia,jb,ijn->abn", basis_of(5), basis_of(5), found)
    expect_close(back, values, rtol=1e-3, atol=1e-4, what="a float32 table built back up from its coefficients")
