"""Which cells does a learner's file have? Reads notebooks and percent scripts as editors really leave them.

Notebooks are read as JSON, not through nbformat: a learner's file may lack ids, carry an editor's own metadata, or
be of an older format, and none of that matters for a check.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.errors import CourseError


class Unreadable(CourseError):
    """A file that holds no cells. ``reason`` says why in half a sentence, for someone whose file it is not."""

    def __init__(self, sentence: str, reason: str) -> None:
        super().__init__(sentence)
        self.reason = reason


_MARKER = re.compile(r"^#\s?%%(?!%)(.*)$")
_KIND = re.compile(r"\[(markdown|md|raw)\]")


@dataclass(frozen=True)
class Cell:
    """One cell. ``line`` is how many lines of the file come before its source (0 in a notebook)."""

    kind: str
    source: str
    number: int
    filename: str
    line: int = 0
    id: str = ""

    @property
    def place(self) -> str:
        """How to say where this cell is: in a script lines are counted from the top of the file."""
        return Path(self.filename).name if self.line or self.filename.endswith(".py") else f"cell {self.number}"


@dataclass(frozen=True)
class Document:
    """A learner's file: its path and its cells in order."""

    path: Path
    cells: tuple[Cell, ...]
    data: bytes = field(default=b"", repr=False, compare=False)
    raw: dict | None = field(default=None, repr=False, compare=False)

    @property
    def is_notebook(self) -> bool:
        """Whether the file is a notebook (otherwise a script)."""
        return self.raw is not None

    def sources(self) -> list[tuple[str, str]]:
        """Kind and source of every cell that is not empty, without trailing space: what "edited" is judged by."""
        kept = [(c.kind, "\n".join(line.rstrip() for line in c.source.strip().split("\n"))) for c in self.cells]
        return [pair for pair in kept if pair[1]]


def read_bytes(path: Path) -> bytes:
    """The bytes of a learner's file. Raises CourseError if it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CourseError(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise CourseError(f"{path} is a folder; name the notebook or script in it.") from None
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror or error}.") from None


def decode(path: Path, data: bytes) -> str:
    """The text in ``data`` with ``\\n`` line ends and no byte order mark. Raises CourseError."""
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable(
            f"{path} is not a text file in UTF-8. Save it again as UTF-8 in your editor.", "it is not text in UTF-8"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_document(path: Path) -> Document:
    """The cells of a notebook or script. Raises CourseError if it is empty or not what its name says."""
    path = Path(path)
    if path.is_dir():
        raise CourseError(f"{path} is a folder; name the notebook or script in it.")
    data = read_bytes(path)
    text = decode(path, data)
    if not text.strip():
        again = "course start --fresh --py" if path.suffix == ".py" else "course start --fresh"
        raise Unreadable(
            f"{path} is empty. If it was saved so by accident, an older version may be in .ipynb_checkpoints or "
            f"in .course/backups next to it; `{again}` takes a new copy of the chapter.",
            "it is empty",
        )
    if path.suffix == ".ipynb" or (path.suffix != ".py" and text.lstrip().startswith("{")):
        return _notebook(path, text, data)
    return Document(path, tuple(_script_cells(path, text)), data)


def _notebook(path: Path, text: str, data: bytes) -> Document:
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        cause = (
            "it contains the marks of an unresolved git merge"
            if re.search(r"^<<<<<<< ", text, re.M)
            else f"its JSON breaks off at: {error}"
        )
        raise Unreadable(
            f"{path} is not a readable notebook: {cause}. Restore it from .ipynb_checkpoints or .course/backups, "
            "or take a new copy with `course start --fresh` (yours is kept as a backup).",
            cause,
        ) from None
    cells = notebook_cells(raw)
    if cells is None:
        raise Unreadable(f"{path} is not a notebook: it has no list of cells.", "it has no list of cells")
    out = []
    for number, cell in enumerate(cells, start=1):
        kind = cell.get("cell_type")
        language = (cell.get("metadata") or {}).get("vscode", {}).get("languageId", "python")
        if kind == "code" and language != "python":
            kind = "raw"
        out.append(
            Cell(
                kind="markdown" if kind == "heading" else str(kind),
                source=cell_source(cell),
                number=number,
                filename=f"<{path.name}, cell {number}>",
                id=str(cell.get("id", "")),
            )
        )
    return Document(path, tuple(out), data, raw)


def notebook_cells(raw: object) -> list[dict] | None:
    """The list of cells inside a notebook's JSON (also of format 3), or None if it has none."""
    if not isinstance(raw, dict):
        return None
    cells = raw.get("cells")
    if cells is None and isinstance(raw.get("worksheets"), list):
        cells = [cell for sheet in raw["worksheets"] for cell in sheet.get("cells", [])]
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        return None
    return cells


def cell_source(cell: dict) -> str:
    """The source of a notebook's cell as one string with ``\\n`` line ends."""
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(str(part) for part in source)
    return str(source).replace("\r\n", "\n").replace("\r", "\n")


def _script_cells(path: Path, text: str) -> list[Cell]:
    lines = text.split("\n")
    starts = [(i, m.group(1)) for i, line in enumerate(lines) if (m := _MARKER.match(line))]
    spans = [(0, starts[0][0] if starts else len(lines), "")]
    ends = [start for start, _ in starts[1:]] + [len(lines)]
    for (start, title), end in zip(starts, ends, strict=False):
        spans.append((start + 1, end, title))
    cells: list[Cell] = []
    for start, end, title in spans:
        source = "\n".join(lines[start:end]).rstrip("\n")
        match = _KIND.search(title)
        kind = {"md": "markdown"}.get(match.group(1), match.group(1)) if match else "code"
        if start == 0 and starts and all(not line.strip() or line.startswith("#") for line in lines[:end]):
            continue
        if kind != "code":
            source = "\n".join(re.sub(r"^# ?", "", line) for line in source.split("\n"))
        cells.append(Cell(kind, source, len(cells) + 1, str(path), start))
    return cells
