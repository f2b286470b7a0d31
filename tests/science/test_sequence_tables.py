"""A row of each table about circuits and induction heads comes out again, as far as rounding lets it."""

from __future__ import annotations

import pytest

from course_utils import zoo
from course_utils.zoo.sequences import HeldOutRepeatProblem

# A column of verdicts, and for numbers how far two machines may differ (absolute).
COMPARED = {
    "largest-number-seeds": ({"lr": 3e-3}, {"attended": 0, "test_accuracy": 1e-3}),
    "phrase-seeds": ({"verbs": 12}, {"right": 0.05, "frozen_right": 0.3, "frozen_bug": 0.3}),
    "induction-layers": ({"smeared": True}, {"test_accuracy": 0.02, "steps_to_half": 40, "gate": 0.1}),
    "induction-seeds": ({"n_heads": 1}, {"test_accuracy": 0.02, "previous": 0.1, "prefix": 0.1}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPARED)
def test_the_first_row_of_its_kind_comes_out_again(name, made_again):
    kind, columns = COMPARED[name]
    row, again = made_again(name, kind)
    for column, distance in columns.items():
        assert again[column] == pytest.approx(row[column], abs=distance), column


def test_the_main_network_has_its_heads_in_nearly_every_seed():
    rows = [row for row in zoo.table("induction-seeds") if row["n_heads"] == 1]
    assert len(rows) == 10
    assert sum(row["previous"] >= 0.7 and row["prefix"] >= 0.85 for row in rows) >= 8


def test_held_out_tokens_are_never_copied_in_training():
    problem = HeldOutRepeatProblem(batch=160)
    drawn = problem.drawn(step=3, seed=1)
    copied = drawn.tokens[drawn.source >= 0]
    assert 30 < len(drawn.tokens) < 130
    assert not problem.is_held_out(copied).any() and problem.is_held_out(drawn.tokens).any()
