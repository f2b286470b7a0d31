"""What does the library offer, and where is it described? The pages of the API reference, in the order data flows.

The pages hold directives only; Sphinx takes what they show from the docstrings (see ``book/conf.py``).
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

PACKAGE = "course_utils"
ROOT = Path(__file__).resolve().parents[1]


class Group(NamedTuple):
    """One page: its title, what is found there, and the modules in reading order (without ``course_utils.``)."""

    title: str
    about: str
    modules: tuple[str, ...]


GROUPS: dict[str, Group] = {
    "tasks": Group(
        "Tasks",
        "What is learnt. Each module is a data-generating process: a seed goes in, tensors come out.",
        (
            "tasks.modular",
            "tasks.repeats",
            "tasks.skip_trigrams",
            "tasks.othello",
            "tasks.othello_tree",
            "tasks.bitboards",
            "tasks.testbed",
        ),
    ),
    "models": Group(
        "Models and hooks",
        "Networks small enough to be understood completely, with a name for every activation in them.",
        ("models.transformer", "models.mlp", "models.hooks", "models.fused", "models.modular_shortcut"),
    ),
    "training": Group(
        "Training and the zoo",
        "From a recipe to a run, and the trained models that ship with the course.",
        (
            "training",
            "gradients",
            "muon",
            "consolidation",
            "checkpoints",
            "zoo",
            "zoo.problems",
            "zoo.subsets",
            "zoo.sequences",
            "zoo.othello",
            "zoo.testbed",
        ),
    ),
    "circuits": Group(
        "Circuits and heads",
        "A transformer as a sum of paths: what each part reads, what it writes, and what happens without it.",
        ("circuits", "heads", "patching"),
    ),
    "fourier": Group(
        "Fourier and grokking",
        "The waves that a network computes with, and how the circuit that uses them grows.",
        ("fourier", "progress"),
    ),
    "efficiency": Group(
        "Efficiency",
        "Why one circuit takes over from another, and when it gives way again.",
        ("efficiency", "efficiency_simulation"),
    ),
    "probes": Group(
        "Probes and world models",
        "What can be read off a network's activations, and whether the network uses it.",
        ("probes", "board_probes", "probe_directions", "interventions", "legality"),
    ),
    "knowledge": Group(
        "CCS and latent knowledge",
        "Answers found in a network without labels, and what else might have been found in their place.",
        ("contrast", "ccs", "directions", "latent", "elk", "elk_methods", "elk_beds"),
    ),
    "sweeps": Group(
        "Sweeps and clusters",
        "Many runs: on several cores or machines, without losing any, and the tables that the course made so.",
        (
            "sweeps",
            "cluster",
            "rows",
            "zoo.tables",
            "zoo.efficiency_tables",
            "zoo.ungrokking_tables",
            "zoo.sequence_tables",
        ),
    ),
    "figures": Group(
        "Figures",
        "Functions from tensors to plotly figures, in one house style.",
        (
            "plots.style",
            "plots.lines",
            "plots.comparisons",
            "plots.clouds",
            "plots.labels",
            "plots.modular",
            "plots.grokking",
            "plots.efficiency",
            "plots.circuits",
            "plots.othello",
            "plots.ccs",
        ),
    ),
    "checks": Group(
        "Evidence and checks",
        "What the author of a chapter uses: numbers that print alike everywhere, and checks that explain themselves.",
        (
            "evidence",
            "checks",
            "checks.framework",
            "checks.calling",
            "checks.expectations",
            "checks.diagnosis",
            "checks.outcome",
            "errors",
        ),
    ),
    "interop": Group(
        "Interop",
        "Models from here in other libraries, and models of other libraries here.",
        ("interop", "hf"),
    ),
}

# Modules that are on no page, each with all that lies below it unless that is on a page itself.
INTERNAL: dict[str, str] = {
    "__main__": "the command line",
    "authoring": "derives chapters from their sources",
    "book": "makes this site",
    "checks": "how checks work inside, and the checks of each topic",
    "cli": "the command line",
    "commands": "the command line",
    "installation": "behind `course doctor`",
    "manifest": "behind the command line: what the chapters contain",
    "models": "the package: its modules are on the pages",
    "paths": "behind the command line: where things are",
    "plots": "the package: its modules are on the pages",
    "plots.othello_boards": "how `plots.othello` draws",
    "plots.othello_cells": "shown as part of `plots.othello`",
    "plots.othello_positions": "what `plots.othello` says",
    "restoring": "behind `course reset`",
    "running": "runs learners' files",
    "tasks": "the package: its modules are on the pages",
    "workspace": "behind the command line: the learner's files",
    "zoo.batches": "behind the zoo's problems: which examples a step sees",
    "zoo.entry": "shown as part of `zoo`",
    "zoo.othello_recipes": "entries of the zoo, shown as `zoo.ENTRIES`",
    "zoo.recipes": "entries of the zoo, shown as `zoo.ENTRIES`",
    "zoo.sequence_recipes": "entries of the zoo, shown as `zoo.ENTRIES`",
    "zoo.store": "shown as part of `zoo`",
    "zoo.testbed_recipes": "entries of the zoo, shown as `zoo.ENTRIES`",
    "zoo.workshop": "shown as part of `zoo`",
}

# What these modules list in ``__all__`` from elsewhere is shown where it is defined.
OWN_MEMBERS_ONLY = frozenset({"elk", "checks", "checks.framework"})

# A package has no source order of its own.
ORDERED = {
    "zoo": (
        "names",
        "load",
        "card",
        "history",
        "snapshot_steps",
        "table",
        "neuron_logit_map",
        "entry",
        "Entry",
        "rebuild",
        "verify",
        "make_table",
    )
}


def api_pages() -> dict[str, str]:
    """The reference's pages: file name in the Sphinx source tree → text in MyST."""
    pages = {"api/index.md": _index()}
    for name, group in GROUPS.items():
        pages[f"api/{name}.md"] = _page(group)
    return pages


def forgotten() -> list[str]:
    """Which modules of the library are neither on a page nor said to be internal?"""
    shown = {module for group in GROUPS.values() for module in group.modules}
    return [module for module in modules() if module not in shown and not is_internal(module)]


def modules() -> list[str]:
    """Every public module below ``course_utils``, without that name and a dot, in alphabetical order."""
    found = []
    for file in ROOT.rglob("*.py"):
        parts = file.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if parts and not any(part.startswith("_") and part != "__main__" for part in parts):
            found.append(".".join(parts))
    return sorted(found)


def is_internal(module: str) -> bool:
    """Is the module, or a package around it, among those that are on no page?

    A package whose modules are on the pages speaks for itself only, so that a new module in it is not forgotten.
    """
    shown = {module for group in GROUPS.values() for module in group.modules}
    for name in INTERNAL:
        open_package = name != "checks" and any(other.startswith(f"{name}.") for other in shown)
        if module == name or (module.startswith(f"{name}.") and not open_package):
            return True
    return False


def question(module: str) -> str:
    """The first sentence of a module's docstring, in Markdown."""
    parts = ROOT.joinpath(*module.split("."))
    file = parts / "__init__.py" if parts.is_dir() else parts.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(docstring.split("\n\n")[0].split())
    sentence = re.split(r"(?<=[.?])\s+(?=[A-Z`'‘])", paragraph)[0]
    return re.sub(r":(\w+):`", r"{py:\1}`", sentence).replace("|", "\\|")


def _index() -> str:
    tables = []
    for name, group in GROUPS.items():
        rows = [f"| {{py:mod}}`{module} <{PACKAGE}.{module}>` | {question(module)} |" for module in group.modules]
        tables.append(
            "\n".join([f"## [{group.title}]({name}.md)", "", "| module | question |", "| --- | --- |", *rows])
        )
    toctree = "\n".join(["```{toctree}", ":hidden:", "", *GROUPS, "```"])
    return "\n\n".join(["# API reference", _INTRODUCTION, *tables, toctree]) + "\n"


_INTRODUCTION = """\
Everything that the chapters use is a library that you can use without them: `import course_utils`. Modules are listed in
the order data flows: tasks, models, training, analysis, figures. Each answers one question.

Shapes are part of the signatures, in the notation of [jaxtyping](https://docs.kidger.site/jaxtyping/):
`Float[Tensor, "batch pos d_model"]` is a tensor of floating-point numbers with three axes. The same name stands for the
same length throughout a signature, `*rest` for any number of axes, and `""` for a scalar."""


def _page(group: Group) -> str:
    sections = [_section(module) for module in group.modules]
    return "\n\n".join([f"# {group.title}", group.about, *sections]) + "\n"


def _section(module: str) -> str:
    if module in ORDERED:
        lines = [f".. automodule:: {PACKAGE}.{module}", ""]
        for member in ORDERED[module]:
            kind = "class" if member[0].isupper() else "function"
            lines.append(f".. auto{kind}:: {PACKAGE}.{module}.{member}")
    else:
        lines = [f".. automodule:: {PACKAGE}.{module}", "   :members:", "   :member-order: bysource"]
        if module in OWN_MEMBERS_ONLY:
            lines.append("   :ignore-module-all:")
    directive = "\n".join(lines)
    package, _, name = f"{PACKAGE}.{module}".rpartition(".")
    return "\n\n".join(
        [
            f"## `{module}`",
            f"```{{code-block}} python\n:class: api-import\n\nfrom {package} import {name}\n```",
            f"```{{eval-rst}}\n{directive}\n```",
        ]
    )
