"""What is on the board, according to a network, and how good would a reader be who did not look at the network?

States are numbers: 0 for an empty square, 1 and 2 for the two kinds of disc. Whose they are depends on the frame: by
colour (black, white), or as the side that moves next sees it (mine, theirs).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_utils.models import Transformer
from course_utils.models.hooks import stream_name
from course_utils.probes import Examples, fit_linear
from course_utils.tasks import othello

STATES = 3


def open_positions(games: othello.Games) -> Bool[Tensor, "game ply"]:
    """Which positions have a next move? The last ply, which no model reads, is left out."""
    return games.legal[:, :-1] != 0


def activations(
    model: Transformer, games: othello.Games, names: Sequence[str], batch: int = 125
) -> dict[str, Float[Tensor, "n ..."]]:
    """A model's activations at the open positions of games, by the names of their hooks."""
    parts: dict[str, list[Tensor]] = {name: [] for name in names}
    tokens, open_ = games.tokens()[:, :-1].split(batch), open_positions(games).split(batch)
    for some, at in zip(tokens, open_, strict=True):
        with torch.no_grad():
            _, cache = model.run_with_cache(some, names=names)
        for name in names:
            parts[name].append(cache[name][at])
    return {name: torch.cat(found) for name, found in parts.items()}


class Probe(NamedTuple):
    """Logits [n, square, state] are activations times ``weight``, plus ``bias``."""

    weight: Float[Tensor, "d_model square state"]
    bias: Float[Tensor, "square state"]


def logits(
    activations: Float[Tensor, "n d_model"],
    weight: Float[Tensor, "d_model square state"],
    bias: Float[Tensor, "square state"],
) -> Float[Tensor, "n square state"]:
    """How strongly a probe believes in each state of each square. The largest is what it reads."""
    return (activations @ weight.flatten(1)).unflatten(1, weight.shape[1:]) + bias


def linear_probe(activations: Float[Tensor, "n d_model"], states: Int[Tensor, "n square"]) -> Probe:
    """The linear map from activations to ones and zeros (is the square in this state?) with the least squared error.

    One solution serves all squares and states: they share the activations. Double precision, since the activations of
    neighbouring positions differ little; directions in which they do not differ at all get no weight.
    """
    mean = activations.double().mean(0)
    wanted = F.one_hot(states.long(), STATES).double()
    x, y = activations - mean, wanted - wanted.mean(0)
    moments = x.T @ x
    ridge = 1e-6 * moments.diagonal().mean() * torch.eye(len(moments), dtype=moments.dtype)
    weight = torch.linalg.solve(moments + ridge, x.T @ y.flatten(1)).unflatten(1, y.shape[1:])
    bias = wanted.mean(0) - torch.einsum("d, d s k -> s k", mean, weight)
    return Probe(weight.to(activations), bias.to(activations))


def majority(states: Int[Tensor, "n square"], ply: Int[Tensor, "n"]) -> Int[Tensor, "ply square"]:
    """The state that each square has most often at each ply, up to the last that occurs; 0 where a ply never does."""
    counts = torch.zeros(int(ply.max()) + 1, states.shape[1], STATES, dtype=torch.int64)
    return counts.index_add_(0, ply.long(), F.one_hot(states.long(), STATES)).argmax(-1)


def guess_discs(
    states: Int[Tensor, "n square"],
    ply: Int[Tensor, "n"],
    new: Int[Tensor, "m square"],
    new_ply: Int[Tensor, "m"],
) -> Int[Tensor, "m square"]:
    """What would somebody say who sees which squares are empty, and nothing else?

    Of each square of the new boards that is not empty: the disc (1 or 2) that it has more often at that ply in
    ``states``; 1 if both are as frequent. Every new ply occurs there or is before one that does.
    """
    counts = torch.zeros(int(ply.max()) + 1, states.shape[1], STATES, dtype=torch.int64)
    discs = counts.index_add_(0, ply.long(), F.one_hot(states.long(), STATES))[..., 1:]
    return torch.where(new != 0, 1 + discs.argmax(-1)[new_ply.long()], 0)


class ByPly(NamedTuple):
    """Shares of right answers at each ply: of all squares, and of the squares that have a disc."""

    all: Float[Tensor, "ply"]
    occupied: Float[Tensor, "ply"]


def accuracy_by_ply(
    predicted: Int[Tensor, "n square"], states: Int[Tensor, "n square"], ply: Int[Tensor, "n"]
) -> ByPly:
    """How often are the predicted states the true ones, ply by ply, up to the last? NaN where there is nothing to count."""
    right = (predicted == states).double()
    occupied = (states != 0).double()
    plies = int(ply.max()) + 1

    def total(values: Float[Tensor, "n"]) -> Float[Tensor, "ply"]:
        return torch.zeros(plies, dtype=values.dtype).index_add_(0, ply.long(), values)

    return ByPly(
        total(right.mean(1)) / total(torch.ones_like(right[:, 0])),
        total((right * occupied).sum(1)) / total(occupied.sum(1)),
    )


def shuffled(states: Int[Tensor, "n square"], ply: Int[Tensor, "n"], seed: int) -> Int[Tensor, "n square"]:
    """Each position gets the board of another one at the same ply: all that is left is what the ply says."""
    generator = torch.Generator().manual_seed(seed)
    mixed = states.clone()
    for at in ply.unique():
        rows = (ply == at).nonzero()[:, 0]
        mixed[rows] = states[rows[torch.randperm(len(rows), generator=generator)]]
    return mixed


class TinyNetwork(NamedTuple):
    """``relu(x @ w_in + b_in) @ w_out + b_out``."""

    w_in: Float[Tensor, "2 hidden"]
    b_in: Float[Tensor, "hidden"]
    w_out: Float[Tensor, "hidden"]
    b_out: Float[Tensor, ""]


def colour_network() -> TinyNetwork:
    """Ones and minus ones that turn (m, s) into m · s: is the disc black, given that it is mine and whose turn it is?

    For ``|m| ≤ 1`` and s = ±1: ``m · s = (|m + s| − |m − s|) / 2``, and ``|x| = relu(x) + relu(−x)``.
    """
    w_in = torch.tensor([[1.0, -1.0, 1.0, -1.0], [1.0, -1.0, -1.0, 1.0]])
    return TinyNetwork(w_in, torch.zeros(4), torch.tensor([0.5, 0.5, -0.5, -0.5]), torch.tensor(0.0))


def colours_read(
    model: Transformer, layer: int, games: othello.Games, fit_to: othello.Games, choose_by: othello.Games
) -> Float[Tensor, "game ply square 3"]:
    """How probable a linear probe of one layer holds it, after each move, that a square is empty, black or white.

    Args:
        model: what has read the games.
        layer: the stream after it is probed.
        games: what to read.
        fit_to, choose_by: other games, to fit the probe to and to choose its penalty by.
    """

    name = stream_name(layer)

    def examples(drawn: othello.Games) -> Examples:
        states = drawn.relative()[:, :-1][open_positions(drawn)]
        return Examples(activations(model, drawn, [name])[name][None], states)

    probes = fit_linear(examples(fit_to), examples(choose_by), penalties=(1e-2, 1e-3), steps=10)
    _, cache = model.run_with_cache(games.tokens()[:, :-1], names=name)
    read = cache[name]
    belief = probes.logits(read.flatten(0, 1)[None])[0].softmax(-1).unflatten(0, read.shape[:2])
    # The probe is fitted in the frame of the side that moves next; its discs are black where that is black's.
    black_next = games.black_next[:, :-1, None, None]
    return torch.where(black_next, belief, belief[..., [0, 2, 1]])
