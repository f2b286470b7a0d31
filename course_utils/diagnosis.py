"""What is wrong with this installation, and how is it put right?

Every question is a function that returns problems, none of them imports torch (a broken torch may end the process):
it is tried in a process of its own.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from course_utils.errors import CourseError
from course_utils.manifest import read_manifest
from course_utils.paths import PACKAGE, chapters_dir, clone_root, workspace_dir
from course_utils.workspace import read_state

OLDEST, NEWEST_TRIED = (3, 11), (3, 13)
LFS = b"version https://git-lfs"


@dataclass(frozen=True)
class Problem:
    """What is wrong, what to do, and whether it is only worth knowing (``note``)."""

    what: str
    fix: str
    note: bool = False


@dataclass(frozen=True)
class Finding:
    """The answer to one question: what was looked at, what is good about it, and the problems found."""

    subject: str
    good: str
    problems: tuple[Problem, ...] = ()


def pip() -> str:
    """The pip command of this very Python."""
    return f"{sys.executable} -m pip"


def python_version(version: tuple[int, int] | None = None) -> Finding:
    """Is this Python one the course runs on?"""
    have = version or sys.version_info[:2]
    shown = ".".join(map(str, have))
    problems = []
    if have < OLDEST:
        problems.append(
            Problem(
                f"This is Python {shown}; the course needs 3.11 or newer.",
                "Install a newer Python, make a virtual environment with it, and install the course there.",
            )
        )
    elif have > NEWEST_TRIED:
        problems.append(
            Problem(
                f"This is Python {shown}, newer than those the course is tested with (3.11 to 3.13).",
                "If something fails, make an environment with Python 3.13.",
                note=True,
            )
        )
    return Finding("Python", f"version {shown}", tuple(problems))


def environment() -> Finding:
    """Does the course run in an environment of its own?"""
    inside = sys.prefix != sys.base_prefix or bool(os.environ.get("CONDA_PREFIX"))
    if inside:
        return Finding("Environment", sys.prefix)
    fix = "Make one with `python -m venv .venv`, activate it, and install the course there."
    problem = Problem("The course is not installed in a virtual environment.", fix, note=True)
    return Finding("Environment", sys.prefix, (problem,))


def torch_works(python: str = sys.executable) -> Finding:
    """Can torch be imported and compute? On a machine with an NVIDIA card: can it use the card?"""
    code = (
        "import torch; assert (torch.ones(3, 4) @ torch.ones(4, 2)).sum() == 24; "
        "print(torch.__version__, torch.version.cuda or '-', torch.cuda.is_available())"
    )
    try:
        done = subprocess.run(
            [python, "-c", code],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=300,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("torch", "", (Problem(f"torch could not be tried: {error}.", "Run `course doctor` again."),))
    if done.returncode:
        return Finding("torch", "", (_torch_problem(done.returncode, done.stderr),))
    words = (done.stdout.strip().splitlines() or [""])[-1].split()
    version, cuda, usable = words if len(words) == 3 else ("?", "-", "False")
    problems = []
    if cuda != "-" and usable == "False":
        problems.append(
            Problem(
                f"torch {version} is built for CUDA {cuda}, but finds no graphics card it can use. The course runs on "
                "the processor, so nothing is missing.",
                f"The smaller build: `{pip()} install --force-reinstall torch --index-url "
                "https://download.pytorch.org/whl/cpu`.",
                note=True,
            )
        )
    return Finding("torch", f"version {version}", tuple(problems))


def _torch_problem(code: int, stderr: str) -> Problem:
    last = (stderr.strip().splitlines() or [f"exit code {code}"])[-1]
    if "No module named 'torch'" in last:
        if platform.system() == "Darwin" and platform.machine() == "x86_64":
            fix = "New versions of torch have no build for Intel Macs: use Python 3.11 or 3.12 and `pip install 'torch<2.3'`."
        else:
            fix = f"Install it: `{pip()} install torch`."
        return Problem("torch is not installed in this environment.", fix)
    fix = f"Install it anew: `{pip()} install --force-reinstall torch`."
    if "DLL" in last or "c10.dll" in stderr:
        fix += " On Windows, install the Microsoft Visual C++ Redistributable (x64) first."
    return Problem(f"torch is installed but cannot be used: {last}", fix)


def kernel() -> Finding:
    """Does the kernel ``python3``, which the notebooks name, run this Python?"""
    install = f"`{sys.executable} -m ipykernel install --sys-prefix --name python3`"
    for package in ("ipykernel", "jupyter_client"):
        if importlib.util.find_spec(package) is None:
            problem = Problem(f"{package} is missing, so notebooks have no kernel.", f"`{pip()} install ipykernel`.")
            return Finding("Kernel", "", (problem,))
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    before = os.environ.get("JUPYTER_PREFER_ENV_PATH")
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
        program = spec.argv[0]
    except (NoSuchKernel, OSError, ValueError, IndexError, KeyError, TypeError) as error:
        problem = Problem(f"The kernel python3 is not registered or damaged ({error}).", f"Register it: {install}.")
        return Finding("Kernel", "", (problem,))
    finally:
        if before is None:
            os.environ.pop("JUPYTER_PREFER_ENV_PATH", None)
        else:
            os.environ["JUPYTER_PREFER_ENV_PATH"] = before
    if program in ("python", "python3", f"python3.{sys.version_info[1]}") or _same_program(program):
        return Finding("Kernel", "python3 runs this Python")
    problem = Problem(f"The kernel python3 runs another Python ({program}).", f"Register this one: {install}.")
    return Finding("Kernel", "", (problem,))


def _same_program(program: str) -> bool:
    one, other = Path(os.path.abspath(program)), Path(os.path.abspath(sys.executable))
    return os.path.normcase(one) == os.path.normcase(other) or (one.exists() and one.parent == other.parent)


def jupyterlab() -> Finding:
    """Is there a JupyterLab to open the chapters in?"""
    if importlib.util.find_spec("jupyterlab") is None:
        fix = f"`{pip()} install jupyterlab`; without it, open the notebooks in another editor."
        return Finding("JupyterLab", "", (Problem("JupyterLab is not installed: `course lab` needs it.", fix),))
    return Finding("JupyterLab", f"version {_version('jupyterlab')}")


def chapters() -> Finding:
    """Are the chapters and their list there and whole?"""
    try:
        manifest = read_manifest()
    except CourseError as error:
        what, _, fix = str(error).partition(". ")
        return Finding("Chapters", "", (Problem(f"{what}.", fix or "Install the course again."),))
    repair = (
        "Run `course build`, or `git checkout chapters/`."
        if clone_root()
        else f"`{pip()} install --force-reinstall --no-deps phase-change`."
    )
    problems = []
    for chapter in manifest.chapters:
        for suffix in (".ipynb", ".py"):
            path = chapters_dir() / f"{chapter.file}{suffix}"
            if not path.is_file():
                problems.append(Problem(f"The chapter {path} is missing.", repair))
                continue
            data = path.read_bytes()
            if data.startswith(LFS):
                problems.append(Problem(f"{path} is a git-lfs pointer and not the file itself.", "Run `git lfs pull`."))
                continue
            try:
                if suffix == ".ipynb":
                    json.loads(data)["cells"]
                else:
                    compile(data, str(path), "exec")
            except (ValueError, KeyError, TypeError, SyntaxError):
                problems.append(Problem(f"The chapter {path} is damaged.", repair))
    if not manifest.chapters and not problems:
        problems.append(Problem(f"{chapters_dir()} lists no chapters.", repair))
    return Finding("Chapters", f"{len(manifest.chapters)} in {chapters_dir()}", tuple(problems))


def weights(folder: Path | None = None) -> Finding:
    """Are the shipped weights those of their cards (SHA-256)?"""
    folder = folder or PACKAGE / "zoo" / "weights"
    repair = (
        f"Take them back: `git checkout {folder}`."
        if clone_root()
        else f"`{pip()} install --force-reinstall --no-deps phase-change`."
    )
    cards = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not cards:
        return Finding("Weights", "", (Problem(f"The shipped weights in {folder} are missing.", repair),))
    problems, count = [], 0
    for card in cards:
        try:
            files = dict(json.loads(card.read_text(encoding="utf-8"))["files"])
        except (OSError, ValueError, KeyError, TypeError):
            problems.append(Problem(f"The card {card} is damaged.", repair))
            continue
        for name, wanted in files.items():
            path = folder / name
            count += 1
            if not path.is_file():
                problems.append(Problem(f"The weights {path} are missing.", repair))
                continue
            data = path.read_bytes()
            if data.startswith(LFS):
                problems.append(Problem(f"{path} is a git-lfs pointer and not the weights.", "Run `git lfs pull`."))
            elif hashlib.sha256(data).hexdigest() != wanted:
                problems.append(Problem(f"The weights {path} are damaged: they do not match their card.", repair))
    return Finding("Weights", f"{count} files match their cards", tuple(problems))


def workspace() -> Finding:
    """Can the learner's work be saved, and was it started with this version of the course?"""
    folder = workspace_dir()
    parent = folder
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    way_out = "Set the environment variable COURSE_WORK to a folder you can write to."
    if not parent.is_dir():
        return Finding(
            "Workspace", "", (Problem(f"{parent} is in the way of the workspace: it is not a folder.", way_out),)
        )
    try:
        with tempfile.NamedTemporaryFile(dir=parent, prefix=".course-"):
            pass
    except OSError as error:
        what = f"The workspace {folder} cannot be written ({error.strerror or error})."
        return Finding("Workspace", "", (Problem(what, way_out),))
    return Finding("Workspace", str(folder), tuple(_version_problems()))


def _version_problems() -> list[Problem]:
    from course_utils import __version__

    copies = read_state("workspace.json").get("copies", {})
    problems = []
    for name, entry in copies.items() if isinstance(copies, dict) else ():
        was = entry.get("course") if isinstance(entry, dict) else None
        if isinstance(was, str) and was.split(".")[:2] != __version__.split(".")[:2]:
            script = " --py" if name.endswith(".py") else ""
            problems.append(
                Problem(
                    f"Your copy {name} is of version {was} of the course, which is now {__version__}: a check may "
                    "ask for something else than your copy says.",
                    f"`course start {name.split('_')[0]}{script} --fresh` takes the new version and keeps a backup.",
                    note=True,
                )
            )
    return problems


def package_version() -> Finding:
    """Is the code that runs the one that is installed?"""
    from course_utils import __version__

    installed = _version("phase-change")
    problems = []
    if installed is None:
        problems.append(
            Problem(
                "The package phase-change is not installed in this environment, although its code can be imported.",
                f"In the clone: `{pip()} install -e .`.",
                note=True,
            )
        )
    elif installed != __version__:
        problems.append(
            Problem(
                f"The code is version {__version__}, but version {installed} is what was installed.",
                f"Install again: `{pip()} install -e .` in the clone.",
                note=True,
            )
        )
    return Finding("Course", f"version {__version__}", tuple(problems))


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


QUESTIONS: tuple[Callable[[], Finding], ...] = (
    package_version,
    python_version,
    environment,
    torch_works,
    kernel,
    jupyterlab,
    chapters,
    weights,
    workspace,
)
