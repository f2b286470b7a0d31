"""How does a report read?  As plain text for terminals and logs, as an HTML card for notebooks.

Colour never carries the meaning alone, and every colour of the card is JupyterLab's own variable with a fallback, so
that the card follows light and dark themes and reads well in other notebook programs.
"""

from __future__ import annotations

import html
import re
import sys

from course_utils.checks.outcome import Finding, Outcome, Report
from course_utils.checks.pictures import as_html

_MARKS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.NOT_ATTEMPTED: "○", Outcome.TIMED_OUT: "✗"}
_ANSI = {Outcome.PASSED: "32", Outcome.FAILED: "31", Outcome.NOT_ATTEMPTED: "33", Outcome.TIMED_OUT: "31"}
_COLOURS = {
    Outcome.PASSED: "var(--jp-success-color1, #2e8b57)",
    Outcome.FAILED: "var(--jp-error-color1, #d32f2f)",
    Outcome.NOT_ATTEMPTED: "var(--jp-border-color1, #8a8a8a)",
    Outcome.TIMED_OUT: "var(--jp-error-color1, #d32f2f)",
}
# JupyterLab floats the parts of a definition list and narrows them.
_GRID = "float:none;width:auto;margin:0;padding:0"
_CODE = "font-family:var(--jp-code-font-family, monospace);font-size:.92em;overflow-wrap:anywhere"


def headline(report: Report) -> str:
    """The report in one line, without its mark: "fourier_basis: passed"."""
    exercise = f" (Exercise {report.exercise})" if report.exercise else ""
    note = "" if report.counted else " (the library's own function, not counted)"
    said = {
        Outcome.PASSED: f"passed{note}",
        Outcome.NOT_ATTEMPTED: f"not attempted yet{exercise}",
        Outcome.FAILED: "not right yet",
        Outcome.TIMED_OUT: "stopped, it ran too long",
    }
    return f"{report.name}: {said[report.outcome]}"


def as_text(report: Report, colour: bool = False) -> str:
    """The whole report in plain text, a few lines."""
    first = f"{_MARKS[report.outcome]} {headline(report)}"
    lines = [f"\x1b[{_ANSI[report.outcome]}m{first}\x1b[0m" if colour else first]
    finding = report.finding
    if report.asked and finding:
        lines.append(f"  Asked: {report.asked}")
    if report.diagnosis:
        lines.append(f"  Likely cause: {report.diagnosis}")
    if finding:
        lines.append(f"  {'What differs' if not _is_accident(finding) else 'What happened'}: {finding.what}")
        if finding.why and not report.diagnosis:
            lines.append(f"    {finding.why}")
        for frame in finding.frames:
            lines.append(f"    {frame}")
        lines += [f"    {label:<9} {text}" for label, text in _rows(finding)]
    if report.printed:
        lines += ["  Your code printed:", *(f"    {line}" for line in report.printed.splitlines())]
    return "\n".join(lines)


def as_card(report: Report) -> str:
    """The report as HTML: one line for a pass or an untouched stub, a card for a failure."""
    colour = _COLOURS[report.outcome]
    failed = report.outcome in (Outcome.FAILED, Outcome.TIMED_OUT)
    parts = [
        f'<div><span aria-hidden="true" style="color:{colour};font-weight:bold">{_MARKS[report.outcome]}</span> '
        f"<strong>{html.escape(headline(report))}</strong></div>"
    ]
    if report.finding:
        if report.asked:
            parts.append(f'<div style="margin-top:.25em">Asked: {_rich(report.asked)}</div>')
        if report.diagnosis:
            parts.append(f'<div style="margin-top:.4em"><strong>Likely cause:</strong> {_rich(report.diagnosis)}</div>')
            parts.append(
                '<details style="margin-top:.4em"><summary style="cursor:pointer">What the check saw</summary>'
                f"{_evidence(report.finding)}</details>"
            )
        else:
            parts.append(_evidence(report.finding))
    if report.printed:
        parts.append(f'<div style="margin-top:.4em">Your code printed:</div>{_block(report.printed)}')
    return (
        f'<div role="{"alert" if failed else "status"}" class="course-check" '
        f'style="border-left:4px solid {colour};padding:{".5em .9em" if failed else ".1em .9em"};margin:.2em 0;'
        "color:var(--jp-ui-font-color1, inherit);background:var(--jp-layout-color1, transparent);"
        "font-family:var(--jp-ui-font-family, system-ui, sans-serif);"
        f'font-size:var(--jp-content-font-size1, 14px);line-height:1.45;max-width:60em">{"".join(parts)}</div>'
    )


def in_jupyter() -> bool:
    """Does a notebook kernel show what is displayed?  (IPython in a terminal does not count.)"""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and getattr(shell, "kernel", None) is not None


def show(report: Report) -> bool:
    """Show the report to the learner. True if a card was shown; a failure outside Jupyter is left to its exception."""
    if in_jupyter():
        from IPython.display import display

        display({"text/html": as_card(report), "text/plain": as_text(report)}, raw=True)
        return True
    if report.outcome in (Outcome.PASSED, Outcome.NOT_ATTEMPTED):
        say(as_text(report, colour=_is_coloured()))
    return False


def say(text: str) -> None:
    """Print, also on a terminal whose encoding lacks a character."""
    try:
        print(text)
    except UnicodeEncodeError:
        encoding = getattr(sys.stdout, "encoding", None) or "ascii"
        print(text.encode(encoding, "replace").decode(encoding))


def _is_coloured() -> bool:
    import os

    return hasattr(sys.stdout, "isatty") and sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _is_accident(finding: Finding) -> bool:
    """Did something happen (an exception, a time limit), in contrast to a wrong value?"""
    return bool(finding.frames) or not (finding.expected or finding.got)


def _rows(finding: Finding) -> list[tuple[str, str]]:
    pairs = (("expected", finding.expected), ("got", finding.got), ("differs", finding.difference))
    return [(label, text) for label, text in pairs if text]


def _evidence(finding: Finding) -> str:
    parts = [f'<div style="margin-top:.4em">{_rich(_sentence(finding.what))}</div>']
    if finding.why:
        parts.append(f'<div style="margin-top:.2em">{_rich(finding.why)}</div>')
    if finding.frames:
        parts.append(_block("\n".join(finding.frames)))
    rows = _rows(finding)
    if rows:
        cells = "".join(
            f'<dt style="font-weight:600;{_GRID}">{label}</dt><dd style="{_GRID};{_CODE}">{html.escape(text)}</dd>'
            for label, text in rows
        )
        parts.append(
            '<dl style="display:grid;grid-template-columns:max-content 1fr;align-items:baseline;gap:.1em .9em;'
            f'margin:.4em 0 0;max-width:none;width:auto">{cells}</dl>'
        )
    if finding.picture is not None:
        parts.append(as_html(finding.picture))
    return "".join(parts)


def _block(text: str) -> str:
    return (
        f'<pre style="margin:.3em 0 0;padding:.3em .6em;white-space:pre-wrap;color:inherit;'
        f'background:var(--jp-layout-color2, rgba(128,128,128,.15));{_CODE}">{html.escape(text)}</pre>'
    )


def _sentence(text: str) -> str:
    """With a capital letter, unless the first word is a name or code."""
    first = text.split(" ", 1)[0]
    return text[:1].upper() + text[1:] if first.isalpha() and first.islower() else text


def _rich(text: str) -> str:
    """Escaped text in which `code` is set as code and *stress* as stress."""
    pieces = re.split(r"`([^`]+)`", html.escape(text))
    for i, piece in enumerate(pieces):
        if i % 2:
            pieces[i] = f'<code style="{_CODE};color:inherit;background:none;padding:0">{piece}</code>'
        else:
            pieces[i] = re.sub(r"(?<![\w*])\*(\w(?:[^*]*\w)?)\*(?![\w*])", r"<em>\1</em>", piece)
    return "".join(pieces)
