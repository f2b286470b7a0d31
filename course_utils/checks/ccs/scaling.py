"""Exercise: one side of the pairs with mean 0 and standard deviation 1 in each dimension."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from course_utils import ccs
from course_utils.checks.ccs.inputs import noise
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite, expect_shape, noncontiguous


def _column_by_column(x: Tensor) -> Tensor:
    """In double precision; divides by n − 1."""
    columns = []
    for column in x.double().unbind(1):
        varies = bool(column.max() > column.min())
        columns.append((column - column.mean()) / column.std() if varies else torch.zeros_like(column))
    return torch.stack(columns, 1)


def _numpy(x: Tensor) -> Any:
    a = np.asarray(x)
    deviation = a.std(0)
    return (a - a.mean(0)) / np.where(deviation > 0, deviation, 1)


def _without_nan(x: Tensor) -> Tensor:
    return torch.nan_to_num((x - x.mean(0)) / x.std(0))


def _with_epsilon(x: Tensor) -> Tensor:
    variance, mean = torch.var_mean(x, 0, correction=0)
    return (x - mean) / (variance.sqrt() + 1e-6)


def _scale(deviation: Tensor) -> Tensor:
    return torch.where(deviation > 0, deviation, 1)


def _made(change: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Any:
    """A wrong answer made of x, each dimension's mean, and its standard deviation (1 where that is 0)."""
    return lambda x: change(x, x.mean(0), _scale(x.std(0)))


def _in_place(x: Tensor) -> Tensor:
    x -= x.mean(0)
    x /= _scale(x.std(0))
    return x


def _over_rows(x: Tensor) -> Tensor:
    return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)


def _unit_rows(x: Tensor) -> Tensor:
    centred = x - x.mean(0)
    return centred / centred.norm(dim=1, keepdim=True)


def _unit_columns(x: Tensor) -> Tensor:
    centred = x - x.mean(0)
    return centred / _scale(centred.norm(dim=0))


def _to_one(x: Tensor) -> Tensor:
    return (x - x.amin(0)) / _scale(x.amax(0) - x.amin(0))


def _to_sizes(x: Tensor) -> Tensor:
    return (x - x.mean(0)) / _scale((x - x.mean(0)).abs().amax(0))


MISTAKES = [
    Mistake(
        "over each row",
        _over_rows,
        "You take mean and standard deviation over each row's dimensions. Take them over the rows (dim 0): what both sides of "
        "a pair differ by on average is a vector, and it is this that has to go.",
    ),
    Mistake(
        "one mean and one deviation",
        lambda x: (x - x.mean()) / x.std(),
        "You take one mean and one standard deviation of all numbers. Each dimension has its own: take them over the rows.",
    ),
    Mistake(
        "one deviation",
        _made(lambda x, mean, deviation: (x - mean) / x.std()),
        "You divide by one standard deviation, that of all numbers. Each dimension has its own.",
    ),
    Mistake(
        "one mean",
        _made(lambda x, mean, deviation: (x - x.mean()) / deviation),
        "You take away one mean, that of all numbers. Each dimension has its own.",
    ),
    Mistake(
        "not centred",
        _made(lambda x, mean, deviation: x / deviation),
        "You divide by the standard deviation, but the mean is still there. Take it away first.",
    ),
    Mistake(
        "not scaled",
        _made(lambda x, mean, deviation: x - mean),
        "You take the mean away, and leave the standard deviations as they are. Divide by them.",
    ),
    Mistake(
        "divided by the variance",
        _made(lambda x, mean, deviation: (x - mean) / deviation**2),
        "You divide by the variance. Divide by its square root, the standard deviation.",
    ),
    Mistake(
        "multiplied",
        _made(lambda x, mean, deviation: (x - mean) * deviation),
        "You multiply by the standard deviation. Divide by it.",
    ),
    Mistake(
        "mean taken away after scaling",
        _made(lambda x, mean, deviation: x / deviation - mean),
        "You divide first, and then take away the mean of what was there before. Centre first, or take the mean again.",
    ),
    Mistake(
        "mean added",
        _made(lambda x, mean, deviation: (x + mean) / deviation),
        "You add the mean. Take it away.",
    ),
    Mistake(
        "divided by the size of x",
        _made(lambda x, mean, deviation: (x - mean) / _scale(x.square().mean(0).sqrt())),
        "You divide by the root of the mean square of x as it was, in which the mean counts too. Divide by the standard "
        "deviation, that of the centred x.",
    ),
    Mistake(
        "rows of length 1",
        _unit_rows,
        "You give each row length 1. Asked for is standard deviation 1 over the rows, in each dimension.",
    ),
    Mistake(
        "columns of length 1",
        _unit_columns,
        "You give each dimension length 1 over the rows. With standard deviation 1 the length is √n: divide by the root of the "
        "*mean* square.",
    ),
    Mistake(
        "from 0 to 1",
        _to_one,
        "You scale each dimension to go from 0 to 1. Asked for are mean 0 and standard deviation 1.",
    ),
    Mistake(
        "largest is 1",
        _to_sizes,
        "You divide each dimension by its largest size. Divide by the standard deviation.",
    ),
    Mistake(
        "NaN where nothing varies",
        lambda x: (x - x.mean(0)) / x.std(0),
        "A dimension that does not vary has standard deviation 0, and 0 divided by 0 is NaN. It is to become 0: keep the "
        "divisor above 0, with `clamp_min` for instance.",
    ),
    Mistake(
        "kept where nothing varies",
        lambda x: torch.where(x.std(0) > 0, (x - x.mean(0)) / _scale(x.std(0)), x),
        "You leave a dimension that does not vary as it is. It has to lose its mean too, and becomes 0.",
    ),
    Mistake(
        "1 where nothing varies",
        lambda x: torch.where(x.std(0) > 0, (x - x.mean(0)) / _scale(x.std(0)), 1.0),
        "You put a dimension that does not vary at 1. It has mean 0 as the others do: it becomes 0.",
    ),
    Mistake(
        "left out where nothing varies",
        lambda x: ((x - x.mean(0)) / _scale(x.std(0)))[:, x.std(0) > 0],
        "You leave dimensions out that do not vary, so that the others move to other places. They stay, with 0 in them.",
    ),
    Mistake(
        "in place",
        _in_place,
        "The numbers are right, but you have written them over the activations you were given (`-=` or `/=`). They are needed "
        "as they were: make a new tensor, as in `x = x - x.mean(0)`.",
    ),
]


def _activations(n: int, d_model: int, seed: int) -> Float[Tensor, "n d_model"]:
    """Dimensions with means and standard deviations of their own."""
    spread = torch.linspace(0.3, 4, d_model)
    return noise(n, d_model, seed=seed) * spread + 3 * noise(d_model, seed=seed + 1) + 1


def _wanted(x: Tensor, divisor: int) -> Float[Tensor, "n d_model"]:
    """In NumPy, the variance divided by this number."""
    a = np.asarray(x, dtype=np.float64)
    centred = a - a.mean(0)
    deviation = np.sqrt((centred**2).sum(0) / divisor)
    return torch.from_numpy(np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 1e-12))


@check(
    reference=ccs.normalise,
    alternatives=[_column_by_column, _numpy, _without_nan, _with_epsilon],
    mistakes=MISTAKES,
    cases=lambda: [(_activations(12, 5, 70),), (_activations(8, 9, 80),)],
)
def test_normalise(answer: Any) -> None:
    """Give each dimension mean 0 and standard deviation 1 over the rows; one that does not vary becomes 0."""
    still = _activations(9, 7, seed=40)
    still[:, 2], still[:, 5] = 2.0, 0.0
    questions = [
        ("six rows", _activations(6, 4, seed=1)),
        ("300 rows", _activations(300, 11, seed=2)),
        ("float64 activations", noncontiguous(_activations(20, 13, seed=3).double())),
        ("activations far from 0", _activations(15, 6, seed=4) + 30),
        ("activations of which two dimensions do not vary", still),
    ]
    for words, x in questions:
        found = call(answer, x)
        expect_shape(found, tuple(x.shape), what=f"the result for {words}", why="Each number has its place as before.")
        expect_finite(found, what=f"the result for {words}", why="A dimension that does not vary becomes 0.")
        expect_close(
            found.double().mean(0),
            torch.zeros(x.shape[1]),
            what=f"the means over rows, for {words}",
            why="Each dimension is to have mean 0.",
            atol=2e-4,
        )
        either = [_wanted(x, divisor) for divisor in (len(x), len(x) - 1)]
        nearest = min(either, key=lambda wanted: float((found.double() - wanted).abs().sum()))
        expect_close(
            found,
            nearest,
            what=f"the result for {words}",
            why="Each dimension is to have standard deviation 1 over the rows (divided by n or by n − 1, as you like), and one "
            "that does not vary is to be 0.",
            rtol=1e-3,
            atol=1e-3,
        )
