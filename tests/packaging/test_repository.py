"""The repository's own machinery: line ends, what ships, the test command, the CI files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from tools import test as test_command
from tools import wheel_smoke

ROOT = Path(__file__).resolve().parents[2]
needs_git = pytest.mark.skipif(
    shutil.which("git") is None or not (ROOT / ".git").exists(), reason="needs git and a clone, not an unpacked archive"
)


def git(*arguments: str) -> str:
    result = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    return result.stdout


@needs_git
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("chapters/21_x.py", {"text": "set", "eol": "lf"}),
        ("solutions/21_x.ipynb", {"text": "set", "eol": "lf"}),
        ("chapters/manifest.json", {"text": "set", "eol": "lf"}),
        (".ci/run", {"text": "set", "eol": "lf"}),
        ("no-ending", {"text": "auto", "eol": "lf"}),
        ("course_utils/zoo/weights/x.safetensors", {"text": "unset", "diff": "unset"}),
        ("docs/x.png", {"text": "unset", "diff": "unset"}),
    ],
)
def test_line_ends_are_the_same_on_every_system(path: str, expected: dict[str, str]) -> None:
    lines = git("check-attr", *expected, "--", path).splitlines()
    assert dict(tuple(line.split(": ")[1:]) for line in lines) == expected


@needs_git
def test_no_file_was_committed_with_carriage_returns() -> None:
    assert [line for line in git("ls-files", "--eol").splitlines() if line.startswith(("i/crlf", "i/mixed"))] == []


@needs_git
@pytest.mark.parametrize(
    "path", ["work/21_x.ipynb", ".venv-ci/bin/python", "dist/a.whl", "course_utils/zoo/weights/x.checkpoint"]
)
def test_what_is_yours_or_temporary_stays_out_of_git(path: str) -> None:
    assert git("check-ignore", "--no-index", path).strip() == path


@needs_git
@pytest.mark.parametrize(
    "path", ["course_utils/zoo/weights/x.safetensors", "chapters/manifest.json", "constraints.txt"]
)
def test_what_ships_is_not_ignored(path: str) -> None:
    command = ["git", "check-ignore", "--no-index", "--quiet", path]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 1


@pytest.mark.skipif(os.name == "nt", reason="the file system keeps no executable bit")
def test_ci_script_can_be_run() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    if shutil.which("bash"):
        subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=True)


def test_workflow_and_hooks_call_the_same_commands() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["test"]
    assert job["strategy"]["matrix"]["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    steps = "\n".join(step.get("run", "") for step in job["steps"])
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    for command in ("-m ruff check .", "-m mypy", "course build --check", "-m tools.wheel_smoke"):
        assert command in steps, command
        assert command in script, command
    assert "python -m tools.test" in steps
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repo["repo"] for repo in hooks["repos"]] == ["local"]


def test_import_benchmark_prints_one_line_in_the_agreed_form() -> None:
    command = [sys.executable, "-m", "benchmarks.import_time", "--repeats", "2"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    (line,) = result.stdout.splitlines()
    assert {"name", "ours", "reference", "unit", "ratio", "repeats"} <= set(json.loads(line))


def test_elsewhere_than_on_linux_notebooks_run_without_comparison(tmp_path: Path) -> None:
    tags = ["evidence", test_command.COMPARE_TAG]
    cells = [{"cell_type": "code", "metadata": {"tags": tags}, "source": "1"}, {"cell_type": "markdown", "source": "x"}]
    source = tmp_path / "21_x.ipynb"
    source.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    folder = tmp_path / "copies"
    folder.mkdir()
    (copy,) = test_command.notebooks_without_comparison([source], folder)
    read = json.loads(copy.read_text(encoding="utf-8"))
    assert [cell["metadata"]["tags"] for cell in read["cells"]] == [["evidence"], []]
    assert json.loads(source.read_text(encoding="utf-8"))["cells"] == cells


def test_wheel_contents_are_judged(tmp_path: Path) -> None:
    wheel = tmp_path / "phase_change-0.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("course_utils/_chapters/manifest.json", "course_utils/py.typed", "solutions/21_x.py"):
            archive.writestr(name, "")
    found = wheel_smoke.problems(wheel)
    assert "It should not carry solutions/21_x.py." in found
    assert len(found) == len(wheel_smoke.NEEDED) - 2 + 1
