"""Exercise: the logits that the algorithm gives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import fourier
from course_utils.checks.fourier.inputs import check, cosine_table
from course_utils.checks.framework import (
    Mistake,
    call,
    expect_close,
    expect_dtype,
    expect_finite,
    expect_shape,
    noncontiguous,
)


def _logits(
    alphas: Tensor,
    freqs: list[int],
    p: int,
    signs: tuple[int, int] = (1, -1),
    turn: float = 2 * math.pi,
    wave: Any = torch.cos,
    modulus: int | None = None,
) -> Tensor:
    x = torch.arange(p).double()
    distance = x[:, None, None] + signs[0] * x[None, :, None] + signs[1] * x[None, None, :]
    return sum(alpha * wave(turn * k * distance / (modulus or p)) for alpha, k in zip(alphas, freqs, strict=True))


def _product_of_cosines(alphas: Tensor, freqs: list[int], p: int) -> Tensor:
    x = torch.arange(p).double()
    total = torch.zeros(p, p, p).double()
    for alpha, k in zip(alphas, freqs, strict=True):
        one = torch.cos(2 * math.pi * k * x / p)
        total = total + alpha * one[:, None, None] * one[None, :, None] * one[None, None, :]
    return total


def _by_identities(alphas: Tensor, freqs: list[int], p: int) -> Tensor:
    """cos(w(a + b − c)) = cos w(a + b) cos wc + sin w(a + b) sin wc, in single precision."""
    x = torch.arange(p)
    w = 2 * torch.pi * torch.tensor(freqs, dtype=torch.float32) / p
    both = (x[:, None] + x[None, :])[..., None] * w
    one = x[:, None] * w
    cos = torch.einsum("k,abk,ck->abc", alphas.float(), both.cos(), one.cos())
    return cos + torch.einsum("k,abk,ck->abc", alphas.float(), both.sin(), one.sin())


def _by_inverse_fft(alphas: Tensor, freqs: list[int], p: int) -> Any:
    spectrum = np.zeros(p)
    for alpha, k in zip(alphas.tolist(), freqs, strict=True):
        spectrum[[k, p - k]] += alpha * p / 2
    a, b, c = np.ogrid[:p, :p, :p]
    return np.fft.ifft(spectrum).real[(a + b - c) % p]


def _triple_loop(alphas: Tensor, freqs: list[int], p: int) -> Tensor:
    values = [
        sum(float(s) * math.cos(2 * math.pi * k * (d % p) / p) for s, k in zip(alphas, freqs, strict=True))
        for d in range(-p, 2 * p)
    ]
    return torch.tensor([[[values[a + b - c + p] for c in range(p)] for b in range(p)] for a in range(p)])


MISTAKES = [
    Mistake(
        "a − b − c",
        lambda s, f, p: _logits(s, f, p, (-1, -1)),
        "These logits peak at c = a − b: you have built a network that subtracts. The distance is a + b − c (and if that is "
        "what you have, look at the axes: [c, a, b] in place of [a, b, c] gives this very table).",
    ),
    Mistake(
        "a + b + c",
        lambda s, f, p: _logits(s, f, p, (1, 1)),
        "These logits peak at c = −(a + b): c has the wrong sign, so the right answer gets the top logit only by accident. "
        "The distance is a + b − c.",
    ),
    Mistake(
        "half the angle",
        lambda s, f, p: _logits(s, f, p, turn=math.pi),
        "A factor of 2 is missing in the angle: w is 2πk/p, so that adding p to the distance changes nothing.",
    ),
    Mistake(
        "no division by p",
        lambda s, f, p: _logits(s, f, p, modulus=1),
        "Your angle is 2πk(a + b − c): a whole number of turns, so that every cosine is 1. Divide by p.",
    ),
    Mistake(
        "not an angle",
        lambda s, f, p: _logits(s, f, p, turn=1.0),
        "The factor 2π is missing: `cos` takes radians, and a full turn belongs to a distance of p/k.",
    ),
    Mistake(
        "weights ignored",
        lambda s, f, p: _logits(torch.ones(len(f)), f, p),
        "All frequencies have weight 1 here: the alphas are not used. Multiply each cosine by its own.",
    ),
    Mistake(
        "weights normalised",
        lambda s, f, p: _logits(s / s.sum(), f, p),
        "You have divided the weights by their sum. They carry the logits' scale: use them as they are.",
    ),
    Mistake(
        "mean over frequencies",
        lambda s, f, p: _logits(s, f, p) / len(f),
        "You take the mean over the frequencies where the sum is wanted.",
    ),
    Mistake(
        "sine in place of cosine",
        lambda s, f, p: _logits(s, f, p, wave=torch.sin),
        "Your wave is a sine: it is 0 at distance 0, so the right answer gets nothing. The wave that is largest at 0 is the "
        "cosine.",
    ),
    Mistake(
        "position in the list taken for the frequency",
        lambda s, f, p: _logits(s, [i + 1 for i in range(len(f))], p),
        "You use 1, 2, 3, … as frequencies: the position in the list, not what stands there.",
    ),
    Mistake(
        "list index taken for the frequency",
        lambda s, f, p: _logits(s, list(range(len(f))), p),
        "You use 0, 1, 2, … as frequencies: the index in the list, not what stands there.",
    ),
    Mistake(
        "frequencies one too low",
        lambda s, f, p: _logits(s, [k - 1 for k in f], p),
        "Your frequencies are one too low. `freqs` holds them as they are: 1 is one turn.",
    ),
    Mistake(
        "only the last frequency",
        lambda s, f, p: _logits(s[-1:], f[-1:], p),
        "Only the last frequency is left: inside the loop the table is replaced where it should grow. Add to it.",
    ),
    Mistake(
        "p = 113 written in",
        lambda s, f, p: _logits(s, f, p, modulus=113),
        "The modulus 113 is written into your angle. Use the argument p.",
    ),
    Mistake(
        "product of three cosines",
        _product_of_cosines,
        "You multiply the cosines of a, b and c. cos(a + b − c) is not cos a · cos b · cos c: take the cosine of the whole "
        "distance (or use the addition formulas with all their sine terms).",
    ),
]


@check(
    reference=fourier.cosine_logits,
    alternatives=[_by_identities, _by_inverse_fft, _triple_loop],
    mistakes=MISTAKES,
    cases=lambda: [(torch.tensor([1.5, -0.5, 2.0]).double(), [4, 1, 6], 13)],
)
def test_cosine_logits(answer: Any) -> None:
    """Build the table [a, b, c] of Σ α cos(2πk(a + b − c)/p)."""
    for p, freqs, alphas in (
        (7, [2], [1.5]),
        (11, [5, 1, 3], [1.0, 2.5, 0.5]),
        (5, [2, 1], [-0.7, 3.0]),
        (23, [4, 11, 9, 2], [0.3, 1.0, 2.0, 0.6]),
    ):
        given = torch.tensor(alphas, dtype=torch.float64)
        logits = call(answer, given, freqs, p)
        what = f"for p = {p}, freqs = {freqs}, alphas = {alphas}"
        expect_shape(logits, (p, p, p), what="the logits", why="One axis each for a, b and c.")
        expect_dtype(logits, "float", what="the logits")
        expect_finite(logits, what=f"the logits {what}")
        a, b = torch.meshgrid(torch.arange(p), torch.arange(p), indexing="ij")
        expect_close(
            logits[a, b, (a + b) % p],
            torch.full((p, p), sum(alphas)),
            rtol=1e-3,
            what=f"the right answer's logit, c = (a + b) mod p, {what}",
            why="There the distance a + b − c is 0 or p, every cosine is 1, and the sum is the sum of the alphas.",
        )
        wanted = cosine_table(alphas, freqs, p)
        expect_close(logits[1, 2], wanted[1, 2], atol=1e-3, what=f"the logits of the question a = 1, b = 2 {what}")
        expect_close(
            logits, wanted, atol=1e-3, what=f"the logits {what}", why="Compared one cosine at a time, in NumPy."
        )
    given = noncontiguous(torch.tensor([2.0, -1.0, 0.25], dtype=torch.float64))
    logits = call(answer, given, [6, 2, 3], 13)
    expect_close(
        logits, cosine_table([2, -1, 0.25], [6, 2, 3], 13), atol=1e-3, what="the logits for alphas with gaps in memory"
    )
