"""Running a learner's file: which cells it has, which of them an exercise needs, and what the checks say about it.

Nothing in this package imports torch, except the worker process that runs the checks.
"""

from course_utils.running.cells import Document, read_document
from course_utils.running.planning import recognise
from course_utils.running.process import Limits, Worker, check_document
from course_utils.running.verdicts import Verdict

__all__ = ["Document", "Limits", "Verdict", "Worker", "check_document", "read_document", "recognise"]
