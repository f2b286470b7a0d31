"""Of all small changes to the reference solutions, how many do the checks reject? ``python -m benchmarks.kill_rate``.

Every mutant of every exercise's reference is judged by the exercise's check. Those that a topic lists, each with its
reason, as returning the same or another right answer are left out. Prints one JSON object a topic and one for all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import torch

from course_utils import checks
from course_utils.checks import selftest

TARGET = 0.95


def measure(sample: int | None = None) -> Iterator[dict[str, object]]:
    """Mutants tried and rejected, topic by topic and then together; ``sample`` draws so many of each topic."""
    together = []
    for topic in checks.topics():
        scores = selftest.mutation_scores(selftest.load(topic), sample=sample)
        together += scores
        yield _row(topic, selftest.total_score(scores))
    yield _row("all", selftest.total_score(together))


def _row(topic: str, score: selftest.Score) -> dict[str, object]:
    return {
        "name": f"kill_rate_{topic}",
        "ours": round(score.rate, 4),
        "reference": TARGET,
        "unit": "share",
        "ratio": round(score.rate / TARGET, 2),
        "tried": score.tried,
        "rejected": score.killed,
        "listed": score.equivalent,
        "survivors": score.survivors,
    }


def main() -> None:
    torch.set_num_threads(1)
    for row in measure():
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
