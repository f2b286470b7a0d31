"""How long does a learner wait for an answer? ``python -m benchmarks.check_latency``.

Every check of every topic judges its reference solution, several times, one thread; a check's time is its median. Prints two
JSON objects: the median over all checks against 0.3 s, and the slowest check against 3 s, the course's limits.
"""

from __future__ import annotations

import argparse
import json
import statistics

import torch

from course_utils import checks
from course_utils.checks.framework import all_checks, run


def seconds_by_check(repeats: int) -> dict[str, float]:
    """The median seconds of each check on a right answer, by its full name."""
    taken = {}
    for topic in checks.topics():
        for test in all_checks(getattr(checks, topic)).values():
            spec = test.spec  # type: ignore[attr-defined]
            taken[spec.name] = statistics.median(run(spec, spec.reference).seconds for _ in range(repeats))
    return taken


def measure(repeats: int) -> list[dict[str, object]]:
    """The median and the slowest of all checks."""
    taken = seconds_by_check(repeats)
    slowest = max(taken, key=taken.__getitem__)
    rows = {
        "check_latency_median": (statistics.median(taken.values()), 0.3, f"{len(taken)} checks"),
        "check_latency_slowest": (taken[slowest], 3.0, slowest),
    }
    return [
        {
            "name": name,
            "ours": round(ours, 3),
            "reference": limit,
            "unit": "s",
            "ratio": round(limit / ours, 1),
            "repeats": repeats,
            "of": of,
        }
        for name, (ours, limit, of) in rows.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=3)
    torch.set_num_threads(1)
    for row in measure(parser.parse_args().repeats):
        print(json.dumps(row))


if __name__ == "__main__":
    main()
