"""Exercise: activations without their part along a direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import directions
from course_utils.checks.ccs.inputs import noise
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite, expect_shape, noncontiguous


def _by_square(x: Tensor, direction: Tensor) -> Tensor:
    """Divided once, by the squared length."""
    return x - torch.outer(x @ direction, direction) / (direction @ direction)


def _by_matrix(x: Tensor, direction: Tensor) -> Tensor:
    """In double precision."""
    d = direction.double()
    return x.double() @ (torch.eye(len(d)) - torch.outer(d, d) / d.square().sum())


def _numpy(x: Tensor, direction: Tensor) -> Any:
    """Row by row: what a least-squares fit leaves."""
    d = np.asarray(direction, dtype=np.float64)[:, None]
    return np.stack([row - d[:, 0] * np.linalg.lstsq(d, row, rcond=None)[0] for row in np.asarray(x, dtype=np.float64)])


def _in_a_basis(x: Tensor, direction: Tensor) -> Tensor:
    """The coordinates in the other directions of a basis whose first is this one."""
    others = torch.linalg.qr(direction[:, None].double(), mode="complete").Q[:, 1:]
    return x.double() @ others @ others.T


def _unit(direction: Tensor) -> Tensor:
    return direction / direction.norm()


def _part(x: Tensor, direction: Tensor) -> Tensor:
    return torch.outer(x @ _unit(direction), _unit(direction))


def _less(part: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """A wrong answer: something else is taken away."""
    return lambda x, direction: x - part(x, direction)


def _largest_zeroed(x: Tensor, direction: Tensor) -> Tensor:
    found = x.clone()
    found[:, direction.abs().argmax()] = 0
    return found


def _in_place(x: Tensor, direction: Tensor) -> Tensor:
    x -= _part(x, direction)
    return x


MISTAKES = [
    Mistake(
        "length left as it is",
        _less(lambda x, direction: torch.outer(x @ direction, direction)),
        "You do not divide by the direction's length, which may be any. Give it length 1 first: direction / direction.norm().",
    ),
    Mistake(
        "divided by the length once",
        _less(lambda x, direction: torch.outer(x @ direction, _unit(direction))),
        "You divide by the direction's length once. It comes in twice, in the product and in the direction that is taken away: "
        "divide by its square.",
    ),
    Mistake(
        "divided by the length too often",
        _less(lambda x, direction: _part(x, direction) / direction.norm()),
        "You divide by the direction's length too often. It comes in twice, so divide by its square altogether.",
    ),
    Mistake(
        "divided by the squared length twice",
        _less(lambda x, direction: _part(x, direction) / direction.square().sum()),
        "You divide by the squared length twice. Once, or twice by the length itself, is enough.",
    ),
    Mistake(
        "divided by the sum",
        _less(lambda x, direction: torch.outer(x @ (direction / direction.sum()), direction / direction.sum())),
        "You divide the direction by the sum of its entries. Divide by its length, the root of the sum of their squares.",
    ),
    Mistake(
        "added",
        lambda x, direction: x + _part(x, direction),
        "You add the part along the direction once more. Take it away.",
    ),
    Mistake(
        "reflected",
        lambda x, direction: x - 2 * _part(x, direction),
        "You take the part along the direction away twice, which mirrors x. Once leaves nothing along it.",
    ),
    Mistake(
        "the part itself",
        _part,
        "You return the part along the direction. Wanted is what is left of x without it.",
    ),
    Mistake(
        "the part with the other sign",
        lambda x, direction: _part(x, direction) - x,
        "Your result has the wrong sign: it is x less its part along the direction, not the part less x.",
    ),
    Mistake(
        "lengths along the direction",
        lambda x, direction: x @ _unit(direction),
        "You return how far each row goes along the direction. Take that much of the direction away from the row.",
    ),
    Mistake(
        "direction taken away",
        _less(lambda x, direction: direction),
        "You take the direction itself away from each row. Rows have different parts along it: (x @ unit) of the unit "
        "direction.",
    ),
    Mistake(
        "unit direction taken away",
        _less(lambda x, direction: _unit(direction)),
        "You take the unit direction away from each row, once. Rows have different parts along it: multiply it by x @ unit.",
    ),
    Mistake(
        "same for all rows",
        _less(lambda x, direction: _part(x, direction).mean(0)),
        "You take the same vector away from all rows, their mean part along the direction. Each row has its own part.",
    ),
    Mistake(
        "mean kept",
        _less(lambda x, direction: _part(x - x.mean(0), direction)),
        "You take away how rows differ along the direction, and leave their mean. It goes too: use x as it is.",
    ),
    Mistake(
        "centred",
        lambda x, direction: x - x.mean(0) - _part(x - x.mean(0), direction),
        "You take the mean of the rows away as well. Only the part along the direction goes.",
    ),
    Mistake(
        "sizes",
        _less(lambda x, direction: torch.outer((x @ _unit(direction)).abs(), _unit(direction))),
        "You take the size of x @ unit. Rows on the other side of 0 have a negative part: leave its sign.",
    ),
    Mistake(
        "entry by entry",
        _less(lambda x, direction: x * _unit(direction) ** 2),
        "You multiply entry by entry. Add up over dimensions first, which is x @ unit: one number for each row.",
    ),
    Mistake(
        "largest entry set to 0",
        _largest_zeroed,
        "You set the dimension to 0 in which the direction is largest. A direction goes through many: take (x @ unit) of it "
        "away.",
    ),
    Mistake(
        "dimensions set to 0",
        lambda x, direction: torch.where(direction.abs() > direction.abs().mean(), 0.0, x),
        "You set dimensions to 0 in which the direction is large. What is asked for changes x along the direction only.",
    ),
    Mistake(
        "rows of length 1",
        lambda x, direction: torch.nn.functional.normalize(x - _part(x, direction), dim=1),
        "You give rows length 1 after the part has been taken away. Leave them: the nearest vectors are asked for.",
    ),
    Mistake(
        "lengths restored",
        lambda x, direction: (
            torch.nn.functional.normalize(x - _part(x, direction), dim=1) * x.norm(dim=1, keepdim=True)
        ),
        "You give rows the lengths that they had. They become shorter when a part is taken away, and are to stay so.",
    ),
    Mistake(
        "in place",
        _in_place,
        "The numbers are right, but you have written them over the activations you were given (`-=`). They are needed as they "
        "were: make a new tensor, as in `x = x - …`.",
    ),
]


def _question(n: int, d_model: int, seed: int, length: float = 1.7) -> tuple[Tensor, Tensor]:
    """Rows around a mean, and a direction of this length."""
    direction = noise(d_model, seed=seed + 1, dtype=torch.float64) + 0.3
    x = noise(n, d_model, seed=seed) + 0.8 * noise(d_model, seed=seed + 2)
    return x, (length * direction / direction.norm()).float()


@check(
    reference=directions.without,
    alternatives=[_by_square, _by_matrix, _numpy, _in_a_basis],
    mistakes=MISTAKES,
    cases=lambda: [_question(6, 5, 200, 2.3), _question(4, 8, 300, 0.6)],
)
def test_without(answer: Any) -> None:
    """Take the part along a direction away: the nearest vectors to x at a right angle to it."""
    found = call(answer, torch.tensor([[3.0, 1.0], [-2.0, 6.0]]), torch.tensor([2.0, 2.0]))
    expect_close(
        found,
        torch.tensor([[1.0, -1.0], [-4.0, 4.0]]),
        what="the rows (3, 1) and (−2, 6) without (2, 2)",
        why="Their parts along it are (2, 2) and (2, 2).",
    )
    for words, question in (
        ("7 rows and a direction of length 1.7", _question(7, 4, 10)),
        ("50 rows and a direction of length 0.02", _question(50, 12, 20, 0.02)),
        ("5 rows and a direction of length 300", _question(5, 9, 30, 300.0)),
        ("float64 rows", tuple(part.double() for part in _question(11, 6, 40))),
        ("one row", _question(1, 3, 50)),
    ):
        x, direction = noncontiguous(question[0]), noncontiguous(question[1])
        found = call(answer, x, direction)
        expect_shape(found, tuple(x.shape), what=f"the result for {words}", why="A row for each row of x.")
        expect_finite(found, what=f"the result for {words}")
        unit = direction.double() / direction.double().square().sum().sqrt()
        expect_close(
            found.double() @ unit,
            torch.zeros(len(x)),
            what=f"how far the result goes along the direction, for {words}",
            why="Nothing is to be left along it.",
            atol=1e-4,
        )
        x = x.double()
        expect_close(
            found,
            torch.stack([row - sum(a * u for a, u in zip(row, unit, strict=True)) * unit for row in x]),
            what=f"the result for {words}",
            why="Nothing else is to change: x less the result lies along the direction.",
            atol=1e-5 * float(x.abs().max()),
        )
