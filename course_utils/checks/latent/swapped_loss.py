"""Exercise: the loss of a search that is told what is not to matter."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils import latent
from course_utils.checks.calling import Raised
from course_utils.checks.framework import (
    Mistake,
    call,
    check,
    expect,
    expect_close,
    expect_finite,
    expect_shape,
    invoke,
    noncontiguous,
)
from course_utils.checks.latent.inputs import probabilities

Four = tuple[Tensor, Tensor, Tensor, Tensor]


def _one_by_one(*given: Any) -> Tensor:
    """Question by question."""
    *sides, strength = _with_strength(*given)
    found = torch.zeros(sides[0].shape[:-1], dtype=torch.float64)
    for place in itertools.product(*map(range, found.shape)):
        rows = list(zip(*(side[place].tolist() for side in sides), strict=True))
        for p, n, q, m in rows:
            both = (p + n - 1) ** 2 + min(p, n) ** 2 + (q + m - 1) ** 2 + min(q, m) ** 2
            found[place] += (both / 2 + strength * ((p - q) ** 2 + (n - m) ** 2)) / len(rows)
    return found


def _all_at_once(
    p_positive: Tensor, p_negative: Tensor, q_positive: Tensor, q_negative: Tensor, strength: float = 10.0
) -> Tensor:
    """Before and after the swap are one dimension, the sides another."""
    p = torch.stack([torch.stack([p_positive, p_negative]), torch.stack([q_positive, q_negative])])
    loss = ((p.sum(1) - 1) ** 2 + p.amin(1) ** 2).mean((0, -1))
    return loss + strength * (p[0] - p[1]).square().sum(0).mean(-1)


def _by_products(p: Tensor, n: Tensor, q: Tensor, m: Tensor, strength: float = 10) -> Tensor:
    """Dot products over questions."""

    def length(x: Tensor) -> Tensor:
        return torch.einsum("...n, ...n -> ...", x, x) / x.shape[-1]

    def least(x: Tensor, y: Tensor) -> Tensor:
        return torch.where(x < y, x, y)

    loss = 0.5 * (length(p + n - 1) + length(least(p, n)) + length(q + m - 1) + length(least(q, m)))
    return loss + strength * (length(p - q) + length(n - m))


def _restart_by_restart(*given: Any) -> Tensor:
    """In double precision; calls itself for each restart."""
    *sides, strength = _with_strength(*given)
    if sides[0].ndim > 1:
        return torch.stack([_restart_by_restart(*row, strength) for row in zip(*sides, strict=True)])
    p, n, q, m = (side.double() for side in sides)
    change = torch.cat([p - q, n - m])
    return (_ccs(p, n) + _ccs(q, m)).mean() / 2 + strength / len(p) * torch.dot(change, change)


def _with_strength(p: Tensor, n: Tensor, q: Tensor, m: Tensor, strength: float = 10.0) -> tuple[Any, ...]:
    return p, n, q, m, strength


def _ccs(p: Tensor, n: Tensor) -> Tensor:
    return (p + n - 1) ** 2 + torch.minimum(p, n) ** 2


def _both(p: Tensor, n: Tensor, q: Tensor, m: Tensor) -> Tensor:
    return (_ccs(p, n) + _ccs(q, m)) / 2


def _moved(p: Tensor, n: Tensor, q: Tensor, m: Tensor) -> Tensor:
    return (p - q) ** 2 + (n - m) ** 2


def _variant(
    loss: Callable[..., Tensor] = _both,
    change: Callable[..., Tensor] = _moved,
    put: Callable[[Tensor, Tensor, float], Tensor] = lambda loss, change, strength: (loss + strength * change).mean(-1),
) -> Any:
    """A wrong answer: another loss or another change of each question, or the two put together in another way."""

    def wrong(p: Tensor, n: Tensor, q: Tensor, m: Tensor, strength: float = 10.0) -> Tensor:
        return put(loss(p, n, q, m), change(p, n, q, m), strength)

    return wrong


def _of_means(p: Tensor, n: Tensor, q: Tensor, m: Tensor, strength: float = 10.0) -> Tensor:
    change = _moved(p.mean(-1), n.mean(-1), q.mean(-1), m.mean(-1))
    return _both(p, n, q, m).mean(-1) + strength * change


MISTAKES = [
    Mistake(
        "sum of the losses",
        _variant(loss=lambda *p: 2 * _both(*p)),
        "You add up the CCS losses of the questions and of the swapped questions. Take their mean, half of that.",
    ),
    Mistake(
        "as they were only",
        _variant(loss=lambda p, n, q, m: _ccs(p, n)),
        "Your CCS loss is that of the questions as they were. Take the mean of theirs and the swapped questions'.",
    ),
    Mistake(
        "swapped only",
        _variant(loss=lambda p, n, q, m: _ccs(q, m)),
        "Your CCS loss is that of the swapped questions. Take the mean of theirs and that of the questions as they were.",
    ),
    Mistake(
        "no price",
        _variant(change=lambda p, n, q, m: 0 * p),
        "Your loss has no price on changes: (p⁺ − q⁺)² + (p⁻ − q⁻)², times `strength`, is missing.",
    ),
    Mistake(
        "sides crossed",
        _variant(change=lambda p, n, q, m: (p - m) ** 2 + (n - q) ** 2),
        "You compare p⁺ with q⁻, and p⁻ with q⁺. A swap leaves the sides what they are: compare p⁺ with q⁺, and p⁻ with q⁻.",
    ),
    Mistake(
        "sides of one question",
        _variant(change=lambda p, n, q, m: (p - n) ** 2 + (q - m) ** 2),
        "Your price is on the difference of the two *sides* of a question. It is on the change from p to q: p⁺ − q⁺ and p⁻ − q⁻.",
    ),
    Mistake(
        "crossed in the loss",
        _variant(loss=lambda p, n, q, m: (_ccs(p, m) + _ccs(q, n)) / 2),
        "You hand the CCS loss one side as it was and the other one swapped. Its two sides are p⁺ and p⁻ of one question, or q⁺ "
        "and q⁻.",
    ),
    Mistake(
        "before paired with after",
        _variant(loss=lambda p, n, q, m: (_ccs(p, q) + _ccs(n, m)) / 2),
        "You pair p with q in the CCS loss, a side with the same side after the swap. It wants the two sides of one question, "
        "which are to add up to 1: p⁺ with p⁻, and q⁺ with q⁻.",
    ),
    Mistake(
        "before paired with after, added up",
        _variant(loss=lambda p, n, q, m: _ccs(p, q) + _ccs(n, m)),
        "You pair p with q in the CCS loss, and add up the two losses. Pair p⁺ with p⁻, and q⁺ with q⁻, the two sides of one "
        "question, and take the mean of both losses.",
    ),
    Mistake(
        "size of the change",
        _variant(change=lambda p, n, q, m: (p - q).abs() + (n - m).abs()),
        "Your price is on the size of the changes. Take their squares.",
    ),
    Mistake(
        "change not squared",
        _variant(change=lambda p, n, q, m: (p - q) + (n - m)),
        "You do not square the changes, so that a large negative one would be rewarded. Square each of them.",
    ),
    Mistake(
        "square of the sum",
        _variant(change=lambda p, n, q, m: ((p - q) + (n - m)) ** 2),
        "You add up the changes of the two sides and square the sum. If one rises as the other falls, as a probe's answer does, "
        "they cancel: square each, then add up.",
    ),
    Mistake(
        "change of the answer",
        _variant(change=lambda p, n, q, m: (((p + 1 - n) - (q + 1 - m)) / 2) ** 2),
        "Your price is on the change of the answer, (p⁺ + 1 − p⁻) / 2. Wanted is one on each of the two probabilities.",
    ),
    Mistake(
        "half the price",
        _variant(change=lambda p, n, q, m: _moved(p, n, q, m) / 2),
        "Your price is half of what is wanted. Do you divide it by 2 together with the two CCS losses, or take the mean of the "
        "two sides' squared changes? Add those up, and average the CCS losses only.",
    ),
    Mistake(
        "positive side only",
        _variant(change=lambda p, n, q, m: (p - q) ** 2),
        "Your price is on the change of p⁺ alone. Add that of p⁻.",
    ),
    Mistake(
        "negative side only",
        _variant(change=lambda p, n, q, m: (n - m) ** 2),
        "Your price is on the change of p⁻ alone. Add that of p⁺.",
    ),
    Mistake(
        "strength always 10",
        lambda p, n, q, m, strength=10.0: _variant()(p, n, q, m, 10.0),
        "Your price is always ten times the change. Use `strength`, of which 10 is only the default.",
    ),
    Mistake(
        "strength left out",
        lambda p, n, q, m, strength=10.0: _variant()(p, n, q, m, 1.0),
        "You leave `strength` out. The mean squared change is multiplied by it.",
    ),
    Mistake(
        "strength on everything",
        _variant(put=lambda loss, change, strength: strength * (loss + change).mean(-1)),
        "You multiply the CCS loss by `strength` as well. Only the price on changes is multiplied.",
    ),
    Mistake(
        "price subtracted",
        _variant(put=lambda loss, change, strength: (loss - strength * change).mean(-1)),
        "You subtract the price, which would reward a probe for changing. Add it.",
    ),
    Mistake(
        "price summed over questions",
        _variant(put=lambda loss, change, strength: loss.mean(-1) + strength * change.sum(-1)),
        "Your price is a sum over questions. Take the mean, so that it does not grow with their number.",
    ),
    Mistake(
        "summed over questions",
        _variant(put=lambda loss, change, strength: (loss + strength * change).sum(-1)),
        "You add up over questions. Take means.",
    ),
    Mistake(
        "mean over everything",
        _variant(put=lambda loss, change, strength: (loss + strength * change).mean()),
        "You take the mean over everything. Take it over questions only, the last dimension: each restart has a loss of its own.",
    ),
    Mistake(
        "one price for all restarts",
        _variant(put=lambda loss, change, strength: loss.mean(-1) + strength * change.mean()),
        "All restarts pay the same price: your mean of the changes goes over restarts too. Take `.mean(-1)`, so that each pays "
        "its own.",
    ),
    Mistake(
        "mean over the first dimension",
        _variant(put=lambda loss, change, strength: (loss + strength * change).mean(0)),
        "You take the mean over the first dimension. Questions are the last one, whatever stands in front of it.",
    ),
    Mistake(
        "no mean",
        _variant(put=lambda loss, change, strength: loss + strength * change),
        "You return a number for each question. Take the mean over questions.",
    ),
    Mistake(
        "change of the mean",
        _of_means,
        "You take the means over questions before you compare them, so that questions which change in opposite ways cancel. "
        "Square each question's change, then take the mean.",
    ),
    Mistake(
        "cut off from descent",
        _one_by_one,
        "Your losses are right, but no descent can lower them as it should: some part is cut off from the probabilities. Is "
        "there an `.item()`, `.detach()`, `.data`, a `float(…)`, a new `torch.tensor(…)` or a `no_grad` on the way?",
    ),
]

_SIDES = ("p_positive", "p_negative", "q_positive", "q_negative")


def _slopes(p: Tensor, n: Tensor, q: Tensor, m: Tensor, strength: float) -> Four:
    """The gradient of each restart's loss, derived with paper and pencil."""

    def of(side: Tensor, other: Tensor, elsewhere: Tensor) -> Tensor:
        ccs = 2 * (side + other - 1) + 2 * side * (side < other)
        return (ccs / 2 + 2 * strength * (side - elsewhere)) / side.shape[-1]

    return of(p, n, q), of(n, p, m), of(q, m, p), of(m, q, n)


def _gradients(answer: Callable[..., Any]) -> Callable[..., Any]:
    """What flows back from the sum of the losses to the four probabilities; None where nothing does."""

    def function(*given: Any) -> tuple[Any, ...] | None:
        found = answer(*given)
        if not isinstance(found, Tensor) or not found.requires_grad:
            return None
        return torch.autograd.grad(found.sum(), given[:4], allow_unused=True)

    return function


def _expect_gradients(answer: Any, sides: Four, strength: float) -> None:
    """Not a recorded call: what it returns is not what the answer does."""
    wanted = _slopes(*sides, strength)
    found = invoke(_gradients(answer), (*(side.requires_grad_() for side in sides), strength), {}).result
    if isinstance(found, Raised):
        expect(False, what=f"the gradients could not be taken: {found.kind.__name__}: {found.message}".rstrip(": "))
    expect(
        found is not None,
        what="no gradient flows back to the probabilities",
        why="The losses are right, but descent could not lower them. Stay with tensors all the way.",
    )
    for name, got, want in zip(_SIDES, found, wanted, strict=True):
        what = f"the gradient of the sum of the losses by `{name}`"
        expect(got is not None, what=f"{what}: none flows back", why="All four are a probe's, which is to be learnt.")
        expect_close(
            got, want, what=what, why="The losses are right, but descent would go elsewhere: is a part detached?"
        )


@check(
    reference=latent.swap_invariant_loss,
    alternatives=[_all_at_once, _by_products, _restart_by_restart],
    mistakes=MISTAKES,
    cases=lambda: [
        (*probabilities(3, 7, seed=60), 2.5),
        (*probabilities(9, seed=70), 0.4),
        (*probabilities(2, 4, 5, seed=80), 6.0),
    ],
)
def test_swap_invariant_loss(answer: Any) -> None:
    """Find each probe's mean CCS loss before and after a swap, plus a price on what the swap changes."""
    given = (torch.tensor(pair) for pair in ([0.9, 0.6], [0.3, 0.6], [0.7, 0.2], [0.1, 0.9]))
    found = call(answer, *given, 2.0)
    what = "the loss for two questions"
    expect_shape(found, (), what=what, why="Without a dimension of restarts it is one number.")
    expect_close(
        found,
        0.4875,
        what="the loss for p⁺ = 0.9, 0.6, p⁻ = 0.3, 0.6, q⁺ = 0.7, 0.2 and q⁻ = 0.1, 0.9, with strength 2",
        why="The CCS losses are 0.265 and 0.05, with mean 0.1575. The squared changes are 0.2² + 0.2² and 0.4² + 0.3², with mean "
        "0.165, which costs 2 · 0.165 = 0.33.",
    )
    for shape, strength, dtype in (
        ((31,), 0.7, torch.float32),
        ((5, 12), 3.0, torch.float32),
        ((4, 3, 8), 25.0, torch.float64),
        ((6, 1), 1.5, torch.float32),
        ((7, 7), 0.2, torch.float32),
    ):
        sides = probabilities(*shape, seed=shape[-1], dtype=dtype)
        if shape[-1] == 12:
            sides = noncontiguous(sides[0]), noncontiguous(sides[1]), sides[2], noncontiguous(sides[3])
        found = call(answer, *sides, strength)
        what = f"the loss for probabilities of shape {list(shape)} and strength {strength:g}"
        expect_shape(found, shape[:-1], what=what, why="The last dimension is questions. The mean over it is taken.")
        expect_finite(found, what=what)
        expect_close(found, _one_by_one(*sides, strength), what=what, why="Reckoned question by question.")
    sides = probabilities(3, 10, seed=5)
    for strength, why in ((0.0, "Changes cost nothing."), (1000.0, "Nearly all of it is the price on changes.")):
        found = call(answer, *sides, strength)
        expect_close(found, _one_by_one(*sides, strength), what=f"the loss with strength {strength:g}", why=why)
    unmoved = (*sides[:2], *sides[:2])
    why = "A swap that changes nothing costs nothing: what is left is the CCS loss."
    expect_close(call(answer, *unmoved, 4.0), _ccs(*sides[:2]).mean(-1), what="the loss where q is p", why=why)
    without = call(answer, *sides)
    expect_close(without, _one_by_one(*sides, 10.0), what="the loss without `strength`", why="Its default is 10.")
    _expect_gradients(answer, probabilities(4, 6, seed=50), 3.0)
    _expect_gradients(answer, probabilities(5, seed=55), 0.5)
