"""What the guides of the site tell you to paste, what they show as output, and the times they add up, are so."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from course_utils import authoring, checks
from course_utils.checks import selftest
from course_utils.cli import app
from course_utils.commands import build as build_command

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
MANIFEST = json.loads((ROOT / "chapters" / "manifest.json").read_text(encoding="utf-8"))
EXERCISES = {exercise["id"]: exercise for chapter in MANIFEST["chapters"] for exercise in chapter["exercises"]}
GUIDES = ("start", "teaching", "research", "elk", "contributing")
NUMBER = re.compile(r"\b(\d\d\.[1-9]\d?)\b(?!\.\d)")


def page(name: str) -> str:
    return (BOOK / f"{name}.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def examples(name: str) -> list[tuple[str, str]]:
    """Python blocks with the text block that shows what they print."""
    pattern = r"^```python\n(.*?)^```\n(?:(?!```)[^\n]*\n)*?^```text\n(.*?)^```"
    return re.findall(pattern, page(name), re.DOTALL | re.MULTILINE)


def printed(code: str) -> str:
    """What a script prints, or the report of the check that it fails."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(code, "<the example>", "exec"), {"__name__": "example"})
        except checks.CheckFailed as failure:
            return f"{failure}\n"
    return out.getvalue()


def same(one: str, other: str) -> bool:
    return [line.rstrip() for line in one.strip().splitlines()] == [
        line.rstrip() for line in other.strip().splitlines()
    ]


# Start here


def test_install_commands_are_those_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    bash, powershell = blocks(readme, "bash"), blocks(readme, "powershell")
    here = page("start")
    assert blocks(here, "bash") == [bash[0], next(block for block in bash if "whl/cpu" in block)]
    assert blocks(here, "powershell") == [powershell[0]]


def test_the_check_says_what_the_page_shows() -> None:
    [(code, shown)] = examples("start")
    assert same(printed(code), shown)


# For instructors


def rows(text: str) -> list[dict[str, str]]:
    """The rows of all tables, by the names of their columns."""
    found, head = [], None
    for line in text.splitlines():
        if not line.startswith("|"):
            head = None
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if head is None:
            head = cells
        elif not set(line) <= set("|-: "):
            found.append(dict(zip(head, cells, strict=True)))
    return found


@pytest.mark.parametrize("guide", GUIDES)
def test_exercises_that_are_named_exist(guide: str) -> None:
    text = re.sub(r"```.*?```", "", page(guide), flags=re.DOTALL)
    chapters = {chapter["id"] for chapter in MANIFEST["chapters"]}
    named = {number for number in NUMBER.findall(text) if number.split(".")[0] in chapters}
    assert named <= set(EXERCISES), named - set(EXERCISES)


def test_times_of_the_schedules_add_up() -> None:
    timed = [row for row in rows(page("teaching")) if "Exercises" in row and "Minutes" in row]
    assert len(timed) >= 18
    for row in timed:
        numbers = NUMBER.findall(row["Exercises"])
        assert int(row["Minutes"]) == sum(EXERCISES[number]["minutes"] for number in numbers), row


def test_times_of_the_chapters_are_those_of_the_manifest() -> None:
    table = [row for row in rows(page("teaching")) if "Core path, with reading" in row]
    assert len(table) == len(MANIFEST["chapters"])
    for row, chapter in zip(table, MANIFEST["chapters"], strict=True):
        minutes = [exercise["minutes"] for exercise in chapter["exercises"]]
        core = [exercise["minutes"] for exercise in chapter["exercises"] if not exercise["deeper"]]
        one = row["If there is one session only"]
        some = sum(EXERCISES[number]["minutes"] for number in NUMBER.findall(one))
        assert chapter["title"] in row["Chapter"]
        assert row["Core path, with reading"] == f"{chapter['minutes']} min"
        assert (row["Core exercises"], row["All exercises"]) == (f"{sum(core)} min", f"{sum(minutes)} min")
        assert one.endswith(f"({some} min)")


def test_titles_and_times_in_the_schedules_are_those_of_the_exercises() -> None:
    for row in [row for row in rows(page("teaching")) if "Exercises" in row]:
        for number in NUMBER.findall(row["Exercises"]):
            exercise = EXERCISES[number]
            assert f"{number} {exercise['title']} ({exercise['minutes']})" in row["Exercises"]


def test_sections_named_in_the_schedules_exist() -> None:
    named = set(re.findall(r"\b(\d\d)\s§\s(\d)", page("teaching")))
    assert len(named) > 10
    for chapter, section in named:
        [source] = (ROOT / "solutions").glob(f"{chapter}_*.py")
        assert re.search(rf"^# ## {section} · ", source.read_text(encoding="utf-8"), re.MULTILINE), (chapter, section)


def test_quoted_sentences_are_what_checks_say() -> None:
    quoted = [row for row in rows(page("teaching")) if "What the check says" in row]
    assert len(quoted) > 8
    for row in quoted:
        topic, _, test = EXERCISES[row["Exercise"]]["check"].partition(".")
        says = [mistake.sentence for mistake in getattr(selftest.load(topic), test).spec.mistakes]
        sentence = row["What the check says"].strip("“”")
        assert any(sentence in said for said in says), (row["Exercise"], sentence)


def test_variables_that_are_named_are_read_somewhere() -> None:
    library = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "course_utils").rglob("*.py"))
    library += "".join(path.read_text(encoding="utf-8") for path in (ROOT / "solutions").glob("*.py"))
    for guide in GUIDES:
        for name in set(re.findall(r"\bCOURSE_[A-Z]+(?:_[A-Z]+)*\b", page(guide))):
            assert f'"{name}"' in library, (guide, name)


# For researchers


@pytest.mark.parametrize("code, shown", examples("research"), ids=itertools.count())
def test_an_example_for_researchers_prints_what_is_shown(code: str, shown: str) -> None:
    assert same(printed(code), shown), printed(code)


def test_there_is_an_example_for_each_chapter() -> None:
    headings = re.findall(r"^### .*?\[chapter (\d\d)\]", page("research"), re.MULTILINE | re.IGNORECASE)
    assert headings == [chapter["id"] for chapter in MANIFEST["chapters"]]


def test_evidence_that_the_examples_make_again_stands_in_the_chapters() -> None:
    named = re.findall(r"^\[Evidence\]\(evidence\.md\) of chapter (\d\d): “(.*?)”, (.*)\.$", page("research"), re.MULTILINE)
    assert [chapter for chapter, _, _ in named] == [chapter["id"] for chapter in MANIFEST["chapters"]]
    for chapter, claim, values in named:
        [ours] = [row[2] for row in evidence_rows(chapter) if row[0] == claim]
        assert all(value in ours for value in re.findall(r"\*\*(.*?)\*\*", values)), (chapter, ours)


def evidence_rows(chapter: str) -> list[list[str]]:
    """The rows of a chapter's stored tables, the lines of each cell joined."""
    stored = json.loads((ROOT / "solutions" / "evidence" / f"{chapter}.json").read_text(encoding="utf-8"))
    found: list[list[str]] = [[]]
    for line in [line for cell in stored["cells"].values() for _, lines in cell["outputs"] for line in lines]:
        if set(line) <= set("-+"):
            found.append([])
        else:
            cells = [cell.strip() for cell in line.split("|")]
            found[-1] = [f"{a} {b}".strip() for a, b in zip(found[-1] or [""] * len(cells), cells, strict=True)]
    return [row for row in found if len(row) > 2]


# The benchmark


def test_the_table_of_beds_is_that_of_the_library() -> None:
    from course_utils import elk

    table = {row["Bed"].strip("`"): row for row in rows(page("elk")) if "Bed" in row}
    assert list(table) == list(elk.BEDS)
    for name, spec in elk.BEDS.items():
        assert table[name]["Network"].strip("`") == (f"testbed-{spec.world}" if spec.trained else "untrained")
        assert table[name]["Beside the truth"] == (spec.nuisance or "–")
    methods = {row["Method"] for row in rows(page("elk")) if "Method" in row}
    assert methods == set(elk.METHODS)


def test_the_method_of_the_page_does_what_the_page_shows() -> None:
    (first, table), (second, compared) = examples("elk")
    some = 'beds=["latent-stop", "latent-judge"]'  # all twelve take minutes
    assert first.count("probe_seeds=[0]") == 1
    lines = printed(first.replace("probe_seeds=[0]", f"probe_seeds=[0], {some}")).splitlines()
    assert len(lines) == 3
    shown = [line.split() for line in table.splitlines()]
    assert all(line.split() in shown for line in lines), lines
    assert some in second
    method = first.partition("\n\n\nresults")[0]
    assert same(printed(f"{method}\n\n{second}"), compared), printed(f"{method}\n\n{second}")


@pytest.mark.parametrize("name", ["own-bed", "own-network"])
def test_a_bed_and_a_network_of_ones_own_do_what_the_page_shows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from course_utils import elk, elk_beds

    beds = dict(elk.BEDS)
    monkeypatch.setattr(elk, "BEDS", beds)
    monkeypatch.setattr(elk_beds, "BEDS", beds)
    found = printed(named_block(name, "elk"))
    assert same(found, named_block(f"{name}-prints", "elk")), found


def test_the_table_of_all_methods_names_all_of_them_and_all_beds() -> None:
    from course_utils import elk

    truth, lied_to = named_block("all-methods", "elk").strip("\n").split("\n\n")
    head, body = truth.split("\n")[: -len(elk.BEDS)], truth.split("\n")[-len(elk.BEDS) :]
    assert [line.split()[0] for line in body] == list(elk.BEDS)
    assert all(len(line.split()) == 1 + len(elk.METHODS) for line in body)
    words = " ".join(head).split()
    assert all(word in words for method in elk.METHODS for word in method.split())
    assert [line.split()[0] for line in lied_to.split("\n")[-2:]] == [b for b, spec in elk.BEDS.items() if spec.lied_to]


# Add a chapter


HINT = """\
# <details><summary>Hint 2</summary>
#
# The sum of −p log p. Where p is 0 the logarithm is −∞, and `torch.special.entr` knows what to do.
#
# </details>
#
"""
WRONG = [  # in the order of the page's table: what stands in the chapter, and what is written in its place
    ("Difficulty ●○○○○", "Difficulty ●○○○"),
    ("Exercise 41.1 ·", "Exercise 42.1 ·"),
    (HINT, ""),
    ("    # BEGIN SOLUTION\n", ""),
    ('probabilities: Float[Tensor, "answer"]', "probabilities: Tensor"),
    ("least_loss = checks.yours_or(least_loss, entropy.least_loss)\n", ""),
    ("checks.entropy.test_least_loss(", "checks.entropy.test_floor("),
    ("entr(probabilities).sum()", "entr(coin).sum()"),
    ("#   minutes: 10\n", ""),
]


@pytest.fixture
def walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A course with the files of the walk-through, written as they stand on the page, and nothing else."""
    found = re.findall(r"^```\{code-block\} python\n:caption: (\S+)\n\n(.*?)^```", page("contributing"), re.S | re.M)
    files = dict(found)
    assert list(files) == ["course_utils/entropy.py", "course_utils/checks/entropy.py", "solutions/41_entropy.py"]
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    import course_utils

    monkeypatch.setattr(course_utils, "__path__", [*course_utils.__path__, str(tmp_path / "course_utils")])
    monkeypatch.setattr(checks, "__path__", [*checks.__path__, str(tmp_path / "course_utils" / "checks")])
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for package in (course_utils, checks):
        sys.modules.pop(f"{package.__name__}.entropy", None)
        vars(package).pop("entropy", None)


def named_block(name: str, guide: str = "contributing") -> str:
    [block] = re.findall(rf"^```\{{code-block\}} \w+\n:name: {name}\n\n(.*?)^```", page(guide), re.S | re.M)
    return block


def test_the_chapter_of_the_walk_through_builds_and_runs(walked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_command, "require_clone", lambda what: walked)
    said = CliRunner().invoke(app, ["build"])
    assert said.exit_code == 0 and same(said.output.replace("\\", "/"), named_block("built")), said.output
    assert CliRunner().invoke(app, ["build"]).output.strip() == "Everything was up to date."
    stub = (walked / "chapters" / "41_entropy.py").read_text(encoding="utf-8")
    assert named_block("stub").strip() in stub
    untouched = printed(stub)
    assert "not attempted yet (Exercise 41.1)" in untouched and "✓\n" in untouched
    solved = printed((walked / "solutions" / "41_entropy.py").read_text(encoding="utf-8"))
    assert "✓ least_loss: passed" in solved and solved.splitlines()[-2:] == untouched.splitlines()[-2:]


def test_the_check_of_the_walk_through_does_its_work(walked: Path) -> None:
    topic = selftest.load("entropy")
    assert selftest.answer_problems(topic) == []
    total = selftest.total_score(selftest.mutation_scores(topic, seconds=20))
    assert not total.problems and total.rate == 1


def test_the_smallest_contribution_is_recognised(walked: Path) -> None:
    path = walked / "course_utils" / "checks" / "entropy.py"
    source = path.read_text(encoding="utf-8")
    assert source.count("    mistakes=[\n") == 1
    entry = "    mistakes=[\n" + named_block("smallest")
    path.write_text(source.replace("    mistakes=[\n", entry), encoding="utf-8", newline="\n")
    topic = selftest.load("entropy")
    assert "all alike" in [mistake.name for mistake in topic.test_least_loss.spec.mistakes]
    assert selftest.answer_problems(topic) == []


def test_what_goes_wrong_is_said_as_the_page_says(walked: Path) -> None:
    path = walked / "solutions" / "41_entropy.py"
    source = path.read_text(encoding="utf-8")
    shown = [row["what `course build` says"] for row in rows(page("contributing")) if "what `course build` says" in row]
    for (good, bad), sentence in zip(WRONG, shown, strict=True):
        assert source.count(good) >= 1, good
        path.write_text(source.replace(good, bad), encoding="utf-8", newline="\n")
        with pytest.raises(authoring.StructureError) as caught:
            authoring.build(walked)
        assert plain(sentence) == [plain(f"{problem}") for problem in caught.value.problems][-1], str(caught.value)


def plain(sentence: str) -> str:
    """Words alone: a table of the page cannot hold every sign."""
    return " ".join(sentence.replace("`", "").split())
