"""A run is a value: the same recipe gives the same run, interrupted or not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from course_utils.efficiency import rest
from course_utils.errors import CourseError
from course_utils.gradients import L2Penalty, OrthogonalGradient, SlowGradient, stablemax_loss
from course_utils.tasks.modular import ModularTask
from course_utils.training import Recipe, Run, first_step, learning_rate, train
from course_utils.zoo.problems import ModularMLP, ModularTransformer, _split, cross_entropy

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = Recipe(
    ModularTransformer(ModularTask(p=7, fraction=0.5), d_model=8, n_heads=2, d_mlp=16),
    steps=30, lr=1e-2, log_every=5, snapshots=(0, 7, 20, 30),
)  # fmt: skip


FILTERED = replace(SMALL, gradient=SlowGradient())


def same(one: Run, other: Run) -> bool:
    weights = zip(one.model.state_dict().values(), other.model.state_dict().values(), strict=True)
    return one.history == other.history and all(torch.equal(a, b) for a, b in weights)


def test_the_same_recipe_gives_the_same_run_and_another_seed_does_not():
    assert same(train(SMALL), train(SMALL))
    assert not same(train(SMALL), train(replace(SMALL, seed=1)))


class Interrupted(Exception):
    pass


def test_an_interrupted_run_resumes_to_the_bit(tmp_path):
    checkpoint = tmp_path / "run.checkpoint"

    def interrupt(step: int, state: object) -> None:
        if step == 20:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(SMALL, checkpoint=checkpoint, checkpoint_every=6, on_snapshot=interrupt)
    resumed, whole = train(SMALL, checkpoint=checkpoint), train(SMALL)
    assert same(resumed, whole)
    assert resumed.snapshots.keys() == whole.snapshots.keys() == {0, 7, 20, 30}
    for step, state in whole.snapshots.items():
        assert all(torch.equal(state[name], resumed.snapshots[step][name]) for name in state)


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from course_utils.training import train
from tests.science.test_training import FILTERED

def end(step, state):
    if step == 20:
        os.kill(os.getpid(), signal.SIGKILL)

train(FILTERED, checkpoint=Path(sys.argv[1]), checkpoint_every=6, on_snapshot=end)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_a_run_that_was_killed_resumes_to_the_bit(tmp_path):
    checkpoint = tmp_path / "run.checkpoint"
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", KILLED, str(checkpoint)]
    killed = subprocess.run(command, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert same(train(FILTERED, checkpoint=checkpoint), train(FILTERED))


@pytest.fixture
def interrupted(tmp_path):
    """A run's two newest checkpoints."""
    checkpoint = tmp_path / "run.checkpoint"
    train(SMALL, checkpoint=checkpoint, checkpoint_every=6)
    return checkpoint, checkpoint.with_name("run.checkpoint.previous")


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def test_a_damaged_checkpoint_is_noticed_and_the_one_before_it_used(interrupted):
    checkpoint, _ = interrupted
    damage(checkpoint)
    with pytest.warns(UserWarning, match="damaged; the run goes on from the checkpoint before it"):
        resumed = train(SMALL, checkpoint=checkpoint)
    assert same(resumed, train(SMALL))


def test_a_cut_off_checkpoint_is_noticed(interrupted):
    checkpoint, _ = interrupted
    checkpoint.write_bytes(checkpoint.read_bytes()[:40])
    with pytest.warns(UserWarning, match="damaged"):
        assert same(train(SMALL, checkpoint=checkpoint), train(SMALL))


def test_two_damaged_checkpoints_are_an_error_with_a_way_out(interrupted):
    for path in interrupted:
        damage(path)
    with pytest.raises(CourseError, match="Delete it to start again"):
        train(SMALL, checkpoint=interrupted[0])


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path):
    checkpoint = tmp_path / "run.checkpoint"
    train(SMALL, checkpoint=checkpoint, checkpoint_every=6)
    with pytest.raises(CourseError, match="another recipe"):
        train(replace(SMALL, lr=2e-2), checkpoint=checkpoint)


def test_snapshots_hold_the_weights_after_that_many_updates():
    run = train(SMALL)
    fewer = train(replace(SMALL, steps=7, snapshots=()))
    for name, weight in fewer.model.state_dict().items():
        assert torch.equal(weight, run.snapshots[7][name])
    final = run.model.state_dict()
    assert all(torch.equal(run.snapshots[30][name], final[name]) for name in final)


def test_history_starts_before_the_first_update_and_ends_with_the_last():
    run = train(replace(SMALL, steps=12))
    assert run.history["step"] == [0, 5, 10, 12]
    assert len(run.history["test_loss"]) == 4


def test_warmup_and_decay_of_the_first_update():
    """At a learning rate of lr/warmup, AdamW's first step moves each weight by that much, after decoupled decay."""
    recipe = replace(SMALL, steps=1, snapshots=(0, 1), warmup=10, weight_decay=0.5)
    before, after = (train(recipe).snapshots[step]["unembed.W_U"] for step in (0, 1))
    lr = recipe.lr / 10
    assert torch.allclose((after - before * (1 - lr * 0.5)).abs(), torch.tensor(lr), rtol=1e-3)


def test_a_diverging_run_says_so():
    with pytest.raises(CourseError, match="diverged"):
        train(replace(SMALL, lr=1e30, steps=10, warmup=1))


def test_the_digest_follows_what_matters():
    assert SMALL.digest() == replace(SMALL, snapshots=()).digest()
    for change in ({"lr": 0.1}, {"seed": 3}, {"problem": replace(SMALL.problem, d_mlp=17)}, {"problem": ModularMLP()}):
        assert SMALL.digest() != replace(SMALL, **change).digest()
    json.dumps(SMALL.as_dict())


def test_first_step_is_the_start_of_a_sustained_stretch():
    history = {"step": [0, 10, 20, 30, 40, 50], "x": [0.0, 1.0, 0.0, 1.0, 1.0, 1.0]}
    assert first_step(history, "x", lambda v: v > 0.5) == 10
    assert first_step(history, "x", lambda v: v > 0.5, sustained=20) == 30
    assert first_step(history, "x", lambda v: v > 0.5, sustained=30) is None


def test_cross_entropy_sees_losses_that_float32_rounds_to_nothing():
    logits = torch.tensor([[18.0, 0.0]])
    assert torch.nn.functional.cross_entropy(logits, torch.tensor([0])) == 0
    assert cross_entropy(logits, torch.tensor([0])).item() == pytest.approx(1.523e-8, rel=1e-3)


def test_the_perceptrons_look_up_equals_its_forward_pass():
    from course_utils.tasks import modular

    problem = ModularMLP(ModularTask(p=7, fraction=0.5), d_hidden=9)
    model = problem.make_model(0)
    pairs, _ = _split(problem.task)["train"]
    torch.testing.assert_close(problem.logits(model, pairs), model(modular.two_hot(pairs, 7).float()))


def gradients_after(filter_, steps: int = 1) -> tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor]]:
    """Weights, their gradients, and the gradients after the filter has seen the same gradients ``steps`` times."""
    model, memory = SMALL.problem.make_model(0), {}
    for _ in range(steps):
        model.zero_grad()
        SMALL.problem.loss(model, 0, 0).backward()
        before = [weight.grad.clone() for weight in model.parameters()]
        filter_.apply(model, memory)
    return list(model.parameters()), before, [weight.grad for weight in model.parameters()]


def test_the_slow_filter_multiplies_a_gradient_that_stays():
    for steps in (1, 5):
        _, before, after = gradients_after(SlowGradient(amplify=3.0), steps)
        for one, other in zip(before, after, strict=True):
            torch.testing.assert_close(other, 4 * one)


def test_the_slow_filter_hardly_feels_a_gradient_that_changes():
    weight = torch.nn.Linear(1, 1, bias=False)
    memory: dict[str, torch.Tensor] = {}
    filter_ = SlowGradient(memory=0.9, amplify=1.0)
    for value in (1.0, -1.0):
        weight.weight.grad = torch.full((1, 1), value)
        filter_.apply(weight, memory)
    assert weight.weight.grad.item() == pytest.approx(-1 + (0.9 * 1 - 0.1))


def test_the_orthogonal_filter_removes_the_direction_of_the_weights_and_keeps_the_length():
    for weight, before, after in zip(*gradients_after(OrthogonalGradient()), strict=True):
        if not before.any():
            continue
        assert abs((weight * after).sum()) < 1e-5 * weight.norm() * after.norm()
        torch.testing.assert_close(after.norm(), before.norm())


def test_stablemax_is_a_probability_that_grows_like_a_line():
    logits = torch.tensor([[2.0, 0.0, -1.0]], dtype=torch.float64)
    # s = 3, 1, 1/2
    for label, share in enumerate((3 / 4.5, 1 / 4.5, 0.5 / 4.5)):
        assert stablemax_loss(logits, torch.tensor([label])).item() == pytest.approx(
            -torch.tensor(share).log().item(), rel=1e-6
        )


def test_a_gradient_filter_is_part_of_what_identifies_a_run():
    assert len({SMALL.digest(), FILTERED.digest(), replace(SMALL, gradient=SlowGradient(0.9)).digest()}) == 3


def test_annealing_lowers_the_learning_rate_along_a_cosine_and_enters_the_digest_only_when_used():
    annealed = replace(SMALL, anneal=True, warmup=1)
    assert learning_rate(annealed, 0) == pytest.approx(SMALL.lr)
    assert learning_rate(annealed, SMALL.steps // 2) == pytest.approx(SMALL.lr / 2)
    assert learning_rate(annealed, SMALL.steps - 1) < 0.003 * SMALL.lr
    assert learning_rate(replace(SMALL, warmup=1), SMALL.steps - 1) == SMALL.lr
    assert "anneal" not in SMALL.as_dict() and annealed.as_dict()["anneal"] is True
    assert annealed.digest() != SMALL.digest()


def test_the_l2_penalty_is_the_gradient_of_half_its_strength_times_the_sum_of_squares():
    model = SMALL.problem.make_model(0)
    loss = SMALL.problem.loss(model, 0, 0)
    squares = sum(weight.square().sum() for weight in model.parameters())
    expected = torch.autograd.grad(loss + 0.3 / 2 * squares, list(model.parameters()), retain_graph=True)
    loss.backward()
    L2Penalty(0.3).apply(model, {})
    for weight, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(weight.grad, gradient)


def test_an_annealed_run_under_a_penalty_comes_to_rest_where_adamw_does_not():
    problem = ModularMLP(ModularTask(p=7, fraction=1.0), d_hidden=16)
    coupled = Recipe(problem, 2000, lr=1e-2, weight_decay=0.0, gradient=L2Penalty(1e-2), anneal=True, log_every=2000)
    decoupled = replace(coupled, gradient=None, weight_decay=1.0)
    at_rest, not_at_rest = (
        rest(problem.loss(model, 0, 0), model.parameters(), 1e-2)
        for model in (train(coupled).model, train(decoupled).model)
    )
    assert at_rest.ratio == pytest.approx(1, abs=0.01)
    assert abs(not_at_rest.ratio - 1) > 0.1
