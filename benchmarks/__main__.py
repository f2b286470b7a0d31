"""Measures all numbers of the course and writes them to ``benchmarks/README.md``: ``python -m benchmarks [--ci-log LOG]``.

Takes about half an hour on two cores. With the log of a run of ``.ci/run`` the table of its stages is filled too. One JSON object
a row goes to standard error as it comes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks import (
    ccs,
    check_latency,
    import_time,
    install_size,
    kill_rate,
    modular_step,
    notebooks,
    othello_games,
    probes,
    time_to_grok,
)
from course_utils import zoo

Row = dict[str, object]
PAGE = Path(__file__).with_name("README.md")
STAGE = re.compile(r"^=== (.+): (\d+) s$", re.MULTILINE)
TESTS = re.compile(r"^=+ (.* passed.*) in ([\d.]+)s", re.MULTILINE)


def ratios() -> Iterator[Row]:
    """Everything that is measured against a reference in the same run, or against the course's own limit."""
    yield import_time.measure(11)
    torch.set_num_threads(1)
    yield from check_latency.measure(3)
    torch.set_num_threads(2)
    yield from modular_step.measure(30)
    yield from time_to_grok.measure("fast", 1)
    yield from othello_games.measure(7)
    yield probes.measure(zoo.load("othello"), 1)
    yield ccs.measure(3)
    yield install_size.measure()


def stages(log: str) -> Iterator[tuple[str, float]]:
    """The stages of a run of ``.ci/run`` and their seconds, from what it printed; the test command comes last."""
    for name, seconds in STAGE.findall(log):
        yield name, float(seconds)
    found = TESTS.findall(log)
    if found:
        yield f"the README's test command: {found[-1][0]}", float(found[-1][1])


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [list(head), *([str(value) for value in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(measured: list[Row], notebook_rows: list[Row], kills: list[Row], log: str) -> str:
    """The text of ``benchmarks/README.md``."""
    different = [f"{row['name']}: {row['different']}" for row in notebook_rows if row["different"]]
    cells = sum(int(str(row["evidence_cells"])) for row in notebook_rows)
    threads, seed = notebook_rows[0]["threads"], notebook_rows[0]["hash_seed"]
    agreement = "all agree" if not different else "these differ: " + "; ".join(different)
    survivors = [f"`{survivor}`" for row in kills[:-1] for survivor in row["survivors"]]  # type: ignore[attr-defined]
    ci = list(stages(log))
    parts = [
        "# Numbers",
        f"Measured on {datetime.now(UTC):%Y-%m-%d} by `python -m benchmarks`, which writes this page: Python "
        f"{platform.python_version()}, PyTorch {torch.__version__}, {platform.system()}, {os.cpu_count()} cores. "
        "The machine was shared with other work, so read ratios rather than seconds. What each row measures, and what its "
        "target is, stands at the top of the module of that name.",
        "## Against a reference\n\nThe two are measured in one run, interleaved. A ratio above 1 is better than the reference.",
        table(
            ("what", "ours", "reference", "unit", "ratio"),
            ([row[column] for column in ("name", "ours", "reference", "unit", "ratio")] for row in measured),
        ),
        f"## Solution notebooks\n\nFrom the first cell to the last in a fresh kernel; the limit is {notebooks.LIMIT:g} s. "
        f"They were run with {threads} threads and Python's hash seed {seed}, while the stored evidence was made with one "
        f"thread. Of {cells} evidence cells compared with what is stored, {agreement}.",
        table(
            ("notebook", "seconds", "evidence cells"),
            ([str(row["name"]).removeprefix("notebook_"), row["ours"], row["evidence_cells"]] for row in notebook_rows),
        ),
        "## Checks against mutants\n\nEvery small change to a reference solution that makes it wrong should be rejected by the "
        "exercise's check. Changes that leave it right are listed with a reason each in `course_utils/checks/*/equivalents.py`.",
        table(
            ("topic", "tried", "rejected", "share", "listed as right"),
            (
                [
                    str(row["name"]).removeprefix("kill_rate_"),
                    row["tried"],
                    row["rejected"],
                    f"{row['ours']:.2%}",
                    row["listed"],
                ]
                for row in kills
            ),
        ),
        "Not rejected: " + ("none." if not survivors else ", ".join(survivors) + "."),
    ]
    if ci:
        minutes = sum(seconds for _, seconds in ci) / 60
        parts += [
            f"## Continuous integration\n\n`.ci/run` in a clean clone on two cores, {minutes:.0f} minutes in all; the first "
            "stage that fails ends it.",
            table(("stage", "seconds"), ((name, f"{seconds:.0f}") for name, seconds in ci)),
        ]
    return "\n\n".join(parts) + "\n"


def reported(rows: Iterable[Row]) -> list[Row]:
    kept = []
    for row in rows:
        print(json.dumps(row), file=sys.stderr, flush=True)
        kept.append(row)
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--ci-log", type=Path, help="what a run of .ci/run printed")
    path = parser.parse_args().ci_log
    log = path.read_text(encoding="utf-8") if path else ""
    measured = reported(ratios())
    torch.set_num_threads(1)
    kills = reported(kill_rate.measure())
    text = page(measured, reported(notebooks.measure()), kills, log)
    PAGE.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
