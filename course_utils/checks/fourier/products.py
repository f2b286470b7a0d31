"""Exercise: how much of a neuron lies in products of a wave in a with a wave in b?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import fourier
from course_utils.checks.fourier.inputs import basis_of, check, noise, table
from course_utils.checks.fourier.neurons import TINY, own_products, population, power_of, varying
from course_utils.checks.framework import (
    Mistake,
    call,
    expect_close,
    expect_dtype,
    expect_finite,
    expect_shape,
    noncontiguous,
)


def _products_over(total: Any, part: Any = lambda power: power[1:, 1:].sum((0, 1))) -> Any:
    return lambda activations, basis: part(power_of(activations, basis)) / total(power_of(activations, basis))


def _unguarded(activations: Tensor, basis: Tensor) -> Tensor:
    power = power_of(activations, basis)
    power[0, 0] = 0
    return power[1:, 1:].sum((0, 1)) / power.sum((0, 1))


def _without_waves(activations: Tensor, basis: Tensor) -> Tensor:
    """By the two-way analysis of variance: what is left after the mean over b and the mean over a."""
    centred = activations - activations.mean((0, 1))
    rest = centred - centred.mean(0, keepdim=True) - centred.mean(1, keepdim=True)
    total = centred.square().sum((0, 1))
    return torch.where(total > 0, rest.square().sum((0, 1)) / total, torch.zeros_like(total))


def _one_by_one(activations: Tensor, basis: Tensor) -> Any:
    B, found = basis.double().numpy(), []
    for neuron in activations.double().numpy().transpose(2, 0, 1):
        C = B @ neuron @ B.T
        total = np.square(C).sum() - C[0, 0] ** 2
        found.append(0.0 if total <= 0 else float(np.square(C[1:, 1:]).sum() / total))
    return np.array(found, dtype=np.float32)


MISTAKES = [
    Mistake(
        "NaN for dead neurons",
        _unguarded,
        "A neuron that never fires has no variance, so you divide 0 by 0 there. Give it share 0.",
    ),
    Mistake(
        "mean in the total",
        _products_over(lambda power: power.sum((0, 1)).clamp_min(TINY)),
        "Your total includes the [0, 0] component, the neuron's mean. It is not variance: leave it out.",
    ),
    Mistake(
        "products of equal frequencies only",
        _products_over(varying, lambda power: own_products(power).sum(0)),
        "You count the products of a frequency with itself only. A product of two different frequencies is a product as "
        "well: everything with i ≥ 1 and j ≥ 1.",
    ),
    Mistake(
        "products of equal components only",
        _products_over(varying, lambda power: power[1:, 1:].diagonal().sum(1)),
        "You count the diagonal only: cos k · cos k and sin k · sin k. All products count: the whole block i ≥ 1, j ≥ 1.",
    ),
    Mistake(
        "waves of a alone counted",
        _products_over(varying, lambda power: power[1:].sum((0, 1))),
        "You count column 0 as well: there the wave in a is multiplied by b's constant, so it is a function of a alone.",
    ),
    Mistake(
        "waves of b alone counted",
        _products_over(varying, lambda power: power[:, 1:].sum((0, 1))),
        "You count row 0 as well: there the wave in b is multiplied by a's constant, so it is a function of b alone.",
    ),
    Mistake(
        "the rest in place of the products",
        _products_over(varying, lambda power: power[1:, 0].sum(0) + power[0, 1:].sum(0)),
        "This is the share of f(a) + g(b), the part that is *not* in products: what you want is the rest.",
    ),
    Mistake(
        "ratio to the rest",
        _products_over(lambda power: (power[1:, 0].sum(0) + power[0, 1:].sum(0)).clamp_min(TINY)),
        "You divide the products by what is not products. A share is a part of the whole: divide by both together.",
    ),
    Mistake(
        "lengths in place of squares",
        _products_over(lambda power: varying(power.sqrt()), lambda power: power.sqrt()[1:, 1:].sum((0, 1))),
        "You add up absolute coefficients. Variance is a sum of squares.",
    ),
    Mistake(
        "one total for all neurons",
        _products_over(lambda power: varying(power).sum()),
        "You divide by the variance of all neurons together. Each neuron has its own total.",
    ),
    Mistake(
        "one number for all neurons",
        lambda activations, basis: (
            power_of(activations, basis)[1:, 1:].sum() / varying(power_of(activations, basis)).sum()
        ),
        "You sum over the neurons as well. Keep the last axis: one share for each neuron.",
    ),
    Mistake(
        "not divided",
        _products_over(lambda power: 1.0),
        "These are sums of squares, not yet shares: divide by the neuron's variance.",
    ),
]


@check(
    reference=fourier.product_share,
    alternatives=[_without_waves, _one_by_one],
    mistakes=MISTAKES,
    cases=lambda: [
        (torch.cat([noise(7, 7, 3, seed=1) + 1, torch.zeros(7, 7, 1).double()], -1), basis_of(7)),
        (population(), basis_of(11)),
    ],
)
def test_product_share(answer: Any) -> None:
    """Say what share of each neuron's variance lies in products of a wave in a with a wave in b."""
    f, g, h = noise(11, 1, seed=1) + 2, noise(1, 11, seed=2) - 1, noise(11, 11, seed=3)
    f0, g0 = f - f.mean(), g - g.mean()
    neurons = torch.stack([f + g, 3 + f0 * g0, f + 0 * g], -1)
    share = call(answer, neurons, basis_of(11))
    expect_shape(share, (3,), what="the shares of three neurons", why="One for each neuron, the last axis.")
    expect_dtype(share, "float", what="the shares")
    expect_finite(share, what="the shares")
    for m, words, wanted in ((0, "f(a) + g(b)", 0.0), (1, "3 + f(a) · g(b), f and g of mean 0", 1.0), (2, "f(a)", 0.0)):
        why = "The mean, 3, is not variance." if wanted else "A sum of functions of one number each holds no product."
        expect_close(share[m], wanted, atol=1e-5, what=f"the share of the neuron {words}", why=why)
    neurons = torch.stack([f * g, torch.relu(f + g + h), 0 * h, h + 4, (f + g).abs(), 0.02 * h - 0.01], -1)
    for p, values in ((11, neurons), (7, noise(7, 7, 4, seed=6) - 1), (5, noise(5, 5, 2, seed=7))):
        share = call(answer, values, basis_of(p))
        expect_shape(share, (values.shape[-1],), what=f"the shares for p = {p}")
        expect_finite(share, what="the shares where one neuron is zero everywhere", why="A dead neuron has share 0.")
        expect_close(share, _left_over(values), what=f"the shares for p = {p}", why=_LEFT_OVER)
    one = {
        "products of equal frequencies": {(1, 1): 1, (2, 1): 2, (0, 3): 2},
        "of different ones": {(1, 4): 3, (5, 0): 4},
    }
    for (words, parts), wanted in zip(one.items(), (5 / 9, 9 / 25), strict=True):
        share = call(answer, table(parts, 7)[..., None], basis_of(7))
        expect_close(share, [wanted], what=f"the share of a neuron with products {words}", why="Squares over squares.")
    values = noncontiguous(noise(13, 13, 3, seed=9, dtype=torch.float32) + 1)
    share = call(answer, values, basis_of(13).float())
    expect_close(share, _left_over(values), rtol=1e-3, what="the shares of float32 neurons", why=_LEFT_OVER)


_LEFT_OVER = "It is what is left of the neuron after its best fit f(a) + g(b), as a share of its variance."


def _left_over(neurons: Tensor) -> Tensor:
    """The same without waves, by least squares on functions of a and functions of b, one neuron at a time."""
    values = neurons.double().numpy()
    p = len(values)
    a, b = (axis.ravel() for axis in np.mgrid[:p, :p])
    design = np.concatenate([np.eye(p)[a], np.eye(p)[b]], 1)
    flat = values.reshape(p * p, -1)
    residual = flat - design @ np.linalg.lstsq(design, flat, rcond=None)[0]
    variance = ((flat - flat.mean(0)) ** 2).sum(0)
    return torch.from_numpy(np.where(variance > 0, (residual**2).sum(0) / np.where(variance > 0, variance, 1), 0.0))
