"""Exercise: was the circle of a frequency there before training began?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import progress
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite, noncontiguous
from course_utils.checks.grokking.inputs import basis_of, noise, wave


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum()


def _added(start: Tensor, final: Tensor) -> Tensor:
    return final - _dot(final, start) / _dot(start, start) * start


def _plane(vectors: Tensor) -> Tensor:
    """An orthonormal basis of what the rows span: (d_model, 2)."""
    return torch.linalg.svd(vectors, full_matrices=False).Vh.T


def _unit_rows(vectors: Tensor) -> Tensor:
    return (vectors / vectors.norm(dim=1, keepdim=True)).T


def _rows(basis: Tensor, k: int) -> Tensor:
    return basis[2 * k - 1 : 2 * k + 1]


def _share(power: Tensor, k: int) -> float:
    return float(power[2 * k - 1 : 2 * k + 1].sum() / power[1:].sum())


def _power(table: Tensor) -> Tensor:
    return (basis_of(len(table)) @ table).square().sum(1)


def _variant(
    added: Callable[[Tensor, Tensor], Tensor] = _added,
    plane: Callable[[Tensor], Tensor] = _plane,
    share: Callable[[Tensor, int], float] = _share,
    rows: Callable[[Tensor, int], Tensor] = _rows,
    seen: Callable[[Tensor, Tensor], Tensor] = lambda start, final: start,
    power: Callable[[Tensor], Tensor] = _power,
) -> Any:
    """A wrong answer that differs in one step of the way."""

    def wrong(start: Tensor, final: Tensor, k: int) -> float:
        vectors = rows(basis_of(len(start)), k) @ added(start, final)
        return share(power(seen(start, final) @ plane(vectors)), k)

    return wrong


def _not_projected(start: Tensor, final: Tensor, k: int) -> float:
    return _share(_power(start), k)


def _singular_plane(start: Tensor, final: Tensor, k: int) -> float:
    return _share(_power(start @ torch.linalg.svd(_added(start, final), full_matrices=False).Vh[:2].T), k)


def _from_row(first: Callable[[int], int]) -> Any:
    """A wrong answer that takes two other rows of the basis for frequency k."""

    def wrong(start: Tensor, final: Tensor, k: int) -> float:
        basis, rows = basis_of(len(start)), slice(first(k), first(k) + 2)
        power = _power(start @ _plane(basis[rows] @ _added(start, final)))
        return float(power[rows].sum() / power[1:].sum())

    return wrong


def _column_multiples(start: Tensor, final: Tensor) -> Tensor:
    return final - (final * start).sum(0) / start.square().sum(0) * start


def _row_multiples(start: Tensor, final: Tensor) -> Tensor:
    return final - (final * start).sum(1, keepdim=True) / start.square().sum(1, keepdim=True) * start


def _by_fft(start: Tensor, final: Tensor, k: int) -> float:
    """In NumPy: least squares by `lstsq`, waves by the fast Fourier transform, projection by the pseudo-inverse."""
    first, last = start.double().numpy(), final.double().numpy()
    multiple = np.linalg.lstsq(first.reshape(-1, 1), last.reshape(-1), rcond=None)[0]
    component = np.fft.rfft(last - multiple * first, axis=0)[k]
    plane = np.stack([component.real, component.imag])  # (2, d_model)
    projected = first @ np.linalg.pinv(plane) @ plane
    power = (np.abs(np.fft.rfft(projected, axis=0)) ** 2).sum(1)[1:]
    return float(power[k - 1] / power.sum())


def _by_gram_schmidt(start: Tensor, final: Tensor, k: int) -> Tensor:
    """Axes one after the other, each wave by itself, a 0-d tensor in single precision."""
    p = len(start)
    new = _added(start, final)
    one, other = (wave(kind, k, p) @ new for kind in ("cos", "sin"))
    one = one / one.norm()
    other = other - (other @ one) * one
    other = other / other.norm()
    parts = [sum((wave(kind, j, p) @ (start @ axis)) ** 2 for kind in ("cos", "sin") for axis in (one, other))
             for j in range(1, (p + 1) // 2)]  # fmt: skip
    return (parts[k - 1] / sum(parts)).float()


def _by_centring(start: Tensor, final: Tensor, k: int) -> float:
    """The total without the constant is what is left when each column's mean is taken off."""
    basis = basis_of(len(start))
    rows = _rows(basis, k)
    new = final - start * (torch.linalg.lstsq(start.reshape(-1, 1), final.reshape(-1, 1)).solution.item())
    axes = torch.linalg.qr((rows @ new).T).Q
    inside = start @ axes
    return ((rows @ inside).norm() / (inside - inside.mean(0)).norm()).item() ** 2


MISTAKES = [
    Mistake(
        "plane of the start",
        _variant(added=lambda start, final: start),
        "Your plane is that of the *start's* own cos k and sin k components, which always finds something. Take the plane "
        "from what training added, and look at the start in it.",
    ),
    Mistake(
        "start not taken off",
        _variant(added=lambda start, final: final),
        "Your plane comes from the final embedding as it is. That still contains a piece of the start, so the two look alike "
        "for no good reason: take the start's multiple off first.",
    ),
    Mistake(
        "start taken off once",
        _variant(added=lambda start, final: final - start),
        "You subtract the start itself. Weight decay has shrunk what is left of it: subtract its least-squares multiple.",
    ),
    Mistake(
        "multiple with the wrong denominator",
        _variant(added=lambda start, final: final - _dot(final, start) / _dot(final, final) * start),
        "Your multiple divides by the final embedding's sum of squares. What is multiplied is the start: divide by the "
        "start's.",
    ),
    Mistake(
        "multiple with the root in the denominator",
        _variant(added=lambda start, final: final - _dot(final, start) / start.norm() * start),
        "Your multiple divides by the start's length. A least-squares multiple divides by the *square* of it.",
    ),
    Mistake(
        "cosine for the multiple",
        _variant(added=lambda start, final: final - _dot(final, start) / (start.norm() * final.norm()) * start),
        "Your multiple is the cosine between the two embeddings. A least-squares multiple divides their dot product by the "
        "start's sum of squares.",
    ),
    Mistake(
        "ratio of lengths for the multiple",
        _variant(added=lambda start, final: final - final.norm() / start.norm() * start),
        "Your multiple is the ratio of the two lengths. A least-squares multiple is the dot product of the two, divided by "
        "the start's sum of squares.",
    ),
    Mistake(
        "a multiple for each column",
        _variant(added=_column_multiples),
        "You fit a multiple of the start for each column by itself. One number for the whole table is wanted.",
    ),
    Mistake(
        "a multiple for each row",
        _variant(added=_row_multiples),
        "You fit a multiple of the start for each row by itself. One number for the whole table is wanted.",
    ),
    Mistake(
        "sum in place of difference",
        _variant(added=lambda start, final: 2 * final - _added(start, final)),
        "You add the start's multiple where it has to be subtracted.",
    ),
    Mistake(
        "axes not orthonormal",
        _variant(plane=lambda vectors: vectors.T),
        "You project on the two vectors as they are. They are neither of length 1 nor perpendicular, so some directions count "
        "more than others: make an orthonormal basis of the plane first.",
    ),
    Mistake(
        "axes of length 1, not perpendicular",
        _variant(plane=_unit_rows),
        "Your two axes have length 1, but they are not perpendicular, so what they share counts twice. Make an orthonormal "
        "basis of the plane.",
    ),
    Mistake(
        "constant in the total",
        _variant(share=lambda power, k: float(power[2 * k - 1 : 2 * k + 1].sum() / power.sum())),
        "Your total includes the constant, row 0. It says where the circle's centre is, not how round it is: leave it out.",
    ),
    Mistake(
        "cosine only",
        _variant(share=lambda power, k: float(power[2 * k - 1] / power[1:].sum())),
        "You count the cosine only. A wave of frequency k is cosine and sine together: rows 2k − 1 and 2k.",
    ),
    Mistake(
        "rows one too high",
        _from_row(lambda k: 2 * k),
        "Your rows are one too high: sin k and cos k + 1. Frequency k has the rows 2k − 1 and 2k.",
    ),
    Mistake(
        "rows one too low",
        _from_row(lambda k: 2 * k - 2),
        "Your rows are one too low: sin k − 1 (or the constant) and cos k. Frequency k has the rows 2k − 1 and 2k.",
    ),
    Mistake(
        "k taken for a row number",
        _from_row(lambda k: k),
        "You use rows k and k + 1. Frequency k has the rows 2k − 1 and 2k.",
    ),
    Mistake(
        "not projected",
        _not_projected,
        "This is the share of frequency k in the whole start. Project the start on the final plane first: only there can the "
        "final circle have grown from it.",
    ),
    Mistake(
        "the final embedding projected",
        _variant(seen=lambda start, final: final),
        "You measure the *final* embedding in its own plane, which is a circle by now. Project the start.",
    ),
    Mistake(
        "what was added projected",
        _variant(seen=_added),
        "You measure what training added in its own plane. Project the start.",
    ),
    Mistake(
        "plane of the largest directions",
        _singular_plane,
        "Your plane is that of the two largest singular values, whatever their frequency. It is spanned by the cos k and "
        "sin k components.",
    ),
    Mistake(
        "lengths in place of squares",
        _variant(power=lambda table: (basis_of(len(table)) @ table).norm(dim=1)),
        "You add up lengths of components. Shares are of sums of squares: square before you add.",
    ),
    Mistake(
        "ratio to the rest",
        _variant(share=lambda power, k: 1 / (1 / _share(power, k) - 1)),
        "You divide by the sum of the *other* waves. A share is of the total, frequency k included.",
    ),
]


def _embeddings(p: int, d_model: int, k: int, seed: int) -> tuple[Tensor, Tensor, int]:
    """A random start, and what it might become: shrunk, with a wave of frequency k and a little of everything else."""
    start = noise(p, d_model, seed=seed) + noise(d_model, seed=seed + 1)
    waves = torch.stack([wave("cos", k, p), wave("sin", k, p)], 1) @ (1.5 * noise(2, d_model, seed=seed + 2))
    return start, 0.4 * start + waves + 0.3 * noise(p, d_model, seed=seed + 3), k


@check(
    reference=progress.initial_circularity,
    alternatives=[_by_fft, _by_gram_schmidt, _by_centring],
    mistakes=MISTAKES,
    cases=lambda: [_embeddings(9, 4, 3, seed=61), _embeddings(13, 5, 2, seed=71)],
)
def test_initial_circularity(answer: Any) -> None:
    """Say what share of the start, seen in the final plane of frequency k, is a wave of frequency k."""
    p, k, d_model = 11, 3, 5
    axes = torch.linalg.qr(noise(d_model, 3, seed=1)).Q.T  # three perpendicular directions
    cos, sin, other = wave("cos", k, p), wave("sin", k, p), wave("sin", 1, p)
    circle = 6 * cos[:, None] * axes[0] + 2 * sin[:, None] * (axes[1] + axes[0])
    # Each start is perpendicular to the circle as a table, so that nothing but half of it is taken off.
    inside = 3 * (cos[:, None] * axes[1])
    noisy = 4 * other[:, None] * axes[0]
    constant = 7 * axes[1].expand(p, d_model)
    outside = 5 * wave("cos", 2, p)[:, None] * axes[2] + 2 * sin[:, None] * axes[2]
    for words, start, wanted in (
        ("a wave of frequency 3 in the final plane", inside, 1.0),
        ("a wave of frequency 1 in the final plane", noisy, 0.0),
        ("waves of frequency 3 and 1, of lengths 3 and 4, in the final plane", inside + noisy, 9 / 25),
        ("those and a constant", inside + noisy + constant, 9 / 25),
        ("those, a constant, and waves outside of the plane", inside + noisy + constant + outside, 9 / 25),
    ):
        share = call(answer, start, 0.5 * start + circle, k, returns=float)
        expect_finite(share, what=f"the share where the start is {words}")
        expect_close(
            share,
            wanted,
            atol=1e-5,
            what=f"the share where the start is {words}",
            why="Squares in the plane are shared out among the waves; the constant and what is outside do not count.",
        )
    for p, d_model, k in ((7, 4, 1), (11, 6, 5), (13, 3, 4), (23, 8, 2), (5, 9, 2)):
        start, final, _ = _embeddings(p, d_model, k, seed=10 * p)
        given = (noncontiguous(start), noncontiguous(final)) if p == 13 else (start, final)
        expect_close(
            call(answer, *given, k, returns=float),
            _by_fft(start, final, k),
            what=f"the share of frequency {k} for random embeddings, p = {p}, d_model = {d_model}",
            why="NumPy's least squares, Fourier transform and pseudo-inverse give this.",
        )
