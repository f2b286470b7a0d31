"""How long until the network generalises? ``python -m benchmarks.time_to_grok [--setting mainline] [--seeds 1 2 3]``.

With ``--methods`` the fast setting is run by several ways to grok sooner, for 600 steps each: the table of chapter 22.

Steps first, then wall-clock seconds, from initialisation until test accuracy reaches 99 % and until test loss falls
below 0.01 nats, each sustained over the next 100 steps (the step is the first of them; the seconds include evaluating
the test set every ten steps). Prints one JSON object a seed and threshold. The reference is the target: 300 seconds in
the mainline setting, 20 in the fast one; a ratio above 1 is better than the target.
"""

from __future__ import annotations

import argparse
import json

import torch

from course_utils import zoo
from course_utils.training import train
from course_utils.zoo.tables import METHODS, grokking_steps, with_method, with_seed

TARGET_SECONDS = {"mainline": 300, "fast": 20}
MODELS = {"mainline": "modular-addition", "fast": "modular-addition-fast"}


def measure(setting: str, seed: int, method: str | None = None) -> list[dict[str, object]]:
    """One run: a row for each threshold; ``steps`` is null if the threshold was never reached."""
    recipe = with_method(method, seed) if method else with_seed(zoo.entry(MODELS[setting]).recipe, seed)
    run = train(recipe)
    last = run.history["step"][-1]
    steps = grokking_steps(run.history)
    rows: list[dict[str, object]] = []
    for name in ("steps_to_99", "steps_to_low_loss"):
        step = steps[name]
        seconds = None if step is None else run.seconds * step / last
        rows.append(
            {
                "name": f"grok_{setting}_{name}" + (f" ({method})" if method else ""),
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
    parser.add_argument(
        "--methods", choices=list(METHODS), nargs="*", help="for the fast setting; all of them if none is named"
    )
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    methods = [None] if arguments.methods is None else arguments.methods or list(METHODS)
    for seed in arguments.seeds:
        for method in methods:
            for row in measure(arguments.setting, seed, method):
                print(json.dumps(row, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
