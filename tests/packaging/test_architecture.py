"""Imports go one way: what is learnt, models, training, analysis, figures, checks, and then what runs and shows them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[2] / "course_utils"

# A module imports from its own layer and from those before it. A package stands for all that lies in it.
LAYERS: dict[str, str] = {
    "ground": "course_utils errors paths evidence",
    "tasks": "tasks",
    "models": "models",
    "training": "training gradients muon consolidation checkpoints",
    "analysis": "circuits heads patching fourier progress efficiency efficiency_simulation probes board_probes "
    "probe_directions interventions legality contrast ccs directions latent",
    "other libraries": "interop hf",
    "sweeps": "rows sweeps cluster",
    "zoo": "zoo",  # measures its models by analysis
    "benchmark": "elk elk_beds elk_methods",
    "figures": "plots",
    "checks": "checks",  # look at all of the above; none of it looks at them
    "learners' files": "manifest workspace running restoring installation",
    "authoring": "authoring",
    "site": "book",
    "command line": "commands cli __main__",
}
LEVEL = {name: level for level, names in enumerate(LAYERS.values()) for name in names.split()}
TITLE = list(LAYERS)

# A sweep loads what a Dask cluster needs only when it runs on one.
CIRCLES = {frozenset({"sweeps", "cluster"})}


def imports(file: Path, modules: set[str]) -> set[str]:
    """The modules of the library that a file names, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{name.name}" for name in node.names}
            found |= {name if name.removeprefix("course_utils.") in modules else node.module for name in inside}
    return {name.removeprefix("course_utils.") for name in found if name.split(".")[0] == "course_utils"}


def graph() -> dict[str, set[str]]:
    files = {}
    for file in LIBRARY.rglob("*.py"):
        parts = file.relative_to(LIBRARY).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "course_utils"] = file
    return {name: imports(file, set(files)) - {name} for name, file in files.items()}


GRAPH = graph()


def layer(module: str) -> int:
    return LEVEL[module.split(".")[0]]


def test_every_module_has_a_layer() -> None:
    assert sorted({module.split(".")[0] for module in GRAPH} - set(LEVEL)) == []


@pytest.mark.parametrize("level", range(len(LAYERS)), ids=TITLE)
def test_nothing_imports_from_a_layer_above_its_own(level: int) -> None:
    upwards = [
        f"{module} ({TITLE[level]}) imports {other} ({TITLE[layer(other)]})"
        for module, others in sorted(GRAPH.items())
        if layer(module) == level
        for other in sorted(others)
        if layer(other) > level
    ]
    assert upwards == []


def reached(start: str) -> set[str]:
    seen, waiting = set[str](), [start]
    while waiting:
        new = GRAPH[waiting.pop()] - seen
        seen |= new
        waiting += new
    return seen


def test_two_modules_that_need_each_other_are_known() -> None:
    behind = {module: reached(module) for module in GRAPH}
    circles = {frozenset({one, *(o for o in behind[one] if one in behind[o])}) for one in GRAPH if one in behind[one]}
    assert circles == CIRCLES
