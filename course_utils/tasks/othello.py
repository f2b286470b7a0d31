"""Games of Othello by players who choose any legal move: what a model sees of them, and what it never sees, the board.

A game is the list of its moves; black begins. A move must turn over at least one disc. A side that cannot move passes,
which leaves no trace in the list; when neither can, the game is over. Everything at ply t is the position after moves 0
to t, so that it belongs to the place of a sequence where a model has just read move t.

Squares are numbered row by row from the top left corner (``a1``, ``b1``, …). The middle four are never played, so that
the tokens are the others, in order, and one more for what follows the end of a game.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from course_utils.errors import CourseError
from course_utils.tasks import bitboards
from course_utils.tasks.bitboards import ONE, ZERO, Boards

SIZES = (4, 6, 8)
EMPTY, BLACK, WHITE = 0, 1, 2
MINE, THEIRS = 1, 2
NO_MOVE = -1
BLOCK = 8192  # games played together: their boards fit into the processor's cache


@dataclass(frozen=True)
class Games:
    """Games with every position in them.

    Attributes:
        size: squares along a side.
        moves: the square of each move, −1 after the last.
        black, white: who has a disc where, after each move, as bitboards (see :mod:`course_utils.tasks.bitboards`).
        black_next: who makes the next move. After a pass it is the side that moved last. Of no meaning after the last move.
        legal: the next move's choices, as a bitboard; 0 where the list of moves has ended or the game is over.
    """

    size: int
    moves: Int[Tensor, "game ply"]
    black: Int[Tensor, "game ply"]
    white: Int[Tensor, "game ply"]
    black_next: Bool[Tensor, "game ply"]
    legal: Int[Tensor, "game ply"]

    def __len__(self) -> int:
        return len(self.moves)

    def __getitem__(self, which: slice | Tensor) -> Games:
        """Some of the games."""
        parts = (self.moves, self.black, self.white, self.black_next, self.legal)
        return Games(self.size, *(part[which] for part in parts))

    def tokens(self) -> Int[Tensor, "game ply"]:
        """What a model reads."""
        return tokens(self.moves, self.size)

    def absolute(self) -> Int[Tensor, "game ply square"]:
        """Each square's state by colour: 0 empty, 1 black, 2 white."""
        return _states(self.black, self.white, self.size)

    def relative(self) -> Int[Tensor, "game ply square"]:
        """Each square's state as the side that moves next sees it: 0 empty, 1 mine, 2 theirs."""
        mine = torch.where(self.black_next, self.black, self.white)
        return _states(mine, self.black ^ self.white ^ mine, self.size)

    def legal_tokens(self) -> Bool[Tensor, "game ply move"]:
        """Which of the moves may come next? None where the list of moves has ended or the game is over."""
        squares = torch.from_numpy(bitboards.unpack(_bits(self.legal), self.size))
        return squares[..., playable(self.size)].bool()


def playable(size: int) -> Int[Tensor, "move"]:
    """The square of each token: all but the middle four.

    Raises:
        CourseError: a board of that size is not on offer.
    """
    _check_size(size)
    low, high = size // 2 - 1, size // 2
    middle = {row * size + column for row in (low, high) for column in (low, high)}
    return torch.tensor([square for square in range(size * size) if square not in middle])


def longest_game(size: int) -> int:
    """How many moves fill the board: also the number of squares that can be played, and the token after a game's end."""
    return size * size - 4


def tokens(moves: Int[Tensor, "*shape"], size: int) -> Int[Tensor, "*shape"]:
    """The token of each square; :func:`longest_game` for −1, the time after the end.

    Raises:
        CourseError: squares that no move can be on.
    """
    table = torch.full((size * size + 1,), NO_MOVE)
    table[playable(size)] = torch.arange(longest_game(size))
    table[NO_MOVE] = longest_game(size)
    if moves.numel() and not NO_MOVE <= int(moves.min()) <= int(moves.max()) < size * size:
        raise CourseError(f"Squares of this board go from 0 to {size * size - 1} (−1: no move).")
    found = table[moves.long()]
    if bool((found == NO_MOVE).any()):
        raise CourseError("The middle four squares are taken from the start: no move can be on them.")
    return found


def squares(tokens: Int[Tensor, "*shape"], size: int) -> Int[Tensor, "*shape"]:
    """The square of each token; −1 for the token after the end.

    Raises:
        CourseError: a board of that size is not on offer.
    """
    return torch.cat([playable(size), torch.tensor([NO_MOVE])])[tokens]


def square_name(square: int, size: int) -> str:
    """``c4`` is the third column's fourth square from the top."""
    return f"{'abcdefgh'[square % size]}{square // size + 1}"


def random_games(size: int, n: int, seed: int) -> Games:
    """n games in which every move is drawn uniformly from the legal ones.

    The same seed gives the same games, of which a smaller n gives the first.

    Raises:
        CourseError: a board of that size is not on offer.
    """
    _check_size(size)
    rng = np.random.default_rng(seed)

    def draw(count: int) -> Games:
        noise = rng.integers(2**32, size=(count, longest_game(size)), dtype=np.uint32).T.copy()
        return _play(size, count, longest_game(size), lambda ply, legal: bitboards.any_bit(legal, noise[ply]))

    return _joined(size, [draw(min(BLOCK, n - first)) for first in range(0, n, BLOCK)])


def replay(moves: Int[Tensor, "game ply"], size: int) -> Games:
    """The positions of games whose moves are given; a game may stop before it is over (−1 from there on).

    Raises:
        CourseError: a move that the rules do not allow, named with its game and ply, or a board of another size.
    """
    _check_size(size)
    if moves.ndim != 2 or moves.is_floating_point():
        raise CourseError(
            f"Games are integer squares of shape [game, ply]; these are {moves.dtype} of shape {list(moves.shape)}. "
            "For a single game write moves[None]."
        )

    def block(first: int) -> Games:
        given = moves[first : first + BLOCK].long().numpy()

        def choose(ply: int, legal: Boards) -> npt.NDArray[np.int64]:
            _check_moves(given, ply, legal, size, first)
            return given[:, ply]

        return _play(size, len(given), moves.shape[1], choose)

    return _joined(size, [block(first) for first in range(0, len(moves), BLOCK)])


def legal_in(relative: Int[Tensor, "*shape square"], size: int) -> Bool[Tensor, "*shape move"]:
    """Which moves does any board allow, also one that no game leads to?

    Args:
        relative: 0 empty, 1 mine, 2 theirs, as in :meth:`Games.relative`.
        size: squares along a side.

    Raises:
        CourseError: not one number for each square.
    """
    _check_size(size)
    if relative.shape[-1] != size * size:
        raise CourseError(f"A {size} × {size} board has {size * size} squares; these have {relative.shape[-1]}.")
    mine, theirs = (bitboards.pack((relative == side).numpy()) for side in (MINE, THEIRS))
    found = bitboards.unpack(bitboards.legal_moves(mine, theirs, size), size)
    return torch.from_numpy(found)[..., playable(size)].bool()


def mover_frame(
    absolute: Int[Tensor, "game ply square"], black_next: Bool[Tensor, "game ply"]
) -> Int[Tensor, "game ply square"]:
    """Boards by colour (0 empty, 1 black, 2 white) as the side that moves next sees them (0 empty, 1 mine, 2 theirs)."""
    swapped = torch.where(absolute == EMPTY, EMPTY, BLACK + WHITE - absolute)
    return torch.where(black_next[..., None], absolute, swapped)


Chooser = Callable[[int, Boards], npt.NDArray[np.int64]]


def _play(size: int, n: int, plies: int, choose: Chooser) -> Games:
    """n games at once. ``choose(ply, legal)`` gives each game's square, or −1 to make no more moves in it."""
    black, white = start(size)
    mine, theirs = np.full(n, black), np.full(n, white)
    black_next = np.ones(n, dtype=bool)
    legal = bitboards.legal_moves(mine, theirs, size)
    moves = np.empty((plies, n), np.int64)
    boards = np.empty((3, plies, n), np.uint64)
    colours = np.empty((plies, n), dtype=bool)
    for ply in range(plies):
        square = choose(ply, legal)
        playing = square >= 0
        move = np.where(playing, ONE << square.astype(np.uint64), ZERO)
        turned = bitboards.turned_over(mine, theirs, move, size)
        mine, theirs = theirs ^ turned, mine | turned | move
        black_next = ~black_next
        legal = bitboards.legal_moves(mine, theirs, size)
        stuck = np.flatnonzero(legal == ZERO)
        if len(stuck):  # they pass; where the other side cannot move either, the game is over
            mine[stuck], theirs[stuck] = theirs[stuck], mine[stuck]
            black_next[stuck] ^= True
            legal[stuck] = bitboards.legal_moves(mine[stuck], theirs[stuck], size)
        legal[~playing] = ZERO
        moves[ply], colours[ply] = square, black_next
        boards[0, ply] = np.where(black_next, mine, theirs)
        boards[1, ply] = np.where(black_next, theirs, mine)
        boards[2, ply] = legal
    stored = (torch.from_numpy(part.view(np.int64).T.copy()) for part in boards)
    black_boards, white_boards, choices = stored
    return Games(
        size, torch.from_numpy(moves.T.copy()), black_boards, white_boards, torch.from_numpy(colours.T.copy()), choices
    )


@lru_cache(maxsize=8)
def start(size: int) -> tuple[np.uint64, np.uint64]:
    """The bitboards of black and of white before the first move."""
    low, high = size // 2 - 1, size // 2
    black = 1 << (low * size + high) | 1 << (high * size + low)
    white = 1 << (low * size + low) | 1 << (high * size + high)
    return np.uint64(black), np.uint64(white)


def _joined(size: int, blocks: list[Games]) -> Games:
    names = ("moves", "black", "white", "black_next", "legal")
    if len(blocks) == 1:
        return blocks[0]
    if not blocks:
        raise CourseError("Ask for at least one game.")
    return Games(size, *(torch.cat([getattr(block, name) for block in blocks]) for name in names))


def _check_size(size: int) -> None:
    if size not in SIZES:
        raise CourseError(f"There are boards of side {', '.join(map(str, SIZES))}; you asked for {size}.")


def _check_moves(given: npt.NDArray[np.int64], ply: int, legal: Boards, size: int, first: int) -> None:
    """Is each game's move at this ply one of its legal moves, or no move at all?"""
    square = given[:, ply]
    on_board = (square >= 0) & (square < size * size)
    bit = ONE << np.where(on_board, square, 0).astype(np.uint64)
    wrong = (square != NO_MOVE) & ~(on_board & ((legal & bit) != ZERO))
    if not wrong.any():
        return
    game = int(np.flatnonzero(wrong)[0])
    where = f"Game {first + game}, ply {ply}:"
    move = int(square[game])
    if not 0 <= move < size * size:
        raise CourseError(
            f"{where} there is no square {move} on a {size} × {size} board. Squares go from 0 to {size * size - 1}."
        )
    name = square_name(move, size)
    if ply and given[game, ply - 1] == NO_MOVE:
        raise CourseError(f"{where} {name} (square {move}) follows the end of the list of moves (−1).")
    choices = np.flatnonzero(bitboards.unpack(legal[game : game + 1], size)[0])
    if not len(choices):
        raise CourseError(f"{where} {name} (square {move}) was played after the game was over: neither side can move.")
    allowed = ", ".join(square_name(int(choice), size) for choice in choices)
    raise CourseError(f"{where} {name} (square {move}) is not a legal move. Legal there: {allowed}.")


def _bits(boards: Int[Tensor, "*shape"]) -> Boards:
    return boards.numpy().view(np.uint64)


def _states(first: Tensor, second: Tensor, size: int) -> Int[Tensor, "game ply square"]:
    states = bitboards.unpack(_bits(first), size) + 2 * bitboards.unpack(_bits(second), size)
    return torch.from_numpy(states)
