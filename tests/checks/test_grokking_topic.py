"""What is particular to the grokking checks; what holds for every check is tested in `test_every_check.py`."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from course_utils import checks, fourier, progress
from course_utils.checks.framework import all_checks, run
from course_utils.checks.outcome import Outcome

TOPIC = checks.grokking
CHECKS = all_checks(TOPIC)


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
