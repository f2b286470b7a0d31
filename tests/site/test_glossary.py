"""The glossary is in order, each term is explained once, and its chapter really uses it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
CHAPTERS = {path.name[:2]: path for path in sorted((ROOT / "solutions").glob("[0-9][0-9]_*.py"))}
GROUP = re.compile(r"^```\{glossary\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LAST_WORDS = re.compile(r"Chapter (\d\d)\.$|Chapters (\d\d) and (\d\d)\.$")


class Entry(NamedTuple):
    """One definition, and the terms that stand over it."""

    terms: list[str]
    definition: str

    @property
    def chapters(self) -> list[str]:
        """The numbers in the last words; none if they are not of the form wanted."""
        found = LAST_WORDS.search(self.definition)
        return [number for number in found.groups() if number] if found else []


def entry(block: str) -> Entry:
    lines = block.splitlines()
    terms = [line for line in lines if not line.startswith(" ")]
    return Entry(terms, " ".join(line.strip() for line in lines[len(terms) :]))


def plain(text: str) -> str:
    """Words as a reader sees them: no emphasis, no marks of code and formulas, single spaces, lower case."""
    text = re.sub(r"\\text\{(\w+)\}", r"\1", text)
    return " ".join(re.sub(r"[*`$]", "", text).split()).casefold()


def prose(source: str) -> str:
    """The markdown cells of a chapter's source."""
    cells = re.split(r"^# %%", source, flags=re.MULTILINE)
    marked = [cell.partition("\n")[2] for cell in cells if cell.startswith(" [markdown]")]
    return plain("\n".join(re.sub(r"^# ?", "", line) for cell in marked for line in cell.splitlines()))


def word(term: str) -> re.Pattern[str]:
    """The term as a whole word; what stands in brackets after it says only in which sense it is meant."""
    return re.compile(rf"(?<!\w){re.escape(plain(term.partition(' (')[0]))}(?!\w)")


TEXT = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
GROUPS = [[entry(block) for block in body.strip("\n").split("\n\n")] for body in GROUP.findall(TEXT)]
ENTRIES = [each for group in GROUPS for each in group]


@pytest.fixture(scope="module")
def spoken() -> dict[str, str]:
    return {number: prose(path.read_text(encoding="utf-8")) for number, path in CHAPTERS.items()}


def test_every_group_has_a_heading():
    assert TEXT.startswith("# Glossary\n")
    assert len(GROUPS) == TEXT.count("\n## ") == TEXT.count("```{glossary}") > 1
    assert all(each.terms and each.definition for each in ENTRIES)


def test_no_term_is_explained_twice():
    counts = Counter(term.casefold() for each in ENTRIES for term in each.terms)
    assert [term for term, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group[0].terms[0])
def test_a_group_is_in_order(group: list[Entry]):
    first = [each.terms[0] for each in group]
    assert first == sorted(first, key=str.casefold)


def test_a_definition_ends_with_chapters_that_exist():
    assert [each.terms[0] for each in ENTRIES if not each.chapters or not set(each.chapters) <= set(CHAPTERS)] == []


def test_the_chapters_use_the_terms(spoken: dict[str, str]):
    """Each chapter that is named has the term in one of its spellings, and each spelling stands in one that is named."""
    unused = [
        (each.terms[0], number)
        for each in ENTRIES
        for number in each.chapters
        if not any(word(term).search(spoken[number]) for term in each.terms)
    ]
    strange = [
        term
        for each in ENTRIES
        for term in each.terms
        if not any(word(term).search(spoken[number]) for number in each.chapters)
    ]
    assert (unused, strange) == ([], [])
