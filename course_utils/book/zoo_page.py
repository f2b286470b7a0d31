"""What does the zoo hold, and where is each network used? The page is made from the cards."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from itertools import groupby

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
    """The page's Markdown: a section a family of networks, then the tables. Seeds of one recipe share an entry."""
    names = list(zoo.names())
    hours = number(sum(zoo.card(name)["seconds"] for name in names) / 3600, 1e-1)
    parts = [INTRO, f"There are {len(names)} networks. Training them all takes about {hours} hours of one CPU core.\n"]
    for family, members in groupby(names, key=_family):
        parts.append(f"## {family}\n")
        parts += [_entry(list(seeds), chapters) for _, seeds in groupby(members, key=_without_seed)]
    parts.append(TABLES_INTRO)
    for name, table in zoo.TABLES.items():
        runs = f"{len(zoo.table(name)):,} runs."
        parts.append(f"(zoo-{name})=\n### `{name}`\n\n{table.about}\n\n{runs} {_used([name], chapters)}\n")
    return "\n".join(parts)


def _family(name: str) -> str:
    """Networks whose names begin with the same word are of one family."""
    families = {
        "modular": "Modular arithmetic",
        "othello": "Othello",
        "testbed": "Small worlds for latent knowledge",
    }
    return families.get(name.split("-")[0], "Text with circuits in it")


def _without_seed(name: str) -> str:
    return re.sub(r"-\d+$", "", name)


def _entry(names: Sequence[str], chapters: Sequence[Chapter]) -> str:
    title = ", ".join(f"`{name}`" for name in names)
    targets = "".join(f"(zoo-{name})=\n" for name in names)
    about = zoo.card(names[0])["about"]
    return f"{targets}### {title}\n\n{about} {_used(names, chapters)}\n\n{''.join(map(_facts, names))}"


def _facts(name: str) -> str:
    card = zoo.card(name)
    recipe, snapshots = card["recipe"], len(zoo.snapshot_steps(name))
    facts = {
        "trained": f"{recipe['steps']:,} steps in {_time(card['seconds'])}, seed {recipe['seed']}",
        "snapshots": f"{snapshots} moments of training" if snapshots > 1 else "the last step",
        "recipe": f"<code>{card['digest']}</code>",
        "measured": ", ".join(f"{key.replace('_', ' ')} {_value(value)}" for key, value in card["metrics"].items()),
    }
    rows = "".join(f"<div><dt>{key}</dt><dd>{value}</dd></div>" for key, value in facts.items())
    whole = html.escape(json.dumps(card, indent=1, ensure_ascii=False))
    summary = f"The card of {name}"
    return (
        f'<dl class="facts">{rows}</dl>\n'
        f'<details class="zoo-card"><summary>{summary}</summary><pre tabindex="0">{whole}</pre></details>\n\n'
    )


def _used(names: Sequence[str], chapters: Sequence[Chapter]) -> str:
    using = [chapter for chapter in chapters if any(_loads(chapter, name) for name in names)]
    links = [f"[{chapter.id}](chapters/{chapter.file}.ipynb)" for chapter in using]
    if not links:
        return ""
    return f"Used in chapter{'s' * (len(links) > 1)} {' and '.join(filter(None, [', '.join(links[:-1]), links[-1]]))}."


def _loads(chapter: Chapter, name: str) -> bool:
    """Does the chapter's code hold the name, or put it together as in ``f"testbed-{world}-{seed}"``?"""
    code = "\n".join(cell.source for cell in chapter.cells if cell.kind == "code")
    family, _, world = _without_seed(name).partition("-")
    together = f'f"{family}-{world}-{{' in code or (f'f"{family}-{{' in code and f'"{world}"' in code)
    return f'"{name}"' in code or together


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
