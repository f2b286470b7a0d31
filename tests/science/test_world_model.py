"""Reading a board off activations, changing it there, and what that is measured by."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from course_utils import board_probes, interventions, legality, probe_directions
from course_utils.errors import CourseError
from course_utils.models import Transformer, TransformerConfig
from course_utils.tasks import othello, othello_tree


def small_transformer(seed: int = 0) -> Transformer:
    cfg = TransformerConfig(33, 31, 16, 2, 8, n_layers=3, d_mlp=20, d_vocab_out=32, layer_norm=True, biases=True)
    model = Transformer(cfg, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    for name, weight in model.named_parameters():
        if ".b_" in name or name.endswith((".w", ".b")):
            weight.data += 0.3 * torch.randn(weight.shape, generator=generator)
    return model.requires_grad_(False)


def some_legal(n: int, moves: int) -> torch.Tensor:
    legal = torch.rand(n, moves) < 0.3
    legal[torch.arange(n), torch.randint(moves, (n,))] = True
    return legal


def test_legality_by_hand():
    logits = torch.tensor([[3.0, 2.0, 1.0, 0.0], [0.0, 0.0, 0.0, 5.0]])
    legal = torch.tensor([[True, False, True, False], [True, False, False, False]])
    found = legality.legality(logits, legal)
    e = np.exp([3.0, 2.0, 1.0, 0.0])
    assert found.illegal == 0.5
    assert found.mass == pytest.approx(((e[0] + e[2]) / e.sum() + 1 / (3 + np.exp(5))) / 2)
    assert found.top_n == pytest.approx((0.5 + 0) / 2)


def test_errors_of_a_list_against_sets():
    torch.manual_seed(0)
    logits, legal = torch.randn(50, 11), some_legal(50, 11)
    for row, allowed, error in zip(logits, legal, legality.intervention_error(logits, legal), strict=True):
        right = set(allowed.nonzero()[:, 0].tolist())
        listed = set(row.topk(len(right)).indices.tolist())
        assert int(error) == len(listed - right) + len(right - listed)


def test_guesses_name_empty_squares():
    games = othello.random_games(6, 20, 0)
    boards = games.relative()[:, 14]
    playable = othello.playable(6)
    guesses = legality.guess_from_empty(boards, playable)
    assert (boards[:, playable].gather(1, guesses.argmax(1, keepdim=True)) == 0).all()
    often = torch.rand(20, 32)
    best = (often * (boards[:, playable] == 0)).argmax(1)
    assert (legality.guess_from_empty(boards, playable, often).argmax(1) == best).double().mean() > 0.9


def test_the_linear_probe_is_the_least_squares_fit():
    torch.manual_seed(0)
    x, states = torch.randn(300, 7) * 3 + 5, torch.randint(0, 3, (300, 4))
    weight, bias = board_probes.linear_probe(x, states)
    assert weight.shape == (7, 4, 3) and bias.shape == (4, 3)
    wanted = torch.nn.functional.one_hot(states, 3).numpy().reshape(300, 12)
    design = np.concatenate([x.numpy(), np.ones((300, 1))], 1)
    best = design @ np.linalg.lstsq(design, wanted, rcond=None)[0]
    assert np.allclose(board_probes.logits(x, weight, bias).flatten(1).numpy(), best, atol=1e-4)


def test_majorities_and_shuffles_by_ply():
    torch.manual_seed(0)
    states, ply = torch.randint(0, 3, (400, 5)), torch.randint(0, 6, (400,))
    most = board_probes.majority(states, ply)
    for t in range(6):
        for square in range(5):
            counts = np.bincount(states[ply == t, square].numpy(), minlength=3)
            assert counts[most[t, square]] == counts.max()
    mixed = board_probes.shuffled(states, ply, seed=1)
    assert not (mixed == states).all(1).all()
    for t in range(6):
        before, after = (sorted(map(tuple, boards[ply == t].tolist())) for boards in (states, mixed))
        assert before == after


def test_whoever_knows_the_empty_squares_guesses_the_more_frequent_disc():
    torch.manual_seed(0)
    states, ply = torch.randint(0, 3, (400, 5)), torch.randint(0, 6, (400,))
    new, new_ply = torch.randint(0, 3, (50, 5)), torch.randint(0, 6, (50,))
    guess = board_probes.guess_discs(states, ply, new, new_ply)
    for i, t in enumerate(new_ply.tolist()):
        for square in range(5):
            counts = np.bincount(states[ply == t, square].numpy(), minlength=3)[1:]
            said = int(guess[i, square])
            assert said == 0 if new[i, square] == 0 else counts[said - 1] == counts.max()
    other_colours = torch.where(new > 0, 3 - new, 0)
    assert (board_probes.guess_discs(states, ply, other_colours, new_ply) == guess).all()


def test_accuracies_by_ply_against_loops():
    torch.manual_seed(0)
    predicted, states, ply = torch.randint(0, 3, (90, 4)), torch.randint(0, 3, (90, 4)), torch.arange(90) % 3
    found = board_probes.accuracy_by_ply(predicted, states, ply)
    for t in range(3):
        pairs = [
            (int(p), int(s)) for i in range(90) if ply[i] == t for p, s in zip(predicted[i], states[i], strict=True)
        ]
        assert found.all[t].item() == pytest.approx(np.mean([p == s for p, s in pairs]))
        assert found.occupied[t].item() == pytest.approx(np.mean([p == s for p, s in pairs if s]))


def test_four_neurons_multiply_by_a_sign():
    net = board_probes.colour_network()
    m, s = torch.linspace(-1, 1, 21).repeat(2), torch.tensor([1.0] * 21 + [-1.0] * 21)
    assert torch.allclose(
        (torch.stack([m, s], 1) @ net.w_in + net.b_in).relu() @ net.w_out + net.b_out, m * s, atol=1e-6
    )


def test_the_movers_frame_knows_of_passes():
    games = othello.random_games(6, 200, 3)
    assert (othello.mover_frame(games.absolute(), games.black_next) == games.relative()).all()
    assert (games.black_next != (torch.arange(32) % 2 == 1)).any()


def test_a_score_is_set_by_the_shortest_way():
    torch.manual_seed(0)
    resid, direction, bias, target = torch.randn(9, 5), torch.randn(9, 5), torch.randn(9), torch.randn(9)
    moved = interventions.set_score(resid, direction, bias, target)
    assert torch.allclose((moved * direction).sum(1) + bias, target, atol=1e-5)
    across = (
        moved
        - resid
        - ((moved - resid) * direction).sum(1, keepdim=True) / direction.square().sum(1, keepdim=True) * direction
    )
    assert across.abs().max() < 1e-5


def test_cases_and_streams_and_edits():
    model = small_transformer()
    cases = interventions.draw_cases(6, 40, seed=2, plies=(3, 28))
    assert (cases.present > 0).all() and set(cases.present.tolist()) == {1, 2}
    assert cases.legal(cases.edited(3 - cases.present)).any(1).all()
    edited = cases.edited(torch.zeros_like(cases.square))
    assert ((edited != cases.board).sum(1) == 1).all()
    plain = interventions.logits_at(model, cases.tokens, cases.ply)
    rows = torch.arange(len(cases))
    assert torch.allclose(plain, model(cases.tokens)[rows, cases.ply], atol=1e-5)
    _, cache = model.run_with_cache(cases.tokens)
    # Put another run's last stream there, and it answers as that run.
    final = cache["blocks.2.hook_resid_post"][rows, cases.ply].roll(1, 0)
    swapped = interventions.logits_at(model, cases.tokens, cases.ply, lambda layer, resid, which: final[which], (2,))
    assert torch.allclose(swapped, plain.roll(1, 0), atol=1e-4)


def test_cosines_do_not_see_what_states_share():
    torch.manual_seed(0)
    weight, shared = torch.randn(8, 3), torch.randn(8, 1)
    cosines = probe_directions.state_cosines(weight)
    assert torch.allclose(cosines.diagonal(), torch.ones(3), atol=1e-6)
    assert torch.allclose(cosines, probe_directions.state_cosines(weight + shared), atol=1e-5)
    own = (weight - weight.mean(1, keepdim=True)).numpy()
    assert cosines[0, 2].item() == pytest.approx(
        own[:, 0] @ own[:, 2] / np.linalg.norm(own[:, 0]) / np.linalg.norm(own[:, 2]), rel=1e-4
    )


def test_lines_and_their_scores():
    lines = probe_directions.short_lines(4)
    assert len(lines) == 2 * (4 * 2 + 4 * 2 + 2 * 2 + 2 * 2)
    assert [0, 5, 10] in lines.tolist() and [3, 2, 1] in lines.tolist() and [2, 3, 4] not in lines.tolist()
    reads = torch.randn(5, 16, 3)
    scores = probe_directions.line_scores(reads, lines)
    for k, (a, b, c) in enumerate(lines.tolist()):
        assert torch.equal(scores[:, k], torch.minimum(torch.minimum(reads[:, a, 0], reads[:, b, 2]), reads[:, c, 1]))
    boards = torch.randint(0, 3, (500, 16))
    there = probe_directions.line_present(boards, lines[7])
    a, b, c = lines[7].tolist()
    assert torch.equal(there, (boards[:, a] == 0) & (boards[:, b] == 2) & (boards[:, c] == 1))


def test_a_neuron_reads_the_direction_that_it_is_made_of():
    torch.manual_seed(0)
    weight, scale, W_in = torch.randn(16, 36, 3), torch.rand(16) + 0.5, torch.randn(16, 20)
    own = weight[:, 7] - weight[:, 7].mean(1, keepdim=True)
    W_in[:, 4] = 5 * own[:, 2] / scale
    reads = probe_directions.neuron_reads(W_in, scale, weight)
    assert reads[4, 7, 2].item() == pytest.approx(1.0, abs=1e-5) and int(reads[4, :, 2].argmax()) == 7


def test_separation_counts_pairs():
    torch.manual_seed(0)
    activation, present = torch.randn(200).relu().round(decimals=1), torch.rand(200) < 0.3
    a, b = activation[present][:, None], activation[~present]
    pairs = (a > b).double() + 0.5 * (a == b)
    assert probe_directions.separation(activation, present) == pytest.approx(pairs.mean().item())


def test_the_lens_at_the_end_is_the_network():
    model = small_transformer()
    tokens = torch.randint(0, 33, (3, 9))
    logits, cache = model.run_with_cache(tokens)
    assert torch.allclose(probe_directions.logit_lens(model, cache["blocks.2.hook_resid_post"]), logits, atol=1e-5)


def test_every_early_board_can_arise_and_changed_ones_cannot():
    for size, moves in ((4, 5), (6, 4), (6, 7)):
        boards = othello.random_games(size, 60, 1).relative()[:, moves - 1].long()
        assert othello_tree.can_arise(boards, size, moves).all()
        fewer = boards.clone()
        fewer[torch.arange(60), (boards > 0).double().argmax(1)] = 0
        assert not othello_tree.can_arise(fewer, size, moves).any()
    with pytest.raises(CourseError, match="too many"):
        othello_tree.can_arise(boards, 6, 12)


def test_all_boards_of_short_games_are_found():
    """Against games played out by the replay of every list of three moves."""
    playable = othello.playable(6).tolist()
    lists = [[]]
    for _ in range(3):
        longer = []
        for moves in lists:
            for square in playable:
                try:
                    othello.replay(torch.tensor([[*moves, square]]), 6)
                except CourseError:
                    continue
                longer.append([*moves, square])
        lists = longer
    found = {tuple(othello.replay(torch.tensor([moves]), 6).relative()[0, -1].tolist()) for moves in lists}
    everything = torch.tensor(sorted(found))
    assert othello_tree.can_arise(everything, 6, 3).all()
    assert len(othello_tree._reached(6, 3)) == len(found)
