"""What of an exercise cell does the learner see, and what the reader of the solution?

Between ``# BEGIN SOLUTION`` and ``# END SOLUTION`` stands the answer. The learner's stub has, in its place, the code of
the block's ``# STUB:`` lines or, if it has none, a line that raises ``NotImplementedError`` with the exercise's number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from course_utils.authoring.chapter import Cell

STRICT = re.compile(r"(?P<indent>\s*)# (?P<edge>BEGIN|END) SOLUTION")
LOOSE = re.compile(r"\s*#+\s*(BEGIN|END)[\s_-]*SOLUTION", re.IGNORECASE)
STUB = re.compile(r"(?P<indent>\s*)# STUB:(?: (?P<code>.*))?")
LOOSE_STUB = re.compile(r"\s*#+\s*STUB\b", re.IGNORECASE)


@dataclass(frozen=True)
class Split:
    """A cell's two versions, the number of solution blocks, and ``(line, sentence)`` for each marker out of place."""

    stub: Cell
    solution: Cell
    blocks: int
    errors: tuple[tuple[int, str], ...]


def not_attempted(exercise: str) -> str:
    """The statement that stands in for a missing answer; checks know it by the beginning of its message."""
    return f'raise NotImplementedError("Exercise {exercise}: replace this line with your code")'


def split(cell: Cell, exercise: str) -> Split:
    """Cut the solution blocks of a code cell: ``stub`` without the answer, ``solution`` without the markers."""
    stub: list[tuple[str, int]] = []
    solution: list[tuple[str, int]] = []
    errors: list[tuple[int, str]] = []
    opened: int | None = None
    indent, kept, blocks = "", False, 0

    def close() -> None:
        if not kept:
            stub.append((indent + not_attempted(exercise), opened or cell.line))

    for row, line in enumerate(cell.source.split("\n"), start=1):
        at = cell.at(row)
        if marker := STRICT.fullmatch(line):
            if marker["edge"] == "BEGIN":
                if opened is not None:
                    errors.append((at, f"`BEGIN SOLUTION` inside the block of line {opened}; blocks do not nest."))
                    continue
                opened, indent, kept, blocks = at, marker["indent"], False, blocks + 1
            elif opened is None:
                errors.append((at, "`END SOLUTION` without a `BEGIN SOLUTION` before it."))
            else:
                if marker["indent"] != indent:
                    errors.append((at, f"`END SOLUTION` is not indented as its `BEGIN SOLUTION` on line {opened}."))
                close()
                opened = None
        elif LOOSE.match(line):
            errors.append((at, f"cannot read `{line.strip()}`; write `# BEGIN SOLUTION` or `# END SOLUTION`."))
        elif LOOSE_STUB.match(line):
            kept_line = STUB.fullmatch(line)
            if kept_line is None:
                errors.append((at, f"cannot read `{line.strip()}`; write `# STUB: code`."))
            elif opened is None:
                errors.append((at, "`STUB` outside a solution block; move it between BEGIN and END SOLUTION."))
            else:
                code = kept_line["code"] or ""
                stub.append(((kept_line["indent"] + code).rstrip(), at))
                kept = True
        else:
            solution.append((line, at))
            if opened is None:
                stub.append((line, at))
    if opened is not None:
        errors.append((opened, "`BEGIN SOLUTION` without an `END SOLUTION` after it."))
        close()
    return Split(_cell(cell, stub), _cell(cell, solution), blocks, tuple(errors))


def _cell(cell: Cell, numbered: list[tuple[str, int]]) -> Cell:
    source = "\n".join(text for text, _ in numbered)
    return replace(cell, source=source, lines=tuple(line for _, line in numbered))
