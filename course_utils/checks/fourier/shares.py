"""Exercise: how much of a matrix does each frequency carry?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import fourier
from course_utils.checks.fourier.inputs import basis_of, check, noise, random_basis, wave
from course_utils.checks.framework import (
    Mistake,
    call,
    expect,
    expect_close,
    expect_dtype,
    expect_finite,
    expect_shape,
    noncontiguous,
)


def _power(matrix: Tensor, basis: Tensor) -> Tensor:
    return (basis @ matrix).square().sum(1)


def _pairs(power: Tensor) -> Tensor:
    return power[1::2] + power[2::2]


def _shared(values: Tensor) -> Tensor:
    return values / values.sum()


def _constant_in_total(matrix: Tensor, basis: Tensor) -> Tensor:
    power = _power(matrix, basis)
    return _pairs(power) / power.sum()


def _constant_as_entry(matrix: Tensor, basis: Tensor) -> Tensor:
    power = _power(matrix, basis)
    return _shared(torch.cat([power[:1], _pairs(power)]))


def _norms_of_components(matrix: Tensor, basis: Tensor) -> Tensor:
    return _shared(_pairs((basis @ matrix).norm(dim=1)))


def _wrong_pairs(matrix: Tensor, basis: Tensor) -> Tensor:
    power = _power(matrix, basis)
    return _shared(power[:-1:2] + power[1::2])


def _top_missing(matrix: Tensor, basis: Tensor) -> Tensor:
    return _shared(_pairs(_power(matrix, basis))[:-1])


def _column_by_column(matrix: Tensor, basis: Tensor) -> Tensor:
    power = (basis @ matrix).square()[1:].unflatten(0, (-1, 2)).sum(1)
    return (power / power.sum(0)).mean(1)


def _summed_before_squaring(matrix: Tensor, basis: Tensor) -> Tensor:
    return _shared(_pairs((basis @ matrix).sum(1).square()))


def _cos_plus_sin_squared(matrix: Tensor, basis: Tensor) -> Tensor:
    parts = (basis @ matrix)[1:].unflatten(0, (-1, 2)).sum(1)
    return _shared(parts.square().sum(1))


def _blocks(matrix: Tensor, basis: Tensor) -> Tensor:
    return _shared(_power(matrix, basis)[1:].reshape(2, -1).sum(0))


def _loops(matrix: Tensor, basis: Tensor) -> Tensor:
    """Row by row in single precision."""
    found = []
    for k in range(1, basis.shape[0] // 2 + 1):
        cos, sin = basis[2 * k - 1].float() @ matrix.float(), basis[2 * k].float() @ matrix.float()
        found.append(float(cos @ cos + sin @ sin))
    return torch.tensor(found) / sum(found)


def _einsum(matrix: Tensor, basis: Tensor) -> Tensor:
    components = torch.einsum("ix,xn->in", basis[1:], matrix)
    power = torch.einsum("in,in->i", components, components).view(-1, 2).sum(-1)
    return power / (matrix.square().sum() - (basis[0] @ matrix).square().sum())


def _numpy(matrix: Tensor, basis: Tensor) -> Any:
    power = ((basis.numpy() @ matrix.numpy()) ** 2).sum(axis=1)
    shares = power[1::2] + power[2::2]
    return shares / shares.sum()


MISTAKES = [
    Mistake(
        "constant in the total",
        _constant_in_total,
        "Your shares are fractions of everything, the constant included, so they do not sum to 1. A constant row tells no "
        "number from another: leave component 0 out of the total.",
    ),
    Mistake(
        "constant as an entry",
        _constant_as_entry,
        "Your first entry is the constant's share. It belongs to no frequency: leave it out of the list and of the total, "
        "so that entry 0 is frequency 1.",
    ),
    Mistake(
        "not divided by the total",
        lambda matrix, basis: _pairs(_power(matrix, basis)),
        "These are sums of squares, not yet shares: they depend on the matrix's size. Divide by their sum.",
    ),
    Mistake(
        "divided by the largest",
        lambda matrix, basis: _pairs(_power(matrix, basis)) / _pairs(_power(matrix, basis)).max(),
        "You have divided by the largest entry, so the strongest frequency reads 1. A share is a part of the sum.",
    ),
    Mistake(
        "lengths of components, not squares",
        _norms_of_components,
        "You add up lengths. Lengths of perpendicular things do not add, their squares do (Pythagoras): sum the squares of "
        "the components, with no root.",
    ),
    Mistake(
        "root of each frequency",
        lambda matrix, basis: _shared(_pairs(_power(matrix, basis)).sqrt()),
        "You have taken the root of each frequency's sum of squares before sharing out. That makes weak frequencies look "
        "stronger than they are: leave the squares as they are.",
    ),
    Mistake(
        "cosines only",
        lambda matrix, basis: _shared(_power(matrix, basis)[1::2]),
        "You count the cosines only. A wave of frequency k with another phase is partly a sine: add row 2k to row 2k − 1.",
    ),
    Mistake(
        "components not yet paired",
        lambda matrix, basis: _shared(_power(matrix, basis)[1:]),
        "This is the share of each component. A frequency owns two of them, its cosine and its sine: add each pair.",
    ),
    Mistake(
        "pairs shifted by one row",
        _wrong_pairs,
        "Your pairs are shifted by one row: you add the constant to cos 1, sin 1 to cos 2, and so on. Row 0 stands alone, "
        "frequency k has the rows 2k − 1 and 2k.",
    ),
    Mistake(
        "first half paired with second half",
        _blocks,
        "You pair row i with row i + (p − 1)/2, as if all cosines came first and then all sines. In this basis a "
        "frequency's cosine and sine are neighbours.",
    ),
    Mistake(
        "top frequency missing",
        _top_missing,
        "The top frequency (p − 1)/2 is missing: `range` leaves out its end.",
    ),
    Mistake(
        "transposed basis",
        lambda matrix, basis: _shared(_pairs(_power(matrix, basis.T))),
        "You multiply by the transpose of the basis, which builds a matrix from components. To find the components, take "
        "the dot product of each *row* of the basis with each column of the matrix.",
    ),
    Mistake(
        "argument ignored",
        lambda matrix, basis: _shared(_pairs(_power(matrix, basis_of(len(matrix)).to(matrix.dtype)))),
        "These are the shares in the wave basis, whatever basis is passed. Use the argument: later a random basis takes its "
        "place, as a control.",
    ),
    Mistake(
        "each column shared out by itself",
        _column_by_column,
        "You share out each column by itself and average. A column that hardly varies then counts as much as a strong one: "
        "sum the squares over the columns first, then divide once.",
    ),
    Mistake(
        "columns summed before squaring",
        _summed_before_squaring,
        "You sum over the columns before squaring, so that columns of opposite sign cancel. Square first, then sum.",
    ),
    Mistake(
        "cosine and sine summed before squaring",
        _cos_plus_sin_squared,
        "You add the cosine component to the sine component and then square. They are perpendicular: square each, then add.",
    ),
]


def _by_fft(matrix: Tensor) -> Tensor:
    power = (np.abs(np.fft.rfft(matrix.double().numpy(), axis=0)) ** 2).sum(1)[1:]
    return torch.from_numpy(power / power.sum())


@check(
    reference=fourier.frequency_shares,
    alternatives=[_loops, _einsum, _numpy],
    mistakes=MISTAKES,
    cases=lambda: [
        (noise(7, 4, seed=1) + 1, basis_of(7)),
        (noise(13, 3, seed=2) - 2, basis_of(13)),
        (noise(9, 5, seed=3), random_basis(9, seed=4)),
    ],
)
def test_frequency_shares(answer: Any) -> None:
    """Say what share of a matrix's sum of squares each frequency carries, the constant left out."""
    direction = noise(3, seed=5)
    shares = call(answer, wave("cos", 2, 7)[:, None] * direction, basis_of(7))
    expect_shape(shares, (3,), what="the result for p = 7", why="One entry for each frequency 1 … (p − 1)/2.")
    expect_dtype(shares, "float", what="the result")
    expect_finite(shares, what="the result")
    expect_close(
        shares, [0.0, 1.0, 0.0], what="the shares of a matrix made of cos 2 alone", why="All of it is frequency 2."
    )

    mixed = torch.stack(
        [3 * wave("cos", 1, 11), 3 * wave("sin", 1, 11), 4 * wave("sin", 5, 11), 0 * wave("sin", 2, 11)], 1
    )
    shares = call(answer, mixed, basis_of(11))
    expect_close(
        shares,
        torch.tensor([18, 0, 0, 0, 16]) / 34,
        what="the shares of a matrix with columns 3 cos 1, 3 sin 1 and 4 sin 5 (p = 11)",
        why="Sums of squares are as 9 + 9 to 16, and a frequency owns both its cosine and its sine.",
    )
    again = call(answer, mixed + torch.tensor([2.0, -1.0, 0.5, 3.0]), basis_of(11))
    expect_close(
        again,
        shares,
        what="the shares after adding a constant to each column",
        why="The constant belongs to no frequency.",
    )

    for p, n in ((11, 6), (23, 2), (5, 9), (7, 1)):
        matrix = noise(p, n, seed=p) * torch.linspace(0.5, 3, n) + 1.5
        shares = call(answer, matrix, basis_of(p))
        what = f"for a random matrix of shape ({p}, {n})"
        expect_shape(shares, (p // 2,), what=f"the result {what}")
        expect_close(
            shares.double().sum(), 1.0, what=f"the sum of the shares {what}", why="Shares are parts of a whole."
        )
        expect_close(
            shares,
            _by_fft(matrix),
            what=f"the shares {what}",
            why="They agree with those from NumPy's fast Fourier transform.",
        )

    matrix, basis = noise(7, 4, seed=6) + 1, random_basis(7)
    squares = [float(sum((basis[i] * matrix[:, j]).sum() ** 2 for j in range(4))) for i in range(7)]
    wanted = torch.tensor([squares[1] + squares[2], squares[3] + squares[4], squares[5] + squares[6]])
    expect_close(
        call(answer, matrix, basis),
        wanted / wanted.sum(),
        what="the shares in another orthonormal basis, a random one",
        why="Whatever the basis is, rows 2k − 1 and 2k make entry k − 1.",
    )
    single = noncontiguous(noise(11, 4, seed=8, dtype=torch.float32))
    got = call(answer, single, basis_of(11).float())
    expect_close(got, _by_fft(single), rtol=1e-3, what="the shares of a float32 matrix")
    got = call(answer, 1000 * single.double(), noncontiguous(basis_of(11)))
    expect(
        torch.allclose(got.double(), _by_fft(single), rtol=1e-3),
        what="the shares change when the matrix is multiplied by 1000",
        why="A share has no unit.",
    )
