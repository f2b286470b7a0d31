"""Reading a percent script: what is in the header, which cells follow, and on which line does each begin?

The format is jupytext's, in the strict subset that chapters use. jupytext itself does not keep line numbers, and error
messages need them, so the cells are cut here; ``disagreement`` then asks jupytext to read the same text and compares,
so that what a learner opens in Jupyter is what was checked.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from course_utils.authoring.chapter import Cell, Kind
from course_utils.authoring.problems import Problem

MARKER = re.compile(r"# %%")
OPTIONS = re.compile(r"(?P<markdown> \[markdown\])?(?: tags=(?P<tags>\[.*\]))?")
COURSE_KEYS = ("title", "minutes", "prerequisites")


@dataclass(frozen=True)
class Header:
    """The ``course:`` block of the YAML header."""

    title: str
    minutes: int
    prerequisites: tuple[str, ...]


def read_text(path: Path) -> str:
    """The file's text with ``\\n`` line ends, whatever the editor or the checkout made of them."""
    return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


def read_source(text: str, file: str) -> tuple[Header | None, list[Cell], list[Problem]]:
    """The header, the cells, and what is wrong with either (the header is None if it cannot be used)."""
    lines = text.split("\n")
    header, start, problems = _read_header(lines, file)
    cells, more = _read_cells(lines, start, file)
    problems += more
    if not problems and (difference := disagreement(text, cells, file)):
        problems.append(difference)
    return header, cells, problems


def _read_header(lines: list[str], file: str) -> tuple[Header | None, int, list[Problem]]:
    """The header, the 0-based line after it, and its problems."""
    fences = [i for i, line in enumerate(lines) if line.rstrip() == "# ---"][:2]
    first_cell = next((i for i, line in enumerate(lines) if MARKER.match(line)), len(lines))
    fences = [i for i in fences if i < first_cell]
    if len(fences) < 2:
        sentence = "there is no YAML header; begin the file with `# ---`, a `jupyter:` block, and `# ---`."
        return None, 0, [Problem(file, 1, sentence)]
    problems = []
    if fences[0] != 0:
        problems.append(
            Problem(
                file,
                1,
                "there is text above the YAML header, and Jupyter would show the header as a cell; "
                "begin the file with `# ---` and move that text below the header.",
            )
        )
    begin, end = fences
    body = "\n".join(re.sub(r"^# ?", "", line) for line in lines[begin + 1 : end])
    try:
        values = yaml.safe_load(body)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = begin + 2 + (mark.line if mark else 0)
        return None, end + 1, [*problems, Problem(file, line, "the header is not valid YAML.")]
    header, more = _course_block(values, lines[begin:end], file, begin)
    return header, end + 1, problems + more


def _course_block(values: object, lines: list[str], file: str, begin: int) -> tuple[Header | None, list[Problem]]:
    def line_of(key: str) -> int:
        return begin + 1 + next((i for i, line in enumerate(lines) if re.match(rf"#\s*{key}:", line)), 0)

    jupyter = _block(values, "jupyter")
    problems: list[Problem] = []
    if _block(jupyter, "kernelspec").get("name") != "python3":
        sentence = "the header must name the kernel: `jupyter:`, `kernelspec:`, `name: python3`."
        problems.append(Problem(file, line_of("kernelspec"), sentence))
    course = _block(values, "course") or _block(jupyter, "course")
    sentences = []
    title, minutes, prerequisites = (course.get(key) for key in COURSE_KEYS)
    if not isinstance(title, str) or not title.strip():
        sentences.append("the header's `course:` block needs a `title:` (text).")
    if not isinstance(minutes, int) or isinstance(minutes, bool) or minutes <= 0:
        sentences.append("the header's `course:` block needs `minutes:` (a whole number).")
    if not isinstance(prerequisites, list) or not all(isinstance(p, str | int) for p in prerequisites):
        sentences.append('the header\'s `course:` block needs `prerequisites:`, such as ["11"] or [].')
    if unknown := sorted(set(map(str, course)) - set(COURSE_KEYS)):
        sentences.append(f"the header's `course:` block has {', '.join(unknown)}; it takes {', '.join(COURSE_KEYS)}.")
    problems += [Problem(file, line_of("course"), sentence) for sentence in sentences]
    if problems:
        return None, problems
    return Header(str(title).strip(), int(minutes or 0), tuple(map(str, prerequisites or ()))), []


def _block(values: object, key: str) -> dict[str, Any]:
    """The mapping under ``key``; empty when there is none."""
    inner = values.get(key) if isinstance(values, dict) else None
    return inner if isinstance(inner, dict) else {}


def _read_cells(lines: list[str], start: int, file: str) -> tuple[list[Cell], list[Problem]]:
    cells: list[Cell] = []
    problems: list[Problem] = []
    markers = [i for i in range(start, len(lines)) if MARKER.match(lines[i])]
    before = range(start, markers[0] if markers else len(lines))
    stray = next((i for i in before if lines[i].strip()), None)
    if stray is not None and start:
        problems.append(Problem(file, stray + 1, "text between the header and the first cell; put it in a cell."))
    for i, end in zip(markers, [*markers[1:], len(lines)], strict=True):
        rest = lines[i].removeprefix("# %%").rstrip()
        options = OPTIONS.fullmatch(rest)
        tags = _tags(options["tags"]) if options else None
        if options is None or tags is None:
            sentence = (
                f'cannot read `# %%{rest}`; write `# %%` or `# %% [markdown]`, perhaps with ` tags=["evidence"]`.'
            )
            problems.append(Problem(file, i + 1, sentence))
            continue
        body = lines[i + 1 : end]
        if options["markdown"]:
            body, more = _uncomment(body, i + 2, file)
            problems += more
        written = [k for k, line in enumerate(body) if line.strip()]
        skip = written[0] if written else 0
        source = "\n".join(body[skip : written[-1] + 1]) if written else ""
        kind: Kind = "markdown" if options["markdown"] else "code"
        if not source:
            problems.append(Problem(file, i + 1, "this cell is empty; remove it."))
        cells.append(Cell(kind, source, tags, i + 2 + skip))
    return cells, problems


def _tags(text: str | None) -> tuple[str, ...] | None:
    """The tags of a cell marker; None when they are not a list of strings."""
    if text is None:
        return ()
    try:
        tags = json.loads(text)
    except ValueError:
        return None
    return tuple(tags) if all(isinstance(tag, str) for tag in tags) else None


def _uncomment(body: list[str], line: int, file: str) -> tuple[list[str], list[Problem]]:
    problems = [
        Problem(file, line + k, "a line of a markdown cell must begin with `# `; is a `# %%` missing above it?")
        for k, text in enumerate(body)
        if text and not text.startswith("#")
    ][:1]
    return [re.sub(r"^# ?", "", text) for text in body], problems


def disagreement(text: str, cells: list[Cell], file: str) -> Problem | None:
    """The first cell which jupytext reads differently (a magic command, a cell marker inside a string …), if any."""
    import jupytext

    theirs = [cell for cell in jupytext.reads(text, fmt="py:percent").cells if cell.cell_type != "raw"]
    for k, cell in enumerate(cells):
        other = theirs[k] if k < len(theirs) else None
        if (
            other is None
            or other.cell_type != cell.kind
            or tuple(other.metadata.get("tags", ())) != cell.tags
            or [line.rstrip() for line in other.source.strip("\n").split("\n")] != cell.source.split("\n")
        ):
            sentence = (
                "Jupyter reads this cell differently from what is written; avoid magic commands (`%…`, `!…`), also in "
                "comments, and lines that begin with `# %%` inside strings."
            )
            return Problem(file, cell.line, sentence)
    if len(theirs) > len(cells):
        return Problem(file, len(text.split("\n")), "Jupyter finds more cells in this file than are written.")
    return None
