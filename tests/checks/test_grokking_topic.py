"""The grokking checks: right answers of any kind pass, answers of the right shape with wrong values do not.

That the references and alternatives pass and the mistakes are recognised is tested for every topic in `test_topics.py`.
"""

from __future__ import annotations

import statistics

import pytest
import torch
import torch.nn.functional as F

from course_utils import checks, fourier, progress
from course_utils.checks import selftest
from course_utils.checks.framework import all_checks, run
from course_utils.checks.outcome import Outcome

TOPIC = checks.grokking
CHECKS = all_checks(TOPIC)
every_check = pytest.mark.parametrize("test", CHECKS.values(), ids=CHECKS.keys())


def each_tensor(result, change):
    """The result with every tensor (and number) in it changed; the structure stays."""
    if isinstance(result, torch.Tensor):
        return change(result)
    if isinstance(result, (tuple, list)):
        return tuple(each_tensor(part, change) for part in result)
    return float(change(torch.tensor(float(result), dtype=torch.float64)))


def gives_numbers(result):
    return isinstance(result, (int, float)) or (isinstance(result, tuple) and isinstance(result[0], (int, float)))


def test_there_is_one_check_for_each_exercise_in_the_order_of_the_chapter():
    names = (
        "progress_losses phase_boundaries mirror_accuracy descend_product power_law gini",
        "balance exact_loss slow_gradient initial_circularity",
    )
    names = [name for line in names for name in line.split()]
    assert list(CHECKS) == [f"test_{name}" for name in names]
    assert "grokking" in checks.topics()
    for name, test in CHECKS.items():
        assert test.spec.name == f"grokking.{name}"  # as the progress store and the manifest call it
        library = fourier if name == "test_gini" else progress
        assert test.spec.reference is getattr(library, name.removeprefix("test_"))


@every_check
def test_catalogue_is_rich_and_its_entries_have_names_and_sentences_of_their_own(test):
    mistakes = test.spec.mistakes
    assert len(mistakes) >= 8
    assert len(test.spec.alternatives) >= 2
    assert len({m.name for m in mistakes}) == len({m.sentence for m in mistakes}) == len(mistakes)


def test_mutants_of_the_references_are_rejected():
    scores = selftest.mutation_scores(TOPIC, sample=80, seed=1)
    total = selftest.total_score(scores)
    print(selftest.as_table(scores))
    assert total.problems == []
    assert total.rate >= 0.98
    assert sum(map(len, TOPIC.EQUIVALENT_MUTANTS.values())) <= 0.1 * total.available


@every_check
def test_single_precision_passes(test):
    if test is CHECKS["test_exact_loss"]:
        pytest.skip("a loss of 1e-130 has no place in single precision")

    def single(*args):
        return each_tensor(test.spec.reference(*args), lambda x: x.float())

    assert run(test, single).outcome is Outcome.PASSED


@every_check
def test_numbers_may_come_as_tensors_and_pairs_as_lists(test):
    def dressed(*args):
        result = test.spec.reference(*args)
        parts = [torch.as_tensor(part) for part in (result if isinstance(result, tuple) else (result,))]
        return parts if isinstance(result, tuple) else parts[0]

    assert run(test, dressed).outcome is Outcome.PASSED


JUNK = {
    "zeros": torch.zeros_like,
    "ones": torch.ones_like,
    "one half": lambda x: torch.full_like(x, 0.5),
    "nan": lambda x: torch.full(x.shape, torch.nan),
    "noise": lambda x: torch.rand(x.shape).double(),
    "negative": lambda x: -x,
    "scaled": lambda x: x * 1.01,
    "noisy": lambda x: x + 0.01 * torch.randn(x.shape),
    "shifted": lambda x: x.roll(1, 0) + (x.ndim == 0) if x.ndim else x + 1,
    "more axes": lambda x: x[..., None],
    "lists": lambda x: x.tolist(),
}


@pytest.mark.parametrize("kind", JUNK)
@every_check
def test_right_shape_with_wrong_values_is_rejected(test, kind):
    numbers = []

    def junk(*args):
        result = test.spec.reference(*args)
        numbers.append(gives_numbers(result))
        return each_tensor(result, JUNK[kind])

    report = run(test, junk)
    if numbers[0] and kind in ("more axes", "lists"):  # a number has none
        assert report.outcome is Outcome.PASSED
    else:
        assert report.outcome is Outcome.FAILED
    assert report.error is None


@every_check
@pytest.mark.parametrize(
    "answer",
    [
        lambda *args: None,
        lambda *args: "cos",
        lambda *args: args[0],
        lambda *args: args[:2],
        lambda *args: args,
        lambda *args: (None, None),
        lambda *args: {},
        lambda *args: 1 / 0,
        3,
        progress,
    ],
)
def test_things_that_are_no_answer_are_rejected_without_an_error_of_the_check(test, answer):
    report = run(test, answer)
    assert report.outcome is Outcome.FAILED
    assert report.error is None


@every_check
def test_the_answer_to_one_question_learnt_by_heart_is_rejected(test):
    kept = []

    def first_answer_again(*args):
        kept.append(test.spec.reference(*args))
        return kept[0]

    def right_for_the_first_size_only(*args):
        kept.append((test.spec.reference(*args), [x.shape for x in args if isinstance(x, torch.Tensor)] or args))
        return kept[-1][0] if kept[-1][1] == kept[0][1] else each_tensor(kept[-1][0], torch.zeros_like)

    for answer in (first_answer_again, right_for_the_first_size_only):
        kept.clear()
        assert run(test, answer).outcome is Outcome.FAILED


@every_check
def test_nothing_is_compared_with_the_library(test, monkeypatch):
    def gone(*args, **kwargs):
        raise AssertionError("a check has called the library")

    for name in CHECKS:
        monkeypatch.setattr(fourier if name == "test_gini" else progress, name.removeprefix("test_"), gone)
    assert run(test, test.spec.alternatives[0]).outcome is Outcome.PASSED


def test_checks_are_quick():
    seconds = [min(run(test, test.spec.reference).seconds for _ in range(3)) for test in CHECKS.values()]
    print({name: round(taken, 3) for name, taken in zip(CHECKS, seconds, strict=True)})
    assert max(seconds) < 3
    assert statistics.median(seconds) < 0.3


def test_logarithm_of_the_softmax_is_told_about_rounding():
    def wrong(logits, labels):
        return -logits.softmax(1).gather(1, labels[:, None])[:, 0].log()

    report = run(CHECKS["test_exact_loss"], wrong)
    assert report.outcome is Outcome.FAILED
    assert report.mistake == "logarithm of a rounded number"


def test_small_losses_have_to_be_right_in_every_precision():
    def double_inside(logits, labels):
        return progress.exact_loss(logits.double(), labels).to(logits.dtype)

    def single_inside(logits, labels):
        return progress.exact_loss(logits.float(), labels).to(logits.dtype)

    def rounded_away(logits, labels):
        loss = F.cross_entropy(logits, labels, reduction="none")
        return torch.where(loss > 1e-6, progress.exact_loss(logits, labels), loss)

    test = CHECKS["test_exact_loss"]
    assert run(test, double_inside).outcome is Outcome.PASSED
    assert run(test, single_inside).mistake == "single precision"
    assert run(test, rounded_away).mistake == "plain cross-entropy"
