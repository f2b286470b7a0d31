"""Exercise: which power law do the points follow?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import progress
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite, noncontiguous
from course_utils.checks.grokking.inputs import noise


def _line(u: Tensor, v: Tensor) -> tuple[float, float]:
    """Slope and intercept of v over u, by least squares."""
    slope, intercept = np.polyfit(u.numpy(), v.numpy(), 1)
    return float(slope), float(intercept)


def _right(x: Tensor, y: Tensor) -> tuple[float, float]:
    slope, intercept = _line(x.log(), y.log())
    return slope, math.exp(intercept)


def _changed(change: Any) -> Any:
    """A wrong answer made from the right exponent and factor."""
    return lambda x, y: change(*_right(x, y), x, y)


def _from_log10(factor: Any) -> Any:
    def wrong(x: Tensor, y: Tensor) -> tuple[float, float]:
        slope, intercept = _line(x.log10(), y.log10())
        return slope, factor(intercept)

    return wrong


def _through_origin(x: Tensor, y: Tensor) -> tuple[float, float]:
    slope = float((x.log() * y.log()).sum() / x.log().square().sum())
    return slope, math.exp(float(y.log().mean() - slope * x.log().mean()))


def _without_constant(x: Tensor, y: Tensor) -> tuple[float, float]:
    return float((x.log() * y.log()).sum() / x.log().square().sum()), 1.0


def _ends(x: Tensor, y: Tensor) -> tuple[float, float]:
    slope = float((y[-1] / y[0]).log() / (x[-1] / x[0]).log())
    return slope, float(y[0] / x[0] ** slope)


def _local_slopes(x: Tensor, y: Tensor) -> tuple[float, float]:
    slope = float((y.log().diff() / x.log().diff()).mean())
    return slope, math.exp(float(y.log().mean() - slope * x.log().mean()))


def _uneven_corrections(x: Tensor, y: Tensor) -> tuple[float, float]:
    u, v = x.log(), y.log()
    slope = float(((u - u.mean()) * (v - v.mean())).mean() / u.var())
    return slope, math.exp(float(v.mean() - slope * u.mean()))


def _correlation(x: Tensor, y: Tensor) -> tuple[float, float]:
    slope = float(np.corrcoef(x.log().numpy(), y.log().numpy())[0, 1])
    return slope, math.exp(float(y.log().mean() - slope * x.log().mean()))


def _semi_log(x: Tensor, y: Tensor) -> tuple[float, float]:
    slope, intercept = _line(x, y.log())
    return slope, math.exp(intercept)


def _least_squares(x: Tensor, y: Tensor) -> Any:
    design = torch.stack([x.log2(), torch.ones_like(x)], 1)
    slope, intercept = torch.linalg.lstsq(design, y.log2()[:, None]).solution.flatten()
    return [slope, 2**intercept]


def _single(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    u, v = x.float().log10(), y.float().log10()
    slope = ((u - u.mean()) * (v - v.mean())).sum() / ((u - u.mean()) ** 2).sum()
    return slope, 10 ** (v - slope * u).mean()


def _normal_equations(x: Tensor, y: Tensor) -> tuple[float, float]:
    pairs = [(math.log(s), math.log(t)) for s, t in zip(x.tolist(), y.tolist(), strict=True)]
    n, su, sv = len(pairs), sum(u for u, _ in pairs), sum(v for _, v in pairs)
    slope = (n * sum(u * v for u, v in pairs) - su * sv) / (n * sum(u * u for u, _ in pairs) - su * su)
    return slope, math.exp((sv - slope * su) / n)


MISTAKES = [
    Mistake(
        "factor first",
        lambda x, y: _right(x, y)[::-1],
        "You return the factor first. The exponent comes first, then the factor.",
    ),
    Mistake(
        "x and y exchanged",
        lambda x, y: _right(y, x),
        "You fit x as a power of y. In y = c·xⁿ it is log y that is explained by log x.",
    ),
    Mistake(
        "logarithm of the factor",
        _changed(lambda n, c, x, y: (n, math.log(c))),
        "Your second result is the line's intercept, the *logarithm* of c. Undo the logarithm.",
    ),
    Mistake(
        "decimal logarithm, natural exponential",
        _from_log10(math.exp),
        "You fit in decimal logarithms and undo them with e to the power of the intercept. Use 10 to that power, or natural "
        "logarithms throughout (the exponent is the same either way).",
    ),
    Mistake(
        "natural logarithm, power of ten",
        _changed(lambda n, c, x, y: (n, 10 ** math.log(c))),
        "You fit in natural logarithms and undo them with 10 to the power of the intercept. Undo a logarithm with its own "
        "base.",
    ),
    Mistake(
        "decimal logarithm of the factor",
        _from_log10(float),
        "Your second result is the line's intercept, the decimal *logarithm* of c. Undo the logarithm.",
    ),
    Mistake(
        "sign of the exponent",
        _changed(lambda n, c, x, y: (-n, c)),
        "The sign of your exponent is turned round: y grows with x where n is positive.",
    ),
    Mistake(
        "line without a constant",
        _without_constant,
        "You fit a line through the origin of the logarithms, which makes c = 1. A line has a slope and a constant, and c "
        "comes from the constant.",
    ),
    Mistake(
        "slope through the origin",
        _through_origin,
        "Your slope is that of a line through the origin of the logarithms. Take the mean off the logarithms of x before you "
        "multiply and divide.",
    ),
    Mistake(
        "slope from the ends",
        _ends,
        "You use the first and the last point only. Least squares uses them all (and the points need not be in order).",
    ),
    Mistake(
        "mean of the slopes between neighbours",
        _local_slopes,
        "You average the slopes from each point to the next. Least squares gives one slope for all points together, and does "
        "not depend on their order.",
    ),
    Mistake(
        "n in one place, n − 1 in the other",
        _uneven_corrections,
        "Your exponent is off by a factor (n − 1)/n: `var` divides by n − 1 unless told otherwise, and your covariance "
        "divides by n. Use sums, or the same divisor in both.",
    ),
    Mistake(
        "correlation",
        _correlation,
        "Your exponent is the correlation of the logarithms, which never leaves −1 … 1. The slope is the covariance divided "
        "by the variance of log x.",
    ),
    Mistake(
        "logarithm of y only",
        _semi_log,
        "You take the logarithm of y only: that fits an exponential, c·eⁿˣ. A power law is a line when both are logarithms.",
    ),
    Mistake(
        "no logarithms",
        _line,
        "You fit the line y = nx + c. Take the logarithms of both first: log y = n log x + log c.",
    ),
    Mistake(
        "factor from the means",
        _changed(lambda n, c, x, y: (n, float(y.mean() / x.mean() ** n))),
        "Your factor comes from the means of x and y. The line goes through the means of the *logarithms*: find c from "
        "those.",
    ),
    Mistake(
        "slope forgotten in the factor",
        _changed(lambda n, c, x, y: (n, float(y.log().mean().exp()))),
        "Your factor is the mean of log y, undone. That is the line's height in the middle of the points; go back from there "
        "to log x = 0.",
    ),
]


def _scattered(n: int, exponent: float, factor: float, spread: float, seed: int) -> tuple[Tensor, Tensor]:
    """Points in no order, about a power law."""
    x = (1.3 * noise(n, seed=seed) + 0.7).exp()
    return x, factor * x**exponent * (spread * noise(n, seed=seed + 1)).exp()


@check(
    reference=progress.power_law,
    alternatives=[_least_squares, _single, _normal_equations],
    mistakes=MISTAKES,
    cases=lambda: [_scattered(8, 1.4, 0.3, 0.5, seed=21), _scattered(13, -0.8, 6.0, 0.3, seed=23)],
)
def test_power_law(answer: Any) -> None:
    """Find the exponent and the factor of y ≈ c·xⁿ by least squares on the logarithms."""
    for n, exponent, factor in ((5, 2.0, 3.0), (4, -0.75, 0.2), (9, 0.5, 40.0)):
        x, y = _scattered(n, exponent, factor, 0, seed=n)
        found = call(answer, x, y, returns=(float, float))
        what = f"of points that lie on {factor:g}·x^{exponent:g}"
        for name, mine, wanted in zip(("exponent", "factor"), found, (exponent, factor), strict=True):
            expect_finite(mine, what=f"the {name} {what}")
            expect_close(mine, wanted, what=f"the {name} {what}", why="There is nothing else in these points.")
    for n, exponent, factor, spread in ((7, -1.6, 5.0, 0.4), (12, 0.9, 0.07, 0.8), (31, 3.2, 1.8, 0.2), (2, 1.5, 2, 1)):
        x, y = _scattered(n, exponent, factor, spread, seed=100 + n)
        if n == 12:
            x, y = noncontiguous(x), noncontiguous(y)
        slope, intercept = np.polyfit(np.log(x.numpy()), np.log(y.numpy()), 1)
        found = call(answer, x, y, returns=(float, float))
        for name, mine, wanted in zip(("exponent", "factor"), found, (slope, np.exp(intercept)), strict=True):
            expect_close(
                mine,
                float(wanted),
                what=f"the {name} for {n} points scattered about a power law",
                why="NumPy's fit of a line to the logarithms says so.",
            )
