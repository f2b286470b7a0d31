"""How much longer does ``import course_utils`` take than ``import torch``? ``python -m benchmarks.import_time``.

Each import runs in a fresh interpreter, the two kinds interleaved so that a busy moment hits both; the statistic is
the median. Prints one JSON object with seconds, and the spread as the range of the middle half. Target: ratio ≥ 0.87
(at most 15 % over torch).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

TIMED_IMPORT = "import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"


def import_seconds(module: str) -> float:
    """Seconds that importing ``module`` takes in a fresh interpreter, the interpreter's own start not included."""
    command = [sys.executable, "-c", TIMED_IMPORT.format(module=module)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def middle_half(times: list[float]) -> list[float]:
    """The first and third quartile of the times, in seconds."""
    lower, _, upper = statistics.quantiles(times, n=4)
    return [round(lower, 3), round(upper, 3)]


def measure(repeats: int) -> dict[str, object]:
    """Times both imports ``repeats`` times (at least 2), after one unmeasured round that fills the file cache."""
    times: dict[str, list[float]] = {"course_utils": [], "torch": []}
    for repeat in range(repeats + 1):
        for module, measured in times.items():
            seconds = import_seconds(module)
            if repeat:
                measured.append(seconds)
    ours, reference = (statistics.median(times[module]) for module in ("course_utils", "torch"))
    return {
        "name": "import_vs_torch",
        "ours": round(ours, 3),
        "reference": round(reference, 3),
        "unit": "s",
        "ratio": round(reference / ours, 3),
        "repeats": repeats,
        "ours_spread": middle_half(times["course_utils"]),
        "reference_spread": middle_half(times["torch"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=11)
    print(json.dumps(measure(max(2, parser.parse_args().repeats))))


if __name__ == "__main__":
    main()
