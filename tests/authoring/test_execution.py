"""Running a chapter refreshes its evidence; nbval then finds on another run what was stored."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import nbformat
import pytest
from tiny_chapter import NAME, TINY, line_of

from course_utils import CourseError
from course_utils.authoring import check, execute
from course_utils.authoring.evidence import load
from course_utils.authoring.execution import text_outputs

LIGHT = TINY.replace("from torch import Tensor\nfrom jaxtyping import Float\n", "")
"""Kernels that import little start soon."""


def nbval(root):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nbval-lax", "--nbval-current-env", "-q"]
    return subprocess.run(
        [*command, f"solutions/{NAME}.ipynb"], cwd=root, capture_output=True, text=True, encoding="utf-8",
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_execute_stores_what_nbval_compares(write):
    pytest.importorskip("nbval")
    course = write(LIGHT)
    report = execute(course, "21", timeout=120)
    assert report.ok, report.failure
    assert report.seconds > 0
    assert len(report.refreshed) == 2
    assert check(course) == ["chapters/manifest.json is missing; run `course build`."]
    entries = list(load(course, "21").entries.values())
    assert entries[0].outputs == (("stdout", "claim | ours\nseven | 7 ✓\n"), ("result", "14"))
    assert entries[1].outputs == (("stdout", "14\n"),)
    notebook = nbformat.read(course / f"solutions/{NAME}.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert sum(bool(cell.get("outputs")) for cell in notebook.cells) == 2

    done = nbval(course)
    assert done.returncode == 0, done.stdout

    again = execute(course, "21", timeout=120)
    assert (again.refreshed, again.written) == ((), ())

    path = course / f"solutions/{NAME}.ipynb"
    path.write_text(path.read_text(encoding="utf-8").replace("seven | 7", "seven | 8"), encoding="utf-8", newline="\n")
    done = nbval(course)
    assert done.returncode == 1
    assert "Cell outputs differ" in done.stdout


def test_first_failing_cell_is_reported_and_nothing_is_stored(write):
    source = LIGHT.replace("limit = 14\n", "limit = 14\nprint(1 / 0)\n")
    root = write(source)
    report = execute(root, "21", timeout=120)
    assert not report.ok
    assert report.failure.startswith(
        f"solutions/{NAME}.py:{line_of(source, 'seven = checks.yours_or')}: the cell failed."
    )
    assert "ZeroDivisionError: division by zero" in report.failure
    assert "print(1 / 0)" in report.failure
    assert "\x1b" not in report.failure
    assert not (root / "solutions/evidence").exists()


def test_environment_folder_and_exercise_of_the_run(write, monkeypatch):
    monkeypatch.setenv("COURSE_LIVE", "1")
    source = LIGHT.replace(
        "checks.toy.test_seven(seven)\n",
        "checks.toy.test_seven(seven)\n"
        "assert os.environ['COURSE_PROGRESS'] == '0' and 'COURSE_LIVE' not in os.environ\n"
        "int(os.path.basename(os.getcwd()))\n",
    )
    report = execute(write(source), "21", timeout=120)
    assert "exercise 21.2: the cell failed" in report.failure
    assert "ValueError: invalid literal for int() with base 10: 'solutions'" in report.failure


def test_a_cell_past_its_time(write):
    root = write(LIGHT.replace("secret = 1", "import time\n\ntime.sleep(30)"))
    report = execute(root, "21", timeout=6)
    assert "the cell ran past 6 s" in report.failure
    assert f":{line_of(LIGHT, 'secret = 1')}:" in report.failure


def test_no_such_chapter(course):
    with pytest.raises(CourseError, match=r"no chapter 33 .* here are: 21\."):
        execute(course, "33")


def output(kind: str, **values):
    return SimpleNamespace(output_type=kind, **values)


def test_text_outputs():
    def out(text):
        return output("stream", name="stdout", text=text)

    result = output("execute_result", data={"text/plain": "3"})
    assert text_outputs([out("a\n"), result, out("b\n")]) == ((("stdout", "a\nb\n"), ("result", "3")), None)
    assert text_outputs([out("10 %\r20 %\ndone\n")])[0] == (("stdout", "20 %\ndone\n"),)
    assert "stderr" in text_outputs([output("stream", name="stderr", text="careful")])[1]
    assert "text/html" in text_outputs([output("display_data", data={"text/html": "<b>", "text/plain": "b"})])[1]
    assert "prints nothing" in text_outputs([])[1]
    assert "type error" in text_outputs([output("error")])[1]
