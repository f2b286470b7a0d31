"""What did the learner probably do?  A failed answer is compared with the catalogue of plausible mistakes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from course_utils.checks.calling import Raised, Recorded, invoke
from course_utils.checks.outcome import NotAttempted
from course_utils.checks.values import agree, loosened, protected
from course_utils.checks.watchdog import TimeUp, run_limited

PATIENCE = 5.0
"""Seconds that a learner waits, at most, to be told which mistake it may be."""


@dataclass(frozen=True)
class Later:
    """A value that is computed when it is first needed, and not when the topic is imported."""

    make: Callable[[], Any]


def later(make: Callable[[], Any]) -> Later:
    """A reference, alternative or mistake of an exercise that binds a name to a value, computed when needed."""
    return Later(make)


def resolved(value: Any) -> Any:
    """The value itself, computed now if it was put off."""
    return value.make() if isinstance(value, Later) else value


@dataclass(frozen=True)
class Mistake:
    """A plausible wrong answer: its name, an implementation (or value), and the sentence that helps."""

    name: str
    wrong: Any
    sentence: str


def recognise(
    answer: Any,
    uses: Sequence[Recorded],
    mistakes: Iterable[Mistake],
    cases: Callable[[], Iterable[Any]] | None,
    seconds: float = PATIENCE,
) -> Mistake | None:
    """The first mistake that agrees with the answer on every recorded use and on every extra case; None if none does.

    An answer that was never used matches nothing. Everything together is given so many seconds.
    """
    mistakes = tuple(mistakes)
    if not uses or not mistakes:
        return None

    def search() -> Mistake | None:
        known = list(uses)
        if cases is not None and callable(answer) and all(use.args is not None for use in known):
            known += [invoke(answer, args, {}, seed=0) for args in as_arguments(cases)]
        return next((m for m in mistakes if all(same_use(resolved(m.wrong), use) for use in known)), None)

    try:
        return run_limited(search, seconds)
    except (TimeUp, NotAttempted):
        return None


def as_arguments(cases: Callable[[], Iterable[Any]] | None) -> list[tuple[Any, ...]]:
    """The extra cases as tuples of arguments; a case that is not a tuple is one argument."""
    return [case if isinstance(case, tuple) else (case,) for case in cases()] if cases is not None else []


def same_use(other: Any, use: Recorded) -> bool:
    """Would the other answer have given the same result in this use, with the same inputs left changed?"""
    if use.args is None:
        wrong = other() if inspect.isfunction(other) else other
        return agree(loosened(wrong), use.result)
    args, kwargs = use.args, use.kwargs
    if use.after is not None:  # the call writes on what it is given, and the next comparison needs it unwritten
        args, kwargs = protected((args, kwargs))
    try:
        again = invoke(other, args, kwargs, may_mutate=use.after is not None, seed=use.seed)
    except NotAttempted:
        return False
    if isinstance(use.result, Raised) or isinstance(again.result, Raised):
        return (
            isinstance(use.result, Raised)
            and isinstance(again.result, Raised)
            and (use.result.kind, use.result.message) == (again.result.kind, again.result.message)
        )
    same_inputs = again.changed == use.changed and agree(again.after, use.after)
    return same_inputs and agree(again.result, use.result)
