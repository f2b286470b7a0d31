"""Freezing, ablating and patching against a slow forward pass in which each input can be given by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from course_utils import heads, patching
from course_utils.errors import CourseError
from course_utils.models import Transformer, TransformerConfig
from course_utils.tasks import repeats
from course_utils.tasks.repeats import RepeatTask


def make(seed=0, **changes):
    values = {"d_vocab": 9, "n_ctx": 7, "d_model": 10, "n_heads": 3, "d_head": 4, "n_layers": 2, "init_scale": 2.0}
    return Transformer(TransformerConfig(**{**values, **changes}), seed).double()


def tokens_of(*shape, vocab=9, seed=0):
    return torch.randint(vocab, shape, generator=torch.Generator().manual_seed(seed))


def attend(model, layer, head, q_from, k_from, v_from, pattern=None):
    """One head on one sequence; its three inputs may be three streams, and its pattern may be given: (pattern, z)."""
    Q, K, V = (getattr(model, f"W_{part}")[layer, head].detach().numpy() for part in "QKV")
    if pattern is None:
        scores = (q_from @ Q) @ (k_from @ K).T / np.sqrt(Q.shape[1])
        scores = np.where(np.tri(len(scores), dtype=bool), np.exp(scores), 0)
        pattern = scores / scores.sum(1, keepdims=True)
    return pattern, pattern @ (v_from @ V)


def stream(model, row, change_z=None, patterns=None, upto=None):
    """The stream of one sequence after the layers; ``change_z(layer, head, z)`` may replace what a head carries."""
    x = model.W_E[row].detach().numpy() + model.W_pos[: len(row)].detach().numpy()
    for layer in range(model.cfg.n_layers if upto is None else upto):
        out = 0
        for head in range(model.cfg.n_heads):
            _, z = attend(model, layer, head, x, x, x, None if patterns is None else patterns[head])
            z = z if change_z is None else change_z(layer, head, z)
            out = out + z @ model.W_O[layer, head].detach().numpy()
        x = x + out
    return x


def z_of(model, row, layer, head):
    x = stream(model, row, upto=layer)
    return attend(model, layer, head, x, x, x)[1]


def assert_logits(logits, streams, model):
    np.testing.assert_allclose(logits.detach().numpy(), np.stack(streams) @ model.W_U.detach().numpy(), atol=1e-9)


def test_the_model_and_the_tokens_are_left_as_they_are():
    for model, run in (
        (make(n_layers=1), lambda m, x, y: patching.frozen_logits(m, x, y[:, 0])),
        (make(), lambda m, x, y: patching.ablated_logits(m, x, 1, 2, "resample", y)),
        (make(), lambda m, x, y: patching.path_patched_logits(m, x, y, 1, "k")),
    ):
        given = tokens_of(3, 6, seed=1), tokens_of(3, 6, seed=2)
        before = {name: weight.clone() for name, weight in model.state_dict().items()}
        clean = model(given[0])
        run(model, *given)
        assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
        assert not any(point.functions for point in model.hook_points.values())
        assert torch.equal(model(given[0]), clean)
        assert torch.equal(given[0], tokens_of(3, 6, seed=1)) and torch.equal(given[1], tokens_of(3, 6, seed=2))


@pytest.mark.parametrize("how", patching.ABLATIONS)
@pytest.mark.parametrize(("layer", "head"), [(0, 0), (0, 2), (1, 1)])
def test_ablation_equals_a_slow_forward_pass(how, layer, head):
    model, tokens, others = make(), tokens_of(4, 6, seed=1), tokens_of(4, 6, seed=2)
    logits = patching.ablated_logits(model, tokens, layer, head, how, others)
    elsewhere = [z_of(model, row, layer, head) for row in others]
    wanted = []
    for i, row in enumerate(tokens):
        instead = {"zero": 0 * elsewhere[0], "mean": sum(elsewhere) / 4, "resample": elsewhere[i]}[how]
        change = lambda at, h, z, instead=instead: instead if (at, h) == (layer, head) else z  # noqa: E731
        wanted.append(stream(model, row, change))
    assert_logits(logits, wanted, model)
    assert not torch.allclose(logits, model(tokens))


def test_the_mean_may_be_over_another_number_of_sequences():
    model, tokens, others = make(), tokens_of(2, 6, seed=1), tokens_of(5, 6, seed=2)
    mean = sum(z_of(model, row, 1, 0) for row in others) / 5
    wanted = [stream(model, row, lambda at, h, z: mean if (at, h) == (1, 0) else z) for row in tokens]
    assert_logits(patching.ablated_logits(model, tokens, 1, 0, "mean", others), wanted, model)


@pytest.mark.parametrize("n_heads", [1, 3])
def test_freezing_equals_a_slow_forward_pass(n_heads):
    model, tokens, endings = make(n_layers=1, n_heads=n_heads), tokens_of(3, 6, seed=3), torch.tensor([8, 2, 5, 2])
    logits = patching.frozen_logits(model, tokens, endings)
    wanted = []
    for row in tokens:
        patterns = [0] * n_heads
        for ending in endings:
            x = stream(model, torch.cat([row[:-1], ending[None]]), upto=0)
            for head in range(n_heads):
                patterns[head] = patterns[head] + attend(model, 0, head, x, x, x)[0] / 4
        wanted.append(stream(model, row, patterns=patterns)[-1])
    assert_logits(logits, wanted, model)
    only = patching.frozen_logits(model, tokens[:1], tokens[0, -1:])
    torch.testing.assert_close(only, model(tokens[:1])[:, -1])  # its own ending alone changes nothing


def two_streams(model, row, other, head):
    """The stream that layer 1 reads, and what it is with the head of layer 0 exchanged."""
    elsewhere = z_of(model, other, 0, head)
    changed = stream(model, row, lambda at, h, z: elsewhere if h == head else z, upto=1)
    return stream(model, row, upto=1), changed


@pytest.mark.parametrize("reads", ["q", "k", "v"])
@pytest.mark.parametrize(("n_heads", "head"), [(1, 0), (3, 1)])
def test_path_patching_equals_a_slow_forward_pass_with_two_streams(n_heads, head, reads):
    model, tokens, corrupted = make(n_heads=n_heads), tokens_of(4, 6, seed=4), tokens_of(4, 6, seed=5)
    logits = patching.path_patched_logits(model, tokens, corrupted, head, reads)
    wanted = []
    for row, other in zip(tokens, corrupted, strict=True):
        clean, changed = two_streams(model, row, other, head)
        seen = [changed if name == reads else clean for name in "qkv"]
        outs = [attend(model, 1, h, *seen)[1] @ model.W_O[1, h].detach().numpy() for h in range(n_heads)]
        wanted.append(clean + sum(outs))
    assert_logits(logits, wanted, model)
    assert not torch.allclose(logits, model(tokens))


def test_all_paths_together_are_a_resample_ablation():
    """Queries, keys, values and the direct way: with one-head layers, nothing else reads what head 0.0 writes."""
    model, tokens, corrupted = make(n_heads=1), tokens_of(4, 6, seed=6), tokens_of(4, 6, seed=7)
    wanted = []
    for row, other in zip(tokens, corrupted, strict=True):
        _, changed = two_streams(model, row, other, 0)
        wanted.append(changed + attend(model, 1, 0, changed, changed, changed)[1] @ model.W_O[1, 0].detach().numpy())
    assert_logits(patching.ablated_logits(model, tokens, 0, 0, "resample", corrupted), wanted, model)


def test_values_carry_a_change_on_its_own_and_it_adds_up():
    """Through the values alone everything is linear: the changes of all heads of layer 0 add up."""
    model, tokens, corrupted = make(), tokens_of(4, 6, seed=8), tokens_of(4, 6, seed=9)
    clean = model(tokens)
    apart = sum(patching.path_patched_logits(model, tokens, corrupted, head, "v") - clean for head in range(3))
    together = []
    for row, other in zip(tokens, corrupted, strict=True):
        base = stream(model, row, upto=1)
        elsewhere = [z_of(model, other, 0, head) for head in range(3)]
        changed = stream(model, row, lambda at, h, z, elsewhere=elsewhere: elsewhere[h], upto=1)
        outs = [attend(model, 1, h, base, base, changed)[1] @ model.W_O[1, h].detach().numpy() for h in range(3)]
        together.append(base + sum(outs))
    assert_logits(clean + apart, together, model)


def test_in_the_circuit_by_hand_only_the_keys_matter():
    vocab, n_ctx = 24, 16
    weights = heads.induction_weights(vocab, n_ctx)
    _, d_model, d_head = weights["blocks.0.attn.W_Q"].shape
    model = Transformer(TransformerConfig(vocab, n_ctx, d_model, 1, d_head, n_layers=2))
    model.load_state_dict(weights)
    tokens, source = repeats.draw(RepeatTask(vocab, n_ctx, copy=(3, 7)), 60, seed=1)
    corrupted, _ = repeats.draw(RepeatTask(vocab, n_ctx, copy=(3, 7)), 60, seed=2)
    known = repeats.predictable(source)
    right = tokens.roll(-1, 1)[known]

    def accuracy(reads):
        logits = patching.path_patched_logits(model, tokens, corrupted, 0, reads)
        return float((logits[known].argmax(-1) == right).double().mean())

    assert accuracy("q") == accuracy("v") == 1
    assert accuracy("k") < 0.2


def test_other_words_are_refused_in_a_sentence():
    model, tokens = make(), tokens_of(2, 5)
    with pytest.raises(CourseError, match=r"Unknown ablation 'none': choose one of zero, mean, resample\."):
        patching.ablated_logits(model, tokens, 0, 0, "none", tokens)
    with pytest.raises(CourseError, match="'q', 'k' or 'v', not with 'z'"):
        patching.path_patched_logits(model, tokens, tokens, 0, "z")
