"""Which works does the course rest on, and in which chapters?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.authoring.chapter import Chapter

if TYPE_CHECKING:
    from pybtex.database import Entry

INTRO = """# Bibliography

What the chapters cite, and where. {download}`The same as BibTeX <references.bib>`.
"""


def bibliography_page(references: Path, chapters: Sequence[Chapter]) -> str:
    """The page's Markdown: each entry of the BibTeX file, sorted by author and year, with the chapters that link to it."""
    from pybtex.database import parse_file

    entries = parse_file(str(references), bib_format="bibtex").entries
    cited = {key: [c for c in chapters if _links(c, entry.fields["url"])] for key, entry in entries.items()}
    ordered = sorted(entries.items(), key=lambda item: (_authors(item[1]).lower(), item[1].fields["year"], item[0]))
    return INTRO + "\n" + "\n".join(_item(key, entry, cited[key]) for key, entry in ordered)


def _links(chapter: Chapter, url: str) -> bool:
    return any(f"({url})" in cell.source for cell in chapter.cells if cell.kind == "markdown")


def _item(key: str, entry: Entry, chapters: Sequence[Chapter]) -> str:
    fields = entry.fields
    where = next((fields[name] for name in ("booktitle", "journal", "howpublished", "publisher") if name in fields), "")
    title = _plain(fields["title"])
    text = f"{_authors(entry)} ({fields['year']}). [{title}]({fields['url']})"
    text += "" if title[-1] in ".?!" else "."
    text += f" *{_plain(where)}*." if where else ""
    if "eprint" in fields:
        text += f" arXiv {fields['eprint']}."
    if chapters:
        links = ", ".join(f"[{chapter.id}](chapters/{chapter.file}.ipynb)" for chapter in chapters)
        text += f" Chapter{'s' * (len(chapters) > 1)} {links}."
    return f"({_anchor(key)})=\n{text}\n"


def _anchor(key: str) -> str:
    return f"ref-{key}"


def _authors(entry: Entry) -> str:
    people = entry.persons.get("author", [])
    names = [_plain(" ".join([*p.prelast_names, *p.last_names])) for p in people]
    if names and names[-1] == "others":
        return f"{', '.join(names[:-1])} et al."
    if len(names) > 8:
        return f"{', '.join(names[:6])} et al."
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _plain(text: str) -> str:
    """BibTeX text without its braces and escapes."""
    return re.sub(r"\\([&%$#_])", r"\1", re.sub(r"(?<!\\)[{}]", "", text)).replace("--", "–")
