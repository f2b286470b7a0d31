"""What is particular to the Fourier checks; what holds for every check is tested in `test_every_check.py`."""

from __future__ import annotations

import pytest
import torch

from course_utils import checks, fourier
from course_utils.checks.framework import all_checks, run
from course_utils.checks.outcome import Outcome

TOPIC = checks.fourier
CHECKS = all_checks(TOPIC)


def test_there_is_one_check_for_each_exercise_in_the_order_of_the_chapter():
    names = (
        "fourier_basis frequency_shares fourier_2d neuron_frequencies",
        "cosine_logits fit_cosines split_logits weights_by_hand",
        "product_share margin circle subtraction_from_addition",
    )
    names = [name for line in names for name in line.split()]
    assert list(CHECKS) == [f"test_{name}" for name in names]
    assert "fourier" in checks.topics()
    for name, test in CHECKS.items():
        assert test.spec.name == f"fourier.{name}"  # as the progress store and the manifest call it
        assert test.spec.reference is getattr(fourier, name.removeprefix("test_"))


def test_hand_made_weights_may_have_any_scale_and_order_but_not_any_content():
    test = CHECKS["test_weights_by_hand"]

    def shuffled(p, freqs, n):
        W_E, W_in, W_L = fourier.weights_by_hand(p, freqs, n)
        columns, neurons = torch.randperm(W_E.shape[1]), torch.randperm(W_in.shape[1])
        return 3 * W_E[:, columns].float(), 0.2 * W_in[columns][:, neurons].float(), 7 * W_L[neurons].float()

    def with_another_frequency(p, freqs, n):
        W_E, W_in, W_L = fourier.weights_by_hand(p, freqs, n)
        other = next(k for k in range(1, p) if k not in freqs)
        wave = torch.cos(2 * torch.pi * other * torch.arange(p) / p)
        return W_E + 0.05 * wave[:, None], W_in, W_L

    def one_frequency_unused(p, freqs, n):
        W_E, W_in, W_L = fourier.weights_by_hand(p, freqs, n)
        if len(freqs) > 1:
            W_E, W_in = W_E.clone(), W_in.clone()
            W_E[:, :2], W_in[:2] = 0, 0
        return W_E, W_in, W_L

    def fitted_outputs_of_random_neurons(p, freqs, n):
        generator = torch.Generator().manual_seed(0)
        W_E = torch.randn(p, 2 * len(freqs), generator=generator)
        W_in = torch.randn(2 * len(freqs), len(freqs) * n, generator=generator)
        hidden = torch.relu((W_E[:, None] + W_E[None]) @ W_in).reshape(p * p, -1)
        right = (torch.arange(p)[:, None] + torch.arange(p)) % p
        target = torch.nn.functional.one_hot(right.flatten(), p).float()
        return W_E, W_in, torch.linalg.lstsq(hidden, target).solution

    assert run(test, shuffled).outcome is Outcome.PASSED
    for wrong in (with_another_frequency, one_frequency_unused, fitted_outputs_of_random_neurons):
        assert run(test, wrong).outcome is Outcome.FAILED


def test_coordinates_in_the_plane_may_be_turned_and_mirrored_but_not_stretched():
    test = CHECKS["test_circle"]
    turn = torch.linalg.qr(torch.randn(2, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)).Q
    mirror = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    stretch = torch.diag(torch.tensor([1.0, 1.1])).double()

    def by(matrix):
        return lambda W_E, k: fourier.circle(W_E, k).double() @ matrix

    assert run(test, by(turn)).outcome is Outcome.PASSED
    assert run(test, by(mirror)).outcome is Outcome.PASSED
    assert run(test, by(stretch)).outcome is Outcome.FAILED


@pytest.mark.parametrize("name", ["neuron_frequencies", "product_share"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_library_gives_a_constant_neuron_share_0(name, dtype):
    basis = fourier.fourier_basis(11)
    neurons = torch.stack([torch.zeros(11, 11), torch.full((11, 11), 5.3)], -1).to(dtype)
    result = getattr(fourier, name)(neurons, basis)
    share = result if isinstance(result, torch.Tensor) else result.explained
    assert torch.allclose(share, torch.zeros(2, dtype=dtype), atol=1e-5)
