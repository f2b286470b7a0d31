"""How is a list of runs worked off: on several cores or machines, without losing any, and without doing any twice?

``sweep(recipes, measure, table)`` trains every recipe and keeps one row of measurements of each. Rows go to a CSV file as
they come (see :mod:`course_utils.rows`), so that after any interruption the same call makes only the rows that are missing.
The runs go through joblib. On one machine ``jobs`` says how many at once; on a Dask cluster the same call runs unchanged::

    with joblib.parallel_config(backend="dask"):
        rows = sweep(recipes, measure, table)
"""

from __future__ import annotations

import concurrent.futures
import traceback
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from course_utils.errors import CourseError
from course_utils.rows import KEY, Cells, Row, RowFile, decode, encode
from course_utils.training import Recipe, Run, train

Measure = Callable[[Run], dict[str, Any]]
"""From a finished run to the cells of its row, by column."""


def warn_of_failure(recipe: Recipe, sentence: str) -> None:
    """Says as a warning that a run failed, and why."""
    warnings.warn(
        f"The run with seed {recipe.seed} (recipe {recipe.digest()}) failed. {sentence} "
        "It has no row; the next sweep into the same table tries it again.",
        stacklevel=3,
    )


def sweep(
    recipes: Iterable[Recipe],
    measure: Measure,
    table: Path | str | None = None,
    jobs: int | None = None,
    progress: bool = False,
    *,
    threads: int = 1,
    on_failure: Callable[[Recipe, str], None] = warn_of_failure,
) -> list[Row]:
    """Train every recipe and keep one row of measurements of each.

    A row has the columns ``recipe`` (the digest), ``seed``, ``seconds`` (of training), and those of ``measure``. Recipes
    that are in the table already are not trained again, equal recipes only once. Nothing can lose a finished row; a sweep
    that was killed, even by ``kill -9``, has lost the runs that were in flight and no others.

    Args:
        recipes: the runs.
        measure: what to keep of a run: numbers, strings, lists, None by column. Every run has the same columns. It may be
            defined in a notebook.
        table: a CSV file that keeps the rows; None keeps them in memory only. One sweep at a time writes to a file.
        jobs: how many runs at once. None means what ``joblib.parallel_config`` says, and otherwise one, in this process.
            On a cluster its workers decide.
        progress: show a bar with the time left.
        threads: how many threads a run may use. At 1 a row is the same to the bit, but for its seconds, whether it was made
            here, in a worker, or on another machine with the same kind of processor.
        on_failure: called in this process with the recipe of a run that failed and a sentence that says why.

    Returns:
        The rows of the finished runs as they are read from a table, in the order of the recipes. A run that failed has
        none, and the others go on.

    Raises:
        CourseError: a table of other columns, one that cannot be written, or a cluster that is lost.
    """
    recipes = list(recipes)
    wanted = {recipe.digest(): recipe for recipe in recipes}
    file = RowFile(Path(table)) if table is not None else None
    done = {row[KEY]: row for row in file.rows if row[KEY] in wanted} if file is not None else {}
    missing = {digest: recipe for digest, recipe in wanted.items() if digest not in done}
    failed = 0
    bar = tqdm(
        total=len(wanted),
        initial=len(done),
        disable=not progress,
        unit="run",
        dynamic_ncols=True,
        miniters=1,
        smoothing=0,
    )
    with closing(_outcomes(list(missing.values()), measure, jobs, threads)) as outcomes, bar:
        for outcome in outcomes:
            if outcome.recipe not in missing:
                raise CourseError(
                    "A worker computes another hash of a recipe than this process: it has another version of the course. "
                    "Install the same version everywhere and restart the workers."
                )
            if outcome.cells is None:
                failed += 1
                bar.set_postfix(failed=failed, refresh=False)
                with bar.external_write_mode():
                    on_failure(missing[outcome.recipe], outcome.failure)
            else:
                if file is not None:
                    file.add(outcome.cells)
                done[outcome.recipe] = decode(outcome.cells)
            bar.update()
    return [done[recipe.digest()] for recipe in recipes if recipe.digest() in done]


@dataclass(frozen=True)
class Outcome:
    """What became of a run, by its recipe's digest: the cells of its row, or None and a sentence that says why not.

    A run is ``suspect`` if its worker died: it, or another run there, was to blame.
    """

    recipe: str
    cells: Cells | None
    failure: str = ""
    suspect: bool = False


def run_one(recipe: Recipe, measure: Measure, threads: int) -> Outcome:
    """Train and measure, in this process; what goes wrong becomes a sentence."""
    digest = recipe.digest()
    torch.set_num_threads(threads)
    try:
        run = train(recipe)
        measured = measure(run)
        own = {KEY: digest, "seed": recipe.seed, "seconds": round(run.seconds, 2)}
        if taken := sorted(own.keys() & measured.keys()):
            raise CourseError(f"measure returns {', '.join(taken)}, which every row has anyway. Give it another name.")
        return Outcome(digest, encode({**own, **measured}))
    except Exception as error:
        return Outcome(digest, None, _sentence(error))


def _sentence(error: Exception) -> str:
    if isinstance(error, CourseError):
        return str(error)
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({where.name}, {Path(where.filename).name}:{where.lineno})."


def _outcomes(recipes: list[Recipe], measure: Measure, jobs: int | None, threads: int) -> Generator[Outcome]:
    """What becomes of each run, as it comes.

    Runs that were in flight when a worker process died are suspects. They wait until the others are done, and are then made
    one at a time, so that the one that kills its worker is known and fails alone.
    """
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    queue, suspects = recipes, list[Recipe]()
    with _backend(), _threads_as_they_were():
        while queue or suspects:
            batch = queue or [suspects.pop(0)]
            alone = len(batch) == 1
            left = {recipe.digest(): recipe for recipe in batch}
            try:
                for outcome in _in_parallel(batch, measure, jobs, threads):
                    recipe = left.pop(outcome.recipe, None)
                    if outcome.suspect and recipe is not None and not alone:
                        suspects.append(recipe)
                    else:
                        yield outcome
                queue = []
            except concurrent.futures.CancelledError as error:
                raise CourseError(
                    f"The cluster is lost ({error}). The rows that came are kept; start the scheduler and the sweep again."
                ) from None
            except TerminatedWorkerError:  # one process of this machine takes all others down with it
                unfinished = list(left.values())
                if alone:
                    died = "Its worker process died; perhaps the memory did not suffice."
                    yield Outcome(unfinished[0].digest(), None, died)
                    queue = []
                else:
                    in_flight = joblib.effective_n_jobs(jobs)  # workers take the runs in their order
                    suspects += unfinished[:in_flight]
                    queue = unfinished[in_flight:]


def _in_parallel(recipes: list[Recipe], measure: Measure, jobs: int | None, threads: int) -> Iterator[Outcome]:
    import joblib

    # All are handed out at once: workers that join a cluster later find work, and none waits for this process.
    parallel = joblib.Parallel(n_jobs=jobs, batch_size=1, pre_dispatch="all", return_as="generator_unordered")
    results = parallel(joblib.delayed(run_one)(recipe, measure, threads) for recipe in recipes)
    try:
        yield from results
    finally:
        with warnings.catch_warnings():  # that runs in flight are given up needs no warning
            warnings.simplefilter("ignore")
            results.close()


@contextmanager
def _backend() -> Iterator[None]:
    """Joblib's backend as it was chosen; for Dask one that survives what kills its workers."""
    import joblib

    backend, _ = joblib.parallel.get_active_backend()
    if type(backend).__module__ != "joblib._dask":
        yield
        return
    from course_utils import cluster

    with joblib.parallel_config(backend=cluster.Backend.like(backend)):
        yield


@contextmanager
def _threads_as_they_were() -> Iterator[None]:
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
