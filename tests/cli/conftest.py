"""A small course to test the commands on: one chapter, a toy topic of checks, a workspace of its own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

TOPIC = '''
from course_utils.checks.framework import Mistake, call, check, expect, expect_close, later, value
import torch

def _double(x):
    return 2 * x

@check(reference=_double, mistakes=[Mistake("squares", lambda x: x * x, "This squares. Multiply by two.")])
def test_double(answer):
    """Twice the input."""
    x = torch.tensor([1.0, 3.0, 5.0])
    expect_close(call(answer, x), x + x, what="double(x)")

@check(reference=lambda x: 2 * x + 1)
def test_shifted(answer):
    """Twice the input and one more."""
    x = torch.tensor([1.0, 3.0])
    expect_close(call(answer, x), x + x + 1, what="shifted(x)")

@check(reference=later(lambda: 12))
def test_dozen(answer):
    """A dozen."""
    expect(value(answer, returns=int) == 12, what="your answer is not a dozen")

@check(reference=lambda x: -x)
def test_negated(answer):
    """Minus the input."""
    x = torch.tensor([1.0, 3.0])
    expect_close(call(answer, x), -x, what="negated(x)")
'''

STUBS = {
    "21.1": (
        "double",
        "Doubling",
        'def double(x):\n    """Twice x."""\n'
        '    raise NotImplementedError("Exercise 21.1: replace this line with your code")\n\n\n'
        "checks.toy.test_double(double)",
    ),
    "21.2": (
        "shifted",
        "Shifting",
        'def shifted(x):\n    """Twice x and one more."""\n'
        '    raise NotImplementedError("Exercise 21.2: replace this line with your code")\n\n\n'
        "checks.toy.test_shifted(shifted)",
    ),
    "21.3": ("dozen", "A dozen", "dozen = ...\n\nchecks.toy.test_dozen(dozen)"),
    "21.4": (
        "negated",
        "Negating",
        'def negated(x):\n    """Minus x."""\n'
        '    raise NotImplementedError("Exercise 21.4: replace this line with your code")\n\n\n'
        "checks.toy.test_negated(negated)",
    ),
}

SOLUTIONS = {
    "21.1": "def double(x):\n    return 2 * x\n\n\nchecks.toy.test_double(double)",
    "21.2": "def shifted(x):\n    return double(x) + 1\n\n\nchecks.toy.test_shifted(shifted)",
    "21.3": "dozen = 12\n\nchecks.toy.test_dozen(dozen)",
    "21.4": "def negated(x):\n    return -x\n\n\nchecks.toy.test_negated(negated)",
}

INTRO = "# Toys\n\nA puzzle."
SETUP = "import torch\n\nfrom course_utils import checks"


def library(x: str) -> str:
    return {"double": "lambda x: 2 * x", "shifted": "lambda x: 2 * x + 1", "dozen": "12", "negated": "lambda x: -x"}[x]


def layout() -> list[tuple[str, str, str]]:
    """(kind, cell id, source) of every cell of the toy chapter."""
    cells = [("markdown", "intro", INTRO), ("code", "setup", SETUP)]
    for number, (name, title, stub) in STUBS.items():
        header = f"### Exercise {number} · {title}\nDifficulty ●○○○○ · Importance ●○○○○ · 5 min\n\nDo it."
        tag = number.replace(".", "-")
        cells.append(("markdown", f"head-{tag}", header))
        cells.append(("code", f"cell-{tag}", stub))
        cells.append(("code", f"use-{tag}", f"{name} = checks.yours_or({name}, {library(name)})"))
    return cells


def notebook(cells: list[tuple[str, str, str]]) -> dict:
    out = []
    for kind, ident, source in cells:
        cell: dict = {"cell_type": kind, "id": ident, "metadata": {}, "source": source.splitlines(True)}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        out.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": out, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def script(cells: list[tuple[str, str, str]]) -> str:
    parts = ["# ---\n# jupyter:\n#   kernelspec:\n#     name: python3\n# ---\n"]
    for kind, _, source in cells:
        if kind == "markdown":
            parts.append("# %% [markdown]\n" + "\n".join(f"# {line}".rstrip() for line in source.split("\n")) + "\n")
        else:
            parts.append(f"# %%\n{source}\n")
    return "\n".join(parts)


def dump(nb: dict) -> str:
    return json.dumps(nb, indent=1, ensure_ascii=False) + "\n"


class Course:
    """The toy course on disk, and what a learner does with it."""

    def __init__(self, root: Path) -> None:
        self.chapters, self.work = root / "chapters", root / "work"
        self.chapters.mkdir()
        self.file = "21_toys"
        self.ship(layout())

    def ship(self, cells: list[tuple[str, str, str]]) -> None:
        (self.chapters / f"{self.file}.ipynb").write_text(dump(notebook(cells)), encoding="utf-8", newline="\n")
        (self.chapters / f"{self.file}.py").write_text(script(cells), encoding="utf-8", newline="\n")
        exercises = [
            {
                "id": number,
                "title": title,
                "difficulty": 1,
                "importance": 1,
                "minutes": 5,
                "deeper": number == "21.4",
                "name": name,
                "check": f"toy.test_{name}",
                "hints": [f"Think of **{name}**.", f"Nearly `{name}`: $x^2$."],
                "stub": stub,
                "cell": f"cell-{number.replace('.', '-')}",
            }
            for number, (name, title, stub) in STUBS.items()
        ]
        chapter = {"id": "21", "slug": "toys", "file": self.file, "title": "Toys", "minutes": 20, "prerequisites": []}
        data = {"version": 1, "course": "0.1.0", "chapters": [chapter | {"exercises": exercises}]}
        (self.chapters / "manifest.json").write_text(json.dumps(data), encoding="utf-8")

    @property
    def notebook(self) -> Path:
        return self.work / f"{self.file}.ipynb"

    @property
    def script(self) -> Path:
        return self.work / f"{self.file}.py"

    def solve(self, **changes: str) -> list[tuple[str, str, str]]:
        """The cells with answers: ``e1="code"`` replaces the cell of 21.1; exercises not named are solved."""
        cells = []
        for kind, ident, source in layout():
            if ident.startswith("cell-"):
                number = ident.removeprefix("cell-").replace("-", ".")
                source = changes.get(f"e{number[-1]}", SOLUTIONS[number])
            cells.append((kind, ident, source))
        return cells

    def text(self, cells: list[tuple[str, str, str]], change=lambda nb: None) -> str:
        """The notebook of these cells as JSON, after ``change`` has had its way with it."""
        nb = notebook(cells)
        change(nb)
        return dump(nb)

    def write(self, cells: list[tuple[str, str, str]], path: Path | None = None) -> Path:
        path = path or self.notebook
        path.parent.mkdir(parents=True, exist_ok=True)
        text = script(cells) if path.suffix == ".py" else dump(notebook(cells))
        path.write_text(text, encoding="utf-8", newline="\n")
        return path


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    made = Course(tmp_path)
    topics, hooks = tmp_path / "topics", tmp_path / "hooks"
    topics.mkdir()
    hooks.mkdir()
    (topics / "toy.py").write_text(TOPIC, encoding="utf-8")
    (hooks / "sitecustomize.py").write_text(
        f"import sys\nif '-m' in sys.orig_argv and 'course_utils.running.worker' in sys.orig_argv:\n"
        f"    import course_utils.checks\n    course_utils.checks.__path__.append({str(topics)!r})\n",
        encoding="utf-8",
    )
    root = str(Path(__file__).resolve().parents[2])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(hooks), root]))
    monkeypatch.setenv("COURSE_CHAPTERS", str(made.chapters))
    monkeypatch.setenv("COURSE_WORK", str(made.work))
    monkeypatch.setenv("COURSE_PROGRESS", "0")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    return made


@pytest.fixture
def run(course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """``run("check", "21")`` → (exit code, everything printed)."""
    from course_utils.cli import main

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["course", *arguments])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else (0 if stop.code is None else 1)
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return call


@pytest.fixture
def verdicts(run):
    """``verdicts("21")`` → ({exercise id: its JSON}, exit code), through ``course check --json``."""

    def call(*arguments: str) -> tuple[dict[str, dict], int]:
        code, text = run("check", *arguments, "--json")
        assert text.startswith("{"), text
        return {e["id"]: e for e in json.loads(text)["exercises"]}, code

    return call
