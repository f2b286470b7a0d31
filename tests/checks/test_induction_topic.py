"""The induction checks: weights are judged by what they do, and a failure says what a network does wrong.

That the references and alternatives pass and the mistakes are recognised is tested for every topic in `test_topics.py`.
"""

from __future__ import annotations

import pytest
import torch

from course_utils import checks, circuits, heads, patching
from course_utils.checks import selftest
from course_utils.checks.framework import all_checks, run
from course_utils.checks.induction import constructions
from course_utils.checks.mutation import built, mutants
from course_utils.checks.outcome import Outcome
from course_utils.errors import CourseError
from course_utils.tasks import repeats

TOPIC = checks.induction
CHECKS = all_checks(TOPIC)
LIBRARY = {"virtual_qk": circuits, "composition_scores": circuits, "path_patched_logits": patching}
every_check = pytest.mark.parametrize("test", CHECKS.values(), ids=CHECKS.keys())


def test_there_is_one_check_for_each_exercise_in_the_order_of_the_chapter():
    names = (
        "induction_targets head_scores induction_weights copying_score virtual_qk composition_scores",
        "path_patched_logits in_context_score formed_at smear_keys",
    )
    names = [name for line in names for name in line.split()]
    assert list(CHECKS) == [f"test_{name}" for name in names]
    assert "induction" in checks.topics()
    for name in names:
        spec = CHECKS[f"test_{name}"].spec
        assert spec.name == f"induction.test_{name}"  # as the progress store and the manifest call it
        assert spec.reference is getattr(LIBRARY.get(name, heads), name)


@every_check
def test_catalogue_is_rich_and_its_entries_have_names_and_sentences_of_their_own(test):
    mistakes = test.spec.mistakes
    assert len(mistakes) >= 8
    assert len(test.spec.alternatives) >= 3
    assert len({m.name for m in mistakes}) == len({m.sentence for m in mistakes}) == len(mistakes)


@pytest.mark.slow
def test_all_mutants_are_rejected():
    scores = selftest.mutation_scores(TOPIC)
    total = selftest.total_score(scores)
    print(selftest.as_table(scores))
    assert total.problems == []
    assert total.survivors == []
    assert sum(map(len, TOPIC.EQUIVALENT_MUTANTS.values())) <= 0.1 * total.available


def share_continued(weights, vocab, n_ctx, seed):
    """By the library's own forward pass, on the chapter's own task: the share of predictable places answered rightly."""
    longest = n_ctx // 2
    shortest = max(2, n_ctx - vocab)
    task = repeats.RepeatTask(vocab, n_ctx, (shortest, longest), filling="uniform")
    right = asked = 0
    for row, source in zip(*distinct(task, seed), strict=True):
        known = repeats.predictable(source[None])[0]
        answers = circuits.transformer(row, weights).argmax(-1)[:-1]
        right += int((answers == row[1:])[known[:-1]].sum())
        asked += int(known.sum())
    return right / asked


def distinct(task, seed):
    """Sequences of the task with a renaming by which all tokens differ but for the copies."""
    tokens, source = repeats.draw(task, 15, seed)
    g = torch.Generator().manual_seed(seed)
    for row, origin in zip(tokens, source, strict=True):
        order = torch.randperm(task.vocab, generator=g)
        new = (origin < 0).long().cumsum(0) - 1
        row[:] = order[torch.where(origin < 0, new, new[origin.clamp(min=0)])]
    return tokens, source


OTHER_RIGHT_WEIGHTS = TOPIC.OTHER_RIGHT_MUTANTS["test_induction_weights"]


@pytest.mark.parametrize("description", OTHER_RIGHT_WEIGHTS)
def test_other_right_weights_do_what_is_asked_in_sizes_that_the_check_does_not_use(description):
    mutant = next(m for m in mutants(heads.induction_weights) if m.description == description)
    changed = built(mutant, heads.induction_weights)
    for vocab, n_ctx in ((7, 5), (14, 18), (50, 32)):
        assert share_continued(changed(vocab, n_ctx), vocab, n_ctx, seed=n_ctx) == 1
    assert OTHER_RIGHT_WEIGHTS[description]


def test_weights_may_be_of_any_size_and_precision():
    test = CHECKS["test_induction_weights"]

    def padded(vocab, n_ctx):
        """Five more axes of the stream and three more of the heads, full of noise that nobody reads."""
        new = {}
        for name, w in heads.induction_weights(vocab, n_ctx).items():
            matrix = name.rsplit(".", 1)[-1]
            rows = {"W_U": 5, "W_O": 3}.get(matrix, 5 if w.ndim == 3 else 0)
            columns = {"W_U": 0, "W_E": 5, "W_pos": 5, "W_O": 5}.get(matrix, 3)
            wide = torch.zeros(*w.shape[:-2], w.shape[-2] + rows, w.shape[-1] + columns)
            wide[..., : w.shape[-2], : w.shape[-1]] = w
            new[name] = wide
        new["embed.W_E"][:, -5:] = torch.randn(vocab, 5)
        new["pos_embed.W_pos"][:, -5:] = torch.randn(n_ctx, 5)
        return new

    def smaller(vocab, n_ctx):
        return {name: w.half() for name, w in heads.induction_weights(vocab, n_ctx).items()}

    for answer in (padded, smaller):
        assert run(test, answer).outcome is Outcome.PASSED


def in_other_hands(change=None, **options):
    """A construction that equals none of the catalogue: its scores differ by 25."""

    def answer(vocab, n_ctx):
        weights = constructions.in_rooms(vocab, n_ctx, **{"lead": 25, **options})
        if change is not None:
            change(weights, vocab, n_ctx)
        return weights

    return answer


def rename(weights, vocab, n_ctx):
    weights["blocks.1.attn.W_q"] = weights.pop("blocks.1.attn.W_Q")


def two_d_heads(weights, vocab, n_ctx):
    for part in "QKV":
        weights[f"blocks.1.attn.W_{part}"] = weights[f"blocks.1.attn.W_{part}"][..., : vocab + 1]


def read_what_head_0_wrote(weights, vocab, n_ctx):
    weights["unembed.W_U"][vocab + n_ctx :] = 50 * torch.eye(vocab)


def tokens_in_the_places(weights, vocab, n_ctx):
    weights["blocks.0.attn.W_K"][0, :vocab, 0] = torch.arange(vocab)


FAILURES = {
    "no scale": (in_other_hands(scaled=False), "√d_head"),
    "not sharp": (in_other_hands(lead=3), "not by enough"),
    "own place": (in_other_hands(offset=0), "its own place"),
    "next place": (in_other_hands(offset=-1), "spreads its attention evenly"),
    "two back": (in_other_hands(offset=2), "2 places back"),
    "no places": (in_other_hands(constructions.forget_places), "spreads its attention evenly"),
    "depends on tokens": (in_other_hands(tokens_in_the_places), "depends on the tokens"),
    "first place matches": (in_other_hands(avoid=0), "Place 0 matches as well"),
    "first place attracts": (in_other_hands(avoid=-2), "looks at place 0, whatever"),
    "token itself": (in_other_hands(matched="token"), "finds the query's token itself"),
    "rooms exchanged": (in_other_hands(asks="before", matched="token"), "looks at the place before the query"),
    "nothing written": (in_other_hands(constructions.silence_head_0), "its queries match no key"),
    "own token as loud": (in_other_hands(loud=1), "own token is as loud as the copied one"),
    "own token louder": (in_other_hands(loud=0.5), "own token is as loud as the copied one"),
    "copies the token before": (in_other_hands(copied="before"), "to be the token *of* that place"),
    "lowers": (in_other_hands(loud=-2), "*lowers*"),
    "unembeds the token before": (in_other_hands(read_what_head_0_wrote), "W_U reads what head 0 has written"),
    "layers exchanged": (in_other_hands(constructions.exchange_layers), "are the two layers exchanged"),
    "matrices": (in_other_hands(constructions.drop_head_axis), "The first axis is for heads"),
    "W_O transposed": (in_other_hands(constructions.transpose("W_O")), "d_head is"),
    "two d_head": (in_other_hands(two_d_heads), "d_head is"),
    "name": (in_other_hands(rename), "as TransformerLens names them"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_construction_of_the_learners_own_is_told_what_its_network_does(name):
    answer, words = FAILURES[name]
    report = run(CHECKS["test_induction_weights"], answer)
    assert report.outcome is Outcome.FAILED
    assert report.mistake == ""
    assert report.error is None
    assert words in report.finding.why
    assert "vocab = " in report.finding.what


@pytest.mark.parametrize("name", ["embed.W_E", "blocks.0.attn.W_Q", "unembed.W_U"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "W", [[0.5]]])
def test_weights_that_are_no_numbers_are_refused_in_words(name, value):
    def answer(vocab, n_ctx):
        weights = heads.induction_weights(vocab, n_ctx)
        return {**weights, name: value if not isinstance(value, float) else weights[name] * value}

    report = run(CHECKS["test_induction_weights"], answer)
    assert report.outcome is Outcome.FAILED
    assert report.error is None
    assert name in report.finding.what


def shift_last_token(part, axis):
    """The last token's axis is confused with that of the one before, where a network has all 64."""

    def change(weights, vocab, n_ctx):
        if vocab == 64:
            room = weights[part].movedim(axis, 0)
            room[vocab - 1] = room[vocab - 2]

    return change


@pytest.mark.parametrize(
    ("part", "axis"),
    [
        ("embed.W_E", 0),
        ("unembed.W_U", 1),
        ("blocks.0.attn.W_V", 1),
        ("blocks.1.attn.W_K", 2),
        ("blocks.1.attn.W_O", 1),
    ],
)
def test_one_broken_token_of_the_chapters_vocabulary_is_noticed(part, axis):
    answer = in_other_hands(shift_last_token(part, axis))
    report = run(CHECKS["test_induction_weights"], answer)
    assert report.outcome is Outcome.FAILED
    assert "vocab = 64, n_ctx = 32" in report.finding.what


@pytest.mark.parametrize(("lead", "n_ctx"), [(8, 32), (9, 256), (10, 256)])
def test_attention_is_sharp_enough_for_contexts_long_and_short(lead, n_ctx):
    """A lead of 8 leaves 31 rivals more than a hundredth of the attention, a lead of 10 leaves 255 rivals more."""
    report = run(CHECKS["test_induction_weights"], in_other_hands(lead=lead))
    assert report.outcome is Outcome.FAILED
    assert f"n_ctx = {n_ctx}" in report.finding.what
    assert "not by enough" in report.finding.why


def test_a_lead_of_11_is_enough():
    assert run(CHECKS["test_induction_weights"], in_other_hands(lead=11)).outcome is Outcome.PASSED


def test_two_scores_stacked_in_one_tensor_count_as_a_pair():
    """Both ways `a, b = head_scores(…)` works."""
    stacked = run(CHECKS["test_head_scores"], lambda *given: torch.stack(tuple(heads.head_scores(*given))))
    assert stacked.outcome is Outcome.PASSED


def _first_at(steps, scores, level, over=float.__ge__):
    return next(i for i, score in enumerate(scores) if over(float(score), float(level)))


@pytest.mark.parametrize(
    ("mistake", "wrong"),
    [
        ("position in place of step", lambda t, y, f: _first_at(t, y, y[0] + f * (y[-1] - y[0]))),
        ("more than the fraction", lambda t, y, f: t[_first_at(t, y, y[0] + f * (y[-1] - y[0]), float.__gt__)]),
        ("way to the highest value", lambda t, y, f: t[_first_at(t, y, y[0] + f * (max(y) - y[0]))]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_moment_is_recognised_where_the_refusal_is_right(mistake, wrong):
    def answer(steps, scores, fraction):
        if scores[-1] <= scores[0]:
            raise ValueError("Words of one's own.")
        return wrong(steps, scores, fraction)

    assert run(CHECKS["test_formed_at"], answer).mistake == mistake


def test_every_token_and_nearly_every_place_is_asked_for_at_the_chapters_size():
    continued, found = set(), set()
    for batch in TOPIC.behaviour.batches(*TOPIC.weights.SIZES[-1]):
        for row, source in zip(batch.rows, batch.source, strict=True):
            inside = [i for i in range(len(row) - 1) if source[i] >= 0 and source[i + 1] == source[i] + 1]
            continued |= {row[i] for i in inside}
            found |= {source[i] + 1 for i in inside}
    assert continued == set(range(64))
    assert len(found) > 20


@pytest.mark.parametrize("modulus", [64, 100, 113, 128, 256, 1000, 1024, 4096, 50_257, 65_536])
def test_tokens_are_told_apart_however_large_they_are(modulus):
    report = run(CHECKS["test_induction_targets"], lambda tokens: heads.induction_targets(tokens % modulus))
    assert report.outcome is Outcome.FAILED


@pytest.mark.parametrize("longest", [64, 128, 256])
def test_sequences_may_be_longer_than_the_vocabulary(longest):
    def answer(tokens):
        return heads.induction_targets(tokens).clamp(max=longest)

    assert run(CHECKS["test_induction_targets"], answer).outcome is Outcome.FAILED


def left_hook(model, tokens, corrupted, head, reads):
    logits = patching.path_patched_logits(model, tokens, corrupted, head, reads)
    model.blocks[0].register_forward_hook(lambda module, args, out: out)
    return logits


def written_on(model, tokens, corrupted, head, reads):
    logits = patching.path_patched_logits(model, tokens, corrupted, head, reads)
    model.blocks[1].attn.W_K.data += 0.001
    return logits


@pytest.mark.parametrize("answer", [left_hook, written_on])
def test_a_model_left_changed_is_noticed(answer):
    report = run(CHECKS["test_path_patched_logits"], answer)
    assert report.outcome is Outcome.FAILED
    assert report.mistake == "model left changed"


@pytest.mark.parametrize(
    "error",
    [
        CourseError("Nothing has formed."),
        ValueError("It falls."),
        *(ValueError, ValueError(""), ValueError(" "), CourseError),
        *(IndexError, ZeroDivisionError, RuntimeError("It falls.")),
    ],
    ids=repr,
)
def test_a_score_that_does_not_rise_is_to_be_refused_in_words(error):
    def answer(steps, scores, fraction):
        if scores[-1] <= scores[0]:
            raise error
        return heads.formed_at(steps, scores, fraction)

    meant = isinstance(error, (CourseError, ValueError)) and str(error).strip()
    report = run(CHECKS["test_formed_at"], answer)
    assert report.outcome is (Outcome.PASSED if meant else Outcome.FAILED)
    if not meant:
        assert "ValueError" in report.finding.expected
        assert (report.mistake == "error without a sentence") is (error is ValueError or type(error) is ValueError)


def test_the_first_example_learnt_by_heart_is_not_enough():
    """Right for the small example that the report prints in full, wrong for all else."""
    for name, small in (("induction_targets", (1, 8)), ("smear_keys", (1, 4, 3, 2)), ("head_scores", (1, 2, 5, 5))):
        right = getattr(heads, name)

        def answer(first, *rest, right=right, small=small):
            result = right(first, *rest)
            if tuple(first.shape) == small:
                return result
            return tuple(x * 0 for x in result) if isinstance(result, tuple) else result * 0

        assert run(CHECKS[f"test_{name}"], answer).outcome is Outcome.FAILED
