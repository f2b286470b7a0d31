"""Exercise: weights, written by hand, with which two heads continue what has occurred before.

Judged by what the network does, whatever its weights: where head 0 looks, where head 1 looks, what comes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from course_utils import heads
from course_utils.checks.framework import (
    Mistake,
    call,
    check,
    expect,
    expect_dtype,
    expect_finite,
    expect_shape,
    expect_type,
)
from course_utils.checks.induction import constructions
from course_utils.checks.induction.behaviour import (
    Array,
    Batch,
    batches,
    expect_copies_continued,
    expect_head_0_looks_back,
    expect_head_1_looks_after,
    forward,
)
from course_utils.checks.induction.constructions import NAMES, Weights, changed, in_rooms
from course_utils.checks.induction.inputs import with_copy


def _variant(**options: Any) -> Any:
    """A wrong answer: the right weights with one thing chosen otherwise."""
    return lambda vocab, n_ctx: in_rooms(vocab, n_ctx, **options)


def _sizes_exchanged(vocab: int, n_ctx: int) -> Weights:
    return in_rooms(n_ctx, vocab)


MISTAKES = [
    Mistake(
        "not scaled by √d_head",
        _variant(scaled=False),
        "Your scores would be sharp enough, were they not divided by √d_head. With wide heads too little is left: multiply "
        "W_Q by √d_head.",
    ),
    Mistake(
        "scores of 1",
        _variant(lead=1.0),
        "A match gives a score of 1, and a miss 0. A softmax makes little of that: e is not even three times 1. Make W_Q "
        "larger, so that scores differ by 15 or more.",
    ),
    Mistake(
        "scores of 1, not scaled either",
        _variant(lead=1.0, scaled=False),
        "A match gives a score of 1/√d_head, and a miss 0. A softmax makes nearly nothing of that. Make W_Q larger, so that "
        "scores differ by 15 or more.",
    ),
    Mistake(
        "head 0 looks at its own place",
        _variant(offset=0),
        "Head 0 looks at its own place, since query and key of a place are alike. Shift the queries by one: place i asks "
        "for place i − 1.",
    ),
    Mistake(
        "head 0 asks for the next place",
        _variant(offset=-1),
        "In head 0, place i asks for place i + 1, which it cannot see. Shift the other way: it is to ask for place i − 1.",
    ),
    Mistake(
        "queries and keys of head 0 exchanged",
        changed(constructions.exchange_queries_and_keys),
        "In head 0 you shift the keys where the queries are meant (or W_Q and W_K are exchanged), so that place i asks for "
        "i + 1. Place i asks for place i − 1.",
    ),
    Mistake(
        "head 0 looks two places back",
        _variant(offset=2),
        "Head 0 looks two places back. It is to look at the place right before.",
    ),
    Mistake(
        "no places",
        changed(constructions.forget_places),
        "W_pos is zero, so head 0 has nothing to tell places by. Give each place an axis (or a direction) of its own.",
    ),
    Mistake(
        "first place matches too",
        _variant(avoid=0.0),
        "Place 0 has none before it, so head 0 looks at place 0 itself and writes the first token there as if it stood "
        "before. Who asks for that token finds places 0 and 1 alike, 50 to 50. Make all queries of head 1 avoid place 0.",
    ),
    Mistake(
        "first place attracts",
        _variant(avoid=-2.0),
        "Head 1 looks at place 0: the term that should keep its queries away has the wrong sign. Query times key is to be "
        "*negative* there.",
    ),
    Mistake(
        "head 1 finds the token itself",
        _variant(matched="token"),
        "The keys of head 1 are made of each place's own token, so it finds the token itself and not what came after. Make "
        "them of the token before, which head 0 has written into the third room.",
    ),
    Mistake(
        "rooms of head 1 exchanged",
        _variant(asks="before", matched="token"),
        "Head 1 asks with the token before and finds places that hold it. It is the other way round: queries from the token, "
        "keys from the token before.",
    ),
    Mistake(
        "head 0 writes over the token",
        _variant(written="token"),
        "Head 0 adds the token before to the room of the token itself, where the two cannot be told apart. Let it write into "
        "a room of its own, and let the keys of head 1 read that.",
    ),
    Mistake(
        "head 0 writes nothing",
        changed(constructions.silence_head_0),
        "W_O of head 0 is zero: it looks, but carries nothing. Let W_V pick up the token and W_O put it into the third room.",
    ),
    Mistake(
        "own token as loud as the copied one",
        _variant(loud=1.0),
        "The copied token and the query's own tie: the embedding has written the own one into the stream, and W_U reads both. "
        "Let head 1 write louder than the embedding, by a factor of 2 say.",
    ),
    Mistake(
        "head 1 copies the token before",
        _variant(copied="before"),
        "Head 1 copies from the room of the token before, and that is the query's own token once more. Its W_V is to read the "
        "token of the place itself.",
    ),
    Mistake(
        "head 1 lowers the token",
        _variant(loud=-2.0),
        "What head 1 writes *lowers* the logit of the token it looks at: a sign is wrong in W_V, W_O or W_U.",
    ),
    Mistake(
        "layers exchanged",
        changed(constructions.exchange_layers),
        "The layers are exchanged. The head that looks at the place before comes first: the other one reads what it writes.",
    ),
    Mistake(
        "no axis for heads",
        changed(constructions.drop_head_axis),
        "Your attention weights are matrices. TransformerLens keeps an axis for heads in front, also for one head: write "
        "`W[None]`.",
    ),
    Mistake(
        "W_O transposed",
        changed(constructions.transpose("W_O")),
        "Your W_O have the shape (1, d_model, d_head). W_O takes a head's inside (its rows) to the stream (its columns): "
        "(1, d_head, d_model).",
    ),
    Mistake(
        "W_U transposed",
        changed(constructions.transpose("W_U")),
        "Your W_U is (vocab, d_model), like W_E. It takes the stream (its rows) to tokens (its columns).",
    ),
    Mistake(
        "vocab and n_ctx exchanged",
        _sizes_exchanged,
        "You have vocab and n_ctx exchanged. W_E has a row for each token, W_pos one for each place.",
    ),
    Mistake(
        "names without their modules",
        constructions.short_names,
        "Your weights have names of your own. TransformerLens' are wanted, with their modules: `embed.W_E`, `pos_embed.W_pos`, "
        "`blocks.0.attn.W_Q`, …, `unembed.W_U`.",
    ),
    Mistake(
        "random weights",
        changed(constructions.randomise),
        "These are random numbers. Each weight follows from what the stream is to hold: begin with one room for the token, one "
        "for the place, one for the token before.",
    ),
]


def _as_arrays(weights: Mapping[str, Any], vocab: int, n_ctx: int, given: str) -> dict[str, Array]:
    """The weights in NumPy's double precision, once their names and shapes are those of one network."""
    missing, more = [n for n in NAMES if n not in weights], [str(n) for n in weights if n not in NAMES]
    wanted = f"the {len(NAMES)} keys {', '.join(NAMES)}"
    got = f"the keys {', '.join(map(str, weights))}"
    why = "They are named as TransformerLens names them."
    expect(not missing, what=f"weights are missing {given}: {', '.join(missing)}", why=why, expected=wanted, got=got)
    expect(
        not more,
        what=f"weights that this network does not have {given}: {', '.join(more)}",
        why="It has two layers of one head each, without LayerNorm, biases and MLPs.",
        expected=wanted,
        got=got,
    )
    tensors = {}
    for name in NAMES:
        tensor = weights[name]
        expect_type(tensor, Tensor, what=f"`{name}`")
        expect_dtype(tensor, "float", what=f"`{name}` {given}", why="Make it a float tensor, as a model's weights are.")
        tensors[name] = tensor
    embedding, first = tensors["embed.W_E"], tensors["blocks.0.attn.W_Q"]
    what = f"`embed.W_E` {given}"
    expect_shape(embedding, (vocab, None), what=what, why="A row for each token, a column for each axis of the stream.")
    d_model = embedding.shape[1]
    stream = f"d_model is {d_model}, as in embed.W_E"
    heads_axis = "The first axis is for heads: there is one (`W[None]` adds it)"
    expect_shape(first, (1, d_model, None), what=f"`blocks.0.attn.W_Q` {given}", why=f"{heads_axis}; {stream}.")
    d_head = first.shape[2]
    shapes = {"W_pos": (n_ctx, d_model), "W_U": (d_model, vocab), "W_O": (1, d_head, d_model), "W_E": (vocab, d_model)}
    for name, tensor in tensors.items():
        shape = shapes.get(name.rsplit(".", 1)[-1], (1, d_model, d_head))
        inside = f"; d_head is {d_head}, as in blocks.0.attn.W_Q" if len(shape) == 3 else ""
        expect_shape(
            tensor, shape, what=f"`{name}` {given}", why=f"{stream[0].upper()}{stream[1:]}{inside}.".replace("D_", "d_")
        )
        expect_finite(tensor, what=f"`{name}` {given}")
    return {name: np.asarray(tensor.cpu().double().numpy()) for name, tensor in tensors.items()}


# Small ones first, whose sequences a report can show; the last is that of the chapter.
SIZES = ((6, 8), (11, 7), (9, 16), (40, 13), (29, 24), (64, 32))
# A context so long that only scores far apart stay sharp in it: one sequence will do.
LONG = (136, 256)
LONG_SPAN = (122, 5, 4)


def _drawn(vocab: int, n_ctx: int) -> list[Batch]:
    """The sequences for one size."""
    if (vocab, n_ctx) != LONG:
        return list(batches(vocab, n_ctx))
    row, source = with_copy(vocab, n_ctx, *LONG_SPAN)
    return [Batch([row], [source])]


@check(
    reference=heads.induction_weights,
    alternatives=[constructions.number_by_number, constructions.in_mixed_directions, constructions.on_a_circle],
    mistakes=MISTAKES,
    cases=lambda: [(8, 5), (31, 35)],
)
def test_induction_weights(answer: Any) -> None:
    """Write down weights with which two attention heads continue every copy in a sequence of distinct tokens."""
    for vocab, n_ctx in (*SIZES, LONG):
        given = f"for vocab = {vocab}, n_ctx = {n_ctx}"
        weights = _as_arrays(call(answer, vocab, n_ctx, returns=dict), vocab, n_ctx, given)
        d_head = weights["blocks.0.attn.W_Q"].shape[2]
        drawn = _drawn(vocab, n_ctx)
        runs = [forward(weights, batch) for batch in drawn]
        for run in runs:
            finite = all(np.isfinite(part).all() for part in (*run.looks, run.logits))
            expect(finite, what=f"numbers overflow inside the network {given}", why="Some weights are far too large.")
        expect_head_0_looks_back(runs, given, d_head)
        expect_head_1_looks_after(runs, drawn, given, d_head)
        for run, batch in zip(runs, drawn, strict=True):
            expect_copies_continued(run, batch, given)
