"""Exercise: where should an induction head look?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import heads
from course_utils.checks.framework import Mistake, call, check, expect, expect_dtype, expect_equal, expect_shape
from course_utils.checks.induction.inputs import earlier, places_after, words


def _by_place(place: Callable[[list[int], int], int]) -> Any:
    """An answer that finds the place for query i of one sequence."""
    return lambda tokens: torch.tensor([[place(row, i) for i in range(len(row))] for row in tokens.tolist()])


def _after(found: list[int], none: int = -1) -> int:
    return max(found) + 1 if found else none


def _same_elsewhere(row: list[int], i: int) -> list[int]:
    return [j for j in range(len(row)) if row[j] == row[i] and j != i]


def _next_occurrence(row: list[int], i: int) -> int:
    later = [j for j in range(i + 1, len(row)) if row[j] == row[i]]
    return later[0] if later else -1


def _own_left_out(row: list[int], i: int) -> int:
    after = _after(earlier(row, i))
    return after if after < i else -1


def _neighbour_skipped(row: list[int], i: int) -> int:
    return _after([j for j in earlier(row, i) if j < i - 1])


def _by_previous(row: list[int], i: int) -> int:
    return _after(earlier(row, i - 1)) if i > 0 else -1


def _token_there(row: list[int], i: int) -> int:
    after = _after(earlier(row, i))
    return row[after] if after >= 0 else -1


def _distance(row: list[int], i: int) -> int:
    return i - max(earlier(row, i)) if earlier(row, i) else -1


def _first_row_for_all(tokens: Tensor) -> Tensor:
    return places_after(tokens)[:1].expand(len(tokens), -1).clone()


def _batch_as_one(tokens: Tensor) -> Tensor:
    """Token i of any sequence counts as an occurrence."""
    n = tokens.shape[1]
    places = [
        [max((j for j in range(i) if (tokens[:, j] == token).any()), default=-2) + 1 for i, token in enumerate(row)]
        for row in tokens
    ]
    return torch.tensor(places).reshape(-1, n)


def _dictionary(tokens: Tensor) -> Tensor:
    """One pass that remembers where each token was last."""
    out = torch.full_like(tokens, -1)
    for b, row in enumerate(tokens.tolist()):
        last: dict[int, int] = {}
        for i, token in enumerate(row):
            if token in last:
                out[b, i] = last[token] + 1
            last[token] = i
    return out


def _by_sorting(tokens: Tensor) -> Tensor:
    """A stable sort puts equal tokens side by side in their order."""
    at = tokens.sort(dim=1, stable=True).indices
    sorted_tokens = tokens.gather(1, at)
    before = torch.where(sorted_tokens[:, 1:] == sorted_tokens[:, :-1], at[:, :-1], -2)
    first = torch.full_like(at[:, :1], -2)
    return torch.empty_like(tokens).scatter(1, at, torch.cat([first, before], 1) + 1)


def _numpy(tokens: Tensor) -> Any:
    x = np.asarray(tokens)
    j = np.arange(x.shape[1])
    same = (x[:, :, None] == x[:, None, :]) & (j[None, :] < j[:, None])
    return np.where(same.any(2), x.shape[1] - same[:, :, ::-1].argmax(2), -1).astype(np.int32)


MISTAKES = [
    Mistake(
        "the earlier occurrence itself",
        _by_place(lambda row, i: max(earlier(row, i), default=-1)),
        "This is the place of the earlier occurrence itself. An induction head looks at the one after it, where the token "
        "stands that followed last time.",
    ),
    Mistake(
        "first in place of latest",
        _by_place(lambda row, i: min(earlier(row, i), default=-2) + 1),
        "Where a token has occurred several times you take its first occurrence. Take the latest one before the query.",
    ),
    Mistake(
        "every other place searched",
        _by_place(lambda row, i: _after(_same_elsewhere(row, i))),
        "You search the whole sequence, so a place can have a target that lies after it. A head sees only what came before: "
        "search places j < i.",
    ),
    Mistake(
        "next occurrence",
        _by_place(_next_occurrence),
        "You look for the token's *next* occurrence. The head cannot see it: look for the latest one before the query.",
    ),
    Mistake(
        "own place counted",
        _by_place(lambda row, i: i + 1),
        "You count the query itself as an occurrence of its token, so every place has a target, and it lies in the future. "
        "Only places j < i count.",
    ),
    Mistake(
        "0 where there is none",
        _by_place(lambda row, i: _after(earlier(row, i), 0)),
        "A token that has not occurred before gets 0, which is a place. Give it −1.",
    ),
    Mistake(
        "length where there is none",
        _by_place(lambda row, i: _after(earlier(row, i), len(row))),
        "A token that has not occurred before gets the length of the sequence. Give it −1.",
    ),
    Mistake(
        "own place not allowed",
        _by_place(_own_left_out),
        "Where a token stands twice in a row you give the second one no target. Its target is the place after the first, which "
        "is its own.",
    ),
    Mistake(
        "neighbour skipped",
        _by_place(_neighbour_skipped),
        "You search places up to i − 2, so a token that stood immediately before is not found. Search all j < i.",
    ),
    Mistake(
        "one place too far",
        _by_place(lambda row, i: max(earlier(row, i), default=-3) + 2),
        "Your targets are two places after the earlier occurrence. Wanted is the one right after it.",
    ),
    Mistake(
        "search for the token before",
        _by_place(_by_previous),
        "You look for the token *before* the query's. The query looks for its own token, and the target comes one place after.",
    ),
    Mistake(
        "the token there",
        _by_place(_token_there),
        "You return the token that stands at the target. Return its place.",
    ),
    Mistake(
        "distance",
        _by_place(_distance),
        "You return how far back the token occurred. Return a place in the sequence: the one after that occurrence.",
    ),
    Mistake(
        "first sequence for all",
        _first_row_for_all,
        "Every row gets the targets of the first sequence. Each sequence has its own.",
    ),
    Mistake(
        "other sequences searched",
        _batch_as_one,
        "You also find tokens that occur in *other* sequences of the batch. Each row is searched by itself.",
    ),
]


@check(
    reference=heads.induction_targets,
    alternatives=[_dictionary, _by_sorting, _numpy],
    mistakes=MISTAKES,
    cases=lambda: [(words(4, 9, vocab=5, seed=31),), (words(3, 14, vocab=4, seed=32),)],
)
def test_induction_targets(answer: Any) -> None:
    """For each place give the place after the latest earlier occurrence of its token, or −1."""
    row = [7, 2, 8, 7, 2, 2, 9, 7]
    found = call(answer, torch.tensor([row]))
    expect_shape(found, (1, 8), what=f"the targets of {row}", why="One place for each place of each sequence.")
    expect_dtype(found, "int", what="the targets", why="Places are whole numbers.")
    for i, wanted in enumerate([-1, -1, -1, 1, 2, 5, -1, 4]):
        last = max(earlier(row, i), default=-1)
        seen = f"that token stood last at place {last}" if last >= 0 else "that token has not occurred before"
        expect(
            int(found[0, i]) == wanted,
            what=f"the target of place {i} in {row}, counted from 0",
            why=f"Place {i} holds {row[i]}, and {seen}.",
            expected=str(wanted),
            got=str(int(found[0, i])),
        )
    wide = words(4, 30, vocab=6, seed=3)
    # Large ones, of which some are alike in what is left after a division.
    far_apart = 3 + torch.tensor([0, 64, 100, 113, 256, 1000, 1024, 50_257, 65_536])
    for what, tokens in (
        ("three random sequences of 6 different tokens", words(3, 11, vocab=6, seed=1)),
        ("five random sequences of 2 different tokens", words(5, 9, vocab=2, seed=2)),
        ("every second place of longer sequences", wide[:, ::2]),
        ("a sequence of different tokens", 5000 * torch.randperm(7, generator=torch.Generator().manual_seed(4))[None]),
        ("a sequence of one token all over", torch.zeros(2, 5, dtype=torch.long)),
        ("sequences of one token", words(3, 1, vocab=4, seed=5)),
        ("sequences of 40 tokens", words(2, 40, vocab=9, seed=6)),
        (f"sequences of the tokens {far_apart.tolist()}", far_apart[words(3, 25, vocab=9, seed=7)]),
        ("a sequence of 300 tokens from 4000 on", 4000 + words(1, 300, vocab=70, seed=8)),
    ):
        found = call(answer, tokens)
        expect_shape(found, tuple(tokens.shape), what=f"the targets of {what}")
        expect_dtype(found, "int", what=f"the targets of {what}")
        after = places_after(tokens)
        expect_equal(found, after, what=f"the targets of {what}", why="Searched place by place.")
