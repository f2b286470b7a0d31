"""What is particular to the latent checks; what holds for every check is tested in `test_every_check.py`."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from course_utils import ccs, checks, directions, elk, latent
from course_utils.checks.latent import erased, lowest, method, places
from course_utils.tasks import testbed
from tests.checks.verdicts import Verdicts

VERDICTS = Verdicts(checks.latent)
CHECKS, failure, passes = VERDICTS.checks, VERDICTS.failure, VERDICTS.passes
LIBRARY = {
    latent: "scorecard swap_invariant_loss lowest_of cross_readings",
    testbed: "swapped",
    method: "my_method",
    directions: "erase",
}


def test_there_is_one_check_for_each_exercise_in_the_order_of_the_chapter():
    names = "scorecard swapped swap_invariant_loss lowest_of cross_readings my_method erase"
    assert list(CHECKS) == [f"test_{name}" for name in names.split()]
    for library, listed in LIBRARY.items():
        for name in listed.split():
            assert CHECKS[f"test_{name}"].spec.reference is getattr(library, name)


def test_shares_may_be_of_any_kind_of_number():
    def card(answer, truth, opinion):
        return [torch.tensor(x, dtype=torch.float32) for x in latent.scorecard(answer, truth, opinion)]

    assert passes("test_scorecard", card)
    assert passes("test_scorecard", lambda *args: np.array(latent.scorecard(*args), dtype=np.float32))


def test_only_one_of_two_replacements_is_named_as_one_that_may_be_missing():
    name, text = failure("test_swapped", lambda tokens, a, b: torch.where(tokens == b, a, tokens))
    assert name == "all first"
    assert "missing" in text


@pytest.mark.parametrize("cut", range(4))
def test_loss_that_is_cut_off_from_one_side_is_rejected(cut):
    def answer(*sides_and_strength):
        given = [x.detach() if i == cut else x for i, x in enumerate(sides_and_strength)]
        return latent.swap_invariant_loss(*given)

    name, text = failure("test_swap_invariant_loss", answer)
    assert name == "cut off from descent"
    assert ("p_positive", "p_negative", "q_positive", "q_negative")[cut] in text


def test_loss_may_be_written_with_the_librarys_or_pytorchs_parts():
    def answer(p, n, q, m, strength=10.0):
        change = torch.nn.functional.mse_loss(torch.stack([p, n]), torch.stack([q, m]), reduction="none").sum(0)
        return torch.stack([ccs.ccs_loss(p, n), ccs.ccs_loss(q, m)]).mean(0) + strength * change.mean(-1)

    assert passes("test_swap_invariant_loss", answer)


@pytest.mark.parametrize("draws", [300, 20_000])
def test_chance_that_is_drawn_is_not_exact(draws):
    assert not passes("test_lowest_of", lowest._drawn(draws))


def test_whoever_draws_is_told_that_the_chance_is_to_be_exact():
    def drawn(loss, hit, k, generator=None):
        sets = [torch.randperm(len(loss), generator=generator)[:k] for _ in range(200)]
        return sum(hit[one[loss[one].argmin()]].item() for one in sets) / 200

    assert "asked three times" in failure("test_lowest_of", drawn)[1]
    seeded = failure("test_lowest_of", lambda *args: drawn(*args, torch.Generator().manual_seed(1)))[1]
    assert "with a seed" in seeded


@pytest.mark.parametrize(
    ("start", "further", "name"),
    [(0, 0, "worse ones, itself included"), (1, 1, "one too few, below 0 at the last")],
)
def test_places_counted_from_the_wrong_number_are_named(start, further, name):
    def answer(loss, hit, k):
        n, ordered = len(loss), hit[loss.argsort()].tolist()
        ways = sum(math.comb(n - i - further, k - 1) * is_hit for i, is_hit in enumerate(ordered, start))
        return ways / math.comb(n, k)

    assert failure("test_lowest_of", answer)[0] == name


def test_fractions_of_the_check_agree_with_all_draws():
    loss, hit = torch.tensor([3.0, 1.0, 4.0, 1.5, 9.0, 2.0]), torch.tensor([1, 0, 1, 1, 0, 0]).bool()
    for k in range(1, 7):
        assert lowest._exact(loss, hit, k) == pytest.approx(lowest._every_draw(loss, hit, k), abs=1e-12)


@pytest.mark.parametrize("penalty", [1e-4, 1e-2, 0.1])
def test_what_readers_say_of_planted_answers_does_not_hang_on_the_penalty(penalty):
    def readings(train, train_truth, test, test_truth):
        readers = [directions.logistic(x, train_truth, penalty) for x in train]
        return [[(reader.answers(x) == test_truth).float().mean() for x in test] for reader in readers]

    assert passes("test_cross_readings", lambda *args: torch.tensor(readings(*args)))


def test_readers_along_the_difference_of_the_means_are_told_apart():
    def readings(train, train_truth, test, test_truth):
        readers = [directions.mean_difference(x, train_truth) for x in train]
        return torch.tensor([[(reader.answers(x) == test_truth).float().mean() for x in test] for reader in readers])

    assert failure("test_cross_readings", readings)[0] == "difference of the means"


def test_planted_shares_are_below_and_above_chance_and_not_symmetric():
    wanted = places._planted(4, 40, 55, 9, 4000)[1]
    off = [(wanted[i, j].item(), wanted[j, i].item()) for i, j in itertools.combinations(range(4), 2)]
    assert min(min(pair) for pair in off) < 0.4 < 0.6 < max(max(pair) for pair in off)
    assert any(abs(a - b) > 0.1 for a, b in off)


@pytest.mark.parametrize(
    "name", [name for name, (_, labels) in elk.METHODS.items() if name.startswith(("CCS, l", "con", "k-"))]
)
def test_methods_of_the_benchmark_without_labels_pass(name):
    assert passes("test_my_method", elk.METHODS[name][0])


@pytest.mark.parametrize("name", ["black box", "random direction", "logistic regression (labels)"])
def test_methods_that_read_no_activations_or_need_labels_do_not(name):
    assert not passes("test_my_method", elk.METHODS[name][0])


def test_method_that_fails_without_labels_is_told_so_and_another_failure_is_not():
    def with_labels(training):
        reader = directions.logistic(ccs.normalised(training.pairs).difference, training.truth)
        return lambda evidence: reader.scores(ccs.normalised(evidence.pairs).difference)

    assert "wants labels" in failure("test_my_method", with_labels)[1]
    text = failure("test_my_method", lambda training: training.nothing)[1]  # shows this line
    assert "wants labels" not in text


def test_method_may_be_right_in_two_of_three_seeds_and_not_in_one():
    def failing_in(seeds):
        return lambda t: elk.random_direction(t) if t.seed in seeds else elk.largest_variance(t)

    assert passes("test_my_method", failing_in({1}))
    name, text = failure("test_my_method", failing_in({0, 2}))
    assert name == ""
    assert "two of three" in text


def test_method_may_be_a_class_whose_objects_answer():
    class Method:
        def __init__(self, training):
            self.scores = elk.largest_variance(training)

        def __call__(self, evidence):
            return self.scores(evidence)

    assert passes("test_my_method", Method)


def test_scores_of_numpy_are_told_how_to_become_a_tensor():
    def numbers(training):
        scores = elk.largest_variance(training)
        return lambda evidence: scores(evidence).numpy()

    assert "torch.from_numpy" in failure("test_my_method", numbers)[1]


def test_what_is_erased_may_be_reckoned_in_single_precision():
    def single(x, label):
        x, z = x.float(), label.float()
        centred = x - x.mean(0)
        c = centred.T @ (z - z.mean()) / (len(x) - 1)
        weight = torch.linalg.solve(torch.cov(x.T), c)
        return x - torch.outer(centred @ weight, c) / (c @ weight)

    assert passes("test_erase", single)


def test_least_change_is_less_than_that_at_right_angles_and_more_than_one_that_knows_the_label():
    x, label = erased._question(61, 8, 61, torch.float64)
    data = erased._Data(x, label)

    def moved(answer):
        return float((answer(x, label) - x).square().sum(1).mean())

    least = moved(directions.erase)
    assert least == pytest.approx(float(data.towards.square().sum() / (data.towards @ data.weight)))
    assert moved(erased._along(lambda d: d.apart)) > 1.02 * least
    assert moved(erased._variant(lambda d: erased._own_means(d) - d.mean)) < least
