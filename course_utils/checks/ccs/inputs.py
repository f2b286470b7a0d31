"""What do the checks feed to an answer?  Seeded numbers, probabilities of both sides of a question, labels."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Seeded normal numbers, the same whatever ran before."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def both_sides(
    *shape: int, seed: int = 0, dtype: torch.dtype = torch.float32
) -> tuple[Float[Tensor, "*restart n"], Float[Tensor, "*restart n"]]:
    """p⁺ and p⁻ of probes that are consistent in part: one is often, but not always, high where the other is low."""
    answer = 1.4 * noise(*shape, seed=seed, dtype=torch.float64)
    sides = (sign * answer + 0.3 + noise(*shape, seed=seed + k, dtype=torch.float64) for sign, k in ((1, 1), (-1, 2)))
    positive, negative = (torch.sigmoid(side).to(dtype) for side in sides)
    return positive, negative


def labels(n: int, seed: int = 0, share: float = 0.5) -> Bool[Tensor, "n"]:
    """True in about this share, and at least once each of True and False."""
    drawn = torch.rand(n, generator=torch.Generator().manual_seed(seed)) < share
    drawn[0], drawn[-1] = True, False
    return drawn
