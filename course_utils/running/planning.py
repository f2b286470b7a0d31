"""Where is each exercise in a learner's file, and what has to run before its check?

An exercise is recognised by its check call, its header, its cell id, or the name it defines, in this order, so that
an edited header, a lost id or a renamed file does not lose it.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from course_utils.errors import CourseError
from course_utils.manifest import Chapter, Exercise, Manifest
from course_utils.running.cells import Cell, Document
from course_utils.running.slicing import Parsed, Statement, backward_slice, is_check_call, parse_cell
from course_utils.running.verdicts import ERROR, NOT_ATTEMPTED, Verdict


@dataclass(frozen=True)
class Task:
    """What the worker runs for one exercise: statement keys to execute before, then the check on ``call``."""

    exercise: Exercise
    cell: int
    before: tuple[tuple[int, int], ...]
    after: tuple[tuple[int, int], ...]
    own: tuple[tuple[int, int], ...]
    end: tuple[int, int]
    call: str


@dataclass(frozen=True)
class Plan:
    """Tasks in the file's order; ``settled`` are the verdicts that need no execution; ``broken`` the cells' errors."""

    tasks: list[Task] = field(default_factory=list)
    settled: dict[str, Verdict] = field(default_factory=dict)
    broken: dict[int, str] = field(default_factory=dict)


def recognise(document: Document, manifest: Manifest) -> Chapter:
    """The chapter whose exercises this file holds. Raises CourseError if it holds none."""
    text = "\n".join(cell.source for cell in document.cells)
    ids = {cell.id for cell in document.cells if cell.id}

    def score(chapter: Chapter) -> int:
        return sum(
            3 * bool(re.search(rf"\b{re.escape(e.check)}\s*\(", text))
            + 2 * bool(re.search(rf"Exercise {re.escape(e.id)}\b", text))
            + (e.cell in ids)
            for e in chapter.exercises
        )

    best = max(manifest.chapters, key=score, default=None)
    if best is None or score(best) == 0:
        raise CourseError(
            f"{document.path} holds no exercise of this course: no check call and no header such as "
            "“### Exercise 21.3 · …” was found in it."
        )
    return best


def find_cell(document: Document, exercise: Exercise) -> Cell | None:
    """The code cell of an exercise in this file, or None if the file no longer has it."""
    code = [cell for cell in document.cells if cell.kind == "code"]
    test = exercise.check.split(".")[-1]
    calls = [cell for cell in code if re.search(rf"^[^#\n]*\b{re.escape(test)}\s*\(", cell.source, re.M)]
    if calls:
        defining = [cell for cell in calls if _defines(cell, exercise.name)] or calls
        worked = [cell for cell in defining if not is_stub(cell.source, exercise)] or defining
        return worked[-1]
    header = re.compile(rf"^#+\s*Exercise {re.escape(exercise.id)}\b", re.M)
    for place, cell in enumerate(document.cells):
        if cell.kind == "markdown" and header.search(cell.source):
            for following in document.cells[place + 1 :]:
                if following.kind == "code":
                    return following
                if re.search(r"^#+\s*Exercise \d", following.source, re.M):
                    break
    if exercise.cell:
        for cell in code:
            if cell.id == exercise.cell:
                return cell
    named = [cell for cell in code if _defines(cell, exercise.name)]
    return named[-1] if named else None


def is_stub(source: str, exercise: Exercise) -> bool:
    """Whether a cell is still the stub as shipped, white space aside."""
    return source.split() == exercise.stub.split()


def _defines(cell: Cell, name: str) -> bool:
    pattern = (
        rf"^(?:(?:async )?def|class)\s+{re.escape(name)}\b|^{re.escape(name)}\s*(?::[^=\n]*)?=(?!=)(?!.*yours_or\()"
    )
    return re.search(pattern, cell.source, re.M) is not None


def plan(document: Document, chapter: Chapter, only: str | None = None) -> Plan:
    """What to run for the exercises of ``chapter`` (or the one with the id ``only``), in the file's order."""
    code = [cell for cell in document.cells if cell.kind == "code"]
    parsed = {cell.number: parse_cell(cell.source, cell.number, cell.line) for cell in code}
    statements = [s for cell in code for s in parsed[cell.number].statements]
    out = Plan(broken={n: p.error for n, p in parsed.items() if p.error})
    for exercise in chapter.exercises:
        if only is not None and exercise.id != only:
            continue
        cell = find_cell(document, exercise)
        verdict = _settle(document, exercise, cell, parsed, statements)
        if verdict is not None:
            out.settled[exercise.id] = verdict
            continue
        assert cell is not None
        out.tasks.append(_task(exercise, parsed[cell.number].statements, statements, cell.number))
    out.tasks.sort(key=lambda task: task.end)
    return out


def _settle(
    document: Document,
    exercise: Exercise,
    cell: Cell | None,
    parsed: dict[int, Parsed],
    statements: list[Statement],
) -> Verdict | None:
    """The verdict that needs no execution: cell missing, syntax error, stub untouched."""
    if cell is None:
        text = (
            f"The cell of this exercise is no longer in {document.path.name}. "
            f"`course reset {exercise.id}` puts it back."
        )
        return Verdict(exercise.id, exercise.title, ERROR, text, text)
    if error := parsed[cell.number].error:
        short = f"Syntax error: {error}"
        return Verdict(exercise.id, exercise.title, ERROR, short, f"{short}\n({_where(cell)})")
    elsewhere = [
        s
        for s in statements
        if s.cell != cell.number and exercise.name in s.binds and "yours_or(" not in ast.unparse(s.node)
    ]
    if is_stub(cell.source, exercise) and not elsewhere:
        return Verdict(exercise.id, exercise.title, NOT_ATTEMPTED, "Not attempted yet.")
    return None


def _where(cell: Cell) -> str:
    return f"in {cell.place}"


def _task(exercise: Exercise, own: tuple[Statement, ...], statements: list[Statement], number: int) -> Task:
    """The slice of one exercise. A cell that holds several checks (a script without marks) is sliced itself."""
    calls = [s for s in own if is_check_call(s.node)]
    mine = [s for s in calls if is_check_call(s.node).split(".")[-1] == exercise.check.split(".")[-1]]
    end = mine[-1].key if mine else (own[-1].key if own else (number, -1))
    call = _call(exercise)
    names = frozenset(n.id for n in ast.walk(ast.parse(call)) if isinstance(n, ast.Name)) - {"checks"}
    whole = len({is_check_call(s.node) for s in calls}) < 2
    keys = [s.key for s in own if s not in calls] if whole else []
    needed = names
    if whole:
        needed |= {n for s in own if s not in calls for n in s.now | s.later}
        end = max([end, *keys])
    before, after = backward_slice(statements, needed, end)
    return Task(
        exercise,
        number,
        before=tuple(sorted(before - set(keys))),
        after=tuple(sorted(after)),
        own=tuple(keys),
        end=end,
        call=call,
    )


def _call(exercise: Exercise) -> str:
    """The check call as shipped: a learner's edit of that line changes nothing."""
    try:
        for node in ast.parse(exercise.stub).body:
            if is_check_call(node).split(".")[-1] == exercise.check.split(".")[-1]:
                return ast.unparse(node)
    except SyntaxError:
        pass
    return f"checks.{exercise.check}({exercise.name})"
