"""Exercise: a probe that answers any labels, surely and consistently."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from course_utils import ccs
from course_utils.checks.ccs.inputs import labels, noise
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite, expect_shape, noncontiguous

Probe = tuple[Tensor, Tensor]
Question = tuple[Tensor, Tensor, Tensor, float]


class _Named(NamedTuple):
    weight: Tensor
    bias: Tensor


def _least_squares(positive: Tensor, negative: Tensor, label: Tensor, margin: float = 10.0) -> _Named:
    """In the precision of the activations."""
    x = torch.cat([positive, negative])
    rows = torch.cat([x, torch.ones_like(x[:, :1])], 1)
    sign = torch.where(torch.cat([label, ~label]), margin, -margin).to(x.dtype)
    found = torch.linalg.lstsq(rows, sign[:, None]).solution[:, 0]
    return _Named(found[:-1], found[-1])


def _numpy(positive: Tensor, negative: Tensor, label: Tensor, margin: float = 10.0) -> Any:
    """Pairs beside each other, ones in front; the bias is a number."""
    x = np.stack([np.asarray(positive), np.asarray(negative)], 1).reshape(-1, positive.shape[1]).astype(np.float64)
    wanted = np.outer(np.where(np.asarray(label), margin, -margin), [1, -1]).reshape(-1)
    found = np.linalg.lstsq(np.column_stack([np.ones(len(x)), x]), wanted, rcond=None)[0]
    return found[1:], float(found[0])


def _by_products(positive: Tensor, negative: Tensor, label: Tensor, margin: float = 10.0) -> Probe:
    """A combination of the rows, in double precision; another column than ones makes another probe that is as right."""
    x = torch.cat([positive, negative]).double()
    rows = torch.cat([x, torch.full_like(x[:, :1], 3.0)], 1)
    sign = 2 * label.double() - 1
    found = rows.T @ torch.linalg.solve(rows @ rows.T, margin * torch.cat([sign, -sign]))
    return found[:-1], 3 * found[-1]


def _rows(x: Tensor) -> Float[Tensor, "row column"]:
    return torch.cat([x, torch.ones_like(x[:, :1])], 1)


def _solved(x: Tensor, wanted: Tensor) -> Probe:
    """The smallest weights and bias with the least squared error."""
    found = torch.linalg.pinv(_rows(x.double())) @ wanted.double()
    return found[:-1], found[-1]


def _without_bias(x: Tensor, wanted: Tensor) -> Probe:
    return torch.linalg.pinv(x.double()) @ wanted.double(), torch.zeros(())


def _signs(label: Tensor) -> Tensor:
    return 2 * label.double() - 1


def _wanting(wanted: Callable[[Tensor, float], Tensor], solve: Any = _solved) -> Any:
    """A wrong answer: other values are fitted on both sides, positive first."""
    return lambda positive, negative, label, margin=10.0: solve(torch.cat([positive, negative]), wanted(label, margin))


def _both(label: Tensor, margin: float) -> Tensor:
    return margin * torch.cat([_signs(label), -_signs(label)])


def _changed(change: Callable[[Tensor, Tensor], Any]) -> Any:
    """A wrong answer made of the right weight and bias."""

    def wrong(positive: Tensor, negative: Tensor, label: Tensor, margin: float = 10.0) -> Any:
        return change(*_solved(torch.cat([positive, negative]), _both(label, margin)))

    return wrong


def _in_turns(first: Tensor, second: Tensor) -> Tensor:
    """The rows of two tensors in turns."""
    return torch.stack([first, second], 1).flatten(0, 1)


def _interleaved_rows(positive: Tensor, negative: Tensor, label: Tensor, margin: float = 10.0) -> Probe:
    return _solved(_in_turns(positive, negative), _both(label, margin))


def _class_means(positive: Tensor, negative: Tensor, label: Tensor, margin: float = 10.0) -> Probe:
    difference = positive.double() - negative.double()
    return margin * (difference[label].mean(0) - difference[~label].mean(0)), torch.zeros(())


MISTAKES = [
    Mistake(
        "labels the wrong way round",
        _wanting(lambda label, margin: -_both(label, margin)),
        "Your probe answers the opposite of each label. It is to be +margin on the positive side where the label is True.",
    ),
    Mistake(
        "margin left out",
        _wanting(lambda label, margin: _both(label, 1.0)),
        "Your logits are +1 and −1, whatever `margin` is. Multiply them by it.",
    ),
    Mistake(
        "margin of 10 written in",
        _wanting(lambda label, margin: _both(label, 10.0)),
        "Your logits are +10 and −10, whatever `margin` is. 10 is only its default.",
    ),
    Mistake(
        "0 in place of −margin",
        _wanting(lambda label, margin: margin * torch.cat([label, ~label]).double()),
        "Your logits are to be `margin` and 0, so that one answer has probability ½. In place of 0 take −margin.",
    ),
    Mistake(
        "probabilities fitted",
        _wanting(lambda label, margin: torch.sigmoid(_both(label, margin))),
        "You fit weight · x + bias to probabilities. It is the logit: fit it to +margin and −margin.",
    ),
    Mistake(
        "half the margin",
        _wanting(lambda label, margin: _both(label, margin / 2)),
        "Your logits are half of the margin, so that the two sides are one margin apart. Each side is to be a margin away "
        "from 0.",
    ),
    Mistake(
        "same sign on both sides",
        _wanting(lambda label, margin: margin * torch.cat([_signs(label), _signs(label)])),
        "You want the same logit on both sides of a pair, which says yes to a statement and to its opposite. The negative "
        "side has the other sign.",
    ),
    Mistake(
        "side in place of label",
        _wanting(lambda label, margin: margin * torch.cat([torch.ones(len(label)), -torch.ones(len(label))])),
        "You want +margin on the positive side and −margin on the negative one, whatever the label. Where it is False, "
        "exchange them.",
    ),
    Mistake(
        "positive side only",
        lambda positive, negative, label, margin=10.0: _solved(positive, margin * _signs(label)),
        "You fit the positive side only, so that the negative side may be anything. Fit both: stack them, with `torch.cat`.",
    ),
    Mistake(
        "negative side only",
        lambda positive, negative, label, margin=10.0: _solved(negative, -margin * _signs(label)),
        "You fit the negative side only, so that the positive side may be anything. Fit both: stack them, with `torch.cat`.",
    ),
    Mistake(
        "difference only",
        lambda positive, negative, label, margin=10.0: _without_bias(positive - negative, 2 * margin * _signs(label)),
        "You fit the differences of the sides, which leaves open where between the two 0 is. Each side's logit is asked for: "
        "fit both sides, with a bias.",
    ),
    Mistake(
        "difference fitted to the margin",
        lambda positive, negative, label, margin=10.0: _without_bias(positive - negative, margin * _signs(label)),
        "You fit the differences of the sides to one margin. Each side's logit is asked for: fit both sides, with a bias.",
    ),
    Mistake(
        "no bias",
        _wanting(_both, _without_bias),
        "You fit without a bias, and for 2 n = d_model + 1 weights alone cannot do it. Give each row a 1 more, whose weight "
        "is the bias.",
    ),
    Mistake(
        "bias lost",
        _changed(lambda weight, bias: (weight, torch.zeros(()))),
        "Your weight is right for a bias that you do not return: yours is 0. Return what belongs to the column of ones, or, "
        "if you took the mean of the activations away before you fitted, −weight · mean.",
    ),
    Mistake(
        "sign of the bias",
        _changed(lambda weight, bias: (weight, -bias)),
        "Your bias has the wrong sign. It is added to weight · x.",
    ),
    Mistake(
        "first entry as bias",
        _changed(lambda weight, bias: (torch.cat([weight[1:], bias[None]]), weight[0])),
        "You take the bias from the first entry of the solution, and your column of ones stands last.",
    ),
    Mistake(
        "last entry as bias",
        _changed(lambda weight, bias: (torch.cat([bias[None], weight[:-1]]), weight[-1])),
        "You take the bias from the last entry of the solution, and your column of ones stands first. Take the first entry, or "
        "put the ones behind the activations.",
    ),
    Mistake(
        "rows in turns",
        _interleaved_rows,
        "Your rows take turns, positive and negative, and what you fit them to has all positive sides first and then the "
        "negative ones. Put both into one order: `torch.cat` puts one side below the other.",
    ),
    Mistake(
        "wanted logits in turns",
        lambda positive, negative, label, margin=10.0: _solved(
            torch.cat([positive, negative]), _in_turns(margin * _signs(label), -margin * _signs(label))
        ),
        "Your rows have all positive sides first and then the negative ones, and the logits that you fit them to take turns. "
        "Put both into one order: `torch.cat([sign, -sign])`.",
    ),
    Mistake(
        "difference of the labels' means",
        _class_means,
        "Your weight is the difference of the labels' means, which does not give every pair its answer. Solve for the "
        "weights: one equation for each side of each pair.",
    ),
    Mistake(
        "weight and bias exchanged",
        _changed(lambda weight, bias: (bias, weight)),
        "You return the bias first. Return the weight and then the bias.",
    ),
    Mistake(
        "weight and bias in one",
        _changed(lambda weight, bias: torch.cat([weight, bias[None]])),
        "You return the whole solution. Its part for the column of ones is the bias: return the two by themselves.",
    ),
]


def _question(n: int, d_model: int, seed: int, margin: float = 10.0) -> Question:
    """Sides as they come, not normalised: their rows, each with a 1 more, are far from depending on each other.

    (Where each side has mean 0, its rows add up to 0 on both sides, and depend on each other.)
    """
    span = torch.linalg.qr(noise(d_model + 1, d_model + 1, seed=seed, dtype=torch.float64)).Q
    towards = torch.ones(d_model + 1, dtype=torch.float64)
    towards[:-1] = 0
    mirror = span.sum(0) / (d_model + 1) ** 0.5 - towards  # a mirror that puts equal parts into the last column
    span = span - 2 * torch.outer(span @ mirror, mirror) / (mirror @ mirror)
    rows = span[: 2 * n, :-1] * (d_model + 1) ** 0.5
    away = 0.3 * noise(d_model, seed=seed + 1, dtype=torch.float64)
    x = rows * (1 + 0.3 * torch.rand(2 * n, 1, generator=torch.Generator().manual_seed(seed))) + away
    return x[:n].float(), x[n:].float(), labels(n, seed=seed + 2), margin


@check(
    reference=ccs.probe_for_labels,
    alternatives=[_least_squares, _numpy, _by_products],
    mistakes=MISTAKES,
    cases=lambda: [_question(5, 9, 200, 4.0), _question(4, 7, 300)],
)
def test_probe_for_labels(answer: Any) -> None:
    """Find a linear probe with logits +margin and −margin, so that it answers these labels surely and consistently."""
    for words, question in (
        ("3 pairs in 5 dimensions", _question(3, 5, 10)),
        ("8 pairs in 15 dimensions, margin 2.5", _question(8, 15, 20, 2.5)),
        ("20 pairs in 39 dimensions", _question(20, 39, 30)),
        ("5 pairs in 60 dimensions, margin 6", _question(5, 60, 40, 6.0)),
        ("12 pairs in 26 dimensions, margin 1", _question(12, 26, 50, 1.0)),
    ):
        positive, negative, label, margin = question
        if "26" in words:
            positive, negative, label = noncontiguous(positive), noncontiguous(negative), noncontiguous(label)
        given = (positive, negative, label) if margin == 10 else (positive, negative, label, margin)
        weight, bias = call(answer, *given, returns=(Tensor, Tensor))
        expect_shape(weight, (positive.shape[1],), what=f"`weight` for {words}", why="One number for each dimension.")
        bias = (
            bias.reshape(()) if bias.shape == (1,) else bias
        )  # as `[-1:]` gives it: it is added to logits as a number is
        expect_shape(bias, (), what=f"`bias` for {words}", why="One number.")
        expect_finite(weight, what=f"`weight` for {words}")
        expect_finite(bias, what=f"`bias` for {words}")
        for side, name, sign in ((positive, "positive", 1.0), (negative, "negative", -1.0)):
            expect_close(
                side.double() @ weight.double() + bias.double(),
                sign * margin * torch.tensor([1.0 if so else -1.0 for so in label.tolist()]),
                what=f"the logits on the {name} side of {words}",
                why=f"They are weight · x + bias, and to be {'+' if sign > 0 else '−'}{margin:g} where the label is True and "
                f"{'−' if sign > 0 else '+'}{margin:g} where it is False.",
                rtol=0,
                atol=5e-3 * margin,
            )
