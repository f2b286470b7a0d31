"""Exercise: the losses of all restarts' probes at once, in a form that descent can lower."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from course_utils import ccs
from course_utils.checks.calling import Raised
from course_utils.checks.ccs.inputs import noise
from course_utils.checks.framework import (
    Mistake,
    call,
    check,
    expect,
    expect_close,
    expect_dtype,
    expect_finite,
    expect_shape,
    invoke,
    noncontiguous,
)

Question = tuple[Tensor, Tensor, Tensor, Tensor]


def losses(
    weight: Float[Tensor, "restart d_model"],
    bias: Float[Tensor, "restart"],
    positive: Float[Tensor, "n d_model"],
    negative: Float[Tensor, "n d_model"],
) -> Float[Tensor, "restart"]:
    """The CCS loss of each restart's probe, sigmoid(weight · x + bias), on the same pairs."""
    p_positive = torch.sigmoid(weight @ positive.T + bias[:, None])
    p_negative = torch.sigmoid(weight @ negative.T + bias[:, None])
    return ccs.ccs_loss(p_positive, p_negative)


def _one_by_one(weight: Tensor, bias: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Restart by restart, and everything in the dtype that comes."""
    found = []
    for w, b in zip(weight, bias, strict=True):
        p, q = (1 / (1 + torch.exp(-(x @ w) - b)) for x in (positive, negative))
        found.append(((p - 1 + q) ** 2 + torch.where(p < q, p, q) ** 2).mean())
    return torch.stack(found)


def _in_one_product(weight: Tensor, bias: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Both sides together, the bias as one more weight."""
    both = torch.cat([positive, negative])
    both = torch.cat([both, torch.ones_like(both[:, :1])], 1)
    p, q = (both @ torch.cat([weight, bias[:, None]], 1).T).sigmoid().unflatten(0, (2, -1))
    return ((p + q - 1).square() + torch.minimum(p, q).square()).mean(0)


def _in_double(weight: Tensor, bias: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    w, b = weight.double(), bias.double().unsqueeze(-1)
    p, q = (
        torch.einsum("r d, n d -> r n", w, x.double()).add(b).div(2).tanh().add(1).div(2) for x in (positive, negative)
    )
    return ((p + q - 1) ** 2).sum(1) / p.shape[1] + torch.stack([p, q]).amin(0).pow(2).sum(1) / p.shape[1]


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


def _question(restarts: int, n: int, d_model: int, seed: int, dtype: torch.dtype = torch.float32) -> Question:
    """Probes that are neither at 0 nor at 1, and activations whose sides lie apart."""
    knowledge = noise(n, d_model, seed=seed + 2, dtype=torch.float64)
    weight = 1.5 * noise(restarts, d_model, seed=seed, dtype=torch.float64) / d_model**0.5
    bias = noise(restarts, seed=seed + 1, dtype=torch.float64)
    positive = knowledge + 0.7 * noise(n, d_model, seed=seed + 3, dtype=torch.float64)
    negative = 0.4 - knowledge + 0.7 * noise(n, d_model, seed=seed + 4, dtype=torch.float64)
    parts = [part.to(dtype) for part in (weight, bias, positive, negative)]
    return parts[0], parts[1], parts[2], parts[3]


def _probability(w: list[float], b: float, x: list[float]) -> float:
    return 1 / (1 + math.exp(-math.fsum(u * v for u, v in zip(w, x, strict=True)) - b))


def _wanted(weight: Tensor, bias: Tensor, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Each restart's loss, and its derivatives by weight and bias, question by question."""
    all_losses, by_weight, by_bias = [], [], []
    pairs = list(zip(positive.tolist(), negative.tolist(), strict=True))
    for w, b in zip(weight.tolist(), bias.tolist(), strict=True):
        loss, w_slope, b_slope = 0.0, torch.zeros(len(w), dtype=torch.float64), 0.0
        for x, y in pairs:
            p, q = _probability(w, b, x), _probability(w, b, y)
            loss += (p + q - 1) ** 2 + min(p, q) ** 2
            p_slope = 2 * (p + q - 1 + (p if p < q else 0)) * p * (1 - p)
            q_slope = 2 * (p + q - 1 + (q if q < p else 0)) * q * (1 - q)
            b_slope += p_slope + q_slope
            w_slope += p_slope * torch.tensor(x).double() + q_slope * torch.tensor(y).double()
        all_losses.append(loss / len(pairs))
        by_weight.append(w_slope / len(pairs))
        by_bias.append(b_slope / len(pairs))
    return torch.tensor(all_losses), torch.stack(by_weight), torch.tensor(by_bias)


def _gradients(answer: Callable[..., Any]) -> Callable[..., Any]:
    """What flows back from the sum of the losses to weight and bias; None where nothing does."""

    def function(weight: Tensor, bias: Tensor, positive: Tensor, negative: Tensor) -> tuple[Any, ...] | None:
        found = answer(weight, bias, positive, negative)
        if not isinstance(found, Tensor) or not found.requires_grad:
            return None
        return torch.autograd.grad(found.sum(), (weight, bias), allow_unused=True)

    return function


def _expect_gradients(answer: Any, question: Question) -> None:
    """Not a recorded call: what it returns is not what the answer does."""
    _, *wanted = _wanted(*question)
    weight, bias, positive, negative = question
    given = (weight.requires_grad_(), bias.requires_grad_(), positive, negative)
    found = invoke(_gradients(answer), given, {}).result
    if isinstance(found, Raised):
        expect(False, what=f"the gradients could not be taken: {found.kind.__name__}: {found.message}".rstrip(": "))
    expect(
        found is not None,
        what="no gradient flows back to weight and bias",
        why="The losses are right, but descent could not lower them. Is there an `.item()`, `.detach()`, `.data`, a "
        "`float(…)`, a new `torch.tensor(…)` or a `no_grad` on the way? Stay with tensors: `torch.stack` makes one of many.",
    )
    for name, got, want in zip(("weight", "bias"), found, wanted, strict=True):
        what = f"the gradient of the sum of the losses by `{name}`"
        expect(got is not None, what=f"{what}: none flows back", why="Both weight and bias are to be learnt.")
        expect_close(
            got,
            want,
            what=what,
            why="The losses are right, but descent would go elsewhere. Each restart's part is to be the gradient of its own "
            "loss, through p⁺ as through p⁻: is a part of it detached, or does one restart's loss depend on another's probe?",
        )


@check(
    reference=losses,
    alternatives=[_one_by_one, _in_one_product, _in_double],
    mistakes=MISTAKES,
    cases=lambda: [_question(4, 9, 6, 300), _question(5, 5, 3, 400), _question(2, 7, 8, 500)],
)
def test_losses(answer: Any) -> None:
    """Find the CCS loss of each restart's probe on the same pairs, so that descent can lower it."""
    for words, question in (
        ("3 restarts, 8 pairs, 5 dimensions", _question(3, 8, 5, 10)),
        ("6 restarts and as many pairs, 4 dimensions", _question(6, 6, 4, 20)),
        ("1 restart, 21 pairs, 7 dimensions", _question(1, 21, 7, 30)),
        ("10 restarts, 40 pairs, 16 dimensions, in float64", _question(10, 40, 16, 40, torch.float64)),
    ):
        if "float64" in words:
            question = (*question[:2], noncontiguous(question[2]), noncontiguous(question[3]))
        restarts = len(question[0])
        found = call(answer, *question)
        what = f"the losses for {words}"
        expect_shape(found, (restarts,), what=what, why="One loss for each restart.")
        expect_dtype(found, "float", what=what)
        expect_finite(found, what=what)
        expect_close(found, _wanted(*question)[0], what=what, why="Reckoned restart by restart, pair by pair.")
    _expect_gradients(answer, _question(4, 7, 5, 50))
    _expect_gradients(answer, _question(6, 6, 3, 60))
