"""Othello: every position of every game is what a slow and plain reading of the rules says."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from course_utils.errors import CourseError
from course_utils.tasks import bitboards, othello

PERFT = {1: 4, 2: 12, 3: 56, 4: 244, 5: 1396, 6: 8200, 7: 55092, 8: 390216, 9: 3005288}
every_size = pytest.mark.parametrize("size", othello.SIZES)


class PlainBoard:
    """The rules as one would tell them to a friend: squares in a dictionary, eight directions, one step at a time."""

    def __init__(self, size):
        self.size = size
        low, high = size // 2 - 1, size // 2
        self.discs = {(low, low): "white", (high, high): "white", (low, high): "black", (high, low): "black"}
        self.side = "black"

    def flips(self, row, column):
        if (row, column) in self.discs:
            return []
        found = []
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                line, r, c = [], row + down, column + right
                while (down or right) and self.discs.get((r, c), self.side) != self.side:
                    line.append((r, c))
                    r, c = r + down, c + right
                if (r, c) in self.discs and (down or right):
                    found += line
        return found

    def legal(self):
        return [(r, c) for r in range(self.size) for c in range(self.size) if self.flips(r, c)]

    def play(self, row, column):
        for place in [*self.flips(row, column), (row, column)]:
            self.discs[place] = self.side
        self.swap()
        if not self.legal():
            self.swap()

    def swap(self):
        self.side = "white" if self.side == "black" else "black"


def compare(games, which):
    """Plays the games on the plain board; counts passes and games that end before the board is full."""
    passes = early = 0
    absolute, relative, legal = games.absolute(), games.relative(), games.legal_tokens()
    squares = othello.playable(games.size).tolist()
    for game in which:
        board = PlainBoard(games.size)
        over = False
        for ply, square in enumerate(games.moves[game].tolist()):
            if square < 0:
                assert over, "the list of moves stops while a move is possible"
                assert not legal[game, ply].any()
                continue
            place = divmod(square, games.size)
            before = board.side
            assert place in board.legal()
            board.play(*place)
            choices = {row * games.size + column for row, column in board.legal()}
            over = not choices
            passes += bool(choices) and board.side == before
            early += over and len(board.discs) < games.size**2
            colours = [board.discs.get(divmod(s, games.size), "") for s in range(games.size**2)]
            assert absolute[game, ply].tolist() == [["", "black", "white"].index(colour) for colour in colours]
            assert choices == {s for s, allowed in zip(squares, legal[game, ply].tolist(), strict=True) if allowed}
            if not over:
                assert bool(games.black_next[game, ply]) == (board.side == "black")
                mine = [0 if not colour else 1 if colour == board.side else 2 for colour in colours]
                assert relative[game, ply].tolist() == mine
        assert over
    return passes, early


@every_size
def test_games_follow_the_rules(size):
    n = {4: 500, 6: 200, 8: 60}[size]
    passes, early = compare(othello.random_games(size, n, seed=3), range(n))
    assert passes and (early or size == 8)


@pytest.mark.slow
@pytest.mark.parametrize("size, n", [(6, 3000), (8, 1500)])
def test_thousands_of_games_follow_the_rules(size, n):
    passes, early = compare(othello.random_games(size, n, seed=4), range(n))
    assert passes > n / 4 and early > 5


@pytest.mark.parametrize("size", [6, 8])
def test_games_with_passes_and_early_ends_follow_the_rules(size):
    games = othello.random_games(size, 20_000, seed=5)
    stops = (games.moves[:, -1] < 0).nonzero()[:30, 0]
    played = games.moves[:, 1:] >= 0
    passed = (((games.black_next[:, 1:] == games.black_next[:, :-1]) & played) & (games.legal[:, 1:] != 0)).any(1)
    which = torch.cat([stops, passed.nonzero()[:30, 0]])
    passes, early = compare(games, which.tolist())
    assert passes >= 30 and early >= 30


def perft(depth):
    """How many sequences of moves are there from the start of the 8 × 8 game? A pass counts as a move."""
    mine, theirs = (np.array([side]) for side in othello.start(8))
    for left in range(depth, 0, -1):
        legal = bitboards.legal_moves(mine, theirs, 8)
        stuck = legal == 0
        passes = stuck & (bitboards.legal_moves(theirs, mine, 8) != 0)
        if left == 1:
            return int(bitboards.unpack(legal, 8).sum(dtype=np.int64) + passes.sum())
        board, square = np.nonzero(bitboards.unpack(legal, 8))
        move = np.uint64(1) << square.astype(np.uint64)
        turned = bitboards.turned_over(mine[board], theirs[board], move, 8)
        mine, theirs = (
            np.concatenate([theirs[board] ^ turned, theirs[passes]]),
            np.concatenate([mine[board] | turned | move, mine[passes]]),
        )
    raise AssertionError("depth starts at 1")


@pytest.mark.parametrize("depth", [pytest.param(d, marks=pytest.mark.slow if d == 9 else ()) for d in PERFT])
def test_perft(depth):
    assert perft(depth) == PERFT[depth]


@every_size
def test_replay_gives_the_same_positions(size):
    games = othello.random_games(size, 300, seed=6)
    again = othello.replay(games.moves, size)
    for part in ("moves", "black", "white", "black_next", "legal"):
        assert torch.equal(getattr(games, part), getattr(again, part))


def test_a_game_may_stop_before_it_is_over():
    games = othello.random_games(6, 50, seed=7)
    moves = games.moves.clone()
    moves[:, 10:] = -1
    stopped = othello.replay(moves, 6)
    assert torch.equal(stopped.absolute()[:, :10], games.absolute()[:, :10])
    assert torch.equal(stopped.absolute()[:, 15], games.absolute()[:, 9])
    assert torch.equal(stopped.legal[:, :10], games.legal[:, :10]) and not stopped.legal[:, 10:].any()
    short = othello.replay(games.moves[:, :10], 6)
    assert torch.equal(short.legal, games.legal[:, :10])


def test_seeds_and_numbers_of_games():
    first, more, other = (othello.random_games(6, n, seed) for n, seed in [(10, 1), (9000, 1), (10, 2)])
    assert torch.equal(first.moves, more[:10].moves)
    assert not torch.equal(first.moves, other.moves)
    assert len(more) == 9000


def test_every_legal_move_is_equally_likely():
    games = othello.random_games(8, 40_000, seed=8)
    firsts = games.moves[:, 0].unique(return_counts=True)
    assert firsts[0].tolist() == [19, 26, 37, 44]  # d3, c4, f5, e6
    assert (firsts[1] / 40_000 - 0.25).abs().max() < 0.01
    ply = 20
    legal = games.legal_tokens()[:, ply - 1].double()
    expected = (legal / legal.sum(1, keepdim=True).clamp(min=1)).sum(0)
    drawn = torch.bincount(games.tokens()[:, ply], minlength=61)[:60].double()
    assert ((drawn - expected).abs() < 5 * expected.sqrt() + 1).all()


def test_tokens_and_squares():
    for size in othello.SIZES:
        games = othello.random_games(size, 200, seed=9)
        assert torch.equal(othello.squares(games.tokens(), size), games.moves)
        assert int(games.tokens().max()) <= othello.longest_game(size)
        assert len(othello.playable(size)) == othello.longest_game(size)
    assert othello.square_name(0, 6) == "a1" and othello.square_name(20, 6) == "c4"


def test_legal_moves_of_any_board():
    games = othello.random_games(6, 300, seed=10)
    assert torch.equal(othello.legal_in(games.relative(), 6), games.legal_tokens())
    lone = torch.zeros(36, dtype=torch.int64)
    lone[[14, 15]] = torch.tensor([othello.MINE, othello.THEIRS])  # c3 mine, d3 theirs
    assert othello.squares(othello.legal_in(lone, 6).nonzero()[:, 0], 6).tolist() == [16]
    assert othello.legal_in(lone.expand(2, 3, 36), 6).shape == (2, 3, 32)


def test_bits_in_and_out():
    rng = np.random.default_rng(0)
    boards = rng.integers(2**64, size=1000, dtype=np.uint64) & rng.integers(2**64, size=1000, dtype=np.uint64)
    boards[:3] = [0, 1 << 63, 2**64 - 1]
    squares = bitboards.unpack(boards, 8)
    assert [sum(int(bit) << i for i, bit in enumerate(row)) for row in squares[:50]] == boards[:50].tolist()
    assert (bitboards.pack(squares.astype(bool)) == boards).all()
    assert (bitboards.count_up_to(boards) >> np.uint64(56) == squares.sum(1)).all()
    for noise in (0, 2**31, 2**32 - 1):
        places = bitboards.any_bit(boards, np.full(1000, noise, np.uint32))
        for row, place in zip(squares, places, strict=True):
            options = np.flatnonzero(row)
            assert place == (options[noise * len(options) >> 32] if len(options) else -1)


def bad(moves, size=6):
    with pytest.raises(CourseError) as caught:
        othello.replay(torch.tensor(moves), size)
    return str(caught.value)


def test_an_illegal_move_is_named_with_its_ply():
    games = othello.random_games(6, 9000, seed=11).moves
    games[8500, 7] = 0 if games[8500, 7] != 0 else 5
    message = bad(games.tolist())
    assert "Game 8500, ply 7" in message and ("a1" in message or "f1" in message) and "Legal there:" in message
    assert bad([[8, 8]]).startswith("Game 0, ply 1: c2 (square 8) is not a legal move. Legal there:")
    assert "square 15" in bad([[15]]) and "d3" in bad([[15]])  # taken from the start
    assert "no square 36" in bad([[8, 36]]) and "no square -2" in bad([[-2]])
    assert "follows the end" in bad([[-1, 8]])


def test_a_move_after_the_end_of_the_game():
    games = othello.random_games(6, 20_000, seed=12).moves
    over = games[games[:, -1] < 0][0].tolist()
    over[over.index(-1)] = 0
    assert "after the game was over" in bad([over])


def test_boards_and_shapes_that_are_not_on_offer():
    for call in (lambda: othello.random_games(7, 1, 0), lambda: othello.replay(torch.zeros(1, 1), 10)):
        with pytest.raises(CourseError, match="boards of side 4, 6, 8"):
            call()
    with pytest.raises(CourseError, match="at least one game"):
        othello.random_games(6, 0, 0)
    with pytest.raises(CourseError, match=r"moves\[None\]"):
        othello.replay(torch.tensor([9]), 6)
    with pytest.raises(CourseError, match="36 squares; these have 64"):
        othello.legal_in(torch.zeros(64), 6)
    with pytest.raises(CourseError, match="middle four"):
        othello.tokens(torch.tensor([14]), 6)
    with pytest.raises(CourseError, match="from 0 to 35"):
        othello.tokens(torch.tensor([36]), 6)


def test_random_is_the_only_thing_that_differs_between_seeds():
    """Plain random play on the plain board gives the same distribution of lengths and choices."""
    choose = random.Random(0)
    choices = []
    for _ in range(300):
        board = PlainBoard(6)
        while options := board.legal():
            choices.append(len(options))
            board.play(*choose.choice(options))
    legal = othello.random_games(6, 3000, seed=13).legal_tokens().sum(-1)
    assert legal[legal > 0].double().mean().item() == pytest.approx(np.mean(choices), rel=0.02)
