"""Hints one at a time; progress from a file that may be damaged."""

from __future__ import annotations

import json

import pytest

from course_utils.commands.progress import read_history


def test_hints_come_one_at_a_time(course, run):
    assert "not seen a hint" in run("hint", "21.1", "--again")[1]
    text = run("hint", "21.1")[1]
    assert "Hint 1 of 2" in text and "Think of double" in text and "1 more hint" in text
    text = run("hint", "21.1")[1]
    assert "Hint 2 of 2" in text and "last hint" in text
    assert "Hint 2 of 2" in run("hint", "21.1")[1]
    text = run("hint", "21.1", "--again")[1]
    assert "Hint 1 of 2" in text and "Hint 2 of 2" in text
    assert "Hint 1 of 2" in run("hint", "21.2")[1]


@pytest.mark.parametrize("content", ["{", "[]", '{"21.1": "x"}', '{"21.1": -4}', '{"21.1": 99}'])
def test_damaged_memory_of_hints(course, run, content):
    folder = course.work / ".course"
    folder.mkdir(parents=True)
    (folder / "hints.json").write_text(content, encoding="utf-8")
    code, text = run("hint", "21.1")
    assert code == 0 and "Hint" in text


def test_hint_needs_an_exercise(course, run):
    code, text = run("hint", "21")
    assert code == 2 and "such as 21.3" in text


def test_progress_table_and_next_exercise(course, run):
    code, text = run("progress")
    assert code == 0 and "0 of 4" in text and "Next: 21.1 · Doubling" in text
    course.work.mkdir()
    lines = [
        {"time": "2026-01-02T10:00:00+00:00", "check": "toy.test_double", "outcome": "failed"},
        {"time": "2026-01-03T10:00:00+00:00", "check": "toy.test_double", "outcome": "passed"},
        {"time": "2026-01-04T10:00:00+00:00", "check": "toy.test_double", "outcome": "failed"},
        {"time": "2026-01-04T10:00:00+00:00", "check": "toy.test_shifted", "outcome": "failed"},
        {"time": "2026-01-04T10:00:00+00:00", "check": "toy.test_dozen", "outcome": "not attempted"},
        {"time": "2026-01-04T10:00:00+00:00", "check": "elsewhere.test_x", "outcome": "passed"},
    ]
    text = "\n".join(json.dumps(line) for line in lines) + '\n{"time": "broken\n\x00\n'
    (course.work / "progress.jsonl").write_text(text, encoding="utf-8")
    code, text = run("progress", "21")
    assert code == 0 and "1 of 4" in text and "2026-01-03" in text and "… begun" in text
    assert "Next: 21.2 · Shifting" in text and "2 damaged lines" in text and "Negating (deeper)" in text


def test_a_check_from_the_command_line_is_progress(course, run, monkeypatch):
    monkeypatch.delenv("COURSE_PROGRESS")
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    monkeypatch.delenv("CI", raising=False)
    course.write(course.solve(e2="def shifted(x):\n    return x\n\nchecks.toy.test_shifted(shifted)"))
    run("check", "21")
    history, damaged = read_history()
    assert damaged == 0
    passed = {check: done for check, (done, _) in history.items()}
    assert passed == {
        "toy.test_double": True,
        "toy.test_shifted": False,
        "toy.test_dozen": True,
        "toy.test_negated": True,
    }
    assert "3 of 4" in run("progress")[1]
