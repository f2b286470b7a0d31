"""What the zoo knows of a model or a table: how it is made, what is measured, what must hold before it is shipped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from course_utils.training import Recipe, Run

Metrics = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """One model of the zoo.

    Attributes:
        about: one sentence for the card.
        recipe: how it is trained.
        measure: what the card reports of the finished weights, recomputed by ``course verify``.
        gates: what the metrics must satisfy for the weights to be shipped: sentences about what fails.
        half: ship the weights in float16; metrics and gates are of the weights as shipped.
    """

    about: str
    recipe: Recipe
    measure: Callable[[Recipe, nn.Module], Metrics]
    gates: Callable[[Metrics], list[str]]
    half: bool = False


@dataclass(frozen=True)
class Table:
    """A sweep: its runs, and what each leaves in the table.

    Attributes:
        about: one sentence.
        recipes: the runs.
        measure: the columns of a run's row, by name.
    """

    about: str
    recipes: tuple[Recipe, ...]
    measure: Callable[[Run], dict[str, Any]]


def measure_evaluation(recipe: Recipe, model: nn.Module) -> Metrics:
    """What the problem evaluates."""
    with torch.no_grad():
        return dict(recipe.problem.evaluate(model))


def at_least(**limits: float) -> Callable[[Metrics], list[str]]:
    """Gates: each named metric must reach its limit."""

    def problems(metrics: Metrics) -> list[str]:
        return [
            f"{name} is {metrics[name]:.3f}, under {limit:g}" for name, limit in limits.items() if metrics[name] < limit
        ]

    return problems
