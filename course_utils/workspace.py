"""The learner's own files: copies of chapters, the originals they came from, and backups.

Chapters as shipped are never edited and a learner's file is never overwritten without a backup::

    work/21_fourier_algorithm.ipynb             the learner's copy
    work/.course/originals/21_fourier_….ipynb   as it was shipped when the copy was made
    work/.course/backups/…-20260131-120000.ipynb
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from course_utils.errors import CourseError
from course_utils.manifest import Chapter, Manifest
from course_utils.paths import chapters_dir, state_dir, workspace_dir
from course_utils.running.cells import read_document
from course_utils.running.planning import recognise

SKIPPED_FOLDERS = {".course", ".ipynb_checkpoints", "__pycache__", ".git"}


@dataclass(frozen=True)
class Started:
    """What ``start_chapter`` did: ``created`` a copy or found one; ``updated`` if the shipped chapter is newer."""

    path: Path
    created: bool
    updated: bool = False
    backup: Path | None = None


def start_chapter(chapter: Chapter, suffix: str = ".ipynb", fresh: bool = False) -> Started:
    """Copy a chapter into the workspace unless it is there; ``fresh`` takes a new copy and keeps a dated backup.

    Raises CourseError if the shipped chapter is missing or the workspace cannot be written.
    """
    source = chapters_dir() / f"{chapter.file}{suffix}"
    if not source.is_file():
        raise CourseError(f"The shipped chapter {source} is missing. `course doctor` says how to repair this.")
    target = workspace_dir() / source.name
    original = state_dir() / "originals" / source.name
    if target.exists() and not fresh:
        updated = original.is_file() and not _same_text(original, source)
        return Started(target, created=False, updated=updated)
    saved = None
    if target.exists():
        saved = backup(target) if not _same_text(target, source) else None
    try:
        original.parent.mkdir(parents=True, exist_ok=True)
        _copy(source, target)
        _copy(source, original)
        _remember_version(source.name)
    except OSError as error:
        raise CourseError(
            f"The chapter could not be copied to {target} ({error.strerror or error}). Set the environment variable "
            "COURSE_WORK to a folder you can write to."
        ) from None
    return Started(target, created=True, backup=saved)


def backup(path: Path) -> Path:
    """Copy a learner's file to ``.course/backups`` under a name with date and time, and return that name."""
    folder = state_dir() / "backups"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        number = 1
        while True:
            extra = f"-{number}" if number > 1 else ""
            target = folder / f"{path.stem}-{stamp}{extra}{path.suffix}"
            if not target.exists():
                break
            number += 1
        shutil.copyfile(path, target)
    except OSError as error:
        raise CourseError(
            f"No backup of {path} could be made ({error.strerror or error}), so nothing was changed."
        ) from None
    return target


def replace_text(path: Path, data: bytes) -> Path:
    """Write ``data`` to a learner's file after a backup, in one step. Returns the backup's path."""
    saved = backup(path)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        raise CourseError(f"{path} could not be written ({error.strerror or error}). Nothing was changed.") from None
    return saved


def original_of(path: Path, chapter: Chapter) -> Path | None:
    """The pristine file a learner's file came from: the one kept at the copy, else the shipped one, else None."""
    name = f"{chapter.file}{path.suffix}"
    for candidate in (state_dir() / "originals" / name, chapters_dir() / name):
        if candidate.is_file():
            return candidate
    return None


def is_edited(path: Path, chapter: Chapter) -> bool:
    """Whether the sources of a learner's file differ from its original (an unreadable file counts as edited)."""
    original = original_of(path, chapter)
    if original is None:
        return True
    try:
        return read_document(path).sources() != read_document(original).sources()
    except CourseError:
        return True


def learner_files() -> Iterator[Path]:
    """Every notebook and script in the workspace, leaving out checkpoints, backups and hidden folders."""
    for folder, folders, files in os.walk(workspace_dir()):
        folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS and not f.startswith("."))
        for name in sorted(files):
            if name.endswith((".ipynb", ".py")) and not name.startswith("."):
                yield Path(folder) / name


def copies_of(chapter: Chapter, manifest: Manifest) -> list[Path]:
    """The learner's files that hold this chapter: those with its name, or else renamed ones recognised by content."""
    named = [workspace_dir() / f"{chapter.file}{suffix}" for suffix in (".ipynb", ".py")]
    there = [path for path in named if path.is_file()]
    if there:
        return there
    found = []
    for path in learner_files():
        try:
            if recognise(read_document(path), manifest).id == chapter.id:
                found.append(path)
        except CourseError:
            continue
    return found


def candidates(chapter: Chapter, manifest: Manifest) -> list[Path]:
    """The copy to work on: one path, or several if only the learner can say which.

    Of a notebook and a script, the one that was edited counts; an untouched pair gives the notebook. Raises
    CourseError if the workspace has no copy.
    """
    paths = copies_of(chapter, manifest)
    if not paths:
        raise CourseError(
            f"There is no copy of chapter {chapter.id} in {workspace_dir()}. "
            f"`course start {chapter.id}` makes one; or give the path of your file."
        )
    if len(paths) == 1:
        return paths
    edited = [path for path in paths if is_edited(path, chapter)]
    return edited or paths[:1]


def _same_text(one: Path, other: Path) -> bool:
    return one.read_bytes().replace(b"\r\n", b"\n") == other.read_bytes().replace(b"\r\n", b"\n")


def _copy(source: Path, target: Path) -> None:
    temporary = target.with_name(f".{target.name}.tmp")
    shutil.copyfile(source, temporary)
    os.replace(temporary, target)


def read_state(name: str) -> dict:
    """A small JSON file of the commands' own memory; empty if it is missing or damaged."""
    try:
        data = json.loads((state_dir() / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def write_state(name: str, data: dict) -> None:
    """Replace a small JSON file of the commands' own memory. Raises CourseError if the workspace is read-only."""
    path = state_dir() / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8", newline="\n")
        os.replace(temporary, path)
    except OSError as error:
        raise CourseError(f"{path} could not be written ({error.strerror or error}).") from None


def _remember_version(name: str) -> None:
    from course_utils import __version__

    state = read_state("workspace.json")
    state.setdefault("copies", {})[name] = {"course": __version__}
    write_state("workspace.json", state)
