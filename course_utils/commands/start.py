"""``course start``: take a copy of a chapter to work in."""

from __future__ import annotations

import typer

from course_utils.commands.screen import say, shown_path
from course_utils.manifest import read_manifest
from course_utils.workspace import start_chapter


def start(
    chapter: str | None = typer.Argument(
        None, metavar="[CHAPTER]", help="A chapter such as 21; all of them if left out."
    ),
    py: bool = typer.Option(False, "--py", help="The plain Python script in place of the notebook."),
    fresh: bool = typer.Option(False, "--fresh", help="Take the chapter anew; your copy is kept as a dated backup."),
) -> None:
    """Copy a chapter into your workspace. A copy you already have is never overwritten."""
    manifest = read_manifest()
    chapters = [manifest.chapter(chapter)] if chapter else list(manifest.chapters)
    if not chapters:
        say("There are no chapters yet.")
    for one in chapters:
        done = start_chapter(one, ".py" if py else ".ipynb", fresh)
        where = shown_path(done.path)
        option = " --py" if py else ""
        if done.backup:
            say(f"{one.id} · {one.title}: a new copy is in {where}; yours is kept as {shown_path(done.backup)}.")
        elif done.created:
            say(f"{one.id} · {one.title}: your copy is {where}.", "green")
        elif done.updated:
            say(
                f"{one.id} · {one.title}: {where} was there already and is left as it is. The chapter has been updated "
                f"since: `course start {one.id}{option} --fresh` takes the new version and keeps yours as a backup.",
                "yellow",
            )
        else:
            say(f"{one.id} · {one.title}: {where} was there already and is left as it is.")
    if chapters:
        first = chapters[0].id
        say(f"Open it with `course lab {first}` or in your editor; `course check {first}` checks your answers.")
