"""How long until the network generalises? ``python -m benchmarks.time_to_grok [--setting mainline] [--seeds 1 2 3]``.

Steps first, then wall-clock seconds, from initialisation until test accuracy reaches 99 % and until test loss falls
below 0.01 nats, each sustained over the next 100 steps (the step is the first of them; the seconds include evaluating
the test set every ten steps). Prints one JSON object a seed and threshold. The reference is the target: 300 seconds in
the mainline setting, 20 in the fast one; a ratio above 1 is better than the target.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

import torch

from course_utils import zoo
from course_utils.training import History, Recipe, first_step, train
from course_utils.zoo.problems import ModularTransformer
from course_utils.tasks.modular import ModularTask

TARGET_SECONDS = {"mainline": 300, "fast": 20}
MODELS = {"mainline": "modular-addition", "fast": "modular-addition-fast"}


def thresholds(history: History) -> dict[str, int | None]:
    """The first step at which each threshold is passed and stays passed for 100 steps."""
    return {
        "accuracy_99": first_step(history, "test_accuracy", lambda value: value >= 0.99, sustained=100),
        "loss_below_0.01": first_step(history, "test_loss", lambda value: value < 1e-2, sustained=100),
    }


def recipe_of(setting: str, seed: int) -> Recipe:
    """The zoo's recipe with another seed for the initialisation and the split, stopped once both thresholds hold."""
    return replace(
        zoo.entry(MODELS[setting]).recipe,
        problem=ModularTransformer(ModularTask(split_seed=seed)),
        seed=seed,
        log_every=10,
        snapshots=(),
        stop_when=lambda history: None not in thresholds(history).values(),
    )


def measure(setting: str, seed: int) -> list[dict[str, object]]:
    """One run: a row for each threshold; ``steps`` is null if the threshold was never reached."""
    run = train(recipe_of(setting, seed))
    last = run.history["step"][-1]
    rows: list[dict[str, object]] = []
    for name, step in thresholds(run.history).items():
        seconds = None if step is None else run.seconds * step / last
        rows.append(
            {
                "name": f"grok_{setting}_{name}",
                "seed": seed,
                "steps": step,
                "ours": None if seconds is None else round(seconds, 1),
                "reference": TARGET_SECONDS[setting],
                "unit": "s",
                "ratio": None if seconds is None else round(TARGET_SECONDS[setting] / max(seconds, 1e-9), 2),
                "threads": torch.get_num_threads(),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--setting", choices=list(TARGET_SECONDS), default="fast")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for seed in arguments.seeds:
        for row in measure(arguments.setting, seed):
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
