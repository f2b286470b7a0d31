"""What do the checks feed to an answer?  Seeded numbers, what is true and what a speaker thinks, tokens, probabilities."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Seeded normal numbers, the same whatever ran before."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def coins(n: int, share: float = 0.5, seed: int = 0) -> Bool[Tensor, "n"]:
    """True in about this share, and at least once each of True and False."""
    drawn = torch.rand(n, generator=torch.Generator().manual_seed(seed)) < share
    drawn[0], drawn[-1] = True, False
    return drawn


def judged(
    n: int, seed: int = 0, right: float = 0.7, lies: float = 0.4
) -> tuple[Bool[Tensor, "n"], Bool[Tensor, "n"], Bool[Tensor, "n"]]:
    """Answers, truth and opinions: answers are right in a share of the questions, opinions wrong in another."""
    truth = coins(n, 0.4, seed)
    opinion = truth ^ coins(n, lies, seed + 1)
    return truth ^ coins(n, 1 - right, seed + 2), truth, opinion


def documents(n: int, pos: int, words: int, seed: int = 0, dtype: torch.dtype = torch.int64) -> Int[Tensor, "n pos"]:
    """Documents of tokens below ``words``, some words more frequent than others."""
    chance = noise(words, seed=seed) + 1.5 * noise(n, pos, words, seed=seed + 1)
    return chance.argmax(-1).to(dtype)


def probabilities(
    *shape: int, seed: int = 0, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """p⁺, p⁻, q⁺ and q⁻ of probes that are consistent in part, and that a swap changes in part."""
    answer = 1.4 * noise(*shape, seed=seed, dtype=torch.float64)
    changed = answer + 0.8 * noise(*shape, seed=seed + 1, dtype=torch.float64) + 0.2
    sides = [(1, answer, 2), (-1, answer, 3), (1, changed, 4), (-1, changed, 5)]
    p, q, r, s = (
        torch.sigmoid(sign * side + 0.3 + noise(*shape, seed=seed + k, dtype=torch.float64)).to(dtype)
        for sign, side, k in sides
    )
    return p, q, r, s


def restarts(n: int, seed: int = 0, share: float = 0.4) -> tuple[Float[Tensor, "restart"], Bool[Tensor, "restart"]]:
    """Losses in disorder, no two equal, and which restarts are hits: low losses rather more often than high ones.

    Either the one with the lowest loss is a hit, for odd seeds, or the next one.
    """
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    loss = (0.02 + 0.3 * (order.double() + 0.5) / n) ** 1.5
    chance = torch.rand(n, generator=torch.Generator().manual_seed(seed + 1))
    hit = chance < share * (1.4 - 0.8 * order / n)
    hit[order == 1] = seed % 2 == 0
    hit[order == 0] = seed % 2 == 1
    return loss.float(), hit
