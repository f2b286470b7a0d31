"""What the tests of the topics ask of a check: does an answer pass, and if not what is the learner told?"""

from __future__ import annotations

from course_utils.checks.framework import all_checks, run
from course_utils.checks.outcome import Outcome
from course_utils.checks.rendering import as_text


class Verdicts:
    """A topic's checks, asked by name."""

    def __init__(self, topic):
        self.checks = all_checks(topic)

    def failure(self, name, answer):
        """The name of the mistake that is recognised ("" for none) and the text that the learner sees."""
        report = run(self.checks[name], answer)
        assert report.outcome is Outcome.FAILED
        return report.mistake, as_text(report)

    def passes(self, name, answer):
        """Is the answer right?"""
        return run(self.checks[name], answer).outcome is Outcome.PASSED
