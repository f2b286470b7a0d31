"""Which file does the learner mean? A chapter, an exercise, or any path."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import typer

from course_utils.commands.screen import shown_path
from course_utils.errors import CourseError
from course_utils.manifest import Chapter, Manifest, is_exercise_id, read_manifest
from course_utils.running.cells import read_document
from course_utils.running.planning import recognise
from course_utils.workspace import candidates


@dataclass(frozen=True)
class Choice:
    """The file to work on, the chapter it holds, and the exercise meant (None: all of them)."""

    path: Path
    chapter: Chapter
    exercise: str | None = None


def choose(target: str, file: Path | None = None) -> Choice:
    """Resolve ``21``, ``21.3``, a chapter's name or a path. Raises CourseError saying what to give instead."""
    manifest = read_manifest()
    if is_exercise_id(target) and not Path(target).exists():
        chapter, exercise = manifest.exercise(target)
        return Choice(_file_of(chapter, manifest, file), chapter, exercise.id)
    path = Path(target).expanduser()
    looks_like_path = path.suffix in (".py", ".ipynb") or "/" in target or "\\" in target or path.is_file()
    if looks_like_path:
        if not path.exists():
            raise CourseError(f"There is no file {path}.")
        return Choice(path, recognise(read_document(path), manifest))
    chapter = manifest.chapter(target)
    return Choice(_file_of(chapter, manifest, file), chapter)


def _file_of(chapter: Chapter, manifest: Manifest, file: Path | None) -> Path:
    if file is not None:
        return file.expanduser()
    paths = candidates(chapter, manifest)
    return paths[0] if len(paths) == 1 else _ask(chapter, paths)


def _ask(chapter: Chapter, paths: list[Path]) -> Path:
    """Let the learner say which copy; without a terminal, say how to give the path."""
    names = [shown_path(path) for path in paths]
    if not sys.stdin.isatty():
        listed = " and ".join(names)
        raise CourseError(
            f"Chapter {chapter.id} has {len(paths)} copies with your changes: {listed}. "
            f"Name the one you mean: `course check {names[0]}`, or `--file {names[0]}`."
        )
    typer.echo(f"Chapter {chapter.id} has {len(paths)} copies with your changes:")
    for number, name in enumerate(names, start=1):
        typer.echo(f"  {number}  {name}")
    while True:
        answer = typer.prompt("Which one (number)", default=1, type=int)
        if 1 <= answer <= len(paths):
            return paths[answer - 1]
        typer.echo(f"A number from 1 to {len(paths)}, please.")
