"""Checking a learner's file in a process of its own, and stopping what hangs there.

One process does all exercises of a file, because importing torch is the cost. It is killed when one exercise takes
too long or the process dies under the learner's code; the exercises after it are then done by a new one.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from course_utils.errors import CourseError
from course_utils.manifest import Chapter
from course_utils.paths import PACKAGE, workspace_dir
from course_utils.running.cells import Document
from course_utils.running.confinement import Resources
from course_utils.running.planning import Task, plan
from course_utils.running.verdicts import ERROR, TIMED_OUT, Verdict

TAIL = 8_000


@dataclass(frozen=True)
class Limits:
    """Seconds: for one exercise (what it needs included), for the whole file, and for the process to start.

    ``resources`` are limits that the operating system keeps; None for a learner's own file.
    """

    exercise: float = 20.0
    overall: float = 180.0
    start: float = 120.0
    resources: Resources | None = None


def environment() -> dict[str, str]:
    """The environment of a process of ours: this one's, in which this very package is found and output is UTF-8."""
    out = dict(os.environ)
    out["PYTHONPATH"] = os.pathsep.join(p for p in (str(PACKAGE.parent), out.get("PYTHONPATH", "")) if p)
    out["PYTHONIOENCODING"] = "utf-8"
    return out


class Worker:
    """A process that has imported torch and waits for one job. Start it early, and the check itself takes no time."""

    def __init__(self) -> None:
        quiet = {"MPLBACKEND": "Agg", "PLOTLY_RENDERER": "json"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "course_utils.running.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=quiet | environment(),
            start_new_session=os.name != "nt",
        )
        self._tail = b""
        self._stopped = False
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def _drain(self) -> None:
        stream = self.process.stderr
        assert stream is not None
        with contextlib.suppress(OSError, ValueError):
            while chunk := os.read(stream.fileno(), 65_536):
                self._tail = (self._tail + chunk)[-TAIL:]

    def send(self, job: Path) -> None:
        """Hand over the job; a process that is already dead is noticed by whoever waits for its results."""
        with contextlib.suppress(OSError, ValueError):
            assert self.process.stdin is not None
            self.process.stdin.write(f"{job}\n".encode())
            self.process.stdin.close()

    def stop(self) -> None:
        """End the process and what it started, also if itself it has ended already. Safe to call twice."""
        if self._stopped:
            return
        self._stopped = True
        kill_with_children(self.process)
        self._reader.join(timeout=1)
        for stream in (self.process.stdin, self.process.stderr):
            with contextlib.suppress(OSError, ValueError):
                if stream is not None:
                    stream.close()

    def last_words(self) -> str:
        """The end of what the process wrote to its standard error."""
        self._reader.join(timeout=1)
        return self._tail.decode("utf-8", "replace").strip()


def kill_with_children(process: subprocess.Popen[bytes]) -> None:
    """End a process that was started in a session of its own, and what runs in that session; wait for it."""
    if os.name != "nt":
        with contextlib.suppress(OSError):
            os.killpg(process.pid, 9)
    elif process.poll() is None:
        subprocess.run(
            ["taskkill", "/T", "/F", "/PID", str(process.pid)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    with contextlib.suppress(OSError):
        process.kill()
    process.wait()


def check_document(
    document: Document,
    chapter: Chapter,
    only: str | None = None,
    limits: Limits | None = None,
    worker: Worker | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Verdict]:
    """The verdict on every exercise of ``chapter`` (or the one with the id ``only``) in this file, in order.

    ``worker`` is a process already started, if there is one; it is used up. ``progress`` is called with the id of
    each exercise as it begins. Raises CourseError if the process cannot start at all.
    """
    limits = limits or Limits()
    todo = plan(document, chapter, only)
    verdicts = dict(todo.settled)
    left = list(todo.tasks)
    skip: dict[tuple[int, int], str] = {}
    deadline = time.monotonic() + limits.overall
    with contextlib.ExitStack() as stack:
        if worker is not None:
            stack.callback(worker.stop)
        while left:
            if time.monotonic() >= deadline:
                for task in left:
                    text = f"Not reached: the whole check may take {limits.overall:g} seconds. Check it alone."
                    verdicts[task.exercise.id] = _verdict(task, TIMED_OUT, text)
                break
            current = worker or Worker()
            worker = None
            stack.callback(current.stop)
            run = _Run(document, chapter, left, skip, limits, deadline, progress)
            run.execute(current)
            verdicts.update(run.verdicts)
            left = [task for task in left if task.exercise.id not in verdicts]
    wanted = [e for e in chapter.exercises if only is None or e.id == only]
    return [verdicts[e.id] for e in wanted]


class _Run:
    """One process working through the exercises left: follows its result file and keeps the time."""

    def __init__(
        self,
        document: Document,
        chapter: Chapter,
        tasks: list[Task],
        skip: dict[tuple[int, int], str],
        limits: Limits,
        deadline: float,
        progress: Callable[[str], None] | None,
    ) -> None:
        self.document, self.chapter, self.limits, self.deadline = document, chapter, limits, deadline
        self.tasks = {task.exercise.id: task for task in tasks}
        self.skip = skip
        self.progress = progress
        self.verdicts: dict[str, Verdict] = {}
        self.begun: str | None = None
        self.statement: tuple[tuple[int, int], str] | None = None
        self.started = self.finished = False

    def execute(self, worker: Worker) -> None:
        """Send the job and follow it until it is finished, hangs, or dies. Always settles at least one exercise."""
        with tempfile.TemporaryDirectory(prefix="course-check-", ignore_cleanup_errors=True) as folder:
            copy = Path(folder) / self.document.path.name
            copy.write_bytes(self.document.data)
            results = Path(folder) / "results.jsonl"
            results.touch()
            job = Path(folder) / "job.json"
            job.write_text(
                json.dumps(
                    {
                        "file": str(copy),
                        "shown": str(self.document.path),
                        "folder": str(self.document.path.resolve().parent),
                        "workspace": str(workspace_dir()),
                        "results": str(results),
                        "chapter": asdict(self.chapter),
                        "todo": list(self.tasks),
                        "skip": [[list(key), why] for key, why in self.skip.items()],
                        "resources": asdict(self.limits.resources) if self.limits.resources else None,
                    }
                ),
                encoding="utf-8",
            )
            worker.send(job)
            self._follow(worker, results)
            worker.stop()

    def _follow(self, worker: Worker, results: Path) -> None:
        since = time.monotonic()
        with results.open("r", encoding="utf-8") as stream:
            pending = ""
            while True:
                dead = worker.process.poll() is not None
                pending += stream.read()
                *lines, pending = pending.split("\n")
                for line in lines:
                    if self._event(json.loads(line)):
                        since = time.monotonic()
                if self.finished:
                    return
                now = time.monotonic()
                limit = self.limits.exercise if self.started else self.limits.start
                if dead:
                    self._died(worker)
                    return
                if now - since > limit or now > self.deadline:
                    self._hung(worker, limit)
                    return
                time.sleep(0.02)

    def _event(self, event: dict) -> bool:
        """Take in one line of the result file; True if the clock of the exercise starts again."""
        kind = event["event"]
        if kind == "started":
            self.started = True
        elif kind == "finished":
            self.finished = True
        elif kind == "begin":
            self.begun, self.statement = event["id"], None
            if self.progress:
                self.progress(event["id"])
        elif kind == "statement":
            self.statement = (tuple(event["key"]), event["place"])
        elif kind == "check":
            self.statement = None
        elif kind == "verdict":
            task = self.tasks[event["id"]]
            values = {k: event[k] for k in ("verdict", "message", "report", "seconds", "printed")}
            self.verdicts[event["id"]] = Verdict(task.exercise.id, task.exercise.title, **values)
            self.begun = None
        return kind in ("started", "begin", "verdict")

    def _hung(self, worker: Worker, limit: float) -> None:
        if not self.started:
            worker.stop()
            raise CourseError(
                f"Python took more than {limit:g} seconds to import torch and start the checks. "
                "Try again; if it happens again, run `course doctor`."
            )
        start = f"Stopped after {limit:g} seconds: "
        if time.monotonic() > self.deadline:
            start = f"Stopped when the whole check had taken its {self.limits.overall:g} seconds: "
        self._blame(TIMED_OUT, start, "a loop in your code does not end, or it waits.")

    def _died(self, worker: Worker) -> None:
        if not self.started:
            words = worker.last_words().splitlines()
            raise CourseError(
                "The checks could not be started. `course doctor` says what is wrong with the installation. "
                f"Python's last words: {words[-1] if words else 'none'}"
            )
        code = worker.process.returncode
        how = "it was ended by the system, often for lack of memory" if code and code < 0 else f"exit code {code}"
        self._blame(ERROR, "", f"your code ended the Python process ({how}), for example by os._exit.")

    def _blame(self, verdict: str, start: str, why: str) -> None:
        """Settle the exercise that was running, and leave out the statement that hung when going on."""
        running = self.begun or next(i for i in self.tasks if i not in self.verdicts)
        task = self.tasks[running]
        if self.statement is None:
            text = f"{start}{why}"
            self.verdicts[running] = _verdict(task, verdict, text[0].upper() + text[1:])
            return
        key, place = self.statement
        text = f"{start}{place} was running: {why}"
        text = text[0].upper() + text[1:]
        self.skip[key] = text
        self.verdicts[running] = _verdict(task, verdict, text)


def _verdict(task: Task, verdict: str, text: str) -> Verdict:
    return Verdict(task.exercise.id, task.exercise.title, verdict, text, text)
