"""Exercise: is it a previous-token head, or an induction head?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import heads
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_dtype, expect_shape, noncontiguous
from course_utils.checks.induction.inputs import attention, targets

Pair = tuple[Tensor, Tensor]


def _off_diagonal(pattern: Tensor, offset: int = -1) -> Tensor:
    return pattern.diagonal(offset, 2, 3)  # (batch, head, place)


def _previous(pattern: Tensor, targets: Tensor) -> Tensor:
    return _off_diagonal(pattern).mean((0, 2))


def _at(pattern: Tensor, places: Tensor) -> Tensor:
    """Attention to one place for each query: (batch, query, head); place −1 is the last."""
    batch, query = torch.arange(len(pattern))[:, None], torch.arange(pattern.shape[2])
    return pattern[batch, :, query, places]


def _prefix(pattern: Tensor, targets: Tensor) -> Tensor:
    return _at(pattern, targets)[targets >= 0].mean(0)


def _variant(previous: Callable[..., Tensor] = _previous, prefix: Callable[..., Tensor] = _prefix) -> Any:
    """A wrong answer that differs in one of the two scores."""
    return lambda pattern, targets: (previous(pattern, targets), prefix(pattern, targets))


def _mean_of_means(pattern: Tensor, targets: Tensor) -> Tensor:
    return torch.stack([_prefix(p[None], t[None]) for p, t in zip(pattern, targets, strict=True)]).mean(0)


def _first_counted(pattern: Tensor, targets: Tensor) -> Tensor:
    return (_off_diagonal(pattern).sum(2) + pattern[:, :, 0, 0]).mean(0) / pattern.shape[2]


def _divided_by_all(pattern: Tensor, targets: Tensor) -> Tensor:
    return _off_diagonal(pattern).sum(2).mean(0) / pattern.shape[2]


def _where_there_is_a_target(pattern: Tensor, targets: Tensor) -> Tensor:
    there = targets[:, 1:] >= 0
    return _off_diagonal(pattern).transpose(1, 2)[there].mean(0)


def _share_of_hits(pattern: Tensor, targets: Tensor) -> Tensor:
    hits = pattern.argmax(3).transpose(1, 2) == targets[..., None]
    return hits[targets >= 0].double().mean(0)


def _loops(pattern: Tensor, targets: Tensor) -> Pair:
    """Number by number."""
    p, t = pattern.tolist(), targets.tolist()
    rows, places = range(len(t)), range(len(t[0]))
    previous, prefix = [], []
    for head in range(len(p[0])):
        seen = [p[b][head][i][i - 1] for b in rows for i in places if i > 0]
        hits = [p[b][head][i][t[b][i]] for b in rows for i in places if t[b][i] >= 0]
        previous.append(sum(seen) / len(seen))
        prefix.append(sum(hits) / len(hits) if hits else math.nan)
    return torch.tensor(previous, dtype=torch.float64), torch.tensor(prefix, dtype=torch.float64)


def _by_one_hot(pattern: Tensor, targets: Tensor) -> list[Tensor]:
    """Masks as numbers, in single precision, in a list."""
    n = pattern.shape[-1]
    before = torch.diag(torch.ones(n - 1), -1)
    hit = (targets[..., None] == torch.arange(n)).float()
    p = pattern.float()
    previous = torch.einsum("bhqk,qk->h", p, before) / (len(p) * (n - 1))
    return [previous, torch.einsum("bhqk,bqk->h", p, hit) / hit.sum()]


def _numpy(pattern: Tensor, targets: Tensor) -> Any:
    p, t = np.moveaxis(np.asarray(pattern), 1, 3), np.asarray(targets)  # (batch, query, key, head)
    n = t.shape[1]
    i = np.arange(1, n)
    b, q = np.nonzero(t != -1)
    prefix = p[b, q, t[b, q]].sum(0) / len(b) if len(b) else np.full(p.shape[3], np.nan)
    return p[:, i, i - 1].mean((0, 1)), prefix


def _stacked(pattern: Tensor, targets: Tensor) -> Tensor:
    """Both scores as the rows of one tensor, which unpacks like a pair."""
    return torch.stack(_variant()(pattern, targets))


MISTAKES = [
    Mistake(
        "swapped",
        lambda pattern, targets: _variant()(pattern, targets)[::-1],
        "You return the prefix score first. The previous-token score comes first.",
    ),
    Mistake(
        "diagonal above",
        _variant(previous=lambda pattern, targets: _off_diagonal(pattern, 1).mean((0, 2))),
        "You read the diagonal *above* the main one: attention to the place after, which the mask forbids. Query i, key i − 1 "
        "is below it: offset −1.",
    ),
    Mistake(
        "own place",
        _variant(previous=lambda pattern, targets: _off_diagonal(pattern, 0).mean((0, 2))),
        "Your `previous` is attention to the query's own place, the main diagonal. Wanted is the one below: key i − 1.",
    ),
    Mistake(
        "two places back",
        _variant(previous=lambda pattern, targets: _off_diagonal(pattern, -2).mean((0, 2))),
        "Your `previous` is attention to the place two before the query. Wanted is the one right before it.",
    ),
    Mistake(
        "first place counted with its own",
        _variant(previous=_first_counted),
        "You count the first place, which has none before it, with its attention to itself (always 1). Start at place 1.",
    ),
    Mistake(
        "divided by all places",
        _variant(previous=_divided_by_all),
        "You divide by all places. The first has none before it, so there are one fewer to average over.",
    ),
    Mistake(
        "previous only where there is a target",
        _variant(previous=_where_there_is_a_target),
        "You average `previous` only over places that have a target. It does not need one: average over all places but the "
        "first.",
    ),
    Mistake(
        "places without a target read the last one",
        _variant(prefix=lambda pattern, targets: _at(pattern, targets).mean((0, 1))),
        "You average over all places. Where there is no target, −1 silently reads the *last* key, which is almost always "
        "masked. Keep only the places with `targets >= 0`.",
    ),
    Mistake(
        "places without a target read the first one",
        _variant(prefix=lambda pattern, targets: _at(pattern, targets.clamp(min=0)).mean((0, 1))),
        "Where there is no target you count attention to place 0. Leave these places out of the average.",
    ),
    Mistake(
        "average of averages",
        _variant(prefix=_mean_of_means),
        "You average each sequence first, and then the sequences. They have different numbers of targets: average over all "
        "places with a target at once.",
    ),
    Mistake(
        "the earlier occurrence",
        _variant(prefix=lambda pattern, targets: _at(pattern, targets - 1)[targets >= 0].mean(0)),
        "You read the attention to the place before the target, where the query's own token stood. `targets` is already the "
        "place to look at.",
    ),
    Mistake(
        "own place left out",
        _variant(
            prefix=lambda pattern, targets: _at(pattern, targets)[
                (targets >= 0) & (targets < torch.arange(targets.shape[1]))
            ].mean(0)
        ),
        "You leave out places that are their own target. They have one, so they count.",
    ),
    Mistake(
        "query and key exchanged",
        lambda pattern, targets: _variant()(pattern.transpose(2, 3), targets),
        "You read `pattern` with query and key exchanged. Its axes are batch, head, query, key.",
    ),
    Mistake(
        "share of hits",
        _variant(prefix=_share_of_hits),
        "You count how often the target gets the *most* attention. Wanted is how much attention it gets, on average.",
    ),
    Mistake(
        "sums",
        _variant(
            previous=lambda pattern, targets: _off_diagonal(pattern).sum((0, 2)),
            prefix=lambda pattern, targets: _at(pattern, targets)[targets >= 0].sum(0),
        ),
        "You add the attention up. Divide by the number of places, so that scores of different batches compare.",
    ),
    Mistake(
        "averaged over heads",
        lambda pattern, targets: tuple(score.mean() for score in _variant()(pattern, targets)),
        "You average over heads as well. Each head has its own scores: keep that axis.",
    ),
    Mistake(
        "prefix of head 0 only",
        _variant(prefix=lambda pattern, targets: _prefix(pattern, targets)[:1]),
        "Your `prefix` is that of head 0 only, as happens where `gather` gets an index with one head: it reads as many heads as "
        "its index has. Give the index all of them: `.expand(-1, n_heads, -1, -1)`.",
    ),
    Mistake(
        "prefix of head 0 for all heads",
        _variant(prefix=lambda pattern, targets: _prefix(pattern, targets)[:1].expand(pattern.shape[1])),
        "Your `prefix` is that of head 0 for every head. Each head has its own: read `pattern[:, h]` for head h.",
    ),
    Mistake(
        "head 0 only",
        lambda pattern, targets: tuple(score[0] for score in _variant()(pattern, targets)),
        "You give the scores of head 0 only. Keep the axis of heads: one number for each of them.",
    ),
    Mistake(
        "head 0 only, as a list of one",
        lambda pattern, targets: tuple(score[:1] for score in _variant()(pattern, targets)),
        "You give the scores of head 0, and none for the others. There is a number for each head: read them all.",
    ),
    Mistake(
        "head 0 for all heads",
        lambda pattern, targets: tuple(score[:1].expand(len(score)) for score in _variant()(pattern, targets)),
        "You give every head the scores of head 0. Each has its own: read `pattern[:, h]` for head h.",
    ),
    Mistake(
        "each sequence by itself",
        _variant(previous=lambda pattern, targets: _off_diagonal(pattern).mean(2)),
        "Your `previous` still has an axis for sequences. Average over sequences and places: one number for each head.",
    ),
    Mistake(
        "first sequence only",
        lambda pattern, targets: _variant()(pattern[:1], targets[:1]),
        "You score the first sequence only. Average over all of them.",
    ),
    Mistake(
        "0 where nothing has a target",
        _variant(prefix=lambda pattern, targets: _prefix(pattern, targets).nan_to_num()),
        "Where no place has a target you return 0, as if the head looked away from it. Return nan: there is nothing to "
        "measure.",
    ),
]


def _cases() -> list[tuple[Tensor, Tensor]]:
    shapes = ((2, 3, 9), (5, 2, 12))
    return [(attention(b, h, n, seed=50 + n), targets(b, n, vocab=5, seed=60 + n)) for b, h, n in shapes]


@check(
    reference=heads.head_scores,
    alternatives=[_loops, _by_one_hot, _numpy, _stacked],
    mistakes=MISTAKES,
    cases=_cases,
)
def test_head_scores(answer: Any) -> None:
    """Measure for each head its mean attention to the previous place, and to the induction target."""
    pattern = torch.zeros(1, 2, 5, 5, dtype=torch.float64)
    pattern[0, :, 0, 0] = 1
    for i in range(1, 5):  # head 0 looks at the previous place, head 1 half there and half at its own
        pattern[0, 0, i, i - 1] = 1
        pattern[0, 1, i, i - 1] = pattern[0, 1, i, i] = 0.5
    aims = torch.tensor([[-1, -1, 1, -1, 4]])
    previous, prefix = call(answer, pattern, aims, returns=(Tensor, Tensor))
    words = "a head that looks at the previous place, and of one that looks half there and half at its own"
    for score, name in ((previous, "previous"), (prefix, "prefix")):
        expect_shape(score, (2,), what=f"`{name}` of two heads", why="One number for each head.")
        expect_dtype(score, "float", what=f"`{name}`")
    why = "The first place has none before it and does not count."
    expect_close(previous, torch.tensor([1, 0.5]), what=f"`previous` of {words}", why=why)
    expect_close(
        prefix,
        torch.tensor([0.5, 0.5]),
        what=f"`prefix` of {words}, targets {aims[0].tolist()}",
        why="Two places have a target: place 2 looks at place 1, and place 4 at itself.",
    )
    for batch, n_heads, n, vocab in ((4, 3, 7, 4), (1, 5, 4, 2), (3, 2, 11, 6), (6, 1, 5, 3)):
        pattern, aims = attention(batch, n_heads, n, seed=n), targets(batch, n, vocab=vocab, seed=n)
        pattern = noncontiguous(pattern) if n == 11 else pattern.float() if n == 5 else pattern
        found = call(answer, pattern, aims, returns=(Tensor, Tensor))
        what = f"random attention of shape {tuple(pattern.shape)}"
        for name, mine, wanted in zip(("previous", "prefix"), found, _loops(pattern, aims), strict=True):
            expect_close(mine, wanted, what=f"`{name}` of {what}", why="Counted place by place.")
    pattern, aims = attention(2, 3, 6, seed=21), torch.full((2, 6), -1)
    found = call(answer, pattern, aims, returns=(Tensor, Tensor))
    expect_close(found[0], _loops(pattern, aims)[0], what="`previous` where no place has a target")
    expect_close(
        found[1],
        torch.full((3,), math.nan),
        what="`prefix` where no place has a target",
        why="There is nothing to average: it is nan.",
    )
