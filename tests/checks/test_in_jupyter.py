"""What a learner sees in a real kernel: one line for a pass, one card for a failure, no stack."""

from pathlib import Path

import nbformat
import pytest

nbclient = pytest.importorskip("nbclient")

SETUP = """
import importlib.util, os, sys, torch
os.environ["COURSE_PROGRESS"] = "0"
spec = importlib.util.spec_from_file_location("toy_topic", {path!r})
toy = importlib.util.module_from_spec(spec); sys.modules["toy_topic"] = toy; spec.loader.exec_module(toy)
from course_utils import checks
"""
CELLS = {
    "setup": SETUP,
    "helper": "def helper(x, factors):\n    return x * factors[:, None]\n",
    "passing": "def scale_rows(x, factors, shift=0.0):\n    return helper(x, factors) + shift\n\n"
    "toy.test_scale_rows(scale_rows)",
    "in use": "print(checks.yours_or(scale_rows, toy.scale_rows) .__wrapped__ is scale_rows)",
    "failing": "def scale_rows(x, factors, shift=0.0):\n    return x * factors[:, None] * 3\n\n"
    "toy.test_scale_rows(scale_rows)",
    "curve": "toy.test_squares(torch.arange(7.0) ** 2 + torch.tensor([0, 0, 0, 1.0, 0, 0, 0]))",
    "raising": "def broken(x, factors, shift=0.0):\n    return helper(x, factors).nothing\n\ntoy.test_scale_rows(broken)",
    "untouched": "def stub(x, factors, shift=0.0):\n    raise NotImplementedError('Exercise 99.1: replace this line')\n\n"
    "toy.test_scale_rows(stub)",
    "endless": "os.environ['COURSE_CHECK_SECONDS'] = '0.5'\n"
    "def endless(x, factors, shift=0.0):\n    while True:\n        pass\n\n"
    "toy.test_scale_rows(endless)",
    "alive": "print('still alive')",
}


@pytest.fixture(scope="module")
def outputs(toy):
    cells = [
        nbformat.v4.new_code_cell(code.replace("{path!r}", repr(str(Path(toy.__file__))))) for code in CELLS.values()
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbclient.NotebookClient(notebook, timeout=120, allow_errors=True).execute()
    return {name: cell.outputs for name, cell in zip(CELLS, notebook.cells, strict=True)}


def _html(output):
    return output.data["text/html"]


def test_a_pass_is_one_line(outputs):
    (shown,) = outputs["passing"]
    assert 'role="status"' in _html(shown)
    assert "scale_rows: passed" in _html(shown)
    assert shown.data["text/plain"] == "✓ scale_rows: passed"


def test_the_passed_answer_is_in_use(outputs):
    assert outputs["in use"][0].text == "→ using your `scale_rows`: it passed its check\nTrue\n"


def test_a_failure_is_one_card_and_no_stack(outputs):
    card, error = outputs["failing"]
    assert 'role="alert"' in _html(card)
    assert "Yours is 3 times what is wanted, everywhere." in _html(card)
    assert "data:image/png;base64," in _html(card)
    assert error.output_type == "error" and error.ename == "CheckFailed"
    assert error.traceback == ["CheckFailed: scale_rows is not right yet, see the card above."]
    assert "✗ scale_rows: not right yet" in error.evalue  # for programs that read the notebook


def test_a_curve_is_drawn(outputs):
    card, _ = outputs["curve"]
    assert "<svg" in _html(card)


def test_an_exception_names_the_learners_cells(outputs):
    card, _ = outputs["raising"]
    assert "raised AttributeError" in _html(card)
    assert "in broken: return helper(x, factors).nothing" in _html(card)
    assert "Cell In[7], line 2" in _html(card)
    assert "calling.py" not in _html(card)


def test_an_untouched_stub_does_not_raise(outputs):
    (shown,) = outputs["untouched"]
    assert "not attempted yet (Exercise 99.1)" in _html(shown)


def test_an_endless_loop_is_stopped_and_the_kernel_lives(outputs):
    card, error = outputs["endless"]
    assert "stopped after 0.5 s" in _html(card)
    assert error.ename == "CheckFailed"
    assert outputs["alive"][0].text == "still alive\n"
