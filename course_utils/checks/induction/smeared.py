"""Exercise: keys that have looked one place back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import heads
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_dtype, expect_shape, noncontiguous
from course_utils.checks.induction.inputs import noise


def _before(k: Tensor) -> Tensor:
    return torch.cat([k[:, :1], k[:, :-1]], 1)


def _variant(
    before: Callable[[Tensor], Tensor] = _before,
    gate: Callable[[Tensor], Tensor] = lambda gate: gate[:, None],
    mix: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda k, before, gate: (1 - gate) * k + gate * before,
) -> Any:
    """A wrong answer that differs in what comes before, in the gate, or in how the two are mixed."""
    return lambda k, g: mix(k, before(k), gate(g))


def _first_cut(k: Tensor) -> Tensor:
    return torch.cat([torch.zeros_like(k[:, :1]), k[:, :-1]], 1)


def _after(k: Tensor) -> Tensor:
    return torch.cat([k[:, 1:], k[:, -1:]], 1)


def _two_back(k: Tensor) -> Tensor:
    return _before(_before(k))


def _all_before(k: Tensor) -> Tensor:
    """The mean of all keys before."""
    means = k.cumsum(1) / torch.arange(1, k.shape[1] + 1).to(k)[:, None, None]
    return _before(means)


def _one_after_the_other(k: Tensor, gate: Tensor) -> Tensor:
    """Each key mixed with the *smeared* one before it."""
    smeared = [k[:, 0]]
    for i in range(1, k.shape[1]):
        smeared.append((1 - gate)[:, None] * k[:, i] + gate[:, None] * smeared[-1])
    return torch.stack(smeared, 1)


def _in_place(k: Tensor, gate: Tensor) -> Tensor:
    for i in range(1, k.shape[1]):
        k[:, i] = (1 - gate)[:, None] * k[:, i] + gate[:, None] * k[:, i - 1]
    return k


def _right_in_place(k: Tensor, gate: Tensor) -> Tensor:
    k[:, 1:] = (1 - gate)[:, None] * k[:, 1:] + gate[:, None] * k[:, :-1].clone()
    return k


def _first_dropped(k: Tensor, gate: Tensor) -> Tensor:
    return (1 - gate)[:, None] * k[:, 1:] + gate[:, None] * k[:, :-1]


def _loops(k: Tensor, gate: Tensor) -> Tensor:
    """Number by number."""
    out = np.empty(tuple(k.shape))
    values, gates = k.tolist(), gate.tolist()
    for b, i, h, d in np.ndindex(*out.shape):
        j = max(i - 1, 0)
        out[b, i, h, d] = (1 - gates[h]) * values[b][i][h][d] + gates[h] * values[b][j][h][d]
    return torch.from_numpy(out)


def _by_difference(k: Tensor, gate: Tensor) -> Tensor:
    """k − gate·(k − before), in single precision."""
    k = k.float()
    smeared = k.clone()
    smeared[:, 1:] -= gate.float()[:, None] * (k[:, 1:] - k[:, :-1])
    return smeared


def _as_matrix(k: Tensor, gate: Tensor) -> Tensor:
    """Each head's smearing as a matrix over places."""
    n = k.shape[1]
    back = torch.diag(torch.ones(n - 1, dtype=k.dtype), -1)
    back[0, 0] = 1
    matrices = (1 - gate)[:, None, None] * torch.eye(n).to(k) + gate[:, None, None] * back
    return torch.einsum("hij,bjhd->bihd", matrices, k)


def _by_lerp(k: Tensor, gate: Tensor) -> Tensor:
    before = k.roll(1, 1)
    before[:, 0] = k[:, 0]
    return torch.lerp(k, before, gate[:, None].to(k.dtype))


MISTAKES = [
    Mistake(
        "wrapped around",
        _variant(before=lambda k: k.roll(1, 1)),
        "The first place gets the key of the *last* one: `roll` wraps around. The first has none before it and keeps its own.",
    ),
    Mistake(
        "first place shrunk",
        _variant(before=_first_cut),
        "The first place has nothing before it, and your gate takes that for a key of 0: only 1 − gate of its own is left. It "
        "keeps its own key.",
    ),
    Mistake(
        "first place dropped",
        _first_dropped,
        "Your result is one place short. The first place keeps its own key.",
    ),
    Mistake(
        "gate reversed",
        _variant(mix=lambda k, before, gate: gate * k + (1 - gate) * before),
        "Your gate works the wrong way round: 0 is to leave the keys as they are, 1 to take all from the place before.",
    ),
    Mistake(
        "key after",
        _variant(before=_after),
        "You mix in the key of the place *after*, which would let heads look ahead. Take the one before.",
    ),
    Mistake(
        "two places back",
        _variant(before=_two_back),
        "You mix in the key from two places back. Take the one right before.",
    ),
    Mistake(
        "mean of all before",
        _variant(before=_all_before),
        "You mix in the mean of all earlier keys. Only the one right before counts.",
    ),
    Mistake(
        "smeared keys smeared on",
        _one_after_the_other,
        "Each key is mixed with the *smeared* key before it, so it remembers all places back to the first. Mix it with the key "
        "as it came.",
    ),
    Mistake(
        "smeared in place",
        _in_place,
        "You write into `k` while you go along: the caller's keys change, and each key is mixed with one that is smeared "
        "already. Make a new tensor from the keys as they came.",
    ),
    Mistake(
        "keys overwritten",
        _right_in_place,
        "Your keys are right, but they are written into `k` itself, which the caller still needs. Make a new tensor.",
    ),
    Mistake(
        "smeared along the batch",
        _variant(before=lambda k: torch.cat([k[:1], k[:-1]])),
        "You mix each sequence with the one before it in the batch. Places are axis 1.",
    ),
    Mistake(
        "smeared along the heads",
        _variant(before=lambda k: torch.cat([k[:, :, :1], k[:, :, :-1]], 2)),
        "You mix each *head* with the one before it. Places are axis 1, heads axis 2.",
    ),
    Mistake(
        "smeared along d_head",
        _variant(before=lambda k: torch.cat([k[..., :1], k[..., :-1]], 3)),
        "You shift the entries inside each key. Places are axis 1.",
    ),
    Mistake(
        "key before added",
        _variant(mix=lambda k, before, gate: k + gate * before),
        "You add the key before to the whole key. The two weights add up to 1: the key's own is 1 − gate.",
    ),
    Mistake(
        "key before not weighted",
        _variant(mix=lambda k, before, gate: (1 - gate) * k + before),
        "The key before is added whole. Its weight is the gate.",
    ),
    Mistake(
        "own key only",
        _variant(mix=lambda k, before, gate: (1 - gate) * k),
        "The key before is missing: it comes in with weight gate.",
    ),
    Mistake(
        "key before only",
        _variant(mix=lambda k, before, gate: gate * before),
        "The key's own part is missing: it stays with weight 1 − gate.",
    ),
    Mistake(
        "sigmoid of the gate",
        _variant(gate=lambda gate: gate.sigmoid()[:, None]),
        "You take the sigmoid of the gate. It comes as a number from 0 to 1 already.",
    ),
    Mistake(
        "one gate for all heads",
        _variant(gate=lambda gate: gate.mean()),
        "You use the mean gate for all heads. Each head has its own.",
    ),
    Mistake(
        "first gate for all heads",
        _variant(gate=lambda gate: gate[0]),
        "You use the first gate for all heads. Each head has its own.",
    ),
    Mistake(
        "gates along d_head",
        _variant(gate=lambda gate: gate),
        "Your gates run along the last axis, d_head, and do not fit there. They belong to the heads: `gate[:, None]`.",
    ),
]


def _gates(n: int, seed: int) -> Tensor:
    return torch.rand(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@check(
    reference=heads.smear_keys,
    alternatives=[_by_difference, _as_matrix, _by_lerp],
    mistakes=MISTAKES,
    cases=lambda: [(noise(2, 4, 3, 5, seed=71), _gates(3, 72)), (noise(5, 6, 2, 3, seed=73), _gates(2, 74))],
)
def test_smear_keys(answer: Any) -> None:
    """Mix each key with the one of the place before, by a gate for each head."""
    k = torch.tensor([8.0, 4.0, 2.0, 6.0], dtype=torch.float64)[None, :, None, None].expand(1, 4, 3, 2).clone()
    gate = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    smeared = call(answer, k, gate)
    expect_shape(smeared, (1, 4, 3, 2), what="the keys", why="A key for each place, as before.")
    expect_dtype(smeared, "float", what="the keys")
    for head, (g, wanted) in enumerate(
        ((0, [8.0, 4.0, 2.0, 6.0]), (0.5, [8.0, 6.0, 3.0, 4.0]), (1, [8.0, 8.0, 4.0, 2.0]))
    ):
        expect_close(
            smeared[0, :, head, 0],
            torch.tensor(wanted),
            what=f"the keys of a head with gate {g} that were 8, 4, 2, 6",
            why=f"{1 - g:g} of the key itself and {g:g} of the one before; the first keeps its own.",
        )
    for batch, n, n_heads, d_head in ((3, 7, 2, 5), (2, 5, 4, 3), (4, 3, 1, 6), (5, 1, 3, 2), (1, 9, 5, 4)):
        k, gate = noise(batch, n, n_heads, d_head, seed=n), _gates(n_heads, seed=n)
        if n == 5:
            k, gate = noncontiguous(k), noncontiguous(gate)
        if n == 3:
            k, gate = k.float(), gate.float()
        what = f"the smeared keys of shape {tuple(k.shape)}"
        smeared = call(answer, k, gate)
        expect_shape(smeared, tuple(k.shape), what=what, why="A key for each place, as before.")
        expect_close(smeared, _loops(k, gate), what=what, why="Mixed number by number.")
