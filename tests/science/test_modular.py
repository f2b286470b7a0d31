"""The task: every question once, the right answers, a split that is a partition."""

import pytest
import torch

from course_utils.errors import CourseError
from course_utils.tasks import modular
from course_utils.tasks.modular import ModularTask


def test_every_pair_once_in_order():
    pairs = modular.all_pairs(5)
    assert [tuple(pair) for pair in pairs.tolist()] == [(a, b) for a in range(5) for b in range(5)]
    assert modular.tokens(pairs, 5)[:, 2].eq(5).all()


@pytest.mark.parametrize(
    ("operation", "answer"), [("add", lambda a, b: (a + b) % 7), ("subtract", lambda a, b: (a - b) % 7)]
)
def test_answers(operation, answer):
    task = ModularTask(p=7, operation=operation)
    pairs = modular.all_pairs(7)
    assert modular.labels(pairs, task).tolist() == [answer(a, b) for a, b in pairs.tolist()]


def test_the_split_is_the_papers_size_and_depends_on_its_seed():
    mask = modular.train_mask(ModularTask())
    assert mask.sum() == 3830 and (~mask).sum() == 8939
    assert torch.equal(mask, modular.train_mask(ModularTask()))
    assert not torch.equal(mask, modular.train_mask(ModularTask(split_seed=1)))


def test_two_hot_counts_a_number_twice_if_it_is_added_to_itself():
    assert modular.two_hot(torch.tensor([[1, 3], [2, 2]]), 4).tolist() == [[0, 1, 0, 1], [0, 0, 2, 0]]


def test_table_metrics_by_part():
    task = ModularTask(p=5, fraction=0.4)
    right = modular.labels(modular.all_pairs(5), task)
    logits = 20 * torch.nn.functional.one_hot(right, 5).double()
    logits[~modular.train_mask(task)] *= -1  # wrong on the test set
    table = logits.reshape(5, 5, 5)
    assert modular.table_accuracy(table, task, "train") == 1 and modular.table_accuracy(table, task, "test") == 0
    assert modular.table_loss(table, task, "train") < 1e-7 < 20 < modular.table_loss(table, task, "test")
    assert modular.table_accuracy(table, task) == pytest.approx(10 / 25)


def test_bad_settings_get_a_sentence():
    with pytest.raises(CourseError, match="add, subtract"):
        ModularTask(operation="multiply")
    with pytest.raises(CourseError, match="fraction"):
        ModularTask(fraction=1.5)
