"""How does a model of this course get into TransformerLens, and back?

``to_transformer_lens(model)`` gives a TransformerLens 4 bridge that computes the same logits and has the same activations
under the same hook names; ``from_transformer_lens(bridge)`` gives the course's model again. It is the only module that
imports TransformerLens, and only when one of the two is called.

What differs on the other side (TransformerLens 4.3): a bridge always has biases, zero where the model has none, and
cannot train the unembedding's; its ``hook_attn_scores`` holds the attention pattern, not the scores before the softmax;
and what replaces ``hook_resid_mid`` there reaches the MLP but not the residual stream beside it.
"""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from course_utils.errors import CourseError
from course_utils.models import Transformer, TransformerConfig
from course_utils.models.transformer import ACTIVATIONS, LayerNorm

_EPS = 1e-5  # of the course's LayerNorm

# A bridge's name for a weight (within its block): the classic name, and how the one's shape becomes the other's.
_CLASSIC = {
    "embed.weight": ("embed.W_E", "vocab model -> vocab model"),
    "pos_embed.weight": ("pos_embed.W_pos", "pos model -> pos model"),
    "ln1.weight": ("ln1.w", "model -> model"),
    "ln1.bias": ("ln1.b", "model -> model"),
    "attn.q.weight": ("attn.W_Q", "(head d) model -> head model d"),
    "attn.q.bias": ("attn.b_Q", "(head d) -> head d"),
    "attn.k.weight": ("attn.W_K", "(head d) model -> head model d"),
    "attn.k.bias": ("attn.b_K", "(head d) -> head d"),
    "attn.v.weight": ("attn.W_V", "(head d) model -> head model d"),
    "attn.v.bias": ("attn.b_V", "(head d) -> head d"),
    "attn.o.weight": ("attn.W_O", "model (head d) -> head d model"),
    "attn.o.bias": ("attn.b_O", "model -> model"),
    "ln2.weight": ("ln2.w", "model -> model"),
    "ln2.bias": ("ln2.b", "model -> model"),
    "mlp.in.weight": ("mlp.W_in", "mlp model -> model mlp"),
    "mlp.in.bias": ("mlp.b_in", "mlp -> mlp"),
    "mlp.out.weight": ("mlp.W_out", "model mlp -> mlp model"),
    "mlp.out.bias": ("mlp.b_out", "model -> model"),
    "ln_final.weight": ("ln_final.w", "model -> model"),
    "ln_final.bias": ("ln_final.b", "model -> model"),
    "unembed.weight": ("unembed.W_U", "out model -> model out"),
    "unembed.bias": ("unembed.b_U", "out -> out"),
}


def to_transformer_lens(model: Transformer) -> Any:
    """What is this model as a TransformerLens ``TransformerBridge``?

    Args:
        model: the course's transformer. Its weights are copied, with their dtype, to bridge parameters on its device.

    Returns:
        A ``TransformerBridge`` built by TransformerLens' ``boot_native``, in evaluation mode if the model is.

    Raises:
        CourseError: TransformerLens 4.3 or newer is not installed, the model is not a ``Transformer``, its weights have
            several dtypes or devices, or its LayerNorms have several values of eps.
    """
    if not isinstance(model, Transformer):
        raise CourseError(
            f"to_transformer_lens takes a course_utils.models.Transformer; it was given a {type(model).__name__}, which "
            "TransformerLens has no counterpart for."
        )
    _require_transformer_lens()
    from transformer_lens.config import TransformerBridgeConfig
    from transformer_lens.conversion_utils import convert_tl_checkpoint
    from transformer_lens.model_bridge.sources.native import boot

    kinds = {(weight.dtype, weight.device) for weight in model.parameters()}
    if len(kinds) != 1:
        raise CourseError(
            f"The weights of this model have several dtypes or devices: {sorted(map(str, kinds))}. Bring them together "
            "first, for instance with model.float().cpu()."
        )
    ((dtype, device),) = kinds
    cfg = model.cfg
    lens_cfg = TransformerBridgeConfig(
        d_model=cfg.d_model,
        d_head=cfg.d_head,
        n_heads=cfg.n_heads,
        n_layers=cfg.n_layers,
        n_ctx=cfg.n_ctx,
        d_vocab=cfg.d_vocab,
        d_vocab_out=cfg.n_out,
        d_mlp=cfg.d_mlp,
        attn_only=cfg.d_mlp is None,
        act_fn=cfg.activation,
        normalization_type="LN" if cfg.layer_norm else None,
        eps=_common_eps(model),
        positional_embedding_type="standard",
        init_weights=False,  # every weight is loaded below
        dtype=dtype,
        device=str(device),
    )
    # The weights of nn.Linear and nn.Embedding are drawn before they are replaced: a caller's seed must not notice.
    with torch.random.fork_rng(devices=[]):
        bridge = boot(lens_cfg, device=device, dtype=dtype, model_name="phase-change")
    bridge.load_state_dict(convert_tl_checkpoint(_with_zero_biases(model), lens_cfg), strict=True)
    return bridge.train(model.training)


def from_transformer_lens(bridge: Any, biases: bool | None = None) -> Transformer:
    """Which model of this course computes what this bridge computes?

    Args:
        bridge: a ``TransformerBridge`` from :func:`to_transformer_lens`, or from TransformerLens' ``boot_native`` with
            the same kind of architecture (standard positions, causal softmax attention, ReLU or exact GELU, LayerNorm
            or no normalisation).
        biases: whether the model is to have biases. None: if any bias of the bridge is not zero.

    Returns:
        A model with a copy of the weights. ``init_scale`` is not known to a bridge and comes back as 1.

    Raises:
        CourseError: TransformerLens 4.3 or newer is not installed, this is not a native bridge, the bridge has a part
            that the course's transformer lacks (the message names it), or ``biases=False`` would drop biases that are
            not zero.
    """
    _require_transformer_lens()
    from transformer_lens.model_bridge import TransformerBridge

    if not isinstance(bridge, TransformerBridge):
        raise CourseError(
            f"from_transformer_lens takes a TransformerLens TransformerBridge; it was given a {type(bridge).__name__}."
        )
    lens_cfg = bridge.cfg
    _refuse_what_the_course_lacks(bridge)
    weights = _classic_weights(bridge.state_dict(), lens_cfg.n_heads)
    bias_names = {name for name in weights if name.rsplit(".", 1)[-1].startswith("b_")}
    nonzero = sorted(name for name in bias_names if bool(weights[name].any()))
    if biases is None:
        biases = bool(nonzero)
    if not biases:
        if nonzero:
            raise CourseError(
                f"biases=False would change what this bridge computes: {', '.join(nonzero)} are not zero. Leave biases out."
            )
        weights = {name: weight for name, weight in weights.items() if name not in bias_names}
    d_out = weights["unembed.W_U"].shape[1]
    cfg = TransformerConfig(
        d_vocab=lens_cfg.d_vocab,
        n_ctx=lens_cfg.n_ctx,
        d_model=lens_cfg.d_model,
        n_heads=lens_cfg.n_heads,
        d_head=lens_cfg.d_head,
        n_layers=lens_cfg.n_layers,
        d_mlp=None if lens_cfg.attn_only else lens_cfg.d_mlp,
        d_vocab_out=None if d_out == lens_cfg.d_vocab else d_out,
        activation="relu" if lens_cfg.attn_only else (lens_cfg.act_fn or "gelu").lower(),
        layer_norm=lens_cfg.normalization_type is not None,
        biases=biases,
    )
    embedding = weights["embed.W_E"]
    model = Transformer(cfg).to(device=embedding.device, dtype=embedding.dtype)
    try:
        model.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise CourseError(f"The weights of this bridge do not fit its own configuration: {error}") from error
    return model.train(bridge.training)


def _require_transformer_lens() -> None:
    try:
        import transformer_lens.model_bridge.sources.native  # noqa: F401
    except ImportError as error:
        raise CourseError(
            f"This needs TransformerLens 4.3 or newer ({error}). In the course's folder, install it with: "
            f'python -m pip install -c constraints.txt -e ".[interop]" (elsewhere: '
            'python -m pip install "transformer-lens>=4.3,<5").'
        ) from error


def _common_eps(model: Transformer) -> float:
    values = {module.eps for module in model.modules() if isinstance(module, LayerNorm)} or {_EPS}
    if len(values) > 1:
        raise CourseError(
            f"The LayerNorms of this model have different eps ({sorted(values)}); TransformerLens has one for all."
        )
    return values.pop()


def _with_zero_biases(model: Transformer) -> dict[str, Tensor]:
    """The model's weights by their classic names, with zeros for the biases that it does not have."""
    weights = {name: weight.detach() for name, weight in model.named_parameters()}
    if model.cfg.biases:
        return weights
    shapes = {
        **dict.fromkeys(("attn.b_Q", "attn.b_K", "attn.b_V"), (model.cfg.n_heads, model.cfg.d_head)),
        "attn.b_O": (model.cfg.d_model,),
    }
    if model.cfg.d_mlp is not None:
        shapes |= {"mlp.b_in": (model.cfg.d_mlp,), "mlp.b_out": (model.cfg.d_model,)}
    for layer in range(model.cfg.n_layers):
        for name, shape in shapes.items():
            weights[f"blocks.{layer}.{name}"] = model.W_E.new_zeros(shape)
    weights["unembed.b_U"] = model.W_E.new_zeros(model.cfg.n_out)
    return weights


def _classic_weights(state: dict[str, Tensor], n_heads: int) -> dict[str, Tensor]:
    """A bridge's state dict under the classic names and shapes: the inverse of TransformerLens' convert_tl_checkpoint."""
    weights = {}
    for name, weight in state.items():
        block = re.match(r"blocks\.\d+\.|", name)
        assert block is not None  # the pattern also matches nothing
        rest = name[block.end() :]
        if rest not in _CLASSIC:
            raise CourseError(f"This bridge has a weight {name!r}, for which the course's transformer has no place.")
        classic, shape = _CLASSIC[rest]
        weights[block[0] + classic] = rearrange(weight, shape, **({"head": n_heads} if "head" in shape else {}))
    return weights


def _refuse_what_the_course_lacks(bridge: Any) -> None:
    cfg = bridge.cfg
    if cfg.architecture != "TransformerLensNative":
        raise CourseError(
            f"This bridge holds a {cfg.architecture} model. Only bridges from to_transformer_lens or TransformerLens' "
            "boot_native can become a model of the course."
        )
    usual_scale = not cfg.use_attn_scale or cfg.attn_scale <= 0 or math.isclose(cfg.attn_scale, cfg.d_head**0.5)
    activation = (cfg.act_fn or "gelu").lower()
    lacking = {
        f"{cfg.positional_embedding_type} positions": cfg.positional_embedding_type != "standard",
        f"the normalisation {cfg.normalization_type}": cfg.normalization_type not in ("LN", None),
        "a last normalisation by root mean square": cfg.final_rms,
        f"eps = {cfg.eps}, not {_EPS}": cfg.normalization_type is not None and not math.isclose(cfg.eps, _EPS),
        f"the activation {activation}": not cfg.attn_only and activation not in ACTIVATIONS,
        "a gated MLP": not cfg.attn_only and cfg.gated_mlp,
        "heads that share keys and values": cfg.n_key_value_heads not in (None, cfg.n_heads),
        f"{cfg.attention_dir} attention": cfg.attention_dir != "causal",
        "attention scores divided by something else than the root of d_head": not usual_scale,
        "a soft cap on attention scores or logits": cfg.attn_scores_soft_cap > 0 or cfg.output_logits_soft_cap > 0,
    }
    found = [what for what, present in lacking.items() if present]
    if found:
        raise CourseError(f"The course's transformer cannot have what this bridge has: {'; '.join(found)}.")
