"""Models of Othello: what they are asked for is what the rules say, and the fast ways give what the plain ones do."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from course_utils.errors import CourseError
from course_utils.models import MLP, MLPConfig, Transformer, TransformerConfig
from course_utils.models.fused import fused_logits
from course_utils.muon import Muon, orthogonalised
from course_utils.tasks import othello
from course_utils.training import Recipe, learning_rate, train
from course_utils.zoo import othello as problems
from course_utils.zoo.othello import OthelloProblem

TINY = OthelloProblem(size=4, d_model=16, n_layers=2, n_heads=2, d_head=8, batch=8, n_test=32)


@pytest.mark.parametrize(
    "changes",
    [{}, {"layer_norm": False}, {"biases": False}, {"d_mlp": None}, {"activation": "gelu"}, {"d_head": 5}],
    ids=str,
)
def test_the_fused_pass_gives_the_plain_ones_logits_and_gradients(changes):
    shape = {"d_mlp": 24, "d_vocab_out": 7, "layer_norm": True, "biases": True} | changes
    cfg = TransformerConfig(
        **({"d_vocab": 9, "n_ctx": 6, "d_model": 12, "n_heads": 3, "d_head": 4, "n_layers": 2} | shape)
    )
    model = Transformer(cfg, seed=1)
    with torch.no_grad():  # biases and LayerNorms start at values that would hide a mistake
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(weight.numel())))
    tokens = torch.randint(9, (4, 5), generator=torch.Generator().manual_seed(2))
    found = {}
    for name, forward in (("plain", model), ("fused", lambda tokens: fused_logits(model, tokens))):
        model.zero_grad()
        logits = forward(tokens)
        logits.pow(2).sum().backward()
        found[name] = [logits.detach(), *(weight.grad.clone() for weight in model.parameters())]
    for plain, fused in zip(found["plain"], found["fused"], strict=True):
        torch.testing.assert_close(plain, fused, rtol=1e-4, atol=1e-4)


def test_singular_values_are_moved_near_one_and_vectors_stay():
    g = torch.Generator().manual_seed(0)
    for shape in ((3, 16, 48), (2, 48, 16), (20, 20)):
        matrices = torch.randn(shape, generator=g)
        found = orthogonalised(matrices)
        u, s, vh = torch.linalg.svd(matrices, full_matrices=False)
        inside = u.mT @ found @ vh.mT
        assert inside.diagonal(dim1=-2, dim2=-1).max() < 1.25
        assert inside.diagonal(dim1=-2, dim2=-1)[s > 0.05 * s.amax(-1, keepdim=True)].min() > 0.6
        torch.testing.assert_close(inside, torch.diag_embed(inside.diagonal(dim1=-2, dim2=-1)), atol=1e-4, rtol=0)


def test_muon_moves_each_head_along_its_own_orthogonalised_momentum():
    model = TINY.make_model(0)
    plain = copy.deepcopy(model)
    optimiser = Muon(model, lr=0.01, weight_decay=0.5, betas=(0.9, 0.98))
    adam = torch.optim.AdamW(plain.parameters(), lr=0.01, weight_decay=0.5, betas=(0.9, 0.98))
    running = {}
    for step in range(3):
        for net, opt in ((model, optimiser), (plain, adam)):
            opt.zero_grad()
            TINY.loss(net, step, 0).backward()
        before = copy.deepcopy(model)
        optimiser.step()
        for (name, weight), old in zip(model.named_parameters(), before.parameters(), strict=True):
            if not (name.startswith("blocks.") and weight.ndim > 1):
                continue
            running[name] = 0.95 * running.get(name, 0) + weight.grad
            ahead = weight.grad + 0.95 * running[name]
            heads = ahead if ahead.ndim == 3 else ahead[None]
            update = torch.stack([orthogonalised(head) for head in heads]).reshape(weight.shape)
            update = update * max(weight.shape[-2:]) ** 0.5
            torch.testing.assert_close(weight, old * (1 - 0.005) - 0.01 * update, rtol=1e-4, atol=1e-5)
            assert 0.5 < update.pow(2).mean().sqrt() < 1.2
        if step == 0:
            adam.step()
            for name in ("embed.W_E", "unembed.W_U", "blocks.1.mlp.b_in", "blocks.0.ln1.w"):
                torch.testing.assert_close(model.get_parameter(name), plain.get_parameter(name))
            plain.load_state_dict(model.state_dict())


def test_muon_wants_blocks():
    with pytest.raises(CourseError, match="this model has none"):
        Muon(MLP(MLPConfig(5, 8, 5)), 0.01, 0.0, (0.9, 0.98))
    with pytest.raises(CourseError, match="adamw, muon"):
        Recipe(TINY, steps=1, optimiser="sgd")


def test_an_interrupted_run_with_muon_goes_on_to_the_same_weights(tmp_path):
    recipe = Recipe(TINY, steps=9, lr=3e-3, weight_decay=0.0, optimiser="muon", anneal=True, log_every=3)
    whole = train(recipe)

    def stop(history):
        return history["step"][-1] >= 6

    train(replace(recipe, stop_when=stop), checkpoint=tmp_path / "run", checkpoint_every=5)
    resumed = train(recipe, checkpoint=tmp_path / "run", checkpoint_every=5)
    assert resumed.history == whole.history
    for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_recipe_names_muon_and_anneals_both_parts():
    recipe = Recipe(TINY, steps=100, optimiser="muon", anneal=True, warmup=10)
    assert recipe.as_dict()["optimiser"] == "muon" and "optimiser" not in Recipe(TINY, steps=100).as_dict()
    assert recipe.digest() != replace(recipe, optimiser="adamw").digest()
    assert learning_rate(recipe, 99) < learning_rate(recipe, 50) < learning_rate(recipe, 10)


def test_positions_are_those_of_the_games():
    games = othello.random_games(6, 40, seed=1)
    drawn = problems.positions(games)
    assert drawn.tokens.shape == (40, 31) and drawn.legal.shape == (40, 31, 32)
    again = othello.replay(othello.squares(torch.cat([drawn.tokens, drawn.sampled[:, -1:]], 1), 6), 6)
    assert torch.equal(again.legal_tokens()[:, :-1], drawn.legal)
    open_ = drawn.legal.any(-1)
    assert drawn.legal[open_].gather(1, drawn.sampled[open_][:, None]).all()
    assert (drawn.sampled[~open_] == othello.longest_game(6)).all()


def test_steps_have_games_of_their_own_and_seeds_too():
    drawn = [TINY.drawn(step, seed).tokens for step, seed in [(0, 0), (1, 0), (64, 0), (0, 1)]]
    assert all(not torch.equal(drawn[0], other) for other in drawn[1:])
    assert torch.equal(drawn[0], TINY.drawn(0, 0).tokens) and drawn[0].shape == (8, 11)


def test_losses_by_hand():
    drawn = problems.positions(othello.random_games(4, 60, seed=2))
    logits = torch.randn(60, 11, 12, generator=torch.Generator().manual_seed(0))
    uniform, sampled = [], []
    for game in range(60):
        for pos in range(11):
            legal = drawn.legal[game, pos].nonzero()[:, 0].tolist()
            if legal:
                logs = F.log_softmax(logits[game, pos], -1)
                uniform.append(-sum(logs[move] for move in legal) / len(legal))
                sampled.append(-logs[drawn.sampled[game, pos]])
    assert len(uniform) < 60 * 11  # some games end early
    torch.testing.assert_close(problems.uniform_losses(logits, drawn), torch.stack(uniform))
    torch.testing.assert_close(problems.sampled_losses(logits, drawn), torch.stack(sampled))


def test_a_model_that_knows_the_rules_has_no_excess(monkeypatch):
    held_out = TINY.held_out()
    table = dict(zip((tuple(row) for row in held_out.tokens.tolist()), held_out.legal, strict=True))
    knowing = lambda model, tokens: torch.stack([100.0 * table[tuple(row)] for row in tokens.tolist()])  # noqa: E731
    monkeypatch.setattr(problems, "fused_logits", knowing)
    metrics = TINY.evaluate(TINY.make_model(0))
    assert metrics["test_accuracy"] == 1 and metrics["legal_mass"] == pytest.approx(1)
    assert metrics["test_excess"] == pytest.approx(0, abs=1e-5) and metrics["test_loss"] > 0.5


@pytest.mark.parametrize("targets", problems.TARGETS)
def test_a_small_model_learns_a_small_board(targets):
    problem = replace(TINY, targets=targets, d_model=32, d_head=16, batch=64, n_test=256)
    run = train(Recipe(problem, steps=150, lr=5e-3, weight_decay=0.0, optimiser="muon", anneal=True, log_every=150))
    first, last = ({name: values[i] for name, values in run.history.items()} for i in (0, -1))
    assert first["test_accuracy"] < 0.5 and last["test_accuracy"] > 0.85
    assert last["test_excess"] < 0.5 < first["test_excess"]


def test_unknown_targets():
    with pytest.raises(CourseError, match="legal, sampled"):
        OthelloProblem(targets="best")
