"""Reports read well: in plain text, as HTML, and under pytest."""

import base64
import re
import subprocess
import sys
import textwrap
import zlib

import torch

from course_utils.checks.framework import run
from course_utils.checks.pictures import as_html, picture_of
from course_utils.checks.rendering import as_card, as_text


def wrong(x, factors, shift=0.0):
    print("<b>debug</b>")
    return x * factors[:, None] + 1


def test_text_of_a_failure(toy):
    lines = as_text(run(toy.test_scale_rows, wrong)).splitlines()
    assert lines[0] == "✗ scale_rows: not right yet"
    assert lines[1] == "  Asked: Multiply each row of a matrix by its own factor, then add `shift`."
    assert lines[2] == "  What differs: the scaled matrix: not what it should be"
    assert any(line.startswith("    expected  shape (3, 4), float32: [[") for line in lines)
    assert any(line.startswith("    got       shape (3, 4), float32: [[") for line in lines)
    assert any("Yours is too large by 1 everywhere." in line for line in lines)
    assert lines[-2:] == ["  Your code printed:", "    <b>debug</b>"] or "<b>debug</b>" in lines[-1]
    assert len(lines) < 16


def test_text_of_a_pass_is_one_line(toy):
    report = run(toy.test_scale_rows, lambda x, f, shift=0.0: x * f[:, None] + shift)
    assert as_text(report) == "✓ scale_rows: passed"
    assert as_text(report, colour=True) == "\x1b[32m✓ scale_rows: passed\x1b[0m"


def test_card_of_a_failure(toy):
    card = as_card(run(toy.test_scale_rows, wrong))
    assert 'role="alert"' in card
    assert "not right yet" in card
    assert "var(--jp-ui-font-color1, inherit)" in card and "var(--jp-error-color1, #d32f2f)" in card
    assert "&lt;b&gt;debug&lt;/b&gt;" in card and "<b>debug" not in card
    assert "<dt" in card and "largest difference" in card
    assert 'alt="Heatmap of your the scaled matrix"' not in card
    assert re.search(r'<img alt="Heatmap of yours: the scaled matrix"', card)
    assert "data:image/png;base64," in card
    assert "<script" not in card and "http" not in card


def test_card_of_a_recognised_mistake(toy):
    card = as_card(run(toy.test_scale_rows, lambda x, f, shift=0.0: x * f[:, None]))
    assert "Likely cause:" in card
    assert "shift</code> is not used" in card
    assert "<details" in card and "What the check saw" in card


def test_card_of_a_pass_and_of_a_stub(toy):
    passed = as_card(run(toy.test_scale_rows, lambda x, f, shift=0.0: x * f[:, None] + shift))
    assert 'role="status"' in passed and "scale_rows: passed" in passed and "alert" not in passed
    waiting = as_card(run(toy.test_squares, ...))
    assert 'role="status"' in waiting and "not attempted yet" in waiting


def test_learner_text_is_escaped_everywhere(toy):
    def bad(x, factors, shift=0.0):
        raise ValueError("<img src=x onerror=alert(1)>")

    card = as_card(run(toy.test_scale_rows, bad))
    assert "<img src=x" not in card and "&lt;img src=x" in card


def test_heatmap_is_a_valid_png():
    html = as_html(picture_of(torch.randn(4, 7), torch.full((4, 7), float("nan")), "noise <1>"))
    data = base64.b64decode(re.search(r"base64,([^\"]+)", html).group(1))
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    assert (width, height) == (7, 4)
    size = int.from_bytes(data[33:37], "big")
    assert len(zlib.decompress(data[41 : 41 + size])) == 4 * (1 + 3 * 7)
    assert "noise &lt;1&gt;" in html and "<1>" not in html


def test_curve_has_a_name_and_survives_odd_values():
    html = as_html(picture_of(torch.tensor([0.0, 1, float("nan"), 3, float("inf"), 5]), torch.arange(6.0), "line"))
    assert 'role="img"' in html and "aria-label=" in html and "<title>" in html
    assert "nan" not in html and html.count("<polyline") == 2
    flat = as_html(picture_of(torch.ones(8), torch.ones(8), "flat"))
    assert "nan" not in flat


def test_no_picture_where_numbers_say_it():
    assert picture_of(torch.ones(2, 2), torch.ones(2, 2), "x") is None
    assert picture_of(torch.ones(3), torch.ones(3), "x") is None
    assert picture_of(torch.ones(3, 3, 3), torch.ones(3, 3, 3), "x") is None


def test_a_big_answer_gives_a_small_card(toy):
    html = as_html(picture_of(torch.randn(2000, 3000), torch.randn(2000, 3000), "big"))
    assert len(html) < 400_000


PROGRAM = """
import importlib.util, sys, torch
spec = importlib.util.spec_from_file_location("toy_topic", {toy!r})
toy = importlib.util.module_from_spec(spec); sys.modules["toy_topic"] = toy; spec.loader.exec_module(toy)

def scale_rows(x, factors, shift=0.0):
    return x * factors[:, None] * 2

def test_mine():
    toy.test_scale_rows(scale_rows)

if __name__ == "__main__":
    test_mine()
"""


def _program(tmp_path, toy):
    path = tmp_path / "test_learner.py"
    path.write_text(textwrap.dedent(PROGRAM.format(toy=toy.__file__)), encoding="utf-8")
    return path


def test_plain_python_shows_a_short_trace(tmp_path, toy):
    done = subprocess.run(
        [sys.executable, str(_program(tmp_path, toy))], capture_output=True, text=True, encoding="utf-8",
        env={**__import__("os").environ, "COURSE_PROGRESS": "0", "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 1
    assert "course_utils.checks.CheckFailed: ✗ scale_rows: not right yet" in done.stderr
    assert "During handling" not in done.stderr
    frames = re.findall(r'File "([^"]+)"', done.stderr)
    assert len([f for f in frames if "course_utils" in f]) == 1


def test_under_pytest_the_message_is_readable(tmp_path, toy):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(_program(tmp_path, toy))],
        capture_output=True, text=True, encoding="utf-8", cwd=tmp_path,
        env={**__import__("os").environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 1
    assert "✗ scale_rows: not right yet" in done.stdout
    assert "Yours is 2 times what is wanted" in done.stdout
    assert "framework.py" not in done.stdout
