"""Which checks has this learner passed, and when?  An append-only file of JSON lines in the learner's workspace.

Nothing is written in tests, in continuous integration, or when COURSE_PROGRESS=0; nothing ever leaves the machine.
"""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

FILE_NAME = "progress.jsonl"


@dataclass(frozen=True)
class Record:
    """One check that ended: when (ISO 8601, UTC), which ("fourier.test_fourier_basis"), and how ("passed", …)."""

    time: str
    check: str
    outcome: str


def now(check: str, outcome: str) -> Record:
    """A record of a check that ends now."""
    return Record(datetime.now(UTC).isoformat(timespec="seconds"), check, outcome)


def is_on() -> bool:
    """Is progress recorded?  Not under pytest, not in CI, not when the learner has switched it off."""
    if os.environ.get("COURSE_PROGRESS", "").strip() == "0":
        return False
    return not (os.environ.get("PYTEST_CURRENT_TEST") or os.environ.get("CI"))


def default_path(create: bool = False) -> Path | None:
    """The progress file of the learner's workspace; None while there is no workspace."""
    try:
        from course_utils.paths import workspace_dir
    except ImportError:
        return None
    folder = workspace_dir(create=create)
    return None if folder is None else Path(folder) / FILE_NAME


def append(record: Record, path: Path) -> None:
    """Add one record. Programs that append at the same time do not mix their lines: each line is one write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = (json.dumps(asdict(record), ensure_ascii=False) + "\n").encode("utf-8")
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags, 0o644)
    try:
        size = os.lseek(handle, 0, os.SEEK_END)
        if size:
            os.lseek(handle, size - 1, os.SEEK_SET)
            if os.read(handle, 1) != b"\n":  # the last writer was cut off: leave its line damaged, not this one
                line = b"\n" + line
        os.write(handle, line)
    finally:
        os.close(handle)


def read(path: Path) -> list[Record]:
    """All records, oldest first. Damaged lines are skipped, with one warning that counts them."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    records, damaged = [], []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line.decode("utf-8"))
            values = (fields["time"], fields["check"], fields["outcome"])
            if not all(isinstance(value, str) for value in values):
                raise TypeError
            datetime.fromisoformat(values[0])
            records.append(Record(*values))
        except (ValueError, KeyError, TypeError, RecursionError):
            damaged.append(number)
    if damaged:
        shown = ", ".join(map(str, damaged[:5])) + (", …" if len(damaged) > 5 else "")
        plural = "s" if len(damaged) > 1 else ""
        warnings.warn(
            f"Skipped {len(damaged)} damaged line{plural} in {path.name} (line{plural} {shown}); the other "
            f"{len(records)} were read. Delete the damaged line{plural} to silence this.",
            stacklevel=2,
        )
    return records
