"""The fit of all restarts is what each of them would have done alone; directions are the ones that their definitions name."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from benchmarks import ccs as benchmark
from course_utils import ccs, contrast, directions, zoo
from course_utils.ccs import Pairs
from course_utils.errors import CourseError
from course_utils.models import Transformer, TransformerConfig
from course_utils.tasks import testbed
from course_utils.zoo.store import WEIGHTS


def drawn(n=300, d=16, seed=0, strength=1.0) -> tuple[Pairs, torch.Tensor]:
    """Pairs that share much, with an answer along the first axis and unequal spread along the others."""
    g = torch.Generator().manual_seed(seed)
    label = torch.rand(n, generator=g) < 0.4
    sizes = torch.linspace(0.3, 1.5, d)
    shared = torch.randn(n, d, generator=g)
    positive, negative = (shared + sizes * torch.randn(n, d, generator=g) for _ in range(2))
    move = strength * (2.0 * label - 1)
    positive[:, 0] += move
    negative[:, 0] -= move
    return Pairs(positive + 2, negative - 1), label


def probabilities(n=500, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, n, generator=g, dtype=torch.double)


@pytest.mark.parametrize("loss", [ccs.ccs_loss, ccs.symmetric_loss, lambda yes, no: ccs.ccs_loss(yes, no)])
def test_restarts_fitted_together_are_those_fitted_one_by_one(loss):
    pairs = ccs.normalised(drawn()[0])
    together = ccs.fit(pairs, restarts=4, seed=11, steps=200, lr=0.02, weight_decay=0.03, loss=loss)
    for restart in range(4):
        start = ccs.fit(pairs, restarts=1, seed=11 + restart, steps=0)
        weight, bias = start.weight[0].clone().requires_grad_(), start.bias[0].clone().requires_grad_()
        optimiser = torch.optim.AdamW([weight, bias], lr=0.02, weight_decay=0.03)
        for _ in range(200):
            optimiser.zero_grad()
            value = loss(torch.sigmoid(pairs.positive @ weight + bias), torch.sigmoid(pairs.negative @ weight + bias))
            value.backward()
            optimiser.step()
        torch.testing.assert_close(together.weight[restart], weight.detach(), atol=1e-4, rtol=0)
        torch.testing.assert_close(together.bias[restart], bias.detach(), atol=1e-4, rtol=0)
    p = [together.probability(side) for side in pairs]
    torch.testing.assert_close(together.loss, loss(*p))
    assert together.lowest() == int(together.loss.argmin())


def test_the_written_gradient_is_autograd_s_also_where_both_sides_tie():
    pairs = ccs.normalised(drawn()[0])
    pairs = Pairs(torch.cat([pairs.positive, pairs.positive[:50]]), torch.cat([pairs.negative, pairs.positive[:50]]))
    probe = torch.randn(5, 17, generator=torch.Generator().manual_seed(1))
    expected = ccs.by_autograd(ccs.objective(pairs))(probe)
    torch.testing.assert_close(ccs.ccs_slope(pairs)(probe), expected, atol=1e-6, rtol=1e-4)


def test_starts_are_a_linear_layer_s_and_depend_on_the_seed_alone():
    pairs = ccs.normalised(drawn()[0])
    first, second = (ccs.fit(pairs, restarts=3, seed=seed, steps=0) for seed in (5, 6))
    assert torch.equal(first.weight[1:], second.weight[:2]) and torch.equal(first.bias[1:], second.bias[:2])
    assert first.weight.abs().max() <= 1 / 4 and first.weight.abs().max() > 0.2


def test_other_losses_are_descended_through_autograd():
    wanted = torch.linspace(-1, 1, 6)
    found = ccs.descend(
        lambda w, b: ((w - wanted) ** 2).sum(1) + (b - 2) ** 2, 6, restarts=3, steps=800, weight_decay=0.0
    )
    torch.testing.assert_close(found.weight, wanted.expand(3, 6), atol=1e-3, rtol=0)
    torch.testing.assert_close(found.bias, torch.full((3,), 2.0), atol=1e-3, rtol=0)
    assert not found.weight.requires_grad and found.loss.shape == (3,)


def test_ccs_finds_the_answer_up_to_sign():
    pairs, label = drawn(strength=4.0)
    pairs = ccs.normalised(pairs)
    found = ccs.fit(pairs, restarts=5)
    share = ccs.accuracy_up_to_sign(*(found.probability(side) for side in pairs), label)
    assert share.shape == (5,) and share[found.lowest()] > 0.98
    answers = found.probability(pairs.positive) > found.probability(pairs.negative)
    assert (ccs.feature_found(answers, torch.stack([~label, torch.ones_like(label)])) == 0).any()


def test_losses_by_hand():
    yes, no = torch.tensor([0.9, 0.5, 1.0]), torch.tensor([0.2, 0.5, 1.0])
    assert ccs.ccs_loss(yes, no).item() == pytest.approx((0.01 + 0.04 + 0.25 + 1 + 1) / 3)
    assert ccs.symmetric_loss(yes, no).item() == pytest.approx((0.01 + 0.01 + 0.25 + 1 + 0) / 3)
    torch.testing.assert_close(ccs.answers(yes, no), torch.tensor([0.85, 0.5, 0.5]))


def test_the_symmetric_loss_is_kept_by_another_assignment_and_the_original_is_not():
    yes, no = probabilities()
    wanted = torch.rand(500, generator=torch.Generator().manual_seed(3)) < 0.5
    other = ccs.reassigned(yes, no, wanted)
    assert torch.equal(other[0] > other[1], wanted.expand(3, 500))
    torch.testing.assert_close(ccs.symmetric_loss(*other), ccs.symmetric_loss(yes, no), rtol=1e-12, atol=0)
    changed = (ccs.unconfidence(*other) - ccs.unconfidence(yes, no)).abs() > 1e-3
    other_answer = (yes > no) != wanted
    assert not changed[~other_answer].any() and changed[other_answer].double().mean() > 0.9
    sure = (
        torch.tensor([0.01]),
        torch.tensor([0.02]),
    )  # confident in two noes, which only the symmetric loss takes for sure
    assert ccs.ccs_loss(*ccs.reassigned(*sure, torch.tensor([True]))) > ccs.ccs_loss(*sure) + 0.9
    kept = ccs.reassigned(yes, no, (yes > no)[0])
    assert torch.equal(kept[0][0], yes[0]) and torch.equal(kept[1][0], no[0])


def test_both_losses_are_the_same_where_the_sides_add_up_to_one():
    yes, _ = probabilities()
    torch.testing.assert_close(ccs.ccs_loss(yes, 1 - yes), ccs.symmetric_loss(yes, 1 - yes))


@pytest.mark.parametrize("n", [5, 20, 30])
def test_a_probe_for_any_labels_has_no_loss_as_long_as_there_are_few_pairs(n):
    g = torch.Generator().manual_seed(n)
    sides = torch.randn(2, n, 64, generator=g)
    label = torch.rand(n, generator=g) < 0.5
    weight, bias = ccs.probe_for_labels(*sides, label, margin=12.0)
    yes, no = (torch.sigmoid(side @ weight + bias) for side in sides)
    assert torch.equal(yes > no, label)
    assert ccs.ccs_loss(yes, no) < 1e-8
    torch.testing.assert_close(sides[0] @ weight + bias, 12.0 * (2.0 * label - 1), atol=1e-3, rtol=0)


def test_with_many_pairs_there_is_no_such_probe():
    sides = torch.randn(2, 300, 64, generator=torch.Generator().manual_seed(0))
    label = torch.rand(300, generator=torch.Generator().manual_seed(1)) < 0.5
    weight, bias = ccs.probe_for_labels(*sides, label)
    assert ccs.ccs_loss(*(torch.sigmoid(side @ weight + bias) for side in sides)) > 0.1


def test_normalise():
    x = drawn()[0].positive
    x[:, 3] = 7.0
    assert torch.equal(ccs.normalise(x, "none"), x)
    torch.testing.assert_close(ccs.normalise(x, "mean").mean(0), torch.zeros(16), atol=1e-5, rtol=0)
    torch.testing.assert_close(ccs.normalise(x, "mean").std(0), x.std(0))
    scaled = ccs.normalise(x)
    expected = torch.ones(16)
    expected[3] = 0.0  # what never changes stays 0, not a division by nothing
    torch.testing.assert_close(scaled.std(0, correction=0), expected, atol=1e-5, rtol=0)
    both = ccs.normalised(Pairs(x, x + 5))
    torch.testing.assert_close(both.positive, both.negative, atol=1e-4, rtol=0)
    with pytest.raises(CourseError, match="Normalisation"):
        ccs.normalise(x, "both")


def test_sides_of_different_shapes_are_named():
    with pytest.raises(CourseError, match=r"\[5, 4\] and \[6, 4\]"):
        ccs.fit(Pairs(torch.zeros(5, 4), torch.zeros(6, 4)))


def test_shares_and_features():
    label = torch.tensor([True, True, False, False, True])
    answer = torch.stack([label, ~label, torch.tensor([True, False, True, False, True])])
    assert ccs.agreement(answer, label).tolist() == pytest.approx([1.0, 0.0, 0.6])
    assert ccs.up_to_sign(ccs.agreement(answer, label)).tolist() == pytest.approx([1.0, 1.0, 0.6])
    features = torch.stack([answer[2], label])
    assert ccs.feature_found(answer, features).tolist() == [1, 1, 0]
    assert ccs.feature_found(torch.ones(1, 5, dtype=torch.bool), features).tolist() == [-1]


def test_logistic_regression_is_at_the_optimum_of_the_loss_it_names():
    pairs, label = drawn(n=200, d=6)
    x, y, penalty = pairs.difference.double().numpy(), 2.0 * label.double().numpy() - 1, 1e-2

    def loss(w):
        margin = y * (x @ w[:-1] + w[-1])
        slope = -y / (1 + np.exp(margin)) / len(y)
        value = np.logaddexp(0, -margin).mean() + penalty / 2 * w[:-1] @ w[:-1]
        return value, np.append(x.T @ slope + penalty * w[:-1], slope.sum())

    best = minimize(loss, np.zeros(7), jac=True, method="BFGS", options={"gtol": 1e-10}).x
    found = directions.logistic(pairs.difference.double(), label, penalty)
    np.testing.assert_allclose(np.append(found.direction.numpy(), -found.threshold), best, atol=1e-4)
    assert directions.logistic(pairs.difference, label, bias=False).threshold == 0.0


def test_contrastive_pca_is_the_first_eigenvector():
    difference = drawn()[0].difference
    values, vectors = np.linalg.eigh(np.cov(difference.double().numpy().T))
    found = directions.principal(difference, 3)
    assert found.shape == (3, 16) and directions.contrastive_pca(difference).threshold == 0.0
    for direction, expected in zip(found.numpy(), vectors[:, ::-1].T, strict=False):
        assert abs(direction @ expected) == pytest.approx(1, abs=1e-5)
        assert direction[np.abs(direction).argmax()] > 0
    assert torch.equal(directions.contrastive_pca(difference).direction, found[0])
    spread = (difference @ found[0]).double().var().item()
    assert spread == pytest.approx(values[-1], rel=1e-4)


def test_two_means_cuts_half_way_between_the_centres():
    pairs, label = drawn(strength=5.0)
    reader = directions.two_means(pairs.difference)
    assert ccs.up_to_sign(ccs.agreement(reader.answers(pairs.difference), label)) > 0.99
    answer = reader.answers(pairs.difference)
    centres = [pairs.difference[answer == side].mean(0) for side in (False, True)]
    torch.testing.assert_close(reader.direction, centres[1] - centres[0], atol=1e-3, rtol=1e-3)
    assert reader.scores((centres[0] + centres[1])[None] / 2).item() == pytest.approx(0, abs=1e-2)


def test_the_mean_difference_by_hand():
    difference = torch.tensor([[0.0, 0.0], [0.0, 2.0], [4.0, 1.0], [6.0, 1.0]])
    reader = directions.mean_difference(difference, torch.tensor([False, False, True, True]))
    assert reader.direction.tolist() == [5.0, 0.0] and reader.threshold == 12.5
    assert reader.answers(torch.tensor([[2.4, 9.0], [2.6, -9.0]])).tolist() == [False, True]


def test_the_parts_of_the_variance_add_up():
    pairs, _ = drawn()
    direction = torch.randn(16, generator=torch.Generator().manual_seed(2))
    parts = directions.variance_parts(*pairs, direction)
    whole = (pairs.difference @ direction).double().var(correction=0).item()
    assert sum(parts) == pytest.approx(whole, rel=1e-5)
    opposed = directions.variance_parts(pairs.positive, -pairs.positive, direction)
    assert opposed.opposition == pytest.approx(opposed.spread, rel=1e-5)


def test_salience_by_hand():
    label = torch.tensor([True, True, False, False])
    assert directions.salience(torch.tensor([[1.0], [1.0], [-1.0], [-1.0]]), label) == pytest.approx(1)
    assert directions.salience(torch.tensor([[1.0], [-1.0], [1.0], [-1.0]]), label) == pytest.approx(0)
    assert directions.salience(torch.tensor([[2.0], [0.0], [0.0], [-2.0]]), label) == pytest.approx(0.5)


def test_random_directions_have_length_one_and_depend_on_the_seed():
    found = directions.random_directions(7, 50, seed=4)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(50))
    assert torch.equal(found, directions.random_directions(7, 50, seed=4))
    assert not torch.equal(found, directions.random_directions(7, 50, seed=5))


def test_without_takes_one_direction_and_nothing_else():
    x = drawn()[0].positive
    direction = torch.randn(16, generator=torch.Generator().manual_seed(2))
    left = directions.without(x, direction)
    torch.testing.assert_close(left @ direction, torch.zeros(300), atol=1e-4, rtol=0)
    taken = x - left
    assert torch.linalg.matrix_rank(taken) == 1
    torch.testing.assert_close(directions.without(left, direction), left, atol=1e-5, rtol=1e-5)


def test_erasing_makes_the_classes_means_equal_and_changes_least():
    pairs, label = drawn(n=500, d=8, strength=0.7)
    mix = torch.randn(8, 8, generator=torch.Generator().manual_seed(4))
    x = (pairs.difference @ mix).double()
    left = directions.erase(x, label)
    torch.testing.assert_close(left[label].mean(0), left[~label].mean(0), atol=1e-8, rtol=0)
    torch.testing.assert_close(left.mean(0), x.mean(0))
    change = (left - x).square().sum(1).mean()

    # Any erasure with one direction takes out the class means' difference along some reader v: x − (v·x) δ / (v·δ).
    centred, gap = x - x.mean(0), x[label].mean(0) - x[~label].mean(0)
    g = torch.Generator().manual_seed(5)
    best = torch.linalg.solve(centred.T @ centred, gap)
    for size in (1e-3, 0.1, 1.0, 10.0):
        reader = best / best.norm() + size * torch.randn(8, generator=g, dtype=torch.double)
        moved = (centred @ reader / (reader @ gap))[:, None] * gap
        assert ((x - moved)[label].mean(0) - (x - moved)[~label].mean(0)).abs().max() < 1e-8
        assert moved.square().sum(1).mean() > change
    orthogonal = (centred @ gap / (gap @ gap))[:, None] * gap
    assert orthogonal.square().sum(1).mean() > change
    moved = (centred @ best / (best @ gap))[:, None] * gap
    assert moved.square().sum(1).mean().item() == pytest.approx(change.item(), rel=1e-6)


def test_after_erasing_no_linear_reader_is_better_than_the_larger_class():
    pairs, label = drawn(n=400, d=8, strength=3.0)
    assert ccs.agreement(directions.logistic(pairs.difference, label).answers(pairs.difference), label) > 0.95
    left = directions.erase(pairs.difference, label)
    share = ccs.agreement(directions.logistic(left, label).answers(left), label).item()
    assert share == pytest.approx(max(label.double().mean().item(), 1 - label.double().mean().item()), abs=0.02)


def test_pairs_are_the_stream_after_each_layer():
    world = testbed.World()
    cfg = TransformerConfig(
        len(world.words), world.length, 16, 2, 8, n_layers=2, d_mlp=16, layer_norm=True, biases=True
    )
    model = Transformer(cfg, 0).requires_grad_(False)
    questions = testbed.draw(world, 7, 0)
    positive, negative = contrast.statements(world, questions)
    assert positive.shape == (7, world.prompt_length + 2)
    assert world.text(positive[0, -2:]) == "positive ." and world.text(negative[0, -2:]) == "negative ."
    assert (positive != negative).sum(1).tolist() == [1] * 7
    found = contrast.pairs(model, world, questions)
    assert len(found) == 2 and found[0].positive.shape == found[0].negative.shape == (7, 16)
    torch.testing.assert_close(found[1].difference, found[1].positive - found[1].negative)
    assert torch.equal(found[1].at(torch.tensor([3])).negative[0], found[1].negative[3])
    cache = model.run_with_cache(negative, names=["blocks.1.hook_resid_post"])[1]["blocks.1.hook_resid_post"]
    torch.testing.assert_close(found[1].negative, cache[:, -1])

    on = contrast.statements(world, questions, "judge:")[0]
    assert world.text(on[0, -3:]) == "positive . judge:"
    before = contrast.pairs(model, world, questions, "judge:", place=-2)
    torch.testing.assert_close(before[1].positive, found[1].positive, atol=1e-5, rtol=1e-5)
    lean = contrast.leaning(model, world, questions)
    wrong, right = world.tokens(testbed.VERDICTS)
    logits = [model(side)[:, -1] for side in (positive, negative)]
    by_hand = (logits[0][:, right] - logits[0][:, wrong]) - (logits[1][:, right] - logits[1][:, wrong])
    torch.testing.assert_close(lean, by_hand)
    assert torch.equal(contrast.zero_shot(model, world, questions), lean > 0)


@pytest.mark.skipif(not (WEIGHTS / "testbed-apart-0.safetensors").exists(), reason="the test bed's models are not here")
def test_a_trained_network_says_what_is_true_and_ccs_finds_it():
    model, world = zoo.load("testbed-apart-0"), testbed.World()
    questions = testbed.draw(world, 500, 123, "filler", "nobody")
    assert ccs.agreement(contrast.zero_shot(model, world, questions), questions.truth) > 0.98
    pairs = ccs.normalised(contrast.pairs(model, world, questions)[1])
    found = ccs.fit(pairs, restarts=5, steps=500)
    share = ccs.accuracy_up_to_sign(*(found.probability(side) for side in pairs), questions.truth)
    assert share[found.lowest()] > 0.97


def test_the_benchmark_fits_the_same_probes():
    row = benchmark.measure(1, n=200, d_model=12, restarts=2, steps=60)
    assert row["name"] == "ccs_restarts" and row["losses_apart"] < 1e-6
    assert row["ours_loss"] == row["reference_loss"] > 0
    json.dumps(row)
