"""The site as a whole: two builds from the same stored runs are equal to the last byte, and no link inside leads nowhere."""

from __future__ import annotations

import filecmp
from pathlib import Path

import pytest

from course_utils.book import BUILD, broken_links, build
from course_utils.errors import CourseError

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.site


@pytest.fixture(scope="module")
def sites(tmp_path_factory) -> tuple[Path, Path]:
    pytest.importorskip("sphinx")
    if not any((ROOT / BUILD / "runs").glob("*.json")):
        pytest.skip("No chapter has been run for the site. Build it once with `course book`.")
    folders = tuple(tmp_path_factory.mktemp("sites") / name for name in ("one", "two"))
    for folder in folders:
        assert build(ROOT, folder, say=lambda text: None) == []
    return folders


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_two_builds_are_equal_byte_for_byte(sites):
    one, two = sites
    names = files(one)
    assert names == files(two)
    assert filecmp.cmpfiles(one, two, names, shallow=False)[1:] == ([], [])


def test_no_link_leads_nowhere(sites):
    assert broken_links(sites[0]) == []


def test_nothing_of_the_machine_stands_on_a_page(sites):
    for path in sites[0].rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert str(ROOT) not in text, path


def test_launch_buttons_come_with_an_address_and_not_without(sites, tmp_path):
    assert "launch" not in (sites[0] / "chapters" / "21_fourier_algorithm.html").read_text(encoding="utf-8")
    assert build(ROOT, tmp_path / "three", "https://github.com/owner/name", say=lambda text: None) == []
    page = (tmp_path / "three" / "chapters" / "21_fourier_algorithm.html").read_text(encoding="utf-8")
    assert page.count('class="launch"') == 3
    assert "colab.research.google.com/github/owner/name/blob/HEAD/chapters/21_fourier_algorithm.ipynb" in page


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    pytest.importorskip("sphinx")
    (tmp_path / "thesis.tex").write_text("mine", encoding="utf-8")
    with pytest.raises(CourseError, match="Give `--output` an empty or a new folder"):
        build(ROOT, tmp_path, say=lambda text: None)
    assert (tmp_path / "thesis.tex").read_text(encoding="utf-8") == "mine"
