"""Phase Change: reverse-engineering neural networks, and the science of how they learn.

The library behind the chapters. Data flows one way: tasks → models → training → analysis → plots;
``checks`` looks at all of them and none of them looks at ``checks``.
"""

import sys as _sys
from pathlib import PurePath as _PurePath

from course_utils.errors import CourseError

__version__ = "0.1.0"
__all__ = ["CourseError", "__version__"]


def _is_the_command() -> bool:
    """Is this process the command ``course``, or does it only watch over others? Both do without torch.

    The command answers ``--help`` at once and diagnoses a missing torch.
    """
    program = _PurePath(_sys.argv[0]).stem.lower() if getattr(_sys, "argv", None) else ""
    return program in ("course", "course-script") or _sys.orig_argv[1:3] in (
        ["-m", "course_utils"],
        ["-m", "course_utils.running.handed_in"],
    )


if not _is_the_command():
    import torch as _torch  # noqa: F401  (imported here so that every later import finds it loaded)
