"""Exercise: what do the key directions achieve alone, and what can the network do without them?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils import fourier, progress
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite, noncontiguous
from course_utils.checks.grokking.inputs import answer_table, cosine_table, noise, questions, wave

Table = Callable[[Tensor, Tensor, Tensor], Tensor]
Reduced = Callable[[Tensor, Tensor], Tensor]


def _parts(logits: Tensor, freqs: list[int]) -> tuple[Tensor, Tensor]:
    """Each class's mean, and the projection on the key directions."""
    split = fourier.split_logits(logits, freqs)
    return logits.mean((0, 1)).expand_as(logits), logits - split.excluded


def _each(logits: Tensor, answers: Tensor) -> Tensor:
    return -logits.log_softmax(-1).gather(-1, answers[..., None])[..., 0]


def _variant(
    restricted: Table = lambda logits, mean, kept: mean + kept,
    excluded: Table = lambda logits, mean, kept: logits - kept,
    over: Reduced = lambda losses, train: losses.mean(),
    left: Reduced = lambda losses, train: losses[train].mean(),
    freqs: Callable[[list[int]], list[int]] = lambda freqs: freqs,
    each: Callable[[Tensor, Tensor], Tensor] = _each,
) -> Any:
    """A wrong answer that differs in the tables, in the questions averaged over, or in the directions."""

    def wrong(logits: Tensor, key: list[int], answers: Tensor, train: Tensor) -> tuple[float, float]:
        mean, kept = _parts(logits, freqs(key))
        return (
            over(each(restricted(logits, mean, kept), answers), train).item(),
            left(each(excluded(logits, mean, kept), answers), train).item(),
        )

    return wrong


def _wrong_class_axis(logits: Tensor, freqs: list[int], answers: Tensor, train: Tensor) -> tuple[float, float]:
    """cross_entropy on a table [a, b, c] takes the second axis for the classes."""
    mean, kept = _parts(logits, freqs)
    rest = (logits - kept)[train]
    return F.cross_entropy(mean + kept, answers).item(), F.cross_entropy(rest, answers[train]).item()


def _answers_ignored(logits: Tensor, freqs: list[int], answers: Tensor, train: Tensor) -> tuple[float, float]:
    x = torch.arange(len(logits))
    return _variant()(logits, freqs, (x[:, None] + x) % len(x), train)


def _by_fft(logits: Tensor, freqs: list[int], answers: Tensor, train: Tensor) -> tuple[float, float]:
    """In NumPy: cos w(a + b) and sin w(a + b) are the complex coefficients (k, k) and (−k, −k)."""
    values = logits.double().numpy()
    spectrum = np.fft.fft2(values, axes=(0, 1))
    mask = np.zeros(values.shape[:2])
    for k in freqs:
        mask[k, k] = mask[-k, -k] = 1
    kept = np.fft.ifft2(spectrum * mask[..., None], axes=(0, 1)).real

    def losses(table: Any) -> Any:
        right = np.take_along_axis(table, answers.numpy()[..., None], -1)[..., 0]
        return np.log(np.exp(table).sum(-1)) - right

    restricted, excluded = losses(values.mean((0, 1)) + kept), losses(values - kept)
    return float(restricted.mean()), float(excluded[train.numpy()].mean())


def _with_library(logits: Tensor, freqs: list[int], answers: Tensor, train: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of every question first, then the averages, as tensors without axes."""
    p = len(logits)
    restricted, excluded = fourier.split_logits(logits, freqs)
    one = F.cross_entropy(restricted.reshape(-1, p), answers.reshape(-1), reduction="none").reshape(p, p)
    other = F.cross_entropy(excluded.permute(0, 2, 1), answers, reduction="none")
    return one.mean(), (other * train).sum() / train.sum()


def _by_loops(logits: Tensor, freqs: list[int], answers: Tensor, train: Tensor) -> list[float]:
    """Question by question: the part of a class's table along the key waves, from its averages over each sum a + b."""
    p, x = len(logits), torch.arange(len(logits))
    by_sum = torch.stack([logits[x, (s - x) % p].mean(0) for s in range(p)])  # (p, class)
    gain = [sum(2 / p * math.cos(2 * math.pi * k * d / p) for k in freqs) for d in range(p)]
    kept = [sum(gain[(s - t) % p] * by_sum[t] for t in range(p)) for s in range(p)]
    mean, losses = by_sum.mean(0), ([], [])  # type: tuple[Any, tuple[list[float], list[float]]]
    for a in range(p):
        for b in range(p):
            right, wave_part = int(answers[a, b]), kept[(a + b) % p]
            losses[0].append(-float((mean + wave_part).log_softmax(0)[right]))
            if train[a, b]:
                losses[1].append(-float((logits[a, b] - wave_part).log_softmax(0)[right]))
    return [sum(part) / len(part) for part in losses]


MISTAKES = [
    Mistake(
        "swapped",
        lambda logits, freqs, answers, train: _variant()(logits, freqs, answers, train)[::-1],
        "You return the excluded loss first. Restricted comes first, then excluded.",
    ),
    Mistake(
        "excluded over all questions",
        _variant(left=lambda losses, train: losses.mean()),
        "Your excluded loss is taken over all questions. It asks what the network does with its training set when the key "
        "directions are gone: average over the questions where `train` is True.",
    ),
    Mistake(
        "excluded over the test questions",
        _variant(left=lambda losses, train: losses[~train].mean()),
        "Your excluded loss is taken over the test questions. Memorised answers show on the questions that were trained on: "
        "use `train` itself, not its opposite.",
    ),
    Mistake(
        "excluded with the test questions counted as 0",
        _variant(left=lambda losses, train: (losses * train).mean()),
        "You put the test questions' excluded losses at 0 and then average over all p² questions, which makes the mean too "
        "small. Divide by the number of training questions.",
    ),
    Mistake(
        "sets exchanged",
        _variant(over=lambda losses, train: losses[train].mean(), left=lambda losses, train: losses.mean()),
        "You average the restricted loss over the training set and the excluded loss over everything. It is the other way "
        "round.",
    ),
    Mistake(
        "restricted over the training questions",
        _variant(over=lambda losses, train: losses[train].mean()),
        "Your restricted loss is taken over the training questions only. It asks whether the key directions solve the whole "
        "task: average over all questions.",
    ),
    Mistake(
        "restricted over the test questions",
        _variant(over=lambda losses, train: losses[~train].mean()),
        "Your restricted loss is taken over the test questions only. Average it over all questions.",
    ),
    Mistake(
        "restricted without the mean",
        _variant(restricted=lambda logits, mean, kept: kept),
        "Your restricted logits lack each class's own mean over (a, b). It is kept next to the key directions (one mean for all "
        "classes would not do: a softmax does not notice it).",
    ),
    Mistake(
        "excluded without the mean",
        _variant(excluded=lambda logits, mean, kept: logits - mean - kept),
        "Your excluded logits are logits − restricted, which takes off each class's mean as well. Only the key directions "
        "are removed; the mean stays in both.",
    ),
    Mistake(
        "nothing removed",
        _variant(excluded=lambda logits, mean, kept: logits),
        "Your excluded loss is the ordinary training loss: the logits still hold the key directions. Take those off first.",
    ),
    Mistake(
        "excluded of the restricted logits",
        _variant(excluded=lambda logits, mean, kept: mean + kept),
        "Both of your losses come from the restricted logits. The excluded loss is that of the logits without the key "
        "directions.",
    ),
    Mistake(
        "frequencies one too low",
        _variant(freqs=lambda freqs: [k - 1 for k in freqs]),
        "Your frequencies are one too low. `freqs` holds them as they are: 1 is one turn.",
    ),
    Mistake(
        "only the first frequency",
        _variant(freqs=lambda freqs: freqs[:1]),
        "Only the first of the key frequencies is used. All of them together make the restricted logits.",
    ),
    Mistake(
        "classes on the wrong axis",
        _wrong_class_axis,
        "`cross_entropy` takes axis 1 for the classes, and in a table [a, b, c] that is b. It does not complain, because all "
        "axes have length p. Make one row of each question first: (p², p).",
    ),
    Mistake(
        "softmax twice",
        _variant(each=lambda table, answers: _each(table.softmax(-1), answers)),
        "You take a softmax before the cross-entropy, which takes one itself. Give it the logits.",
    ),
    Mistake(
        "summed",
        _variant(over=lambda losses, train: losses.sum(), left=lambda losses, train: losses[train].sum()),
        "You sum the losses. A loss of the course is a mean over questions, so that sets of different size compare.",
    ),
    Mistake(
        "answers ignored",
        _answers_ignored,
        "You take (a + b) mod p for the right answer, whatever `answers` says. Use the argument: the same function has to "
        "serve other tasks.",
    ),
]


def _cases() -> list[tuple[Any, ...]]:
    return [
        (noise(p, p, p, seed=p) + noise(p, seed=1), freqs, answer_table(p, 2), questions(p, part, 3))
        for p, freqs, part in ((7, [3, 1], 0.6), (11, [5, 2, 4], 0.3))
    ]


@check(
    reference=progress.progress_losses,
    alternatives=[_by_fft, _with_library, _by_loops],
    mistakes=MISTAKES,
    cases=_cases,
)
def test_progress_losses(answer: Any) -> None:
    """Measure the restricted loss over all questions and the excluded loss over the training questions."""
    p, x = 7, torch.arange(7)
    sums = (x[:, None] + x) % p
    mean, train = noise(p, seed=1), questions(p, 0.4, seed=2)
    key = 2 * wave("cos", 2, p)[sums][..., None] * noise(p, seed=3)
    key = key + 2 * wave("sin", 2, p)[sums][..., None] * noise(p, seed=4)
    restricted, excluded = call(answer, mean + key, [2], sums, train, returns=(float, float))
    whole = F.cross_entropy((mean + key).reshape(-1, p), sums.reshape(-1))
    what = "of logits that are a mean for each class and waves of frequency 2 in a + b"
    expect_finite(restricted, what=f"the restricted loss {what}")
    expect_finite(excluded, what=f"the excluded loss {what}")
    expect_close(
        restricted,
        whole,
        what=f"the restricted loss {what}",
        why="Nothing is lost of such logits: it is their own loss over all questions.",
    )
    left = [float(mean.exp().sum().log() - mean[sums[a, b]]) for a in range(p) for b in range(p) if train[a, b]]
    expect_close(
        excluded,
        sum(left) / len(left),
        what=f"the excluded loss {what}",
        why="Without the waves only the means are left; it is their loss over the training questions.",
    )
    p, sums = 5, (torch.arange(5)[:, None] + torch.arange(5)) % 5
    sure = cosine_table([14.0], [1], p)
    losses = call(answer, sure, [1], sums, questions(p, 0.5, seed=8), returns=(float, float))
    tiny = sum(math.exp(14 * (math.cos(2 * math.pi * d / p) - 1)) for d in range(1, p))
    expect_close(
        losses[0],
        math.log1p(tiny),
        rtol=1e-3,
        what="the restricted loss of logits 14 cos(2π(a + b − c)/5), which are sure of the right answer",
        why="So small a loss has to be computed in float64: single precision rounds it.",
    )
    for p, freqs, part in ((5, [2], 0.5), (11, [5, 1, 3], 0.3), (13, [4, 6], 0.7)):
        logits = noise(p, p, p, seed=p) + noise(p, seed=5) + noise(p, p, 1, seed=6) + cosine_table([2.0], freqs[:1], p)
        answers, train = answer_table(p, seed=7), questions(p, part, seed=8)
        logits = noncontiguous(logits) if p == 11 else logits
        losses = call(answer, logits, freqs, answers, train, returns=(float, float))
        wanted = _by_fft(logits, freqs, answers, train)
        for name, mine, right, over in zip(
            ("restricted", "excluded"), losses, wanted, ("all", "the training"), strict=True
        ):
            expect_close(
                mine,
                right,
                what=f"the {name} loss of random logits with random answers, p = {p}, freqs = {freqs}",
                why=f"NumPy's Fourier transform gives this mean over {over} questions.",
            )
