"""Exercise: when does one phase of training end and the next begin?"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course_utils import progress
from course_utils.checks.framework import Mistake, call, check, expect_equal

Curve = list[float]
Rule = Callable[[list[int], Curve], Any]


def _least(steps: list[int], excluded: Curve) -> Any:
    return steps[excluded.index(min(excluded))]


def _first_under(steps: list[int], restricted: Curve, threshold: float = 0.01) -> Any:
    return next((step for step, loss in zip(steps, restricted, strict=True) if loss < threshold), steps[-1])


def _stays(steps: list[int], sums: Curve, inside: Callable[[float, Curve], bool] | None = None) -> Any:
    """The first step from which on all values are inside the band."""
    inside = inside or (lambda value, curve: abs(value / curve[-1] - 1) <= 0.05)
    for i in range(len(sums)):
        if all(inside(value, sums) for value in sums[i:]):
            return steps[i]
    return steps[-1]


def _variant(memorised: Rule = _least, formed: Rule = _first_under, clean: Rule = _stays) -> Any:
    """A wrong answer that differs in one of the three rules."""

    def wrong(steps: list[int], excluded: Curve, restricted: Curve, sum_of_squares: Curve) -> tuple[Any, Any, Any]:
        return memorised(steps, excluded), formed(steps, restricted), clean(steps, sum_of_squares)

    return wrong


def _first_dip(steps: list[int], excluded: Curve) -> Any:
    falls = (i for i in range(len(excluded) - 1) if excluded[i + 1] > excluded[i])
    return steps[next(falls, len(steps) - 1)]


def _indices(*curves: Any) -> Any:
    steps = list(range(len(curves[0])))
    return _variant()(steps, *curves[1:])


def _under_for_good(steps: list[int], restricted: Curve) -> Any:
    return _stays(steps, restricted, lambda value, curve: value < 0.01)


def _last_above(steps: list[int], restricted: Curve) -> Any:
    return steps[max(0, restricted.index(next(loss for loss in restricted if loss < 0.01)) - 1)]


def _first_inside(steps: list[int], sums: Curve) -> Any:
    return next(step for step, value in zip(steps, sums, strict=True) if abs(value / sums[-1] - 1) <= 0.05)


def _last_outside(steps: list[int], sums: Curve) -> Any:
    return next((s for s, v in reversed(list(zip(steps, sums, strict=True))) if abs(v / sums[-1] - 1) > 0.05), steps[0])


def _numpy(steps: list[int], excluded: Curve, restricted: Curve, sum_of_squares: Curve) -> tuple[Any, Any, Any]:
    at, sums = np.array(steps), np.array(sum_of_squares)
    inside = (sums >= 0.95 * sums[-1]) & (sums <= 1.05 * sums[-1])
    for_good = np.logical_and.accumulate(inside[::-1])[::-1]
    return at[np.argmin(excluded)], at[np.argmax(np.array(restricted) < 0.01)], at[np.argmax(for_good)]


def _torch(steps: list[int], excluded: Curve, restricted: Curve, sum_of_squares: Curve) -> list[Any]:
    """In single precision, with 0-d tensors returned."""
    at, sums = torch.tensor(steps), torch.tensor(sum_of_squares)
    outside = ((sums / sums[-1] - 1).abs() > 0.05).nonzero().flatten()
    clean = at[outside.max() + 1] if len(outside) else at[0]
    return [at[torch.tensor(excluded).argmin()], at[(torch.tensor(restricted) < 0.01).nonzero()[0, 0]], clean]


def _backwards(steps: list[int], excluded: Curve, restricted: Curve, sum_of_squares: Curve) -> tuple[int, int, int]:
    memorised = min(zip(excluded, steps, strict=True))[1]
    formed = clean = steps[-1]
    settled, low, high = True, *sorted(factor * sum_of_squares[-1] for factor in (0.95, 1.05))
    for step, loss, total in reversed(list(zip(steps, restricted, sum_of_squares, strict=True))):
        formed = step if loss < 0.01 else formed
        settled = settled and low <= total <= high
        clean = step if settled else clean
    return memorised, formed, clean


MISTAKES = [
    Mistake(
        "positions in place of steps",
        _indices,
        "You return positions in the lists. The measurements are not one step apart: look up the step at each position.",
    ),
    Mistake(
        "greatest excluded loss",
        _variant(memorised=lambda steps, excluded: steps[excluded.index(max(excluded))]),
        "Your first boundary is where the excluded loss is greatest. Memorisation ends where it is *least*: from there on it "
        "rises, because the network leans on the key directions.",
    ),
    Mistake(
        "first dip of the excluded loss",
        _variant(memorised=_first_dip),
        "You stop at the first place where the excluded loss turns upwards. A small bump is not the end of the phase: take "
        "the least value of the whole run.",
    ),
    Mistake(
        "the least loss itself",
        _variant(memorised=lambda steps, excluded: min(excluded)),
        "Your first result is a loss. Return the step at which it was measured.",
    ),
    Mistake(
        "least restricted loss",
        _variant(formed=_least),
        "Your second boundary is where the restricted loss is least. Wanted is the first step at which it is small enough: "
        "under 0.01 nats.",
    ),
    Mistake(
        "restricted loss under the threshold for good",
        _variant(formed=_under_for_good),
        "You wait until the restricted loss stays under 0.01. The rule asks for the first step at which it is under it, even "
        "if it comes up once more.",
    ),
    Mistake(
        "the step before",
        _variant(formed=_last_above),
        "Your second boundary is the last step before the restricted loss is under 0.01. Take the step at which it is.",
    ),
    Mistake(
        "exactly 0.01 counted",
        _variant(formed=lambda steps, restricted: _first_under(steps, [x - 1e-12 for x in restricted])),
        "You count a restricted loss of exactly 0.01. The rule says under it.",
    ),
    Mistake(
        "threshold of 0.1",
        _variant(formed=lambda steps, restricted: _first_under(steps, restricted, 0.1)),
        "Your threshold for the restricted loss is 0.1 nats. The rule asks for less than 0.01.",
    ),
    Mistake(
        "1 % of the first restricted loss",
        _variant(formed=lambda steps, restricted: _first_under(steps, restricted, 0.01 * restricted[0])),
        "Your threshold is 1 % of the first restricted loss. The rule means 0.01 nats, whatever the loss was at the start.",
    ),
    Mistake(
        "first entry into the band",
        _variant(clean=_first_inside),
        "You take the first step at which the sum of squares is within 5 % of its last value. It may pass through that band "
        "and leave it again: find the step from which on it *stays* inside.",
    ),
    Mistake(
        "last step outside the band",
        _variant(clean=_last_outside),
        "Your third boundary is the last step at which the sum of squares is still more than 5 % off. Wanted is the first "
        "step of those that are inside for good: the next one.",
    ),
    Mistake(
        "above only",
        _variant(clean=lambda steps, sums: _stays(steps, sums, lambda v, curve: v <= 1.05 * curve[-1])),
        "You only ask whether the sum of squares is more than 5 % *above* its last value. It may also be below: take the "
        "distance.",
    ),
    Mistake(
        "5 % of the first value",
        _variant(clean=lambda steps, sums: _stays(steps, sums, lambda v, c: abs(v - c[-1]) <= 0.05 * c[0])),
        "Your band is 5 % of the first sum of squares. Take 5 % of the last one.",
    ),
    Mistake(
        "5 % of the largest value",
        _variant(clean=lambda steps, sums: _stays(steps, sums, lambda v, c: abs(v - c[-1]) <= 0.05 * max(c))),
        "Your band is 5 % of the largest sum of squares. Take 5 % of the last one.",
    ),
    Mistake(
        "0.05 in place of 5 %",
        _variant(clean=lambda steps, sums: _stays(steps, sums, lambda v, c: abs(v - c[-1]) <= 0.05)),
        "Your band is 0.05 wide, whatever the size of the weights. 5 % means 0.05 times the last value.",
    ),
    Mistake(
        "distance from the first value",
        _variant(clean=lambda steps, sums: next(s for s, v in zip(steps, sums, strict=True) if v < 0.95 * sums[0])),
        "Your third boundary is where the sum of squares has *left* its first value by 5 %. Wanted is where it has arrived "
        "within 5 % of its last.",
    ),
]

_HAND_MADE = (
    [0, 10, 20, 40, 80, 160, 320, 640, 1000],
    [4.7, 2.0, 0.5, 0.9, 0.3, 2.5, 6.0, 7.5, 7.0],
    [5.0, 4.8, 4.5, 3.0, 0.5, 0.008, 0.02, 0.005, 0.007],
    [900.0, 950.0, 980.0, 700.0, 400.0, 205.0, 220.0, 203.0, 200.0],
)


def _random_run(seed: int, length: int) -> tuple[list[int], Curve, Curve, Curve]:
    """Noisy curves with bumps, and no value near the edge of the band."""
    draw = random.Random(seed)
    steps = list(itertools.accumulate(draw.randint(1, 300) for _ in range(length)))
    excluded = [draw.uniform(0.1, 5) for _ in steps]
    restricted = [10 ** draw.uniform(-3.5, 1) for _ in steps]
    restricted[draw.randrange(length // 2, length)] = 0.004
    last = draw.uniform(2, 900)
    away = [draw.choice((-1, 1)) * draw.choice((0.02, 0.04, 0.06, 0.3)) for _ in steps]
    settling = [last * (1 + (off if i < 0.6 * length else 0.3 * off)) for i, off in enumerate(away)]
    return steps, excluded, restricted, [*settling[:-1], last]


@check(
    reference=progress.phase_boundaries,
    alternatives=[_numpy, _torch, _backwards],
    mistakes=MISTAKES,
    cases=lambda: [_HAND_MADE, *(_random_run(seed, length) for seed, length in ((11, 12), (12, 30), (13, 18)))],
)
def test_phase_boundaries(answer: Any) -> None:
    """Find the steps at which memorisation, circuit formation and cleanup end."""
    names = ("memorised", "formed", "clean")
    reasons = (
        "It is the step of the least excluded loss of the whole run.",
        "It is the first step with a restricted loss under 0.01.",
        "From this step on, and from none before, all sums of squares are within 5 % of the last.",
    )
    steps, excluded, _, _ = _HAND_MADE
    falling = ([3, 8, 9, 30, 50, 70], [5.0, 4.0, 1.0, 0.5, 2.0, 8.0], [5.0, 2.0, 0.5, 0.05, 0.01, 0.001])
    runs = [
        ("a run written by hand", _HAND_MADE, (80, 160, 640)),
        (
            "a run whose sum of squares comes from below",
            (*falling, [40.0, 90.0, 99.0, 89.0, 96.0, 100.0]),
            (30, 70, 50),
        ),
        ("a run whose sum of squares hardly changes", (*falling, [50.2, 50.3, 49.0, 49.1, 50.1, 50.0]), (30, 70, 3)),
        (
            "a run that is still moving at its end",
            (falling[0], [5.0, 4.0, 3.0, 2.5, 2.6, 1.0], falling[2], [90.0, 80.0, 70.0, 60.0, 50.0, 40.0]),
            (70, 70, 70),
        ),
        (
            "a run with its boundaries at the start",
            (steps, [0.2, *excluded[1:]], [0.001] * 9, [0.3] * 9),
            (0, 0, 0),
        ),
    ]
    for seed, length in ((1, 7), (2, 12), (3, 23), (4, 40), (5, 9), (6, 15)):
        run = at, low, small, sums = _random_run(seed, length)
        first = [at[i] for i in range(length) if all(low[i] <= other for other in low)]
        second = [at[i] for i in range(length) if small[i] < 0.01]
        third = [at[i] for i in range(length) if all(abs(v / sums[-1] - 1) < 0.05 for v in sums[i:])]
        runs.append((f"random curves of {length} measurements", run, (first[0], min(second), min(third))))
    for words, curves, wanted in runs:
        found = call(answer, *curves, returns=(int, int, int))
        for name, mine, right, why, curve in zip(names, found, wanted, reasons, curves[1:], strict=True):
            measured = f" The values {curve} were measured at the steps {curves[0]}."
            shown = "" if words.startswith("random") else measured
            expect_equal(mine, right, what=f"`{name}` of {words}", why=why + shown)
