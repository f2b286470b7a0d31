"""Exercise: does a matrix mostly keep vectors, or reverse them?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import circuits
from course_utils.checks.circuits.inputs import noise
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite, noncontiguous


def _of(score: Callable[[Tensor], Any]) -> Any:
    """A wrong answer that makes something else of the eigenvalues."""
    return lambda matrix: score(torch.linalg.eigvals(matrix))


def _symmetric(matrix: Tensor) -> float:
    eigenvalues = torch.linalg.eigvalsh(matrix)
    return float(eigenvalues.sum() / eigenvalues.abs().sum())


def _symmetric_part(matrix: Tensor) -> float:
    return _symmetric((matrix + matrix.T) / 2)


def _diagonal(matrix: Tensor) -> float:
    return float(matrix.trace() / matrix.diagonal().abs().sum())


def _of_squares(z: Tensor) -> float:
    return float(z.sum().real / z.abs().square().sum())


def _by_numpy(matrix: Tensor) -> float:
    values = np.linalg.eigvals(matrix.double().numpy())
    return float(values.sum().real / np.abs(values).sum())


def _by_trace(matrix: Tensor) -> Tensor:
    """The sum of the eigenvalues is the trace; their pairs one by one, through the complex matrix, as a tensor."""
    total = sum(abs(complex(z)) for z in torch.linalg.eig(matrix.to(torch.complex128)).eigenvalues)
    return matrix.trace() / total


def _by_cosines(matrix: Tensor) -> Tensor:
    """A mean of cos of each eigenvalue's angle, weighted by its size, of the transpose, in single precision."""
    eigenvalues = torch.linalg.eigvals(matrix.T)
    return (eigenvalues.angle().cos() * eigenvalues.abs()).float().sum() / eigenvalues.abs().float().sum()


MISTAKES = [
    Mistake(
        "0 for every matrix",
        _of(lambda z: float(z.sum().imag / z.abs().sum())),
        "Your answer is 0 for every matrix, up to rounding. If you take the imaginary part of the sum: the real part is what is "
        "left of it.",
    ),
    Mistake(
        "absolute value of the sum",
        _of(lambda z: float(z.sum().abs() / z.abs().sum())),
        "You take the absolute value of the sum, so that a matrix that reverses vectors scores like one that keeps them. Take "
        "its real part: it has a sign.",
    ),
    Mistake(
        "upside down",
        _of(lambda z: float(z.abs().sum() / z.sum().abs())),
        "Your fraction is upside down. It is the sum over the sum of absolute values.",
    ),
    Mistake(
        "not divided",
        _of(lambda z: float(z.sum().real)),
        "This is the sum of the eigenvalues (the trace), which grows with the matrix. Divide it by the sum of their absolute "
        "values.",
    ),
    Mistake(
        "mean eigenvalue",
        _of(lambda z: float(z.mean().real)),
        "You divide by the number of eigenvalues. Divide by the sum of their absolute values, so that the score lies between "
        "−1 and 1.",
    ),
    Mistake(
        "real parts below",
        _of(lambda z: float(z.real.sum() / z.real.abs().sum())),
        "Below the line you use the real parts alone. The absolute value of a complex eigenvalue counts its imaginary part too.",
    ),
    Mistake(
        "real eigenvalues only",
        _of(lambda z: float(z.real[z.imag.abs() < 1e-9].sum() / z.abs()[z.imag.abs() < 1e-9].sum())),
        "You leave out the complex eigenvalues. They count with their absolute value below the line and their real part above.",
    ),
    Mistake(
        "largest eigenvalue",
        _of(lambda z: float(z[z.abs().argmax()].real / z.abs().max())),
        "You look at the largest eigenvalue only. All of them count.",
    ),
    Mistake(
        "every eigenvalue alike",
        _of(lambda z: float((z.real / z.abs()).mean())),
        "You average λ/|λ|, so that small eigenvalues count as much as large ones. Add up above and below the line, then divide.",
    ),
    Mistake(
        "signs",
        _of(lambda z: float(z.real.sign().mean())),
        "You average the signs of the eigenvalues. How large they are counts too: Σλ / Σ|λ|.",
    ),
    Mistake(
        "share of positive ones",
        _of(lambda z: float((z.real > 0).double().mean())),
        "You count how many eigenvalues are positive. The score is Σλ / Σ|λ|, from −1 to 1.",
    ),
    Mistake(
        "squares below",
        _of(_of_squares),
        "You add up the squares of the absolute values. The absolute values themselves are to be added.",
    ),
    Mistake(
        "root of the squares below",
        _of(lambda z: float(z.sum().real / z.abs().square().sum().sqrt())),
        "You divide by the root of the sum of squares. Divide by the sum of the absolute values.",
    ),
    Mistake(
        "symmetric matrix assumed",
        _symmetric,
        "`eigvalsh` is for symmetric matrices and reads one triangle only. An OV circuit is not symmetric: use `eigvals`.",
    ),
    Mistake(
        "symmetric part",
        _symmetric_part,
        "You take the eigenvalues of the symmetric part (M + Mᵀ)/2. They are not those of M.",
    ),
    Mistake(
        "singular values",
        lambda matrix: float(matrix.trace() / torch.linalg.svdvals(matrix).sum()),
        "Below the line you have singular values. They say how long vectors become, eigenvalues what becomes of their "
        "direction: use the absolute values of the eigenvalues.",
    ),
    Mistake(
        "1 for every matrix",
        lambda matrix: float(torch.linalg.svdvals(matrix).sum() / torch.linalg.svdvals(matrix).abs().sum()),
        "Your answer is 1 for every matrix. If you use singular values, or absolute values above the line too: they are never "
        "negative. Add up the eigenvalues themselves.",
    ),
    Mistake(
        "diagonal",
        _diagonal,
        "You compare the diagonal with its own absolute values. The eigenvalues are not the diagonal.",
    ),
    Mistake(
        "all entries",
        lambda matrix: float(matrix.sum() / matrix.abs().sum()),
        "You add up the entries of the matrix. The score is about its eigenvalues.",
    ),
    Mistake(
        "sign reversed",
        _of(lambda z: -float(z.sum().real / z.abs().sum())),
        "Your sign is reversed: +1 means that vectors are kept.",
    ),
    Mistake(
        "complex",
        _of(lambda z: complex(z.sum() / z.abs().sum())),
        "Your score is a complex number. The imaginary parts of a pair cancel: return the real part.",
    ),
]


def _turn(degrees: float, size: float = 1.0) -> Tensor:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return size * torch.tensor([[c, -s], [s, c]], dtype=torch.float64)


def _skewed(n: int, rank: int, kept: float, seed: int) -> Tensor:
    """A product through `rank` dimensions with as much of the identity as `kept` says; not symmetric."""
    matrix = noise(n, rank, seed=seed) @ noise(rank, n, seed=seed + 1) / n
    return matrix + kept * torch.eye(n, dtype=torch.float64) * rank / n


@check(
    reference=circuits.eigenvalue_score,
    alternatives=[_by_numpy, _by_trace, _by_cosines],
    mistakes=MISTAKES,
    cases=lambda: [_skewed(6, 4, 0.3, seed=61), _skewed(5, 5, -0.6, seed=71), _skewed(7, 7, 0.1, seed=81)],
)
def test_eigenvalue_score(answer: Any) -> None:
    """Say whether a matrix mostly keeps vectors (+1), reverses them (−1) or neither: Σλ / Σ|λ|."""
    basis = noise(5, 5, seed=1)
    kept = torch.diag(torch.tensor([3.0, 2.0, 1.0, -1.0, -3.0])).double()
    triangle = torch.tensor([[2.0, 7.0, -5.0], [0.0, -1.0, 9.0], [0.0, 0.0, 0.5]]).double()
    mixed = torch.block_diag(_turn(90, 2), _turn(120), torch.tensor([[4.0]]).double())
    for words, matrix, wanted, why in (
        ("three times the identity", 3 * torch.eye(4), 1.0, "Every vector keeps its direction."),
        ("minus the identity", -torch.eye(3), -1.0, "Every vector is reversed."),
        ("a matrix with the eigenvalues 3, 2, 1, −1, −3", basis @ kept @ basis.inverse(), 0.2, "Above 2, below 10."),
        ("a triangular matrix with 2, −1, ½ on its diagonal", triangle, 3 / 7, "These are its eigenvalues."),
        ("a turn by 60° in the plane", _turn(60), 0.5, "Its eigenvalues are a pair of size 1 with the real part ½."),
        (
            "a turn by 150°, twice as long",
            _turn(150, 2),
            -math.sqrt(0.75),
            "Twice the real part is −√3, the sizes are 2.",
        ),
        ("turns by 90° (× 2) and 120°, and a 4", mixed, 3 / 10, "Real parts 0, 0, −½, −½, 4; sizes 2, 2, 1, 1, 4."),
    ):
        score = call(answer, matrix, returns=float)
        expect_finite(score, what=f"the score of {words}")
        expect_close(score, wanted, what=f"the score of {words}", why=why, rtol=1e-3)
    for n, rank, part in ((6, 2, 0.0), (5, 5, -0.4), (9, 4, 0.5), (3, 3, 0.1), (12, 7, -0.1)):
        matrix = _skewed(n, rank, part, seed=10 * n + rank)
        matrix = noncontiguous(matrix) if n == 9 else matrix.float() if n == 3 else matrix
        what = f"the score of a random {n} × {n} matrix"
        score = call(answer, matrix, returns=float)
        expect_finite(score, what=what)
        expect_close(score, _by_numpy(matrix), what=what, why="NumPy's eigenvalues give this.", rtol=1e-3)
