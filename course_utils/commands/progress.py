"""``course progress``: what has passed so far, by chapter and exercise."""

from __future__ import annotations

import json
from datetime import datetime

import typer
from rich.table import Table
from rich.text import Text

from course_utils.commands.screen import complain, console, say
from course_utils.manifest import Chapter, Exercise, read_manifest
from course_utils.paths import workspace_dir

FILE_NAME = "progress.jsonl"
BAR = 24


def progress(
    chapter: str | None = typer.Argument(
        None, metavar="[CHAPTER]", help="A chapter such as 21; all of them if left out."
    ),
) -> None:
    """Show which exercises have passed, and suggest the next one. What is recorded stays on this machine."""
    manifest = read_manifest()
    chapters = [manifest.chapter(chapter)] if chapter else list(manifest.chapters)
    history, damaged = read_history()
    if damaged:
        lines = "line" if damaged == 1 else "lines"
        complain(f"{damaged} damaged {lines} of {workspace_dir() / FILE_NAME} could not be read and were left out.")
    out = console()
    for one in chapters:
        out.print(_table(one, history))
        out.print()
    following = next_exercise(chapters, history)
    if following is None:
        say("All exercises have passed." if chapters else "There are no chapters yet.", "green")
        return
    where, exercise = following
    say(f"Next: {exercise.id} · {exercise.title}, about {exercise.minutes} min. `course lab {where.id}` opens it.")


def read_history() -> tuple[dict[str, tuple[bool, str]], int]:
    """For each check: (has it ever passed, the date of its first pass or latest attempt); and how many lines are damaged.

    Read here without the checks, whose package imports torch.
    """
    history: dict[str, tuple[bool, str]] = {}
    damaged = 0
    try:
        lines = (workspace_dir() / FILE_NAME).read_bytes().split(b"\n")
    except OSError:
        return {}, 0
    for line in lines:
        if not line.strip():
            continue
        try:
            record = json.loads(line.decode("utf-8"))
            check, outcome = str(record["check"]), record["outcome"]
            day = datetime.fromisoformat(record["time"]).astimezone().strftime("%Y-%m-%d")
        except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
            damaged += 1
            continue
        if history.get(check, (False, ""))[0] or outcome == "not attempted":
            continue
        history[check] = (outcome == "passed", day)
    return history, damaged


def next_exercise(chapters: list[Chapter], history: dict[str, tuple[bool, str]]) -> tuple[Chapter, Exercise] | None:
    """The first exercise not passed, the core path of a chapter already begun first, deeper ones last."""

    def passed(exercise: Exercise) -> bool:
        return history.get(exercise.check, (False, ""))[0]

    begun = sorted(chapters, key=lambda c: not any(e.check in history for e in c.exercises))
    for deeper in (False, True):
        for chapter in begun:
            for exercise in chapter.exercises:
                if exercise.deeper == deeper and not passed(exercise):
                    return chapter, exercise
    return None


def _table(chapter: Chapter, history: dict[str, tuple[bool, str]]) -> Table:
    done = sum(history.get(e.check, (False, ""))[0] for e in chapter.exercises)
    total = len(chapter.exercises)
    filled = round(BAR * done / total) if total else 0
    title = Text.assemble(
        (f"{chapter.id} · {chapter.title}  ", "bold"),
        ("━" * filled, "green"),
        ("─" * (BAR - filled), "dim"),
        f" {done} of {total}",
    )
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("Exercise", "Title", "State", "When"):
        table.add_column(heading, no_wrap=heading != "Title")
    for e in chapter.exercises:
        passed, day = history.get(e.check, (False, ""))
        state = ("✓ passed", "green") if passed else ("… begun", "yellow") if day else ("· not yet", "dim")
        name = f"{e.title} (deeper)" if e.deeper else e.title
        table.add_row(e.id, Text(name), Text(*state), Text(day, style="dim"))
    return table
