"""Where are a chapter's exercises, and what do their headers, hints and places say?"""

from __future__ import annotations

import re
from dataclasses import dataclass

from course_utils.authoring.chapter import Cell

TITLE = re.compile(r"### Exercise (?P<id>[1-9]\d\.[1-9]\d*) · (?P<title>\S.*)")
FACTS = re.compile(r"Difficulty (?P<difficulty>●*○*) · Importance (?P<importance>●*○*) · (?P<minutes>[1-9]\d*) min")
LOOSE_TITLE = re.compile(r"\s*#+\s*Exercise\b(?:\s+(?P<id>\d+\.\d+))?", re.IGNORECASE)
HINT = re.compile(r"<details[^>]*>\s*<summary>\s*Hint (\d+)\b[^<]*</summary>(.*?)</details>", re.DOTALL)
FENCE = re.compile(r"\s*(```|~~~)")
FORM = "`### Exercise 21.3 · Title` and, on the next line, `Difficulty ●●○○○ · Importance ●●●○○ · 10 min`"


@dataclass
class Draft:
    """An exercise as far as its text goes; ``cell`` is the place of its exercise cell, None if there is none."""

    id: str | None
    text: int
    line: int
    cell: int | None = None
    title: str = ""
    difficulty: int = 0
    importance: int = 0
    minutes: int = 0
    deeper: bool = False
    hints: tuple[str, ...] = ()


Errors = list[tuple[int, str, str | None]]
"""What is wrong: line, sentence, exercise."""


def find(cells: list[Cell]) -> tuple[list[Draft], Errors]:
    """All exercises in order, and what is wrong with their text."""
    drafts: list[Draft] = []
    errors: Errors = []
    deeper = False
    current: Draft | None = None
    texts: dict[int, str] = {}
    for index, cell in enumerate(cells):
        if cell.kind == "code":
            if current is not None:
                current.cell, current = index, None
            continue
        started = None
        for row, line in enumerate(prose(cell.source), start=1):
            if heading := re.match(r"(##?) (.*)", line):
                deeper = heading[1] == "##" and heading[2].strip().startswith("Deeper")
            if loose := LOOSE_TITLE.match(line):
                started = _header(cell, row, loose["id"], index, errors)
                started.deeper = deeper
                drafts.append(started)
                current = started
                texts[id(started)] = ""
        if current is not None:
            texts[id(current)] += cell.source + "\n"
    for draft in drafts:
        _details(draft, texts[id(draft)], errors)
        if draft.cell is None:
            sentence = "there is no exercise cell: a code cell must follow the exercise's text."
            errors.append((draft.line, sentence, draft.id))
    return drafts, errors


def prose(source: str) -> list[str]:
    """The lines of a markdown cell, with those inside code fences blanked (a ``#`` there is no heading)."""
    lines, inside = [], False
    for line in source.split("\n"):
        fence = FENCE.match(line)
        lines.append("" if inside or fence else line)
        inside ^= bool(fence)
    return lines


def _header(cell: Cell, row: int, loose_id: str | None, index: int, errors: Errors) -> Draft:
    lines = cell.source.split("\n")
    draft = Draft(loose_id, index, cell.at(row))
    if row > 1:
        errors.append((draft.line, "the exercise's header must be the first line of its markdown cell.", loose_id))
    title = TITLE.fullmatch(lines[row - 1])
    if title is None:
        errors.append((draft.line, f"cannot read the exercise's header; it must be {FORM}.", loose_id))
    else:
        draft.title = title["title"].strip()
    facts = FACTS.fullmatch(lines[row]) if row < len(lines) else None
    if facts is None or any(len(facts[what]) != 5 or "●" not in facts[what] for what in ("difficulty", "importance")):
        sentence = f"cannot read the line below the exercise's header; it must be {FORM}."
        errors.append((cell.at(row + 1), sentence, loose_id))
    else:
        draft.difficulty, draft.importance = facts["difficulty"].count("●"), facts["importance"].count("●")
        draft.minutes = int(facts["minutes"])
    return draft


def _details(draft: Draft, text: str, errors: Errors) -> None:
    opened, closed = len(re.findall(r"<details\b", text)), text.count("</details>")
    if opened != closed:
        sentence = f"the text has {opened} `<details>` and {closed} `</details>`; each needs the other."
        errors.append((draft.line, sentence, draft.id))
        return
    found = HINT.findall(text)
    if len(found) < 2:
        sentence = (
            f"the exercise has {len(found)} of the two hints it needs; add `<details><summary>Hint {len(found) + 1}"
            "</summary>`, an empty line, the hint, an empty line, `</details>`."
        )
        errors.append((draft.line, sentence, draft.id))
    elif [int(number) for number, _ in found] != list(range(1, len(found) + 1)):
        errors.append((draft.line, "the hints must be numbered Hint 1, Hint 2, … in order.", draft.id))
    draft.hints = tuple(hint.strip() for _, hint in found)


def order_errors(drafts: list[Draft], chapter: str) -> Errors:
    """Ids of another chapter, used twice, or not ascending."""
    errors: Errors = []
    seen: dict[str, int] = {}
    last = 0
    for draft in drafts:
        if draft.id is None:
            continue
        part, number = draft.id.split(".")
        if part != chapter:
            sentence = f"the number belongs to chapter {part}; this file is chapter {chapter}."
            errors.append((draft.line, sentence, draft.id))
        elif draft.id in seen:
            errors.append((draft.line, f"the number is already used on line {seen[draft.id]}.", draft.id))
        elif int(number) < last:
            errors.append((draft.line, f"the number comes after {chapter}.{last}; numbers must ascend.", draft.id))
        seen.setdefault(draft.id, draft.line)
        last = max(last, int(number)) if part == chapter else last
    return errors
