"""Addition on a set of questions of an exact size, from random weights or from a network that can add already."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_utils.consolidation import fisher_diagonal, pull_back
from course_utils.errors import CourseError
from course_utils.models import Transformer
from course_utils.models.hooks import HookPoint
from course_utils.tasks import modular
from course_utils.tasks.modular import ModularTask
from course_utils.training import Recipe, State, train
from course_utils.zoo import store
from course_utils.zoo.batches import batch_seed
from course_utils.zoo.problems import Examples, ModularTransformer, cross_entropy
from course_utils.zoo.recipes import ENTRIES

START_STEPS = 400
"""Of a starting network in the fast setting: it groks by step 300 (the table of seeds), and has some time to clean up."""


FISHER_PROBES = 50
"""An entry of the Fisher diagonal is then right to a fifth, which is enough for orders of magnitude to matter."""


@dataclass(frozen=True)
class SubsetTransformer(ModularTransformer):
    """The one-layer transformer on exactly ``size`` questions out of the task's training set.

    With ``operation="random"`` in the task the answers follow no rule, so that only a memorising circuit can give them.

    Attributes:
        size: how many questions; None for the task's whole training set.
        subset_seed: which ones.
        start: the network that training goes on from: a model of the zoo by its name, or a seed of the fast setting,
            which is trained first. None starts from random weights. A subset of the task's training set is a subset of what
            the start was trained on if both have the same split.
    """

    size: int | None = None
    subset_seed: int = 0
    start: str | int | None = None

    def __post_init__(self) -> None:
        if self.size is not None and not 0 < self.size <= self.task.n_train:
            raise CourseError(f"A subset of {self.size} questions cannot be drawn from {self.task.n_train}.")

    def make_model(self, seed: int) -> Transformer:
        model = super().make_model(seed)
        if self.start is not None:
            model.load_state_dict(starting_weights(self.start))
        return model

    def examples(self, part: str) -> Examples:
        """The questions trained on (``"train"``), all others (``"test"``), or those of the task that were left out
        (``"dropped"``: a network that was trained on the whole task has seen them)."""
        return _examples(self.task, self.size, self.subset_seed)[part]


@lru_cache(maxsize=8)
def _examples(task: ModularTask, size: int | None, subset_seed: int) -> dict[str, Examples]:
    pairs, in_task = modular.all_pairs(task.p), modular.train_mask(task)
    answers = modular.labels(pairs, task)
    pool = in_task.nonzero()[:, 0]
    order = torch.randperm(len(pool), generator=torch.Generator().manual_seed(subset_seed))
    train = torch.zeros_like(in_task)
    train[pool[order[:size]]] = True
    parts = {"train": train, "test": ~train, "dropped": in_task & ~train}
    return {part: Examples(pairs[chosen], answers[chosen]) for part, chosen in parts.items()}


def starting_recipe(seed: int) -> Recipe:
    """The fast setting with this initialisation and split, for as long as a starting network is trained."""
    problem = ModularTransformer(ModularTask(split_seed=seed))
    fast = ENTRIES["modular-addition-fast"].recipe
    return replace(fast, problem=problem, seed=seed, steps=START_STEPS, log_every=START_STEPS)


@lru_cache(maxsize=8)
def starting_weights(start: str | int) -> State:
    """The weights of a model of the zoo by its name, or of the fast setting by its seed."""
    model: nn.Module = store.load(start) if isinstance(start, str) else train(starting_recipe(start)).model
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


@lru_cache(maxsize=2)
def starting_fisher(problem: SubsetTransformer) -> State:
    """The Fisher diagonal of the network that a problem starts from, on all that it was trained on."""
    whole = replace(problem, size=None)
    model = whole.make_model(0)
    return fisher_diagonal(model, lambda: whole.logits(model, whole.examples("train").pairs), FISHER_PROBES)


@dataclass(frozen=True)
class ProtectedTransformer(SubsetTransformer):
    """The same with the weights that the start's answers depend on held back: elastic weight consolidation.

    Attributes:
        strength: of :func:`~course_utils.consolidation.pull_back`. At 1 the pull stands in for the mean loss on all that
            the start was trained on, to second order.
    """

    strength: float = 1.0

    def loss(self, model: nn.Module, step: int, seed: int) -> Float[Tensor, ""]:
        assert self.start is not None
        unprotected = SubsetTransformer(self.task, size=None, start=self.start)
        pull = pull_back(dict(model.named_parameters()), starting_weights(self.start), starting_fisher(unprotected))
        return super().loss(model, step, seed) + self.strength * pull


def drop(activations: Float[Tensor, "*shape"], rate: float, generator: torch.Generator) -> Float[Tensor, "*shape"]:
    """Dropout: each number becomes 0 with this probability, and the others grow so that the mean stays."""
    kept = torch.rand(activations.shape, generator=generator) >= rate
    return activations * kept.to(activations) / (1 - rate)


@dataclass(frozen=True)
class DropoutTransformer(SubsetTransformer):
    """The same trained with dropout of neurons, drawn anew for every question and step.

    Attributes:
        rate: with which probability a neuron is 0.
    """

    rate: float = 0.0

    def loss(self, model: nn.Module, step: int, seed: int) -> Float[Tensor, ""]:
        assert isinstance(model, Transformer)
        pairs, answers = self.examples("train")
        generator = torch.Generator().manual_seed(batch_seed(step, seed))

        def hook(neurons: Tensor, point: HookPoint) -> Tensor:
            return drop(neurons, self.rate, generator)

        tokens = modular.tokens(pairs, self.task.p).to(next(model.parameters()).device)
        logits = model.run_with_hooks(tokens, fwd_hooks=[("blocks.0.mlp.hook_post", hook)])[:, -1]
        return cross_entropy(logits, answers.to(logits.device))
