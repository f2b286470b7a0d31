"""Where in the learner's own code did it happen?  Stack frames without Python's, the libraries' and the checker's."""

from __future__ import annotations

import linecache
import sys
import sysconfig
from pathlib import Path
from traceback import extract_tb
from types import TracebackType

_MOST_FRAMES = 6


def learner_frames(traceback: TracebackType | None) -> tuple[str, ...]:
    """One line of text for each frame in the learner's own cells and files, outermost first.

    Of a deep recursion only the first and last frames are given.
    """
    own = [frame for frame in extract_tb(traceback) if _is_learners(frame.filename)]
    lines = []
    for frame in own:
        source = (frame.line or linecache.getline(frame.filename, frame.lineno or 0)).strip()
        lines.append(f"{_place(frame.filename)}, line {frame.lineno}, in {frame.name}: {source}".rstrip(": "))
    if len(lines) > _MOST_FRAMES:
        left_out = len(lines) - _MOST_FRAMES
        half = _MOST_FRAMES // 2
        lines = [*lines[:half], f"… {left_out} more …", *lines[-half:]]
    return tuple(lines)


def _is_learners(filename: str) -> bool:
    if filename.startswith("<") and not filename.startswith(("<ipython", "<stdin")):
        return False
    path = Path(filename)
    if {"site-packages", "dist-packages"} & set(path.parts):
        return False
    return not any(path.is_relative_to(folder) for folder in _library_folders())


def _library_folders() -> list[Path]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    paths = sysconfig.get_paths()
    return [Path(__file__).resolve().parents[1], *(Path(paths[name]) for name in names if paths.get(name))]


def _place(filename: str) -> str:
    """The name a learner knows a place by: "Cell In[3]" for a notebook cell, the file's own name otherwise."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None:
        try:
            kind, name = shell.compile.format_code_name(filename)
            return f"{kind} {name}"
        except (AttributeError, TypeError, ValueError):
            pass
    return Path(filename).name
