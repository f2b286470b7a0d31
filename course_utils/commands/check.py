"""``course check``: what is right, what is wrong, and what to do about it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import typer

from course_utils.commands import grade
from course_utils.commands.choosing import Choice, choose
from course_utils.commands.screen import console, full_report, say, shown_path, verdict_table
from course_utils.errors import CourseError
from course_utils.running import Limits, Verdict, Worker, check_document, read_document
from course_utils.running.grading import Settings
from course_utils.running.verdicts import NOT_ATTEMPTED, PASSED

GRADING = "Grading many files"


def check(
    targets: list[str] = typer.Argument(
        ...,
        metavar="TARGET",
        help="A chapter (21), an exercise (21.3), or the path of your file. Several paths, or a folder: grade them all.",
    ),
    file: Path | None = typer.Option(None, "--file", help="Your file, if it is not the copy in the workspace."),
    as_json: bool = typer.Option(False, "--json", help="The verdicts as JSON, for other programs."),
    seconds: float = typer.Option(
        Limits.exercise, "--seconds", min=0.5, help="Time limit for one exercise, in seconds."
    ),
    table: Path | None = typer.Option(
        None,
        "--csv",
        metavar="FILE",
        help="Keep a row a file here; files in it are not graded again.",
        rich_help_panel=GRADING,
    ),
    chapter: str | None = typer.Option(
        None, "--chapter", help="Grade every file as this chapter, not as the one it holds.", rich_help_panel=GRADING
    ),
    jobs: int = typer.Option(1, "--jobs", min=1, help="How many files at once.", rich_help_panel=GRADING),
    minutes: float = typer.Option(
        Settings.minutes, "--minutes-per-file", min=0.05, help="Time limit for a whole file.", rich_help_panel=GRADING
    ),
    memory: float = typer.Option(
        Settings.memory,
        "--memory",
        min=0.5,
        help="GiB that a file may use beyond what torch takes (Linux).",
        rich_help_panel=GRADING,
    ),
    again: bool = typer.Option(
        False, "--again", help="Grade also what the CSV file has already.", rich_help_panel=GRADING
    ),
) -> None:
    """Check your answers. Exit code 1 if an exercise is wrong; one not yet attempted is not wrong.

    Several paths, a folder, or --csv: many handed-in files are graded. Each runs
    in a process of its own, on a fresh copy, with a temporary home and limits on
    time, memory and file size. An accident in one does not touch the others.

    This is no security boundary: the code of these files runs as you, and can
    read and delete what you can. Verdicts can be forged by a file that sets out
    to do so. For code that you do not trust, use a container.
    """
    if table is not None or grade.is_meant(targets):
        if file is not None or as_json:
            raise CourseError("`--file` and `--json` are for one file. To grade several, give their paths and `--csv`.")
        settings = Settings(chapter, seconds, minutes, memory, threads=min(4, max(1, (os.cpu_count() or 1) // jobs)))
        grade.grade([Path(target).expanduser() for target in targets], settings, table, jobs, again)
        return
    if chapter is not None or again:
        raise CourseError("`--chapter` and `--again` are for grading: name several files or a folder, or add `--csv`.")
    choice = choose(targets[0], file)
    verdicts = run(choice, Limits(exercise=seconds))
    if as_json:
        typer.echo(json.dumps(as_data(choice, verdicts), indent=1))
    else:
        show(choice, verdicts)
    if any(v.is_wrong for v in verdicts):
        raise typer.Exit(1)


def run(choice: Choice, limits: Limits | None = None, worker: Worker | None = None) -> list[Verdict]:
    """The verdicts on the file of ``choice``, with a line saying what is running while a person waits."""
    try:
        document = read_document(choice.path)
    except BaseException:
        if worker is not None:
            worker.stop()
        raise
    out = console()
    if not out.is_terminal:
        return check_document(document, choice.chapter, choice.exercise, limits, worker)
    with out.status("Starting the checks …") as status:
        return check_document(
            document,
            choice.chapter,
            choice.exercise,
            limits,
            worker,
            progress=lambda exercise: status.update(f"Checking {exercise} …"),
        )


def show(choice: Choice, verdicts: Sequence[Verdict]) -> None:
    """The table, the full reports of what is wrong (of the one exercise asked for, in any case), and what is next."""
    out = console()
    if choice.exercise:
        full_report(verdicts[0])
        if verdicts[0].verdict == NOT_ATTEMPTED:
            say(f"`course hint {choice.exercise}` helps to begin.")
        return
    out.print(verdict_table(verdicts, f"{choice.chapter.id} · {choice.chapter.title} ({shown_path(choice.path)})"))
    for verdict in verdicts:
        if verdict.is_wrong:
            full_report(verdict)
    out.print()
    say(summary(verdicts))


def summary(verdicts: Sequence[Verdict]) -> str:
    """One sentence on where the learner stands and what comes next."""
    passed = sum(v.verdict == PASSED for v in verdicts)
    wrong = sum(v.is_wrong for v in verdicts)
    text = f"{passed} of {len(verdicts)} exercises passed"
    if wrong:
        text += f", {wrong} to put right"
    following = next((v for v in verdicts if v.verdict != PASSED), None)
    if following is None:
        return f"{text}. All done."
    return f"{text}. Next: {following.id} · {following.title} (`course hint {following.id}` helps)."


def as_data(choice: Choice, verdicts: Sequence[Verdict]) -> dict:
    """What ``--json`` prints."""
    return {
        "chapter": choice.chapter.id,
        "file": str(choice.path),
        "ok": not any(v.is_wrong for v in verdicts),
        "exercises": [v.as_dict() for v in verdicts],
    }
