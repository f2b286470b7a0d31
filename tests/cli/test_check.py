"""``course check`` on files as learners leave them."""

from __future__ import annotations

import io
import json
import time

import pytest

from course_utils.running import Worker


def kinds(found: dict[str, dict]) -> list[str]:
    return [e["verdict"] for e in found.values()]


def test_untouched_chapter_is_not_wrong_and_starts_no_process(course, run, verdicts, monkeypatch):
    run("start", "21")
    monkeypatch.setattr(Worker, "__init__", lambda self: pytest.fail("a process was started"))
    found, code = verdicts("21")
    assert (kinds(found), code) == (["not attempted"] * 4, 0)


def test_solved_chapter_passes(course, verdicts):
    course.write(course.solve())
    found, code = verdicts("21")
    assert (kinds(found), code) == (["passed"] * 4, 0)


def test_script_is_checked_like_the_notebook(course, verdicts):
    path = course.write(
        course.solve(e1="def double(x):\n    return x * x\n\nchecks.toy.test_double(double)"), course.script
    )
    found, code = verdicts("21")
    assert (kinds(found), code) == (["wrong", "passed", "passed", "passed"], 1)
    assert "This squares" in found["21.1"]["message"]
    text = path.read_text(encoding="utf-8")
    path.write_text("\n".join(line for line in text.split("\n") if not line.startswith("# %%")), encoding="utf-8")
    found, _ = verdicts("21")
    assert kinds(found) == ["wrong", "passed", "passed", "passed"]


def test_table_and_reports_for_people(course, run):
    course.write(
        course.solve(
            e1="def double(x):\n    return x * x\n\nprint('hello there')\nchecks.toy.test_double(double)",
            e4="def negated(x):\n    return x.nonsense\n\nchecks.toy.test_negated(negated)",
        )
    )
    code, text = run("check", "21")
    assert code == 1
    for words in ("21 · Toys", "Doubling", "✗ wrong", "✓ passed", "This squares", "hello there", "! error", "nonsense"):
        assert words in text
    assert "2 of 4 exercises passed, 2 to put right. Next: 21.1 · Doubling" in text
    assert "Traceback" not in text and "worker.py" not in text
    code, text = run("check", "21.4")
    assert code == 1 and "x.nonsense" in text and "21.1" not in text


def test_only_what_an_exercise_needs_is_run(course, verdicts):
    """Training, figures and broken cells elsewhere do not touch a check; helpers may stand below."""
    cells = course.solve(e1="def double(x):\n    return helper(x) * factor\n\nchecks.toy.test_double(double)")
    cells[2:2] = [
        (
            "code",
            "train",
            "import time\nlosses = [time.sleep(60) for _ in range(9)]\nfig = plots.draw(losses)\nfig.show()",
        ),
        ("code", "broken", "1 / 0"),
        ("code", "magic", "%matplotlib inline\n!pip install nothing\nfactor = 2\nfactor?\nfiles = !ls"),
        ("code", "shell", "%%bash\necho $HOME ${"),
        ("code", "timed", "%%time\nunused = 1"),
    ]
    cells.append(("code", "below", "def helper(x):\n    return x"))
    cells.append(("code", "typo", "def oops(:\n    pass"))
    course.write(cells)
    start = time.perf_counter()
    found, code = verdicts("21")
    assert (kinds(found), code) == (["passed"] * 4, 0), found
    assert time.perf_counter() - start < 30


def test_faulty_cells_are_said_by_exercise(course, verdicts):
    """Each exercise has another fault; all are reported, none disturbs the others."""
    cells = course.solve(
        e1="def double(x)\n    return 2 * x\n\nchecks.toy.test_double(double)",
        e2="def shifted(x):\n    return missing(x) + 1\n\nchecks.toy.test_shifted(shifted)",
        e3="import sys\nsys.exit(3)\ndozen = 12\nchecks.toy.test_dozen(dozen)",
        e4="checks.toy.test_negated(negated)",
    )
    cells.append(("code", "typo", "def missing(x:\n    return x"))
    course.write(cells)
    found, code = verdicts("21")
    assert code == 1
    assert found["21.1"]["verdict"] == "error" and "line 1: def double(x)" in found["21.1"]["message"]
    assert found["21.2"]["verdict"] == "error" and "syntax error" in found["21.2"]["report"]
    assert found["21.3"]["verdict"] == "passed"
    assert found["21.4"]["verdict"] == "error" and "`negated` is not defined" in found["21.4"]["message"]


def test_endless_loops_exits_and_floods(course, verdicts, monkeypatch):
    monkeypatch.setenv("COURSE_CHECK_SECONDS", "1")
    course.write(
        course.solve(
            e1="while True:\n    pass\n\ndef double(x):\n    return 2 * x\n\nchecks.toy.test_double(double)",
            e2="def shifted(x):\n    while True:\n        print('flood' * 100)\n\nchecks.toy.test_shifted(shifted)",
            e3="import os\nos._exit(7)\ndozen = 12\nchecks.toy.test_dozen(dozen)",
        )
    )
    found, code = verdicts("21", "--seconds", "4")
    assert code == 1
    assert kinds(found) == ["timed out", "timed out", "error", "passed"], found
    assert "line 1" in found["21.1"]["message"]
    assert "exit code 7" in found["21.3"]["message"]
    assert len(json.dumps(found)) < 20_000


def test_a_hang_outside_python_is_killed(course, verdicts):
    code = "def double(x):\n    import time\n    time.sleep(1000)\n\nchecks.toy.test_double(double)"
    course.write(course.solve(e1=code))
    found, _ = verdicts("21", "--seconds", "3")
    assert kinds(found) == ["timed out", "passed", "passed", "passed"]


def test_edited_header_lost_ids_and_editor_metadata(course, verdicts):
    cells = course.solve()

    def as_an_editor(nb):
        nb["nbformat_minor"] = 2
        for cell in nb["cells"]:
            del cell["id"]
            cell["source"] = "".join(cell["source"]).replace("### Exercise 21.2", "### My favourite")
            cell["metadata"] = {"vscode": {"languageId": "python"}, "collapsed": False}
        html = {"cell_type": "code", "metadata": {"vscode": {"languageId": "html"}}, "source": "<b>hi</b>"}
        nb["cells"].insert(2, html)
        nb["metadata"] = {"language_info": {"name": "python", "version": "3.11"}, "orig_nbformat": 4}

    course.notebook.parent.mkdir()
    text = course.text(cells, as_an_editor)
    course.notebook.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode("utf-8"))
    found, code = verdicts("21")
    assert (kinds(found), code) == (["passed"] * 4, 0), found


def test_a_deleted_cell_is_said_and_can_be_put_back(course, run, verdicts):
    cells = [c for c in course.solve() if c[1] != "cell-21-2"]
    cells = [c for c in cells if c[1] != "use-21-2"]
    course.write(cells)
    found, code = verdicts("21")
    assert code == 1 and kinds(found) == ["passed", "error", "passed", "passed"]
    assert "course reset 21.2" in found["21.2"]["message"]
    assert run("reset", "21.2", "--yes")[0] == 0
    assert kinds(verdicts("21")[0]) == ["passed", "not attempted", "passed", "passed"]


def test_a_changed_check_call_changes_nothing(course, verdicts):
    course.write(course.solve(e1="def double(x):\n    return x\n\n# checks.toy.test_double(double)\nprint('passed')"))
    found, _ = verdicts("21.1")
    assert found["21.1"]["verdict"] == "wrong"


def test_input_asks_and_learner_frames(course, verdicts):
    course.write(
        course.solve(
            e1="def double(x):\n    return input('x?')\n\nchecks.toy.test_double(double)",
            e2="def inner(x):\n    return x[9, 9]\n\ndef shifted(x):\n    return inner(x)\n\nchecks.toy.test_shifted(shifted)",
        )
    )
    found, _ = verdicts("21")
    assert found["21.1"]["verdict"] == "error" and "EOF" in found["21.1"]["report"]
    assert "return x[9, 9]" in found["21.2"]["report"] and "21_toys.ipynb, line 2, in inner" in found["21.2"]["report"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"   \n", "is empty"),
        (b"{broken", "not a readable notebook"),
        (b'{"cells": [\n<<<<<<< HEAD\n', "git merge"),
        (b"[1, 2]", "no list of cells"),
        (b'{"cells": 3}', "no list of cells"),
        (b"\xff\xfa\x00\x80", "UTF-8"),
        (b'{"cells": []}', "holds no exercise"),
    ],
)
def test_files_that_are_no_notebooks(course, run, tmp_path, content, words):
    path = tmp_path / "mine.ipynb"
    path.write_bytes(content)
    code, text = run("check", str(path))
    assert code == 2 and words in text and "Traceback" not in text


def test_renamed_files_and_checkpoints(course, run, verdicts):
    path = course.write(course.solve(), course.work / "sub" / "my attempt.ipynb")
    course.write(
        course.solve(e1="syntax error("), course.work / "sub" / ".ipynb_checkpoints" / "my attempt-checkpoint.ipynb"
    )
    for target in ("21", str(path)):
        found, code = verdicts(target)
        assert (kinds(found), code) == (["passed"] * 4, 0)
    course.write(course.solve(), course.work / "another.ipynb")
    code, text = run("check", "21")
    assert code == 2 and "another.ipynb" in text and "my attempt.ipynb" in text


def test_notebook_and_script(course, run, verdicts, monkeypatch):
    run("start", "21")
    run("start", "21", "--py")
    course.write(course.solve(), course.script)
    assert kinds(verdicts("21")[0]) == ["passed"] * 4, "only the script was edited"
    course.write(course.solve(e3="dozen = 13\nchecks.toy.test_dozen(dozen)"))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    code, text = run("check", "21")
    assert code == 2 and "21_toys.ipynb" in text and "--file" in text
    found, _ = verdicts("21.3", "--file", str(course.notebook))
    assert found["21.3"]["verdict"] == "wrong"


def test_wrong_names_are_answered_with_what_there_is(course, run):
    for arguments, words in (
        (["check", "99"], "The chapters here are: 21 (Toys)"),
        (["check", "21.9"], "21.1, 21.2, 21.3, 21.4"),
        (["check", "21"], "course start 21"),
        (["check", "nothing.ipynb"], "There is no file"),
    ):
        code, text = run(*arguments)
        assert code == 2 and words in text, text


def test_a_broken_environment_is_said_in_a_sentence(course, run, tmp_path, monkeypatch):
    course.write(course.solve())
    fake = tmp_path / "fake"
    (fake / "torch").mkdir(parents=True)
    (fake / "torch" / "__init__.py").write_text("raise ImportError('no torch today')", encoding="utf-8")
    monkeypatch.setattr("course_utils.running.process.PACKAGE", _package_behind(fake))
    code, text = run("check", "21")
    assert code == 2 and "course doctor" in text and "no torch today" in text


def _package_behind(folder):
    """A path whose parent is ``folder``, so that the worker finds the fake torch first."""
    return folder / "course_utils"
