"""Run a chapter's solution from top to bottom in a fresh kernel, and keep what its evidence cells print."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_utils import __version__
from course_utils.authoring import drift, evidence
from course_utils.authoring.chapter import Chapter
from course_utils.authoring.generate import derived, solution_notebook
from course_utils.authoring.parse import FILE_NAME, parse
from course_utils.errors import CourseError

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
REWRITTEN_LINE = re.compile(r"^.*\r(?=[^\n])", re.MULTILINE)


@dataclass(frozen=True)
class ExecutionReport:
    """How running a chapter went.

    ``seconds`` is the wall time, kernel start included. ``failure`` is None, or says which cell failed first and how;
    then nothing was stored. ``refreshed`` lists the evidence cells whose stored output is new or different, and
    ``written`` the files that changed.
    """

    chapter: str
    seconds: float
    failure: str | None = None
    refreshed: tuple[str, ...] = ()
    written: tuple[Path, ...] = ()

    @property
    def ok(self) -> bool:
        return self.failure is None


def execute(root: Path, pc: str, timeout: float = 600.0, store: bool = True) -> ExecutionReport:
    """Run the solution of chapter ``pc`` (``"21"``) and refresh its evidence; ``timeout`` is in seconds a cell.

    Without ``store`` the run is only compared with what is stored: no file is written. Raises CourseError when there is
    no such chapter, or its source is wrong; a failing cell is in the report.
    """
    root = Path(root)
    chapter = parse(_source(root, pc), root)
    start = time.perf_counter()
    cells, failure = run(root, chapter, timeout)
    seconds = time.perf_counter() - start
    entries: dict[str, evidence.Entry] = {}
    if failure is None:
        entries, failure = _entries(root, chapter, cells)
    if failure is not None:
        return ExecutionReport(chapter.id, seconds, failure)
    before = evidence.load(root, chapter.id)
    refreshed = tuple(
        name for name, entry in entries.items() if name not in before.entries or before.entries[name] != entry
    )
    if not store:
        return ExecutionReport(chapter.id, seconds, None, refreshed)
    files = {f"solutions/evidence/{chapter.id}.json": evidence.dump(chapter.id, entries)} if entries else {}
    if not entries:
        evidence.path_of(root, chapter.id).unlink(missing_ok=True)
    files |= derived(chapter, evidence.Store(entries), __version__)
    return ExecutionReport(chapter.id, seconds, None, refreshed, tuple(drift.write(root, files)))


def _source(root: Path, pc: str) -> Path:
    files = [path for path in sorted((root / "solutions").glob("*.py")) if FILE_NAME.fullmatch(path.name)]
    found = [path for path in files if path.name[:2] == pc]
    if len(found) == 1:
        return found[0]
    if found:
        raise CourseError(f"Chapter {pc} has several files: {', '.join(p.name for p in found)}. Rename one of them.")
    known = ", ".join(path.name[:2] for path in files)
    raise CourseError(f"There is no chapter {pc} in solutions/. The chapters here are: {known or 'none'}.")


def run(root: Path, chapter: Chapter, timeout: float = 600.0) -> tuple[list[Any], str | None]:
    """The solution notebook's cells after a run in a fresh kernel, and what failed first (None if nothing did)."""
    import nbformat
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = nbformat.reads(solution_notebook(chapter, evidence.Store(), __version__), as_version=4)
    # Without folders to search, the kernel is this Python's own and not one of the same name installed by the user.
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    folder = root / "solutions"
    client = NotebookClient(notebook, km=manager, timeout=timeout, resources={"metadata": {"path": str(folder)}})
    begun = [0]
    client.on_cell_start = lambda cell, cell_index: begun.append(cell_index)
    try:
        client.execute(
            env=_environment(), cwd=str(folder), cleanup_kc=True
        )  # the manager is ours, and so is the kernel
    except CellExecutionError:
        return [], _failure(chapter, notebook.cells)
    except CellTimeoutError:
        return [], f"{_where(chapter, begun[-1])}: the cell ran past {timeout:g} s."
    except DeadKernelError:
        return [], f"{_where(chapter, begun[-1])}: the kernel died in this cell (out of memory?)."
    return notebook.cells, None


def _environment() -> dict[str, str]:
    """The kernel's environment: no progress is recorded, and nothing is trained live."""
    kept = {name: value for name, value in os.environ.items() if name not in ("COURSE_LIVE", "COURSE_PROGRESS")}
    return kept | {"COURSE_PROGRESS": "0", "PYTHONIOENCODING": "utf-8"}


def _where(chapter: Chapter, index: int) -> str:
    cell = chapter.cells[index]
    exercise = next((e.id for e in chapter.exercises if e.cell == index), None)
    place = f"solutions/{chapter.file}.py:{cell.line}"
    return f"{place}: exercise {exercise}" if exercise else place


def _failure(chapter: Chapter, cells: list[Any]) -> str:
    for index, cell in enumerate(cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", []):
                trace = ESCAPES.sub("", "\n".join(output.traceback)).strip()
                said = trace or f"{output.ename}: {output.evalue}"
                return f"{_where(chapter, index)}: the cell failed.\n{said}"
    return f"solutions/{chapter.file}.py: a cell failed."


def _entries(root: Path, chapter: Chapter, cells: list[Any]) -> tuple[dict[str, evidence.Entry], str | None]:
    """An entry for each evidence cell, or what in an evidence cell cannot be stored."""
    entries: dict[str, evidence.Entry] = {}
    for cell in evidence.evidence_cells(chapter):
        outputs, sentence = text_outputs(cells[cell.index].outputs)
        if sentence:
            return {}, f"{_where(chapter, cell.index)}: {sentence}"
        entries[cell.id] = evidence.Entry(cell.code, evidence.weight_hashes(root, cell.models), outputs)
    return entries, None


def text_outputs(outputs: list[Any]) -> tuple[tuple[tuple[str, str], ...], str | None]:
    """A cell's outputs as nbval compares them: streams joined, text only. The second value says what is in the way."""
    made: list[list[str]] = []
    for output in outputs:
        if output.output_type == "stream":
            if output.name != "stdout":
                return (), f"an evidence cell wrote to stderr: {output.text.strip()[:200]}"
            stream = next((pair for pair in made if pair[0] == "stdout"), None)
            if stream is None:
                made.append(["stdout", output.text])
            else:
                stream[1] += output.text
        elif output.output_type in ("execute_result", "display_data"):
            if set(output.data) != {"text/plain"}:
                kinds = ", ".join(sorted(set(output.data) - {"text/plain"}))
                return (), f"an evidence cell shows {kinds}; print text, and draw figures in another cell."
            made.append(["result" if output.output_type == "execute_result" else "display", output.data["text/plain"]])
        else:
            return (), f"an evidence cell has an output of type {output.output_type}; print text instead."
    if not made:
        return (), "this evidence cell prints nothing; print what is claimed, or drop its `evidence` tag."
    return tuple((kind, REWRITTEN_LINE.sub("", text) if kind == "stdout" else text) for kind, text in made), None
