"""How well does a network know which moves the rules allow, on the board that was played or on one that was edited?"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Legality(NamedTuple):
    """Means over positions.

    Attributes:
        illegal: how often the move with the largest logit is against the rules.
        mass: the probability of all legal moves together.
        top_n: with N legal moves, the share of the N largest logits that belong to legal moves.
    """

    illegal: float
    mass: float
    top_n: float


def legality(logits: Float[Tensor, "n move"], legal: Bool[Tensor, "n move"]) -> Legality:
    """Three answers to how legal the predictions are, at positions that each have a legal move."""
    top = legal.gather(1, logits.argmax(1, keepdim=True))
    mass = (logits.softmax(1) * legal).sum(1)
    precision = 1 - intervention_error(logits, legal) / (2 * legal.sum(1))
    return Legality(1 - top.double().mean().item(), mass.double().mean().item(), precision.double().mean().item())


def intervention_error(logits: Float[Tensor, "n move"], legal: Bool[Tensor, "n move"]) -> Int[Tensor, "n"]:
    """At each position, moves predicted that are illegal and legal moves not predicted, taken together.

    Predicted are the N moves with the largest logits, N being the number of legal moves. So there are as many of the one
    kind as of the other, and the error is even. The measure is that of Li et al. 2022
    (arXiv 2210.13382).
    """
    rank = logits.argsort(1, descending=True).argsort(1)
    predicted = rank < legal.sum(1, keepdim=True)
    return (predicted ^ legal).sum(1)


def guess_from_empty(
    relative: Int[Tensor, "n square"],
    playable: Int[Tensor, "move"],
    often: Float[Tensor, "n move"] | None = None,
    seed: int = 0,
) -> Float[Tensor, "n move"]:
    """Logits of somebody who sees which squares are empty and nothing else: all of these alike, in random order.

    Args:
        relative: boards, 0 where empty.
        playable: the square of each move.
        often: how often each move is legal when its square is empty, if that is known, too.
        seed: of the order among equals.
    """
    empty = relative[:, playable] == 0
    chance = empty * (1.0 if often is None else often.clamp_min(1e-6))
    order = torch.rand(chance.shape, generator=torch.Generator().manual_seed(seed))
    return (chance + 1e-9).log() + 1e-4 * order
