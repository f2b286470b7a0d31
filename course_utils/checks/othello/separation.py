"""Exercise: how well does a neuron tell boards with a feature from boards without?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import probe_directions
from course_utils.checks.framework import Mistake, call, check, expect_close, noncontiguous
from course_utils.checks.othello.inputs import noise


def _all_pairs(activation: Tensor, present: Tensor) -> Tensor:
    """Every case with the feature beside every case without."""
    a, b = activation[present][:, None], activation[~present][None]
    return ((a > b).double() + (a == b).double() / 2).mean()


def _by_ranks(activation: Tensor, present: Tensor) -> float:
    """NumPy: equal activations share the mean of their ranks."""
    x, there = np.asarray(activation), np.asarray(present)
    _, place, count = np.unique(x, return_inverse=True, return_counts=True)
    rank = (count.cumsum() - (count - 1) / 2)[place]
    with_feature = int(there.sum())
    above = rank[there].sum() - with_feature * (with_feature + 1) / 2
    return float(above / (with_feature * (len(x) - with_feature)))


def _by_values(activation: Tensor, present: Tensor) -> float:
    """From the strongest activation down: the area under a curve, a trapezium for each value."""
    total_with, total_without = int(present.sum()), int((~present).sum())
    values, place = activation.unique(return_inverse=True)
    at = torch.zeros(2, len(values), dtype=torch.float64)
    at[0].index_add_(0, place, present.double())
    at[1].index_add_(0, place, (~present).double())
    found, false = at.flip(1).cumsum(1)
    found, false = (torch.cat([torch.zeros(1), part]) for part in (found, false))
    return torch.trapezoid(found / total_with, false / total_without).item()


def _sign(activation: Tensor, present: Tensor) -> Tensor:
    """In single precision, as a 0-d tensor; loops over cases with the feature."""
    without = activation[~present]
    return (1 + torch.stack([(a - without).sign().float().mean() for a in activation[present]]).mean()) / 2


def _pairs(count: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """A wrong answer: something else is counted of pairs (with, without)."""
    return lambda activation, present: (
        count(activation[present][:, None], activation[~present][None]).double().mean().item()
    )


def _sides(compare: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """A wrong answer made of the activations with the feature and of those without."""
    return lambda activation, present: compare(activation[present].double(), activation[~present].double()).item()


def _right(activation: Tensor, present: Tensor) -> float:
    return float(_all_pairs(activation, present))


def _ranks_without_sharing(activation: Tensor, present: Tensor) -> float:
    rank = activation.argsort(stable=True).argsort().double() + 1
    n = int(present.sum())
    return float((rank[present].sum() - n * (n + 1) / 2) / (n * (len(activation) - n)))


def _any_two(activation: Tensor, present: Tensor) -> float:
    a, b = activation[present][:, None], activation[None]
    return float(((a > b).double() + (a == b).double() / 2).mean())


def _best_threshold(activation: Tensor, present: Tensor) -> float:
    return max(float(((activation > t) == present).double().mean()) for t in activation.tolist())


MISTAKES = [
    Mistake(
        "equal ones not counted",
        _pairs(lambda a, b: a > b),
        "You count pairs in which the case with the feature is strictly ahead. Equal activations count half, and with ReLU many "
        "are 0.",
    ),
    Mistake(
        "equal ones counted in full",
        _pairs(lambda a, b: a >= b),
        "You count equal activations in full. They count half.",
    ),
    Mistake(
        "equal ones left out",
        lambda activation, present: (
            _pairs(lambda a, b: a > b)(activation, present) / _pairs(lambda a, b: a != b)(activation, present)
        ),
        "You leave pairs of equal activations out altogether. They are in the draw, and count half.",
    ),
    Mistake(
        "equal ones by their order",
        _ranks_without_sharing,
        "You give equal activations different ranks, by their order in the data. They have to share one, so that each such pair "
        "counts half.",
    ),
    Mistake(
        "reversed",
        lambda activation, present: 1 - _right(activation, present),
        "You measure how likely the case *without* the feature activates more. It is the other way round.",
    ),
    Mistake(
        "either way",
        lambda activation, present: max(_right(activation, present), 1 - _right(activation, present)),
        "You turn results below ½ round. They say that the neuron is active where the feature is *not*: leave them.",
    ),
    Mistake(
        "from −1 to 1",
        lambda activation, present: 2 * _right(activation, present) - 1,
        "Your result goes from −1 to 1, with 0 for chance. Wanted is a probability, with ½ for chance.",
    ),
    Mistake(
        "all cases against all",
        _any_two,
        "You compare the cases with the feature with *all* cases. Compare them with those without.",
    ),
    Mistake(
        "divided by all pairs",
        lambda activation, present: (
            _right(activation, present) * present.sum() * (~present).sum() / len(present) ** 2
        ).item(),
        "You divide by all pairs of cases. Divide by the pairs that have one case of each kind.",
    ),
    Mistake(
        "pairs counted",
        lambda activation, present: (_right(activation, present) * present.sum() * (~present).sum()).item(),
        "You return how many pairs there are. Divide by the number of all pairs with one case of each kind.",
    ),
    Mistake(
        "right at threshold 0",
        lambda activation, present: ((activation > 0) == present).double().mean().item(),
        "You measure how often being active says rightly whether the feature is there. Compare pairs of cases: no threshold.",
    ),
    Mistake(
        "right at the best threshold",
        _best_threshold,
        "You measure how often the best threshold is right. Compare pairs of cases: no threshold.",
    ),
    Mistake(
        "difference of means",
        _sides(lambda a, b: a.mean() - b.mean()),
        "You return the difference of mean activations. Wanted is a probability.",
    ),
    Mistake(
        "active with the feature",
        _sides(lambda a, b: (a > 0).double().mean()),
        "You return how often the neuron is active when the feature is there. How active it is without it matters too.",
    ),
    Mistake(
        "feature when active",
        lambda activation, present: present[activation > 0].double().mean().item(),
        "You return how often the feature is there when the neuron is active. Compare pairs of cases.",
    ),
    Mistake(
        "above the mean of the others",
        _sides(lambda a, b: (a > b.mean()).double().mean()),
        "You compare with the mean activation without the feature. Compare with each case.",
    ),
    Mistake(
        "above the median of the others",
        _sides(lambda a, b: (a > b.median()).double().mean()),
        "You compare with the median activation without the feature. Compare with each case.",
    ),
    Mistake(
        "median against all",
        _sides(lambda a, b: (a.median() > b).double().mean()),
        "You compare the median activation with the feature. Compare each case.",
    ),
    Mistake(
        "correlation",
        lambda activation, present: torch.corrcoef(torch.stack([activation.double(), present.double()]))[0, 1].item(),
        "You return the correlation of activation and feature. Wanted is a probability.",
    ),
]


def _question(
    n: int, share: float, shift: float, seed: int, digits: int = 1, least: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Activations of a ReLU neuron, rounded: many are 0, and others are equal too. With another least value, not a ReLU's."""
    present = torch.rand(n, generator=torch.Generator().manual_seed(seed)) < share
    present[0], present[1] = True, False
    drive = noise(n, seed=seed + 1) + shift * present
    return drive.clamp(min=least).mul(10**digits).round().div(10**digits), present


def _many(seed: int) -> tuple[Tensor, Tensor, float]:
    """20 000 cases with few values, and the answer from how often each value comes."""
    present = noise(20_000, seed=seed) > 2
    activation = (noise(20_000, seed=seed + 1) + 0.8 * present).clamp(min=0).mul(2).floor()
    wins = 0.0
    for value in activation.unique().tolist():
        here = int(((activation == value) & present).sum())
        wins += here * (
            int(((activation < value) & ~present).sum()) + int(((activation == value) & ~present).sum()) / 2
        )
    return activation, present, wins / (int(present.sum()) * int((~present).sum()))


@check(
    reference=probe_directions.separation,
    alternatives=[_by_ranks, _all_pairs, _by_values, _sign],
    mistakes=MISTAKES,
    cases=lambda: [
        _question(40, 0.4, 0.7, 60),
        _question(55, 0.3, -0.6, 70, digits=0),
        _question(50, 0.5, 0.9, 80, least=0.5),
    ],
)
def test_separation(answer: Any) -> None:
    """Find how likely a case with the feature activates more than one without; equal activations count half."""
    activation = torch.tensor([0.0, 2.0, 0.0, 3.0, 0.0, 1.0])
    present = torch.tensor([True, True, False, True, False, False])
    expect_close(
        call(answer, activation, present, returns=float),
        7 / 9,
        what="0, 2 and 3 with the feature, 0, 0 and 1 without",
        why="Of nine pairs, six have the feature's case ahead and two are equal: (6 + 2 · ½) / 9.",
    )
    for n, share, shift, digits in (
        (30, 0.3, 1.0, 1),
        (47, 0.6, -0.8, 1),
        (64, 0.2, 0.5, 0),
        (25, 0.5, 0.4, 6),
        (2, 0.5, 1, 1),
    ):
        activation, present = _question(n, share, shift, seed=n, digits=digits, least=-9 if n == 25 else 0)
        if n == 47:
            activation, present = noncontiguous(activation), noncontiguous(present)
        activation = activation.float() if n == 64 else activation
        pairs = [(a, b) for a in activation[present].tolist() for b in activation[~present].tolist()]
        wanted = sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs)
        equal = sum(a == b for a, b in pairs)
        expect_close(
            call(answer, activation, present, returns=float),
            wanted,
            what=f"{n} cases, {int(present.sum())} with the feature",
            why=f"All {len(pairs)} pairs of one with and one without were compared. In {equal} of them both are equal.",
        )
    activation, present = torch.tensor([0.5, 0.1, 0.7, 0.2, 0.3]), torch.tensor([True, False, True, False, False])
    why = "Every case with the feature activates more than every case without."
    expect_close(call(answer, activation, present, returns=float), 1.0, what="a perfect neuron", why=why)
    activation, present, wanted = _many(seed=3)
    expect_close(
        call(answer, activation, present, returns=float),
        wanted,
        what=f"20 000 cases, {int(present.sum())} with the feature",
        why="Counted value by value.",
    )
