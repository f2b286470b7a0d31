"""How are measured numbers printed so that another machine prints the same, and how is a claim set beside its evidence?

Floating-point results differ a little between processors and library versions; ``number`` and ``percent`` print only
digits coarser than that. No rule can do this for every value: whatever the rounding, some values lie on a boundary and
fall on either side of it. Two things are done about it. The digits kept are so coarse that a difference of
``rtol / 100`` (1e-4 at the default) reaches a boundary for at most one value in fifty. And the boundaries lie a little
below the halves, so that halves, the boundary values that occur most (0.25, 12.5 %), never flip. If a number still
differs between machines, give it a larger ``rtol``.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from decimal import Decimal

from course_utils.errors import CourseError

COLUMNS = ("claim", "paper", "ours", "control", "difference in setting", "verdict")
SNAP = 0.013
"""How far below a half, in units of the last digit, values round up: a little over rtol / 100 at worst."""


def number(x: float, rtol: float = 1e-2, below: float = 0.0) -> str:
    """``x`` with the digits that a relative tolerance of ``rtol`` (between 1e-12 and 0.1) justifies.

    A tolerance of 1e-2 keeps two significant digits, 1e-3 three: the last one is worth between ``rtol`` and
    ``10 * rtol`` of the value. A magnitude of at most ``below`` is noise and is printed as ``< below``. Scientific
    notation is used from 1e6 up and under 1e-3. Raises CourseError for a tolerance out of range.

    >>> number(0.04371), number(113.2, 1e-3), number(2.4e-7)
    ('0.044', '113', '2.4e-7')
    """
    if not 1e-12 <= rtol <= 0.1:
        raise CourseError(f"rtol is {rtol!r}; it must be a relative tolerance between 1e-12 and 0.1, such as 1e-2.")
    x = float(x)
    if math.isnan(x) or math.isinf(x):
        return "nan" if math.isnan(x) else "inf" if x > 0 else "-inf"
    if abs(x) <= below:
        return f"< {number(below, rtol)}" if below else "0"
    digits = max(1, math.floor(-math.log10(rtol) + 1e-9))
    exact = Decimal(abs(x))
    rounded = _round(exact, exact.adjusted() - digits + 1)
    rounded = _round(rounded, rounded.adjusted() - digits + 1)
    sign = "-" if x < 0 else ""
    exponent = rounded.adjusted()
    if -3 <= exponent < 6:
        return f"{sign}{rounded:f}"
    return f"{sign}{rounded.scaleb(-exponent):f}e{exponent}"


def percent(x: float, step: float = 0.1) -> str:
    """The fraction ``x`` in percent, to ``step`` percentage points (1, 0.1 …): ``percent(0.9731)`` is 97.3 %.

    Raises:
        CourseError: another step.
    """
    places = round(-math.log10(step)) if step > 0 else 99
    if not 0 <= places <= 9 or not math.isclose(10.0**-places, step):
        raise CourseError(f"step is {step!r}; it must be 1, 0.1, 0.01 … percentage points.")
    x = float(x)
    if not math.isfinite(x):
        return f"{number(x)} %"
    rounded = _round(Decimal(abs(x)) * 100, -places)
    sign = "-" if x < 0 and rounded else ""
    return f"{sign}{rounded:f} %"


def _round(value: Decimal, exponent: int) -> Decimal:
    """``value`` to a multiple of ``10 ** exponent``, upwards from a little below the half."""
    steps = int(value.scaleb(-exponent) + Decimal("0.5") + Decimal(str(SNAP)))
    return Decimal(steps).scaleb(exponent)


def verdict(holds: bool, limit: str = "") -> str:
    """The verdict on a claim, as a word that holds on any machine, with the limit that decides it."""
    word = "holds" if bool(holds) else "does not hold"
    return f"{word}: {limit}" if limit else word


def table(rows: Sequence[Sequence[object]], columns: Sequence[str] = COLUMNS, width: int = 110) -> None:
    """Print rows of evidence under their column names, as text at most ``width`` characters wide; long cells wrap.

    Cells are shown with ``str``: give numbers through ``number`` or ``percent``. Raises CourseError for a row with
    too few or too many cells.
    """
    cells = [[" ".join(str(cell).split()) for cell in row] for row in [columns, *rows]]
    for k, row in enumerate(cells[1:], start=1):
        if len(row) != len(columns):
            raise CourseError(f"Row {k} of the table has {len(row)} cells; there are {len(columns)} columns.")
    widths = _widths(cells, width - 3 * (len(columns) - 1))
    wrapped = [
        [textwrap.wrap(cell, w, break_on_hyphens=False) or [""] for cell, w in zip(row, widths, strict=True)]
        for row in cells
    ]
    rule = "-+-".join("-" * w for w in widths)
    airy = any(len(lines) > 1 for row in wrapped[1:] for lines in row)
    for k, lines_of in enumerate(wrapped):
        if k == 1 or (k > 1 and airy):
            print(rule)
        for i in range(max(map(len, lines_of))):
            texts = [lines[i] if i < len(lines) else "" for lines in lines_of]
            print(" | ".join(text.ljust(w) for text, w in zip(texts, widths, strict=True)).rstrip())


def _widths(cells: Sequence[Sequence[str]], room: int) -> list[int]:
    """A width for each column: as wide as its longest cell, the widest made narrower until all fit into ``room``."""
    widths = [max(1, *(len(row[k]) for row in cells)) for k in range(len(cells[0]))]
    words = [max([1, *(len(word) for row in cells for word in row[k].split())]) for k in range(len(widths))]
    while sum(widths) > room:
        k = max(range(len(widths)), key=lambda k: (widths[k] > words[k], widths[k]))
        if widths[k] <= 8:
            break
        widths[k] -= 1
    return widths
