"""Exercise: a whole transformer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils import circuits
from course_utils.checks.circuits.inputs import Shape, Weights, forward, random_tokens, weights_of
from course_utils.checks.framework import (
    Mistake,
    call,
    check,
    expect_close,
    expect_dtype,
    expect_finite,
    expect_shape,
    noncontiguous,
)

Block = Callable[[Tensor, list[tuple[Tensor, ...]], tuple[Tensor, Tensor] | None], Tensor]


def _one_head(x: Tensor, head: tuple[Tensor, ...], causal: bool = True, scaled: bool = True) -> Tensor:
    W_Q, W_K, W_V, W_O = head
    scores = (x @ W_Q) @ (x @ W_K).T / (W_Q.shape[1] ** 0.5 if scaled else 1.0)
    future = torch.ones_like(scores, dtype=torch.bool).triu(1) & causal
    return scores.masked_fill(future, -torch.inf).softmax(-1) @ x @ W_V @ W_O


def _attended(x: Tensor, heads: list[tuple[Tensor, ...]], causal: bool = True, scaled: bool = True) -> Tensor:
    return torch.stack([_one_head(x, head, causal, scaled) for head in heads]).sum(0)


def _mlp(x: Tensor, mlp: tuple[Tensor, Tensor] | None, activation: Callable[[Tensor], Tensor] = torch.relu) -> Tensor:
    return torch.zeros_like(x) if mlp is None else activation(x @ mlp[0]) @ mlp[1]


def _block(
    x: Tensor,
    heads: list[tuple[Tensor, ...]],
    mlp: tuple[Tensor, Tensor] | None,
    causal: bool = True,
    scaled: bool = True,
) -> Tensor:
    x = x + _attended(x, heads, causal, scaled)
    return x + _mlp(x, mlp)


def _embedded(tokens: Tensor, weights: Weights) -> Tensor:
    return weights["embed.W_E"][tokens] + weights["pos_embed.W_pos"][: len(tokens)]


def _layers(weights: Weights) -> int:
    return sum(name.endswith(".W_Q") for name in weights)


def _part(weights: Weights, layer: int) -> tuple[list[tuple[Tensor, ...]], tuple[Tensor, Tensor] | None]:
    heads = zip(*(weights[f"blocks.{layer}.attn.{name}"] for name in ("W_Q", "W_K", "W_V", "W_O")), strict=True)
    name = f"blocks.{layer}.mlp"
    mlp = (weights[f"{name}.W_in"], weights[f"{name}.W_out"]) if f"{name}.W_in" in weights else None
    return list(heads), mlp


def _network(
    block: Block = _block,
    embedded: Callable[[Tensor, Weights], Tensor] = _embedded,
    layers: Callable[[int], range] = range,
    read: Callable[[Tensor], Tensor] = lambda x: x,
) -> Any:
    """A wrong answer that differs from a transformer in one of its steps."""

    def wrong(tokens: Tensor, weights: Weights) -> Tensor:
        x = embedded(tokens, weights)
        for layer in layers(_layers(weights)):
            x = block(x, *_part(weights, layer))
        return read(x) @ weights["unembed.W_U"]

    return wrong


_right = _network()


def _heads_in_sequence(x: Tensor, heads: Any, mlp: Any) -> Tensor:
    for head in heads:
        x = x + _one_head(x, head)
    return x + _mlp(x, mlp)


def _mlp_first(x: Tensor, heads: Any, mlp: Any) -> Tensor:
    x = x + _mlp(x, mlp)
    return x + _attended(x, heads)


def _mlp_after_each_head(x: Tensor, heads: Any, mlp: Any) -> Tensor:
    for head in heads:
        x = x + _one_head(x, head)
        x = x + _mlp(x, mlp)
    return x


def _mlp_reads_heads_alone(x: Tensor, heads: Any, mlp: Any) -> Tensor:
    attended = _attended(x, heads)
    return x + attended + _mlp(attended, mlp)


def _attention_replaces(x: Tensor, heads: Any, mlp: Any) -> Tensor:
    x = _attended(x, heads)
    return x + _mlp(x, mlp)


def _mlp_replaces(x: Tensor, heads: Any, mlp: Any) -> Tensor:
    x = x + _attended(x, heads)
    return x if mlp is None else _mlp(x, mlp)


def _nothing_stays(x: Tensor, heads: Any, mlp: Any) -> Tensor:
    x = _attended(x, heads)
    return x if mlp is None else _mlp(x, mlp)


def _all_read_the_start(tokens: Tensor, weights: Weights) -> Tensor:
    start = _embedded(tokens, weights)
    added = [_block(start, *_part(weights, layer)) - start for layer in range(_layers(weights))]
    return (start + torch.stack(added).sum(0)) @ weights["unembed.W_U"]


def _start_not_read(tokens: Tensor, weights: Weights) -> Tensor:
    x = start = _embedded(tokens, weights)
    for layer in range(_layers(weights)):
        x = _block(x, *_part(weights, layer))
    return (x - start) @ weights["unembed.W_U"]


def _positions_by_token(tokens: Tensor, weights: Weights) -> Tensor:
    return weights["embed.W_E"][tokens] + weights["pos_embed.W_pos"][tokens]


def _last_positions(tokens: Tensor, weights: Weights) -> Tensor:
    return weights["embed.W_E"][tokens] + weights["pos_embed.W_pos"][-len(tokens) :]


def _first_position_for_all(tokens: Tensor, weights: Weights) -> Tensor:
    return weights["embed.W_E"][tokens] + weights["pos_embed.W_pos"][0]


def _stream_written_on(tokens: Tensor, weights: Weights) -> Tensor:
    weights["pos_embed.W_pos"][: len(tokens)] += weights["embed.W_E"][tokens]
    x = weights["pos_embed.W_pos"][: len(tokens)]
    for layer in range(_layers(weights)):
        x = _block(x, *_part(weights, layer))
    return x @ weights["unembed.W_U"]


def _by_einsum(tokens: Tensor, weights: Weights) -> Tensor:
    """All heads of a layer at once, layers counted beforehand."""
    x = F.embedding(tokens, weights["embed.W_E"]) + weights["pos_embed.W_pos"][torch.arange(len(tokens))]
    for layer in range(_layers(weights)):
        w = {name.rsplit(".", 1)[1]: value for name, value in weights.items() if name.startswith(f"blocks.{layer}.")}
        q, k, v = (torch.einsum("pm,hmd->hpd", x, w[kind]) for kind in ("W_Q", "W_K", "W_V"))
        mixed = F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0]
        x = x + torch.einsum("hpd,hdm->pm", mixed, w["W_O"])
        if "W_in" in w:
            x = x + F.relu(x @ w["W_in"]) @ w["W_out"]
    return x @ weights["unembed.W_U"]


def _by_library_heads(tokens: Tensor, weights: Weights) -> Tensor:
    """With the library's head, block after block, the sum made term by term, in single precision."""
    weights = {name: weight.float() for name, weight in weights.items()}
    x = torch.stack([weights["embed.W_E"][t] + weights["pos_embed.W_pos"][i] for i, t in enumerate(tokens.tolist())])
    for layer in range(_layers(weights)):
        heads, mlp = _part(weights, layer)
        before = x
        for head in heads:
            _, out = circuits.attention_head(before, *head)
            x = x + out
        if mlp is not None:
            hidden = x @ mlp[0]
            x = x + torch.where(hidden > 0, hidden, 0.0) @ mlp[1]
    return x @ weights["unembed.W_U"]


def _place_by_place(tokens: Tensor, weights: Weights) -> Tensor:
    """The logits after each beginning of the sequence: what comes later makes no difference."""
    return torch.stack([_right(tokens[:end], weights)[-1] for end in range(1, len(tokens) + 1)])


MISTAKES = [
    Mistake(
        "no positions",
        _network(embedded=lambda tokens, weights: weights["embed.W_E"][tokens]),
        "You leave the positions out. The stream starts as the token's row of W_E plus the place's row of W_pos.",
    ),
    Mistake(
        "no tokens",
        _network(embedded=lambda tokens, weights: weights["pos_embed.W_pos"][: len(tokens)].clone()),
        "Your stream starts with the positions alone. Add each token's row of W_E.",
    ),
    Mistake(
        "positions by token",
        _network(embedded=_positions_by_token),
        "You take the row of W_pos that belongs to the token. It belongs to the place: 0, 1, 2, … from the start.",
    ),
    Mistake(
        "positions from the end",
        _network(embedded=_last_positions),
        "You use the last rows of W_pos. A sequence shorter than n_ctx takes the first ones: places count from the start.",
    ),
    Mistake(
        "positions not cut",
        _network(embedded=lambda tokens, weights: weights["embed.W_E"][tokens] + weights["pos_embed.W_pos"]),
        "W_pos has a row for each of n_ctx places, and the sequence may be shorter. Take its first `len(tokens)` rows.",
    ),
    Mistake(
        "one position for all",
        _network(embedded=_first_position_for_all),
        "You add the same row of W_pos everywhere. Each place has its own.",
    ),
    Mistake(
        "heads in sequence",
        _network(_heads_in_sequence),
        "Each of your heads reads what the head before it has written. All heads of a block read the same stream; their "
        "outputs are added afterwards.",
    ),
    Mistake(
        "no mask",
        _network(functools.partial(_block, causal=False)),
        "Your heads see the places after them. Mask the future, or use the head of the first exercise.",
    ),
    Mistake(
        "not scaled",
        _network(functools.partial(_block, scaled=False)),
        "Your heads' scores are not divided by √d_head. The head of the first exercise does it.",
    ),
    Mistake(
        "MLP before the heads",
        _network(_mlp_first),
        "Your MLP comes before the heads. In a block the heads come first, and the MLP reads what they have written too.",
    ),
    Mistake(
        "MLP beside the heads",
        _network(lambda x, heads, mlp: x + _attended(x, heads) + _mlp(x, mlp)),
        "Your MLP reads the stream as it was before the heads. It comes after them: add their outputs first.",
    ),
    Mistake(
        "MLP after each head",
        _network(_mlp_after_each_head),
        "You run the MLP after each head. There is one MLP in a block, after all its heads.",
    ),
    Mistake(
        "MLP reads the heads alone",
        _network(_mlp_reads_heads_alone),
        "Your MLP reads only what the heads have written. It reads the whole stream.",
    ),
    Mistake(
        "no ReLU",
        _network(lambda x, heads, mlp: _block(x, heads, None) + _mlp(_block(x, heads, None), mlp, lambda h: h)),
        "There is no ReLU between W_in and W_out: without it the two are one matrix.",
    ),
    Mistake(
        "GELU",
        _network(lambda x, heads, mlp: _block(x, heads, None) + _mlp(_block(x, heads, None), mlp, F.gelu)),
        "Your MLP uses a GELU. These networks have a ReLU.",
    ),
    Mistake(
        "MLP left out",
        _network(lambda x, heads, mlp: _block(x, heads, None)),
        "The MLP is missing. Where `blocks.N.mlp.W_in` is among the weights, the block has one.",
    ),
    Mistake(
        "heads left out",
        _network(lambda x, heads, mlp: x + _mlp(x, mlp)),
        "Nothing that the heads write reaches your stream: add their outputs to it.",
    ),
    Mistake(
        "stream lost at the heads",
        _network(_attention_replaces),
        "Your stream is replaced by what the heads write. They *add* to it: x + the sum of their outputs.",
    ),
    Mistake(
        "stream lost at the MLP",
        _network(_mlp_replaces),
        "Your stream is replaced by the MLP's output. The MLP *adds* to it.",
    ),
    Mistake(
        "no stream",
        _network(_nothing_stays),
        "Each part replaces what was there before. Each part *adds* its output to the stream.",
    ),
    Mistake(
        "one head a block",
        _network(lambda x, heads, mlp: _block(x, heads[:1], mlp)),
        "You use the first head of each block only. The first axis of W_Q, W_K, W_V and W_O counts the heads.",
    ),
    Mistake(
        "mean of the heads",
        _network(lambda x, heads, mlp: _block(x, [(*h[:3], h[3] / len(heads)) for h in heads], mlp)),
        "You average the heads' outputs. They are added up.",
    ),
    Mistake(
        "first layer only",
        _network(layers=lambda n: range(1)),
        "You stop after the first block. Go on as long as there is a `blocks.N.attn.W_Q`.",
    ),
    Mistake(
        "last layer missing",
        _network(layers=lambda n: range(n - 1)),
        "The last block is missing: with n blocks, N runs from 0 to n − 1.",
    ),
    Mistake(
        "layers in reverse",
        _network(layers=lambda n: range(n - 1, -1, -1)),
        "You run the blocks from the last to the first. `blocks.0` comes first, in whatever order the dict holds them.",
    ),
    Mistake(
        "all layers read the embedding",
        _all_read_the_start,
        "All your blocks read the embedding. Each reads the stream with all that has been added before it.",
    ),
    Mistake(
        "embedding not unembedded",
        _start_not_read,
        "You unembed only what the blocks have written. The embedding is part of the stream and reaches the logits too.",
    ),
    Mistake(
        "stream in place of logits",
        lambda tokens, weights: _right(
            tokens, {**weights, "unembed.W_U": torch.eye(weights["embed.W_E"].shape[1]).double()}
        ),
        "You return the stream. The logits are what W_U reads from it.",
    ),
    Mistake(
        "probabilities",
        lambda tokens, weights: _right(tokens, weights).softmax(-1),
        "You return probabilities. The logits are wanted, before any softmax.",
    ),
    Mistake(
        "last place only",
        lambda tokens, weights: _right(tokens, weights)[-1],
        "You return the logits of the last place. Those of all places are wanted.",
    ),
    Mistake(
        "weights written on",
        _stream_written_on,
        "You add into a tensor that still belongs to the weights (a slice is a view, and `+=` writes on it), so the network "
        "is another one afterwards. Write `x = x + …`.",
    ),
]

SHAPES = (
    Shape(vocab=11, ctx=7, model=10, heads=2, head=3, layers=1),
    Shape(vocab=9, ctx=8, model=6, heads=3, head=4, layers=2, mlp=13, out=5),
    Shape(vocab=7, ctx=5, model=12, heads=1, head=8, layers=3, mlp=4),
    Shape(vocab=13, ctx=9, model=8, heads=4, head=2, layers=3, out=17),
    Shape(vocab=8, ctx=12, model=5, heads=2, head=7, layers=2, mlp=9),
    Shape(vocab=6, ctx=3, model=7, heads=5, head=1, layers=1, mlp=11, out=10),
)


def _cases() -> list[tuple[Tensor, Weights]]:
    """Everything that tells networks apart at once: several layers and heads, an MLP, a short sequence."""
    shapes = (Shape(9, 8, 6, 3, 4, 2, 13, 5), Shape(10, 11, 7, 2, 5, 3, 6))
    return [(random_tokens(6, vocab=s.vocab, seed=i), weights_of(s, seed=50 + i)) for i, s in enumerate(shapes)]


@check(
    reference=circuits.transformer,
    alternatives=[_by_einsum, _by_library_heads, _place_by_place],
    mistakes=MISTAKES,
    cases=_cases,
)
def test_transformer(answer: Any) -> None:
    """Compute the logits of a transformer from its weights."""
    for seed, (shape, pos) in enumerate(zip(SHAPES, (5, 6, 4, 9, 1, 2), strict=True)):
        tokens, weights = random_tokens(pos, vocab=shape.vocab, seed=seed), weights_of(shape, seed)
        if seed == 1:
            tokens, weights = noncontiguous(tokens), {name: noncontiguous(w) for name, w in weights.items()}
        logits = call(answer, tokens, weights)
        kind = f"{shape.layers} layer{'s' * (shape.layers > 1)} of {shape.heads} head{'s' * (shape.heads > 1)}"
        what = f"the logits of {kind} with{'out' * (shape.mlp is None)} MLP, {pos} token{'s' * (pos > 1)}"
        outputs = shape.vocab if shape.out is None else shape.out
        expect_shape(
            logits, (pos, outputs), what=what, why="One row for each place, one column for each column of W_U."
        )
        expect_dtype(logits, "float", what=what)
        expect_finite(logits, what=what)
        expect_close(
            logits,
            torch.from_numpy(forward(weights, tokens).logits),
            what=what,
            why="Worked out place by place and head by head.",
        )
