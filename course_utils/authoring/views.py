"""The two ways to look at a chapter, the learner's and the reader's of the solution, and how their cells are named."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from course_utils.authoring.chapter import Cell, Chapter
from course_utils.authoring.markers import split


def learner_cells(chapter: Chapter) -> list[Cell]:
    """The cells of the learner's copy: stubs in place of answers, no cell tagged ``solution-only``."""
    stubs = {exercise.cell: exercise.stub for exercise in chapter.exercises}
    return [
        replace(cell, source=stubs[index]) if index in stubs else cell
        for index, cell in enumerate(chapter.cells)
        if "solution-only" not in cell.tags
    ]


def solution_cells(chapter: Chapter) -> list[Cell]:
    """The cells of the solution notebook, one for each of the source's: whole answers, no markers."""
    ids = {exercise.cell: exercise.id for exercise in chapter.exercises}
    return [
        split(cell, ids.get(index, "?")).solution if cell.kind == "code" else cell
        for index, cell in enumerate(chapter.cells)
    ]


def cell_ids(cells: Sequence[Cell]) -> list[str]:
    """An id for each cell from its kind and source: 8 hexadecimal digits, with ``-2``, ``-3`` … on repetition."""
    seen: dict[str, int] = {}
    ids = []
    for cell in cells:
        name = hashlib.sha256((cell.kind + cell.source).encode()).hexdigest()[:8]
        seen[name] = seen.get(name, 0) + 1
        ids.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return ids
