"""What the project says about itself agrees everywhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import course_utils

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pins() -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for line in text("constraints.txt").splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line.split("  #")[0])
            found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


def test_version_is_the_same_everywhere() -> None:
    newest = re.search(r"^## (\d\S*)", text("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    versions = {
        "pyproject.toml": PROJECT["version"],
        "course_utils": course_utils.__version__,
        "CITATION.cff": yaml.safe_load(text("CITATION.cff"))["version"],
        "CHANGELOG.md": newest[1],
    }
    assert len(set(versions.values())) == 1, versions


def test_licence_files_are_there_and_say_what_they_are() -> None:
    assert all((ROOT / name).is_file() for name in PROJECT["license-files"])
    assert text("LICENSE").startswith("MIT License")
    assert "Attribution 4.0 International" in text("LICENSE-TEXT.md")
    assert yaml.safe_load(text("CITATION.cff"))["license"] == ["MIT", "CC-BY-4.0"]


@pytest.mark.parametrize("group", ["", *EXTRAS])
def test_constraints_pin_every_direct_requirement_as_it_asks(group: str) -> None:
    pinned = pins()
    for line in EXTRAS[group] if group else PROJECT["dependencies"]:
        requirement = Requirement(line)
        versions = pinned.get(canonicalize_name(requirement.name), [])
        assert versions, f"constraints.txt lacks {requirement.name}: run python -m tools.lock"
        for pin in versions:
            (exact,) = pin.specifier
            assert requirement.specifier.contains(exact.version, prereleases=True), f"{pin} against {requirement}"


def test_constraints_are_exact_and_name_no_index_and_no_machine() -> None:
    for name, versions in pins().items():
        assert all([part.operator for part in pin.specifier] == ["=="] for pin in versions), name
        # Two pins of a package apply in different environments, or pip could satisfy neither.
        assert len(versions) == 1 or all(pin.marker for pin in versions), name
    assert not re.search(r"^\s*-|://|--hash|\bfile:", text("constraints.txt"), re.MULTILINE)
    assert [str(pin) for pin in pins()["torch"]] == ["torch==2.13.0"]
