"""The measures of chapter 24 agree with plain computations and with the cases in which the answer is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_utils import efficiency, fourier
from course_utils.errors import CourseError
from course_utils.gradients import PartialL2Penalty
from course_utils.models import MLP, MLPConfig
from course_utils.tasks import modular
from course_utils.tasks.modular import ModularTask
from course_utils.training import train
from course_utils.zoo import subsets
from course_utils.zoo.efficiency_tables import EFFICIENCY_TABLES, measure_rest, resting
from course_utils.zoo.subsets import SubsetTransformer
from course_utils.zoo.ungrokking_tables import HELD, UNGROKKING_TABLES, WEIGHTS, measure_held

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = ModularTask(p=7, fraction=0.8)
TINY = {"d_model": 8, "n_heads": 2, "d_mlp": 16}


def seeded(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def logistic_minimum(penalty: float) -> torch.Tensor:
    """The weight at which log(1 + e^−w) + penalty/2·w² is least, by bisection of its derivative."""
    low, high = 0.0, 100.0
    for _ in range(200):
        w = (low + high) / 2
        low, high = (w, high) if penalty * w < 1 / (1 + math.exp(w)) else (low, w)
    return torch.tensor([low], dtype=torch.float64, requires_grad=True)


def test_at_the_minimum_of_J_a_network_is_at_rest_and_elsewhere_it_is_not():
    w = logistic_minimum(0.01)
    assert efficiency.rest(F.softplus(-w).sum(), [w], 0.01) == pytest.approx((1, 0), abs=1e-9)
    off = (w * 1.1).detach().requires_grad_()
    ratio, residual = efficiency.rest(F.softplus(-off).sum(), [off], 0.01)
    assert ratio < 0.98 and residual == pytest.approx(1 - ratio)  # one weight has no other direction
    assert off.grad is None


def test_the_ratio_sees_scaling_only_and_the_residual_every_direction():
    target = torch.tensor([1.0, 0.0], dtype=torch.float64)
    sideways = torch.tensor([0.5, 0.5], dtype=torch.float64, requires_grad=True)
    penalty = 1.0
    loss = (sideways - target).square().sum() / 2  # gradient (−½, ½): orthogonal to θ
    ratio, residual = efficiency.rest(loss, [sideways], penalty)
    assert ratio == pytest.approx(0)
    assert residual == pytest.approx(math.sqrt(0.0**2 + 1.0**2) / math.sqrt(0.5))
    with pytest.raises(CourseError, match="above 0"):
        efficiency.rest(loss, [sideways], 0.0)


def test_J_is_the_loss_and_half_the_penalty_times_the_squares():
    weights = [seeded(3, 4), seeded(5)]
    squares = efficiency.squared_norm(weights)
    assert squares == pytest.approx(sum(x * x for w in weights for x in w.flatten().tolist()))
    assert efficiency.regularised_loss(0.2, squares, 0.01) == pytest.approx(0.2 + 0.005 * squares)


def test_margins_against_a_loop():
    logits, answers = seeded(6, 5), torch.tensor([0, 1, 2, 3, 4, 0])
    for margin, row, answer in zip(efficiency.margins(logits, answers).tolist(), logits.tolist(), answers, strict=True):
        assert margin == pytest.approx(row[answer] - max(x for i, x in enumerate(row) if i != answer))


def test_a_chain_of_matrices_scales_with_its_length_and_gets_its_weights_back():
    model = MLP(MLPConfig(7, 16, 7), 0)  # two matrices
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    pairs = modular.all_pairs(7)

    def size() -> float:
        return (F.embedding(pairs, model.W_in).sum(1).relu() @ model.W_out).norm().item()

    assert efficiency.scaling_exponent(model, size) == pytest.approx(2, abs=1e-3)
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())


def test_cosines_of_the_sum_are_all_trigonometric_and_noise_hardly_is():
    waves = fourier.cosine_logits(torch.tensor([5.0, 7.0]), [2, 3], 11)
    noise = seeded(11, 11, 11)
    assert efficiency.trigonometric_share(waves) == pytest.approx(1)
    assert efficiency.trigonometric_share(waves, [2]) == pytest.approx(25 / 74)
    assert efficiency.trigonometric_share(noise) < 0.05  # 5 of about 11³ directions
    half = waves / waves.norm() + noise / noise.norm()
    assert efficiency.trigonometric_share(half) == pytest.approx(0.5, abs=0.1)


def curve(sizes: np.ndarray, midpoint: float, width: float) -> np.ndarray:
    return 1 / (1 + (midpoint / sizes) ** (2 * math.log(9) / math.log(width)))


@pytest.mark.parametrize(("midpoint", "width"), [(670.0, 2.5), (400.0, 1.1), (900.0, 8.0)])
def test_a_transition_is_found_again(midpoint, width):
    sizes = np.geomspace(300, 1200, 10)
    found = efficiency.transition(sizes, curve(sizes, midpoint, width))
    assert found.midpoint == pytest.approx(midpoint, rel=0.01)
    assert found.width == pytest.approx(width, rel=0.05)
    # by its definition: 10 % and 90 % are a factor of width apart
    low, high = found.midpoint / found.width**0.5, found.midpoint * found.width**0.5
    assert curve(np.array([low, high]), *found) == pytest.approx([0.1, 0.9])


def test_a_transition_needs_both_sides():
    with pytest.raises(CourseError, match="both sides"):
        efficiency.transition(np.array([300.0, 400.0, 500.0]), np.array([0.1, 0.2, 0.3]))


def test_curves_cross_where_they_are_equal():
    x = np.array([300.0, 600.0, 900.0])
    assert efficiency.crossing(x, np.full(3, 5.0), x / 100) == pytest.approx(500)
    assert efficiency.crossing(x, np.full(3, 1.0), x / 100) is None


def test_the_bootstraps_interval_holds_the_mean_as_often_as_it_says():
    rng, held = np.random.default_rng(0), 0
    for repeat in range(100):
        groups = rng.normal(3.0, 1.0, size=30).tolist()
        _, low, high = efficiency.bootstrap(groups, lambda drawn: float(np.mean(drawn)), draws=200, seed=repeat)
        held += low <= 3 <= high
    assert 86 <= held <= 99


def test_a_bootstrap_of_nothing_says_so():
    with pytest.raises(CourseError, match="no estimate"):
        efficiency.bootstrap([1, 2, 3], lambda drawn: None)


def test_the_overlap_of_large_weights():
    one, other = seeded(200, 100), seeded(200, 100, seed=1)
    independent = efficiency.large_weight_overlap([one], [other])
    assert abs(independent.z) < 4 and independent.shared == pytest.approx(0.05, abs=0.02)
    same = efficiency.large_weight_overlap([one], [-2 * one])
    assert same.shared == 1 and same.z > 50
    # a difference of scale between tensors is not agreement
    scales = efficiency.large_weight_overlap([one, 10 * seeded(50, 100, seed=2)], [other, 10 * seeded(50, 100, seed=3)])
    assert abs(scales.z) < 4
    with pytest.raises(CourseError, match="shape"):
        efficiency.large_weight_overlap([one], [one.T])


def test_a_subset_is_a_subset_of_what_the_start_was_trained_on():
    task = ModularTask(split_seed=3)
    problem = SubsetTransformer(task, size=500, subset_seed=1)
    trained_on = {tuple(pair) for pair in modular.all_pairs(113)[modular.train_mask(task)].tolist()}
    train_pairs, test, dropped = (
        {tuple(pair) for pair in problem.examples(part).pairs.tolist()} for part in ("train", "test", "dropped")
    )
    assert len(train_pairs) == 500 and train_pairs < trained_on
    assert train_pairs | dropped == trained_on and not train_pairs & test and len(test) == 113**2 - 500
    pairs, answers = problem.examples("train")
    assert torch.equal(pairs.sum(1) % 113, answers)
    other = SubsetTransformer(task, size=500, subset_seed=2).examples("train").pairs
    assert not torch.equal(pairs, other)
    with pytest.raises(CourseError, match="cannot be drawn"):
        SubsetTransformer(task, size=4000)


def test_answers_without_a_rule_are_spread_over_all_numbers():
    problem = SubsetTransformer(ModularTask(fraction=1.0, operation="random"), size=1000)
    pairs, answers = problem.examples("train")
    assert len(pairs) == 1000 and len(answers.unique()) == 113
    assert (pairs.sum(1) % 113 == answers).double().mean() < 0.03


def test_a_run_goes_on_from_the_zoos_network():
    model = SubsetTransformer(size=400, start="modular-addition-fast").make_model(seed=5)
    weights = subsets.starting_weights("modular-addition-fast")
    assert all(torch.equal(weights[name], weight) for name, weight in model.state_dict().items())
    assert all(weight.requires_grad for weight in model.parameters())
    metrics = SubsetTransformer(size=400, start="modular-addition-fast").evaluate(model)
    assert metrics["test_accuracy"] > 0.99
    assert subsets.starting_recipe(4).problem.task.split_seed == subsets.starting_recipe(4).seed == 4


def test_a_row_holds_what_a_plain_computation_gives():
    recipe = resting(SubsetTransformer(SMALL, size=20, subset_seed=1, **TINY), 1e-3, steps=300, lr=1e-2)
    run = train(recipe)
    row = measure_rest(run)
    squares = sum(weight.double().square().sum().item() for weight in run.model.parameters())
    pairs, answers = recipe.problem.examples("train")
    with torch.no_grad():
        logits = run.model(modular.tokens(pairs, 7))[:, -1].double()
    loss = F.cross_entropy(logits, answers).item()
    assert row["size"] == 20 and row["subset_seed"] == 1 and row["penalty"] == 1e-3
    assert row["J"] == pytest.approx(loss + 5e-4 * squares, rel=1e-5)
    assert row["loss"] == pytest.approx(run.history["train_loss"][-1])
    assert row["mean_margin"] == pytest.approx(efficiency.margins(logits, answers).mean().item(), rel=1e-4)
    assert row["test_accuracies"][-1] == pytest.approx(row["test_accuracy"], abs=1e-4)
    assert 2 < row["k_net"] < 12
    kept = run.model.state_dict()
    assert all(torch.equal(kept[name], weight) for name, weight in run.model.named_parameters())


@pytest.mark.parametrize("table", [*EFFICIENCY_TABLES.values(), *UNGROKKING_TABLES.values()])
def test_no_run_is_in_a_table_twice(table):
    recipes = table.recipes
    assert len({recipe.digest() for recipe in recipes}) == len(recipes)


def test_protection_pulls_back_to_the_start_and_not_at_the_start(monkeypatch):
    plain = SubsetTransformer(SMALL, size=20, start="a start", **TINY)
    start = SubsetTransformer(SMALL, size=20, **TINY).make_model(3)
    weights = {name: weight.detach().clone() for name, weight in start.state_dict().items()}
    monkeypatch.setattr(subsets, "starting_weights", lambda name: weights)
    monkeypatch.setattr(
        subsets, "starting_fisher", lambda problem: {name: torch.ones_like(w) for name, w in weights.items()}
    )
    protected = subsets.ProtectedTransformer(SMALL, size=20, start="a start", strength=3.0, **TINY)
    model = protected.make_model(0)
    assert protected.loss(model, 0, 0).item() == pytest.approx(plain.loss(model, 0, 0).item())
    with torch.no_grad():
        model.W_U.data += 1
    pull = protected.loss(model, 0, 0).item() - plain.loss(model, 0, 0).item()
    assert pull == pytest.approx(3 / 2 * model.W_U.numel())


def test_frozen_weights_do_not_move_and_the_others_do():
    problem = SubsetTransformer(SMALL, size=20, **TINY)
    assert tuple(name for name, _ in problem.make_model(0).named_parameters()) == WEIGHTS
    before = problem.make_model(0).state_dict()
    for frozen in HELD.values():
        recipe = replace(resting(problem, 1e-3, steps=5), gradient=PartialL2Penalty(1e-3, frozen))
        run = train(recipe)
        moved = {name for name, weight in run.model.state_dict().items() if not torch.equal(weight, before[name])}
        assert moved == set(WEIGHTS) - set(frozen)
        assert measure_held(run)["frozen"] == list(frozen)
    plain = train(resting(problem, 1e-3, steps=5)).model.state_dict()
    nothing_frozen = train(replace(resting(problem, 1e-3, steps=5), gradient=PartialL2Penalty(1e-3))).model.state_dict()
    assert all(torch.equal(plain[name], weight) for name, weight in nothing_frozen.items())


def test_dropout_leaves_the_mean_of_the_neurons_and_is_drawn_anew_at_every_step():
    plain = SubsetTransformer(SMALL, size=30, **TINY)
    model = plain.make_model(0)
    dropping = subsets.DropoutTransformer(SMALL, size=30, rate=0.3, **TINY)
    assert subsets.DropoutTransformer(SMALL, size=30, rate=0.0, **TINY).loss(model, 0, 0).item() == pytest.approx(
        plain.loss(model, 0, 0).item(), rel=1e-5
    )
    assert dropping.loss(model, 3, 0).item() == dropping.loss(model, 3, 0).item()
    assert len({dropping.loss(model, step, seed).item() for step in range(5) for seed in range(2)}) == 10
    dropped = subsets.drop(torch.ones(200, 500), 0.3, torch.Generator().manual_seed(0))
    assert sorted(dropped.unique().tolist()) == pytest.approx([0, 1 / 0.7])
    assert dropped.mean().item() == pytest.approx(1, abs=0.02)
