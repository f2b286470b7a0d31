"""Does a model of the course compute the same in TransformerLens, activation by activation, and come back unchanged?

Needs the extra ``interop``: ``pytest -m interop``.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read once, when TransformerLens brings in huggingface_hub
pytest.importorskip("transformer_lens")

from transformer_lens.config import TransformerBridgeConfig
from transformer_lens.model_bridge.sources.native import boot

from course_utils import zoo
from course_utils.errors import CourseError
from course_utils.interop import from_transformer_lens, to_transformer_lens
from course_utils.models import MLP, MLPConfig, Transformer, TransformerConfig

pytestmark = pytest.mark.interop

SHAPE: dict[str, Any] = {"d_vocab": 11, "n_ctx": 6, "d_model": 8, "n_heads": 3, "d_head": 5, "d_vocab_out": 7}

# An attention-only model has no activation function to vary.
PARTS = [{"d_mlp": None}, {"d_mlp": 13, "activation": "relu"}, {"d_mlp": 13, "activation": "gelu"}]
CASES = [
    {"n_layers": n_layers, "layer_norm": layer_norm, "biases": biases, **parts}
    for n_layers, parts, layer_norm, biases in product((1, 2), PARTS, (False, True), (False, True))
]


def describe(case: dict[str, Any]) -> str:
    words = [f"{case['n_layers']} layers", case["activation"] if case["d_mlp"] else "attention only"]
    return ", ".join(words + [word for word in ("layer_norm", "biases") if case[word]])


every_case = pytest.mark.parametrize("case", CASES, ids=describe)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a conversion reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def make(case: dict[str, Any], seed: int = 0) -> Transformer:
    """Random weights, with biases and LayerNorm's scale and shift moved away from 0 and 1."""
    model = Transformer(TransformerConfig(**{**SHAPE, **case}), seed)
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return model.eval()


def some_tokens(model: Transformer, length: int = 5) -> Tensor:
    return torch.randint(model.cfg.d_vocab, (4, length), generator=torch.Generator().manual_seed(7))


def compared_names(cfg: TransformerConfig) -> list[str]:
    """Every hook of the model but ``hook_attn_scores``, which a native bridge fires with the pattern (see below)."""
    norm = ["hook_scale", "hook_normalized"] if cfg.layer_norm else []
    names = ["hook_embed", "hook_pos_embed"]
    for layer in range(cfg.n_layers):
        block = ["hook_resid_pre", *(f"ln1.{hook}" for hook in norm)]
        block += [f"attn.hook_{part}" for part in ("q", "k", "v", "pattern", "z")]
        block += ["hook_attn_out"]
        if cfg.d_mlp is not None:
            block += ["hook_resid_mid", *(f"ln2.{hook}" for hook in norm), "mlp.hook_pre", "mlp.hook_post"]
            block += ["hook_mlp_out"]
        names += [f"blocks.{layer}.{hook}" for hook in [*block, "hook_resid_post"]]
    return names + [f"ln_final.{hook}" for hook in norm]


def differences(model: Transformer, bridge: Any, tokens: Tensor) -> dict[str, float]:
    """The largest absolute difference of the logits and of every activation that both caches have, by name."""
    with torch.no_grad():
        logits, cache = model.run_with_cache(tokens)
        lens_logits, lens_cache = bridge.run_with_cache(tokens)
    pairs = {name: (cache[name], lens_cache[name]) for name in cache if name in set(lens_cache.keys())}
    pairs["logits"] = (logits, lens_logits)
    for name, (ours, theirs) in pairs.items():
        assert ours.shape == theirs.shape, name
        assert ours.dtype == theirs.dtype, name
    return {
        name: float((ours - theirs).abs().max())
        for name, (ours, theirs) in pairs.items()
        if not name.endswith("hook_attn_scores")
    }


def all_within(found: dict[str, float], tolerance: float) -> bool:
    return all(difference <= tolerance for difference in found.values())  # false for NaN, as max() is not


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (torch.float64, 1e-12)], ids=["32", "64"])
@every_case
def test_logits_and_activations_are_equal(case: dict[str, Any], dtype: torch.dtype, tolerance: float) -> None:
    model = make(case).to(dtype)
    found = differences(model, to_transformer_lens(model), some_tokens(model))
    assert sorted(found) == sorted([*compared_names(model.cfg), "logits"])
    assert set(model.hook_points) - set(found) == {
        f"blocks.{layer}.attn.hook_attn_scores" for layer in range(model.cfg.n_layers)
    }
    assert all_within(found, tolerance), found


def test_the_names_compared_are_the_ones_a_learner_uses() -> None:
    full = TransformerConfig(**SHAPE, d_mlp=13, n_layers=2, layer_norm=True)
    names = set(compared_names(full))
    assert {"hook_embed", "hook_pos_embed", "ln_final.hook_scale", "ln_final.hook_normalized"} <= names
    for layer in range(2):
        for hook in (
            *("hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out"),
            *("attn.hook_q", "attn.hook_k", "attn.hook_v", "attn.hook_z", "attn.hook_pattern"),
            *("mlp.hook_pre", "mlp.hook_post"),
            *("ln1.hook_scale", "ln1.hook_normalized", "ln2.hook_scale", "ln2.hook_normalized"),
        ):
            assert f"blocks.{layer}.{hook}" in names


@pytest.mark.parametrize(
    "name", ["embed.W_E", "blocks.1.attn.b_K", "blocks.0.ln2.b", "blocks.1.mlp.b_in", "unembed.b_U"]
)
def test_the_comparison_notices_a_small_change_of_any_weight(name: str) -> None:
    model = make({"n_layers": 2, "d_mlp": 13, "layer_norm": True, "biases": True})
    bridge = to_transformer_lens(model)
    with torch.no_grad():
        model.get_parameter(name).mul_(1.01)
    assert max(differences(model, bridge, some_tokens(model)).values()) > 1e-4


def tilt(activation: Tensor) -> Tensor:
    """A change that LayerNorm does not undo, as it undoes a change of length."""
    return activation * torch.linspace(0.5, 1.0, activation.shape[-1], dtype=activation.dtype)


def replace_by_tilted(activation: Tensor, hook: object) -> Tensor:
    return tilt(activation)


@every_case
def test_replacing_an_activation_has_the_same_effect(case: dict[str, Any]) -> None:
    model = make(case).double()
    bridge = to_transformer_lens(model)
    tokens = some_tokens(model)

    with torch.no_grad():
        plain = model(tokens)
        for name in compared_names(model.cfg):
            if name.endswith("hook_resid_mid"):
                continue  # replaced in a bridge it reaches the MLP only, see test_what_the_other_side_does_differently
            ours = model.run_with_hooks(tokens, fwd_hooks=[(name, replace_by_tilted)])
            theirs = bridge.run_with_hooks(tokens, fwd_hooks=[(name, replace_by_tilted)])
            torch.testing.assert_close(theirs, ours, atol=1e-10, rtol=0, msg=lambda text, name=name: f"{name}: {text}")
            assert not torch.allclose(ours, plain), name


@every_case
def test_the_round_trip_gives_the_same_model(case: dict[str, Any]) -> None:
    model = make(case)
    back = from_transformer_lens(to_transformer_lens(model))
    assert back.cfg == replace(model.cfg, activation=case.get("activation", "relu"))
    assert back.training == model.training
    weights, returned = model.state_dict(), back.state_dict()
    assert list(weights) == list(returned)
    for name, weight in weights.items():
        assert torch.equal(weight, returned[name]), name


def test_the_other_side_shares_no_memory() -> None:
    model = make({"n_layers": 1, "d_mlp": 13, "layer_norm": False, "biases": True})
    before = model(some_tokens(model))
    bridge = to_transformer_lens(model)
    back = from_transformer_lens(bridge)
    with torch.no_grad():
        for weight in (*bridge.parameters(), *back.parameters()):
            weight.zero_()
    assert torch.equal(model(some_tokens(model)), before)
    assert not back.W_E.any()


def test_conversion_draws_no_random_numbers() -> None:
    model = make({"n_layers": 1, "d_mlp": 13})
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    from_transformer_lens(to_transformer_lens(model))
    assert torch.equal(torch.rand(4), expected)


def test_a_model_whose_outputs_are_its_vocabulary() -> None:
    model = make({"n_layers": 1, "d_mlp": None, "d_vocab_out": None})
    bridge = to_transformer_lens(model)
    assert all_within(differences(model, bridge, some_tokens(model)), 1e-5)
    assert from_transformer_lens(bridge).cfg == model.cfg


def test_zero_biases_are_left_out_unless_asked_for() -> None:
    model = Transformer(TransformerConfig(**SHAPE, d_mlp=13, biases=True))  # biases start at zero
    bridge = to_transformer_lens(model)
    assert not from_transformer_lens(bridge).cfg.biases
    assert from_transformer_lens(bridge, biases=True).cfg == model.cfg


def test_a_bridge_made_in_transformer_lens_comes_over() -> None:
    bridge = boot(native_config(seed=5)).eval()
    model = from_transformer_lens(bridge)
    assert all_within(differences(model, bridge, some_tokens(model)), 1e-5)


def test_a_bridge_with_folded_layer_norms_comes_over() -> None:
    model = make({"n_layers": 2, "d_mlp": 13, "layer_norm": True, "biases": True}).double()
    bridge = to_transformer_lens(model)
    bridge.enable_compatibility_mode(disable_warnings=True)
    back = from_transformer_lens(bridge)
    tokens = some_tokens(model)
    torch.testing.assert_close(back(tokens), bridge(tokens), atol=1e-10, rtol=0)
    torch.testing.assert_close(back(tokens).log_softmax(-1), model(tokens).log_softmax(-1), atol=1e-5, rtol=0)


def test_the_shipped_model_of_modular_addition() -> None:
    model = zoo.load("modular-addition-fast")
    p = model.cfg.d_vocab - 1
    pairs = torch.cartesian_prod(torch.arange(0, p, 9), torch.arange(0, p, 7))
    tokens = torch.cat([pairs, torch.full((len(pairs), 1), p)], dim=1)
    bridge = to_transformer_lens(model)
    answers = bridge(tokens)[:, -1, :p].argmax(-1)
    assert torch.equal(answers, pairs.sum(1) % p)
    found = differences(model, bridge, tokens)
    assert sorted(found) == sorted([*compared_names(model.cfg), "logits"])
    scale = float(model(tokens).detach().abs().max())  # logits of tens: float32 rounds them more coarsely than 1e-5
    assert all_within(found, 1e-5 * scale), found
    double = model.double()
    assert all_within(differences(double, to_transformer_lens(double), tokens), 1e-10)
    for name, weight in from_transformer_lens(bridge).state_dict().items():
        assert torch.equal(weight.double(), double.state_dict()[name]), name


def test_what_the_other_side_does_differently() -> None:
    """The differences that the module's docstring names. If one goes away, the docstring and this file change."""
    model = make({"n_layers": 1, "d_mlp": 13, "biases": True})
    bridge = to_transformer_lens(model)
    tokens = some_tokens(model)
    cache = bridge.run_with_cache(tokens)[1]
    assert torch.equal(cache["blocks.0.attn.hook_attn_scores"], cache["blocks.0.attn.hook_pattern"])
    state = bridge.state_dict(keep_vars=True)
    assert torch.equal(state["unembed.bias"], model.unembed.b_U)
    assert not state["unembed.bias"].requires_grad
    without = to_transformer_lens(make({"n_layers": 1, "d_mlp": 13})).state_dict(keep_vars=True)
    assert without.keys() == state.keys()
    assert without["blocks.0.attn.q.bias"].requires_grad

    def add_resid_mid_back(activation: Tensor, hook: object) -> Tensor:
        kept = cache["blocks.0.hook_resid_mid"]  # by the stream beside the MLP
        return activation + kept - tilt(kept)

    ours = model.run_with_hooks(tokens, fwd_hooks=[("blocks.0.hook_resid_mid", replace_by_tilted)])
    beside = ("blocks.0.hook_resid_post", add_resid_mid_back)
    only_the_mlp = model.run_with_hooks(tokens, fwd_hooks=[("blocks.0.hook_resid_mid", replace_by_tilted), beside])
    theirs = bridge.run_with_hooks(tokens, fwd_hooks=[("blocks.0.hook_resid_mid", replace_by_tilted)])
    assert not torch.allclose(theirs, ours, atol=1e-2)
    torch.testing.assert_close(theirs, only_the_mlp, atol=1e-5, rtol=0)


def native_config(**changes: object) -> TransformerBridgeConfig:
    values: dict[str, Any] = {**SHAPE, "n_layers": 1, "d_mlp": 12, "act_fn": "gelu", "device": "cpu", **changes}
    return TransformerBridgeConfig(**values)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"positional_embedding_type": "rotary", "rotary_dim": 4}, "rotary positions"),
        ({"normalization_type": "RMS"}, "normalisation RMS"),
        ({"normalization_type": "LNPre"}, "normalisation LNPre"),
        ({"final_rms": True}, "root mean square"),
        ({"eps": 1e-6}, "eps = 1e-06"),
        ({"act_fn": "gelu_new"}, "activation gelu_new"),
        ({"gated_mlp": True, "act_fn": "relu"}, "gated MLP"),
        ({"n_key_value_heads": 1}, "share keys and values"),
        ({"attention_dir": "bidirectional"}, "bidirectional attention"),
        ({"attn_scale": 3.0}, "root of d_head"),
        ({"attn_scores_soft_cap": 5.0}, "soft cap"),
        ({"output_logits_soft_cap": 5.0}, "soft cap"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_course_lacks_is_named(changes: dict[str, Any], words: str) -> None:
    bridge = boot(native_config(**changes))
    with pytest.raises(CourseError, match=words):
        from_transformer_lens(bridge)


def other_architecture() -> None:
    bridge = boot(native_config())
    bridge.cfg.architecture = "GPT2LMHeadModel"
    from_transformer_lens(bridge)


def dropped_biases() -> None:
    from_transformer_lens(to_transformer_lens(make({"d_mlp": None, "biases": True})), biases=False)


def mixed_dtypes() -> None:
    model = make({"d_mlp": 13})
    model.unembed.double()
    to_transformer_lens(model)


def mixed_eps() -> None:
    model = make({"d_mlp": 13, "layer_norm": True})
    model.blocks[0].ln1.eps = 1e-3
    to_transformer_lens(model)


@pytest.mark.parametrize(
    "convert, words",
    [
        (lambda: to_transformer_lens(MLP(MLPConfig(4, 8, 4))), "it was given a MLP"),  # type: ignore[arg-type]
        (lambda: from_transformer_lens(make({"d_mlp": None})), "it was given a Transformer"),
        (other_architecture, "holds a GPT2LMHeadModel"),
        (dropped_biases, "blocks.0.attn.b_K.* are not zero"),
        (mixed_dtypes, r"several dtypes or devices.*model\.float"),
        (mixed_eps, "different eps"),
    ],
)
def test_what_cannot_be_converted_says_so(convert: Callable[[], object], words: str) -> None:
    with pytest.raises(CourseError, match=words):
        convert()
