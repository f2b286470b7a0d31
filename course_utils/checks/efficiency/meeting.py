"""Exercise: where do two curves, straight between their points, first meet?"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from course_utils import efficiency
from course_utils.checks.framework import Mistake, call, check, expect, expect_close, expect_finite
from course_utils.checks.returned import conformed

Array = np.ndarray


def _meetings(x: Array, one: Array, other: Array) -> list[Fraction]:
    """All places where the curves meet, stretch by stretch, in whole-number arithmetic."""
    found = set()
    at, gap = (
        [Fraction(v) for v in x.tolist()],
        [Fraction(b) - Fraction(a) for a, b in zip(one.tolist(), other.tolist(), strict=True)],
    )
    for i in range(len(at) - 1):
        rise = gap[i + 1] - gap[i]
        if rise == 0:
            continue
        place = -gap[i] / rise  # from 0 to 1 inside the stretch
        if 0 <= place <= 1:
            found.add(at[i] + place * (at[i + 1] - at[i]))
    return sorted(found)


def _by_walking(x: Array, one: Array, other: Array) -> float | None:
    for i, (a, b) in enumerate(zip(one, other, strict=True)):
        if a == b:
            return x[i]
        if i + 1 < len(x) and (a < b) != (one[i + 1] < other[i + 1]) and one[i + 1] != other[i + 1]:
            share = (b - a) / ((b - a) - (other[i + 1] - one[i + 1]))
            return (1 - share) * x[i] + share * x[i + 1]
    return None


def _by_bisection(x: Array, one: Array, other: Array) -> Any:
    """The first stretch whose ends differ in sign, halved until it is a point."""
    sign = np.sign(one - other)
    hits = np.flatnonzero(sign[:-1] * sign[1:] <= 0)
    if len(hits) == 0:
        return None
    low, high = x[hits[0]], x[hits[0] + 1]
    if sign[hits[0]] == 0:
        return low
    for _ in range(60):
        middle = (low + high) / 2
        gap = np.interp(middle, x, one) - np.interp(middle, x, other)
        low, high = (middle, high) if np.sign(gap) == sign[hits[0]] else (low, middle)
    return np.float32(high)


def _by_least(x: Array, one: Array, other: Array) -> Any:
    """All stretches at once: the least of the places inside them."""
    gap = one - other
    with np.errstate(divide="ignore", invalid="ignore"):
        place = gap[:-1] / (gap[:-1] - gap[1:])
        at = np.where((place >= 0) & (place <= 1), x[:-1] + place * np.diff(x), np.inf)
    return at.min() if np.isfinite(at.min()) else None


Place = Callable[[Array, Array, int], Any]


def _exact(x: Array, gap: Array, i: int) -> Any:
    return x[i] - gap[i] * (x[i + 1] - x[i]) / (gap[i + 1] - gap[i])


def _variant(place: Place = _exact, which: int = 0, meets: Callable[[float, float], bool] | None = None) -> Any:
    """A wrong answer: another place in the stretch, another one of the stretches, or another sign of a meeting."""
    meets = meets or (lambda left, right: left * right <= 0 and left != right)

    def wrong(x: Array, one: Array, other: Array) -> Any:
        gap = other - one
        hits = [i for i in range(len(x) - 1) if meets(gap[i], gap[i + 1])]
        return place(x, gap, hits[which]) if hits else None

    return wrong


_right = _variant()


def _in_place_of_none(make: Callable[[Array, Array], Any]) -> Any:
    def wrong(x: Array, one: Array, other: Array) -> Any:
        found = _right(x, one, other)
        return make(x, other - one) if found is None else found

    return wrong


def _truthy(x: Array, one: Array, other: Array) -> Any:
    return _right(x, one, other) or None


def _height(x: Array, one: Array, other: Array) -> Any:
    found = _right(x, one, other)
    return None if found is None else float(np.interp(found, x, one))


def _fitted_lines(x: Array, one: Array, other: Array) -> Any:
    slope, constant = np.polyfit(x, other - one, 1)
    found = -constant / slope
    return float(found) if x[0] <= found <= x[-1] else None


def _last_stretch_left_out(x: Array, one: Array, other: Array) -> Any:
    return _right(x[:-1], one[:-1], other[:-1])


def _even(x: Array, gap: Array, i: int) -> Any:
    return x[0] + (i - gap[i] / (gap[i + 1] - gap[i])) * (x[-1] - x[0]) / (len(x) - 1)


MISTAKES = [
    Mistake(
        "position",
        _variant(lambda x, gap, i: i),
        "You return the position of a point in the arrays. Wanted is the x at which the curves meet.",
    ),
    Mistake(
        "position with a fraction",
        _variant(lambda x, gap, i: i - gap[i] / (gap[i + 1] - gap[i])),
        "You return a place in units of points (such as 2.4 for 40 % of the way from point 2 to point 3). Turn it into an x.",
    ),
    Mistake(
        "point before",
        _variant(lambda x, gap, i: x[i] if gap[i + 1] else x[i + 1]),
        "You return the last point before the curves meet. Between the points they are straight: find the x in between.",
    ),
    Mistake(
        "point after",
        _variant(lambda x, gap, i: x[i + 1] if gap[i] else x[i]),
        "You return the first point after the curves have met. Between the points they are straight: find the x in between.",
    ),
    Mistake(
        "middle of the stretch",
        _variant(lambda x, gap, i: (x[i] + x[i + 1]) / 2 if gap[i] * gap[i + 1] else _exact(x, gap, i)),
        "You return the middle between the two points. The curves meet nearer to the point where they are closer together.",
    ),
    Mistake(
        "nearest point",
        lambda x, one, other: x[np.abs(one - other).argmin()],
        "You return the point of the grid at which the curves are closest. They meet between points, and may not meet at all.",
    ),
    Mistake(
        "fraction from the wrong end",
        _variant(lambda x, gap, i: x[i] + gap[i + 1] / (gap[i + 1] - gap[i]) * (x[i + 1] - x[i])),
        "Your place in the stretch is mirrored: the fraction of the way is the distance of the curves at the *left* point over "
        "the whole change.",
    ),
    Mistake(
        "away from the meeting",
        _variant(lambda x, gap, i: x[i] + gap[i] * (x[i + 1] - x[i]) / (gap[i + 1] - gap[i])),
        "You go the wrong way from the left point: a sign is turned round. The x lies between both points.",
    ),
    Mistake(
        "width of the stretch left out",
        _variant(lambda x, gap, i: x[i] - gap[i] / (gap[i + 1] - gap[i])),
        "You add a fraction to the x of the left point. It is a fraction of the stretch: multiply it by the stretch's width.",
    ),
    Mistake(
        "points taken for evenly spaced",
        _variant(_even),
        "You take the points for evenly spaced. Look up the x of the two points between which the curves meet.",
    ),
    Mistake(
        "last meeting",
        _variant(which=-1),
        "You return the last x at which the curves meet. Wanted is the smallest.",
    ),
    Mistake(
        "one direction only",
        _variant(meets=lambda left, right: left <= 0 <= right and left != right),
        "You look for places where `other` comes from below. The curves also meet where it comes from above.",
    ),
    Mistake(
        "other direction only",
        _variant(meets=lambda left, right: right <= 0 <= left and left != right),
        "You look for places where `one` comes from below. The curves also meet where it comes from above.",
    ),
    Mistake(
        "meeting at a point overlooked",
        _variant(meets=lambda left, right: left * right < 0),
        "You overlook that the curves may meet exactly at a point of the grid, where the difference is 0 and has no sign.",
    ),
    Mistake(
        "meeting at a left end overlooked",
        _variant(meets=lambda left, right: left * right < 0 or right == 0 != left),
        "You overlook that the curves may be equal at the very first point.",
    ),
    Mistake(
        "last stretch left out",
        _last_stretch_left_out,
        "You leave out the last stretch: n points have n − 1 stretches between them.",
    ),
    Mistake(
        "x = 0 taken for none",
        _truthy,
        "The curves may meet at x = 0, and 0 counts as false in Python. Ask `is None`.",
    ),
    Mistake(
        "height",
        _height,
        "You return the value of the curves where they meet. Wanted is the x.",
    ),
    Mistake(
        "one straight line through all",
        _fitted_lines,
        "You lay one straight line through all differences. The curves are straight between neighbouring points only.",
    ),
    Mistake(
        "NaN for none",
        _in_place_of_none(lambda x, gap: float("nan")),
        "You return NaN where the curves do not meet. Return None.",
    ),
    Mistake(
        "last x for none",
        _in_place_of_none(lambda x, gap: x[-1]),
        "You return the last x where the curves do not meet. Return None.",
    ),
    Mistake(
        "closest x for none",
        _in_place_of_none(lambda x, gap: x[np.abs(gap).argmin()]),
        "Where the curves do not meet you return the x at which they are closest. Return None.",
    ),
]


def _curves(x: Any, gap: Any, level: Any = None) -> tuple[Array, Array, Array]:
    """Two curves with these differences, in quarters so that no rounding hides a meeting."""
    x, gap = np.array(x, dtype=float), np.array(gap, dtype=float)
    one = np.round(4 * (3 + np.sin(np.arange(len(x))))) / 4 if level is None else np.array(level, dtype=float)
    return x, one, one + gap


def _random(n: int, seed: int) -> tuple[Array, Array, Array]:
    draw = np.random.default_rng(seed)
    return np.cumsum(draw.uniform(0.2, 3, n)) - 2, draw.normal(size=n), draw.normal(size=n)


_QUESTIONS = (
    ("curves of which `other` comes from below", _curves([1.0, 2.0, 4.0, 8.0, 9.0], [-2, -1, -0.5, 1.5, 2])),
    ("curves of which `other` comes from above", _curves([0.5, 1.0, 3.0, 3.5], [3, 1.5, -4.5, -5])),
    ("curves that meet three times", _curves([-4.0, -3.0, 0.0, 1.0, 5.0, 6.0], [1, 3, -1, -2, 0.5, -0.25])),
    ("curves that cross at a point of the grid", _curves([2.0, 3.0, 5.0, 9.0, 11.0], [2, 1, 0, -1, -3])),
    ("curves that touch at a point of the grid", _curves([1.0, 2.5, 3.0, 7.0], [2, 1, 0, 3])),
    ("curves that are equal at the first point", _curves([1.5, 2.0, 4.0], [0, 1, 2])),
    ("curves that meet at the last point", _curves([1.0, 4.0, 5.0, 5.5], [-3, -2, -1, 0])),
    ("curves that meet at the last point, from above", _curves([2.0, 2.5, 7.0], [4, 3, 0])),
    ("curves that meet in the last stretch", _curves([1.0, 1.5, 6.0, 9.0], [-5, -4, -3, 6])),
    ("curves that meet in the first stretch", _curves([3.0, 3.5, 8.0, 9.0, 12.0], [-1, 3, 4, 4.5, 6])),
    ("curves that meet at x = 0", _curves([-2.0, -1.0, 1.0, 4.0], [-4, -1, 1, 2])),
    ("curves of two points", _curves([100.0, 500.0], [-1, 3])),
    ("curves that do not meet", _curves([1.0, 2.0, 3.0, 5.0], [0.5, 0.25, 1, 2])),
    ("curves that do not meet, the other way round", _curves([1.0, 2.0, 4.0, 5.0, 7.0], [-3, -2, -0.25, -0.5, -1])),
    *((f"random curves of {n} points", _random(n, seed)) for seed, n in enumerate((4, 7, 12, 20, 9, 30))),
)


@check(
    reference=efficiency.crossing,
    alternatives=[_by_walking, _by_bisection, _by_least],
    mistakes=MISTAKES,
    cases=lambda: [question for _, question in _QUESTIONS] + [_random(n, n) for n in (3, 5, 8)],
)
def test_crossing(answer: Any) -> None:
    """Find the smallest x at which two curves meet, straight between their points; None if they do not."""
    for words, (x, one, other) in _QUESTIONS:
        found = call(answer, x, one, other, returns=object)
        meetings = _meetings(x, one, other)
        shown = f" x is {x.tolist()}, `one` {one.tolist()}, `other` {other.tolist()}." if len(x) < 7 else ""
        what = f"the meeting of {words}"
        if not meetings:
            expect(
                found is None,
                what=f"{words}: None is wanted",
                why=f"One is above the other everywhere.{shown}",
                expected="None",
                got=found,
            )
            continue
        expect(found is not None, what=f"{what}: you returned None", why=f"They do meet.{shown}", got=found)
        place = conformed(found, float, "your answer")
        expect_finite(place, what=what)
        expect_close(
            place,
            float(meetings[0]),
            rtol=1e-5,
            atol=1e-5 * float(x[-1] - x[0]),
            what=what,
            why=f"There, and nowhere before, the lines between the points meet.{shown}",
        )
