"""Phase Change: reverse-engineering neural networks, and the science of how they learn.

The library behind the chapters. Data flows one way: tasks → models → training → analysis → plots;
``checks`` looks at all of them and none of them looks at ``checks``.
"""

import torch as _torch  # noqa: F401  (imported here so that every later import finds it loaded)

from course_utils.errors import CourseError

__version__ = "0.1.0"
__all__ = ["CourseError", "__version__"]
