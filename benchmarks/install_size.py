"""How much disk do the course and what it needs take, PyTorch left out? ``python -m benchmarks.install_size``.

Follows the requirements of ``phase-change[lab]``, which the README's first command installs, through the environment
that runs this, and adds up the files that each package brought. Prints one JSON object in mebibytes. There is no reference
but PyTorch's own size.
"""

from __future__ import annotations

import json
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

MEBIBYTE = 2**20


def closure(name: str, extras: frozenset[str] = frozenset()) -> dict[str, Distribution]:
    """The installed packages that ``name`` with ``extras`` needs, itself among them, by their names."""
    found: dict[str, Distribution] = {}
    waiting = [(name, extras)]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue  # asked for on another system only
        for line in found[name].requires or []:
            asked = Requirement(line)
            if asked.marker is None or any(asked.marker.evaluate({"extra": extra}) for extra in extras | {""}):
                waiting.append((asked.name.lower().replace("_", "-"), frozenset(asked.extras)))
    return found


def size(package: Distribution) -> int:
    """Bytes of the files that a package brought and that are there."""
    paths = (package.locate_file(file) for file in package.files or [])
    return sum(path.stat().st_size for path in paths if path.is_file())  # type: ignore[attr-defined]


def measure() -> dict[str, object]:
    """Mebibytes of everything but PyTorch, and of PyTorch."""
    packages = closure("phase-change", frozenset({"lab"}))
    torch = size(packages.pop("torch"))
    sizes = {name: size(package) for name, package in packages.items()}
    return {
        "name": "install_without_torch",
        "ours": round(sum(sizes.values()) / MEBIBYTE),
        "reference": round(torch / MEBIBYTE),
        "unit": "MiB",
        "ratio": round(torch / sum(sizes.values()), 1),
        "packages": len(sizes),
        "largest": sorted(sizes, key=sizes.__getitem__, reverse=True)[:5],
    }


def main() -> None:
    print(json.dumps(measure()))


if __name__ == "__main__":
    main()
