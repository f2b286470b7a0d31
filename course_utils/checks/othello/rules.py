"""Exercise: how legal are the predictions?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import legality
from course_utils.checks.framework import Mistake, call, check, expect_close, noncontiguous
from course_utils.checks.othello.inputs import choices

Three = tuple[Any, Any, Any]


def _counted(logits: Tensor, legal: Tensor) -> Three:
    """Position by position."""
    illegal, mass, top_n = [], [], []
    for row, allowed in zip(logits.tolist(), legal.tolist(), strict=True):
        order = sorted(range(len(row)), key=lambda move: -row[move])
        weights = [math.exp(x - max(row)) for x in row]
        number = sum(allowed)
        illegal.append(not allowed[order[0]])
        mass.append(sum(w for w, a in zip(weights, allowed, strict=True) if a) / sum(weights))
        top_n.append(sum(allowed[move] for move in order[:number]) / number)
    return sum(illegal) / len(illegal), sum(mass) / len(mass), sum(top_n) / len(top_n)


def _tensors(logits: Tensor, legal: Tensor) -> list[Tensor]:
    """0-d tensors in single precision, in a list; the N-th largest logit as a threshold."""
    lowest = logits.sort(1, descending=True).values.gather(1, legal.sum(1, keepdim=True) - 1)
    hits = ((logits >= lowest) & legal).sum(1)
    mass = (logits.logsumexp(1) - logits.masked_fill(~legal, -torch.inf).logsumexp(1)).neg().exp()
    best = torch.zeros_like(legal).scatter(1, logits.topk(1).indices, True)
    return [(best & ~legal).any(1).float().mean(), mass.float().mean(), (hits / legal.sum(1)).mean()]


def _numpy(logits: Tensor, legal: Tensor) -> Any:
    x, allowed = np.asarray(logits, dtype=np.float64), np.asarray(legal)
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    top = [a[np.argsort(-row)[: a.sum()]].mean() for row, a in zip(x, allowed, strict=True)]
    illegal = ~allowed[np.arange(len(x)), x.argmax(1)]
    return np.array([illegal.mean(), p[allowed].sum() / len(x), np.mean(top)])


def _illegal(logits: Tensor, legal: Tensor) -> Tensor:
    return ~legal.gather(1, logits.argmax(1, keepdim=True))[:, 0]


def _mass(logits: Tensor, legal: Tensor) -> Tensor:
    return (logits.softmax(1) * legal).sum(1)


def _hits(logits: Tensor, legal: Tensor, number: Tensor | None = None, descending: bool = True) -> Tensor:
    """How many of the largest logits are legal moves': the legal moves' number, or another one."""
    rank = logits.argsort(1, descending=descending).argsort(1)
    number = legal.sum(1) if number is None else number.expand(len(logits))
    return ((rank < number[:, None]) & legal).sum(1)


def _top_n(logits: Tensor, legal: Tensor) -> Tensor:
    return _hits(logits, legal) / legal.sum(1)


Part = Callable[[Tensor, Tensor], Tensor]


def _variant(illegal: Part = _illegal, mass: Part = _mass, top_n: Part = _top_n) -> Any:
    """A wrong answer that differs in one of the three; each part is averaged."""
    return lambda logits, legal: tuple(part(logits, legal).double().mean().item() for part in (illegal, mass, top_n))


def _fixed(number: Callable[[Tensor], Tensor]) -> Part:
    """Of how many of so many largest logits are legal moves', the same number at each position."""

    def top_n(logits: Tensor, legal: Tensor) -> Tensor:
        n = number(legal.sum(1))
        return _hits(logits, legal, n) / n

    return top_n


def _argsort_once(logits: Tensor, legal: Tensor) -> Tensor:
    predicted = logits.argsort(1, descending=True) < legal.sum(1, keepdim=True)
    return (predicted & legal).sum(1) / legal.sum(1)


_right = _variant()


def _exchanged(logits: Tensor, legal: Tensor) -> Three:
    illegal, mass, top_n = _right(logits, legal)
    return illegal, top_n, mass


MISTAKES = [
    Mistake(
        "share of legal best moves",
        _variant(illegal=lambda logits, legal: ~_illegal(logits, legal)),
        "Your `illegal` is how often the best move *is* legal. Wanted is how often it is not.",
    ),
    Mistake(
        "illegal moves counted",
        lambda logits, legal: (_illegal(logits, legal).sum().item(), *_right(logits, legal)[1:]),
        "Your `illegal` is a count. Divide by the number of positions.",
    ),
    Mistake(
        "probability of illegal moves",
        _variant(illegal=lambda logits, legal: 1 - _mass(logits, legal)),
        "Your `illegal` is the probability of all illegal moves. Wanted is how often the move with the largest logit is one.",
    ),
    Mistake(
        "all illegal moves",
        _variant(illegal=lambda logits, legal: (~legal).double()),
        "Your `illegal` is the share of moves that are illegal, whatever the network says. Look at the move with the largest "
        "logit.",
    ),
    Mistake(
        "logits in place of probabilities",
        _variant(mass=lambda logits, legal: (logits * legal).sum(1)),
        "Your `mass` adds up logits. Turn them into probabilities first.",
    ),
    Mistake(
        "softmax of the legal moves",
        _variant(mass=lambda logits, legal: torch.ones(len(logits))),
        "Your `mass` is 1 everywhere: does the softmax see the legal moves only? It is taken over all moves.",
    ),
    Mistake(
        "softmax over positions",
        _variant(mass=lambda logits, legal: (logits.softmax(0) * legal).sum(1)),
        "Your softmax runs over positions. Probabilities are shared among the moves of one position: axis 1.",
    ),
    Mistake(
        "sigmoid",
        _variant(mass=lambda logits, legal: (logits.sigmoid() * legal).sum(1)),
        "You turn each logit into a probability by itself. All moves of a position share a probability of 1: take the softmax.",
    ),
    Mistake(
        "mean probability of a legal move",
        _variant(mass=lambda logits, legal: _mass(logits, legal) / legal.sum(1)),
        "Your `mass` is the mean probability of a legal move. Wanted is the probability of all of them together: add up.",
    ),
    Mistake(
        "mean over all moves",
        _variant(mass=lambda logits, legal: logits.softmax(1) * legal),
        "Your `mass` is averaged over moves as well. Add up the legal moves of a position, then average over positions.",
    ),
    Mistake(
        "mass added up",
        lambda logits, legal: (_right(logits, legal)[0], _mass(logits, legal).sum().item(), _right(logits, legal)[2]),
        "Your `mass` is a sum over positions. Divide by their number.",
    ),
    Mistake(
        "mass of illegal moves",
        _variant(mass=lambda logits, legal: 1 - _mass(logits, legal)),
        "Your `mass` is the probability of the illegal moves. Wanted is that of the legal ones.",
    ),
    Mistake(
        "most probable move",
        _variant(mass=lambda logits, legal: logits.softmax(1).amax(1)),
        "Your `mass` is the probability of the best move. Wanted is that of all legal moves together.",
    ),
    Mistake(
        "mean number of legal moves",
        _variant(top_n=_fixed(lambda numbers: numbers.double().mean().round().long())),
        "You take equally many of the largest logits at each position, the mean number of legal moves. Each position has its "
        "own N.",
    ),
    Mistake(
        "largest number of legal moves",
        _variant(top_n=_fixed(lambda numbers: numbers.max())),
        "You take as many of the largest logits everywhere as the richest position has legal moves. Each position has its own N.",
    ),
    Mistake(
        "pooled",
        lambda logits, legal: (*_right(logits, legal)[:2], (_hits(logits, legal).sum() / legal.sum()).item()),
        "You divide all hits by all legal moves, so that positions with many moves count more. Take each position's share, then "
        "the mean.",
    ),
    Mistake(
        "best move only",
        _variant(top_n=lambda logits, legal: ~_illegal(logits, legal)),
        "Your `top_n` looks at the best move only. Take as many of the largest logits as there are legal moves.",
    ),
    Mistake(
        "hits counted",
        _variant(top_n=lambda logits, legal: _hits(logits, legal)),
        "Your `top_n` counts hits. Divide each position's count by its number of legal moves.",
    ),
    Mistake(
        "hits divided by all moves",
        _variant(top_n=lambda logits, legal: _hits(logits, legal) / legal.shape[1]),
        "Your `top_n` divides by the number of all moves. Divide by the number of legal ones.",
    ),
    Mistake(
        "smallest logits",
        _variant(top_n=lambda logits, legal: _hits(logits, legal, descending=False) / legal.sum(1)),
        "Your `top_n` takes the N smallest logits. Sort in descending order.",
    ),
    Mistake(
        "places for ranks",
        _variant(top_n=_argsort_once),
        "`argsort` says which move stands at each rank, and you use it as the rank of each move. Sort its result once more.",
    ),
    Mistake(
        "exchanged",
        _exchanged,
        "`mass` and `top_n` have changed places. The order is `illegal`, `mass`, `top_n`.",
    ),
    Mistake(
        "one for each position",
        lambda logits, legal: tuple(part(logits, legal).double() for part in (_illegal, _mass, _top_n)),
        "You return one number for each position. Average each of the three.",
    ),
]

_WORDS = {
    "illegal": "How often the move with the largest logit is not legal.",
    "mass": "The softmax runs over all moves of a position; the legal ones' shares are added up, then averaged.",
    "top_n": "At each position, the share of legal moves among its N largest logits, N being its number of legal moves.",
}


@check(
    reference=legality.legality,
    alternatives=[_tensors, _numpy, _counted],
    mistakes=MISTAKES,
    cases=lambda: [choices(31, 12, seed=50), choices(17, 9, seed=60), choices(8, 23, seed=70)],
)
def test_legality(answer: Any) -> None:
    """Measure how often the best move is illegal, the probability of legal moves, and the share of them at the top."""
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05], [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]]).double().log()
    legal = torch.tensor([[1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 1]]).bool()
    found = call(answer, logits, legal, returns=(float, float, float))
    words = "three positions with 2, 3 and 1 legal moves of 4"
    for name, mine, wanted in zip(_WORDS, found, (2 / 3, (0.65 + 0.6 + 0.1) / 3, (1 / 2 + 2 / 3 + 0) / 3), strict=True):
        expect_close(mine, wanted, what=f"`{name}` of {words}", why=_WORDS[name])
    for n, moves, dtype in (
        (9, 5, torch.float64),
        (40, 32, torch.float32),
        (26, 13, torch.float64),
        (1, 8, torch.float64),
    ):
        logits, legal = choices(n, moves, seed=n, dtype=dtype)
        if moves == 13:
            logits, legal = noncontiguous(logits), noncontiguous(legal)
        found = call(answer, logits, legal, returns=(float, float, float))
        for name, mine, wanted in zip(_WORDS, found, _counted(logits, legal), strict=True):
            what = f"`{name}` of {n} random position{'s' * (n > 1)} with {moves} moves"
            expect_close(mine, wanted, what=what, why=_WORDS[name], atol=1e-5)
