"""Does the wheel work on its own? ``python -m tools.wheel_smoke`` in the repository.

Builds the wheel, installs it in a fresh environment (the dependencies are borrowed from the one that runs this), and
works a chapter from a folder outside the repository.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHAPTER = "21"
MEBIBYTE = 2**20
LARGEST_WHEEL = 40 * MEBIBYTE
NEEDED = (
    r"course_utils/_chapters/manifest\.json",
    r"course_utils/_chapters/21_\w+\.ipynb",
    r"course_utils/_chapters/21_\w+\.py",
    r"course_utils/zoo/weights/[\w-]+\.safetensors",
    r"course_utils/zoo/weights/[\w-]+\.json",
    r"course_utils/zoo/weights/[\w-]+\.csv",
    r"course_utils/py\.typed",
    r"phase_change-[^/]+\.dist-info/licenses/LICENSE",
)
UNWANTED = r"(^|/)(solutions|tests|tools|benchmarks|work|__pycache__)/"
LOAD_A_MODEL = """
import sys, pathlib, course_utils
from course_utils import zoo
home = pathlib.Path(course_utils.__file__).resolve()
assert pathlib.Path(sys.prefix).resolve() in home.parents, f"{home} is not the installed wheel"
name = zoo.names()[0]
weights = sum(value.numel() for value in zoo.load(name).parameters())
print(f"{name}: {weights} weights loaded from the installed wheel, version {course_utils.__version__}")
"""


def run(*command: str | Path, cwd: Path, environment: dict[str, str] | None = None) -> None:
    """Runs a command with its output visible; stops the program if it fails."""
    print("$", *(Path(command[0]).name, *command[1:]), flush=True)
    status = subprocess.run(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, check=False).returncode
    if status:
        raise SystemExit(f"The wheel smoke test failed: exit status {status}.")


def build_wheel(folder: Path) -> Path:
    """Builds the wheel of the repository into ``folder`` and returns its path."""
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel


def problems(wheel: Path) -> list[str]:
    """What is wrong with the wheel's contents, a sentence each; empty when nothing is."""
    with zipfile.ZipFile(wheel) as archive:
        files = archive.namelist()
    found = [f"It lacks {pattern}." for pattern in NEEDED if not any(re.fullmatch(pattern, name) for name in files)]
    found += [f"It should not carry {name}." for name in files if re.search(UNWANTED, name)]
    if wheel.stat().st_size > LARGEST_WHEEL:
        found.append(f"It has {wheel.stat().st_size / MEBIBYTE:.0f} MiB; {LARGEST_WHEEL // MEBIBYTE} are allowed.")
    return found


def install(wheel: Path, folder: Path) -> Path:
    """Installs the wheel in a fresh environment that borrows this one's dependencies; returns its commands' folder."""
    venv.create(folder, with_pip=False)
    paths = sysconfig.get_paths("venv", vars={"base": str(folder), "platbase": str(folder)})
    site_packages, scripts = Path(paths["purelib"]), Path(paths["scripts"])
    # Last on the path, so that the wheel wins; .pth files in a folder added this way are not read, so an editable
    # install of the repository stays out.
    borrowed = site_packages / "borrowed.pth"
    borrowed.write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8", newline="\n")
    python = next(scripts.glob("python*"))
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index",
        "--ignore-installed", wheel, cwd=folder,
    )  # fmt: skip
    return scripts


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        wheel = build_wheel(folder)
        found = problems(wheel)
        if found:
            raise SystemExit("The wheel is not as it should be:\n" + "\n".join(found))
        print(f"{wheel.name}: {wheel.stat().st_size / MEBIBYTE:.1f} MiB")
        scripts = install(wheel, folder / "environment")
        outside = folder / "elsewhere"
        outside.mkdir()
        environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
        environment |= {"PATH": os.pathsep.join([str(scripts), environment.get("PATH", "")]), "COURSE_PROGRESS": "0"}
        suffix = ".exe" if os.name == "nt" else ""
        python, course = scripts / f"python{suffix}", scripts / f"course{suffix}"
        run(python, "-c", LOAD_A_MODEL, cwd=outside, environment=environment)
        for arguments in (["doctor"], ["start", CHAPTER], ["check", CHAPTER]):
            run(course, *arguments, cwd=outside, environment=environment)
    print("The wheel works outside the repository.")


if __name__ == "__main__":
    main()
