"""Skip trigrams: the answer is there exactly once, and in phrases neither word alone says which it is."""

from __future__ import annotations

import pytest
import torch

from course_utils.tasks.skip_trigrams import LargestTask, PhraseTask, confusion, largest, noun, phrases

NUMBERS = LargestTask(small=7, large=5, length=6)
PHRASES = PhraseTask(verbs=9, offsets=(0, 2, 3), fillers=4, length=6)


@pytest.mark.parametrize("task", [LargestTask(), NUMBERS, LargestTask(small=3, large=1, length=1)])
def test_exactly_one_number_is_large_and_it_is_the_answer(task):
    tokens, answers = largest(task, 500, seed=1)
    assert tokens.shape == (500, task.length + 2) and answers.shape == (500,)
    assert (tokens[:, 0] == task.start).all() and (tokens[:, -1] == task.end).all()
    numbers = tokens[:, 1:-1]
    is_large = numbers >= task.small
    assert (is_large.sum(1) == 1).all()
    assert torch.equal(numbers[is_large], answers)
    assert numbers.min() >= 0 and numbers.max() < task.start
    assert {task.start, task.end} == {task.vocab - 2, task.vocab - 1}


def test_large_numbers_of_all_kinds_stand_everywhere():
    tokens, answers = largest(NUMBERS, 3000, seed=2)
    at = (tokens[:, 1:-1] >= 7).int().argmax(1)
    assert set(zip(at.tolist(), answers.tolist(), strict=True)) == {(i, 7 + j) for i in range(6) for j in range(5)}
    assert set(tokens.flatten().tolist()) == set(range(NUMBERS.vocab))


@pytest.mark.parametrize("task", [PhraseTask(), PHRASES])
def test_a_phrase_has_one_verb_fillers_and_a_preposition_at_its_end(task):
    tokens, answers = phrases(task, 500, seed=3)
    first_filler = 2 * task.verbs + len(task.offsets)
    is_verb = tokens < task.verbs
    assert (is_verb.sum(1) == 1).all() and not is_verb[:, -1].any()
    assert not ((tokens >= task.verbs) & (tokens < 2 * task.verbs)).any()  # the noun is nowhere to be seen
    assert (tokens[:, -1] >= 2 * task.verbs).all() and (tokens[:, -1] < first_filler).all()
    assert (tokens[:, :-1][~is_verb[:, :-1]] >= first_filler).all() and tokens.max() < task.vocab
    assert (answers >= task.verbs).all() and (answers < 2 * task.verbs).all()
    preposition = tokens[:, -1] - 2 * task.verbs
    for verb, q, answer in zip(tokens[is_verb].tolist(), preposition.tolist(), answers.tolist(), strict=True):
        assert answer == task.verbs + (verb + task.offsets[q]) % task.verbs


def test_every_verb_stands_everywhere_with_every_preposition():
    tokens, _ = phrases(PHRASES, 6000, seed=4)
    at = (tokens < 9).int().argmax(1)
    verbs = tokens.gather(1, at[:, None])[:, 0]
    seen = set(zip(at.tolist(), verbs.tolist(), tokens[:, -1].tolist(), strict=True))
    assert seen == {(i, v, 18 + q) for i in range(5) for v in range(9) for q in range(3)}


@pytest.mark.parametrize("task", [PhraseTask(), PHRASES])
def test_nouns_form_a_latin_square(task):
    """With a verb each preposition has another noun, and with a preposition each verb has another one."""
    n, k = task.verbs, len(task.offsets)
    table = noun(task, torch.arange(n)[:, None].expand(n, k), torch.arange(k).expand(n, k))
    assert all(sorted(column) == list(range(n)) for column in table.T.tolist())
    assert all(len(set(row)) == k for row in table.tolist())


def test_confusion_equals_a_loop():
    drawn = phrases(PHRASES, 200, seed=7)
    logits = torch.randn(200, PHRASES.vocab, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    given = [[[] for _ in range(3)] for _ in range(3)]
    for row, scores in zip(drawn.tokens.tolist(), logits, strict=True):
        verb = next(token for token in row if token < 9)
        shares = scores.exp() / scores.exp().sum()
        for q, offset in enumerate(PHRASES.offsets):
            given[row[-1] - 18][q].append(float(shares[9 + (verb + offset) % 9]))
    wanted = torch.tensor([[sum(shares) / len(shares) for shares in row] for row in given], dtype=torch.float64)
    torch.testing.assert_close(confusion(logits, drawn, PHRASES), wanted)


def test_knowing_the_answers_confuses_nothing():
    drawn = phrases(PHRASES, 200, seed=8)
    sure = 100 * torch.nn.functional.one_hot(drawn.answers, PHRASES.vocab).double()
    torch.testing.assert_close(confusion(sure, drawn, PHRASES), torch.eye(3, dtype=torch.float64))


@pytest.mark.parametrize(("make", "task"), [(largest, NUMBERS), (phrases, PHRASES)])
def test_the_seed_decides(make, task):
    one, again, other = (make(task, 30, seed=seed) for seed in (5, 5, 6))
    assert torch.equal(one.tokens, again.tokens) and torch.equal(one.answers, again.answers)
    assert not torch.equal(one.tokens, other.tokens)
