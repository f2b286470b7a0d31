"""Is there a Python, an environment, a torch and a kernel that the course can run on?"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import subprocess
import sys
from pathlib import Path

from course_utils.installation.findings import Finding, Problem, pip

OLDEST, NEWEST_TRIED = (3, 11), (3, 13)


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
