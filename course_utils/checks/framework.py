"""How is a check made and run?  The `@check` decorator, and all that the author of a topic needs.

See the docstring of `course_utils.checks` for how to write a check.
"""

from __future__ import annotations

import contextlib
import functools
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch

from course_utils.checks.calling import FirstLines, Recording, call, invoke, recording, value
from course_utils.checks.diagnosis import PATIENCE, Later, Mistake, later, recognise, resolved
from course_utils.checks.expectations import (
    expect,
    expect_close,
    expect_dtype,
    expect_equal,
    expect_finite,
    expect_shape,
    expect_type,
    noncontiguous,
)
from course_utils.checks.outcome import CheckFailed, Finding, Mismatch, NotAttempted, Outcome, Report
from course_utils.checks.pictures import Picture
from course_utils.checks.rendering import as_text, show
from course_utils.checks.session import session
from course_utils.checks.values import describe
from course_utils.checks.watchdog import TimeUp, run_limited, time_limit

__all__ = [
    "CheckFailed",
    "Finding",
    "Later",
    "Mismatch",
    "Mistake",
    "Outcome",
    "Picture",
    "Report",
    "Spec",
    "TimeUp",
    "all_checks",
    "call",
    "check",
    "describe",
    "expect",
    "expect_close",
    "expect_dtype",
    "expect_equal",
    "expect_finite",
    "expect_shape",
    "expect_type",
    "invoke",
    "later",
    "noncontiguous",
    "run",
    "value",
]

Check = Callable[[Any], None]


@dataclass(frozen=True)
class Spec:
    """What a check knows about its exercise."""

    name: str  # "fourier.test_fourier_basis"
    asked: str
    body: Callable[[Any], None]
    reference: Any
    alternatives: tuple[Any, ...]
    mistakes: tuple[Mistake, ...]
    cases: Callable[[], Iterable[Any]] | None
    seconds: float | None


def check(
    *,
    reference: Any = None,
    alternatives: Sequence[Any] = (),
    mistakes: Sequence[Mistake] = (),
    cases: Callable[[], Iterable[Any]] | None = None,
    seconds: float | None = None,
) -> Callable[[Callable[[Any], None]], Check]:
    """Make a check of a function that examines an answer with `call` and the `expect` functions.

    Args:
        reference: the library's implementation (or value): it has to pass, and its mutants have to fail. It never defines
            what is right.
        alternatives: other right answers, written differently; they have to pass.
        mistakes: the catalogue; each entry has to fail and to be recognised as itself: the first that agrees is named.
        cases: gives extra tuples of arguments on which an answer and the mistakes are compared, where the calls made
            before the first failure do not tell the mistakes apart.
        seconds: the time limit where 20 s does not fit.

    Returns:
        What makes a check of such a function. The check returns None for a pass and for an untouched stub, and raises
        CheckFailed otherwise.
    """

    def decorate(body: Callable[[Any], None]) -> Check:
        asked = " ".join((body.__doc__ or "").split("\n\n")[0].split())
        if not asked:
            raise ValueError(f"{body.__name__} needs a docstring: its first sentence says what is asked")
        topic = _topic(body.__module__)
        spec = Spec(
            f"{topic}.{body.__name__}", asked, body, reference, tuple(alternatives), tuple(mistakes), cases, seconds
        )

        @functools.wraps(body)
        def test(answer: Any) -> None:
            __tracebackhide__ = True
            report = run(spec, answer)
            session.record(report, answer)
            card_shown = show(report)
            if report.outcome in (Outcome.FAILED, Outcome.TIMED_OUT):
                raise CheckFailed(report, as_text(report), card_shown) from None

        test.spec = spec  # type: ignore[attr-defined]
        return test

    return decorate


def run(
    test: Check | Spec, answer: Any, *, seconds: float | None = None, diagnose: bool = True, patience: float = PATIENCE
) -> Report:
    """Run a check on an answer and say how it went, without showing, raising or recording anything.

    ``seconds`` limits the check, ``patience`` the search for a mistake after it. Only KeyboardInterrupt gets out.
    """
    spec: Spec = test if isinstance(test, Spec) else test.spec  # type: ignore[attr-defined]
    started = time.perf_counter()
    limit = time_limit(spec.seconds) if seconds is None else seconds
    record, printed = Recording(), FirstLines()
    outcome, finding, mistake, exercise, error = Outcome.PASSED, None, None, "", None
    with left_as_it_was():
        token = recording.set(record)
        try:
            if answer is ...:
                raise NotAttempted
            with writing_to(printed):
                run_limited(functools.partial(spec.body, answer), limit)
        except NotAttempted as stub:
            outcome, exercise = Outcome.NOT_ATTEMPTED, stub.exercise
        except TimeUp:
            outcome, finding = Outcome.TIMED_OUT, _too_long(limit, record)
        except Mismatch as mismatch:
            outcome, finding = Outcome.FAILED, mismatch.finding
        except Exception as unforeseen:  # the check could not digest the answer
            outcome, finding, error = Outcome.FAILED, _unforeseen(unforeseen, record), unforeseen
        finally:
            recording.reset(token)
        if outcome is Outcome.FAILED and diagnose:
            # A diagnosis is a courtesy: its failure must not hide the finding, nor its output pass for the learner's.
            with contextlib.suppress(Exception), writing_to(FirstLines()):
                mistake = recognise(answer, record.uses, spec.mistakes, spec.cases, patience)
    return Report(
        check=spec.name,
        asked=spec.asked,
        outcome=outcome,
        finding=finding,
        mistake=mistake.name if mistake else "",
        diagnosis=mistake.sentence if mistake else "",
        printed=printed.text(),
        exercise=exercise,
        counted=answer is not resolved(spec.reference) if not isinstance(spec.reference, Later) else True,
        seconds=time.perf_counter() - started,
        error=error,
    )


def all_checks(module: ModuleType) -> dict[str, Check]:
    """The checks of a topic by name, in the order in which they are written."""
    found = ((name, item) for name, item in vars(module).items() if name.startswith("test_"))
    return {name: item for name, item in found if isinstance(getattr(item, "spec", None), Spec)}


def _topic(module: str) -> str:
    """The name a learner knows a topic by, also where the topic is a package: "fourier"."""
    inside = module.removeprefix("course_utils.checks.")
    return inside.partition(".")[0] if inside != module else module.rpartition(".")[2]


@contextlib.contextmanager
def writing_to(stream: FirstLines) -> Iterator[None]:
    """What is printed and warned of goes into this stream."""
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        yield


@contextlib.contextmanager
def left_as_it_was() -> Iterator[None]:
    """Random states, gradient mode and default dtype as before, whatever the check or the answer does to them."""
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    gradients, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 (learners may use it)
    random.seed(0)
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        random.setstate(states[2])
        torch.set_grad_enabled(gradients)
        torch.set_default_dtype(dtype)


def _too_long(limit: float, record: Recording) -> Finding:
    return Finding(
        f"your code was stopped after {limit:g} s",
        "Is there a loop that never ends, or one that could be a tensor operation? On a slow machine, set "
        "COURSE_CHECK_SECONDS to a larger number.",
        frames=record.stopped_at,
    )


def _unforeseen(error: Exception, record: Recording) -> Finding:
    last = describe(record.uses[-1].result) if record.uses else ""
    message = str(error).strip().splitlines()
    return Finding(
        "your answer could not be examined: it is not of the form that the exercise asks for",
        f"The check stopped with {type(error).__name__}{': ' + message[0] if message else ''}. Compare shape and dtype "
        "with the exercise's text.",
        got=last,
    )
