"""What holds for every check of every topic: right answers in any dress pass, and whatever is no answer does not.

Derived from each check's spec; a new topic needs nothing here, unless one of its checks is an exception by nature.
That the references and alternatives pass and the mistakes are recognised is tested in `test_topics.py`.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import sys

import numpy as np
import pytest
import torch
from torch import nn

from course_utils import checks
from course_utils.checks import selftest
from course_utils.checks.diagnosis import resolved
from course_utils.checks.framework import all_checks, run
from course_utils.checks.outcome import Outcome

TOPICS = checks.topics()
CHECKS = {test.spec.name: test for topic in TOPICS for test in all_checks(selftest.load(topic)).values()}
every_topic = pytest.mark.parametrize("topic", TOPICS)
every_check = pytest.mark.parametrize("name", CHECKS)

# Where single precision cannot hold what is asked for.
NEEDS_DOUBLE = {"grokking.test_exact_loss": "a loss of 1e-130 has no place in single precision"}

# Changes that leave a right answer right.
RIGHT_ALL_THE_SAME = {
    ("fourier.test_weights_by_hand", "scaled"): "hand-made weights may have any scale",
    ("fourier.test_circle", "negative"): "coordinates in the plane may be mirrored",
    ("induction.test_induction_weights", "negative"): "every path goes through an even number of weights",
    ("induction.test_induction_weights", "scaled"): "hand-made weights may have any scale",
    ("induction.test_induction_weights", "noisy"): "the network is judged by what it does, and it bears a little noise",
    ("latent.test_my_method", "negative"): "without labels, a method cannot know which side is yes",
    ("latent.test_my_method", "scaled"): "only the sign of a score counts",
}

# There is one question, so that its answer may be learnt by heart.
ONE_QUESTION = {"othello.test_colour_network": "the exercise has no arguments: what it asks for is one network"}


def each_tensor(result, change):
    """The result with every tensor (and number) in it changed; the structure stays. A function's own results are changed."""
    if inspect.isfunction(result):
        return lambda *args: each_tensor(result(*args), change)
    if isinstance(result, (torch.Tensor, np.ndarray)):
        return change(torch.as_tensor(result))
    if isinstance(result, (tuple, list)):
        return tuple(each_tensor(part, change) for part in result)
    if isinstance(result, dict):
        return {key: each_tensor(part, change) for key, part in result.items()}
    if dataclasses.is_dataclass(result):
        return dataclasses.replace(result, **{key: each_tensor(part, change) for key, part in vars(result).items()})
    if isinstance(result, bool) or not isinstance(result, (int, float)):
        return result
    return float(change(torch.tensor(float(result), dtype=torch.float64)))


def tensors(value):
    """All tensors in it, however deep."""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return [torch.as_tensor(value)]
    if isinstance(value, nn.Module):
        return list(value.state_dict().values())
    if isinstance(value, dict):
        return [tensor for part in value.values() for tensor in tensors(part)]
    if isinstance(value, (tuple, list)):
        return [tensor for part in value for tensor in tensors(part)]
    return []


def size(arguments):
    """What an answer can see of a question without looking at the numbers in its tensors."""
    return [tensor.shape for tensor in tensors(arguments)] or arguments


def reference_of(name):
    return resolved(CHECKS[name].spec.reference)


def outcome(name, answer):
    report = run(CHECKS[name], answer, diagnose=False)
    assert report.error is None, "the check could not digest the answer"
    return report.outcome


@every_check
def test_catalogue_is_rich_and_its_entries_have_names_and_sentences_of_their_own(name):
    spec = CHECKS[name].spec
    assert len(spec.mistakes) >= 8
    assert len(spec.alternatives) >= 2
    assert len({m.name for m in spec.mistakes}) == len({m.sentence for m in spec.mistakes}) == len(spec.mistakes)


@every_topic
def test_checks_are_called_after_their_topic_and_their_reference(topic):
    for name, test in all_checks(selftest.load(topic)).items():
        assert test.spec.name == f"{topic}.{name}"  # as the progress store and the manifest call it
        assert reference_of(test.spec.name).__name__ == name.removeprefix("test_")


@every_topic
def test_a_mistyped_check_is_answered_also_where_another_topic_has_imported_this_one(topic, monkeypatch):
    module = selftest.load(topic)
    monkeypatch.delattr(module, "__getattr__", raising=False)  # as an import that is not by way of `checks` leaves it
    checks.__getattr__(next(other for other in TOPICS if other != topic))
    with pytest.raises(checks.UnknownCheck, match="There are: test_"):
        _ = module.test_that_does_not_exist


@every_topic
def test_mutants_of_the_references_are_rejected(topic):
    module = selftest.load(topic)
    scores = selftest.mutation_scores(module, sample=60, seed=1)
    total = selftest.total_score(scores)
    print(selftest.as_table(scores))
    assert total.problems == []
    assert total.rate >= 0.95
    assert sum(map(len, getattr(module, "EQUIVALENT_MUTANTS", {}).values())) <= 0.1 * total.available


@every_check
def test_single_precision_passes(name):
    if name in NEEDS_DOUBLE:
        pytest.skip(NEEDS_DOUBLE[name])

    def rounded(x):
        return x.float() if x.is_floating_point() else x if x.dtype == torch.bool else x.to(torch.int32)

    @functools.wraps(reference_of(name))
    def single(*args):
        return each_tensor(reference_of(name)(*args), rounded)

    assert outcome(name, single) is Outcome.PASSED


@every_check
def test_numbers_may_come_as_tensors_and_several_results_as_a_list(name):
    def dressed(*args):
        result = reference_of(name)(*args)
        if isinstance(result, dict):
            return result
        parts = list(result) if isinstance(result, tuple) else [result]
        parts = [torch.as_tensor(x) if isinstance(x, (int, float)) else x for x in parts]
        return parts if isinstance(result, tuple) else parts[0]

    assert outcome(name, dressed) is Outcome.PASSED


def of_floats(change, otherwise):
    """A change of floating-point tensors, and another one for whole numbers; True and False change places."""

    def changed(x):
        return change(x) if x.is_floating_point() else ~x if x.dtype == torch.bool else otherwise(x)

    return changed


JUNK = {
    "zeros": torch.zeros_like,
    "ones": torch.ones_like,
    "one half": of_floats(lambda x: torch.full_like(x, 0.5), torch.zeros_like),
    "nan": lambda x: torch.full(x.shape, torch.nan),
    "noise": lambda x: torch.rand(x.shape).double(),
    "negative": of_floats(lambda x: -x, lambda x: -x - 1),
    "scaled": of_floats(lambda x: x * 1.01, lambda x: x + 1),
    "noisy": of_floats(lambda x: x + 0.01 * torch.randn(x.shape), lambda x: x + torch.randint(2, x.shape)),
    "shifted": lambda x: x.roll(1, 0) if x.ndim and len(x) > 1 else x + 1,
    "more axes": lambda x: x[..., None],
    "lists": lambda x: x.tolist(),
}


@pytest.mark.parametrize("kind", JUNK)
@every_check
def test_right_shape_with_wrong_values_is_rejected(name, kind):
    if (name, kind) in RIGHT_ALL_THE_SAME:
        pytest.skip(RIGHT_ALL_THE_SAME[name, kind])
    only_numbers = []

    def junk(*args):
        result = reference_of(name)(*args)
        only_numbers.append(not tensors(result) and not callable(result))
        return each_tensor(result, JUNK[kind])

    found = outcome(name, junk)
    as_right = kind in ("more axes", "lists") and all(only_numbers)  # a number has no axes
    assert found is (Outcome.PASSED if as_right else Outcome.FAILED)


NO_ANSWERS = {
    "None": lambda *args: None,
    "text": lambda *args: "cos",
    "first argument": lambda *args: args[0],
    "two arguments": lambda *args: args[:2],
    "all arguments": lambda *args: args,
    "pair of None": lambda *args: (None, None),
    "empty dict": lambda *args: {},
    "dict of None": lambda *args: dict.fromkeys(args[0] if isinstance(args[0], dict) else "ab"),
    "exception": lambda *args: 1 / 0,
    "no function": 3,
    "module": checks,
}


@pytest.mark.parametrize("kind", NO_ANSWERS)
@every_check
def test_things_that_are_no_answer_are_rejected_without_an_error_of_the_check(name, kind):
    report = run(CHECKS[name], NO_ANSWERS[kind])  # with a diagnosis, which has to digest them too
    assert report.outcome is Outcome.FAILED
    assert report.error is None


@every_check
def test_the_answer_to_one_question_learnt_by_heart_is_rejected(name):
    if name in ONE_QUESTION:
        pytest.skip(ONE_QUESTION[name])
    kept = []

    def first_answer_again(*args):
        kept.append(reference_of(name)(*args))
        return kept[0]

    def right_for_the_first_size_only(*args):
        kept.append((reference_of(name)(*args), size(args)))
        return kept[-1][0] if kept[-1][1] == kept[0][1] else each_tensor(kept[-1][0], torch.zeros_like)

    for answer in (first_answer_again, right_for_the_first_size_only):
        kept.clear()
        assert outcome(name, answer) is Outcome.FAILED


@every_check
def test_nothing_is_compared_with_the_library(name, monkeypatch):
    """Neither with this check's reference nor with any other of its topic, under whichever name a check has it."""

    def gone(*args, **kwargs):
        raise AssertionError("a check has called the library")

    topic = name.partition(".")[0]
    references = [reference_of(other) for other in CHECKS if other.startswith(f"{topic}.")]
    for module in [sys.modules[reference.__module__] for reference in references] + [
        module for where, module in sys.modules.items() if where.startswith(f"course_utils.checks.{topic}")
    ]:
        for attribute, value in list(vars(module).items()):
            if any(value is reference for reference in references):
                monkeypatch.setattr(module, attribute, gone)
    assert outcome(name, CHECKS[name].spec.alternatives[0]) is Outcome.PASSED
