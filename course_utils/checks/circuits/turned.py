"""Exercise: the same network with its residual stream turned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import circuits
from course_utils.checks.circuits.inputs import Shape, Weights, forward, noise, random_tokens, weights_of
from course_utils.checks.framework import (
    Mistake,
    call,
    check,
    expect,
    expect_close,
    expect_dtype,
    expect_finite,
    expect_shape,
    expect_type,
    noncontiguous,
)

Turn = Callable[[Tensor, Tensor], Tensor]
WRITERS, READERS = ("W_E", "W_pos", "W_O", "W_out"), ("W_Q", "W_K", "W_V", "W_in", "W_U")


def _kind(name: str) -> str:
    return name.split(".")[-1]


def _written(weight: Tensor, R: Tensor) -> Tensor:
    return weight @ R


def _read(weight: Tensor, R: Tensor) -> Tensor:
    return R.T @ weight


def _as_it_was(weight: Tensor, R: Tensor) -> Tensor:
    return weight


def _variant(writers: Turn = _written, readers: Turn = _read, **by_kind: Turn) -> Any:
    """A wrong answer that turns all writers, all readers or single kinds of weights in another way."""

    def wrong(weights: Weights, rotation: Tensor) -> Weights:
        turns = {kind: by_kind.get(kind, writers if kind in WRITERS else readers) for kind in WRITERS + READERS}
        return {name: turns[_kind(name)](weight, rotation) for name, weight in weights.items()}

    return wrong


_right = _variant()


def _written_in_place(weights: Weights, rotation: Tensor) -> Weights:
    for name, weight in _right(weights, rotation).items():
        weights[name] = weight
    return weights


def _first_block_only(weights: Weights, rotation: Tensor) -> Weights:
    turned = _right(weights, rotation)
    return {n: weights[n] if n.startswith("blocks.") and not n.startswith("blocks.0.") else turned[n] for n in weights}


def _by_short_names(weights: Weights, rotation: Tensor) -> Weights:
    return {_kind(name): weight for name, weight in _right(weights, rotation).items()}


def _first_head_only(change: Turn) -> Turn:
    return lambda weight, R: torch.cat([change(weight[:1], R), weight[1:]])


def _by_einsum(weights: Weights, rotation: Tensor) -> Weights:
    """Axis by axis: which one is the stream's, by the weight's name; keys in another order."""
    subscripts = {
        "W_E": "vm,mn->vn",
        "W_pos": "pm,mn->pn",
        "W_O": "hdm,mn->hdn",
        "W_out": "fm,mn->fn",
        "W_U": "mv,mn->nv",
        "W_in": "mf,mn->nf",
    }
    by_name = sorted(weights.items())
    return {name: torch.einsum(subscripts.get(_kind(name), "hmd,mn->hnd"), w, rotation) for name, w in by_name}


def _by_inverse(weights: Weights, rotation: Tensor) -> Weights:
    """The inverse in place of the transpose, in single precision, written out name by name in a copy of the dict."""
    turned = {name: weight.clone().float() for name, weight in weights.items()}
    R = rotation.float()
    back = torch.linalg.inv(R)
    for name in turned:
        if name.endswith(("W_E", "W_pos", "W_O", "W_out")):
            turned[name] = turned[name] @ R
        else:
            turned[name] = back @ turned[name]
    return turned


def _head_by_head(weights: Weights, rotation: Tensor) -> Weights:
    turned = {}
    for name, weight in weights.items():
        change = _written if _kind(name) in WRITERS else _read
        turned[name] = (
            change(weight, rotation) if weight.ndim == 2 else torch.stack([change(w, rotation) for w in weight])
        )
    return turned


_back = {"writers": lambda weight, R: weight @ R.T, "readers": lambda weight, R: R @ weight}

MISTAKES = [
    Mistake(
        "R in place of Rᵀ",
        _variant(readers=_back["readers"]),
        "What reads from the stream is multiplied by R with you. It has to undo the turn: multiply by Rᵀ from the left, as "
        "(x R)(Rᵀ W) = x W.",
    ),
    Mistake(
        "R and Rᵀ exchanged",
        _variant(_back["writers"], _back["readers"]),
        "Your network is the same, but its stream is turned the other way: x becomes x Rᵀ. Write with R, read with Rᵀ.",
    ),
    Mistake(
        "Rᵀ for what writes",
        _variant(_back["writers"]),
        "What writes into the stream is multiplied by Rᵀ with you. Its rows become x R: multiply by R from the right.",
    ),
    Mistake(
        "readers as they were",
        _variant(readers=_as_it_was),
        "You turn what writes only. What reads gets turned vectors now, and has to turn them back: Rᵀ from the left.",
    ),
    Mistake(
        "writers as they were",
        _variant(_as_it_was),
        "You turn what reads only. What writes into the stream has to be turned too: R from the right.",
    ),
    Mistake(
        "nothing turned",
        lambda weights, rotation: {name: weight.clone() for name, weight in weights.items()},
        "You return the weights as they were.",
    ),
    *(
        Mistake(f"{kind} left out", _variant(**{kind: _as_it_was}), sentence)
        for kind, sentence in (
            ("W_pos", "You have left out W_pos. The positions are written into the stream like the tokens."),
            ("W_E", "You have left out W_E. The embedding is what writes into the stream first."),
            ("W_U", "You have left out W_U. The unembedding reads from the stream."),
            ("W_O", "You have left out W_O. The heads write into the stream with it."),
            ("W_V", "You have left out W_V. A head reads the stream three times: for queries, keys and values."),
            ("W_in", "You have left out W_in. The MLP reads the stream with it."),
            ("W_out", "You have left out W_out. The MLP writes into the stream with it."),
        )
    ),
    Mistake(
        "W_Q and W_K left out",
        _variant(W_Q=_as_it_was, W_K=_as_it_was),
        "You have left out W_Q and W_K. They read from the stream, and would now compare turned vectors.",
    ),
    Mistake(
        "MLP left out",
        _variant(W_in=_as_it_was, W_out=_as_it_was),
        "You have left out the MLP: W_in reads from the stream, W_out writes into it.",
    ),
    Mistake(
        "heads left out",
        _variant(W_Q=_as_it_was, W_K=_as_it_was, W_V=_as_it_was, W_O=_as_it_was),
        "You have left out the heads: W_Q, W_K and W_V read from the stream, W_O writes into it.",
    ),
    Mistake(
        "embedding and unembedding only",
        _variant(*(2 * [_as_it_was]), W_E=_written, W_pos=_written, W_U=_read),
        "You turn the two ends only. Heads and MLPs read from the stream and write into it too.",
    ),
    Mistake(
        "W_in from the wrong side",
        _variant(W_in=_written),
        "You multiply W_in by R from the right, where the neurons are. It reads from the stream: Rᵀ from the left.",
    ),
    Mistake(
        "W_out from the wrong side",
        _variant(W_out=_read),
        "You multiply W_out by Rᵀ from the left, where the neurons are. It writes into the stream: R from the right.",
    ),
    Mistake(
        "W_O from the wrong side",
        _variant(W_O=_read),
        "You multiply W_O by Rᵀ from the left, where the head's own dimensions are. It writes into the stream: R from the "
        "right.",
    ),
    Mistake(
        "W_U from the wrong side",
        _variant(W_U=_written),
        "You multiply W_U by R from the right, where the vocabulary is. It reads from the stream: Rᵀ from the left.",
    ),
    Mistake(
        "first block only",
        _first_block_only,
        "You turn the first block only. All blocks share the stream.",
    ),
    Mistake(
        "first head only",
        _variant(
            **{kind: _first_head_only(_read) for kind in ("W_Q", "W_K", "W_V")},
            W_O=_first_head_only(_written),
        ),
        "You turn the first head of each block only. All heads share the stream.",
    ),
    Mistake(
        "given weights written on",
        _written_in_place,
        "You put the turned weights into the dict (or the tensors) that you were given, and the caller has lost the original. "
        "Make a new dict of new tensors.",
    ),
    Mistake(
        "short names",
        _by_short_names,
        "You return the weights under the last part of their names, so that blocks overwrite each other. Keep the names.",
    ),
]


def _rotation(n: int, seed: int) -> Tensor:
    """A random turn, without a mirror."""
    R = torch.linalg.qr(noise(n, n, seed=seed)).Q
    if torch.linalg.det(R) < 0:
        R[:, 0] *= -1
    return R


SHAPES = (
    Shape(vocab=7, ctx=5, model=6, heads=1, head=4, layers=1),
    Shape(vocab=9, ctx=8, model=7, heads=3, head=2, layers=2, mlp=11, out=10),
    Shape(vocab=6, ctx=4, model=9, heads=2, head=12, layers=3),
    Shape(vocab=8, ctx=3, model=4, heads=5, head=7, layers=2, mlp=13),
)


def _inputs(shape: Shape, seed: int) -> tuple[Weights, Tensor]:
    return weights_of(shape, seed), _rotation(shape.model, seed)


def _wanted(name: str, weight: Tensor, rotation: Tensor) -> Tensor:
    """Along its stream axis, every vector of the weight becomes x R."""
    axis = {"W_E": 1, "W_pos": 1, "W_O": 2, "W_out": 1, "W_U": 0, "W_in": 0}.get(_kind(name), 1)
    return torch.from_numpy(np.apply_along_axis(lambda x: rotation.numpy().T @ x, axis, weight.numpy()))


@check(
    reference=circuits.rotate_stream,
    alternatives=[_by_einsum, _by_inverse, _head_by_head],
    mistakes=MISTAKES,
    cases=lambda: [_inputs(SHAPES[1], seed=61)],
)
def test_rotate_stream(answer: Any) -> None:
    """Turn the residual stream of a network, so that every stream vector x becomes x R and the logits stay."""
    for seed, shape in enumerate(SHAPES):
        weights, rotation = _inputs(shape, seed)
        if seed == 2:
            weights, rotation = {n: noncontiguous(w) for n, w in weights.items()}, noncontiguous(rotation)
        turned = call(answer, weights, rotation, returns=dict)
        whose = f"a network of {shape.layers} × {shape.heads} heads with{'out' * (shape.mlp is None)} MLPs"
        missing, extra = sorted(weights.keys() - turned.keys()), sorted(map(str, turned.keys() - weights.keys()))
        expect(
            not missing and not extra,
            what=f"the names of the turned weights of {whose}",
            why=f"Missing: {', '.join(missing) or 'none'}. Too many: {', '.join(extra) or 'none'}.",
        )
        for name, weight in weights.items():
            what = f"`{name}` of {whose}"
            expect_type(turned[name], Tensor, what=what)
            expect_shape(turned[name], tuple(weight.shape), what=what, why="Turning leaves shapes as they are.")
            expect_dtype(turned[name], "float", what=what)
            expect_finite(turned[name], what=what)
            expect_close(
                turned[name],
                _wanted(name, weight, rotation),
                what=what,
                why="Along the axis that is the stream's, each vector x becomes x R.",
            )
        tokens = random_tokens(shape.ctx - 1, vocab=shape.vocab, seed=seed)
        expect_close(
            torch.from_numpy(forward(turned, tokens).logits),
            torch.from_numpy(forward(weights, tokens).logits),
            what=f"the logits of {whose} after the turn",
            why="What reads turns back what has been turned: the network is the same.",
        )
