"""``course doctor``: each defect of an installation is said in a sentence, with what to do."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from course_utils import installation

ROOT = Path(__file__).resolve().parents[2]


def said(finding) -> str:
    return " ".join(f"{p.what} {p.fix}" for p in finding.problems)


def healthy_torch():
    return installation.Finding("torch", "version 2")


def test_python_versions():
    assert "3.10" in said(installation.python_version((3, 10))) and not installation.python_version((3, 12)).problems
    newer = installation.python_version((3, 19))
    assert newer.problems[0].note


def test_no_virtual_environment(monkeypatch):
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    assert "python -m venv" in said(installation.environment())
    monkeypatch.setenv("CONDA_PREFIX", "/opt/conda")
    assert not installation.environment().problems


def fake_python(tmp_path: Path, body: str) -> Path:
    """A folder to put first on the path, in which ``import torch`` runs ``body``."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(body, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ModuleNotFoundError(\"No module named 'torch'\")", "torch is not installed"),
        ("raise OSError('Error loading c10.dll')", "Visual C++"),
        ("import os; os._exit(11)", "exit code 11"),
    ],
)
def test_torch_missing_or_broken(tmp_path, monkeypatch, body, words):
    monkeypatch.setenv("PYTHONPATH", str(fake_python(tmp_path, body)))
    finding = installation.torch_works()
    assert words in said(finding) and not finding.problems[0].note


def test_cuda_build_without_a_card_is_only_a_note(tmp_path, monkeypatch):
    body = (
        "class T:\n"
        "    def __matmul__(self, o): return self\n"
        "    def sum(self): return 24\n"
        "def ones(*a): return T()\n"
        "class version: cuda = '12.4'\n"
        "class cuda:\n    is_available = staticmethod(lambda: False)\n"
        "__version__ = '2.9'\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(fake_python(tmp_path, body)))
    finding = installation.torch_works()
    assert "whl/cpu" in said(finding) and finding.problems[0].note


def test_kernel(tmp_path, monkeypatch):
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
    spec = tmp_path / "kernels" / "python3"
    spec.mkdir(parents=True)
    monkeypatch.setattr("jupyter_client.kernelspec.jupyter_path", lambda *parts: [str(tmp_path / "kernels")])
    kernel = {"argv": [sys.executable, "-m", "ipykernel_launcher"], "display_name": "x", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(kernel), encoding="utf-8")
    assert not installation.kernel().problems
    kernel["argv"][0] = "/somewhere/else/python"
    (spec / "kernel.json").write_text(json.dumps(kernel), encoding="utf-8")
    assert "another Python (/somewhere/else/python)" in said(installation.kernel())
    (spec / "kernel.json").write_text("{", encoding="utf-8")
    assert "not registered or damaged" in said(installation.kernel())


def missing(monkeypatch, *names):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n in names else real(n, *a))


def test_missing_jupyter_packages(monkeypatch):
    missing(monkeypatch, "jupyterlab", "ipykernel")
    assert "pip install jupyterlab" in said(installation.jupyterlab())
    assert "pip install ipykernel" in said(installation.kernel())


def test_chapters(course):
    assert not installation.chapters().problems
    (course.chapters / "21_toys.py").write_text("def (", encoding="utf-8")
    (course.chapters / "21_toys.ipynb").write_text("version https://git-lfs.github.com/spec/v1\n", encoding="utf-8")
    text = said(installation.chapters())
    assert "21_toys.py is damaged" in text and "git lfs pull" in text
    (course.chapters / "21_toys.py").unlink()
    assert "21_toys.py is missing" in said(installation.chapters())
    (course.chapters / "manifest.json").write_text('{"version": 1}', encoding="utf-8")
    assert "damaged" in said(installation.chapters())
    (course.chapters / "manifest.json").unlink()
    assert "is missing" in said(installation.chapters())


def test_weights(tmp_path):
    assert "missing" in said(installation.weights(tmp_path / "nowhere"))
    data = b"weights"
    card = {"files": {"m.safetensors": hashlib.sha256(data).hexdigest()}}
    (tmp_path / "m.json").write_text(json.dumps(card), encoding="utf-8")
    assert "m.safetensors are missing" in said(installation.weights(tmp_path))
    (tmp_path / "m.safetensors").write_bytes(data)
    assert not installation.weights(tmp_path).problems
    (tmp_path / "m.safetensors").write_bytes(data + b"!")
    assert "do not match their card" in said(installation.weights(tmp_path))
    (tmp_path / "m.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    assert "git lfs pull" in said(installation.weights(tmp_path))
    (tmp_path / "m.json").write_text("{}", encoding="utf-8")
    assert "card" in said(installation.weights(tmp_path))


def test_workspace_that_cannot_be_written(course, monkeypatch):
    assert not installation.workspace().problems

    def refused(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "NamedTemporaryFile", refused)
        assert "COURSE_WORK" in said(installation.workspace())
    course.work.write_text("a file", encoding="utf-8")
    assert "not a folder" in said(installation.workspace())


def test_copies_of_another_version(course, run):
    run("start", "21")
    assert not installation.workspace().problems
    state = course.work / ".course" / "workspace.json"
    state.write_text('{"copies": {"21_toys.py": {"course": "9.7.0"}}}', encoding="utf-8")
    finding = installation.workspace()
    assert "version 9.7.0" in said(finding) and "course start 21 --py --fresh" in said(finding)


def test_exit_codes(course, run, monkeypatch):
    monkeypatch.setattr(installation, "QUESTIONS", (healthy_torch,))
    code, text = run("doctor")
    assert code == 0 and "✓ torch" in text and "in place" in text

    def breaks():
        raise ZeroDivisionError

    monkeypatch.setattr(installation, "QUESTIONS", (healthy_torch, breaks))
    assert run("doctor")[0] == 1
    ill = installation.Finding("X", "", (installation.Problem("It is broken.", "Mend it."),))
    monkeypatch.setattr(installation, "QUESTIONS", (lambda: ill,))
    code, text = run("doctor")
    assert code == 1 and "It is broken." in text and "→ Mend it." in text


def test_doctor_and_help_work_without_torch(course, tmp_path):
    """The real command, in a process where importing torch fails."""
    fake = tmp_path / "broken"
    fake.mkdir()
    fake_python(fake, "raise ModuleNotFoundError(\"No module named 'torch'\")")
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(fake), str(ROOT)]))

    def command(*arguments: str) -> subprocess.CompletedProcess:
        line = [sys.executable, "-m", "course_utils", *arguments]
        return subprocess.run(
            line, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False
        )

    done = command("doctor")
    assert done.returncode == 1 and "torch is not installed" in done.stdout and "Chapters" in done.stdout, done.stderr
    assert command("--help").returncode == 0
    assert command("hint", "21.1").returncode == 0
    done = command("verify")
    assert done.returncode == 2 and "course doctor" in done.stderr and "Traceback" not in done.stderr
