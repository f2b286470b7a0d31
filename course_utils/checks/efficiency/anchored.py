"""Exercise: the penalty that pulls weights back to where they were, each by its importance."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils import consolidation
from course_utils.checks.calling import Raised
from course_utils.checks.fourier.inputs import noise
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

State = dict[str, Tensor]
Question = tuple[State, State, State]


def _wanted(weights: State, anchor: State, importance: State) -> float:
    """Entry by entry."""
    terms = []
    for name in weights:
        columns = (part[name].detach().double().flatten().tolist() for part in (weights, anchor, importance))
        terms += [f * (w - a) ** 2 for w, a, f in zip(*columns, strict=True)]
    return math.fsum(terms) / 2


def _as_vectors(weights: State, anchor: State, importance: State) -> Tensor:
    w, a, f = (torch.cat([part[n].reshape(-1) for n in sorted(weights)]) for part in (weights, anchor, importance))
    return 0.5 * torch.dot(f, (w - a) ** 2)


def _added_up(weights: State, anchor: State, importance: State) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for name, f in importance.items():
        away = anchor[name] - weights[name]
        total = total + torch.einsum("i,i,i->", f.flatten(), away.flatten(), away.flatten()) / 2
    return total


def _by_length(weights: State, anchor: State, importance: State) -> Any:
    """Half the squared length of √F (θ − θ*)."""
    away = [((weights[n] - anchor[n]) * importance[n].sqrt()).flatten() for n in anchor]
    return torch.stack([part @ part for part in away]).sum().mul(0.5)


def _variant(term: Callable[[Tensor, Tensor, Tensor], Tensor], factor: float = 0.5) -> Any:
    """A wrong answer: a factor times the sum over all tensors of something made of θ, θ* and F."""

    def wrong(weights: State, anchor: State, importance: State) -> Tensor:
        return factor * torch.stack([term(w, anchor[n], importance[n]).sum() for n, w in weights.items()]).sum()

    return wrong


_right = _variant(lambda w, a, f: f * (w - a) ** 2)


def _per_tensor(weights: State, anchor: State, importance: State) -> Tensor:
    return torch.stack([(importance[n] * (w - anchor[n]) ** 2).sum() for n, w in weights.items()]).mean() / 2


def _mean_of_all(weights: State, anchor: State, importance: State) -> Tensor:
    return _right(weights, anchor, importance) / sum(w.numel() for w in weights.values())


def _of_one(which: int) -> Any:
    def wrong(weights: State, anchor: State, importance: State) -> Tensor:
        name = list(weights)[which]
        return _right({name: weights[name]}, anchor, importance)

    return wrong


def _in_order(weights: State, anchor: State, importance: State) -> Tensor:
    triples = zip(weights.values(), anchor.values(), importance.values(), strict=True)
    return torch.stack([(f * (w - a) ** 2).sum() for w, a, f in triples]).sum() / 2


MISTAKES = [
    Mistake(
        "½ left out",
        _variant(lambda w, a, f: f * (w - a) ** 2, 1.0),
        "Your sum is twice what it should be: the ½ in front is missing.",
    ),
    Mistake(
        "½ twice",
        _variant(lambda w, a, f: f * (w - a) ** 2, 0.25),
        "Your sum is half of what it should be: the ½ stands there once.",
    ),
    Mistake(
        "not squared",
        _variant(lambda w, a, f: f * (w - a)),
        "The differences θ − θ* are not squared. As they are, those of opposite sign cancel.",
    ),
    Mistake(
        "magnitudes",
        _variant(lambda w, a, f: f * (w - a).abs()),
        "You add up the sizes of the differences. Wanted are their squares.",
    ),
    Mistake(
        "importance left out",
        _variant(lambda w, a, f: (w - a) ** 2),
        "All weights count alike with you. Each square is multiplied by its importance F.",
    ),
    Mistake(
        "importance squared too",
        _variant(lambda w, a, f: (f * (w - a)) ** 2),
        "You square F as well. Only the difference is squared: multiply by F after squaring.",
    ),
    Mistake(
        "importance of the whole tensor",
        _variant(lambda w, a, f: f.mean() * (w - a) ** 2),
        "You multiply each tensor by its mean importance. Every entry has an F of its own.",
    ),
    Mistake(
        "importance after the sum",
        _variant(lambda w, a, f: f * ((w - a) ** 2).sum()),
        "You add up the squares before you multiply by F. Every entry has an F of its own: multiply, then add up.",
    ),
    Mistake(
        "anchor left out",
        _variant(lambda w, a, f: f * w**2),
        "You pull the weights towards 0. They are to be pulled towards θ*, where they were.",
    ),
    Mistake(
        "difference of squares",
        _variant(lambda w, a, f: f * (w**2 - a**2)),
        "You take the difference of the squares. Wanted is the square of the difference.",
    ),
    Mistake(
        "anchor added",
        _variant(lambda w, a, f: f * (w + a) ** 2),
        "You add the anchor. What counts is how far θ is from it: subtract.",
    ),
    Mistake(
        "sign",
        _variant(lambda w, a, f: f * (w - a) ** 2, -0.5),
        "Your result is negative. It is a penalty, which grows with the distance from θ*.",
    ),
    Mistake(
        "mean in each tensor",
        _variant(lambda w, a, f: (f * (w - a) ** 2).mean()),
        "You take the mean over each tensor, so that an entry of a small tensor counts more than one of a large tensor. Take "
        "the sum.",
    ),
    Mistake(
        "mean of the tensors",
        _per_tensor,
        "You average over the tensors. Add them up.",
    ),
    Mistake(
        "mean of all entries",
        _mean_of_all,
        "You take the mean over all entries. Take the sum.",
    ),
    Mistake(
        "root of the sum",
        lambda *args: (2 * _right(*args)).sqrt(),
        "You return the length of the weighted difference. Wanted is half of its square.",
    ),
    Mistake(
        "first tensor only",
        _of_one(0),
        "You use the first tensor only: does the `return` stand inside the loop?",
    ),
    Mistake(
        "last tensor only",
        _of_one(-1),
        "You keep the last tensor only: is the sum started anew in each round of the loop?",
    ),
    Mistake(
        "in order of the dicts",
        _in_order,
        "You go through the dicts side by side, and their names come in different orders. Look each tensor up by its name.",
    ),
]

_SHAPES = {"embed.W_E": (4, 3), "mlp.b_in": (5,), "unembed.W_U": (3, 4, 2), "mlp.b_out": (5,), "scale": ()}


def _question(names: str, seed: int, dtype: torch.dtype = torch.float64, size: float = 1.0) -> Question:
    """Weights, anchor and importance under these names, the anchor's in reversed order."""
    chosen = [name for name in _SHAPES if name in names.split()]
    weights = {n: (size * noise(*_SHAPES[n], seed=seed + i) + 0.4).to(dtype) for i, n in enumerate(chosen)}
    anchor = {n: (size * noise(*_SHAPES[n], seed=seed + 20 + i) - 0.2).to(dtype) for i, n in enumerate(chosen)}
    importance = {n: noise(*_SHAPES[n], seed=seed + 40 + i).exp().to(dtype) for i, n in enumerate(chosen)}
    return weights, dict(reversed(anchor.items())), importance


def _gradients(answer: Callable[..., Any]) -> Callable[..., Any]:
    """What flows back to each weight; None where nothing does."""

    def function(weights: State, anchor: State, importance: State) -> dict[str, Tensor | None] | None:
        with torch.enable_grad():
            total = answer(weights, anchor, importance)
            if not isinstance(total, Tensor) or not total.requires_grad:
                return None
            return dict(
                zip(weights, torch.autograd.grad(total.sum(), list(weights.values()), allow_unused=True), strict=True)
            )

    return function


def _expect_gradients(answer: Any, weights: State, anchor: State, importance: State) -> None:
    """∂/∂θ of the result is F (θ − θ*) for each tensor. Not a recorded call: what it returns is not what the answer does."""
    found = invoke(_gradients(answer), (weights, anchor, importance), {}).result
    if isinstance(found, Raised):
        expect(False, what=f"the gradients could not be taken: {found.kind.__name__}: {found.message}".rstrip(": "))
    expect(
        found is not None,
        what="no gradient flows back to the weights",
        why="The value is right, but descent could not lower it. Is there an `.item()`, `.detach()`, `.data`, a `float(…)`, a "
        "new `torch.tensor(…)` or a `no_grad` on the way? Stay with tensors, and return the tensor.",
    )
    for name, weight in weights.items():
        what = f"the gradient by `{name}`"
        expect(found[name] is not None, what=f"{what}: none flows back", why="Every tensor of the weights is pulled.")
        expect_close(
            found[name],
            importance[name] * (weight.detach() - anchor[name]),
            what=what,
            why="The derivative of ½ F (θ − θ*)² by θ is F (θ − θ*): is a part of it detached?",
        )


@check(
    reference=consolidation.pull_back,
    alternatives=[_as_vectors, _added_up, _by_length],
    mistakes=MISTAKES,
    cases=lambda: [
        _question("embed.W_E mlp.b_in mlp.b_out unembed.W_U", seed=700),
        _question("embed.W_E scale", seed=800),
    ],
)
def test_pull_back(answer: Any) -> None:
    """Add up how far weights are from where they were, each squared and multiplied by its importance, and halve it."""
    for words, question in (
        ("one vector", _question("mlp.b_in", seed=100)),
        ("two tensors", _question("embed.W_E mlp.b_in", seed=200)),
        ("four tensors, two of one shape", _question("embed.W_E mlp.b_in unembed.W_U mlp.b_out", seed=300)),
        ("float32 weights, a 0-d one among them", _question("mlp.b_out unembed.W_U scale", 400, torch.float32, 3.0)),
    ):
        if words == "two tensors":
            question = tuple({n: noncontiguous(part) for n, part in state.items()} for state in question)  # type: ignore[assignment]
        pull = call(answer, *question)
        what = f"the pull for {words}"
        expect_shape(pull, (), what=what, why="One number.")
        expect_dtype(pull, "float", what=what)
        expect_finite(pull, what=what)
        expect_close(
            pull, _wanted(*question), what=what, why="½ F (θ − θ*)², added up entry by entry over all tensors."
        )
    anchor = _question("embed.W_E mlp.b_in scale", seed=500)[0]
    importance = {name: torch.full_like(part, 2.0) for name, part in anchor.items()}
    still = call(answer, {name: part.clone() for name, part in anchor.items()}, anchor, importance)
    expect_close(still, 0.0, what="the pull on weights that are where they were", why="There is no distance.")
    weights, anchor, importance = _question("embed.W_E mlp.b_in mlp.b_out scale", seed=600)
    weights = {name: part.requires_grad_() for name, part in weights.items()}
    pull = call(answer, weights, anchor, importance)
    expect_shape(pull, (), what="the pull on weights that want gradients", why="One number.")
    expect_close(
        pull,
        _wanted(weights, anchor, importance),
        what="the pull on weights that want gradients",
        why="½ F (θ − θ*)², added up entry by entry over all tensors.",
    )
    _expect_gradients(answer, weights, anchor, importance)
