"""``course sweep``: tables of many runs from the terminal."""

from __future__ import annotations

import sys

import pytest

from course_utils.errors import CourseError
from course_utils.rows import read_table
from course_utils.tasks.modular import ModularTask
from course_utils.training import Recipe, Run
from course_utils.zoo import tables
from course_utils.zoo.problems import ModularMLP


def measure(run: Run) -> dict[str, object]:
    return {"test_loss": run.history["test_loss"][-1]}


@pytest.fixture
def tiny(course, monkeypatch):
    """The zoo with one more table, of three short runs; (its entry in the zoo, its file)."""
    problem = ModularMLP(ModularTask(p=7, fraction=0.5), d_hidden=8)
    runs = tuple(Recipe(problem, steps=5, seed=seed) for seed in range(3))
    monkeypatch.setitem(tables.TABLES, "tiny-runs", tables.Table("Three short runs.", runs, measure))
    return runs, course.work / "tables" / "tiny-runs.csv"


def test_alone_it_lists_the_tables(tiny, run):
    code, text = run("sweep")
    assert code == 0 and "What it is about" in text
    for name, table in tables.TABLES.items():
        (line,) = (line for line in text.splitlines() if line.startswith(f"{name} "))
        assert f" {len(table.recipes)} " in line and table.about[:30] in line


def test_an_unknown_table_is_answered_with_a_near_one(run):
    code, text = run("sweep", "grokking-by-deca")
    assert code == 2 and "Did you mean 'grokking-by-decay'?" in text and "grokking-precision" in text


def test_a_table_is_made_and_completed(tiny, run):
    runs, file = tiny
    code, text = run("sweep", "tiny-runs")
    assert code == 0 and "Three short runs." in text and "3 runs; all to make, one at a time" in text
    assert "3/3" in text and "complete: 3 rows" in text
    assert [row["recipe"] for row in read_table(file)] == [recipe.digest() for recipe in runs]
    code, text = run("sweep", "tiny-runs")
    assert code == 0 and "nothing is left to do" in text
    file.write_bytes(file.read_bytes()[:-9])
    code, text = run("sweep", "tiny-runs", "--workers", "2")
    assert code == 0 and "2 of its 3 rows are in" in text and "1 to make, 2 at a time" in text
    assert "cut off while it was written" in text and "UserWarning" not in text
    assert len(read_table(file)) == 3


def test_out_chooses_the_file(tiny, run, tmp_path):
    chosen = tmp_path / "elsewhere" / "mine.csv"
    code, text = run("sweep", "tiny-runs", "--out", str(chosen))
    assert code == 0 and "mine.csv" in text and len(read_table(chosen)) == 3 and not tiny[1].exists()


def test_ctrl_c_is_safe(tiny, run, monkeypatch):
    _, file = tiny
    real, calls = tables.sweep, []

    def interrupted(recipes, *rest, **options):
        calls.append(real(recipes[:1], *rest, **options))
        raise KeyboardInterrupt

    monkeypatch.setattr(tables, "sweep", interrupted)
    code, text = run("sweep", "tiny-runs")
    assert code == 130 and "Interrupted. 1 of 3 rows are in" in text and "goes on from there" in text
    monkeypatch.undo()
    assert len(read_table(file)) == 1


def test_failed_runs_are_told_at_the_end(tiny, run, monkeypatch):
    def picky(run: Run) -> dict[str, object]:
        if run.recipe.seed == 1:
            raise CourseError("Seed 1 is not to our liking.")
        return measure(run)

    monkeypatch.setitem(tables.TABLES, "tiny-runs", tables.Table("Three short runs.", tiny[0], picky))
    code, text = run("sweep", "tiny-runs")
    assert code == 1 and "The run with seed 1" in text and "not to our liking" in text
    assert "2 of 3 rows are in" in text and "tries the others again" in text


def test_a_cluster_needs_the_extra_and_has_its_own_workers(tiny, run, monkeypatch):
    code, text = run("sweep", "tiny-runs", "--scheduler", "tcp://127.0.0.1:1", "--workers", "2")
    assert code == 2 and "Leave out one of the two" in text
    monkeypatch.setitem(sys.modules, "distributed", None)  # what `import` finds is then "not there"
    code, text = run("sweep", "tiny-runs", "--scheduler", "tcp://127.0.0.1:1")
    assert code == 2 and ".[cluster]" in text and not tiny[1].exists()
