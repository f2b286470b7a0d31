"""A Sphinx extension: the first time a chapter uses a term of the glossary, or names a chapter, the word is a link."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

CHAPTER = r"\b[Cc]hapter (?P<chapter>\d\d)\b"
LINKED_PAGES = ("chapters/",)
"""Pages in which terms become links; the numbers of chapters do so everywhere."""


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-resolved", link_terms)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def link_terms(app: Sphinx, tree: nodes.document, page: str) -> None:
    """Put the links into one page's tree."""
    chapters = {name.split("/")[1][:2]: name for name in sorted(app.env.all_docs) if re.match(r"chapters/\d\d_", name)}
    terms = _terms(app) if page.startswith(LINKED_PAGES) else {}
    words = sorted(terms, key=len, reverse=True)
    pattern = re.compile("|".join([CHAPTER, *(rf"\b(?:{re.escape(word)})\b" for word in words)]), re.I)
    seen: set[str] = set()
    for text in list(_prose(tree)):
        made: list[nodes.Node] = []
        end = 0
        for match in pattern.finditer(text.astext()):
            link = _link(app, page, match, chapters, terms, seen)
            if link is not None:
                made += [_text(text.astext()[end : match.start()]), link]
                end = match.end()
        if made:
            made.append(_text(text.astext()[end:]))
            text.parent.replace(text, [node for node in made if node.astext()])


def _terms(app: Sphinx) -> Mapping[str, tuple[str, str]]:
    """Lower-case term → (page, anchor) of its entry."""
    objects = app.env.get_domain("std").get_objects()
    return {name.lower(): (page, anchor) for name, _, kind, page, anchor, _ in objects if kind == "term"}


def _prose(tree: nodes.document) -> Iterator[nodes.Text]:
    """Text that is neither code, formula, link, nor heading."""
    from docutils import nodes
    from sphinx import addnodes

    code = (nodes.literal, nodes.literal_block, addnodes.desc_signature, nodes.raw, nodes.comment)
    apart = (*code, nodes.math, nodes.math_block, nodes.reference, nodes.title, nodes.term)
    for text in tree.findall(nodes.Text):
        node = text.parent
        while node is not None and not isinstance(node, apart):
            node = node.parent
        if node is None:
            yield text


def _link(app: Sphinx, page: str, match: re.Match, chapters: Mapping, terms: Mapping, seen: set[str]) -> Any:
    from docutils import nodes

    if match["chapter"]:
        target, anchor, kind = chapters.get(match["chapter"]), "", "to-chapter"
        key = f"chapter {match['chapter']}"
    else:
        key = match[0].lower()
        target, anchor = terms[key]
        kind = "term-link"
        key = anchor  # a term and its plural are one entry
    if target is None or target == page or (key in seen and kind == "term-link"):
        return None
    seen.add(key)
    address = app.builder.get_relative_uri(page, target) + (f"#{anchor}" if anchor else "")
    return nodes.reference("", match[0], refuri=address, internal=True, classes=[kind])


def _text(text: str) -> nodes.Text:
    from docutils import nodes

    return nodes.Text(text)
