"""A failed answer is told what it probably is, when the catalogue knows it, and else the first property it misses."""

import torch

from course_utils.checks import selftest
from course_utils.checks.framework import Mistake, all_checks, call, check, expect_close, run


def test_columns_are_recognised(failure):
    error = failure(lambda x, f, shift=0.0: (x * f + shift) if x.shape[0] == x.shape[1] else x * f[:1])
    assert error.report.mistake == "scales columns"
    assert "Likely cause: This scales the columns." in str(error)


def test_a_tuple_is_recognised(failure):
    error = failure(lambda x, f, shift=0.0: (x * f[:, None] + shift, f))
    assert error.report.mistake == "returns the factors too"


def test_unknown_mistake_shows_the_property(failure):
    error = failure(lambda x, f, shift=0.0: 2 * x * f[:, None])
    assert error.report.mistake == ""
    text = str(error)
    assert "What differs: the scaled matrix: not what it should be" in text
    assert "row i is multiplied by factor i" in text
    assert "Yours is 2 times what is wanted, everywhere" in text
    assert "shape (3, 4), float32" in text
    assert "largest difference" in text and "12 of 12 values differ" in text


def test_values_and_what_is_computed_later(toy, failure):
    toy.test_squares(torch.arange(7) ** 2)
    toy.test_squares((torch.arange(7.0) ** 2).numpy())
    error = failure(torch.arange(7.0) * 2, toy.test_squares)
    assert error.report.mistake == "doubled"


def test_writing_on_the_input_may_be_the_exercise(toy, failure):
    toy.test_fill_diagonal(lambda matrix: matrix.fill_diagonal_(3.0))
    assert failure(lambda m: m.fill_(3.0).sum() * 0, toy.test_fill_diagonal).report.mistake == "fills all"
    assert failure(lambda m: m.fill_(4.0), toy.test_fill_diagonal).report.mistake == ""


def test_a_random_answer_is_compared_with_the_same_draws():
    @check(mistakes=[Mistake("uniform", lambda n: torch.rand(n), "These are uniform.")])
    def test_noise(answer):
        """Draw standard normal numbers."""
        x = call(answer, 4000)
        expect_close(x.mean(), 0.0, what="the mean", atol=0.1)

    assert run(test_noise, lambda n: torch.rand((n,))).mistake == "uniform"


def test_the_same_exception_is_the_same_mistake():
    def crashes(n):
        return torch.ones(n) @ torch.ones(n + 1)

    @check(mistakes=[Mistake("one too many", crashes, "The second vector is one longer.")])
    def test_product(answer):
        """Multiply."""
        call(answer, 3)

    assert run(test_product, lambda n: torch.ones(n) @ torch.ones(n + 1)).mistake == "one too many"
    assert run(test_product, lambda n: torch.ones(n) @ torch.ones(n + 2)).mistake == ""


def test_a_mistake_that_hangs_or_raises_does_not_spoil_the_report():
    @check(mistakes=[Mistake("raises", lambda n: 1 / 0, "x"), Mistake("odd", object(), "y")])
    def test_three(answer):
        """Return 3."""
        expect_close(call(answer, 1), 3.0, what="the result")

    report = run(test_three, lambda n: 4.0)
    assert report.outcome == "failed"
    assert report.mistake == ""


def test_all_checks_keeps_the_written_order(toy):
    assert list(all_checks(toy)) == ["test_scale_rows", "test_squares", "test_fill_diagonal", "test_count_even"]


def test_selftest_is_content_with_the_toy_topic(toy):
    assert selftest.answer_problems(toy) == []
    scores = selftest.mutation_scores(toy)
    total = selftest.total_score(scores)
    assert total.survivors == []
    assert total.problems == []
    assert total.equivalent == 1
    assert total.killed == total.available - 1 > 25
    assert "100.0%" in selftest.as_table(scores)


def test_selftest_finds_what_is_wrong_with_a_topic(toy):
    import types

    def double(x):
        y = x + x
        return y * 1.0

    @check(
        reference=double,
        alternatives=[lambda x: x * 3],
        mistakes=[
            Mistake("is right", lambda x: 2 * x, "Not wrong."),
            Mistake("general", lambda x: x, "Unchanged."),
            Mistake("special", lambda x: 1 * x, "Also unchanged."),
        ],
    )
    def test_double(answer):
        """Double."""
        x = torch.ones(3)
        expect_close(call(answer, x), x + x, what="the double")

    topic = types.ModuleType("topic")
    topic.test_double = test_double
    topic.EQUIVALENT_MUTANTS = {
        "test_double": {
            "line 2: `x + x` → `x - x`": "it is not",
            "line 9: gone": "old",
            "line 3: `y * 1.0` → `y`": "same",
        }
    }
    problems = selftest.answer_problems(topic)
    assert [p.splitlines()[0] for p in problems] == [
        "test_double: alternative 1 does not pass",
        "test_double: the mistake 'is right' is not rejected (passed)",
        "test_double: the mistake 'special' is rejected but taken for 'general'",
    ]
    (score,) = selftest.mutation_scores(topic)
    assert any("no mutant is called 'line 9: gone'" in p for p in score.problems)
    assert any("`x - x`' is listed as equivalent, but is rejected" in p for p in score.problems)
    assert len(score.problems) == 2
    assert score.equivalent == 2
    # Ones cannot tell a division by 1 from a product with it: an honest survivor, which the report names.
    assert score.survivors == ["line 3: `y * 1.0` → `y / 1.0`"]


def test_sampling_is_reproducible(toy):
    one, two = (selftest.mutation_scores(toy, sample=10, seed=3) for _ in range(2))
    assert [(s.killed, s.survivors) for s in one] == [(s.killed, s.survivors) for s in two]
    assert sum(s.tried + s.equivalent for s in one) == 10
