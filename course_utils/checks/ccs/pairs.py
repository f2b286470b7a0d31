"""Exercise: each prompt stated both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from course_utils.checks.framework import Mistake, call, check, expect_dtype, expect_equal, expect_shape, noncontiguous
from course_utils.tasks import testbed

Sides = tuple[Tensor, Tensor]


def _list_by_list(prompts: Tensor, positive: int, negative: int, stop: int) -> Sides:
    rows = prompts.tolist()
    stated = [torch.tensor([[*row, word, stop] for row in rows]) for word in (positive, negative)]
    return stated[0], stated[1]


def _filled_in(prompts: Tensor, positive: int, negative: int, stop: int) -> Any:
    """Room for both sides at once."""
    n, length = prompts.shape
    both = torch.full((2, n, length + 2), stop)
    both[:, :, :length] = prompts
    both[0, :, length], both[1, :, length] = positive, negative
    return list(both)


def _numpy(prompts: Tensor, positive: int, negative: int, stop: int) -> Any:
    x = np.asarray(prompts)
    behind = [np.tile(np.array([word, stop]), (len(x), 1)) for word in (positive, negative)]
    return tuple(np.hstack([x, tokens]) for tokens in behind)


def _behind(prompts: Tensor, *tokens: int) -> Int[Tensor, "n pos"]:
    """The prompts with these tokens behind each."""
    return torch.cat([prompts, prompts.new_tensor(tokens).expand(len(prompts), -1)], 1)


def _in_front(prompts: Tensor, *tokens: int) -> Int[Tensor, "n pos"]:
    return torch.cat([prompts.new_tensor(tokens).expand(len(prompts), -1), prompts], 1)


def _each(side: Callable[[Tensor, int, int], Tensor]) -> Any:
    """A wrong answer: something else is made of the prompts, the word and the stop on both sides."""
    return lambda prompts, positive, negative, stop: (side(prompts, positive, stop), side(prompts, negative, stop))


def _interleaved(prompts: Tensor, positive: int, negative: int, stop: int) -> Int[Tensor, "2*n pos"]:
    return torch.stack([_behind(prompts, positive, stop), _behind(prompts, negative, stop)], 1).flatten(0, 1)


def _as_floats(prompts: Tensor, positive: int, negative: int, stop: int) -> Sides:
    columns = [torch.full((len(prompts), 1), float(token)) for token in (positive, negative, stop)]
    return torch.cat([prompts, columns[0], columns[2]], 1), torch.cat([prompts, columns[1], columns[2]], 1)


def _stacked(prompts: Tensor, positive: int, negative: int, stop: int) -> Tensor:
    """Both sides in one tensor, which unpacks like two."""
    return torch.stack([_behind(prompts, positive, stop), _behind(prompts, negative, stop)])


MISTAKES = [
    Mistake(
        "sides exchanged",
        lambda prompts, positive, negative, stop: (_behind(prompts, negative, stop), _behind(prompts, positive, stop)),
        "You return the sides in the wrong order. The one with `positive` comes first.",
    ),
    Mistake(
        "no stop",
        _each(lambda prompts, word, stop: _behind(prompts, word)),
        "The stop is missing. It comes behind the word on both sides: the network is read there, where the statement is "
        "complete.",
    ),
    Mistake(
        "stop in front of the word",
        _each(lambda prompts, word, stop: _behind(prompts, stop, word)),
        "The stop comes before the word. The word completes the statement, and the stop ends it.",
    ),
    Mistake(
        "both positive",
        lambda prompts, positive, negative, stop: (_behind(prompts, positive, stop), _behind(prompts, positive, stop)),
        "Both sides have the word `positive`. The second is to have `negative`.",
    ),
    Mistake(
        "both negative",
        lambda prompts, positive, negative, stop: (_behind(prompts, negative, stop), _behind(prompts, negative, stop)),
        "Both sides have the word `negative`. The first is to have `positive`.",
    ),
    Mistake(
        "in front of the prompt",
        _each(lambda prompts, word, stop: _in_front(prompts, word, stop)),
        "You put word and stop in front of the prompts. The statement ends with them: put them behind.",
    ),
    Mistake(
        "word in front, stop behind",
        _each(lambda prompts, word, stop: _behind(_in_front(prompts, word), stop)),
        "You put the word in front of the prompts. It stands behind them, before the stop.",
    ),
    Mistake(
        "last token replaced",
        _each(lambda prompts, word, stop: _behind(prompts[:, :-1], word, stop)),
        "You replace each prompt's last token. Keep the whole prompt, and put two tokens behind it.",
    ),
    Mistake(
        "last two tokens replaced",
        _each(lambda prompts, word, stop: _behind(prompts[:, :-2], word, stop)),
        "You write over the last two tokens of each prompt. Both sides are two tokens longer than the prompts.",
    ),
    Mistake(
        "word before the last token",
        _each(
            lambda prompts, word, stop: _behind(torch.cat([_behind(prompts[:, :-1], word), prompts[:, -1:]], 1), stop)
        ),
        "You put the word before each prompt's last token. It comes behind the whole prompt.",
    ),
    Mistake(
        "stop on the positive side only",
        lambda prompts, positive, negative, stop: (_behind(prompts, positive, stop), _behind(prompts, negative)),
        "Only the positive side has a stop. Both need it, so that both are read at the same place.",
    ),
    Mistake(
        "stop on the negative side only",
        lambda prompts, positive, negative, stop: (_behind(prompts, positive), _behind(prompts, negative, stop)),
        "Only the negative side has a stop. Both sides need one, so that both are read at the same place.",
    ),
    Mistake(
        "two stops",
        _each(lambda prompts, word, stop: _behind(prompts, word, stop, stop)),
        "You put two stops behind the word. One is asked for.",
    ),
    Mistake(
        "word twice",
        _each(lambda prompts, word, stop: _behind(prompts, word, word)),
        "The word stands where the stop should be. Behind the word comes `stop`.",
    ),
    Mistake(
        "first prompt only",
        _each(lambda prompts, word, stop: _behind(prompts[:1], word, stop)),
        "You return the first prompt only. Each prompt is to be stated both ways.",
    ),
    Mistake(
        "words without prompts",
        _each(lambda prompts, word, stop: _behind(prompts, word, stop)[:, -2:]),
        "You return word and stop alone. Each side begins with the prompt.",
    ),
    Mistake(
        "one below the other",
        lambda prompts, positive, negative, stop: torch.cat(
            [_behind(prompts, positive, stop), _behind(prompts, negative, stop)]
        ),
        "You return one tensor with the sides below each other. Return two tensors, as in `return stated, denied`.",
    ),
    Mistake(
        "stacked pair by pair",
        lambda prompts, positive, negative, stop: torch.stack(
            [_behind(prompts, positive, stop), _behind(prompts, negative, stop)], 1
        ),
        "You return one tensor in which the two sides of each pair are stacked. Return all positive ones and all negative "
        "ones, each in a tensor of its own, as in `return stated, denied`.",
    ),
    Mistake(
        "interleaved",
        _interleaved,
        "You return one tensor in which the rows take turns, positive and negative. Return two tensors, the first with all "
        "positive rows and the second with all negative ones, as in `return stated, denied`.",
    ),
    Mistake(
        "interleaved, then cut in two",
        lambda *question: _interleaved(*question).chunk(2),
        "Your two tensors have rows of both sides, in turns. The first is to have every prompt with `positive`, the second "
        "every prompt with `negative`.",
    ),
    Mistake(
        "positive side only",
        lambda prompts, positive, negative, stop: _behind(prompts, positive, stop),
        "You return the positive side only. Return both, as in `return stated, denied`.",
    ),
    Mistake(
        "negative side only",
        lambda prompts, positive, negative, stop: _behind(prompts, negative, stop),
        "You return the negative side only. Return both, the positive one first, as in `return stated, denied`.",
    ),
    Mistake(
        "floats",
        _as_floats,
        "Your tokens are floats, and an embedding can look up whole numbers only. `torch.full` makes floats of a float, and "
        "`torch.zeros` and `torch.ones` do so always: ask for `dtype=torch.int64`.",
    ),
]


def _prompts(n: int, length: int, seed: int, n_tokens: int = 40) -> Int[Tensor, "n prompt"]:
    return torch.randint(n_tokens, (n, length), generator=torch.Generator().manual_seed(seed))


@check(
    reference=testbed.contrast_pairs,
    alternatives=[_list_by_list, _filled_in, _numpy, _stacked],
    mistakes=MISTAKES,
    cases=lambda: [(_prompts(5, 4, 50), 7, 12, 30), (_prompts(3, 6, 60), 0, 5, 2)],
)
def test_contrast_pairs(answer: Any) -> None:
    """State each prompt both ways: one word and a stop behind it, and the other word and the same stop."""
    questions = [
        (torch.tensor([[5, 6, 7], [5, 9, 8]]), 20, 21, 3),
        (_prompts(7, 5, seed=1), 3, 1, 0),
        (noncontiguous(_prompts(4, 11, seed=2)), 0, 39, 17),
        (_prompts(1, 17, seed=3), 41, 40, 45),
    ]
    for prompts, positive, negative, stop in questions:
        n, length = prompts.shape
        sides = call(answer, prompts, positive, negative, stop, returns=(Tensor, Tensor))
        for side, name, word in zip(sides, ("positive", "negative"), (positive, negative), strict=True):
            what = f"the {name} side of {n} prompt{'s' * (n > 1)} of {length} tokens"
            expect_shape(side, (n, length + 2), what=what, why="Word and stop make each prompt two tokens longer.")
            expect_dtype(side, "int", what=what, why="They are tokens' numbers: an embedding takes whole numbers only.")
            expect_equal(
                side,
                torch.tensor([[*row, word, stop] for row in prompts.tolist()]),
                what=what,
                why=f"Behind each prompt stands the word {word}, and behind it the stop {stop}.",
            )
