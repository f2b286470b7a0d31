"""What is particular to the efficiency checks; what holds for every check is tested in `test_every_check.py`."""

from __future__ import annotations

import copy
import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy.optimize import curve_fit, minimize_scalar
from torch import nn

from course_utils import checks, consolidation, efficiency, efficiency_simulation
from tests.checks.verdicts import Verdicts

VERDICTS = Verdicts(checks.efficiency)
CHECKS, failure, passes = VERDICTS.checks, VERDICTS.failure, VERDICTS.passes
LIBRARY = {"rest_ratio": efficiency, "scaling_exponent": efficiency, "crossing": efficiency, "transition": efficiency}
LIBRARY["pull_back"] = consolidation


def test_there_is_one_check_for_each_exercise_in_the_order_of_the_chapter():
    names = (
        "cheapest_division slopes without_one_ingredient train_and_test_loss rest_ratio",
        "scaling_exponent crossing transition ridge pull_back",
    )
    names = [name for line in names for name in line.split()]
    assert list(CHECKS) == [f"test_{name}" for name in names]
    for name in names:
        library = LIBRARY.get(name, efficiency_simulation)
        assert CHECKS[f"test_{name}"].spec.reference is getattr(library, name)


def test_coarse_and_numerical_divisions_are_right():
    def on_a_grid(total, norm_M, norm_G, kappa):
        w_M = np.linspace(0, total, 2001)
        best = w_M[(norm_M**2 * w_M ** (2 / kappa) + norm_G**2 * (total - w_M) ** (2 / kappa)).argmin()]
        return best, total - best

    def minimised(total, norm_M, norm_G, kappa):
        if kappa >= 2:
            return (total, 0) if norm_M < norm_G else (0, total)
        cost = lambda w_M: norm_M**2 * w_M ** (2 / kappa) + norm_G**2 * (total - w_M) ** (2 / kappa)  # noqa: E731
        w_M = minimize_scalar(cost, bounds=(0, total), method="bounded").x
        return w_M, total - w_M

    assert passes("test_cheapest_division", on_a_grid)
    assert passes("test_cheapest_division", minimised)


def scaled(model, scale, kept):
    with torch.no_grad():
        for weight, original in zip(model.parameters(), kept, strict=True):
            weight.copy_(original * scale)


def test_other_points_near_1_are_right():
    def five_points(model, margin, step=0.01):
        kept, values = [weight.detach().clone() for weight in model.parameters()], []
        for k in (-2, -1, 1, 2):
            scaled(model, 1 + k * step, kept)
            values.append(math.log(margin()))
        scaled(model, 1, kept)
        return (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)

    assert passes("test_scaling_exponent", five_points)
    assert passes("test_scaling_exponent", lambda m, f, step=0.01: efficiency.scaling_exponent(m, f, step / 3))
    assert passes("test_scaling_exponent", lambda m, f, step=0.01: efficiency.scaling_exponent(m, f, 2 * step))


def test_a_scaled_copy_of_the_model_is_recognised():
    def of_a_copy(model, margin, step=0.01):
        values = []
        for scale in (1 - step, 1 + step):
            scaled(copy.deepcopy(model), scale, list(model.parameters()))
            values.append(margin())
        return math.log(values[1] / values[0]) / math.log((1 + step) / (1 - step))

    assert failure("test_scaling_exponent", of_a_copy)[0] == "nothing scaled"


def test_one_side_and_a_fixed_step_are_not_accurate_enough():
    def one_side(model, margin, step=0.01):
        kept, values = [weight.detach().clone() for weight in model.parameters()], []
        for scale in (1 + step, 1):
            scaled(model, scale, kept)
            values.append(margin())
        return math.log(values[0] / values[1]) / math.log(1 + step)

    assert failure("test_scaling_exponent", one_side)[0] == "from 1 upwards"
    assert (
        failure("test_scaling_exponent", lambda m, f, step=0.01: efficiency.scaling_exponent(m, f))[0] == "step ignored"
    )


def test_parameters_have_to_stay_the_same_objects_that_want_gradients():
    def frozen(model, margin, step=0.01):
        return efficiency.scaling_exponent(model.requires_grad_(False), margin, step)

    def replaced(model, margin, step=0.01):
        result = efficiency.scaling_exponent(model, margin, step)
        for part in model.modules():
            for name, weight in list(part._parameters.items()):
                setattr(part, name, nn.Parameter(weight.detach().clone()))
        return result

    for answer in (frozen, replaced):
        assert "are other objects, or want gradients no longer" in failure("test_scaling_exponent", answer)[1]


def test_what_is_no_place_is_named():
    assert "returned a text (str) where a number is wanted" in failure("test_crossing", lambda x, one, other: "at 2")[1]
    assert "you returned None" in failure("test_crossing", lambda x, one, other: None)[1]
    _, text = failure("test_crossing", lambda x, a, b: efficiency.crossing(x, a, b) or 0.0)
    assert "None is wanted" in text


def test_any_fit_and_any_pair_are_right():
    class Pair(NamedTuple):
        middle: float
        factor: float

    def fitted(sizes, accuracies):
        curve = lambda D, m, s: 1 / (1 + (m / D) ** s)  # noqa: E731
        return curve_fit(curve, sizes, accuracies, p0=(np.median(sizes), 3))[0]

    def as_pair(sizes, accuracies):
        m, s = fitted(sizes, accuracies)
        return Pair(np.float64(m), torch.tensor(81 ** (1 / s)))

    def as_array(sizes, accuracies):
        m, s = fitted(sizes, accuracies)
        return np.array([m, 81 ** (1 / s)])

    assert passes("test_transition", as_pair)
    assert passes("test_transition", as_array)


@pytest.mark.parametrize(
    "detached",
    [
        lambda weights, *rest: consolidation.pull_back(weights, *rest).item(),
        lambda weights, *rest: consolidation.pull_back({n: w.detach() for n, w in weights.items()}, *rest),
        lambda *args: torch.tensor(float(consolidation.pull_back(*args).detach())),
        torch.no_grad()(consolidation.pull_back),
    ],
)
def test_a_pull_without_a_gradient_is_told_so(detached):
    mistake, text = failure("test_pull_back", detached)
    assert mistake == ""
    assert "no gradient flows back to the weights" in text


def test_a_pull_with_half_of_the_gradient_is_told_so():
    def half(weights, anchor, importance):
        away = {n: w - anchor[n] for n, w in weights.items()}
        return sum((importance[n] * d * d.detach()).sum() for n, d in away.items()) / 2

    mistake, text = failure("test_pull_back", half)
    assert mistake == ""
    assert "0.5 times what is wanted" in text


def test_a_pull_with_one_tensor_detached_is_told_so():
    def all_but_biases(weights, anchor, importance):
        weights = {n: w.detach() if "b_in" in n else w for n, w in weights.items()}
        return consolidation.pull_back(weights, anchor, importance)

    assert "none flows back" in failure("test_pull_back", all_but_biases)[1]
