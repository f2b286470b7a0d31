"""No finished row is ever lost, none is made twice, and a row does not depend on where it was made."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import joblib
import pytest
import torch
from torch import Tensor, nn

from course_utils import zoo
from course_utils.errors import CourseError
from course_utils.rows import RowFile, decode, encode, read_table
from course_utils.sweeps import run_one, sweep
from course_utils.training import Recipe, Run
from course_utils.zoo import store

ROOT = Path(__file__).parents[2]
needs_kill = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")


@dataclass(frozen=True)
class Line:
    """A weight vector learns where the minimum lies. What else happens in a run depends on its seed.

    Attributes:
        fails: the seed whose run raises an error.
        dies: the seed whose run kills its own process.
        pause: seconds that a run takes longer.
        log: a file that gets a line, seed and process, as a run starts.
    """

    width: int = 64
    fails: int | None = None
    dies: int | None = None
    pause: float = 0.0
    log: str = ""

    def make_model(self, seed: int) -> nn.Module:
        if self.log:
            with open(self.log, "a", encoding="utf-8") as log:
                log.write(f"{seed} {os.getpid()}\n")
        time.sleep(self.pause)
        if seed == self.dies:
            os.kill(os.getpid(), signal.SIGKILL)
        model = nn.Linear(self.width, self.width, bias=False)
        with torch.no_grad():
            model.weight.normal_(generator=torch.Generator().manual_seed(seed))
        return model

    def loss(self, model: nn.Module, step: int, seed: int) -> Tensor:
        if seed == self.fails:
            raise ValueError("no such thing")
        return (model.weight @ model.weight - 1).pow(2).mean()

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        return {"loss": self.loss(model, 0, -1).item()}


def recipes(runs: int, **settings: object) -> list[Recipe]:
    return [Recipe(Line(**settings), steps=20, seed=seed, lr=1e-2) for seed in range(runs)]


def measure(run: Run) -> dict[str, object]:
    return {
        "loss": run.history["loss"][-1],
        "below_1": next((step for step, v in zip(*run.history.values(), strict=True) if v < 1), None),
        "rounded": [round(value, 3) for value in run.history["loss"]],
    }


def plain(rows: list[dict]) -> list[dict]:
    """Rows without their seconds, which are never the same."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def lines(table: Path) -> list[str]:
    return table.read_text(encoding="utf-8").splitlines()


VALUES = [
    None, True, False, 0, -3, 10**20, 0.1, 1 / 3, 5e-324, 1.7976931348623157e308, 1.0, -0.0, math.inf, [], [1, 16, 30],
    [0.1, None, "a"], {"a": [1]}, "", "plain", "a, b", 'say "so"', "⊥Grad", "two\nlines", "\r", " 7 ", "7", "1e5", "null",
    "true", "NaN", "[1]", '"quoted"', "0x1f", "-", "\x00", "\u2028",
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_as_it_was(tmp_path, value):
    table = tmp_path / "table.csv"
    RowFile(table).add(encode({"recipe": "12345678e9012345", "before": 1, "x": value, "after": "z"}))
    (row,) = read_table(table)
    assert row == {"recipe": "12345678e9012345", "before": 1, "x": value, "after": "z"}
    assert type(row["x"]) is type(value) and repr(row["x"]) == repr(value)
    assert len(table.read_bytes().split(b"\n")) == 3


def test_not_a_number_and_long_lists_come_back():
    long = [1 / 3] * 20_000
    row = decode(encode({"recipe": "0", "x": math.nan, "y": (1, 2)}))
    assert math.isnan(row["x"]) and row["y"] == [1, 2]
    assert decode(encode({"y": long}))["y"] == long


def test_a_long_cell_comes_back_from_a_file(tmp_path):
    long = [1 / 3] * 20_000
    RowFile(tmp_path / "t.csv").add(encode({"recipe": "0", "x": long}))
    assert read_table(tmp_path / "t.csv")[0]["x"] == long


def test_a_value_that_no_table_takes_is_named():
    with pytest.raises(CourseError, match=r"'x' holds a value of type Tensor.*\.item\(\)"):
        encode({"recipe": "0", "x": torch.ones(2)})


@pytest.mark.parametrize("name", zoo.TABLES)
def test_a_shipped_table_is_written_as_it_is_read(name, tmp_path):
    file = RowFile(tmp_path / "copy.csv")
    for row in zoo.table(name):
        file.add(encode(row))
    assert file.path.read_bytes() == (store.WEIGHTS / f"{name}.csv").read_bytes()


def test_rows_come_in_the_order_of_the_recipes_and_as_a_table_gives_them(tmp_path):
    table = tmp_path / "new" / "table.csv"
    wanted = recipes(4)
    rows = sweep([wanted[2], wanted[0], wanted[2], wanted[3]], measure, table)
    assert [row["seed"] for row in rows] == [2, 0, 2, 3]
    assert read_table(table) == [rows[0], rows[1], rows[3]] and rows[0] == rows[2]
    assert list(rows[0]) == ["recipe", "seed", "seconds", "loss", "below_1", "rounded"]
    assert plain(sweep(wanted, measure)) == plain(sweep(wanted, measure, str(table)))


def test_finished_rows_are_skipped_and_their_bytes_stay(tmp_path):
    table = tmp_path / "table.csv"
    rows = sweep(recipes(2), measure, table)
    before = table.read_bytes()
    assert sweep(recipes(2), measure, table) == rows and table.read_bytes() == before
    again = sweep(recipes(3), measure, table)
    assert again[:2] == rows and table.read_bytes().startswith(before) and len(lines(table)) == 4


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_last_line_that_was_cut_off_is_dropped_and_its_run_made_again(tmp_path, cut):
    table = tmp_path / "table.csv"
    rows = sweep(recipes(3), measure, table)
    table.write_bytes(table.read_bytes()[:-cut])
    with pytest.warns(UserWarning, match="left out"):
        assert read_table(table) == rows[:2]
    with pytest.warns(UserWarning, match="cut off while it was written. It is dropped"):
        again = sweep(recipes(3), measure, table)
    assert plain(again) == plain(rows) and again[:2] == rows[:2] and read_table(table) == again


def test_a_last_line_of_zeros_is_dropped_like_one_that_was_cut_off(tmp_path):
    table = tmp_path / "table.csv"
    rows = sweep(recipes(2), measure, table)
    table.write_bytes(table.read_bytes() + b"\0" * 30 + b"\n")
    with pytest.warns(UserWarning, match="dropped"):
        assert sweep(recipes(2), measure, table) == rows
    assert read_table(table) == rows


@pytest.mark.parametrize("beginning", [b"", b"rec", b"recipe,seed,se"])
def test_a_header_that_was_cut_off_is_written_again(tmp_path, beginning):
    table = tmp_path / "table.csv"
    table.write_bytes(beginning)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = sweep(recipes(1), measure, table)
    assert read_table(table) == rows


@pytest.mark.parametrize("content", [b"a note", b"a,b\n1,2\n", b'{"recipe": "0"}\n'])
def test_a_file_of_another_kind_is_not_touched(tmp_path, content):
    table = tmp_path / "table.csv"
    table.write_bytes(content)
    with pytest.raises(CourseError, match="not a table of runs"):
        sweep(recipes(1), measure, table)
    assert table.read_bytes() == content


def test_a_damaged_line_in_the_middle_is_named(tmp_path):
    table = tmp_path / "table.csv"
    sweep(recipes(2), measure, table)
    damaged = table.read_text().splitlines(keepends=True)
    damaged[1] = damaged[1].replace(",", ";")
    table.write_text("".join(damaged))
    with pytest.raises(CourseError, match=r"Line 2 of .* is damaged"):
        sweep(recipes(2), measure, table)


def test_a_missing_table_is_an_error_only_for_a_reader(tmp_path):
    with pytest.raises(CourseError, match="There is no table"):
        read_table(tmp_path / "none.csv")


def test_a_table_of_other_columns_is_refused_and_kept(tmp_path):
    table = tmp_path / "table.csv"
    sweep(recipes(1), measure, table)
    before = table.read_bytes()
    with pytest.raises(CourseError, match="also have the columns 'losses' and lack 'below_1', 'loss', 'rounded'"):
        sweep(recipes(2), lambda run: {"losses": 3}, table)
    with pytest.raises(CourseError, match="rows lack its columns 'rounded'"):
        sweep(recipes(2), lambda run: {"loss": 3, "below_1": None}, table)
    assert table.read_bytes() == before


def test_two_sweeps_into_one_table_are_noticed(tmp_path):
    table = tmp_path / "table.csv"
    one, other = RowFile(table), RowFile(table)
    one.add(encode({"recipe": "0", "x": 1}))
    with pytest.raises(CourseError, match="is another sweep using it"):
        other.add(encode({"recipe": "1", "x": 1}))
    assert [row["recipe"] for row in read_table(table)] == ["0"]


def test_a_table_that_cannot_be_written_is_said_in_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CourseError, match=r"cannot be (read|written)"):
        sweep(recipes(1), measure, tmp_path / "file" / "table.csv")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failed_run_is_reported_and_the_others_go_on(tmp_path, jobs):
    table = tmp_path / "table.csv"
    wanted = recipes(4, fails=1)
    with pytest.warns(
        UserWarning, match=r"seed 1 \(recipe \w{16}\) failed. ValueError: no such thing \(loss, test_sweeps"
    ):
        rows = sweep(wanted, measure, table, jobs)
    assert [row["seed"] for row in rows] == [0, 2, 3] and len(lines(table)) == 4
    failures = []
    sweep(wanted, measure, table, on_failure=lambda recipe, sentence: failures.append((recipe, sentence)))
    assert [recipe for recipe, _ in failures] == [wanted[1]], "a failed run is tried again"


def test_a_diverging_run_and_a_wrong_measure_are_failures():
    sentences = []
    assert sweep(recipes(1), lambda run: {"seed": 1}, on_failure=lambda _, s: sentences.append(s)) == []
    assert sweep(recipes(1), lambda run: {"x": {1}}, on_failure=lambda _, s: sentences.append(s)) == []
    diverging = replace(recipes(1)[0], lr=1e30)
    assert sweep([diverging], measure, on_failure=lambda _, s: sentences.append(s)) == []
    assert "Give it another name" in sentences[0] and "type set" in sentences[1] and "diverged" in sentences[2]


def test_two_jobs_give_the_rows_of_one(tmp_path):
    wanted = recipes(6)
    serial = sweep(wanted, measure)
    factor = 2.0

    def defined_here(run: Run) -> dict[str, object]:
        return {**measure(run), "twice": factor * run.history["loss"][-1]}

    parallel = sweep(wanted, defined_here, tmp_path / "table.csv", jobs=2)
    assert [row.pop("twice") for row in parallel] == [2 * row["loss"] for row in serial]
    assert plain(parallel) == plain(serial)
    with joblib.parallel_config(n_jobs=2):
        assert plain(sweep(wanted, measure)) == plain(serial)


def test_a_run_has_one_thread_and_the_callers_number_comes_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        (row,) = sweep(recipes(1), lambda run: {"threads": torch.get_num_threads()})
        assert row["threads"] == 1 and torch.get_num_threads() == 2
        (row,) = sweep(recipes(1), lambda run: {"threads": torch.get_num_threads()}, threads=2)
        assert row["threads"] == 2
    finally:
        torch.set_num_threads(before)


@needs_kill
def test_a_run_that_kills_its_worker_is_found_and_the_others_go_on(tmp_path):
    failures = []
    wanted = recipes(6, dies=1)
    rows = sweep(wanted, measure, tmp_path / "t.csv", 2, on_failure=lambda *failure: failures.append(failure))
    assert [row["seed"] for row in rows] == [0, 2, 3, 4, 5]
    assert [(recipe.seed, "worker process died" in sentence) for recipe, sentence in failures] == [(1, True)]


def test_progress_says_how_far_and_how_long(tmp_path, capsys):
    table = tmp_path / "table.csv"
    sweep(recipes(1), measure, table)
    with pytest.warns(UserWarning, match="failed"):
        sweep(recipes(3, fails=2)[:1] + recipes(3)[1:2] + recipes(3, fails=2)[2:], measure, table, progress=True)
    shown = capsys.readouterr().err
    assert "3/3" in shown and "<00:" in shown and "failed=1" in shown


def test_an_outcome_names_its_recipe():
    assert run_one(recipes(1)[0], measure, 1).recipe == recipes(1)[0].digest()


SWEEP = """
import sys
from course_utils.sweeps import sweep
from tests.science.test_sweeps import measure, recipes
if __name__ == "__main__":
    sweep(recipes(8, pause=0.2), measure, sys.argv[1], jobs=int(sys.argv[2]))
"""


@needs_kill
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_sweep_that_is_killed_loses_only_what_was_in_flight(tmp_path, jobs):
    table, script = tmp_path / "table.csv", tmp_path / "script.py"
    script.write_text(SWEEP, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, str(script), str(table), str(jobs)], env=environment, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while not (table.exists() and len(lines(table)) >= 4) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # what workers are left would wait for minutes
    kept = read_table(table)
    assert 3 <= len(kept) < 8
    before = table.read_bytes()
    again = sweep(recipes(8, pause=0.2), measure, table)
    assert table.read_bytes().startswith(before) and len(lines(table)) == 9
    assert all(row in again for row in kept)
    assert plain(again) == plain(sweep(recipes(8, pause=0.2), measure))
