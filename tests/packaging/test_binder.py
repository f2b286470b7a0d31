"""The environment for repo2docker names what exists, in the versions that the course pins."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from course_utils.cli import app

ROOT = Path(__file__).resolve().parents[2]
BINDER = ROOT / ".binder"
LINES = [
    line
    for line in (BINDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
POST_BUILD = BINDER / "postBuild"


def test_only_files_that_repo2docker_reads() -> None:
    assert {path.name for path in BINDER.iterdir()} == {"requirements.txt", "runtime.txt", "postBuild"}


def test_torch_is_the_cpu_build_of_the_pinned_version() -> None:
    [pinned] = re.findall(r"^torch==(\S+)", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert f"torch=={pinned}+cpu" in LINES
    assert "--extra-index-url https://download.pytorch.org/whl/cpu" in LINES
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"torch=={pinned} --index-url https://download.pytorch.org/whl/cpu" in readme


def test_pins_and_extras_exist() -> None:
    [pins] = [line.removeprefix("-c ") for line in LINES if line.startswith("-c ")]
    assert (BINDER / pins).resolve() == ROOT / "constraints.txt"  # pip looks beside the file that names it
    [extras] = [re.fullmatch(r"-e \.\[(.+)\]", line)[1] for line in LINES if line.startswith("-e ")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    python = (BINDER / "runtime.txt").read_text(encoding="utf-8").strip()
    assert f"Programming Language :: Python :: {python.removeprefix('python-')}" in project["classifiers"]


def test_what_runs_after_the_build_exists() -> None:
    text = POST_BUILD.read_bytes().decode()
    assert text.startswith("#!/bin/bash\n") and "\r" not in text
    named = set(re.findall(r"^course (\w+)", text, re.MULTILINE))
    assert named and named <= set(get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such bit; git has it")
def test_it_can_be_run() -> None:
    assert os.access(POST_BUILD, os.X_OK)
    if (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-s", ".binder/postBuild"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        assert not listed or listed.startswith("100755")
