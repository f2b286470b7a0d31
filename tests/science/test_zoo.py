"""What is shipped is what its card says, and damage is noticed."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace

import pytest
import torch

from course_utils import zoo
from course_utils.errors import CourseError
from course_utils.tasks import modular
from course_utils.training import train
from course_utils.zoo import store, workshop
from course_utils.zoo.problems import modular_logits

SHIPPED_MIB, FILE_MIB = 40, 10


@pytest.mark.parametrize("name", zoo.names())
def test_the_card_holds(name):
    assert zoo.verify(name) == []


def test_the_mainline_model_meets_what_the_chapters_rely_on():
    metrics = zoo.card("modular-addition")["metrics"]
    assert metrics["test_loss"] < 1e-4 and metrics["test_accuracy"] == 1
    assert 3 <= len(metrics["key_frequencies"]) <= 6
    assert 1 < len(zoo.snapshot_steps("modular-addition")) <= 20


def test_shipped_files_are_small_enough():
    sizes = [path.stat().st_size / 2**20 for path in store.WEIGHTS.iterdir()]
    assert max(sizes) <= FILE_MIB and sum(sizes) <= SHIPPED_MIB


def test_every_shipped_file_belongs_to_a_card_or_is_a_table():
    known = {file for name in zoo.names() for file in [*zoo.card(name)["files"], f"{name}.json"]}
    others = {path.name for path in store.WEIGHTS.iterdir()} - known
    assert others == {f"{name}.csv" for name in zoo.TABLES}


def test_snapshots_follow_training():
    name = "modular-addition"
    task = zoo.entry(name).recipe.problem.task
    accuracy = {}
    for step in (0, 1000, zoo.snapshot_steps(name)[-1]):
        table = modular_logits(zoo.entry(name).recipe.problem, zoo.load(name, step))
        accuracy[step] = [modular.table_accuracy(table, task, part) for part in ("train", "test")]
    first, memorised, last = accuracy.values()
    assert max(first) < 0.05 and memorised[0] == 1 and memorised[1] < 0.2 and last == [1, 1]


def test_the_history_ends_with_the_cards_metrics():
    for name in zoo.names():
        history, metrics = zoo.history(name), zoo.card(name)["metrics"]
        # what both hold: a loss on held-out data or, of the test bed, shares measured on two draws of documents
        for key in {"test_loss"} & set(metrics) or set(history) & set(metrics):
            assert history[key][-1] == pytest.approx(metrics[key], rel=2e-2 if "testbed" in name else 1e-2), (name, key)
        assert set(history) & set(metrics), name
        assert history["step"][-1] == zoo.entry(name).recipe.steps


@pytest.mark.parametrize("name", zoo.TABLES)
def test_a_table_has_every_row(name):
    assert {row["recipe"] for row in zoo.table(name)} == {recipe.digest() for recipe in zoo.TABLES[name].recipes}


def test_a_row_of_the_table_of_seeds_comes_out_again():
    """The cheapest row is trained again, within a third: rounding alone has moved its steps by a sixth."""
    name = "modular-addition-fast-seeds"
    row = min(zoo.table(name), key=lambda row: row["steps_to_low_loss"] or math.inf)
    recipe = next(recipe for recipe in zoo.TABLES[name].recipes if recipe.digest() == row["recipe"])
    again = zoo.TABLES[name].measure(train(recipe))
    for column in ("steps_to_memorise", "steps_to_99", "steps_to_low_loss"):
        assert again[column] == pytest.approx(row[column], rel=1 / 3)


def test_unknown_names_and_steps_get_a_sentence():
    with pytest.raises(CourseError, match="Did you mean 'modular-addition'"):
        zoo.load("modular-additon")
    with pytest.raises(CourseError, match="No snapshot"):
        zoo.load("modular-addition", step=123)


@pytest.fixture
def copy(tmp_path):
    name = "modular-mlp"
    for file in [f"{name}.json", *zoo.card(name)["files"]]:
        shutil.copy(store.WEIGHTS / file, tmp_path)
    return name, tmp_path


def test_damaged_weights_are_noticed(copy):
    name, folder = copy
    path = folder / f"{name}.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(CourseError, match="not the file its card describes"):
        store.load(name, folder=folder)
    assert "damaged" in workshop.verify(name, folder)[0]


def test_missing_weights_are_noticed(copy):
    name, folder = copy
    (folder / f"{name}.safetensors").unlink()
    with pytest.raises(CourseError, match="missing"):
        store.load(name, folder=folder)


def test_a_card_with_other_numbers_is_noticed(copy):
    name, folder = copy
    card = json.loads((folder / f"{name}.json").read_text())
    card["metrics"]["test_loss"] *= 1.1
    (folder / f"{name}.json").write_text(json.dumps(card))
    assert "test_loss" in workshop.verify(name, folder)[0]


@pytest.mark.parametrize("change", [{"weight_decay": 1.5}, {"lr": 1.2e-2}, {"betas": (0.9, 0.9)}, {"seed": 1}])
def test_the_first_steps_tell_another_training_from_the_cards(change):
    recipe = zoo.entry("modular-mlp").recipe
    stored, other = (workshop.prefix(one) for one in (recipe, replace(recipe, **change)))
    assert workshop._compare("", "", stored, other, rtol=1e-3) != []


def test_a_model_that_misses_its_gates_is_not_written(tmp_path):
    recipe = replace(zoo.entry("modular-mlp").recipe, steps=3, snapshots=())
    with pytest.raises(CourseError, match="does not pass its gates"):
        workshop.write("modular-mlp", train(recipe), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_loaded_models_need_no_gradients():
    assert not any(weight.requires_grad for weight in zoo.load("modular-mlp").parameters())
    assert torch.is_grad_enabled()


@pytest.mark.slow
def test_a_model_is_made_again_and_nothing_but_its_files_is_left(tmp_path):
    card = json.loads(workshop.rebuild("phrases", tmp_path).read_text(encoding="utf-8"))
    assert {path.name for path in tmp_path.iterdir()} == {*card["files"], "phrases.json"}
    assert workshop.verify("phrases", tmp_path) == []
    assert card["digest"] == zoo.card("phrases")["digest"]
