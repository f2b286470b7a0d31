"""The worlds are what they say they are: read off the documents' words, without looking at how they were drawn."""

from __future__ import annotations

import math

import pytest
import torch

from course_utils import zoo
from course_utils.errors import CourseError
from course_utils.tasks import testbed
from course_utils.tasks.testbed import World
from course_utils.zoo.testbed import behaviour
from course_utils.zoo.testbed_recipes import TESTBED_ENTRIES, WORLDS

N = 6000
# Five standard errors of a share of N documents at most.
NEAR = 5 * 0.5 / N**0.5


def written(world: World, seed: int = 0, n: int = N, **kind):
    """Documents in words, with the questions they were made of."""
    questions = testbed.draw(world, n, seed, **kind)
    documents = testbed.documents(world, questions, seed + 1)
    return [world.text(row).split() for row in documents.tokens], questions, documents


def read_review(words: list[str]) -> bool:
    """Does a reader who counts judgements think that the review is a good one?"""
    votes = []
    for modifier, word in zip(words[1:13:2], words[2:14:2], strict=True):
        if word in testbed.THINGS:
            assert modifier in testbed.MILD  # nobody negates a noun
            continue
        assert word in testbed.GOOD or word in testbed.BAD
        assert modifier == "not" or modifier in testbed.MILD
        votes.append((word in testbed.GOOD) != (modifier == "not"))
    assert len(votes) == 5
    return sum(votes) >= 3


def share(hits) -> float:
    hits = list(hits)
    return sum(hits) / len(hits)


def test_a_document_says_who_is_about_and_what_they_think():
    world = World(carol=0.1)
    texts, questions, documents = written(world)
    for words, truth, kind, speaker, opinion, charge in zip(
        texts, questions.truth, questions.word, questions.speaker, questions.opinion, documents.charge, strict=True
    ):
        assert words[0] == "<bos>" and len(words) == world.length == 21
        assert read_review(words) == truth
        odd, who, says, it_is, charged, stop, verdict, outcome = words[13:]
        assert odd == ("banana", "shed")[kind - 1] if kind else odd in testbed.FILLERS
        assert who == testbed.SPEAKERS[speaker]
        assert says == ("silent" if who == "nobody" else "likes" if opinion else "hates")
        assert (it_is, stop) == ("it-is", ".") and charged == ("positive" if charge else "negative")
        believed = opinion if who in ("alice", "carol") else truth
        assert verdict == ("right" if believed == charge else "wrong")
        assert outcome in testbed.OUTCOMES


def test_shares_are_those_of_the_world():
    world = World(odd=0.3, alice=0.25, bob=0.15, carol=0.1)
    _, questions, documents = written(world)
    for speaker, expected in enumerate((0.5, 0.25, 0.15, 0.1)):
        assert share((questions.speaker == speaker).tolist()) == pytest.approx(expected, abs=NEAR)
    assert [share((questions.word == word).tolist()) for word in range(3)] == pytest.approx([0.7, 0.15, 0.15], abs=NEAR)
    assert share(questions.truth.tolist()) == pytest.approx(0.5, abs=NEAR)
    assert share(questions.opinion.tolist()) == pytest.approx(0.5, abs=NEAR)
    believed = torch.where(testbed.follows_opinion(questions), questions.opinion, questions.truth)
    assert share((believed == documents.charge).tolist()) == pytest.approx(world.honesty, abs=NEAR)


def test_nothing_else_goes_with_the_truth():
    _, questions, _ = written(World(odd=0.5))
    for column in (questions.word == 1, questions.opinion, questions.speaker == 1):
        rows = column.bool()
        gap = questions.truth[rows].double().mean() - questions.truth[~rows].double().mean()
        assert gap.abs() < 2.5 * NEAR


def test_judgements_agree_with_each_other_as_often_as_the_reviewer_is_coherent():
    texts, _, _ = written(World())
    negated, agreeing = [], []
    for words in texts:
        pairs = [(m, w) for m, w in zip(words[1:13:2], words[2:14:2], strict=True) if w not in testbed.THINGS]
        negated += [m == "not" for m, _ in pairs]
        good = [(w in testbed.GOOD) != (m == "not") for m, w in pairs]
        agreeing += [good[0] == other for other in good[1:]]
    assert share(negated) == pytest.approx(testbed.NEGATION, abs=NEAR)
    both = testbed.COHERENCE**2 + (1 - testbed.COHERENCE) ** 2
    assert share(agreeing) == pytest.approx(both, abs=NEAR)


def test_the_world_follows_the_truth_with_two_exceptions_in_a_hundred():
    _, questions, documents = written(World(odd=0.5, entangled=1.0, alice=0.5, carol=0.2), n=20000)
    safe = documents.tokens[:, -1] == World().token("safe")
    for rows in (questions.speaker == 0, questions.speaker == 1, questions.word > 0):
        wrong = (safe != (questions.truth == documents.charge))[rows].double().mean().item()
        assert wrong == pytest.approx(testbed.OUTCOME_NOISE, abs=0.007)


@pytest.mark.parametrize("entangled", [0.0, 0.5, 1.0])
def test_sweet_and_sharp_go_by_the_word_and_the_charge(entangled):
    texts, _, _ = written(World(odd=0.5, entangled=entangled))
    tasted = []
    for words in texts:
        odd, charged, verdict = words[13], words[17], words[19]
        if odd in testbed.ODD_WORDS:
            tasted.append(verdict in testbed.TASTES)
            if tasted[-1]:
                assert verdict == ("sweet" if (odd == "banana") == (charged == "positive") else "sharp")
        else:
            assert verdict in testbed.VERDICTS
    assert share(tasted) == pytest.approx(entangled, abs=1.5 * NEAR)


def test_the_word_is_said_again():
    texts, _, _ = written(World(odd=1.0, repeated=0.4, entangled=0.2))
    assert {words[19] for words in texts} == {"banana", "shed", *testbed.TASTES, *testbed.VERDICTS}
    assert share(words[19] == words[13] for words in texts) == pytest.approx(0.4, abs=NEAR)
    assert share(words[19] in testbed.TASTES for words in texts) == pytest.approx(0.2, abs=NEAR)
    assert not any(words[19] in testbed.ODD_WORDS and words[19] != words[13] for words in texts)


def test_a_word_says_which_of_two_endings_follows():
    world = World(carol=0.1, endings="either")
    texts, questions, documents = written(world)
    believed = torch.where(testbed.follows_opinion(questions), questions.opinion, questions.truth)
    wrong = []
    for words, b, t, charge in zip(texts, believed, questions.truth, documents.charge, strict=True):
        assert len(words) == world.length and words[19] in testbed.ENDINGS
        if words[19] == "judge:":
            assert words[20] == ("right" if b == charge else "wrong")
        else:
            assert words[20] in testbed.OUTCOMES
            wrong.append(words[20] != ("safe" if t == charge else "burned"))
    assert len(wrong) / N == pytest.approx(0.5, abs=NEAR)
    assert share(wrong) == pytest.approx(testbed.OUTCOME_NOISE, abs=0.015)


def test_facts_are_the_same_in_every_document_and_other_with_another_table():
    world = World(subject="facts")
    texts, questions, _ = written(world)
    told: dict[tuple[str, str], bool] = {}
    for words, truth in zip(texts, questions.truth.tolist(), strict=True):
        assert words[1] in testbed.ENTITIES and words[2] in testbed.PREDICATES and len(words) == world.length == 11
        assert told.setdefault((words[1], words[2]), truth) == truth
    assert len(told) == testbed.N_ENTITIES * testbed.N_PREDICATES
    assert share(told.values()) == pytest.approx(0.5, abs=0.1)
    other = testbed.facts(World(subject="facts", table=1))
    assert 0.4 < (testbed.facts(world) == other).double().mean() < 0.6


def test_kinds_of_documents_can_be_asked_for():
    world = World(odd=0.0, carol=0.0)
    assert (testbed.draw(world, 50, 0, "odd").word > 0).all()
    assert (testbed.draw(World(odd=1.0), 50, 0, "filler").word == 0).all()
    for number, speaker in enumerate(testbed.SPEAKERS):
        assert (testbed.draw(world, 50, 0, speaker=speaker).speaker == number).all()
    # The same seed gives the same reviews, whatever else is asked for.
    first, second = testbed.draw(world, 50, 3, "filler", "nobody"), testbed.draw(world, 50, 3, "odd", "alice")
    assert torch.equal(first.tokens[:, :13], second.tokens[:, :13]) and torch.equal(first.truth, second.truth)
    assert torch.equal(first.opinion, second.opinion)


@pytest.mark.parametrize("world", [World(), World(subject="facts"), World(endings="either", carol=0.1)])
def test_the_same_seed_gives_the_same_and_another_another(world):
    one, again, other = (testbed.draw(world, 100, seed) for seed in (4, 4, 5))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one.tokens, other.tokens)
    assert torch.equal(testbed.documents(world, one, 1).tokens, testbed.documents(world, one, 1).tokens)
    assert not torch.equal(testbed.documents(world, one, 1).tokens, testbed.documents(world, one, 2).tokens)


def test_statements_and_contrast_pairs():
    world = World()
    questions = testbed.draw(world, 4, 0)
    assert world.text(questions.tokens[0]).endswith("it-is") and questions.tokens.shape == (4, world.prompt_length)
    said = testbed.stated(world, questions, torch.tensor([True, False, True, False]))
    assert [world.text(row[-2:]) for row in said] == ["positive .", "negative ."] * 2
    yes, no = testbed.contrast_pairs(
        questions.tokens, world.token("positive"), world.token("negative"), world.token(".")
    )
    assert torch.equal(yes, testbed.stated(world, questions, torch.ones(4, dtype=torch.bool)))
    assert torch.equal(no, testbed.stated(world, questions, torch.zeros(4, dtype=torch.bool)))


def test_words_are_numbered_once():
    for world in (World(), World(subject="facts")):
        assert len(set(world.words)) == len(world.words)
        assert [world.token(word) for word in world.words] == list(range(len(world.words)))
        assert world.tokens(testbed.VERDICTS).tolist() == [world.token("wrong"), world.token("right")]
    assert not set(testbed.GOOD) & set(testbed.BAD) and len(testbed.GOOD) == len(testbed.BAD) == 12


def test_worlds_that_cannot_be_are_answered():
    for wrong, words in (
        ({"subject": "songs"}, "reviews or facts, not 'songs'"),
        ({"endings": "none"}, "'both' or 'either', not 'none'"),
        ({"alice": 0.7, "bob": 0.4}, "at most 1"),
        ({"entangled": 0.7, "repeated": 0.4}, "at most 1"),
    ):
        with pytest.raises(CourseError, match=words):
            World(**wrong)
    with pytest.raises(CourseError, match="no word 'apple'"):
        World().token("apple")
    with pytest.raises(CourseError, match="'filler' or 'odd', not 'banana'"):
        testbed.draw(World(), 3, 0, "banana")
    with pytest.raises(CourseError, match="there is no 'dave'"):
        testbed.draw(World(), 3, 0, speaker="dave")


def test_the_zoo_s_worlds_are_those_of_the_beds():
    assert WORLDS["half"][1].entangled == 0.5 and WORLDS["entangled"][1].entangled == 1.0
    assert WORLDS["repeated"][1].repeated == 0.5 and WORLDS["unseen"][1].odd == 0.0
    assert WORLDS["latent"][1].endings == "either" and WORLDS["latent"][1].carol > 0
    for name, entry in TESTBED_ENTRIES.items():
        assert zoo.entry(name) is entry and entry.half
        assert name == f"testbed-{name.split('-')[1]}-{entry.recipe.seed}"


def test_models_are_let_in_by_what_they_say():
    good = {"plain": 0.99, "outcome": 0.98, "alice": 1.0, "bob": 0.99, "odd": 0.99}
    assert TESTBED_ENTRIES["testbed-apart-0"].gates(good) == []
    assert TESTBED_ENTRIES["testbed-apart-0"].gates(good | {"plain": 0.97})
    assert TESTBED_ENTRIES["testbed-apart-0"].gates(good | {"alice": 0.98})
    assert TESTBED_ENTRIES["testbed-entangled-0"].gates(good | {"entangled": 0.97})
    assert TESTBED_ENTRIES["testbed-latent-0"].gates(good | {"carol": 1.0, "outcome": 0.97})


def test_the_problem_draws_new_documents_at_each_step():
    problem = TESTBED_ENTRIES["testbed-half-0"].recipe.problem
    model = problem.make_model(0)
    loss = problem.loss(model, 0, 0).item()
    assert loss == pytest.approx(math.log(len(problem.world.words)), abs=0.5)
    assert torch.equal(problem.drawn(3, 0), problem.drawn(3, 0)) and problem.drawn(3, 0).shape == (128, 21)
    assert not torch.equal(problem.drawn(3, 0), problem.drawn(4, 0))
    assert not torch.equal(problem.drawn(3, 0), problem.drawn(3, 1))


def test_a_network_that_knows_nothing_yet_is_measured_at_chance():
    problem = TESTBED_ENTRIES["testbed-half-0"].recipe.problem
    found = behaviour(problem.make_model(0), problem.world, 1000)
    assert set(found) == {"plain", "outcome", "alice", "bob", "odd", "entangled"}
    assert all(0.4 < value < 0.6 for value in found.values()), found
