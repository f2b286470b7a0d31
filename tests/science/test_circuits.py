"""Circuits against slow computations and against the course's transformer, with and without MLPs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from course_utils import circuits, heads
from course_utils.models import Transformer, TransformerConfig


def make(seed=0, **changes):
    values = {"d_vocab": 11, "n_ctx": 7, "d_model": 10, "n_heads": 3, "d_head": 4, "n_layers": 2, "init_scale": 2.0}
    return Transformer(TransformerConfig(**{**values, **changes}), seed).double()


def weights_of(model):
    return {name: weight.detach() for name, weight in model.named_parameters()}


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def random_head(d_model=8, d_head=3, seed=0):
    W_Q, W_K, W_V = (normal(d_model, d_head, seed=seed + i) for i in range(3))
    return W_Q, W_K, W_V, normal(d_head, d_model, seed=seed + 3)


SHAPES = {"attention only": {}, "MLPs": {"d_mlp": 9}, "one head": {"n_heads": 1}, "three layers": {"n_layers": 3}}
every_shape = pytest.mark.parametrize("shape", SHAPES)
TOKENS = torch.tensor([[3, 1, 10, 0, 3], [7, 7, 2, 9, 4], [5, 0, 0, 8, 6]])


def test_attention_head_equals_a_loop():
    x, (W_Q, W_K, W_V, W_O) = normal(6, 8, seed=9), random_head()
    head = circuits.attention_head(x, W_Q, W_K, W_V, W_O)
    for i in range(6):
        scores = [float((x[i] @ W_Q) @ (x[j] @ W_K)) / math.sqrt(3) for j in range(i + 1)]
        shares = [math.exp(s - max(scores)) for s in scores]
        shares = [share / sum(shares) for share in shares]
        assert head.pattern[i].tolist() == pytest.approx([*shares, *[0.0] * (5 - i)])
        wanted = sum(share * (x[j] @ W_V @ W_O) for j, share in enumerate(shares))
        torch.testing.assert_close(head.out[i], wanted)


@every_shape
def test_transformer_equals_the_model(shape):
    model = make(**SHAPES[shape])
    for row, logits in zip(TOKENS, model(TOKENS), strict=True):
        torch.testing.assert_close(circuits.transformer(row, weights_of(model)), logits)


@every_shape
def test_the_parts_of_the_stream_add_up_to_it(shape):
    model = make(**SHAPES[shape])
    names, parts = circuits.stream_parts(model, TOKENS)
    cfg = model.cfg
    heads_ = [f"head {layer}.{head}" for layer in range(cfg.n_layers) for head in range(cfg.n_heads)]
    mlps = [f"MLP {layer}" for layer in range(cfg.n_layers)] if cfg.d_mlp else []
    assert sorted(names) == sorted(["token", "position", *heads_, *mlps])
    assert parts.shape == (len(names), 3, 5, 10) and not parts.requires_grad
    final = f"blocks.{cfg.n_layers - 1}.hook_resid_post"
    torch.testing.assert_close(parts.sum(0), model.run_with_cache(TOKENS, names=final)[1][final])
    torch.testing.assert_close(parts[names.index("token")], model.W_E[TOKENS].detach())


@every_shape
def test_attributions_add_up_to_the_logit_minus_the_mean_logit(shape):
    model = make(**SHAPES[shape])
    _, parts = circuits.stream_parts(model, TOKENS)
    logits = model(TOKENS)[:, -1].detach()
    answers = torch.tensor([4, 10, 0])
    shares = circuits.logit_attribution(parts[:, :, -1], model.W_U.detach(), answers)
    assert shares.shape == (len(parts), 3)
    torch.testing.assert_close(shares.sum(0), logits[torch.arange(3), answers] - logits.mean(1))
    for part, row in zip(parts[:, :, -1], shares, strict=True):  # and each part by itself
        said = part @ model.W_U.detach()
        torch.testing.assert_close(row, said[torch.arange(3), answers] - said.mean(1))


def test_qk_circuit_gives_the_scores_of_the_model():
    model = make()
    _, cache = model.run_with_cache(TOKENS)
    for layer in (0, 1):
        stream, scores = cache[f"blocks.{layer}.hook_resid_pre"], cache[f"blocks.{layer}.attn.hook_attn_scores"]
        for b in range(3):
            for h in range(3):
                found = circuits.qk_circuit(stream[b], stream[b], model.W_Q[layer, h], model.W_K[layer, h])
                seen = torch.ones(5, 5, dtype=torch.bool).tril()
                torch.testing.assert_close(found[seen].detach(), scores[b, h][seen])


def test_ov_circuit_is_what_a_head_adds_where_it_looks_at_one_place():
    model = make()
    _, cache = model.run_with_cache(TOKENS)
    stream = cache["blocks.0.hook_resid_pre"][:, 0]  # the first place sees only itself
    for h in range(3):
        said = cache["blocks.0.attn.hook_z"][:, 0, h] @ model.W_O[0, h] @ model.W_U
        torch.testing.assert_close(circuits.ov_circuit(stream, model.W_V[0, h], model.W_O[0, h], model.W_U), said)


def test_a_one_layer_network_without_places_is_three_tables():
    model = make(n_heads=1, n_layers=1)
    with torch.no_grad():
        model.W_pos.zero_()
    logits = model(TOKENS)[:, -1]
    ov = circuits.ov_circuit(model.W_E, model.W_V[0, 0], model.W_O[0, 0], model.W_U)
    scores = circuits.qk_circuit(model.W_E, model.W_E, model.W_Q[0, 0], model.W_K[0, 0])
    for row, wanted in zip(TOKENS, logits, strict=True):
        direct = model.W_E[row[-1]] @ model.W_U
        torch.testing.assert_close(circuits.answer_from_tables(row, scores[row[-1]], ov, direct), wanted)


def test_eigenvalue_score():
    matrix = normal(7, 7, seed=4) + torch.eye(7)
    values = np.linalg.eigvals(matrix.numpy())
    assert circuits.eigenvalue_score(matrix) == pytest.approx(values.sum().real / np.abs(values).sum())
    assert circuits.eigenvalue_score(torch.eye(4)) == pytest.approx(1)
    assert circuits.eigenvalue_score(-3 * torch.eye(4)) == pytest.approx(-1)
    assert circuits.eigenvalue_score(torch.tensor([[0.0, -1.0], [1.0, 0.0]])) == pytest.approx(0, abs=1e-6)
    assert circuits.eigenvalue_score(torch.tensor([[3.0, 5.0], [0.0, -1.0]])) == pytest.approx(0.5)


@every_shape
def test_turning_the_stream_changes_every_weight_and_no_logit(shape):
    weights = weights_of(make(**SHAPES[shape]))
    rotation = torch.linalg.qr(normal(10, 10, seed=2)).Q
    turned = circuits.rotate_stream(weights, rotation)
    assert turned.keys() == weights.keys()
    for name in weights:
        assert not torch.allclose(turned[name], weights[name])
    for row in TOKENS:
        torch.testing.assert_close(circuits.transformer(row, turned), circuits.transformer(row, weights))


def test_composition_scores_equal_singular_values_and_bounds():
    earlier, qk, later = (normal(9, 2, seed=i) @ normal(2, 9, seed=i + 5) for i in range(3))
    scores = circuits.composition_scores(earlier, qk, later)

    def size(matrix):
        return float(np.sqrt((np.linalg.svd(matrix.numpy(), compute_uv=False) ** 2).sum()))

    assert scores.q == pytest.approx(size(earlier @ qk) / size(earlier) / size(qk))
    assert scores.k == pytest.approx(size(earlier @ qk.T) / size(earlier) / size(qk))  # (QK OVᵀ)ᵀ has the same norm
    assert scores.v == pytest.approx(size(earlier @ later) / size(earlier) / size(later))
    assert circuits.composition_scores(7 * earlier, qk / 9, -later) == pytest.approx(scores)


@pytest.mark.parametrize("rank", [1, 4, 20])
def test_random_matrices_compose_with_one_over_the_root_of_their_size(rank):
    d, squares = 20, []
    for seed in range(150):
        a, b, c = (normal(d, rank, seed=9 * seed + i) @ normal(rank, d, seed=9 * seed + i + 3) for i in range(3))
        squares.append([x**2 for x in circuits.composition_scores(a, b, c)])
    assert np.sqrt(np.mean(squares, 0)) == pytest.approx([1 / math.sqrt(d)] * 3, rel=0.12)


def circuit_by_hand(vocab=9, n_ctx=6):
    w = heads.induction_weights(vocab, n_ctx)
    parts = {f"{name}{layer}": w[f"blocks.{layer}.attn.W_{name}"][0] for layer in (0, 1) for name in "QKVO"}
    return w["embed.W_E"], parts


def test_heads_by_hand_compose_by_keys_alone():
    _, w = circuit_by_hand()
    scores = circuits.composition_scores(w["V0"] @ w["O0"], w["Q1"] @ w["K1"].T, w["V1"] @ w["O1"])
    assert scores.k > 0.1 and scores.q == scores.v == 0


def test_virtual_qk_matches_each_token_with_itself_where_the_first_head_has_carried_it():
    embedding, w = circuit_by_hand()
    scores = circuits.virtual_qk(embedding, embedding, w["V0"] @ w["O0"], w["Q1"], w["K1"])
    torch.testing.assert_close(scores, 30 * torch.eye(9), atol=1e-4, rtol=1e-5)
    by_itself = circuits.qk_circuit(embedding, embedding, w["Q1"], w["K1"])
    assert by_itself.abs().max() == 0  # without the first head nothing matches


def test_virtual_qk_equals_a_loop():
    queries, written, ov = normal(4, 8, seed=20), normal(5, 8, seed=21), normal(8, 8, seed=22)
    W_Q, W_K, *_ = random_head(seed=30)
    scores = circuits.virtual_qk(queries, written, ov, W_Q, W_K)
    assert scores.shape == (4, 5)
    for i in range(4):
        for j in range(5):
            key = (written[j] @ ov) @ W_K
            assert float(scores[i, j]) == pytest.approx(float((queries[i] @ W_Q) @ key) / math.sqrt(3))
