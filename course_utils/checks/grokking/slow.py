"""Exercise: a filter that amplifies what is slow in the gradient."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from course_utils import progress
from course_utils.checks.framework import (
    Mistake,
    call,
    check,
    expect_close,
    expect_dtype,
    expect_finite,
    expect_shape,
    noncontiguous,
)
from course_utils.checks.grokking.inputs import noise

Pair = tuple[Tensor, Tensor]


def _updated(gradient: Tensor, mean: Tensor, memory: float) -> Tensor:
    return mean + (1 - memory) * (gradient - mean)


def _variant(filtered: Any = None, kept: Any = None) -> Any:
    """A wrong answer that differs in the filtered gradient, or in the mean that it is made of."""
    combine = filtered or (lambda gradient, old, new, amplify: gradient + amplify * new)
    renew = kept or _updated

    def wrong(gradient: Tensor, mean: Tensor, memory: float, amplify: float) -> Pair:
        new = renew(gradient, mean, memory)
        return combine(gradient, mean, new, amplify), new

    return wrong


def _mean_in_place(gradient: Tensor, mean: Tensor, memory: float, amplify: float) -> Pair:
    mean.mul_(memory).add_(gradient, alpha=1 - memory)
    return gradient + amplify * mean, mean


def _gradient_in_place(gradient: Tensor, mean: Tensor, memory: float, amplify: float) -> Pair:
    mean = _updated(gradient, mean, memory)
    gradient += amplify * mean
    return gradient, mean


def _mean_of_filtered(gradient: Tensor, mean: Tensor, memory: float, amplify: float) -> Pair:
    filtered = gradient + amplify * mean
    return filtered, _updated(filtered, mean, memory)


def _filtered_for_mean(gradient: Tensor, mean: Tensor, memory: float, amplify: float) -> Pair:
    filtered = gradient + amplify * _updated(gradient, mean, memory)
    return filtered, filtered


def _old_mean_kept(gradient: Tensor, mean: Tensor, memory: float, amplify: float) -> Pair:
    return gradient + amplify * _updated(gradient, mean, memory), mean


def _by_lerp(gradient: Tensor, mean: Tensor, memory: float, amplify: float) -> list[Tensor]:
    new = torch.lerp(gradient, mean, memory)
    return [torch.add(gradient, new, alpha=amplify), new]


def _multiplied_out(gradient: Tensor, mean: Tensor, memory: float, amplify: float) -> Pair:
    """In single precision, each result from the arguments alone."""
    g, m = gradient.float(), mean.float()
    return (1 + amplify * (1 - memory)) * g + amplify * memory * m, memory * m + g - memory * g


def _on_copies(gradient: Tensor, mean: Tensor, memory: float, amplify: float) -> Pair:
    new = mean.clone()
    new.mul_(memory).add_(gradient, alpha=1 - memory)
    filtered = gradient.clone()
    filtered += new * amplify
    return filtered, new


MISTAKES = [
    Mistake(
        "mean updated in place",
        _mean_in_place,
        "Your results are right, but `mean` itself is overwritten (`mul_`, `add_`, `*=` and `+=` work in place). The caller "
        "may still need the old one: make a new tensor.",
    ),
    Mistake(
        "gradient updated in place",
        _gradient_in_place,
        "Your results are right, but `gradient` itself is overwritten (`+=` works in place on a tensor). Make a new tensor.",
    ),
    Mistake(
        "old mean in the filtered gradient",
        _variant(filtered=lambda gradient, old, new, amplify: gradient + amplify * old),
        "You add the mean as it was before this step. The filtered gradient uses the *new* mean, which knows of this "
        "gradient.",
    ),
    Mistake(
        "memory and 1 − memory exchanged",
        _variant(kept=lambda gradient, mean, memory: (1 - memory) * mean + memory * gradient),
        "Your mean keeps 1 − memory of what was and takes memory of the new gradient. It is the other way round: with a "
        "memory of 0.98 the mean changes slowly.",
    ),
    Mistake(
        "momentum",
        _variant(kept=lambda gradient, mean, memory: memory * mean + gradient),
        "You add the whole gradient to memory·mean, as momentum does. For a mean the two weights add up to 1: the gradient's "
        "is 1 − memory.",
    ),
    Mistake(
        "old mean not shrunk",
        _variant(kept=lambda gradient, mean, memory: mean + (1 - memory) * gradient),
        "You add (1 − memory)·gradient to the whole old mean, so it grows without bound. The old mean is multiplied by "
        "memory.",
    ),
    Mistake(
        "amplify on the gradient",
        _variant(filtered=lambda gradient, old, new, amplify: amplify * gradient + new),
        "You amplify the gradient and add the mean. It is the slow part, the mean, that is amplified.",
    ),
    Mistake(
        "both amplified",
        _variant(filtered=lambda gradient, old, new, amplify: amplify * (gradient + new)),
        "You amplify gradient and mean alike, which is little more than a larger learning rate. Only the mean is amplified.",
    ),
    Mistake(
        "gradient forgotten",
        _variant(filtered=lambda gradient, old, new, amplify: amplify * new),
        "Your filtered gradient is amplify·mean alone. The gradient itself is added: its fast part stays, only the slow part "
        "grows.",
    ),
    Mistake(
        "amplify forgotten",
        _variant(filtered=lambda gradient, old, new, amplify: gradient + new),
        "The mean is added without `amplify`. Multiply it first.",
    ),
    Mistake(
        "mixture",
        _variant(filtered=lambda gradient, old, new, amplify: (1 - amplify) * gradient + amplify * new),
        "You mix gradient and mean with weights that add up to 1. The amplified mean is added to the whole gradient.",
    ),
    Mistake(
        "slow part subtracted",
        _variant(filtered=lambda gradient, old, new, amplify: gradient - amplify * new),
        "You subtract the slow part, which damps it. Add it.",
    ),
    Mistake(
        "mean of the filtered gradients",
        _mean_of_filtered,
        "Your mean is updated with the filtered gradient, so it feeds on itself. Update it with the gradient as it came, and "
        "filter afterwards.",
    ),
    Mistake(
        "filtered gradient kept as mean",
        _filtered_for_mean,
        "Your second result is the filtered gradient once more. Return the new mean: the next step needs it.",
    ),
    Mistake(
        "old mean returned",
        _old_mean_kept,
        "Your second result is the mean as it was before this step, so it would never change. Return the new one.",
    ),
    Mistake(
        "swapped",
        lambda gradient, mean, memory, amplify: _variant()(gradient, mean, memory, amplify)[::-1],
        "You return the mean first. The filtered gradient comes first.",
    ),
]


@check(
    reference=progress.slow_gradient,
    alternatives=[_by_lerp, _multiplied_out, _on_copies],
    mistakes=MISTAKES,
    cases=lambda: [
        (noise(3, 2, seed=51), noise(3, 2, seed=52), 0.7, 3.5),
        (noise(4, seed=53), noise(4, seed=54), 0.4, 0.6),
    ],
)
def test_slow_gradient(answer: Any) -> None:
    """Update the running mean of the gradients, and add it, amplified, to the gradient."""
    for shape, memory, amplify in (
        ((1,), 0.75, 2.0),
        ((3, 2), 0.98, 5.0),
        ((4,), 0.6, 0.5),
        ((2, 3, 5), 0.9, 2.5),
        ((), 0.3, 7.0),
        ((5, 4), 0.0, 1.5),
    ):
        size = math.prod(shape)
        gradient = noise(size, seed=len(shape)).reshape(shape) + 0.5
        mean = 2 * noise(size, seed=9).reshape(shape) - 1
        if shape == (3, 2):
            gradient, mean = noncontiguous(gradient), noncontiguous(mean)
        filtered, new = call(answer, gradient, mean, memory, amplify, returns=(Tensor, Tensor))
        what = f"for tensors of shape {shape}, memory = {memory:g}, amplify = {amplify:g}"
        for part, name in ((filtered, "the filtered gradient"), (new, "the new mean")):
            expect_shape(part, shape, what=f"{name} {what}", why="Each entry is filtered by itself.")
            expect_dtype(part, "float", what=f"{name} {what}")
            expect_finite(part, what=f"{name} {what}")
        olds, gradients = mean.reshape(-1).tolist(), gradient.reshape(-1).tolist()
        means = [memory * old + (1 - memory) * now for old, now in zip(olds, gradients, strict=True)]
        expect_close(
            new,
            torch.tensor(means, dtype=torch.float64).reshape(shape),
            what=f"the new mean {what}",
            why="memory times the old mean, and 1 − memory times the gradient, number by number.",
        )
        total = [now + amplify * slow for now, slow in zip(gradients, means, strict=True)]
        expect_close(
            filtered,
            torch.tensor(total, dtype=torch.float64).reshape(shape),
            what=f"the filtered gradient {what}",
            why="The gradient and amplify times the new mean, number by number.",
        )
    slow, mean = torch.full((3,), 2.0, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for _ in range(12):
        filtered, mean = call(answer, slow, mean, 0.5, 4.0, returns=(Tensor, Tensor))
        mean = mean.detach().double()
    expect_close(
        filtered,
        torch.full((3,), 10.0),
        rtol=1e-2,
        what="the filtered gradient after twelve steps with the same gradient 2, memory ½ and amplify 4",
        why="What never changes is amplified by 1 + amplify = 5.",
    )
