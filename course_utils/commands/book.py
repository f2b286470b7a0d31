"""``course book``: build the course site."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import typer

from course_utils.commands.screen import complain, say, shown_path
from course_utils.errors import CourseError
from course_utils.paths import require_clone


def book(
    output: Path | None = typer.Option(None, "--output", help="Folder for the site; book/_build/html if left out."),
    serve: bool = typer.Option(False, "--serve", help="Show the site in a browser, on this machine only."),
    port: int = typer.Option(8000, "--port", help="Port for --serve; 0 takes a free one."),
    check_links: bool = typer.Option(False, "--check-links", help="Fail if a link inside the site leads nowhere."),
    address: str = typer.Option(
        "", "--address", metavar="URL", envvar="COURSE_ADDRESS",
        help="The repository's public address; chapters get launch and download buttons.",
    ),
    fresh: bool = typer.Option(False, "--fresh", help="Run every chapter, even one whose run is stored."),
) -> None:
    """Build the course site. Chapters are run where something they show has changed; then it takes a minute."""
    root = require_clone("`course book`")
    try:
        import sphinx  # noqa: F401
    except ImportError:
        raise CourseError(
            'The site needs more packages. Run: python -m pip install -c constraints.txt -e ".[book]"'
        ) from None
    from course_utils.book import BUILD, broken_links, build

    folder = (output or root / BUILD / "html").resolve()
    problems = build(root, folder, address, fresh, say)
    if check_links and not problems:
        problems = broken_links(folder)
    for problem in problems:
        complain(problem)
    if problems:
        raise typer.Exit(1)
    say(f"The site is in {shown_path(folder)}; open index.html there.", "green")
    if serve:
        _serve(folder, port)


def _serve(folder: Path, port: int) -> None:
    """Serve the folder on this machine until Ctrl-C."""
    import webbrowser
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    except OSError as error:
        raise CourseError(f"Port {port} cannot be used ({error.strerror}). `--port 0` takes a free one.") from None
    with server:
        place = f"http://127.0.0.1:{server.server_port}/"
        say(f"{place} shows it; Ctrl-C stops.")
        webbrowser.open(place)
        server.serve_forever()
