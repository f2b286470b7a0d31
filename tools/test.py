"""Runs everything the course promises: ``python -m tools.test`` in the repository.

The tests of the library and the tools, every solution notebook from its first cell to its last, and every chapter as a
learner gets it, with no exercise solved. On Linux the solutions' evidence cells must also print what is stored;
elsewhere the last digits may differ, so they only have to run. Further arguments go to pytest, for example
``python -m tools.test tests/checks -k fourier``.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPARE_TAG = "nbval-check-output"
JOBS = 2
NOTEBOOK_OPTIONS = ("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=300")


def notebooks_without_comparison(notebooks: Iterable[Path], folder: Path) -> list[Path]:
    """Copies notebooks to ``folder`` without the tag that makes nbval compare a cell's output with the stored one."""
    copies = []
    for source in notebooks:
        notebook = json.loads(source.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            tags = cell.get("metadata", {}).get("tags", [])
            cell.setdefault("metadata", {})["tags"] = [tag for tag in tags if tag != COMPARE_TAG]
        copy = folder / source.name
        copy.write_text(json.dumps(notebook), encoding="utf-8", newline="\n")
        copies.append(copy)
    return copies


def run_pytest(arguments: list[str]) -> int:
    """Runs pytest in this environment, one thread a process, without recording progress; returns its exit status."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = os.environ | threads | {"COURSE_PROGRESS": "0"}
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def chosen_paths(arguments: list[str]) -> bool:
    """Whether any argument names a file, a folder or a test, so that the default of everything is not meant."""
    return any(not argument.startswith("-") and (ROOT / argument.split("::")[0]).exists() for argument in arguments)


def main() -> int:
    arguments = sys.argv[1:]
    # One file's tests stay in one process: the cells of a notebook share a kernel.
    options = ["-n", str(JOBS), "--dist", "loadfile", "-m", "not interop and not cluster", *NOTEBOOK_OPTIONS]
    if chosen_paths(arguments):
        return run_pytest([*options, *arguments])
    notebooks = sorted((ROOT / "solutions").glob("*.ipynb"))
    with tempfile.TemporaryDirectory() as folder:
        if platform.system() != "Linux":
            notebooks = notebooks_without_comparison(notebooks, Path(folder))
        notebooks += sorted((ROOT / "chapters").glob("*.ipynb"))
        return run_pytest([*options, *arguments, str(ROOT / "tests"), *map(str, notebooks)])


if __name__ == "__main__":
    raise SystemExit(main())
