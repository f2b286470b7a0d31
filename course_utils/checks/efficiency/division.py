"""Exercise: how is a given logit divided between two circuits at the least cost?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course_utils import efficiency_simulation
from course_utils.checks.framework import Mistake, call, check, expect, expect_close, expect_finite

Pair = tuple[float, float]


def _cost(w_M: Any, w_G: Any, norm_M: float, norm_G: float, kappa: float) -> Any:
    return norm_M**2 * w_M ** (2 / kappa) + norm_G**2 * w_G ** (2 / kappa)


def _searched(total: float, norm_M: float, norm_G: float, kappa: float) -> Pair:
    """The cheapest of a grid of divisions, then of a finer grid around it, and so on."""
    low, high = 0.0, total
    for _ in range(8):
        w_M = np.linspace(low, high, 101)
        i = int(_cost(w_M, total - w_M, norm_M, norm_G, kappa).argmin())
        low, high = w_M[max(i - 1, 0)], w_M[min(i + 1, 100)]
    return float(w_M[i]), float(total - w_M[i])


def _by_bisection(total: float, norm_M: float, norm_G: float, kappa: float) -> list[float]:
    """Where both slopes are equal; the cheaper circuit alone where slopes fall."""
    if kappa >= 2:
        return [total * (norm_M < norm_G), total * (norm_G < norm_M)]
    low, high = 0.0, total
    power = 2 / kappa - 1
    for _ in range(80):
        middle = (low + high) / 2
        if norm_M**2 * middle**power < norm_G**2 * (total - middle) ** power:
            low = middle
        else:
            high = middle
    return [low, total - low]


def _in_single_precision(total: float, norm_M: float, norm_G: float, kappa: float) -> tuple[Any, Any]:
    """Each part is proportional to P^(−2κ / (2 − κ)): a softmax."""
    if kappa >= 2:
        return (np.float32(total), 0) if norm_M < norm_G else (0, np.float32(total))
    shares = (torch.tensor([norm_M, norm_G]).log() * (-2 * kappa / (2 - kappa))).softmax(0)
    return total * shares[0], total * shares[1]


def _divided(ratio: Callable[[float, float], float], beyond: Callable[..., Pair] | None = None) -> Any:
    """A wrong answer that makes w_G / w_M of P_M / P_G and κ; from κ = 2 on the circuit with the smaller P has all."""

    def wrong(total: float, norm_M: float, norm_G: float, kappa: float) -> Pair:
        if kappa >= 2:
            return (beyond or _cheaper_alone)(total, norm_M, norm_G, kappa)
        r = ratio(norm_M / norm_G, kappa)
        return total / (1 + r), total * r / (1 + r)

    return wrong


def _cheaper_alone(total: float, norm_M: float, norm_G: float, kappa: float) -> Pair:
    return (total, 0.0) if norm_M < norm_G else (0.0, total)


def _dearer_alone(total: float, norm_M: float, norm_G: float, kappa: float) -> Pair:
    return _cheaper_alone(total, norm_G, norm_M, kappa)


def _exponent(kappa: float) -> float:
    return 2 * kappa / (2 - kappa)


_right = _divided(lambda P, kappa: P ** _exponent(kappa))


def _stationary_throughout(total: float, norm_M: float, norm_G: float, kappa: float) -> Pair:
    ratio = (norm_M / norm_G) ** (2 * kappa / (2 - kappa))
    return total / (1 + ratio), total * ratio / (1 + ratio)


def _stationary_at_2_too(total: float, norm_M: float, norm_G: float, kappa: float) -> Pair:
    alone = _cheaper_alone if kappa > 2 else _stationary_throughout
    return alone(total, norm_M, norm_G, kappa)


def _stationary_but_at_2(total: float, norm_M: float, norm_G: float, kappa: float) -> Pair:
    alone = _cheaper_alone if kappa == 2 else _stationary_throughout
    return alone(total, norm_M, norm_G, kappa)


def _ratio_alone(total: float, norm_M: float, norm_G: float, kappa: float) -> Pair:
    if kappa >= 2:
        return _cheaper_alone(total, norm_M, norm_G, kappa)
    return total, total * (norm_M / norm_G) ** _exponent(kappa)


MISTAKES = [
    Mistake(
        "circuits exchanged",
        lambda *args: _right(*args)[::-1],
        "Your division is right for exchanged circuits: the one with the greater P gets the greater part. Look at the order "
        "of what you return (w_M first), and at which P belongs to which weight.",
    ),
    Mistake(
        "ratio upside down",
        _divided(lambda P, kappa: P ** -_exponent(kappa)),
        "For κ under 2 the circuit with the greater P gets the greater part with you. Set both slopes equal once more: a "
        "dear circuit's slope is steep already at a small weight.",
    ),
    Mistake(
        "exponent upside down",
        _divided(lambda P, kappa: P ** (1 / _exponent(kappa))),
        "The exponent of P_M / P_G is upside down with you. From P_M² w_M^q = P_G² w_G^q it takes a q-th *root* to get to "
        "w_G / w_M.",
    ),
    Mistake(
        "P in place of P²",
        _divided(lambda P, kappa: P ** (_exponent(kappa) / 2)),
        "Your division is that for a cost of P_M w_M^(2/κ) + P_G w_G^(2/κ). A cost has the norm *squared*, P².",
    ),
    Mistake(
        "equal costs",
        _divided(lambda P, kappa: P**kappa),
        "You divide so that both circuits cost the same (or you have left out the −1 of the slope's exponent). The sum is "
        "least where the last bit of logit costs the same in both: where the *slopes* by w_M and w_G are equal.",
    ),
    Mistake(
        "κ left out",
        _divided(lambda P, kappa: P**2),
        "Your weights are as 1/P² whatever κ is. That is right for κ = 1 alone: the cost grows with w to the power of 2/κ.",
    ),
    Mistake(
        "κ/2 in place of 2/κ",
        lambda total, norm_M, norm_G, kappa: _right(total, norm_M, norm_G, 4 / kappa),
        "Your division is that for a cost which grows with w to the power of κ/2. A weight w ∝ s^κ takes a scale s ∝ w^(1/κ), "
        "and the squared norm is s²: the power is 2/κ.",
    ),
    Mistake(
        "slopes equal beyond 2",
        _stationary_but_at_2,
        "For κ over 2 you return the division at which both slopes are equal. There the cost is *greatest*: its slopes fall "
        "with the weight. Compare with the cost at the two ends.",
    ),
    Mistake(
        "slopes equal for every κ",
        _stationary_throughout,
        "You set both slopes equal for every κ. At κ = 2 the slopes do not depend on the weights, and you divide by 0; beyond "
        "it, where they are equal the cost is *greatest*. Compare with the cost at the two ends.",
    ),
    Mistake(
        "κ = 2 left out",
        _stationary_at_2_too,
        "At κ = 2 itself both slopes are constant, P_M² and P_G², and your formula divides by 0. What is cheapest then?",
    ),
    Mistake(
        "threshold at κ = 1",
        lambda total, norm_M, norm_G, kappa: (_cheaper_alone if kappa >= 1 else _right)(total, norm_M, norm_G, kappa),
        "You give everything to one circuit from κ = 1 on. The cost of a weight is w^(2/κ), and it is the exponent 2/κ that is "
        "over or under 1.",
    ),
    Mistake(
        "threshold a little under 2",
        lambda total, norm_M, norm_G, kappa: (_cheaper_alone if kappa >= 1.95 else _right)(
            total, norm_M, norm_G, kappa
        ),
        "You give everything to one circuit before κ is 2. Close to 2 the cheaper circuit has most of it; only from 2 itself on "
        "has it all.",
    ),
    Mistake(
        "dearer circuit alone",
        _divided(lambda P, kappa: P ** _exponent(kappa), _dearer_alone),
        "From κ = 2 on you give everything to one circuit, rightly, but to the one with the greater P.",
    ),
    Mistake(
        "cheaper circuit alone",
        _cheaper_alone,
        "You give everything to the circuit with the smaller P. For κ under 2 the first bit of a weight costs nearly nothing, "
        "so it pays to have some of both.",
    ),
    Mistake(
        "halves",
        lambda total, norm_M, norm_G, kappa: (total / 2, total / 2),
        "You give one half to each circuit. They cost different amounts: the dearer one gets less.",
    ),
    Mistake(
        "shares",
        lambda total, *rest: _right(1.0, *rest),
        "You return shares, which add up to 1. Wanted are the weights, which add up to `total`.",
    ),
    Mistake(
        "ratio alone",
        _ratio_alone,
        "The ratio of your weights is right, but they add up to more than `total`: you give M all of it, and G a multiple.",
    ),
]

_QUESTIONS = (
    (10.0, 2.0, 1.0, 1.0),
    (6.0, 1.5, 1.0, 1.2),
    (3.0, 0.7, 1.1, 0.5),
    (12.0, 1.0, 1.3, 1.7),
    (1.0, 3.0, 2.5, 0.8),
    (20.0, 1.1, 1.0, 1.9),
    (5.0, 1.01, 1.0, 1.97),
    (7.0, 2.0, 0.5, 3.0),
    (5.0, 0.9, 1.4, 2.5),
    (8.0, 1.2, 1.0, 2.0),
    (9.0, 0.6, 0.8, 2.0),
    (4.0, 0.9, 1.0, 6.0),
)


@check(
    reference=efficiency_simulation.cheapest_division,
    alternatives=[_searched, _by_bisection, _in_single_precision],
    mistakes=MISTAKES,
    cases=lambda: [(5.0, 1.4, 1.0, 1.3), (2.0, 0.8, 1.1, 0.7), (3.0, 1.2, 2.0, 3.5), (6.0, 1.3, 1.1, 2.0)],
)
def test_cheapest_division(answer: Any) -> None:
    """Divide a given logit between two circuits so that both together cost the least."""
    for total, norm_M, norm_G, kappa in _QUESTIONS:
        w_M, w_G = call(answer, total, norm_M, norm_G, kappa, returns=(float, float))
        of = f"of the division for P_M = {norm_M:g}, P_G = {norm_G:g}, κ = {kappa:g}, a total of {total:g}"
        expect_finite([w_M, w_G], what=f"(w_M, w_G) {of}")
        expect(
            min(w_M, w_G) >= -1e-5 * total,
            what=f"a part {of} is negative",
            why="A circuit gives no negative logit.",
            got=f"w_M = {w_M:.4g}, w_G = {w_G:.4g}",
        )
        expect_close(w_M + w_G, total, what=f"the sum w_M + w_G {of}", why="Both parts together are the total.")
        best = _searched(total, norm_M, norm_G, kappa)
        mine, least = (_cost(max(0.0, M), max(0.0, G), norm_M, norm_G, kappa) for M, G in ((w_M, w_G), best))
        expect_close(
            w_M,
            best[0],
            rtol=0,
            atol=1e-3 * total,
            what=f"w_M {of}",
            why=f"Your division costs {mine:.6g}; the cheapest of a fine grid of divisions costs {least:.6g}.",
        )
