"""Tables of many runs: which recipes they are made of and what is kept of each run."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from course_utils.errors import CourseError, did_you_mean
from course_utils.gradients import OrthogonalGradient, SlowGradient
from course_utils.rows import Row
from course_utils.sweeps import sweep
from course_utils.tasks.modular import ModularTask
from course_utils.training import History, Recipe, Run, first_step
from course_utils.zoo.efficiency_tables import EFFICIENCY_TABLES
from course_utils.zoo.entry import Table
from course_utils.zoo.problems import Float32Transformer, ModularTransformer, StablemaxTransformer
from course_utils.zoo.recipes import ENTRIES, measure_modular
from course_utils.zoo.sequence_tables import SEQUENCE_TABLES
from course_utils.zoo.ungrokking_tables import UNGROKKING_TABLES


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


def measure_setting(run: Run) -> dict[str, Any]:
    """What was varied, the steps of :func:`grokking_steps`, how far the run went and where it ended."""
    recipe, history = run.recipe, run.history
    return {
        "fraction": recipe.problem.task.fraction,
        "lr": recipe.lr,
        "weight_decay": recipe.weight_decay,
        **grokking_steps(history),
        "steps": int(history["step"][-1]),
        "test_accuracy": history["test_accuracy"][-1],
        "test_loss": history["test_loss"][-1],
    }


def measure_method(run: Run) -> dict[str, Any]:
    """The method by name, :func:`measure_setting`, the first crossing of 99 %, and the key frequencies at the end."""
    recipe = run.recipe
    stablemax = isinstance(recipe.problem, StablemaxTransformer)
    return {
        "method": "StablemaxTransformer" if stablemax else type(recipe.gradient).__name__,
        **measure_setting(run),
        "first_99": first_step(run.history, "test_accuracy", lambda accuracy: accuracy >= 0.99),
        "key_frequencies": measure_modular(recipe, run.model)["key_frequencies"],
    }


def measure_spikes(run: Run) -> dict[str, Any]:
    """How low the training loss got, and at how many of the evaluations it stood ten times above its lowest so far."""
    losses, lowest, spikes = run.history["train_loss"], math.inf, 0
    for loss in losses:
        spikes += loss > 10 * lowest
        lowest = min(lowest, loss)
    return {
        "problem": type(run.recipe.problem).__name__,
        "lr": run.recipe.lr,
        "lowest_train_loss": lowest,
        "last_train_loss": losses[-1],
        "spikes": spikes,
        "evaluations": len(losses),
    }


def with_seed(recipe: Recipe, seed: int) -> Recipe:
    """The recipe with another initialisation and another split, ended once the network has grokked."""
    problem = ModularTransformer(ModularTask(split_seed=seed))
    return replace(
        recipe, problem=problem, seed=seed, log_every=10, snapshots=(), stop_when=has_grokked, stop_name="has_grokked"
    )


def with_setting(steps: int, seed: int = 1, fraction: float = 0.3, **changes: Any) -> Recipe:
    """The fast setting with another share of data, learning rate or decay, given at most ``steps`` steps to grok."""
    problem = ModularTransformer(ModularTask(fraction=fraction, split_seed=seed))
    return replace(with_seed(FAST, seed), problem=problem, steps=steps, **changes)


FAST = ENTRIES["modular-addition-fast"].recipe


# What is compared as a way to grok sooner: changes to the fast setting. Chosen on seed 100, and except for StableMax on 101.
METHODS: dict[str, dict[str, Any]] = {
    "AdamW": {},
    "slow gradients": {"gradient": SlowGradient(memory=0.9, amplify=1.0)},
    "⊥Grad": {"gradient": OrthogonalGradient(), "weight_decay": 0.0},
    "StableMax": {"problem": StablemaxTransformer},
}


def with_method(method: str, seed: int, steps: int = 600) -> Recipe:
    """The fast setting, on this seed, by one of :data:`METHODS`."""
    changes = dict(METHODS[method])
    if "problem" in changes:
        changes["problem"] = changes["problem"](ModularTask(split_seed=seed))
    return replace(with_seed(FAST, seed), steps=steps, **changes)


TABLES: dict[str, Table] = {
    "modular-addition-fast-seeds": Table(
        about="The fast setting over ten seeds, none of which was used to choose it.",
        recipes=tuple(with_seed(FAST, seed) for seed in range(1, 11)),
        measure=measure_grokking,
    ),
    "grokking-by-fraction": Table(
        about="The fast setting with 10 % to 95 % of the questions in the training set.",
        recipes=tuple(
            with_setting(steps, fraction=fraction)
            for fraction, steps in {
                0.1: 1000,
                0.15: 1500,
                0.2: 1200,
                0.25: 800,
                0.3: 800,
                0.4: 600,
                0.5: 600,
                0.6: 600,
                0.8: 600,
                0.95: 600,
            }.items()
        ),
        measure=measure_setting,
    ),
    "grokking-by-decay": Table(
        about="The fast setting with weight decay from 0 to 3.",
        recipes=tuple(
            with_setting(steps, seed, weight_decay=decay)
            for seed, decays in {
                1: {3.0: 800, 2.0: 800, 1.0: 1500, 0.5: 2500, 0.3: 3000, 0.2: 4000, 0.1: 5000, 0.0: 2500},
                2: {3.0: 800, 1.0: 1500, 0.3: 3000},
            }.items()
            for decay, steps in decays.items()
        ),
        measure=measure_setting,
    ),
    "grokking-accelerated": Table(
        about="The fast setting on 20 seeds, and on ten of them with a slow-gradient filter, with ⊥Grad and with StableMax.",
        recipes=(
            *(with_method("AdamW", seed) for seed in range(20)),
            *(with_method(method, seed) for seed in range(10) for method in METHODS if method != "AdamW"),
        ),
        measure=measure_method,
    ),
    "grokking-precision": Table(
        about="Training without decay, with the loss computed in float32 and in float64: where do spikes come from?",
        recipes=tuple(
            Recipe(kind(ModularTask(split_seed=1)), steps=2000, seed=1, lr=1e-2, weight_decay=0.0, log_every=10)
            for kind in (Float32Transformer, ModularTransformer)
        ),
        measure=measure_spikes,
    ),
    "grokking-by-lr": Table(
        about="Learning rates between the mainline's and the fast setting's, at decay 1.",
        recipes=tuple(
            with_setting(steps, lr=lr, weight_decay=1.0)
            for lr, steps in {1e-2: 1500, 6e-3: 2500, 3e-3: 4000, 2e-3: 5000}.items()
        ),
        measure=measure_setting,
    ),
    **SEQUENCE_TABLES,
    **EFFICIENCY_TABLES,
    **UNGROKKING_TABLES,
}
"""Every table of the zoo, by name."""


def named(name: str) -> Table:
    """The table of that name.

    Raises:
        CourseError: there is none; says which there are.
    """
    if name not in TABLES:
        hint = did_you_mean(name, TABLES)
        raise CourseError(f"There is no table {name!r}.{hint} There are: {', '.join(TABLES)}.")
    return TABLES[name]


def make_table(name: str, path: Path, jobs: int | None = None, **options: Any) -> list[Row]:
    """Train what is missing of a table; rows are appended to ``path`` as they come.

    ``jobs`` and ``options`` are those of :func:`course_utils.sweeps.sweep`.

    Raises:
        CourseError: no table of that name, or what ``sweep`` raises.
    """
    table = named(name)
    return sweep(table.recipes, table.measure, path, jobs, **options)
