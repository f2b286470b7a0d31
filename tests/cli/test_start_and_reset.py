"""Copies, backups and stubs: nothing of a learner's is ever lost."""

from __future__ import annotations

import io
import json

from course_utils.running.cells import read_document


def backups(course) -> list:
    folder = course.work / ".course" / "backups"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def test_start_copies_and_never_overwrites(course, run):
    code, text = run("start", "21")
    assert code == 0 and "your copy is work" in text.replace("\\", "/")
    assert course.notebook.read_bytes() == (course.chapters / "21_toys.ipynb").read_bytes()
    assert (course.work / ".course" / "originals" / "21_toys.ipynb").exists()
    course.write(course.solve())
    mine = course.notebook.read_bytes()
    code, text = run("start", "21")
    assert code == 0 and "left as it is" in text and "updated" not in text
    assert course.notebook.read_bytes() == mine
    assert run("start", "21", "--py")[0] == 0 and course.script.exists()


def test_an_updated_chapter_is_announced_and_taken_with_a_backup(course, run):
    run("start")
    course.write(course.solve())
    mine = course.notebook.read_bytes()
    course.ship([*course.solve(), ("markdown", "more", "A new ending.")])
    code, text = run("start", "21")
    assert code == 0 and "course start 21 --fresh" in text and course.notebook.read_bytes() == mine
    code, text = run("start", "21", "--fresh")
    assert code == 0 and "A new ending." in course.notebook.read_text(encoding="utf-8")
    assert [b.read_bytes() for b in backups(course)] == [mine]
    assert "updated" not in run("start", "21")[1]
    run("start", "21", "--fresh")
    assert len(backups(course)) == 1, "an untouched copy needs no backup"


def test_start_says_what_is_missing(course, run):
    (course.chapters / "21_toys.ipynb").unlink()
    code, text = run("start", "21")
    assert code == 2 and "course doctor" in text
    (course.chapters / "manifest.json").write_text("{", encoding="utf-8")
    code, text = run("start", "21")
    assert code == 2 and "damaged" in text
    (course.chapters / "manifest.json").write_text('{"version": 9, "chapters": []}', encoding="utf-8")
    assert "newer version" in run("start")[1]
    (course.chapters / "manifest.json").unlink()
    assert "missing" in run("start")[1]


def test_start_into_a_place_that_is_a_file(course, run):
    course.work.write_text("in the way", encoding="utf-8")
    code, text = run("start", "21")
    assert code == 2 and "COURSE_WORK" in text and course.work.read_text(encoding="utf-8") == "in the way"


def test_reset_one_stub_in_a_notebook(course, run):
    run("start", "21")
    original = read_document(course.notebook)

    def as_saved(nb):
        nb["cells"][3]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "hm"}]
        nb["metadata"]["mine"] = "kept"

    course.notebook.write_text(course.text(course.solve(), as_saved), encoding="utf-8", newline="\n")
    mine = course.notebook.read_bytes()
    code, text = run("reset", "21.1", "--yes")
    assert code == 0 and "Reload Notebook" in text
    now = json.loads(course.notebook.read_text(encoding="utf-8"))
    assert "".join(now["cells"][3]["source"]) == original.cells[3].source
    assert now["cells"][3]["outputs"] == [] and now["metadata"]["mine"] == "kept"
    before = json.loads(mine)
    assert [c for i, c in enumerate(now["cells"]) if i != 3] == [c for i, c in enumerate(before["cells"]) if i != 3]
    assert [b.read_bytes() for b in backups(course)] == [mine]
    assert "Nothing was changed" in run("reset", "21.1", "--yes")[1] and len(backups(course)) == 1


def test_reset_in_a_script_keeps_line_ends_and_every_other_line(course, run):
    run("start", "21", "--py")
    pristine = course.script.read_text(encoding="utf-8")
    course.write(course.solve(), course.script)
    data = b"\xef\xbb\xbf" + course.script.read_bytes().replace(b"\n", b"\r\n")
    course.script.write_bytes(data)
    for number in ("21.1", "21.2", "21.3", "21.4"):
        assert run("reset", number, "--yes")[0] == 0
    assert course.script.read_bytes() == b"\xef\xbb\xbf" + pristine.encode().replace(b"\n", b"\r\n")
    assert len(backups(course)) == 4 and data in [b.read_bytes() for b in backups(course)]


def test_reset_puts_back_cells_that_were_deleted(course, run):
    gone = {"cell-21-2", "use-21-2", "head-21-2", "cell-21-3", "use-21-3"}
    cells = [c for c in course.solve() if c[1] not in gone]
    for path in (course.notebook, course.script):
        run("start", "21", *(["--py"] if path.suffix == ".py" else []))
        course.write(cells, path)
        for number in ("21.2", "21.3"):
            code, text = run("reset", number, "--yes", "--file", str(path))
            assert code == 0, text
        document = read_document(path)
        sources = [c.source for c in document.cells]
        third = next(i for i, s in enumerate(sources) if "### Exercise 21.3" in s)
        assert "dozen = ..." in sources[third + 1]
        second = next(i for i, s in enumerate(sources) if "### Exercise 21.2" in s)
        assert "replace this line" in sources[second + 1] and second > third


def test_reset_asks_first(course, run, monkeypatch):
    course.write(course.solve())
    mine = course.notebook.read_bytes()
    monkeypatch.setattr("sys.stdin", io.StringIO())
    code, text = run("reset", "21.1")
    assert code == 2 and "--yes" in text and course.notebook.read_bytes() == mine

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    code, text = run("reset", "21.1")
    assert code == 1 and course.notebook.read_bytes() == mine and not backups(course)
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert run("reset", "21.1")[0] == 0 and course.notebook.read_bytes() != mine


def test_reset_refuses_a_cell_shared_by_exercises(course, run):
    path = course.write(course.solve(), course.script)
    text = path.read_text(encoding="utf-8").replace("# %%", "#")
    path.write_text(text, encoding="utf-8")
    code, said = run("reset", "21.1", "--yes")
    assert code == 2 and "other exercises" in said and path.read_text(encoding="utf-8") == text
    assert run("reset", "21", "--yes")[0] == 2
