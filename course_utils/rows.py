"""How are rows of measurements kept so that no crash takes them away? One CSV file, one line a row, on disk at once.

The first line names the columns, and every row has all of them. A cell is JSON, so that what is read is what was written:
numbers with all their digits, true and false, lists. None is an empty cell. A string stands as it is, in JSON's quotes only
where it could be taken for something else. No cell holds a line break, so a line is a row. The column ``recipe``, text
whatever it looks like, is the hash of the recipe that the row was measured on.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from course_utils.errors import CourseError

Row = dict[str, Any]
"""Values by column."""
Cells = dict[str, str]
"""The same as text."""

KEY = "recipe"


def encode(row: Mapping[str, Any]) -> Cells:
    """A row as text, column by column.

    Raises:
        CourseError: a value that is no number, string, list, dictionary, truth value or None.
    """
    return {column: value if column == KEY else _text(column, value) for column, value in row.items()}


def decode(cells: Mapping[str, str]) -> Row:
    """The row that :func:`encode` wrote. Tuples have become lists, and keys of dictionaries strings."""
    return {column: cell if column == KEY else _value(cell) for column, cell in cells.items()}


def _text(column: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and value.isprintable() and _value(value) == value:
        return value
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        kind = type(value).__name__
        raise CourseError(
            f"The column {column!r} holds a value of type {kind}. A table takes numbers, strings, lists, dictionaries, "
            "True, False and None; a tensor becomes one of them by .item() or .tolist()."
        ) from None


def _value(cell: str) -> Any:
    if not cell:
        return None
    try:
        return json.loads(cell)
    except ValueError:
        return cell


@dataclass(frozen=True)
class Content:
    """What a file of rows holds: its columns and rows, and up to which byte it is whole, of how many."""

    columns: tuple[str, ...]
    rows: list[Row]
    whole: int
    size: int

    @property
    def torn(self) -> bool:
        """Was the last line cut off while it was written?"""
        return self.whole < self.size


def read(path: Path) -> Content:
    """Read a file of rows; one that is not there has no columns and no rows.

    Raises:
        CourseError: a file of another kind, or a damaged line that is not the last.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Content((), [], 0, 0)
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror}.") from None
    whole = data.rfind(b"\n") + 1
    lines = data[:whole].split(b"\n")[:-1]
    columns = _cells(lines[0]) if lines else None
    beginning = f"{KEY},".encode()
    if (lines and (columns is None or KEY not in columns)) or (not lines and not beginning.startswith(data[:7])):
        raise CourseError(
            f"{path} is not a table of runs: its first line names no column {KEY!r}. Choose another file."
        )
    if columns is None:  # nothing yet, or a header that was cut off
        return Content((), [], 0, len(data))
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        cells = _cells(line)
        if cells is not None and len(cells) == len(columns):
            rows.append(decode(dict(zip(columns, cells, strict=True))))
        elif number == len(lines):  # a power cut can leave the end of a line without its beginning
            whole -= len(line) + 1
        else:
            raise CourseError(
                f"Line {number} of {path} is damaged: its cells do not fit the {len(columns)} columns. "
                "Delete that line; the next sweep into this table makes the run again."
            )
    return Content(tuple(columns), rows, whole, len(data))


def read_table(path: Path) -> list[Row]:
    """Every row of a table, as dictionaries with typed values. A last line that was cut off is left out with a warning.

    Raises:
        CourseError: no such file, a file of another kind, or a damaged line that is not the last.
    """
    if not path.exists():
        raise CourseError(f"There is no table {path}.")
    content = read(path)
    if content.torn:
        warnings.warn(f"The last line of {path} was cut off while it was written; it is left out.", stacklevel=2)
    return content.rows


def _cells(line: bytes) -> list[str] | None:
    """The cells of a line; None if it is damaged."""
    csv.field_size_limit(max(csv.field_size_limit(), len(line)))  # a list can be long
    try:
        return next(csv.reader([line.decode("utf-8")], strict=True), None)
    except (UnicodeDecodeError, csv.Error):
        return None


def _line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


class RowFile:
    """A table to which one process adds rows. Opening it repairs what a crash has left, with a warning.

    Attributes:
        rows: what was in it when it was opened.
        columns: their names; empty until the first row is there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        content = read(path)
        self.columns, self.rows, self._size = content.columns, content.rows, content.whole
        if content.torn:
            warnings.warn(
                f"The last line of {path} was cut off while it was written. It is dropped, and its run is made again.",
                stacklevel=3,
            )
            with _writing(path, "r+b") as file:
                file.truncate(content.whole)

    def add(self, cells: Cells) -> None:
        """Append a row; it is on disk when this returns.

        Raises:
            CourseError: columns other than the table's, a file that cannot be written, or that someone else has changed.
        """
        text = ""
        if not self.columns:
            self.columns = tuple(cells)
            text = _line(self.columns)
        if set(cells) != set(self.columns):
            raise CourseError(
                f"{self.path} does not fit: {_difference(set(self.columns), set(cells))}. "
                "Keep these rows in another table, or move this file away to make all of its runs anew."
            )
        data = (text + _line(cells[column] for column in self.columns)).encode("utf-8")
        with _writing(self.path, "ab") as file:
            if file.tell() != self._size:
                raise CourseError(
                    f"{self.path} has changed while this sweep was writing to it; is another sweep using it? "
                    "Give each its own table. The rows in the file are kept, and the next sweep goes on from them."
                )
            file.write(data)
        self._size += len(data)


def _difference(table: set[str], new: set[str]) -> str:
    def named(columns: set[str]) -> str:
        return ", ".join(map(repr, sorted(columns)))

    lacks, more = named(table - new), named(new - table)
    if not more:
        return f"this sweep's rows lack its columns {lacks}"
    return f"this sweep's rows also have the columns {more}" + (f" and lack {lacks}" if lacks else "")


@contextlib.contextmanager
def _writing(path: Path, mode: str) -> Iterator[BinaryIO]:
    """The file, open for writing; what the system refuses is said in a sentence."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open(mode) as file:
            yield cast(BinaryIO, file)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise CourseError(
            f"{path} cannot be written: {error.strerror}. The rows in it are kept; put that right and start again."
        ) from None
