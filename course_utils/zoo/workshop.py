"""Making the zoo's models, and checking that what is shipped is what its card says."""

from __future__ import annotations

import json
import math
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from course_utils import checkpoints
from course_utils.errors import CourseError
from course_utils.training import Recipe, Run, train
from course_utils.zoo import store
from course_utils.zoo.entry import Metrics

PART_BYTES = 9 * 2**20
# Rounding that differs between machines grows ten thousandfold in the five steps after these: AdamW divides by the size of
# the gradients, so that the tiniest of them count.
PREFIX_STEPS = 5


def rebuild(name: str, out_dir: Path, progress: bool = False) -> Path:
    """Train a model of the zoo by its recipe and write weights, snapshots, history and card.

    An interrupted call resumes from the checkpoint it left in ``out_dir``.

    Returns:
        The card's path.

    Raises:
        CourseError: the finished model does not pass the gates of its entry; nothing is written then.
    """
    recipe = store.entry(name).recipe
    out_dir.mkdir(parents=True, exist_ok=True)
    checkpoint = out_dir / f"{name}.checkpoint"
    run = train(recipe, checkpoint=checkpoint, progress=progress)
    path = write(name, run, out_dir)
    checkpoints.remove(checkpoint)
    return path


def write(name: str, run: Run, out_dir: Path) -> Path:
    """Write the files of a finished run and the card that describes them.

    Raises:
        CourseError: the model does not pass the gates of its entry; nothing is written then.
    """
    entry = store.entry(name)
    state = {k: (v.half() if entry.half else v).contiguous() for k, v in run.model.state_dict().items()}
    shipped: nn.Module = run.recipe.problem.make_model(run.recipe.seed)
    shipped.load_state_dict(state)
    metrics = entry.measure(run.recipe, shipped)
    failed = entry.gates(metrics)
    if failed:
        raise CourseError(f"{name} does not pass its gates: {'; '.join(failed)}.")
    files = [f"{name}.safetensors", f"{name}.history.safetensors"]
    save_file(state, out_dir / files[0])
    save_file({k: torch.tensor(v, dtype=torch.float64) for k, v in run.history.items()}, out_dir / files[1])
    where: dict[int, str] = {}
    for file, steps in _parts(name, run).items():
        content = {f"{step}/{k}": v.half().contiguous() for step in steps for k, v in run.snapshots[step].items()}
        save_file(content, out_dir / file)
        where |= dict.fromkeys(steps, file)
        files.append(file)
    card: dict[str, Any] = {
        "name": name,
        "about": entry.about,
        "recipe": run.recipe.as_dict(),
        "digest": run.recipe.digest(),
        "seed": run.recipe.seed,
        "seconds": round(run.seconds),
        "made_with": {
            "torch": torch.__version__,
            "python": platform.python_version(),
            "threads": torch.get_num_threads(),
        },
        "metrics": metrics,
        "prefix": prefix(run.recipe),
        "snapshots": where,
        "files": {file: store.sha256(out_dir / file) for file in files},
    }
    path = out_dir / f"{name}.json"
    path.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8", newline="\n")
    return path


def prefix(recipe: Recipe) -> Metrics:
    """The metrics after the recipe's first few steps: a cheap fingerprint of task, initialisation and optimiser."""
    run = train(replace(recipe, steps=PREFIX_STEPS, log_every=PREFIX_STEPS, snapshots=(), stop_when=None))
    return {metric: values[-1] for metric, values in run.history.items()}


def verify(name: str, folder: Path = store.WEIGHTS) -> list[str]:
    """Is the shipped model what its card says?

    Recomputes files' hashes, the metrics from the weights, and the recipe's first steps.

    Returns:
        One sentence for each thing that is wrong; an empty list if all is well.

    Raises:
        CourseError: no model of that name, or no card of it in the folder.
    """
    card, entry = store.card(name, folder), store.entry(name)
    if card["digest"] != entry.recipe.digest():
        return [f"{name}: the card was made by another recipe than the one in the code. Rebuild: course train {name}"]
    try:
        model = store.load(name, folder=folder)
        store.history(name, folder)
        for file in dict.fromkeys(card["snapshots"].values()):
            step = next(int(s) for s, f in card["snapshots"].items() if f == file)
            store.load(name, step, folder)
    except CourseError as error:
        return [f"{name}: {error}"]
    found = [f"{name}: {sentence}" for sentence in entry.gates(card["metrics"])]
    found += _compare(name, "metrics", card["metrics"], entry.measure(entry.recipe, model), rtol=1e-2)
    found += _compare(name, f"first {PREFIX_STEPS} steps", card["prefix"], prefix(entry.recipe), rtol=1e-3)
    return found


def _compare(name: str, what: str, stored: Metrics, computed: Metrics, rtol: float) -> list[str]:
    found = []
    for metric, value in stored.items():
        again: Any = computed[metric]
        # A share of questions may differ by a few questions that stand on the edge.
        slack = 1e-3 if metric.endswith("accuracy") else 0.0
        same = math.isclose(value, again, rel_tol=rtol, abs_tol=slack) if isinstance(value, float) else value == again
        if not same:
            found.append(f"{name}, {what}: {metric} is {again}, the card says {value}.")
    return found


def _parts(name: str, run: Run) -> dict[str, list[int]]:
    """Which snapshots go into which file, so that none grows too large."""
    if not run.snapshots:
        return {}
    size = sum(2 * weight.numel() for weight in next(iter(run.snapshots.values())).values())
    per_file = max(1, PART_BYTES // size)
    steps = sorted(run.snapshots)
    chunks = [steps[i : i + per_file] for i in range(0, len(steps), per_file)]
    return {f"{name}.snapshots-{n}.safetensors": chunk for n, chunk in enumerate(chunks, start=1)}
