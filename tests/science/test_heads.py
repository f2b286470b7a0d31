"""Scores of heads against loops, and the two heads built by hand in the course's own transformer."""

from __future__ import annotations

import math

import pytest
import torch

from course_utils import heads
from course_utils.errors import CourseError
from course_utils.models import Transformer, TransformerConfig
from course_utils.tasks import repeats
from course_utils.tasks.repeats import RepeatTask


def random_tokens(*shape, vocab, seed=0):
    return torch.randint(vocab, shape, generator=torch.Generator().manual_seed(seed))


def random_patterns(tokens, seed=0):
    """The attention of a random network whose heads are far from uniform: (batch, head, query, key)."""
    cfg = TransformerConfig(d_vocab=9, n_ctx=20, d_model=12, n_heads=3, d_head=5, init_scale=3.0)
    name = "blocks.0.attn.hook_pattern"
    return Transformer(cfg, seed).double().run_with_cache(tokens, names=name)[1][name]


def by_hand(vocab, n_ctx):
    """The hand-written weights in the course's transformer: the names and shapes fit, none is left over."""
    weights = heads.induction_weights(vocab, n_ctx)
    _, d_model, d_head = weights["blocks.0.attn.W_Q"].shape
    model = Transformer(TransformerConfig(vocab, n_ctx, d_model, n_heads=1, d_head=d_head, n_layers=2))
    model.load_state_dict(weights)
    return model


@pytest.mark.parametrize(("shape", "vocab"), [((4, 15), 6), ((3, 30), 2), ((5, 1), 3), ((2, 12), 40)])
def test_induction_targets_equal_a_search(shape, vocab):
    tokens = random_tokens(*shape, vocab=vocab, seed=vocab)
    for row, found in zip(tokens.tolist(), heads.induction_targets(tokens).tolist(), strict=True):
        last = {}
        for i, token in enumerate(row):
            assert found[i] == last.get(token, -2) + 1
            last[token] = i


def test_head_scores_equal_a_loop_on_a_random_network():
    tokens = random_tokens(6, 14, vocab=9, seed=1)
    pattern, targets = random_patterns(tokens), heads.induction_targets(tokens)
    scores = heads.head_scores(pattern, targets)
    for head in range(3):
        previous = [pattern[b, head, i, i - 1] for b in range(6) for i in range(1, 14)]
        prefix = [pattern[b, head, i, t] for b in range(6) for i, t in enumerate(targets[b].tolist()) if t >= 0]
        assert scores.previous[head] == pytest.approx(float(sum(previous)) / len(previous))
        assert scores.prefix[head] == pytest.approx(float(sum(prefix)) / len(prefix))
    assert scores.previous.std() > 0.01 and scores.prefix.std() > 0.01  # heads and scores are told apart


def test_without_a_target_the_prefix_score_is_nan():
    tokens = torch.arange(9)[None]
    scores = heads.head_scores(random_patterns(tokens), heads.induction_targets(tokens))
    assert scores.prefix.isnan().all() and scores.previous.isfinite().all()


@pytest.mark.parametrize(("vocab", "n_ctx"), [(16, 12), (40, 33), (64, 32)])
def test_weights_by_hand_look_back_and_continue_every_copy(vocab, n_ctx):
    task = RepeatTask(vocab=vocab, length=n_ctx, copy=(2, n_ctx // 2))
    tokens, source = repeats.draw(task, 200, seed=n_ctx)
    logits, cache = by_hand(vocab, n_ctx).run_with_cache(tokens)
    targets = heads.induction_targets(tokens)
    first, second = (cache[f"blocks.{layer}.attn.hook_pattern"] for layer in (0, 1))
    assert heads.head_scores(first, targets).previous > 0.9999
    assert heads.head_scores(second, targets).prefix > 0.9999
    known = repeats.predictable(source)
    assert (targets[known] == source[known] + 1).all()
    assert (logits[known].argmax(-1) == tokens.roll(-1, 1)[known]).all()
    assert known.sum() > 200


def test_weights_by_hand_continue_a_second_copy_too():
    task = RepeatTask(vocab=40, length=24, copy=(3, 6), copies=2)
    tokens, source = repeats.draw(task, 100, seed=5)
    known = repeats.predictable(source)
    logits = by_hand(40, 24)(tokens)
    assert (logits[known].argmax(-1) == tokens.roll(-1, 1)[known]).all()


def test_copying_score_equals_a_loop_and_ignores_size_and_level():
    ov = torch.randn(8, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64) + torch.eye(8)
    total = 0.0
    for t, row in enumerate(ov.tolist()):
        raised = [max(0.0, x - sum(row) / 8) for x in row]
        total += 2 * raised[t] / sum(raised) - 1
    assert heads.copying_score(ov) == pytest.approx(total / 8)
    assert heads.copying_score(1e-3 * ov + torch.arange(8.0)[:, None]) == pytest.approx(total / 8)
    assert heads.copying_score(torch.eye(5)) == pytest.approx(1)
    assert heads.copying_score(-torch.eye(5)) == pytest.approx(-1)
    assert heads.copying_score(torch.zeros(3, 3)) == -1


def test_the_second_head_by_hand_copies_and_the_first_does_not():
    weights = heads.induction_weights(10, 7)
    embedding, unembedding = weights["embed.W_E"], weights["unembed.W_U"]
    first, second = (
        embedding @ weights[f"blocks.{i}.attn.W_V"][0] @ weights[f"blocks.{i}.attn.W_O"][0] @ unembedding
        for i in (0, 1)
    )
    assert heads.copying_score(second) == pytest.approx(1)
    assert heads.copying_score(first) == -1  # what it carries does not reach the logits directly


def test_in_context_score_is_a_difference_of_losses():
    logits = torch.randn(5, 8, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    tokens = random_tokens(5, 8, vocab=6, seed=2)

    def loss(place):
        log_p = (logits[:, place - 1].exp() / logits[:, place - 1].exp().sum(1, keepdim=True)).log()
        return -sum(float(log_p[b, tokens[b, place]]) for b in range(5)) / 5

    assert heads.in_context_score(logits, tokens, 2, 7) == pytest.approx(loss(7) - loss(2))
    assert heads.in_context_score(logits, tokens, 7, 2) == pytest.approx(loss(2) - loss(7))
    assert heads.in_context_score(logits + 100, tokens, 1, 3) == pytest.approx(loss(3) - loss(1))
    assert heads.in_context_score(torch.zeros(5, 8, 6), tokens, 1, 5) == 0


def test_a_network_that_copies_has_a_negative_in_context_score():
    task = RepeatTask(vocab=30, length=12, copy=(6, 6))
    tokens, _ = repeats.draw(task, 50, seed=1)
    logits = by_hand(30, 12)(tokens)
    assert heads.in_context_score(logits, tokens, 1, 9) < -math.log(30)


def test_formed_at_is_the_first_step_on_the_level():
    g = torch.Generator().manual_seed(0)
    for _ in range(50):
        scores = torch.rand(12, generator=g, dtype=torch.float64)
        scores[-1] = scores[0] + 0.3
        steps = torch.randint(1, 90, (12,), generator=g).cumsum(0).tolist()
        found = [heads.formed_at(steps, scores.tolist(), f) for f in (0.0, 0.3, 0.6, 0.9)]
        for step, fraction in zip(found, (0.0, 0.3, 0.6, 0.9), strict=True):
            gained = (scores - scores[0]) / 0.3
            i = steps.index(step)
            assert gained[i] >= fraction - 1e-9 and (gained[:i] < fraction + 1e-9).all()
        assert found == sorted(found) and found[0] == steps[0]


@pytest.mark.parametrize("scores", [[0.5, 0.9, 0.5], [0.5, 0.4], [0.0]])
def test_a_score_that_does_not_rise_has_formed_nothing(scores):
    with pytest.raises(CourseError, match="nothing has formed"):
        heads.formed_at(list(range(len(scores))), scores, 0.5)


def test_smeared_keys_equal_a_loop():
    k = torch.randn(2, 6, 3, 4, generator=torch.Generator().manual_seed(1))
    gate = torch.tensor([0.0, 0.25, 1.0])
    smeared = heads.smear_keys(k, gate)
    for i in range(6):
        for head, g in enumerate(gate.tolist()):
            wanted = (1 - g) * k[:, i, head] + g * k[:, max(i - 1, 0), head]
            torch.testing.assert_close(smeared[:, i, head], wanted)
    assert torch.equal(smeared[:, :, 0], k[:, :, 0])
    assert torch.equal(smeared[:, 1:, 2], k[:, :-1, 2])
    assert heads.smear_keys(k[:, :1], gate).allclose(k[:, :1])
