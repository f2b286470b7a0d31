"""``course book``: the source tree of the site, and the site."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from course_utils.authoring.parse import parse_all
from course_utils.book.api_pages import api_pages
from course_utils.book.bibliography import bibliography_page
from course_utils.book.chapters import page
from course_utils.book.evidence_page import evidence_page
from course_utils.book.executed import outputs_of
from course_utils.book.figures import figure_html
from course_utils.book.overview import fill
from course_utils.book.zoo_page import zoo_page
from course_utils.errors import CourseError

BUILD = Path("book/_build")
FIGURE = "<!-- the growing circle -->"
OF_THE_REPOSITORY = ("CONTRIBUTING.md", "CHANGELOG.md")
"""Texts of the repository that are pages of the site as they are."""


def build(
    root: Path, output: Path, address: str = "", fresh: bool = False, say: Callable[[str], None] = print
) -> list[str]:
    """Build the site of the clone ``root`` into the folder ``output``; the warnings that Sphinx had, none if all is well.

    ``address`` is that of the course's repository, for launch buttons. With ``fresh``, chapters are run even when a run
    is stored. Raises CourseError when a chapter does not run, or when ``output`` holds something other than a site.
    """
    _usable(output)
    sources = root / BUILD / "pages"
    say("Running the chapters that have changed (some minutes if all have) …")
    _write(sources, pages(root, address, fresh))
    say("Building the pages …")
    return _sphinx(root, sources, output, address)


def pages(root: Path, address: str = "", fresh: bool = False) -> dict[str, str | bytes]:
    """Path in the source tree → content: the hand-written pages, and everything that is derived."""
    from course_utils.book.landing import growing_circle

    chapters = parse_all(root)
    outputs = outputs_of(root, chapters, root / BUILD / "runs", fresh)
    book, readme = root / "book", (root / "README.md").read_text(encoding="utf-8")
    files: dict[str, str | bytes] = {}
    for path in sorted(book.rglob("*")):
        place = path.relative_to(book)
        if path.is_file() and place.parts[0] not in ("_build", "__pycache__"):
            prose = path.suffix == ".md"
            files[place.as_posix()] = path.read_text(encoding="utf-8") if prose else path.read_bytes()
    circle = figure_html(growing_circle().to_plotly_json(), "growing-circle")
    for name, text in files.items():
        if isinstance(text, str):
            files[name] = fill(text, chapters, readme).replace(FIGURE, circle)
    files |= {name: (root / name).read_text(encoding="utf-8") for name in OF_THE_REPOSITORY}
    files |= {f"chapters/{c.file}.ipynb": page(c, chapters, outputs[c.id], address) for c in chapters}
    files |= api_pages()
    files["evidence.md"] = evidence_page(chapters, outputs)
    files["zoo.md"] = zoo_page(chapters)
    files["bibliography.md"] = bibliography_page(book / "references.bib", chapters)
    files["_static/plotly.min.js"] = _plotly().read_bytes()
    return files


def _plotly() -> Path:
    import plotly

    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def _write(folder: Path, files: dict[str, str | bytes]) -> None:
    """Make ``folder`` hold these files and no others; a file that has not changed is not touched."""
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if path.is_file() and path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        path, data = folder / name, content.encode() if isinstance(content, str) else content
        if not path.is_file() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def _usable(output: Path) -> None:
    if output.exists() and any(output.iterdir()) and not (output / "searchindex.js").is_file():
        raise CourseError(f"{output} holds files that are no site of ours. Give `--output` an empty or a new folder.")


def _sphinx(root: Path, sources: Path, output: Path, address: str) -> list[str]:
    """Run Sphinx from nothing, so that no page of an earlier build can be left over."""
    import io

    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    made, trees = root / BUILD / "making", root / BUILD / "trees"
    for folder in (made, trees):
        shutil.rmtree(folder, ignore_errors=True)
    warnings = io.StringIO()
    with patch_docutils(), docutils_namespace():
        app = Sphinx(
            sources, sources, made, trees, "html", status=None, warning=warnings, parallel=1,
            confoverrides={"html_theme_options.repository_url": address} if address else {},
        )  # fmt: skip
        app.build(force_all=True)
    (made / ".buildinfo").unlink(missing_ok=True)
    shutil.rmtree(output, ignore_errors=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(made, output)
    return [line for line in warnings.getvalue().splitlines() if line.strip()]
