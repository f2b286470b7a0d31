"""Which files were handed in? Notebooks and scripts in the folders named, each with the hash of its content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from course_utils.errors import CourseError
from course_utils.workspace import SKIPPED_FOLDERS

SUFFIXES = (".ipynb", ".py")
LARGEST = 256 * 2**20  # bytes; a notebook with many figures in its outputs has some tens of millions


@dataclass(frozen=True)
class HandIn:
    """A file to grade: where it is, what to call it, and the SHA-256 of its content ("" with a ``problem``)."""

    path: Path
    name: str
    sha256: str = ""
    problem: str = ""


def gather(targets: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """The notebooks and scripts among ``targets`` and in their folders, and the other files left out there.

    Checkpoints, hidden files and hidden folders are not looked at. Raises CourseError for a target that is not there.
    """
    found: dict[Path, Path] = {}
    others: list[Path] = []
    for target in targets:
        if not target.exists():
            raise CourseError(f"There is no file or folder {target}. Grading takes paths of files and folders.")
        if not target.is_dir():
            found.setdefault(target.resolve(), target)
            continue
        for folder, folders, files in os.walk(target):
            folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS and not f.startswith("."))
            for path in (Path(folder) / name for name in sorted(files) if not name.startswith(".")):
                if path.suffix.lower() in SUFFIXES:
                    found.setdefault(path.resolve(), path)
                else:
                    others.append(path)
    return list(found.values()), others


def identify(path: Path) -> HandIn:
    """The file at ``path`` under the name that tables give it, with the hash of its content or why there is none."""
    name = printable(path.as_posix())
    try:
        if not path.is_file():
            return HandIn(path, name, problem="It is no ordinary file. Ask for the file again.")
        size = path.stat().st_size
        if size > LARGEST:
            text = f"It has {size / 2**20:.0f} MiB; {LARGEST / 2**20:.0f} are read. Ask for it with outputs cleared."
            return HandIn(path, name, problem=text)
        with path.open("rb") as file:
            return HandIn(path, name, hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        return HandIn(path, name, problem=f"It cannot be read ({error.strerror}). Put that right, and grade again.")


def printable(text: str) -> str:
    """The text on one line, with what cannot be written in UTF-8 escaped."""
    return " ".join(text.encode("utf-8", "backslashreplace").decode("utf-8").split())
