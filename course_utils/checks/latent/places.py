"""Exercise: readers fitted at each place, read at each place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from course_utils import directions, latent
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite, expect_shape, noncontiguous
from course_utils.checks.latent.inputs import coins, noise

Places = list[Tensor]
Question = tuple[Places, Tensor, Places, Tensor]


def _plain_loops(train: Places, train_truth: Tensor, test: Places, test_truth: Tensor) -> Tensor:
    found = torch.zeros(len(train), len(test))
    for i, fitted in enumerate(train):
        reader = directions.logistic(fitted, train_truth)
        for j, read in enumerate(test):
            found[i, j] = (reader.answers(read) == test_truth).float().mean()
    return found


def _scikit(train: Places, train_truth: Tensor, test: Places, test_truth: Tensor) -> Any:
    """Without the course's reader. Scored by scikit-learn."""
    fitted = [LogisticRegression(C=1000 / len(x), max_iter=2000).fit(x.numpy(), train_truth.numpy()) for x in train]
    return np.array([[one.score(x.numpy(), test_truth.numpy()) for x in test] for one in fitted])


def _in_one_product(train: Places, train_truth: Tensor, test: Places, test_truth: Tensor) -> Tensor:
    """All readers read all places at once."""
    readers = [directions.logistic(x, train_truth) for x in train]
    weight = torch.stack([reader.direction for reader in readers])
    threshold = torch.tensor([reader.threshold for reader in readers])
    scores = torch.einsum("jmd, id -> ijm", torch.stack(test), weight) - threshold[:, None, None]
    return ((scores > 0) == test_truth).double().mean(2)


def _column_by_column(train: Places, train_truth: Tensor, test: Places, test_truth: Tensor) -> Tensor:
    """By signs; a column for each place that is read, turned round at the end."""
    sign = 2.0 * test_truth - 1
    readers = [directions.logistic(x.double(), train_truth) for x in train]
    columns = [torch.stack([(reader.scores(x.double()) * sign > 0).float().mean() for reader in readers]) for x in test]
    return torch.stack(columns).T


def _shares(readers: list[Any], test: Places, truth: Tensor) -> Tensor:
    return torch.stack(
        [torch.stack([(reader.answers(x) == truth).double().mean() for x in test]) for reader in readers]
    )


def _readers(train: Places, truth: Tensor) -> list[Any]:
    return [directions.logistic(x, truth) for x in train]


def _quickly(train: Places, truth: Tensor) -> list[Any]:
    """Readers that say the same wherever what they say is certain, fitted in no time: a diagnosis has to be quick."""
    return [directions.mean_difference(x, truth) for x in train]


def _right(train: Places, train_truth: Tensor, test: Places, test_truth: Tensor) -> Tensor:
    return _shares(_quickly(train, train_truth), test, test_truth)


def _changed(change: Callable[[Tensor], Any]) -> Any:
    """A wrong answer made of the right shares."""
    return lambda *question: change(_right(*question))


def _fitted(readers: Callable[[Places, Tensor], list[Any]]) -> Any:
    """A wrong answer with other readers."""
    return lambda train, train_truth, test, test_truth: _shares(readers(train, train_truth), test, test_truth)


def _all_together(train: Places, truth: Tensor) -> list[Any]:
    return [directions.logistic(torch.cat(train), truth.repeat(len(train)))] * len(train)


def _one_for_all(place: int) -> Any:
    return _fitted(lambda train, truth: [directions.logistic(train[place], truth)] * len(train))


def _diagonal_only(shares: Tensor) -> Tensor:
    return torch.diag(shares.diagonal())


def _one_right(reader: Any, x: Tensor) -> Tensor:
    return reader.scores(x) > reader.scores(x).mean()


def _by_own_mean(train: Places, train_truth: Tensor, test: Places, test_truth: Tensor) -> Tensor:
    readers = _readers(train, train_truth)
    return torch.stack(
        [torch.stack([(_one_right(reader, x) == test_truth).double().mean() for x in test]) for reader in readers]
    )


def _cosines(train: Places, train_truth: Tensor, test: Places, test_truth: Tensor) -> Tensor:
    found = torch.stack([reader.direction for reader in _readers(train, train_truth)])
    return torch.nn.functional.cosine_similarity(found[:, None], found[None], dim=-1)


MISTAKES = [
    Mistake(
        "transposed",
        _changed(lambda shares: shares.T),
        "Your rows are the places that are read. Row i belongs to the reader that was fitted at place i, column j to place j, "
        "where it reads.",
    ),
    Mistake(
        "fitted on the test questions",
        lambda train, train_truth, test, test_truth: _shares(_readers(test, test_truth), test, test_truth),
        "You fit the readers on the test questions, so that they have seen the answers. Fit them on `train` with `train_truth`.",
    ),
    Mistake(
        "fitted where it reads",
        lambda train, train_truth, test, test_truth: (
            _shares(_readers(test, test_truth), test, test_truth).diagonal().expand(len(train), len(test))
        ),
        "You fit a reader anew on `test[j]`, the questions that it is to read, so that it has seen the answers and all rows are "
        "the same. Fit once for each row, on `train[i]` with `train_truth`.",
    ),
    Mistake(
        "read on the training questions",
        lambda train, train_truth, test, test_truth: _shares(_readers(train, train_truth), train, train_truth),
        "You let the readers read the questions that they were fitted on. Let them read `test`, and compare with `test_truth`.",
    ),
    Mistake(
        "the other way",
        lambda train, train_truth, test, test_truth: _shares(_readers(test, test_truth), train, train_truth),
        "You fit on `test` and read `train`. It is the other way round.",
    ),
    Mistake(
        "own place only",
        _changed(lambda shares: shares.diagonal()),
        "You let each reader read at its own place only. Each reader reads at all places: return a table.",
    ),
    Mistake(
        "zeros elsewhere",
        _changed(_diagonal_only),
        "Your table has zeros wherever a reader reads at another place than its own. Fill these in as well.",
    ),
    Mistake(
        "own place in every column",
        _changed(lambda shares: shares.diagonal()[:, None].expand(shares.shape)),
        "Each of your readers reads at its own place whichever column it is. In column j it reads `test[j]`.",
    ),
    Mistake(
        "own place in every row",
        _changed(lambda shares: shares.diagonal()[None].expand(shares.shape)),
        "In each column you use the reader of the place that is read, whichever row it is. In row i it is the reader fitted at "
        "place i.",
    ),
    Mistake(
        "up to sign",
        _changed(lambda shares: torch.maximum(shares, 1 - shares)),
        "You turn shares below ½ round. These readers know from labels which side is yes, and one that is wrong elsewhere should "
        "be seen to be: leave the shares as they are.",
    ),
    Mistake(
        "all places together",
        _fitted(_all_together),
        "You fit one reader on all places together. Fit one for each place, on that place alone.",
    ),
    Mistake(
        "first place's reader",
        _one_for_all(0),
        "All your rows belong to the reader of place 0. Fit one at each place.",
    ),
    Mistake(
        "last place's reader",
        _one_for_all(-1),
        "All your rows belong to the reader of the last place. Is a function that is made in a loop called after the loop's end, "
        "or is the reader overwritten? Keep one for each place.",
    ),
    Mistake(
        "errors",
        _changed(lambda shares: 1 - shares),
        "You return the shares of wrong answers. Wanted are those of right ones.",
    ),
    Mistake(
        "counts",
        lambda *question: _right(*question) * len(question[3]),
        "You count right answers. Divide by the number of questions.",
    ),
    Mistake(
        "answers",
        lambda train, train_truth, test, test_truth: torch.stack(
            [torch.stack([reader.answers(x) for x in test]) for reader in _quickly(train, train_truth)]
        ),
        "You return the answers themselves. Compare them with `test_truth`, and take the mean over questions.",
    ),
    Mistake(
        "share of yes",
        lambda train, train_truth, test, test_truth: torch.stack(
            [torch.stack([r.answers(x).double().mean() for x in test]) for r in _quickly(train, train_truth)]
        ),
        "You return how often the readers say yes. Compare their answers with `test_truth`.",
    ),
    Mistake(
        "agreement with the place's own reader",
        lambda train, train_truth, test, test_truth: torch.stack(
            [
                torch.stack(
                    [
                        (r.answers(x) == own.answers(x)).double().mean()
                        for x, own in zip(test, _quickly(train, train_truth), strict=True)
                    ]
                )
                for r in _quickly(train, train_truth)
            ]
        ),
        "You compare each reader's answers with those of the reader that was fitted there. Compare them with `test_truth`.",
    ),
    Mistake(
        "yes and yes",
        lambda train, train_truth, test, test_truth: torch.stack(
            [
                torch.stack([(r.answers(x) & test_truth).double().mean() for x in test])
                for r in _quickly(train, train_truth)
            ]
        ),
        "You count only where answer and truth are both yes. An answer no is right where the truth is no: compare with `==`, not "
        "with `&`.",
    ),
    Mistake(
        "difference of the means",
        _fitted(_quickly),
        "Your readers go along the difference of the means (`directions.mean_difference`). Where something else varies along "
        "it, they read that as well: fit with `directions.logistic`, which weighs one dimension against another.",
    ),
    Mistake(
        "directions compared",
        _cosines,
        "You return the cosines of the readers' directions. Wanted is how often each reader is right at each place.",
    ),
    Mistake(
        "no threshold",
        lambda train, train_truth, test, test_truth: torch.stack(
            [
                torch.stack([((x @ r.direction > 0) == test_truth).double().mean() for x in test])
                for r in _quickly(train, train_truth)
            ]
        ),
        "You use the readers' directions without their thresholds. Let `reader.answers(…)` answer.",
    ),
    Mistake(
        "threshold of the place that is read",
        _by_own_mean,
        "You centre the scores anew at each place, and so take away what the places differ in. Let `reader.answers(…)` answer.",
    ),
]


_OFFSET, _FAR = 1.0, 0.6  # where the threshold of every reader is, and how far from it answers stand


def _planted(
    places: int, n: int, m: int, d_model: int, seed: int, dtype: torch.dtype = torch.float32
) -> tuple[Question, Tensor]:
    """A question, and the shares, counted from what was planted.

    At place i the answers to the training questions stand in dimension i, far above or below ``_OFFSET``, and the others are
    the same for all: whatever line is fitted to them, it goes by dimension i alone. There, in the test questions of place j,
    stands the truth with some answers turned round, and in some places everything is shifted to above the threshold.
    """
    train_truth, test_truth = coins(n, 0.45, seed), coins(m, 0.35, seed + 1)
    train = [_OFFSET + 0.01 * noise(n, d_model, seed=seed + 10 + i, dtype=torch.float64) for i in range(places)]
    test = [_OFFSET + 0.01 * noise(m, d_model, seed=seed + 50 + j, dtype=torch.float64) for j in range(places)]
    wanted = torch.zeros(places, places, dtype=torch.float64)
    for i in range(places):
        for j in range(places):
            train[j][:, i] += 2 * _FAR * train_truth - _FAR if i == j else (-1) ** (i + j) * _FAR
            turned = 0.06 if i == j else (5 * i + 3 * j + seed) % 11 / 11
            says = test_truth ^ coins(m, turned, seed + 100 * i + j)
            test[j][:, i] += 2 * _FAR * says - _FAR
            if i != j and (i + 2 * j) % 4 == 1:
                test[j][:, i] += 3 * _FAR
                says = torch.ones_like(says)
            wanted[i, j] = sum(a == b for a, b in zip(says.tolist(), test_truth.tolist(), strict=True)) / m
    return ([x.to(dtype) for x in train], train_truth, [x.to(dtype) for x in test], test_truth), wanted


def _disturbed(places: int, n: int, m: int, d_model: int, seed: int) -> tuple[Question, Tensor]:
    """As :func:`_planted`, and in every place's dimension stands a disturbance too, as it does three times in the last.

    It is far larger than what tells the labels apart. Logistic regression takes a third of the last dimension away from the
    place's own, and reads what was planted; along the difference of the means the disturbance stays.
    """
    (train, train_truth, test, test_truth), wanted = _planted(places, n, m, d_model, seed, torch.float64)
    for k, x in enumerate([*train, *test]):
        shift = 4 * noise(len(x), seed=seed + 500 + k, dtype=torch.float64).clamp(-1, 1)
        x[:, :places] += shift[:, None]
        x[:, -1] += 3 * shift
    for i, x in enumerate(train):  # the other places' dimensions say nothing here
        x[:, [j for j in range(places) if j != i]] = _OFFSET
    return (train, train_truth, test, test_truth), wanted


@check(
    reference=latent.cross_readings,
    alternatives=[_plain_loops, _scikit, _in_one_product, _column_by_column],
    mistakes=MISTAKES,
    cases=lambda: [_planted(3, 25, 40, 5, 600)[0], _planted(3, 35, 28, 6, 701)[0]],
)
def test_cross_readings(answer: Any) -> None:
    """Fit a reader at each place, and find how often it is right at each place."""
    for places, n, m, d_model in ((2, 24, 30, 4), (4, 40, 55, 9), (3, 37, 21, 3), (1, 20, 33, 2)):
        question, wanted = _planted(
            places, n, m, d_model, 1000 * places, torch.float64 if places == 4 else torch.float32
        )
        if places == 3:
            train, train_truth, test, test_truth = question
            question = [noncontiguous(x) for x in train], train_truth, [noncontiguous(x) for x in test], test_truth
        found = call(answer, *question)
        what = f"the readings of {places} place{'s' * (places > 1)} ({n} questions to fit on, {m} to read)"
        expect_shape(
            found,
            (places, places),
            what=what,
            why="One row for each place where a reader is fitted, one column for each where it reads.",
        )
        expect_finite(found, what=what)
        expect_close(
            found,
            wanted,
            what=what,
            why="The answers of each place stand in a dimension of its own, so that what its reader says anywhere can be "
            "counted.",
        )
    question, wanted = _disturbed(3, 90, 70, 5, 300)
    expect_close(
        call(answer, *question),
        wanted,
        what="the readings of 3 places where another dimension goes with the one that holds the answers",
        why="A reader fitted by logistic regression takes one dimension from the other and reads the answers; the difference of "
        "the means does not.",
    )
