"""Are the chapters, the shipped weights and the learner's own files there and whole?"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

from course_utils.errors import CourseError
from course_utils.installation.findings import Finding, Problem, pip
from course_utils.manifest import read_manifest
from course_utils.paths import PACKAGE, chapters_dir, clone_root, workspace_dir
from course_utils.workspace import read_state

LFS = b"version https://git-lfs"


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
