"""Which of several things was found, and how a search is kept from the others."""

from __future__ import annotations

import itertools

import pytest
import torch

from course_utils import ccs, elk, latent
from course_utils.ccs import Pairs
from course_utils.errors import CourseError

N, D = 400, 16


def planted(seed: int = 0, swap: bool = False) -> tuple[Pairs, torch.Tensor, torch.Tensor]:
    """Pairs in which a nuisance, turned round by the charge, is three times as large as the truth; ``swap`` turns it round."""
    g = torch.Generator().manual_seed(seed)
    truth, nuisance = torch.rand(2, N, generator=g) < 0.5
    noise = 0.3 * torch.randn(2, N, D, generator=g)
    shown = ~nuisance if swap else nuisance
    part = torch.zeros(N, D)
    part[:, 0], part[:, 1] = 2.0 * truth - 1, 3 * (2.0 * shown - 1)
    return Pairs(part + noise[0], -part + noise[1]), truth, nuisance


def right(probes: ccs.Probes, pairs: Pairs, label: torch.Tensor) -> torch.Tensor:
    return ccs.up_to_sign(ccs.agreement(probes.weight @ pairs.difference.T > 0, label))


def test_a_search_that_must_not_change_in_a_swap_finds_the_truth_beside_a_larger_nuisance():
    pairs, truth, nuisance = planted()
    raw = ccs.normalised(pairs, "mean")
    assert right(ccs.fit(raw, 5), raw, nuisance).min() > 0.95
    before, after = latent.normalised_together(pairs, planted(swap=True)[0])
    rows = torch.cat([*before, *after]).T

    def losses(weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return latent.swap_invariant_loss(*torch.sigmoid(weight @ rows + bias[:, None]).split(N, 1))

    found = ccs.descend(losses, D, restarts=5)
    assert right(found, before, truth).min() > 0.95


def test_normalised_together_keeps_what_a_swap_changes_for_all():
    pairs, _, _ = planted()
    moved = Pairs(pairs.positive + 1.0, pairs.negative)
    before, after = latent.normalised_together(pairs, moved)
    torch.testing.assert_close(before.positive.mean(0), torch.zeros(D), atol=1e-5, rtol=0)
    scale = pairs.positive.std(0, correction=0)
    torch.testing.assert_close(after.positive - before.positive, (1 / scale).expand(N, -1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(after.negative, before.negative)


def test_swap_invariant_loss_is_the_ccs_loss_where_nothing_changes():
    p, q = torch.rand(2, 3, 20, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(latent.swap_invariant_loss(p, q, p, q, 7.0), ccs.ccs_loss(p, q))
    word = (torch.arange(20) % 2).float()  # a probe of the word alone: all four probabilities turn round
    loss = latent.swap_invariant_loss(word, 1 - word, 1 - word, word, 3.0)
    torch.testing.assert_close(loss, torch.tensor(6.0))


@pytest.mark.parametrize("k", [1, 2, 4, 7])
def test_lowest_of_counts_what_all_draws_give(k):
    loss = torch.rand(7, generator=torch.Generator().manual_seed(k))
    hit = torch.tensor([True, False, True, True, False, False, True])
    draws = list(itertools.combinations(range(7), k))
    share = sum(bool(hit[min(draw, key=lambda i: float(loss[i]))]) for draw in draws) / len(draws)
    assert latent.lowest_of(loss, hit, k) == pytest.approx(share)


def test_lowest_of_refuses_more_than_there_are():
    with pytest.raises(CourseError, match="1 to 3"):
        latent.lowest_of(torch.rand(3), torch.ones(3, dtype=torch.bool), 4)


def test_scorecard_needs_questions_that_tell_truth_from_opinion():
    truth = torch.tensor([True, False, True, True])
    assert latent.scorecard(truth, truth, ~truth) == (1.0, 0.0, 1.0)
    with pytest.raises(CourseError, match="the same everywhere"):
        latent.scorecard(truth, truth, truth)


def test_cross_readings_are_right_where_the_places_agree():
    pairs, truth, _ = planted()
    test, test_truth, _ = planted(seed=2)
    places = [pairs.difference, -pairs.difference]
    table = latent.cross_readings(places, truth, [test.difference, -test.difference], test_truth)
    assert table.diagonal().min() > 0.95
    assert table[0, 1] < 0.05 > table[1, 0]


def test_what_is_not_said_is_found_beside_what_is_said():
    pairs, truth, nuisance = planted()
    training = elk.Training(pairs, said=2.0 * nuisance - 1)
    scores = elk.unsaid(training)(elk.Evidence(pairs, training.said))
    assert ccs.up_to_sign(ccs.agreement(scores > 0, truth)) > 0.95
