"""What do the checks feed to an answer?  Waves, tables and bases written with NumPy, apart from the library's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from course_utils.checks import framework

Indices = tuple[int, int]


def check(**spec: Any) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """The framework's decorator, with the topic's public name: `checks.fourier`, whichever file holds the check."""

    def decorate(body: Callable[[Any], None]) -> Callable[[Any], None]:
        body.__module__ = "course_utils.checks.fourier"
        return framework.check(**spec)(body)

    return decorate


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Seeded normal numbers, the same whatever ran before."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def wave(kind: str, k: int, p: int) -> Float[Tensor, "p"]:
    """cos or sin of 2πkx/p for x = 0 … p − 1, not normalised."""
    angles = 2 * np.pi * (k * np.arange(p) % p) / p
    return torch.from_numpy(np.cos(angles) if kind == "cos" else np.sin(angles))


def basis_of(p: int) -> Float[Tensor, "p p"]:
    """The basis that the exercises describe, built row by row."""
    rows = [torch.ones(p, dtype=torch.float64)]
    for k in range(1, (p + 1) // 2):
        rows += [wave("cos", k, p), wave("sin", k, p)]
    return torch.stack([row / row.square().sum().sqrt() for row in rows])


def random_basis(p: int, seed: int = 0, constant: bool = False) -> Float[Tensor, "p p"]:
    """An orthonormal basis that has nothing to do with waves; with ``constant``, its first row is the constant."""
    vectors = noise(p, p, seed=seed)
    if constant:
        vectors[:, 0] = 1
    rows = torch.linalg.qr(vectors).Q.T
    return torch.cat([rows[:1].abs(), rows[1:]]) if constant else rows.T


def table(parts: Mapping[Indices, float], p: int) -> Float[Tensor, "p p"]:
    """The function of (a, b) with these coefficients: the others are 0."""
    basis = basis_of(p)
    return sum((c * basis[i][:, None] * basis[j][None, :] for (i, j), c in parts.items()), torch.zeros(p, p).double())


def cosine_table(
    alphas: Sequence[float], freqs: Sequence[int], p: int, signs: tuple[int, int] = (1, -1)
) -> Float[Tensor, "p p p"]:
    """Σ α cos(2πk(a ± b ± c)/p) over [a, b, c], one cosine at a time; by default a + b − c."""
    a, b, c = np.ogrid[:p, :p, :p]
    distance = a + signs[0] * b + signs[1] * c
    return torch.from_numpy(
        sum(alpha * np.cos(2 * np.pi * (k * distance % p) / p) for alpha, k in zip(alphas, freqs, strict=True))
    )
