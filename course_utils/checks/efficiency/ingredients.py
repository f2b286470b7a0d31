"""Exercise: the two circuits with one ingredient of delayed generalisation taken away."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from course_utils import efficiency_simulation
from course_utils.checks.framework import Mistake, call, check, expect, expect_close, expect_type
from course_utils.efficiency_simulation import TwoCircuits

KEYS = ("equally efficient", "equally fast", "no penalty", "no generalising circuit")

Change = Callable[[TwoCircuits], TwoCircuits]


def _cheap_M(c: TwoCircuits) -> TwoCircuits:
    return replace(c, norm_M=c.norm_G)


def _single_weight(c: TwoCircuits) -> TwoCircuits:
    return replace(c, factors=1)


def _free(c: TwoCircuits) -> TwoCircuits:
    return replace(c, penalty=0.0)


def _alone(c: TwoCircuits) -> TwoCircuits:
    return replace(c, factors=0)


_RIGHT: dict[str, Change] = dict(zip(KEYS, (_cheap_M, _single_weight, _free, _alone), strict=True))


def _variant(**changes: Change) -> Any:
    """A wrong answer that differs in some of the four, named without spaces."""
    by_key = {key: changes.get(key.replace(" ", "_"), right) for key, right in _RIGHT.items()}
    return lambda c: {key: change(c) for key, change in by_key.items()}


_right = _variant()


def _cumulative(c: TwoCircuits) -> dict[str, TwoCircuits]:
    kept = {}
    for key, change in _RIGHT.items():
        c = kept[key] = change(c)
    return kept


def _by_keyword(c: TwoCircuits) -> dict[str, TwoCircuits]:
    changed: tuple[dict[str, Any], ...] = ({"norm_M": c.norm_G}, {"factors": 1}, {"penalty": 0}, {"factors": 0})
    return {key: TwoCircuits(**{**dataclasses.asdict(c), **one}) for key, one in zip(KEYS, changed, strict=True)}


def _written_out(c: TwoCircuits) -> dict[str, TwoCircuits]:
    """Backwards, each made from all fields one by one."""
    rest = (c.lr, c.spread, c.classes)
    return {
        "no generalising circuit": TwoCircuits(c.norm_M, c.norm_G, c.penalty, c.kappa, 0, *rest),
        "no penalty": TwoCircuits(c.norm_M, c.norm_G, 0.0, c.kappa, c.factors, *rest),
        "equally fast": TwoCircuits(c.norm_M, c.norm_G, c.penalty, c.kappa, 1, *rest),
        "equally efficient": TwoCircuits(c.norm_G, c.norm_G, c.penalty, c.kappa, c.factors, *rest),
    }


MISTAKES = [
    Mistake(
        "G made as dear as M",
        _variant(equally_efficient=lambda c: replace(c, norm_G=c.norm_M)),
        'For "equally efficient" you make G as dear as M. It is M that is to need the norm that G needs.',
    ),
    Mistake(
        "norms exchanged",
        _variant(equally_efficient=lambda c: replace(c, norm_M=c.norm_G, norm_G=c.norm_M)),
        'For "equally efficient" you exchange the two norms, so that now M is the efficient one. They are to be equal.',
    ),
    Mistake(
        "both norms 1",
        _variant(equally_efficient=lambda c: replace(c, norm_M=1.0, norm_G=1.0)),
        'For "equally efficient" you set both norms to 1. Leave norm_G as it was given, whatever it is.',
    ),
    Mistake(
        "ingredients taken away one after another",
        _cumulative,
        "Your second circuits lack the first ingredient too, the third the first two, and so on. Start from the given circuits "
        "each time.",
    ),
    Mistake(
        "defaults for all else",
        lambda c: _right(TwoCircuits(norm_M=c.norm_M, norm_G=c.norm_G, factors=c.factors, penalty=c.penalty)),
        "What you do not name goes back to its default value. Only one field may differ from the given circuits: "
        "`dataclasses.replace` makes a copy with some fields changed.",
    ),
    Mistake(
        "fresh circuits",
        lambda c: _right(TwoCircuits()),
        "Your circuits are made from the default ones. Make them from the given `circuits`.",
    ),
    Mistake(
        "equally fast without factors",
        _variant(equally_fast=_alone),
        'For "equally fast" you have 0 factors, which takes G away. A single weight is one factor.',
    ),
    Mistake(
        "two factors",
        _variant(equally_fast=lambda c: replace(c, factors=2)),
        'For "equally fast" G is a product of two weights with you, which is what makes it slow. It is to be a single weight.',
    ),
    Mistake(
        "one factor fewer",
        _variant(equally_fast=lambda c: replace(c, factors=c.factors - 1)),
        'For "equally fast" you take away one factor. However many there were, one is to be left.',
    ),
    Mistake(
        "faster steps",
        _variant(equally_fast=lambda c: replace(c, lr=1.0)),
        'For "equally fast" you change the step of the descent, which concerns both circuits alike. G is slow because it is a '
        "product of several weights.",
    ),
    Mistake(
        "nothing costs",
        _variant(no_penalty=lambda c: replace(c, norm_M=0.0, norm_G=0.0)),
        'For "no penalty" you set the norms to 0. Set λ to 0, which is `penalty`, and leave the norms as they were.',
    ),
    Mistake(
        "small penalty",
        _variant(no_penalty=lambda c: replace(c, penalty=c.penalty / 100)),
        'For "no penalty" there is still a small one. Its strength is to be 0.',
    ),
    Mistake(
        "G still there",
        _variant(no_generalising_circuit=_single_weight),
        'For "no generalising circuit" G has one factor with you, and learns. No factors at all take it away.',
    ),
    Mistake(
        "G for nothing",
        _variant(no_generalising_circuit=lambda c: replace(c, norm_G=0.0)),
        'For "no generalising circuit" you set norm_G to 0, which makes G free of charge. No factors at all take it away.',
    ),
    Mistake(
        "G unaffordable",
        _variant(no_generalising_circuit=lambda c: replace(c, norm_G=float("inf"))),
        'For "no generalising circuit" you make norm_G infinite. Leave it as it was: no factors at all take G away.',
    ),
    Mistake(
        "underscores",
        lambda c: {key.replace(" ", "_"): one for key, one in _right(c).items()},
        "Your keys have underscores. They are to have spaces, as in the exercise.",
    ),
    Mistake(
        "changed fields only",
        lambda c: {key: {n: v for n, v in vars(one).items() if v != vars(c)[n]} for key, one in _right(c).items()},
        "You return what changes. Wanted are the whole circuits: `dataclasses.replace(circuits, …)` makes them.",
    ),
]

_CIRCUITS = (
    TwoCircuits(3.0, 0.5, 0.02, 1.1, 2, 0.03, 0.2, 59),
    TwoCircuits(0.7, 1.9, 0.004, 1.6, 3, 0.002, 0.1, 11),
    TwoCircuits(2.5, 1.3, 0.15, 0.9, 4, 0.05, 0.3, 97),
    TwoCircuits(),
)

_WHY = {
    "equally efficient": "M needs the norm that G needs; all else is left as it was.",
    "equally fast": "G is a single weight, a product of one factor; all else is left as it was.",
    "no penalty": "λ is 0; all else is left as it was.",
    "no generalising circuit": "G has no factors; all else is left as it was.",
}


def _wanted(key: str, field: str, given: dict[str, float]) -> float:
    changed = {
        ("equally efficient", "norm_M"): given["norm_G"],
        ("equally fast", "factors"): 1,
        ("no penalty", "penalty"): 0,
        ("no generalising circuit", "factors"): 0,
    }
    return changed.get((key, field), given[field])


@check(
    reference=efficiency_simulation.without_one_ingredient,
    alternatives=[_by_keyword, _written_out],
    mistakes=MISTAKES,
    cases=lambda: [(TwoCircuits(1.4, 0.8, 0.03, 1.7, 5, 0.02, 0.25, 31),), (TwoCircuits(norm_M=0.6, factors=3),)],
)
def test_without_one_ingredient(answer: Any) -> None:
    """Take one ingredient of delayed generalisation away from the two circuits, in four ways."""
    for circuits in _CIRCUITS:
        found = call(answer, circuits, returns=dict)
        missing, extra = [key for key in KEYS if key not in found], sorted(str(key) for key in found if key not in KEYS)
        expect(
            not missing and not extra,
            what="the keys of the dict",
            why=f"Missing: {', '.join(missing) or 'none'}. Too many: {', '.join(extra) or 'none'}.",
        )
        given = vars(circuits)
        for key in KEYS:
            expect_type(found[key], TwoCircuits, what=f'"{key}"', why="Each value is a TwoCircuits.")
            for field in given:
                mine = getattr(found[key], field)
                what = f'`{field}` of "{key}" for {circuits}'
                expect_type(mine, (int, float), what=what)
                expect_close(mine, _wanted(key, field, given), rtol=1e-6, atol=0, what=what, why=_WHY[key])
