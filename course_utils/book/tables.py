"""How does a table that a chapter prints as text become a table again?"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Sequence

RULE = re.compile(r"-+(-\+-+)+")


def split_tables(text: str) -> list[str | list[list[str]]]:
    """Printed text in order: pieces of plain text, and the tables in it as rows of cells, the first the columns' names.

    A table is what ``course_utils.evidence.table`` prints, of two rows or more. Its wrapped cells are joined again.
    """
    pieces: list[str | list[list[str]]] = []
    plain: list[str] = []
    lines = text.split("\n")
    k = 0
    while k < len(lines):
        end = _end(lines, k)
        if end == k:
            plain.append(lines[k])
            k += 1
            continue
        if any(line.strip() for line in plain):
            pieces.append("\n".join(plain) + "\n")
        plain = []
        pieces.append(_rows(lines[k:end]))
        k = end
    if any(line.strip() for line in plain):
        pieces.append("\n".join(plain))
    return pieces


def _end(lines: Sequence[str], start: int) -> int:
    """The line after the table that begins at ``start``; ``start`` itself when none begins there."""
    rule = next((line for line in lines[start:] if "|" not in line), "")
    if "|" not in lines[start] or not RULE.fullmatch(rule):
        return start
    end = start
    while end < len(lines) and ("|" in lines[end] or lines[end] == rule):
        end += 1
    return end


def _rows(lines: Sequence[str]) -> list[list[str]]:
    rule = next(line for line in lines if RULE.fullmatch(line))
    edges = [0, *(match.start() + 1 for match in re.finditer(r"-\+-", rule)), len(rule) + 2]
    places = [(left + 2 * (k > 0), right) for k, (left, right) in enumerate(itertools.pairwise(edges))]
    # One rule alone stands under the names, and each line below is a row; more of them stand between wrapped rows.
    airy = sum(line == rule for line in lines) > 1
    rows: list[list[str]] = [[""] * len(places)]
    below = False
    for line in lines:
        if line == rule:
            rows.append([""] * len(places))
            below = True
            continue
        if below and not airy and any(rows[-1]):
            rows.append([""] * len(places))
        for k, (left, right) in enumerate(places):
            rows[-1][k] = f"{rows[-1][k]} {line[left:right].strip()}".strip()
    return rows


def table_html(rows: Sequence[Sequence[str]], label: str) -> str:
    """A table whose cells each name their column, so that a narrow page can stack them. ``label``: what it is."""
    names, *body = rows
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in names)
    lines = []
    for row in body:
        cells = [f'<th scope="row" data-column="{html.escape(names[0])}">{html.escape(row[0])}</th>']
        for name, cell in zip(names[1:], row[1:], strict=True):
            verdict = ""
            if name == "verdict":
                verdict = ' class="fails"' if cell.startswith("does not hold") else ' class="holds"'
            cells.append(f'<td data-column="{html.escape(name)}"{verdict}>{html.escape(cell)}</td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<table class="evidence" aria-label="{html.escape(label)}">\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{chr(10).join(lines)}\n</tbody></table>\n"
    )
