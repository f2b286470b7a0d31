"""What do the checks feed to an answer, and what has to come out?  Random networks, and a forward pass in plain NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_utils.checks.fourier.inputs import noise
from course_utils.models import Transformer, TransformerConfig

__all__ = ["Shape", "causal_softmax", "forward", "head_by_hand", "model_of", "noise", "random_tokens", "weights_of"]

Array = np.ndarray[Any, np.dtype[np.float64]]
Weights = dict[str, Tensor]


class Shape(NamedTuple):
    """The lengths of a network's axes; ``mlp`` and ``out`` may be left out as in `TransformerConfig`."""

    vocab: int
    ctx: int
    model: int
    heads: int
    head: int
    layers: int = 1
    mlp: int | None = None
    out: int | None = None


def weights_of(shape: Shape, seed: int = 0, dtype: torch.dtype = torch.float64) -> Weights:
    """Random weights by TransformerLens' names, so large that attention is far from uniform, in no special order."""
    s, out = shape, shape.vocab if shape.out is None else shape.out
    sizes: dict[str, tuple[tuple[int, ...], float]] = {
        "unembed.W_U": ((s.model, out), s.model**-0.5),
        "pos_embed.W_pos": ((s.ctx, s.model), 1.0),
        "embed.W_E": ((s.vocab, s.model), 1.0),
    }
    for layer in reversed(range(s.layers)):
        name = f"blocks.{layer}"
        if s.mlp is not None:
            sizes[f"{name}.mlp.W_out"] = (s.mlp, s.model), 1.5 * s.mlp**-0.5
            sizes[f"{name}.mlp.W_in"] = (s.model, s.mlp), s.model**-0.5
        sizes[f"{name}.attn.W_O"] = (s.heads, s.head, s.model), (s.heads * s.head) ** -0.5
        for kind in ("W_V", "W_K", "W_Q"):
            # Later layers read a longer stream: smaller weights keep their softmax from being all or nothing.
            sizes[f"{name}.attn.{kind}"] = (s.heads, s.model, s.head), 1.1 * (s.model * (1 + layer)) ** -0.5
    return {
        name: (scale * noise(*size, seed=100 * seed + i)).to(dtype)
        for i, (name, (size, scale)) in enumerate(sizes.items())
    }


def model_of(shape: Shape, seed: int = 0, dtype: torch.dtype = torch.float64) -> Transformer:
    """A `Transformer` with these random weights."""
    cfg = TransformerConfig(
        d_vocab=shape.vocab,
        n_ctx=shape.ctx,
        d_model=shape.model,
        n_heads=shape.heads,
        d_head=shape.head,
        n_layers=shape.layers,
        d_mlp=shape.mlp,
        d_vocab_out=shape.out,
    )
    model = Transformer(cfg).to(dtype)
    model.load_state_dict(weights_of(shape, seed, dtype))
    return model


def random_tokens(*shape: int, vocab: int, seed: int = 0) -> Int[Tensor, "..."]:
    """Tokens in which any may come more than once."""
    return torch.randint(vocab, shape, generator=torch.Generator().manual_seed(seed))


class Run(NamedTuple):
    """What a network does with one sequence; patterns and z by (layer, head)."""

    logits: Float[Array, "pos out"]
    patterns: dict[tuple[int, int], Float[Array, "query key"]]
    z: dict[tuple[int, int], Float[Array, "pos d_head"]]


def causal_softmax(scores: Float[Array, "query key"]) -> Float[Array, "query key"]:
    """Each query's shares of its own place and those before it, one query at a time."""
    pattern = np.zeros_like(scores)
    for i, row in enumerate(scores):
        weights = np.exp(row[: i + 1] - row[: i + 1].max())
        pattern[i, : i + 1] = weights / weights.sum()
    return pattern


def head_by_hand(x: Array, W_Q: Array, W_K: Array, W_V: Array, W_O: Array) -> tuple[Array, Array]:
    """The pattern of one head, and the values it mixes by it, before W_O is applied."""
    scores = np.array([[(q @ W_Q) @ (k @ W_K) for k in x] for q in x]) / np.sqrt(W_Q.shape[1])
    pattern = causal_softmax(scores)
    return pattern, pattern @ (x @ W_V)


def forward(
    weights: Mapping[str, Tensor],
    tokens: Int[Tensor, "pos"],
    patterns: Mapping[tuple[int, int], Array] | None = None,
    z: Mapping[tuple[int, int], Array] | None = None,
) -> Run:
    """One sequence through a network, in double precision; given patterns and z take the place of the head's own."""
    w = {name: weight.detach().double().numpy() for name, weight in weights.items()}
    x = w["embed.W_E"][tokens.numpy()] + w["pos_embed.W_pos"][: len(tokens)]
    kept_patterns, kept_z = {}, {}
    for layer in range(sum(name.endswith("W_Q") for name in w)):
        matrices = [w[f"blocks.{layer}.attn.{name}"] for name in ("W_Q", "W_K", "W_V", "W_O")]
        read, name = x, f"blocks.{layer}.mlp"
        for head in range(len(matrices[0])):
            place, own = (layer, head), [matrix[head] for matrix in matrices]
            pattern, mixed = head_by_hand(read, *own)
            if patterns is not None and place in patterns:
                pattern = patterns[place]
                mixed = pattern @ (read @ own[2])
            mixed = z[place] if z is not None and place in z else mixed
            kept_patterns[place], kept_z[place] = pattern, mixed
            x = x + mixed @ own[3]
        if f"{name}.W_in" in w:
            x = x + np.maximum(x @ w[f"{name}.W_in"], 0) @ w[f"{name}.W_out"]
    return Run(x @ w["unembed.W_U"], kept_patterns, kept_z)
