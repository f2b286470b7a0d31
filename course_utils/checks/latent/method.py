"""Exercise: a method of one's own, for the benchmark."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils import ccs, directions, elk
from course_utils.ccs import Pairs
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
)
from course_utils.checks.latent.inputs import coins, noise
from course_utils.checks.outcome import Mismatch
from course_utils.checks.returned import kind_of
from course_utils.elk import Evidence, Training

Scores = Callable[[Evidence], Any]


def my_method(training: Training) -> elk.Scores:
    """One of the methods that are there."""
    return elk.largest_variance(training)


def _two_centres(training: Training) -> Scores:
    """k-means."""
    return elk.clusters(training)


def _search(training: Training) -> Scores:
    """Contrast-consistent search."""
    probes = ccs.fit(ccs.normalised(training.pairs), restarts=4, seed=training.seed, steps=200, lr=0.05)
    kept = probes.lowest()

    def scores(evidence: Evidence) -> Tensor:
        positive, negative = (probes.probability(side)[kept] for side in ccs.normalised(evidence.pairs))
        return positive - negative

    return scores


def _what_it_says(training: Training) -> Scores:
    """The network's own answers as labels; test questions are centred by the mean of the training questions."""
    mean = training.pairs.difference.mean(0)
    reader = directions.mean_difference(training.pairs.difference - mean, training.said > training.said.median())
    return lambda evidence: reader.scores(evidence.pairs.difference - mean).double()


def _seen(pairs: Pairs) -> Tensor:
    return ccs.normalised(pairs).difference


def _fitted(direction: Callable[[Training], Tensor], seen: Callable[[Pairs], Tensor] = _seen) -> Any:
    """A wrong answer: the scores along another direction, or of something else."""

    def wrong(training: Training) -> Scores:
        found = direction(training)
        return lambda evidence: seen(evidence.pairs) @ found

    return wrong


def _mean_difference(training: Training) -> Tensor:
    return directions.mean_difference(_seen(training.pairs), training.truth).direction  # type: ignore[arg-type]


def _right(training: Training) -> Tensor:
    return directions.principal(_seen(training.pairs))[0]


def _sum(pairs: Pairs) -> Tensor:
    both = ccs.normalised(pairs)
    return both.positive + both.negative


def _scored(change: Callable[[Tensor], Any]) -> Any:
    """A wrong answer: right scores, handed over in another form."""

    def wrong(training: Training) -> Scores:
        found = _right(training)
        return lambda evidence: change(_seen(evidence.pairs) @ found)

    return wrong


def _in_place(training: Training) -> Scores:
    for side in training.pairs:
        side -= side.mean(0)
    return _fitted(_right)(training)


def _evidence_in_place(training: Training) -> Scores:
    found = _right(training)

    def scores(evidence: Evidence) -> Tensor:
        for side in evidence.pairs:
            side -= side.mean(0)
        return evidence.pairs.difference @ found

    return scores


def _asked(answer: Any) -> Any:
    """The answer as a function of questions to learn from and to be asked, twice the same and once others between them.

    It returns the three scores, or in words what came where a function or a tensor is wanted.
    """
    if not callable(answer):
        return answer

    def asked(training: Training, evidence: Evidence, other: Evidence) -> Any:
        scores = answer(training)
        if not callable(scores):
            return kind_of(scores)
        found = [scores(evidence), scores(other), scores(evidence)]
        return tuple(part if isinstance(part, Tensor) else kind_of(part) for part in found)

    asked.__name__ = getattr(answer, "__name__", type(answer).__name__)
    return asked


def _wrong(wrong: Any) -> Any:
    """A mistake that answers in both ways, as a method and as :func:`_asked` puts it."""

    def method(training: Training, evidence: Evidence | None = None, other: Evidence | None = None) -> Any:
        return _asked(wrong)(training, evidence, other) if evidence else wrong(training)

    return method


MISTAKES = [
    Mistake(
        "scores at once",
        _wrong(lambda training: _seen(training.pairs) @ _right(training)),
        "You return the scores of the training questions. Return a *function* that is given evidence about other questions and "
        "returns their scores.",
    ),
    Mistake(
        "scores of the training questions",
        _wrong(lambda training: lambda evidence: _seen(training.pairs) @ _right(training)),
        "Your function returns the scores of the training questions, whatever it is asked. Let it read `evidence.pairs`.",
    ),
    Mistake(
        "a column",
        _wrong(_scored(lambda scores: scores[:, None])),
        "Your scores are a column, of shape [n, 1]. One number for each question is wanted, shape [n]: `[:, 0]`, or a "
        "direction of shape [d_model].",
    ),
    Mistake(
        "two columns",
        _wrong(_scored(lambda scores: torch.stack([-scores, scores], 1))),
        "You return two numbers for each question. Return one, above 0 for yes: the second less the first.",
    ),
    Mistake(
        "probabilities",
        _wrong(_scored(torch.sigmoid)),
        "Your scores are probabilities, all above 0, which counts as yes. Subtract ½, or leave the sigmoid out.",
    ),
    Mistake(
        "zeros",
        _wrong(lambda training: lambda evidence: torch.zeros(len(evidence.said))),
        "Your scores are all 0, which says no to everything. Let them depend on the evidence.",
    ),
    Mistake(
        "ones",
        _wrong(lambda training: lambda evidence: torch.ones(len(evidence.said))),
        "Your scores are all 1, which says yes to everything. Let them depend on the evidence.",
    ),
    Mistake(
        "random scores",
        _wrong(lambda training: lambda evidence: torch.randn(len(evidence.said))),
        "Your scores are drawn anew with each call, and the same questions get other answers. Draw, if at all, while you fit, "
        "with `training.seed`.",
    ),
    Mistake(
        "random direction",
        _wrong(_fitted(lambda t: directions.random_directions(t.pairs.positive.shape[1], 1, t.seed)[0])),
        "Your direction is drawn at random and learns nothing from `training.pairs`. Look for one along which the two sides of a "
        "question are opposed.",
    ),
    Mistake(
        "reads the truth",
        _wrong(lambda training: elk.regression(training)),
        "Your method wants labels, and `training.truth` is None: nobody tells it the answers. Learn from `training.pairs` (and "
        "`training.said`) alone.",
    ),
    Mistake(
        "reads the truth itself",
        _wrong(_fitted(_mean_difference)),
        "Your method uses `training.truth`, which is None: nobody tells it the answers. Learn from `training.pairs` (and "
        "`training.said`) alone.",
    ),
    Mistake(
        "what the network says",
        _wrong(elk.black_box),
        "Your scores are what the network says itself. A method is to read its activations, `evidence.pairs`, and to be right "
        "where the network says something else.",
    ),
    Mistake(
        "sides added",
        _wrong(_fitted(lambda t: directions.principal(_sum(t.pairs))[0], _sum)),
        "You look at the sum of the two sides, which holds what they have in common: what the question is about. Its answer is "
        "where they are opposed: take the difference.",
    ),
    Mistake(
        "means left in",
        _wrong(_fitted(lambda t: directions.principal(t.pairs.difference)[0], lambda pairs: pairs.difference)),
        "You leave the sides' means in, so that all questions get the same answer: the sides differ by what says which side it "
        "is. Normalise each side first (`ccs.normalised`).",
    ),
    Mistake(
        "second component",
        _wrong(_fitted(lambda t: directions.principal(_seen(t.pairs), 2)[1])),
        "You read the second principal component of the differences. Where nothing stands beside the answer, the first one "
        "holds it.",
    ),
    Mistake(
        "least component",
        _wrong(_fitted(lambda t: directions.principal(_seen(t.pairs), t.pairs.positive.shape[1])[-1])),
        "You read the direction along which the differences vary *least*. `torch.linalg.eigh` puts the largest last, an SVD "
        "first.",
    ),
    Mistake(
        "one dimension",
        _wrong(_fitted(lambda t: torch.eye(t.pairs.positive.shape[1])[0])),
        "You read the first dimension alone. Take all of them.",
    ),
    Mistake(
        "training questions written on",
        _wrong(_in_place),
        "You write on `training.pairs`, which others still need. Work on copies: `x = x - x.mean(0)` in place of `x -= …`.",
    ),
    Mistake(
        "evidence written on",
        _wrong(_evidence_in_place),
        "Your function writes on `evidence.pairs`, which others still need. Work on copies: `x = x - x.mean(0)` in place of `x "
        "-= …`.",
    ),
]


def _evidence(n: int, d_model: int, seed: int, part: int) -> tuple[Evidence, Tensor]:
    """Raw activations of n questions, and their answers.

    Along one direction the sides are opposed, as the answer has it. Beside that there is what a question is about, the same on
    both sides, what says which side it is, the same for all questions, and a little noise. The network itself says what is so in
    four of five questions.
    """
    start = 1000 * seed + 100 * part
    truth = coins(n, 0.45, start)
    along = noise(d_model, seed=1000 * seed)
    along = along / along.norm()
    side = 2 * along + 0.5 * noise(d_model, seed=1000 * seed + 1)
    about = 1.5 + noise(n, d_model, seed=start + 2) * (0.6 + noise(d_model, seed=1000 * seed + 3).abs())
    opposed = 1.4 * (2.0 * truth - 1)[:, None] * along + side
    noises = (0.8 * noise(n, d_model, seed=start + k) for k in (4, 5))
    positive, negative = (about + sign * opposed + more for sign, more in zip((1, -1), noises, strict=True))
    says = truth ^ coins(n, 0.2, start + 6)
    return Evidence(Pairs(positive, negative), (2.0 * says - 1) * (0.5 + noise(n, seed=start + 7).abs())), truth


_LEAST = 0.9


def _found(answer: Any, training: Training, truth: Tensor, asked: Evidence, other: Evidence) -> Any:
    """What :func:`_asked` returns. An answer that fails, and would not if it were told the truth, is told what it lacks."""
    try:
        return call(_asked(answer), training, asked, other, returns=object)
    except Mismatch as failed:
        with_labels = invoke(_asked(answer), (training._replace(truth=truth), asked, other), {})
        if "raised" not in failed.finding.what or isinstance(with_labels.result, Raised):
            raise
        why = (
            "Your method wants labels: it works when `training.truth` holds them, and here that is None. Nobody tells it the "
            "answers: learn from `training.pairs` (and `training.said`) alone."
        )
        raise Mismatch(dataclasses.replace(failed.finding, why=why)) from None


@check(
    reference=my_method,
    alternatives=[_two_centres, _search, _what_it_says],
    mistakes=MISTAKES,
    seconds=120,
)
def test_my_method(answer: Any) -> None:
    """Make a method that finds, without labels, where the two sides of a question are opposed."""
    shares = []
    for seed, (n, d_model) in enumerate(((240, 16), (300, 30), (270, 24))):
        (pairs, said), labels = _evidence(n, d_model, seed, 0)
        asked, truth = _evidence(101 + seed, d_model, seed, 1)
        other, _ = _evidence(64, d_model, seed, 2)
        found = _found(answer, Training(pairs, said, seed), labels, asked, other)
        about = f"a method fitted on {n} questions with {d_model} dimensions, seed {seed}"
        if isinstance(found, str):
            expect(
                False,
                what=f"your method returned {found} where a function is wanted",
                why="It is given the training questions and returns a function from evidence to scores: `def scores(evidence): "
                "…` inside, and `return scores`.",
            )
        for scores, questions in zip(found, (asked, other, asked), strict=True):
            count = len(questions.said)
            expect(
                not isinstance(scores, str),
                what=f"the scores are {scores} where a tensor is wanted",
                why="The benchmark takes tensors: `torch.from_numpy(…)`, `torch.tensor(…)` or `torch.stack(…)` make one.",
            )
            what = f"the scores of {count} other questions, {about}"
            expect_shape(
                scores, (count,), what=what, why="One score for each question that is asked about, above 0 for yes."
            )
            expect_finite(scores, what=what)
        expect_close(
            found[2].double(),
            found[0].double(),
            what=f"the scores of the same questions, asked again, {about}",
            why="The same evidence gives the same scores: draw nothing and learn nothing when you answer.",
        )
        share = sum(a == b for a, b in zip((found[0] > 0).tolist(), truth.tolist(), strict=True)) / len(truth)
        shares.append(max(share, 1 - share))
    expect(
        sum(share >= _LEAST for share in shares) >= 2,
        what="the answers to questions that the method has not seen, on three easy sets of pairs",
        why="The two sides of each question are opposed along one direction, and nothing stands beside it. Agreement with the "
        "answers, up to sign, is to be at least 0.9 in two of three sets. Have you normalised each side, and taken the "
        "difference?",
        expected="at least 0.9 in two of three",
        got=", ".join(f"{share:.2f}" for share in shares),
    )
