"""The benchmark shows a method what it may see and no more, and measures what it says it measures."""

from __future__ import annotations

import doctest

import pytest
import torch

from course_utils import ccs, contrast, elk, elk_beds, zoo
from course_utils.errors import CourseError
from course_utils.tasks import testbed
from course_utils.zoo.store import WEIGHTS

SMALL = {"model_seeds": [0], "probe_seeds": [0], "n": 60}
trained = pytest.mark.skipif(
    not (WEIGHTS / "testbed-latent-0.safetensors").exists(), reason="the test bed's models are not here"
)


def before_training(name):
    recipe = zoo.entry(name).recipe
    return recipe.problem.make_model(recipe.seed).requires_grad_(False)


@pytest.fixture
def networks(monkeypatch):
    """Networks before training in place of the zoo's: what is measured of made-up answers hangs on no weights."""
    monkeypatch.setattr(zoo, "load", before_training)
    elk._kept.cache_clear()
    yield
    elk._kept.cache_clear()


def knowing(choose, **settings):
    """A method whose answers are chosen from all that is known of the questions, which it knows by their activations."""

    def method(training):
        def scores(evidence):
            for bed in settings.get("beds", elk.BEDS):
                loaded = elk._kept(bed, 0, 1, SMALL["n"])
                for split in (loaded.train, loaded.test):
                    if torch.equal(split.pairs.positive, evidence.pairs.positive):
                        return 2.0 * choose(split) - 1
            raise AssertionError("unknown questions")

        return scores

    return method


def test_every_bed_is_described_and_loads(networks):
    assert len(elk.BEDS) == 12
    for name, spec in elk.BEDS.items():
        assert spec.about.endswith(".") and "\n" not in spec.about
        bed = elk.load(name, n=40)
        for split, (word, speaker) in ((bed.train, spec.train), (bed.test, spec.test)):
            assert split.pairs.positive.shape == split.pairs.negative.shape == (40, 64)
            assert split.said.shape == split.truth.shape == (40,) and split.truth.dtype == torch.bool
            assert ((split.questions.word > 0) == (word == "odd")).all()
            assert (split.questions.speaker == testbed.SPEAKERS.index(speaker)).all()
            assert torch.equal(split.truth, split.questions.truth)
            if spec.nuisance is None:
                assert split.nuisance is None
            else:
                opinion = spec.nuisance == "opinion"
                assert torch.equal(split.nuisance, split.questions.opinion if opinion else split.questions.word == 1)
        assert not torch.equal(bed.train.questions.tokens, bed.test.questions.tokens)


@pytest.mark.parametrize("name", ["plain", "latent-stop", "latent-judge"])
def test_activations_and_what_the_network_says_are_those_of_contrast(networks, name):
    bed, spec = elk.load(name, layer=2, n=150), elk.BEDS[name]
    entry = zoo.entry(f"testbed-{spec.world}-0")
    model, world = before_training(f"testbed-{spec.world}-0"), entry.recipe.problem.world
    for split in (bed.train, bed.test):
        expected = contrast.pairs(model, world, split.questions, spec.ending)[2]
        torch.testing.assert_close(split.pairs.positive, expected.positive)
        torch.testing.assert_close(split.pairs.negative, expected.negative)
        said = contrast.leaning(model, world, split.questions, "judge:" if name != "plain" else None)
        torch.testing.assert_close(split.said, said, atol=1e-5, rtol=1e-4)


def test_facts_that_are_tested_are_not_those_learnt_from(networks):
    bed = elk.load("facts", n=500)
    train, test = ({tuple(row) for row in split.questions.tokens[:, 1:3].tolist()} for split in (bed.train, bed.test))
    assert not train & test and len(train) > 150 and len(test) > 150


def test_layers_seeds_and_another_network(networks):
    first, other = elk.load("plain", layer=0, n=20), elk.load("plain", layer=1, n=20)
    assert not torch.equal(first.train.pairs.positive, other.train.pairs.positive)
    assert torch.equal(elk.load("plain", n=20).test.pairs.negative, other.test.pairs.negative)
    assert not torch.equal(elk.load("plain", 1, n=20).test.pairs.negative, other.test.pairs.negative)
    given = elk.load("plain", n=20, model=before_training("testbed-apart-1"))
    assert torch.equal(given.test.pairs.negative, elk.load("plain", 1, n=20).test.pairs.negative)


def test_wrong_names_are_answered(networks):
    with pytest.raises(CourseError, match=r"There is no bed 'carol'\. Beds are plain"):
        elk.load("carol")
    with pytest.raises(CourseError, match="Layers are 0 to 2"):
        elk.load("plain", layer=3, n=5)
    with pytest.raises(CourseError, match="testbed-apart-9"):
        elk.load("plain", 9)


def test_a_method_without_labels_is_shown_none_and_can_spoil_nothing(networks):
    seen = []

    def curious(training):
        seen.append(training)
        training.pairs.positive.zero_()
        return lambda evidence: evidence.pairs.positive.zero_().sum(1)

    elk.evaluate(curious, beds=["plain", "alice"], **SMALL)
    assert [training.truth for training in seen] == [None, None]
    assert set(elk.Evidence._fields) == {"pairs", "said"}
    assert elk._kept("plain", 0, 1, 60).train.pairs.positive.abs().max() > 0
    elk.evaluate(curious, labels=True, beds=["plain"], **(SMALL | {"probe_seeds": [7]}))
    assert torch.equal(seen[-1].truth, elk.load("plain", n=60).train.truth) and seen[-1].seed == 7
    with pytest.raises(CourseError, match="labels=True"):
        elk.evaluate(elk.regression, beds=["plain"], **SMALL)


def test_a_perfect_method_and_its_opposite(networks):
    for method in (knowing(lambda split: split.truth), knowing(lambda split: ~split.truth)):
        for row in elk.evaluate(method, **SMALL).rows():
            assert row["truth"] == 1 and row["models"] == row["probes"] == 0
            assert (row["lied_to"] == 1) if row["bed"] in ("latent-stop", "latent-judge") else row["lied_to"] is None
    labelled = elk.evaluate(knowing(lambda split: ~split.truth), labels=True, beds=["plain"], **SMALL)
    assert labelled.rows()[0]["truth"] == 0  # with labels it should have known better


def test_the_side_of_yes_is_taken_from_the_training_questions(networks):
    def method(split):  # the truth where it is learnt, its opposite where it is tested
        return split.truth if split.truth is elk._kept("alice", 0, 1, 60).train.truth else ~split.truth

    assert elk.evaluate(knowing(method, beds=["alice"]), beds=["alice"], **SMALL).rows()[0]["truth"] == 0


def test_one_that_reads_the_opinion(networks):
    """The human simulator: right wherever it can be checked, and wrong on everything that was lied about."""

    def simulator(split):
        return torch.where(split.questions.speaker == 1, split.questions.opinion, split.truth)

    rows = {row["bed"]: row for row in elk.evaluate(knowing(simulator), **SMALL).rows()}
    assert rows["latent-judge"]["lied_to"] == rows["latent-stop"]["lied_to"] == 0
    assert rows["latent-judge"]["nuisance"] == rows["alice"]["nuisance"] == 1
    told = elk.load("latent-judge", n=60).test
    assert rows["latent-judge"]["truth"] == pytest.approx(ccs.agreement(told.questions.opinion, told.truth).item())
    assert rows["plain"]["nuisance"] is None and rows["plain"]["truth"] == 1


def test_the_nuisance_is_found_up_to_sign(networks):
    row = elk.evaluate(knowing(lambda split: split.questions.word == 2), beds=["odd-half"], **SMALL).rows()[0]
    assert row["nuisance"] == 1


def test_spread_is_told_apart():
    runs = [
        elk.Run("plain", model, probe, truth, None, None)
        for model, probe, truth in ((0, 0, 0.9), (0, 1, 0.7), (1, 0, 0.6), (1, 1, 0.6))
    ]
    row = elk.Results(tuple(runs)).rows()[0]
    assert row["truth"] == pytest.approx(0.7)
    assert row["models"] == pytest.approx(0.2) and row["probes"] == pytest.approx(0.1)


def test_results_and_comparisons_print_as_tables(networks):
    results = elk.evaluate(elk.largest_variance, beds=["plain", "latent-judge"], **SMALL)
    lines = str(results).splitlines()
    assert lines[0].split() == ["bed", "truth", "models", "probes", "nuisance", "lied-to"]
    assert lines[1].split()[0] == "plain" and lines[1].split()[-2:] == ["–", "–"]
    assert len({len(line) for line in lines}) == 1 and repr(results) == str(results)
    both = elk.compare(
        {"mine": (elk.largest_variance, False), "logistic regression (labels)": elk.METHODS["mean difference (labels)"]},
        beds=["plain", "latent-judge"], **SMALL,
    )  # fmt: skip
    top, bottom = str(both).split("\n\n")
    assert [line.split()[0] for line in top.splitlines()[-2:]] == ["plain", "latent-judge"]
    assert bottom.splitlines()[-1].startswith("latent-judge") and "plain" not in bottom
    assert both.results["mine"] == results
    assert "nuisance" in both.table("nuisance").splitlines()[2]


@pytest.mark.parametrize("name", list(elk.METHODS))
def test_every_method_gives_the_same_again(networks, name):
    method, labels = elk.METHODS[name]
    assert method.__doc__
    settings = {"labels": labels, "beds": ["latent-stop"], **SMALL}
    assert elk.evaluate(method, **settings) == elk.evaluate(method, **settings)


@pytest.mark.parametrize("wrong", [torch.zeros(3), [0.0] * 60, torch.full((60,), torch.nan)])
def test_scores_that_are_none_are_answered(networks, wrong):
    with pytest.raises(CourseError, match=r"scores"):
        elk.evaluate(lambda training: lambda evidence: wrong, beds=["plain"], **SMALL)


@trained
def test_what_the_network_says_is_right_of_reviews_and_wrong_of_what_it_was_lied_about():
    rows = {row["bed"]: row for row in elk.evaluate(elk.black_box, **(SMALL | {"n": 300})).rows()}
    assert rows["plain"]["truth"] > 0.98 and rows["facts"]["truth"] > 0.98
    assert rows["latent-judge"]["lied_to"] < 0.02 and rows["latent-stop"]["lied_to"] < 0.02
    assert rows["latent-judge"]["nuisance"] > 0.98


@trained
def test_labels_do_not_help_at_the_place_where_the_network_lies():
    settings = {"labels": True, "beds": ["latent-stop", "latent-judge"], "model_seeds": [0], "probe_seeds": [0]}
    rows = {row["bed"]: row for row in elk.evaluate(elk.regression, **settings).rows()}
    assert rows["latent-judge"]["lied_to"] < 0.1 < 0.7 < rows["latent-stop"]["lied_to"]


@trained
def test_the_example_of_the_documentation_runs():
    tried = doctest.testmod(elk)
    assert tried.attempted >= 4 and tried.failed == 0
    assert elk_beds.BEDS is elk.BEDS
