"""Exercise: one side of the pairs with mean 0 and standard deviation 1 in each dimension."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from course_utils import ccs
from course_utils.checks.ccs.inputs import noise
from course_utils.checks.ccs.wrong_scaling import MISTAKES
from course_utils.checks.framework import call, check, expect_close, expect_finite, expect_shape, noncontiguous

_STILL = 1e-9  # a dimension with a smaller standard deviation does not vary
_ROUNDING = 0.02  # what stands for 0 in a dimension that does not vary
_MOST_ADDED = 1e-5  # to the variance: what `nn.BatchNorm1d` adds


def _column_by_column(x: Tensor) -> Tensor:
    """In double precision; divides by n − 1."""
    columns = []
    for column in x.double().unbind(1):
        varies = bool(column.max() > column.min())
        columns.append((column - column.mean()) / column.std() if varies else torch.zeros_like(column))
    return torch.stack(columns, 1)


def _numpy(x: Tensor) -> Any:
    a = np.asarray(x, dtype=np.float64)
    deviation = a.std(0)
    return (a - a.mean(0)) / np.where(deviation > 0, deviation, 1)


def _batch_norm(x: Tensor) -> Tensor:
    return torch.nn.BatchNorm1d(x.shape[1], affine=False)(x)


def _with_epsilon(x: Tensor) -> Tensor:
    variance, mean = torch.var_mean(x, 0, correction=0)
    return (x - mean) / (variance.sqrt() + 1e-6)


def _activations(n: int, d_model: int, seed: int) -> Float[Tensor, "n d_model"]:
    """Dimensions with means and standard deviations of their own."""
    spread = torch.linspace(0.3, 4, d_model)
    return noise(n, d_model, seed=seed) * spread + 3 * noise(d_model, seed=seed + 1) + 1


def _hardly_varying() -> Float[Tensor, "n d_model"]:
    """Activations with one dimension whose standard deviation is a thousandth."""
    x = _activations(40, 6, seed=5)
    x[:, 3] = 0.1 + 1e-3 * noise(40, seed=7)
    return x


def _still_up_to_rounding() -> Float[Tensor, "n d_model"]:
    """Activations of which every second dimension has one number everywhere, and a mean that is not quite that number."""
    x = _activations(1000, 16, seed=6)
    x[:, 1::2] = 3e-4 * torch.rand(8, generator=torch.Generator().manual_seed(8))
    return x


def _parts(x: Tensor, correction: int) -> tuple[Tensor, Tensor]:
    """x without its means, and the standard deviations; by NumPy, in double precision."""
    a = np.asarray(x, dtype=np.float64)
    centred = a - a.mean(0)
    return torch.from_numpy(centred), torch.from_numpy(np.sqrt((centred**2).sum(0) / (len(a) - correction)))


def _divisors(found: Tensor, centred: Tensor) -> Float[Tensor, "d_model"]:
    """What each dimension has been divided by; NaN where it is 0 everywhere, or no multiple of the centred x."""
    found = found.double()
    divisors = (centred * centred).sum(0) / (centred * found).sum(0)
    multiple = ((found * divisors - centred).abs() <= 1e-3 * centred.abs().amax(0)).all(0)
    return torch.where(multiple & (divisors > 0) & (centred.abs().amax(0) > _STILL), divisors, torch.nan)


def _without_rounding(found: Tensor, x: Tensor) -> Float[Tensor, "n d_model"]:
    """The answer with 0 where it is a rounding error over a tiny divisor: small, in a dimension that does not vary."""
    _, deviation = _parts(x, 0)
    return torch.where((deviation <= _STILL) & (found.abs() < _ROUNDING), torch.zeros_like(found), found)


def _wanted(found: Tensor, x: Tensor, correction: int) -> Float[Tensor, "n d_model"]:
    """x normalised, with as much added to the variances as the answer adds, up to `_MOST_ADDED`."""
    centred, deviation = _parts(x, correction)
    divisors = _divisors(found, centred).nan_to_num(0.0)
    divisors = torch.clamp(divisors, deviation, (deviation**2 + _MOST_ADDED).sqrt())
    return torch.where(deviation > _STILL, centred / divisors, 0.0)


def _too_careful(found: Tensor, x: Tensor) -> str:
    """A sentence if the answer keeps its divisor from 0 by something too large, whatever it is; else an empty one."""
    for correction in (0, 1):
        centred, deviation = _parts(x, correction)
        divisors = _divisors(found, centred)
        d, s = divisors[~divisors.isnan()], deviation[~divisors.isnan()]
        low = d > 1.002 * s
        if (deviation > _STILL).sum() != len(d) or not low.any():
            continue
        floor = float(d[low].min())
        if ((d - torch.clamp_min(s, floor)).abs() <= 1e-4 * d).all():
            return (
                f"You divide by no less than {floor:.3g}, and a dimension may well vary less: its standard deviation "
                f"is {float(s.min()):.2g} here. A bound need only keep the divisor from 0: make it as small as 1e-6."
            )
        for name, added in (("standard deviation", d - s), ("variance", d**2 - s**2)):
            usual = float(added.median())
            if ((added - usual).abs() <= 0.05 * abs(usual)).all():
                return (
                    f"You add {usual:.3g} to the {name}, and that is not little beside every dimension's own. What is added need "
                    "only keep the divisor from 0: make it as small as 1e-6, or take a bound in its place, `clamp_min(1e-6)`."
                )
    return ""


@check(
    reference=ccs.normalise,
    alternatives=[_column_by_column, _numpy, _with_epsilon, _batch_norm],
    mistakes=MISTAKES,
    cases=lambda: [(_activations(12, 5, 70),), (_activations(8, 9, 80),), (_hardly_varying(),)],
)
def test_normalise(answer: Any) -> None:
    """Give each dimension mean 0 and standard deviation 1 over the rows; one that does not vary becomes 0."""
    still = _activations(9, 7, seed=40)
    still[:, 2], still[:, 5] = 2.0, 0.0
    questions = [
        ("six rows", _activations(6, 4, seed=1)),
        ("300 rows", _activations(300, 11, seed=2)),
        ("activations with gaps in memory", noncontiguous(_activations(20, 13, seed=3))),
        ("activations far from 0", _activations(15, 6, seed=4) + 30),
        ("activations of which two dimensions do not vary", still),
        ("activations of which one dimension hardly varies", _hardly_varying()),
        ("1000 rows of which eight dimensions do not vary", _still_up_to_rounding()),
    ]
    for words, x in questions:
        found = call(answer, x)
        expect_shape(found, tuple(x.shape), what=f"the result for {words}", why="Each number has its place as before.")
        expect_finite(found, what=f"the result for {words}", why="A dimension that does not vary becomes 0.")
        found = _without_rounding(found, x)
        expect_close(
            found.double().mean(0),
            torch.zeros(x.shape[1]),
            what=f"the means over rows, for {words}",
            why="Each dimension is to have mean 0.",
            atol=2e-4,
        )
        either = [_wanted(found, x, correction) for correction in (0, 1)]
        nearest = min(either, key=lambda wanted: min(float((found.double() - s * wanted).abs().sum()) for s in (1, -1)))
        expect_close(
            found,
            nearest,
            what=f"the result for {words}",
            why=_too_careful(found, x)
            or "Each dimension is to have standard deviation 1 over the rows (divided by n or by n − 1, as you like), "
            "and one that does not vary is to be 0.",
            rtol=1e-3,
            atol=1e-3,
        )
