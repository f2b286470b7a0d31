"""The transformer against an independent, slow computation; hooks; the exact shortcut."""

from __future__ import annotations

import math

import pytest
import torch

from course_utils.errors import CourseError
from course_utils.models import MLP, MLPConfig, Transformer, TransformerConfig
from course_utils.models.modular_shortcut import answer_logits
from course_utils.tasks import modular

SHAPES = {
    "attention only": {"d_mlp": None},
    "full": {"d_mlp": 13},
    "two layers": {"d_mlp": 13, "n_layers": 2},
    "layer norm and biases": {"d_mlp": 13, "n_layers": 2, "layer_norm": True, "biases": True},
}


def make(seed: int = 0, **changes: object) -> Transformer:
    values: dict = {"d_vocab": 11, "n_ctx": 6, "d_model": 8, "n_heads": 3, "d_head": 5, "d_vocab_out": 7, **changes}
    model = Transformer(TransformerConfig(**values), seed).double()
    with torch.no_grad():  # biases and LayerNorm weights start at 0 and 1: make them count
        generator = torch.Generator().manual_seed(seed + 1)
        for weight in model.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return model


def slow_logits(model: Transformer, tokens: list[int]) -> torch.Tensor:
    """One sequence, position by position and head by head, straight from the definition."""
    w = {name: value.detach() for name, value in model.named_parameters()}
    cfg = model.cfg

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        if not cfg.layer_norm:
            return x
        centred = x - x.sum() / len(x)
        return centred / (centred.pow(2).sum() / len(x) + 1e-5).sqrt() * w[f"{name}.w"] + w[f"{name}.b"]

    def bias(name: str, index: int | None = None) -> torch.Tensor | float:
        if not cfg.biases:
            return 0.0
        return w[name] if index is None else w[name][index]

    stream = [w["embed.W_E"][t] + w["pos_embed.W_pos"][i] for i, t in enumerate(tokens)]
    for layer in range(cfg.n_layers):
        name = f"blocks.{layer}"
        normed = [norm(x, f"{name}.ln1") for x in stream]
        after = []
        for i in range(len(tokens)):
            out = stream[i] + bias(f"{name}.attn.b_O")
            for head in range(cfg.n_heads):
                project = {
                    part: [x @ w[f"{name}.attn.W_{part}"][head] + bias(f"{name}.attn.b_{part}", head) for x in normed]
                    for part in "QKV"
                }
                scores = [float(project["Q"][i] @ project["K"][j]) / math.sqrt(cfg.d_head) for j in range(i + 1)]
                top = max(scores)
                weights = [math.exp(score - top) for score in scores]
                z = sum(weight / sum(weights) * project["V"][j] for j, weight in enumerate(weights))
                out = out + z @ w[f"{name}.attn.W_O"][head]
            after.append(out)
        if cfg.d_mlp is not None:
            for i, x in enumerate(after):
                hidden = (norm(x, f"{name}.ln2") @ w[f"{name}.mlp.W_in"] + bias(f"{name}.mlp.b_in")).clamp_min(0)
                after[i] = x + hidden @ w[f"{name}.mlp.W_out"] + bias(f"{name}.mlp.b_out")
        stream = after
    return torch.stack([norm(x, "ln_final") @ w["unembed.W_U"] + bias("unembed.b_U") for x in stream])


@pytest.mark.parametrize("shape", SHAPES)
def test_transformer_equals_the_definition(shape):
    model = make(**SHAPES[shape])
    tokens = torch.tensor([[3, 1, 10, 0, 3], [7, 7, 2, 9, 4]])
    logits = model(tokens)
    for row, sequence in zip(logits, tokens.tolist(), strict=True):
        torch.testing.assert_close(row, slow_logits(model, sequence), atol=1e-10, rtol=1e-10)


def test_later_tokens_do_not_change_earlier_logits():
    model = make(d_mlp=13, n_layers=2)
    tokens = torch.tensor([[3, 1, 10, 0, 3]])
    changed = tokens.clone()
    changed[0, 3] = 5
    torch.testing.assert_close(model(tokens)[:, :3], model(changed)[:, :3])
    assert not torch.allclose(model(tokens)[:, 3], model(changed)[:, 3])


def test_hook_names_and_shapes_are_transformerlens_s():
    model = make(d_mlp=13, n_layers=2, layer_norm=True, biases=True)
    _, cache = model.run_with_cache(torch.zeros(4, 6, dtype=torch.long))
    assert cache["blocks.1.attn.hook_pattern"].shape == (4, 3, 6, 6)
    assert cache["blocks.0.attn.hook_q"].shape == (4, 6, 3, 5)
    assert cache["blocks.0.mlp.hook_post"].shape == (4, 6, 13)
    assert cache["blocks.1.hook_resid_post"].shape == cache["hook_embed"].shape == (4, 6, 8)
    assert cache["ln_final.hook_scale"].shape == (4, 6, 1)
    assert model.W_Q.shape == (2, 3, 8, 5) and model.W_O.shape == (2, 3, 5, 8) and model.W_in.shape == (2, 8, 13)


def test_residual_stream_is_the_sum_of_what_was_written_to_it():
    model = make(d_mlp=13, n_layers=2)
    _, cache = model.run_with_cache(torch.tensor([[1, 2, 3]]))
    written = cache["hook_embed"] + cache["hook_pos_embed"]
    for layer in range(2):
        written = written + cache[f"blocks.{layer}.hook_attn_out"] + cache[f"blocks.{layer}.hook_mlp_out"]
    torch.testing.assert_close(written, cache["blocks.1.hook_resid_post"])


def test_patching_replaces_an_activation_and_leaves_no_hook_behind():
    model = make(d_mlp=13)
    tokens = torch.tensor([[1, 2, 3]])
    before = model(tokens)
    cut = model.run_with_hooks(tokens, fwd_hooks=[("blocks.0.hook_mlp_out", lambda x, hook: torch.zeros_like(x))])
    assert not torch.allclose(before, cut)
    with pytest.raises(RuntimeError):
        model.run_with_hooks(
            tokens, fwd_hooks=[("blocks.0.hook_mlp_out", lambda x, hook: 1 / 0 if x is None else x @ x)]
        )
    torch.testing.assert_close(model(tokens), before)
    assert all(not point.functions for point in model.hook_points.values())


def test_cache_keeps_what_is_asked_for():
    model = make()
    tokens = torch.tensor([[1, 2, 3]])
    assert list(model.run_with_cache(tokens, names="hook_embed")[1]) == ["hook_embed"]
    assert list(model.run_with_cache(tokens, names=lambda name: name.endswith("hook_z"))[1]) == ["blocks.0.attn.hook_z"]
    assert len(model.run_with_cache(tokens, names=["hook_embed", "hook_pos_embed"])[1]) == 2


def test_an_unknown_hook_is_named_with_its_neighbours():
    with pytest.raises(CourseError, match=r"blocks\.0\.attn\.hook_pattern"):
        make().run_with_cache(torch.tensor([[1]]), names="blocks.0.attn.hook_patern")


@pytest.mark.parametrize(
    ("tokens", "sentence"),
    [
        (torch.tensor([1, 2, 3]), "tokens\\[None\\]"),
        (torch.zeros(1, 3), "integer"),
        (torch.zeros(1, 9, dtype=torch.long), "at most 6"),
        (torch.tensor([[11]]), "between 0 and 10"),
        (torch.tensor([[-1]]), "between 0 and 10"),
    ],
)
def test_bad_tokens_get_a_sentence(tokens, sentence):
    with pytest.raises(CourseError, match=sentence):
        make()(tokens)


def test_the_seed_decides_the_initialisation():
    one, same, other = (Transformer(TransformerConfig(5, 3, 8, 2, 4), seed) for seed in (1, 1, 2))
    assert torch.equal(one.W_E, same.W_E) and not torch.equal(one.W_E, other.W_E)


def addition_network(p: int, seed: int = 0) -> Transformer:
    return Transformer(TransformerConfig(p + 1, 3, 12, 2, 5, d_mlp=17, d_vocab_out=p), seed).double()


def test_the_shortcut_is_exact_with_its_gradients():
    p = 7
    model, pairs = addition_network(p), modular.all_pairs(p)[::3]
    full, short = model(modular.tokens(pairs, p))[:, -1], answer_logits(model, pairs)
    torch.testing.assert_close(short, full, atol=1e-12, rtol=1e-12)
    weights = torch.randn(full.shape, dtype=full.dtype, generator=torch.Generator().manual_seed(0))
    by_full = torch.autograd.grad((full * weights).sum(), list(model.parameters()))
    by_short = torch.autograd.grad((short * weights).sum(), list(model.parameters()))
    for one, other in zip(by_full, by_short, strict=True):
        torch.testing.assert_close(one, other, atol=1e-11, rtol=1e-11)


def test_the_shortcut_refuses_models_for_which_it_would_be_wrong():
    with pytest.raises(CourseError, match="exact only"):
        answer_logits(make(d_mlp=13, n_layers=2), torch.tensor([[1, 2]]))


def test_mlp_is_two_matrix_products():
    model = MLP(MLPConfig(4, 6, 3), seed=1)
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    output, cache = model.run_with_cache(x)
    torch.testing.assert_close(output, cache["hook_post"] @ model.W_out)
    assert (cache["hook_post"] >= 0).all() and torch.equal(cache["hook_pre"].clamp_min(0), cache["hook_post"])
