"""Problems on Othello: after each move of a random game, say which moves the rules allow next."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from course_utils.errors import CourseError
from course_utils.legality import legality
from course_utils.models import Transformer, TransformerConfig
from course_utils.models.fused import fused_logits
from course_utils.tasks import othello
from course_utils.zoo.batches import TEST_SEED, part_of_many

TARGETS = ("legal", "sampled")
STEPS_AT_ONCE = 64  # games are made for so many steps at once: a large batch of boards costs a tenth as much a game


@dataclass(frozen=True)
class Positions:
    """What is trained on, or tested: all positions of some games but the last, which has no next move.

    Attributes:
        tokens: the moves so far.
        legal: which moves may come next; none after the end of a game.
        sampled: the token of the move that came next.
    """

    tokens: Int[Tensor, "game pos"]
    legal: Bool[Tensor, "game pos move"]
    sampled: Int[Tensor, "game pos"]

    def to(self, device: torch.device) -> Positions:
        """The same on another device."""
        return Positions(self.tokens.to(device), self.legal.to(device), self.sampled.to(device))


def positions(games: othello.Games) -> Positions:
    """A model's input and targets."""
    tokens = games.tokens()
    return Positions(tokens[:, :-1], games.legal_tokens()[:, :-1], tokens[:, 1:])


@lru_cache(maxsize=2)
def _many(size: int, n: int, seed: int) -> Positions:
    return positions(othello.random_games(size, n, seed))


@dataclass(frozen=True)
class OthelloProblem:
    """A transformer that reads moves and predicts the next one; new random games at each step.

    Attributes:
        size: squares along a side of the board.
        targets: ``"legal"`` asks for equal probability on every legal move; ``"sampled"`` for the one move that was played.
            Moves are drawn uniformly, so that both have the same expected gradient. The first has no sampling noise, but
            tells the network more at each position.
        batch: games a step.
        n_test: how many held-out games the evaluation takes.
    """

    size: int = 6
    targets: str = "legal"
    d_model: int = 128
    n_layers: int = 6
    n_heads: int = 4
    d_head: int = 32
    batch: int = 128
    n_test: int = 1024

    def __post_init__(self) -> None:
        if self.targets not in TARGETS:
            raise CourseError(f"Unknown targets {self.targets!r}: choose one of {', '.join(TARGETS)}.")

    def config(self) -> TransformerConfig:
        """The shape of the network."""
        moves = othello.longest_game(self.size)
        return TransformerConfig(
            d_vocab=moves + 1, d_vocab_out=moves, n_ctx=moves - 1, d_model=self.d_model, n_heads=self.n_heads,
            d_head=self.d_head, n_layers=self.n_layers, d_mlp=4 * self.d_model, layer_norm=True, biases=True,
        )  # fmt: skip

    def make_model(self, seed: int) -> Transformer:
        return Transformer(self.config(), seed)

    def drawn(self, step: int, seed: int) -> Positions:
        """The games of this step."""
        many_seed, rows = part_of_many(step, seed, self.batch, STEPS_AT_ONCE)
        everything = _many(self.size, self.batch * STEPS_AT_ONCE, many_seed)
        return Positions(everything.tokens[rows], everything.legal[rows], everything.sampled[rows])

    def loss(self, model: nn.Module, step: int, seed: int) -> Float[Tensor, ""]:
        assert isinstance(model, Transformer)
        drawn = self.drawn(step, seed).to(model.W_E.device)
        logits = fused_logits(model, drawn.tokens)
        return (uniform_losses if self.targets == "legal" else sampled_losses)(logits, drawn).mean()

    def held_out(self) -> Positions:
        """The games of the evaluation, the same for both kinds of target."""
        return _many(self.size, self.n_test, TEST_SEED)

    def evaluate(self, model: Any) -> dict[str, float]:
        """On held-out games: the loss against equal probabilities, how often the top move is legal, the legal moves' share.

        ``test_excess`` is the loss less what no network can go below, the mean log number of legal moves, in nats.
        """
        held_out = self.held_out().to(model.W_E.device)
        logits = torch.cat([fused_logits(model, part) for part in held_out.tokens.split(256)])
        open_ = held_out.legal.any(-1)
        loss = uniform_losses(logits, held_out).mean().item()
        legal = held_out.legal[open_]
        found = legality(logits[open_], legal)
        return {
            "test_loss": loss,
            "test_excess": loss - legal.sum(-1).double().log().mean().item(),
            "test_accuracy": 1 - found.illegal,
            "legal_mass": found.mass,
        }


def uniform_losses(logits: Float[Tensor, "game pos move"], drawn: Positions) -> Float[Tensor, "n"]:
    """Cross-entropy in nats with equal probability on all legal moves, at each position that has one."""
    open_ = drawn.legal.any(-1)
    legal = drawn.legal[open_]
    return -(F.log_softmax(logits[open_], -1) * legal).sum(-1) / legal.sum(-1)


def sampled_losses(logits: Float[Tensor, "game pos move"], drawn: Positions) -> Float[Tensor, "n"]:
    """Cross-entropy in nats with the move that was played, at each position that has one."""
    open_ = drawn.legal.any(-1)
    return F.cross_entropy(logits[open_], drawn.sampled[open_], reduction="none")
