"""Progress is a small file that survives damage, and that only a learner's own work writes."""

import json
import threading
import warnings

import pytest

from course_utils.checks import progress_store
from course_utils.checks.progress_store import append, now, read
from course_utils.checks.session import Session


def test_what_is_appended_is_read(tmp_path):
    path = tmp_path / "work" / "progress.jsonl"
    assert read(path) == []
    first, second = now("toy.test_a", "failed"), now("toy.test_a", "passed")
    append(first, path)
    append(second, path)
    assert read(path) == [first, second]
    assert json.loads(path.read_text(encoding="utf-8").splitlines()[0]).keys() == {"time", "check", "outcome"}


def test_damaged_lines_are_skipped_with_one_warning(tmp_path):
    path = tmp_path / "progress.jsonl"
    good = now("toy.test_a", "passed")
    append(good, path)
    with path.open("ab") as file:
        file.write(
            b'{"time": "2026-01-01T00:00:00", "check"\n\xff\xfe\n[1, 2]\n\n{"time": 3, "check": "a", "outcome": "b"}\n'
        )
        file.write(b'{"time": "yesterday", "check": "a", "outcome": "b"}\n')
        file.write(b'{"time": "2026-')
    append(good, path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert read(path) == [good, good]
    assert len(caught) == 1
    assert "Skipped 6 damaged lines in progress.jsonl (lines 2, 3, 4, 6, 7, …)" in str(caught[0].message)


def test_appends_at_the_same_time_do_not_mix(tmp_path):
    path = tmp_path / "progress.jsonl"
    threads = [
        threading.Thread(target=lambda i=i: [append(now(f"toy.test_{i}", "passed"), path) for _ in range(25)])
        for i in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read(path)) == 150


def test_off_in_tests_in_ci_and_on_request(monkeypatch):
    assert not progress_store.is_on()
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("COURSE_PROGRESS", raising=False)
    assert progress_store.is_on()
    monkeypatch.setenv("CI", "true")
    assert not progress_store.is_on()
    monkeypatch.delenv("CI")
    monkeypatch.setenv("COURSE_PROGRESS", "0")
    assert not progress_store.is_on()


def test_a_session_writes_only_when_progress_is_on(toy, tmp_path, monkeypatch):
    from course_utils.checks.framework import run

    path = tmp_path / "progress.jsonl"
    monkeypatch.setattr(progress_store, "default_path", lambda create=False: path)

    def answer(x, factors, shift=0.0):
        return x * factors[:, None] + shift

    report = run(toy.test_scale_rows, answer)
    Session().record(report, answer)
    assert not path.exists()
    monkeypatch.setattr(progress_store, "is_on", lambda: True)
    Session().record(report, answer)
    Session().record(run(toy.test_scale_rows, toy.scale_rows), toy.scale_rows)
    assert [(r.check, r.outcome) for r in read(path)] == [("toy_topic.test_scale_rows", "passed")]


def test_a_disk_that_refuses_is_one_warning(toy, tmp_path, monkeypatch):
    from course_utils.checks.framework import run

    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    monkeypatch.setattr(progress_store, "is_on", lambda: True)
    monkeypatch.setattr(progress_store, "default_path", lambda create=False: blocked / "progress.jsonl")
    session, report = Session(), run(toy.test_squares, ...)
    with pytest.warns(UserWarning, match="Progress is not recorded"):
        session.record(report, ...)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session.record(report, ...)
