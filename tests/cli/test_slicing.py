"""Which statements an exercise needs."""

from __future__ import annotations

import ast

import pytest

from course_utils.running.slicing import backward_slice, drop_magics, is_check_call, parse_cell


def needed(cells: list[str], name: str, end: int) -> list[str]:
    parsed = [parse_cell(source, number) for number, source in enumerate(cells)]
    statements = [s for p in parsed for s in p.statements]
    last = max((s.key for s in statements if s.cell == end), default=(end, 0))
    before, after = backward_slice(statements, frozenset({name}), last)
    return [ast.unparse(s.node).split("\n")[0] for s in statements if s.key in before | after]


def test_the_binding_in_force_is_taken_and_its_own_needs():
    cells = ["a = 1\nb = 2\nc = 3", "a = b + 1\nunused = c", "x = a", "a = 9"]
    assert needed(cells, "x", 2) == ["b = 2", "a = b + 1", "x = a"]


def test_functions_look_up_names_when_called():
    cells = ["k = 1", "def f(x):\n    return x * k + later(x)", "def later(x):\n    k = 3\n    return k", "k = 5"]
    assert needed(cells, "f", 1) == ["k = 1", "def f(x):", "def later(x):"]


def test_changes_in_place_and_conditions_belong_to_a_name():
    cells = ["xs = []\nxs.append(1)\nxs[0] = 2\nif True:\n    xs = xs + [3]\nys = []\nys.append(4)", "z = xs"]
    assert needed(cells, "z", 1) == ["xs = []", "xs.append(1)", "xs[0] = 2", "if True:", "z = xs"]


def test_imports_are_split_and_calls_on_modules_are_left_out():
    cells = ["from a import b, c\nimport d, e.f\nb.show()\ntorch.manual_seed(0)", "z = b.x + e.f.y"]
    assert needed(cells, "z", 1) == ["from a import b", "import e.f", "torch.manual_seed(0)", "z = b.x + e.f.y"]


def test_star_imports_and_future_imports_always_run():
    cells = ["from __future__ import annotations\nfrom a import *\nimport q", "z = 1"]
    assert needed(cells, "z", 1) == ["from __future__ import annotations", "from a import *", "z = 1"]


def test_annotations_defaults_decorators_and_comprehensions_are_read_at_once():
    cells = ["T = 1\nd = 2\nw = 3\nn = 4", "@w\ndef f(x: T, y=d):\n    return [q for q in range(n) if q]"]
    assert needed(cells, "f", 1) == ["T = 1", "d = 2", "w = 3", "n = 4", "@w"]


def test_a_local_name_is_not_a_global_one():
    cells = ["logits = slow()", "def f(x):\n    logits = x\n    return logits"]
    assert needed(cells, "f", 1) == ["def f(x):"]


def test_what_parses_in_a_broken_cell_is_kept():
    parsed = parse_cell("import a\nx = (1,\n     2)\ndef f(:\n    pass\n\n@dec\ndef g():\n    return 1\n", 3)
    assert [sorted(s.binds) for s in parsed.statements] == [["a"], ["x"], ["g"]]
    assert "line 4" in parsed.error and parsed.statements[-1].node.lineno == 8


@pytest.mark.parametrize(
    ("source", "plain"),
    [
        ("%matplotlib inline\nx = 1", "pass\nx = 1"),
        ("!ls\nif x:\n    !pwd", "pass\nif x:\n    pass"),
        ("x = !ls\ny = %time f()", "x = None\ny = None"),
        ("%%time\nx = 1", "pass\nx = 1"),
        ("%%html\n<b>", "\n"),
        ("f?\ng??\n?h", "pass\npass\npass"),
    ],
)
def test_lines_for_ipython(source, plain):
    assert drop_magics(source) == plain


def test_python_that_looks_like_a_magic_is_left_alone():
    source = 'text = """\n%d\n!x\n"""\nz = (7\n%3)'
    parsed = parse_cell(source, 1)
    assert not parsed.error and len(parsed.statements) == 2


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("checks.fourier.test_basis(f)", "fourier.test_basis"),
        ("fourier.test_basis(f)", "fourier.test_basis"),
        ("test_basis(f)", "test_basis"),
        ("checks.yours_or(f, g)", ""),
        ("x = checks.fourier.test_basis(f)", ""),
    ],
)
def test_check_calls(source, name):
    assert is_check_call(ast.parse(source).body[0]) == name


@pytest.mark.parametrize("source", ["\x00", "(" * 500, "x = " + "-" * 100_000 + "1", "await f()", "return 3"])
def test_nothing_that_is_typed_breaks_the_reader(source):
    parse_cell(source, 1)
