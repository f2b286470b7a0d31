"""Rows of the tables of chapter 24 come out again, as far as rounding lets them, and say what the trial said."""

from __future__ import annotations

import pytest

from course_utils import zoo

# A column of verdicts, and for numbers how far two machines may differ (relative).
COMPARED = {
    "ungrokking": (
        {"size": 400, "penalty": 1e-3, "start": "modular-addition-fast"},
        {"J": 0.05, "squares": 0.05, "k_net": 0.1},
    ),
    "ungrokking-time": ({"decay": 2.0, "start": "modular-addition-fast"}, {"steps_to_50": 0.3, "squares": 0.1}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPARED)
def test_the_first_row_of_its_kind_comes_out_again(name, made_again):
    kind, columns = COMPARED[name]
    row, again = made_again(name, kind)
    for column, distance in columns.items():
        assert again[column] == pytest.approx(row[column], rel=distance), column


def test_every_run_of_the_transition_is_there_and_at_rest():
    rows = zoo.table("ungrokking")
    assert len(rows) == 150 == len({(row["size"], row["subset_seed"], row["penalty"]) for row in rows})
    assert all(0.98 < row["ratio"] < 1.03 and row["train_accuracy"] == 1 for row in rows)


def test_few_questions_are_too_few_and_many_are_enough():
    for row in zoo.table("ungrokking"):
        if row["size"] == 400:
            assert row["test_accuracy"] < 0.3
        if row["size"] == 1200:
            assert row["test_accuracy"] > 0.9
