"""Errors that talk to a learner: what was given, what was needed, what to do."""


class CourseError(Exception):
    """Something a learner can put right. Its message is one or two sentences: what happened, and what to do about it."""
