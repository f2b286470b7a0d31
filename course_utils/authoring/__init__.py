"""From one hand-written source per chapter to everything that is derived from it.

``solutions/PC_slug.py`` is parsed into a :class:`Chapter`; the learner's copies, the solution notebook and the
manifest are pure functions of it and of the stored evidence. ``build`` writes them, ``check`` says what is stale,
``execute`` runs a chapter and refreshes its evidence.
"""

from course_utils.authoring.chapter import Cell, Chapter, Exercise
from course_utils.authoring.drift import build, check
from course_utils.authoring.execution import ExecutionReport, execute
from course_utils.authoring.parse import parse, parse_all
from course_utils.authoring.problems import Problem, StructureError

__all__ = [
    "Cell",
    "Chapter",
    "ExecutionReport",
    "Exercise",
    "Problem",
    "StructureError",
    "build",
    "check",
    "execute",
    "parse",
    "parse_all",
]
