"""What does the zoo hold, and where is each network used? The page is made from the cards."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence

from course_utils import zoo
from course_utils.authoring.chapter import Chapter
from course_utils.evidence import number

INTRO = """# The zoo

Every network of the course was trained by the course, from a recipe in its code, and ships with it: nothing is
downloaded. `zoo.load("name")` gives a network, `zoo.load("name", step=…)` an earlier moment of its training, where
there are snapshots. Its *card* says how it came to be. `course verify` measures again, from the shipped weights,
what the cards claim; `course train NAME` trains a network again.
"""
TABLES_INTRO = """## Tables of many runs

Some questions need hundreds of runs. Their results ship as tables: `zoo.table("name")` reads one, and
`course sweep NAME` makes it again.
"""


def zoo_page(chapters: Sequence[Chapter]) -> str:
    """The page's Markdown: a section a family of networks (one problem at several seeds counts once), then the tables."""
    parts = [INTRO]
    used = {name: [chapter for chapter in chapters if _mentions(chapter, name)] for name in (*zoo.names(), *zoo.TABLES)}
    total = sum(zoo.card(name)["seconds"] for name in zoo.names())
    parts.append(
        f"There are {len(list(zoo.names()))} networks. Training them all takes about {number(total / 3600, 1e-1)} hours "
        "of one CPU core.\n"
    )
    families: dict[str, list[str]] = {}
    for name in zoo.names():
        families.setdefault(_family(name), []).append(name)
    for family, names in families.items():
        parts.append(f"## {family}\n")
        parts += [_entry(name, used[name]) for name in names]
    parts.append(TABLES_INTRO)
    for name, table in zoo.TABLES.items():
        parts.append(
            f"({_anchor(name)})=\n### `{name}`\n\n{table.about}\n\n{len(zoo.table(name)):,} runs. {_used(used[name])}\n"
        )
    return "\n".join(parts)


def _mentions(chapter: Chapter, name: str) -> bool:
    return any(f'"{name}"' in cell.source for cell in chapter.cells if cell.kind == "code")


def _family(name: str) -> str:
    """Networks whose names begin with the same word are of one family."""
    return {
        "modular": "Modular arithmetic",
        "othello": "Othello",
        "testbed": "Small worlds for latent knowledge",
    }.get(name.split("-")[0], "Text with circuits in it")


def _anchor(name: str) -> str:
    return f"zoo-{name}"


def _entry(name: str, chapters: Sequence[Chapter]) -> str:
    card = zoo.card(name)
    recipe = card["recipe"]
    snapshots = len(zoo.snapshot_steps(name))
    facts = {
        "trained": f"{recipe['steps']:,} steps in {_time(card['seconds'])}, seed {recipe['seed']}",
        "snapshots": f"{snapshots} moments of training" if snapshots > 1 else "the last step",
        "recipe": f"<code>{card['digest']}</code>",
        "measured": ", ".join(f"{key.replace('_', ' ')} {_value(value)}" for key, value in card["metrics"].items()),
    }
    rows = "".join(f"<div><dt>{key}</dt><dd>{value}</dd></div>" for key, value in facts.items() if value)
    whole = html.escape(json.dumps(card, indent=1, ensure_ascii=False))
    return (
        f"({_anchor(name)})=\n### `{name}`\n\n{card['about']} {_used(chapters)}\n\n"
        f'<dl class="facts">{rows}</dl>\n'
        f'<details class="card"><summary>The whole card</summary><pre tabindex="0">{whole}</pre></details>\n'
    )


def _used(chapters: Sequence[Chapter]) -> str:
    if not chapters:
        return ""
    links = [f"[{chapter.id}](chapters/{chapter.file}.ipynb)" for chapter in chapters]
    return f"Used in chapter{'s' * (len(links) > 1)} {' and '.join(filter(None, [', '.join(links[:-1]), links[-1]]))}."


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{key} {_value(inner)}" for key, inner in value.items()) + ")"
    if isinstance(value, float):
        return number(value, 1e-3)
    if isinstance(value, (list, tuple)):
        return " ".join(_value(inner) for inner in value)
    return str(value)
