"""What is particular to the circuits checks; what holds for every check is tested in `test_every_check.py`."""

from __future__ import annotations

import pytest
import torch

from course_utils import checks, circuits, patching
from course_utils.checks.framework import all_checks, run
from course_utils.checks.outcome import Outcome

TOPIC = checks.circuits
CHECKS = all_checks(TOPIC)


def test_there_is_one_check_for_each_exercise_in_the_order_of_the_chapter():
    names = (
        "attention_head transformer logit_attribution qk_circuit ov_circuit answer_from_tables",
        "frozen_logits ablated_logits eigenvalue_score rotate_stream",
    )
    names = [name for line in names for name in line.split()]
    assert list(CHECKS) == [f"test_{name}" for name in names]
    for name, test in CHECKS.items():
        library = patching if name in ("test_frozen_logits", "test_ablated_logits") else circuits
        assert test.spec.reference is getattr(library, name.removeprefix("test_"))


def test_attention_in_the_checks_is_far_from_uniform_and_far_from_all_or_nothing():
    shape = TOPIC.inputs.Shape(vocab=9, ctx=8, model=6, heads=3, head=4, layers=3, mlp=13)
    run = TOPIC.inputs.forward(TOPIC.inputs.weights_of(shape, seed=1), TOPIC.inputs.random_tokens(8, vocab=9, seed=1))
    largest = torch.stack([torch.from_numpy(pattern[-1]).max() for pattern in run.patterns.values()])
    assert largest.min() > 2 / 8
    assert largest.median() < 0.99


@pytest.mark.parametrize("layers", [1, 3])
def test_forward_pass_of_the_checks_is_that_of_the_library(layers):
    inputs = TOPIC.inputs
    shape = inputs.Shape(vocab=9, ctx=8, model=6, heads=3, head=4, layers=layers, mlp=13, out=5)
    model, tokens = inputs.model_of(shape, seed=layers), inputs.random_tokens(7, vocab=9, seed=2)
    by_hand = torch.from_numpy(inputs.forward(model.state_dict(), tokens).logits)
    assert torch.allclose(by_hand, model(tokens[None])[0])


def _left(where, how):
    """A right answer that leaves something behind in the model."""
    reference = CHECKS[where].spec.reference

    def answer(model, *args):
        logits = reference(model, *args)
        how(model)
        return logits

    return answer


@pytest.mark.parametrize("where", ["test_frozen_logits", "test_ablated_logits"])
@pytest.mark.parametrize(
    "how",
    [
        lambda model: model.hook_points["blocks.0.attn.hook_z"].functions.append(lambda z, hook: None),
        lambda model: model.register_forward_hook(lambda module, args, out: None),
        lambda model: model.unembed.register_forward_pre_hook(lambda module, args: None),
        lambda model: model.unembed.W_U.data.mul_(1.001),
    ],
    ids=["hook point", "hook of the model", "hook before a part", "weight"],
)
def test_what_is_left_behind_in_a_model_is_noticed(where, how):
    report = run(CHECKS[where], _left(where, how))
    assert report.outcome is Outcome.FAILED
    assert "changed its input `model`" in report.finding.what


def test_what_is_taken_away_again_is_not():
    def answer(model, tokens, endings):
        handle = model.register_forward_hook(lambda module, args, out: None)
        handle.remove()
        return patching.frozen_logits(model, tokens, endings)

    assert run(CHECKS["test_frozen_logits"], answer).outcome is Outcome.PASSED


def test_a_head_of_the_library_may_be_used_in_the_network():
    def one_result_too_many(tokens, weights):  # the head's pattern taken for its output
        x = weights["embed.W_E"][tokens] + weights["pos_embed.W_pos"][: len(tokens)]
        for head in zip(*(weights[f"blocks.0.attn.W_{kind}"] for kind in "QKVO"), strict=True):
            x = x + circuits.attention_head(x, *head)[0]
        return x @ weights["unembed.W_U"]

    test = CHECKS["test_transformer"]
    assert run(test, test.spec.alternatives[1]).outcome is Outcome.PASSED
    assert run(test, one_result_too_many).outcome is Outcome.FAILED


@pytest.mark.parametrize("decides", ["first", "last", "any", "all"])
def test_each_layer_decides_for_itself_whether_it_has_an_mlp(decides):
    def answer(tokens, weights):
        layers = sum(name.endswith(".W_Q") for name in weights)
        there = [f"blocks.{layer}.mlp.W_in" in weights for layer in range(layers)]
        has_mlp = {"first": there[0], "last": there[-1], "any": any(there), "all": all(there)}[decides]
        for layer in range(layers):
            name = f"blocks.{layer}.mlp"
            if has_mlp and not there[layer]:  # instead of a KeyError, which everybody would notice
                weights = weights | {f"{name}.W_in": weights["unembed.W_U"], f"{name}.W_out": weights["embed.W_E"]}
            if not has_mlp:
                weights = {key: weight for key, weight in weights.items() if not key.startswith(name)}
        return circuits.transformer(tokens, weights)

    report = run(CHECKS["test_transformer"], answer)
    assert report.outcome is Outcome.FAILED
    assert "an MLP in layer" in report.finding.what
    assert (report.mistake == "MLPs as in layer 0") is (decides in ("first", "all"))


def test_an_answer_with_a_result_for_each_head_is_told_to_add_them_up():
    def answer(tokens, weights):
        return circuits.transformer(tokens, weights).repeat(weights["blocks.0.attn.W_Q"].shape[0], 1, 1)

    assert "an axis for heads in front" in run(CHECKS["test_transformer"], answer).finding.why


@pytest.mark.parametrize("how", ["replaced", "not taken apart"])
def test_what_the_diagnosis_tries_out_prints_nothing_on_the_card(how):
    def answer(tokens, weights):
        print("of my own")
        x = weights["embed.W_E"][tokens] + weights["pos_embed.W_pos"][: len(tokens)]
        matrices = [weights[f"blocks.0.attn.W_{kind}"] for kind in "QKVO"]
        if how == "not taken apart":
            return circuits.attention_head(x, *matrices).out @ weights["unembed.W_U"]
        return (
            sum(circuits.attention_head(x, *head).out for head in zip(*matrices, strict=True)) @ weights["unembed.W_U"]
        )

    assert run(CHECKS["test_transformer"], answer).printed == "of my own"


@pytest.mark.parametrize("constant", [0.0, 1.0])
def test_a_constant_eigenvalue_score_is_called_one(constant):
    report = run(CHECKS["test_eigenvalue_score"], lambda matrix: constant)
    assert f"Your answer is {constant:.0f} for every matrix" in report.diagnosis


@pytest.mark.parametrize("number", [5, 24, 64])
def test_the_root_of_another_number_than_d_head_is_named(number):
    def answer(queries, keys, W_Q, W_K):
        return queries @ W_Q @ (keys @ W_K).T / number**0.5

    report = run(CHECKS["test_qk_circuit"], answer)
    assert f"divide by √{number}," in report.finding.why
    assert report.mistake == ""


def test_eigenvalues_may_come_from_a_symmetric_matrix_only_where_it_is_one():
    def of_whatever(matrix):
        solver = torch.linalg.eigvalsh if torch.allclose(matrix, matrix.T) else torch.linalg.eigvals
        values = solver(matrix)
        return values.sum().real / values.abs().sum()

    assert run(CHECKS["test_eigenvalue_score"], of_whatever).outcome is Outcome.PASSED
