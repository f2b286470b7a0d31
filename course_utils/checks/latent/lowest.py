"""Exercise: how often is the best of a few restarts a hit?"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import latent
from course_utils.checks.framework import Mistake, call, check, expect, expect_close, noncontiguous
from course_utils.checks.latent.inputs import restarts


def _every_draw(loss: Tensor, hit: Tensor, k: int) -> float:
    """All sets of k restarts, one after the other."""
    values, hits = loss.tolist(), hit.tolist()
    chosen = [min(drawn, key=values.__getitem__) for drawn in itertools.combinations(range(len(values)), k)]
    return sum(hits[best] for best in chosen) / len(chosen)


def _by_chance_left(loss: Tensor, hit: Tensor, k: int) -> float:
    """From the best down: it is drawn and none before it was. Products of fractions."""
    n, none_yet, found = len(loss), 1.0, 0.0
    for place, best in enumerate(loss.argsort().tolist()):
        drawn = k / (n - place)  # of those left, all k are still to come
        if drawn > 1:
            break
        found += none_yet * drawn * float(hit[best])
        none_yet *= 1 - drawn
    return found


def _by_recursion(loss: Tensor, hit: Tensor, k: int) -> float:
    """The best one is drawn with chance k / n; if it is not, there is one restart less to draw from."""
    if k > len(loss):
        return 0.0
    best = int(loss.argmin())
    others = torch.arange(len(loss)) != best
    chance = k / len(loss)
    return chance * float(hit[best]) + (1 - chance) * _by_recursion(loss[others], hit[others], k)


def _numpy(loss: Tensor, hit: Tensor, k: int) -> Any:
    """Logarithms of the binomial coefficients."""
    lgamma = np.vectorize(math.lgamma)
    n = len(loss)
    worse = n - 1 - np.arange(n - k + 1)  # so many restarts have a higher loss
    log = lgamma(worse + 1) - lgamma(k) - lgamma(worse - k + 2)
    chance = np.exp(log - (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)))
    return chance @ np.asarray(hit)[np.argsort(np.asarray(loss))][: n - k + 1]


def _exact(loss: Tensor, hit: Tensor, k: int) -> float:
    """What the exercise asks for, for any n: the chance that all k are at place i or later, less that for i + 1."""
    n = len(loss)
    from_here = [Fraction(math.comb(n - place, k), math.comb(n, k)) for place in range(n + 1)]
    places = sorted(range(n), key=loss.tolist().__getitem__)
    return float(sum(from_here[i] - from_here[i + 1] for i, restart in enumerate(places) if hit[restart]))


def _drawn(times: int, replace: bool = False) -> Any:
    """A wrong answer: some draws only."""

    def wrong(loss: Tensor, hit: Tensor, k: int) -> float:
        generator = np.random.default_rng(0)
        drawn = (generator.choice(len(loss), k, replace=replace) for _ in range(times))
        return sum(bool(hit[torch.from_numpy(d)[loss[torch.from_numpy(d)].argmin()]]) for d in drawn) / times

    return wrong


def _weighted(weight: Callable[[int, int, int], float], order: Callable[[Tensor], Tensor] = torch.argsort) -> Any:
    """A wrong answer: the restart at place i (from 0) of n counts with another weight, or places are others."""

    def wrong(loss: Tensor, hit: Tensor, k: int) -> float:
        hits = hit[order(loss)].tolist()
        return sum(weight(i, len(hits), k) for i, is_hit in enumerate(hits) if is_hit)

    return wrong


def _right(i: int, n: int, k: int) -> float:
    return math.comb(n - 1 - i, k - 1) / math.comb(n, k)


def _shortened(start: int, number: Callable[[int, int, int], int]) -> Any:
    """A wrong answer: a loop over n − k + 1 places, counted from ``start``, with another number of draws for each."""

    def wrong(loss: Tensor, hit: Tensor, k: int) -> float:
        hits, n = hit[loss.argsort()].tolist(), len(loss)
        ways = sum(number(n, i, k) * hits[place] for place, i in enumerate(range(start, start + n - k + 1)))
        return ways / math.comb(n, k)

    return wrong


def _from_one(always: bool) -> Any:
    """A wrong answer: C(n − i − 1, k − 1) with i from 1, which cannot be reckoned at the last place."""

    def wrong(loss: Tensor, hit: Tensor, k: int) -> float:
        hits, n = hit[loss.argsort()].tolist(), len(loss)
        ways = sum(math.comb(n - i - 1, k - 1) * is_hit for i, is_hit in enumerate(hits, 1) if always or is_hit)
        return ways / math.comb(n, k)

    return wrong


def _share(loss: Tensor, hit: Tensor, k: int) -> float:
    return hit.double().mean().item()


def _any_of(loss: Tensor, hit: Tensor, k: int) -> float:
    misses = int((~hit).sum())
    return 1 - math.comb(misses, k) / math.comb(len(hit), k)


def _all_of(loss: Tensor, hit: Tensor, k: int) -> float:
    return math.comb(int(hit.sum()), k) / math.comb(len(hit), k)


def _best_k(loss: Tensor, hit: Tensor, k: int) -> float:
    return hit[loss.argsort()[:k]].double().mean().item()


def _first_k(loss: Tensor, hit: Tensor, k: int) -> float:
    return float(hit[loss[:k].argmin()])


def _in_pieces(loss: Tensor, hit: Tensor, k: int) -> float:
    """As if the restarts were cut into sets of k as they come."""
    chosen = [piece[loss[piece].argmin()] for piece in torch.arange(len(loss)).split(k) if len(piece) == k]
    return hit[torch.stack(chosen)].double().mean().item()


MISTAKES = [
    Mistake(
        "highest loss",
        _weighted(_right, lambda loss: loss.argsort(descending=True)),
        "You keep the restart with the *highest* loss of each draw. Put the lowest loss first, and choose the others of a draw "
        "from those behind it.",
    ),
    Mistake(
        "not sorted",
        _weighted(_right, lambda loss: torch.arange(len(loss))),
        "You take the restarts in the order in which they come. Put them in the order of their losses first.",
    ),
    Mistake(
        "ranks for order",
        _weighted(_right, lambda loss: loss.argsort().argsort()),
        "You index by the rank of each restart. What puts hits in order of the losses is `hit[loss.argsort()]`; a second "
        "`argsort` gives ranks.",
    ),
    Mistake(
        "with replacement",
        _weighted(lambda i, n, k: ((n - i) / n) ** k - ((n - i - 1) / n) ** k),
        "You draw with replacement, so that a restart may come twice. The k restarts are different ones.",
    ),
    Mistake(
        "share of hits",
        _share,
        "You return the share of hits, whatever k is. Of k restarts the one with the lowest loss is kept, and the larger k, the "
        "lower that loss.",
    ),
    Mistake(
        "any hit, with replacement",
        lambda loss, hit, k: 1 - (1 - _share(loss, hit, k)) ** k,
        "You return 1 − (1 − s)ᵏ, the chance that *any* of k restarts is a hit. The one with the lowest loss has to be, and "
        "which that is nobody knows but the loss.",
    ),
    Mistake(
        "any hit",
        _any_of,
        "You return the chance that *any* of the k restarts is a hit. The one with the lowest loss has to be.",
    ),
    Mistake(
        "all hits",
        _all_of,
        "You return the chance that *all* k restarts are hits. Only the one with the lowest loss has to be.",
    ),
    Mistake(
        "best k",
        _best_k,
        "You return the share of hits among the k lowest losses of all. Draw k at random, and look at the lowest of those.",
    ),
    Mistake(
        "first k",
        _first_k,
        "You look at the first k restarts only, and so your result is 0 or 1. Wanted is the chance over all sets of k.",
    ),
    Mistake(
        "in pieces",
        _in_pieces,
        "You cut the restarts into sets of k as they come. Wanted is the chance over *all* sets of k, which have C(n, k).",
    ),
    Mistake(
        "best of all",
        lambda loss, hit, k: float(hit[loss.argmin()]),
        "You look at the lowest loss of all, as if all restarts were drawn. Only k of them are.",
    ),
    Mistake(
        "best is always drawn",
        lambda loss, hit, k: k / len(loss) * float(hit[loss.argmin()]) + (1 - k / len(loss)) * _share(loss, hit, k),
        "If the lowest loss of all is not drawn, you take the share of hits. It is the next lowest's turn then, and so on: the "
        "restart at place i is kept if it is drawn and none before it is.",
    ),
    Mistake(
        "worse ones, itself included",
        _weighted(lambda i, n, k: math.comb(n - i, k - 1) / math.comb(n, k)),
        "Your numbers of draws are too large: the others of a draw come from the restarts with a *higher* loss, and you count "
        "the restart itself among them. At place i there are n − i of them if i counts from 1, and n − i − 1 if it counts "
        "from 0.",
    ),
    Mistake(
        "one too few",
        _weighted(lambda i, n, k: math.comb(n - 2 - i, k - 1) / math.comb(n, k) if i < n - 1 else 0.0),
        "Your numbers of draws are too small: you leave out one of the restarts with a higher loss. At place i, counted from 1, "
        "there are n − i of them.",
    ),
    Mistake(
        "one too few, below 0 at the last",
        _from_one(always=True),
        "You choose from n − i − 1 restarts at place i, which is right if i counts from 0. Yours counts from 1: n − i restarts "
        "have a higher loss.",
    ),
    Mistake(
        "one too few, below 0 at the last hit",
        _from_one(always=False),
        "You choose from n − i − 1 restarts at place i, and your places count from 1. Then n − i restarts have a higher loss, "
        "and none of them is below 0.",
    ),
    Mistake(
        "worse ones, itself included, in a short loop",
        _shortened(0, lambda n, i, k: math.comb(n - i, k - 1)),
        "You choose from n − i restarts at place i, which is right if i counts from 1. Yours counts from 0: n − i − 1 restarts "
        "have a higher loss.",
    ),
    Mistake(
        "best left out",
        _weighted(lambda i, n, k: _right(i, n, k) if i else 0.0),
        "You leave out the restart with the lowest loss of all. Does your loop start at 1, where Python's lists start at 0?",
    ),
    Mistake(
        "one place further",
        _weighted(lambda i, n, k: _right(i - 1, n, k) if i else 0.0),
        "You ask of each place whether the restart *behind* it is a hit. Does i count from 1 in C(n − i, k − 1), and from 0 in "
        "the list of hits? `enumerate(…, 1)` goes with n − i, `enumerate(…)` with n − i − 1.",
    ),
    Mistake(
        "k others",
        _weighted(lambda i, n, k: math.comb(n - 1 - i, k) / math.comb(n, k)),
        "You draw k others beside the one that is kept. It is one of the k: choose k − 1 others.",
    ),
    Mistake(
        "all at least as bad",
        _weighted(lambda i, n, k: math.comb(n - i, k) / math.comb(n, k)),
        "You count the draws that have none better than this restart, whether it is drawn or not. It has to be: choose k − 1 "
        "others from those with higher losses.",
    ),
    Mistake(
        "a miss",
        lambda loss, hit, k: _exact(loss, ~hit, k),
        "You return the chance that the one with the lowest loss is a *miss*.",
    ),
    Mistake(
        "not divided",
        lambda loss, hit, k: math.comb(len(loss), k) * _exact(loss, hit, k),
        "You return how many draws end in a hit. Divide by the number of all draws, C(n, k).",
    ),
    Mistake(
        "ordered draws",
        lambda loss, hit, k: _exact(loss, hit, k) / math.factorial(k),
        "You divide by the number of draws in which order counts, and count the hits among those in which it does not. Divide by "
        "C(n, k).",
    ),
    Mistake(
        "a thousand draws",
        _drawn(1000),
        "Your result changes with what is drawn. It is to be exact: the restart at place i is kept in so many of the C(n, k) "
        "draws, and those can be counted.",
    ),
    Mistake(
        "a thousand draws with replacement",
        _drawn(1000, replace=True),
        "You draw at random, and with replacement. The k restarts are different ones, and the result is to be exact: count the "
        "draws in which the restart at place i is kept.",
    ),
]


def _expect_not_drawn(answer: Any, loss: Tensor, hit: Tensor, k: int) -> None:
    """The same question has one answer, however often it is asked."""
    found = [call(answer, loss, hit, k, returns=float) for _ in range(3)]
    expect(
        max(found) - min(found) < 1e-9 or any(math.isnan(x) for x in found),
        what=f"the chance for {k} of {len(loss)} restarts, asked three times, came out as "
        f"{', '.join(f'{x:.4g}' for x in found)}",
        why="Do you draw sets at random? The chance is to be exact: the restart at place i is kept in so many of the C(n, k) "
        "sets, and those can be counted.",
    )


def _if_near(found: float, wanted: float) -> str:
    """What to add where draws with a seed may have been counted."""
    near = (
        " Yours is near. If you draw sets at random, with a seed, count all of them instead: the chance is to be exact."
    )
    return near if 1e-6 < abs(found - wanted) < 0.03 else ""


@check(
    reference=latent.lowest_of,
    alternatives=[_by_chance_left, _by_recursion, _numpy, _exact],
    mistakes=MISTAKES,
    cases=lambda: [(*restarts(11, 60), 4), (*restarts(9, 71), 2), (*restarts(13, 80), 5), (*restarts(10, 91), 7)],
)
def test_lowest_of(answer: Any) -> None:
    """Find the chance that of k restarts, drawn at random, the one with the lowest loss is a hit."""
    close = functools.partial(expect_close, rtol=0, atol=1e-6)
    loss = torch.tensor([0.4, 0.1, 0.3, 0.2])
    hit = torch.tensor([False, False, True, True])
    _expect_not_drawn(answer, loss, hit, 2)
    _expect_not_drawn(answer, *restarts(9, seed=5), 4)
    found = call(answer, loss, hit, 2, returns=float)
    close(
        found,
        1 / 2,
        what="two of four restarts, of which those with the second and the third lowest loss are hits",
        why="Of the six pairs, three have the lowest loss, a miss. The second lowest is kept in two, and the third in one: 3 / "
        "6." + _if_near(found, 1 / 2),
    )
    for n, k in ((7, 3), (10, 2), (12, 5), (9, 6), (8, 1), (6, 6), (11, 10), (1, 1), (17, 8)):
        loss, hit = restarts(n, seed=n)
        if n == 12:
            loss, hit = noncontiguous(loss), noncontiguous(hit)
        loss = loss.double() if n == 9 else loss
        found, wanted = call(answer, loss, hit, k, returns=float), _exact(loss, hit, k)
        why = f"Counted in all {math.comb(n, k):,} sets of {k}." + _if_near(found, wanted)
        close(found, wanted, what=f"{k} of {n} restarts, {int(hit.sum())} of them hits", why=why)
    loss, hit = restarts(20, seed=4)
    close(
        call(answer, -10 * loss, hit, 4, returns=float),
        _exact(-10 * loss, hit, 4),
        what="4 of 20 restarts with losses below 0",
        why="The lowest is the most negative one.",
    )
    for all_hit in (True, False):
        what = f"5 of 14 restarts, {'all' if all_hit else 'none'} of them hits"
        wanted, same = float(all_hit), torch.full((14,), all_hit)
        close(
            call(answer, restarts(14, 2)[0], same, 5, returns=float), wanted, what=what, why="No matter which is kept."
        )
    loss, hit = restarts(100, seed=4)
    for k in (1, 100):
        why = "One alone is a hit as often as any." if k == 1 else "All are drawn: the lowest loss of all decides."
        wanted = int(hit.sum()) / 100 if k == 1 else float(hit[loss.tolist().index(min(loss.tolist()))])
        close(call(answer, loss, hit, k, returns=float), wanted, what=f"{k} of 100 restarts", why=why)
    # The last has four million sets: whoever goes through them sees that it takes long, and still has memory left.
    for k in (2, 98, 4):
        what, why = f"{k} of 100 restarts", "Reckoned with fractions, from how many sets have their lowest loss where."
        close(call(answer, loss, hit, k, returns=float), _exact(loss, hit, k), what=what, why=why)
