"""``course lab``: open the chapters in JupyterLab."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import typer

from course_utils.commands.screen import say, shown_path
from course_utils.errors import CourseError
from course_utils.manifest import read_manifest
from course_utils.paths import workspace_dir
from course_utils.workspace import start_chapter


def lab(
    context: typer.Context,
    chapter: str | None = typer.Argument(
        None, metavar="[CHAPTER]", help="A chapter such as 21 to open; the file list if left out."
    ),
    browser: bool = typer.Option(True, "--browser/--no-browser", help="Open a browser window."),
    port: int | None = typer.Option(None, "--port", help="The port of JupyterLab's server."),
) -> None:
    """Copy the chapters into your workspace where needed, and open JupyterLab there. It gets any further options."""
    extra = list(context.args)
    if chapter and chapter.startswith("-"):  # an option of JupyterLab's, where no chapter was given
        extra.insert(0, chapter)
        chapter = None
    manifest = read_manifest()
    wanted = manifest.chapter(chapter) if chapter else None
    if importlib.util.find_spec("jupyterlab") is None:
        raise CourseError(
            "JupyterLab is not installed in this environment. Install it with "
            f"`{sys.executable} -m pip install jupyterlab`, or open the notebooks in another editor "
            "(`course start` copies them into your workspace)."
        )
    for one in [wanted] if wanted else manifest.chapters:
        done = start_chapter(one)
        if done.created:
            say(f"{one.id} · {one.title}: your copy is {shown_path(done.path)}.", "green")
        elif done.updated:
            say(
                f"{one.id} · {one.title} has been updated: `course start {one.id} --fresh` takes the new version.",
                "yellow",
            )
    say(f"JupyterLab opens in {shown_path(workspace_dir())}; end it with Ctrl-C here.")
    command = lab_command(f"{wanted.file}.ipynb" if wanted else None, browser, port)
    if _is_root() and "--allow-root" not in extra:
        say("You are the root user (as in most containers), so JupyterLab is started with --allow-root.", "dim")
        extra.append("--allow-root")
    raise typer.Exit(run_lab(command + extra))


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def lab_command(file: str | None, browser: bool, port: int | None) -> list[str]:
    """The command line that opens JupyterLab on ``file`` (a name in the workspace)."""
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={workspace_dir()}"]
    if not browser:
        command.append("--no-browser")
    if port is not None:
        command.append(f"--port={port}")
    if file:
        command.append(str(workspace_dir() / file))
    return command


def run_lab(command: list[str]) -> int:
    """Run JupyterLab until it ends; Ctrl-C is its own affair. Returns its exit code."""
    environment = dict(os.environ)
    environment["COURSE_WORK"] = str(workspace_dir())
    environment["JUPYTER_PREFER_ENV_PATH"] = "1"  # the kernel python3 of this environment, not one of the user's
    workspace_dir().mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(command, env=environment, cwd=workspace_dir())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue
