"""Exercise: where and how steeply does accuracy rise with the number of questions?"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.optimize import curve_fit, least_squares, minimize
from scipy.special import expit

from course_utils import efficiency
from course_utils.checks.framework import Mistake, call, check, expect, expect_close, expect_finite

Array = np.ndarray
Pair = tuple[float, float]
_81 = math.log(81)  # from 1 : 9 to 9 : 1


def _curve(sizes: Array, midpoint: Any, width: Any) -> Array:
    """Accuracies of the curve that has this midpoint and this width."""
    return 1 / (1 + (midpoint / sizes) ** (_81 / np.log(width)))


def _squares(sizes: Array, accuracies: Array, midpoint: float, width: float) -> float:
    with np.errstate(over="ignore"):
        return float(((_curve(sizes, midpoint, width) - accuracies) ** 2).sum())


def _searched(sizes: Array, accuracies: Array) -> Pair:
    """The best of a grid of curves, then of a finer grid around it, and so on."""
    x = np.log(sizes)
    low, high = np.array([x.min(), math.log(0.5)]), np.array([x.max(), math.log(60)])
    for _ in range(9):
        middles, steepnesses = (np.linspace(a, b, 31) for a, b in zip(low, high, strict=True))
        curves = expit(np.exp(steepnesses)[None, :, None] * (x - middles[:, None, None]))
        i, j = np.unravel_index(((curves - accuracies) ** 2).sum(-1).argmin(), (31, 31))
        best, cell = np.array([middles[i], steepnesses[j]]), (high - low) / 30
        low, high = best - 3 * cell, best + 3 * cell
    return math.exp(best[0]), math.exp(_81 / math.exp(best[1]))


class _Fitted(NamedTuple):
    middle: Any
    factor: Any


def _by_curve_fit(sizes: Array, accuracies: Array) -> _Fitted:
    """In the numbers wanted themselves."""
    start = (float(np.exp(np.log(sizes).mean())), 3.0)
    bounds = ([1e-9, 1.0001], [np.inf, np.inf])
    (midpoint, width), _ = curve_fit(_curve, sizes, accuracies, p0=start, bounds=bounds)
    return _Fitted(np.float64(midpoint), np.float64(width))


def _by_simplex(sizes: Array, accuracies: Array) -> list[float]:
    """Nelder and Mead's search, in midpoint and steepness."""

    def error(place: Array) -> float:
        with np.errstate(all="ignore"):
            return float(((1 / (1 + (np.exp(place[0]) / sizes) ** place[1]) - accuracies) ** 2).sum())

    start = (float(np.log(sizes[np.abs(accuracies - 0.5).argmin()])), 4.0)
    middle, steepness = minimize(error, start, method="Nelder-Mead").x
    return [math.exp(middle), 9 ** (2 / steepness)]


def _by_newton(sizes: Array, accuracies: Array) -> tuple[Any, Any]:
    """Damped Gauss–Newton with torch in double precision, on slope and constant of the line inside the logistic function."""
    x, y = torch.tensor(np.log2(sizes)), torch.tensor(accuracies)
    middle = x.mean()
    design = torch.stack([x - middle, torch.ones_like(x)], 1)
    place, damping = torch.tensor([2.0, 0.0], dtype=torch.float64), 1e-3
    for _ in range(60):
        fitted = torch.sigmoid(design @ place)
        jacobian = design * (fitted * (1 - fitted))[:, None]
        normal = jacobian.T @ jacobian
        step = torch.linalg.solve(normal + damping * torch.diag(normal.diag() + 1e-9), jacobian.T @ (y - fitted))
        if (torch.sigmoid(design @ (place + step)) - y).square().sum() <= (fitted - y).square().sum():
            place, damping = place + step, damping / 5
        else:
            damping *= 7
    slope, constant = place
    return 2 ** (middle - constant / slope), 2 ** (math.log(81) / slope)


def _line_fit(x: Array, accuracies: Array) -> Pair:
    """Where a logistic curve in x is at ½, and how steep it is."""
    spread = float(x.max() - x.min())
    start = (float(x[np.abs(accuracies - 0.5).argmin()]), math.log(8 / spread))
    middle, steepness = least_squares(lambda p: expit(np.exp(p[1]) * (x - p[0])) - accuracies, start).x
    return float(middle), float(np.exp(steepness))


def _changed(change: Callable[[float, float], Any]) -> Any:
    """A wrong answer made from the right midpoint and steepness s."""

    def wrong(sizes: Array, accuracies: Array) -> Any:
        middle, steepness = _line_fit(np.log(sizes), accuracies)
        return change(math.exp(middle), steepness)

    return wrong


def _right(sizes: Array, accuracies: Array) -> Pair:
    return _changed(lambda m, s: (m, 81 ** (1 / s)))(sizes, accuracies)


def _in_D(sizes: Array, accuracies: Array) -> Pair:
    middle, steepness = _line_fit(sizes, accuracies)
    return middle, (middle + math.log(9) / steepness) / (middle - math.log(9) / steepness)


def _sorted(sizes: Array, accuracies: Array) -> tuple[Array, Array]:
    order = np.argsort(sizes, kind="stable")
    return sizes[order], accuracies[order]


def _interpolated(sizes: Array, accuracies: Array, logarithmic: bool = False) -> Pair:
    x, y = _sorted(np.log(sizes) if logarithmic else sizes, accuracies)
    tenth, half, most = (float(np.interp(level, np.maximum.accumulate(y), x)) for level in (0.1, 0.5, 0.9))
    return (math.exp(half), math.exp(most - tenth)) if logarithmic else (half, most / tenth)


def _logit_line(sizes: Array, accuracies: Array) -> Pair:
    y = np.clip(accuracies, 1e-6, 1 - 1e-6)
    slope, constant = np.polyfit(np.log(sizes), np.log(y / (1 - y)), 1)
    return math.exp(-constant / slope), 81 ** (1 / slope)


def _logit_line_inside(sizes: Array, accuracies: Array) -> Pair:
    inside = (accuracies > 0) & (accuracies < 1)
    return _logit_line(sizes[inside], accuracies[inside])


def _means_first(sizes: Array, accuracies: Array) -> Pair:
    each = np.unique(sizes)
    return _right(each, np.array([accuracies[sizes == one].mean() for one in each]))


def _rising_part(sizes: Array, accuracies: Array) -> Pair:
    inside = (accuracies > 0.1) & (accuracies < 0.9)
    return _right(sizes[inside], accuracies[inside])


def _wrong_base(sizes: Array, accuracies: Array) -> Pair:
    middle, steepness = _line_fit(np.log10(sizes), accuracies)
    return 10**middle, 81 ** (1 / steepness)


def _without_a_start(curve: Callable[..., Any], change: Callable[[Any, Any], Any]) -> Any:
    """A wrong answer that leaves it to SciPy where the search begins."""

    def wrong(sizes: Array, accuracies: Array) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return change(*curve_fit(curve, sizes, accuracies)[0])

    return wrong


def _logistic(sizes: Array, log_m: Any, log_s: Any) -> Array:
    return 1 / (1 + np.exp(np.exp(log_s) * (log_m - np.log(sizes))))


MISTAKES = [
    Mistake(
        "no starting value",
        _without_a_start(_logistic, lambda m, s: (float(np.exp(m)), float(81 ** np.exp(-s)))),
        "Your search ends far from the points, because it starts far from them: without `p0`, `curve_fit` begins with 1 for "
        "every number that it looks for. Give it a starting value, such as the size whose accuracy is nearest to ½.",
    ),
    Mistake(
        "no starting value, without logarithms",
        _without_a_start(lambda D, m, s: 1 / (1 + (m / D) ** s), lambda m, s: (float(m), float(81 ** (1 / s)))),
        "Your search finds its way to some points and not to others, because it starts at 1 for every number: that is what "
        "`curve_fit` does without `p0`. Give it a starting value, such as the size whose accuracy is nearest to ½.",
    ),
    Mistake(
        "width first",
        lambda *args: _right(*args)[::-1],
        "You return the width first. The midpoint comes first.",
    ),
    Mistake(
        "steepness in place of width",
        _changed(lambda m, s: (m, s)),
        "Your second result is the steepness s. The width is a factor of D: at which D is the curve at 10 %, at which at 90 %?",
    ),
    Mistake(
        "difference",
        _changed(lambda m, s: (m, m * 9 ** (1 / s) - m * 9 ** (-1 / s))),
        "Your width is the *difference* of the D at 90 % and the D at 10 %. Wanted is how many times larger the one is.",
    ),
    Mistake(
        "width upside down",
        _changed(lambda m, s: (m, 81 ** (-1 / s))),
        "Your width is below 1: it is the D at 10 % divided by the D at 90 %. Divide the other way round.",
    ),
    Mistake(
        "half of the width",
        _changed(lambda m, s: (m, 9 ** (1 / s))),
        "Your width goes from 50 % to 90 % (or from 25 % to 75 %, which is the same factor). From 10 % to 90 % it is the square "
        "of that.",
    ),
    Mistake(
        "logarithm of the width",
        _changed(lambda m, s: (m, math.log(81) / s)),
        "Your width is the difference of the logarithms of D. Undo the logarithm to get the factor.",
    ),
    Mistake(
        "logarithm of the midpoint",
        _changed(lambda m, s: (math.log(m), 81 ** (1 / s))),
        "Your midpoint is the logarithm of D. Undo the logarithm.",
    ),
    Mistake(
        "both in logarithms",
        _changed(lambda m, s: (math.log(m), math.log(81) / s)),
        "Both of your results are in logarithms of D. Undo the logarithms.",
    ),
    Mistake(
        "s in place of 1/s",
        _changed(lambda m, s: (m, 81**s)),
        "Your width grows with the steepness. A steep curve has a narrow transition: solve (m/D)^s = 1/9 and = 9 for D.",
    ),
    Mistake(
        "another base",
        _wrong_base,
        "You fit over the decimal logarithm of D and turn the steepness into a width as if it were the natural one. Use one "
        "base throughout.",
    ),
    Mistake(
        "fitted over D",
        _in_D,
        "You fit a logistic curve over D itself. The curve of the exercise is logistic in ln D: (m/D)^s = e^(s (ln m − ln D)).",
    ),
    Mistake(
        "interpolated",
        _interpolated,
        "You read the levels off between neighbouring points, so that noise in a few of them decides. Fit one curve to all "
        "points.",
    ),
    Mistake(
        "interpolated over ln D",
        lambda sizes, accuracies: _interpolated(sizes, accuracies, logarithmic=True),
        "You read the levels off between neighbouring points (over ln D), so that noise in a few of them decides. Fit one "
        "curve to all points.",
    ),
    Mistake(
        "line through the log odds",
        _logit_line,
        "You fit a line to ln(accuracy / (1 − accuracy)), where the points near 0 and 1 count most. Least squares of the "
        "accuracies' own errors is asked for, which needs a search (SciPy's `least_squares` or `curve_fit`).",
    ),
    Mistake(
        "line through the log odds inside",
        _logit_line_inside,
        "You leave out accuracies of 0 and 1 and fit a line to ln(accuracy / (1 − accuracy)). Least squares of the accuracies' "
        "own errors takes all points, and needs a search (SciPy's `least_squares` or `curve_fit`).",
    ),
    Mistake(
        "means over each size first",
        _means_first,
        "You average over equal sizes first, and fit the means. All points count the same: a size that was measured more often "
        "counts more.",
    ),
    Mistake(
        "rising part only",
        _rising_part,
        "You fit only the points between 10 % and 90 %. All points belong to the fit.",
    ),
]

_EXACT = (
    (np.array([50.0, 100, 150, 200, 260, 400, 700]), 180.0, 4.0),
    (np.array([0.5, 0.8, 1.0, 1.4, 2.5, 3.0, 6.0, 9.0, 15.0]), 1.9, 9.0),
    (np.array([3000.0, 1200, 1500, 2100, 1800, 1650]), 1700.0, 1.6),
    (np.array([10.0, 30, 90]), 27.0, 6.0),
)


def _noisy(seed: int, n: int, midpoint: float, width: float, repeats: int = 1) -> tuple[Array, Array]:
    """Runs at sizes around the midpoint, each with an error; some sizes measured more often; not in order."""
    draw = np.random.default_rng(seed)
    sizes = midpoint * np.exp(draw.uniform(-1.3, 1.3, n) * math.log(width))
    sizes = np.repeat(sizes, np.where(np.arange(n) % 3 == 0, repeats, 1))
    sizes = sizes[draw.permutation(len(sizes))]
    return sizes, np.clip(_curve(sizes, midpoint, width) + draw.normal(scale=0.06, size=len(sizes)), 0, 1)


def _expect_among(midpoint: float, sizes: Array, what: str) -> None:
    """The midpoint is not beyond all sizes by many orders of magnitude, where a search ends that has lost its way."""
    expect(
        not midpoint > 1e6 * sizes.max() and not 0 <= midpoint < 1e-6 * sizes.min(),
        what=f"the midpoint {what} is nowhere near them",
        why="A search that starts far from the points may find no way to them: does yours get a starting value?",
        expected=f"among the sizes, which go from {sizes.min():.4g} to {sizes.max():.4g}",
        got=f"{midpoint:.4g}",
    )


@check(
    reference=efficiency.transition,
    alternatives=[_by_curve_fit, _by_simplex, _by_newton],
    mistakes=MISTAKES,
    cases=lambda: [_noisy(21, 12, 400.0, 2.2, 3), _noisy(22, 9, 60.0, 5.0)],
)
def test_transition(answer: Any) -> None:
    """Fit the curve along which accuracy rises with the number of questions; say where it is at ½ and how wide it is."""
    for sizes, midpoint, width in _EXACT:
        what = f"of {len(sizes)} points exactly on the curve with m = {midpoint:g} and s = {_81 / math.log(width):.4g}"
        found = call(answer, sizes, _curve(sizes, midpoint, width), returns=(float, float))
        _expect_among(found[0], sizes, what)
        expect_finite(list(found), what=f"(midpoint, width) {what}")
        expect_close(found[0], midpoint, rtol=1e-3, atol=0, what=f"the midpoint {what}", why="There the curve is at ½.")
        expect_close(
            found[1],
            width,
            rtol=1e-3,
            atol=0,
            what=f"the width {what}",
            why=f"It is at 10 % at D = {midpoint / math.sqrt(width):.5g}, and at 90 % at {midpoint * math.sqrt(width):.5g}.",
        )
    for i, (n, midpoint, width, repeats) in enumerate(((14, 300.0, 3.0, 1), (9, 2.0, 8.0, 4), (20, 5000.0, 1.7, 2))):
        sizes, accuracies = _noisy(i, n, midpoint, width, repeats)
        what = f"of {len(sizes)} noisy points around D = {midpoint:g}"
        middle, factor = call(answer, sizes, accuracies, returns=(float, float))
        _expect_among(middle, sizes, what)
        expect_finite([middle, factor], what=f"(midpoint, width) {what}")
        expect(
            middle > 0, what=f"the midpoint {what}", why="It is a number of questions.", expected="above 0", got=middle
        )
        expect(factor > 1, what=f"the width {what}", why="It is a factor of D.", expected="above 1", got=factor)
        mine = _squares(sizes, accuracies, middle, factor)
        least = _squares(sizes, accuracies, *_searched(sizes, accuracies))
        expect(
            mine <= 1.001 * least,
            what=f"the curve through your midpoint and width {what} is not the closest to the points",
            why="Compared are the sums of the squares of (accuracy of the curve − accuracy of the point), over all points.",
            expected=f"a sum of squares of at most {least:.6g}",
            got=f"{mine:.6g}, with a midpoint of {middle:.5g} and a width of {factor:.5g}",
        )
