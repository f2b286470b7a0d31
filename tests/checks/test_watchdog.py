"""The watchdog stops what runs too long, and leaves nothing behind."""

import subprocess
import sys
import threading
import time

import pytest

from course_utils.checks.watchdog import TimeUp, run_limited


def _spin(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_result_and_exceptions_pass_through():
    assert run_limited(lambda: 5, 10) == 5
    with pytest.raises(ZeroDivisionError):
        run_limited(lambda: 1 / 0, 10)


def test_no_limit():
    assert run_limited(lambda: 5, 0) == 5


def test_no_exception_is_left_over():
    """Work that ends at the very moment the time is up, many times: the exception comes inside, or never."""
    stopped = 0
    for i in range(150):
        limit = 0.002 + 0.00002 * (i % 7)
        try:
            run_limited(lambda: _spin(0.002), limit)
        except TimeUp:
            stopped += 1
        _spin(0.0005)
        time.sleep(0)
    _spin(0.3)
    assert 0 <= stopped <= 150


def test_watching_threads_end():
    before = threading.active_count()
    for _ in range(20):
        run_limited(lambda: None, 60)
    time.sleep(0.05)
    assert threading.active_count() <= before


def test_works_outside_the_main_thread():
    ends = []

    def work():
        try:
            run_limited(lambda: _spin(30), 0.1)
        except TimeUp:
            ends.append("stopped")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5)
    assert ends == ["stopped"]


PROFILED = """
import cProfile, time
from course_utils.checks.watchdog import TimeUp, run_limited

def spin():
    end = time.perf_counter() + 5
    while time.perf_counter() < end:
        pass

def small():
    return sum(i for i in range(10))

run_limited(small, 10)
try:
    run_limited(spin, 0.1)
except TimeUp:
    print("stopped")
profile = cProfile.Profile()
profile.enable()
small()
profile.disable()
print("profiled")
"""


def test_a_profiler_works_afterwards():
    """The interpreter is not left in the belief that an exception is pending: tracing then never ends (Python 3.11)."""
    done = subprocess.run([sys.executable, "-c", PROFILED], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["stopped", "profiled"], done.stderr
