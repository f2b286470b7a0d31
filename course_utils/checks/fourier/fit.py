"""Exercise: how well do the logits fit a sum of cosines of a + b − c?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import fourier
from course_utils.checks.fourier.inputs import check, cosine_table, noise
from course_utils.checks.framework import Mistake, call, expect_close, expect_finite, expect_shape, noncontiguous


def _centred(logits: Tensor, axes: Any = -1) -> Tensor:
    return logits.double() - logits.double().mean(axes, keepdim=True)


def _waves(logits: Tensor, freqs: list[int], signs: tuple[int, int] = (1, -1), modulus: int | None = None) -> Tensor:
    p = len(logits)
    x = torch.arange(p).double()
    distance = x[:, None, None] + signs[0] * x[None, :, None] + signs[1] * x[None, None, :]
    return torch.stack([torch.cos(2 * torch.pi * k * distance / (modulus or p)) for k in freqs])


def _fitted(centred: Tensor, waves: Tensor, factor: float = 1.0) -> tuple[Tensor, Tensor]:
    """The projections (times a factor) and the sum of waves that they give."""
    alphas = factor * torch.einsum("kabc,abc->k", waves, centred) * 2 / centred.numel()
    return alphas, torch.einsum("k,kabc->abc", alphas, waves)


def _explained(centred: Tensor, fit: Tensor) -> float:
    return float(1 - (centred - fit).square().sum() / centred.square().sum())


def _variant(
    axes: Any = -1,
    signs: tuple[int, int] = (1, -1),
    modulus: int | None = None,
    shift: int = 0,
    listed: bool = True,
    factor: Any = 1.0,
) -> Any:
    """A wrong answer: the right method with one thing changed."""

    def wrong(logits: Tensor, freqs: list[int]) -> tuple[Tensor, float]:
        used = [k + shift for k in freqs] if listed else [i + 1 for i in range(len(freqs))]
        centred = _centred(logits, axes) if axes is not None else logits.double()
        scale = factor(len(logits)) if callable(factor) else factor
        alphas, fit = _fitted(centred, _waves(logits, used, signs, modulus), scale)
        return alphas, _explained(centred, fit)

    return wrong


def _changed(last: Any) -> Any:
    """A wrong answer: the right alphas and fit, but something else is returned."""

    def wrong(logits: Tensor, freqs: list[int]) -> Any:
        centred = _centred(logits)
        alphas, fit = _fitted(centred, _waves(logits, freqs))
        return last(logits.double(), centred, alphas, fit)

    return wrong


def _correlation(logits: Tensor, centred: Tensor, alphas: Tensor, fit: Tensor) -> tuple[Tensor, float]:
    return alphas, float(torch.corrcoef(torch.stack([fit.flatten(), centred.flatten()]))[0, 1])


def _right_answers_only(logits: Tensor, freqs: list[int]) -> tuple[Tensor, float]:
    """The fit made on one question, a = b = 0."""
    centred = _centred(logits)
    waves = _waves(logits, freqs)
    alphas = waves[:, 0, 0] @ centred[0, 0] * 2 / len(logits)
    return alphas, _explained(centred, torch.einsum("k,kabc->abc", alphas, waves))


def _least_squares(logits: Tensor, freqs: list[int]) -> Any:
    """NumPy's least squares over all p³ entries, with the logits as they come for the alphas."""
    p, values = len(logits), logits.numpy().astype(np.float64)
    a, b, c = np.mgrid[:p, :p, :p]
    design = np.stack([np.cos(2 * np.pi * k * (a + b - c) / p).ravel() for k in freqs], 1)
    flat = (values - values.mean(2, keepdims=True)).ravel()
    alphas = np.linalg.lstsq(design, flat, rcond=None)[0]
    return alphas, 1 - np.sum((flat - design @ alphas) ** 2) / np.sum(flat**2)


def _by_fft(logits: Tensor, freqs: list[int]) -> tuple[Tensor, Tensor]:
    """Turn each question's classes until its right answer comes first, average, transform: single precision."""
    p = len(logits)
    x = torch.arange(p)
    index = (x[:, None, None] + x[None, :, None] + x) % p
    turned = logits.float().gather(2, index)
    spectrum = torch.fft.rfft(turned.mean((0, 1))).real * 2 / p
    alphas = spectrum[freqs]
    centred = logits.float() - logits.float().mean(2, keepdim=True)
    return alphas, (alphas.square().sum() * p**3 / 2) / centred.square().sum()


def _wave_by_wave(logits: Tensor, freqs: list[int]) -> tuple[Tensor, float]:
    left = logits.double() - logits.double().mean(-1, keepdim=True)
    total, alphas = float(left.square().sum()), []
    for wave in _waves(logits, freqs):
        alphas.append(float((left * wave).sum() / wave.square().sum()))
        left = left - alphas[-1] * wave
    return torch.tensor(alphas), 1 - float(left.square().sum()) / total


MISTAKES = [
    Mistake(
        "mean over the classes left in",
        _variant(axes=None),
        "Your share is measured on the logits as they are, each question's mean over c included. The alphas survive that, "
        "but the share does not: an offset common to all classes, which softmax ignores, counts as variance that the cosines "
        "fail to explain. Take it off first, for the residual and for the total.",
    ),
    Mistake(
        "one mean for all",
        _variant(axes=(0, 1, 2)),
        "You measure variance about one mean for the whole table. Every question (a, b) has an offset of its own, which "
        "softmax ignores: take off the mean over c of each, for the fit and for the total.",
    ),
    Mistake(
        "mean over the questions",
        _variant(axes=(0, 1)),
        "You take off each class's mean over (a, b). It is the other way round: each question's mean over c.",
    ),
    Mistake(
        "alphas half as large",
        _variant(factor=0.5),
        "Your alphas are half of what they should be: the squares of a cosine average ½, so a projection divides by half "
        "the number of entries.",
    ),
    Mistake(
        "alphas not divided by anything",
        _variant(factor=lambda p: p**3 / 2),
        "These are dot products with the cosines, not yet projections: divide by the cosine's own sum of squares, p³/2.",
    ),
    Mistake(
        "divided by p² in place of p³",
        _variant(factor=lambda p: p),
        "Your alphas are p times too large: you divide by the number of questions, p², but you sum over all p³ entries.",
    ),
    Mistake(
        "root of the sum of squares",
        _variant(factor=lambda p: (p**3 / 2) ** 0.5),
        "You project on waves of length 1, which gives components, not weights. The weight of a plain cosine is its "
        "component divided by the cosine's length once more.",
    ),
    Mistake(
        "correlation",
        _changed(_correlation),
        "Your second value is the correlation between fit and logits. The share of variance explained is its square.",
    ),
    Mistake(
        "share left over",
        _changed(lambda logits, centred, alphas, fit: (alphas, 1 - _explained(centred, fit))),
        "Your second value is the share that is *not* explained: subtract it from 1.",
    ),
    Mistake(
        "explained sum of squares",
        _changed(lambda logits, centred, alphas, fit: (alphas, float(fit.square().sum()))),
        "Your second value is the sum of squares of the fit. Divide it by that of the centred logits.",
    ),
    Mistake(
        "alphas normalised",
        _changed(lambda logits, centred, alphas, fit: (alphas / alphas.sum(), _explained(centred, fit))),
        "You have divided the alphas by their sum. They are weights in units of logits: leave them as they are.",
    ),
    Mistake(
        "alphas made positive",
        _changed(lambda logits, centred, alphas, fit: (alphas.abs(), _explained(centred, fit))),
        "You have taken absolute values. A negative alpha is an answer too: that frequency works against the sum.",
    ),
    Mistake(
        "a − b − c",
        _variant(signs=(-1, -1)),
        "You fit cosines of a − b − c, which is subtraction. The distance is a + b − c.",
    ),
    Mistake(
        "a + b + c",
        _variant(signs=(1, 1)),
        "You fit cosines of a + b + c. They are largest where c = −(a + b): c has the wrong sign.",
    ),
    Mistake(
        "one question only",
        _right_answers_only,
        "You fit the question a = b = 0 only. Without noise that is enough; least squares uses all p² questions.",
    ),
    Mistake(
        "position in the list taken for the frequency",
        _variant(listed=False),
        "You use 1, 2, 3, … as frequencies: the position in the list, not what stands there.",
    ),
    Mistake(
        "frequencies one too low",
        _variant(shift=-1),
        "Your frequencies are one too low. `freqs` holds them as they are: 1 is one turn.",
    ),
    Mistake(
        "p = 113 written in",
        _variant(modulus=113),
        "The modulus 113 is written into your angle. p is the length of the logits' axes.",
    ),
]


def _case(p: int, freqs: list[int], seed: int) -> tuple[Tensor, list[int]]:
    return cosine_table([2.0, -0.5, 1.0][: len(freqs)], freqs, p) + noise(p, p, p, seed=seed) + 4 * noise(
        p, p, 1, seed=seed
    ), freqs


@check(
    reference=fourier.fit_cosines,
    alternatives=[_least_squares, _by_fft, _wave_by_wave],
    mistakes=MISTAKES,
    cases=lambda: [_case(7, [3, 1], 1), _case(11, [4, 2, 5], 2)],
)
def test_fit_cosines(answer: Any) -> None:
    """Find the alphas with which cosines of a + b − c fit the logits best, and the share of variance explained."""
    for p, freqs, alphas in ((7, [2], [3.0]), (11, [5, 1, 3], [1.0, 2.5, -0.5])):
        what = f"for logits that are the sum with alphas {alphas} (p = {p}, freqs = {freqs})"
        plain = cosine_table(alphas, freqs, p)
        offset = plain + 3 * noise(p, p, 1, seed=p) + 2
        for logits, more in ((plain, what), (offset, f"{what}, with an offset for each question")):
            found, explained = call(answer, logits, freqs, returns=(Tensor, float))
            expect_shape(
                found, (len(freqs),), what="the alphas", why="One for each frequency, in the order of `freqs`."
            )
            expect_finite(found, what=f"the alphas {more}")
            expect_close(
                found, alphas, atol=1e-3, what=f"the alphas {more}", why="The sum itself has to be found again."
            )
            expect_close(
                explained,
                1.0,
                rtol=1e-3,
                what=f"the share explained {more}",
                why="Nothing is left over: an offset common to all classes of a question changes no probability.",
            )
    logits = cosine_table([2.0, 1.0], [1, 4], 11)
    found, explained = call(answer, logits, [4, 3], returns=(Tensor, float))
    what = "when logits = 2 cos(w₁ d) + cos(w₄ d) are fitted with frequencies 4 and 3"
    expect_close(found, [1.0, 0.0], atol=1e-3, what=f"the alphas {what}", why="Different frequencies are orthogonal.")
    expect_close(explained, 0.2, rtol=1e-3, what=f"the share explained {what}", why="Sums of squares are as 4 to 1.")
    mixed = cosine_table([1.0], [2], 7) + cosine_table([3.0], [2], 7, (-1, -1)) + cosine_table([2.0], [2], 7, (1, 1))
    found, explained = call(answer, mixed, [2], returns=(Tensor, float))
    what = "for cos(w(a + b − c)) + 3 cos(w(a − b − c)) + 2 cos(w(a + b + c))"
    expect_close(found, [1.0], atol=1e-3, what=f"the alpha {what}", why="Only the first belongs to addition.")
    expect_close(explained, 1 / 14, rtol=1e-3, what=f"the share explained {what}", why="Squares: 1 of 1 + 9 + 4.")

    for p, freqs in ((7, [3, 1]), (13, [6, 2, 3]), (11, [4, 1, 2, 3])):
        alphas = [1.0, 3.0, -0.7, 0.4][: len(freqs)]
        logits = cosine_table(alphas, freqs, p) + noise(p, p, p, seed=p) + 2 * noise(p, p, 1, seed=1) + noise(p, seed=2)
        logits = noncontiguous(logits)
        found, explained = call(answer, logits, freqs, returns=(Tensor, float))
        wanted, share = _least_squares(logits, freqs)
        what = f"for noisy logits, p = {p}, freqs = {freqs}"
        expect_close(found, torch.from_numpy(wanted), rtol=1e-3, atol=1e-3, what=f"the alphas {what}", why=_LEAST)
        expect_close(explained, share, rtol=1e-3, what=f"the share explained {what}", why=_SHARE)


_LEAST = "They are NumPy's least-squares solution over all p³ entries."
_SHARE = (
    "It is 1 minus the squares left over, divided by the squares of the logits without each question's mean over c."
)
