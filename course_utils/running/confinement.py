"""What may a file that was handed in use and see?  Limits of the operating system, and an environment of its own.

This keeps accidents in one file away from the other files and from the home of whoever grades. It is no security
boundary: the code runs as the user who grades, can read and delete what that user can, and can forge its verdicts.
"""

from __future__ import annotations

import contextlib
import os
import re
import site
import threading
import time
from dataclasses import dataclass
from pathlib import Path

try:
    import resource
except ImportError:  # Windows has none of these limits
    resource = None  # type: ignore[assignment]

GIB = 2**30
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|ACCESS_?KEY|SSH_AUTH_SOCK|GPG_AGENT", re.I)
_PLACES = re.compile(r"XDG_|JUPYTER|IPYTHON|HOMEDRIVE$|HOMEPATH$")


@dataclass(frozen=True)
class Resources:
    """``memory``: GiB of addresses beyond what Python and torch take; ``cpu``: seconds of processor time, summed over
    threads; ``file``: GiB of the largest file that may be written."""

    memory: float = 4.0
    cpu: float = 600.0
    file: float = 0.25


def confine(resources: Resources, parent: int) -> None:
    """Put this process under limits, now that torch is imported, and end it when the process ``parent`` has ended.

    Where the system knows no such limit (Windows; memory on macOS) there is none.
    """
    if resource is None:
        return
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    used = _addresses()
    if used:
        _limit("RLIMIT_AS", used + int(resources.memory * GIB))
    spent = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    _limit("RLIMIT_CPU", int(spent + resources.cpu) + 1)
    _limit("RLIMIT_FSIZE", int(resources.file * GIB))
    _limit("RLIMIT_CORE", 0)


def _limit(name: str, value: int) -> None:
    kind = getattr(resource, name)
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(kind, (value, value))


def _addresses() -> int:
    """Bytes of address space in use: a build of torch may take many GiB that hold nothing. 0 where it is not said."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * resource.getpagesize()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def surroundings(inherited: dict[str, str], root: Path, threads: int) -> dict[str, str]:
    """The environment for a process whose home, workspace and temporary files lie under ``root``; makes the folders.

    Variables that look like a secret by their name are left out. Packages installed for the user are still found.
    """
    home, temporary, work = root / "home", root / "temporary", root / "work"
    own = {
        "HOME": home,
        "USERPROFILE": home,
        "APPDATA": home / "AppData" / "Roaming",
        "LOCALAPPDATA": home / "AppData" / "Local",
        "XDG_CONFIG_HOME": home / ".config",
        "XDG_DATA_HOME": home / ".local" / "share",
        "XDG_STATE_HOME": home / ".local" / "state",
        "XDG_CACHE_HOME": home / ".cache",
        "JUPYTER_CONFIG_DIR": home / ".jupyter",
        "JUPYTER_DATA_DIR": home / ".local" / "share" / "jupyter",
        "JUPYTER_RUNTIME_DIR": temporary / "jupyter",
        "IPYTHONDIR": home / ".ipython",
        "MPLCONFIGDIR": home / ".config" / "matplotlib",
        "TMPDIR": temporary,
        "TEMP": temporary,
        "TMP": temporary,
        "COURSE_WORK": work,
    }
    for folder in own.values():
        folder.mkdir(parents=True, exist_ok=True)
    kept = {k: v for k, v in inherited.items() if not _SECRET.search(k) and not _PLACES.match(k.upper())}
    counts = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    user = {"PYTHONUSERBASE": site.getuserbase(), "COURSE_PROGRESS": "0"}
    return counts | kept | user | {name: str(folder) for name, folder in own.items()}
