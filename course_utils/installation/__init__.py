"""What is wrong with this installation, and how is it put right?

Every question is a function that returns problems, none of them imports torch (a broken torch may end the process):
it is tried in a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from course_utils.installation.files import chapters, weights, workspace
from course_utils.installation.findings import Finding, Problem
from course_utils.installation.machine import (
    environment,
    jupyterlab,
    kernel,
    package_version,
    python_version,
    torch_works,
)

__all__ = [
    "QUESTIONS",
    "Finding",
    "Problem",
    "chapters",
    "environment",
    "jupyterlab",
    "kernel",
    "package_version",
    "python_version",
    "torch_works",
    "weights",
    "workspace",
]

QUESTIONS: tuple[Callable[[], Finding], ...] = (
    package_version,
    python_version,
    environment,
    torch_works,
    kernel,
    jupyterlab,
    chapters,
    weights,
    workspace,
)
