"""Puts the learner's chapters into the wheel, so that an installed course can be worked without a clone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = (".py", ".ipynb", ".json")


class ChaptersHook(BuildHookInterface):
    """Maps each file of ``chapters/`` to ``course_utils/_chapters/`` in a standard wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        # An editable install would get a copy that goes stale with the next edit; it reads the clone's own chapters.
        if version == "editable":
            return
        for path in sorted(Path(self.root, "chapters").glob("*")):
            if path.suffix in SHIPPED:
                build_data["force_include"][str(path)] = f"course_utils/_chapters/{path.name}"
