"""``course check``: what is right, what is wrong, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import typer

from course_utils.commands.choosing import Choice, choose
from course_utils.commands.screen import console, full_report, say, shown_path, verdict_table
from course_utils.running import Limits, Verdict, Worker, check_document, read_document
from course_utils.running.verdicts import NOT_ATTEMPTED, PASSED


def check(
    target: str = typer.Argument(
        ..., metavar="TARGET", help="A chapter (21), an exercise (21.3), or the path of your file."
    ),
    file: Path | None = typer.Option(None, "--file", help="Your file, if it is not the copy in the workspace."),
    as_json: bool = typer.Option(False, "--json", help="The verdicts as JSON, for other programs."),
    seconds: float = typer.Option(
        Limits.exercise, "--seconds", min=0.5, help="Time limit for one exercise, in seconds."
    ),
) -> None:
    """Check your answers. Exit code 1 if an exercise is wrong; one not yet attempted is not wrong."""
    choice = choose(target, file)
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
