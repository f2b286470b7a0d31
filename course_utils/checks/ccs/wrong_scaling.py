"""Which wrong ways of normalising are plausible?  The catalogue of `scaling`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks.framework import Mistake


def _scale(deviation: Tensor) -> Tensor:
    return torch.where(deviation > 0, deviation, 1)


def _std(x: Tensor, correction: int) -> Tensor:
    """Each dimension's standard deviation."""
    return x.std(0, correction=correction)


def _either(name: str, wrong: Callable[[Tensor, int], Tensor], sentence: str) -> list[Mistake]:
    """One mistake with sums divided by n − 1 and with sums divided by n, which are not alike enough to be taken for each other.

    wrong: of x, and what is taken from n.
    """
    return [
        Mistake(name, lambda x: wrong(x, 1), sentence),
        Mistake(
            f"{name}, divided by n",
            lambda x: wrong(x, 0),
            f"{sentence} (Whether sums are divided by n or by n − 1 does not matter.)",
        ),
    ]


def _made(name: str, change: Callable[[Tensor, Tensor, Tensor], Tensor], sentence: str) -> list[Mistake]:
    """Wrong answers made of x, each dimension's mean, and its standard deviation (1 where that is 0)."""
    return _either(name, lambda x, correction: change(x, x.mean(0), _scale(_std(x, correction))), sentence)


def _in_place(x: Tensor, correction: int) -> Tensor:
    x -= x.mean(0)
    x /= _scale(_std(x, correction))
    return x


def _over_rows(x: Tensor, correction: int) -> Tensor:
    return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True, correction=correction)


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
    *_either(
        "over each row",
        _over_rows,
        "You take mean and standard deviation over each row's dimensions. Take them over the rows (dim 0): what both sides of "
        "a pair differ by on average is a vector, and it is this that has to go.",
    ),
    *_either(
        "one mean and one deviation",
        lambda x, correction: (x - x.mean()) / x.std(correction=correction),
        "You take one mean and one standard deviation of all numbers. Each dimension has its own: take them over the rows.",
    ),
    *_either(
        "one deviation",
        lambda x, correction: (x - x.mean(0)) / x.std(correction=correction),
        "You divide by one standard deviation, that of all numbers. Each dimension has its own.",
    ),
    *_made(
        "one mean",
        lambda x, mean, deviation: (x - x.mean()) / deviation,
        "You take away one mean, that of all numbers. Each dimension has its own.",
    ),
    *_made(
        "not centred",
        lambda x, mean, deviation: x / deviation,
        "You divide by the standard deviation, but the mean is still there. Take it away first.",
    ),
    Mistake(
        "not scaled",
        lambda x: x - x.mean(0),
        "You take the mean away, and leave the standard deviations as they are. Divide by them.",
    ),
    *_made(
        "divided by the variance",
        lambda x, mean, deviation: (x - mean) / deviation**2,
        "You divide by the variance. Divide by its square root, the standard deviation.",
    ),
    *_made(
        "multiplied",
        lambda x, mean, deviation: (x - mean) * deviation,
        "You multiply by the standard deviation. Divide by it.",
    ),
    *_made(
        "mean taken away after scaling",
        lambda x, mean, deviation: x / deviation - mean,
        "You divide first, and then take away the mean of what was there before. Centre first, or take the mean again.",
    ),
    *_made(
        "median",
        lambda x, mean, deviation: (x - x.median(0).values) / deviation,
        "You take the median away, which leaves a mean that is not 0. Take the mean away.",
    ),
    *_made(
        "x taken from the mean",
        lambda x, mean, deviation: (mean - x) / deviation,
        "All signs are the wrong way round: you take x from the mean. Take the mean from x.",
    ),
    *_made(
        "mean added",
        lambda x, mean, deviation: (x + mean) / deviation,
        "You add the mean. Take it away.",
    ),
    Mistake(
        "divided by the size of x",
        lambda x: (x - x.mean(0)) / _scale(x.square().mean(0).sqrt()),
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
    *_either(
        "NaN where nothing varies",
        lambda x, correction: (x - x.mean(0)) / _std(x, correction),
        "A dimension that does not vary has standard deviation 0, and 0 divided by 0 is NaN. It is to become 0: keep the "
        "divisor above 0 by very little, with `clamp_min(1e-6)` for instance.",
    ),
    *_either(
        "rounding taken for variation",
        lambda x, correction: torch.nan_to_num((x - x.mean(0)) / _std(x, correction)),
        "You mend 0 divided by 0, but in a dimension that does not vary x less its mean is 0 only up to rounding, and dividing "
        "that by nothing, or nearly nothing, makes it large. Keep the divisor above 0 with `clamp_min(1e-6)`, for instance.",
    ),
    *_either(
        "kept where nothing varies",
        lambda x, correction: torch.where(x.std(0) > 0, (x - x.mean(0)) / _scale(_std(x, correction)), x),
        "You leave a dimension that does not vary as it is. It has to lose its mean too, and becomes 0.",
    ),
    *_either(
        "1 where nothing varies",
        lambda x, correction: torch.where(x.std(0) > 0, (x - x.mean(0)) / _scale(_std(x, correction)), 1.0),
        "You put a dimension that does not vary at 1. It has mean 0 as the others do: it becomes 0.",
    ),
    *_either(
        "left out where nothing varies",
        lambda x, correction: ((x - x.mean(0)) / _scale(_std(x, correction)))[:, x.std(0) > 0],
        "You leave dimensions out that do not vary, so that the others move to other places. They stay, with 0 in them.",
    ),
    *_either(
        "in place",
        _in_place,
        "The numbers are right, but you have written them over the activations you were given (`-=` or `/=`). They are needed "
        "as they were: make a new tensor, as in `x = x - x.mean(0)`.",
    ),
]
