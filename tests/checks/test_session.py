"""Whose function is in use, which topics there are, and what is remembered."""

import functools

import pytest
import torch

import course_utils.checks as checks
from course_utils.checks import CheckFailed
from course_utils.errors import CourseError


def library(x, factors, shift=0.0):
    return x * factors[:, None] + shift


def test_yours_once_it_has_passed(toy, capsys):
    def scale_rows(x, factors, shift=0.0):
        return x * factors[:, None] + shift

    assert checks.yours_or(scale_rows, library) is library
    assert "using the library's `library`: yours has not been checked yet" in capsys.readouterr().out
    toy.test_scale_rows(scale_rows)
    capsys.readouterr()
    yours = checks.yours_or(scale_rows, library)
    assert yours.__wrapped__ is scale_rows
    assert "using your `library`" in capsys.readouterr().out
    assert checks.yours_or(yours, library) is not library  # the same line, run again

    def redefined(x, factors, shift=0.0):
        return x * factors[:, None] + shift

    assert checks.yours_or(redefined, library) is library


def test_yours_gives_tensors_in_double_precision(toy):
    def scale_rows(x, factors, shift=0.0):
        return x.numpy() * factors[:, None].numpy() + shift

    toy.test_scale_rows(scale_rows)
    result = checks.yours_or(scale_rows, library)(torch.ones(2, 3), torch.tensor([1.0, 2.0]))
    assert isinstance(result, torch.Tensor) and result.dtype == torch.float64


def test_the_librarys_where_yours_failed(toy, capsys):
    def scale_rows(x, factors, shift=0.0):
        return x

    with pytest.raises(CheckFailed):
        toy.test_scale_rows(scale_rows)
    assert checks.yours_or(scale_rows, library) is library
    out = capsys.readouterr().out
    assert "yours has not passed its check yet" in out
    assert len(out.splitlines()) == 1


def test_the_librarys_where_the_stub_is_untouched(toy, capsys):
    def scale_rows(x, factors, shift=0.0):
        raise NotImplementedError("Exercise 99.1: replace this line with your code")

    toy.test_scale_rows(scale_rows)
    assert checks.yours_or(scale_rows, library) is library
    assert checks.yours_or(..., 5) == 5
    assert capsys.readouterr().out.count("not attempted yet") == 3


def test_running_the_line_twice_says_so(capsys):
    assert checks.yours_or(library, library) is library
    assert "run the exercise's cell again" in capsys.readouterr().out


def test_equal_small_numbers_are_not_mistaken_for_each_other():
    from course_utils.checks.framework import check, expect, value

    @check()
    def test_three(answer):
        """Bind 3."""
        expect(value(answer, returns=int) == 3, what="the number")

    test_three(3)
    assert checks.yours_or(3, 3) == 3
    assert checks.yours_or(3, 4) == 4


def test_partials_are_named(capsys):
    checks.yours_or(functools.partial(library), functools.partial(library))
    assert "`library`" in capsys.readouterr().out


def test_outcomes_and_listeners(toy):
    seen = []

    def listen(report, answer):
        seen.append((report.check, report.outcome.value, answer))

    def answer(x, factors, shift=0.0):
        return x * factors[:, None] + shift

    checks.session.listeners.append(listen)
    try:
        toy.test_scale_rows(answer)
    finally:
        checks.session.listeners.remove(listen)
    assert seen == [("toy_topic.test_scale_rows", "passed", answer)]
    last = checks.session.outcomes[-1]
    assert last.as_dict()["outcome"] == "passed" and last.counted


def test_the_librarys_own_function_is_not_counted(toy, capsys):
    toy.test_scale_rows(toy.scale_rows)
    assert not checks.session.outcomes[-1].counted
    assert "the library's own function, not counted" in capsys.readouterr().out


def test_unknown_topic_lists_those_that_exist(monkeypatch):
    monkeypatch.setattr(checks, "topics", lambda: ["ccs", "fourier"])
    with pytest.raises(
        CourseError, match=r"no topic of checks called 'fuorier'\. Did you mean 'fourier'\? There are: ccs"
    ):
        checks.__getattr__("fuorier")
    assert not hasattr(checks, "fuorier")
    with pytest.raises(AttributeError):
        _ = checks.__wrapped__


def test_unknown_check_lists_those_that_exist():
    names = checks.topics()
    if not names:
        pytest.skip("no topics yet")
    topic = getattr(checks, names[0])
    with pytest.raises(CourseError, match="There are: test_"):
        _ = topic.test_that_does_not_exist


def test_a_topic_that_is_a_package_has_one_name():
    from course_utils.checks.framework import _topic

    assert _topic("course_utils.checks.fourier") == "fourier"
    assert _topic("course_utils.checks.fourier.basis") == "fourier"
    assert _topic("toy_topic") == "toy_topic"
