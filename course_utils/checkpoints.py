"""How is a run kept so that it survives anything? A file that is whole or known to be damaged, and the one before it."""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path
from typing import Any

import torch

from course_utils.errors import CourseError

DIGEST_BYTES = 32


def write(path: Path, content: dict[str, Any]) -> None:
    """Writes a checkpoint behind its SHA-256, so that damage is noticed; keeps the one before it."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    data = buffer.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, previous = path.with_name(path.name + ".part"), path.with_name(path.name + ".previous")
    temporary.write_bytes(hashlib.sha256(data).digest() + data)
    if path.exists():
        path.replace(previous)
    temporary.replace(path)


def read_newest(path: Path) -> dict[str, Any] | None:
    """The newest checkpoint that is whole; None if there is none yet.

    Raises:
        CourseError: there are checkpoints, and all are damaged.
    """
    damaged: list[Path] = []
    for candidate in (path, path.with_name(path.name + ".previous")):
        if not candidate.exists():
            continue
        content = candidate.read_bytes()
        digest, data = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
        if hashlib.sha256(data).digest() == digest:
            if damaged:
                warnings.warn(f"{path} is damaged; the run goes on from the checkpoint before it.", stacklevel=3)
            return torch.load(io.BytesIO(data), weights_only=True)
        damaged.append(candidate)
    if damaged:
        raise CourseError(
            f"{path} is damaged, and there is no earlier checkpoint that is whole. Delete it to start again."
        )
    return None


def remove(path: Path) -> None:
    """Deletes a checkpoint that has served, and the one before it."""
    for file in (path, path.with_name(path.name + ".previous")):
        file.unlink(missing_ok=True)
