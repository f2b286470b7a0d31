"""Exercise: the smallest change of the stream that gives a probe's score a wanted value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import interventions
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite, expect_shape, noncontiguous
from course_utils.checks.othello.inputs import noise

Question = tuple[Tensor, Tensor, Tensor, Tensor]


def _row_by_row(resid: Tensor, direction: Tensor, bias: Tensor, target: Tensor) -> Any:
    """NumPy: the minimum-norm solution of one equation."""
    rows = []
    for x, d, b, t in zip(
        *(np.asarray(part, dtype=np.float64) for part in (resid, direction, bias, target)), strict=True
    ):
        rows.append(x + np.linalg.pinv(d[None])[:, 0] * (t - x @ d - b))
    return np.stack(rows)


def _by_parts(resid: Tensor, direction: Tensor, bias: Tensor, target: Tensor) -> Tensor:
    """What is across the direction stays; along it stands what is wanted."""
    length = direction.norm(dim=1, keepdim=True)
    unit = direction / length
    along = torch.einsum("n d, n d -> n", resid, unit)
    return resid - along[:, None] * unit + ((target - bias)[:, None] / length) * unit


def _by_gradient(resid: Tensor, direction: Tensor, bias: Tensor, target: Tensor) -> Tensor:
    """One step of Newton's."""
    x = resid.detach().clone().double().requires_grad_()
    score = (x * direction).sum(1) + bias
    (slope,) = torch.autograd.grad(score.sum(), x)
    return (x - slope * ((score - target) / (slope * slope).sum(1))[:, None]).float()


def _variant(amount: Callable[..., Tensor], keep: float = 1.0) -> Any:
    """A wrong answer: so much of the direction is added, given resid · direction, its squared length, bias and target."""

    def wrong(resid: Tensor, direction: Tensor, bias: Tensor, target: Tensor) -> Tensor:
        parts = (resid * direction).sum(1), direction.square().sum(1), bias, target
        return keep * resid + amount(*parts)[:, None] * direction

    return wrong


_right = _variant(lambda score, square, bias, target: (target - score - bias) / square)


def _in_place(resid: Tensor, direction: Tensor, bias: Tensor, target: Tensor) -> Tensor:
    resid += _right(resid, direction, bias, target) - resid
    return resid


def _scaled(resid: Tensor, direction: Tensor, bias: Tensor, target: Tensor) -> Tensor:
    return resid * ((target - bias) / (resid * direction).sum(1))[:, None]


def _all_alike(resid: Tensor, direction: Tensor, bias: Tensor, target: Tensor) -> Tensor:
    """The same number added to each dimension."""
    missing = target - (resid * direction).sum(1) - bias
    return resid + (missing / direction.sum(1))[:, None]


def _unit_for_the_score(resid: Tensor, direction: Tensor, bias: Tensor, target: Tensor) -> Tensor:
    unit = direction / direction.norm(dim=1, keepdim=True)
    return resid + (target - bias - (resid * unit).sum(1))[:, None] * unit


def _one_direction(resid: Tensor, direction: Tensor, bias: Tensor, target: Tensor) -> Tensor:
    return _right(resid, direction[:1].expand_as(direction), bias, target)


def _one_length(resid: Tensor, direction: Tensor, bias: Tensor, target: Tensor) -> Tensor:
    missing = target - (resid * direction).sum(1) - bias
    return resid + missing[:, None] * direction / direction.square().sum()


def _largest_only(resid: Tensor, direction: Tensor, bias: Tensor, target: Tensor) -> Tensor:
    """Only the dimension that counts most is changed."""
    missing = target - (resid * direction).sum(1) - bias
    best = direction.abs().argmax(1, keepdim=True)
    return resid.scatter_add(1, best, missing[:, None] / direction.gather(1, best))


MISTAKES = [
    Mistake(
        "target times the direction",
        _variant(lambda score, square, bias, target: target),
        "You add the direction `target` times. What is to be `target` is the score afterwards: find out how much is missing, and "
        "how much one direction adds to the score.",
    ),
    Mistake(
        "length, not squared",
        _variant(lambda score, square, bias, target: (target - score - bias) / square.sqrt()),
        "You divide by the length of the direction. Adding the direction once raises the score by its *squared* length.",
    ),
    Mistake(
        "length 1 assumed",
        _variant(lambda score, square, bias, target: target - score - bias),
        "You add the direction as if its length were 1. Adding it once raises the score by its squared length: divide by it.",
    ),
    Mistake(
        "multiplied by the squared length",
        _variant(lambda score, square, bias, target: (target - score - bias) * square),
        "You multiply by the squared length of the direction. Divide by it.",
    ),
    Mistake(
        "bias forgotten",
        _variant(lambda score, square, bias, target: (target - score) / square),
        "You leave out the bias. It is part of the score.",
    ),
    Mistake(
        "bias added",
        _variant(lambda score, square, bias, target: (target - score + bias) / square),
        "Your bias has the wrong sign. The score includes it already, so that less is missing.",
    ),
    Mistake(
        "present score forgotten",
        _variant(lambda score, square, bias, target: (target - bias) / square),
        "You add as much as if the score were 0 so far. Take off what resid · direction is already.",
    ),
    Mistake(
        "present score and bias forgotten",
        _variant(lambda score, square, bias, target: target / square),
        "You raise the score *by* `target`. It is to *be* `target`: take off the present score.",
    ),
    Mistake(
        "other direction",
        _variant(lambda score, square, bias, target: (score + bias - target) / square),
        "You move the score away from its target: a sign is turned round.",
    ),
    Mistake(
        "twice as far",
        _variant(lambda score, square, bias, target: 2 * (target - score - bias) / square),
        "You go twice as far: the score ends on the other side of its target.",
    ),
    Mistake(
        "change only",
        _variant(lambda score, square, bias, target: (target - score - bias) / square, keep=0.0),
        "You return the change. Return the changed rows.",
    ),
    Mistake(
        "direction only",
        _variant(lambda score, square, bias, target: (target - bias) / square, keep=0.0),
        "The score is right, but nothing of resid is left. Keep everything that is at right angles to the direction.",
    ),
    Mistake(
        "taken out",
        _variant(lambda score, square, bias, target: -score / square),
        "You take the direction out of resid, so that only the bias is left of the score. Then put in what is wanted.",
    ),
    Mistake(
        "in place",
        _in_place,
        "You write on `resid`. The caller still needs it: make a new tensor.",
    ),
    Mistake(
        "scaled",
        _scaled,
        "You multiply whole rows of resid. The score is right then, but the change is not the smallest: move along the "
        "direction.",
    ),
    Mistake(
        "all dimensions alike",
        _all_alike,
        "You add the same number to every dimension. The score is right then, but the smallest change goes along the direction.",
    ),
    Mistake(
        "one dimension",
        _largest_only,
        "You change only the dimension that counts most. The score is right then, but the smallest change goes along the "
        "direction.",
    ),
    Mistake(
        "another score",
        _unit_for_the_score,
        "You shorten the direction to length 1 and give *that* score the target. The score is that of the direction as it is.",
    ),
    Mistake(
        "first direction for all",
        _one_direction,
        "You use the first row's direction everywhere. Each row has its own.",
    ),
    Mistake(
        "one length for all",
        _one_length,
        "You divide by the squared length of all directions together. Sum over the dimensions of each row only.",
    ),
]


def _question(n: int, d_model: int, seed: int, dtype: torch.dtype = torch.float64) -> Question:
    """Directions of very different lengths."""
    direction = noise(n, d_model, seed=seed) * torch.linspace(0.3, 2.5, n)[:, None] + 0.1
    parts = (
        noise(n, d_model, seed=seed + 1) + 0.3,
        direction,
        noise(n, seed=seed + 2),
        2 * noise(n, seed=seed + 3) + 0.5,
    )
    resid, direction, bias, target = (part.to(dtype) for part in parts)
    return resid, direction, bias, target


@check(
    reference=interventions.set_score,
    alternatives=[_row_by_row, _by_parts, _by_gradient],
    mistakes=MISTAKES,
    cases=lambda: [_question(8, 5, 60), _question(3, 11, 70)],
)
def test_set_score(answer: Any) -> None:
    """Give each row's score its target by the smallest change of the row."""
    for n, d_model, dtype in (
        (2, 3, torch.float64),
        (7, 5, torch.float64),
        (12, 30, torch.float32),
        (1, 4, torch.float64),
    ):
        question = _question(n, d_model, seed=10 * d_model, dtype=dtype)
        if n == 7:
            resid, direction, bias, target = (noncontiguous(part) for part in question)
            target[2] = resid[2] @ direction[2] + bias[2]
        else:
            resid, direction, bias, target = question
        found = call(answer, resid, direction, bias, target)
        what = f"{n} row{'s' * (n > 1)} of {d_model} dimensions"
        expect_shape(found, (n, d_model), what=what, why="The changed rows, in the shape of resid.")
        expect_finite(found, what=what)
        rows, before, way = found.double(), resid.double(), direction.double()
        expect_close(
            (rows * way).sum(1) + bias.double(),
            target,
            what=f"the scores afterwards, {what}",
            why="Each row's new score is its target.",
            atol=1e-4,
        )
        change = rows - before
        along = torch.stack([(c @ d) / (d @ d) * d for c, d in zip(change, way, strict=True)])
        expect_close(
            change - along,
            torch.zeros(n, d_model),
            what=f"the part of the change at right angles to the direction, {what}",
            why="The scores are right, but a smaller change does the same: what is at right angles to the direction does not "
            "change the score.",
            atol=1e-4,
        )
