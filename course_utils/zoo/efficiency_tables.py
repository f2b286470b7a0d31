"""Tables on what networks come to rest at under an L2 penalty: some that memorise random answers, some that can add."""

from __future__ import annotations

from typing import Any

import torch

from course_utils import efficiency
from course_utils.gradients import L2Penalty
from course_utils.models import Transformer
from course_utils.tasks.modular import ModularTask
from course_utils.training import Recipe, Run
from course_utils.zoo import store
from course_utils.zoo.entry import Table
from course_utils.zoo.problems import modular_logits
from course_utils.zoo.recipes import logit_frequencies
from course_utils.zoo.subsets import SubsetTransformer, starting_recipe

NO_RULE = ModularTask(fraction=1.0, operation="random")
EVERYTHING = ModularTask(fraction=1.0)


def measure_rest(run: Run) -> dict[str, Any]:
    """Where a run under :class:`L2Penalty` ended: J and its parts, how near to rest, accuracies, margins, exponent.

    ``size``, ``subset_seed``, ``start`` and ``rule`` say what was trained on, from which network. ``dropped_accuracy`` is on
    the task's training questions that this run left out; margins, losses and the exponent ``k_net`` (of the mean margin) are
    of the training questions unless their names say otherwise. ``test_accuracies`` has one value every ``log_every`` steps.
    """
    recipe, model, history = run.recipe, run.model, run.history
    problem: SubsetTransformer = recipe.problem
    assert isinstance(recipe.gradient, L2Penalty) and isinstance(model, Transformer)
    penalty = recipe.gradient.strength
    weights = list(model.parameters())
    squares = efficiency.squared_norm(weights)
    loss = problem.loss(model, recipe.steps, recipe.seed)
    ratio, residual = efficiency.rest(loss, weights, penalty)
    train, dropped = problem.examples("train"), problem.examples("dropped")

    def train_margins() -> torch.Tensor:
        with torch.no_grad():
            return efficiency.margins(problem.logits(model, train.pairs).double(), train.answers)

    margins = train_margins()
    with torch.no_grad():
        right = problem.logits(model, dropped.pairs).argmax(1) == dropped.answers
    logits = modular_logits(problem, model)
    return {
        "size": len(train.pairs),
        "subset_seed": problem.subset_seed,
        "start": problem.start,
        "rule": problem.task.operation,
        "penalty": penalty,
        "lr": recipe.lr,
        "steps": recipe.steps,
        "J": efficiency.regularised_loss(loss.item(), squares, penalty),
        "loss": loss.item(),
        "squares": squares,
        "ratio": ratio,
        "residual": residual,
        "train_accuracy": history["train_accuracy"][-1],
        "test_accuracy": history.get("test_accuracy", [None])[-1],
        "test_loss": history.get("test_loss", [None])[-1],
        "dropped_accuracy": right.double().mean().item() if len(right) else None,
        "mean_margin": margins.mean().item(),
        "least_margin": margins.min().item(),
        "k_net": efficiency.scaling_exponent(model, lambda: train_margins().mean().item()),
        "trigonometric": efficiency.trigonometric_share(logits),
        "key_frequencies": logit_frequencies(model, problem.task.p),
        "test_accuracies": [round(accuracy, 4) for accuracy in history.get("test_accuracy", [])],
    }


def resting(problem: SubsetTransformer, penalty: float, steps: int, seed: int = 0, lr: float = 3e-3) -> Recipe:
    """Adam on J with the learning rate lowered to 0, so that the run comes to rest and not only close to it."""
    return Recipe(
        problem,
        steps,
        seed,
        lr=lr,
        weight_decay=0.0,
        gradient=L2Penalty(penalty),
        anneal=True,
        log_every=100,
    )


def memorising(size: int, seed: int, penalty: float, steps: int = 5000) -> Recipe:
    """Answers without a rule to ``size`` questions, from random weights; the seed also draws the questions.

    From half the usual initial scale: the weights then grow to what they need, where else they would have to shrink to it.
    """
    return resting(SubsetTransformer(NO_RULE, size=size, subset_seed=seed, init_scale=0.5), penalty, steps, seed)


def generalising(start: str | int, penalty: float, steps: int = 400) -> Recipe:
    """A network that can add goes on with all questions."""
    return resting(SubsetTransformer(EVERYTHING, start=start), penalty, steps)


def measure_overlap(run: Run) -> dict[str, Any]:
    """Does the network have its large weights where ``modular-addition-fast`` has them? By its rule, size and seed.

    Seed 0 is that network's own initialisation.
    """
    problem = run.recipe.problem
    overlap = efficiency.large_weight_overlap(
        run.model.parameters(), store.load("modular-addition-fast").parameters(), top=0.05
    )
    return {
        "rule": problem.task.operation,
        "size": getattr(problem, "size", problem.task.n_train),
        "train_accuracy": run.history["train_accuracy"][-1],
        "test_accuracy": run.history["test_accuracy"][-1],
        **overlap._asdict(),
    }


MEMORISED_SIZES = (600, 750, 900, 500, 1100, 300)

EFFICIENCY_TABLES: dict[str, Table] = {
    "memorising-by-size": Table(
        about="Random answers to 300 to 1 100 questions, memorised from random weights under an L2 penalty.",
        recipes=(
            *(memorising(size, seed, 1e-4) for seed in range(3) for size in MEMORISED_SIZES),
            *(memorising(size, 0, 1e-5) for size in (600, 750, 900)),
        ),
        measure=measure_rest,
    ),
    "memorising-briefly": Table(
        about="Random answers to 200 to 1 100 questions, memorised in 1 500 steps: the ratio of rest is 1, and J falls on.",
        recipes=tuple(memorising(size, 0, 1e-4, 1500) for size in (200, 300, 400, 500, 600, 750, 900, 1100)),
        measure=measure_rest,
    ),
    "generalising-circuit": Table(
        about="Networks that can add go on with all 12 769 questions under an L2 penalty, two of them for four times as long.",
        recipes=(
            *(generalising(start, 1e-4) for start in ("modular-addition-fast", 1, "modular-addition")),
            generalising("modular-addition-fast", 1e-5),
            *(generalising(start, 1e-4, 1600) for start in (1, "modular-addition-fast")),
        ),
        measure=measure_rest,
    ),
    "large-weights": Table(
        about="Are the largest weights of a memorising and of a generalising network at the same places?",
        recipes=(
            *(memorising(600, seed, 1e-4, 1500) for seed in range(3)),
            *(starting_recipe(seed) for seed in (1, 2)),
        ),
        measure=measure_overlap,
    ),
}
