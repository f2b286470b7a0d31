"""The Fourier checks: right answers of any kind pass, no plausible wrong one does, and each mistake gets its sentence."""

from __future__ import annotations

import statistics
import time

import pytest
import torch

from course_utils import checks, fourier
from course_utils.checks import selftest
from course_utils.checks.framework import all_checks, run
from course_utils.checks.outcome import Outcome

TOPIC = checks.fourier
CHECKS = all_checks(TOPIC)
every_check = pytest.mark.parametrize("test", CHECKS.values(), ids=CHECKS.keys())


def each_tensor(result, change):
    """The result with every tensor (and number) in it changed; the structure stays."""
    if isinstance(result, torch.Tensor):
        return change(result)
    if isinstance(result, (tuple, list)):
        return tuple(each_tensor(part, change) for part in result)
    return float(change(torch.tensor(float(result))))


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


@every_check
def test_catalogue_is_rich_and_its_entries_have_names_and_sentences_of_their_own(test):
    mistakes = test.spec.mistakes
    assert len(mistakes) >= 8
    assert len(test.spec.alternatives) >= 2
    assert len({m.name for m in mistakes}) == len({m.sentence for m in mistakes}) == len(mistakes)


def test_right_answers_pass_and_mistakes_are_recognised():
    assert selftest.answer_problems(TOPIC) == []


def test_mutants_of_the_references_are_rejected():
    scores = selftest.mutation_scores(TOPIC, sample=150, seed=1)
    total = selftest.total_score(scores)
    print(selftest.as_table(scores))
    assert total.problems == []
    assert total.rate >= 0.95
    assert sum(map(len, TOPIC.EQUIVALENT_MUTANTS.values())) <= 0.1 * total.available


@every_check
def test_single_precision_passes(test):
    def single(*args):
        return each_tensor(
            test.spec.reference(*args), lambda x: x.float() if x.is_floating_point() else x.to(torch.int32)
        )

    assert run(test, single).outcome is Outcome.PASSED


JUNK = {
    "zeros": torch.zeros_like,
    "ones": torch.ones_like,
    "one half": lambda x: torch.full_like(x, 0.5) if x.is_floating_point() else x,
    "nan": lambda x: torch.full(x.shape, torch.nan),
    "noise": lambda x: torch.rand(x.shape).double(),
    "negative": lambda x: -x,
    "scaled": lambda x: x * 1.01 if x.is_floating_point() else x + 1,
    "noisy": lambda x: x + 0.01 * torch.randn(x.shape) if x.is_floating_point() else x,
    "shifted": lambda x: x.roll(1, 0) if x.ndim else x + 1,
    "more axes": lambda x: x[..., None],
    "lists": lambda x: x.tolist(),
}
RIGHT_ALL_THE_SAME = {
    ("test_weights_by_hand", "scaled"),
    ("test_circle", "negative"),  # mirrored
    ("test_margin", "more axes"),  # a number has none
    ("test_margin", "lists"),
}


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name in CHECKS for kind in JUNK if (name, kind) not in RIGHT_ALL_THE_SAME]
)
def test_right_shape_with_wrong_values_is_rejected(name, kind):
    test = CHECKS[name]
    report = run(test, lambda *args: each_tensor(test.spec.reference(*args), JUNK[kind]))
    assert report.outcome is Outcome.FAILED
    assert report.error is None


@every_check
@pytest.mark.parametrize(
    "answer",
    [lambda *args: None, lambda *args: "cos", lambda *args: args[0], lambda *args: args, lambda *args: {}, 3, fourier],
)
def test_things_that_are_no_answer_are_rejected_without_an_error_of_the_check(test, answer):
    report = run(test, answer)
    assert report.outcome is Outcome.FAILED
    assert report.error is None


@every_check
def test_the_answer_to_one_question_learnt_by_heart_is_rejected(test):
    kept = []

    def first_answer_again(*args):
        kept.append(test.spec.reference(*args))
        return kept[0]

    def right_for_the_first_size_only(*args):
        kept.append(test.spec.reference(*args))
        size = [x.shape for x in each_tensor((kept[-1],), lambda x: x) if isinstance(x, torch.Tensor)]
        first = [x.shape for x in each_tensor((kept[0],), lambda x: x) if isinstance(x, torch.Tensor)]
        return kept[-1] if size == first and size else each_tensor(kept[-1], torch.zeros_like)

    for answer in (first_answer_again, right_for_the_first_size_only):
        kept.clear()
        assert run(test, answer).outcome is Outcome.FAILED


@every_check
def test_nothing_is_compared_with_the_library(test, monkeypatch):
    def gone(*args, **kwargs):
        raise AssertionError("a check has called the library")

    for name in CHECKS:
        monkeypatch.setattr(fourier, name.removeprefix("test_"), gone)
    assert run(test, test.spec.alternatives[0]).outcome is Outcome.PASSED


@every_check
def test_a_check_is_quick(test):
    assert run(test, test.spec.reference).seconds < 3


def test_checks_are_quick_at_the_median():
    taken = []
    for test in CHECKS.values():
        started = time.perf_counter()
        run(test, test.spec.reference)
        taken.append(time.perf_counter() - started)
    assert statistics.median(taken) < 0.3


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
