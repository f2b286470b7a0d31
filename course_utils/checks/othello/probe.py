"""Exercise: a linear probe by least squares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from course_utils import board_probes
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite, expect_shape, noncontiguous
from course_utils.checks.othello.inputs import noise

Pair = tuple[Tensor, Tensor]


def _wanted(states: Tensor) -> Float[Tensor, "n square 3"]:
    return torch.stack([states == k for k in range(3)], -1).double()


def _best(activations: Tensor, states: Tensor) -> Float[Tensor, "n square 3"]:
    """The fitted values with the least squared error, one square at a time in NumPy."""
    x = np.column_stack([np.asarray(activations, dtype=np.float64), np.ones(len(activations))])
    fitted = [x @ np.linalg.lstsq(x, y.numpy(), rcond=None)[0] for y in _wanted(states).unbind(1)]
    return torch.from_numpy(np.stack(fitted, 1))


def _with_ones(activations: Tensor) -> Tensor:
    return torch.cat([activations, torch.ones_like(activations[:, :1])], 1)


def _column_of_ones(activations: Tensor, states: Tensor) -> Pair:
    """In the precision of the activations."""
    wanted = F.one_hot(states.long(), 3).to(activations.dtype).flatten(1)
    found = torch.linalg.lstsq(_with_ones(activations), wanted).solution.unflatten(1, (-1, 3))
    return found[:-1], found[-1]


def _little_ridge(activations: Tensor, states: Tensor) -> Pair:
    """Normal equations, square by square, in double precision."""
    x = _with_ones(activations.double())
    moments = x.T @ x
    moments = moments + 1e-6 * moments.diagonal().mean() * torch.eye(len(moments)).double()
    found = torch.stack([torch.linalg.solve(moments, x.T @ y) for y in _wanted(states).unbind(1)], 1)
    return found[:-1].float(), found[-1].float()


def _pseudo_inverse(activations: Tensor, states: Tensor) -> Any:
    """NumPy, the mean taken out first, in a list."""
    a, y = np.asarray(activations, dtype=np.float64), _wanted(states).numpy()
    weight = np.einsum("dn,nsk->dsk", np.linalg.pinv(a - a.mean(0)), y)
    return [weight, y.mean(0) - np.tensordot(a.mean(0), weight, 1)]


def _least_squares(x: Tensor, y: Tensor) -> Tensor:
    return torch.linalg.lstsq(x, y.flatten(1)).solution.unflatten(1, y.shape[1:])


def _solved(activations: Tensor, wanted: Tensor) -> Pair:
    found = _least_squares(_with_ones(activations.double()), wanted)
    return found[:-1], found[-1]


def _right(activations: Tensor, states: Tensor) -> Pair:
    return _solved(activations, _wanted(states))


def _changed(change: Callable[[Tensor, Tensor], Any]) -> Any:
    """A wrong answer made of the right weight and bias."""
    return lambda activations, states: change(*_right(activations, states))


def _other_wanted(wanted: Callable[[Tensor], Tensor]) -> Any:
    """A wrong answer that fits something else."""
    return lambda activations, states: _solved(activations, wanted(_wanted(states)))


def _no_bias(activations: Tensor, states: Tensor) -> Pair:
    y = _wanted(states)
    return _least_squares(activations.double(), y), torch.zeros_like(y[0])


def _centred(activations: Tensor, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weight of the centred problem, the means of the activations and of what is wanted."""
    x, y = activations.double(), _wanted(states)
    return _least_squares(x - x.mean(0), y - y.mean(0)), x.mean(0), y.mean(0)


def _other_bias(bias: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """A wrong answer: another bias, made of what is wanted on average and of the score of the mean activation."""

    def wrong(activations: Tensor, states: Tensor) -> Pair:
        weight, mean, often = _centred(activations, states)
        return weight, bias(often, torch.einsum("d, d s k -> s k", mean, weight))

    return wrong


def _standardised(activations: Tensor, states: Tensor) -> Pair:
    x = activations.double()
    return _solved((x - x.mean(0)) / x.std(0).clamp_min(1e-6), _wanted(states))


def _strong_ridge(activations: Tensor, states: Tensor) -> Pair:
    x, y = _with_ones(activations.double()), _wanted(states)
    found = torch.linalg.solve(x.T @ x + torch.eye(x.shape[1]), x.T @ y.flatten(1)).unflatten(1, y.shape[1:])
    return found[:-1], found[-1]


def _descent(activations: Tensor, states: Tensor) -> Pair:
    x, y = _with_ones(activations.double()), _wanted(states).flatten(1)
    w = torch.zeros(x.shape[1], y.shape[1]).double()
    for _ in range(100):
        w = w - 0.01 * x.T @ (x @ w - y) / len(x)
    return w[:-1].unflatten(1, (-1, 3)), w[-1].unflatten(0, (-1, 3))


def _means(activations: Tensor, states: Tensor) -> Pair:
    x, y = activations.double(), _wanted(states)
    return torch.einsum("n d, n s k -> d s k", x - x.mean(0), y) / len(x), y.mean(0)


def _first_row_as_bias(activations: Tensor, states: Tensor) -> Pair:
    weight, bias = _right(activations, states)
    found = torch.cat([weight, bias[None]])
    return found[1:], found[0]


def _last_row_as_bias(activations: Tensor, states: Tensor) -> Pair:
    weight, bias = _right(activations, states)
    found = torch.cat([bias[None], weight])
    return found[:-1], found[-1]


def _mixed_up(activations: Tensor, states: Tensor) -> Pair:
    weight, bias = _right(activations, states)
    return weight.mT.flatten(1).unflatten(1, bias.shape), bias.T.flatten().unflatten(0, bias.shape)


MISTAKES = [
    Mistake(
        "no bias",
        _no_bias,
        "Your bias is zero. Without it all fitted values are 0 where the activations are 0: add a column of ones, or take the "
        "means out first.",
    ),
    Mistake(
        "mean as bias",
        _other_bias(lambda often, score: often),
        "Your bias is the mean of the ones and zeros. That fits activations whose mean is taken out, and these still have "
        "theirs: subtract what your weight makes of it.",
    ),
    Mistake(
        "mean added",
        _other_bias(lambda often, score: often + score),
        "You add what the weight makes of the mean activation to the bias. It is counted already: subtract it.",
    ),
    Mistake(
        "centred, no bias",
        _other_bias(lambda often, score: torch.zeros_like(often)),
        "You take out the means for the weight, and your bias is zero. Both means have to come back through the bias.",
    ),
    Mistake(
        "activations centred only",
        _other_bias(lambda often, score: -score),
        "Your bias brings back the mean of the activations, and not that of the ones and zeros.",
    ),
    Mistake(
        "standardised",
        _standardised,
        "This fits activations with mean 0 and standard deviation 1. Your weight and bias get them as they are: undo both "
        "changes.",
    ),
    Mistake(
        "strong ridge",
        _strong_ridge,
        "Your weights are pulled towards 0, by a ridge or weight decay. Make it tiny, or leave it out.",
    ),
    Mistake(
        "descent stopped early",
        _descent,
        "Your descent has not arrived at the least error. Least squares can be solved in one step.",
    ),
    Mistake(
        "means of the classes",
        _means,
        "Your weight is how each dimension goes along with each state. Dimensions go along with one another too: solve for all "
        "of them at once.",
    ),
    Mistake(
        "plus and minus one",
        _other_wanted(lambda y: 2 * y - 1),
        "You fit ones and minus ones. Wanted are ones and zeros.",
    ),
    Mistake(
        "states in another order",
        _other_wanted(lambda y: y.roll(-1, 2)),
        "Your states are shifted by one: entry k is to be about state k, beginning with 0, the empty square.",
    ),
    Mistake(
        "one number for each square",
        lambda activations, states: _solved(activations, states.double()),
        "You fit the state as a number. It is a name: fit a 1 or 0 for each of the three states.",
    ),
    Mistake(
        "discs only",
        _changed(lambda weight, bias: (weight[..., 1:], bias[..., 1:])),
        "You fit states 1 and 2 only. The empty square, state 0, has its column too.",
    ),
    Mistake(
        "squares first",
        _changed(lambda weight, bias: (weight.permute(1, 2, 0), bias)),
        "Your weight is right, but its axes are square, state, d_model. Put d_model first.",
    ),
    Mistake(
        "states before squares",
        _changed(lambda weight, bias: (weight.mT, bias.mT)),
        "You have the axis of states before that of squares. Squares come first.",
    ),
    Mistake(
        "not unflattened",
        _changed(lambda weight, bias: (weight.flatten(1), bias.flatten())),
        "Squares and states share one axis in your result. Give each an axis of its own.",
    ),
    Mistake(
        "bias first",
        _changed(lambda weight, bias: (bias, weight)),
        "You return the bias first. The weight comes first.",
    ),
    Mistake(
        "first row as bias",
        _first_row_as_bias,
        "You take the bias from the first row of the solution, and your column of ones stands last: the bias is in the last row.",
    ),
    Mistake(
        "last row as bias",
        _last_row_as_bias,
        "You take the bias from the last row of the solution, but your column of ones stands first: the bias is the first row.",
    ),
    Mistake(
        "squares and states mixed up",
        _mixed_up,
        "You flatten states before squares and unflatten them the other way round, so that entries end up with other squares and "
        "states. Use the same order both times.",
    ),
    Mistake(
        "half of the examples",
        lambda activations, states: _right(activations[: len(states) // 2], states[: len(states) // 2]),
        "You fit the first half of the examples. Use all that are given.",
    ),
]


def _question(n: int, d_model: int, squares: int, seed: int, away: float = 0.6) -> tuple[Tensor, Tensor]:
    """Boards that depend on all directions alike, while activations differ much in some and little in others."""
    z, readers = noise(n, d_model, seed=seed), noise(d_model, squares, 3, seed=seed + 1)
    states = (torch.einsum("n d, d s k -> n s k", z, readers) + 0.5 * noise(squares, 3, seed=seed + 2)).argmax(-1)
    turned = torch.linalg.qr(noise(d_model, d_model, seed=seed + 3)).Q
    activations = (z * torch.linspace(1, 0.2, d_model).double()) @ turned + away * noise(d_model, seed=seed + 4)
    return activations.float(), states


def _questions() -> list[tuple[str, Tensor, Tensor]]:
    plain, far, many = _question(60, 7, 4, 10), _question(90, 6, 5, 20, away=2.0), _question(150, 11, 9, 30)
    steady, never, early = _question(70, 8, 2, 40), _question(50, 5, 6, 50), _question(40, 4, 5, 60)
    steady[0][:, 3] = 0.75 + 0.02 * noise(70, seed=45).float()
    never[1][:, 0] = never[1][:, 0].clamp(max=1)
    return [
        ("random boards", *plain),
        ("activations far from 0", noncontiguous(far[0]), noncontiguous(far[1])),
        ("many examples", *many),
        ("boards on which one square never has state 2", *never),
        ("boards on which no square has state 2", early[0], early[1].clamp(max=1)),
        ("activations with a dimension that hardly changes", *steady),
    ]


@check(
    reference=board_probes.linear_probe,
    alternatives=[_column_of_ones, _little_ridge, _pseudo_inverse],
    mistakes=MISTAKES,
    cases=lambda: [question[1:] for question in _questions()],
)
def test_linear_probe(answer: Any) -> None:
    """Find the weight and bias whose values come nearest to 1 where a square has a state, and to 0 elsewhere."""
    for words, activations, states in _questions():
        d_model, squares = activations.shape[1], states.shape[1]
        weight, bias = call(answer, activations, states, returns=(Tensor, Tensor))
        expect_shape(weight, (d_model, squares, 3), what=f"`weight` for {words}", why="d_model, square, state.")
        expect_shape(bias, (squares, 3), what=f"`bias` for {words}", why="square, state.")
        expect_finite(weight, what=f"`weight` for {words}")
        expect_finite(bias, what=f"`bias` for {words}")
        fitted = torch.einsum("n d, d s k -> n s k", activations.double(), weight.double()) + bias.double()
        best, wanted = _best(activations, states), _wanted(states)
        errors = [float((y - wanted).square().mean()) for y in (fitted, best)]
        expect_close(
            fitted,
            best,
            what=f"activations @ weight + bias for {words}",
            why=f"Your mean squared error is {errors[0]:.5g}. The least is {errors[1]:.5g}.",
            rtol=0,
            atol=3e-3,
        )
