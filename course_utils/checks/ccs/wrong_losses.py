"""Which wrong losses of all restarts are plausible?  The catalogue of `all_restarts`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils.checks.framework import Mistake


def _loss(p: Tensor, q: Tensor) -> Tensor:
    return (p + q - 1) ** 2 + torch.minimum(p, q) ** 2


def _logits(weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    return weight @ x.T + bias[:, None]


def _of(probability: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Any:
    """A wrong answer: the right loss of other probabilities."""
    return lambda weight, bias, positive, negative: _loss(
        probability(weight, bias, positive), probability(weight, bias, negative)
    ).mean(-1)


def _squashed(squash: Callable[[Tensor], Tensor]) -> Any:
    return _of(lambda weight, bias, x: squash(_logits(weight, bias, x)))


def _reduced(reduce: Callable[[Tensor], Tensor]) -> Any:
    """A wrong answer: the right terms, put together in another way."""

    def wrong(weight: Tensor, bias: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        p, q = (torch.sigmoid(_logits(weight, bias, x)) for x in (positive, negative))
        return reduce(_loss(p, q))

    return wrong


def _one_side(weight: Tensor, bias: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    p = torch.sigmoid(_logits(weight, bias, positive))
    return _loss(p, p).mean(-1)


def _made_consistent(weight: Tensor, bias: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    p = torch.sigmoid(_logits(weight, bias, positive))
    return _loss(p, 1 - p).mean(-1)


def _of_the_difference(weight: Tensor, bias: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    p = torch.sigmoid(_logits(weight, bias, positive - negative))
    return _loss(p, 1 - p).mean(-1)


def _turned(weight: Tensor, bias: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    p, q = (torch.sigmoid(_logits(weight, bias, x)) for x in (positive, negative))
    return _loss(p, 1 - q).mean(-1)


def _biased(on_positive: int, on_negative: int) -> Any:
    """A wrong answer: the bias counts so many times on each side."""

    def wrong(weight: Tensor, bias: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        p = torch.sigmoid(_logits(weight, on_positive * bias, positive))
        return _loss(p, torch.sigmoid(_logits(weight, on_negative * bias, negative))).mean(-1)

    return wrong


def _prepared(change: Callable[[Tensor], Tensor]) -> Any:
    """A wrong answer: each side's activations are changed first."""
    return _of(lambda weight, bias, x: torch.sigmoid(_logits(weight, bias, change(x))))


def _symmetric(weight: Tensor, bias: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    p, q = (torch.sigmoid(_logits(weight, bias, x)) for x in (positive, negative))
    least = torch.stack([p, q, 1 - p, 1 - q]).amin(0)
    return ((p + q - 1) ** 2 + least**2).mean(-1)


MISTAKES = [
    Mistake(
        "no sigmoid",
        _squashed(lambda z: z),
        "You take the loss of weight · x + bias, which may be any number. Probabilities are wanted: apply the sigmoid.",
    ),
    Mistake(
        "sigmoid twice",
        _squashed(lambda z: torch.sigmoid(torch.sigmoid(z))),
        "You apply the sigmoid twice. Once makes a probability.",
    ),
    Mistake(
        "no bias",
        _of(lambda weight, bias, x: torch.sigmoid(weight @ x.T)),
        "The bias is missing: each restart's is added to its logits.",
    ),
    Mistake(
        "bias along the questions",
        _of(lambda weight, bias, x: torch.sigmoid(weight @ x.T + bias)),
        "`weight @ x.T + bias` lines the biases up with the last dimension, the questions. It fails, or (where there are as many "
        "restarts as questions) adds the wrong ones unnoticed. They belong to the restarts: add `bias[:, None]`.",
    ),
    Mistake(
        "bias of the first restart",
        _of(lambda weight, bias, x: torch.sigmoid(weight @ x.T + bias[0])),
        "You add the first restart's bias to all of them. Each has its own.",
    ),
    Mistake(
        "bias averaged",
        _of(lambda weight, bias, x: torch.sigmoid(weight @ x.T + bias.mean())),
        "You add the mean of the biases to all restarts. Each has its own.",
    ),
    Mistake(
        "bias after the sigmoid",
        _of(lambda weight, bias, x: torch.sigmoid(weight @ x.T) + bias[:, None]),
        "You add the bias to the probability. It belongs inside the sigmoid.",
    ),
    Mistake(
        "bias subtracted",
        _of(lambda weight, bias, x: torch.sigmoid(weight @ x.T - bias[:, None])),
        "You subtract the bias. Add it.",
    ),
    Mistake(
        "sign of the logits",
        _squashed(lambda z: torch.sigmoid(-z)),
        "Your probabilities are 1 − p, those of the statement being wrong: sigmoid(z) is 1 / (1 + exp(−z)).",
    ),
    Mistake(
        "tanh",
        _squashed(torch.tanh),
        "You use tanh, which goes from −1 to 1. The sigmoid makes probabilities.",
    ),
    Mistake(
        "softmax over restarts",
        _squashed(lambda z: z.softmax(0)),
        "Your softmax goes over restarts, which makes them share one probability. They have nothing to do with each other: "
        "apply the sigmoid to each number.",
    ),
    Mistake(
        "softmax over questions",
        _squashed(lambda z: z.softmax(-1)),
        "Your softmax goes over questions, which makes these share one probability. Apply the sigmoid to each number.",
    ),
    Mistake(
        "clipped",
        _squashed(lambda z: z.clamp(0, 1)),
        "You clip the logits to [0, 1]. Apply the sigmoid.",
    ),
    Mistake(
        "weights of length 1",
        _of(lambda weight, bias, x: torch.sigmoid((weight / weight.norm(dim=1, keepdim=True)) @ x.T + bias[:, None])),
        "You give each weight length 1. Its length says how sure the probe is: leave it.",
    ),
    Mistake(
        "other side turned round",
        _turned,
        "You take 1 − sigmoid for the negative side. p⁻ is the same probe's probability that the *negative* statement is right: "
        "sigmoid(weight · x + bias) there too. The loss itself wants it to be near 1 − p⁺.",
    ),
    Mistake(
        "bias on the positive side only",
        _biased(1, 0),
        "You add the bias on the positive side only. Both sides are read by the same probe: add it to the negative side's "
        "logits too.",
    ),
    Mistake(
        "bias on the negative side only",
        _biased(0, 1),
        "You add the bias on the negative side only. Both sides are read by the same probe: add it to the positive side's "
        "logits too.",
    ),
    Mistake(
        "bias with opposite signs",
        _biased(1, -1),
        "You subtract the bias on the negative side. Both sides are read by the same probe: add it on both.",
    ),
    Mistake(
        "centred inside",
        _prepared(lambda x: x - x.mean(0)),
        "You take the mean of the activations away inside. They come prepared: use them as they are.",
    ),
    Mistake(
        "normalised inside",
        _prepared(lambda x: (x - x.mean(0)) / x.std(0, correction=0)),
        "You normalise the activations inside. They come prepared: use them as they are.",
    ),
    Mistake(
        "normalised inside, n − 1",
        _prepared(lambda x: (x - x.mean(0)) / x.std(0)),
        "You normalise the activations inside (dividing by n − 1). They come prepared: use them as they are.",
    ),
    Mistake(
        "symmetric loss",
        _symmetric,
        "You take the smallest of p⁺, p⁻, 1 − p⁺ and 1 − p⁻. This is the symmetric loss, which comes later. The loss of this "
        "exercise has the smaller of p⁺ and p⁻: `ccs.ccs_loss`.",
    ),
    Mistake(
        "one side twice",
        _one_side,
        "You use the positive side for both probabilities. p⁻ is read from `negative`.",
    ),
    Mistake(
        "1 − p in place of the other side",
        _made_consistent,
        "You put p⁻ at 1 − p⁺. Whether it is so is the question: read p⁻ from `negative`.",
    ),
    Mistake(
        "difference read",
        _of_the_difference,
        "You read the difference of the sides with one probe. Read each side by itself, and compare the two probabilities.",
    ),
    Mistake(
        "mean over restarts too",
        _reduced(lambda terms: terms.mean()),
        "You return the mean over restarts. Each has a loss of its own, so that the lowest can be chosen.",
    ),
    Mistake(
        "sum over restarts",
        _reduced(lambda terms: terms.mean(-1).sum()),
        "You add the restarts' losses up. That comes later, for descent: return one number for each.",
    ),
    Mistake(
        "mean over restarts in place of questions",
        _reduced(lambda terms: terms.mean(0)),
        "You take the mean over restarts, and return a number for each question. `ccs.ccs_loss` takes probabilities of shape "
        "[restart, n], questions last.",
    ),
    Mistake(
        "sum over questions",
        _reduced(lambda terms: terms.sum(-1)),
        "You add up over questions. Take the mean.",
    ),
    Mistake(
        "no mean",
        _reduced(lambda terms: terms),
        "You return a number for each restart and question. Take the mean over questions.",
    ),
    Mistake(
        "lowest only",
        _reduced(lambda terms: terms.mean(-1).min()),
        "You return the lowest loss. Return all of them.",
    ),
    Mistake(
        "first restart only",
        _reduced(lambda terms: terms.mean(-1)[:1]),
        "You return the first restart's loss only. Return a number for each: does the `return` stand inside a loop?",
    ),
]
