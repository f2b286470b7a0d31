"""What is wrong with a chapter's source, said so that its author can go straight to the line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from course_utils.errors import CourseError


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake in a chapter's source: where it is (``file`` relative to the root, 1-based line) and what to do."""

    file: str
    line: int
    sentence: str
    exercise: str | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}"
        return f"{where}: exercise {self.exercise}: {self.sentence}" if self.exercise else f"{where}: {self.sentence}"


class StructureError(CourseError):
    """Every mistake found in the sources at once, one a line; ``problems`` holds them as values."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems), key=lambda p: (p.file, p.line, p.sentence)))
        super().__init__("\n".join(str(problem) for problem in self.problems))
