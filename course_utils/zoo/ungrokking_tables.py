"""Tables on networks that can add and go on with few questions: what they come to, how soon, and what stops it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from course_utils.gradients import PartialL2Penalty
from course_utils.progress import mirror_accuracy
from course_utils.tasks import modular
from course_utils.tasks.modular import ModularTask
from course_utils.training import History, Recipe, Run, first_step
from course_utils.zoo.efficiency_tables import measure_rest, resting
from course_utils.zoo.entry import Table
from course_utils.zoo.subsets import DropoutTransformer, ProtectedTransformer, SubsetTransformer

STARTS: tuple[str | int, ...] = ("modular-addition-fast", 1, "modular-addition", 1, "modular-addition-fast")
"""Which network each subset of the questions starts from."""


def trained_on(start: str | int) -> ModularTask:
    """The task whose training set a starting network was trained on."""
    return ModularTask(split_seed=0 if isinstance(start, str) else start)


def ungrokking(size: int, subset: int, penalty: float, steps: int = 1200) -> Recipe:
    """A network that can add goes on with some of the questions it was trained on, under an L2 penalty.

    The subset's number also says which of :data:`STARTS` it starts from.
    """
    start = STARTS[subset]
    problem = SubsetTransformer(trained_on(start), size=size, subset_seed=subset, start=start)
    return resting(problem, penalty, steps, lr=5e-3)


def half_forgotten(history: History) -> bool:
    """Is test accuracy under one half, and was it at the evaluation before?"""
    return max(history["test_accuracy"][-2:]) < 0.5


def ungrokking_by_adamw(decay: float, subset: int, size: int = 350) -> Recipe:
    """The same under AdamW's decay, until test accuracy is under one half."""
    start = STARTS[subset]
    return Recipe(
        SubsetTransformer(trained_on(start), size=size, subset_seed=subset, start=start),
        steps=round(1000 / decay),
        lr=3e-3,
        weight_decay=decay,
        log_every=20,
        stop_when=half_forgotten,
        stop_name="half_forgotten",
    )


def questions(problem: SubsetTransformer) -> dict[str, Any]:
    """The columns that say what was trained on, and from which network."""
    return {"size": problem.size, "subset_seed": problem.subset_seed, "start": problem.start}


def ending(history: History) -> dict[str, Any]:
    """The columns that say where a run ended, and how accurate it was on the way there."""
    names = ("train_loss", "test_loss", "train_accuracy", "test_accuracy", "sum_of_squares")
    accuracies = [round(accuracy, 4) for accuracy in history["test_accuracy"]]
    return {**{name: history[name][-1] for name in names}, "test_accuracies": accuracies}


def below(share: float) -> Callable[[float], bool]:
    """Is a value under this?"""
    return lambda value: value < share


def measure_time(run: Run) -> dict[str, Any]:
    """At which steps did test accuracy fall under 80 %, 60 % and one half (for two evaluations), and how did it get there?"""
    problem: SubsetTransformer = run.recipe.problem
    history = run.history
    return {
        **questions(problem),
        "decay": run.recipe.weight_decay,
        "lr": run.recipe.lr,
        **{
            f"steps_to_{percent}": first_step(history, "test_accuracy", below(percent / 100), sustained=20)
            for percent in (80, 60, 50)
        },
        "steps": int(history["step"][-1]),
        "train_accuracy": history["train_accuracy"][-1],
        "test_accuracy": history["test_accuracy"][-1],
        "squares": history["sum_of_squares"][-1],
        "test_accuracies": [round(accuracy, 4) for accuracy in history["test_accuracy"]],
    }


def with_problem(recipe: Recipe, kind: type[SubsetTransformer], **more: Any) -> Recipe:
    """The recipe with its problem as one of this kind, which has more fields."""
    fields = {field.name: getattr(recipe.problem, field.name) for field in dataclasses.fields(recipe.problem)}
    return replace(recipe, problem=kind(**fields, **more))


def protected(strength: float) -> Recipe:
    """A run of the table of ungrokking with elastic weight consolidation."""
    return with_problem(ungrokking(460, 0, 1e-4), ProtectedTransformer, strength=strength)


def measure_protected(run: Run) -> dict[str, Any]:
    """Where the run ended, by the strength of its protection; losses are without the pull."""
    problem: ProtectedTransformer = run.recipe.problem
    return {**questions(problem), "strength": problem.strength, **ending(run.history)}


def dropping_out(rate: float, size: int, subset: int) -> Recipe:
    """A network that can add goes on with some of its questions under dropout of neurons, with no penalty and no decay."""
    return replace(with_problem(ungrokking(size, subset, 1e-4), DropoutTransformer, rate=rate), gradient=None)


def measure_dropout(run: Run) -> dict[str, Any]:
    """Where a run under dropout ended, measured without it."""
    problem: DropoutTransformer = run.recipe.problem
    return {**questions(problem), "rate": problem.rate, **ending(run.history)}


def held(kept: str, subset: int) -> Recipe:
    """350 questions with something left out or held still: one of :data:`HELD`."""
    recipe = ungrokking(350, subset, 1e-4)
    if kept == "no penalty":
        return replace(recipe, gradient=None)
    if kept == "no penalty, a tenth of the learning rate":
        return replace(recipe, gradient=None, lr=recipe.lr / 10)
    return replace(recipe, gradient=PartialL2Penalty(1e-4, HELD[kept]))


def measure_held(run: Run) -> dict[str, Any]:
    """Where the run ended, by the penalty and the names of the weights that were held still."""
    gradient = run.recipe.gradient
    return {
        "penalty": gradient.strength if isinstance(gradient, PartialL2Penalty) else 0.0,
        "frozen": list(gradient.frozen) if isinstance(gradient, PartialL2Penalty) else [],
        "lr": run.recipe.lr,
        **questions(run.recipe.problem),
        **ending(run.history),
    }


def from_scratch(size: int, seed: int) -> Recipe:
    """Addition modulo 37 from random weights, on few questions, for long; the learning rate goes down to 0."""
    problem = SubsetTransformer(ModularTask(p=37, fraction=1.0), size=size, subset_seed=seed)
    return Recipe(problem, steps=6000, seed=seed, lr=5e-3, weight_decay=2.0, log_every=200, anneal=True)


def measure_from_scratch(run: Run) -> dict[str, Any]:
    """How accurate the network was all along, and at its end; there also on new questions a + b apart by whether b + a was in
    the training set."""
    problem: SubsetTransformer = run.recipe.problem
    p, pairs = problem.task.p, modular.all_pairs(problem.task.p)
    trained = torch.zeros(p, p, dtype=torch.bool)
    trained[tuple(problem.examples("train").pairs.T)] = True
    with torch.no_grad():
        right = problem.logits(run.model, pairs).argmax(1) == modular.labels(pairs, problem.task)
    mirrored, others = mirror_accuracy(right.reshape(p, p), trained)
    return {
        "p": p,
        "size": problem.size,
        "subset_seed": problem.subset_seed,
        "train_accuracy": run.history["train_accuracy"][-1],
        "test_accuracy": run.history["test_accuracy"][-1],
        "mirrored_accuracy": mirrored,
        "other_accuracy": others,
        "squares": run.history["sum_of_squares"][-1],
        "test_accuracies": [round(accuracy, 4) for accuracy in run.history["test_accuracy"]],
    }


SIZES = (350, 400, 460, 530, 600, 690, 800, 910, 1050, 1200)
PENALTIES = (1e-4, 1e-5, 1e-3)
WEIGHTS = (
    "embed.W_E", "pos_embed.W_pos", "blocks.0.attn.W_Q", "blocks.0.attn.W_K", "blocks.0.attn.W_V", "blocks.0.attn.W_O",
    "blocks.0.mlp.W_in", "blocks.0.mlp.W_out", "unembed.W_U",
)  # fmt: skip
HELD: dict[str, tuple[str, ...]] = {
    "no penalty": (),
    "no penalty, a tenth of the learning rate": (),
    "embedding held": ("embed.W_E",),
    "embedding and unembedding held": ("embed.W_E", "unembed.W_U"),
    "MLP held": ("blocks.0.mlp.W_in", "blocks.0.mlp.W_out"),
    "all but the embedding held": tuple(name for name in WEIGHTS if name != "embed.W_E"),
}
"""What is left out or held still, and the weights that do not move."""

UNGROKKING_TABLES: dict[str, Table] = {
    "ungrokking": Table(
        about="Networks that can add go on with 350 to 1 200 of their questions under three strengths of an L2 penalty.",
        recipes=tuple(
            ungrokking(size, subset, penalty) for penalty in PENALTIES for subset in range(5) for size in SIZES
        ),
        measure=measure_rest,
    ),
    "ungrokking-settling": Table(
        about="Four times as many steps: how far from its end was each run of the table of ungrokking?",
        recipes=(
            *(ungrokking(size, subset, 1e-4, 4800) for subset in (0, 1, 2) for size in (600, 690, 530, 800)),
            *(ungrokking(size, 1, 1e-4, 4800) for size in (910, 1050)),
            *(
                ungrokking(size, subset, penalty, 4800)
                for penalty in (1e-3, 1e-5)
                for size in (600, 690)
                for subset in (0, 1)
            ),
        ),
        measure=measure_rest,
    ),
    "generalising-by-size": Table(
        about="A network that can add goes on with 1 500 to all 3 830 of its questions: what gap is left, and at what J?",
        recipes=tuple(ungrokking(size, 0, 1e-4, 800) for size in (1500, 3830, 2100, 2900)),
        measure=measure_rest,
    ),
    "ungrokking-time": Table(
        about="350 questions under AdamW with decays from 0.25 to 2: how many steps until half is forgotten?",
        recipes=tuple(ungrokking_by_adamw(decay, subset) for subset in (0, 1, 2) for decay in (2.0, 1.0, 0.5, 0.25)),
        measure=measure_time,
    ),
    "ungrokking-protected": Table(
        about="460 questions, with the weights that the start depends on held back: does that stop the forgetting?",
        recipes=tuple(protected(strength) for strength in (10.0, 100.0, 1000.0, 1.0)),
        measure=measure_protected,
    ),
    "ungrokking-held": Table(
        about="350 questions without a penalty, or with some of the weights held still: what does the forgetting need?",
        recipes=tuple(held(kept, subset) for subset in (0, 1, 2) for kept in HELD),
        measure=measure_held,
    ),
    "ungrokking-dropout": Table(
        about="400 and 1 050 questions under dropout in place of a penalty.",
        recipes=tuple(
            dropping_out(rate, size, 0) for rate, size in ((0.0, 400), (0.1, 400), (0.5, 400), (0.5, 1050), (0.1, 1050))
        ),
        measure=measure_dropout,
    ),
    "semi-grokking": Table(
        about="Addition modulo 37 from random weights on 200 to 450 questions, in search of networks that stop half-way.",
        recipes=tuple(from_scratch(size, seed) for seed in range(3) for size in (300, 350, 400, 250, 450, 200)),
        measure=measure_from_scratch,
    ),
}
