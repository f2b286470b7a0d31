"""One decoder-only transformer for the whole course.

Weights and hooks have TransformerLens' names and shapes, so that what is learnt here carries over. It is written to be
read: every step of the forward pass is one line with its shape, and every activation worth looking at has a hook.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import einsum
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_utils.errors import CourseError
from course_utils.models.hooks import HookedModule, HookPoint


@dataclass(frozen=True)
class TransformerConfig:
    """The shape of a transformer. Lengths are in units (tokens, dimensions, heads).

    Attributes:
        d_vocab: how many tokens there are.
        n_ctx: the longest sequence, in tokens.
        d_model: dimensions of the residual stream.
        n_heads: attention heads in each layer.
        d_head: dimensions of a head's queries, keys and values.
        n_layers: blocks, one after the other.
        d_mlp: neurons in each block's MLP; None leaves the MLPs out (attention-only).
        d_vocab_out: how many classes the logits have; None: one for each token.
        activation: of the neurons, ``"relu"`` or ``"gelu"`` (the exact one).
        layer_norm: False leaves every LayerNorm out.
        biases: False fixes all biases of attention, MLP and unembedding at zero by leaving them out.
        init_scale: multiplies the standard deviations of the initial weights.

    Raises:
        CourseError: another activation.
    """

    d_vocab: int
    n_ctx: int
    d_model: int
    n_heads: int
    d_head: int
    n_layers: int = 1
    d_mlp: int | None = None
    d_vocab_out: int | None = None
    activation: str = "relu"
    layer_norm: bool = False
    biases: bool = False
    init_scale: float = 1.0

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise CourseError(f"Unknown activation {self.activation!r}: choose one of {', '.join(ACTIVATIONS)}.")

    @property
    def n_out(self) -> int:
        """How many classes the logits have."""
        return self.d_vocab if self.d_vocab_out is None else self.d_vocab_out


ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu}


class Embed(nn.Module):
    """A row of ``W_E`` [d_vocab, d_model] for each token."""

    def __init__(self, cfg: TransformerConfig) -> None:
        super().__init__()
        self.W_E = nn.Parameter(torch.empty(cfg.d_vocab, cfg.d_model))

    def forward(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_model"]:
        return self.W_E[tokens]


class PosEmbed(nn.Module):
    """A row of ``W_pos`` [n_ctx, d_model] for each place, the same for all tokens."""

    def __init__(self, cfg: TransformerConfig) -> None:
        super().__init__()
        self.W_pos = nn.Parameter(torch.empty(cfg.n_ctx, cfg.d_model))

    def forward(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_model"]:
        return self.W_pos[: tokens.shape[-1]].expand(*tokens.shape, -1)


class LayerNorm(nn.Module):
    """Subtract the mean, divide by the standard deviation (``hook_scale``), then scale and shift.

    ``hook_normalized`` stands before the learnt scale ``w`` and shift ``b``, both [d_model].

    Args:
        d_model: dimensions of the residual stream.
        eps: added to the variance, so that a constant vector can be divided.
    """

    def __init__(self, d_model: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.w = nn.Parameter(torch.ones(d_model))
        self.b = nn.Parameter(torch.zeros(d_model))
        self.hook_scale = HookPoint()
        self.hook_normalized = HookPoint()

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        x = x - x.mean(-1, keepdim=True)
        scale = self.hook_scale((x.pow(2).mean(-1, keepdim=True) + self.eps).sqrt())
        # TransformerLens hooks the normalised vector before the learnt scale and shift.
        return self.hook_normalized(x / scale) * self.w + self.b


class Attention(nn.Module):
    """All heads of a layer: a place looks at itself and those before it, and adds what it finds there.

    ``W_Q``, ``W_K`` and ``W_V`` are [head, d_model, d_head], ``W_O`` is [head, d_head, d_model]. Scores are q·k / √d_head.
    """

    def __init__(self, cfg: TransformerConfig) -> None:
        super().__init__()
        self.cfg = cfg
        shape = (cfg.n_heads, cfg.d_model, cfg.d_head)
        self.W_Q, self.W_K, self.W_V = (nn.Parameter(torch.empty(shape)) for _ in range(3))
        self.W_O = nn.Parameter(torch.empty(cfg.n_heads, cfg.d_head, cfg.d_model))
        self.b_Q, self.b_K, self.b_V = (_bias(cfg, cfg.n_heads, cfg.d_head) for _ in range(3))
        self.b_O = _bias(cfg, cfg.d_model)
        self.hook_q, self.hook_k, self.hook_v = HookPoint(), HookPoint(), HookPoint()
        self.hook_attn_scores, self.hook_pattern = HookPoint(), HookPoint()
        self.hook_z = HookPoint()

    def forward(self, x: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos d_model"]:
        q = self.hook_q(_plus(einsum(x, self.W_Q, "b i m, h m d -> b i h d"), self.b_Q))  # (batch, query, head, d_head)
        k = self.hook_k(_plus(einsum(x, self.W_K, "b j m, h m d -> b j h d"), self.b_K))  # (batch, key, head, d_head)
        v = self.hook_v(_plus(einsum(x, self.W_V, "b j m, h m d -> b j h d"), self.b_V))  # (batch, key, head, d_head)
        scores = einsum(q, k, "b i h d, b j h d -> b h i j") / self.cfg.d_head**0.5
        future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=x.device).triu(1)
        scores = self.hook_attn_scores(scores.masked_fill(future, -torch.inf))  # (batch, head, query, key)
        pattern = self.hook_pattern(scores.softmax(-1))  # (batch, head, query, key)
        z = self.hook_z(einsum(pattern, v, "b h i j, b j h d -> b i h d"))  # (batch, query, head, d_head)
        return _plus(einsum(z, self.W_O, "b i h d, h d m -> b i m"), self.b_O)


class MLPLayer(nn.Module):
    """``activation(x W_in) W_out`` at each place: ``W_in`` is [d_model, d_mlp], ``W_out`` [d_mlp, d_model]."""

    def __init__(self, cfg: TransformerConfig) -> None:
        super().__init__()
        assert cfg.d_mlp is not None
        self.activation = ACTIVATIONS[cfg.activation]
        self.W_in = nn.Parameter(torch.empty(cfg.d_model, cfg.d_mlp))
        self.W_out = nn.Parameter(torch.empty(cfg.d_mlp, cfg.d_model))
        self.b_in, self.b_out = _bias(cfg, cfg.d_mlp), _bias(cfg, cfg.d_model)
        self.hook_pre, self.hook_post = HookPoint(), HookPoint()

    def forward(self, x: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos d_model"]:
        pre = self.hook_pre(_plus(x @ self.W_in, self.b_in))  # (batch, pos, d_mlp)
        post = self.hook_post(self.activation(pre))  # (batch, pos, d_mlp)
        return _plus(post @ self.W_out, self.b_out)


class Block(nn.Module):
    """Attention, then an MLP if there is one; each adds to the residual stream what it computes from it."""

    def __init__(self, cfg: TransformerConfig) -> None:
        super().__init__()
        self.hook_resid_pre = HookPoint()
        self.ln1: nn.Module = LayerNorm(cfg.d_model) if cfg.layer_norm else nn.Identity()
        self.attn = Attention(cfg)
        self.hook_attn_out = HookPoint()
        self.mlp: MLPLayer | None = None
        if cfg.d_mlp is not None:
            self.hook_resid_mid = HookPoint()
            self.ln2: nn.Module = LayerNorm(cfg.d_model) if cfg.layer_norm else nn.Identity()
            self.mlp = MLPLayer(cfg)
            self.hook_mlp_out = HookPoint()
        self.hook_resid_post = HookPoint()

    def forward(self, resid: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos d_model"]:
        resid = self.hook_resid_pre(resid)
        resid = resid + self.hook_attn_out(self.attn(self.ln1(resid)))
        if self.mlp is not None:
            resid = self.hook_resid_mid(resid)
            resid = resid + self.hook_mlp_out(self.mlp(self.ln2(resid)))
        return self.hook_resid_post(resid)


class Unembed(nn.Module):
    """``x W_U``: the stream read as logits; ``W_U`` is [d_model, d_vocab_out]."""

    def __init__(self, cfg: TransformerConfig) -> None:
        super().__init__()
        self.W_U = nn.Parameter(torch.empty(cfg.d_model, cfg.n_out))
        self.b_U = _bias(cfg, cfg.n_out)

    def forward(self, resid: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos d_vocab_out"]:
        return _plus(resid @ self.W_U, self.b_U)


class Transformer(HookedModule):
    """A decoder-only transformer with learnt positions added to the residual stream.

    ``model(tokens)`` gives logits; ``model.run_with_cache(tokens)`` also gives every activation by its hook name;
    ``model.run_with_hooks(tokens, fwd_hooks=[(name, function)])`` replaces activations on the way.

    Hooks, all but the first two and the last behind ``blocks.N.`` (N from 0):

    * ``hook_embed``, ``hook_pos_embed``: [batch, pos, d_model];
    * ``hook_resid_pre``, ``hook_attn_out``, ``hook_resid_mid``, ``hook_mlp_out``, ``hook_resid_post``: the same;
    * ``attn.hook_q``, ``attn.hook_k``, ``attn.hook_v``, ``attn.hook_z``: [batch, pos, head, d_head];
    * ``attn.hook_attn_scores`` (−∞ where a place would see a later one), ``attn.hook_pattern``: [batch, head, query, key];
    * ``mlp.hook_pre``, ``mlp.hook_post``: [batch, pos, d_mlp];
    * with LayerNorm ``ln1``, ``ln2``, and behind all blocks ``ln_final``, each with ``.hook_scale``: [batch, pos, 1], and
      ``.hook_normalized``: [batch, pos, d_model].

    Without MLPs there are neither ``hook_resid_mid`` nor ``hook_mlp_out``, as in TransformerLens.

    Args:
        cfg: the shape.
        seed: which random initialisation. Weights are normal with standard deviation ``init_scale / sqrt(fan in)``
            (embeddings: ``init_scale / sqrt(d_model)``); biases start at zero.
    """

    def __init__(self, cfg: TransformerConfig, seed: int = 0) -> None:
        super().__init__()
        self.cfg = cfg
        self.embed, self.hook_embed = Embed(cfg), HookPoint()
        self.pos_embed, self.hook_pos_embed = PosEmbed(cfg), HookPoint()
        self.blocks = nn.ModuleList(Block(cfg) for _ in range(cfg.n_layers))
        self.ln_final: nn.Module = LayerNorm(cfg.d_model) if cfg.layer_norm else nn.Identity()
        self.unembed = Unembed(cfg)
        self._initialise(seed)
        self.name_hook_points()

    @torch.no_grad()
    def _initialise(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for name, weight in self.named_parameters():
            leaf = name.rsplit(".", 1)[-1]
            if not leaf.startswith("W_"):
                continue
            fan_in = {"W_E": self.cfg.d_model, "W_pos": self.cfg.d_model}.get(leaf, weight.shape[-2])
            if leaf == "W_O":
                fan_in = self.cfg.n_heads * self.cfg.d_head
            weight.normal_(0.0, self.cfg.init_scale / fan_in**0.5, generator=generator)

    def forward(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_vocab_out"]:
        """The logits of every position.

        Raises:
            CourseError: tokens that are not a two-dimensional integer tensor, too long, or outside the vocabulary.
        """
        self._check_tokens(tokens)
        resid = self.hook_embed(self.embed(tokens)) + self.hook_pos_embed(self.pos_embed(tokens))
        for block in self.blocks:
            resid = block(resid)
        return self.unembed(self.ln_final(resid))

    def _check_tokens(self, tokens: Tensor) -> None:
        if tokens.ndim != 2 or tokens.is_floating_point():
            raise CourseError(
                f"The transformer takes integer tokens of shape [batch, pos]; it was given {tokens.dtype} of shape "
                f"{list(tokens.shape)}. For a single sequence write tokens[None]."
            )
        if tokens.shape[1] > self.cfg.n_ctx:
            raise CourseError(
                f"These sequences have {tokens.shape[1]} tokens; this model was made for at most {self.cfg.n_ctx}."
            )
        if tokens.numel() and (int(tokens.min()) < 0 or int(tokens.max()) >= self.cfg.d_vocab):
            raise CourseError(
                f"Tokens must lie between 0 and {self.cfg.d_vocab - 1}; these go from {int(tokens.min())} to "
                f"{int(tokens.max())}."
            )

    # Short names for the weights, stacked over layers where there is one per layer, as in TransformerLens.

    @property
    def W_E(self) -> Float[Tensor, "d_vocab d_model"]:
        """The embedding: a row for each token."""
        return self.embed.W_E

    @property
    def W_pos(self) -> Float[Tensor, "n_ctx d_model"]:
        """A row for each place."""
        return self.pos_embed.W_pos

    @property
    def W_U(self) -> Float[Tensor, "d_model d_vocab_out"]:
        """The unembedding: a column for each class of the logits."""
        return self.unembed.W_U

    @property
    def W_Q(self) -> Float[Tensor, "layer head d_model d_head"]:
        """All heads' query weights."""
        return self._stacked("attn", "W_Q")

    @property
    def W_K(self) -> Float[Tensor, "layer head d_model d_head"]:
        """All heads' key weights."""
        return self._stacked("attn", "W_K")

    @property
    def W_V(self) -> Float[Tensor, "layer head d_model d_head"]:
        """All heads' value weights."""
        return self._stacked("attn", "W_V")

    @property
    def W_O(self) -> Float[Tensor, "layer head d_head d_model"]:
        """All heads' output weights."""
        return self._stacked("attn", "W_O")

    @property
    def W_in(self) -> Float[Tensor, "layer d_model d_mlp"]:
        """Input weights of all MLPs. Raises CourseError if the model has none."""
        return self._stacked("mlp", "W_in")

    @property
    def W_out(self) -> Float[Tensor, "layer d_mlp d_model"]:
        """Output weights of all MLPs. Raises CourseError if the model has none."""
        return self._stacked("mlp", "W_out")

    def _stacked(self, part: str, name: str) -> Tensor:
        modules = [getattr(block, part) for block in self.blocks]
        if modules[0] is None:
            raise CourseError(f"This model is attention-only: it has no {name}.")
        return torch.stack([getattr(module, name) for module in modules])


def _bias(cfg: TransformerConfig, *shape: int) -> nn.Parameter | None:
    return nn.Parameter(torch.zeros(shape)) if cfg.biases else None


def _plus(x: Tensor, bias: Tensor | None) -> Tensor:
    return x if bias is None else x + bias
