"""``course doctor``: say in sentences what is wrong with an installation."""

from __future__ import annotations

import typer
from rich.text import Text

from course_utils import installation
from course_utils.commands.screen import console, say


def doctor() -> None:
    """Look over the installation: Python, torch, the kernel, chapters, weights, your workspace. Exit code 1 if ill."""
    out = console()
    ill = False
    for question in installation.QUESTIONS:
        try:
            finding = question()
        except Exception as error:  # one question that cannot be answered must not hide the others
            problem = installation.Problem(f"{question.__name__} could not be looked at: {error!r}.", "Report this.")
            finding = installation.Finding(question.__name__, "", (problem,))
        wrong = [p for p in finding.problems if not p.note]
        ill = ill or bool(wrong)
        sign, style = ("✗", "red") if wrong else ("!", "yellow") if finding.problems else ("✓", "green")
        out.print(Text.assemble((f"{sign} {finding.subject}", style), f"  {finding.good}"), soft_wrap=True)
        for problem in finding.problems:
            out.print(Text(f"    {problem.what}"), soft_wrap=True)
            out.print(Text(f"    → {problem.fix}", style="bold"), soft_wrap=True)
    if ill:
        raise typer.Exit(1)
    say("Everything needed is in place.", "green")
