"""The things the zoo's models learnt: a task, a model's shape and a loss together make a problem to train on."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_utils.gradients import stablemax_loss
from course_utils.models import MLP, MLPConfig, Transformer, TransformerConfig
from course_utils.models.modular_shortcut import answer_logits
from course_utils.tasks import modular
from course_utils.tasks.modular import ModularTask


def cross_entropy(logits: Float[Tensor, "pairs p"], labels: Int[Tensor, "pairs"]) -> Float[Tensor, ""]:
    """Mean cross-entropy in nats, computed in float64.

    In float32, log-softmax cannot give an example a loss below 2⁻²³ ≈ 1.2e-7 other than 0, and a network that has
    memorised gets there: its gradients would be rounded away.
    """
    return F.cross_entropy(logits.double(), labels)


class Examples(NamedTuple):
    """Questions and their answers."""

    pairs: Int[Tensor, "pairs 2"]
    answers: Int[Tensor, "pairs"]


@lru_cache(maxsize=32)
def _split(task: ModularTask) -> dict[str, Examples]:
    pairs, mask = modular.all_pairs(task.p), modular.train_mask(task)
    answers = modular.labels(pairs, task)
    parts = {"train": mask, "test": ~mask}
    return {part: Examples(pairs[chosen], answers[chosen]) for part, chosen in parts.items()}


@dataclass(frozen=True)
class ModularTransformer:
    """The paper's setting: a one-layer ReLU transformer, no LayerNorm, no biases, full batch, exact shortcut."""

    task: ModularTask = field(default_factory=ModularTask)
    d_model: int = 128
    n_heads: int = 4
    d_mlp: int = 512
    init_scale: float = 1.0

    def make_model(self, seed: int) -> Transformer:
        config = TransformerConfig(
            d_vocab=self.task.p + 1,
            d_vocab_out=self.task.p,
            n_ctx=3,
            d_model=self.d_model,
            n_heads=self.n_heads,
            d_head=self.d_model // self.n_heads,
            d_mlp=self.d_mlp,
            init_scale=self.init_scale,
        )
        return Transformer(config, seed)

    def examples(self, part: str) -> Examples:
        """The questions trained on (``"train"``), or all others (``"test"``)."""
        return _split(self.task)[part]

    def logits(self, model: nn.Module, pairs: Int[Tensor, "pairs 2"]) -> Float[Tensor, "pairs p"]:
        """The logits at ``=``, by :func:`~course_utils.models.modular_shortcut.answer_logits`."""
        assert isinstance(model, Transformer)
        return answer_logits(model, pairs)

    def loss(self, model: nn.Module, step: int, seed: int) -> Float[Tensor, ""]:
        return _full_batch_loss(self, model)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        return _split_metrics(self, model)


@dataclass(frozen=True)
class StablemaxTransformer(ModularTransformer):
    """The same network trained with :func:`~course_utils.gradients.stablemax_loss`; evaluated by cross-entropy."""

    def loss(self, model: nn.Module, step: int, seed: int) -> Float[Tensor, ""]:
        pairs, answers = self.examples("train")
        return stablemax_loss(self.logits(model, pairs), answers)


@dataclass(frozen=True)
class Float32Transformer(ModularTransformer):
    """The same network with its training loss computed in float32, as most code does."""

    def loss(self, model: nn.Module, step: int, seed: int) -> Float[Tensor, ""]:
        pairs, answers = self.examples("train")
        return F.cross_entropy(self.logits(model, pairs), answers)


@dataclass(frozen=True)
class ModularMLP:
    """One hidden layer of ReLU neurons on the sum of the two one-hot vectors."""

    task: ModularTask = field(default_factory=ModularTask)
    d_hidden: int = 256
    init_scale: float = 1.0

    def make_model(self, seed: int) -> MLP:
        return MLP(MLPConfig(self.task.p, self.d_hidden, self.task.p, self.init_scale), seed)

    def examples(self, part: str) -> Examples:
        """The questions trained on (``"train"``), or all others (``"test"``)."""
        return _split(self.task)[part]

    def logits(self, model: nn.Module, pairs: Int[Tensor, "pairs 2"]) -> Float[Tensor, "pairs p"]:
        """What the network gives for the sums of the pairs' one-hot vectors."""
        assert isinstance(model, MLP)
        # The product of a two-hot vector with W_in is the sum of two of its rows: a look-up, and exact.
        return F.embedding(pairs, model.W_in).sum(1).relu() @ model.W_out

    def loss(self, model: nn.Module, step: int, seed: int) -> Float[Tensor, ""]:
        return _full_batch_loss(self, model)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        return _split_metrics(self, model)


ModularProblem = ModularTransformer | ModularMLP


def _full_batch_loss(problem: ModularProblem, model: nn.Module) -> Float[Tensor, ""]:
    pairs, answers = problem.examples("train")
    device = next(model.parameters()).device
    return cross_entropy(problem.logits(model, pairs.to(device)), answers.to(device))


def _split_metrics(problem: ModularProblem, model: nn.Module) -> dict[str, float]:
    device = next(model.parameters()).device
    metrics = {}
    for part in ("train", "test"):
        pairs, answers = problem.examples(part)
        if len(pairs) == 0:
            continue
        logits, answers = problem.logits(model, pairs.to(device)), answers.to(device)
        metrics[f"{part}_loss"] = cross_entropy(logits, answers).item()
        metrics[f"{part}_accuracy"] = (logits.argmax(-1) == answers).double().mean().item()
    metrics["sum_of_squares"] = sum(weight.pow(2).sum().item() for weight in model.parameters())
    return metrics


def modular_logits(problem: ModularProblem, model: nn.Module) -> Float[Tensor, "p p p"]:
    """The logits of all p² questions as a table [a, b, c], in float64."""
    p = problem.task.p
    with torch.no_grad():
        return problem.logits(model, modular.all_pairs(p)).double().reshape(p, p, p)
