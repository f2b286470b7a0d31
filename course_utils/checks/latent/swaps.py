"""Exercise: documents with two words exchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.checks.framework import Mistake, call, check, expect_dtype, expect_equal, expect_shape, noncontiguous
from course_utils.checks.latent.inputs import documents
from course_utils.tasks import testbed


def _token_by_token(tokens: Tensor, first: int, second: int) -> Tensor:
    other = {first: second, second: first}
    return torch.tensor([[other.get(token, token) for token in row] for row in tokens.tolist()])


def _in_a_copy(tokens: Tensor, first: int, second: int) -> Tensor:
    """Both places are looked up before either is written."""
    found, here, there = tokens.clone(), tokens == first, tokens == second
    found[here], found[there] = second, first
    return found


def _table(tokens: Tensor, first: int, second: int) -> Any:
    """NumPy: what becomes of each token, whatever it is."""
    table = np.arange(max(int(tokens.max()), first, second) + 1)
    table[[first, second]] = second, first
    return table[tokens.numpy()]


def _by_differences(tokens: Tensor, first: int, second: int) -> Tensor:
    """With arithmetic, and other strides in memory."""
    rows = tokens.T.contiguous()
    return (rows + (second - first) * ((rows == first).to(rows) - (rows == second).to(rows))).T


def _where(replace: Callable[[Tensor, int, int], Tensor], at: Callable[[Tensor], Tensor]) -> Any:
    """A wrong answer: exchanged in some places only."""
    return lambda tokens, first, second: torch.where(at(tokens), replace(tokens, first, second), tokens)


def _one_after_the_other(tokens: Tensor, first: int, second: int) -> Tensor:
    tokens = torch.where(tokens == first, second, tokens)
    return torch.where(tokens == second, first, tokens)


def _in_place(tokens: Tensor, first: int, second: int) -> Tensor:
    return tokens.copy_(_in_a_copy(tokens, first, second))


def _in_place_one_after_the_other(tokens: Tensor, first: int, second: int) -> Tensor:
    tokens[tokens == first] = second
    tokens[tokens == second] = first
    return tokens


def _columns(tokens: Tensor, first: int, second: int) -> Tensor:
    found = tokens.clone()
    found[:, first], found[:, second] = tokens[:, second], tokens[:, first]
    return found


def _rows(tokens: Tensor, first: int, second: int) -> Tensor:
    found = tokens.clone()
    found[first], found[second] = tokens[second], tokens[first]
    return found


def _place(index: int) -> Callable[[Tensor], Tensor]:
    def at(tokens: Tensor) -> Tensor:
        return (torch.arange(tokens.shape[1]) == index % tokens.shape[1]).expand(tokens.shape)

    return at


def _first_of_each(tokens: Tensor, first: int, second: int) -> Tensor:
    """Only the first place in each document where each of the two stands."""
    here, there = tokens == first, tokens == second
    once = (here & (here.cumsum(1) == 1)) | (there & (there.cumsum(1) == 1))
    return torch.where(once, _in_a_copy(tokens, first, second), tokens)


def _where_both(tokens: Tensor, first: int, second: int) -> Tensor:
    both = (tokens == first).any(1, keepdim=True) & (tokens == second).any(1, keepdim=True)
    return torch.where(both, _in_a_copy(tokens, first, second), tokens)


def _where_first(tokens: Tensor, first: int, second: int) -> Tensor:
    return torch.where((tokens == first).any(1, keepdim=True), _in_a_copy(tokens, first, second), tokens)


MISTAKES = [
    Mistake(
        "all first",
        _one_after_the_other,
        "Both words have become `first`. Do you write `second` over `first`, and then `first` over every `second`, the new "
        "ones as well? Or is one of the two replacements missing? Look both words up in the documents as they were.",
    ),
    Mistake(
        "all second",
        lambda tokens, first, second: _one_after_the_other(tokens, second, first),
        "Both words have become `second`. Do you write `first` over `second`, and then `second` over every `first`, the new ones "
        "as well? Or is one of the two replacements missing? Look both words up in the documents as they were.",
    ),
    Mistake(
        "in place",
        _in_place,
        "What you return is right, but you have written it on `tokens` itself, and the documents as they were are still needed. "
        "Make new ones: `torch.where`, or `tokens.clone()` first.",
    ),
    Mistake(
        "in place, one after the other",
        _in_place_one_after_the_other,
        "You write on `tokens` itself, first one word and then the other, so that all have become `first` and the documents as "
        "they were are gone. Look both words up before you write, and write on a copy.",
    ),
    Mistake(
        "position 0",
        _where(_in_a_copy, _place(0)),
        "You exchange at position 0 only. The two may stand anywhere.",
    ),
    Mistake(
        "last position",
        _where(_in_a_copy, _place(-1)),
        "You exchange at the last position only. The two may stand anywhere.",
    ),
    Mistake(
        "position 1",
        _where(_in_a_copy, _place(1)),
        "You exchange at position 1 only. The two may stand anywhere.",
    ),
    Mistake(
        "once a document",
        _first_of_each,
        "You exchange only the first `first` and the first `second` of a document. A word may stand there more than once.",
    ),
    Mistake(
        "where both are",
        _where_both,
        "You change only documents that have both. A document with one of the two gets the other.",
    ),
    Mistake(
        "where the first is",
        _where_first,
        "You change only documents that have `first`. One with `second` alone gets `first`.",
    ),
    Mistake(
        "reflected",
        lambda tokens, first, second: first + second - tokens,
        "You take every token from `first + second`. That exchanges the two, and changes all others, which are to stay.",
    ),
    Mistake(
        "bits",
        lambda tokens, first, second: tokens ^ first ^ second,
        "You flip the bits in which the two differ in every token. That exchanges the two, and changes all others, which are to "
        "stay.",
    ),
    Mistake(
        "anything else",
        lambda tokens, first, second: torch.where(tokens == first, second, first),
        "Everything that was not `first` has become `first`. Tokens that are neither of the two stay as they are.",
    ),
    Mistake(
        "columns",
        _columns,
        "You exchange the positions with these numbers. `first` and `second` are tokens, which may stand at any position.",
    ),
    Mistake(
        "rows",
        _rows,
        "You exchange the documents with these numbers. `first` and `second` are tokens: the documents keep their order.",
    ),
    Mistake(
        "mask",
        lambda tokens, first, second: (tokens == first) | (tokens == second),
        "You return where the two stand. Wanted are the documents, with the two exchanged.",
    ),
    Mistake(
        "floats",
        lambda tokens, first, second: _in_a_copy(tokens, first, second).float(),
        "Your tokens are floating-point numbers, and a network looks tokens up by whole ones. Stay with the dtype of `tokens`.",
    ),
]


@check(
    reference=testbed.swapped,
    alternatives=[_in_a_copy, _table, _token_by_token, _by_differences],
    mistakes=MISTAKES,
    cases=lambda: [
        (documents(8, 7, 6, 60), 2, 4),
        (documents(12, 5, 5, 70), 3, 1),
        (documents(9, 6, 5, 80), 0, 4),
    ],
)
def test_swapped(answer: Any) -> None:
    """Exchange two tokens wherever they stand."""
    tokens = torch.tensor([[5, 1, 3, 0], [3, 3, 5, 2], [1, 4, 4, 1], [2, 1, 1, 0], [0, 2, 3, 3]])
    found = call(answer, tokens, 1, 3)
    what = "five documents with 1 and 3 exchanged"
    expect_shape(found, (5, 4), what=what, why="Documents keep their length.")
    expect_dtype(found, "int", what=what, why="A network looks tokens up by whole numbers.")
    wanted = torch.tensor([[5, 3, 1, 0], [1, 1, 5, 2], [3, 4, 4, 3], [2, 3, 3, 0], [0, 2, 1, 1]])
    for row, got, want in zip(tokens.tolist(), found, wanted, strict=True):
        expect_equal(
            got, want, what=f"{row} with 1 and 3 exchanged", why="3 for each 1, 1 for each 3, others as before."
        )
    for n, pos, words, first, second in (
        (7, 9, 6, 4, 2),
        (20, 6, 11, 0, 10),
        (13, 4, 5, 1, 2),
        (1, 30, 8, 7, 3),
        (9, 1, 3, 2, 0),
    ):
        tokens = documents(n, pos, words, seed=n, dtype=torch.int32 if n == 13 else torch.int64)
        if n == 20:
            tokens = noncontiguous(tokens)
        found = call(answer, tokens, first, second)
        what = f"{n} document{'s' * (n > 1)} of {pos} token{'s' * (pos > 1)} with {first} and {second} exchanged"
        expect_shape(found, (n, pos), what=what, why="Documents keep their length.")
        expect_dtype(found, "int", what=what, why="A network looks tokens up by whole numbers.")
        expect_equal(found, _token_by_token(tokens, first, second), what=what, why="Exchanged token by token.")
    tokens = documents(6, 5, 4, seed=3)
    why = "Neither of them is in these documents: nothing changes."
    expect_equal(call(answer, tokens, 7, 5), tokens, what="documents of tokens 0 to 3 with 7 and 5 exchanged", why=why)
