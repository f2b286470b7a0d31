"""What is said about one exercise in a learner's file."""

from __future__ import annotations

from dataclasses import asdict, dataclass

PASSED = "passed"
WRONG = "wrong"
NOT_ATTEMPTED = "not attempted"
ERROR = "error"
TIMED_OUT = "timed out"


@dataclass(frozen=True)
class Verdict:
    """``message`` is one line for the table, ``report`` the full text; ``printed`` what the learner's code printed."""

    id: str
    title: str
    verdict: str
    message: str = ""
    report: str = ""
    seconds: float = 0.0
    printed: str = ""

    @property
    def is_wrong(self) -> bool:
        """Whether something has to be put right: an exercise not yet attempted is not wrong."""
        return self.verdict in (WRONG, ERROR, TIMED_OUT)

    def as_dict(self) -> dict:
        """Plain values, for ``--json``."""
        return asdict(self)
