"""Exercise: the logits of a network that subtracts, out of those of one that adds."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import fourier
from course_utils.checks.fourier.inputs import check, cosine_table, noise
from course_utils.checks.framework import (
    Mistake,
    call,
    expect_close,
    expect_dtype,
    expect_equal,
    expect_finite,
    expect_shape,
    noncontiguous,
)


def _flip_and_roll(logits: Tensor) -> Tensor:
    return logits.flip(1).roll(1, dims=1)


def _entry_by_entry(logits: Tensor) -> Any:
    values = logits.numpy()
    out = np.empty_like(values)
    for b in range(len(values)):
        out[:, -b % len(values)] = values[:, b]
    return out


def _by_permutation(logits: Tensor) -> Tensor:
    p = len(logits)
    permutation = torch.zeros(p, p, dtype=logits.dtype)
    for b in range(p):
        permutation[b, (p - b) % p] = 1
    return torch.einsum("xb,abc->axc", permutation, logits)


def _negated(logits: Tensor, *axes: int) -> Tensor:
    for axis in axes:
        logits = logits.flip(axis).roll(1, dims=axis)
    return logits


def _from_formula(logits: Tensor) -> Tensor:
    p = len(logits)
    x = torch.arange(p)
    return torch.nn.functional.one_hot((x[:, None] - x) % p, p).to(logits.dtype)


MISTAKES = [
    Mistake(
        "b reversed",
        lambda logits: logits.flip(1),
        "Reversing the axis sends b to p − 1 − b. The negative of b is p − b, and 0 stays 0: the reversed axis still has to "
        "be moved on by one.",
    ),
    Mistake(
        "a negated",
        lambda logits: _negated(logits, 0),
        "You negate a: these are the logits of b − a. For a − b it is b that changes its sign.",
    ),
    Mistake(
        "both negated",
        lambda logits: _negated(logits, 0, 1),
        "You negate both a and b: these are the logits of −a − b. Negate b only.",
    ),
    Mistake(
        "classes negated",
        lambda logits: _negated(logits, 2),
        "You rename the classes: this table says −(a + b). Rename the input b, leave the answers alone.",
    ),
    Mistake(
        "inputs exchanged",
        lambda logits: logits.transpose(0, 1),
        "You exchange a and b. Addition does not care, so this is still a network that adds.",
    ),
    Mistake(
        "nothing renamed",
        lambda logits: logits,
        "This is still the table of the network that adds.",
    ),
    Mistake(
        "logits negated",
        lambda logits: -logits,
        "You negate the logits, so that the right answer becomes the least likely. It is the *number* b that has to be "
        "negated, not the values.",
    ),
    Mistake(
        "class and input exchanged",
        lambda logits: logits.permute(2, 0, 1),
        "Clever: c = a − b exactly when c + b = a. But this mixes logits of different questions, and exchanges answers with "
        "inputs. Keep each question's logits together and rename b only.",
    ),
    Mistake(
        "ideal logits",
        _from_formula,
        "You write down an ideal subtracting network without looking at the logits given. Take this network's own logits, "
        "in another order.",
    ),
    Mistake(
        "shifted by one",
        lambda logits: logits.roll(1, 1),
        "You shift b by one. Negating is another renaming: 1 and p − 1 change places, 2 and p − 2, and so on.",
    ),
    Mistake(
        "one too far",
        lambda logits: logits.flip(1).roll(-1, dims=1),
        "The axis is reversed and then moved the wrong way: 0 has to stay where it was.",
    ),
]


@check(
    reference=fourier.subtraction_from_addition,
    alternatives=[_flip_and_roll, _entry_by_entry, _by_permutation],
    mistakes=MISTAKES,
    cases=lambda: [(noise(7, 7, 7, seed=1),), (noise(11, 11, 11, seed=2),)],
)
def test_subtraction_from_addition(answer: Any) -> None:
    """Make the logit table of a network that subtracts out of one that adds, by renaming inputs."""
    for p, freqs in ((7, [2, 1]), (11, [5, 3, 1])):
        a, b = torch.meshgrid(torch.arange(p), torch.arange(p), indexing="ij")
        out = call(answer, cosine_table([1.0, 2.0, 1.5][: len(freqs)], freqs, p))
        expect_shape(out, (p, p, p), what="the new table", why="A table [a, b, c], like the logits.")
        expect_dtype(out, "float", what="the new table")
        expect_finite(out, what="the new table")
        expect_equal(
            out.argmax(-1),
            (a - b) % p,
            what=f"the answers of the new table (p = {p})",
            why="The old one's largest logit is at a + b. The new one's has to be at a − b.",
        )
    for logits in (
        noise(5, 5, 5),
        noise(13, 13, 13, seed=1),
        noncontiguous(noise(7, 7, 7, seed=2, dtype=torch.float32)),
    ):
        p = len(logits)
        out = call(answer, logits)
        expect_shape(out, (p, p, p), what="the new table")
        expect_close(
            out.double().sort(-1).values[:, 0],
            logits.double().sort(-1).values[:, 0],
            what="the logits of the questions with b = 0, in order of size",
            why="−0 is 0: these questions keep their logits.",
        )
        for number in range(p):
            expect_close(
                out[:, number],
                logits[:, -number % p],
                what=f"the logits for b = {number} (p = {p})",
                why=f"−{number} is {-number % p} mod {p}.",
            )
