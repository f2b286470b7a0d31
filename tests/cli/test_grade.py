"""Grading a folder of handed-in files: one run over twenty in mixed states, and what surrounds it."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from course_utils.errors import CourseError
from course_utils.manifest import read_manifest
from course_utils.running import confinement
from course_utils.running.collecting import HandIn, gather, identify
from course_utils.running.gradebook import COLUMNS, Gradebook, known
from course_utils.running.grading import Grade
from course_utils.running.process import environment

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = "21_fourier_algorithm"
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX has the limits and signals that this is about")


def notebook(folder: str) -> dict:
    return json.loads((ROOT / folder / f"{CHAPTER}.ipynb").read_text(encoding="utf-8"))


def exercises() -> list:
    return list(read_manifest(ROOT / "chapters").chapter("21").exercises)


def solutions() -> dict[str, str]:
    """The solved cell of each exercise, by its id."""
    cells = ["".join(c["source"]) for c in notebook("solutions")["cells"] if c["cell_type"] == "code"]
    return {e.id: next(c for c in cells if f"checks.{e.check}(" in c) for e in exercises()}


def filled(answers: dict[str, str]) -> dict:
    """The chapter as it ships, with these cells in the place of the stubs."""
    made = notebook("chapters")
    cells = {e.cell: answers[e.id] for e in exercises() if e.id in answers}
    for cell in made["cells"]:
        if cell["id"] in cells:
            cell["source"] = cells[cell["id"]].splitlines(True)
    return made


def as_script(made: dict) -> str:
    parts = []
    for cell in made["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            parts.append(f"# %%\n{source}\n")
        else:
            parts.append("# %% [markdown]\n" + "\n".join(f"# {line}".rstrip() for line in source.split("\n")) + "\n")
    return "\n".join(parts)


def body(code: str) -> str:
    """Exercise 21.1 with this code as its function's body."""
    lines = "".join(f"    {line}\n" for line in code.split("\n"))
    return f"def fourier_basis(p):\n{lines}\nchecks.fourier.test_fourier_basis(fourier_basis)"


def before(code: str) -> str:
    """Exercise 21.1 solved, with this code before the function."""
    return f"{code}\n\n{solutions()['21.1']}"


DELETES = """import os, shutil
from pathlib import Path
for place in (Path.cwd(), Path.home(), Path(os.environ["COURSE_WORK"]), Path(os.environ["TMPDIR"])):
    shutil.rmtree(place, ignore_errors=True)
for name in os.listdir(os.path.expanduser("~")) if os.path.isdir(os.path.expanduser("~")) else []:
    raise RuntimeError(name)"""

READS = """import inspect, course_utils.checks, course_utils.checks.fourier as topic
source = inspect.getsource(topic)
for path in __import__("pathlib").Path(course_utils.checks.__file__).parent.rglob("*.py"):
    source += path.read_text(encoding="utf-8")
print(source)"""


PRINTS = "for _ in range(100):\n    print('x' * 1_000_000)"


def hand_in(folder: Path) -> None:
    """Twenty files in mixed states."""
    right = solutions()
    two = {e: right[e] for e in ("21.1", "21.2")}
    exits = "def fourier_2d(*inputs):\n    import sys\n    sys.exit(0)\n\nchecks.fourier.test_fourier_2d(fourier_2d)"
    states: dict[str, dict] = {
        "all_right": filled(right),
        "untouched": filled({}),
        "half_done": filled({e: right[e] for e in ("21.1", "21.2", "21.3")}),
        "wrong": filled(two | {"21.1": body("import torch\nreturn torch.eye(p)"), "21.3": exits}),
        "loops_in_exercise": filled(two | {"21.1": body("while True:\n    pass")}),
        "loops_in_module": filled({"21.1": before("import time\nwhile True:\n    time.sleep(1)")}),
        "exits_hard": filled(two | {"21.1": before("import os\nos._exit(7)")}),
        "kills_itself": filled({"21.1": before("import os\nos.kill(os.getpid(), 9)")}),
        "kills_its_watcher": filled({"21.1": before("import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(60)")}),
        "takes_all_memory": filled(two | {"21.1": body("held = []\nwhile True:\n    held.append(bytearray(2**26))")}),
        "deletes_files": filled(two | {"21.1": before(DELETES)}),
        "no_exercise": {"cells": [{"cell_type": "markdown", "source": "# Essay"}], "metadata": {}, "nbformat": 4},
    }
    for name, made in states.items():
        place = folder / name
        place.mkdir(parents=True)
        file = "essay.ipynb" if name == "no_exercise" else f"{CHAPTER}.ipynb"
        (place / file).write_text(json.dumps(made), encoding="utf-8")
    (folder / "chapter_11").mkdir()
    shutil.copy(ROOT / "chapters" / "11_circuits.ipynb", folder / "chapter_11")
    (folder / "chapter_12").mkdir()
    shutil.copy(ROOT / "chapters" / "12_induction_heads.py", folder / "chapter_12" / "mine.py")
    shutil.copytree(folder / "half_done", folder / "twin")
    whole = json.dumps(states["half_done"], ensure_ascii=False)
    for name, data in {
        "git_merge": b'{"cells": [\n<<<<<<< HEAD\n',
        "broken": whole[: len(whole) // 2].encode(),
        "empty": b"",
        "not_utf8": whole.encode("utf-8").replace("é".encode(), b"\xe9").replace("·".encode(), b"\xb7"),
    }.items():
        (folder / name).mkdir()
        (folder / name / f"{CHAPTER}.ipynb").write_bytes(data)
    (folder / "script").mkdir()
    script = as_script(filled(two | {"21.1": before(f"{READS}\n{PRINTS}")}))
    (folder / "script" / "my answers.py").write_text(script, encoding="utf-8")
    (folder / "script" / "notes.txt").write_text("hello", encoding="utf-8")


def command(folder: Path, *arguments: str, **variables: str) -> list:
    """What to give subprocess for `course check` with a home and a folder of one's own."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    own = {"HOME": str(home), "USERPROFILE": str(home), "COLUMNS": "160", "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
    own |= {name: str(folder) for name in ("TMPDIR", "TEMP", "TMP")}  # a killed run leaves its copies
    kept = {k: v for k, v in os.environ.items() if k not in ("COURSE_WORK", "COURSE_CHAPTERS")}
    return [[sys.executable, "-m", "course_utils", "check", *arguments], kept | environment() | own | variables]


@pytest.fixture(scope="module")
def run_once(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """One run over the twenty files: the rows by name, what was on screen, and the folder."""
    folder = tmp_path_factory.mktemp("class")
    hand_in(folder / "handed-in")
    (folder / "home").mkdir()
    (folder / "home" / "thesis.txt").write_text("mine", encoding="utf-8")
    hashes = digests(folder)
    options = ("--csv", "grades.csv", "--jobs", "2", "--seconds", "20", "--memory", "0.5")
    line, variables = command(folder, "handed-in", *options, COURSE_CHECK_SECONDS="2")
    done = subprocess.run(line, cwd=folder, env=variables, capture_output=True, encoding="utf-8", timeout=300)
    return {
        "rows": {row["file"].split("/")[1]: row for row in table(folder / "grades.csv")},
        "code": done.returncode,
        "screen": done.stdout + done.stderr,
        "folder": folder,
        "untouched": hashes == {k: v for k, v in digests(folder).items() if k in hashes},
    }


def digests(folder: Path) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_file_has_an_honest_row(run_once):
    rows = run_once["rows"]
    assert len(rows) == 20
    status = {name: row["status"] for name, row in rows.items() if row["status"] != "graded"}
    expected = dict.fromkeys(("broken", "empty", "not_utf8", "git_merge"), "not a notebook") | {
        "no_exercise": "unknown chapter"
    }
    if os.name != "nt":
        expected["kills_its_watcher"] = "died"
    assert status == expected
    right = {name: [e for e, word in row.items() if word == "passed"] for name, row in rows.items()}
    everything = [e.id for e in exercises()]
    assert right["all_right"] == everything
    assert right["half_done"] == right["twin"] == ["21.1", "21.2", "21.3"]
    assert right["script"] == right["deletes_files"] == ["21.1", "21.2"]
    assert right["untouched"] == right["chapter_11"] == right["chapter_12"] == []
    for name in ("wrong", "loops_in_exercise", "exits_hard", "takes_all_memory"):
        assert right[name] == ["21.2"], (name, rows[name])


@pytest.mark.parametrize(
    ("name", "verdict", "words"),
    [
        ("loops_in_exercise", "timed out", "stopped after 2 s"),
        ("loops_in_module", "timed out", "Stopped after 20 seconds"),
        ("exits_hard", "error", "exit code 7"),
        ("kills_itself", "error", "ended"),
        ("takes_all_memory", "error", "emory"),
        ("wrong", "wrong", "21.1: "),
    ],
)
def test_what_went_wrong_is_said(run_once, name, verdict, words):
    row = run_once["rows"][name]
    assert row["21.1"] == verdict and words in row["message"], row
    if name == "wrong":
        assert row["21.3"] == "error" and row["message"].endswith("(and 1 more)"), row


def test_counts_add_up(run_once):
    for name, row in run_once["rows"].items():
        if row["status"] != "graded":
            assert row["message"].endswith((".", "again."))
            continue
        numbers = [int(row[c]) for c in ("passed", "wrong", "not attempted", "timed out")]
        chapter = read_manifest(ROOT / "chapters").chapter(name[-2:] if name.startswith("chapter") else "21")
        assert sum(numbers) == int(row["of"]) == len(chapter.exercises), name
        assert int(row["core of"]) == sum(not e.deeper for e in chapter.exercises)
        assert 0 <= int(row["core passed"]) <= int(row["passed"])
        assert row["chapter"] == chapter.id and float(row["seconds"]) >= 0 and len(row["sha256"]) == 64


def test_the_columns(run_once):
    header = (run_once["folder"] / "grades.csv").read_text(encoding="utf-8").split("\n")[0].split(",")
    both = [e.id for c in ("11", "12", "21") for e in read_manifest(ROOT / "chapters").chapter(c).exercises]
    assert header == [*COLUMNS, *both]


def test_a_file_with_the_same_content_says_so(run_once):
    message = run_once["rows"]["twin"]["message"] + run_once["rows"]["half_done"]["message"]
    assert "The same content as handed-in/half_done" in message


def test_nothing_of_the_instructor_is_touched(run_once):
    assert run_once["untouched"]
    assert (run_once["folder"] / "home" / "thesis.txt").read_text(encoding="utf-8") == "mine"


def test_the_screen(run_once):
    assert run_once["code"] == (0 if os.name == "nt" else 1), "one file took its watcher down"
    screen = run_once["screen"]
    for words in (
        "20 files to grade",
        "no security boundary",
        "12 of 12",
        "4 not a notebook",
        "grades.csv",
        "notes.txt",
    ):
        assert words in screen, screen
    assert "Traceback" not in screen


def test_again_only_what_is_new(run_once):
    """The second run is done at once; what has no final row is tried again."""
    folder = run_once["folder"]
    copy = folder / "second"
    shutil.copytree(folder / "handed-in" / "half_done", copy / "late")
    shutil.copytree(folder / "handed-in" / "wrong", copy / "wrong")
    line, variables = command(folder, "second", "--csv", "grades.csv")
    start = time.perf_counter()
    done = subprocess.run(line, cwd=folder, env=variables, capture_output=True, encoding="utf-8", timeout=100)
    assert done.returncode == 0 and "2 with this content graded before, 0 to grade" in done.stdout, done.stdout
    assert time.perf_counter() - start < 10
    rows = {row["file"]: row for row in table(folder / "grades.csv")}
    assert len(rows) == 22
    late = rows[f"second/late/{CHAPTER}.ipynb"]
    assert late["passed"] == "3" and "The same content as" in late["message"]


@posix
def test_an_interruption_keeps_the_rows_and_leaves_nothing_running(tmp_path):
    pid = tmp_path / "pid"
    (tmp_path / "a.ipynb").write_text("{", encoding="utf-8")
    (tmp_path / "b.ipynb").write_text(json.dumps(tells_its_process_and_loops(pid)), encoding="utf-8")
    line, variables = command(tmp_path, "a.ipynb", "b.ipynb", "--csv", "grades.csv", "--seconds", "60")
    process = subprocess.Popen(line, cwd=tmp_path, env=variables, stdout=subprocess.PIPE, encoding="utf-8")
    wait_for(lambda: pid.exists() and pid.read_text(encoding="utf-8"))
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=30)
    assert process.returncode == 130 and "1 of 2 files are graded" in text and "goes on from there" in text, text
    assert [row["status"] for row in table(tmp_path / "grades.csv")] == ["not a notebook"]
    wait_for(lambda: not is_running(int(pid.read_text(encoding="utf-8"))))


@posix
def test_nothing_goes_on_when_grading_is_killed(tmp_path):
    """Also where the interrupt signal is ignored, as in a shell's background jobs."""
    pid = tmp_path / "pid"
    (tmp_path / "a.ipynb").write_text(json.dumps(tells_its_process_and_loops(pid)), encoding="utf-8")
    line, variables = command(tmp_path, "a.ipynb", "--csv", "grades.csv", "--seconds", "60")
    ignoring = "import os, signal, sys; signal.signal(2, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    whole = [sys.executable, "-c", ignoring, *line]
    process = subprocess.Popen(whole, cwd=tmp_path, env=variables, stdout=subprocess.DEVNULL)
    wait_for(lambda: pid.exists() and pid.read_text(encoding="utf-8"))
    process.kill()
    process.wait()
    wait_for(lambda: not is_running(int(pid.read_text(encoding="utf-8"))), 20)


def tells_its_process_and_loops(pid: Path) -> dict:
    code = f"import os\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\nwhile True:\n    pass"
    return filled({"21.1": before(code)})


@posix
def test_the_time_of_a_whole_file(tmp_path):
    right = solutions()
    made = filled({"21.1": before("import time\ntime.sleep(600)"), "21.2": right["21.2"], "21.3": right["21.3"]})
    (tmp_path / "slow.ipynb").write_text(json.dumps(made), encoding="utf-8")
    options = ("--csv", "grades.csv", "--seconds", "100", "--minutes-per-file", "0.15")
    line, variables = command(tmp_path, "slow.ipynb", *options)
    done = subprocess.run(line, cwd=tmp_path, env=variables, capture_output=True, encoding="utf-8", timeout=100)
    (row,) = table(tmp_path / "grades.csv")
    assert done.returncode == 0 and row["status"] == "time limit", done.stdout
    assert "--minutes-per-file" in row["message"], row


def wait_for(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout


def test_which_chapter_a_file_is(course, run, tmp_path):
    """Its content says it under any name; the name where the content does not; --chapter in any case but another's."""
    untouched = course.text(course.solve(**dict.fromkeys(("e1", "e2", "e3", "e4"), "...")))
    bare = '{"cells": [{"cell_type": "code", "source": "x = 1"}]}'
    folder = tmp_path / "in"
    folder.mkdir()
    for name, text in {"s1_essay.ipynb": bare, "s2_21_toys (1).ipynb": bare, "s3_other name.ipynb": untouched}.items():
        (folder / name).write_text(text, encoding="utf-8")
    code, text = run("check", str(folder), "--csv", "one.csv")
    assert code == 0, text
    rows = table(Path("one.csv"))
    assert [(r["status"], r["chapter"]) for r in rows] == [("unknown chapter", ""), ("graded", "21"), ("graded", "21")]
    assert "--chapter" in rows[0]["message"] and rows[0]["sha256"] == rows[1]["sha256"]


def test_arguments_that_do_not_fit(course, run, tmp_path):
    (tmp_path / "none").mkdir()
    course.write(course.solve())
    (tmp_path / "mine.csv").write_text("name,points\nAda,3\n", encoding="utf-8")
    here = str(course.notebook)
    for arguments, words in (
        (["21", "22"], "There is no file or folder 21"),
        (["none"], "no notebook"),
        ([here, "gone.ipynb"], "gone.ipynb"),
        ([here, "--csv", "mine.csv"], "not a table of grades"),
        ([here, here, "--json"], "for one file"),
        ([here, "--chapter", "21"], "for grading"),
        ([here, "--csv", "new.csv", "--chapter", "77"], "The chapters here are: 21 (Toys)"),
    ):
        code, text = run("check", *arguments)
        assert code == 2 and words in text, text
    assert (tmp_path / "mine.csv").read_text(encoding="utf-8") == "name,points\nAda,3\n"


def test_help_says_that_it_is_no_boundary(run):
    code, text = run("check", "--help")
    words = " ".join(text.replace("│", " ").split())
    assert code == 0 and "no security boundary" in words and "forged" in words and "--minutes-per-file" in words


def test_what_is_gathered(tmp_path):
    for name in ("a.ipynb", "sub/B.IPYNB", "c.py", ".hidden.ipynb", ".git/d.py", ".ipynb_checkpoints/a.ipynb", "e.zip"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("", encoding="utf-8")
    found, others = gather([tmp_path, tmp_path / "a.ipynb"])
    assert [p.name for p in found] == ["a.ipynb", "c.py", "B.IPYNB"] and [p.name for p in others] == ["e.zip"]


@posix
def test_a_file_that_is_none(tmp_path):
    os.mkfifo(tmp_path / "pipe.ipynb")
    file = identify(tmp_path / "pipe.ipynb")
    assert file.sha256 == "" and "no ordinary file" in file.problem


def grade(name: str, sha: str = "a" * 64, **more) -> Grade:
    return Grade(name, sha, "graded", "21", verdicts={"21.2": "passed", "21.10": "wrong"}, **more)


def test_a_table_keeps_what_others_have_added(tmp_path):
    path = tmp_path / "grades.csv"
    book = Gradebook(path)
    book.put(grade("b.ipynb"))
    rows = table(path)
    rows[0]["comment"] = "nice"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    book.put(grade("a.ipynb", message="=HYPERLINK(1)"))
    book.put(grade("b.ipynb", sha="b" * 64))
    first, second = table(path)
    assert (first["file"], first["message"], first["comment"]) == ("a.ipynb", "'=HYPERLINK(1)", "")
    assert (second["file"], second["sha256"], second["comment"]) == ("b.ipynb", "b" * 64, "nice")
    assert list(first)[len(COLUMNS) :] == ["21.2", "21.10", "comment"]


def test_a_table_that_cannot_be_written_for_a_while(tmp_path, monkeypatch):
    path = tmp_path / "grades.csv"
    book = Gradebook(path)
    real = os.replace

    def open_elsewhere(source, target):
        if Path(target) == path:
            raise PermissionError(13, "in use")
        real(source, target)

    monkeypatch.setattr("course_utils.running.gradebook.os.replace", open_elsewhere)
    book.put(grade("a.ipynb"))
    with pytest.raises(CourseError, match=r"grades-unsaved\.csv"):
        book.close()
    assert table(tmp_path / "grades-unsaved.csv")[0]["file"] == "a.ipynb"
    monkeypatch.undo()
    book.put(grade("b.ipynb"))
    assert [row["file"] for row in table(path)] == ["a.ipynb", "b.ipynb"]


def test_what_is_known_already(tmp_path):
    manifest = read_manifest(ROOT / "chapters")
    book = Gradebook(tmp_path / "grades.csv")
    book.put(grade("a.ipynb", message="21.10: no"))
    book.put(Grade("c.ipynb", "c" * 64, "time limit"))
    rows = book.rows()
    again = known(rows, HandIn(Path("a.ipynb"), "a.ipynb", "a" * 64), manifest)
    assert again is not None and again.verdicts == {"21.2": "passed", "21.10": "wrong"} and again.message == "21.10: no"
    other = known(rows, HandIn(Path("b.ipynb"), "b.ipynb", "a" * 64), manifest)
    assert other is not None and other.message == "The same content as a.ipynb. 21.10: no"
    assert known(rows, HandIn(Path("a.ipynb"), "a.ipynb", "a" * 64), manifest, "22") is None
    assert known(rows, HandIn(Path("a.ipynb"), "a.ipynb", "d" * 64), manifest) is None
    assert known(rows, HandIn(Path("c.ipynb"), "c.ipynb", "c" * 64), manifest) is None


def test_surroundings_hold_no_secret_and_no_home(tmp_path):
    inherited = {"HOME": "/home/ada", "GITHUB_TOKEN": "x", "XDG_DATA_HOME": "/home/ada/x", "PATH": "/bin", "LANG": "C"}
    found = confinement.surroundings(inherited, tmp_path, threads=2)
    assert found["PATH"] == "/bin" and found["OMP_NUM_THREADS"] == "2" and found["COURSE_PROGRESS"] == "0"
    assert "GITHUB_TOKEN" not in found and "/home/ada" not in " ".join(
        v for k, v in found.items() if k != "PYTHONUSERBASE"
    )
    for name in ("HOME", "USERPROFILE", "TMPDIR", "COURSE_WORK", "IPYTHONDIR", "XDG_CACHE_HOME", "JUPYTER_DATA_DIR"):
        assert Path(found[name]).is_dir() and Path(found[name]).is_relative_to(tmp_path)
