"""A chapter as a value: its cells in order, and the exercises among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["markdown", "code"]


@dataclass(frozen=True)
class Cell:
    """One cell of a source. ``line`` is the 1-based line of the file on which ``source`` begins.

    ``lines`` gives the source line of each line of ``source`` where that is not simply ``line``, ``line + 1``, …
    (a stub has fewer lines than the solution it comes from).
    """

    kind: Kind
    source: str
    tags: tuple[str, ...] = ()
    line: int = 1
    lines: tuple[int, ...] | None = None

    def at(self, row: int) -> int:
        """The line of the file behind line ``row`` (1-based) of this cell's source."""
        if self.lines is None:
            return self.line + row - 1
        return self.lines[min(row, len(self.lines)) - 1] if self.lines else self.line


@dataclass(frozen=True)
class Exercise:
    """One exercise: what its header says, the name the learner defines, and the check that judges it.

    ``text`` and ``cell`` are positions in ``Chapter.cells``: the markdown cell with the header, and the exercise cell.
    ``check`` is ``topic.test_name``; ``stub`` is the source of the exercise cell as the learner first sees it.
    """

    id: str
    title: str
    difficulty: int
    importance: int
    minutes: int
    deeper: bool
    name: str
    check: str
    hints: tuple[str, ...]
    stub: str
    text: int
    cell: int


@dataclass(frozen=True)
class Chapter:
    """A parsed ``solutions/PC_slug.py``. ``file`` is the stem of all its files (``21_fourier_algorithm``)."""

    id: str
    slug: str
    title: str
    minutes: int
    prerequisites: tuple[str, ...]
    cells: tuple[Cell, ...]
    exercises: tuple[Exercise, ...]

    @property
    def file(self) -> str:
        return f"{self.id}_{self.slug}"
