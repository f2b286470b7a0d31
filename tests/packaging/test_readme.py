"""What the README tells you to paste exists and means what it says."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from course_utils.cli import app

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
DOCUMENTS = ("README.md", "CONTRIBUTING.md")


def blocks(language: str) -> list[str]:
    return [block.strip() for block in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)]


def test_two_commands_come_first_each_one_line() -> None:
    lab, test = blocks("bash")[:2]
    assert lab.count("\n") == test.count("\n") == 0
    assert shlex.split(lab.split("&&")[-1]) == [".venv/bin/course", "lab"]
    assert shlex.split(test.split("&&")[-1]) == [".venv-test/bin/python", "-m", "tools.test"]


@pytest.mark.parametrize("command", blocks("bash") + blocks("powershell"))
def test_each_command_makes_the_environment_that_it_uses(command: str) -> None:
    environment = re.search(r"-m venv (\S+?)(;| )", command)
    assert environment is not None
    assert set(re.findall(r"\.venv[\w-]*", command)) == {environment[1]}
    extras = re.search(r'-e "\.\[([\w,]+)\]"', command)
    assert extras is not None
    assert set(extras[1].split(",")) <= set(EXTRAS)


def test_powershell_does_the_same_as_the_shell() -> None:
    def plain(command: str) -> str:
        command = command.replace("; ", " && ").replace("\\", "/").replace("/Scripts/", "/bin/")
        return command.replace("py -3 ", "python3 ")

    assert [plain(command) for command in blocks("powershell")] == blocks("bash")[:2]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_and_files_named_in_the_documents_exist(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    commands = set(get_command(app).commands)  # type: ignore[attr-defined]
    named = set(re.findall(r"[`/\\]course (\w+)", text))
    assert named <= commands, named - commands
    modules = set(re.findall(r"-m (tools\.\w+)", text))
    assert modules
    assert all((ROOT / f"{module.replace('.', '/')}.py").is_file() for module in modules)
    links = re.findall(r"\]\((?!https?:|#)([^)]+)\)", text)
    assert all((ROOT / link).exists() for link in links), links


def test_chapters_in_the_table_are_the_chapters_that_ship() -> None:
    shipped = {path.name[:2] for path in (ROOT / "chapters").glob("[0-9][0-9]_*.ipynb")}
    assert set(re.findall(r"^\| (\d\d) \|", README, re.MULTILINE)) == shipped


@pytest.mark.parametrize("code", blocks("python"))
def test_library_example_runs(code: str) -> None:
    exec(compile(code, "<the example>", "exec"), {})
