"""What is this head doing? Scores that recognise previous-token, induction and copying heads, and a pair built by hand.

Definitions are those of Olsson et al. 2022, "In-context learning and induction heads", unless a docstring says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from course_utils.errors import CourseError


def induction_targets(tokens: Int[Tensor, "batch pos"]) -> Int[Tensor, "batch pos"]:
    """Where should an induction head look? The place right after the latest earlier occurrence of the same token.

    −1 where the token has not occurred before. Where it stood immediately before, the place after it is the query's own.
    """
    same = (tokens[:, :, None] == tokens[:, None, :]).tril(-1)  # (batch, query, earlier place)
    places = torch.arange(1, tokens.shape[1] + 1, device=tokens.device)
    after = (same * places).amax(-1)
    return torch.where(after > 0, after, -1)


class HeadScores(NamedTuple):
    """For each head: its mean attention to the previous place, and to the place an induction head looks at."""

    previous: Float[Tensor, "head"]
    prefix: Float[Tensor, "head"]


def head_scores(pattern: Float[Tensor, "batch head query key"], targets: Int[Tensor, "batch query"]) -> HeadScores:
    """Is it a previous-token head, or an induction head?

    previous: attention from each place but the first to the one before it, averaged over sequences and places.
    prefix: attention from each place that has a target (see :func:`induction_targets`) to it, averaged over all of
    them; nan if there is none.
    """
    previous = pattern.diagonal(-1, 2, 3).mean((0, 2))
    to_target = pattern.gather(3, targets.clamp(min=0)[:, None, :, None].expand(-1, pattern.shape[1], -1, 1))[..., 0]
    return HeadScores(previous, to_target.transpose(1, 2)[targets >= 0].mean(0))


def copying_score(ov: Float[Tensor, "vocab vocab"]) -> float:
    """When the head attends to a token, does it raise that token's own logit? From −1 (never) to 1 (that one alone).

    The copying score of Olsson et al. 2022; that of Elhage et al. 2021 is another one, by eigenvalues:
    :func:`course_utils.circuits.eigenvalue_score`. For each row of the full OV circuit: subtract the row's mean, keep what
    is positive, take the share of the token itself; 0 for a row that raises nothing. Then 2·share − 1, averaged over tokens.
    """
    raised = (ov - ov.mean(1, keepdim=True)).relu()
    total = raised.sum(1)
    share = torch.where(total > 0, raised.diagonal() / total, 0.0)
    return (2 * share - 1).mean().item()


def in_context_score(
    logits: Float[Tensor, "batch pos vocab"], tokens: Int[Tensor, "batch pos"], early: int, late: int
) -> float:
    """How much better is a late token predicted than an early one? Loss at place ``late`` minus loss at ``early``.

    In nats, averaged over sequences; negative if the model learns from its context. The loss at place i is that of
    predicting token i from the logits of place i − 1.
    """

    def loss_at(place: int) -> Tensor:
        return F.cross_entropy(logits[:, place - 1], tokens[:, place])

    return (loss_at(late) - loss_at(early)).item()


def formed_at(steps: Sequence[int], scores: Sequence[float], fraction: float) -> int:
    """At which step has the score first made ``fraction`` of its way from its first to its last value?

    Raises:
        CourseError: a score that ends no higher than it began.
    """
    rise = scores[-1] - scores[0]
    if rise <= 0:
        raise CourseError("This score ends no higher than it began: nothing has formed.")
    return next(step for step, score in zip(steps, scores, strict=True) if score - scores[0] >= fraction * rise)


def induction_weights(vocab: int, n_ctx: int) -> dict[str, Tensor]:
    """A two-layer, one-head transformer, written by hand, that continues every copy in a sequence of distinct tokens.

    The stream has three rooms: the token, the place, and the token before. Head 0 looks at the place before and
    copies its token into the third room. Head 1 asks with its token for places whose third room holds the same, and
    copies *their* token to the output.

    Returns:
        Weights by TransformerLens' names, in float32, for d_model = 2·vocab + n_ctx and d_head = vocab + n_ctx.
    """
    token, place, before = slice(0, vocab), slice(vocab, vocab + n_ctx), slice(vocab + n_ctx, 2 * vocab + n_ctx)
    d_model, d_head = 2 * vocab + n_ctx, vocab + n_ctx
    words, places = torch.eye(vocab), torch.eye(n_ctx)
    sharp = 30 * d_head**0.5  # scores differ by 30, so attention is exact to e⁻³⁰
    W_E, W_pos, W_U = torch.zeros(vocab, d_model), torch.zeros(n_ctx, d_model), torch.zeros(d_model, vocab)
    W_Q, W_K, W_V = (torch.zeros(2, 1, d_model, d_head) for _ in range(3))
    W_O = torch.zeros(2, 1, d_head, d_model)
    W_E[:, token], W_pos[:, place], W_U[token] = words, places, 30 * words

    # Head 0: place i asks for place i − 1, and carries its token into the room "before".
    W_Q[0, 0, place, :n_ctx] = sharp * places.roll(-1, 1)
    W_K[0, 0, place, :n_ctx] = places
    W_V[0, 0, token, :vocab] = words
    W_O[0, 0, :vocab, before] = words

    # Head 1: a token asks for itself in the room "before", and carries the token of that place to the output, twice as
    # loud as the query's own token, which is in the stream as well.
    W_Q[1, 0, token, :vocab] = sharp * words
    W_K[1, 0, before, :vocab] = words
    W_V[1, 0, token, :vocab] = words
    W_O[1, 0, :vocab, token] = 2 * words
    # The first place has none before it and looked at itself, so it would match too: every query avoids it.
    W_Q[1, 0, token, vocab] = sharp
    W_K[1, 0, vocab, vocab] = -2

    weights = {"embed.W_E": W_E, "pos_embed.W_pos": W_pos, "unembed.W_U": W_U}
    for name, stacked in {"W_Q": W_Q, "W_K": W_K, "W_V": W_V, "W_O": W_O}.items():
        weights |= {f"blocks.{layer}.attn.{name}": stacked[layer] for layer in (0, 1)}
    return weights


def smear_keys(
    k: Float[Tensor, "batch pos head d_head"], gate: Float[Tensor, "head"]
) -> Float[Tensor, "batch pos head d_head"]:
    """Keys that have looked one place back: (1 − gate)·key + gate·the key before. The first place keeps its own.

    Args:
        k: keys.
        gate: for each head, from 0 (keys as they are) to 1 (all keys of the place before).
    """
    before = torch.cat([k[:, :1], k[:, :-1]], 1)
    return (1 - gate)[:, None] * k + gate[:, None] * before
