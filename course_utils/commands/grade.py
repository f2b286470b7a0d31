"""``course check`` on many handed-in files: a line of progress, one table, and a CSV file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, nullcontext
from pathlib import Path

import typer
from rich.status import Status
from rich.table import Table
from rich.text import Text

from course_utils.commands.screen import complain, console, one_line, say, shown_path
from course_utils.errors import CourseError
from course_utils.manifest import is_exercise_id, read_manifest
from course_utils.running.collecting import gather, identify
from course_utils.running.gradebook import Gradebook, known
from course_utils.running.grading import Grade, Settings, grade_files
from course_utils.running.handed_in import DIED, GRADED, NOT_STARTED

BOUNDARY = (
    "The code of these files runs as you, on copies and under limits. That is no security boundary, and verdicts can "
    "be forged."
)


def is_meant(targets: Sequence[str]) -> bool:
    """Whether these arguments ask for grading: more than one, or a folder (not a chapter's name)."""
    if len(targets) > 1:
        return True
    target = targets[0]
    if is_exercise_id(target) or not Path(target).expanduser().is_dir():
        return False
    if any(mark in target for mark in "/\\."):
        return True
    return not any(target in (c.id, c.slug, c.file) for c in read_manifest().chapters)


def grade(targets: Sequence[Path], settings: Settings, table: Path | None, jobs: int, again: bool) -> None:
    """Grade the files, keep each row at once, and show one table. Exit code 1 if a file could not be graded here."""
    manifest = read_manifest()
    if settings.chapter is not None:
        manifest.chapter(settings.chapter)
    paths, others = gather(targets)
    if not paths:
        raise CourseError("There is no notebook (.ipynb) and no script (.py) in what you named. Name their folder.")
    files = [identify(path) for path in paths]
    book = Gradebook(table) if table else None
    rows = book.rows() if book and not again else []
    chapter = manifest.chapter(settings.chapter).id if settings.chapter else None
    listed = {(row["file"], row["sha256"]) for row in rows}
    grades: dict[str, Grade] = {}
    for file in files:
        before = known(rows, file, manifest, chapter)
        if before is not None:
            grades[file.name] = before
            if book and (before.file, before.sha256) not in listed:
                book.put(before)
    todo = [file for file in files if file.name not in grades]
    say(_opening(len(files), len(grades), table))
    say(BOUNDARY, "dim")
    watch = _Watch(len(todo))
    try:
        with watch.shown(), closing(grade_files(todo, manifest, settings, jobs, watch.checking)) as graded:
            for one in graded:
                grades[one.file] = one
                if book:
                    book.put(one)
                watch.finished(one)
    except KeyboardInterrupt:
        if book:
            book.close()
        kept = f" They are in {shown_path(book.path)}; the same command goes on from there." if book else ""
        say(f"Interrupted. {len(grades)} of {len(files)} files are graded.{kept}")
        raise typer.Exit(130) from None
    found = [grades[file.name] for file in files]
    console().print(_table(found))
    if others:
        names = ", ".join(shown_path(path) for path in others[:3]) + (", …" if len(others) > 3 else "")
        say(f"Left out, because they are no notebooks and no scripts: {len(others)} ({names}).")
    say(_closing(found, table))
    if book:
        book.close()
    if any(one.status in (DIED, NOT_STARTED) for one in found):
        complain("Some files could not be graded; the table says why. The same command tries them again.")
        raise typer.Exit(1)


class _Watch:
    """What is going on: a status line in a terminal, elsewhere a line for each file that is done."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self.now: dict[str, str] = {}
        out = console()
        self.status = Status("Starting …", console=out) if out.is_terminal else None

    def shown(self) -> Status | nullcontext[None]:
        """To be entered while files are graded."""
        return self.status or nullcontext()

    def checking(self, name: str, exercise: str) -> None:
        """This exercise of this file has begun. Called from several threads."""
        self.now[name] = exercise
        self._update()

    def finished(self, one: Grade) -> None:
        """This file has its grade."""
        self.done += 1
        self.now.pop(one.file, None)
        if self.status is None:
            say(f"{self.done} of {self.total}  {one.file}: {one.status}{_passed(one)}")
        self._update()

    def _update(self) -> None:
        if self.status is not None:
            running = ", ".join(f"{Path(name).name} {exercise}" for name, exercise in sorted(self.now.items()))
            self.status.update(Text(f"{self.done} of {self.total} graded · {running}"))


def _opening(files: int, before: int, table: Path | None) -> str:
    text = f"{files} files to grade." if files != 1 else "1 file to grade."
    if before:
        text = f"{files} files; {before} with this content graded before, {files - before} to grade (`--again`: all)."
    return text if table else f"{text} `--csv grades.csv` would keep the result."


def _passed(one: Grade) -> str:
    return f", {one.passed} of {len(one.verdicts)} passed" if one.verdicts else ""


def _table(grades: Sequence[Grade]) -> Table:
    """One row a file, named from the folder that holds them all."""
    folders = {str(Path(one.file).parent) for one in grades}
    common = Path(os.path.commonpath(folders)) if len(grades) > 1 and _related(folders) else Path()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("File", overflow="fold")
    table.add_column("Ch.", no_wrap=True)
    table.add_column("Result", no_wrap=True)
    for name in ("Wrong", "Open", "Timed\nout"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("In one line", ratio=1)
    for one in grades:
        counts = [str(n) if one.verdicts else "" for n in (one.wrong, one.not_attempted, one.timed_out)]
        text = f"{one.passed} of {len(one.verdicts)}" if one.status == GRADED else one.status
        result = Text(text, style="" if one.status == GRADED else "yellow")
        name = Path(one.file).relative_to(common).as_posix()
        table.add_row(Text(name), one.chapter, result, *counts, Text(one_line(one.message)))
    return table


def _related(folders: set[str]) -> bool:
    return len({Path(folder).anchor for folder in folders}) == 1


def _closing(grades: Sequence[Grade], table: Path | None) -> str:
    counts = Counter(one.status for one in grades)
    text = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    return f"{text}. The rows are in {shown_path(table)}." if table else f"{text}."
