"""The texts of everything derived from a chapter, as pure functions: the same source gives the same bytes everywhere.

Scripts and notebooks are written here rather than by jupytext and nbformat, so that no version of either changes a
byte: the keys are sorted, the kernel is fixed, and a cell's id comes from its content.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from course_utils.authoring.chapter import Cell, Chapter
from course_utils.authoring.evidence import Store, stored_outputs
from course_utils.authoring.views import cell_ids, learner_cells, solution_cells

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
MANIFEST_VERSION = 1


def derived(chapter: Chapter, store: Store, course: str) -> dict[str, str]:
    """Path relative to the root → text, of the files derived from one chapter. ``course`` is the course's version."""
    return {
        f"chapters/{chapter.file}.py": script(chapter, course),
        f"chapters/{chapter.file}.ipynb": learner_notebook(chapter, course),
        f"solutions/{chapter.file}.ipynb": solution_notebook(chapter, store, course),
    }


def facts(chapter: Chapter, course: str) -> dict[str, object]:
    """What a learner's copy says of itself, in the script's header and the notebook's metadata."""
    return {
        "id": chapter.id,
        "title": chapter.title,
        "minutes": chapter.minutes,
        "prerequisites": list(chapter.prerequisites),
        "version": course,
    }


def script(chapter: Chapter, course: str) -> str:
    """The learner's copy as a percent script, which jupytext reads as the learner's notebook."""
    header = ["jupyter:", "  course:"]
    header += [f"    {key}: {_json(value)}" for key, value in facts(chapter, course).items()]
    header += ["  kernelspec:"] + [f"    {key}: {value}" for key, value in KERNEL.items()]
    parts = ["\n".join(["# ---", *(f"# {line}" for line in header), "# ---"])]
    for cell in learner_cells(chapter):
        marker = "# %%" + (" [markdown]" if cell.kind == "markdown" else "")
        marker += f" tags={_json(cell.tags)}" if cell.tags else ""
        lines = cell.source.split("\n")
        if cell.kind == "markdown":
            lines = [f"# {line}" if line else "#" for line in lines]
        parts.append("\n".join([marker, *lines]))
    return "\n\n".join(parts) + "\n"


def learner_notebook(chapter: Chapter, course: str) -> str:
    """The learner's copy as a notebook: no outputs."""
    cells = learner_cells(chapter)
    return notebook(
        [_cell(cell, cell_id, cell.tags) for cell, cell_id in zip(cells, cell_ids(cells), strict=True)],
        facts(chapter, course),
    )


def solution_notebook(chapter: Chapter, store: Store, course: str) -> str:
    """The solved chapter; its evidence cells carry the stored text, which nbval compares when it re-runs them."""
    outputs = stored_outputs(chapter, store)
    cells = solution_cells(chapter)
    made = []
    for cell, cell_id in zip(cells, cell_ids(cells), strict=True):
        tags = cell.tags
        if "evidence" in tags and cell.kind == "code":
            tags = (*tags, "nbval-check-output") if "nbval-check-output" not in tags else tags
        made.append(_cell(cell, cell_id, tags, outputs.get(cell_id, ())))
    return notebook(made, facts(chapter, course))


def notebook(cells: list[dict[str, object]], course: Mapping[str, object]) -> str:
    """A notebook's text, laid out as Jupyter lays it out when it saves."""
    content = {
        "cells": cells,
        "metadata": {"course": dict(course), "kernelspec": KERNEL, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, separators=(",", ": ")) + "\n"


def _cell(cell: Cell, cell_id: str, tags: Sequence[str], outputs: Sequence[tuple[str, str]] = ()) -> dict[str, object]:
    made: dict[str, object] = {
        "cell_type": cell.kind,
        "id": cell_id,
        "metadata": {"tags": list(tags)} if tags else {},
        "source": _lines(cell.source),
    }
    if cell.kind == "code":
        # A number here tells nbval that the outputs beside it are to be compared.
        made["execution_count"] = 1 if outputs else None
        made["outputs"] = [_output(kind, text) for kind, text in outputs]
    return made


def _output(kind: str, text: str) -> dict[str, object]:
    if kind == "stdout":
        return {"name": "stdout", "output_type": "stream", "text": _lines(text)}
    made: dict[str, object] = {"data": {"text/plain": _lines(text)}, "metadata": {}, "output_type": "display_data"}
    if kind == "result":
        made |= {"output_type": "execute_result", "execution_count": 1}
    return made


def manifest(chapters: Sequence[Chapter], course: str) -> str:
    """What the command line reads: every chapter and exercise, with hints, stub and the stub's cell id."""
    content = {"version": MANIFEST_VERSION, "course": course, "chapters": [_chapter(chapter) for chapter in chapters]}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _chapter(chapter: Chapter) -> dict[str, object]:
    kept = [index for index, cell in enumerate(chapter.cells) if "solution-only" not in cell.tags]
    ids = dict(zip(kept, cell_ids(learner_cells(chapter)), strict=True))
    return {
        "id": chapter.id,
        "slug": chapter.slug,
        "file": chapter.file,
        "title": chapter.title,
        "minutes": chapter.minutes,
        "prerequisites": list(chapter.prerequisites),
        "exercises": [
            {
                "id": exercise.id,
                "title": exercise.title,
                "difficulty": exercise.difficulty,
                "importance": exercise.importance,
                "minutes": exercise.minutes,
                "deeper": exercise.deeper,
                "name": exercise.name,
                "check": exercise.check,
                "hints": list(exercise.hints),
                "stub": exercise.stub,
                "cell": ids[exercise.cell],
            }
            for exercise in chapter.exercises
        ],
    }


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
