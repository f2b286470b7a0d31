"""Exercise: by how much does the right answer's logit lead?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import fourier
from course_utils.checks.fourier.inputs import check
from course_utils.checks.framework import (
    Mistake,
    call,
    expect_close,
    noncontiguous,
)


def _by_distance(
    alphas: Tensor, freqs: list[int], p: int, modulus: int | None = None, turn: float = 2 * math.pi
) -> Tensor:
    d = torch.arange(p).double()
    waves = [torch.cos(turn * k * d / (modulus or p)) for k in freqs]
    return sum(alpha * wave for alpha, wave in zip(alphas.double(), waves, strict=True))


def _lead(values: Tensor) -> float:
    return float(values[0] - values[1:].max())


def _brute_force(alphas: Tensor, freqs: list[int], p: int) -> float:
    """The worst of all questions and all wrong answers."""
    leads = []
    for c in range(1, p):
        leads.append(
            sum(float(s) * (1 - math.cos(2 * math.pi * k * c / p)) for s, k in zip(alphas, freqs, strict=True))
        )
    return min(leads)


def _half_the_distances(alphas: Tensor, freqs: list[int], p: int) -> Tensor:
    """A distance and its negative give the same; single precision, sin² in place of 1 − cos."""
    d = torch.arange(1, (p + 1) // 2)
    k = torch.tensor(freqs)
    return (2 * alphas.float() @ torch.sin(torch.pi * k[:, None] * d / p) ** 2).min()


def _from_table(alphas: Tensor, freqs: list[int], p: int) -> float:
    question = fourier.cosine_logits(alphas, freqs, p)[0, 0].numpy()
    return float(np.min(question[0] - np.delete(question, 0)))


MISTAKES = [
    Mistake(
        "right answer among the wrong ones",
        lambda s, f, p: _lead(torch.cat([_by_distance(s, f, p)[:1], _by_distance(s, f, p)])),
        "Your distances include d = 0, the right answer itself, and its lead over itself is 0. Wrong answers are d = 1 … "
        "p − 1.",
    ),
    Mistake(
        "largest minus second largest",
        lambda s, f, p: float(-_by_distance(s, f, p).topk(2).values.diff()),
        "You take the largest logit minus the second largest. With a negative alpha the largest need not be the right "
        "answer's (d = 0); then the margin is negative. Start from d = 0.",
    ),
    Mistake(
        "right minus lowest",
        lambda s, f, p: float(_by_distance(s, f, p)[0] - _by_distance(s, f, p)[1:].min()),
        "You compare with the *lowest* wrong logit. The rival that matters is the highest: the margin is the least lead.",
    ),
    Mistake(
        "right minus mean",
        lambda s, f, p: float(_by_distance(s, f, p)[0] - _by_distance(s, f, p)[1:].mean()),
        "You compare with the average wrong answer. One close rival is enough to be wrong: take the best of them.",
    ),
    Mistake(
        "neighbour only",
        lambda s, f, p: float(_by_distance(s, f, p)[0] - _by_distance(s, f, p)[1]),
        "You compare with the neighbour d = 1 only. The best rival may be anywhere: a fast wave comes close to 1 again at "
        "a large distance. Look at every d.",
    ),
    Mistake(
        "best rival's logit",
        lambda s, f, p: float(_by_distance(s, f, p)[1:].max()),
        "This is the best wrong answer's logit. The margin is by how much the right one, Σ α, lies above it.",
    ),
    Mistake(
        "sign reversed",
        lambda s, f, p: -_lead(_by_distance(s, f, p)),
        "Your sign is reversed: right minus wrong, so that a positive margin means a right answer.",
    ),
    Mistake(
        "one margin for each frequency, added",
        lambda s, f, p: sum(_lead(_by_distance(s[i : i + 1], f[i : i + 1], p)) for i in range(len(f))),
        "You find the closest rival of each frequency by itself and add up. They are different rivals: sum the cosines "
        "first, then look for the best wrong answer. This is why several frequencies beat one.",
    ),
    Mistake(
        "weights ignored",
        lambda s, f, p: _lead(_by_distance(torch.ones(len(f)), f, p)),
        "All frequencies have weight 1 here: the alphas are not used.",
    ),
    Mistake(
        "weights normalised",
        lambda s, f, p: _lead(_by_distance(s, f, p)) / float(s.sum()),
        "You have divided by the sum of the alphas. The margin is a difference of logits, with their scale.",
    ),
    Mistake(
        "absolute values",
        lambda s, f, p: float(_by_distance(s, f, p)[0] - _by_distance(s, f, p)[1:].abs().max()),
        "You take the largest absolute value among the wrong logits. A very negative logit is no rival.",
    ),
    Mistake(
        "half the angle",
        lambda s, f, p: _lead(_by_distance(s, f, p, turn=math.pi)),
        "A factor of 2 is missing in the angle: w is 2πk/p.",
    ),
    Mistake(
        "position in the list taken for the frequency",
        lambda s, f, p: _lead(_by_distance(s, [i + 1 for i in range(len(f))], p)),
        "You use 1, 2, 3, … as frequencies: the position in the list, not what stands there.",
    ),
    Mistake(
        "p = 113 written in",
        lambda s, f, p: _lead(_by_distance(s, f, p, modulus=113)),
        "The modulus 113 is written into your angle. Use the argument p.",
    ),
]


@check(
    reference=fourier.margin,
    alternatives=[_brute_force, _half_the_distances, _from_table],
    mistakes=MISTAKES,
    cases=lambda: [
        (torch.tensor([1.0, 2.0, 0.5]).double(), [4, 1, 6], 13),
        (torch.tensor([1.0, -2.0]).double(), [3, 2], 11),
        (torch.tensor([-1.0, 3.0, 0.8]).double(), [5, 9, 2], 19),
    ],
)
def test_margin(answer: Any) -> None:
    """Say by how much the right answer's logit exceeds the best wrong one's."""
    got = call(answer, torch.tensor([3.0]).double(), [1], 5, returns=float)
    expect_close(
        got,
        3 * (1 - math.cos(2 * math.pi / 5)),
        what="the margin of 3 cos(w d) for p = 5",
        why="The best wrong answers are the neighbours, one fifth of a turn away: 3 − 3 cos(72°).",
    )
    for p, freqs, alphas in (
        (7, [3], [2.0]),
        (11, [5, 2], [1.0, 2.5]),
        (23, [4, 11, 9], [0.5, 1.0, 2.0]),
        (11, [4, 1], [3.0, -1.0]),
        (7, [2, 3, 1], [1.0, -2.0, 0.25]),
        (113, [14, 35, 41, 52], [1.0, 1.4, 0.7, 1.1]),
    ):
        logits = [
            sum(s * math.cos(2 * math.pi * (k * d % p) / p) for s, k in zip(alphas, freqs, strict=True))
            for d in range(p)
        ]
        expect_close(
            call(answer, torch.tensor(alphas, dtype=torch.float64), freqs, p, returns=float),
            min(logits[0] - wrong for wrong in logits[1:]),
            rtol=1e-3,
            what=f"the margin for p = {p}, freqs = {freqs}, alphas = {alphas}",
            why="It is the logit at d = 0 minus the largest one at d = 1 … p − 1.",
        )
    got = call(answer, noncontiguous(torch.tensor([2.0, 0.5], dtype=torch.float64)), [6, 5], 13, returns=float)
    lead = min(
        2 * (1 - math.cos(12 * math.pi * d / 13)) + 0.5 * (1 - math.cos(10 * math.pi * d / 13)) for d in range(1, 13)
    )
    expect_close(got, lead, rtol=1e-3, what="the margin for alphas with gaps between them in memory")
