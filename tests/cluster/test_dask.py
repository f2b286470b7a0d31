"""Does a sweep on a Dask cluster give the table of a serial one, even if workers are killed?

Needs the extra ``cluster``: ``pytest -m cluster``. The clusters are real ones: scheduler and workers are processes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import joblib
import pytest

pytest.importorskip("distributed", reason='needs the extra "cluster"')

import dask
import distributed

from course_utils import cli, cluster
from course_utils.errors import CourseError
from course_utils.rows import read_table
from course_utils.sweeps import sweep
from course_utils.zoo import tables
from tests.science.test_sweeps import lines, measure, plain, recipes

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9"),
]
ROOT = Path(__file__).parents[2]
RUNS, SECONDS = 10, 0.3


@pytest.fixture(scope="module")
def workers() -> Iterator[distributed.Client]:
    """Three workers, each a process with one thread; a nanny puts another in the place of one that dies."""
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}):
        with distributed.LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address=":0") as local:
            with distributed.Client(local) as client:
                yield client


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[str]:
    """A scheduler and two workers without nannies, started by the README's commands; gives the scheduler's address."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    file = tmp_path / "scheduler.json"
    started = []

    def dask_command(*arguments: str) -> None:
        command = [sys.executable, "-m", "dask", *arguments]
        started.append(subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL))

    try:
        dask_command("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
        wait(lambda: file.exists() and file.read_text(encoding="utf-8").endswith("}"))
        address = json.loads(file.read_text(encoding="utf-8"))["address"]
        for _ in range(2):
            dask_command("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
        with distributed.Client(address) as client:
            client.wait_for_workers(2, timeout=120)
        yield address
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def wait(condition, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


class Killer(threading.Thread):
    """Once a few rows are in the table, kills the worker whose run has started last, in the middle of that run."""

    def __init__(self, table: Path, log: Path) -> None:
        super().__init__(daemon=True)
        self.table, self.log = table, log
        self.seed = self.pid = 0

    def run(self) -> None:
        wait(lambda: self.table.exists() and len(lines(self.table)) >= 4)
        known = len(lines(self.log))
        wait(lambda: len(lines(self.log)) > known)
        self.seed, self.pid = map(int, lines(self.log)[-1].split())
        os.kill(self.pid, signal.SIGKILL)


def starts(log: Path) -> list[int]:
    return [int(line.split()[0]) for line in lines(log)]


def test_a_killed_worker_loses_no_row_and_the_table_is_the_serial_one(workers, tmp_path):
    table, log = tmp_path / "table.csv", tmp_path / "log"
    wanted = recipes(RUNS, pause=SECONDS, log=str(log))
    killer = Killer(table, log)
    killer.start()
    with joblib.parallel_config(backend="dask"):
        rows = sweep(wanted, measure, table)
    killer.join(timeout=1)
    assert killer.pid and starts(log).count(killer.seed) == 2, "the run that was killed was made again"
    assert len({line.split()[1] for line in lines(log)}) >= 3, "several processes took part"
    assert len(lines(table)) == 1 + RUNS and [row["seed"] for row in rows] == list(range(RUNS))
    assert {row["recipe"] for row in read_table(table)} == {recipe.digest() for recipe in wanted}
    assert plain(rows) == plain(sweep(wanted, measure))


def test_a_run_that_kills_its_workers_is_given_up_and_the_others_go_on(workers, tmp_path):
    failures = []
    wanted = recipes(6, dies=2, fails=4)
    with joblib.parallel_config(backend="dask"):
        rows = sweep(wanted, measure, tmp_path / "t.csv", on_failure=lambda *failure: failures.append(failure))
    assert [row["seed"] for row in rows] == [0, 1, 3, 5]
    sentences = {recipe.seed: sentence for recipe, sentence in failures}
    assert sentences.keys() == {2, 4} and "KilledWorker" in sentences[2] and "no such thing" in sentences[4]


def test_the_command_runs_on_a_cluster_that_loses_a_worker_for_good(commands, tmp_path, monkeypatch, capsys):
    table, log = tmp_path / "table.csv", tmp_path / "log"
    wanted = recipes(RUNS, pause=SECONDS, log=str(log))
    monkeypatch.setitem(tables.TABLES, "lines", tables.Table("Lines.", tuple(wanted), measure))
    killer = Killer(table, log)
    killer.start()
    monkeypatch.setattr(sys, "argv", ["course", "sweep", "lines", "--scheduler", commands, "--out", str(table)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 0
    killer.join(timeout=1)
    said = " ".join(capsys.readouterr().out.split())
    assert f"on the cluster at {commands} (2 workers)" in said and f"complete: {RUNS} rows" in said
    assert killer.pid and starts(log).count(killer.seed) == 2
    assert plain(sweep(wanted, measure, table)) == plain(sweep(wanted, measure))


def test_a_single_worker_is_used_and_not_this_process(tmp_path):
    log = tmp_path / "log"
    wanted = recipes(2, log=str(log))
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as local:
        with distributed.Client(local), joblib.parallel_config(backend="dask"):
            rows = sweep(wanted, measure)
    assert str(os.getpid()) not in {line.split()[1] for line in lines(log)}
    assert plain(rows) == plain(sweep(wanted, measure))


def test_a_cluster_that_is_lost_is_said_in_a_sentence_and_its_rows_are_kept(commands, tmp_path):
    table = tmp_path / "table.csv"
    wanted = recipes(RUNS, pause=SECONDS)
    with cluster.connected(commands) as client:
        pid = client.run_on_scheduler(os.getpid)

        def kill() -> None:
            wait(lambda: table.exists() and len(lines(table)) >= 3)
            os.kill(pid, signal.SIGKILL)

        threading.Thread(target=kill, daemon=True).start()
        with pytest.raises(CourseError, match="The cluster is lost"):
            sweep(wanted, measure, table)
    assert 2 <= len(read_table(table)) < RUNS


def test_no_scheduler_and_other_versions_are_explained(workers, monkeypatch):
    with pytest.raises(CourseError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        with cluster.connected("tcp://127.0.0.1:9", timeout=1):
            pass
    monkeypatch.setattr("course_utils.__version__", "99")
    with pytest.raises(CourseError, match=r"has course_utils .*, this machine has 99"):
        with cluster.connected(workers.scheduler.address):
            pass
