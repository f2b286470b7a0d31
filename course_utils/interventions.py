"""Does a network use what a probe reads? Change it there, and see whether the answers follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_utils.models import Transformer

Edit = Callable[[int, Float[Tensor, "n d_model"], Int[Tensor, "n"]], Float[Tensor, "n d_model"]]
"""Given a layer, the residual stream after it and which cases these are: what to put there."""


def set_score(
    resid: Float[Tensor, "n d_model"],
    direction: Float[Tensor, "n d_model"],
    bias: Float[Tensor, "n"],
    target: Float[Tensor, "n"],
) -> Float[Tensor, "n d_model"]:
    """The smallest change after which each row's score, resid · direction + bias, is its target."""
    missing = target - (resid * direction).sum(1) - bias
    return resid + (missing / direction.square().sum(1))[:, None] * direction


def stream_name(layer: int) -> str:
    """The hook of the residual stream after a layer; −1 is the embedding."""
    return "blocks.0.hook_resid_pre" if layer < 0 else f"blocks.{layer}.hook_resid_post"


def logits_at(
    model: Transformer,
    tokens: Int[Tensor, "n pos"],
    place: Int[Tensor, "n"],
    edit: Edit | None = None,
    layers: Sequence[int] = (),
) -> Float[Tensor, "n d_vocab_out"]:
    """What does the network say at one place of each sequence, when the stream is edited there after some layers?

    What comes after the place is not read. Nothing before it changes: earlier places cannot see this one.
    """
    logits = torch.empty(len(tokens), model.cfg.n_out)
    for at in place.unique().tolist():
        cases = (place == at).nonzero()[:, 0]

        def hook(layer: int, cases: Int[Tensor, "n"] = cases) -> Callable[[Tensor, object], Tensor]:
            def replace(resid: Float[Tensor, "n pos d_model"], _: object) -> Tensor:
                assert edit is not None
                resid = resid.clone()
                resid[:, -1] = edit(layer, resid[:, -1], cases)
                return resid

            return replace

        hooks = [(stream_name(layer), hook(layer)) for layer in layers] if edit is not None else []
        with torch.no_grad():
            logits[cases] = model.run_with_hooks(tokens[cases, : at + 1], fwd_hooks=hooks)[:, -1]
    return logits
