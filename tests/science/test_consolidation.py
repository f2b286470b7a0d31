"""The Fisher diagonal is what plain sums over examples and classes give."""

from __future__ import annotations

import pytest
import torch

from course_utils import consolidation
from course_utils.models import MLP, MLPConfig


@pytest.fixture
def small():
    model = MLP(MLPConfig(5, 6, 5), 0).double()
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return model, lambda: (x @ model.W_in).relu() @ model.W_out


def test_the_estimate_agrees_with_the_sum(small):
    model, logits = small
    exact = {name: torch.zeros_like(weight) for name, weight in model.named_parameters()}
    log_p = logits().log_softmax(1)
    for n in range(4):
        for c in range(5):
            gradients = torch.autograd.grad(log_p[n, c], list(model.parameters()), retain_graph=True)
            for name, gradient in zip(exact, gradients, strict=True):
                exact[name] += log_p[n, c].exp().detach() * gradient.square() / 4
    estimate = consolidation.fisher_diagonal(model, logits, probes=4_000)
    for name, part in exact.items():
        torch.testing.assert_close(estimate[name], part, rtol=0.2, atol=1e-3)
    assert all(weight.grad is None for weight in model.parameters())


def test_it_says_how_far_the_answers_move_when_one_weight_does(small):
    model, logits = small
    fisher = consolidation.fisher_diagonal(model, logits, probes=4_000)["W_out"]
    before, step = logits().log_softmax(1).detach(), 1e-2
    i, j = divmod(int(fisher.argmax()), 5)
    with torch.no_grad():
        model.W_out[i, j] += step
    divergence = (before.exp() * (before - logits().log_softmax(1))).sum(1).mean().item()
    assert divergence == pytest.approx(fisher[i, j].item() * step**2 / 2, rel=0.1)


def test_the_pull_is_half_the_weighted_square_of_the_distance(small):
    model, _ = small
    anchor = {name: weight.detach() - 2 for name, weight in model.named_parameters()}
    ones = {name: torch.ones_like(weight) for name, weight in model.named_parameters()}
    assert consolidation.pull_back(dict(model.named_parameters()), anchor, ones).item() == pytest.approx(
        (30 + 30) * 4 / 2
    )
