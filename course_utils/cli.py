"""The command ``course``. Each command lives in ``course_utils.commands``, and torch is imported only where it is used."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable

import typer

from course_utils.commands import book, build, check, doctor, hint, lab, models, progress, reset, start, sweep, watch
from course_utils.commands.screen import complain
from course_utils.errors import CourseError

WORK, PROGRESS, MAKING = "Working through a chapter", "Finding your way", "For authors and researchers"

app = typer.Typer(
    name="course",
    help="Phase Change: reverse-engineer small networks, and study how they learn.\n\n"
    "Start with [bold]course lab[/bold]: it copies the chapters into your workspace and opens JupyterLab.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from course_utils import __version__

        typer.echo(f"phase-change {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Say the version and exit."
    ),
) -> None:
    pass


def _register() -> None:
    def add(function: Callable[..., None], panel: str, *examples: str) -> None:
        epilog = "  ".join(["Example:" if len(examples) == 1 else "Examples:", "  ·  ".join(examples)])
        passing = {"allow_extra_args": True, "ignore_unknown_options": True} if function is lab.lab else {}
        app.command(rich_help_panel=panel, epilog=epilog, context_settings=passing)(function)

    add(lab.lab, WORK, "course lab", "course lab 21 --no-browser --port 8890", "course lab --ip=127.0.0.1")
    add(start.start, WORK, "course start 21", "course start 21 --py", "course start 21 --fresh")
    add(check.check, WORK, "course check 21", "course check 21.3", "course check handed-in --csv grades.csv")
    add(watch.watch, WORK, "course watch 21", "course watch 21.3")
    add(hint.hint, WORK, "course hint 21.3", "course hint 21.3 --again")
    add(reset.reset, WORK, "course reset 21.3", "course reset 21.3 --yes")
    add(progress.progress, PROGRESS, "course progress", "course progress 21")
    add(doctor.doctor, PROGRESS, "course doctor")
    add(build.build, MAKING, "course build", "course build --check", "course build --execute 21")
    add(book.book, MAKING, "course book", "course book --serve", "course book --check-links --output site")
    add(models.train, MAKING, "course train modular-addition-fast", "course train modular-addition --resume")
    add(models.verify, MAKING, "course verify", "course verify modular-addition")
    add(sweep.sweep, MAKING, "course sweep", "course sweep grokking-by-lr --workers 2")


_register()


def main() -> None:
    """Run the command; what a learner can put right is said in a sentence, without a traceback (exit code 2)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except CourseError as error:
        complain(str(error))
        sys.exit(2)
    except ImportError as error:
        complain(f"A package the course needs cannot be imported: {error}. `course doctor` says what to do.")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            sys.stdout = None
        sys.exit(0)


if __name__ == "__main__":
    main()
