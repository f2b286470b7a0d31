"""Exercise: what do the logits look like with only the key directions, and without them?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import fourier
from course_utils.checks.fourier.inputs import basis_of, check, cosine_table, noise, wave
from course_utils.checks.framework import (
    Mistake,
    call,
    expect_close,
    expect_dtype,
    expect_finite,
    expect_shape,
    noncontiguous,
)


def _directions(p: int, freqs: list[int], sign: int = 1, waves: tuple[str, ...] = ("cos", "sin")) -> Tensor:
    x = torch.arange(p)
    rows = [wave(kind, k, p)[(x[:, None] + sign * x[None, :]) % p] for k in freqs for kind in waves]
    return torch.stack(rows) * 2**0.5 / p


def _onto(logits: Tensor, directions: Tensor) -> Tensor:
    directions = directions.to(logits.dtype)
    return torch.einsum("dab,dxy,xyc->abc", directions, directions, logits)


def _split(
    kept: Any = lambda logits, freqs: _onto(logits, _directions(len(logits), freqs)),
    restricted: Any = lambda logits, part: logits.mean((0, 1), keepdim=True) + part,
    excluded: Any = lambda logits, part: logits - part,
) -> Any:
    """A wrong answer that differs in what it projects on, or in what it makes of the projection."""

    def wrong(logits: Tensor, freqs: list[int]) -> tuple[Tensor, Tensor]:
        part = kept(logits, freqs)
        return restricted(logits, part) + 0 * part, excluded(logits, part)

    return wrong


def _eight_components(logits: Tensor, freqs: list[int]) -> Tensor:
    """Whatever has frequency k in a and in b, or in one of them alone."""
    basis = basis_of(len(logits)).to(logits.dtype)
    mask = torch.zeros(logits.shape[:2], dtype=logits.dtype)
    for k in freqs:
        own = torch.tensor([0, 2 * k - 1, 2 * k])
        mask[own[:, None], own[None, :]] = 1
    mask[0, 0] = 0
    coefficients = torch.einsum("ia,jb,abc->ijc", basis, basis, logits) * mask[..., None]
    return torch.einsum("ia,jb,ijc->abc", basis, basis, coefficients)


def _on_trigonometric_logits(logits: Tensor, freqs: list[int]) -> Tensor:
    """One direction over (a, b, c) for each frequency: cos(w(a + b − c))."""
    waves = torch.stack([cosine_table([1.0], [k], len(logits)) for k in freqs]).to(logits.dtype)
    return torch.einsum("kabc,k->abc", waves, torch.einsum("kabc,abc->k", waves, logits) * 2 / logits.numel())


def _by_fft(logits: Tensor, freqs: list[int]) -> Any:
    """cos w(a + b) and sin w(a + b) are the Fourier coefficients (k, k) and (−k, −k)."""
    values = logits.double().numpy()
    spectrum = np.fft.fft2(values, axes=(0, 1))
    mask = np.zeros(values.shape[:2])
    for k in freqs:
        mask[k, k] = mask[-k, -k] = 1
    kept = np.fft.ifft2(spectrum * mask[..., None], axes=(0, 1)).real
    return values.mean((0, 1), keepdims=True) + kept, values - kept


def _by_sums(logits: Tensor, freqs: list[int]) -> tuple[Tensor, Tensor]:
    """Average over all pairs with one sum, then filter the function of the sum: single precision."""
    p, x = len(logits), torch.arange(len(logits))
    by_sum = torch.stack([logits[x, (s - x) % p].mean(0) for s in range(p)]).float()
    gain = torch.stack([2 / p * torch.cos(2 * torch.pi * k * (x[:, None] - x) / p) for k in freqs]).sum(0)
    kept = (gain.float() @ by_sum)[(x[:, None] + x) % p]
    return kept + logits.float().mean((0, 1)), logits.float() - kept


def _least_squares(logits: Tensor, freqs: list[int]) -> list[Tensor]:
    """The fit of each class's logits by a constant and unnormalised waves."""
    p = len(logits)
    design = torch.stack([d.flatten() for d in torch.cat([torch.ones(1, p, p).double(), 7 * _directions(p, freqs)])], 1)
    weights = torch.linalg.lstsq(design, logits.double().reshape(p * p, p)).solution
    weights[0], kept = 0, (design[:, 1:] @ weights[1:]).reshape(p, p, p)
    return [kept + logits.double().mean(0).mean(0), logits.double() - kept]


MISTAKES = [
    Mistake(
        "restricted without the mean",
        _split(restricted=lambda logits, part: part),
        "Your restricted logits lack each class's mean over (a, b). It is no wave and stays in both parts: add it.",
    ),
    Mistake(
        "excluded without the mean",
        _split(excluded=lambda logits, part: logits - logits.mean((0, 1), keepdim=True) - part),
        "Your excluded logits lack the mean as well (logits − restricted takes it off). Take off the projection alone, so "
        "that only the key directions differ.",
    ),
    Mistake(
        "parts in the other order",
        lambda logits, freqs: _split()(logits, freqs)[::-1],
        "You return the excluded logits first. The restricted come first, then the excluded.",
    ),
    Mistake(
        "a + b and a − b",
        _split(
            lambda logits, f: _onto(logits, torch.cat([_directions(len(logits), f), _directions(len(logits), f, -1)]))
        ),
        "You project on the waves of a − b as well. Those are no use for addition: keep cos w(a + b) and sin w(a + b) only, "
        "two directions for each frequency.",
    ),
    Mistake(
        "a − b in place of a + b",
        _split(lambda logits, freqs: _onto(logits, _directions(len(logits), freqs, -1))),
        "Your directions are waves of a − b. Addition uses those of a + b.",
    ),
    Mistake(
        "all components of the frequency",
        _split(_eight_components),
        "You keep all eight components that have frequency k in a or in b. Two directions in that space matter here: "
        "cos w(a + b) and sin w(a + b).",
    ),
    Mistake(
        "cosine only",
        _split(lambda logits, freqs: _onto(logits, _directions(len(logits), freqs, waves=("cos",)))),
        "You project on the cosines only. A class's wave can have any phase, so the sines are needed as well.",
    ),
    Mistake(
        "directions not of length 1",
        _split(lambda logits, freqs: _onto(logits, _directions(len(logits), freqs) * len(logits) / 2**0.5)),
        "Your tables cos w(a + b) have a sum of squares of p²/2, not 1, so your projection is p²/2 times too large. "
        "Normalise them first.",
    ),
    Mistake(
        "directions of length √½",
        _split(lambda logits, freqs: _onto(logits, _directions(len(logits), freqs) / 2**0.5)),
        "You divide the tables by p, as if their squares averaged 1. A wave's squares average ½: your projection is half of "
        "what it should be.",
    ),
    Mistake(
        "directions with p in place of p²",
        _split(lambda logits, freqs: _onto(logits, _directions(len(logits), freqs) * len(logits) ** 0.5)),
        "You normalise the tables with √(2/p), the factor for functions of one number. These are tables over (a, b): p² "
        "entries.",
    ),
    Mistake(
        "one mean for all classes",
        _split(restricted=lambda logits, part: logits.mean() + part),
        "You add one mean for all classes. Each class has its own mean over (a, b).",
    ),
    Mistake(
        "mean over the classes",
        _split(restricted=lambda logits, part: logits.mean(-1, keepdim=True) + part),
        "You add each question's mean over c. The one wanted is each class's mean over (a, b).",
    ),
    Mistake(
        "one direction over a, b and c",
        _split(_on_trigonometric_logits),
        "You project the whole table on cos w(a + b − c). That prescribes what each class does; here each class's logit is "
        "projected by itself, whatever its phase.",
    ),
    Mistake(
        "only the last frequency",
        _split(lambda logits, freqs: _onto(logits, _directions(len(logits), freqs[-1:]))),
        "Only the last frequency is projected on: inside the loop the projection is replaced where it should grow.",
    ),
    Mistake(
        "frequencies one too low",
        _split(lambda logits, freqs: _onto(logits, _directions(len(logits), [k - 1 for k in freqs]))),
        "Your frequencies are one too low. `freqs` holds them as they are: 1 is one turn.",
    ),
    Mistake(
        "position in the list taken for the frequency",
        _split(lambda logits, freqs: _onto(logits, _directions(len(logits), [i + 1 for i in range(len(freqs))]))),
        "You use 1, 2, 3, … as frequencies: the position in the list, not what stands there.",
    ),
]


@check(
    reference=fourier.split_logits,
    alternatives=[_by_fft, _by_sums, _least_squares],
    mistakes=MISTAKES,
    cases=lambda: [(noise(7, 7, 7, seed=1) + noise(7, seed=2), [3, 2]), (noise(11, 11, 11, seed=3), [5, 1, 4])],
)
def test_split_logits(answer: Any) -> None:
    """Split logits into what the key directions over (a, b) give, and what is there without them."""
    p, x = 7, torch.arange(7)
    mean = 2 * noise(p, seed=1) + 1
    sums, differences = (x[:, None] + x) % p, (x[:, None] - x) % p
    key = wave("cos", 2, p)[sums][..., None] * noise(p, seed=2) + wave("sin", 2, p)[sums][..., None] * noise(p, seed=3)
    for other, words in (
        (0 * key, "nothing else"),
        (wave("cos", 2, p)[differences][..., None] * noise(p, seed=4), "a wave of a − b"),
        (wave("sin", 2, p)[:, None, None] * noise(p, seed=5) + 0 * key, "a wave of a alone"),
        (wave("cos", 3, p)[sums][..., None] * noise(p, seed=6), "another frequency's wave of a + b"),
    ):
        restricted, excluded = call(answer, mean + key + other, [2], returns=(Tensor, Tensor))
        what = f"of logits made of a mean for each class, waves of frequency 2 in a + b, and {words}"
        for part, name in ((restricted, "restricted"), (excluded, "excluded")):
            expect_shape(part, (p, p, p), what=f"the {name} logits", why="A table [a, b, c], like the logits.")
            expect_dtype(part, "float", what=f"the {name} logits")
            expect_finite(part, what=f"the {name} logits")
        expect_close(
            restricted,
            mean + key,
            atol=1e-3,
            what=f"the restricted part {what}",
            why="It keeps the mean and the waves.",
        )
        expect_close(
            excluded,
            mean + other,
            atol=1e-3,
            what=f"the excluded part {what}",
            why="It lacks those waves; the mean stays.",
        )
    for p, freqs in ((5, [2]), (11, [5, 1, 3]), (13, [4, 6])):
        logits = (
            noise(p, p, p, seed=p) + 3 * noise(p, seed=7) + noise(p, p, 1, seed=8) + cosine_table([2.0], freqs[:1], p)
        )
        logits = noncontiguous(logits)
        restricted, excluded = call(answer, logits, freqs, returns=(Tensor, Tensor))
        what = f"of random logits, p = {p}, freqs = {freqs}"
        expect_close(
            restricted.double() + excluded.double(),
            logits.double() + logits.double().mean((0, 1)),
            atol=1e-3,
            what=f"restricted + excluded {what}",
            why="Both keep the mean, each other direction is in one of them: logits + mean.",
        )
        # An independent way: NumPy's complex transform over (a, b), in which these waves are the entries (±k, ±k).
        wanted = _by_fft(logits, freqs)
        expect_close(
            restricted,
            torch.from_numpy(wanted[0]),
            atol=1e-3,
            what=f"the restricted part {what}",
            why="NumPy's FFT says so.",
        )
        expect_close(
            excluded,
            torch.from_numpy(wanted[1]),
            atol=1e-3,
            what=f"the excluded part {what}",
            why="NumPy's FFT says so.",
        )
