"""What does each chapter's solution show when it is run, and has it been run since anything it shows has changed?

A run is stored under a name made of a hash of all it depends on: the chapter's code, the library, the zoo's files and
the versions of what computes and draws. Prose is no part of it, so a better sentence needs no new run.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from course_utils.authoring.chapter import Chapter
from course_utils.authoring.execution import ESCAPES, REWRITTEN_LINE, run
from course_utils.authoring.views import solution_cells
from course_utils.errors import CourseError

Output = dict[str, object]
"""One output of a cell: ``{"text": …}`` for printed text, or a MIME bundle such as ``{"text/html": …}``."""

NO_PART = ("authoring", "book", "commands", "running")
"""Folders of the library that no chapter's code reaches."""
PLOTLY = "application/vnd.plotly.v1+json"


def outputs_of(
    root: Path, chapters: Sequence[Chapter], store: Path, fresh: bool = False, jobs: int = 2
) -> dict[str, list[list[Output]]]:
    """Chapter id → the outputs of each of its solution's cells; chapters whose run is not in ``store`` are run.

    ``fresh`` runs them all. Raises CourseError with the first failure of every chapter that does not run through.
    """
    from joblib import Parallel, delayed

    paths = {chapter.id: store / f"{chapter.id}-{_key(root, chapter)}.json" for chapter in chapters}
    missing = [chapter for chapter in chapters if fresh or not paths[chapter.id].is_file()]
    tasks = [delayed(_run)(root, chapter, paths[chapter.id]) for chapter in missing]
    failures = [failure for failure in Parallel(n_jobs=min(jobs, len(missing)) or 1)(tasks) if failure]
    if failures:
        raise CourseError("A chapter does not run, so there is nothing to show.\n" + "\n".join(failures))
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items()}


def _key(root: Path, chapter: Chapter) -> str:
    digest = hashlib.sha256()
    for package in ("torch", "numpy", "scikit-learn", "plotly", "ipykernel"):
        digest.update(f"{package} {version(package)}\n".encode())
    digest.update(platform.python_version().encode())
    for cell in solution_cells(chapter):
        if cell.kind == "code":
            digest.update(cell.source.encode() + b"\0")
    for path in _sources(root / "course_utils"):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _sources(library: Path) -> Iterator[Path]:
    for path in sorted(library.rglob("*")):
        parts = path.relative_to(library).parts
        if path.is_file() and "__pycache__" not in parts and parts[0] not in NO_PART:
            yield path


def _run(root: Path, chapter: Chapter, path: Path) -> str | None:
    """Run the chapter and store what it shows in ``path``, in place of earlier runs; what failed, or None."""
    cells, failure = run(root, chapter)
    if failure is not None:
        return failure
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps([list(_outputs(cell)) for cell in cells], ensure_ascii=False, separators=(",", ":"))
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(text, encoding="utf-8", newline="\n")
    for old in path.parent.glob(f"{chapter.id}-*.json"):
        old.unlink()
    unfinished.replace(path)
    return None


def _outputs(cell: dict) -> Iterator[Output]:
    """What a reader of the page should see: printed text joined, figures and cards; progress bars are left out."""
    printed = ""
    for output in cell.get("outputs", []):
        if output["output_type"] == "stream":
            if output["name"] == "stdout":
                printed += output["text"]
        elif output["output_type"] in ("execute_result", "display_data"):
            if printed:
                yield {"text": _plain(printed)}
                printed = ""
            kind = next(kind for kind in (PLOTLY, "text/html", "text/plain") if kind in output["data"])
            yield {kind: output["data"][kind]}
        elif output["output_type"] == "error":
            yield {"text": _plain("\n".join(output["traceback"]))}
    if printed:
        yield {"text": _plain(printed)}


def _plain(text: str) -> str:
    return REWRITTEN_LINE.sub("", ESCAPES.sub("", text))
