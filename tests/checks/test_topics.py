"""Every topic's checks accept right answers, recognise every catalogued mistake, and catch the mutants."""

import pytest

from course_utils import checks
from course_utils.checks import selftest

SECONDS = 240  # for the mutants of all topics together; `python -m course_utils.checks.selftest --all` runs every one

TOPICS = checks.topics()


@pytest.mark.parametrize("topic", TOPICS)
def test_right_answers_pass_and_mistakes_are_recognised(topic):
    problems = selftest.answer_problems(selftest.load(topic))
    assert not problems, "\n".join(problems)


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.parametrize("topic", TOPICS)
def test_mutants_are_caught(topic, capsys):
    module = selftest.load(topic)
    scores = selftest.mutation_scores(module, seconds=SECONDS / len(TOPICS))
    total = selftest.total_score(scores)
    with capsys.disabled():
        print(f"\n== {topic}: {total.rate:.1%} of {total.tried} mutants caught")
        print(selftest.as_table(scores))
    listed = sum(map(len, getattr(module, "EQUIVALENT_MUTANTS", {}).values()))
    assert not total.problems, "\n".join(total.problems)
    assert listed <= total.available / 10, f"{listed} of {total.available} mutants are called equivalent, over a tenth"
    assert total.rate >= 0.95, selftest.as_table(scores)
