"""What do the checks feed to an answer?  Seeded numbers, boards that no game leads to, logits beside rules, plies in disorder."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Seeded normal numbers, the same whatever ran before."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def boards(*shape: int, seed: int = 0) -> Int[Tensor, "*shape"]:
    """States 0, 1 and 2, each square with chances of its own: the last axis is the square's."""
    chance = 1.5 * noise(*shape[1:], 3, seed=seed) + noise(*shape, 3, seed=seed + 1)
    return chance.argmax(-1)


def plies(n: int, count: int, seed: int = 0) -> Int[Tensor, "n"]:
    """Numbers from 0 to ``count`` − 1 in disorder; each occurs, and not equally often."""
    more = (noise(n - count, seed=seed).abs() * count / 2).long().clamp(max=count - 1)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    return torch.cat([torch.arange(count), more])[order]


def choices(
    n: int, moves: int, seed: int = 0, dtype: torch.dtype = torch.float64
) -> tuple[Float[Tensor, "n move"], Bool[Tensor, "n move"]]:
    """Logits that know the rules in part, and the rules: each position has at least one legal move, seldom half of them."""
    generator = torch.Generator().manual_seed(seed)
    numbers = 1 + (torch.rand(n, generator=generator) ** 2 * (moves - 1)).round().long()
    legal = torch.rand(n, moves, generator=generator).argsort(1) < numbers[:, None]
    return (noise(n, moves, seed=seed, dtype=dtype) * 1.5 + 1.2 * legal - 0.4).to(dtype), legal
