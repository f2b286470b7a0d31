"""Exercise: activations changed as little as can be so that no line tells two labels apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import directions
from course_utils.checks.framework import (
    Mistake,
    call,
    check,
    expect,
    expect_close,
    expect_finite,
    expect_shape,
    noncontiguous,
)
from course_utils.checks.latent.inputs import coins, noise


def _formula(x: Tensor, label: Tensor) -> Tensor:
    """As the exercise has it, in double precision."""
    d = _Data(x, label)
    return x.double() - torch.outer(d.centred @ d.weight, d.towards) / (d.towards @ d.weight)


def _left_by_a_regression(x: Tensor, label: Tensor) -> Any:
    """NumPy: the label is predicted from x, and x from that prediction; what is left stays."""
    rows, y = np.asarray(x, dtype=np.float64), np.asarray(label, dtype=np.float64)
    with_one = np.concatenate([rows, np.ones((len(rows), 1))], 1)
    predicted = with_one @ np.linalg.lstsq(with_one, y, rcond=None)[0]
    predicted = predicted - predicted.mean()
    return rows - np.outer(predicted, predicted @ rows / (predicted @ predicted))


def _within_labels(x: Tensor, label: Tensor) -> Tensor:
    """With Fisher's discriminant: means and covariance of each label. In the precision of x."""
    yes, no = x[label], x[~label]
    within = (yes - yes.mean(0)).T @ (yes - yes.mean(0)) + (no - no.mean(0)).T @ (no - no.mean(0))
    apart = yes.mean(0) - no.mean(0)
    weight = torch.linalg.inv(within) @ apart
    return x - ((x - x.mean(0)) @ weight / (apart @ weight)).unsqueeze(1) * apart


def _whitened(x: Tensor, label: Tensor) -> Tensor:
    """In coordinates of variance 1, by Cholesky's factor, the shortest change is at right angles."""
    mean = x.double().mean(0)
    factor = torch.linalg.cholesky((x - mean).T @ (x - mean))
    white = torch.linalg.solve_triangular(factor, (x - mean).T, upper=False)  # (d_model, n)
    towards = white @ (label.double() - label.double().mean())
    white = white - torch.outer(towards, towards @ white) / towards.square().sum()
    return (factor @ white).T + mean


class _Data:
    """What the formula is made of, in double precision."""

    def __init__(self, x: Tensor, label: Tensor) -> None:
        self.x, self.mean = x.double(), x.double().mean(0)
        self.centred = self.x - self.mean
        self.covariance = self.centred.T @ self.centred / len(x)
        self.towards = self.centred.T @ (label.double() - label.double().mean()) / len(x)
        self.weight = torch.linalg.solve(self.covariance, self.towards)
        self.apart = self.x[label].mean(0) - self.x[~label].mean(0)
        self.label = label
        self.taken = torch.outer(self.centred @ self.weight, self.towards) / (self.towards @ self.weight)


def _variant(change: Callable[[_Data], Tensor]) -> Any:
    """A wrong answer: something else is taken from x."""

    def wrong(x: Tensor, label: Tensor) -> Tensor:
        data = _Data(x, label)
        return data.x - change(data)

    return wrong


def _along(along: Callable[[_Data], Tensor], of: Callable[[_Data], Tensor] = lambda d: d.centred) -> Any:
    """A wrong answer: the orthogonal projection on a direction is taken away."""

    def change(d: _Data) -> Tensor:
        unit = along(d) / along(d).norm()
        return torch.outer(of(d) @ unit, unit)

    return _variant(change)


def _oblique(weight: Callable[[_Data], Tensor]) -> Any:
    """A wrong answer: another weight in the place of Σ⁻¹c."""
    return _variant(lambda d: torch.outer(d.centred @ weight(d), d.towards) / (d.towards @ weight(d)))


def _first_component(d: _Data) -> Tensor:
    return torch.linalg.eigh(d.covariance).eigenvectors[:, -1]


def _own_means(d: _Data) -> Tensor:
    yes, no = d.x[d.label].mean(0), d.x[~d.label].mean(0)
    return torch.where(d.label[:, None], yes, no)


def _white(x: Tensor, label: Tensor) -> Tensor:
    data = _Data(x, label)
    values, vectors = torch.linalg.eigh(data.covariance)
    white = (data.centred - data.taken) @ (vectors / values.sqrt()) @ vectors.T
    return white + data.mean


def _from_zero(x: Tensor, label: Tensor) -> Tensor:
    data, towards = _Data(x, label), x.double().T @ label.double()
    weight = torch.linalg.solve(data.covariance, towards)
    return data.x - torch.outer(data.centred @ weight, towards) / (towards @ weight)


def _in_place(x: Tensor, label: Tensor) -> Tensor:
    x -= _Data(x, label).taken.to(x)
    return x


MISTAKES = [
    Mistake(
        "at right angles",
        _along(lambda d: d.apart),
        "You take away the part along the difference of the means, at right angles to it. That makes the means equal, and moves "
        "more than it has to: what else varies along this direction goes too. Weigh by Σ⁻¹c, and not by c.",
    ),
    Mistake(
        "at right angles, from 0",
        _along(lambda d: d.apart, lambda d: d.x),
        "You take away the part along the difference of the means, counted from 0 and at right angles. Count from the mean, so "
        "that the mean stays where it is, and weigh by Σ⁻¹c, which moves less.",
    ),
    Mistake(
        "regression's weight",
        _along(lambda d: d.weight),
        "You take away the part along Σ⁻¹c, the direction in which a regression *reads* the label. The means differ along c: "
        "weigh by Σ⁻¹c, and subtract along c.",
    ),
    Mistake(
        "regression's weight, from 0",
        _along(lambda d: d.weight, lambda d: d.x),
        "You take away the part along Σ⁻¹c, counted from 0. Σ⁻¹c says how much is subtracted, from x − mean, and c in which "
        "direction.",
    ),
    Mistake(
        "roles exchanged",
        _variant(lambda d: torch.outer(d.centred @ d.towards, d.weight) / (d.towards @ d.weight)),
        "You subtract along Σ⁻¹c, so much as c says. It is the other way round: the amount is Σ⁻¹c · (x − mean), the direction "
        "is c.",
    ),
    Mistake(
        "white",
        _white,
        "You return the whitened activations. Go back to the old coordinates after the label is taken out of the white ones.",
    ),
    Mistake(
        "own means taken away",
        _variant(_own_means),
        "You subtract from each row the mean of its own label. Then all means are 0, the overall one as well, and what becomes "
        "of a row depends on its label, which nobody knows of a new row. Make an affine function of x.",
    ),
    Mistake(
        "means moved together",
        _variant(lambda d: _own_means(d) - d.mean),
        "You move each label's mean to the overall mean. What becomes of a row depends on its label then, which nobody knows "
        "of a new row. Make an affine function of x: the label goes into c only.",
    ),
    Mistake(
        "half",
        _variant(lambda d: d.taken / 2),
        "You take away half of what is wanted, and the means still differ by half of what they did.",
    ),
    Mistake(
        "added",
        _variant(lambda d: -d.taken),
        "You add each row's share in c, and the means lie twice as far apart. Subtract it.",
    ),
    Mistake(
        "what is taken away",
        lambda x, label: _Data(x, label).taken,
        "You return what is to be taken away. Return what is left of x.",
    ),
    Mistake(
        "mean taken away",
        _variant(lambda d: d.taken + d.mean),
        "Your rows have mean 0. The mean is to stay where it was: subtract from x, and not from x − mean.",
    ),
    Mistake(
        "counted from 0",
        _variant(lambda d: torch.outer(d.x @ d.weight, d.towards) / (d.towards @ d.weight)),
        "You weigh x itself, and so the mean of all rows moves. Weigh x − mean.",
    ),
    Mistake(
        "not inverted",
        _oblique(lambda d: d.covariance @ d.towards),
        "You multiply c by Σ. Multiply by its inverse: `torch.linalg.solve(Σ, c)`.",
    ),
    Mistake(
        "variances only",
        _oblique(lambda d: d.towards / d.covariance.diagonal()),
        "You divide c by the variance of each dimension. Dimensions go with each other: use the inverse of the whole covariance.",
    ),
    Mistake(
        "moments about 0",
        _oblique(lambda d: torch.linalg.solve(d.x.T @ d.x / len(d.x), d.towards)),
        "Your Σ is made of x, and not of x − mean. Take the mean away first.",
    ),
    Mistake(
        "covariance with the label, from 0",
        _from_zero,
        "Your c is the mean of x times label, with nothing centred. Take the mean of x away, or that of the label.",
    ),
    Mistake(
        "not divided",
        _variant(lambda d: torch.outer(d.centred @ d.weight, d.towards)),
        "You do not divide by c · Σ⁻¹c, so that the means still differ.",
    ),
    Mistake(
        "divided by the length of c",
        _variant(lambda d: torch.outer(d.centred @ d.weight, d.towards) / (d.towards @ d.towards)),
        "You divide by c · c. Divide by c · Σ⁻¹c.",
    ),
    Mistake(
        "first component",
        _along(_first_component),
        "You take away the direction along which x varies most. The label need not be there: use it.",
    ),
    Mistake(
        "all the same",
        _variant(lambda d: d.centred),
        "All your rows are the mean. No label can be told from them, and nothing else: change as little as can be.",
    ),
    Mistake(
        "in place",
        _in_place,
        "What you return is right, but you have written it on `x` itself. Write `x = x - …` in place of `x -= …`.",
    ),
]


def _question(n: int, d_model: int, seed: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Activations whose dimensions go together, with means that differ by label; the first and the last row are equal."""
    label = coins(n, 0.35, seed)
    mixed = torch.linalg.qr(noise(d_model, d_model, seed=seed + 1, dtype=torch.float64)).Q * torch.linspace(
        0.4, 2.2, d_model
    )
    shift = 0.8 * noise(d_model, seed=seed + 2, dtype=torch.float64)
    x = noise(n, d_model, seed=seed + 3, dtype=torch.float64) @ mixed.T + 1.5 + label[:, None] * shift
    x[-1] = x[0]
    return x.to(dtype), label


def _expect_erased(found: Tensor, x: Tensor, label: Tensor, what: str) -> None:
    """All that the exercise asks for, fact by fact. Together they leave nothing open."""
    data, left = _Data(x, label), found.double()
    small = 1e-3 * float(data.covariance.diagonal().max().sqrt())
    taken = data.x - left
    expect_close(
        left[label].mean(0) - left[~label].mean(0),
        torch.zeros_like(data.mean),
        what=f"the means of the two labels, one less the other, {what}",
        why="Both labels are to have the same mean.",
        rtol=0,
        atol=small,
    )
    expect_close(
        left.mean(0), data.mean, what=f"the mean of all rows, {what}", why="It is to stay.", rtol=0, atol=small
    )
    expect_close(
        left[0],
        left[-1],
        what=f"the first row and the last, {what}",
        why="Both rows of x are the same, with different labels. An affine function of x makes the same of them.",
        rtol=0,
        atol=small,
    )
    least = float(data.towards.square().sum() / (data.towards @ data.weight))
    moved = float(taken.square().sum(1).mean())
    expect(
        moved < 1.001 * least + small**2,
        what=f"x has moved more than it has to, {what}",
        why="The least mean squared change is c · c / (c · Σ⁻¹c), which the formula of the exercise reaches.",
        expected=f"{least:.5g}",
        got=f"{moved:.5g}",
    )
    expect_close(
        taken.T @ (left - data.mean) / len(x),
        torch.zeros_like(data.covariance),
        what=f"the covariance of what was taken away with what is left, {what}",
        why="If they went together, less could be taken away.",
        rtol=0,
        atol=float(1e-3 * data.covariance.diagonal().max()),
    )
    unit = data.towards / data.towards.norm()
    expect_close(
        taken,
        torch.outer(taken @ unit, unit),
        what=f"what was taken away, {what}",
        why="All of it lies along c, the covariance of x with the label, as the difference of the means does.",
        rtol=0,
        atol=small,
    )
    expect_close(
        taken @ unit,
        data.centred @ data.weight / (data.towards @ data.weight) * data.towards.norm(),
        what=f"how much was taken away of each row, along c, {what}",
        why="It is Σ⁻¹c · (x − mean), divided by c · Σ⁻¹c.",
        rtol=0,
        atol=2 * small,
    )


@check(
    reference=directions.erase,
    alternatives=[_formula, _left_by_a_regression, _within_labels, _whitened],
    mistakes=MISTAKES,
    cases=lambda: [_question(40, 4, 60), _question(50, 6, 70, torch.float64)],
)
def test_erase(answer: Any) -> None:
    """Change x as little as can be so that both labels have the same mean."""
    first, second = torch.tensor([2.0, 0, 1, 1, 4, 2, 3, 3]), torch.tensor([2.0, 0, 2, 0, 2, 0, 2, 0])
    label = torch.arange(8) > 3
    found = call(answer, torch.stack([first, second], 1), label)
    expect_shape(found, (8, 2), what="eight rows of two dimensions", why="Each row stays a row.")
    expect_close(
        found,
        torch.stack([1.5 + 0.5 * second, second], 1),
        what="(2, 2), (0, 0), (1, 2) and (1, 0) labelled no, (4, 2), (2, 0), (3, 2) and (3, 0) labelled yes",
        why="The means differ by (2, 0), so that only the first number changes. With Σ = [[1.5, 0.5], [0.5, 1]] and c = (0.5, "
        "0), Σ⁻¹c is (0.4, −0.2): what stays of the first number is what goes with the second, 1.5 + 0.5 · second.",
        atol=1e-3,
    )
    for n, d_model, dtype in (
        (30, 3, torch.float32),
        (61, 8, torch.float32),
        (45, 5, torch.float64),
        (400, 16, torch.float32),
        (80, 4, torch.float64),
    ):
        x, label = _question(n, d_model, n, dtype)
        if n == 80:
            x = 1e-5 * x
        if n == 45:
            x, label = noncontiguous(x), noncontiguous(label)
        found = call(answer, x, label)
        what = f"{n} rows of {d_model} dimensions"
        expect_shape(found, (n, d_model), what=what, why="Each row stays a row.")
        expect_finite(found, what=what)
        _expect_erased(found, x, label, what)
