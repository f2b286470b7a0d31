"""The built site in a real browser with the network closed: what a reader would see, do and stumble over."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.site.conftest import page_names

pytestmark = pytest.mark.browser

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
LARGEST_PAGE = 2_000_000  # bytes, beside the scripts that all pages share
DRAWN = "f => f.classList.contains('drawn')"
STATE = "f => JSON.stringify([f.querySelector('.plot-area').data, f.querySelector('.plot-area').layout])"
ALL_TYPESET = """() => [...document.querySelectorAll('span.math, div.math')].every((m) => m.querySelector('mjx-container'))"""
ONE_TOKEN_OF_A_KIND = """() => {
  const seen = new Set();
  const tokens = [...document.querySelectorAll('.highlight pre span')].filter((token) => token.checkVisibility());
  for (const token of tokens) {  // after all have been looked at: each removal makes the page be laid out anew
    if (seen.has(token.className)) token.remove();
    seen.add(token.className);
  }
}"""
TOO_WIDE = """() => document.documentElement.scrollWidth - document.documentElement.clientWidth"""


@contextmanager
def opened(browser, address: str, viewport: dict = DESKTOP, scheme: str = "light", **settings) -> Iterator:
    """A page, whole: scrolled through, figures drawn, formulas typeset. Complaints of the browser fail the test."""
    context = browser.new_context(viewport=viewport, color_scheme=scheme, **settings)
    page = context.new_page()
    complaints: list[str] = []
    home = address.split("/", 3)[2]
    page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") and not _gpu(m) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    page.on("request", lambda request: complaints.append(f"outside: {request.url}") if _outside(request, home) else None)
    try:
        page.goto(address)
        page.wait_for_load_state("load")
        for figure in page.locator("figure.plot").all():  # each is drawn when it comes near, however slow the machine
            figure.evaluate("f => f.scrollIntoView()")
            page.wait_for_function(DRAWN, arg=figure.element_handle(), timeout=60_000)
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_function(ALL_TYPESET, timeout=60_000)
        yield page
    finally:
        context.close()
    assert not complaints


def _outside(request, home: str) -> bool:
    return not request.url.startswith(("file:", "data:", "blob:", f"http://{home}/"))


def _gpu(message) -> bool:
    """Does the browser remark that reading a 3-D picture back is slow? Without a graphics card it is."""
    return any(remark in message.text for remark in ("GPU stall due to ReadPixels", "willReadFrequently"))


def url(site: Path, name: str) -> str:
    return f"file://{site.as_posix()}/{name}"


def test_a_page_is_whole(browser, site, axe, page_name):
    """Figures drawn, formulas right, nothing in anyone's way in light or dark, nothing too wide or too large."""
    path = site / page_name
    assert path.stat().st_size < LARGEST_PAGE
    with opened(browser, url(site, page_name)) as page:
        assert page.locator("mjx-merror, [data-mml-node=merror]").count() == 0
        assert page.locator(".system-message, .problematic").count() == 0
        assert page.locator("figure.plot svg.main-svg").count() >= page.locator("figure.plot").count()
        for viewport in (PHONE, DESKTOP):
            page.set_viewport_size(viewport)
            assert page.evaluate(TOO_WIDE) <= 0, viewport
        page.evaluate(axe)
        page.evaluate(ONE_TOKEN_OF_A_KIND)  # axe-core spends a minute on the thousands of words of a chapter's code
        assert not in_the_way(page)
        page.evaluate("() => { document.documentElement.dataset.theme = 'dark'; }")
        page.wait_for_timeout(300)
        assert not in_the_way(page, ["color-contrast"]), "in the dark"


def in_the_way(page, rules: list[str] | None = None) -> list[str]:
    """What axe-core finds that keeps somebody from reading or steering the page, each with an example."""
    # A drawing is described by the label of the group around it. With `preload` axe reads style sheets by requests that
    # a browser refuses for files.
    options = {"resultTypes": ["violations"], "preload": False} | ({"runOnly": rules} if rules else {})
    found = page.evaluate("options => axe.run({exclude: ['.plot-area .svg-container']}, options)", options)
    serious = [v for v in found["violations"] if v["impact"] in ("serious", "critical")]
    return [f"{v['id']} ({len(v['nodes'])}): {v['nodes'][0]['html'][:200]}" for v in serious]


@pytest.mark.parametrize("name", ["index.html", "chapters/33_ccs.html"])
def test_on_a_phone_a_page_with_figures_is_whole(browser, site, name):
    with opened(browser, url(site, name), PHONE, has_touch=True, is_mobile=True) as page:
        assert page.evaluate(TOO_WIDE) <= 0


@pytest.mark.parametrize("name", page_names("chapters/"))
def test_a_chapter_has_live_figures_and_folded_answers(browser, site, name):
    with opened(browser, url(site, name)) as page:
        assert page.locator("figure.plot.drawn").count() >= 3
        answers = page.locator("div.cell details.hide")
        assert answers.count() >= 5
        assert not any(answers.nth(k).evaluate("d => d.open") for k in range(answers.count()))
        stubs = page.locator("div.cell.tag_stub")
        assert stubs.count() == answers.count()
        assert all("Exercise " in stubs.nth(k).inner_text() for k in range(stubs.count()))
        for figure in page.locator("figure.plot:has([data-control])").all():
            assert the_control_changes(page, figure), figure.get_attribute("id")


def the_control_changes(page, figure) -> bool:
    """Does the first control of a figure, moved by the keyboard or chosen from, change what is drawn?"""
    control, before = figure.locator("[data-control]").first, figure.evaluate(STATE)
    if control.evaluate("c => c.tagName") == "SELECT":
        control.select_option(index=1)
    else:
        control.focus()
        page.keyboard.press("ArrowLeft" if control.evaluate("c => c.value === c.max") else "ArrowRight")
    page.wait_for_timeout(300)
    return figure.evaluate(STATE) != before


def test_some_figures_of_the_chapters_have_controls(site):
    pages = [(site / name).read_text(encoding="utf-8") for name in page_names("chapters/")]
    assert sum(text.count("data-control") for text in pages) >= 3


def test_the_curve_of_the_landing_page_moves(browser, site):
    """By the arrow keys, and by the play button, which stops at the end."""
    with opened(browser, url(site, "index.html")) as page:
        slider, text = page.locator("input[type=range]"), page.locator("figure.plot output")
        cursor = "() => document.querySelector('.plot-area').data[2].x[0]"
        said, at = text.inner_text(), page.evaluate(cursor)
        slider.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function(f"({cursor})() > {at}")
        assert text.inner_text() != said
        ring = page.evaluate("() => document.querySelector('.plot-area').data[3].x.slice(0, 5)")
        page.keyboard.press("End")
        page.wait_for_function(f"({cursor})() === 14000")
        assert page.evaluate("() => document.querySelector('.plot-area').data[3].x.slice(0, 5)") != ring
        page.locator(".play").click()
        page.wait_for_function(f"({cursor})() < 1000")
        page.locator(".play").click()
        assert page.locator(".play").get_attribute("aria-label") == "play"


def test_folds_open_from_the_keyboard(browser, site):
    with opened(browser, url(site, "chapters/21_fourier_algorithm.html")) as page:
        for fold, what in (("details:has-text('Hint 1')", "summary ~ p"), ("details.hide", "pre")):
            fold = page.locator(fold).first
            inside = fold.locator(what).first
            assert not inside.is_visible()
            fold.locator("summary").focus()
            page.keyboard.press("Enter")
            assert inside.is_visible()


def test_search_finds_words_of_chapters(browser, site):
    for word, chapter in {"rotation": "21", "ungrokking": "24", "banana": "33", "flipped": "32"}.items():
        with opened(browser, f"{url(site, 'search.html')}?q={word}") as page:
            page.wait_for_function("() => document.querySelectorAll('#search-results li').length > 0", timeout=30_000)
            links = [a.get_attribute("href") for a in page.locator("#search-results li a").all()]
            assert any(f"chapters/{chapter}_" in link for link in links), (word, links)


def test_the_search_box_opens_and_leads_to_results(browser, site):
    with opened(browser, url(site, "index.html")) as page:
        page.keyboard.press("Control+k")
        page.keyboard.type("induction")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        page.wait_for_function("() => document.querySelectorAll('#search-results li').length > 0", timeout=30_000)


def test_dark_mode_colours_the_figures_too(browser, site):
    with opened(browser, url(site, "index.html")) as page:
        ink = "() => document.querySelector('.plot-area').layout.font.color"
        light = page.evaluate(ink)
        page.evaluate("() => { document.documentElement.dataset.theme = 'dark'; }")
        page.wait_for_function(f"({ink})() !== {light!r}")


def test_the_keyboard_reaches_the_text_and_the_chapters(browser, site):
    with opened(browser, url(site, "chapters/21_fourier_algorithm.html")) as page:
        page.keyboard.press("Tab")
        assert "skip" in page.evaluate("() => document.activeElement.textContent").lower()
        page.keyboard.press("Enter")
        assert page.evaluate("() => location.hash") == "#main-content"
        page.locator("a.right-next").focus()
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert "/chapters/22_" in page.url


def test_on_a_phone_the_menu_leads_to_a_chapter(browser, site):
    with opened(browser, url(site, "index.html"), PHONE, has_touch=True, is_mobile=True) as page:
        page.locator("button.primary-toggle").first.tap()
        link = page.locator("#pst-primary-sidebar-modal, .bd-sidebar-primary").get_by_text("21 · The Fourier algorithm").last
        link.wait_for(state="visible")
        with page.expect_navigation():
            link.tap()
        assert "/chapters/21_" in page.url


def test_words_of_a_chapter_lead_to_the_glossary_and_to_other_chapters(browser, site):
    with opened(browser, url(site, "chapters/22_grokking_phases.html")) as page:
        term = page.locator("a.term-link").first
        word = term.inner_text().lower()
        with page.expect_navigation():
            term.click()
        anchor = page.url.split("#")[1]
        assert page.locator(f"[id='{anchor}']").inner_text().lower()[:3] == word[:3]
    with opened(browser, url(site, "chapters/22_grokking_phases.html")) as page:
        assert page.locator("a.to-chapter").count() > 0


def test_from_a_static_host_it_is_the_same(browser, site):
    handler = partial(_Silent, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("index.html", "chapters/22_grokking_phases.html"):
            with opened(browser, f"http://127.0.0.1:{server.server_port}/{name}") as page:
                assert page.locator("figure.plot.drawn").count() >= 1
        server.shutdown()


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass
