"""``course train`` and ``course verify``: rebuild a model of the zoo, or recompute what its card says."""

from __future__ import annotations

from pathlib import Path

import typer

from course_utils.commands.screen import complain, say, shown_path
from course_utils.errors import CourseError
from course_utils.paths import workspace_dir


def train(
    name: str = typer.Argument(..., metavar="NAME", help="A model of the zoo; a wrong name lists them."),
    resume: bool = typer.Option(False, "--resume", help="Go on where an interrupted run stopped."),
    out: Path | None = typer.Option(
        None, "--out", help="Folder for the run; models/NAME in your workspace if left out."
    ),
) -> None:
    """Train a model of the zoo again from its recipe. Ctrl-C is safe: --resume goes on from the newest checkpoint."""
    from course_utils import zoo

    _known(name, list(zoo.names()))
    folder = out or workspace_dir() / "models" / name
    if folder.exists() and any(folder.iterdir()) and not resume:
        raise CourseError(
            f"{folder} already holds a run. `--resume` goes on with it; `--out` puts a new run into another folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    try:
        zoo.rebuild(name, folder, progress=True)
    except KeyboardInterrupt:
        say(f"Interrupted. `course train {name} --resume` goes on from the newest checkpoint in {shown_path(folder)}.")
        raise typer.Exit(130) from None
    say(f"{name} is trained; the run is in {shown_path(folder)}.", "green")


def verify(
    name: str | None = typer.Argument(None, metavar="[NAME]", help="A model of the zoo; all of them if left out."),
) -> None:
    """Recompute a model's metrics from its shipped weights and compare them with its card."""
    from course_utils import zoo

    names = list(zoo.names())
    if name:
        _known(name, names)
    wrong = 0
    for one in [name] if name else names:
        problems = zoo.verify(one)
        wrong += bool(problems)
        if problems:
            for problem in problems:
                complain(f"{one}: {problem}")
        else:
            say(f"✓ {one}: the weights are what the card says.", "green")
    if wrong:
        raise typer.Exit(1)


def _known(name: str, names: list[str]) -> None:
    if name not in names:
        raise CourseError(f"There is no model {name!r} in the zoo. It has: {', '.join(names) or 'nothing yet'}.")
