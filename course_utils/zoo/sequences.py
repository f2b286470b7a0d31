"""Problems on sequences: repeated spans, and later answers that depend on one earlier token."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from course_utils.models import Transformer, TransformerConfig
from course_utils.tasks import repeats, skip_trigrams
from course_utils.tasks.repeats import Repeats, RepeatTask
from course_utils.tasks.skip_trigrams import LargestTask, PhraseTask, Questions

TEST_SEED = 2**31 - 1


def _batch_seed(step: int, seed: int) -> int:
    """A seed of its own for every step of every run, apart from that of the test sequences."""
    return (seed * 1_000_003 + step) % TEST_SEED


def copied_losses(
    logits: Float[Tensor, "batch pos vocab"], drawn: Repeats
) -> tuple[Float[Tensor, "n"], Bool[Tensor, "n"]]:
    """Cross-entropy in nats, and whether the largest logit is right, at each place whose next token can be known."""
    known = repeats.predictable(drawn.source)[:, :-1]
    answers = drawn.tokens[:, 1:][known]
    chosen = logits[:, :-1][known]
    return F.cross_entropy(chosen, answers, reduction="none"), chosen.argmax(-1) == answers


@lru_cache(maxsize=32)
def _test_set(task: RepeatTask, n: int = 512) -> Repeats:
    return repeats.draw(task, n, TEST_SEED)


@lru_cache(maxsize=32)
def _training_set(task: RepeatTask, n: int, seed: int) -> Repeats:
    return repeats.draw(task, n, _batch_seed(0, seed))


@dataclass(frozen=True)
class RepeatProblem:
    """An attention-only transformer that learns to continue copies; fresh sequences at each step.

    Attributes:
        n_train: None draws new sequences at each step; a number draws that many once and takes batches out of them.
    """

    task: RepeatTask = field(default_factory=RepeatTask)
    d_model: int = 64
    n_layers: int = 2
    n_heads: int = 1
    d_head: int = 64
    batch: int = 64
    n_train: int | None = None

    def config(self) -> TransformerConfig:
        return TransformerConfig(
            d_vocab=self.task.vocab, n_ctx=self.task.length, d_model=self.d_model,
            n_heads=self.n_heads, d_head=self.d_head, n_layers=self.n_layers,
        )  # fmt: skip

    def make_model(self, seed: int) -> nn.Module:
        return Transformer(self.config(), seed)

    def drawn(self, step: int, seed: int) -> Repeats:
        """The batch of this step."""
        if self.n_train is None:
            return repeats.draw(self.task, self.batch, _batch_seed(step, seed))
        everything = _training_set(self.task, self.n_train, seed)
        g = torch.Generator().manual_seed(_batch_seed(step, seed))
        rows = torch.randperm(self.n_train, generator=g)[: self.batch]
        return Repeats(everything.tokens[rows], everything.source[rows])

    def loss(self, model: nn.Module, step: int, seed: int) -> Float[Tensor, ""]:
        drawn = self.drawn(step, seed)
        return copied_losses(model(drawn.tokens), drawn)[0].mean()

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        losses, right = copied_losses(model(_test_set(self.task).tokens), _test_set(self.task))
        return {"test_loss": losses.mean().item(), "test_accuracy": right.double().mean().item()}


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
        drawn = questions(self.task, self.batch, _batch_seed(step, seed))
        return F.cross_entropy(model(drawn.tokens)[:, -1], drawn.answers)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        drawn = _test_questions(self.task)
        logits = model(drawn.tokens)[:, -1]
        return {
            "test_loss": F.cross_entropy(logits, drawn.answers).item(),
            "test_accuracy": (logits.argmax(-1) == drawn.answers).double().mean().item(),
        }
