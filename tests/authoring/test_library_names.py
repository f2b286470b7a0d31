"""Each name of the library that a chapter uses is there: known in a second, not when the cell is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

SOLUTIONS = sorted((Path(__file__).resolve().parents[2] / "solutions").glob("*.py"))


def imported(tree: ast.Module) -> dict[str, object]:
    """What the chapter imports from the library, by the name it has there. A name that is missing raises."""
    found: dict[str, object] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "course_utils":
            module = import_module(str(node.module))
            for alias in node.names:
                here = hasattr(module, alias.name)
                whole = getattr(module, alias.name) if here else import_module(f"{node.module}.{alias.name}")
                found[alias.asname or alias.name] = whole
    return found


def missing(tree: ast.Module) -> Iterator[str]:
    """Attributes of imported modules that the modules do not have; a name that the chapter binds anew is left out."""
    modules = {name: value for name, value in imported(tree).items() if isinstance(value, ModuleType)}
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = node.value.id
            if name in modules and name not in bound and not hasattr(modules[name], node.attr):
                yield f"line {node.lineno}: {name}.{node.attr}"


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_what_a_chapter_uses_of_the_library_is_there(path: Path) -> None:
    assert not list(missing(ast.parse(path.read_text(encoding="utf-8"))))


def test_a_name_that_is_not_there_is_found() -> None:
    assert list(missing(ast.parse("from course_utils import ccs\nccs.nowhere"))) == ["line 2: ccs.nowhere"]
