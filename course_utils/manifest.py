"""What the shipped chapters contain: chapters, their exercises, hints and stubs, read from ``manifest.json``."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from course_utils.errors import CourseError
from course_utils.paths import chapters_dir, clone_root

VERSION = 1


@dataclass(frozen=True)
class Exercise:
    """One exercise: ``check`` is the dotted name of its check (``fourier.test_fourier_basis``)."""

    id: str
    title: str
    name: str
    check: str
    stub: str
    cell: str = ""
    hints: tuple[str, ...] = ()
    minutes: int = 0
    difficulty: int = 0
    importance: int = 0
    deeper: bool = False


@dataclass(frozen=True)
class Chapter:
    """One chapter: ``file`` is the name of its files without the suffix (``21_fourier_algorithm``)."""

    id: str
    slug: str
    file: str
    title: str
    exercises: tuple[Exercise, ...]
    minutes: int = 0
    prerequisites: tuple[str, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """All chapters of one version of the course."""

    course: str
    chapters: tuple[Chapter, ...]

    def chapter(self, wanted: str) -> Chapter:
        """The chapter with this id, slug or file name. Raises CourseError naming the chapters there are."""
        name = Path(wanted).stem
        for chapter in self.chapters:
            if wanted == chapter.id or name in (chapter.slug, chapter.file):
                return chapter
        known = ", ".join(f"{c.id} ({c.title})" for c in self.chapters) or "none"
        raise CourseError(f"There is no chapter {wanted}. The chapters here are: {known}.")

    def exercise(self, wanted: str) -> tuple[Chapter, Exercise]:
        """The exercise with this id (``21.3``) and its chapter. Raises CourseError naming what there is."""
        if not is_exercise_id(wanted):
            raise CourseError(f"An exercise is named by chapter and number, such as 21.3; got {wanted!r}.")
        chapter = self.chapter(wanted.split(".")[0])
        for exercise in chapter.exercises:
            if exercise.id == wanted:
                return chapter, exercise
        known = ", ".join(e.id for e in chapter.exercises) or "none"
        raise CourseError(f"Chapter {chapter.id} has no exercise {wanted}. Its exercises are: {known}.")


def is_exercise_id(text: str) -> bool:
    """Whether ``text`` has the form of an exercise id, such as 21.3."""
    return re.fullmatch(r"\d+\.\d+", text) is not None


def read_manifest(folder: Path | None = None) -> Manifest:
    """The manifest in ``folder`` (the shipped chapters by default).

    Raises CourseError with what to do if it is missing, damaged, or written by a newer course.
    """
    path = (folder or chapters_dir()) / "manifest.json"
    repair = (
        "Run `course build`, or take the file back with `git checkout chapters/`."
        if clone_root()
        else "Install the course again: `pip install --force-reinstall --no-deps phase-change`."
    )
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CourseError(f"The list of chapters, {path}, is missing. {repair}") from None
    except (OSError, ValueError) as error:
        raise CourseError(f"The list of chapters, {path}, is damaged ({error}). {repair}") from None
    if isinstance(data, dict) and isinstance(data.get("version"), int) and data["version"] > VERSION:
        raise CourseError(f"{path} was written by a newer version of the course. Update the installed package.")
    try:
        return Manifest(str(data["course"]), tuple(_chapter(entry) for entry in data["chapters"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise CourseError(f"The list of chapters, {path}, is damaged (at {error}). {repair}") from None


def _chapter(entry: dict) -> Chapter:
    exercises = tuple(
        Exercise(
            id=str(e["id"]),
            title=e["title"],
            name=e["name"],
            check=e["check"],
            stub=e["stub"],
            cell=e.get("cell") or "",
            hints=tuple(e.get("hints", ())),
            minutes=e.get("minutes") or 0,
            difficulty=e.get("difficulty") or 0,
            importance=e.get("importance") or 0,
            deeper=bool(e.get("deeper")),
        )
        for e in entry["exercises"]
    )
    return Chapter(
        id=str(entry["id"]),
        slug=entry["slug"],
        file=entry["file"],
        title=entry["title"],
        exercises=exercises,
        minutes=entry.get("minutes") or 0,
        prerequisites=tuple(str(p) for p in entry.get("prerequisites") or ()),
    )
