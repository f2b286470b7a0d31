"""One trainer for every model of the course.

A :class:`Recipe` says everything that determines a run; ``train(recipe)`` gives the :class:`Run`: the model, its
history, and snapshots on a schedule. A run is a value: the same recipe gives the same run, to the bit at one thread.
An interrupted run that was given a checkpoint file resumes from it to the same result.

What is learnt, and how a step's loss is computed, is a :class:`Problem`. The trainer knows nothing about it.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from tqdm import tqdm

from course_utils import checkpoints
from course_utils.errors import CourseError
from course_utils.gradients import GradientFilter
from course_utils.muon import Muon

State = dict[str, Tensor]
"""Weights by name."""
History = dict[str, list[float]]
"""Metrics by name, one value for each evaluation; ``"step"`` says after how many updates."""
OPTIMISERS = ("adamw", "muon")


class Problem(Protocol):
    """Something to learn: a frozen dataclass whose fields, with the class's name, identify it."""

    def make_model(self, seed: int) -> nn.Module:
        """A freshly initialised model."""

    def loss(self, model: nn.Module, step: int, seed: int) -> Tensor:
        """The training loss at this step, in nats: of the whole training set, or of a batch drawn from (step, seed)."""

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Everything worth recording. Called without gradients."""


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a training run.

    Attributes:
        problem: what is learnt.
        steps: how many optimiser steps.
        seed: which initialisation, and which batches where batches are drawn.
        lr, weight_decay, betas: AdamW's settings (decay is decoupled: each step multiplies weights by 1 − lr·decay).
        warmup: over how many steps the learning rate rises linearly from 0.
        anneal: lower the learning rate to 0 along half a cosine over all steps, for a run that must come to rest.
        optimiser: ``"adamw"``, or ``"muon"``, which takes the matrices inside a transformer's blocks out of AdamW's hands
            (see :mod:`course_utils.muon`).
        log_every: how many steps lie between two evaluations.
        snapshots: at which steps the weights are kept.
        gradient: what is done to the gradients before each update (see :mod:`course_utils.gradients`); None leaves them.
            With ``L2Penalty`` and no weight decay the run is Adam on a loss with a true L2 term.
        stop_when: ends the run early: ``(history) -> bool``, looked at after each evaluation. Not part of the hash
            unless named by ``stop_name``.

    Raises:
        CourseError: another optimiser.
    """

    problem: Any
    steps: int
    seed: int = 0
    lr: float = 1e-3
    weight_decay: float = 1.0
    betas: tuple[float, float] = (0.9, 0.98)
    warmup: int = 10
    log_every: int = 10
    snapshots: tuple[int, ...] = ()
    gradient: GradientFilter | None = None
    stop_when: Callable[[History], bool] | None = field(default=None, compare=False)
    stop_name: str = ""
    anneal: bool = False
    optimiser: str = "adamw"

    def __post_init__(self) -> None:
        if self.optimiser not in OPTIMISERS:
            raise CourseError(f"Unknown optimiser {self.optimiser!r}: choose one of {', '.join(OPTIMISERS)}.")

    def as_dict(self) -> dict[str, Any]:
        """The recipe in plain values, for cards and hashes."""
        values = {k: v for k, v in asdict(self).items() if k not in ("problem", "gradient", "stop_when")}
        if self.gradient is not None:
            values["gradient"] = _named(self.gradient)
        for later, unused in {"anneal": False, "optimiser": "adamw"}.items():
            if values[later] == unused:  # so that a recipe that does not use it keeps its digest
                del values[later]
        return {"problem": _named(self.problem), **values}

    def digest(self) -> str:
        """Sixteen hexadecimal digits that change when anything that decides the weights or the history does.

        The snapshot schedule is left out: keeping more of a run does not make it another run.
        """
        values = {k: v for k, v in self.as_dict().items() if k != "snapshots"}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def _named(part: Any) -> dict[str, Any]:
    return {"kind": type(part).__name__, **asdict(part)}


@dataclass
class Run:
    """What training gave.

    Attributes:
        recipe: what was asked for.
        model: after the last update, on the device it was trained on.
        history: the metrics of each evaluation. All at step n are of the weights after n updates.
        snapshots: the weights by step, on the processor.
        seconds: the time it took, with that before an interruption.
    """

    recipe: Recipe
    model: nn.Module
    history: History
    snapshots: dict[int, State]
    seconds: float


def train(
    recipe: Recipe,
    *,
    checkpoint: Path | None = None,
    checkpoint_every: int = 500,
    progress: bool = False,
    device: str = "cpu",
    on_snapshot: Callable[[int, State], None] | None = None,
) -> Run:
    """Train by the recipe.

    Args:
        recipe: what to train, and how.
        checkpoint: a file that holds weights, optimiser state, history and snapshots so far, rewritten (to a temporary
            name, then renamed) every ``checkpoint_every`` steps; the one before it is kept as ``….previous``. If it
            exists, the run resumes from it, or with a warning from the one before, should the file be damaged.
        progress: show a bar with the newest metrics and the time left.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        on_snapshot: called with step and weights as each snapshot is taken.

    Raises:
        CourseError: a checkpoint written by another recipe, damaged checkpoints, or a loss that is not finite.
    """
    model = recipe.problem.make_model(recipe.seed).to(device)
    optimiser = _optimiser(recipe, model, fused=device != "mps")
    history: History = {"step": []}
    snapshots: dict[int, State] = {}
    memory: State = {}  # of the gradient filter
    first, spent = 0, 0.0
    stored = checkpoints.read_newest(checkpoint) if checkpoint is not None else None
    if stored is not None:
        if stored["recipe"] != recipe.digest():
            raise CourseError(
                f"{checkpoint} belongs to another recipe. Delete it, or give this run another checkpoint file."
            )
        model.load_state_dict(stored["model"])
        optimiser.load_state_dict(stored["optimiser"])
        memory = {name: value.to(device) for name, value in stored["memory"].items()}
        first, spent, history, snapshots = (stored[name] for name in ("step", "seconds", "history", "snapshots"))

    started = time.perf_counter()
    bar = tqdm(total=recipe.steps, initial=first, disable=not progress, unit="step", dynamic_ncols=True)
    for step in range(first, recipe.steps + 1):
        # Everything recorded at step n is of the weights after n updates.
        if step in recipe.snapshots:
            snapshots[step] = _copy(model.state_dict())
            if on_snapshot is not None:
                on_snapshot(step, snapshots[step])
        if step % recipe.log_every == 0 or step == recipe.steps:
            _record(history, step, recipe.problem, model)
            bar.set_postfix({k: f"{v[-1]:.3g}" for k, v in history.items() if k != "step"}, refresh=False)
            if recipe.stop_when is not None and recipe.stop_when(history):
                break
        if step == recipe.steps:
            break
        if checkpoint is not None and step > first and step % checkpoint_every == 0:
            content = {
                "recipe": recipe.digest(),
                "step": step,
                "seconds": spent + time.perf_counter() - started,
                "model": model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "memory": memory,
                "history": history,
                "snapshots": snapshots,
            }
            checkpoints.write(checkpoint, content)
        _update(recipe, model, optimiser, memory, step)
        bar.update()
    bar.close()
    return Run(recipe, model, history, snapshots, spent + time.perf_counter() - started)


def learning_rate(recipe: Recipe, step: int) -> float:
    """The learning rate of the update that follows ``step`` updates."""
    rate = recipe.lr * min(1.0, (step + 1) / max(1, recipe.warmup))
    return rate * (1 + math.cos(math.pi * step / recipe.steps)) / 2 if recipe.anneal else rate


def _optimiser(recipe: Recipe, model: nn.Module, fused: bool) -> torch.optim.Optimizer | Muon:
    if recipe.optimiser == "muon":
        return Muon(model, recipe.lr, recipe.weight_decay, recipe.betas, fused=fused)
    return torch.optim.AdamW(
        model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, betas=recipe.betas, fused=fused
    )


def _update(
    recipe: Recipe, model: nn.Module, optimiser: torch.optim.Optimizer | Muon, memory: State, step: int
) -> None:
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(recipe, step)
    optimiser.zero_grad(set_to_none=True)
    loss = recipe.problem.loss(model, step, recipe.seed)
    if not torch.isfinite(loss):
        raise CourseError(f"The loss is {loss.item()} at step {step}: the run diverged. Lower lr, or weight_decay.")
    loss.backward()
    if recipe.gradient is not None:
        recipe.gradient.apply(model, memory)
    optimiser.step()


@torch.no_grad()
def _record(history: History, step: int, problem: Problem, model: nn.Module) -> None:
    if history["step"] and history["step"][-1] == step:  # already recorded before an interrupt
        return
    history["step"].append(step)
    for name, value in problem.evaluate(model).items():
        history.setdefault(name, []).append(value)


def _copy(state: State) -> State:
    return {name: value.detach().cpu().clone() for name, value in state.items()}


def first_step(history: History, metric: str, test: Callable[[float], bool], sustained: int = 0) -> int | None:
    """At which recorded step does the metric first pass the test, and keep passing it for ``sustained`` steps more?

    Returns:
        The step, or None if that never happens within the history.
    """
    steps, values = history["step"], history[metric]
    for i, step in enumerate(steps):
        stretch = [test(v) for s, v in zip(steps[i:], values[i:], strict=True) if s <= step + sustained]
        if all(stretch) and steps[-1] >= step + sustained:
            return int(step)
    return None
