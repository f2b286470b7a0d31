"""Reading what the zoo ships.

Each model has a card ``NAME.json`` and up to three kinds of safetensors files beside it: ``NAME.safetensors`` (final
weights, float32 or float16), ``NAME.snapshots-N.safetensors`` (weights at earlier steps, float16, keys ``step/weight``) and
``NAME.history.safetensors`` (metrics over steps, float64). Tables of many runs are ``NAME.csv`` (see
:mod:`course_utils.rows`).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor, nn

from course_utils.errors import CourseError, did_you_mean
from course_utils.rows import Row, read_table
from course_utils.training import History
from course_utils.zoo.entry import Entry
from course_utils.zoo.recipes import ENTRIES

WEIGHTS = Path(__file__).parent / "weights"


def names() -> list[str]:
    """Every model of the zoo."""
    return list(ENTRIES)


def entry(name: str) -> Entry:
    """How a model is made.

    Raises:
        CourseError: no model of that name; says which there are.
    """
    if name not in ENTRIES:
        raise CourseError(f"The zoo has no model {name!r}.{did_you_mean(name, ENTRIES)} It has: {', '.join(ENTRIES)}.")
    return ENTRIES[name]


def card(name: str, folder: Path = WEIGHTS) -> dict[str, Any]:
    """Recipe, metrics, seconds and the SHA-256 of each file of a shipped model.

    Raises:
        CourseError: no model of that name, or no card of it in the folder.
    """
    entry(name)
    return json.loads(_present(folder / f"{name}.json").read_text(encoding="utf-8"))


def load(name: str, step: int | None = None, folder: Path = WEIGHTS) -> Any:
    """A shipped model, as trained (or as it was at an earlier step of its training), without gradients.

    Args:
        name: one of :func:`names`.
        step: one of :func:`snapshot_steps`; None for the final weights. Snapshots are stored in float16.
        folder: where the files lie.

    Returns:
        The model in evaluation mode: a :class:`~course_utils.models.transformer.Transformer` or
        :class:`~course_utils.models.mlp.MLP`, as its recipe's problem makes it.

    Raises:
        CourseError: an unknown name or step, or files that are missing or not those of the card.
    """
    recipe = entry(name).recipe
    if step is None:
        state = _tensors(name, f"{name}.safetensors", folder)
    else:
        steps = _snapshot_files(name, folder)
        if step not in steps:
            raise CourseError(f"No snapshot of {name!r} at step {step}. There are: {', '.join(map(str, steps))}.")
        stored = _tensors(name, steps[step], folder)
        prefix = f"{step}/"
        state = {key.removeprefix(prefix): value.float() for key, value in stored.items() if key.startswith(prefix)}
    model: nn.Module = recipe.problem.make_model(recipe.seed)
    model.load_state_dict(state)
    return model.requires_grad_(False).eval()


def snapshot_steps(name: str, folder: Path = WEIGHTS) -> list[int]:
    """At which steps of its training was the model kept?

    Raises:
        CourseError: no model of that name, or no card of it in the folder.
    """
    return list(_snapshot_files(name, folder))


def history(name: str, folder: Path = WEIGHTS) -> History:
    """The metrics recorded during training, by name; ``history["step"]`` says at which steps.

    Raises:
        CourseError: an unknown name, or a file that is missing or not that of the card.
    """
    return {metric: values.tolist() for metric, values in _tensors(name, f"{name}.history.safetensors", folder).items()}


def table(name: str, folder: Path = WEIGHTS) -> list[Row]:
    """A shipped table of measurements over many runs, one row a run, each with the digest of its recipe.

    Raises:
        CourseError: no such table in the folder, or a damaged one.
    """
    return read_table(_present(folder / f"{name}.csv"))


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _snapshot_files(name: str, folder: Path) -> dict[int, str]:
    return {int(step): file for step, file in card(name, folder)["snapshots"].items()}


def _tensors(name: str, file: str, folder: Path) -> dict[str, Tensor]:
    path = _present(folder / file)
    if sha256(path) != card(name, folder)["files"].get(file):
        raise CourseError(
            f"{file} is not the file its card describes: it is damaged, or was changed. "
            f"Fetch it again (in a clone: git checkout -- {path.name}), or rebuild it with: course train {name}"
        )
    return load_file(path)


def _present(path: Path) -> Path:
    if not path.exists():
        raise CourseError(f"{path.name} is missing from the installation. Reinstall the course, or run: course doctor")
    return path
