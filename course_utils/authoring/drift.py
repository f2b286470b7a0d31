"""Does every derived file say what its source says, and does the stored evidence still belong to it?"""

from __future__ import annotations

from pathlib import Path

from course_utils import __version__
from course_utils.authoring import evidence
from course_utils.authoring.chapter import Chapter
from course_utils.authoring.generate import derived, manifest
from course_utils.authoring.parse import parse_all
from course_utils.authoring.problems import StructureError

MANIFEST = "chapters/manifest.json"
PLACES = (("chapters", "*.py"), ("chapters", "*.ipynb"), ("solutions", "*.ipynb"))


def build(root: Path) -> list[Path]:
    """Write every derived file whose bytes differ, and return those written.

    Nothing is written when a source is wrong. Raises StructureError (a CourseError) that lists all mistakes.
    """
    return write(Path(root), wanted(Path(root), parse_all(Path(root))))


def check(root: Path) -> list[str]:
    """What is stale, a sentence each; empty when everything is as ``build`` and ``execute`` would leave it."""
    root = Path(root)
    try:
        chapters = parse_all(root)
    except StructureError as error:
        return [str(problem) for problem in error.problems]
    sentences = []
    files = wanted(root, chapters)
    for name, text in files.items():
        path = root / name
        if not path.is_file():
            sentences.append(f"{name} is missing; run `course build`.")
        elif path.read_bytes() != text.encode():
            sentences.append(f"{name} is not what its source gives; run `course build`.")
    for folder, pattern in PLACES:
        for path in sorted((root / folder).glob(pattern)):
            if f"{folder}/{path.name}" not in files:
                sentences.append(f"{folder}/{path.name} has no source solutions/{path.stem}.py; delete it.")
    known = {chapter.id for chapter in chapters}
    for path in sorted((root / "solutions" / "evidence").glob("*.json")):
        if path.stem not in known:
            sentences.append(f"solutions/evidence/{path.name} belongs to no chapter; delete it.")
    for chapter in chapters:
        sentences += evidence.stale(root, chapter, evidence.load(root, chapter.id))
    return sentences


def wanted(root: Path, chapters: list[Chapter]) -> dict[str, str]:
    """Every derived file of these chapters: path relative to the root → text."""
    files: dict[str, str] = {}
    for chapter in chapters:
        files |= derived(chapter, evidence.load(root, chapter.id), __version__)
    return {**files, MANIFEST: manifest(chapters, __version__)}


def write(root: Path, files: dict[str, str]) -> list[Path]:
    """Write the files whose bytes differ; a file is complete or untouched at every moment."""
    written = []
    for name, text in files.items():
        path = root / name
        data = text.encode()
        if path.is_file() and path.read_bytes() == data:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_bytes(data)
        part.replace(path)
        written.append(path)
    return written
