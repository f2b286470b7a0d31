"""How does a learner's file read with one exercise's stub put back? Every other character stays as it is."""

from __future__ import annotations

import json
import re

from course_utils.manifest import Exercise
from course_utils.running.cells import Cell, Document, decode, notebook_cells
from course_utils.running.planning import find_cell


def restored(document: Document, exercise: Exercise, stub: str, header: str = "") -> bytes | None:
    """The file's new bytes, or None if the exercise is still the stub.

    A cell that was deleted is put back below its header, or with ``header`` at the end of the file.
    """
    cell = find_cell(document, exercise)
    if cell is not None and cell.source.strip("\n") == stub:
        return None
    if document.is_notebook:
        return _notebook(document, exercise, cell, stub, header)
    return _script(document, exercise, cell, stub, header)


def _header_cell(document: Document, exercise: Exercise) -> Cell | None:
    pattern = re.compile(rf"^#+\s*Exercise {re.escape(exercise.id)}\b", re.M)
    return next((c for c in document.cells if c.kind == "markdown" and pattern.search(c.source)), None)


def _notebook(document: Document, exercise: Exercise, cell: Cell | None, stub: str, header: str) -> bytes:
    raw = json.loads(decode(document.path, document.data))
    cells = notebook_cells(raw)
    assert cells is not None
    with_ids = any("id" in c for c in cells)
    if cell is not None:
        target = cells[cell.number - 1]
        target["source"] = stub.splitlines(True)
        target.pop("input", None)
        target["outputs"] = []
        target["execution_count"] = None
    else:
        new: dict = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
        new["source"] = stub.splitlines(True)
        if with_ids and exercise.cell and exercise.cell not in {c.get("id") for c in cells}:
            new["id"] = exercise.cell
        elif with_ids:
            new["id"] = f"restored-{exercise.id.replace('.', '-')}"
        above = _header_cell(document, exercise)
        if above is not None:
            raw["cells"].insert(above.number, new)
        else:
            if header:
                text: dict = {"cell_type": "markdown", "metadata": {}, "source": header.splitlines(True)}
                if with_ids:
                    text["id"] = f"restored-header-{exercise.id.replace('.', '-')}"
                raw["cells"].append(text)
            raw["cells"].append(new)
    return (json.dumps(raw, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def _script(document: Document, exercise: Exercise, cell: Cell | None, stub: str, header: str) -> bytes:
    text = decode(document.path, document.data)
    lines = text.split("\n")
    if cell is not None:
        length = len(cell.source.split("\n"))
        new = [*lines[: cell.line], *stub.split("\n"), *lines[cell.line + length :]]
    else:
        code = ["# %%", *stub.split("\n"), ""]
        above = _header_cell(document, exercise)
        if above is not None:
            end = above.line + len(above.source.split("\n"))
            new = [*lines[:end], "", *code, *lines[end:]]
        else:
            prose = ["# %% [markdown]", *(f"# {line}".rstrip() for line in header.split("\n")), ""] if header else []
            while lines and not lines[-1].strip():
                lines.pop()
            new = [*lines, "", *prose, *code]
    out = "\n".join(new)
    if b"\r\n" in document.data:
        out = out.replace("\n", "\r\n")
    mark = b"\xef\xbb\xbf" if document.data.startswith(b"\xef\xbb\xbf") else b""
    return mark + out.encode("utf-8")
