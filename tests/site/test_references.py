"""Every paper that a chapter links to stands in the list of references, once and complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("pybtex")

from pybtex.database import parse_file

ROOT = Path(__file__).parents[2]
PAPER_SITES = (
    "alignmentforum.org",
    "arxiv.org",
    "axrp.net",
    "distill.pub",
    "docs.google.com",
    "lesswrong.com",
    "neelnanda.io",
    "openreview.net",
    "transformer-circuits.pub",
)
LINK = re.compile(
    r"""https?://(?:[\w-]+\.)*?(?:SITES)/[^\s)\]>"'`]*""".replace("SITES", "|".join(map(re.escape, PAPER_SITES)))
)


def links(text: str) -> set[str]:
    """The paper links of a chapter's source, without the punctuation that may follow them."""
    return {link.rstrip(".,;:") for link in LINK.findall(text)}


@pytest.fixture(scope="module")
def entries():
    return parse_file(str(ROOT / "book" / "references.bib"), bib_format="bibtex").entries


def test_the_pattern_finds_links():
    text = (
        "[A](https://arxiv.org/abs/2301.05217), <https://www.lesswrong.com/posts/a/b>. https://example.org/arxiv.org/1"
    )
    assert links(text) == {"https://arxiv.org/abs/2301.05217", "https://www.lesswrong.com/posts/a/b"}


def test_every_paper_that_a_chapter_links_to_is_listed(entries):
    listed = {entry.fields["url"] for entry in entries.values()}
    missing = [
        f"{path.name}: {link}"
        for path in sorted((ROOT / "solutions").glob("*.py"))
        for link in sorted(links(path.read_text(encoding="utf-8")) - listed)
    ]
    assert not missing


def test_entries_are_complete(entries):
    incomplete = [
        key
        for key, entry in entries.items()
        if not entry.persons.get("author") or any(not entry.fields.get(field) for field in ("title", "year", "url"))
    ]
    assert not incomplete


def test_no_paper_is_listed_twice(entries):
    for field in ("url", "title", "eprint"):
        values = [entry.fields[field] for entry in entries.values() if field in entry.fields]
        assert sorted(values) == sorted(set(values)), field


def test_entries_are_in_order(entries):
    assert list(entries) == sorted(entries)


def test_an_eprint_is_that_of_its_link(entries):
    for key, entry in entries.items():
        if entry.fields["url"].startswith("https://arxiv.org/"):
            assert entry.fields["url"] == f"https://arxiv.org/abs/{entry.fields.get('eprint')}", key
            assert entry.fields["archivePrefix"] == "arXiv", key
