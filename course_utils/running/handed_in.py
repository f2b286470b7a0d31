"""The process that watches over one file that was handed in. Started by ``course_utils.running.grading``.

``python -m course_utils.running.handed_in JOB`` reads the file, recognises its chapter, has its exercises checked by
workers, and says what it finds in lines of JSON on its standard output. Reading is done here too, and not by whoever
grades: a file can be made so that Python dies of parsing it. When its standard input closes, grading has stopped, and
this process stops its worker and ends.
"""

from __future__ import annotations

import _thread
import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from course_utils.errors import CourseError
from course_utils.manifest import Chapter, Manifest, read_manifest
from course_utils.running.cells import Document, Unreadable, read_document
from course_utils.running.confinement import Resources
from course_utils.running.planning import recognise
from course_utils.running.process import Limits, check_document
from course_utils.running.verdicts import TIMED_OUT, Verdict

GRADED = "graded"
NOT_A_NOTEBOOK = "not a notebook"
UNKNOWN_CHAPTER = "unknown chapter"
OTHER_CHAPTER = "other chapter"
TIME_LIMIT = "time limit"
NOT_STARTED = "not started"
DIED = "died"

MESSAGE = 300
NO_TIME = "Its time was over before torch was imported. Give it more by --minutes-per-file."


class Ungradable(Exception):
    """A file that cannot be graded: the status that says why, and a sentence for whoever grades."""

    def __init__(self, status: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def chapter_of(document: Document, manifest: Manifest, wanted: str | None) -> Chapter:
    """The chapter to grade a file as: ``wanted``, or what its cells hold, or what its name says. Raises Ungradable."""
    held = _recognised(document, manifest)
    if wanted is not None:
        chapter = manifest.chapter(wanted)
        if held is not None and _recognised(document, Manifest(manifest.course, (chapter,))) is None:
            raise Ungradable(
                OTHER_CHAPTER,
                f"It holds chapter {held.id}, not {chapter.id}. Grade it without --chapter, or ask for the right file.",
            )
        return chapter
    chosen = held or named_chapter(document.path.name, manifest)
    if chosen is None:
        raise Ungradable(
            UNKNOWN_CHAPTER,
            "It holds no exercise of this course. If you know what it is, name its chapter with --chapter.",
        )
    return chosen


def named_chapter(name: str, manifest: Manifest) -> Chapter | None:
    """The chapter whose name is part of a file's name, which a learning platform may have lengthened."""
    return next((c for c in manifest.chapters if c.file.lower() in name.lower()), None)


def _recognised(document: Document, manifest: Manifest) -> Chapter | None:
    try:
        return recognise(document, manifest)
    except CourseError:
        return None


def read(path: Path) -> Document:
    """The cells of a handed-in file. Raises Ungradable."""
    try:
        return read_document(path)
    except Unreadable as error:
        reason = error.reason
    except Exception as error:  # JSON can hold anything where a notebook has a cell
        reason = f"its cells are not those of a notebook ({type(error).__name__})"
    raise Ungradable(NOT_A_NOTEBOOK, f"It cannot be read: {reason}. Ask for the file again.")


def grade(job: dict) -> dict:
    """What is found in the file of ``job``: status, chapter, message and the verdicts, as plain values."""
    start = time.monotonic()
    found: dict = {"status": GRADED, "chapter": "", "message": "", "verdicts": []}
    limits = Limits(job["exercise"], job["overall"], resources=Resources(**job["resources"]))
    try:
        document = read(Path(job["file"]))
        chapter = chapter_of(document, read_manifest(), job["chapter"])
        found["chapter"] = chapter.id
        tell(chapter=chapter.id)
        verdicts = check_document(document, chapter, None, limits, progress=lambda e: tell(exercise=e))
    except Ungradable as error:
        return found | {"status": error.status, "message": str(error)}
    except CourseError as error:
        if time.monotonic() - start < limits.overall:
            return found | {"status": NOT_STARTED, "message": str(error)}
        return found | {"status": TIME_LIMIT, "message": NO_TIME}
    late = time.monotonic() - start >= limits.overall and any(v.verdict == TIMED_OUT for v in verdicts)
    more = "Its time is over. Give it more by --minutes-per-file, and the same command grades it again. "
    return found | {
        "status": TIME_LIMIT if late else GRADED,
        "message": (more if late else "") + remark(verdicts),
        "verdicts": [[v.id, v.verdict] for v in verdicts],
    }


def remark(verdicts: list[Verdict]) -> str:
    """One line on the first exercise to put right, and how many more there are."""
    wrong = [v for v in verdicts if v.is_wrong]
    if not wrong:
        return ""
    line = " ".join(wrong[0].message.split())
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return f"{wrong[0].id}: {line if len(line) <= MESSAGE else line[: MESSAGE - 1] + '…'}{more}"


def tell(**event: object) -> None:
    """One line to whoever grades."""
    print(json.dumps(event), flush=True)


def _stop_with_grading() -> None:
    while os.read(0, 1):
        pass
    _thread.interrupt_main()


def main() -> None:
    """Grade one file and say so."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    tempfile.tempdir = job["folder"]  # not where the file's own code puts, and may delete, its temporary files
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started without it
    threading.Thread(target=_stop_with_grading, daemon=True).start()
    try:
        tell(found=grade(job))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
