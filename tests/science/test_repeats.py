"""Sequences with copies: every copy has its source, everything that may occur does, and nothing else."""

from __future__ import annotations

import itertools

import pytest
import torch

from course_utils.errors import CourseError
from course_utils.tasks import repeats
from course_utils.tasks.repeats import RepeatTask, draw


def copies_of(source):
    """For one sequence, its copies in order: (place of the copy, place of the span, length)."""
    found, i = [], 0
    while i < len(source):
        if source[i] < 0:
            i += 1
            continue
        begin = i
        while i + 1 < len(source) and source[i + 1] == source[i] + 1:
            i += 1
        found.append((begin, source[begin], i + 1 - begin))
        i += 1
    return found


TASKS = {
    "default": RepeatTask(),
    "short": RepeatTask(vocab=12, length=10, copy=(2, 4)),
    "one token": RepeatTask(vocab=12, length=6, copy=(1, 2)),
    "three copies": RepeatTask(vocab=40, length=20, copy=(2, 4), copies=3),
    "gap": RepeatTask(vocab=40, length=20, copy=(3, 5), gap=(2, 4)),
    "no gap": RepeatTask(vocab=40, length=20, copy=(3, 5), gap=(0, 0)),
    "two languages": RepeatTask(vocab=40, length=18, copy=(2, 5), translation=3),
    "two languages, two copies": RepeatTask(vocab=40, length=18, copy=(2, 5), copies=2, translation=3),
    "uniform": RepeatTask(vocab=7, length=16, copy=(3, 6), filling="uniform"),
    "zipf": RepeatTask(vocab=20, length=16, copy=(3, 6), filling="zipf"),
    "alphabet": RepeatTask(vocab=60, length=16, copy=(3, 6), alphabet=17),
}
every_task = pytest.mark.parametrize("name", TASKS)


@every_task
def test_a_source_holds_the_same_token_or_the_word_for_it(name):
    task = TASKS[name]
    tokens, source = draw(task, 300, seed=1)
    assert tokens.shape == source.shape == (300, task.length)
    copied = source >= 0
    originals = tokens.gather(1, source.clamp(min=0))
    words = (
        originals if task.translation is None else repeats.dictionary(task)[originals.clamp(max=task.vocab // 2 - 1)]
    )
    assert torch.equal(tokens[copied], words[copied])
    assert not copied.gather(1, source.clamp(min=0))[copied].any()  # a source is an original, not a copy itself
    assert tokens[~copied].min() >= 0 and tokens[~copied].max() < task.n_written
    assert tokens.max() < task.vocab
    if task.translation is not None:
        assert tokens[copied].min() >= task.vocab // 2


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.filling == "distinct"])
def test_tokens_differ_but_for_the_copies(name):
    tokens, source = draw(TASKS[name], 300, seed=2)
    for row, origin in zip(tokens.tolist(), source.tolist(), strict=True):
        written = [token for token, s in zip(row, origin, strict=True) if s < 0]
        assert len(set(written)) == len(written)


@every_task
def test_copies_gaps_and_lengths_are_those_asked_for(name):
    task = TASKS[name]
    _, source = draw(task, 300, seed=3)
    for row in source.tolist():
        copies = copies_of(row)
        if task.gap == (0, 0) or len(copies) != task.copies:  # copies without a gap between them follow each other
            assert sum(length for *_, length in copies) == task.copies * copies[0][2]
        else:
            places = [start for start, *_ in copies]
            _, origin, length = copies[0]
            gaps = [b - a - length for a, b in itertools.pairwise([origin, *places])]
            assert len(set(gaps)) == 1 and gaps[0] >= 0
            assert all(copy[1:] == (origin, length) for copy in copies)
            assert task.copy[0] <= length <= task.copy[1]
            if task.gap is not None:
                assert task.gap[0] <= gaps[0] <= task.gap[1]


def test_everything_that_fits_occurs():
    """Spans of 2 to 4 in 10 places: every combination of length, start and gap, and every length equally often."""
    tokens, source = draw(RepeatTask(vocab=12, length=10, copy=(2, 4)), 6000, seed=4)
    seen = {
        (length, origin, start - origin - length) for row in source.tolist() for start, origin, length in copies_of(row)
    }
    fits = {
        (span, start, gap)
        for span in (2, 3, 4)
        for gap in range(10 - 2 * span + 1)
        for start in range(10 - 2 * span - gap + 1)
    }
    assert seen == fits
    counts = (source >= 0).sum(1).bincount(minlength=5)[2:] / 6000
    assert counts.tolist() == pytest.approx([1 / 3] * 3, abs=0.03)
    assert set(tokens.flatten().tolist()) == set(range(12))


def test_predictable_places_are_those_inside_a_copy_but_its_last():
    source = torch.tensor([[-1, -1, -1, 0, 1, 2, -1, 1], [-1, -1, 0, 1, 0, 1, -1, -1]])
    known = repeats.predictable(source)
    assert known.tolist() == [[False] * 3 + [True, True] + [False] * 3, [False, False, True, False, True] + [False] * 3]
    task = RepeatTask()
    tokens, source = draw(task, 200, seed=5)
    known = repeats.predictable(source)
    assert torch.equal(known.sum(1), (source >= 0).sum(1) - 1)
    following = tokens.roll(-1, 1)[known]
    after_source = tokens.gather(1, (source.clamp(min=0) + 1).clamp(max=task.length - 1))[known]
    assert torch.equal(following, after_source)


def test_zipf_is_zipf_and_uniform_is_uniform():
    for filling, wanted in (("uniform", torch.ones(5) / 5), ("zipf", 60 / 137 / torch.arange(1, 6))):
        tokens, source = draw(RepeatTask(vocab=5, length=20, copy=(1, 1), filling=filling), 3000, seed=6)
        shares = tokens[source < 0].bincount(minlength=5) / (source < 0).sum()
        torch.testing.assert_close(shares, wanted, atol=0.01, rtol=0)


@every_task
def test_the_seed_decides(name):
    one, again, other = (draw(TASKS[name], 20, seed=seed) for seed in (7, 7, 8))
    assert torch.equal(one.tokens, again.tokens) and torch.equal(one.source, again.source)
    assert not torch.equal(one.tokens, other.tokens)


def test_the_dictionary_is_one_to_one_and_the_translation_s_own():
    one, same, other = (repeats.dictionary(RepeatTask(vocab=64, length=20, translation=seed)) for seed in (1, 1, 2))
    assert sorted(one.tolist()) == list(range(32, 64))
    assert torch.equal(one, same) and not torch.equal(one, other)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"filling": "normal"}, "Unknown filling 'normal': choose one of distinct, uniform, zipf"),
        ({"copy": (5, 4)}, "from the shortest to the longest"),
        ({"copy": (0, 4)}, "from 1 up"),
        ({"copy": (4, 20)}, "need 40 tokens; sequences have 32"),
        ({"copies": 4}, "need 50 tokens"),
        ({"gap": (20, 25)}, "need 40 tokens"),
        ({"vocab": 20}, "32 places cannot be filled with 20 distinct tokens"),
        ({"alphabet": 31}, "cannot be filled with 31 distinct tokens"),
        ({"vocab": 62, "translation": 1}, "cannot be filled with 31 distinct tokens"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(values, words):
    with pytest.raises(CourseError, match=words):
        RepeatTask(**values)


@pytest.mark.parametrize(
    "wrong",
    [
        {"copies": 0},
        {"gap": (3, 1)},
        {"gap": (-1, 2)},
        {"alphabet": 65},
        {"alphabet": 0},
        {"alphabet": 33, "translation": 1},
    ],
)
def test_settings_that_cannot_be_are_refused_in_a_sentence(wrong):
    with pytest.raises(CourseError, match=r"\w \w"):
        RepeatTask(**{"filling": "uniform", **wrong})
