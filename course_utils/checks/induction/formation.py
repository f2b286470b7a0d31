"""Exercise: when has a score made most of its way?"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course_utils import heads
from course_utils.checks.calling import Raised, Recorded, recording
from course_utils.checks.framework import Mistake, call, check, expect, expect_equal, invoke
from course_utils.errors import CourseError

Curve = list[float]
_ROUNDING = 1e-12


def _level(scores: Curve, fraction: float) -> float:
    return scores[0] + fraction * (scores[-1] - scores[0])


def _first(steps: list[int], scores: Curve, level: float) -> int:
    return next((step for step, score in zip(steps, scores, strict=True) if score >= level - _ROUNDING), steps[-1])


def _at_level(level: Callable[[Curve, float], float]) -> Any:
    """A wrong answer that waits for another level."""
    return lambda steps, scores, fraction: _first(steps, scores, level(scores, fraction))


def _by_index(choose: Callable[[list[int], Curve, float], int]) -> Any:
    """A wrong answer that chooses another place in the list, given the scores and the right level."""
    return lambda steps, scores, fraction: steps[choose(steps, scores, _level(scores, fraction))]


def _position(steps: list[int], scores: Curve, level: float) -> int:
    return steps.index(_first(steps, scores, level))


def _strictly(steps: list[int], scores: Curve, level: float) -> int:
    return next((i for i, score in enumerate(scores) if score > level + _ROUNDING), len(scores) - 1)


def _for_good(steps: list[int], scores: Curve, level: float) -> int:
    return next(i for i in range(len(scores)) if all(score >= level - _ROUNDING for score in scores[i:]))


def _last_there(steps: list[int], scores: Curve, level: float) -> int:
    return max(i for i, score in enumerate(scores) if score >= level - _ROUNDING)


def _nearest(steps: list[int], scores: Curve, level: float) -> int:
    return min(range(len(scores)), key=lambda i: abs(scores[i] - level))


def _step_before(steps: list[int], scores: Curve, level: float) -> int:
    return max(_position(steps, scores, level) - 1, 0)


def _last_under(steps: list[int], scores: Curve, level: float) -> int:
    return max((i for i, score in enumerate(scores) if score < level - _ROUNDING), default=0)


def _steepest(steps: list[int], scores: Curve, level: float) -> int:
    return max(range(1, len(scores)), key=lambda i: scores[i] - scores[i - 1])


def _way_of_the_steps(steps: list[int], scores: Curve, fraction: float) -> int:
    return next(step for step in steps if step >= steps[0] + fraction * (steps[-1] - steps[0]))


def _interpolated(steps: list[int], scores: Curve, fraction: float) -> float:
    level = _level(scores, fraction)
    i = _position(steps, scores, level)
    if i == 0:
        return steps[0]
    part = (level - scores[i - 1]) / (scores[i] - scores[i - 1])
    return steps[i - 1] + part * (steps[i] - steps[i - 1])


def _from_zero(steps: list[int], scores: Curve, fraction: float) -> int:
    rise = scores[-1] - scores[0]
    return _first(steps, scores, fraction * rise)


def _wordless(steps: list[int], scores: Curve, fraction: float) -> int:
    if scores[-1] <= scores[0]:
        raise ValueError
    return _first(steps, scores, _level(scores, fraction))


def _loop(steps: list[int], scores: Curve, fraction: float) -> int:
    begin, end = scores[0], scores[-1]
    if end <= begin:
        raise ValueError("Nothing has formed.")
    for i in range(len(scores)):
        if (scores[i] - begin) / (end - begin) >= fraction:
            return steps[i]
    return steps[-1]


def _numpy(steps: list[int], scores: Curve, fraction: float) -> Any:
    y = np.asarray(scores)
    if not y[-1] > y[0]:
        raise ValueError("The score does not rise.")
    return np.asarray(steps)[np.argmax(y - y[0] >= fraction * (y[-1] - y[0]))]


def _torch(steps: list[int], scores: Curve, fraction: float) -> Any:
    """In double precision, a 0-d tensor."""
    y = torch.tensor(scores, dtype=torch.float64)
    if (y[0] >= y[-1]).item():
        raise CourseError("Nothing has formed.")
    reached = ((y - y[0]) >= fraction * (y[-1] - y[0])).nonzero().flatten()
    return torch.tensor(steps)[reached.min()]


MISTAKES = [
    Mistake(
        "nothing said where the score does not rise",
        _at_level(_level),
        "Your steps are right, but a score that ends no higher than it began gets one as well. Nothing has formed there: raise "
        "a ValueError that says so.",
    ),
    Mistake(
        "error without a sentence",
        _wordless,
        "Your ValueError says nothing. Whoever meets it wants to know what is wrong: put a sentence into its parentheses.",
    ),
    Mistake(
        "fraction of the last value",
        _at_level(lambda scores, fraction: fraction * scores[-1]),
        "Your level is a fraction of the *last value*. The score may begin above 0 (or below): take the fraction of the rise, "
        "and count it from the first value.",
    ),
    Mistake(
        "rise counted from 0",
        _from_zero,
        "You take a fraction of the rise, but compare it with the score itself. Compare it with what the score has gained since "
        "the first step.",
    ),
    Mistake(
        "fraction itself",
        _at_level(lambda scores, fraction: fraction),
        "You wait until the score is as large as `fraction`. Wanted is a fraction of the way from its first to its last value.",
    ),
    Mistake(
        "way to the highest value",
        _at_level(lambda scores, fraction: scores[0] + fraction * (max(scores) - scores[0])),
        "You measure the way to the *highest* value. It leads to the last one.",
    ),
    Mistake(
        "way from the lowest value",
        _at_level(lambda scores, fraction: min(scores) + fraction * (scores[-1] - min(scores))),
        "You measure the way from the *lowest* value. It begins at the first one.",
    ),
    Mistake(
        "way from the lowest to the highest",
        _at_level(lambda scores, fraction: min(scores) + fraction * (max(scores) - min(scores))),
        "You measure the way from the lowest to the highest value. It leads from the first to the last.",
    ),
    Mistake(
        "what is left of the way",
        _at_level(lambda scores, fraction: _level(scores, 1 - fraction)),
        "Your level leaves `fraction` of the way to go. It is to have been made.",
    ),
    Mistake(
        "position in place of step",
        lambda steps, scores, fraction: _position(steps, scores, _level(scores, fraction)),
        "You return a position in the list. The measurements are not one step apart: return the step.",
    ),
    Mistake(
        "the score itself",
        lambda steps, scores, fraction: scores[_position(steps, scores, _level(scores, fraction))],
        "You return a score. Return the step at which it was measured.",
    ),
    Mistake(
        "more than the fraction",
        _by_index(_strictly),
        "You wait for *more* than the fraction. A score that has made exactly this much of its way has made it: ≥, not >.",
    ),
    Mistake(
        "reached for good",
        _by_index(_for_good),
        "You take the last time the score comes up to the level, from where on it stays. Wanted is the *first* time it is "
        "there, even if it falls back.",
    ),
    Mistake(
        "last step above",
        _by_index(_last_there),
        "You keep the *last* step at which the score has reached the level, and that is the end. Stop at the first.",
    ),
    Mistake(
        "last step below",
        _by_index(_last_under),
        "This is the last step at which the score is below the level. Wanted is the first at which it is not.",
    ),
    Mistake(
        "the step before",
        _by_index(_step_before),
        "You are one measurement early: the score has not made that much of its way yet.",
    ),
    Mistake(
        "nearest to the level",
        _by_index(_nearest),
        "You take the score nearest to the level, which may lie below it, or come later. Wanted is the first that reaches it.",
    ),
    Mistake(
        "interpolated",
        _interpolated,
        "You interpolate between measurements. Return a step at which the score was measured: the first that has reached the "
        "level.",
    ),
    Mistake(
        "steepest rise",
        _by_index(_steepest),
        "You return where the score rises most in one go. Wanted is where it has made `fraction` of its whole way.",
    ),
    Mistake(
        "fraction of the steps",
        _way_of_the_steps,
        "You take a fraction of the training steps. The scores decide: take a fraction of their rise.",
    ),
]

_HAND_MADE = ([0, 10, 30, 70, 150, 310, 500, 900], [0.125, 0.25, 0.0, 0.625, 0.5, 0.875, 1.25, 1.125])


def _random_curve(seed: int, length: int) -> tuple[list[int], Curve]:
    """A score that goes up and down on its way up; it begins anywhere."""
    draw = random.Random(seed)
    steps = list(itertools.accumulate(draw.randint(1, 400) for _ in range(length)))
    start, end = draw.uniform(-0.5, 0.3), draw.uniform(0.5, 0.9)
    scores = [start + (end - start) * (i / length + draw.uniform(-0.45, 0.45)) for i in range(length)]
    return steps, [start, *scores[1:-1], end]


def _clear(scores: Curve, fraction: float) -> bool:
    """No score lies so near to the level that rounding decides."""
    return all(abs(score - _level(scores, fraction)) > 1e-6 for score in scores)


# Scores that end no higher than they begin, and what they do.
_NOTHING_FORMED = {
    "stays where it is": [0.5, 0.75, 0.5],
    "falls": [0.75, 1.0, 0.25],
    "falls by 2": [4.0, 2.0],
}


def _falling(scores: Curve) -> tuple[list[int], Curve, float]:
    return list(range(len(scores))), list(scores), 0.5


def _keep(use: Recorded) -> None:
    """Let the diagnosis see this use too. A refusal in words is not kept: each answer has its own words."""
    current = recording.get()
    if current is not None:
        current.uses.append(use)


def _random_examples(seeds: range) -> list[tuple[list[int], Curve, float]]:
    draw = random.Random(seeds.start)
    examples = [(*_random_curve(seed, 5 + 3 * (seed % 7)), draw.uniform(0.1, 0.95)) for seed in seeds]
    return [example for example in examples if _clear(*example[1:])]


@check(
    reference=heads.formed_at,
    alternatives=[_loop, _numpy, _torch],
    mistakes=MISTAKES,
    # No falling score: its refusal is worded freely, and would tell an answer with a guard from every mistake.
    cases=lambda: _random_examples(range(100, 120)),
)
def test_formed_at(answer: Any) -> None:
    """Find the first step at which a score has made a given fraction of its way from first to last."""
    steps, scores = _HAND_MADE
    shown = f"The scores {scores} were measured at the steps {steps}."
    for fraction, wanted in ((0.5, 70), (0.25, 70), (0.125, 10), (0.75, 310), (0.875, 500), (1.0, 500), (0.0, 0)):
        found = call(answer, list(steps), list(scores), fraction, returns=int)
        level = f"From 0.125 to 1.125 it rises by 1, so the level is {0.125 + fraction:g}. {shown}"
        expect_equal(found, wanted, what=f"the step at which {fraction:g} of a rise written by hand is made", why=level)
    for words, curve, fraction, wanted in (
        ("a score that begins high", ([1, 2, 4, 8, 16], [10.0, 10.25, 10.5, 10.75, 11.0]), 0.5, 4),
        ("a score below 0", ([5, 6, 9, 11], [-4.0, -3.0, -1.0, -2.0]), 1.0, 9),
        ("a score that rises by 16", ([0, 3, 5, 50], [0.0, 4.0, 8.0, 16.0]), 0.25, 3),
        ("two measurements", ([7, 19], [0.25, 0.5]), 0.75, 19),
    ):
        found = call(answer, list(curve[0]), list(curve[1]), fraction, returns=int)
        why = f"The scores {curve[1]} were measured at the steps {curve[0]}."
        expect_equal(found, wanted, what=f"the step at which {words} has made {fraction:g} of its way", why=why)
    for steps, scores, fraction in _random_examples(range(1, 13)):
        reached = [s for s, y in zip(steps, scores, strict=True) if y > scores[0] + fraction * (scores[-1] - scores[0])]
        found = call(answer, steps, scores, fraction, returns=int)
        what = f"the step at which a random curve of {len(steps)} measurements has made {fraction:.3g} of its way"
        why = "It is the least step at which the score lies above the level."
        expect_equal(found, min(reached), what=what, why=why)
    for words, scores in _NOTHING_FORMED.items():
        use = invoke(answer, _falling(scores), {})
        result = use.result
        refused = isinstance(result, Raised) and issubclass(result.kind, (CourseError, ValueError))
        if not (refused and result.message.strip()):
            _keep(use)
        why = f"The scores {scores} end no higher than they begin: there is no step to return."
        refusal = 'a ValueError with a sentence, as by `raise ValueError("…")`'
        expect(
            refused,
            what=f"a score that {words} has formed nothing, and that is not said",
            why=why,
            expected=refusal,
            got=f"{result.kind.__name__}: {result.message}".rstrip(": ") if isinstance(result, Raised) else result,
        )
        expect(
            result.message.strip(),
            what=f"a score that {words} has formed nothing, and the error that you raise does not say so",
            why=why,
            expected=refusal,
            got=f"{result.kind.__name__} without a sentence",
        )
