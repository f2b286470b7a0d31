"""Which output belongs to an evidence cell, and is it still the output of this code on these weights?

``solutions/evidence/PC.json`` holds one entry a cell, named by the cell's id: its text output, a hash of all code up to
and including the cell, and the SHA-256 of each zoo file that code loads. Comments, docstrings, layout and prose are no
part of the hash; the library is not either, because nbval runs the notebook again and compares.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.authoring.chapter import Chapter
from course_utils.authoring.names import DEFINITIONS, library_calls
from course_utils.authoring.views import cell_ids, solution_cells

WEIGHTS = Path("course_utils/zoo/weights")
KINDS = ("stdout", "result", "display")


@dataclass(frozen=True)
class Entry:
    """One evidence cell's stored output: ``(kind, text)`` pairs, kind one of stdout, result, display."""

    code: str
    weights: Mapping[str, str]
    outputs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Store:
    """What ``solutions/evidence/PC.json`` holds: cell id → entry. ``damaged`` says why the file could not be read."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    damaged: str = ""


@dataclass(frozen=True)
class EvidenceCell:
    """An evidence cell of the solution notebook: its position, its id, and what its output depends on."""

    index: int
    id: str
    line: int
    code: str
    models: tuple[str, ...]


def path_of(root: Path, chapter: str) -> Path:
    """Where the evidence of a chapter (``"21"``) is stored."""
    return root / "solutions" / "evidence" / f"{chapter}.json"


def load(root: Path, chapter: str) -> Store:
    """The stored evidence; empty when there is none, ``damaged`` when the file cannot be understood."""
    path = path_of(root, chapter)
    if not path.is_file():
        return Store()
    try:
        cells = json.loads(path.read_bytes().decode("utf-8"))["cells"]
        return Store({name: _entry(value) for name, value in cells.items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Store(damaged=f"{type(error).__name__}: {error}")


def _entry(value: Mapping) -> Entry:
    outputs = tuple((kind, "\n".join(lines)) for kind, lines in value["outputs"])
    if any(kind not in KINDS for kind, _ in outputs):
        raise ValueError("an output of unknown kind")
    return Entry(str(value["code"]), dict(value["weights"]), outputs)


def dump(chapter: str, entries: Mapping[str, Entry]) -> str:
    """The text of the evidence file. Output is stored line by line, so that a change reads well in a diff."""
    cells = {
        name: {
            "code": entry.code,
            "weights": dict(sorted(entry.weights.items())),
            "outputs": [[kind, text.split("\n")] for kind, text in entry.outputs],
        }
        for name, entry in entries.items()
    }
    return json.dumps({"chapter": chapter, "cells": cells}, indent=1, ensure_ascii=False) + "\n"


def evidence_cells(chapter: Chapter) -> list[EvidenceCell]:
    """The chapter's evidence cells in order, each with the hash of the code that leads to its output."""
    cells = solution_cells(chapter)
    running = hashlib.sha256()
    models: list[str] = []
    found = []
    for index, (cell, cell_id) in enumerate(zip(cells, cell_ids(cells), strict=True)):
        if cell.kind != "code":
            continue
        tree = ast.parse(cell.source)
        running.update(canonical(tree).encode())
        running.update(b"\0")
        models += [name for name in zoo_names(tree) if name not in models]
        if "evidence" in cell.tags:
            line = chapter.cells[index].line
            found.append(EvidenceCell(index, cell_id, line, running.hexdigest(), tuple(models)))
    return found


def canonical(tree: ast.AST) -> str:
    """The code as text that is the same for any layout, comments and docstrings, and on every version of Python."""
    return "".join(_walk(tree))


def _walk(value: object, docstring: object = None) -> Iterator[str]:
    if isinstance(value, list):
        yield "["
        for item in value:
            if item is not docstring:
                yield from _walk(item)
        yield "]"
    elif isinstance(value, ast.AST):
        doc = _docstring(value)
        yield f"{type(value).__name__}("
        for name, child in ast.iter_fields(value):
            # Fields that some versions of Python have and others lack are empty where they say nothing.
            empty = child == [] or (child is None and not isinstance(value, ast.Constant))
            if empty or name in ("ctx", "kind", "type_comment"):
                continue
            yield f"{name}="
            yield from _walk(child, doc)
            yield ","
        yield ")"
    else:
        yield repr(value)


def _docstring(node: ast.AST) -> ast.stmt | None:
    if isinstance(node, (*DEFINITIONS, ast.Module)) and node.body and isinstance(node.body[0], ast.Expr):
        value = node.body[0].value
        # A string that is all of a cell is the cell's output; only before code is it a comment.
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return node.body[0] if not isinstance(node, ast.Module) or len(node.body) > 1 else None
    return None


def zoo_names(tree: ast.AST) -> list[str]:
    """The names in ``zoo.load("name")``, ``zoo.table("name")`` and the like, in order."""
    return [
        call.args[0].value
        for call, _ in library_calls(tree, "zoo")
        if call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    ]


def weight_hashes(root: Path, models: Sequence[str]) -> dict[str, str]:
    """SHA-256 of each file of these models, by path relative to ``course_utils/zoo/weights``; a model may have none."""
    folder = root / WEIGHTS
    if not models or not folder.is_dir():
        return {}
    hashes = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and any(part.startswith(name) for part in parts for name in models):
            hashes["/".join(parts)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return hashes


def entry_for(cell: EvidenceCell, store: Store) -> Entry | None:
    """The cell's entry: by id or, when only a comment in the cell has changed, by the hash of its code."""
    if cell.id in store.entries:
        return store.entries[cell.id]
    return next((entry for entry in store.entries.values() if entry.code == cell.code), None)


def stored_outputs(chapter: Chapter, store: Store) -> dict[str, tuple[tuple[str, str], ...]]:
    """Cell id → outputs for the solution notebook: a function of the source and the stored evidence alone."""
    found = {cell.id: entry_for(cell, store) for cell in evidence_cells(chapter)}
    return {name: entry.outputs for name, entry in found.items() if entry is not None}


def stale(root: Path, chapter: Chapter, store: Store) -> list[str]:
    """Sentences that say which evidence no longer belongs to the chapter, and what to do."""
    file = f"solutions/{chapter.file}.py"
    redo = f"run `course build --execute {chapter.id}`"
    if store.damaged:
        return [f"solutions/evidence/{chapter.id}.json cannot be read ({store.damaged}); {redo}."]
    sentences = []
    used = []
    hashed: dict[tuple[str, ...], dict[str, str]] = {}
    for cell in evidence_cells(chapter):
        entry = entry_for(cell, store)
        if entry is None:
            sentences.append(f"{file}:{cell.line}: this evidence cell has no stored output; {redo}.")
            continue
        used.append(entry)
        weights = hashed.setdefault(cell.models, weight_hashes(root, cell.models))
        if entry.code != cell.code:
            sentences.append(f"{file}:{cell.line}: the code up to this evidence cell has changed; {redo}.")
        elif changed := sorted(k for k in {*weights, *entry.weights} if weights.get(k) != entry.weights.get(k)):
            sentences.append(
                f"{file}:{cell.line}: the weights {', '.join(changed)} of this evidence cell have changed; {redo}."
            )
    if left := [name for name, entry in store.entries.items() if entry not in used]:
        sentences.append(
            f"solutions/evidence/{chapter.id}.json has output of cells that are gone ({', '.join(left)}); {redo}."
        )
    return sentences
