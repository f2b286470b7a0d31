"""How are grades kept so that no interruption takes them away? One CSV file, complete on disk after every grade.

Each grade is merged into the file as it is at that moment, which is then replaced in one step. So rows of other files,
columns that someone has added, and a second program that grades into the same file do no harm.
"""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path

from course_utils.errors import CourseError
from course_utils.manifest import Manifest
from course_utils.running.collecting import HandIn
from course_utils.running.grading import Grade, chapter_in_name, core_path, done, same_content
from course_utils.running.verdicts import PASSED

COLUMNS = (
    "file",
    "sha256",
    "chapter",
    "status",
    "passed",
    "wrong",
    "not attempted",
    "timed out",
    "of",
    "core passed",
    "core of",
    "seconds",
    "message",
)
_EXERCISE = re.compile(r"\d+\.\d+")
_FORMULA = tuple("=+-@\t")

Cells = dict[str, str]


def cells(grade: Grade) -> Cells:
    """A grade as a row of text. What a spreadsheet could take for a formula gets an apostrophe before it."""
    core = {e: word for e, word in grade.verdicts.items() if e in grade.core}
    values: dict[str, object] = {
        "file": _plain(grade.file),
        "sha256": grade.sha256,
        "chapter": grade.chapter,
        "status": grade.status,
        "seconds": f"{grade.seconds:.1f}",
        "message": _plain(grade.message),
    }
    if grade.verdicts:
        values |= {
            "passed": grade.passed,
            "wrong": grade.wrong,
            "not attempted": grade.not_attempted,
            "timed out": grade.timed_out,
            "of": len(grade.verdicts),
            "core passed": grade.count(PASSED, core=True),
            "core of": len(core),
        }
    return {name: str(values.get(name, "")) for name in COLUMNS} | grade.verdicts


def grade_of(row: Cells, manifest: Manifest) -> Grade:
    """The grade that a row was made from."""
    try:
        seconds = float(row["seconds"])
    except ValueError:  # edited by hand
        seconds = 0.0
    return Grade(
        file=_unplain(row["file"]),
        sha256=row["sha256"],
        status=row["status"],
        chapter=row["chapter"],
        message=_unplain(row["message"]),
        seconds=seconds,
        verdicts={name: cell for name, cell in row.items() if _EXERCISE.fullmatch(name) and cell},
        core=core_path(manifest, row["chapter"]),
    )


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _unplain(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


class Gradebook:
    """The CSV file at ``path``. Opening it raises CourseError if it is another kind of file or cannot be written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._unwritten: list[Cells] = []
        self._write(self.rows())

    def rows(self) -> list[Cells]:
        """The rows in the file now. Raises CourseError if it is not a table of grades."""
        try:
            text = self.path.read_bytes().decode("utf-8-sig")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CourseError(f"{self.path} cannot be read ({error.strerror}). Choose another file.") from None
        except UnicodeDecodeError:
            raise CourseError(f"{self.path} is not a CSV file in UTF-8. Choose another file.") from None
        if not text.strip():
            return []
        csv.field_size_limit(max(csv.field_size_limit(), len(text)))
        header, *lines = list(csv.reader(io.StringIO(text, newline=""))) or [[]]
        if lacking := [name for name in COLUMNS if name not in header]:
            raise CourseError(
                f"{self.path} is not a table of grades: its first line lacks {', '.join(lacking)}. Choose another file, "
                "or save this one with commas between the cells."
            )
        if len(set(header)) < len(header):
            raise CourseError(
                f"{self.path} names a column twice, as when a spreadsheet writes 21.1 for 21.10. Choose another file, "
                "or grade again into a new one."
            )
        return [dict(zip(header, line + [""] * len(header), strict=False)) for line in lines if any(line)]

    def put(self, grade: Grade) -> None:
        """Add the grade, or put it in the place of an older one of this file. A file that cannot be written now (it
        may be open in a spreadsheet) is tried again with the next grade, and in `close`."""
        self._unwritten.append(cells(grade))
        try:
            self._merge()
        except CourseError:
            return

    def close(self) -> None:
        """Write what could not be written before. Raises CourseError saying where it is if the file still refuses."""
        if not self._unwritten:
            return
        try:
            self._merge()
        except CourseError as error:
            aside = Gradebook(self.path.with_name(f"{self.path.stem}-unsaved{self.path.suffix}"))
            aside._unwritten = self._unwritten
            aside._merge()
            raise CourseError(f"{error} The {len(self._unwritten)} newest rows are in {aside.path}.") from None

    def _merge(self) -> None:
        rows = {row["file"]: row for row in self.rows()}
        for row in self._unwritten:
            added = {
                k: v for k, v in rows.get(row["file"], {}).items() if k not in COLUMNS and not _EXERCISE.fullmatch(k)
            }
            rows[row["file"]] = row | added
        self._write(sorted(rows.values(), key=lambda row: row["file"]))
        self._unwritten = []

    def _write(self, rows: list[Cells]) -> None:
        names = {name for row in rows for name in row}
        exercises = sorted(filter(_EXERCISE.fullmatch, names), key=lambda e: [int(part) for part in e.split(".")])
        added = [n for n in dict.fromkeys(n for row in rows for n in row) if n not in COLUMNS and n not in exercises]
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, [*COLUMNS, *exercises, *added], restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(out.getvalue().encode("utf-8"))
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        except OSError as error:
            raise CourseError(
                f"{self.path} cannot be written ({error.strerror}). If it is open in another program, close it there "
                "and run the same command again."
            ) from None


def known(rows: list[Cells], file: HandIn, manifest: Manifest, chapter: str | None = None) -> Grade | None:
    """The grade of ``file`` from the row of a file with the same content, unless that one needs a second try.

    With ``chapter``, only a row of this chapter counts.
    """
    same = [
        row
        for row in rows
        if file.sha256
        and row["sha256"] == file.sha256
        and done(row["status"])
        and chapter in (None, row["chapter"])
        and chapter_in_name(row["file"], manifest) == chapter_in_name(file.name, manifest)
    ]
    grades = [grade_of(row, manifest) for row in same]
    if not grades:
        return None
    return next((g for g in grades if g.file == file.name), None) or same_content(grades[0], file.name)
