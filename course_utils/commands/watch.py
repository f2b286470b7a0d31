"""``course watch``: check again at every save."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import typer

from course_utils.commands.check import run, summary
from course_utils.commands.choosing import Choice, choose
from course_utils.commands.screen import complain, console, full_report, say, shown_path, verdict_table
from course_utils.errors import CourseError
from course_utils.running import Limits, Verdict, Worker
from course_utils.running.verdicts import PASSED

INTERVAL = 0.5


def watch(
    target: str = typer.Argument(
        ..., metavar="TARGET", help="A chapter (21), an exercise (21.3), or the path of your file."
    ),
    file: Path | None = typer.Option(None, "--file", help="Your file, if it is not the copy in the workspace."),
    seconds: float = typer.Option(
        Limits.exercise, "--seconds", min=0.5, help="Time limit for one exercise, in seconds."
    ),
) -> None:
    """Check your answers at every save, and show the first one that is not right yet. End with Ctrl-C."""
    follow(choose(target, file), Limits(exercise=seconds))


def follow(choice: Choice, limits: Limits, go_on: Callable[[], bool] = lambda: True) -> None:
    """Check the file now and whenever it changes, while ``go_on()``.

    The next check's process is started as soon as one check ends, so that torch is imported by the time of a save.
    """
    spare = Worker()
    seen: tuple[int, int] | None = None
    try:
        while go_on():
            now = _stamp(choice.path)
            if now == seen:
                time.sleep(INTERVAL)
                continue
            seen = now
            worker, start = spare, time.perf_counter()
            try:
                verdicts = run(choice, limits, worker)
                _show(choice, verdicts, time.perf_counter() - start)
            except CourseError as error:
                console().clear()
                complain(str(error))
            spare = Worker()
    except KeyboardInterrupt:
        say("Stopped watching.")
    finally:
        spare.stop()


def _show(choice: Choice, verdicts: list[Verdict], seconds: float) -> None:
    out = console()
    out.clear()
    out.print(verdict_table(verdicts, f"{choice.chapter.id} · {choice.chapter.title} ({shown_path(choice.path)})"))
    following = next((v for v in verdicts if v.is_wrong), None) or next(
        (v for v in verdicts if v.verdict != PASSED), None
    )
    if following is not None:
        full_report(following)
    out.print()
    say(summary(verdicts))
    say(f"Checked at {time.strftime('%H:%M:%S')} in {seconds:.1f} s. Save the file to check again; Ctrl-C ends.", "dim")


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
