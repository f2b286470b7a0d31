"""How the commands look: one console, tables of verdicts, full reports, sentences for errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from course_utils.running.verdicts import ERROR, NOT_ATTEMPTED, PASSED, TIMED_OUT, WRONG, Verdict

_LOOK = {
    PASSED: ("✓", "green"),
    WRONG: ("✗", "red"),
    NOT_ATTEMPTED: ("·", "dim"),
    ERROR: ("!", "yellow"),
    TIMED_OUT: ("…", "yellow"),
}


def console() -> Console:
    """A console on the present standard output, at least 60 columns wide where nothing says how wide it is."""
    return Console(highlight=False, soft_wrap=False)


def complain(sentence: str) -> None:
    """An error as a sentence, on standard error."""
    Console(stderr=True, highlight=False).print(Text(sentence, style="red"), soft_wrap=True)


def say(sentence: str, style: str = "") -> None:
    """A sentence, wrapped by the terminal and not by us, so that paths and commands can be copied."""
    console().print(Text(sentence, style=style), soft_wrap=True)


def markdown(text: str) -> None:
    """Markdown, rendered for the terminal."""
    console().print(Markdown(text))


def shown_path(path: Path) -> str:
    """A path as short as it can be said from here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def verdict_text(verdict: str) -> Text:
    """A verdict with its sign and colour: the word alone says it too."""
    sign, style = _LOOK.get(verdict, ("", ""))
    return Text(f"{sign} {verdict}", style=style)


def verdict_table(verdicts: Sequence[Verdict], title: str) -> Table:
    """One row an exercise: id, title, verdict, one line."""
    table = Table(title=Text(title, style="bold"), title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Exercise", no_wrap=True)
    table.add_column("Title", max_width=40)
    table.add_column("Verdict", no_wrap=True)
    table.add_column("In one line", ratio=1)
    for v in verdicts:
        message = v.message if v.is_wrong else ""
        table.add_row(
            v.id, Text(v.title), verdict_text(v.verdict), Text(one_line(message), style="" if v.is_wrong else "dim")
        )
    return table


def full_report(verdict: Verdict) -> None:
    """One exercise's whole report, and what the learner's code printed on the way."""
    out = console()
    out.print()
    heading = Text(f"{verdict.id} · {verdict.title}: ", style="bold")
    out.print(heading + verdict_text(verdict.verdict))
    text = verdict.report or verdict.message
    if text:
        out.print(Text(text), soft_wrap=True)
    if verdict.printed.strip():
        out.print(Text("Your code printed:", style="dim"))
        out.print(Text(verdict.printed.rstrip(), style="dim"), soft_wrap=True)


def one_line(text: str, limit: int = 160) -> str:
    """The text on one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
