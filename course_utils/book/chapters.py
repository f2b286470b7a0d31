"""What does the page of a chapter show: stubs in sight, answers folded, outputs and live figures below their code."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from course_utils.authoring.chapter import Cell, Chapter, Exercise
from course_utils.authoring.views import cell_ids, solution_cells
from course_utils.book.executed import PLOTLY, Output
from course_utils.book.figures import figure_html
from course_utils.book.hosting import launch_links
from course_utils.book.tables import split_tables, table_html

FOLDED = {"tags": ["hide-input"], "mystnb": {"code_prompt_show": "Show one solution", "code_prompt_hide": "Hide it"}}
FACTS = re.compile(r"^Difficulty (?P<difficulty>[●○]{5}) · Importance (?P<importance>[●○]{5}) · (?P<minutes>.+)$", re.M)
RULE_BEFORE_HEADING = re.compile(r"^---\n(?=\n*#)|\n---\n(?=\n*#)|^---$", re.M)


def page(chapter: Chapter, chapters: Sequence[Chapter], outputs: Sequence[Sequence[Output]], address: str = "") -> str:
    """The page as a notebook, which MyST-NB reads: ``outputs`` has what each cell of the solution showed."""
    exercises = {exercise.cell: exercise for exercise in chapter.exercises}
    headers = {exercise.text: exercise for exercise in chapter.exercises}
    solutions = solution_cells(chapter)
    cells: list[dict] = []
    for k, (cell, name) in enumerate(zip(solutions, cell_ids(solutions), strict=True)):
        if cell.kind == "markdown":
            text = _prose(cell, headers.get(k))
            if k == 0:
                title, _, rest = text.partition("\n")
                text = f"{title}\n\n{card(chapter, chapters, address)}\n{rest}"
            cells.append(_markdown(text, name))
            continue
        if k in exercises:
            cells.append(_code(exercises[k].stub, f"{name}-stub", {"tags": ["stub"]}, []))
        shown = [made for i, output in enumerate(outputs[k]) for made in _shown(output, f"f{name}-{i}", chapter)]
        cells.append(_code(cell.source, name, FOLDED if k in exercises else {}, shown))
    content = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, ensure_ascii=False, indent=1)


def card(chapter: Chapter, chapters: Sequence[Chapter], address: str) -> str:
    """The box under a chapter's title: how long it takes, what comes before it, and how to open it."""
    core = [exercise for exercise in chapter.exercises if not exercise.deeper]
    deeper = len(chapter.exercises) - len(core)
    count = f"{len(core)} on the core path" + (f", {deeper} deeper" if deeper else "")
    by_id = {other.id: other for other in chapters}
    before = ", ".join(
        f'<a href="{by_id[name].file}.html">{name} · {by_id[name].title}</a>' for name in chapter.prerequisites
    )
    facts = {
        "Time": f"about {hours(chapter.minutes)} for the core path",
        "Exercises": count,
        "Before it": before or "no other chapter",
        "Open it": f"<code>course lab {chapter.id}</code>",
    }
    links = launch_links(address, f"chapters/{chapter.file}.ipynb")
    buttons = "".join(f'<a class="launch" href="{url}">{text}</a>' for text, url in links.items())
    rows = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items())
    return f'<div class="chapter-card"><dl>{rows}</dl>{f"<p>{buttons}</p>" if buttons else ""}</div>\n'


def hours(minutes: int) -> str:
    """Minutes as people say them, to the half hour: ``hours(150)`` is 2½ hours."""
    whole, half = divmod(round(minutes / 30), 2)
    number = f"{whole or ''}{'½' * half}"
    return f"{number} hour{'s' * (number not in ('1', '½'))}"


def _prose(cell: Cell, exercise: Exercise | None) -> str:
    text = RULE_BEFORE_HEADING.sub("\n", cell.source).strip("\n")
    if exercise is not None:
        text = f"(exercise-{exercise.id.replace('.', '-')})=\n{text}"
        text = FACTS.sub(_facts, text, count=1)
    return text


def _facts(match: re.Match) -> str:
    def dots(name: str) -> str:
        value = match[name].count("●")
        return f'{name.capitalize()} <span role="img" aria-label="{value} of 5">{match[name]}</span>'

    parts = [dots("difficulty"), dots("importance"), match["minutes"]]
    return f'<p class="exercise-facts">{"".join(f"<span>{part}</span>" for part in parts)}</p>\n'


def _shown(output: Mapping, name: str, chapter: Chapter) -> list[dict]:
    if PLOTLY in output:
        return [_display({"text/html": figure_html(output[PLOTLY], name)})]
    if "text" in output:
        label = f"Evidence of chapter {chapter.id}"
        return [
            {"output_type": "stream", "name": "stdout", "text": piece}
            if isinstance(piece, str)
            else _display({"text/html": f'<div class="table-scroll">{table_html(piece, label)}</div>'})
            for piece in split_tables(str(output["text"]))
        ]
    return [_display(dict(output))]


def _display(data: dict) -> dict:
    return {"output_type": "display_data", "data": data, "metadata": {}}


def _markdown(text: str, name: str) -> dict:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text}


def _code(source: str, name: str, metadata: dict, outputs: list[dict]) -> dict:
    made = {"cell_type": "code", "id": name, "metadata": metadata, "execution_count": None}
    return made | {"source": source.strip("\n"), "outputs": outputs}
