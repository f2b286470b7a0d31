"""Every way in which a derived file or stored evidence can be stale is found, and nothing else is."""

from __future__ import annotations

import ast
import json
import shutil

import pytest
from tiny_chapter import NAME, TINY, line_of

from course_utils.authoring import build, check, parse
from course_utils.authoring.evidence import Entry, Store, dump, evidence_cells, load, path_of, weight_hashes, zoo_names
from course_utils.authoring.evidence import canonical as canonical_tree

LOADS = TINY.replace("limit = 14\n", 'limit = 14\nrun = zoo.load("tiny-model")\n').replace(
    "import os\n", "import os\nfrom course_utils import zoo\n"
)


def canonical(source: str) -> str:
    return canonical_tree(ast.parse(source))


def store_evidence(root) -> None:
    """Evidence as if the chapter had been run, printing ``out``."""
    chapter = parse(root / "solutions" / f"{NAME}.py", root)
    entries = {
        cell.id: Entry(cell.code, weight_hashes(root, cell.models), (("stdout", "out\n"),))
        for cell in evidence_cells(chapter)
    }
    path = path_of(root, chapter.id)
    path.parent.mkdir(exist_ok=True)
    path.write_text(dump(chapter.id, entries), encoding="utf-8", newline="\n")
    build(root)


@pytest.fixture
def clean(write):
    root = write(LOADS)
    weights = root / "course_utils" / "zoo" / "weights"
    weights.mkdir(parents=True)
    (weights / "tiny-model.safetensors").write_bytes(b"one")
    (weights / "tiny-model.part2.safetensors").write_bytes(b"two")
    (weights / "another.safetensors").write_bytes(b"three")
    store_evidence(root)
    assert check(root) == []
    return root


def only(root) -> str:
    (sentence,) = check(root)
    return sentence


@pytest.mark.parametrize("name", [f"chapters/{NAME}.py", f"chapters/{NAME}.ipynb", f"solutions/{NAME}.ipynb"])
def test_edited_and_deleted_derived_files(clean, name):
    path = clean / name
    good = path.read_bytes()
    path.write_bytes(good.replace(b"puzzle", b"riddle"))
    assert only(clean) == f"{name} is not what its source gives; run `course build`."
    path.write_bytes(good.replace(b"\n", b"\r\n"))
    assert only(clean).startswith(f"{name} is not what its source gives")
    path.unlink()
    assert only(clean) == f"{name} is missing; run `course build`."
    assert [p.name for p in build(clean)] == [path.name]
    assert path.read_bytes() == good
    assert check(clean) == []


def test_edited_manifest(clean):
    (clean / "chapters/manifest.json").write_text("{}", encoding="utf-8")
    assert only(clean).startswith("chapters/manifest.json is not what its source gives")


def test_prose_edited_and_not_built(clean, write):
    write(LOADS.replace("a puzzle", "a riddle"))
    assert len(check(clean)) == 3
    build(clean)
    assert check(clean) == []


@pytest.mark.parametrize("name", ["chapters/22_old.py", "chapters/22_old.ipynb", "solutions/22_old.ipynb"])
def test_orphans(clean, name):
    shutil.copy(clean / f"chapters/{NAME}.ipynb", clean / name)
    assert only(clean) == f"{name} has no source solutions/22_old.py; delete it."


def test_orphan_evidence(clean):
    shutil.copy(path_of(clean, "21"), path_of(clean, "22"))
    assert only(clean) == "solutions/evidence/22.json belongs to no chapter; delete it."


def test_structural_mistakes_are_sentences_too(clean, write):
    write(LOADS.replace("# END SOLUTION", ""))
    assert all(sentence.startswith(f"solutions/{NAME}.py:") for sentence in check(clean))


def test_changed_code_makes_what_follows_stale(clean, write):
    source = LOADS.replace("return x + 0", "return x + 1 - 1")
    write(source)
    build(clean)
    first, second = check(clean)
    redo = "the code up to this evidence cell has changed; run `course build --execute 21`."
    assert first == f"solutions/{NAME}.py:{line_of(source, 'seven = checks.yours_or')}: {redo}"
    assert second == f"solutions/{NAME}.py:{line_of(source, 'print(limit)')}: {redo}"
    assert "out" in (clean / f"solutions/{NAME}.ipynb").read_text(encoding="utf-8")


def test_code_after_the_evidence_is_free(clean, write):
    write(LOADS.replace("secret = 1", "secret = 2"))
    build(clean)
    assert len(check(clean)) == 1  # the second evidence cell comes after it


def test_comments_docstrings_and_prose_do_not_make_it_stale(clean, write):
    write(
        LOADS.replace('"""Twice ``x``."""', '"""Two times ``x``."""  # so')
        .replace("limit = 14", "limit = 14  # twice seven")
        .replace("Why does", "When does")
        .replace("# STUB: seven = ...", "# STUB: seven = ...\n# a comment")
    )
    build(clean)
    assert check(clean) == []
    notebook = (clean / f"solutions/{NAME}.ipynb").read_text(encoding="utf-8")
    assert notebook.count('"out\\n"') == 2


def test_changed_evidence_cell(clean, write):
    source = LOADS.replace("print(limit)", "print(limit, limit)")
    write(source)
    build(clean)
    missing, left = check(clean)
    assert missing.startswith(
        f"solutions/{NAME}.py:{line_of(source, 'print(limit, limit)')}: this evidence cell has no stored"
    )
    assert "cells that are gone" in left


def test_changed_weights(clean):
    weights = clean / "course_utils" / "zoo" / "weights"
    (weights / "another.safetensors").write_bytes(b"changed")
    assert check(clean) == []
    (weights / "tiny-model.part2.safetensors").write_bytes(b"changed")
    assert len(check(clean)) == 2
    assert "the weights tiny-model.part2.safetensors of this evidence cell have changed" in check(clean)[0]
    (weights / "tiny-model.part2.safetensors").unlink()
    assert "tiny-model.part2.safetensors" in check(clean)[0]


DAMAGED = ["", "[]", '{"cells": 3}', '{"cells": {"a": {}}}']
DAMAGED.append('{"cells": {"a": {"code": "", "weights": {}, "outputs": [["png", []]]}}}')


@pytest.mark.parametrize("text", DAMAGED)
def test_damaged_evidence(clean, text):
    path_of(clean, "21").write_text(text, encoding="utf-8")
    build(clean)
    assert only(clean).startswith("solutions/evidence/21.json cannot be read")


def test_no_evidence_yet(course):
    build(course)
    assert ["no stored output" in sentence for sentence in check(course)] == [True, True]


def test_store_round_trip(clean):
    store = load(clean, "21")
    assert isinstance(store, Store)
    text = path_of(clean, "21").read_text(encoding="utf-8")
    assert dump("21", store.entries) == text
    assert [list(entry) for entry in json.loads(text)["cells"].values()] == [["code", "weights", "outputs"]] * 2


def test_zoo_names():
    code = 'a = zoo.load("m")\nb = zoo.table("t", 3)\nc = zoo.load(name)\nd = zoo.snapshots("s", *x)\nload("n")\nbazoo.load("z")'
    assert zoo_names(ast.parse(code)) == ["m", "t", "s"]


def test_canonical_code():
    base = canonical("def f(x):\n    return x + 1")
    assert base == canonical('def f(x):\n    """Doc."""\n    # why\n    return (x\n            + 1)')
    assert base != canonical("def f(x):\n    return x + 2")
    assert canonical("x = 1") == canonical('"""Doc."""\nx = 1')
    assert canonical("'shown'") != canonical("'other'")
    assert canonical("x = None") != canonical("x = ...")
    assert canonical("x = 1") != canonical("x = 1.0")
