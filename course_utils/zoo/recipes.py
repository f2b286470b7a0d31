"""How every model of the zoo is made: one entry a model, complete enough to make it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from course_utils import fourier
from course_utils.models import MLP, Transformer
from course_utils.tasks.modular import ModularTask
from course_utils.training import Recipe
from course_utils.zoo.entry import Entry, Metrics
from course_utils.zoo.othello_recipes import OTHELLO_ENTRIES
from course_utils.zoo.problems import ModularMLP, ModularTransformer
from course_utils.zoo.sequence_recipes import SEQUENCE_ENTRIES
from course_utils.zoo.testbed_recipes import TESTBED_ENTRIES


def neuron_logit_map(model: Transformer | MLP) -> Float[Tensor, "neuron d_vocab_out"]:
    """W_L, from neurons to logits: W_out W_U of a one-layer transformer, W_out of the perceptron. Without gradients."""
    return (model.W_out if isinstance(model, MLP) else model.W_out[0] @ model.W_U).detach()


def logit_frequencies(model: Transformer | MLP, p: int) -> list[int]:
    """The key frequencies of W_L in a network that computes modulo p."""
    shares = fourier.frequency_shares(neuron_logit_map(model).T.double(), fourier.fourier_basis(p))
    return fourier.key_frequencies(shares)


def measure_modular(recipe: Recipe, model: Any) -> Metrics:
    """Losses and accuracies on both parts of the split, the sum of squared weights, and the key frequencies of W_L."""
    with torch.no_grad():
        metrics: Metrics = recipe.problem.evaluate(model)
    metrics["key_frequencies"] = logit_frequencies(model, recipe.problem.task.p)
    return metrics


def grokked(
    loss: float, accuracy: float = 1.0, frequencies: tuple[int, int] = (3, 6)
) -> Callable[[Metrics], list[str]]:
    """Gates of a modular network: low test loss, full test accuracy, a handful of key frequencies."""

    def problems(metrics: Metrics) -> list[str]:
        found = []
        if metrics["test_loss"] >= loss:
            found.append(f"test loss {metrics['test_loss']:.2g} is not below {loss:g}")
        if metrics["test_accuracy"] < accuracy:
            found.append(f"test accuracy {metrics['test_accuracy']:.4f} is below {accuracy:g}")
        if not frequencies[0] <= len(metrics["key_frequencies"]) <= frequencies[1]:
            found.append(f"{len(metrics['key_frequencies'])} key frequencies, not {frequencies[0]} to {frequencies[1]}")
        return found

    return problems


# Dense where things change: the circuit forms between steps 1 000 and 4 000, the rest is cleaned up by 6 000.
MAINLINE_SNAPSHOTS = (
    *(0, 100, 200, 500, 1000, 1500, 2000, 2500, 3000, 3500),
    *(3750, 4000, 4250, 4500, 4750, 5000, 5500, 6000, 7500, 10_000),
)


ENTRIES: dict[str, Entry] = {
    "modular-addition": Entry(
        about="Addition modulo 113 on 30 % of the pairs: the mainline run, which memorises first and groks much later.",
        recipe=Recipe(ModularTransformer(), steps=14_000, log_every=20, snapshots=MAINLINE_SNAPSHOTS),
        measure=measure_modular,
        gates=grokked(1e-4),
    ),
    "modular-addition-fast": Entry(
        about="The same task at ten times the learning rate and twice the decay: the same algorithm in under a minute.",
        recipe=Recipe(ModularTransformer(), steps=800, lr=1e-2, weight_decay=2.0),
        measure=measure_modular,
        gates=grokked(1e-3),
    ),
    "modular-subtraction": Entry(
        about="Subtraction modulo 113 on half of the pairs, at three times the learning rate and twice the decay.",
        recipe=Recipe(
            ModularTransformer(ModularTask(operation="subtract", fraction=0.5)),
            steps=1200,
            lr=3e-3,
            weight_decay=2.0,
            log_every=40,
        ),
        measure=measure_modular,
        gates=grokked(1e-3, frequencies=(3, 8)),
    ),
    "modular-mlp": Entry(
        about="The same task learnt by one hidden layer of 256 ReLU neurons that reads the sum of two one-hot vectors.",
        recipe=Recipe(ModularMLP(), steps=3000, lr=1e-2, log_every=20),
        measure=measure_modular,
        gates=grokked(1e-2, accuracy=0.999, frequencies=(0, 56)),
    ),
    **SEQUENCE_ENTRIES,
    **OTHELLO_ENTRIES,
    **TESTBED_ENTRIES,
}
