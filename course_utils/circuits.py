"""Reading a transformer as a sum of paths: where each head looks, what it carries, and how much each part says.

The residual stream is a row vector x, and weights act from the right (x W), as in TransformerLens. For a head,
QK = W_Q W_Kᵀ decides where it looks *from*, OV = W_V W_O what it carries; neither depends on the other. Definitions
follow Elhage et al. 2021, "A mathematical framework for transformer circuits", which writes vectors as columns.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_utils.models import Transformer

Weights = dict[str, Tensor]
"""A transformer's weights by TransformerLens' names, such as ``blocks.0.attn.W_Q``."""


class Head(NamedTuple):
    """What a head does with a residual stream: where it looks, and what it adds."""

    pattern: Float[Tensor, "query key"]
    out: Float[Tensor, "pos d_model"]


def attention_head(
    x: Float[Tensor, "pos d_model"],
    W_Q: Float[Tensor, "d_model d_head"],
    W_K: Float[Tensor, "d_model d_head"],
    W_V: Float[Tensor, "d_model d_head"],
    W_O: Float[Tensor, "d_head d_model"],
) -> Head:
    """One causal attention head on one sequence, without biases.

    Scores are q·k / √d_head; a query sees its own place and those before it.
    """
    scores = (x @ W_Q) @ (x @ W_K).mT / W_Q.shape[-1] ** 0.5
    future = torch.ones_like(scores, dtype=torch.bool).triu(1)
    pattern = scores.masked_fill(future, -torch.inf).softmax(-1)
    return Head(pattern, pattern @ (x @ W_V) @ W_O)


def transformer(tokens: Int[Tensor, "pos"], weights: Weights) -> Float[Tensor, "pos vocab"]:
    """The logits of a transformer without LayerNorm and biases, from its weights by TransformerLens' names.

    Each part adds to the stream what it computes from the stream: first all heads of a block together, then its MLP
    (ReLU), if ``blocks.N.mlp.W_in`` is there.
    """
    x = weights["embed.W_E"][tokens] + weights["pos_embed.W_pos"][: len(tokens)]
    layer = 0
    while f"blocks.{layer}.attn.W_Q" in weights:
        matrices = [weights[f"blocks.{layer}.attn.{name}"] for name in ("W_Q", "W_K", "W_V", "W_O")]
        x = x + sum(attention_head(x, *of_head).out for of_head in zip(*matrices, strict=True))
        if f"blocks.{layer}.mlp.W_in" in weights:
            x = x + (x @ weights[f"blocks.{layer}.mlp.W_in"]).relu() @ weights[f"blocks.{layer}.mlp.W_out"]
        layer += 1
    return x @ weights["unembed.W_U"]


def stream_parts(
    model: Transformer, tokens: Int[Tensor, "batch pos"]
) -> tuple[list[str], Float[Tensor, "part batch pos d_model"]]:
    """Everything that was added to the residual stream, part by part; the sum over parts is the final stream.

    For models without LayerNorm and biases.

    Returns:
        The parts' names: ``token``, ``position``, then for each layer its heads (``head 1.0`` is head 0 of layer 1) and
        its MLP (``MLP 1``); and what they add, in this order.
    """
    _, cache = model.run_with_cache(tokens)
    parts = {"token": cache["hook_embed"], "position": cache["hook_pos_embed"]}
    for layer in range(model.cfg.n_layers):
        z = cache[f"blocks.{layer}.attn.hook_z"]
        for head in range(model.cfg.n_heads):
            parts[f"head {layer}.{head}"] = z[:, :, head] @ model.W_O[layer, head]
        if model.cfg.d_mlp is not None:
            parts[f"MLP {layer}"] = cache[f"blocks.{layer}.hook_mlp_out"]
    return list(parts), torch.stack(list(parts.values())).detach()


def logit_attribution(
    parts: Float[Tensor, "part batch d_model"], W_U: Float[Tensor, "d_model vocab"], answers: Int[Tensor, "batch"]
) -> Float[Tensor, "part batch"]:
    """How much does each part of the residual stream speak for the answer?

    Each part's contribution to the answer's logit minus the mean of its contributions to all logits: adding the same
    number to all logits says nothing. Summed over all parts it is the answer's logit minus the mean logit, exactly.

    Args:
        parts: what each component has added to the stream where the answer is given.
        W_U: the unembedding.
        answers: the token each row is asked about.
    """
    directions = W_U[:, answers] - W_U.mean(1, keepdim=True)  # (d_model, batch)
    return torch.einsum("pbm,mb->pb", parts, directions)


def qk_circuit(
    queries: Float[Tensor, "n d_model"],
    keys: Float[Tensor, "m d_model"],
    W_Q: Float[Tensor, "d_model d_head"],
    W_K: Float[Tensor, "d_model d_head"],
) -> Float[Tensor, "n m"]:
    """The attention score that each query vector gives to each key vector: q·k / √d_head, before mask and softmax."""
    return (queries @ W_Q) @ (keys @ W_K).T / W_Q.shape[1] ** 0.5


def ov_circuit(
    sources: Float[Tensor, "n d_model"],
    W_V: Float[Tensor, "d_model d_head"],
    W_O: Float[Tensor, "d_head d_model"],
    W_U: Float[Tensor, "d_model vocab"],
) -> Float[Tensor, "n vocab"]:
    """What a head adds to the logits where it attends to each source vector with weight 1."""
    return sources @ W_V @ W_O @ W_U


def answer_from_tables(
    tokens: Int[Tensor, "pos"],
    scores: Float[Tensor, "vocab"],
    ov: Float[Tensor, "vocab vocab"],
    direct: Float[Tensor, "vocab"],
) -> Float[Tensor, "vocab"]:
    """The logits of a one-layer, one-head network after its last token, from three tables that ignore places.

    Args:
        tokens: the whole sequence; the head looks from its last place at all of them.
        scores: the score that the last token gives to each token.
        ov: row t is what attending to token t adds to the logits.
        direct: what the last token adds on its own.
    """
    return direct + scores[tokens].softmax(0) @ ov[tokens]


def eigenvalue_score(matrix: Float[Tensor, "n n"]) -> float:
    """Does the matrix mostly keep vectors (+1), reverse them (−1), or turn them every way (0)? Σλ / Σ|λ|.

    On a head's full OV circuit this is the copying score of Elhage et al. 2021, by eigenvalues. That of Olsson et al. 2022
    is another one: :func:`course_utils.heads.copying_score`. Complex eigenvalues come in conjugate pairs, so the sum is real.
    """
    eigenvalues = torch.linalg.eigvals(matrix)
    return (eigenvalues.sum().real / eigenvalues.abs().sum()).item()


def rotate_stream(weights: Weights, rotation: Float[Tensor, "d_model d_model"]) -> Weights:
    """The weights of the same network with its residual stream turned: every stream vector x becomes x R.

    What writes into the stream is multiplied by R from the right, what reads from it by Rᵀ from the left. The logits
    do not change: the stream has no basis of its own.
    """
    writers, readers = ("W_E", "W_pos", "W_O", "W_out"), ("W_Q", "W_K", "W_V", "W_in", "W_U")
    turned = {}
    for name, weight in weights.items():
        kind = name.rsplit(".", 1)[-1]
        turned[name] = weight @ rotation if kind in writers else rotation.T @ weight if kind in readers else weight
    return turned


class Composition(NamedTuple):
    """How strongly a later head reads through each of its inputs what an earlier head writes."""

    q: float
    k: float
    v: float


def composition_scores(
    earlier_ov: Float[Tensor, "d_model d_model"],
    later_qk: Float[Tensor, "d_model d_model"],
    later_ov: Float[Tensor, "d_model d_model"],
) -> Composition:
    """Q-, K- and V-composition of two heads: ‖AB‖ / (‖A‖‖B‖) in Frobenius norms.

    With vectors as rows (OV = W_V W_O, QK = W_Q W_Kᵀ): Q: OV QK; K: QK OVᵀ; V: OV(earlier) OV(later). Independent
    random matrices of size d, of whatever rank, have 1/√d in root mean square.
    """

    def score(a: Tensor, b: Tensor) -> float:
        return ((a @ b).norm() / (a.norm() * b.norm())).item()

    return Composition(score(earlier_ov, later_qk), score(later_qk, earlier_ov.T), score(earlier_ov, later_ov))


def virtual_qk(
    queries: Float[Tensor, "n d_model"],
    written: Float[Tensor, "m d_model"],
    earlier_ov: Float[Tensor, "d_model d_model"],
    W_Q: Float[Tensor, "d_model d_head"],
    W_K: Float[Tensor, "d_model d_head"],
) -> Float[Tensor, "n m"]:
    """The score each query vector gives to a place *into which an earlier head has carried* each vector of ``written``.

    The later head's QK circuit, read through the earlier head's OV on the key side; divided by √d_head.
    """
    return qk_circuit(queries, written @ earlier_ov, W_Q, W_K)
