"""``course sweep``: make one of the zoo's tables again, run by run, on this machine or on a cluster."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table as Columns
from rich.text import Text

from course_utils.commands.screen import complain, console, say, shown_path
from course_utils.errors import CourseError
from course_utils.paths import workspace_dir

if TYPE_CHECKING:
    from course_utils.training import Recipe


def sweep(
    name: str | None = typer.Argument(None, metavar="[NAME]", help="A table of the zoo; all are listed if left out."),
    workers: int | None = typer.Option(
        None, "--workers", min=1, help="How many runs at once on this machine; one if left out."
    ),
    scheduler: str | None = typer.Option(
        None,
        "--scheduler",
        metavar="ADDRESS",
        help="Run on the Dask cluster of this scheduler, such as tcp://host:8786.",
    ),
    out: Path | None = typer.Option(
        None, "--out", metavar="FILE", help="The table's file; tables/NAME.csv in your workspace if left out."
    ),
) -> None:
    """Make a table of many runs: each is trained, and leaves a row. Ctrl-C is safe: the same command goes on."""
    from course_utils import rows
    from course_utils.zoo import tables

    if name is None:
        _list()
        return
    table = tables.named(name)
    if scheduler and workers:
        raise CourseError("`--workers` is for this machine; a cluster has its own workers. Leave out one of the two.")
    file = out or workspace_dir() / "tables" / f"{name}.csv"
    wanted = {recipe.digest() for recipe in table.recipes}

    def kept() -> int:
        return len(wanted & {row[rows.KEY] for row in rows.read(file).rows})

    say(f"{name}: {table.about}")
    before = kept()
    if before == len(wanted):
        say(f"All {len(wanted)} rows are in {shown_path(file)}: nothing is left to do.", "green")
        return
    already = f"{before} of its {len(wanted)} rows are in {shown_path(file)}" if before else f"{len(wanted)} runs"
    failures: list[tuple[Recipe, str]] = []
    try:
        with _warnings_as_sentences(), _where(scheduler) as where:
            say(f"{already}; {len(wanted) - before if before else 'all'} to make, {where or _at_once(workers)}.")
            tables.make_table(name, file, workers, progress=True, on_failure=lambda *failure: failures.append(failure))
    except KeyboardInterrupt:
        say(
            f"Interrupted. {kept()} of {len(wanted)} rows are in {shown_path(file)}; the same command goes on from there."
        )
        raise typer.Exit(130) from None
    for recipe, sentence in failures:
        complain(f"The run with seed {recipe.seed} (recipe {recipe.digest()}) failed. {sentence}")
    if failures:
        say(f"{kept()} of {len(wanted)} rows are in {shown_path(file)}. The same command tries the others again.")
        raise typer.Exit(1)
    say(f"{name} is complete: {len(wanted)} rows in {shown_path(file)}.", "green")


def _list() -> None:
    from course_utils.zoo.tables import TABLES

    columns = Columns(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    columns.add_column("Table", no_wrap=True)
    columns.add_column("Runs", justify="right")
    columns.add_column("What it is about")
    for name, table in TABLES.items():
        columns.add_row(name, str(len(table.recipes)), Text(table.about))
    console().print(columns)
    say("All of them ship with the course. `course sweep NAME` makes one again, in your workspace.")


def _at_once(workers: int | None) -> str:
    return f"{workers} at a time" if workers and workers > 1 else "one at a time"


@contextlib.contextmanager
def _where(scheduler: str | None) -> Iterator[str]:
    """On the cluster, if there is a scheduler, and in which words."""
    if scheduler is None:
        yield ""
        return
    from course_utils import cluster

    with cluster.connected(scheduler) as client:
        count = len(client.ncores())
        found = (
            f"{count} worker{'s' if count != 1 else ''}" if count else "no workers yet: it waits until there are some"
        )
        yield f"on the cluster at {scheduler} ({found})"


@contextlib.contextmanager
def _warnings_as_sentences() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: complain(str(message))
        yield
