"""Exercise: a network whose gaze no longer depends on its last token."""

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

Inputs = tuple[Transformer, Tensor, Tensor]
ATTENTION = "blocks.0.attn"
PATTERN = f"{ATTENTION}.hook_pattern"


def _ending_with(tokens: Tensor, ending: Tensor, place: int = -1) -> Tensor:
    version = tokens.clone()
    version[:, place] = ending
    return version


def _kept(model: Transformer, tokens: Tensor, name: str) -> Tensor:
    return model.run_with_cache(tokens, names=name)[1][name]


def _mean(activations: list[Tensor]) -> Tensor:
    return torch.stack(activations).mean(0)


def _put(
    model: Transformer, tokens: Tensor, name: str, instead: Callable[[Tensor], Tensor], place: Any = (slice(None), -1)
) -> Tensor:
    return model.run_with_hooks(tokens, fwd_hooks=[(name, lambda activation, hook: instead(activation))])[place]


def _variant(
    name: str = PATTERN,
    merge: Callable[[list[Tensor]], Tensor] = _mean,
    instead: Callable[[Tensor, Tensor], Tensor] = lambda own, frozen: frozen,
    endings: Callable[[Transformer, Tensor, Tensor], Tensor] = lambda model, tokens, endings: endings,
    ending_place: int = -1,
    place: Any = (slice(None), -1),
) -> Any:
    """A wrong answer that differs from freezing in one of its steps."""

    def wrong(model: Transformer, tokens: Tensor, wanted: Tensor) -> Tensor:
        chosen = endings(model, tokens, wanted)
        frozen = merge([_kept(model, _ending_with(tokens, e, ending_place), name) for e in chosen])
        return _put(model, tokens, name, lambda own: instead(own, frozen), place)

    return wrong


_right = _variant()


def _first_head_only(own: Tensor, frozen: Tensor) -> Tensor:
    return torch.cat([frozen[:, :1], own[:, 1:]], 1)


def _uniform(own: Tensor, frozen: Tensor) -> Tensor:
    allowed = torch.ones_like(own).tril()
    return allowed / allowed.sum(-1, keepdim=True)


def _mean_of_answers(model: Transformer, tokens: Tensor, endings: Tensor) -> Tensor:
    return _mean([model(_ending_with(tokens, ending))[:, -1] for ending in endings])


def _run_for_each_ending(model: Transformer, tokens: Tensor, endings: Tensor) -> Tensor:
    """The question asked once with the pattern of each version: the same as asking once, unless there is an MLP."""
    patterns = [_kept(model, _ending_with(tokens, e), PATTERN) for e in endings]
    return _mean([_put(model, tokens, PATTERN, lambda own, new=pattern: new) for pattern in patterns])  # type: ignore[misc]


def _without_mlp(model: Transformer, tokens: Tensor, endings: Tensor) -> Tensor:
    """Worked out with the weights of the embedding, the heads and the unembedding alone."""
    frozen = _mean([_kept(model, _ending_with(tokens, e), PATTERN) for e in endings])
    hooks: list[Any] = [(PATTERN, lambda own, hook: frozen)]
    if model.cfg.d_mlp is not None:
        hooks.append(("blocks.0.hook_mlp_out", lambda out, hook: torch.zeros_like(out)))
    return model.run_with_hooks(tokens, fwd_hooks=hooks)[:, -1]


def _answers_of_the_last_version(model: Transformer, tokens: Tensor, endings: Tensor) -> Tensor:
    frozen = _mean([_kept(model, _ending_with(tokens, e), PATTERN) for e in endings])
    return _put(model, _ending_with(tokens, endings[-1]), PATTERN, lambda own: frozen)


def _tokens_written_on(model: Transformer, tokens: Tensor, endings: Tensor) -> Tensor:
    patterns = []
    for ending in endings:
        tokens[:, -1] = ending
        patterns.append(_kept(model, tokens, PATTERN))
    return _put(model, tokens, PATTERN, lambda own: _mean(patterns))


def _hook_left(model: Transformer, tokens: Tensor, endings: Tensor) -> Tensor:
    frozen = _mean([_kept(model, _ending_with(tokens, e), PATTERN) for e in endings])
    model.hook_points[PATTERN].functions.append(lambda own, hook: frozen)
    return model(tokens)[:, -1]


def _vocabulary(model: Transformer, tokens: Tensor, endings: Tensor) -> Tensor:
    return torch.arange(model.cfg.d_vocab)


def _one_batch(model: Transformer, tokens: Tensor, endings: Tensor) -> Tensor:
    """All versions in one run, the hook's tensor written in place."""
    versions = tokens.repeat(len(endings), 1)
    versions[:, -1] = endings.repeat_interleave(len(tokens))
    _, cache = model.run_with_cache(versions)
    frozen = cache[PATTERN].unflatten(0, (len(endings), len(tokens))).mean(0)

    def replace(pattern: Tensor, hook: Any) -> None:
        pattern[:] = frozen

    return model.run_with_hooks(tokens, fwd_hooks=[(PATTERN, replace)])[:, -1]


def _last_row_only(model: Transformer, tokens: Tensor, endings: Tensor) -> Tensor:
    """What comes before the last place cannot see it, so that one row is all that needs freezing. Row after row."""
    answers = []
    for sequence in tokens:
        rows = []
        for ending in endings.tolist():
            version = torch.cat([sequence[:-1], torch.tensor([ending])])
            rows.append(model.run_with_cache(version[None])[1][PATTERN][0, :, -1])
        frozen = sum(rows) / len(rows)

        def replace(pattern: Tensor, hook: Any, frozen: Any = frozen) -> Tensor:
            pattern = pattern.clone()
            pattern[0, :, -1] = frozen
            return pattern

        answers.append(model.run_with_hooks(sequence[None], fwd_hooks=[(PATTERN, replace)])[0, -1])
    return torch.stack(answers).float()


def _through_z(model: Transformer, tokens: Tensor, endings: Tensor) -> Tensor:
    """The frozen pattern mixes the values here, and the result takes the place of the heads' own."""
    frozen = _mean([_kept(model, _ending_with(tokens, e), PATTERN) for e in endings])
    values = _kept(model, tokens, f"{ATTENTION}.hook_v")
    z = torch.einsum("bhij,bjhd->bihd", frozen, values)
    return _put(model, tokens, f"{ATTENTION}.hook_z", lambda own: z)


MISTAKES = [
    Mistake(
        "nothing frozen",
        lambda model, tokens, endings: model(tokens)[:, -1],
        "These are the model's usual logits: nothing has been replaced. Return the mean pattern from your hook, and run the "
        "model with it (`run_with_hooks`).",
    ),
    Mistake(
        "scores frozen",
        _variant(name=f"{ATTENTION}.hook_attn_scores"),
        "You freeze the scores. Their softmax is not the mean of the patterns: freeze `hook_pattern`.",
    ),
    Mistake(
        "what the heads carry frozen",
        _variant(name=f"{ATTENTION}.hook_z"),
        "You freeze what the heads carry (`hook_z`, or their sum `hook_attn_out`), so that nothing of the true last token is in "
        "it either. Freeze where they look, `hook_pattern`, and let the rest be computed as usual.",
    ),
    Mistake(
        "values frozen",
        _variant(name=f"{ATTENTION}.hook_v"),
        "You freeze the values: what there is to carry. Freeze where the heads look, `hook_pattern`.",
    ),
    Mistake(
        "mean over the batch",
        _variant(merge=lambda patterns: torch.stack(patterns).mean((0, 1))),
        "You average over the batch too. Each sequence has its own frozen pattern, the mean over *its* versions.",
    ),
    Mistake(
        "one mean pattern for the batch",
        _variant(merge=lambda patterns: torch.stack(patterns).mean((0, 1)).expand_as(patterns[0])),
        "All your sequences get one pattern, a mean over the batch. Each sequence has its own: the mean over *its* versions.",
    ),
    Mistake(
        "mean over the wrong axis",
        _variant(merge=lambda patterns: torch.stack(patterns).mean(1)),
        "You average over the sequences (axis 1 of the stacked patterns) where the mean is over the endings (axis 0). Each "
        "sequence keeps its own frozen pattern.",
    ),
    Mistake(
        "mean over the heads",
        _variant(merge=lambda patterns: torch.stack(patterns).mean((0, 2)).unsqueeze(1)),
        "You average over the heads. Each head has its own frozen pattern.",
    ),
    Mistake(
        "one head frozen",
        _variant(instead=_first_head_only),
        "You freeze head 0 only. The pattern of every head is replaced.",
    ),
    Mistake(
        "sum of the patterns",
        _variant(merge=lambda patterns: torch.stack(patterns).sum(0)),
        "You add up the patterns: their rows no longer sum to 1. Take their mean.",
    ),
    Mistake(
        "last ending only",
        _variant(merge=lambda patterns: patterns[-1]),
        "You keep the pattern of the last ending only. Collect those of all endings, and take their mean.",
    ),
    Mistake(
        "first ending only",
        _variant(merge=lambda patterns: patterns[0]),
        "You keep the pattern of the first ending only. Take the mean over all endings.",
    ),
    Mistake(
        "own pattern averaged in",
        _variant(endings=lambda model, tokens, endings: [*endings, tokens[:, -1]]),  # type: ignore[arg-type,return-value]
        "The pattern of the true last token is in your mean. The mean is over the versions that end with `endings` only.",
    ),
    Mistake(
        "endings of the sequences",
        _variant(endings=lambda model, tokens, endings: tokens[:, -1]),
        "Your versions end with the last tokens of `tokens`. They are to end with the tokens in `endings`, each in turn.",
    ),
    Mistake(
        "each ending of the sequences once",
        _variant(endings=lambda model, tokens, endings: tokens[:, -1].unique()),
        "Your versions end with the different last tokens of `tokens`. They are to end with the tokens in `endings`.",
    ),
    Mistake(
        "whole vocabulary",
        _variant(endings=_vocabulary),
        "You average over all tokens of the vocabulary. Average over those in `endings`.",
    ),
    Mistake(
        "first place changed",
        _variant(ending_place=0),
        "Your versions differ in their first token. It is the last one that is exchanged.",
    ),
    Mistake(
        "uniform pattern",
        _variant(instead=_uniform),
        "Your heads look at all places alike. Where they look is still to depend on the rest of the sequence: take the mean "
        "of their patterns.",
    ),
    Mistake(
        "mean of the answers",
        _mean_of_answers,
        "You average the *answers* over the endings. Average the patterns, then answer the question with its own last token.",
    ),
    Mistake(
        "a run for each ending",
        _run_for_each_ending,
        "You run the model once with the pattern of each version and average the *logits*. With an MLP that is not the same: "
        "average the patterns, and run the model once with their mean.",
    ),
    Mistake(
        "MLP left out",
        _without_mlp,
        "You leave the MLP out, which reads what the heads have written and adds to the stream. The model may have one: replace "
        "the pattern with a hook (`run_with_hooks`), and the model computes all else as usual.",
    ),
    Mistake(
        "answer to the last version",
        _answers_of_the_last_version,
        "You run the frozen model on the version with the last ending. Run it on `tokens`: all but the pattern is as usual.",
    ),
    Mistake(
        "all places",
        _variant(place=slice(None)),
        "You return the logits of all places. Those of the last one are wanted.",
    ),
    Mistake(
        "first place",
        _variant(place=(slice(None), 0)),
        "You return the logits of the first place. Those of the last one are wanted.",
    ),
    Mistake(
        "tokens written on",
        _tokens_written_on,
        "You write the endings into `tokens` itself, so the question has lost its last token when you ask it. Write into a "
        "copy: `version = tokens.clone()`.",
    ),
    Mistake(
        "hook left behind",
        _hook_left,
        "Your hook is still in the model, which from now on answers everybody with this frozen pattern. `run_with_hooks` takes "
        "its hooks away again.",
    ),
]


def _inputs(shape: Shape, batch: int, pos: int, endings: list[int], seed: int) -> Inputs:
    return model_of(shape, seed), random_tokens(batch, pos, vocab=shape.vocab, seed=seed), torch.tensor(endings)


def _wanted(model: Transformer, tokens: Tensor, endings: Tensor) -> Tensor:
    """Sequence after sequence, in NumPy."""
    weights, rows = model.state_dict(), []
    for sequence in tokens:
        runs = [forward(weights, torch.cat([sequence[:-1], e[None]])) for e in endings]
        frozen = {place: np.mean([run.patterns[place] for run in runs], 0) for place in runs[0].patterns}
        rows.append(torch.from_numpy(forward(weights, sequence, patterns=frozen).logits[-1]))
    return torch.stack(rows)


def _cases() -> list[Inputs]:
    return [
        _inputs(Shape(9, 6, 8, 3, 4), 5, 4, [1, 5], seed=61),
        _inputs(Shape(7, 5, 6, 2, 9, mlp=11, out=8), 2, 3, [6, 2, 4], seed=62),
    ]


@check(
    reference=patching.frozen_logits,
    alternatives=[_one_batch, _last_row_only, _through_z],
    mistakes=MISTAKES,
    cases=_cases,
)
def test_frozen_logits(answer: Any) -> None:
    """Compute what a one-layer model would answer if where it looks did not depend on the last token."""
    for seed, (shape, batch, pos, endings) in enumerate(
        (
            (Shape(vocab=7, ctx=4, model=6, heads=1, head=5), 3, 4, [2, 5]),
            (Shape(vocab=9, ctx=7, model=8, heads=3, head=4), 2, 5, [8, 0, 3, 6]),
            (Shape(vocab=8, ctx=5, model=10, heads=2, head=3, mlp=12, out=11), 4, 3, [1, 7, 4]),
            (Shape(vocab=5, ctx=9, model=7, heads=4, head=2), 1, 6, [3]),
        )
    ):
        model, tokens, chosen = _inputs(shape, batch, pos, endings, seed)
        if seed == 1:
            tokens, chosen = noncontiguous(tokens), noncontiguous(chosen)
        if seed == 2:
            model = model.float()
        logits = call(answer, model, tokens, chosen)
        parts = f"{shape.heads} head{'s' * (shape.heads > 1)}{' and an MLP' * (shape.mlp is not None)}"
        what = f"the last logits of a model with {parts}, frozen over the endings {endings}"
        outputs = shape.vocab if shape.out is None else shape.out
        expect_shape(logits, (batch, outputs), what=what, why="One row for each sequence, one column for each logit.")
        expect_dtype(logits, "float", what=what)
        expect_finite(logits, what=what)
        expect_close(
            logits,
            _wanted(model, tokens, chosen),
            what=what,
            why="Worked out sequence by sequence, with the mean pattern in place of each head's own.",
        )
