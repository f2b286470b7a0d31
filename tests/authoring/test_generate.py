"""What is derived from a source: the same bytes on every run and place, readable by jupytext, nbformat and Python."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from tiny_chapter import NAME, TINY

from course_utils import CourseError, __version__
from course_utils.authoring import build, check, parse
from course_utils.authoring.chapter import Cell
from course_utils.authoring.markers import split
from course_utils.authoring.views import cell_ids

DERIVED = [f"chapters/{NAME}.py", f"chapters/{NAME}.ipynb", f"solutions/{NAME}.ipynb", "chapters/manifest.json"]


def contents(root: Path) -> dict[str, bytes]:
    return {name: (root / name).read_bytes() for name in DERIVED}


def stub_of(body: str, exercise: str = "21.1") -> str:
    return split(Cell("code", body), exercise).stub.source


def test_build_writes_everything_once(course):
    assert sorted(p.relative_to(course).as_posix() for p in build(course)) == sorted(DERIVED)
    before = contents(course)
    assert build(course) == []
    assert contents(course) == before
    assert not any(b"\r" in data for data in before.values())


def test_same_bytes_in_another_folder_and_another_process(course, tmp_path):
    build(course)
    other = tmp_path / "elsewhere" / "deep"
    shutil.copytree(course / "solutions", other / "solutions", ignore=shutil.ignore_patterns("*.ipynb"))
    code = "import sys, pathlib; from course_utils.authoring import build; build(pathlib.Path(sys.argv[1]))"
    env = os.environ | {"PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", code, str(other)], check=True, cwd=tmp_path, env=env)
    assert contents(other) == contents(course)


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(course, write, tmp_path):
    build(course)
    other = write("\ufeff" + TINY.replace("\n", "\r\n"), root=tmp_path / "windows")
    build(other)
    assert contents(other) == contents(course)


def test_nothing_is_written_when_a_source_is_wrong(write):
    root = write(TINY.replace("# END SOLUTION", ""))
    with pytest.raises(CourseError):
        build(root)
    assert not (root / "chapters").exists()


def test_jupytext_reads_the_script_as_the_notebook(course):
    build(course)
    script = jupytext.read(course / f"chapters/{NAME}.py")
    notebook = nbformat.read(course / f"chapters/{NAME}.ipynb", as_version=4)
    assert [(c.cell_type, c.source, c.metadata.get("tags", [])) for c in script.cells] == [
        (c.cell_type, c.source, c.metadata.get("tags", [])) for c in notebook.cells
    ]
    assert script.metadata["kernelspec"] == notebook.metadata["kernelspec"]
    assert script.metadata["course"] == notebook.metadata["course"] == {
        "id": "21", "title": "Tiny: doubling", "minutes": 20, "prerequisites": ["11"], "version": __version__,
    }  # fmt: skip
    text = (course / f"chapters/{NAME}.py").read_text(encoding="utf-8")
    assert "jupytext" not in text
    assert "SOLUTION" not in text
    assert "solution" not in text.split("# ---")[1]


def test_notebooks_are_valid_and_laid_out_as_jupyter_saves_them(course):
    build(course)
    for name in DERIVED[1:3]:
        text = (course / name).read_text(encoding="utf-8")
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
        assert nbformat.writes(notebook).rstrip("\n") + "\n" == text
        for cell in notebook.cells:
            assert set(cell.metadata) <= {"tags"}
            assert cell.cell_type == "markdown" or (cell.outputs == [] and cell.execution_count is None)


def test_learner_sees_stubs_and_the_reader_whole_answers(course):
    build(course)
    learner = nbformat.read(course / f"chapters/{NAME}.ipynb", as_version=4)
    solution = nbformat.read(course / f"solutions/{NAME}.ipynb", as_version=4)
    given = "\n".join(cell.source for cell in learner.cells)
    solved = "\n".join(cell.source for cell in solution.cells)
    assert 'raise NotImplementedError("Exercise 21.1: replace this line with your code")' in given
    assert "seven = ...\nchecks" in given
    assert "return helper(x) + x" not in given
    assert "secret" not in given
    assert "secret = 1" in solved
    assert "return helper(x) + x" in solved
    assert "STUB" not in solved
    assert "BEGIN SOLUTION" not in solved
    tags = [cell.metadata.get("tags") for cell in solution.cells if "evidence" in cell.metadata.get("tags", [])]
    assert tags == [["evidence", "nbval-check-output"]] * 2
    assert ["evidence"] in [cell.metadata.get("tags") for cell in learner.cells]


def test_untouched_chapter_runs_to_its_end(course):
    build(course)
    done = subprocess.run(
        [sys.executable, f"chapters/{NAME}.py"], cwd=course, capture_output=True, text=True, encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("not attempted yet") == 2
    assert "doubled 6" in done.stdout


def test_manifest(course):
    build(course)
    manifest = json.loads((course / "chapters/manifest.json").read_text(encoding="utf-8"))
    assert (manifest["version"], manifest["course"]) == (1, __version__)
    (chapter,) = manifest["chapters"]
    exercises = chapter.pop("exercises")
    assert chapter == {
        "id": "21", "slug": "tiny_chapter", "file": NAME, "title": "Tiny: doubling", "minutes": 20, "prerequisites": ["11"],
    }  # fmt: skip
    notebook = nbformat.read(course / f"chapters/{NAME}.ipynb", as_version=4)
    sources = {cell.id: cell.source for cell in notebook.cells}
    for exercise in exercises:
        assert sources[exercise["cell"]] == exercise["stub"]
    first, second = exercises
    assert {k: first[k] for k in ("id", "title", "difficulty", "importance", "minutes", "deeper", "name", "check")} == {
        "id": "21.1", "title": "Double it", "difficulty": 2, "importance": 3, "minutes": 10, "deeper": False,
        "name": "double", "check": "toy.test_double",
    }  # fmt: skip
    assert first["hints"] == ["Two of them.", "$x + x$"]
    assert second["deeper"] is True
    assert second["hints"] == ["a", "b"]


def test_lines_of_the_source_are_known(course):
    chapter = parse(course / "solutions" / f"{NAME}.py", course)
    lines = TINY.split("\n")
    for cell in chapter.cells:
        first = cell.source.split("\n")[0]
        assert lines[cell.line - 1] == (f"# {first}" if cell.kind == "markdown" else first)


def test_cell_ids():
    cells = [Cell("code", "x = 1"), Cell("markdown", "x = 1"), Cell("code", "x = 1"), Cell("code", "x = 1")]
    first, other, second, third = cell_ids(cells)
    assert len(first) == 8
    assert first != other
    assert (second, third) == (f"{first}-2", f"{first}-3")


RAISE = 'raise NotImplementedError("Exercise 21.1: replace this line with your code")'
STUBS = [
    ("no stub line", "def f():\n    # BEGIN SOLUTION\n    return 1\n    # END SOLUTION", f"def f():\n    {RAISE}"),
    (
        "stub lines keep their indentation",
        "def f():\n    # BEGIN SOLUTION\n    # STUB: for i in range(3):\n    for i in range(4):\n        # STUB: pass\n"
        "        go(i)\n    # STUB:\n    # STUB:     deeper\n    # END SOLUTION",
        "def f():\n    for i in range(3):\n        pass\n\n        deeper",
    ),
    (
        "several blocks",
        "def f():\n    # BEGIN SOLUTION\n    a = 1\n    # END SOLUTION\n    b = 2\n    # BEGIN SOLUTION\n    # STUB: c = ...\n"
        "    c = 3\n    # END SOLUTION\n    return c",
        f"def f():\n    {RAISE}\n    b = 2\n    c = ...\n    return c",
    ),
    (
        "nested and async",
        "async def f():\n    def g():\n        # BEGIN SOLUTION\n        return 1\n        # END SOLUTION\n\n    return g",
        f"async def f():\n    def g():\n        {RAISE}\n\n    return g",
    ),
    ("top level", "# BEGIN SOLUTION\n# STUB: x = ...\nx = 1\n# END SOLUTION", "x = ..."),
    (
        "a method",
        "class A:\n    def f(self):\n        # BEGIN SOLUTION\n        return 1\n        # END SOLUTION",
        f"class A:\n    def f(self):\n        {RAISE}",
    ),
]


@pytest.mark.parametrize(("body", "stub"), [s[1:] for s in STUBS], ids=[s[0] for s in STUBS])
def test_stub(body, stub):
    assert stub_of(body) == stub
    assert split(Cell("code", body), "21.1").errors == ()


def test_no_chapters_at_all(tmp_path):
    (path,) = build(tmp_path)
    assert json.loads(path.read_text(encoding="utf-8"))["chapters"] == []
    assert check(tmp_path) == []
