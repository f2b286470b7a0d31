"""``course build``: derive chapters and notebooks from their sources."""

from __future__ import annotations

import typer

from course_utils.commands.screen import complain, say, shown_path
from course_utils.errors import CourseError
from course_utils.paths import require_clone


def build(
    check: bool = typer.Option(
        False, "--check", help="Write nothing; list what is stale and exit with code 1 if anything is."
    ),
    execute: str = typer.Option(
        None, "--execute", metavar="CHAPTER", help="Run a chapter's solution and refresh its evidence."
    ),
) -> None:
    """Write chapters/ and the solution notebooks from solutions/*.py. For authors, in a clone."""
    root = require_clone("`course build`")
    if check and execute:
        raise CourseError("`--check` writes nothing and `--execute` does: give one of them.")
    from course_utils import authoring

    if check:
        stale = authoring.check(root)
        for line in stale:
            complain(line)
        if stale:
            complain("Run `course build` (and `course build --execute CHAPTER` for stale evidence), then commit.")
            raise typer.Exit(1)
        say("Everything derived is up to date.", "green")
        return
    if execute:
        report = authoring.execute(root, execute)
        if not report.ok:
            complain(
                f"Chapter {report.chapter} stopped after {report.seconds:.0f} s; nothing was stored. {report.failure}"
            )
            raise typer.Exit(1)
        for label in report.refreshed:
            say(f"refreshed {label}")
        for path in report.written:
            say(shown_path(path))
        say(
            f"Chapter {report.chapter} ran in {report.seconds:.0f} s; {len(report.refreshed)} results are new.", "green"
        )
        return
    written = authoring.build(root)
    for path in written:
        say(shown_path(path))
    say(f"{len(written)} files written." if written else "Everything was up to date.", "green")
