"""Where things are: the clone, the shipped chapters, the learner's workspace.

Nothing here imports torch, and no folder is created unasked; every function reads the environment anew, so that a test or a
notebook can set ``COURSE_WORK`` or ``COURSE_CHAPTERS`` at any time.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from course_utils.errors import CourseError

PACKAGE = Path(__file__).resolve().parent
DISTRIBUTION = "phase-change"
WHEEL_CHAPTERS = PACKAGE / "_chapters"
"""Where the wheel carries what a clone has in ``chapters/``."""


def clone_root() -> Path | None:
    """The root of the course's repository if the package runs from a clone, else None (an installed wheel)."""
    root = PACKAGE.parent
    project = root / "pyproject.toml"
    if not project.is_file():
        return None
    try:
        name = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {}).get("name")
    except (OSError, ValueError):
        return None
    return root if name == DISTRIBUTION else None


def chapters_dir() -> Path:
    """The folder of the shipped chapters and their ``manifest.json``; it need not exist in a damaged installation.

    ``COURSE_CHAPTERS`` overrides it; a clone has ``chapters/``, an installed wheel carries a copy in the package.
    """
    if override := os.environ.get("COURSE_CHAPTERS"):
        return Path(override).expanduser().resolve()
    root = clone_root()
    return root / "chapters" if root else WHEEL_CHAPTERS


def workspace_dir(create: bool = False) -> Path:
    """The folder where the learner's own files, progress and backups live; made only if ``create``.

    ``COURSE_WORK`` overrides it. In a clone it is ``work/`` (ignored by git). For an installed wheel it is the
    workspace the current folder lies in, if any, and otherwise ``./phase-change-work``.
    """
    folder = _workspace()
    if create:
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _workspace() -> Path:
    if override := os.environ.get("COURSE_WORK"):
        return Path(override).expanduser().resolve()
    if root := clone_root():
        return root / "work"
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".course").is_dir():
            return folder
    return here / "phase-change-work"


def state_dir() -> Path:
    """The workspace's own folder for what the commands remember: originals, backups, hints shown."""
    return workspace_dir() / ".course"


def require_clone(what: str) -> Path:
    """The clone's root, for commands that make no sense outside it. Raises CourseError naming ``what``."""
    root = clone_root()
    if root is None:
        raise CourseError(
            f"{what} works on the course's repository, and this is an installed package. "
            "Clone the repository, install it there with `pip install -e .`, and run the command again."
        )
    return root
