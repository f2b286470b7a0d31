"""Errors that talk to a learner: what was given, what was needed, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CourseError(Exception):
    """Something a learner can put right. Its message is one or two sentences: what happened, and what to do about it."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A guess at a mistyped name, as a sentence behind a space; nothing if none of the known names is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
