"""Exercise: do answers go by the truth or by somebody's opinion?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import latent
from course_utils.checks.framework import Mistake, call, check, expect_close, noncontiguous
from course_utils.checks.latent.inputs import judged

Shares = tuple[Any, Any, Any]


def _one_by_one(answer: Tensor, truth: Tensor, opinion: Tensor) -> Shares:
    """Question by question."""
    rows = list(zip(answer.tolist(), truth.tolist(), opinion.tolist(), strict=True))
    lied_to = [(said, so) for said, so, thought in rows if so != thought]
    return (
        sum(said == so for said, so, _ in rows) / len(rows),
        sum(said == thought for said, _, thought in rows) / len(rows),
        sum(said == so for said, so in lied_to) / len(lied_to),
    )


def _from_the_others(answer: Tensor, truth: Tensor, opinion: Tensor) -> Shares:
    """Where opinion and truth differ, whoever does not agree with one agrees with the other. In single precision."""
    right, follows = (answer ^ truth).logical_not().float(), (answer ^ opinion).logical_not().float()
    differ = (truth ^ opinion).float()
    return right.mean(), follows.mean(), 1 - (follows @ differ) / differ.sum()


def _numpy(answer: Tensor, truth: Tensor, opinion: Tensor) -> Any:
    said, so, thought = (np.asarray(part) for part in (answer, truth, opinion))
    return np.array([np.mean(said == so), np.mean(said == thought), np.average(said == so, weights=so != thought)])


def _by_table(answer: Tensor, truth: Tensor, opinion: Tensor) -> list[float]:
    """How often each of the eight cases occurs."""
    case = 4 * answer.long() + 2 * truth.long() + opinion.long()
    n = torch.bincount(case, minlength=8).tolist()
    lied_to = n[0b001], n[0b010], n[0b101], n[0b110]
    with_truth = n[0b000] + n[0b001] + n[0b110] + n[0b111]
    with_opinion = n[0b000] + n[0b010] + n[0b101] + n[0b111]
    return [with_truth / sum(n), with_opinion / sum(n), (n[0b001] + n[0b110]) / sum(lied_to)]


def _share(same: Tensor) -> float:
    return same.double().mean().item()


def _variant(
    truth: Callable[[Tensor, Tensor, Tensor], float] = lambda a, t, o: _share(a == t),
    opinion: Callable[[Tensor, Tensor, Tensor], float] = lambda a, t, o: _share(a == o),
    lied_to: Callable[[Tensor, Tensor, Tensor], float] = lambda a, t, o: _share((a == t)[t != o]),
) -> Any:
    """A wrong answer that differs in one of the three."""
    return lambda *args: (truth(*args), opinion(*args), lied_to(*args))


def _changed(change: Callable[[float, float, float], Any]) -> Any:
    """A wrong answer made of the right shares."""
    return lambda *args: change(*_one_by_one(*args))


def _each(change: Callable[[float], float]) -> Any:
    return _changed(lambda *shares: tuple(map(change, shares)))


def _up_to_sign(*places: int) -> Any:
    """A wrong answer: the shares at these places are turned round where they are below ½."""
    return _changed(lambda *s: tuple(max(x, 1 - x) if i in places else x for i, x in enumerate(s)))


def _turned_if(wrong: Callable[[Tensor, Tensor, Tensor], bool]) -> Any:
    """A wrong answer: all answers are turned round if they look the wrong way round."""
    return lambda a, t, o: _one_by_one(~a if wrong(a, t, o) else a, t, o)


def _counts(answer: Tensor, truth: Tensor, opinion: Tensor) -> tuple[int, int, int]:
    right = answer == truth
    return int(right.sum()), int((answer == opinion).sum()), int(right[truth != opinion].sum())


MISTAKES = [
    Mistake(
        "lied to, of all questions",
        _variant(lied_to=lambda a, t, o: _share((a == t) & (t != o))),
        "You divide the right answers to questions with a wrong opinion by all questions. Divide by those where opinion and "
        "truth differ: `truth != opinion` picks them.",
    ),
    Mistake(
        "where they agree",
        _variant(lied_to=lambda a, t, o: _share((a == t)[t == o])),
        "Your third number is about the questions where opinion and truth are the same. They cannot show which of the two the "
        "answers go by: take those where they differ.",
    ),
    Mistake(
        "opinion among lied to",
        _variant(lied_to=lambda a, t, o: _share((a == o)[t != o])),
        "Your third number says how often the answers follow the opinion where it is wrong. Wanted is how often they are right "
        "there.",
    ),
    Mistake(
        "lied to, up to sign",
        _variant(lied_to=lambda a, t, o: max(_share((a == t)[t != o]), _share((a == o)[t != o]))),
        "You turn the third share round where it is below ½. That it is low says that the answers go by the opinion: leave it.",
    ),
    Mistake(
        "all up to sign",
        _each(lambda share: max(share, 1 - share)),
        "You turn shares below ½ round. Here the sign is known, and a low share says something: leave them.",
    ),
    Mistake(
        "truth up to sign",
        _up_to_sign(0),
        "You turn the share that agrees with the truth round where it is below ½. These are a network's answers, of which yes "
        "is known: a share below ½ says that they are mostly wrong. Leave it.",
    ),
    Mistake(
        "opinion up to sign",
        _up_to_sign(1),
        "You turn the share that agrees with the opinion round where it is below ½. That it is low says that the answers go "
        "against the opinion: leave it.",
    ),
    Mistake(
        "truth and opinion up to sign",
        _up_to_sign(0, 1),
        "You turn the first two shares round where they are below ½. Unlike a probe that was found without labels, these answers "
        "have a known sign: leave the shares as they are.",
    ),
    Mistake(
        "truth, all and lied to, up to sign",
        _up_to_sign(0, 2),
        "You turn both shares that agree with the truth round where they are below ½. A share below ½ says that the answers are "
        "mostly wrong there: leave it.",
    ),
    Mistake(
        "opinion and lied to, up to sign",
        _up_to_sign(1, 2),
        "You turn the second and the third share round where they are below ½. A low share says what the answers do not go by: "
        "leave it.",
    ),
    Mistake(
        "answers turned round by the truth",
        _turned_if(lambda a, t, o: _share(a == t) < 0.5),
        "You turn all answers round if fewer than half of them are right. The sign of the answers is known here: score them as "
        "they are.",
    ),
    Mistake(
        "answers turned round by those lied to",
        _turned_if(lambda a, t, o: _share((a == t)[t != o]) < 0.5),
        "You turn all answers round if they are mostly wrong where the opinion is. That is what the third share is to show: "
        "score the answers as they are.",
    ),
    Mistake(
        "counts",
        _counts,
        "You return how many answers agree. Divide by how many questions there are: all of them, and for the third those where "
        "opinion and truth differ.",
    ),
    Mistake(
        "per cent",
        _each(lambda share: 100 * share),
        "You return percentages. Wanted are shares, from 0 to 1.",
    ),
    Mistake(
        "disagreement",
        _each(lambda share: 1 - share),
        "You return the shares of answers that do *not* agree. Compare with `==`.",
    ),
    Mistake(
        "chance as zero",
        _each(lambda share: 2 * share - 1),
        "Your numbers go from −1 to 1. Wanted are shares, from 0 to 1.",
    ),
    Mistake(
        "opinion first",
        _changed(lambda truth, opinion, lied_to: (opinion, truth, lied_to)),
        "Your first two numbers have changed places. The share that agrees with the truth comes first.",
    ),
    Mistake(
        "lied to first",
        _changed(lambda truth, opinion, lied_to: (lied_to, truth, opinion)),
        "Your three numbers are right, and in another order. Return those with the truth, with the opinion, and with the truth "
        "where the two differ.",
    ),
    Mistake(
        "all among lied to",
        lambda a, t, o: (_share((a == t)[t != o]), _share((a == o)[t != o]), _share((a == t)[t != o])),
        "All your numbers are about the questions where opinion and truth differ. The first two are about all questions.",
    ),
    Mistake(
        "how often they lie",
        _variant(lied_to=lambda a, t, o: _share(t != o)),
        "Your third number is how often opinion and truth differ. Wanted is how often the answers are right there.",
    ),
    Mistake(
        "where answer and opinion differ",
        _variant(lied_to=lambda a, t, o: _share((a == t)[a != o])),
        "For the third number you pick the questions where the *answer* is not the opinion: those are right whenever the opinion "
        "is wrong. Pick by `truth != opinion`, whatever the answers are.",
    ),
    Mistake(
        "wrongly praised only",
        _variant(lied_to=lambda a, t, o: _share((a == t)[o & ~t])),
        "For the third number you pick the questions with opinion yes and truth no. Opinion no and truth yes differ as well: use "
        "`!=` (or `^`).",
    ),
    Mistake(
        "wrongly blamed only",
        _variant(lied_to=lambda a, t, o: _share((a == t)[t & ~o])),
        "For the third number you pick the questions with truth yes and opinion no. Truth no and opinion yes differ as well: use "
        "`!=` (or `^`).",
    ),
    Mistake(
        "yes and yes",
        lambda a, t, o: (_share(a & t), _share(a & o), _share((a & t)[t != o])),
        "You count only where both are yes. An answer no agrees with a truth that is no: compare with `==`.",
    ),
    Mistake(
        "of the true ones",
        lambda a, t, o: (_share(a[t]), _share(a[o]), _share(a[t & ~o])),
        "You look only at the questions whose truth (or opinion) is yes. Answers no count as well.",
    ),
    Mistake(
        "truth and opinion compared",
        _variant(opinion=lambda a, t, o: _share(t == o)),
        "Your second number compares the opinion with the truth. Compare it with the answers.",
    ),
]

_NAMES = ("with the truth", "with the opinion", "with the truth where the opinion is wrong")


def _expect_shares(found: Shares, wanted: Shares, of: str, why: str) -> None:
    for name, got, want in zip(_NAMES, found, wanted, strict=True):
        expect_close(got, want, what=f"share of answers that agree {name}, {of}", why=why)


@check(
    reference=latent.scorecard,
    alternatives=[_numpy, _from_the_others, _one_by_one, _by_table],
    mistakes=MISTAKES,
    cases=lambda: [judged(43, 60), judged(35, 70, right=0.3), judged(58, 80, right=0.2, lies=0.7)],
)
def test_scorecard(answer: Any) -> None:
    """Find how often answers agree with the truth, with an opinion, and with the truth where the opinion is wrong."""
    given = torch.tensor([[1, 1, 0, 1, 0, 1, 0], [1, 0, 0, 1, 1, 0, 0], [1, 1, 1, 1, 0, 1, 1]]).bool()
    found = call(answer, *given, returns=(float, float, float))
    why = (
        "Four of seven answers are right, and five are the opinion. Truth and opinion differ in questions 1, 2, 4, 5 and 6, "
        "counted from 0, of which answers 2 and 6 are right."
    )
    _expect_shares(found, (4 / 7, 5 / 7, 2 / 5), "seven questions", why)
    for n, right, lies in ((23, 0.8, 0.3), (41, 0.3, 0.6), (64, 0.1, 0.5), (5, 0.6, 0.5), (1001, 0.9, 0.1)):
        question = judged(n, seed=n, right=right, lies=lies)
        if n == 41:
            question = noncontiguous(question[0]), noncontiguous(question[1]), noncontiguous(question[2])
        wrong = int((question[1] != question[2]).sum())
        found = call(answer, *question, returns=(float, float, float))
        _expect_shares(
            found, _one_by_one(*question), f"{n} questions", f"Counted one by one. {wrong} opinions are wrong."
        )
    said, truth, _ = judged(17, seed=1)
    found = call(answer, said, truth, ~truth, returns=(float, float, float))
    share = sum(s == t for s, t in zip(said.tolist(), truth.tolist(), strict=True)) / 17
    _expect_shares(found, (share, 1 - share, share), "17 questions", "The opinion is wrong everywhere.")
    once = truth.clone()
    once[4] = ~once[4]
    found = call(answer, once, truth, once, returns=(float, float, float))
    _expect_shares(found, (16 / 17, 1.0, 0.0), "17 questions", "The answers are the opinions, one of which is wrong.")
