"""What happens if a part of the network does something else? Freezing, ablating and patching, one question each.

All functions run the model with some activations replaced and give logits; the model itself is left as it is.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_utils.errors import CourseError
from course_utils.models import Transformer

ABLATIONS = ("zero", "mean", "resample")


def frozen_logits(
    model: Transformer, tokens: Int[Tensor, "batch pos"], endings: Int[Tensor, "ending"]
) -> Float[Tensor, "batch vocab"]:
    """What would a one-layer model answer if where it looks did not depend on the last token?

    The attention pattern of every head is replaced by its mean over versions of the same sequence that end with each of
    ``endings`` in turn. All else is computed as usual. Logits of the last place.
    """
    name = "blocks.0.attn.hook_pattern"
    patterns = []
    for ending in endings:
        version = tokens.clone()
        version[:, -1] = ending
        patterns.append(model.run_with_cache(version, names=name)[1][name])
    mean = torch.stack(patterns).mean(0)
    return model.run_with_hooks(tokens, fwd_hooks=[(name, lambda pattern, hook: mean)])[:, -1]


def ablated_logits(
    model: Transformer,
    tokens: Int[Tensor, "batch pos"],
    layer: int,
    head: int,
    how: str,
    others: Int[Tensor, "others pos"],
) -> Float[Tensor, "batch pos vocab"]:
    """What does the model answer without the information that a head carries?

    Args:
        model: any number of layers and heads.
        tokens: what the model is asked.
        layer, head: which head; its ``hook_z`` is replaced, at all places.
        how: ``"zero"``: by zeros. ``"mean"``: by its mean over the sequences ``others``, place by place.
            ``"resample"``: by what it is on ``others``, row by row: row i of ``tokens`` gets that of row i of ``others``.
        others: sequences that have nothing to do with the question (as many as ``tokens`` for ``"resample"``).

    Raises:
        CourseError: another word for ``how``.
    """
    if how not in ABLATIONS:
        raise CourseError(f"Unknown ablation {how!r}: choose one of {', '.join(ABLATIONS)}.")
    name = f"blocks.{layer}.attn.hook_z"
    elsewhere = model.run_with_cache(others, names=name)[1][name][:, :, head]  # (others, pos, d_head)
    instead = {"zero": torch.zeros_like(elsewhere[0]), "mean": elsewhere.mean(0), "resample": elsewhere}[how]

    def replace(z: Tensor, hook: object) -> Tensor:
        z = z.clone()
        z[:, :, head] = instead
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(name, replace)])


def path_patched_logits(
    model: Transformer, tokens: Int[Tensor, "batch pos"], corrupted: Int[Tensor, "batch pos"], head: int, reads: str
) -> Float[Tensor, "batch pos vocab"]:
    """Which of its inputs does layer 1 read what a head of layer 0 has written with?

    The head's output is exchanged for what it is on ``corrupted``, but only on the way into the queries, the keys or
    the values of layer 1 (all its heads). The direct way to the logits and the two other inputs keep the original.

    Args:
        model: two layers, attention only, without LayerNorm.
        tokens: what the model is asked.
        corrupted: the sequences whose output of the head is put in, row by row.
        head: which head of layer 0.
        reads: ``"q"``, ``"k"`` or ``"v"``.

    Raises:
        CourseError: another word for ``reads``.
    """
    if reads not in ("q", "k", "v"):
        raise CourseError(f"Layer 1 reads with 'q', 'k' or 'v', not with {reads!r}.")
    z = "blocks.0.attn.hook_z"
    clean, other = (model.run_with_cache(x, names=z)[1][z][:, :, head] for x in (tokens, corrupted))
    change = (other - clean) @ model.W_O[0, head]  # (batch, pos, d_model)
    weight = {"q": model.W_Q, "k": model.W_K, "v": model.W_V}[reads][1]  # (head, d_model, d_head)
    added = torch.einsum("bpm,hmd->bphd", change, weight)
    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.1.attn.hook_{reads}", lambda x, hook: x + added)])
