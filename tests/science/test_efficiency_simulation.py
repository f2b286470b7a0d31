"""The two circuits behave as the trial's table says, and as the closed forms say."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from course_utils import efficiency_simulation as simulation
from course_utils.efficiency_simulation import TwoCircuits, first_step_above, simulate, ungrok, with_size

ALL = TwoCircuits()


def test_with_all_ingredients_the_circuits_grok():
    course = simulate(ALL, 12_000)
    at = dict(zip(course.steps, course.train_loss, strict=True))
    assert at[1500] < 0.2 < at[1000]
    assert course.test_accuracy[course.steps.index(1500)] < 0.01
    assert 7_500 < first_step_above(course, 0.5) < 9_500
    assert 9_500 < first_step_above(course, 0.99) < 11_500


@pytest.mark.parametrize(("penalty", "step"), [(0.00125, 28_050), (0.0025, 15_250), (0.01, 4_750)])
def test_the_delay_is_about_inverse_to_the_penalty(penalty, step):
    assert first_step_above(simulate(replace(ALL, penalty=penalty), 32_000), 0.5) == pytest.approx(step, rel=0.1)


@pytest.mark.parametrize("without", [{"factors": 0}, {"norm_M": 0.5}, {"penalty": 0.0}])
def test_without_an_ingredient_they_never_grok(without):
    assert simulate(replace(ALL, **without), 40_000).test_accuracy[-1] < 0.01


def test_without_slowness_there_is_no_delay():
    assert first_step_above(simulate(replace(ALL, factors=1), 2_000), 0.5) <= 300


@pytest.mark.parametrize(("size", "accuracy"), [(500, 0.0), (850, 0.11), (1000, 0.47), (1200, 0.89), (2000, 1.0)])
def test_near_the_critical_size_they_semi_grok(size, accuracy):
    course = simulate(with_size(replace(ALL, penalty=0.01), size), 40_000, every=40_000)
    assert course.test_accuracy[-1] == pytest.approx(accuracy, abs=0.06)


@pytest.mark.parametrize(("size", "accuracy"), [(700, 0.0), (850, 0.13), (1000, 0.50), (1200, 0.89)])
def test_from_the_generalising_circuit_they_ungrok_to_the_same_place(size, accuracy):
    course = ungrok(with_size(replace(ALL, penalty=0.01), size), 60_000)
    assert course.test_accuracy[0] > 0.99 and course.train_loss[0] < 0.2
    assert course.test_accuracy[-1] == pytest.approx(accuracy, abs=0.04)


def test_slopes_are_the_derivatives_of_J():
    w_M, w_G, h = 3.0, 1.5, 1e-6
    expected = (
        (ALL.J(w_M + h, w_G) - ALL.J(w_M - h, w_G)) / (2 * h),
        (ALL.J(w_M, w_G + h) - ALL.J(w_M, w_G - h)) / (2 * h),
    )
    assert simulation.slopes(ALL, w_M, w_G) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kappa", [0.5, 1.0, 1.2, 1.8])
@pytest.mark.parametrize("norm_M", [0.7, 1.0, 1.3])
def test_the_mixture_is_the_cheapest_split_whatever_the_total_and_where_descent_ends(kappa, norm_M):
    circuits = TwoCircuits(norm_M=norm_M, kappa=kappa)
    for total in (1.0, 6.0):
        w_M, w_G = simulation.cheapest_division(total, norm_M, 1.0, kappa)
        assert w_M + w_G == pytest.approx(total)
        costs = {n: circuits.cost(total * n / 1000, total * (1000 - n) / 1000) for n in range(1001)}
        assert min(costs, key=costs.__getitem__) / 1000 == pytest.approx(w_M / total, abs=2e-3)
    # the formula again, with the penalty that descent takes
    if kappa in (1.0, 1.2):
        for penalty in (0.01, 0.02):
            course = ungrok(replace(circuits, penalty=penalty), 60_000, every=60_000)
            assert course.w_G[-1] / course.w_M[-1] == pytest.approx(w_G / w_M, rel=0.03)


@pytest.mark.parametrize("norm_M", [0.8, 0.98, 1.02, 1.25])
def test_above_a_power_of_two_the_cheapest_split_is_one_circuit_and_switches_at_equal_norms(norm_M):
    circuits = TwoCircuits(norm_M=norm_M, kappa=4.0)
    costs = {n: circuits.cost(6.0 * n / 1000, 6.0 * (1000 - n) / 1000) for n in range(1001)}
    assert min(costs, key=costs.__getitem__) == (1000 if norm_M < 1 else 0)
    assert simulation.cheapest_division(6.0, norm_M, 1.0, 4.0) == ((6.0, 0.0) if norm_M < 1 else (0.0, 6.0))


def test_the_losses_are_cross_entropies():
    train, test = simulation.train_and_test_loss(2.0, 5.0, 10)
    right_in_training, right_in_test = torch.tensor([7.0] + 9 * [0.0]), torch.tensor([5.0, 2.0] + 8 * [0.0])
    assert train == pytest.approx(-right_in_training.log_softmax(0)[0].item(), rel=1e-4)
    assert train == pytest.approx(replace(ALL, classes=10).train_loss(2.0, 5.0))
    assert test == pytest.approx(-right_in_test.log_softmax(0)[0].item(), rel=1e-4)


def test_each_experiment_takes_one_ingredient_away():
    experiments = simulation.without_one_ingredient(ALL)
    assert len(experiments) == 4
    fast = simulate(experiments.pop("equally fast"), 10_000)
    assert first_step_above(fast, 0.5) <= 300 and fast.test_accuracy[-1] > 0.99
    for circuits in experiments.values():
        assert max(simulate(circuits, 40_000).test_accuracy) < 0.55


@pytest.mark.parametrize("norm_M", [0.8, 1.25])
def test_above_a_power_of_two_a_ridge_parts_the_starts_from_which_either_circuit_wins(norm_M):
    circuits = TwoCircuits(norm_M=norm_M, kappa=4.0)
    ratio = simulation.ridge(norm_M, 1.0, 4.0)
    costs = {n: circuits.cost(6.0 * n / 1000, 6.0 * (1000 - n) / 1000) for n in range(1, 1000)}
    dearest = max(costs, key=costs.__getitem__)
    assert (dearest / (1000 - dearest)) ** (1 / 4.0) == pytest.approx(ratio, rel=2e-3)
    s_M, s_G = simulation.descend_scales(circuits, 1.5 * ratio * 1.1, 1.5, 40_000)
    assert s_M > 1.5 and s_G < 0.6
    s_M, s_G = simulation.descend_scales(circuits, 1.5 * ratio / 1.1, 1.5, 40_000)
    assert s_M < 0.6 and s_G > 1.5
    assert simulation.descend_scales(circuits, 0.0, 1.5, 5_000)[0] == 0  # even where M would be cheaper


def test_accuracy_agrees_with_drawn_errors():
    import torch

    noise = torch.randn(2, 200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * ALL.spread
    for w_M, w_G in ((2.0, 2.2), (2.0, 1.5)):
        drawn = (w_G * noise[0].exp() > w_M * noise[1].exp()).double().mean().item()
        assert ALL.test_accuracy(w_M, w_G) == pytest.approx(drawn, abs=0.005)
    assert ALL.test_accuracy(0.0, 1.0) == 1 and ALL.test_accuracy(1.0, 0.0) == 0
    assert math.isclose(ALL.test_accuracy(3.0, 3.0), 0.5)
