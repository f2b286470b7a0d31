"""A course in a temporary folder, with the tiny chapter as its source."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tiny_chapter import NAME, TINY


@pytest.fixture
def write(tmp_path: Path):
    """Write a source (default: the tiny chapter) into a fresh course and return the course's root."""

    def write_source(text: str = TINY, name: str = f"{NAME}.py", root: Path = tmp_path) -> Path:
        path = root / "solutions" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return root

    return write_source


@pytest.fixture
def course(write) -> Path:
    """A course with the tiny chapter, not yet built."""
    return write()
