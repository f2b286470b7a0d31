"""Exercise: through which of its inputs does layer 1 read what a head of layer 0 has written?"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import patching
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_dtype, expect_shape
from course_utils.checks.induction.inputs import two_layers, words
from course_utils.models import Transformer

_Z, _READS = "blocks.0.attn.hook_z", ("q", "k", "v")


def _z(model: Transformer, tokens: Tensor) -> Tensor:
    return model.run_with_cache(tokens, names=_Z)[1][_Z]


def _difference(model: Transformer, tokens: Tensor, corrupted: Tensor, head: int) -> Tensor:
    """By how much what the head writes would change: (batch, pos, d_model)."""
    return (_z(model, corrupted) - _z(model, tokens))[:, :, head] @ model.W_O[0, head]


def _read(model: Transformer, change: Tensor, reads: str, layer: int = 1) -> Tensor:
    """What a change of the stream adds to the queries, keys or values of a layer: (batch, pos, head, d_head)."""
    return torch.einsum("bpm,hmd->bphd", change, getattr(model, f"W_{reads.upper()}")[layer])


def _patched(
    change: Callable[..., Tensor] = _difference,
    inputs: Callable[[str], tuple[str, ...]] = lambda reads: (reads,),
    heads: Callable[[Tensor, int], Tensor] = lambda added, head: added,
    layer: int = 1,
) -> Any:
    """An answer with something of its own: what is exchanged, which inputs see it, which heads of layer 1."""

    def wrong(model: Transformer, tokens: Tensor, corrupted: Tensor, head: int, reads: str) -> Tensor:
        difference = change(model, tokens, corrupted, head)
        hooks = []
        for name in inputs(reads):
            added = heads(_read(model, difference, name, layer), head)
            hooks.append((f"blocks.{layer}.attn.hook_{name}", lambda x, hook, added=added: x + added))
        return model.run_with_hooks(tokens, fwd_hooks=hooks)

    return wrong


def _stream_patched(model: Transformer, tokens: Tensor, corrupted: Tensor, head: int, reads: str) -> Tensor:
    elsewhere = _z(model, corrupted)

    def replace(z: Tensor, hook: object) -> Tensor:
        z = z.clone()
        z[:, :, head] = elsewhere[:, :, head]
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(_Z, replace)])


def _all_heads(model: Transformer, tokens: Tensor, corrupted: Tensor, head: int) -> Tensor:
    return sum(_difference(model, tokens, corrupted, h) for h in range(model.cfg.n_heads))  # type: ignore[return-value]


def _later_output(model: Transformer, tokens: Tensor, corrupted: Tensor, head: int) -> Tensor:
    return (_z(model, corrupted) - _z(model, tokens))[:, :, head] @ model.W_O[1, head]


def _last_place_only(model: Transformer, tokens: Tensor, corrupted: Tensor, head: int) -> Tensor:
    change = _difference(model, tokens, corrupted, head)
    change[:, :-1] = 0
    return change


def _activation_swapped(model: Transformer, tokens: Tensor, corrupted: Tensor, head: int, reads: str) -> Tensor:
    name = f"blocks.1.attn.hook_{reads}"
    other = model.run_with_cache(corrupted, names=name)[1][name]
    return model.run_with_hooks(tokens, fwd_hooks=[(name, lambda x, hook: other)])


def _one_head_only(added: Tensor, head: int) -> Tensor:
    kept = torch.zeros_like(added)
    kept[:, :, head] = added[:, :, head]
    return kept


def _nothing_patched(model: Transformer, tokens: Tensor, corrupted: Tensor, head: int, reads: str) -> Tensor:
    return model(tokens)


def _hooks_left(model: Transformer, tokens: Tensor, corrupted: Tensor, head: int, reads: str) -> Tensor:
    added = _read(model, _difference(model, tokens, corrupted, head), reads)
    model.hook_points[f"blocks.1.attn.hook_{reads}"].functions.append(lambda x, hook: x + added)
    return model(tokens)


def _tokens_written_on(model: Transformer, tokens: Tensor, corrupted: Tensor, head: int, reads: str) -> Tensor:
    logits = _patched()(model, tokens, corrupted, head, reads)
    tokens[:] = corrupted
    return logits


def _exchanged(model: Transformer, tokens: Tensor, corrupted: Tensor, head: int, reads: str) -> Tensor:
    return _patched()(model, corrupted, tokens, head, reads)


def _numpy(model: Transformer, tokens: Tensor, corrupted: Tensor, head: int, reads: str) -> Tensor:
    """The whole network head by head, in which layer 1 sees two streams; weights only, no hooks."""
    w = {name: weight.detach().double().numpy() for name, weight in model.state_dict().items()}

    def attend(q_from: Any, k_from: Any, v_from: Any, layer: int, h: int) -> Any:
        Q, K, V, O = (w[f"blocks.{layer}.attn.W_{part}"][h] for part in "QKVO")  # noqa: E741 (the field's name)
        scores = (q_from @ Q) @ (k_from @ K).T / np.sqrt(Q.shape[1])
        scores[np.triu_indices(len(scores), 1)] = -np.inf
        pattern = np.exp(scores - scores.max(1)[:, None])
        return pattern / pattern.sum(1)[:, None] @ (v_from @ V) @ O

    def embed(row: Tensor) -> Any:
        return w["embed.W_E"][row.numpy()] + w["pos_embed.W_pos"][: len(row)]

    logits = []
    for row, other in zip(tokens, corrupted, strict=True):
        start, elsewhere = embed(row), embed(other)
        outs = [attend(start, start, start, 0, h) for h in range(model.cfg.n_heads)]
        stream = start + sum(outs)
        patched = stream - outs[head] + attend(elsewhere, elsewhere, elsewhere, 0, head)
        seen = [patched if name == reads else stream for name in _READS]
        end = stream + sum(attend(seen[0], seen[1], seen[2], 1, h) for h in range(model.cfg.n_heads))
        logits.append(end @ w["unembed.W_U"])
    return torch.from_numpy(np.stack(logits))


def _by_two_streams(model: Transformer, tokens: Tensor, corrupted: Tensor, head: int, reads: str) -> Tensor:
    """Run with the head exchanged for good, keep what layer 1 reads then, and put it into a run that is otherwise clean."""
    name = f"blocks.1.attn.hook_{reads}"
    kept: dict[str, Tensor] = {}
    elsewhere = _z(model, corrupted)

    def replace(z: Tensor, hook: object) -> Tensor:
        return torch.cat([z[:, :, :head], elsewhere[:, :, head : head + 1], z[:, :, head + 1 :]], 2)

    def keep(x: Tensor, hook: object) -> None:
        kept["x"] = x.clone()

    model.run_with_hooks(tokens, fwd_hooks=[(_Z, replace), (name, keep)])
    return model.run_with_hooks(tokens, fwd_hooks=[(name, lambda x, hook: kept["x"])])


def _on_a_copy(model: Transformer, tokens: Tensor, corrupted: Tensor, head: int, reads: str) -> Tensor:
    """Hooks of PyTorch on a copy of the model that nobody sees; in single precision."""
    twin = copy.deepcopy(model).float()
    added = _read(twin, _difference(twin, tokens, corrupted, head), reads).detach()
    twin.hook_points[f"blocks.1.attn.hook_{reads}"].register_forward_hook(lambda module, args, out: out + added)
    with torch.no_grad():
        return twin(tokens)


MISTAKES = [
    Mistake(
        "model left changed",
        _hooks_left,
        "Your logits are right, but the model is not left as it was: a hook is still in it, or a weight has been written on. "
        "`run_with_hooks` takes its hooks away again; a hook you add yourself you have to remove.",
    ),
    Mistake(
        "tokens written on",
        _tokens_written_on,
        "Your logits are right, but you write into `tokens`, which the caller still needs.",
    ),
    Mistake(
        "head patched for everybody",
        _stream_patched,
        "You exchange the head's output itself, so everything downstream sees it: all three inputs of layer 1, and the direct "
        "way to the logits. Only the input named by `reads` is to see it.",
    ),
    Mistake(
        "all three inputs",
        _patched(inputs=lambda reads: _READS),
        "You patch queries, keys and values at once. Only the input named by `reads` is to see the exchanged output.",
    ),
    Mistake(
        "the two other inputs",
        _patched(inputs=lambda reads: tuple(name for name in _READS if name != reads)),
        "You patch the two inputs that are *not* named. Only the one named by `reads` sees the exchanged output.",
    ),
    Mistake(
        "queries and keys exchanged",
        _patched(inputs=lambda reads: ({"q": "k", "k": "q", "v": "v"}[reads],)),
        'You patch the keys where the queries are asked for, and the queries for the keys. "q" is `hook_q`, "k" is `hook_k`.',
    ),
    Mistake(
        "always the keys",
        _patched(inputs=lambda reads: ("k",)),
        "You patch the keys whatever `reads` says.",
    ),
    Mistake(
        "always the values",
        _patched(inputs=lambda reads: ("v",)),
        "You patch the values whatever `reads` says.",
    ),
    Mistake(
        "values taken for queries",
        _patched(inputs=lambda reads: ("k" if reads == "k" else "q",)),
        'For "v" you patch the queries. "v" is for values: `hook_v`, read by W_V.',
    ),
    Mistake(
        "values taken for keys",
        _patched(inputs=lambda reads: ("q" if reads == "q" else "k",)),
        'For "v" you patch the keys. "v" is for values: `hook_v`, read by W_V.',
    ),
    Mistake(
        "keys taken for queries",
        _patched(inputs=lambda reads: ("v" if reads == "v" else "q",)),
        'For "k" you patch the queries. "k" is for keys: `hook_k`, read by W_K.',
    ),
    Mistake(
        "always the same input",
        _patched(inputs=lambda reads: ("q",)),
        "You patch the queries whatever `reads` says.",
    ),
    Mistake(
        "whole activation from the corrupted run",
        _activation_swapped,
        "You put in all of that input from the corrupted run: the embedding and the other heads are corrupted as well. Only "
        "what this one head has written is to be exchanged.",
    ),
    Mistake(
        "all heads of layer 0",
        _patched(change=_all_heads),
        "You exchange the output of all heads of layer 0. Only `head` is to be exchanged.",
    ),
    Mistake(
        "head 0 whatever `head` says",
        _patched(change=lambda model, tokens, corrupted, head: _difference(model, tokens, corrupted, 0)),
        "You exchange head 0, whatever `head` says.",
    ),
    Mistake(
        "W_O of the other layer",
        _patched(change=_later_output),
        "You use W_O of layer 1. The head is in layer 0: `model.W_O[0, head]`.",
    ),
    Mistake(
        "one head of layer 1",
        _patched(heads=_one_head_only),
        "You patch only one head of layer 1. `head` counts in layer 0; all heads of layer 1 read the exchanged output.",
    ),
    Mistake(
        "layer 0 reads it",
        _patched(layer=0),
        "You patch the inputs of layer 0, where the head itself is. Its output is read by layer 1.",
    ),
    Mistake(
        "clean output not taken off",
        _patched(
            change=lambda model, tokens, corrupted, head: _z(model, corrupted)[:, :, head] @ model.W_O[0, head],
        ),
        "You add the corrupted output on top of the clean one. Exchanging means: the clean one goes. Add the difference.",
    ),
    Mistake(
        "taken off, nothing put in",
        _patched(
            change=lambda model, tokens, corrupted, head: -_z(model, tokens)[:, :, head] @ model.W_O[0, head],
        ),
        "You take the head's output away and put nothing in its place. Put in what the head writes on `corrupted`.",
    ),
    Mistake(
        "sign",
        _patched(change=lambda *args: -_difference(*args)),
        "Your difference has the wrong sign: the corrupted output goes in, the clean one goes out.",
    ),
    Mistake(
        "tokens and corrupted exchanged",
        _exchanged,
        "You run the model on `corrupted` and put the clean output in. The model is asked `tokens`; `corrupted` only gives the "
        "head's output.",
    ),
    Mistake(
        "one corrupted sequence for all",
        _patched(
            change=lambda model, tokens, corrupted, head: _difference(
                model, tokens, corrupted[:1].expand_as(corrupted), head
            )
        ),
        "Every row gets the head's output on the first corrupted sequence. Row i of `tokens` gets that of row i.",
    ),
    Mistake(
        "mean over the corrupted sequences",
        _patched(
            change=lambda model, tokens, corrupted, head: (
                (_z(model, corrupted).mean(0) - _z(model, tokens))[:, :, head] @ model.W_O[0, head]
            )
        ),
        "You put in the mean over the corrupted sequences. Row i of `tokens` gets what the head writes on row i.",
    ),
    Mistake(
        "last place only",
        _patched(change=_last_place_only),
        "You exchange the output at the last place only. It is exchanged at all places: keys and values lie before the query.",
    ),
    Mistake(
        "nothing patched",
        _nothing_patched,
        "These are the clean logits: nothing has been patched. A hook has to return the new activation, and its name has to "
        "be that of layer 1.",
    ),
    Mistake(
        "the corrupted logits",
        lambda model, tokens, corrupted, head, reads: model(corrupted),
        "These are the model's logits for `corrupted`. It is asked `tokens`, and only one path is corrupted.",
    ),
    Mistake(
        "last logits only",
        lambda *args: _patched()(*args)[:, -1],
        "You return the logits of the last place. Those of all places are asked for.",
    ),
]

Example = tuple[Transformer, Tensor, Tensor, int, str]


def _examples() -> list[Example]:
    """One head and several; sequences shorter than the context; every input. A call copies the model: few calls."""
    examples: list[Example] = []
    for heads, d_model, d_head, vocab, n_ctx, batch, length, asked in (
        (3, 10, 4, 9, 8, 4, 7, ((2, "k"), (0, "q"), (1, "v"))),
        (1, 7, 5, 6, 5, 3, 5, ((0, "k"),)),
        (2, 9, 6, 12, 11, 5, 8, ((1, "q"), (0, "v"))),
    ):
        model = two_layers(heads, d_model, d_head, vocab=vocab, n_ctx=n_ctx, seed=heads)
        model = model.float() if heads == 2 else model
        for i, (head, reads) in enumerate(asked):
            tokens, corrupted = (words(batch, 2 * length, vocab=vocab, seed=10 * heads + s)[:, ::2] for s in (i, i + 5))
            examples.append((model, tokens, corrupted, head, reads))
    return examples


@check(
    reference=patching.path_patched_logits,
    alternatives=[_numpy, _by_two_streams, _on_a_copy],
    mistakes=MISTAKES,
    cases=lambda: _examples()[1:3],
)
def test_path_patched_logits(answer: Any) -> None:
    """Exchange what a head of layer 0 has written, but only on its way into one input of layer 1."""
    inputs = {"q": "queries", "k": "keys", "v": "values"}
    for model, tokens, corrupted, head, reads in _examples():
        what = f"the logits with head {head} of {model.cfg.n_heads} exchanged on the way into the {inputs[reads]}"
        logits = call(answer, model, tokens, corrupted, head, reads)
        expect_shape(logits, (*tokens.shape, model.cfg.d_vocab), what=what, why="Logits of all places.")
        expect_dtype(logits, "float", what=what)
        expect_close(
            logits,
            _numpy(model, tokens, corrupted, head, reads),
            what=what,
            why="The network was run head by head with two streams: one that the named input reads, one for all else.",
            picture=False,
        )
    model, tokens, *_ = _examples()[0]
    what = "the logits where the corrupted sequences are the same as the others"
    logits = call(answer, model, tokens, tokens, 1, "v")
    expect_close(logits, model(tokens), what=what, why="Then the exchange changes nothing.", picture=False)
