"""The measures of chapter 22 agree with plain computations and with the cases in which the answer is known."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from course_utils import fourier, progress
from course_utils.errors import CourseError
from course_utils.tasks import modular


def seeded(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def addition():
    task = modular.ModularTask(p=11, fraction=0.4)
    answers = modular.labels(modular.all_pairs(11), task).reshape(11, 11)
    return answers, modular.train_mask(task).reshape(11, 11)


def test_a_pure_circuit_is_all_restricted_and_nothing_is_left_when_excluded(addition):
    answers, train = addition
    logits = fourier.cosine_logits(torch.tensor([5.0, 7.0]), [2, 3], 11)
    losses = progress.progress_losses(logits, [2, 3], answers, train)
    assert losses.restricted == pytest.approx(F.cross_entropy(logits.flatten(0, 1), answers.flatten()).item())
    assert losses.excluded == pytest.approx(math.log(11))


def test_a_pure_memory_is_untouched_by_what_is_excluded(addition):
    answers, train = addition
    logits = 20.0 * F.one_hot(answers, 11).double() * train[..., None]
    losses = progress.progress_losses(logits, [4], answers, train)
    # The table of a random training set is nearly perpendicular to any two waves of a + b.
    assert losses.excluded < 0.01 < math.log(11) / 2 < losses.restricted


def test_mirrors(addition):
    _, train = addition
    knows_order_does_not_matter = train | train.T
    assert progress.mirror_accuracy(knows_order_does_not_matter, train) == (1.0, 0.0)


def test_phases_and_a_run_without_a_circuit():
    steps = [0, 10, 20, 30, 40]
    phases = progress.phase_boundaries(steps, [4, 1, 2, 3, 3], [4, 3, 0.009, 0.02, 0.001], [9, 9, 8, 5.1, 5])
    assert phases == (10, 20, 30)
    with pytest.raises(CourseError, match="formed no circuit"):
        progress.phase_boundaries([0, 1], [4, 4], [4, 4], [1, 1])


def test_a_product_and_its_conserved_difference():
    products = progress.descend_product(0.3, 0.1, 1e-3, 20_000)
    assert products[0] == pytest.approx(0.03) and products[-1] == pytest.approx(1, abs=1e-6)
    assert bool((products.diff() >= -1e-12).all())


def test_power_law_finds_itself():
    x = torch.tensor([0.5, 1.0, 3.0, 7.0])
    assert progress.power_law(x, 2.5 * x**-1.5) == pytest.approx((-1.5, 2.5), rel=1e-5)


def test_balanced_matrices_keep_their_product_and_cost_least():
    A, B = seeded(3, 4), 5 * seeded(4, 6, seed=1)
    a, b = progress.balance(A, B)
    torch.testing.assert_close(a @ b, A @ B)
    cost = a.square().sum() + b.square().sum()
    assert all(cost < (s * a).square().sum() + (b / s).square().sum() for s in (0.9, 1.1))


def test_the_exact_loss_at_both_ends():
    logits = torch.tensor([[60.0, 0, -1], [0, 60, 3], [1, 2, 3]])
    exact = progress.exact_loss(logits, torch.tensor([0, 0, 2]))
    wanted = progress.exact_loss(logits.double(), torch.tensor([0, 0, 2]))
    torch.testing.assert_close(exact.double(), wanted, rtol=1e-5, atol=0)
    assert exact[0].item() == pytest.approx(math.exp(-60) * (1 + math.exp(-1)), rel=1e-5)
    assert F.cross_entropy(logits[:1], torch.tensor([0])).item() == 0


def test_a_start_that_knows_nothing_has_the_circularity_of_chance():
    p, d = 23, 12
    values = [progress.initial_circularity(seeded(p, d, seed=s), seeded(p, d, seed=100 + s), 5) for s in range(60)]
    assert sum(values) / 60 == pytest.approx(2 / (p - 1), rel=0.3)


def test_a_start_that_was_amplified_is_found():
    p, d, k = 23, 12, 5
    basis, start = fourier.fourier_basis(p), seeded(p, d)
    wave = basis[2 * k - 1 : 2 * k + 1]
    final = 0.2 * start + 3 * wave.T @ (wave @ start)
    assert progress.initial_circularity(start, final, k) > 3 * 2 / (p - 1)


def test_the_filter_of_the_chapter_is_that_of_the_trainer():
    from course_utils.gradients import SlowGradient

    layer, memory = torch.nn.Linear(3, 2, bias=False), {}
    mean = None
    for seed in range(3):
        gradient = seeded(2, 3, seed=seed).float()
        layer.weight.grad = gradient.clone()
        SlowGradient(memory=0.8, amplify=1.5).apply(layer, memory)
        filtered, mean = progress.slow_gradient(gradient, gradient if mean is None else mean, 0.8, 1.5)
        torch.testing.assert_close(layer.weight.grad, filtered)
