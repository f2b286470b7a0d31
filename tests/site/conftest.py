"""The built site and a browser that reaches nothing but it. Where one of them is missing, the tests say what is needed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(os.environ.get("COURSE_SITE", ROOT / "book" / "_build" / "html"))
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
REQUIRED = os.environ.get("COURSE_REQUIRE_BROWSER") == "1"
CLOSED = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
QUIET = "--disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update"
# 3-D figures are drawn without a graphics card.
SOFTWARE = "--use-gl=angle --use-angle=swiftshader --enable-unsafe-swiftshader"


def lacking(sentence: str) -> None:
    """Skip, or fail where a browser is required (as in ``.ci/run``)."""
    (pytest.fail if REQUIRED else pytest.skip)(sentence)


def chromium() -> str | None:
    return next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


def page_names(beginning: str = "") -> list[str]:
    """The site's pages whose path, from its folder, begins so."""
    names = (path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
    return sorted(name for name in names if name.startswith(beginning) and not name.startswith("_static/"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "page_name" in metafunc.fixturenames:
        metafunc.parametrize("page_name", page_names() or [None])


@pytest.fixture(scope="session")
def site() -> Path:
    if not (SITE / "searchindex.js").is_file():
        lacking("There is no site to look at. Build it with `course book`.")
    return SITE


@pytest.fixture(scope="session")
def browser() -> Iterator:
    path = chromium()
    if path is None:
        lacking("No Chromium is installed (on Debian: apt-get install chromium).")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        lacking('Playwright is not installed. Run: python -m pip install -c constraints.txt -e ".[browser]"')
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-sync", CLOSED, *QUIET.split(), *SOFTWARE.split()]
        running = playwright.chromium.launch(executable_path=path, args=arguments)
        yield running
        running.close()


@pytest.fixture(scope="session")
def axe() -> str:
    if not AXE.is_file():
        lacking("axe-core is not installed. Run `npm ci` in tests/site.")
    return AXE.read_text(encoding="utf-8")
