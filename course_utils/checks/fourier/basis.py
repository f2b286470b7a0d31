"""Exercise: an orthonormal basis of waves for the functions on 0 … p − 1."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import fourier
from course_utils.checks.fourier.inputs import basis_of, check
from course_utils.checks.framework import (
    Mistake,
    call,
    expect_close,
    expect_dtype,
    expect_equal,
    expect_finite,
    expect_shape,
)


def _angles(p: int, first: int = 1, last: int | None = None, start: int = 0, turn: float = 2 * math.pi) -> Tensor:
    frequencies = torch.arange(first, p // 2 + 1 if last is None else last + 1).double()
    return turn / p * torch.outer(frequencies, torch.arange(start, p + start).double())


def _paired(one: Tensor, other: Tensor) -> Tensor:
    return torch.stack([one, other], 1).flatten(0, 1)


def _normed(p: int, angles: Tensor, cos: float = 1.0, sin: float = 1.0) -> Tensor:
    constant = torch.full((1, p), p**-0.5, dtype=torch.float64)
    return torch.cat([constant, math.sqrt(2 / p) * _paired(cos * angles.cos(), sin * angles.sin())])


def _with_ones(p: int) -> Tensor:
    return torch.cat([torch.ones(1, p).double(), _paired(_angles(p).cos(), _angles(p).sin())])


def _blocks(p: int) -> Tensor:
    right = _normed(p, _angles(p))
    return torch.cat([right[:1], right[1::2], right[2::2]])


def _sines_first(p: int) -> Tensor:
    right = _normed(p, _angles(p))
    return torch.cat([right[:1], _paired(right[2::2], right[1::2])])


def _constant_last(p: int) -> Tensor:
    return _normed(p, _angles(p)).roll(-1, 0)


def _top_row_empty(p: int) -> Tensor:
    basis = _normed(p, _angles(p))
    basis[-2:] = 0
    return basis


def _closed_circle(p: int) -> Tensor:
    return _normed(p, torch.outer(torch.arange(1, p // 2 + 1).double(), torch.linspace(0, 2 * math.pi, p).double()))


def _half_frequencies(p: int) -> Tensor:
    """cos and sin share one counter: row i gets frequency i."""
    basis = torch.full((p, p), p**-0.5, dtype=torch.float64)
    for i in range(1, p):
        angle = 2 * math.pi * i * torch.arange(p).double() / p
        basis[i] = math.sqrt(2 / p) * (angle.cos() if i % 2 else angle.sin())
    return basis


def _for_113(p: int) -> Tensor:
    return _normed(p, _angles(p) * p / 113)


def _by_fft(p: int) -> Tensor:
    spectrum = np.fft.rfft(np.eye(p), norm="ortho")[:, 1:].T * math.sqrt(2)
    rows = np.stack([spectrum.real, -spectrum.imag], 1).reshape(p - 1, p)
    return torch.from_numpy(np.concatenate([np.full((1, p), 1 / math.sqrt(p)), rows]))


def _by_columns(p: int) -> Tensor:
    """Single precision, without reducing the angles, in transposed memory."""
    x, columns = torch.arange(p), [torch.ones(p)]
    for k in range(1, (p - 1) // 2 + 1):
        columns += [torch.cos(2 * torch.pi * k * x / p), torch.sin(2 * torch.pi * k * x / p)]
    matrix = torch.stack(columns, dim=1)
    return (matrix / matrix.norm(dim=0)).T


MISTAKES = [
    Mistake(
        "not normalised",
        _with_ones,
        "These are the right waves in the right order, before normalising: a cosine's squares over all x add up to p/2, "
        "the constant's to p. Divide each row by its own length.",
    ),
    Mistake(
        "the waves' factor for the constant too",
        lambda p: torch.cat([math.sqrt(2) * _normed(p, _angles(p))[:1], _normed(p, _angles(p))[1:]]),
        "You have scaled every row by √(2/p). That suits a wave, whose squares average one half, but the constant's squares "
        "average one: your row 0 has length √2. Give it a factor of its own.",
    ),
    Mistake(
        "the constant's factor for the waves too",
        lambda p: _with_ones(p) / math.sqrt(p),
        "You have divided every row by √p. That suits the constant, but a wave's squares average only one half: your waves "
        "have length √½. Their factor is another one.",
    ),
    Mistake(
        "2/p without the root",
        lambda p: torch.cat([_with_ones(p)[:1] / p, _with_ones(p)[1:] * 2 / p]),
        "These are the factors 1/p and 2/p of a Fourier series. For rows of length 1 the sum of *squares* has to be 1, so "
        "take the root of each.",
    ),
    Mistake(
        "transposed",
        lambda p: _normed(p, _angles(p)).T,
        "Your basis vectors are the columns. Here a component is a row and x runs along it: transpose.",
    ),
    Mistake(
        "cosines in one block, sines in another",
        _blocks,
        "You have all the right rows: first every cosine, then every sine. The order wanted keeps a frequency together: "
        "cos 1, sin 1, cos 2, sin 2, and so on.",
    ),
    Mistake(
        "sine before cosine",
        _sines_first,
        "Each frequency's sine stands before its cosine here. Row 2k − 1 is the cosine, row 2k the sine.",
    ),
    Mistake(
        "constant last",
        _constant_last,
        "The constant comes last here. It is row 0, so that frequency k has the rows 2k − 1 and 2k.",
    ),
    Mistake(
        "frequencies from 0",
        lambda p: _normed(p, _angles(p, first=0, last=p // 2 - 1)),
        "Your frequencies start at 0. Frequency 0 is the constant once more (its sine is zero everywhere), and the top "
        "frequency (p − 1)/2 has dropped out at the other end. Count from 1.",
    ),
    Mistake(
        "top frequency missing",
        lambda p: _normed(p, _angles(p, last=p // 2 - 1)),
        "The last frequency is missing: you have p − 2 rows. `range` leaves out its end, so it has to run one further to "
        "include (p − 1)/2.",
    ),
    Mistake(
        "top frequency left empty",
        _top_row_empty,
        "The last two rows are still zero: the loop over frequencies stops one too early. `range` leaves out its end, so "
        "it has to run one further to include (p − 1)/2.",
    ),
    Mistake(
        "sines negative",
        lambda p: _normed(p, _angles(p), sin=-1),
        "Your sines have the opposite sign: this is what comes out of the imaginary part of an FFT, which uses "
        "e to the −iwx. The rows wanted are +cos and +sin.",
    ),
    Mistake(
        "x from 1 to p",
        lambda p: _normed(p, _angles(p, start=1)),
        "Your waves begin at x = 1, so column 0 holds what belongs to the number 1. The numbers are 0 … p − 1.",
    ),
    Mistake(
        "half the angle",
        lambda p: _normed(p, _angles(p, turn=math.pi)),
        "Frequency 1 goes through half a turn only while x runs from 0 to p. Its angle is 2πx/p: a factor of 2 is "
        "missing.",
    ),
    Mistake(
        "circle closed twice",
        _closed_circle,
        "Your x run from 0 to 2π with both ends included, so that 0 and p − 1 lie on the same point of the circle. Number "
        "p would be the first to come round again: the step is 2π/p, not 2π/(p − 1).",
    ),
    Mistake(
        "row number taken for frequency",
        _half_frequencies,
        "Row i holds frequency i here. Two rows share one frequency: rows 2k − 1 and 2k both belong to k, and the highest "
        "is (p − 1)/2.",
    ),
    Mistake(
        "p = 113 written in",
        _for_113,
        "This is right for p = 113 only: the modulus is written into the angle. Use the argument p.",
    ),
]


@check(
    reference=fourier.fourier_basis,
    alternatives=[_by_fft, _by_columns],
    mistakes=MISTAKES,
    cases=lambda: [(13,), (15,)],
)
def test_fourier_basis(answer: Any) -> None:
    """Build the orthonormal basis of waves on 0 … p − 1, one wave a row."""
    for p in (5, 11, 9, 3, 113):
        name = f"fourier_basis({p})"
        basis = call(answer, p)
        expect_shape(
            basis, (p, p), what=name, why="One row for the constant and two for each frequency, one column a number."
        )
        expect_dtype(basis, "float", what=name, why="The waves are real functions.")
        expect_finite(basis, what=name)
        basis = basis.double()
        expect_close(
            basis[0],
            torch.full((p,), p**-0.5),
            what=f"row 0 of {name}",
            why="It is the constant function, positive and of length 1.",
            picture=False,
        )
        lengths = basis.square().sum(1).sqrt()
        expect_close(
            lengths, torch.ones(p), what=f"the length of each row of {name}", why="Orthonormal rows have length 1."
        )
        power = torch.fft.rfft(basis).abs().square()
        expect_equal(
            power.argmax(1),
            torch.arange(1, p + 1) // 2,
            what=f"the main frequency of each row of {name}",
            why="Row 0 is the constant, then two rows for each frequency: cos 1, sin 1, cos 2, sin 2, …",
        )
        expect_close(
            basis @ basis.T,
            torch.eye(p),
            atol=1e-4,
            what=f"{name} times its transpose",
            why="Different waves have dot product 0, and each has 1 with itself.",
        )
        expect_close(
            basis[1::2, 0],
            torch.full((p // 2,), math.sqrt(2 / p)),
            what=f"the rows 1, 3, 5, … of {name} at x = 0",
            why="They are the cosines, which start at their largest value.",
            picture=False,
        )
        # Angles up to 2πk(p − 1)/p in single precision are off by about 2e-5: right all the same.
        expect_close(
            basis,
            basis_of(p),
            atol=1e-4 * math.sqrt(2 / p),
            what=name,
            why="Row 2k − 1 is the cosine, row 2k the sine.",
        )
