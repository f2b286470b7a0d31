"""How is an endless loop stopped?  A thread raises in the thread that runs the learner's code, once its time is over.

No signals, so it works the same on Windows and outside the main thread. Python delivers such an exception between two
bytecodes: one long call into C (``time.sleep(1000)``, a huge matrix product) is only stopped when it returns.
"""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import os
import threading
import time
from collections.abc import Callable
from typing import TypeVar

DEFAULT_SECONDS = 20.0
_AGAIN_AFTER = 0.1  # seconds until the exception is raised again where the learner's code has swallowed it

T = TypeVar("T")


class TimeUp(BaseException):
    """The time limit is over. Not an Exception, so that ``except Exception`` in a learner's loop lets it pass."""


def time_limit(own: float | None = None) -> float:
    """Seconds a check may take: COURSE_CHECK_SECONDS if set, else the check's own limit, else 20; 0: no limit."""
    text = os.environ.get("COURSE_CHECK_SECONDS", "").strip()
    try:
        return float(text)
    except ValueError:
        return DEFAULT_SECONDS if own is None else own


def run_limited(work: Callable[[], T], seconds: float) -> T:
    """`work()`, interrupted by `TimeUp` after so many seconds (0 or less: never).

    When this function has returned or raised, no exception is left waiting for the thread.
    """
    if seconds <= 0:
        return work()
    guard = _Guard(seconds)
    try:
        try:
            guard.start()
            return work()
        finally:
            guard.finish()
    except TimeUp:
        # The exception may have struck inside `finish` itself. Once `finished` is set at most one more can be on its
        # way, so a second call always gets to its end.
        guard.finish()
        raise


class _Guard:
    """The watching thread. Only raw locks and plain attributes are shared with the watched thread: the exception can
    strike between any two bytecodes, and a `threading.Event` may be left locked by it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.watched = threading.get_ident()
        self.fired = False
        self.finished = False
        self.stopped = True
        self.signal = _thread.allocate_lock()
        self.signal.acquire()

    def start(self) -> None:
        self.stopped = False
        threading.Thread(target=self._watch, name="course-check-watchdog", daemon=True).start()

    def finish(self) -> None:
        self.finished = True
        with contextlib.suppress(RuntimeError):  # released before
            self.signal.release()
        while not self.stopped:
            time.sleep(0.0002)
        if self.fired:
            # One may still be waiting. It is not taken back by setting none: CPython 3.11 then believes for ever that
            # something is pending, and hangs under a profiler or a debugger. So one is made to strike, and caught here.
            try:
                _raise_in(self.watched)
                while True:
                    time.sleep(0)
            except TimeUp:
                pass

    def _watch(self) -> None:
        try:
            wait = self.seconds
            while not self.signal.acquire(timeout=wait) and not self.finished:
                self.fired = True
                _raise_in(self.watched)
                wait = _AGAIN_AFTER
        finally:
            self.stopped = True


def _raise_in(thread: int) -> None:
    """Raise `TimeUp` in a thread, at its next bytecode; it replaces one that has not been delivered yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TimeUp))
