"""Nothing that a learner returns crashes a check, and each wrong thing is called by its name."""

import dataclasses
import functools
import sys

import numpy as np
import pytest
import torch
from torch import nn

from course_utils.checks.diagnosis import same_use
from course_utils.checks.framework import Outcome, call, check, invoke, run
from course_utils.checks.watchdog import time_limit


def right(x, factors, shift=0.0):
    return x * factors[:, None] + shift


def test_none(failure):
    assert "returned None: is there a `return`" in str(failure(lambda x, factors, shift=0.0: None))


def test_a_string(failure):
    assert "returned a text (str) where a tensor is wanted" in str(failure(lambda x, factors, shift=0.0: "scaled"))


def test_a_list(failure):
    text = str(failure(lambda x, factors, shift=0.0: right(x, factors).tolist()))
    assert "returned a list where a tensor is wanted" in text
    assert "torch.tensor(…)" in text


def test_filled_with_nan(failure):
    text = str(failure(lambda x, factors, shift=0.0: right(x, factors) * float("nan")))
    assert "contains NaN" in text
    assert "12 of 12 values" in text


def test_wrong_shape(failure):
    error = failure(lambda x, factors, shift=0.0: right(x, factors).sum(-1))
    assert "wrong shape" in str(error)
    assert error.report.finding.expected == "shape (3, 4)"
    assert "shape (3,), float32" in error.report.finding.got


def test_transposed_is_said(failure):
    assert "axes are in another order" in str(failure(lambda x, factors, shift=0.0: right(x, factors).T))


def test_wrong_dtype(failure):
    text = str(failure(lambda x, factors, shift=0.0: right(x, factors).long()))
    assert "wrong dtype" in text
    assert "int64" in text


def test_non_contiguous_answer_passes(toy):
    toy.test_scale_rows(lambda x, factors, shift=0.0: (x.T.contiguous() * factors + shift).T)


def test_answer_that_requires_grad_passes(toy):
    toy.test_scale_rows(lambda x, factors, shift=0.0: (x * factors[:, None].clone().requires_grad_()) + shift)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_other_precisions_pass(toy, dtype):
    toy.test_scale_rows(lambda x, factors, shift=0.0: right(x.to(dtype), factors.to(dtype), shift))


def test_numpy_answer_passes(toy):
    toy.test_scale_rows(lambda x, factors, shift=0.0: x.numpy() * factors.numpy()[:, None] + np.float32(shift))


def test_raises_shows_only_the_learners_frames(failure):
    def helper(x):
        return x.scale()

    def scale_rows(x, factors, shift=0.0):
        return helper(x)

    error = failure(scale_rows)
    text = str(error)
    assert "raised AttributeError" in text
    assert "test_bad_answers.py" in text and "in helper: return x.scale()" in text
    assert "calling.py" not in text and "framework.py" not in text
    assert len(error.report.finding.frames) == 2


def test_wrong_parameters(failure):
    text = str(failure(lambda x: x))
    assert "cannot be called with the arguments of the exercise" in text
    assert "parameters (x)" in text


def test_prints_a_lot(failure, capsys):
    def noisy(x, factors, shift=0.0):
        for i in range(20_000):
            print("line", i, "of very many")
        return x

    error = failure(noisy)
    assert "line 0 of very many" in str(error)
    assert "more characters" in str(error)
    assert len(str(error)) < 4000
    assert capsys.readouterr().out == ""
    assert sys.stdout is not None


def test_prints_are_shown_with_a_pass(toy, capsys):
    def noisy(x, factors, shift=0.0):
        print("shape", tuple(x.shape))
        return right(x, factors, shift)

    toy.test_scale_rows(noisy)
    assert "shape (3, 4)" in capsys.readouterr().out


def test_mutated_input(failure):
    def scale_rows(x, factors, shift=0.0):
        x *= factors[:, None]
        return x + shift

    assert "changed its input `x`" in str(failure(scale_rows))


def test_endless_loop_is_stopped(toy):
    def scale_rows(x, factors, shift=0.0):
        while True:
            shift += 1

    report = run(toy.test_scale_rows, scale_rows, seconds=0.3)
    assert report.outcome is Outcome.TIMED_OUT
    assert report.seconds < 2
    assert any("in scale_rows" in frame for frame in report.finding.frames)
    assert "stopped after 0.3 s" in report.finding.what


def test_endless_loop_raises_check_failed(failure, monkeypatch):
    monkeypatch.setenv("COURSE_CHECK_SECONDS", "0.2")

    def scale_rows(x, factors, shift=0.0):
        while True:
            pass

    error = failure(scale_rows)
    assert error.report.outcome is Outcome.TIMED_OUT
    assert "stopped, it ran too long" in str(error)


def test_loop_that_swallows_exceptions_for_a_while(toy):
    swallowed = []

    def scale_rows(x, factors, shift=0.0):
        while True:
            try:
                while True:
                    pass
            except BaseException as error:
                swallowed.append(error)
                if len(swallowed) >= 4:
                    raise

    report = run(toy.test_scale_rows, scale_rows, seconds=0.2)
    assert report.outcome is Outcome.TIMED_OUT
    assert len(swallowed) >= 4


def test_time_limit_of_the_environment_rules(monkeypatch):
    assert time_limit() == 20
    assert time_limit(3) == 3
    monkeypatch.setenv("COURSE_CHECK_SECONDS", "7.5")
    assert time_limit(3) == 7.5
    monkeypatch.setenv("COURSE_CHECK_SECONDS", "soon")
    assert time_limit(3) == 3


def _helper(x, factors):
    return x * factors[:, None]


def test_own_helper(toy):
    def scale_rows(x, factors, shift=0.0):
        return _helper(x, factors) + shift

    toy.test_scale_rows(scale_rows)


def test_lambda(toy):
    toy.test_scale_rows(lambda x, factors, shift=0.0: right(x, factors, shift))


def test_partial(toy, failure):
    def powered(x, factors, shift=0.0, power=1):
        return x * factors[:, None] ** power + shift

    toy.test_scale_rows(functools.partial(powered, power=1))
    assert "not what it should be" in str(failure(functools.partial(powered, power=2)))


def test_callable_instance(toy):
    class Scaler:
        def __call__(self, x, factors, shift=0.0):
            return right(x, factors, shift)

    toy.test_scale_rows(Scaler())


def test_class_in_place_of_a_function(failure):
    class Scaler:
        def __call__(self, x, factors, shift=0.0):
            return right(x, factors, shift)

    assert "you passed the class `Scaler` itself" in str(failure(Scaler))


@pytest.mark.parametrize("answer", [None, 3, "text", torch.ones(3)])
def test_not_callable(failure, answer):
    assert "a function is needed here" in str(failure(answer))


def test_generator(failure):
    def scale_rows(x, factors, shift=0.0):
        for row, factor in zip(x, factors, strict=True):
            yield row * factor

    text = str(failure(scale_rows))
    assert "returned a generator where a tensor is wanted" in text
    assert "Collect them" in text


def test_tuple_too_many(failure):
    assert "returned a tuple" in str(failure(lambda x, factors, shift=0.0: (x, x, x)))


def test_function_not_called(failure):
    assert "leave out the parentheses" in str(failure(lambda x, factors, shift=0.0: x.clone))


def test_exit_and_endless_recursion(failure):
    def leaves(x, factors, shift=0.0):
        sys.exit(3)

    def recursive(x, factors, shift=0.0):
        return recursive(x, factors, shift)

    assert "Leave out `exit()`" in str(failure(leaves))
    assert "calls itself without end" in str(failure(recursive))
    assert len(str(failure(recursive))) < 3000


def test_keyboard_interrupt_gets_out(toy):
    def interrupted(x, factors, shift=0.0):
        raise KeyboardInterrupt

    before = sys.stdout
    with pytest.raises(KeyboardInterrupt):
        toy.test_scale_rows(interrupted)
    assert sys.stdout is before


def test_objects_that_misbehave(failure):
    class Odd:
        def __repr__(self):
            raise ValueError("no")

        def __eq__(self, other):
            raise ValueError("no")

        __hash__ = None

    class Unprintable(Exception):
        def __str__(self):
            raise ValueError("no")

    def raises(x, factors, shift=0.0):
        raise Unprintable

    assert "an object of class Odd" in str(failure(lambda x, factors, shift=0.0: Odd()))
    assert "raised Unprintable" in str(failure(raises))


def test_untouched_stub(toy, capsys):
    def scale_rows(x, factors, shift=0.0):
        raise NotImplementedError("Exercise 99.1: replace this line with your code")

    assert toy.test_scale_rows(scale_rows) is None
    assert "scale_rows: not attempted yet (Exercise 99.1)" in capsys.readouterr().out


def test_ellipsis(toy, capsys):
    assert toy.test_squares(...) is None
    assert "squares: not attempted yet" in capsys.readouterr().out


def test_torchs_own_not_implemented_is_no_stub(failure):
    def scale_rows(x, factors, shift=0.0):
        raise NotImplementedError("Could not run 'aten::mul' with arguments from the 'Odd' backend")

    error = failure(scale_rows)
    assert error.report.outcome is Outcome.FAILED
    assert "aten::mul" in str(error)


def test_random_states_and_modes_are_left_as_they_were(toy):
    def scale_rows(x, factors, shift=0.0):
        torch.set_grad_enabled(False)
        torch.manual_seed(5)
        np.random.seed(5)  # noqa: NPY002
        torch.set_default_dtype(torch.float64)
        return right(x, factors, shift)

    torch.manual_seed(123)
    wanted = torch.randn(3)
    torch.manual_seed(123)
    run(toy.test_scale_rows, scale_rows)
    assert torch.equal(torch.randn(3), wanted)
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() == torch.float32


def test_a_check_that_cannot_digest_an_answer_fails_it():
    @check(reference=None)
    def test_product(answer):
        """Return a matrix."""
        return call(answer) @ torch.ones(3, 3)

    report = run(test_product, lambda: torch.ones(2, 3, dtype=torch.int64))
    assert report.outcome is Outcome.FAILED
    assert "could not be examined" in report.finding.what
    assert isinstance(report.error, RuntimeError)


def test_a_module_and_what_measures_it_are_copied_together():
    @dataclasses.dataclass(frozen=True)
    class Total:
        model: nn.Module

        def __call__(self):
            return sum(weight.sum().item() for weight in self.model.parameters())

    def doubled(model, total):
        with torch.no_grad():
            for weight in model.parameters():
                weight.mul_(2)
        return total()

    model = nn.Linear(3, 2)
    before = Total(model)()
    use = invoke(doubled, (model, Total(model)), {})
    assert use.result == pytest.approx(2 * before)
    assert use.changed == ("model",)
    assert Total(model)() == before
    assert same_use(doubled, use)
    assert not same_use(lambda model, total: total(), use)


def test_several_numbers_may_come_as_an_array():
    @check(reference=None)
    def test_pair(answer):
        """Return 1 and 2."""
        assert call(answer, returns=(float, int)) == (1.0, 2)

    for pair in (np.array([1.0, 2.0]), torch.tensor([1, 2]), [1, 2], (np.float32(1), torch.tensor(2))):
        assert run(test_pair, lambda pair=pair: pair).outcome is Outcome.PASSED
    for other in (np.ones(3), torch.ones(1, 2), torch.tensor([1.0, 2.5])):
        assert run(test_pair, lambda other=other: other).outcome is Outcome.FAILED
