"""How did a check end, and what did it find?  The values that pass between a check, its report and its reader."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from course_utils.checks.pictures import Picture
from course_utils.errors import CourseError


class Outcome(StrEnum):
    """How a check ended: ``PASSED``, ``FAILED``, ``NOT_ATTEMPTED`` or ``TIMED_OUT``, each also a text to print."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_ATTEMPTED = "not attempted"
    TIMED_OUT = "timed out"


@dataclass(frozen=True)
class Finding:
    """The first thing found wrong with an answer. Every field but `what` may be empty."""

    what: str
    why: str = ""
    expected: str = ""
    got: str = ""
    difference: str = ""
    frames: tuple[str, ...] = ()
    picture: Picture | None = None


class Mismatch(Exception):
    """Raised by `call` and the `expect` functions, caught by the check that runs them; a learner never sees it."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


class NotAttempted(Exception):
    """The answer is still the stub. `exercise` is its id, such as "21.3", or empty where the stub does not say."""

    def __init__(self, exercise: str = "") -> None:
        super().__init__(exercise)
        self.exercise = exercise


@dataclass(frozen=True)
class Report:
    """All that a check has to say about one answer."""

    check: str  # "fourier.test_fourier_basis"
    asked: str  # the first sentence of the check's docstring
    outcome: Outcome
    finding: Finding | None = None
    mistake: str = ""  # name of the catalogue entry recognised
    diagnosis: str = ""  # its sentence
    printed: str = ""  # the first lines of what the learner's code printed
    exercise: str = ""
    counted: bool = True  # False for the library's own function
    seconds: float = 0.0
    error: BaseException | None = None  # what went wrong inside the check itself, for the check's author

    @property
    def name(self) -> str:
        """The exercise's own name: "fourier_basis"."""
        return self.check.rpartition(".")[2].removeprefix("test_")

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values that JSON can hold, without pictures."""
        finding = self.finding
        return {
            "check": self.check,
            "name": self.name,
            "asked": self.asked,
            "outcome": self.outcome.value,
            "exercise": self.exercise,
            "mistake": self.mistake,
            "diagnosis": self.diagnosis,
            "what": finding.what if finding else "",
            "why": finding.why if finding else "",
            "expected": finding.expected if finding else "",
            "got": finding.got if finding else "",
            "difference": finding.difference if finding else "",
            "frames": list(finding.frames) if finding else [],
            "printed": self.printed,
            "seconds": round(self.seconds, 3),
        }


class CheckFailed(CourseError, AssertionError):
    """An answer is not right yet. Its text is the whole report; `.report` holds the parts.

    It is an AssertionError too, so that pytest, unittest and nbval count it as a failed test and not as an error.
    """

    def __init__(self, report: Report, text: str, card_shown: bool = False) -> None:
        super().__init__(text)
        self.report = report
        self.card_shown = card_shown

    def _render_traceback_(self) -> list[str]:
        """What IPython prints in place of a stack: one line under a card, the text where no card was shown."""
        if self.card_shown:
            return [f"CheckFailed: {self.report.name} is not right yet, see the card above."]
        return str(self).splitlines()


CheckFailed.__module__ = "course_utils.checks"
