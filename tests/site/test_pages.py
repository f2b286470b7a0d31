"""The site's pages as texts: what a chapter's cells, tables, figures, cards and links become."""

from __future__ import annotations

import json
import random
import re
from html.parser import HTMLParser
from pathlib import Path

import plotly.graph_objects as go
import pytest

from course_utils import evidence
from course_utils.authoring.chapter import Cell, Chapter, Exercise
from course_utils.book.chapters import hours, page
from course_utils.book.evidence_page import evidence_page
from course_utils.book.executed import PLOTLY, _key, _outputs
from course_utils.book.figures import figure_html
from course_utils.book.hosting import launch_links
from course_utils.book.links import broken_links
from course_utils.book.overview import fill
from course_utils.book.tables import split_tables, table_html
from course_utils.errors import CourseError

HEADER = "### Exercise 21.1 · The ruler\nDifficulty ●●○○○ · Importance ●●●●● · 10 min\n\nWrite it.\n"
ANSWER = "def ruler():\n    # BEGIN SOLUTION\n    return 1\n    # END SOLUTION\n\n\nchecks.fourier.test_ruler(ruler)"
STUB = 'def ruler():\n    raise NotImplementedError("Exercise 21.1")\n\n\nchecks.fourier.test_ruler(ruler)'


def chapter(cells: tuple[Cell, ...] | None = None, deeper: bool = False) -> Chapter:
    cells = cells or (
        Cell("markdown", "# 21 · Waves\n\nWords.\n\n---\n## 1 · One"),
        Cell("markdown", HEADER),
        Cell("code", ANSWER),
        Cell("code", "print(1)", ("evidence",)),
    )
    exercise = Exercise(
        "21.1", "The ruler", 2, 5, 10, deeper, "ruler", "fourier.test_ruler", ("a", "b"), STUB, text=1, cell=2
    )
    return Chapter("21", "waves", "Waves", 150, (), cells, (exercise,))


def made(one: Chapter, outputs: list[list[dict]] | None = None, address: str = "") -> list[dict]:
    return json.loads(page(one, [one], outputs or [[] for _ in one.cells], address))["cells"]


@pytest.mark.parametrize("seed", range(20))
def test_a_printed_table_becomes_the_same_table_again(seed, capsys):
    rng = random.Random(seed)
    words = ["loss", "97.6 %–99.6 %", "of", "w_L,", "holds:", "3", "to", "6", "−1.1", "|x|"[1:2], "network"]
    rows = [
        [" ".join(rng.choices(words, k=rng.randint(1 if k == 0 else 0, rng.choice([1, 12])))) for k in range(6)]
        for _ in range(rng.randint(2, 5))
    ]
    evidence.table(rows)
    text = capsys.readouterr().out
    pieces = split_tables("before\n" + text + "after")
    assert pieces == ["before\n", [list(evidence.COLUMNS), *rows], "after"]


def test_text_without_a_table_stays_as_it_is():
    for text in ("", "a | b\nno rule below", "1 + 1\n-----\n2\n", "-+-"):
        assert "".join(map(str, split_tables(text))).strip() == text.strip()


def test_a_cell_of_a_table_is_text_and_names_its_column():
    html = table_html([["claim", "verdict"], ["a < b", "does not hold: a > b"], ["c", "holds"]], "Evidence")
    assert "a &lt; b" in html and html.count('data-column="verdict"') == 2
    assert html.count('class="fails"') == 1 and html.count('class="holds"') == 1


def test_a_stub_stands_in_sight_and_the_answer_is_folded_without_markers():
    cells = made(chapter())
    stub, answer = cells[2], cells[3]
    assert stub["source"] == STUB and "hide-input" not in stub["metadata"]["tags"]
    assert answer["metadata"]["tags"] == ["hide-input"] and "SOLUTION" not in answer["source"]
    assert "return 1" in answer["source"]
    assert [cell["metadata"] for cell in cells if "print" in cell["source"]] == [{}]


def test_an_exercise_can_be_linked_to_and_read_aloud():
    text = made(chapter())[1]["source"]
    assert text.startswith("(exercise-21-1)=\n### Exercise 21.1")
    assert 'Difficulty <span role="img" aria-label="2 of 5">●●○○○</span>' in text
    assert 'aria-label="5 of 5"' in text and "10 min" in text and "· Importance" not in text


def test_a_line_above_a_heading_is_left_out_and_the_card_follows_the_title():
    first = made(chapter())[0]["source"]
    assert "---" not in first and "## 1 · One" in first
    assert first.index("# 21") < first.index("chapter-card") < first.index("Words.")
    assert "about 2½ hours" in first and "1 on the core path" in first and "launch" not in first


def test_the_card_names_what_comes_before_and_links_to_it():
    before = chapter()
    after = Chapter("22", "next", "Next", 120, ("21",), chapter().cells, chapter().exercises)
    text = json.loads(page(after, [before, after], [[]] * 4))["cells"][0]["source"]
    assert '<a href="21_waves.html">21 · Waves</a>' in text


@pytest.mark.parametrize(("minutes", "said"), [(30, "½ hour"), (60, "1 hour"), (130, "2 hours"), (150, "2½ hours")])
def test_hours_are_said_as_people_say_them(minutes, said):
    assert hours(minutes) == said


def test_outputs_keep_figures_and_print_and_drop_progress_bars():
    cell = {
        "outputs": [
            {"output_type": "stream", "name": "stdout", "text": "one\n"},
            {"output_type": "stream", "name": "stderr", "text": "50%|█████"},
            {"output_type": "stream", "name": "stdout", "text": "a\rtwo\n"},
            {"output_type": "display_data", "data": {PLOTLY: {"data": [], "layout": {}}, "text/plain": "Figure"}},
            {"output_type": "execute_result", "data": {"text/plain": "3"}},
        ]
    }
    assert list(_outputs(cell)) == [
        {"text": "one\ntwo\n"},
        {PLOTLY: {"data": [], "layout": {}}},
        {"text/plain": "3"},
    ]


def figure() -> dict:
    fig = go.Figure(go.Scatter(x=[0, 1], y=[0, 1]))
    buttons = [{"label": "both", "method": "restyle", "args": [{"visible": True}]}] * 2
    steps = [{"label": f"{k}", "method": "update", "args": [{"visible": [k == 0]}]} for k in range(3)]
    fig.update_layout(
        title="<b>Loss</b> falls<br>at a < b", meta={"alt": 'A line "up"'}, height=400, template="none",
        margin={"t": 56, "b": 96}, sliders=[{"steps": steps, "active": 1, "currentvalue": {"prefix": "step "}}],
        updatemenus=[{"buttons": buttons}, {"buttons": buttons, "visible": False}],
    )  # fmt: skip
    return fig.to_plotly_json()


def test_a_figure_has_its_title_and_description_in_the_page_and_controls_of_the_browser():
    html = figure_html(figure(), "f1")
    assert "Loss falls at a &lt; b</figcaption>" in html
    assert 'aria-label="A line &quot;up&quot;"' in html
    assert html.count("<input type=\"range\"") == 1 and 'max="2" value="1"' in html
    assert html.count("<select") == 1  # an invisible menu stays away
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids)) and all(f'id="{name}"' in html for name in re.findall(r'for="([^"]+)"', html))
    content = json.loads(re.search(r'<script type="application/json">(.*)</script>', html, re.S)[1])
    assert not {"sliders", "updatemenus", "title", "meta"} & set(content["layout"])
    assert [control["kind"] for control in content["controls"]] == ["slider", "menu"]
    assert content["layout"]["height"] < 400


def test_data_of_a_figure_cannot_end_its_script():
    fig = go.Figure(go.Scatter(x=[0], y=[0], text=["</script><b>"]))
    html = figure_html(fig.to_plotly_json(), "f")
    assert html.count("</script>") == 1


def test_the_same_figure_gives_the_same_bytes():
    assert figure_html(figure(), "f1") == figure_html(figure(), "f1")


def test_launch_links_are_made_of_the_address_or_absent():
    assert launch_links("", "chapters/21.ipynb") == {}
    github = launch_links("https://github.com/owner/name/", "chapters/21.ipynb")
    assert set(github) == {"Binder", "Colab", "Download"} and all("owner/name" in link for link in github.values())
    assert "owner%2Fname" in launch_links("https://gitlab.com/owner/name.git", "chapters/21.ipynb")["Binder"]
    for wrong in ("github.com/owner/name", "https://github.com/owner", "https://example.org/owner/name"):
        with pytest.raises(CourseError, match="Give one like"):
            launch_links(wrong, "x")
    text = made(chapter(), address="https://github.com/owner/name")[0]["source"]
    assert text.count('class="launch"') == 3


def test_broken_links_are_named_and_good_ones_are_not(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "index.html").write_text(
        '<a href="sub/one.html#here">a</a><a href="https://arxiv.org/abs/1">b</a><a href="#top">c</a><i id="top"></i>'
        '<a href="sub/two.html">d</a><img src="gone.png"><a href="sub/one.html#gone">e</a>',
        encoding="utf-8",
    )
    (tmp_path / "sub" / "one.html").write_text('<p id="here"></p><a href="../index.html">f</a>', encoding="utf-8")
    assert [line.split(" ")[1] for line in broken_links(tmp_path)] == ["sub/two.html", "gone.png", "sub/one.html#gone"]


def test_the_evidence_page_says_what_does_not_hold(capsys):
    evidence.table([["a", "1", "1", "0", "", "holds"], ["b", "1", "2", "0", "", "does not hold: under 1"]])
    text = capsys.readouterr().out
    one = chapter()
    shown = evidence_page([one], {"21": [[], [], [], [{"text": text}]]})
    assert "2 claims are tested; 1 of them hold as stated." in shown
    assert "[Chapter 21](chapters/21_waves.ipynb), “b”: does not hold: under 1. The paper: 1. Ours: 2." in shown


def test_a_list_of_chapters_takes_its_place_and_a_missing_row_is_told():
    readme = "| 21 | Waves | about 2 h | that it is waves |\n"
    text = fill("x\n<!-- chapters of part 2 -->\n<!-- chapters of part 3 -->\n", [chapter()], readme)
    assert "You will have shown that it is waves." in text and "needs no other chapter" in text
    assert "<!--" not in text
    with pytest.raises(CourseError, match="lacks 21"):
        fill("", [chapter()], "")


def test_a_run_depends_on_code_library_and_weights_and_not_on_prose(tmp_path: Path):
    library = tmp_path / "course_utils"
    for name in ("fourier.py", "zoo/weights/w.json", "book/site.py"):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).write_text("1", encoding="utf-8")
    first = _key(tmp_path, chapter())
    (library / "book" / "site.py").write_text("2", encoding="utf-8")
    reworded = (*chapter().cells[:1], Cell("markdown", HEADER + "More."), *chapter().cells[2:])
    assert _key(tmp_path, chapter(reworded)) == first
    recoded = (*chapter().cells[:3], Cell("code", "print(2)"))
    assert _key(tmp_path, chapter(recoded)) != first
    for name in ("fourier.py", "zoo/weights/w.json"):
        (library / name).write_text("3", encoding="utf-8")
        changed = _key(tmp_path, chapter())
        assert changed != first
        first = changed


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("input", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("text", [figure_html(figure(), "f"), table_html([["claim"], ["x"]], "y")])
def test_tags_are_closed(text):
    parser = _Tags()
    parser.feed(text)
    assert not parser.open
