"""What does a network of two heads do on sequences with a copied span, and if it is not what is wanted, why not?

A plain forward pass in NumPy, and sentences for the ways in which a construction by hand goes wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from course_utils.checks.framework import expect
from course_utils.checks.induction.inputs import with_copy

Array = NDArray[np.float64]
ENOUGH = 0.99


class Batch(NamedTuple):
    """Sequences of one length, and from which place each token was copied (−1: not copied)."""

    rows: list[list[int]]
    source: list[list[int]]


class Run(NamedTuple):
    """What the network did: attention of both heads (batch, query, key), and logits (batch, pos, vocab)."""

    looks: tuple[Array, Array]
    logits: Array


def batches(vocab: int, n_ctx: int, most: int = 24) -> Iterator[Batch]:
    """Sequences of several lengths, short ones first: spans from 2 up, gaps from 0 up, starts from 0 up."""
    for length in sorted({4, n_ctx // 2 + 1, n_ctx - 1, n_ctx}):
        kinds = [
            (span, start, gap)
            for span in range(max(2, length - vocab), length // 2 + 1)
            for start in range(length - 2 * span + 1)
            for gap in range(length - 2 * span - start + 1)
        ]
        kept = kinds[:: -(-len(kinds) // most)] if kinds else []
        pairs = [with_copy(vocab, length, *kind, seed=1000 * length + i) for i, kind in enumerate(kept)]
        if pairs:
            yield Batch([row for row, _ in pairs], [source for _, source in pairs])


def forward(weights: dict[str, Array], batch: Batch) -> Run:
    """Embed, let the heads add what they read, unembed; no LayerNorm, no biases."""
    rows = np.array(batch.rows)
    n = rows.shape[1]
    x = weights["embed.W_E"][rows] + weights["pos_embed.W_pos"][:n]
    looks = []
    with np.errstate(all="ignore"):  # weights too large are told of in words
        for layer in (0, 1):
            q, k, v = (x @ weights[f"blocks.{layer}.attn.W_{name}"][0] for name in "QKV")
            scores = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[2])
            scores = np.where(np.tri(n, dtype=bool), scores, -np.inf)
            scores = np.exp(scores - scores.max(2, keepdims=True))
            looks.append(scores / scores.sum(2, keepdims=True))
            x = x + looks[-1] @ v @ weights[f"blocks.{layer}.attn.W_O"][0]
        return Run((looks[0], looks[1]), x @ weights["unembed.W_U"])


def expect_head_0_looks_back(runs: list[Run], given: str, d_head: int) -> None:
    """Head 0 gives the place before nearly all attention, at every place but the first."""
    failing = [
        (look, i) for run in runs for look in run.looks[0] for i in range(1, len(look)) if not look[i, i - 1] >= ENOUGH
    ]
    if not failing:
        return
    last = max(run.logits.shape[1] for run in runs) - 1  # a shift may wrap around there
    rows = [(look[i, : i + 1], i) for look, i in failing]
    telling = [(look, i) for look, i in rows if 2 <= i < last] or rows
    tops = {i - int(look.argmax()) for look, i in telling}
    if all((run.looks[1].diagonal(-1, 1, 2) > 0.9).all() for run in runs):
        why = (
            "It is head 1 that looks at the place before: are the two layers exchanged? The head that looks one place back comes "
            "first, in `blocks.0`, because the other one reads what it writes."
        )
    elif all(np.ptp(look) < 1e-3 for look, _ in telling):
        why = (
            "Head 0 spreads its attention evenly: all scores of a query are equal. Its W_Q and W_K are both to read the room "
            "of the stream into which W_pos writes, and the query of place i is to match the key of place i − 1 (not i + 1, "
            "which it cannot see)."
        )
    elif tops == {1}:
        why = _not_sharp("Head 0", d_head)
    elif any(np.ptp(run.looks[0], axis=0).max() > 0.01 for run in runs):
        why = (
            "Where head 0 looks depends on the tokens. Its queries and keys are to read the place only, nothing that W_E "
            "writes."
        )
    elif tops == {0}:
        why = (
            "Head 0 looks at its own place: the query of place i matches the key of place i. Shift one of the two by one, so "
            "that it matches the key of place i − 1."
        )
    elif len(tops) == 1:
        why = f"Head 0 looks {tops.pop()} places back. The query of place i is to match the key of place i − 1."
    elif all(look[i - 1] < look.max() / 2 and look[i - 1] == look.min() for look, i in telling):
        why = "Head 0 avoids the place before: a sign is wrong in W_Q or W_K."
    else:
        why = "The query of place i is to match the key of place i − 1, and no other key of places 0 … i."
    look, i = failing[0]
    expect(
        False,
        what=f"head 0 does not look at the place before {given}",
        why=why,
        expected=f"at place {i} at least {ENOUGH:.0%} of its attention on place {i - 1}",
        got=f"{look[i, i - 1]:.1%} of it, {_most(look[i], i)}",
    )


def expect_head_1_looks_after(runs: list[Run], all_batches: list[Batch], given: str, d_head: int) -> None:
    """Head 1 gives nearly all attention to the place after the earlier occurrence, wherever there was one."""
    asked = [
        (look[i, : i + 1], i, s, row)
        for run, batch in zip(runs, all_batches, strict=True)
        for look, row, source in zip(run.looks[1], batch.rows, batch.source, strict=True)
        for i, s in enumerate(source)
        if s >= 0
    ]
    failing = [one for one in asked if not one[0][one[2] + 1] >= ENOUGH]
    if not failing:
        return
    look, i, s, row = failing[0]
    own_token = [look[s] + look[i] * (s + 1 != i) for look, i, s, _ in failing]
    if all(s == 0 and look[0] > 0.1 for look, _, s, _ in failing):
        why = (
            "Place 0 matches as well. It has none before it, so head 0 looks at place 0 itself there and writes the first "
            "token into place 0 as if it stood before it. Whoever asks for the first token then finds two places: 0 and 1. "
            "Make all queries of head 1 avoid place 0, or keep head 0 from writing there."
        )
    elif all(look[0] > 0.9 for look, *_ in failing):
        why = (
            "Head 1 looks at place 0, whatever the query asks for. If a term is to keep the queries away from there, its sign "
            "is wrong: query times key is to be negative."
        )
    elif min(own_token) > 0.9:
        why = (
            "Head 1 finds the query's token itself, not the place after it. Its queries are made of the token, its keys are "
            "to be made of the token *before* each place, which head 0 has written into the stream."
        )
    elif all(np.ptp(look[1:]) < 1e-3 for look, *_ in failing):
        why = (
            "Head 1 spreads its attention evenly: its queries match no key. Does head 0 write the token before (W_V W_O) into "
            "the room that W_K of head 1 reads, in the order of axes that its W_Q uses?"
        )
    elif all(look.argmax() == s + 1 for look, _, s, _ in failing):
        why = _not_sharp("Head 1", d_head)
    elif all(look[i - 1] > 0.4 for look, i, *_ in failing):
        why = (
            "Head 1 looks at the place before the query. Its queries are to be made of the token, its keys of the token "
            "before: are the two exchanged?"
        )
    else:
        why = (
            f"Place {i} holds token {row[i]}, which stood at place {s} before. Its query is to match the key of place "
            f"{s + 1}, into which head 0 has carried that token, and no other."
        )
    expect(
        False,
        what=f"head 1 does not look at the place after the earlier occurrence {given}",
        why=why,
        expected=f"in {row}, place {i}: at least {ENOUGH:.0%} of its attention on place {s + 1}",
        got=f"{look[s + 1]:.1%} of it, {_most(look, i)}",
    )


def expect_copies_continued(run: Run, batch: Batch, given: str) -> None:
    """The token that comes next has the largest logit at every place inside a copy but its last."""
    tolerance = 1e-6 * max(float(np.abs(run.logits).max()), 1e-300)
    for b, (row, source) in enumerate(zip(batch.rows, batch.source, strict=True)):
        for i in range(len(row) - 1):
            if source[i] < 0 or source[i + 1] != source[i] + 1:
                continue
            logits, right = run.logits[b, i], row[i + 1]
            rivals = np.delete(logits, right)
            if logits[right] > rivals.max() + tolerance:
                continue
            rival = int(np.where(np.arange(len(logits)) == right, -np.inf, logits).argmax())
            raised = logits[right] > np.median(logits) + tolerance
            if rival == row[i] and raised:
                why = (
                    "The query's own token is as loud as the copied one, or louder: the embedding has put it into the stream, "
                    "and W_U reads it too. Let head 1 write louder than the embedding does."
                )
            elif logits[right] < np.median(logits) - tolerance:
                why = "What head 1 writes *lowers* the logit of the token it looks at: a sign is wrong in W_V, W_O or W_U."
            elif rival == row[i]:
                why = (
                    "The query's own token has the largest logit, and the token that head 1 looks at has none. What head 1 "
                    "carries (W_V W_O) is to be the token *of* that place, written where W_U reads."
                )
            elif i and rival == row[i - 1]:
                why = (
                    "The token before the query has the largest logit: W_U reads what head 0 has written. Let head 0 write "
                    "where W_U does not read."
                )
            elif not raised:
                why = "What head 1 carries does not raise the logit of the token it looks at: follow W_V, W_O and W_U."
            else:
                why = "Other tokens than those in the stream are not to be raised: follow W_V, W_O and W_U."
            expect(
                False,
                what=f"the network does not continue the copy {given}",
                why=why,
                expected=f"in {row}, after place {i}: the largest logit for token {right}",
                got=f"{logits[right]:.4g} for token {right}, {logits[rival]:.4g} for token {rival}",
            )


def _not_sharp(head: str, d_head: int) -> str:
    return (
        f"{head} looks at the right place most, but not by enough: its scores lie too close together for the softmax. They "
        f"are divided by √d_head (here √{d_head}), so make W_Q larger by that factor; a lead of 15 is plenty."
    )


def _most(look: Array, i: int) -> str:
    top = int(look.argmax())
    return f"and most, {look[top]:.1%}, on {'its own place' if top == i else f'place {top}'}"
