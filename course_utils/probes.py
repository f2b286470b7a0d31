"""What can be read off a network's activations, by a linear map or by a small network?

A probe of a square is a classifier of its state (empty, mine, theirs, say) that sees one activation vector. There is one
for each layer and square. They are fitted together: all squares of a layer share the vectors, so that one matrix product
gives the logits of all of them, and one factorised matrix serves as the curvature of all of them.

Linear probes are multinomial logistic regressions with an L2 penalty, on activations scaled to unit variance. The penalty
is chosen for each layer and square by the loss on validation data, which must not share games with training or test data.
What is returned applies to activations as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_utils.errors import CourseError

PENALTIES = (1e-1, 1e-2, 1e-3, 1e-4)
ROWS = 1024  # positions at a time, so that their probabilities stay in the processor's cache


@dataclass(frozen=True)
class Examples:
    """Activations and what is to be read off them.

    Attributes:
        activations: of each layer, at the same n positions.
        states: each square's state at those positions, from 0.
    """

    activations: Float[Tensor, "layer n d_model"]
    states: Int[Tensor, "n square"]

    def __post_init__(self) -> None:
        if self.activations.ndim != 3 or self.states.ndim != 2 or self.activations.shape[1] != len(self.states):
            raise CourseError(
                "Examples are activations [layer, n, d_model] and states [n, square] of the same n positions; these have "
                f"shapes {list(self.activations.shape)} and {list(self.states.shape)}."
            )
        if self.states.is_floating_point() or (self.states.numel() and int(self.states.min()) < 0):
            raise CourseError("States are whole numbers from 0.")


@dataclass(frozen=True)
class LinearProbes:
    """A linear map from activations to logits for each layer and square.

    Attributes:
        weight: a column for each state: the direction in activation space that speaks for it.
        bias: what is added.
        penalty: the strength of the L2 penalty that did best on the validation data.
    """

    weight: Float[Tensor, "layer d_model square state"]
    bias: Float[Tensor, "layer square state"]
    penalty: Float[Tensor, "layer square"]

    def logits(self, activations: Float[Tensor, "layer n d_model"]) -> Float[Tensor, "layer n square state"]:
        """How strongly each probe believes in each state."""
        flat = torch.baddbmm(self.bias.flatten(1)[:, None], activations, self.weight.flatten(2))
        return flat.unflatten(2, self.bias.shape[1:])

    def of_layer(self, layer: int) -> LinearProbes:
        """One layer's probes."""
        which = slice(layer, layer + 1)
        return LinearProbes(self.weight[which], self.bias[which], self.penalty[which])


@dataclass(frozen=True)
class MLPProbes:
    """One hidden layer of ReLU neurons for each layer of the network, shared by all squares.

    Attributes:
        n_states: how many states a square can have.
        w_in, b_in: from activations, as they are, to neurons.
        w_out, b_out: from neurons to logits, the states of the first square first.
    """

    n_states: int
    w_in: Float[Tensor, "layer d_model hidden"]
    b_in: Float[Tensor, "layer hidden"]
    w_out: Float[Tensor, "layer hidden square_state"]
    b_out: Float[Tensor, "layer square_state"]

    def logits(self, activations: Float[Tensor, "layer n d_model"]) -> Float[Tensor, "layer n square state"]:
        """How strongly each probe believes in each state."""
        hidden = torch.baddbmm(self.b_in[:, None], activations, self.w_in).relu()
        return torch.baddbmm(self.b_out[:, None], hidden, self.w_out).unflatten(2, (-1, self.n_states))

    def of_layer(self, layer: int) -> MLPProbes:
        """One layer's probes."""
        parts = (self.w_in, self.b_in, self.w_out, self.b_out)
        return MLPProbes(self.n_states, *(part[layer : layer + 1] for part in parts))


def right(probes: LinearProbes | MLPProbes, examples: Examples) -> Bool[Tensor, "layer n square"]:
    """Where does the state with the largest logit agree with the true one?"""
    return torch.stack(
        [
            torch.cat([found.argmax(-1)[0] for found in _in_parts(probes, examples, layer)]) == examples.states
            for layer in range(len(examples.activations))
        ]
    )


def accuracy(
    probes: LinearProbes | MLPProbes, examples: Examples, where: Bool[Tensor, "n square"] | None = None
) -> Float[Tensor, "layer"]:
    """The share of positions and squares that each layer's probes get right, of those ``where`` says (None: all)."""
    found = right(probes, examples).double()
    return found.mean((1, 2)) if where is None else (found * where).sum((1, 2)) / where.sum()


def _in_parts(probes: LinearProbes | MLPProbes, examples: Examples, layer: int, rows: int = 8192) -> list[Tensor]:
    one = probes.of_layer(layer)
    return [one.logits(part[None]) for part in examples.activations[layer].split(rows)]


def fit_linear(
    train: Examples,
    validation: Examples,
    penalties: Sequence[float] = PENALTIES,
    n_states: int = 3,
    steps: int = 20,
) -> LinearProbes:
    """Linear probes of all layers and squares.

    Args:
        train: what they are fitted to.
        validation: what chooses each one's penalty, by the loss.
        penalties: λ, of which the largest is fitted first: mean cross-entropy + λ/2 · (sum of squared weights).
        n_states: how many states a square can have.
        steps: of the fit, for each penalty.

    Raises:
        CourseError: examples that do not belong together, or states beyond ``n_states``.
    """
    _check(train, validation, n_states)
    fits = [
        _fit_layer(x, train.states, v, validation.states, sorted(penalties, reverse=True), n_states, steps)
        for x, v in zip(train.activations, validation.activations, strict=True)
    ]
    weight, bias, penalty = (torch.stack(part) for part in zip(*fits, strict=True))
    return LinearProbes(weight, bias, penalty)


def _fit_layer(
    x: Float[Tensor, "n d_model"],
    states: Int[Tensor, "n square"],
    validation_x: Float[Tensor, "m d_model"],
    validation_states: Int[Tensor, "m square"],
    penalties: list[float],
    n_states: int,
    steps: int,
) -> tuple[Tensor, Tensor, Tensor]:
    mean, scale = x.mean(0), x.std(0).clamp_min(1e-6)
    # A column of ones carries the bias.
    x, validation_x = (F.pad((part - mean) / scale, (0, 1), value=1.0) for part in (x, validation_x))
    answers = _one_hot(states, n_states)
    weight = x.new_zeros(x.shape[1], n_states, states.shape[1])
    best, chosen = torch.full(states.shape[1:], torch.inf), torch.zeros(states.shape[1])
    kept = weight.clone()
    gram = (x.T @ x).double() / len(x)
    for penalty in penalties:
        weight = _descend(x, answers, weight, gram, penalty, steps)
        loss = _losses(validation_x, validation_states, weight)
        better = loss < best
        best, chosen = torch.where(better, loss, best), torch.where(better, penalty, chosen)
        kept = torch.where(better, weight, kept)
    kept = kept.transpose(1, 2)  # (d_model + 1, square, state)
    slope = kept[:-1] / scale[:, None, None]
    return slope, kept[-1] - torch.einsum("d, d s k -> s k", mean, slope), chosen


def _descend(
    x: Float[Tensor, "n d"],
    answers: Float[Tensor, "n state square"],
    weight: Float[Tensor, "d state square"],
    gram: Float[Tensor, "d d"],
    penalty: float,
    steps: int,
) -> Float[Tensor, "d state square"]:
    """Accelerated descent on all squares' penalised losses.

    The second derivative of a multinomial loss is nowhere above half the second moments of the inputs (Böhning 1992), for
    every square alike. Steps divided by that bound never overshoot and need no search. Momentum is dropped, square by
    square, when it points uphill (O'Donoghue and Candès 2015).
    """
    ridge = torch.full((len(gram),), penalty, dtype=gram.dtype)
    ridge[-1] = 0.0  # the bias is not penalised
    factor = torch.linalg.cholesky(0.5 * gram + torch.diag(ridge + 1e-9))
    inverse, ridge = torch.cholesky_inverse(factor).to(x), ridge.to(x)
    ahead, age = weight, torch.zeros(weight.shape[-1])
    for _ in range(steps):
        flat = ridge[:, None] * ahead.flatten(1)
        for part, expected in zip(x.split(ROWS), answers.split(ROWS), strict=True):
            probabilities = (part @ ahead.flatten(1)).unflatten(1, ahead.shape[1:]).softmax(1)
            flat.addmm_(part.T, probabilities.sub_(expected).flatten(1), alpha=1 / len(x))
        slope = flat.unflatten(1, ahead.shape[1:])
        following = ahead - (inverse @ flat).unflatten(1, ahead.shape[1:])
        uphill = (slope * (following - weight)).sum((0, 1)) > 0
        age = torch.where(uphill, 0.0, age + 1)
        ahead = following + age / (age + 3) * (following - weight)
        weight = following
    return weight


def _one_hot(states: Int[Tensor, "n square"], n_states: int) -> Float[Tensor, "n state square"]:
    return torch.stack([states == state for state in range(n_states)], 1).float()


def _losses(x: Tensor, states: Int[Tensor, "n square"], weight: Tensor) -> Float[Tensor, "square"]:
    logits = (x @ weight.flatten(1)).unflatten(1, weight.shape[1:])
    return F.cross_entropy(logits, states.long(), reduction="none").mean(0)


def fit_mlp(
    train: Examples,
    validation: Examples,
    hidden: int = 256,
    n_states: int = 3,
    epochs: int = 20,
    batch: int = 1024,
    lr: float = 3e-3,
    seed: int = 0,
) -> MLPProbes:
    """MLP probes of all layers and squares: AdamW, the learning rate lowered along half a cosine.

    The epoch that does best on the validation data is kept, for each layer.

    Args:
        train: what they are fitted to.
        validation: what chooses the epoch, by the loss.
        hidden: neurons for each layer.
        n_states: how many states a square can have.
        epochs: how many times all training positions are seen.
        batch: positions a step.
        lr: the learning rate at first.
        seed: of the initial weights and of the order of positions.

    Raises:
        CourseError: examples that do not belong together, or states beyond ``n_states``.
    """
    _check(train, validation, n_states)
    layers, n, d = train.activations.shape
    outputs = train.states.shape[1] * n_states
    g = torch.Generator().manual_seed(seed)
    mean = train.activations.mean(1)
    scale = train.activations.std(1).clamp_min(1e-6)
    x, held_out = (((part.activations - mean[:, None]) / scale[:, None]) for part in (train, validation))
    weights = [
        torch.randn(layers, d, hidden, generator=g) / d**0.5,
        torch.zeros(layers, hidden),
        torch.randn(layers, hidden, outputs, generator=g) / hidden**0.5,
        torch.zeros(layers, outputs),
    ]
    for weight in weights:
        weight.requires_grad_(True)
    optimiser = torch.optim.AdamW(weights, lr=lr, weight_decay=1e-2, fused=True)
    steps = epochs * (n // min(n, batch))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    best, kept = torch.full((layers,), torch.inf), [weight.detach().clone() for weight in weights]
    for _ in range(epochs):
        order = torch.randperm(n, generator=g)
        for rows in order.split(min(n, batch))[: n // min(n, batch)]:
            optimiser.zero_grad()
            logits = MLPProbes(n_states, *weights).logits(x[:, rows])
            # Summed over layers: their probes have nothing to do with one another.
            (_cross_entropy(logits, train.states[rows]).mean((1, 2)).sum()).backward()
            optimiser.step()
            schedule.step()
        with torch.no_grad():
            probes = MLPProbes(n_states, *weights)
            loss = torch.stack(
                [
                    _cross_entropy(probes.logits(held_out[:, rows]), validation.states[rows]).sum((1, 2))
                    for rows in torch.arange(held_out.shape[1]).split(4096)
                ]
            ).sum(0)
            better = loss < best
            best = torch.where(better, loss, best)
            for old, new in zip(kept, weights, strict=True):
                old[better] = new.detach()[better]
    w_in = kept[0] / scale[..., None]
    b_in = kept[1] - torch.einsum("l d, l d h -> l h", mean, w_in)
    return MLPProbes(n_states, w_in, b_in, kept[2], kept[3])


def _cross_entropy(logits: Float[Tensor, "layer n square state"], states: Int[Tensor, "n square"]) -> Tensor:
    expected = states.long().expand(len(logits), -1, -1)
    return F.cross_entropy(logits.flatten(0, 2), expected.flatten(), reduction="none").view(expected.shape)


def _check(train: Examples, validation: Examples, n_states: int) -> None:
    if train.activations.shape[::2] != validation.activations.shape[::2]:
        raise CourseError(
            f"Training and validation activations have shapes {list(train.activations.shape)} and "
            f"{list(validation.activations.shape)}: layers and d_model must agree."
        )
    if train.states.shape[1] != validation.states.shape[1]:
        raise CourseError("Training and validation examples must have the same squares.")
    for examples in (train, validation):
        if int(examples.states.max()) >= n_states:
            raise CourseError(
                f"A state is {int(examples.states.max())}; with n_states={n_states} they end before that."
            )
