"""What is particular to the ccs checks; what holds for every check is tested in `test_every_check.py`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_utils import ccs, checks, directions
from course_utils.tasks import testbed
from tests.checks.verdicts import Verdicts

VERDICTS = Verdicts(checks.ccs)
CHECKS, failure, passes = VERDICTS.checks, VERDICTS.failure, VERDICTS.passes
LIBRARY = {
    testbed: "contrast_pairs",
    ccs: "ccs_loss normalise losses accuracy_up_to_sign reassigned feature_found probe_for_labels",
    directions: "variance_parts salience without",
}


def test_there_is_one_check_for_each_exercise_in_the_order_of_the_chapter():
    names = (
        "contrast_pairs ccs_loss normalise losses accuracy_up_to_sign variance_parts reassigned feature_found",
        "probe_for_labels salience without",
    )
    assert list(CHECKS) == [f"test_{name}" for line in names for name in line.split()]
    for library, listed in LIBRARY.items():
        for name in listed.split():
            assert CHECKS[f"test_{name}"].spec.reference is getattr(library, name)


def test_losses_of_the_exercise_are_those_that_the_library_descends():
    generator = torch.Generator().manual_seed(0)
    weight, bias, positive, negative = (
        torch.randn(shape, generator=generator) for shape in ((3, 5), (3,), (8, 5), (8, 5))
    )
    by_library = ccs.objective(ccs.Pairs(positive, negative))(weight, bias)
    torch.testing.assert_close(ccs.losses(weight, bias, positive, negative), by_library)
    assert passes("test_losses", lambda w, b, p, n: ccs.objective(ccs.Pairs(p, n))(w, b))


def test_tokens_may_be_of_any_whole_kind_and_floats_are_named():
    def of_kind(kind):
        return lambda *args: tuple(side.to(kind) for side in testbed.contrast_pairs(*args))

    assert passes("test_contrast_pairs", of_kind(torch.int32))
    name, text = failure("test_contrast_pairs", of_kind(torch.float32))
    assert name == "floats"
    assert "dtype=torch.int64" in text


@pytest.mark.parametrize("correction", [0, 1])
@pytest.mark.parametrize("epsilon", [1e-8, 1e-5])
def test_variance_over_n_or_n_less_1_and_any_small_number_below_the_line_are_right(correction, epsilon):
    assert passes("test_normalise", lambda x: (x - x.mean(0)) / (x.std(0, correction=correction) + epsilon))
    assert passes("test_normalise", lambda x: (x - x.mean(0)) / (x.var(0, correction=correction) + epsilon**2).sqrt())
    assert not passes(
        "test_normalise", lambda x: (x - x.mean(0)) / (x.std(0, correction=correction) + 1000 * epsilon**0.5)
    )


@pytest.mark.parametrize("correction", [0, 1])
@pytest.mark.parametrize("floor", [0.005, 0.01, 0.05, 0.1, 1.0])
def test_a_bound_that_dimensions_fall_below_is_named(floor, correction):
    mistake, text = failure(
        "test_normalise", lambda x: (x - x.mean(0)) / x.std(0, correction=correction).clamp_min(floor)
    )
    assert mistake == ""
    assert f"divide by no less than {floor:g}, and a dimension may well vary less" in text


@pytest.mark.parametrize("correction", [0, 1])
@pytest.mark.parametrize("added", [0.001, 0.01, 1.0])
def test_too_much_added_to_deviation_or_variance_is_named(added, correction):
    _, text = failure("test_normalise", lambda x: (x - x.mean(0)) / (x.std(0, correction=correction) + added))
    assert f"You add {added:g} to the standard deviation" in text
    _, text = failure("test_normalise", lambda x: (x - x.mean(0)) / (x.var(0, correction=correction) + added).sqrt())
    assert f"You add {added:g} to the variance" in text


def test_layers_that_normalise():
    assert passes("test_normalise", lambda x: torch.nn.BatchNorm1d(x.shape[1], affine=False)(x))
    assert failure("test_normalise", lambda x: F.layer_norm(x, x.shape[1:]))[0] == "over each row, divided by n"


@pytest.mark.parametrize(
    "detached",
    [
        lambda *args: ccs.losses(*args).detach(),
        lambda *args: torch.tensor(ccs.losses(*args).tolist()),
        lambda *args: ccs.losses(*args).detach().numpy(),
        lambda weight, bias, *sides: ccs.losses(weight.detach(), bias.data, *sides),
        torch.no_grad()(ccs.losses),
    ],
)
def test_losses_without_a_gradient_are_told_so(detached):
    mistake, text = failure("test_losses", detached)
    assert mistake == ""
    assert "no gradient flows back to weight and bias" in text


def test_losses_with_a_part_of_the_gradient_are_told_which():
    def without_bias(weight, bias, positive, negative):
        return ccs.losses(weight, bias.detach(), positive, negative)

    def through_one_side(weight, bias, positive, negative):
        p = torch.sigmoid(weight @ positive.T + bias[:, None])
        q = torch.sigmoid(weight @ negative.T + bias[:, None]).detach()
        return ccs.ccs_loss(p, q)

    mistake, text = failure("test_losses", without_bias)
    assert mistake == ""
    assert "by `bias`: none flows back" in text
    mistake, text = failure("test_losses", through_one_side)
    assert mistake == ""
    assert "the gradient of the sum of the losses by `weight`" in text


def test_bias_along_the_questions_is_recognised_although_it_runs_where_both_numbers_are_equal():
    def lined_up(weight, bias, positive, negative):
        return ccs.ccs_loss(torch.sigmoid(weight @ positive.T + bias), torch.sigmoid(weight @ negative.T + bias))

    name, text = failure("test_losses", lined_up)
    assert name == "bias along the questions"
    assert "bias[:, None]" in text


@pytest.mark.parametrize(
    "equal",
    [lambda p, q, label: (p + 1 - q) / 2 == label, lambda p, q, label: p == label, lambda p, q, label: 1 - q == label],
)
def test_probabilities_compared_with_labels_are_not_taken_for_a_sign_of_each_question(equal):
    name, _ = failure(
        "test_accuracy_up_to_sign", lambda p, q, label: ccs.up_to_sign(equal(p, q, label).double().mean(-1))
    )
    assert name == "probabilities compared with labels"
    name, text = failure("test_accuracy_up_to_sign", lambda p, q, label: torch.ones(p.shape[:-1]))
    assert name == "always 1"
    assert "whatever the probe answers" in text


def test_errors_that_torch_raises_of_true_and_false_are_put_into_words():
    def larger(p, q, label):
        share = ((p > q) == label).float().mean(-1)
        return share if share > 0.5 else 1 - share

    text = failure("test_accuracy_up_to_sign", lambda p, q, label: ((p > q) == label).mean(-1))[1]
    assert "`.float()` or `.double()`" in text
    assert "torch.maximum" in failure("test_accuracy_up_to_sign", larger)[1]
    assert "torch.minimum" in failure("test_ccs_loss", lambda p, q: (min(p, q) ** 2).mean(-1))[1]


def test_reassigned_sides_may_be_stacked():
    assert passes("test_reassigned", lambda *args: torch.stack(ccs.reassigned(*args)))
    assert passes("test_reassigned", lambda *args: np.stack(ccs.reassigned(*args)))
    assert "p⁺ of four" in failure("test_reassigned", lambda *args: torch.stack(ccs.reassigned(*args)[::-1]))[1]


def test_exchanged_sides_have_the_wanted_answers_and_are_told_what_they_are():
    def exchanged(p_positive, p_negative, wanted):
        other = (p_positive > p_negative) != wanted
        return torch.where(other, p_negative, p_positive), torch.where(other, p_positive, p_negative)

    name, text = failure("test_reassigned", exchanged)
    assert name == "sides exchanged"
    assert "even the same loss" in text


def test_numbers_of_features_may_be_of_any_whole_kind():
    assert passes("test_feature_found", lambda *args: ccs.feature_found(*args).int().numpy())
    name, text = failure("test_feature_found", lambda *args: ccs.feature_found(*args).float())
    assert name == "floats"
    assert "wrong dtype" in text
    assert failure("test_feature_found", lambda *args: ccs.feature_found(*args).tolist())[0] == "a list"


def test_floats_of_a_strict_threshold_are_told_of_the_threshold_first():
    def strictly(answer, features, least=0.9):
        share = ccs.up_to_sign(torch.stack([ccs.agreement(answer, feature) for feature in features]))
        return torch.where(share.amax(0) > least, share.argmax(0), -1).double()

    assert failure("test_feature_found", strictly)[0] == "above the threshold only"


def test_any_probe_with_the_wanted_logits_is_right():
    def by_descent(positive, negative, label, margin=10.0):
        x = torch.cat([positive, negative]).double()
        wanted = margin * (2 * torch.cat([label, ~label]).double() - 1)
        w = torch.zeros(x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
        descent = torch.optim.LBFGS([w], max_iter=300, line_search_fn="strong_wolfe", tolerance_grad=1e-9)

        def loss():
            descent.zero_grad()
            error = (x @ w[:-1] + w[-1] - wanted).square().mean()
            error.backward()
            return error

        descent.step(loss)
        return w[:-1].float(), w[-1].item()

    def another(positive, negative, label, margin=10.0):
        weight, bias = ccs.probe_for_labels(positive, negative, label, margin)
        x = torch.cat([positive, negative]).double()
        rows = torch.cat([x, torch.ones_like(x[:, :1])], 1)
        more = torch.ones(rows.shape[1]).double()
        more = more - torch.linalg.pinv(rows) @ (rows @ more)  # moves no logit
        return weight.double() + more[:-1], bias.double() + more[-1]

    assert passes("test_probe_for_labels", by_descent)
    assert passes("test_probe_for_labels", another)


def _asked_of_the_probe():
    """All questions that the check of the probe puts."""
    asked = []

    def probe(*args):
        asked.append(args)
        return ccs.probe_for_labels(*args)

    assert passes("test_probe_for_labels", probe)
    return asked + list(CHECKS["test_probe_for_labels"].spec.cases())


def test_the_probe_exists_in_every_question_and_no_side_is_normalised():
    for positive, negative, *_ in _asked_of_the_probe():
        rows = F.pad(torch.cat([positive, negative]).double(), (0, 1), value=1.0)
        assert rows.shape[0] <= rows.shape[1]
        assert torch.linalg.cond(rows) < 10
        for side in (positive, negative):
            assert side.mean(0).abs().amax() > 0.1


@pytest.mark.parametrize(
    "solve",
    [
        lambda rows, wanted: torch.linalg.lstsq(rows, wanted[:, None]).solution[:, 0],
        lambda rows, wanted: torch.linalg.pinv(rows) @ wanted,
        lambda rows, wanted: rows.T @ torch.linalg.solve(rows @ rows.T, wanted),
    ],
)
@pytest.mark.parametrize("last", [-1, slice(-1, None)])
def test_probes_solved_for_in_single_precision_pass(solve, last):
    def probe(positive, negative, label, margin=10.0):
        sign = 2 * label.to(positive.dtype) - 1
        found = solve(F.pad(torch.cat([positive, negative]), (0, 1), value=1.0), margin * torch.cat([sign, -sign]))
        return found[:-1], found[last]

    assert passes("test_probe_for_labels", probe)


def test_probe_with_a_ridge_that_is_not_tiny_is_shown_its_logits():
    def ridge(positive, negative, label, margin=10.0):
        x = torch.cat([positive, negative]).double()
        rows = torch.cat([x, torch.ones_like(x[:, :1])], 1)
        wanted = margin * (2 * torch.cat([label, ~label]).double() - 1)
        found = torch.linalg.solve(rows.T @ rows + 0.3 * torch.eye(rows.shape[1]), rows.T @ wanted)
        return found[:-1], found[-1]

    name, text = failure("test_probe_for_labels", ridge)
    assert name == ""
    assert "the logits on the positive side" in text


def test_parts_and_shares_may_be_numbers_of_any_kind():
    assert passes("test_variance_parts", lambda *args: np.array(directions.variance_parts(*args)))
    assert passes("test_variance_parts", lambda *args: list(map(np.float32, directions.variance_parts(*args))))
    assert passes("test_salience", lambda *args: torch.tensor([directions.salience(*args)]))
