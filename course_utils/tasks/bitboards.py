"""Which moves does a board of Othello allow, and what do they turn over? For many boards at once.

A bitboard is a number whose bit ``row · size + column`` says whether a square is taken. One shift moves all discs of a board
by one square, so that a few dozen operations on an array of boards find the moves of every board in it. All boards here
are NumPy arrays of unsigned 64-bit numbers; sides up to 8.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Boards: TypeAlias = npt.NDArray[np.uint64]
"""An array of boards, of any shape."""

ZERO, ONE = np.uint64(0), np.uint64(1)
# A one, and the highest bit, in each byte: arithmetic on eight counts at a time.
EACH, TOP = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)


@lru_cache(maxsize=8)
def full_board(size: int) -> np.uint64:
    """All squares."""
    return np.uint64(2 ** (size * size) - 1)


@lru_cache(maxsize=8)
def _inner_columns(size: int) -> np.uint64:
    row = 2**size - 2 - 2 ** (size - 1)
    return np.uint64(sum(row << (size * r) for r in range(size)))


def _lines(theirs: Boards, size: int) -> tuple[tuple[np.uint64, Boards], ...]:
    """The four axes as shifts, each with the discs that a line may run through.

    A run of discs to be turned over never touches the edge it runs towards. Without the outer columns no shift leads from
    the end of one row to the start of the next.
    """
    inner = theirs & _inner_columns(size)
    shifts = (np.uint64(1), np.uint64(size - 1), np.uint64(size + 1))
    return (np.uint64(size), theirs), *((shift, inner) for shift in shifts)


def legal_moves(mine: Boards, theirs: Boards, size: int) -> Boards:
    """The squares where the side that owns ``mine`` may play."""
    found = np.zeros_like(mine)
    for shift, through in _lines(theirs, size):
        up, down = (mine << shift) & through, (mine >> shift) & through
        for _ in range(size - 3):  # a run has at most size − 2 discs
            up |= (up << shift) & through
            down |= (down >> shift) & through
        found |= (up << shift) | (down >> shift)
    return found & ~(mine | theirs) & full_board(size)


def turned_over(mine: Boards, theirs: Boards, move: Boards, size: int) -> Boards:
    """The discs that change sides when the owner of ``mine`` plays the square ``move`` (one bit; none: nothing turns)."""
    turned = np.zeros_like(mine)
    for shift, through in _lines(theirs, size):
        up, down = (move << shift) & through, (move >> shift) & through
        for _ in range(size - 3):
            up |= (up << shift) & through
            down |= (down >> shift) & through
        # A run counts only where one of mine closes it.
        turned |= np.where((up << shift) & mine, up, ZERO)
        turned |= np.where((down >> shift) & mine, down, ZERO)
    return turned


def count_up_to(boards: Boards) -> Boards:
    """In byte i of each result: how many bits are set in bytes 0 to i. The highest byte holds the number of all."""
    pairs = boards - ((boards >> np.uint64(1)) & np.uint64(0x5555555555555555))
    fours = (pairs & np.uint64(0x3333333333333333)) + ((pairs >> np.uint64(2)) & np.uint64(0x3333333333333333))
    return ((fours + (fours >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)) * EACH


@lru_cache(maxsize=1)
def _places() -> npt.NDArray[np.uint8]:
    """At 8 · byte + k: the place of the k-th bit that is set in that byte (0 where it has not so many)."""
    table = np.zeros((256, 8), np.uint8)
    for byte in range(256):
        places = [place for place in range(8) if byte >> place & 1]
        table[byte, : len(places)] = places
    return table.ravel()


def any_bit(boards: Boards, noise: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    """The place of one of the bits that are set, each equally likely under uniform ``noise``; −1 on an empty board."""
    sums = count_up_to(boards)
    rank = ((sums >> np.uint64(56)) * noise) >> np.uint64(32)  # 0 … count − 1
    passed = ((rank * EACH | TOP) - sums) & TOP  # the bytes before the one that holds the bit of this rank
    start = (((passed >> np.uint64(7)) * EACH) >> np.uint64(56)) << np.uint64(3)
    byte = (boards >> (start & np.uint64(63))) & np.uint64(255)
    rank -= ((sums << np.uint64(8)) >> (start & np.uint64(63))) & np.uint64(255)
    place = _places()[((byte << np.uint64(3)) + (rank & np.uint64(7))).astype(np.int64)]
    return np.where(boards == ZERO, -1, (start + place).astype(np.int64))


def unpack(boards: Boards, size: int) -> npt.NDArray[np.uint8]:
    """One number a square, in a new last axis of length size²: 1 where a bit is set."""
    octets = np.asarray(boards).astype("<u8", order="C")[..., None].view(np.uint8)
    return np.unpackbits(octets, axis=-1, count=size * size, bitorder="little")


def pack(squares: npt.NDArray[np.bool_]) -> Boards:
    """The boards whose bits are the last axis."""
    octets = np.packbits(squares, axis=-1, bitorder="little")
    padded = np.zeros((*squares.shape[:-1], 8), np.uint8)
    padded[..., : octets.shape[-1]] = octets
    return padded.view("<u8")[..., 0].astype(np.uint64)
