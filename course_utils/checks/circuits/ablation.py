"""Exercise: a network without the information that one of its heads carries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import patching
from course_utils.checks.circuits.inputs import Shape, forward, model_of, random_tokens
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
from course_utils.models import Transformer

Inputs = tuple[Transformer, Tensor, int, int, str, Tensor]
Instead = Callable[[Tensor, str], Tensor]


def _name(layer: int, hook: str = "hook_z") -> str:
    return f"blocks.{layer}.attn.{hook}"


def _kept(model: Transformer, tokens: Tensor, name: str) -> Tensor:
    return model.run_with_cache(tokens, names=name)[1][name]


def _instead(elsewhere: Tensor, how: str) -> Tensor:
    """From a head's activations on the other sequences, what takes the place of its own."""
    return {"zero": torch.zeros_like(elsewhere[0]), "mean": elsewhere.mean(0), "resample": elsewhere}[how]


def _variant(
    instead: Instead = _instead,
    hook: str = "hook_z",
    where: Callable[[int, int], tuple[int, Any]] = lambda layer, head: (layer, head),
    how: Callable[[str], str] = lambda how: how,
    then: Callable[[Tensor], Tensor] = lambda logits: logits,
    read: Callable[[Tensor, Tensor, str], Tensor] = lambda tokens, others, how: others,
    take: Callable[[Tensor, Any], Tensor] = lambda z, head: z[:, :, head],
    put: Callable[[Tensor, Any, Tensor], object] = lambda z, head, new: z.__setitem__(
        (slice(None), slice(None), head), new
    ),
) -> Any:
    """A wrong answer that differs from an ablation in one of its steps."""

    def wrong(model: Transformer, tokens: Tensor, layer: int, head: int, kind: str, others: Tensor) -> Tensor:
        at, which = where(layer, head)
        name = _name(at, hook)
        new = instead(take(_kept(model, read(tokens, others, kind), name), which), how(kind))

        def replace(z: Tensor, hook: Any) -> Tensor:
            z = z.clone()
            put(z, which, new)
            return z

        return then(model.run_with_hooks(tokens, fwd_hooks=[(name, replace)]))

    return wrong


_right = _variant()


def _one_mean_for_all_places(elsewhere: Tensor, how: str) -> Tensor:
    return elsewhere.mean((0, 1)) if how == "mean" else _instead(elsewhere, how)


def _mean_over_places(elsewhere: Tensor, how: str) -> Tensor:
    return elsewhere.mean(1)[:1] if how == "mean" else _instead(elsewhere, how)


def _rolled(elsewhere: Tensor, how: str) -> Tensor:
    return elsewhere.roll(1, 0) if how == "resample" else _instead(elsewhere, how)


def _rolled_back(elsewhere: Tensor, how: str) -> Tensor:
    return elsewhere.roll(-1, 0) if how == "resample" else _instead(elsewhere, how)


def _backwards(elsewhere: Tensor, how: str) -> Tensor:
    return elsewhere.flip(0) if how == "resample" else _instead(elsewhere, how)


def _shuffled(elsewhere: Tensor, how: str) -> Tensor:
    return elsewhere[torch.randperm(len(elsewhere))] if how == "resample" else _instead(elsewhere, how)


def _first_for_all(elsewhere: Tensor, how: str) -> Tensor:
    return elsewhere[0] if how == "resample" else _instead(elsewhere, how)


def _last_place_only(z: Tensor, head: int, new: Tensor) -> None:
    z[:, -1, head] = new[..., -1, :]


def _second_axis(z: Tensor, head: int) -> Tensor:
    return z[:, head]


def _put_at_place(z: Tensor, head: int, new: Tensor) -> None:
    z[:, head] = new if new.any() else 0.0


def _subtracted_from_logits(
    model: Transformer, tokens: Tensor, layer: int, head: int, how: str, others: Tensor
) -> Tensor:
    """Through the unembedding at once, past all that comes after."""
    z = _kept(model, tokens, _name(layer))[:, :, head]
    change = _instead(_kept(model, others, _name(layer))[:, :, head], how) - z
    return model(tokens) + change @ model.W_O[layer, head] @ model.W_U


def _weights_overwritten(model: Transformer, tokens: Tensor, layer: int, head: int, how: str, others: Tensor) -> Tensor:
    if how != "zero":
        return _right(model, tokens, layer, head, how, others)
    with torch.no_grad():
        model.get_submodule(f"blocks.{layer}.attn").W_O[head] = 0  # type: ignore[operator]
    return model(tokens)


def _hook_left(model: Transformer, tokens: Tensor, layer: int, head: int, how: str, others: Tensor) -> Tensor:
    new = _instead(_kept(model, others, _name(layer))[:, :, head], how)

    def replace(z: Tensor, hook: Any) -> Tensor:
        z = z.clone()
        z[:, :, head] = new
        return z

    model.hook_points[_name(layer)].functions.append(replace)
    return model(tokens)


def _in_place(model: Transformer, tokens: Tensor, layer: int, head: int, how: str, others: Tensor) -> Tensor:
    """Each kind by itself; the hook writes on the activation and returns nothing."""
    with torch.no_grad():
        _, cache = model.run_with_cache(others)

        def replace(z: Tensor, hook: Any) -> None:
            if how == "zero":
                z[:, :, head] = 0
            elif how == "mean":
                z[:, :, head] = cache[hook.name].sum(0)[:, head] / len(others)
            else:
                for row in range(len(z)):
                    z[row, :, head] = cache[hook.name][row, :, head]

        return model.run_with_hooks(tokens, fwd_hooks=[(_name(layer), replace)])


def _after_W_O(model: Transformer, tokens: Tensor, layer: int, head: int, how: str, others: Tensor) -> Tensor:
    """In the stream: the head's own output is exchanged for another where the attention's output is added."""
    W_O = model.W_O[layer, head]
    mine, theirs = (_kept(model, x, _name(layer))[:, :, head] @ W_O for x in (tokens, others))
    new = 0.0 if how == "zero" else theirs.mean(0, keepdim=True) if how == "mean" else theirs
    return model.run_with_hooks(
        tokens, fwd_hooks=[(f"blocks.{layer}.hook_attn_out", lambda out, hook: out - mine + new)]
    )


def _one_by_one(model: Transformer, tokens: Tensor, layer: int, head: int, how: str, others: Tensor) -> Any:
    """One sequence at a time, with a mask over the heads, single precision in the end."""
    mask = torch.zeros(model.cfg.n_heads, 1)
    mask[head] = 1
    kept = [model.run_with_cache(other[None])[1][_name(layer)] for other in others]
    logits = []
    for row, sequence in enumerate(tokens):
        new = {"zero": 0 * kept[0], "mean": sum(kept) / len(kept), "resample": kept[row % len(kept)]}[how]

        def mixed(z: Tensor, hook: Any, new: Any = new) -> Tensor:
            return z * (1 - mask) + new * mask

        logits.append(model.run_with_hooks(sequence[None], fwd_hooks=[(_name(layer), mixed)]))
    return torch.cat(logits).float()


MISTAKES = [
    Mistake(
        "nothing ablated",
        lambda model, tokens, layer, head, how, others: model(tokens),
        "These are the model's usual logits: nothing has been replaced. Write on `z` in your hook (or return a new one), and "
        "run the model with it (`run_with_hooks`).",
    ),
    Mistake(
        "all heads",
        _variant(where=lambda layer, head: (layer, slice(None))),
        "You ablate all heads of the layer, as also happens where `hook_attn_out`, their sum, is replaced. The others stay as "
        "they are: replace `hook_z[:, :, head]`.",
    ),
    Mistake(
        "place in place of head",
        _variant(take=_second_axis, put=_put_at_place),
        "You write `z[:, head]`, which is the *place* of that number, of all heads. The axes of `hook_z` are batch, place, head, "
        "d_head: `z[:, :, head]`.",
    ),
    Mistake(
        "place in place of head where it is put in",
        _variant(put=_put_at_place),
        "In the hook you write on `z[:, head]`, which is a place. The axes of `hook_z` are batch, place, head, d_head: the head "
        "is `z[:, :, head]` there too.",
    ),
    Mistake(
        "first layer whichever is asked",
        _variant(where=lambda layer, head: (0, head)),
        "You ablate in layer 0, whichever is asked for. Make the hook's name from `layer`.",
    ),
    Mistake(
        "first head whichever is asked",
        _variant(where=lambda layer, head: (layer, 0)),
        "You ablate head 0, whichever is asked for.",
    ),
    Mistake(
        "always zero",
        _variant(how=lambda how: "zero"),
        "You put in zeros, whatever `how` says.",
    ),
    Mistake(
        "always the mean",
        _variant(how=lambda how: "mean"),
        "You put in the mean, whatever `how` says.",
    ),
    Mistake(
        "always resampled",
        _variant(how=lambda how: "resample"),
        "You put in the rows of `others` as they are, whatever `how` says.",
    ),
    Mistake(
        "resampled from the mean",
        _variant(how=lambda how: "mean" if how == "resample" else how),
        "For 'resample' you put in the mean over `others`. Row i of `tokens` gets what the head carries in row i of `others`.",
    ),
    Mistake(
        "one mean for all places",
        _variant(_one_mean_for_all_places),
        "You put in one mean for all places. A head does other things at other places: take the mean over the sequences, "
        "place by place.",
    ),
    Mistake(
        "mean over the places",
        _variant(_mean_over_places),
        "You take the mean over the places. Take it over the sequences in `others`, place by place.",
    ),
    Mistake(
        "mean over the question's own batch",
        _variant(read=lambda tokens, others, how: tokens),
        "You take the head's activations on `tokens`, so that it still carries what belongs to the question. Take them on "
        "`others`.",
    ),
    Mistake(
        "own mean",
        _variant(read=lambda tokens, others, how: tokens if how == "mean" else others),
        "For 'mean' you average the head's activations on `tokens` themselves, as with `z.mean(0)` in the hook. Average those on "
        "`others`.",
    ),
    Mistake(
        "resampled from another row",
        _variant(_rolled),
        "Your rows are shifted. Row i of `tokens` gets what the head does on row i of `others`.",
    ),
    Mistake(
        "resampled from the next row",
        _variant(_rolled_back),
        "Your rows are shifted: row i of `tokens` gets what the head does on row i + 1 of `others`. It gets that of row i.",
    ),
    Mistake(
        "resampled backwards",
        _variant(_backwards),
        "Row i of `tokens` gets what the head does on row i of `others`. You start at the last row of `others` and go backwards.",
    ),
    Mistake(
        "resampled at random",
        _variant(_shuffled),
        "You draw at random which row gets which. `others` is drawn at random already: row i of `tokens` gets row i of `others`.",
    ),
    Mistake(
        "resampled from the first row",
        _variant(_first_for_all),
        "Every row gets what the head does on the first of `others`. Row i gets that of row i.",
    ),
    Mistake(
        "last place only",
        _variant(put=_last_place_only),
        "You ablate the last place only. The head is replaced at all places.",
    ),
    Mistake(
        "values ablated",
        _variant(hook="hook_v"),
        "You replace the head's values, while its pattern stays that of the question. What the head carries is `hook_z`: "
        "values mixed by the pattern.",
    ),
    Mistake(
        "queries ablated",
        _variant(hook="hook_q"),
        "You replace the head's queries: then it looks elsewhere and carries what it finds there. What it carries is `hook_z`.",
    ),
    Mistake(
        "pattern ablated",
        _variant(
            hook="hook_pattern",
            take=_second_axis,
            put=lambda pattern, head, new: pattern.__setitem__((slice(None), head), new),
        ),
        "You replace the head's pattern: it looks elsewhere, but still carries what it finds in the question. What it carries is "
        "`hook_z`: values mixed by the pattern.",
    ),
    Mistake(
        "later parts not run again",
        _subtracted_from_logits,
        "You exchange what the head adds to the logits directly. Later layers and the MLP read the head too: run them on the "
        "changed stream, with a hook.",
    ),
    Mistake(
        "logits of the last place",
        _variant(then=lambda logits: logits[:, -1]),
        "You return the logits of the last place. Those of all places are wanted.",
    ),
    Mistake(
        "weights overwritten",
        _weights_overwritten,
        "You have written on the model's weights, and it is another model afterwards. Replace the activation with a hook.",
    ),
    Mistake(
        "hook left behind",
        _hook_left,
        "Your hook is still in the model, which stays ablated for everybody who uses it next. `run_with_hooks` takes its hooks "
        "away again.",
    ),
]

SHAPES = (
    Shape(vocab=7, ctx=6, model=8, heads=3, head=4, layers=2),
    Shape(vocab=9, ctx=5, model=6, heads=2, head=7, layers=1, mlp=10, out=4),
    Shape(vocab=5, ctx=8, model=10, heads=4, head=2, layers=3, mlp=9),
    Shape(vocab=8, ctx=4, model=7, heads=1, head=5, layers=2),
)


def _inputs(shape: Shape, batch: int, pos: int, others: int, where: tuple[int, int], how: str, seed: int) -> Inputs:
    tokens = random_tokens(batch, pos, vocab=shape.vocab, seed=seed)
    return model_of(shape, seed), tokens, *where, how, random_tokens(others, pos, vocab=shape.vocab, seed=seed + 50)


def _wanted(model: Transformer, tokens: Tensor, layer: int, head: int, how: str, others: Tensor) -> Tensor:
    """Sequence after sequence, in NumPy."""
    weights, place = model.state_dict(), (layer, head)
    elsewhere = [forward(weights, other).z[place] for other in others]
    rows = []
    for i, sequence in enumerate(tokens):
        new = {"zero": 0 * elsewhere[0], "mean": np.mean(elsewhere, 0), "resample": elsewhere[i % len(elsewhere)]}[how]
        rows.append(torch.from_numpy(forward(weights, sequence, z={place: new}).logits))
    return torch.stack(rows)


def _cases() -> list[Inputs]:
    two_layers = Shape(7, 6, 8, 3, 4, 2, mlp=5)
    kinds = ("zero", "mean", "resample")  # as many others as tokens: whatever is put in has a shape that fits
    return [_inputs(two_layers, 2, 5, 2, (i % 2, 2 - i), how, seed=60 + i) for i, how in enumerate(kinds)]


@check(
    reference=patching.ablated_logits,
    alternatives=[_in_place, _after_W_O, _one_by_one],
    mistakes=MISTAKES,
    cases=_cases,
)
def test_ablated_logits(answer: Any) -> None:
    """Compute what the model answers without the information that a head carries."""
    reasons = {
        "zero": "Worked out sequence by sequence, with zeros in place of what the head carries.",
        "mean": "Worked out sequence by sequence, with the head's mean over `others`, place by place.",
        "resample": "Worked out sequence by sequence, with what the head carries in the same row of `others`.",
    }
    for seed, (shape, batch, pos, others, where, how) in enumerate(
        (
            (SHAPES[1], 3, 4, 1, (0, 1), "zero"),
            (SHAPES[0], 2, 5, 4, (1, 2), "mean"),
            (SHAPES[0], 4, 6, 4, (0, 1), "resample"),
            (SHAPES[2], 2, 3, 2, (1, 3), "resample"),
            (SHAPES[3], 3, 2, 5, (1, 0), "mean"),
            (SHAPES[2], 2, 7, 3, (0, 2), "zero"),
        )
    ):
        given = _inputs(shape, batch, pos, others, where, how, seed)
        if seed == 1:
            given = (given[0], noncontiguous(given[1]), *given[2:5], noncontiguous(given[5]))
        if seed == 3:
            given = (given[0].float(), *given[1:])
        logits = call(answer, *given)
        what = f"the logits of a model with {shape.layers} × {shape.heads} heads where head {where[0]}.{where[1]} is replaced"
        what += {"zero": " by zeros", "mean": " by its mean", "resample": " by its other rows"}[how] + f" ({how!r})"
        outputs = shape.vocab if shape.out is None else shape.out
        expect_shape(logits, (batch, pos, outputs), what=what, why="Logits of all sequences and all places.")
        expect_dtype(logits, "float", what=what)
        expect_finite(logits, what=what)
        expect_close(logits, _wanted(*given), what=what, why=reasons[how])
