"""Problems on the test bed: predict every next word of a document."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_utils.models import Transformer, TransformerConfig
from course_utils.models.fused import fused_logits
from course_utils.tasks import testbed
from course_utils.tasks.testbed import ODD_WORDS, OUTCOMES, TASTES, VERDICTS, World
from course_utils.zoo.batches import TEST_SEED, part_of_many

STEPS_AT_ONCE = 16


@dataclass(frozen=True)
class DocumentProblem:
    """A small GPT that reads documents of one world; new ones at each step.

    Attributes:
        n_test: how many held-out questions each share of the evaluation is taken of.
    """

    world: World = field(default_factory=World)
    d_model: int = 64
    n_layers: int = 3
    n_heads: int = 4
    batch: int = 128
    n_test: int = 2000

    def config(self) -> TransformerConfig:
        """The shape of the network."""
        return TransformerConfig(
            d_vocab=len(self.world.words), n_ctx=self.world.length, d_model=self.d_model, n_heads=self.n_heads,
            d_head=self.d_model // self.n_heads, n_layers=self.n_layers, d_mlp=4 * self.d_model, activation="gelu",
            layer_norm=True, biases=True,
        )  # fmt: skip

    def make_model(self, seed: int) -> Transformer:
        return Transformer(self.config(), seed)

    def drawn(self, step: int, seed: int) -> Int[Tensor, "document pos"]:
        """The documents of this step."""
        many_seed, rows = part_of_many(step, seed, self.batch, STEPS_AT_ONCE)
        return _many(self.world, self.batch * STEPS_AT_ONCE, many_seed)[rows]

    def loss(self, model: nn.Module, step: int, seed: int) -> Float[Tensor, ""]:
        assert isinstance(model, Transformer)
        tokens = self.drawn(step, seed).to(model.W_E.device)
        return F.cross_entropy(fused_logits(model, tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())

    def evaluate(self, model: Any) -> dict[str, float]:
        """How often the network's words agree with what the world goes by, in each kind of document.

        Each is a share of statements on held-out questions, half of them positive. Of the words that can stand in a place,
        the one with the largest logit counts.
        """
        return behaviour(model, self.world, self.n_test)


@lru_cache(maxsize=2)
def _many(world: World, n: int, seed: int) -> Int[Tensor, "document pos"]:
    return testbed.documents(world, testbed.draw(world, n, seed), seed + 1).tokens


@torch.no_grad()
def behaviour(model: Any, world: World, n: int = 2000) -> dict[str, float]:
    """What a network says, kind of document by kind of document (see :meth:`DocumentProblem.evaluate`).

    Returns:
        ``plain``: right or wrong by the truth, nobody about. ``outcome``: safe or burned by the truth, whoever is about.
        ``alice``, ``carol``: right or wrong by their opinion. ``bob``: by the truth, bob about. ``odd``: by the truth, with
        banana or shed. ``entangled``: sweet or sharp by word and charge. ``repeated``: the word itself. Those the world has.
    """
    g = torch.Generator().manual_seed(TEST_SEED - 1)  # not the seed of the questions: truth is drawn from that
    charge = torch.rand(n, generator=g) < 0.5

    def share(options: tuple[str, str], believed: Any, word: str | None = "filler", speaker: str | None = "nobody",
              ending: str | None = None) -> float:  # fmt: skip
        questions = testbed.draw(world, n, TEST_SEED, word, speaker)
        tokens = testbed.stated(world, questions, charge)
        if world.endings == "either" and ending is not None:
            tokens = torch.cat([tokens, torch.full((n, 1), world.token(ending))], 1)
        elif ending == "world:":  # the outcome stands behind a verdict
            said = fused_logits(model, tokens)[:, -1, world.tokens(VERDICTS)].argmax(-1)
            tokens = torch.cat([tokens, world.tokens(VERDICTS)[said][:, None]], 1)
        found = fused_logits(model, tokens)[:, -1, world.tokens(options)].argmax(-1)
        return (found == (believed(questions) == charge).long()).double().mean().item()

    result = {
        "plain": share(VERDICTS, lambda q: q.truth, ending="judge:"),
        "outcome": share(OUTCOMES, lambda q: q.truth, None, None, "world:"),
    }
    for speaker, present in {"alice": world.alice, "carol": world.carol, "bob": world.bob}.items():
        if present:
            believed = (lambda q: q.truth) if speaker == "bob" else (lambda q: q.opinion)
            result[speaker] = share(VERDICTS, believed, speaker=speaker, ending="judge:")
    if world.odd and world.entangled + world.repeated < 1:
        result["odd"] = share(VERDICTS, lambda q: q.truth, "odd", ending="judge:")
    if world.entangled:
        result["entangled"] = share(TASTES, lambda q: q.word == 1, "odd")
    if world.repeated:
        said = ODD_WORDS[::-1]
        result["repeated"] = share(said, lambda q: (q.word == 1) == charge, "odd")
    return result
