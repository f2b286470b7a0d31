"""Problems on sequences: repeated spans, and later answers that depend on one earlier token."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from course_utils import heads
from course_utils.models import Transformer, TransformerConfig
from course_utils.tasks import repeats, skip_trigrams
from course_utils.tasks.repeats import Repeats, RepeatTask
from course_utils.tasks.skip_trigrams import LargestTask, PhraseTask, Questions
from course_utils.zoo.batches import TEST_SEED, batch_seed


def copied_losses(
    logits: Float[Tensor, "batch pos vocab"], drawn: Repeats
) -> tuple[Float[Tensor, "n"], Bool[Tensor, "n"]]:
    """Cross-entropy in nats, and whether the largest logit is right, at each place whose next token can be known."""
    known = repeats.predictable(drawn.source)[:, :-1]
    answers = drawn.tokens[:, 1:][known]
    chosen = logits[:, :-1][known]
    return F.cross_entropy(chosen, answers, reduction="none"), chosen.argmax(-1) == answers


@lru_cache(maxsize=32)
def _test_set(task: RepeatTask, n: int = 256) -> Repeats:
    return repeats.draw(task, n, TEST_SEED)


@lru_cache(maxsize=32)
def _training_set(task: RepeatTask, n: int, seed: int) -> Repeats:
    return repeats.draw(task, n, batch_seed(0, seed))


@dataclass(frozen=True)
class RepeatProblem:
    """An attention-only transformer that learns to continue copies; fresh sequences at each step.

    Attributes:
        n_train: None draws new sequences at each step; a number draws that many once and takes batches out of them.
        data_seed: which training sequences, where their number is given.
    """

    task: RepeatTask = field(default_factory=RepeatTask)
    d_model: int = 64
    n_layers: int = 2
    n_heads: int = 1
    d_head: int = 64
    batch: int = 64
    n_train: int | None = None
    data_seed: int = 0

    def config(self) -> TransformerConfig:
        """The shape of the network."""
        return TransformerConfig(
            d_vocab=self.task.vocab, n_ctx=self.task.length, d_model=self.d_model,
            n_heads=self.n_heads, d_head=self.d_head, n_layers=self.n_layers,
        )  # fmt: skip

    def make_model(self, seed: int) -> Transformer:
        return Transformer(self.config(), seed)

    def drawn(self, step: int, seed: int) -> Repeats:
        """The batch of this step."""
        if self.n_train is None:
            return repeats.draw(self.task, self.batch, batch_seed(step, seed))
        everything = _training_set(self.task, self.n_train, self.data_seed)
        g = torch.Generator().manual_seed(batch_seed(step, seed))
        rows = torch.randperm(self.n_train, generator=g)[: self.batch]
        return Repeats(everything.tokens[rows], everything.source[rows])

    def loss(self, model: nn.Module, step: int, seed: int) -> Float[Tensor, ""]:
        drawn = self.drawn(step, seed)
        return copied_losses(model(drawn.tokens), drawn)[0].mean()

    def evaluate(self, model: Any) -> dict[str, float]:
        """Loss and accuracy where the next token can be known, and the best head of each kind."""
        drawn = _test_set(self.task)
        metrics: dict[str, float] = {}
        if self.n_train is not None:
            seen = _training_set(self.task, self.n_train, self.data_seed)
            metrics |= _named("train", *copied_losses(model(seen.tokens), seen))
        logits, cache = model.run_with_cache(drawn.tokens, names=lambda name: name.endswith("hook_pattern"))
        targets = repeats.behind_source(drawn.source)
        scores = [heads.head_scores(pattern, targets) for pattern in cache.values()]
        return {
            **metrics,
            **_named("test", *copied_losses(logits, drawn)),
            "previous": max(score.previous.max().item() for score in scores),
            "prefix": max(score.prefix.max().item() for score in scores),
        }


@dataclass(frozen=True)
class HeldOutRepeatProblem(RepeatProblem):
    """The same task, but sequences with one of the last ``held_out`` tokens in a copy are never trained on.

    Those tokens occur everywhere else as often as others.
    """

    held_out: int = 8

    def drawn(self, step: int, seed: int) -> Repeats:
        """The batch of this step, less the sequences that have such a token in a copy."""
        drawn = super().drawn(step, seed)
        allowed = (~(self.is_held_out(drawn.tokens) & (drawn.source >= 0))).all(1)
        return Repeats(drawn.tokens[allowed], drawn.source[allowed])

    def is_held_out(self, tokens: Int[Tensor, "*shape"]) -> Bool[Tensor, "*shape"]:
        """Which of these tokens are never seen in a copy?"""
        return tokens >= self.task.vocab - self.held_out


def _named(part: str, losses: Tensor, right: Tensor) -> dict[str, float]:
    return {f"{part}_loss": losses.mean().item(), f"{part}_accuracy": right.double().mean().item()}


class SmearedTransformer(Transformer):
    """A transformer whose keys have looked one place back, each head by its own learnt amount (a sigmoid of ``gate``)."""

    def __init__(self, cfg: TransformerConfig, seed: int = 0) -> None:
        super().__init__(cfg, seed)
        self.gate = nn.Parameter(torch.zeros(cfg.n_layers, cfg.n_heads))
        for layer in range(cfg.n_layers):
            self.hook_points[f"blocks.{layer}.attn.hook_k"].functions.append(partial(self._smear, layer))

    def _smear(self, layer: int, k: Tensor, hook: object) -> Tensor:
        return heads.smear_keys(k, self.gate[layer].sigmoid())


@dataclass(frozen=True)
class SmearedRepeatProblem(RepeatProblem):
    """The same task for a network with smeared keys."""

    n_layers: int = 1

    def make_model(self, seed: int) -> SmearedTransformer:
        return SmearedTransformer(self.config(), seed)


@lru_cache(maxsize=32)
def _test_questions(task: LargestTask | PhraseTask, n: int = 2048) -> Questions:
    return questions(task, n, TEST_SEED)


def questions(task: LargestTask | PhraseTask, n: int, seed: int) -> Questions:
    """n questions of the task."""
    return (
        skip_trigrams.largest(task, n, seed) if isinstance(task, LargestTask) else skip_trigrams.phrases(task, n, seed)
    )


@dataclass(frozen=True)
class TrigramProblem:
    """An attention-only transformer that answers after the last token; fresh questions at each step."""

    task: LargestTask | PhraseTask
    d_model: int = 32
    n_layers: int = 1
    n_heads: int = 1
    d_head: int = 32
    batch: int = 64

    def make_model(self, seed: int) -> Transformer:
        length = self.task.length + 2 if isinstance(self.task, LargestTask) else self.task.length
        config = TransformerConfig(
            d_vocab=self.task.vocab, n_ctx=length, d_model=self.d_model,
            n_heads=self.n_heads, d_head=self.d_head, n_layers=self.n_layers,
        )  # fmt: skip
        return Transformer(config, seed)

    def loss(self, model: nn.Module, step: int, seed: int) -> Float[Tensor, ""]:
        drawn = questions(self.task, self.batch, batch_seed(step, seed))
        return F.cross_entropy(model(drawn.tokens)[:, -1], drawn.answers)

    def evaluate(self, model: Any) -> dict[str, float]:
        """Loss and accuracy of the answers, and for :class:`LargestTask` the loss of each answer (``loss_10`` …)."""
        drawn = _test_questions(self.task)
        logits = model(drawn.tokens)[:, -1]
        losses = F.cross_entropy(logits, drawn.answers, reduction="none")
        metrics = _named("test", losses, logits.argmax(-1) == drawn.answers)
        if isinstance(self.task, LargestTask):  # each answer has its own story
            answers = drawn.answers.unique().tolist()
            metrics |= {f"loss_{answer}": losses[drawn.answers == answer].mean().item() for answer in answers}
        return metrics
