"""What is particular to the othello checks; what holds for every check is tested in `test_every_check.py`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from course_utils import board_probes, checks, interventions, legality, probe_directions
from course_utils.tasks import othello
from tests.checks.verdicts import Verdicts

VERDICTS = Verdicts(checks.othello)
CHECKS, failure, passes = VERDICTS.checks, VERDICTS.failure, VERDICTS.passes
LIBRARY = {
    othello: "mover_frame",
    legality: "legality intervention_error",
    board_probes: "linear_probe majority colour_network accuracy_by_ply",
    interventions: "set_score",
    probe_directions: "state_cosines line_scores separation logit_lens",
}


def test_there_is_one_check_for_each_exercise_in_the_order_of_the_chapter():
    names = (
        "mover_frame legality linear_probe majority colour_network accuracy_by_ply set_score intervention_error",
        "state_cosines line_scores separation logit_lens",
    )
    assert list(CHECKS) == [f"test_{name}" for line in names for name in line.split()]
    for library, listed in LIBRARY.items():
        for name in listed.split():
            assert CHECKS[f"test_{name}"].spec.reference is getattr(library, name)


def test_real_games_with_passes_are_told_apart_from_turns_by_ply():
    def by_parity(absolute, black_next):
        turns = (torch.arange(absolute.shape[1]) % 2 == 1).expand(black_next.shape)
        return othello.mover_frame(absolute, turns)

    games = othello.random_games(4, 50, seed=0)
    assert torch.equal(othello.mover_frame(games.absolute(), games.black_next), games.relative())
    assert not torch.equal(by_parity(games.absolute(), games.black_next), games.relative())
    assert failure("test_mover_frame", by_parity)[0] == "parity of the ply"


def with_ones(activations):
    return torch.cat([activations, torch.ones_like(activations[:, :1])], 1)


def one_hot(states):
    return nn.functional.one_hot(states.long(), 3)


def solved(moments, products):
    found = torch.linalg.solve(moments, products).unflatten(1, (-1, 3))
    return found[:-1], found[-1]


def test_probes_may_be_solved_in_single_precision_by_descent_to_the_end_or_with_a_ridge_that_is_tiny():
    def single(activations, states):
        x, y = with_ones(activations.float()), one_hot(states).float().flatten(1)
        return solved(x.T @ x, x.T @ y)

    def to_the_end(activations, states):
        x, y = with_ones(activations.double()), one_hot(states).double().flatten(1)
        w = torch.zeros(x.shape[1], y.shape[1], dtype=torch.float64, requires_grad=True)
        descent = torch.optim.LBFGS([w], max_iter=500, line_search_fn="strong_wolfe", tolerance_grad=1e-9)

        def loss():
            descent.zero_grad()
            error = (x @ w - y).square().sum()
            error.backward()
            return error

        descent.step(loss)
        found = w.detach().unflatten(1, (-1, 3))
        return found[:-1], found[-1]

    def ridge(size):
        def answer(activations, states):
            x, y = with_ones(activations.double()), one_hot(states).double().flatten(1)
            return solved(x.T @ x + size * len(x) * torch.eye(x.shape[1]), x.T @ y)

        return answer

    assert passes("test_linear_probe", single)
    assert passes("test_linear_probe", to_the_end)
    assert passes("test_linear_probe", ridge(1e-6))
    assert not passes("test_linear_probe", ridge(3e-3))


def test_probe_that_is_a_little_worse_is_told_its_error():
    def only_half_centred(activations, states):
        weight, bias = board_probes.linear_probe(activations, states)
        return weight, bias + 0.05

    assert "The least is" in failure("test_linear_probe", only_half_centred)[1]


@pytest.mark.parametrize("choose", [lambda counts: counts.argmax(-1), lambda counts: 2 - counts.flip(-1).argmax(-1)])
def test_any_of_equally_frequent_states_is_right(choose):
    def answer(states, ply):
        return choose(torch.stack([one_hot(states[ply == t]).sum(0) for t in range(int(ply.max()) + 1)]))

    assert passes("test_majority", answer)
    assert passes("test_majority", lambda states, ply: answer(states, ply).double())


def network(rows, b_out):
    w_in = torch.tensor([row[:2] for row in rows]).T
    return lambda: (w_in, torch.tensor([row[2] for row in rows]), torch.tensor([row[3] for row in rows]), b_out)


def test_networks_of_any_width_are_right():
    assert passes("test_colour_network", network([(-3.0, -3.0, 0.0, 1 / 3), (0.5, 0.5, 0.0, 2.0)], -1))
    assert passes("test_colour_network", network([(1.0, -1.0, 0.0, -1.0), (-1.0, 1.0, 0.0, -1.0)], torch.ones(1)))
    trained = board_probes.colour_network()
    wide = [torch.cat([part, part], -1) for part in trained[:3]]
    assert passes("test_colour_network", lambda: (wide[0], wide[1], wide[2] / 2, np.zeros(())))


def test_mistaken_networks_are_recognised_by_what_they_say():
    assert failure("test_colour_network", network([(2.0, 2.0, 0.0, 0.5), (-4.0, -4.0, 0.0, -0.25)], 0.0))[0] == "sum"
    m_alone = network([(1.0, 0.0, 1.0, 1.0)], -1.0)  # m + 1 is never negative
    assert failure("test_colour_network", m_alone)[0] == "m alone"
    name, text = failure("test_colour_network", network([(1.0, 0.3, 0.7, 1.3)], -0.4))
    assert name == ""
    assert "m = -1 gives" in text


def test_probabilities_and_logits_have_the_same_error_and_top_n():
    assert passes("test_intervention_error", lambda x, legal: legality.intervention_error(x.softmax(1), legal).float())

    def from_probabilities(logits, legal):
        p = logits.softmax(1)
        best = legality.legality(p, legal)
        return best.illegal, (p * legal).sum() / len(p), np.float32(best.top_n)

    assert passes("test_legality", from_probabilities)


def test_change_that_is_right_but_not_the_smallest_is_told_so():
    def sideways(resid, direction, bias, target):
        across = torch.ones_like(direction)
        across = (
            across - (across * direction).sum(1, keepdim=True) / direction.square().sum(1, keepdim=True) * direction
        )
        return interventions.set_score(resid, direction, bias, target) + across

    assert "at right angles" in failure("test_set_score", sideways)[1]


def test_separation_may_be_reckoned_in_one_table_of_pairs():
    def table(activation, present):
        a, b = activation[present], activation[~present]
        return (torch.sign(a[:, None] - b).float().mean() + 1) / 2

    assert passes("test_separation", table)
