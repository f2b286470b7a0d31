"""Do the checks of a topic work?  Right answers pass, catalogued mistakes are recognised, mutants are caught.

`python -m course_utils.checks.selftest fourier` runs what fits into four minutes of the mutants, `--all` every one.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from course_utils.checks.calling import Recording, invoke, recording
from course_utils.checks.diagnosis import as_arguments, resolved, same_use
from course_utils.checks.expectations import noncontiguous
from course_utils.checks.framework import Check, Spec, all_checks, left_as_it_was, run
from course_utils.checks.mutation import Mutant, built, mutants
from course_utils.checks.outcome import Outcome, Report
from course_utils.checks.rendering import as_text
from course_utils.checks.watchdog import TimeUp, run_limited
from course_utils.errors import CourseError

MUTANT_SECONDS = 2.0
TEST_PATIENCE = 120.0  # seconds for a diagnosis: whether it is right must not depend on what else the machine does
_RANDOM_INPUTS = 200


@dataclass
class Score:
    """How one check did against the mutants of its reference. `tried` of `available` were run."""

    check: str
    available: int = 0
    killed: int = 0
    equivalent: int = 0
    survivors: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        """Mutants run that are not listed as equivalent."""
        return self.killed + len(self.survivors)

    @property
    def rate(self) -> float:
        """The share of the non-equivalent mutants run that the check rejects; 1 where none was run."""
        return self.killed / self.tried if self.tried else 1.0


def answer_problems(module: ModuleType) -> list[str]:
    """What is wrong with how a topic's checks treat right answers and the catalogue?  Empty where all is well.

    The reference and each alternative have to pass, and so has the reference returning float64, memory with gaps, or a
    result that wants grad. Each mistake has to fail, and to be recognised as itself.
    """
    problems = []
    for name, test in all_checks(module).items():
        spec: Spec = test.spec  # type: ignore[attr-defined]
        if spec.reference is None:
            problems.append(f"{name}: has no reference")
            continue
        rights = [("the reference", resolved(spec.reference))]
        rights += [(f"alternative {i}", resolved(a)) for i, a in enumerate(spec.alternatives, start=1)]
        rights += _other_layouts(resolved(spec.reference))
        for label, right in rights:
            report = run(test, right, patience=TEST_PATIENCE)
            if report.outcome is not Outcome.PASSED:
                problems.append(f"{name}: {label} does not pass\n{_details(report)}")
        for mistake in spec.mistakes:
            report = run(test, resolved(mistake.wrong), patience=TEST_PATIENCE)
            if report.outcome is not Outcome.FAILED:
                problems.append(f"{name}: the mistake {mistake.name!r} is not rejected ({report.outcome})")
            elif report.mistake != mistake.name:
                taken = f"taken for {report.mistake!r}" if report.mistake else "not recognised"
                problems.append(f"{name}: the mistake {mistake.name!r} is rejected but {taken}\n{_details(report)}")
            if not mistake.sentence.strip():
                problems.append(f"{name}: the mistake {mistake.name!r} has no sentence")
    return problems


def mutation_scores(
    module: ModuleType, *, sample: int | None = None, seed: int = 0, seconds: float | None = None
) -> list[Score]:
    """How many mutants of each reference does its check reject?

    Two tables of the topic, each with a reason for each mutant, name those that it should accept. EQUIVALENT_MUTANTS return
    what the reference returns. OTHER_RIGHT_MUTANTS, of exercises with many right answers, return another one.

    sample: so many mutants of the whole topic, drawn with `seed`; None for all of them.
    seconds: stop when this time is over (mutants are run in random order, so what was run is a fair sample).
    """
    started = time.perf_counter()
    table: dict[str, dict[str, str]] = getattr(module, "EQUIVALENT_MUTANTS", {})
    others: dict[str, dict[str, str]] = getattr(module, "OTHER_RIGHT_MUTANTS", {})
    scores, jobs = {}, []
    for name, test in all_checks(module).items():
        spec: Spec = test.spec  # type: ignore[attr-defined]
        reference = resolved(spec.reference)
        found = mutants(reference)
        same, other = table.get(name, {}), others.get(name, {})
        listed = same | other
        scores[name] = score = Score(name, len(found))
        known = {m.description for m in found}
        score.problems += [f"{name}: no mutant is called {d!r} any more" for d in listed if d not in known]
        score.problems += [f"{name}: the equivalent mutant {d!r} has no reason" for d, why in listed.items() if not why]
        jobs += [(test, reference, m, _LISTED[(m.description in same, m.description in other)]) for m in found]
    for name in (table.keys() | others.keys()) - scores.keys():
        raise KeyError(f"The table of right mutants names {name}, which is no check of {module.__name__}")
    random.Random(seed).shuffle(jobs)
    for test, reference, mutant, listed_as in jobs[:sample]:
        if seconds is not None and time.perf_counter() - started > seconds:
            break
        _judge(test, reference, mutant, listed_as, scores[test.__name__])
    return list(scores.values())


def as_table(scores: Sequence[Score]) -> str:
    """The scores as a table in plain text, survivors listed below."""
    width = max([len(s.check) for s in scores] + [5])
    lines = [f"{'check':<{width}}  mutants  killed  survived  equivalent    rate"]
    for s in (*scores, total_score(scores)):
        counts = f"{s.available:>7}  {s.killed:>6}  {len(s.survivors):>8}  {s.equivalent:>10}"
        lines.append(f"{s.check:<{width}}  {counts}  {s.rate:>6.1%}")
    for s in scores:
        lines += [f"survived {s.check}: {description}" for description in sorted(s.survivors)]
        lines += [f"problem  {problem}" for problem in s.problems]
    return "\n".join(lines)


def total_score(scores: Sequence[Score]) -> Score:
    """All checks taken together."""
    total = Score("all")
    for s in scores:
        total.available += s.available
        total.killed += s.killed
        total.equivalent += s.equivalent
        total.survivors += s.survivors
        total.problems += s.problems
    return total


def load(topic: str) -> ModuleType:
    """A topic's module, by its short name ("fourier") or by the path of a .py file."""
    if topic.endswith(".py"):
        spec = importlib.util.spec_from_file_location(Path(topic).stem, topic)
        if spec is None or spec.loader is None:
            raise CourseError(f"{topic} cannot be loaded as a module.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # so that inspect finds the source of its functions
        spec.loader.exec_module(module)
        return module
    from course_utils import checks

    return getattr(checks, topic)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Exit status 1 for a wrongly treated answer, or where under 95 % of the mutants are caught."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.checks.selftest", description=__doc__)
    parser.add_argument("topics", nargs="*", help="topics, such as fourier (default: all of them)")
    parser.add_argument("--all", action="store_true", help="run every mutant, without a time limit")
    parser.add_argument("--check", help="only this check, such as test_fourier_basis")
    parser.add_argument("--sample", type=int, help="run so many mutants of each topic")
    parser.add_argument("--seconds", type=float, default=240.0, help="time for the mutants of each topic (default 240)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    from course_utils.checks import topics

    status = 0
    for topic in options.topics or topics():
        module = load(topic)
        if options.check:
            module = _only(module, options.check)
        problems = answer_problems(module)
        sample = None if options.all else options.sample
        scores = mutation_scores(
            module, sample=sample, seed=options.seed, seconds=None if options.all else options.seconds
        )
        print(f"== {topic}: {len(all_checks(module))} checks")
        print("\n".join(problems) or "every right answer passes, every catalogued mistake is recognised")
        print(as_table(scores))
        total = total_score(scores)
        if problems or total.problems or total.rate < 0.95:
            status = 1
    return status


def _only(module: ModuleType, name: str) -> ModuleType:
    narrow = ModuleType(module.__name__)
    narrow.__dict__[name] = getattr(module, name)
    table = getattr(module, "EQUIVALENT_MUTANTS", {})
    narrow.__dict__["EQUIVALENT_MUTANTS"] = {name: table[name]} if name in table else {}
    return narrow


_LISTED = {(False, False): "", (True, False): "equivalent", (False, True): "right", (True, True): "equivalent"}


def _judge(test: Check, reference: Any, mutant: Mutant, listed_as: str, score: Score) -> None:
    try:
        changed = built(mutant, reference)
    except Exception:  # a mutant that cannot even be defined is noticed by everybody
        score.killed += 1
        return
    outcome = run(test, changed, seconds=MUTANT_SECONDS, diagnose=False).outcome
    if listed_as:
        score.equivalent += 1
        if outcome is not Outcome.PASSED:
            score.problems.append(f"{score.check}: {mutant.description!r} is listed as {listed_as}, but is rejected")
        elif listed_as == "equivalent" and not is_equivalent(test.spec, reference, changed):  # type: ignore[attr-defined]
            score.problems.append(f"{score.check}: {mutant.description!r} is called equivalent, but its output differs")
    elif outcome is Outcome.PASSED:
        score.survivors.append(mutant.description)
    else:
        score.killed += 1


def is_equivalent(
    spec: Spec, reference: Callable[..., Any], changed: Callable[..., Any], seconds: float = 10.0
) -> bool:
    """Does the changed function return what the reference returns, on all inputs of the check, on its extra cases, and
    on random inputs made from these by moving their numbers, up to 200 in all?"""
    kept = Recording()
    with left_as_it_was():
        token = recording.set(kept)
        try:
            spec.body(reference)
        finally:
            recording.reset(token)
        uses = [use for use in kept.uses if use.args is not None]
        uses += [invoke(reference, args, {}) for args in as_arguments(spec.cases)]
    generator = torch.Generator().manual_seed(0)
    movable = [
        use for use in uses if use.after is None and any(map(_is_movable, [*(use.args or ()), *use.kwargs.values()]))
    ]
    for i in range(_RANDOM_INPUTS - len(uses) if movable else 0):
        use = movable[i % len(movable)]
        args = _moved(use.args or (), generator)
        kwargs = dict(zip(use.kwargs, _moved(use.kwargs.values(), generator), strict=True))
        uses.append(invoke(reference, args, kwargs))
    try:
        return run_limited(lambda: all(same_use(changed, use) for use in uses), seconds)
    except TimeUp:
        return False


def _is_movable(argument: Any) -> bool:
    return isinstance(argument, float) or (isinstance(argument, Tensor) and argument.is_floating_point())


def _moved(arguments: Iterable[Any], generator: torch.Generator) -> tuple[Any, ...]:
    """The arguments with each floating-point number moved by about a tenth of itself."""

    def moved(argument: Any) -> Any:
        if not _is_movable(argument):
            return argument
        noise = torch.randn(argument.shape if isinstance(argument, Tensor) else (), generator=generator)
        if isinstance(argument, Tensor):
            return argument.detach() * (1 + 0.1 * noise.to(argument))
        return argument * float(1 + 0.1 * noise)

    return tuple(moved(argument) for argument in arguments)


def _other_layouts(reference: Any) -> list[tuple[str, Any]]:
    """The reference as other right implementations would return it: another precision, layout, or wanting grad."""
    if not callable(reference):
        return []

    def returning(change: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
        @functools.wraps(reference)
        def variant(*args: Any, **kwargs: Any) -> Any:
            return _each_tensor(reference(*args, **kwargs), change)

        return variant

    def double(x: Tensor) -> Tensor:
        return x.double() if x.is_floating_point() else x

    def wanting_grad(x: Tensor) -> Tensor:
        if not x.is_floating_point() or x.requires_grad:  # one that wants it already may be asked for it
            return x
        return x.detach().clone().requires_grad_()

    return [
        ("the reference in float64", returning(double)),
        ("the reference with gaps in memory", returning(noncontiguous)),
        ("the reference wanting grad", returning(wanting_grad)),
    ]


def _each_tensor(result: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(result, Tensor):
        return change(result)
    if isinstance(result, (tuple, list)):  # a named tuple comes back as a plain one, which is as right
        return [_each_tensor(part, change) for part in result]
    if isinstance(result, dict):
        return {key: _each_tensor(part, change) for key, part in result.items()}
    return result


def _details(report: Report) -> str:
    text = as_text(report)
    if report.error is not None:
        text += "\n" + "".join(traceback.format_exception(report.error))
    return "\n".join("    " + line for line in text.splitlines())


if __name__ == "__main__":
    raise SystemExit(main())
