"""Regenerates constraints.txt: ``python -m tools.lock`` (keeps pins), ``--upgrade`` (newest), ``--check`` (installable?).

Needs the resolver uv (``pip install uv``) and the network.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "constraints.txt"
TORCH = "2.13.0"
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "x86_64-pc-windows-msvc", "aarch64-apple-darwin")
MACOS = "14.0"  # the oldest macOS with a build of this torch
PYTHONS = ("3.11", "3.13")
SOURCE_ONLY = ("transformers-stream-generator",)  # pure Python, published without a wheel; of the interop extra only
HEADER = """\
# Every package of the course, all extras included, pinned for Linux (x86-64 and arm64), Windows (x64) and macOS (arm64).
# Regenerate with: python -m tools.lock
"""


def uv_compile(*arguments: str) -> str:
    """Runs ``uv pip compile`` and returns its output; stops the program with the resolver's words if it fails."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--all-extras", "--no-header", *arguments]
    environment = os.environ | {"MACOSX_DEPLOYMENT_TARGET": MACOS}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False)
    if result.returncode:
        raise SystemExit(f"The resolver failed (is uv installed? `pip install uv`):\n{result.stderr.strip()}")
    return result.stdout


def lock(upgrade: bool) -> None:
    """Writes constraints.txt; without ``upgrade`` a pin moves only if the requirements in pyproject.toml ask for it."""
    with tempfile.TemporaryDirectory() as folder:
        torch_pin, output = Path(folder, "torch.txt"), Path(folder, "lock.txt")
        torch_pin.write_text(f"torch=={TORCH}\n", encoding="utf-8")
        if LOCK.exists() and not upgrade:
            output.write_bytes(LOCK.read_bytes())
        uv_compile(
            "--universal", "--python-version", PYTHONS[0], "--annotation-style", "line",
            "--constraints", str(torch_pin), "--output-file", str(output), "pyproject.toml",
        )  # fmt: skip
        lines = output.read_text(encoding="utf-8").splitlines()
    # uv names the temporary file among the reasons for torch's pin; the reason is this script.
    kept = [line.replace(f"-c {torch_pin}, ", "").replace(f"-c {torch_pin.as_posix()}, ", "") for line in lines]
    body = "\n".join(line.rstrip() for line in kept if line and not line.startswith("#"))
    LOCK.write_text(HEADER + body + "\n", encoding="utf-8", newline="\n")
    print(f"{LOCK.name}: {sum('==' in line for line in kept)} pins")


def check() -> None:
    """Asks on every platform and Python whether each pinned package can be installed without a compiler."""
    sources = [argument for name in SOURCE_ONLY for argument in ("--no-binary", name)]
    for platform in PLATFORMS:
        for python in PYTHONS:
            resolved = uv_compile(
                "--python-platform", platform, "--python-version", python, "--only-binary", ":all:",
                *sources, "--no-annotate", "--constraints", str(LOCK), "pyproject.toml",
            )  # fmt: skip
            print(f"{platform}, Python {python}: {len(resolved.splitlines())} packages, none to compile")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--upgrade", action="store_true", help="move every pin to the newest version that fits")
    parser.add_argument("--check", action="store_true", help="only check that the pins install everywhere")
    arguments = parser.parse_args()
    if not arguments.check:
        lock(arguments.upgrade)
    check()


if __name__ == "__main__":
    main()
