"""What did the papers report, and what comes out here? Every chapter's table, gathered from the executed notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from course_utils.authoring.chapter import Chapter
from course_utils.book.executed import Output
from course_utils.book.tables import split_tables, table_html

INTRO = """# Evidence

Each chapter ends in a table: what the paper reports, what came out here, a control that could have refuted the claim,
how the setting differs, and a verdict. This page gathers them. The numbers are what the notebooks print when they are
run; the course's tests run them again and compare.
"""
COLUMNS = ("claim", "verdict")


def evidence_page(chapters: Sequence[Chapter], outputs: Mapping[str, Sequence[Sequence[Output]]]) -> str:
    """The page's Markdown. Says first how many claims hold and lists the ones that do not."""
    tables = {chapter.id: evidence_tables(outputs[chapter.id]) for chapter in chapters}
    rows = [
        (chapter, dict(zip(table[0], row, strict=True)))
        for chapter in chapters
        for table in tables[chapter.id]
        for row in table[1:]
    ]
    failing = [(chapter, row) for chapter, row in rows if not row["verdict"].startswith("holds")]
    parts = [INTRO, f"{len(rows)} claims are tested; {len(rows) - len(failing)} of them hold as stated."]
    if failing:
        parts.append("These come out otherwise, or only in part:\n")
        parts += [
            f"* [Chapter {chapter.id}](chapters/{chapter.file}.ipynb), “{row['claim']}”: {row['verdict']}. {_numbers(row)}"
            for chapter, row in failing
        ]
    for chapter in chapters:
        parts.append(f"\n## {chapter.id} · {chapter.title}\n\n[To the chapter](chapters/{chapter.file}.ipynb)\n")
        for table in tables[chapter.id]:
            label = f"Evidence of chapter {chapter.id}"
            parts.append(f'<div class="table-scroll">\n{table_html(table, label)}</div>\n')
    return "\n".join(parts) + "\n"


def _numbers(row: Mapping[str, str]) -> str:
    said = {"The paper": row.get("paper", ""), "Ours": row.get("ours", "")}
    return " ".join(f"{who}: {what}." for who, what in said.items() if what)


def evidence_tables(outputs: Sequence[Sequence[Output]]) -> list[list[list[str]]]:
    """The tables of claims among a chapter's outputs: rows of cells, the columns' names first."""
    texts = [str(output["text"]) for cell in outputs for output in cell if "text" in output]
    pieces = [piece for text in texts for piece in split_tables(text)]
    return [piece for piece in pieces if not isinstance(piece, str) and set(COLUMNS) <= set(piece[0])]
