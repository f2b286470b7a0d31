"""Exercise: the losses of all restarts' probes at once, in a form that descent can lower."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils import ccs
from course_utils.checks.calling import Raised
from course_utils.checks.ccs.inputs import noise
from course_utils.checks.ccs.wrong_losses import MISTAKES
from course_utils.checks.framework import (
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
    reference=ccs.losses,
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
        expect_close(
            found,
            _wanted(*question)[0],
            what=what,
            why="p⁺ is sigmoid(weight · x + bias) for each row x of `positive`, p⁻ the same for `negative`, both with one "
            "restart's weight and bias. Its loss is the mean over pairs of (p⁺ − (1 − p⁻))² + min(p⁺, p⁻)².",
        )
    _expect_gradients(answer, _question(4, 7, 5, 50))
    _expect_gradients(answer, _question(6, 6, 3, 60))
