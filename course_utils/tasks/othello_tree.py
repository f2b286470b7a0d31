"""Which boards of Othello can come about at all? By trying every game up to some move."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from course_utils.errors import CourseError
from course_utils.tasks import bitboards, othello
from course_utils.tasks.bitboards import ONE, ZERO, Boards


def can_arise(relative: Int[Tensor, "n square"], size: int, moves: int) -> Bool[Tensor, "n"]:
    """Is there a game of so many moves after which the side that moves next sees this board?

    Args:
        relative: 0 empty, 1 mine, 2 theirs.
        size: squares along a side.
        moves: how many have been made. Every game is tried: 8 moves on a 6 × 6 board take a second, each more six times as long.

    Raises:
        CourseError: so many moves that the search would take minutes.
    """
    if moves > 8:
        raise CourseError(f"All games of {moves} moves are too many to try. Ask for at most 8.")
    wanted = np.stack([bitboards.pack((relative == side).numpy()) for side in (othello.MINE, othello.THEIRS)], 1)
    return torch.from_numpy(np.isin(_as_one(wanted), _as_one(_reached(size, moves))))


@lru_cache(maxsize=4)
def _reached(size: int, moves: int) -> Boards:
    """[n, 2]: all boards after so many moves, the discs of the side that moves next and the other's."""
    if moves == 0:
        return np.array([othello.start(size)])
    earlier = _reached(size, moves - 1)
    found = [_after(earlier, int(square), size) for square in othello.playable(size)]
    return np.unique(np.concatenate(found), axis=0)


def _after(boards: Boards, square: int, size: int) -> Boards:
    """The boards that a move on this square leads to, from all those where it is legal."""
    move = ONE << np.uint64(square)
    mine, theirs = boards[(bitboards.legal_moves(boards[:, 0], boards[:, 1], size) & move) != ZERO].T
    turned = bitboards.turned_over(mine, theirs, np.full_like(mine, move), size)
    mine, theirs = theirs ^ turned, mine | turned | move
    stuck = bitboards.legal_moves(mine, theirs, size) == ZERO  # they pass
    return np.stack([np.where(stuck, theirs, mine), np.where(stuck, mine, theirs)], 1)


def _as_one(pairs: Boards) -> npt.NDArray[np.void]:
    """Each pair as one value that can be compared."""
    return np.ascontiguousarray(pairs).view([("mine", np.uint64), ("theirs", np.uint64)])[:, 0]
