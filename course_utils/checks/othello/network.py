"""Exercise: a tiny network that multiplies by a sign."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from course_utils import board_probes
from course_utils.checks.calling import Recorded, recording
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite, expect_shape

Weights = tuple[Tensor, Tensor, Tensor, Tensor]


def _says(weights: Weights, x: Float[Tensor, "n 2"]) -> Float[Tensor, "n"]:
    w_in, b_in, w_out, b_out = (part.double() for part in weights)
    return (x @ w_in + b_in).clamp(min=0) @ w_out + b_out.reshape(())


def _network(*neurons: Sequence[float], b_out: float = 0.0) -> Callable[..., Any]:
    """An answer with these neurons: weight of m, weight of s, bias, weight of the result.

    Given points, it says what the network makes of them: that is how the check compares networks.
    """

    def answer(x: Tensor | None = None) -> Any:
        columns = torch.tensor(neurons, dtype=torch.float64)
        weights = columns[:, :2].T, columns[:, 2], columns[:, 3], torch.tensor(b_out, dtype=torch.float64)
        return weights if x is None else _says(weights, x)

    return answer


def _reshaped(change: Callable[..., Any]) -> Callable[..., Any]:
    """The right weights in another form."""
    return lambda x=None: change(*_right())


_right = _network((1, 1, 0, 0.5), (-1, -1, 0, 0.5), (1, -1, 0, -0.5), (-1, 1, 0, -0.5))
_two_neurons = _network((1, 1, 0, 1), (-1, -1, 0, 1), b_out=-1)
_three_neurons = _network((1, 1, 0, 1), (1, -1, 0, -1), (0, 1, 0, -2), b_out=1)
_gates = _network((1, 5, -4, 1), (0, 3, 0, -1 / 3), (-1, -100, -99, 1), (0, -0.5, 0, -2))


def _as_plain_numbers() -> Any:
    """Whole numbers and a float, and neurons that do nothing."""
    w_in = torch.tensor([[2, 0, -2, 0, 7], [2, 0, -2, 0, 7]])
    return [w_in, torch.zeros(5, dtype=torch.int64), torch.tensor([0.5, 4.0, 0.5, -9.0, 0.0]), -1.0]


MISTAKES = [
    Mistake(
        "sum",
        _network((1, 1, 0, 1), (-1, -1, 0, -1)),
        "Your network computes m + s. Wanted is the product.",
    ),
    Mistake(
        "difference",
        _network((1, -1, 0, 1), (-1, 1, 0, -1)),
        "Your network computes m − s. Wanted is the product.",
    ),
    Mistake(
        "sign reversed",
        _network((1, 1, 0, -0.5), (-1, -1, 0, -0.5), (1, -1, 0, 0.5), (-1, 1, 0, 0.5)),
        "Your network computes −m · s. Turn the signs of the output weights.",
    ),
    Mistake(
        "½ left out",
        _network((1, 1, 0, 1), (-1, -1, 0, 1), (1, -1, 0, -1), (-1, 1, 0, -1)),
        "Your network computes 2 m · s. Halve the output weights.",
    ),
    Mistake(
        "½ twice",
        _network((1, 1, 0, 0.25), (-1, -1, 0, 0.25), (1, -1, 0, -0.25), (-1, 1, 0, -0.25)),
        "Your network computes half of m · s. Double the output weights.",
    ),
    Mistake(
        "m = ±1 only",
        _network((2, 2, -3, 2), (-2, -2, -3, 2), b_out=-1),
        "Your network is right for m = 1 and m = −1 and wrong between them, where a probe is not sure. It has to be straight in "
        "m.",
    ),
    Mistake(
        "saturated",
        _network((5, 5, -4, 1), (5, 5, -6, -1), (-5, -5, -4, 1), (-5, -5, -6, -1), b_out=-1),
        "Between m = −1 and m = 1 your network jumps from one constant value to another. It has to be straight in m.",
    ),
    Mistake(
        "m alone",
        _network((1, 0, 0, 1), (-1, 0, 0, -1)),
        "Your network gives m, whatever s is. It is right for s = 1; for s = −1 the result is −m.",
    ),
    Mistake(
        "minus m alone",
        _network((1, 0, 0, -1), (-1, 0, 0, 1)),
        "Your network gives −m, whatever s is. It is right for s = −1; for s = 1 the result is m.",
    ),
    Mistake(
        "s alone",
        _network((0, 1, 0, 1), (0, -1, 0, -1)),
        "Your network gives s, whatever m is.",
    ),
    Mistake(
        "nothing for s = −1",
        _network((1, 1, 0, 0.5), (-1, 1, 0, -0.5)),
        "For s = −1 your network gives 0. There are neurons that work for s = 1 only: it needs others for s = −1.",
    ),
    Mistake(
        "nothing for s = 1",
        _network((1, -1, 0, -0.5), (-1, -1, 0, 0.5)),
        "For s = 1 your network gives 0. There are neurons that work for s = −1 only: it needs others for s = 1.",
    ),
    Mistake(
        "magnitude of m",
        _network((1, 1, -1, 1), (-1, 1, -1, 1), (1, -1, -1, -1), (-1, -1, -1, -1)),
        "Your network computes |m| · s: the sign of m is lost. Does each neuron for m have one for −m with the opposite output "
        "weight?",
    ),
    Mistake(
        "positive m only",
        _network((1, 1, -1, 1), (1, -1, -1, -1)),
        "For negative m your network gives 0: the ReLU cuts it off. Another neuron has to see −m.",
    ),
    Mistake(
        "half of each magnitude",
        _network((1, 1, 0, 0.5), (1, -1, 0, -0.5)),
        "Your network computes (m + 1) · s / 2. It has relu(x) where |x| is meant: that takes relu(−x) too.",
    ),
    Mistake(
        "half of each magnitude, without ½",
        _network((1, 1, 0, 1), (1, -1, 0, -1)),
        "Your network computes (m + 1) · s. The s that is too much has to be subtracted.",
    ),
    Mistake(
        "constant forgotten",
        _network((1, 1, 0, 1), (-1, -1, 0, 1)),
        "Your network computes m · s + 1. Take the 1 away with `b_out`.",
    ),
    Mistake(
        "constant added",
        _network((1, 1, 0, 1), (-1, -1, 0, 1), b_out=1),
        "Your network computes m · s + 2. Does `b_out` have the wrong sign?",
    ),
    Mistake(
        "w_in transposed",
        _reshaped(lambda w_in, b_in, w_out, b_out: (w_in.T, b_in, w_out, b_out)),
        "Your `w_in` has a row for each neuron. It is to have a row for m and one for s: x stands at its left.",
    ),
    Mistake(
        "w_out a column",
        _reshaped(lambda w_in, b_in, w_out, b_out: (w_in, b_in, w_out[:, None], b_out)),
        "Your `w_out` has two axes. There is one result, so one number for each neuron is enough.",
    ),
    Mistake(
        "b_out for each neuron",
        _reshaped(lambda w_in, b_in, w_out, b_out: (w_in, b_in, w_out, torch.zeros_like(w_out))),
        "Your `b_out` has a number for each neuron. There is one result: it is one number.",
    ),
]


def _points() -> Float[Tensor, "n 2"]:
    """(m, s) for m from −1 to 1, in even steps and between, with both signs s."""
    m = torch.cat(
        [torch.linspace(-1, 1, 21), 2 * torch.rand(40, generator=torch.Generator().manual_seed(5)) - 1]
    ).double()
    return torch.cat([torch.stack([m, torch.full_like(m, s)], 1) for s in (1, -1)])


def _weights(answer: Any, x: Float[Tensor, "n 2"]) -> Weights:
    """The answer's weights, in good shape.

    Many weights make one network. So what is kept of the call, for recognising a mistake, is what the network says.
    """
    weights: Weights = call(answer, returns=(Tensor, Tensor, Tensor, Tensor))
    w_in, b_in, w_out, b_out = weights
    expect_shape(w_in, (2, None), what="`w_in`", why="A row for m and one for s, a column for each neuron.")
    hidden = w_in.shape[1]
    expect_shape(b_in, (hidden,), what="`b_in`", why="One number for each neuron.")
    expect_shape(w_out, (hidden,), what="`w_out`", why="One number for each neuron.")
    if b_out.numel() != 1:
        expect_shape(b_out, (), what="`b_out`", why="One number.")
    for name, part in zip(("w_in", "b_in", "w_out", "b_out"), weights, strict=True):
        expect_finite(part, what=f"`{name}`")
    current = recording.get()
    if current is not None:
        current.uses[-1] = Recorded((x,), {}, _says(weights, x))
    return weights


@check(
    reference=board_probes.colour_network,
    alternatives=[_two_neurons, _three_neurons, _gates, _as_plain_numbers, _right],
    mistakes=MISTAKES,
)
def test_colour_network(answer: Any) -> None:
    """Choose the weights of a small ReLU network that turns (m, s) into m · s."""
    x = _points()
    says = _says(_weights(answer, x), x)
    m, s = x.T
    for sign in (1, -1):
        for name, part in (("for m = 1 and m = −1", m.abs() == 1), ("for m between −1 and 1", m.abs() < 1)):
            chosen = part & (s == sign)
            at, found = m[chosen][:3].tolist(), says[chosen][:3].tolist()
            examples = ", ".join(f"m = {a:.3g} gives {b:.4g}" for a, b in zip(at, found, strict=True))
            expect_close(
                says[chosen],
                (m * s)[chosen],
                what=f"what the network says {name}, s = {sign}",
                why=f"It has to be {'m' if sign == 1 else '−m'}. Yours: {examples}.",
                rtol=0,
                atol=1e-4,
                picture=False,
            )
