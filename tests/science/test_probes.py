"""Probes find what is there, do not find what is not, and reach the optimum of the loss they say they minimise."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression

from course_utils import probes
from course_utils.errors import CourseError
from course_utils.probes import Examples


def examples(n=2000, layers=2, d=12, squares=5, seed=0, noise=0.5, offset=3.0):
    """States that a linear map of the activations gives, but for noise; of another size and place on each axis."""
    truth = torch.Generator().manual_seed(99)
    maps = torch.randn(layers, d, squares, 3, generator=truth)
    g = torch.Generator().manual_seed(seed)
    hidden = torch.randn(n, d, generator=g)
    scores = torch.einsum("n d, d s k -> n s k", hidden, maps[0]) + noise * torch.randn(n, squares, 3, generator=g)
    sizes = torch.logspace(-1, 1, d)
    rotations = torch.linalg.qr(torch.randn(layers, d, d, generator=truth))[0]
    rotated = torch.stack([hidden @ rotation for rotation in rotations])
    return Examples(rotated * sizes + offset, scores.argmax(-1))


def test_probes_find_what_is_linear_in_every_layer():
    train, validation, test = (examples(seed=seed) for seed in range(3))
    found = probes.fit_linear(train, validation)
    assert found.weight.shape == (2, 12, 5, 3) and found.bias.shape == (2, 5, 3)
    share = probes.accuracy(found, test)
    assert share.shape == (2,) and share.min() > 0.85
    assert (share[0] - share[1]).abs() < 0.01  # what a rotation and a scaling hide from no linear map


def test_the_fit_is_the_optimum_that_scikit_learn_finds():
    train, validation, test = (examples(seed=seed) for seed in range(3))
    penalty = 1e-2
    found = probes.fit_linear(train, validation, penalties=(penalty,), steps=400)
    logits = found.logits(test.activations)
    assert (found.penalty == penalty).all()
    for layer in range(2):
        mean, scale = train.activations[layer].mean(0), train.activations[layer].std(0)
        x, unseen = (((part.activations[layer] - mean) / scale).double().numpy() for part in (train, test))
        for square in range(5):
            fit = LogisticRegression(C=1 / (penalty * len(x)), tol=1e-8, max_iter=2000).fit(x, train.states[:, square])
            expected = torch.from_numpy(fit.predict_log_proba(unseen))
            torch.testing.assert_close(
                logits[layer, :, square].log_softmax(-1).double(), expected, atol=2e-3, rtol=1e-3
            )


def test_the_default_number_of_steps_is_enough():
    train, validation, test = (examples(seed=seed) for seed in range(3))
    short, long = (probes.fit_linear(train, validation, steps=steps) for steps in (20, 600))
    assert (probes.accuracy(short, test) - probes.accuracy(long, test)).abs().max() < 2e-3


def test_the_penalty_is_chosen_on_validation_data_for_each_square():
    g = torch.Generator().manual_seed(1)
    noisy = [examples(n=60, d=30, layers=1, seed=seed, noise=0.1) for seed in range(2)]
    states = [torch.cat([part.states[:, :2], torch.randint(3, (60, 3), generator=g)], 1) for part in noisy]
    train, validation = (Examples(part.activations, s) for part, s in zip(noisy, states, strict=True))
    penalties = (1.0, 0.1, 0.01, 1e-4)
    found = probes.fit_linear(train, validation, penalties=penalties)
    assert found.penalty[0, 2:].min() > found.penalty[0, :2].max()  # what is only noise is held down most
    alone = [probes.fit_linear(train, validation, penalties=(penalty,), steps=300) for penalty in penalties]
    losses = torch.stack(
        [
            F.cross_entropy(fit.logits(validation.activations)[0].transpose(1, 2), validation.states, reduction="none")
            for fit in alone
        ]
    ).mean(1)
    best = torch.tensor(penalties)[losses.argmin(0)]
    assert (best == found.penalty[0]).double().mean() >= 0.8


def test_shuffled_states_are_not_found():
    train, validation, test = (examples(seed=seed) for seed in range(3))
    g = torch.Generator().manual_seed(0)
    train = Examples(train.activations, train.states[torch.randperm(2000, generator=g)])
    validation = Examples(validation.activations, validation.states[torch.randperm(2000, generator=g)])
    for found in (probes.fit_linear(train, validation), probes.fit_mlp(train, validation, hidden=16, epochs=5)):
        majority = torch.stack([(test.states == state).double().mean(0) for state in range(3)]).amax(0).mean()
        assert probes.accuracy(found, test).max() < majority + 0.03


def parity(n, seed):
    """States that are the product of the signs of two directions: nothing that is linear."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(1, n, 6, generator=g)
    return Examples(x + 1.0, torch.stack([(x[0, :, 0] * x[0, :, 1] > 0), (x[0, :, 2] > 0)], 1).long())


def test_an_mlp_finds_what_is_not_linear_and_a_linear_probe_does_not():
    train, validation, test = (parity(n, seed) for seed, n in enumerate((6000, 2000, 2000)))
    linear = probes.right(probes.fit_linear(train, validation, n_states=2), test).double().mean(1)[0]
    mlp_probes = probes.fit_mlp(train, validation, hidden=32, n_states=2, batch=256)
    mlp = probes.right(mlp_probes, test).double().mean(1)[0]
    assert linear[0] < 0.56 and linear[1] > 0.98
    assert mlp.min() > 0.95
    again = probes.fit_mlp(train, validation, hidden=32, n_states=2, batch=256)
    assert torch.equal(mlp_probes.w_in, again.w_in)


def test_accuracy_counts_where_it_is_told_to():
    train, validation, test = (examples(n=500, seed=seed) for seed in range(3))
    found = probes.fit_linear(train, validation)
    agrees = probes.right(found, test)
    assert agrees.shape == (2, 500, 5)
    assert torch.equal(agrees, found.logits(test.activations).argmax(-1) == test.states)
    where = test.states != 0
    expected = torch.stack([agrees[layer][where].double().mean() for layer in range(2)])
    torch.testing.assert_close(probes.accuracy(found, test, where), expected)
    torch.testing.assert_close(probes.accuracy(found, test), agrees.double().mean((1, 2)))


def test_states_that_never_occur_and_axes_that_never_vary():
    train, validation, test = (examples(n=300, seed=seed) for seed in range(3))
    parts = []
    for part in (train, validation, test):
        activations, states = part.activations.clone(), part.states.clone()
        activations[:, :, 0], states[:, 0] = 7.0, 2
        parts.append(Examples(activations, states))
    found = probes.fit_linear(*parts[:2])
    assert found.weight.isfinite().all()
    assert probes.right(found, parts[2])[:, :, 0].all()


def test_examples_that_do_not_fit():
    part = examples(n=50)
    with pytest.raises(CourseError, match="same n positions"):
        Examples(part.activations, part.states[:40])
    with pytest.raises(CourseError, match="same n positions"):
        Examples(part.activations[0], part.states)
    with pytest.raises(CourseError, match="whole numbers"):
        Examples(part.activations, part.states.float())
    with pytest.raises(CourseError, match="layers and d_model"):
        probes.fit_linear(part, Examples(part.activations[:1], part.states))
    with pytest.raises(CourseError, match="same squares"):
        probes.fit_linear(part, Examples(part.activations, part.states[:, :2]))
    with pytest.raises(CourseError, match="n_states=2"):
        probes.fit_mlp(part, part, n_states=2)
