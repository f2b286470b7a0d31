"""The remaining commands: help, lab, watch, and the thin ones for authors."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from course_utils import paths
from course_utils.commands import lab, watch
from course_utils.commands.choosing import choose
from course_utils.running import Limits

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ["lab", "start", "check", "watch", "hint", "reset", "progress", "doctor", "build", "train", "verify", "sweep"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(run, command):
    code, text = run(command, "--help")
    assert code == 0 and f"course {command}" in text and "Example" in text


def test_help_lists_all_and_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['course', '--help']\n"
        "from course_utils.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = [m for m in ('torch', 'numpy', 'jupytext', 'nbformat', 'plotly') if m in sys.modules]\n"
        "print('HEAVY', heavy)"
    )
    environment = dict(os.environ, PYTHONPATH=str(ROOT), COLUMNS="120")
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, encoding="utf-8", check=True
    )
    assert "HEAVY []" in done.stdout
    assert all(command in done.stdout for command in COMMANDS)


def test_importing_the_library_imports_torch():
    code = "import sys, course_utils; print('torch' in sys.modules, 'plotly' in sys.modules, 'typer' in sys.modules)"
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False", "False"]


def test_version(run):
    code, text = run("--version")
    assert code == 0 and text.startswith("phase-change ")


def test_lab_starts_chapters_and_opens_one(course, run, monkeypatch):
    seen = {}

    class Process:
        def __init__(self, command, env, cwd):
            seen.update(command=command, env=env, cwd=cwd)
            self.waits = 0

        def wait(self):
            self.waits += 1
            if self.waits == 1:
                raise KeyboardInterrupt
            return 5

    monkeypatch.setattr(lab.subprocess, "Popen", Process)
    monkeypatch.setattr(lab, "_is_root", lambda: False)
    code, _ = run("lab", "21", "--no-browser", "--port", "8890")
    assert code == 5 and course.notebook.exists()
    assert seen["command"][:3] == [sys.executable, "-m", "jupyterlab"]
    assert "--no-browser" in seen["command"] and "--port=8890" in seen["command"]
    assert seen["command"][-1] == str(course.notebook) and Path(seen["cwd"]) == course.work
    assert seen["env"]["COURSE_WORK"] == str(course.work) and seen["env"]["JUPYTER_PREFER_ENV_PATH"] == "1"
    course.write(course.solve())
    mine = course.notebook.read_bytes()
    run("lab")
    assert course.notebook.read_bytes() == mine and not seen["command"][-1].endswith(".ipynb")
    run("lab", "--ip=127.0.0.1", "--debug")
    assert seen["command"][-2:] == ["--ip=127.0.0.1", "--debug"]
    run("lab", "21", "--ip=127.0.0.1")
    assert seen["command"][-2:] == [str(course.notebook), "--ip=127.0.0.1"]
    monkeypatch.setattr(lab, "_is_root", lambda: True)
    run("lab")
    assert seen["command"][-1] == "--allow-root"


def test_lab_without_jupyterlab(course, run, monkeypatch):
    monkeypatch.setattr(lab.importlib.util, "find_spec", lambda name: None)
    code, text = run("lab")
    assert code == 2 and "pip install jupyterlab" in text and not course.notebook.exists()


def test_watch_checks_again_at_a_save(course, monkeypatch, capsys):
    course.write(course.solve(e1="def double(x):\n    return x * x\n\nchecks.toy.test_double(double)"))
    saves = [
        lambda: course.notebook.write_text("{half a file", encoding="utf-8"),
        lambda: course.notebook.unlink(),
        lambda: course.write(course.solve()),
    ]
    monkeypatch.setattr(watch, "INTERVAL", 0.05)
    shown: list[str] = []
    deadline = time.monotonic() + 60

    def go_on() -> bool:
        new = capsys.readouterr().out + capsys.readouterr().err
        out = new.strip()
        if out:
            shown.append(out)
            if len(shown) > 1 or "Checked at" in out:
                if not saves:
                    return False
                saves.pop(0)()
        return time.monotonic() < deadline

    choice = choose("21")

    def complain(sentence: str) -> None:
        print(sentence)

    monkeypatch.setattr(watch, "complain", complain)
    watch.follow(choice, Limits(), go_on)
    assert "✗ wrong" in shown[0] and "This squares" in shown[0] and "Negating: " not in shown[0]
    assert any("not a readable notebook" in text for text in shown)
    assert any("There is no file" in text for text in shown)
    assert "4 of 4 exercises passed. All done." in shown[-1]


def test_build_in_a_clone_and_outside(run, monkeypatch, tmp_path):
    from course_utils.commands import build

    calls = []

    class Authoring:
        def build(self, root):
            calls.append(("build", root))
            return [root / "chapters" / "x.py"]

        def check(self, root):
            calls.append(("check", root))
            return ["chapters/x.py is stale"]

        def execute(self, root, chapter):
            calls.append(("execute", root, chapter))
            return SimpleNamespace(
                chapter=chapter,
                seconds=61.2,
                ok=chapter == "21",
                failure="Cell 3 raises ValueError.",
                refreshed=("claim 4",),
                written=(root / "solutions" / "evidence" / "21.json",),
            )

    import course_utils

    monkeypatch.setitem(sys.modules, "course_utils.authoring", Authoring())
    monkeypatch.setattr(course_utils, "authoring", Authoring(), raising=False)
    monkeypatch.setattr(build, "require_clone", lambda what: tmp_path)
    assert run("build")[0] == 0
    code, text = run("build", "--check")
    assert code == 1 and "chapters/x.py is stale" in text
    code, text = run("build", "--execute", "21")
    assert code == 0 and "refreshed claim 4" in text and "21.json" in text and "61 s" in text
    assert calls == [("build", tmp_path), ("check", tmp_path), ("execute", tmp_path, "21")]
    code, text = run("build", "--execute", "22")
    assert code == 1 and "Cell 3 raises ValueError." in text
    assert run("build", "--check", "--execute", "21")[0] == 2
    monkeypatch.undo()
    monkeypatch.setattr(paths, "clone_root", lambda: None)
    code, text = run("build")
    assert code == 2 and "Clone the repository" in text


def test_train_and_verify(course, run, monkeypatch):
    from course_utils import zoo

    def rebuild(name, out_dir, progress):
        (out_dir / "card.json").write_text(name, encoding="utf-8")
        if name == "stopped":
            raise KeyboardInterrupt

    monkeypatch.setattr(zoo, "names", lambda: ["good", "bad", "stopped"])
    monkeypatch.setattr(zoo, "rebuild", rebuild)
    monkeypatch.setattr(zoo, "verify", lambda name: [] if name == "good" else ["test loss 0.5, card 0.1"])
    assert run("train", "good")[0] == 0 and (course.work / "models" / "good" / "card.json").exists()
    code, text = run("train", "good")
    assert code == 2 and "--resume" in text
    assert run("train", "good", "--resume")[0] == 0
    code, text = run("train", "stopped")
    assert code == 130 and "--resume" in text
    code, text = run("train", "nothing")
    assert code == 2 and "good, bad" in text
    assert run("verify", "good")[0] == 0
    code, text = run("verify")
    assert code == 1 and "✓ good" in text and "bad: test loss" in text


def test_where_things_are(tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_WORK", raising=False)
    monkeypatch.delenv("COURSE_CHAPTERS", raising=False)
    assert paths.clone_root() == ROOT and paths.chapters_dir() == ROOT / "chapters"
    assert paths.workspace_dir() == ROOT / "work"
    monkeypatch.setattr(paths, "clone_root", lambda: None)
    monkeypatch.chdir(tmp_path)
    assert paths.workspace_dir() == tmp_path / "phase-change-work" and not paths.workspace_dir().exists()
    assert paths.workspace_dir(create=True).is_dir() and paths.chapters_dir() == paths.WHEEL_CHAPTERS
    inner = tmp_path / "phase-change-work" / "deep"
    (tmp_path / "phase-change-work" / ".course").mkdir()
    inner.mkdir()
    monkeypatch.chdir(inner)
    assert paths.workspace_dir() == tmp_path / "phase-change-work"
    monkeypatch.setenv("COURSE_WORK", str(tmp_path / "elsewhere"))
    assert paths.workspace_dir() == tmp_path / "elsewhere"
