"""Runs every benchmark and prints a table: ``python -m benchmarks``. One JSON object a row goes to standard error."""

from __future__ import annotations

import sys

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import ccs, check_latency, import_time, modular_step, othello_games, probes, time_to_grok
from course_utils import zoo


def main() -> None:
    torch.set_num_threads(2)
    rows = [
        import_time.measure(11),
        *check_latency.measure(3),
        *modular_step.measure(30),
        *time_to_grok.measure("fast", 1),
        *othello_games.measure(7),
        probes.measure(zoo.load("othello"), 1),
        ccs.measure(3),
    ]
    table = Table(
        "name", "ours", "reference", "unit", "ratio", title="Ratios above 1: ours is better than the reference"
    )
    for row in rows:
        print(row, file=sys.stderr)
        table.add_row(*(str(row[column]) for column in ("name", "ours", "reference", "unit", "ratio")))
    Console().print(table)


if __name__ == "__main__":
    main()
