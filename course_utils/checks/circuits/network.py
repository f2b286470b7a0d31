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
    return list(heads), _mlp_of(weights, layer) if f"blocks.{layer}.mlp.W_in" in weights else None


def _mlp_of(weights: Weights, layer: int) -> tuple[Tensor, Tensor]:
    return weights[f"blocks.{layer}.mlp.W_in"], weights[f"blocks.{layer}.mlp.W_out"]


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


def _mlp_as_in_layer_0(tokens: Tensor, weights: Weights) -> Tensor:
    """Whether there are MLPs is decided once, by layer 0."""
    x, has_mlp = _embedded(tokens, weights), "blocks.0.mlp.W_in" in weights
    for layer in range(_layers(weights)):
        x = _block(x, _part(weights, layer)[0], _mlp_of(weights, layer) if has_mlp else None)
    return x @ weights["unembed.W_U"]


def _mlp_if_any_layer_has_one(tokens: Tensor, weights: Weights) -> Tensor:
    x, has_mlp = _embedded(tokens, weights), any("mlp" in name for name in weights)
    for layer in range(_layers(weights)):
        x = _block(x, _part(weights, layer)[0], _mlp_of(weights, layer) if has_mlp else None)
    return x @ weights["unembed.W_U"]


def _heads_not_taken_apart(tokens: Tensor, weights: Weights) -> Tensor:
    """All heads' matrices at once go into a head written for one: the stream gets an axis for heads in front."""
    x = _embedded(tokens, weights)
    for layer in range(_layers(weights)):
        matrices = (weights[f"blocks.{layer}.attn.{name}"] for name in ("W_Q", "W_K", "W_V", "W_O"))
        x = x + circuits.attention_head(x, *matrices).out
    return x @ weights["unembed.W_U"]


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
    """With the library's head, layer after layer, the sum made term by term, in single precision."""
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
        "Each of your heads reads what the head before it has written. All heads of a layer read the same stream; their "
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
        "Your MLP comes before the heads. In a layer the heads come first, and the MLP reads what they have written too.",
    ),
    Mistake(
        "MLP beside the heads",
        _network(lambda x, heads, mlp: x + _attended(x, heads) + _mlp(x, mlp)),
        "Your MLP reads the stream as it was before the heads. It comes after them: add their outputs first.",
    ),
    Mistake(
        "MLP after each head",
        _network(_mlp_after_each_head),
        "You run the MLP after each head. There is one MLP in a layer, after all its heads.",
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
        "The MLP is missing. Where `blocks.N.mlp.W_in` is among the weights, layer N has one.",
    ),
    Mistake(
        "MLPs as in layer 0",
        _mlp_as_in_layer_0,
        "You decide once, by layer 0, whether there are MLPs. Each layer may have one or not: look for `blocks.N.mlp.W_in` in "
        "every layer.",
    ),
    Mistake(
        "MLP wherever another layer has one",
        _mlp_if_any_layer_has_one,
        "You decide once for all layers that there are MLPs. Some layers may have one and others not: look for this layer's "
        "`blocks.N.mlp.W_in` in every layer.",
    ),
    Mistake(
        "heads not taken apart",
        _heads_not_taken_apart,
        "W_Q, W_K, W_V and W_O hold all heads of a layer, one after the other along their first axis, and you give them whole to "
        "a head that takes matrices. Take one head at a time: `W_Q[h]`.",
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
        "one head a layer",
        _network(lambda x, heads, mlp: _block(x, heads[:1], mlp)),
        "You use the first head of each layer only. The first axis of W_Q, W_K, W_V and W_O counts the heads.",
    ),
    Mistake(
        "mean of the heads",
        _network(lambda x, heads, mlp: _block(x, [(*h[:3], h[3] / len(heads)) for h in heads], mlp)),
        "You average the heads' outputs. They are added up.",
    ),
    Mistake(
        "first layer only",
        _network(layers=lambda n: range(1)),
        "You stop after the first layer. Go on as long as there is a `blocks.N.attn.W_Q`.",
    ),
    Mistake(
        "last layer missing",
        _network(layers=lambda n: range(n - 1)),
        "The last layer is missing: with n layers, N runs from 0 to n − 1.",
    ),
    Mistake(
        "layers in reverse",
        _network(layers=lambda n: range(n - 1, -1, -1)),
        "You run the layers from the last to the first. `blocks.0` comes first, in whatever order the dict holds them.",
    ),
    Mistake(
        "all layers read the embedding",
        _all_read_the_start,
        "All your layers read the embedding. Each reads the stream with all that has been added before it.",
    ),
    Mistake(
        "embedding not unembedded",
        _start_not_read,
        "You unembed only what the layers have written. The embedding is part of the stream and reaches the logits too.",
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

# With the length of the sequence, and the layers whose MLP is left out.
NETWORKS: tuple[tuple[Shape, int, tuple[int, ...]], ...] = (
    (Shape(vocab=11, ctx=7, model=10, heads=2, head=3, layers=1), 5, ()),
    (Shape(vocab=9, ctx=8, model=6, heads=3, head=4, layers=2, mlp=13, out=5), 6, ()),
    (Shape(vocab=10, ctx=6, model=9, heads=2, head=5, layers=2, mlp=7), 4, (0,)),
    (Shape(vocab=7, ctx=5, model=12, heads=1, head=8, layers=3, mlp=4), 4, ()),
    (Shape(vocab=12, ctx=7, model=6, heads=3, head=2, layers=3, mlp=8), 5, (1, 2)),
    (Shape(vocab=13, ctx=9, model=8, heads=4, head=2, layers=3, out=17), 9, ()),
    (Shape(vocab=8, ctx=12, model=5, heads=2, head=7, layers=2, mlp=9), 1, ()),
    (Shape(vocab=6, ctx=3, model=7, heads=5, head=1, layers=1, mlp=11, out=10), 2, ()),
)


def _without_mlps(weights: Weights, layers: tuple[int, ...]) -> Weights:
    gone = {f"blocks.{layer}.mlp.{name}" for layer in layers for name in ("W_in", "W_out")}
    return {name: weight for name, weight in weights.items() if name not in gone}


def _described(shape: Shape, pos: int, without: tuple[int, ...]) -> str:
    kind = f"{shape.layers} layer{'s' * (shape.layers > 1)} of {shape.heads} head{'s' * (shape.heads > 1)}"
    if without:
        kept = [f"layer {layer}" for layer in range(shape.layers) if layer not in without]
        mlp = f"an MLP in {' and '.join(kept)} only"
    else:
        mlp = "MLP"
    return f"the logits of {kind} with{'out' * (shape.mlp is None)} {mlp}, {pos} token{'s' * (pos > 1)}"


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
    for seed, (shape, pos, without) in enumerate(NETWORKS):
        tokens = random_tokens(pos, vocab=shape.vocab, seed=seed)
        weights = _without_mlps(weights_of(shape, seed), without)
        if seed == 1:
            tokens, weights = noncontiguous(tokens), {name: noncontiguous(w) for name, w in weights.items()}
        logits = call(answer, tokens, weights)
        what = _described(shape, pos, without)
        outputs = shape.vocab if shape.out is None else shape.out
        why = "One row for each place, one column for each column of W_U."
        if logits.ndim == 3 and len(logits) == shape.heads:
            why += " Yours has an axis for heads in front: what the heads write is added up."
        expect_shape(logits, (pos, outputs), what=what, why=why)
        expect_dtype(logits, "float", what=what)
        expect_finite(logits, what=what)
        expect_close(
            logits,
            torch.from_numpy(forward(weights, tokens).logits),
            what=what,
            why="Worked out place by place and head by head.",
        )
