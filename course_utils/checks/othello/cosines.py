"""Exercise: how do the directions of a probe's states lie to one another?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from course_utils import probe_directions
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite, expect_shape, noncontiguous
from course_utils.checks.othello.inputs import noise


def _one_by_one(weight: Tensor) -> Float[Tensor, "state state"]:
    """Number by number."""
    rows = weight.double().tolist()
    columns = list(zip(*([x - sum(row) / len(row) for x in row] for row in rows), strict=True))

    def dot(a: Any, b: Any) -> float:
        return math.fsum(x * y for x, y in zip(a, b, strict=True))

    return torch.tensor([[dot(a, b) / math.sqrt(dot(a, a) * dot(b, b)) for b in columns] for a in columns])


def _by_function(weight: Tensor) -> Tensor:
    own = (weight - weight.mean(dim=1, keepdim=True)).T
    return torch.nn.functional.cosine_similarity(own[:, None], own[None], dim=-1)


def _by_products(weight: Tensor) -> Any:
    """Centred by a matrix, in NumPy."""
    w = np.asarray(weight, dtype=np.float64)
    centre = np.eye(w.shape[1]) - 1 / w.shape[1]
    products = centre @ w.T @ w @ centre
    lengths = np.sqrt(np.diag(products))
    return products / np.outer(lengths, lengths)


def _centred(weight: Tensor) -> Tensor:
    return weight - weight.mean(1, keepdim=True)


def _cosines(columns: Tensor) -> Tensor:
    unit = columns / columns.norm(dim=0)
    return unit.T @ unit


def _right(weight: Tensor) -> Tensor:
    return _cosines(_centred(weight))


def _of(change: Callable[[Tensor], Tensor]) -> Any:
    """A wrong answer: the cosines of something else."""
    return lambda weight: _cosines(change(weight))


def _normalised_first(weight: Tensor) -> Tensor:
    own = _centred(weight / weight.norm(dim=0))
    return own.T @ own


def _one_length(weight: Tensor) -> Tensor:
    own = _centred(weight)
    own = own / own.norm()
    return own.T @ own


def _by_squares(weight: Tensor) -> Tensor:
    own = _centred(weight)
    products = own.T @ own
    return products / torch.outer(products.diagonal(), products.diagonal())


def _one_side(weight: Tensor) -> Tensor:
    own = _centred(weight)
    return own.T @ own / own.norm(dim=0)


def _rows_normalised(weight: Tensor) -> Tensor:
    own = _centred(weight)
    own = own / own.norm(dim=1, keepdim=True)
    return own.T @ own


def _first_taken_away(weight: Tensor) -> Tensor:
    own = torch.nn.functional.normalize(weight - weight[:, :1], dim=0)
    return own.T @ own


def _products(weight: Tensor) -> Tensor:
    return _centred(weight).T @ _centred(weight)


MISTAKES = [
    Mistake(
        "not centred",
        _of(lambda weight: weight),
        "These are the cosines of the directions as they are. What they have in common changes no probability: take the mean "
        "over states away first.",
    ),
    Mistake(
        "mean over dimensions",
        _of(lambda weight: weight - weight.mean(0)),
        "You take away each direction's mean over dimensions. Take away the mean of the directions: average over states.",
    ),
    Mistake(
        "mean over everything",
        _of(lambda weight: weight - weight.mean()),
        "You take away one number, the mean of all entries. What the directions have in common is a vector: average over states.",
    ),
    Mistake(
        "both means",
        _of(lambda weight: _centred(weight) - _centred(weight).mean(0)),
        "You take away the mean over dimensions too. Only the mean over states goes.",
    ),
    Mistake(
        "mean added",
        _of(lambda weight: weight + weight.mean(1, keepdim=True)),
        "You add the mean. Take it away.",
    ),
    Mistake(
        "sum in place of the mean",
        _of(lambda weight: weight - weight.sum(1, keepdim=True)),
        "You take away the sum of the directions. Take away their mean.",
    ),
    Mistake(
        "means only",
        _of(lambda weight: weight.mean(1, keepdim=True).expand_as(weight)),
        "You compare the mean with itself. Take the mean away from each direction.",
    ),
    Mistake(
        "first state taken away",
        _first_taken_away,
        "You take the first state's direction away from all. Take away the mean, so that no state is preferred.",
    ),
    Mistake(
        "dot products",
        _products,
        "These are dot products. Divide each by both lengths.",
    ),
    Mistake(
        "dot products, not centred",
        lambda weight: weight.T @ weight,
        "These are dot products of the directions as they are. Take the mean over states away, and divide by both lengths.",
    ),
    Mistake(
        "normalised before centring",
        _normalised_first,
        "You give the directions length 1 before you take their mean away, so that they have other lengths afterwards. Centre "
        "first.",
    ),
    Mistake(
        "normalised twice",
        _of(lambda weight: _centred(weight / weight.norm(dim=0))),
        "You give the directions length 1 before you take their mean away. That changes their mean: centre first.",
    ),
    Mistake(
        "one length for all",
        _one_length,
        "You divide by the length of the whole matrix. Each direction has its own length.",
    ),
    Mistake(
        "squared lengths",
        _by_squares,
        "You divide by squared lengths. Divide by lengths.",
    ),
    Mistake(
        "one length of two",
        _one_side,
        "You divide each product by one of the two lengths. Divide by both.",
    ),
    Mistake(
        "rows normalised",
        _rows_normalised,
        "You divide by lengths along the wrong axis. A direction is a column: its length is taken over d_model.",
    ),
    Mistake(
        "dimensions compared",
        lambda weight: _cosines(_centred(weight).T),
        "These are cosines between dimensions. Wanted are those between states: directions are the columns.",
    ),
    Mistake(
        "magnitudes",
        lambda weight: _right(weight).abs(),
        "Your cosines have lost their signs.",
    ),
    Mistake(
        "distances",
        lambda weight: 1 - _right(weight),
        "You return 1 − cosine. Wanted is the cosine.",
    ),
    Mistake(
        "squares",
        lambda weight: _right(weight).square(),
        "You return squared cosines.",
    ),
    Mistake(
        "angles",
        lambda weight: _right(weight).clamp(-1, 1).acos(),
        "You return angles. Wanted are their cosines.",
    ),
]


def _weight(d_model: int, states: int, seed: int) -> Float[Tensor, "d_model state"]:
    """Directions of different lengths with much in common."""
    own = noise(d_model, states, seed=seed) * torch.linspace(0.5, 2, states)
    return (own + 1.5 * noise(d_model, 1, seed=seed + 1) + 0.4).float()


@check(
    reference=probe_directions.state_cosines,
    alternatives=[_by_function, _by_products, _one_by_one],
    mistakes=MISTAKES,
    cases=lambda: [(_weight(9, 3, 90),), (_weight(14, 5, 95),)],
)
def test_state_cosines(answer: Any) -> None:
    """Find the cosines between the directions of states, after their mean is taken away."""
    for d_model, states in ((6, 3), (40, 3), (9, 4), (7, 5)):
        weight = _weight(d_model, states, seed=d_model)
        weight = noncontiguous(weight) if states == 4 else weight.float() if d_model == 40 else weight
        found = call(answer, weight)
        what = f"{states} states in {d_model} dimensions"
        expect_shape(found, (states, states), what=what, why="A row and a column for each state.")
        expect_finite(found, what=what)
        expect_close(
            found,
            _one_by_one(weight),
            what=f"cosines of {what}",
            why="The mean over states is taken away from each direction, then cosines are taken.",
        )
    weight = _weight(8, 3, seed=1)
    more = noise(8, 1, seed=2).float() * 20
    found, moved = call(answer, weight), call(answer, weight + more)
    expect_close(found.diagonal(), torch.ones(3), what="the cosine of a direction with itself", why="It is 1.")
    expect_close(
        moved,
        found,
        what="cosines after a vector is added to all states",
        why="That changes no probability of the probe, so it must not change your cosines.",
    )
