"""How do many handed-in files get their verdicts, so that none of them stops the others? Files in, grades out.

Each file is copied to a temporary folder and graded by a process of its own (``handed_in``), with a home, a workspace
and limits of its own. This keeps accidents apart. It is no security boundary, and verdicts can be forged by a file that
sets out to do so.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path

from course_utils.manifest import Manifest
from course_utils.running.collecting import HandIn, printable
from course_utils.running.confinement import Resources, surroundings
from course_utils.running.handed_in import DIED, GRADED, NOT_A_NOTEBOOK, NOT_STARTED, TIME_LIMIT, named_chapter
from course_utils.running.process import Limits, environment, kill_with_children
from course_utils.running.verdicts import ERROR, NOT_ATTEMPTED, PASSED, TIMED_OUT, WRONG

GRACE = 30.0  # seconds beyond a file's own limit for reading it and for ending what it started


@dataclass(frozen=True)
class Settings:
    """How each file is graded: as which chapter (None: its own), under which limits (seconds, minutes, GiB)."""

    chapter: str | None = None
    seconds: float = Limits.exercise
    minutes: float = 5.0
    memory: float = Resources.memory
    threads: int = 1

    @property
    def overall(self) -> float:
        """Seconds for a whole file."""
        return 60 * self.minutes


@dataclass(frozen=True)
class Grade:
    """What came out for one file. ``verdicts`` are words by exercise id; ``core`` the ids of the core path."""

    file: str
    sha256: str
    status: str
    chapter: str = ""
    message: str = ""
    seconds: float = 0.0
    verdicts: dict[str, str] = field(default_factory=dict)
    core: frozenset[str] = frozenset()

    def count(self, *words: str, core: bool = False) -> int:
        """How many exercises (of the core path only, if ``core``) have one of these verdicts."""
        return sum(word in words and (not core or e in self.core) for e, word in self.verdicts.items())

    @property
    def passed(self) -> int:
        return self.count(PASSED)

    @property
    def wrong(self) -> int:
        """Exercises with a wrong answer or an error."""
        return self.count(WRONG, ERROR)

    @property
    def not_attempted(self) -> int:
        return self.count(NOT_ATTEMPTED)

    @property
    def timed_out(self) -> int:
        return self.count(TIMED_OUT)


def grade_files(
    files: Iterable[HandIn],
    manifest: Manifest,
    settings: Settings,
    jobs: int = 1,
    progress: Callable[[str, str], None] = lambda name, exercise: None,
) -> Generator[Grade, None, None]:
    """The grade of each file, as soon as it is there, ``jobs`` at a time; files with one content are graded once.

    ``progress`` is called, from other threads, with a file's name and the exercise being checked. When the iterator is
    closed or interrupted, the processes that are running are stopped.
    """
    groups: dict[tuple[str, str], list[HandIn]] = {}
    for file in files:
        if file.problem:
            yield Grade(file.name, "", NOT_A_NOTEBOOK, message=file.problem)
        else:
            groups.setdefault((file.sha256, chapter_in_name(file.name, manifest)), []).append(file)
    stop = threading.Event()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            waiting = {pool.submit(grade_file, g[0], manifest, settings, progress, stop): g for g in groups.values()}
            while waiting:
                # A limit, because waiting for ever cannot be interrupted on Windows.
                ended, _ = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in ended:
                    others = waiting.pop(future)[1:]
                    grade = future.result()
                    yield grade
                    yield from (same_content(grade, other.name) for other in others)
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def same_content(grade: Grade, name: str) -> Grade:
    """The grade of another file with the very content of one that is graded."""
    rest = re.sub(r"^The same content as .*?\.(ipynb|py)\. ?", "", grade.message, flags=re.I)
    message = f"The same content as {grade.file}. {rest}".strip()
    return replace(grade, file=name, message=message, seconds=0.0)


def grade_file(
    file: HandIn,
    manifest: Manifest,
    settings: Settings,
    progress: Callable[[str, str], None] = lambda name, exercise: None,
    stop: threading.Event | None = None,
) -> Grade:
    """Grade one file in a process of its own on a fresh copy, which is removed afterwards. Raises nothing."""
    start = time.monotonic()
    stop = stop or threading.Event()
    try:
        with tempfile.TemporaryDirectory(prefix="course-grade-", ignore_cleanup_errors=True) as root:
            found = _watch(file, Path(root), settings, progress, stop)
    except OSError as error:
        found = {"status": NOT_STARTED, "message": f"{error}. Put that right, and run the same command again."}
    verdicts = {str(e): str(word) for e, word in found.get("verdicts", [])}
    chapter = found.get("chapter", "")
    return Grade(
        file=file.name,
        sha256=file.sha256,
        status=found["status"],
        chapter=chapter,
        message=printable(found.get("message", "")),
        seconds=round(time.monotonic() - start, 1),
        verdicts=verdicts,
        core=core_path(manifest, chapter),
    )


def _watch(
    file: HandIn, root: Path, settings: Settings, progress: Callable[[str, str], None], stop: threading.Event
) -> dict:
    """Start the process and follow what it says until it has found something, ends, or takes too long."""
    data = file.path.read_bytes()
    if hashlib.sha256(data).hexdigest() != file.sha256:
        return {"status": NOT_STARTED, "message": "It has changed since the start. Run the same command again."}
    copy, own = root / "handed-in" / file.path.name, root / "grading"
    copy.parent.mkdir()
    own.mkdir()
    copy.write_bytes(data)
    cores = os.cpu_count() or 1
    job = {
        "file": str(copy),
        "folder": str(own),
        "chapter": settings.chapter,
        "exercise": settings.seconds,
        "overall": settings.overall,
        "resources": {"memory": settings.memory, "cpu": cores * settings.overall, "file": Resources.file},
    }
    (own / "job.json").write_text(json.dumps(job), encoding="utf-8")
    with (own / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "course_utils.running.handed_in", str(own / "job.json")],
            cwd=own,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=surroundings(environment(), root, settings.threads),
            start_new_session=os.name != "nt",
        )
    try:
        return _follow(process, file.name, settings, progress, stop)
    finally:
        _end(process)


def _follow(
    process: subprocess.Popen[bytes],
    name: str,
    settings: Settings,
    progress: Callable[[str, str], None],
    stop: threading.Event,
) -> dict:
    lines: queue.Queue[bytes | None] = queue.Queue()
    threading.Thread(target=_lines, args=(process, lines), daemon=True).start()
    deadline = time.monotonic() + settings.overall + GRACE
    known: dict = {}
    while not stop.is_set():
        try:
            line = lines.get(timeout=0.1)
        except queue.Empty:
            if time.monotonic() < deadline:
                continue
            text = f"Nothing came of it in {settings.minutes:g} minutes. Look at the file, or give it more minutes."
            return known | {"status": TIME_LIMIT, "message": text}
        if line is None:
            text = (
                "The process that grades this file was ended, for lack of memory or by the file's own code. "
                "Look at the file; the same command tries it again."
            )
            return known | {"status": DIED, "message": text}
        event = json.loads(line)
        if "found" in event:
            return event["found"]
        if "chapter" in event:
            known = {"chapter": event["chapter"]}
        else:
            progress(name, event["exercise"])
    return known | {"status": NOT_STARTED, "message": "Grading was interrupted."}


def _lines(process: subprocess.Popen[bytes], out: queue.Queue[bytes | None]) -> None:
    assert process.stdout is not None
    with contextlib.suppress(OSError, ValueError):
        for line in process.stdout:
            out.put(line)
    out.put(None)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let the process stop its worker, which is in another session; then make sure that it has ended."""
    with contextlib.suppress(OSError):
        assert process.stdin is not None
        process.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=5)
    kill_with_children(process)
    with contextlib.suppress(OSError):
        if process.stdout is not None:
            process.stdout.close()


def core_path(manifest: Manifest, chapter: str) -> frozenset[str]:
    """The ids of a chapter's exercises outside its deeper sections; none for a chapter that is not there."""
    return frozenset(e.id for c in manifest.chapters if c.id == chapter for e in c.exercises if not e.deeper)


def chapter_in_name(name: str, manifest: Manifest) -> str:
    """The id of the chapter that a file's name names, "" if none: where the content says nothing, the name decides."""
    chapter = named_chapter(Path(name).name, manifest)
    return chapter.id if chapter else ""


def done(status: str) -> bool:
    """Whether a file with this status needs no second try."""
    return status in (GRADED, NOT_A_NOTEBOOK)
