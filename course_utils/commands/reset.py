"""``course reset``: put one exercise's stub back into the learner's copy."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import typer

from course_utils.commands.choosing import choose
from course_utils.commands.screen import say, shown_path
from course_utils.errors import CourseError
from course_utils.manifest import Chapter, Exercise, is_exercise_id
from course_utils.restoring import restored
from course_utils.running.cells import Document, read_document
from course_utils.running.planning import find_cell
from course_utils.workspace import original_of, replace_text


def reset(
    exercise: str = typer.Argument(..., metavar="EXERCISE", help="An exercise such as 21.3."),
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask first."),
    file: Path | None = typer.Option(None, "--file", help="Your file, if it is not the copy in the workspace."),
) -> None:
    """Put the stub of one exercise back. Your file is kept as a dated backup first."""
    if not is_exercise_id(exercise):
        raise CourseError(f"An exercise is named by chapter and number, such as 21.3; got {exercise!r}.")
    choice = choose(exercise, file)
    found = next(e for e in choice.chapter.exercises if e.id == exercise)
    stub, header = shipped_stub(choice.path, choice.chapter, found)
    document = read_document(choice.path)
    _stands_alone(document, choice.chapter, found)
    new = restored(document, found, stub, header)
    where = shown_path(choice.path)
    if new is None:
        say(f"Exercise {found.id} in {where} is still as it was shipped. Nothing was changed.")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise CourseError(f"This replaces your code for exercise {found.id} in {where}: add `--yes` to go on.")
        typer.confirm(f"Replace your code for exercise {found.id} · {found.title} in {where} by the stub?", abort=True)
    saved = replace_text(choice.path, new)
    say(f"Exercise {found.id} is a stub again in {where}. Your file as it was: {shown_path(saved)}.", "green")
    if document.is_notebook:
        say("If the notebook is open in JupyterLab, take it anew: File → Reload Notebook from Disk.")


def _stands_alone(document: Document, chapter: Chapter, exercise: Exercise) -> None:
    """Refuse to replace a cell that holds other exercises too, as in a script without ``# %%`` lines."""
    cell = find_cell(document, exercise)
    tests = [e.check.split(".")[-1] for e in chapter.exercises if e.id != exercise.id]
    others = [test for test in tests if cell and re.search(rf"\b{re.escape(test)}\s*\(", cell.source)]
    if others:
        raise CourseError(
            f"The cell of exercise {exercise.id} in {document.path} holds other exercises too ({', '.join(others)}), "
            "and putting the stub back would lose them. Put it into a cell of its own first."
        )


def shipped_stub(path: Path, chapter: Chapter, exercise: Exercise) -> tuple[str, str]:
    """The stub and its header text as in the original of the learner's copy, else as in the manifest."""
    original = original_of(path, chapter)
    if original is not None:
        try:
            document = read_document(original)
        except CourseError:
            return exercise.stub, ""
        cell = find_cell(document, exercise)
        if cell is not None:
            headers = [
                c.source
                for c in document.cells[: cell.number - 1]
                if c.kind == "markdown" and f"Exercise {exercise.id} " in c.source
            ]
            return cell.source.strip("\n"), headers[-1] if headers else ""
    return exercise.stub.strip("\n"), ""
