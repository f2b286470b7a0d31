"""Exercise: does a neuron keep to one frequency?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import fourier
from course_utils.checks.fourier.inputs import basis_of, check, noise, random_basis, table, wave
from course_utils.checks.framework import (
    Mistake,
    call,
    expect_close,
    expect_dtype,
    expect_equal,
    expect_finite,
    expect_shape,
    noncontiguous,
)

TINY = 1e-30


def power_of(activations: Tensor, basis: Tensor) -> Tensor:
    return torch.einsum("ia,jb,abn->ijn", basis, basis, activations).square()


def varying(power: Tensor) -> Tensor:
    """Everything but the mean, for each neuron."""
    return (power.sum((0, 1)) - power[0, 0]).clamp_min(TINY)


def _waves_alone(power: Tensor) -> Tensor:
    """(freq, neuron): cos k and sin k of a alone and of b alone."""
    return (power[1:, 0] + power[0, 1:]).unflatten(0, (-1, 2)).sum(1)


def own_products(power: Tensor) -> Tensor:
    """(freq, neuron): the four products of frequency k with itself."""
    blocks = power[1:, 1:].unflatten(1, (-1, 2)).unflatten(0, (-1, 2)).sum((1, 3))
    return blocks.diagonal().T


def _eight(power: Tensor) -> Tensor:
    return _waves_alone(power) + own_products(power)


def _best(parts: Tensor, total: Tensor, first: int = 1) -> tuple[Tensor, Tensor]:
    explained, best = (parts / total).max(0)
    return best + first, explained


def _mean_in_total(activations: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    power = power_of(activations, basis)
    return _best(_eight(power), power.sum((0, 1)).clamp_min(TINY))


def _mean_kept(activations: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """[0, 0] is in the total and in each frequency's 3 × 3 block."""
    power = power_of(activations, basis)
    return _best(_eight(power) + power[0, 0], power.sum((0, 1)).clamp_min(TINY))


def _not_a_number(activations: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    power = power_of(activations, basis)
    power[0, 0] = 0
    return _best(_eight(power), power.sum((0, 1)))


def _cross_products(activations: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """Everything in the rows or columns of frequency k."""
    power = power_of(activations, basis)
    total = varying(power)
    power[0, 0] = 0
    rows, columns = (power.sum(axis)[1:].unflatten(0, (-1, 2)).sum(1) for axis in (1, 0))
    return _best(rows + columns - own_products(power), total)


def _of(parts: Any, total: Any = varying, first: int = 1) -> Any:
    """A wrong answer that differs in what it counts (`parts`) or in what it divides by (`total`)."""
    return lambda activations, basis: _best(
        parts(power_of(activations, basis)), total(power_of(activations, basis)), first
    )


def _largest_component(activations: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    power = power_of(activations, basis)
    total = varying(power)
    power[0, 0] = 0
    frequency = (torch.arange(len(basis)) + 1) // 2
    best = power.flatten(0, 1).argmax(0)
    index = torch.maximum(frequency[best // len(basis)], frequency[best % len(basis)])
    return index, _eight(power).gather(0, (index - 1)[None])[0] / total


def _swapped(activations: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    return _best(_eight(power_of(activations, basis)), varying(power_of(activations, basis)))[::-1]


def _argument_ignored(activations: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    return _of(_eight)(activations, basis_of(len(basis)).to(activations.dtype))


def _equal_products(power: Tensor) -> Tensor:
    return _waves_alone(power) + power[1:, 1:].diagonal().T.unflatten(0, (-1, 2)).sum(1)


def _by_loops(activations: Tensor, basis: Tensor) -> Any:
    """One neuron and one frequency at a time, on variances, in NumPy."""
    B, A = basis.numpy(), activations.numpy()
    found = []
    for m in range(A.shape[2]):
        C = B @ (A[:, :, m]) @ B.T
        total = (C**2).sum() - C[0, 0] ** 2
        shares = [
            sum(C[i, j] ** 2 for i in (0, 2 * k - 1, 2 * k) for j in (0, 2 * k - 1, 2 * k) if i or j)
            for k in range(1, len(B) // 2 + 1)
        ]
        k = int(np.argmax(shares))
        found.append((k + 1, shares[k] / total if total > 0 else 0.0))
    return np.array([f[0] for f in found]), np.array([f[1] for f in found])


def _by_masks(activations: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """One mask over the coefficients for each frequency, single precision."""
    C = fourier.fourier_2d(activations, basis).float()
    component = (torch.arange(len(basis)) + 1) // 2
    shares = []
    for k in range(1, len(basis) // 2 + 1):
        member = (component == 0) | (component == k)
        mask = (member[:, None] & member[None, :]).float()
        mask[0, 0] = 0
        shares.append(torch.einsum("ij,ijn->n", mask, C**2))
    total = (C**2).sum((0, 1)) - C[0, 0] ** 2
    best = torch.stack(shares).max(0)
    return (best.indices + 1).to(torch.int32), torch.where(total > 0, best.values / total, 0.0)


_p11: dict[str, dict[tuple[int, int], float]] = {
    "all eight components of 3": {
        (5, 0): 1,
        (6, 0): -2,
        (0, 5): 1,
        (0, 6): 1,
        (5, 5): 2,
        (5, 6): 1,
        (6, 5): -1,
        (6, 6): 1,
        (0, 0): 9,
    },
    "2 and 5, four to one": {(3, 0): 1, (0, 4): -1, (4, 3): 2**0.5, (9, 10): 1, (0, 0): 3},
    "best in b only": {(0, 2): 3, (7, 0): 1, (0, 0): -2},
    "best in products only": {(9, 10): 2, (3, 0): 1},
    "mostly products of two frequencies": {(1, 3): 2, (7, 8): 1, (0, 8): 1},
    "one large component of 2, five of 4": {
        (3, 0): 2,
        (7, 0): 1,
        (0, 7): 1,
        (8, 7): 1,
        (7, 8): 1,
        (0, 8): -1,
        (0, 0): 1,
    },
    "1 alone, 3 in products too": {(1, 0): 2, (5, 0): 1, (5, 6): 3},
    "2 in products, 5 alone": {(4, 4): 2, (9, 0): 3, (0, 0): 5},
    "4 in cos · sin, 1 in cos · cos": {(7, 8): 3, (1, 1): 2},
    "all of it weak, 3 most of it": {(5, 0): 0.04, (0, 6): -0.04, (6, 6): 0.04, (1, 0): 0.05},
}
_BEST = [3, 2, 1, 5, 4, 4, 3, 5, 4, 3]
_SHARE = [1, 0.8, 0.9, 0.8, 1 / 3, 5 / 9, 10 / 14, 9 / 13, 9 / 13, 48 / 73]


def population() -> Tensor:
    return torch.stack([table(parts, 11) for parts in _p11.values()], -1)


def _by_fft(activations: Tensor) -> tuple[Tensor, Tensor]:
    A = activations.double().numpy()
    power = np.abs(np.fft.fft2(A, axes=(0, 1))) ** 2
    p, shares = len(A), []
    for k in range(1, p // 2 + 1):
        inside = power[np.ix_([0, k, p - k], [0, k, p - k])].sum((0, 1)) - power[0, 0]
        shares.append(inside / (power.sum((0, 1)) - power[0, 0]))
    return torch.from_numpy(np.argmax(shares, 0) + 1), torch.from_numpy(np.max(shares, 0))


MISTAKES = [
    Mistake(
        "index in place of frequency",
        _of(_eight, first=0),
        "Your shares are right, your frequencies one too low: `argmax` counts from 0 and frequencies from 1.",
    ),
    Mistake(
        "NaN for dead neurons",
        _not_a_number,
        "A neuron that never fires has no variance, so you divide 0 by 0 there. Give it share 0: keep the divisor above "
        "zero, or choose with `torch.where`.",
    ),
    Mistake(
        "constant kept in",
        _mean_kept,
        "You leave the constant, [0, 0], in: it counts for each frequency and in the total. A neuron with a high mean then "
        "seems explained by any frequency. Set it to 0 before you sum.",
    ),
    Mistake(
        "mean in the total",
        _mean_in_total,
        "Your total includes the [0, 0] component, the neuron's mean over all (a, b). A neuron with a high mean then seems "
        "to follow no frequency. The mean is not variance: leave it out.",
    ),
    Mistake(
        "no products",
        _of(_waves_alone),
        "You count the waves of a alone and of b alone. The four products of frequency k (cos · cos, cos · sin, sin · cos, "
        "sin · sin) belong to it too, and a ReLU makes a lot of them.",
    ),
    Mistake(
        "products only",
        _of(own_products),
        "You count the four products only. The waves of a alone and of b alone (row 0 and column 0 of the coefficients) "
        "belong to frequency k too.",
    ),
    Mistake(
        "only cos · cos and sin · sin",
        _of(_equal_products),
        "Of the four products you count two, those on the diagonal. cos · sin and sin · cos are missing: frequency k is "
        "a 2 × 2 block.",
    ),
    Mistake(
        "waves of a only",
        _of(lambda power: power[1:, 0].unflatten(0, (-1, 2)).sum(1)),
        "You look at column 0 of the coefficients only: waves of a alone. Waves of b (row 0) and the products count too.",
    ),
    Mistake(
        "waves of b missing",
        _of(lambda power: power[1:, 0].unflatten(0, (-1, 2)).sum(1) + own_products(power)),
        "The waves of b alone are missing: row 0 of the coefficients, where a's component is the constant.",
    ),
    Mistake(
        "waves of a missing",
        _of(lambda power: power[0, 1:].unflatten(0, (-1, 2)).sum(1) + own_products(power)),
        "The waves of a alone are missing: column 0 of the coefficients, where b's component is the constant.",
    ),
    Mistake(
        "products with other frequencies counted",
        _cross_products,
        "You count everything in the rows and columns of frequency k, including products with *other* frequencies, so "
        "that the shares of all k sum to more than 1. Frequency k owns eight components.",
    ),
    Mistake(
        "divided by what single frequencies explain",
        _of(_eight, lambda power: _eight(power).sum(0).clamp_min(TINY)),
        "You divide by the sum over all frequencies. Products of two different frequencies are variance too, though no "
        "single k owns them: divide by everything but the mean.",
    ),
    Mistake(
        "one total for all neurons",
        _of(_eight, lambda power: varying(power).sum()),
        "You divide by the variance of all neurons together. Each neuron has its own total.",
    ),
    Mistake(
        "not divided",
        _of(_eight, lambda power: 1.0),
        "These are sums of squares, not yet shares: divide by the neuron's variance.",
    ),
    Mistake(
        "lengths in place of squares",
        _of(lambda power: _eight(power.sqrt()), lambda power: varying(power.sqrt())),
        "You add up absolute coefficients. Variance is a sum of squares.",
    ),
    Mistake(
        "frequency of the largest component",
        _largest_component,
        "You pick the frequency of the single largest coefficient. A frequency's variance can be spread over its eight "
        "components: sum them first, then compare frequencies.",
    ),
    Mistake(
        "results in the other order",
        _swapped,
        "You return the shares first. The frequencies come first, then the shares.",
    ),
    Mistake(
        "argument ignored",
        _argument_ignored,
        "You use the wave basis whatever basis is passed. Use the argument: a random basis later serves as a control.",
    ),
]


@check(
    reference=fourier.neuron_frequencies,
    alternatives=[_by_loops, _by_masks],
    mistakes=MISTAKES,
    cases=lambda: [
        (population(), basis_of(11)),
        (torch.cat([noise(7, 7, 4, seed=1) + 1, torch.zeros(7, 7, 1).double()], -1), basis_of(7)),
        (noise(5, 5, 3, seed=2), random_basis(5)),
    ],
)
def test_neuron_frequencies(answer: Any) -> None:
    """For each neuron, name the frequency that explains most of its variance, and the share that it explains."""
    for p, single in ((7, (1, 3)), (11, (5, 2, 4))):
        neurons = torch.stack([wave("cos", k, p)[:, None] + wave("sin", k, p)[None, :] + 2 for k in single], -1)
        frequency, share = call(answer, neurons, basis_of(p), returns=(Tensor, Tensor))
        what = f"of neurons cos w(a) + sin w(b) + 2 with one frequency each (p = {p})"
        expect_shape(frequency, (len(single),), what="the frequencies", why="One for each neuron, the last axis.")
        expect_shape(share, (len(single),), what="the shares", why="One for each neuron, the last axis.")
        expect_dtype(frequency, "int", what="the frequencies", why="Whole numbers.")
        expect_dtype(share, "float", what=f"the shares {what}")
        expect_finite(share, what=f"the shares {what}")
        expect_equal(frequency, torch.tensor(single), what=f"the frequencies {what}", why="Frequencies count from 1.")
        expect_close(share, torch.ones(len(single)), what=f"the shares {what}", why="The mean, 2, is not variance.")

    frequency, share = call(answer, population(), basis_of(11), returns=(Tensor, Tensor))
    for m, words in enumerate(_p11):
        expect_equal(frequency[m], torch.tensor(_BEST[m]), what=f"the frequency of a neuron with {words}")
        expect_close(
            share[m],
            _SHARE[m],
            what=f"the share of frequency {_BEST[m]} in a neuron with {words}",
            why="It is made of components with known sizes: squares of the eight over squares of all but the mean.",
        )

    neurons = torch.cat([noise(7, 7, 2, seed=4), torch.zeros(7, 7, 1).double(), noise(7, 7, 3, seed=5) + 1], -1)
    frequency, share = call(answer, neurons, basis_of(7), returns=(Tensor, Tensor))
    expect_finite(share, what="the shares where one neuron is zero everywhere", why="A dead neuron has share 0.")
    expect_close(share[2], 0.0, what="the share of a dead neuron", why="It has no variance to explain.")

    for p, n in ((5, 4), (13, 3)):
        neurons = noncontiguous(noise(p, p, n, seed=p) + torch.linspace(0, 3, n))
        frequency, share = call(answer, neurons, basis_of(p), returns=(Tensor, Tensor))
        wanted = _by_fft(neurons)
        expect_equal(
            frequency, wanted[0], what=f"the frequencies of random neurons with p = {p}", why="NumPy's FFT says so."
        )
        expect_close(
            share, wanted[1], rtol=1e-3, what=f"the shares of random neurons with p = {p}", why="NumPy's FFT says so."
        )

    neurons, basis = noise(7, 7, 3, seed=8), random_basis(7, constant=True)
    frequency, share = call(answer, neurons, basis, returns=(Tensor, Tensor))
    # What is a wave for the wave basis has the same coefficients as this table for the random one.
    turned = torch.einsum(
        "ix,jy,ijn->xyn", basis_of(7), basis_of(7), torch.einsum("ia,jb,abn->ijn", basis, basis, neurons)
    )
    wanted = _by_fft(turned)
    expect_equal(
        frequency, wanted[0], what="the frequencies in another orthonormal basis", why="Use the basis that is passed."
    )
    expect_close(share, wanted[1], what="the shares in another orthonormal basis", why="Use the basis that is passed.")
