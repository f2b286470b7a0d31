"""What do the checks feed to an answer?  Seeded numbers, sequences with repetitions, attention patterns, small models."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_utils.models import Transformer, TransformerConfig


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Seeded normal numbers in double precision, the same whatever ran before."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def words(*shape: int, vocab: int, seed: int = 0) -> Tensor:
    """Seeded random tokens."""
    return torch.randint(vocab, shape, generator=torch.Generator().manual_seed(seed))


def earlier(row: Sequence[int], i: int) -> list[int]:
    """The places before i that hold the same token as place i, in order."""
    return [j for j in range(i) if row[j] == row[i]]


def places_after(tokens: Int[Tensor, "batch pos"]) -> Int[Tensor, "batch pos"]:
    """For each place the one after the latest earlier occurrence of its token, or −1: looked up place by place."""
    return torch.tensor([[max(earlier(row, i), default=-2) + 1 for i in range(len(row))] for row in tokens.tolist()])


def targets(*shape: int, vocab: int, seed: int = 0) -> Int[Tensor, "batch pos"]:
    """Where an induction head should look in random sequences: −1 in many places, and not equally many in each row."""
    return places_after(words(*shape, vocab=vocab, seed=seed))


def attention(batch: int, heads: int, n: int, seed: int = 0, sharpness: float = 2.0) -> Tensor:
    """Random causal attention patterns, far from uniform: (batch, head, query, key)."""
    scores = sharpness * noise(batch, heads, n, n, seed=seed)
    return scores.masked_fill(torch.ones(n, n, dtype=torch.bool).triu(1), -torch.inf).softmax(-1)


def with_copy(
    vocab: int, length: int, span: int, start: int = 0, gap: int = 0, *, seed: int = 0
) -> tuple[list[int], list[int]]:
    """Distinct tokens of which ``span`` in a row come a second time, and from which place each was copied (−1: none)."""
    order = torch.randperm(vocab, generator=torch.Generator().manual_seed(seed)).tolist()
    row, source = order[: length - span], [-1] * (length - span)
    at = start + span + gap
    return row[:at] + row[start : start + span] + row[at:], source[:at] + list(range(start, start + span)) + source[at:]


def two_layers(heads: int, d_model: int, d_head: int, *, vocab: int, n_ctx: int, seed: int = 0) -> Transformer:
    """A random attention-only transformer in double precision, whose attention is far from uniform."""
    cfg = TransformerConfig(vocab, n_ctx, d_model, heads, d_head, n_layers=2, init_scale=1.6)
    return Transformer(cfg, seed).double()


def random_circuit(d_model: int, rank: int, seed: int) -> Float[Tensor, "d_model d_model"]:
    """A random matrix of low rank, as a head's: no two such commute, and none is symmetric."""
    return noise(d_model, rank, seed=seed) @ noise(rank, d_model, seed=seed + 1000)
