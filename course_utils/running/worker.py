"""The process that runs a learner's statements and the checks. Started by ``course_utils.running.process``.

``python -m course_utils.running.worker`` imports what is slow, waits for one line on its standard input (the path of
a job file), runs that job and exits: one process a check, so that nothing a learner does survives into the next.
What it has to say goes line by line into the job's result file, never to standard output: learners print.
"""

from __future__ import annotations
import __future__

import ast
import contextlib
import importlib
import io
import json
import linecache
import os
import re
import sys
import time
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.errors import CourseError
from course_utils.manifest import Chapter, Exercise
from course_utils.paths import PACKAGE
from course_utils.running import confinement
from course_utils.running.cells import read_document
from course_utils.running.planning import Task, plan
from course_utils.running.slicing import Statement, parse_cell
from course_utils.running.verdicts import ERROR, NOT_ATTEMPTED, PASSED, TIMED_OUT, WRONG

if TYPE_CHECKING:
    from course_utils.checks import Report

PRINT_LIMIT = 4_000
WARM = ("course_utils.checks.framework", "course_utils.zoo", "course_utils.fourier")
"""What nearly every chapter needs, imported before the job comes."""


class BoundedText(io.TextIOBase):
    """A standard output that keeps only the first few thousand characters."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.left = PRINT_LIMIT

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.left > 0:
            self.parts.append(text[: self.left])
            self.left -= len(text)
            if self.left <= 0:
                self.parts.append("\n… (more was printed)")
        return len(text)

    def take(self) -> str:
        """What was written since the last call."""
        text = "".join(self.parts)
        self.parts, self.left = [], PRINT_LIMIT
        return text


class Runner:
    """One namespace in which a file's statements are executed in order, each at most once."""

    def __init__(self, job: dict, report: Callable[..., None]) -> None:
        self.report = report
        document = read_document(Path(job["file"]))
        self.shown = Path(job["shown"])
        chapter = _chapter(job["chapter"])
        todo = set(job["todo"])
        everything = plan(document, chapter)
        self.tasks = [task for task in everything.tasks if task.exercise.id in todo]
        self.broken = everything.broken
        self.skip = {tuple(key): why for key, why in job["skip"]}
        self.cells = {cell.number: cell for cell in document.cells}
        self.statements: dict[tuple[int, int], Statement] = {}
        for cell in document.cells:
            if cell.kind == "code":
                for s in parse_cell(cell.source, cell.number, cell.line).statements:
                    self.statements[s.key] = s
                name = self.filename(cell.number)
                text = "\n" * cell.line + cell.source + "\n"
                linecache.cache[name] = (len(text), None, text.splitlines(True), name)
        module = types.ModuleType("__main__")
        module.__dict__.update(display=_silent, get_ipython=_silent, __builtins__=__builtins__)
        sys.modules["__main__"] = module
        self.namespace = module.__dict__
        self.done: set[tuple[int, int]] = set()
        self.errors: dict[tuple[int, int], str] = {}
        self.flags = 0

    def filename(self, number: int) -> str:
        """What tracebacks call a cell."""
        return (
            str(self.shown)
            if not self.cells[number].filename.startswith("<")
            else f"cell {number} of {self.shown.name}"
        )

    def place(self, key: tuple[int, int]) -> str:
        """A statement's place, for a sentence."""
        line = self.statements[key].node.lineno
        cell = self.cells[key[0]]
        return f"line {line}" if not cell.filename.startswith("<") else f"cell {key[0]}, line {line}"

    def execute(self, key: tuple[int, int]) -> None:
        """Execute one statement; an exception is remembered, not raised."""
        statement = self.statements[key]
        if key in self.skip:
            self.errors[key] = self.skip[key]
            return
        self.report(event="statement", key=key, place=self.place(key))
        node = statement.node
        try:
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                for alias in node.names:
                    self.flags |= getattr(__future__, alias.name).compiler_flag
            module = ast.Module([node], [])
            code = compile(module, self.filename(key[0]), "exec", flags=self.flags, dont_inherit=True)
            exec(code, self.namespace)
        except BaseException as error:  # a learner's file may raise anything, sys.exit() included
            self.errors[key] = describe(error)

    def run(self) -> None:
        """Run every task and report its outcome."""
        wanted = {key for task in self.tasks for key in (*task.before, *task.own)}
        out = BoundedText()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            for task in self.tasks:
                self.report(event="begin", id=task.exercise.id)
                start = time.perf_counter()
                printed = ""
                for key in sorted(k for k in wanted if k <= task.end and k not in self.done):
                    out.take()
                    self.execute(key)
                    self.done.add(key)
                    if key in task.own:
                        printed += out.take()
                for key in task.after:
                    self.execute(key)
                self.report(event="check", id=task.exercise.id)
                verdict, message, full = self.check(task)
                self.report(
                    event="verdict",
                    id=task.exercise.id,
                    verdict=verdict,
                    message=message,
                    report=full,
                    seconds=round(time.perf_counter() - start, 3),
                    printed=printed[: 2 * PRINT_LIMIT],
                )

    def check(self, task: Task) -> tuple[str, str, str]:
        """Verdict, one line, full report of one exercise, with what else in the file stood in its way."""
        own = [(key, self.errors[key]) for key in task.own if key in self.errors]
        if task.exercise.name not in self.namespace:
            if own:
                key, text = own[0]
                return ERROR, _line(text), f"{text}\n(in {self.place(key)})"
            text = f"`{task.exercise.name}` is not defined: the exercise's cell has to define it."
            return ERROR, text, self.with_notes(text, task)
        verdict, message, full = run_check(task, self.namespace)
        if own and verdict not in (PASSED, NOT_ATTEMPTED):
            full += "".join(f"\n\nAlso, {self.place(key)} of this exercise's cell raises\n{text}" for key, text in own)
        if verdict in (WRONG, ERROR):
            full = self.with_notes(full, task)
        return verdict, message, full

    def with_notes(self, text: str, task: Task) -> str:
        """Add the failed statements and broken cells that define a name the report says is missing."""
        missing = set(_undefined(text))
        notes = []
        for key in (*task.before, *task.after):
            if key in self.errors and (self.statements[key].binds & missing):
                notes.append(f"{self.place(key)} should define it, but raises {_line(self.errors[key])}")
        for number, error in self.broken.items():
            if any(word in self.cells[number].source for word in missing):
                notes.append(f"cell {number}, which may define it, has a syntax error: {error}")
        return text + "".join(f"\nNote: {note}" for note in notes)


def run_check(task: Task, namespace: dict) -> tuple[str, str, str]:
    """Run the check call as shipped and read its outcome from the check session."""
    from course_utils import checks

    before = len(checks.session.outcomes)
    raised: BaseException | None = None
    try:
        eval(compile(task.call, "<check>", "eval"), {**namespace, "checks": checks})
    except BaseException as error:  # reported as the exercise's verdict
        raised = error
    if len(checks.session.outcomes) > before:
        return from_report(checks.session.outcomes[-1])
    if isinstance(raised, AttributeError) and isinstance(raised, CourseError):
        text = (
            f"This version of the course has no check called {task.exercise.check}. "
            "`course doctor` says whether the installation is complete."
        )
        return ERROR, text, text
    if raised is not None:
        text = describe(raised)
        return ERROR, _line(text), text
    return ERROR, "The check said nothing.", "The check ended without a verdict."


def from_report(report: Report) -> tuple[str, str, str]:
    """Verdict, one line and full text of a check's report; an exception in the learner's code is an error."""
    from course_utils.checks.rendering import as_text

    verdict = {"passed": PASSED, "not attempted": NOT_ATTEMPTED, "timed out": TIMED_OUT}.get(
        report.outcome.value, WRONG
    )
    if verdict in (PASSED, NOT_ATTEMPTED):
        return verdict, "", as_text(report)
    finding = report.finding
    if verdict == WRONG and finding and finding.frames and not report.diagnosis:
        verdict = ERROR
    return verdict, _line(report.diagnosis or (finding.what if finding else "")), as_text(report)


def describe(error: BaseException) -> str:
    """An exception in the learner's words: their own lines only, then the exception."""
    if isinstance(error, SystemExit):
        return "SystemExit: your code calls exit(), which would end the notebook's kernel. Remove that call."
    if isinstance(error, EOFError) and "input" in str(error).lower():
        return "EOFError: your code asks for keyboard input, which a check cannot give."
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not f.filename.startswith(("<", str(PACKAGE)))]
    lines = [f"  {f.filename}, line {f.lineno}, in {f.name}\n    {(f.line or '').strip()}\n" for f in own[-6:]]
    last = "".join(traceback.format_exception_only(type(error), error)).strip()
    return "".join(lines) + last


def _line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    if not lines:
        return ""
    return lines[-1].strip() if lines[0].startswith("  ") else lines[0].strip()


def _undefined(text: str) -> list[str]:
    return re.findall(r"name '(\w+)' is not defined", text) + re.findall(r"^`(\w+)` is not defined", text)


def _silent(*args: object, **kwargs: object) -> None:
    return None


def _chapter(data: dict) -> Chapter:
    exercises = tuple(Exercise(**{**e, "hints": tuple(e["hints"])}) for e in data["exercises"])
    return Chapter(**{**data, "exercises": exercises, "prerequisites": tuple(data["prerequisites"])})


def main() -> None:
    """Warm up, wait for a job, run it."""
    parent = os.getppid()
    for name in WARM:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    line = sys.stdin.readline().strip()
    if not line:
        return
    sys.stdin = open(os.devnull, encoding="utf-8")
    with contextlib.suppress(OSError):
        os.dup2(sys.stdin.fileno(), 0)
    job = json.loads(Path(line).read_text(encoding="utf-8"))
    os.environ["COURSE_WORK"] = job["workspace"]
    with contextlib.suppress(OSError):
        os.chdir(job["folder"])
    sys.path.insert(0, job["folder"])
    with open(job["results"], "a", encoding="utf-8", newline="\n") as results:

        def report(**event: object) -> None:
            results.write(json.dumps(event) + "\n")
            results.flush()

        if job["resources"]:
            confinement.confine(confinement.Resources(**job["resources"]), parent)
        report(event="started")
        Runner(job, report).run()
        report(event="finished")
        results.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
