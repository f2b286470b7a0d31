"""How long does each solution notebook run, and does it print what is stored? ``python -m benchmarks.notebooks``.

Stored evidence is made with one thread. Here every notebook runs from its first cell to its last in a fresh kernel with
another number of threads and another seed of Python's hashing, and each evidence cell is compared with what is stored,
character by character. Prints one JSON object a notebook: wall seconds, kernel start included, against the course's
limit of 90, and the evidence cells that differ.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path

from course_utils.authoring import evidence
from course_utils.authoring.execution import execute

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 90.0  # seconds


def measure(threads: int = 2, hash_seed: int = 7) -> Iterator[dict[str, object]]:
    """Each solution notebook's seconds and disagreements, one at a time. Raises RuntimeError where a cell fails."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    os.environ["PYTHONHASHSEED"] = str(hash_seed)
    for path in sorted((ROOT / "solutions").glob("[0-9][0-9]_*.ipynb")):
        report = execute(ROOT, path.name[:2], store=False)
        if report.failure is not None:
            raise RuntimeError(report.failure)
        yield {
            "name": f"notebook_{path.stem}",
            "ours": round(report.seconds, 1),
            "reference": LIMIT,
            "unit": "s",
            "ratio": round(LIMIT / report.seconds, 2),
            "threads": threads,
            "hash_seed": hash_seed,
            "evidence_cells": len(evidence.load(ROOT, report.chapter).entries),
            "different": list(report.refreshed),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--hash-seed", type=int, default=7)
    arguments = parser.parse_args()
    for row in measure(arguments.threads, arguments.hash_seed):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
