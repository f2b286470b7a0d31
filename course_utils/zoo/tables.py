"""Tables of many runs: which recipes they are made of and what is kept of each run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from course_utils.errors import CourseError
from course_utils.tasks.modular import ModularTask
from course_utils.training import History, Recipe, Run, first_step, sweep
from course_utils.zoo.problems import ModularTransformer
from course_utils.zoo.recipes import ENTRIES, measure_modular


@dataclass(frozen=True)
class Table:
    """A sweep: its runs, and what each leaves in the table."""

    about: str
    recipes: tuple[Recipe, ...]
    measure: Callable[[Run], dict[str, Any]]


def grokking_steps(history: History) -> dict[str, int | None]:
    """When did the network memorise and generalise? Steps at which thresholds are passed; None if never.

    ``steps_to_99``: test accuracy at least 99 % for 100 steps; ``steps_to_low_loss``: test loss under 0.01 nats for 100
    steps; ``steps_to_memorise``: training accuracy at least 99 %.
    """
    return {
        "steps_to_memorise": first_step(history, "train_accuracy", lambda accuracy: accuracy >= 0.99),
        "steps_to_99": first_step(history, "test_accuracy", lambda accuracy: accuracy >= 0.99, sustained=100),
        "steps_to_low_loss": first_step(history, "test_loss", lambda loss: loss < 1e-2, sustained=100),
    }


def has_grokked(history: History) -> bool:
    """Have all thresholds of :func:`grokking_steps` been passed?"""
    return None not in grokking_steps(history).values()


def measure_grokking(run: Run) -> dict[str, Any]:
    """The steps of :func:`grokking_steps`, and the key frequencies at the end of the run."""
    return {
        **grokking_steps(run.history),
        "key_frequencies": measure_modular(run.recipe, run.model)["key_frequencies"],
    }


def with_seed(recipe: Recipe, seed: int) -> Recipe:
    """The recipe with another initialisation and another split, ended once the network has grokked."""
    problem = ModularTransformer(ModularTask(split_seed=seed))
    return replace(
        recipe, problem=problem, seed=seed, log_every=10, snapshots=(), stop_when=has_grokked, stop_name="has_grokked"
    )


TABLES: dict[str, Table] = {
    "modular-addition-fast-seeds": Table(
        about="The fast setting over ten seeds, none of which was used to choose it.",
        recipes=tuple(with_seed(ENTRIES["modular-addition-fast"].recipe, seed) for seed in range(1, 11)),
        measure=measure_grokking,
    ),
}


def make_table(name: str, path: Path, jobs: int = 1) -> list[dict[str, Any]]:
    """Train what is missing of a table; rows are appended to ``path`` as they come.

    Raises:
        CourseError: no table of that name.
    """
    if name not in TABLES:
        raise CourseError(f"There is no table {name!r}. There are: {', '.join(TABLES)}.")
    return sweep(TABLES[name].recipes, TABLES[name].measure, path, jobs)
