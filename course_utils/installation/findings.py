"""What is said of an installation: answers to questions, and the problems found."""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """What is wrong, what to do, and whether it is only worth knowing (``note``)."""

    what: str
    fix: str
    note: bool = False


@dataclass(frozen=True)
class Finding:
    """The answer to one question: what was looked at, what is good about it, and the problems found."""

    subject: str
    good: str
    problems: tuple[Problem, ...] = ()


def pip() -> str:
    """The pip command of this very Python."""
    return f"{sys.executable} -m pip"
