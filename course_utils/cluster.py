"""What does a sweep need of a Dask cluster? A scheduler that answers, workers of one version, and runs that may kill workers.

Needs the extra ``cluster``. It is the only module that imports Dask, and only when it is used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import joblib
import torch
from joblib._dask import DaskDistributedBackend

import course_utils
from course_utils.errors import CourseError
from course_utils.sweeps import Outcome


class Backend(DaskDistributedBackend):
    """Joblib's Dask backend, changed in two things.

    Dask gives up a task after several workers have died that had it; joblib's backend then waits for it for ever. Here the
    sweep is told, and the other runs go on. And joblib works in this process where it finds a single worker; here
    all runs go to the cluster, and wait there until it has workers.
    """

    @classmethod
    def like(cls, backend: DaskDistributedBackend) -> Backend:
        """The same connection and settings."""
        return cls(client=backend.client, **backend.submit_kwargs)

    def effective_n_jobs(self, n_jobs: int) -> int:
        return max(2, sum(self.client.ncores().values()))

    def submit(self, func: Any, callback: Any = None) -> Any:
        future = super().submit(func, callback)

        def settle(done: Any) -> None:
            if (error := done.exception()) is not None:
                ((_, (recipe, *_), _),) = func.items
                sentence = f"The cluster gave it up ({type(error).__name__}): {error}"
                callback([Outcome(recipe.digest(), None, sentence, suspect=True)])

        future.add_done_callback(settle)
        return future


@contextlib.contextmanager
def connected(address: str, timeout: float = 10.0) -> Iterator[Any]:
    """Within it, joblib works on the cluster of this scheduler; gives Dask's client.

    Args:
        address: the scheduler's, such as ``tcp://192.168.0.5:8786``.
        timeout: for how many seconds it is asked for an answer.

    Raises:
        CourseError: no Dask, nothing that answers there, or workers that have other versions of the course or of torch.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise CourseError(
            f"This needs Dask ({error}). In the course's folder, install it with: "
            'python -m pip install -c constraints.txt -e ".[cluster]" (elsewhere: python -m pip install dask distributed).'
        ) from None

    try:
        client = Client(address, timeout=timeout)
    except (OSError, ValueError) as error:
        raise CourseError(
            f"No Dask scheduler answers at {address} ({error}). Start one with `dask scheduler`: it prints its address."
        ) from None
    with client, joblib.parallel_config(backend="dask", client=client):
        _compare_versions(client)
        yield client


def _compare_versions(client: Any) -> None:
    mine = {"course_utils": course_utils.__version__, "torch": torch.__version__}
    names = tuple(mine)

    def versions() -> dict[str, str | None]:  # travels to the workers whole, even to one that lacks the course
        import importlib

        found: dict[str, str | None] = {}
        for name in names:
            try:
                found[name] = str(importlib.import_module(name).__version__)
            except ImportError:
                found[name] = None
        return found

    for worker, found in client.run(versions).items():
        for package, version in mine.items():
            theirs = found[package]
            if theirs is None or theirs.split("+")[0] != version.split("+")[0]:
                has = f"{package} {theirs}" if theirs else f"no {package}"
                raise CourseError(
                    f"The worker {worker} has {has}, this machine has {version}. "
                    "Install the same version of the course on every host and restart its workers."
                )
