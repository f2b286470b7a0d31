"""How many random games of Othello a second? ``python -m benchmarks.othello_games``.

The reference plays one game at a time on an 8 × 8 array and looks along all eight directions from every square for each
move, as the board class in the public code of the papers on Othello models does (about 190 games a second). It is
written anew here, so that the two are measured in one run, interleaved, on one thread. Both play uniformly random legal
moves from the start to the end on an 8 × 8 board. The second row is the course's 6 × 6 board against a target of 50 000.

Prints one JSON object a row: medians in games a second, the range of the middle half, and the ratio (above 1: ours is
faster).
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.import_time import middle_half
from course_utils.tasks import othello

DIRECTIONS = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]
TARGET_GAMES = 50_000


class PlainGame:
    """One game on an array: 1 black, −1 white, 0 empty."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.board = np.zeros((size, size))
        low, high = size // 2 - 1, size // 2
        self.board[low, low] = self.board[high, high] = -1
        self.board[low, high] = self.board[high, low] = 1
        self.side = 1

    def turned_over(self, square: int) -> list[tuple[int, int]]:
        """The discs that a move would turn over, found by walking from the square in each direction."""
        row, column = divmod(square, self.size)
        turned: list[tuple[int, int]] = []
        if self.board[row, column] != 0:
            return turned
        for down, right in DIRECTIONS:
            line: list[tuple[int, int]] = []
            r, c = row + down, column + right
            while 0 <= r < self.size and 0 <= c < self.size:
                disc = self.board[r, c]
                if disc != -self.side:
                    turned += line if disc == self.side else []
                    break
                line.append((r, c))
                r, c = r + down, c + right
        return turned

    def legal(self) -> list[int]:
        """Where the side to move may play; if nowhere, the other side is to move."""
        for _ in range(2):
            found = [square for square in range(self.size**2) if self.turned_over(square)]
            if found:
                return found
            self.side = -self.side
        return []

    def play(self, square: int) -> None:
        for place in [*self.turned_over(square), divmod(square, self.size)]:
            self.board[place] = self.side
        self.side = -self.side


def plain_games(size: int, n: int, seed: int) -> list[list[int]]:
    """n random games, one after another."""
    choose = random.Random(seed)
    games = []
    for _ in range(n):
        game, moves = PlainGame(size), []
        while legal := game.legal():
            moves.append(choose.choice(legal))
            game.play(moves[-1])
        games.append(moves)
    return games


def rate(n: int, play: Callable[[], object]) -> float:
    """Games a second."""
    started = time.perf_counter()
    play()
    return n / (time.perf_counter() - started)


def measure(repeats: int, n_ours: int = 32_768, n_plain: int = 20) -> list[dict[str, object]]:
    """Times both ``repeats`` times, after one unmeasured round."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    moves = plain_games(8, 3, seed=0)
    padded = torch.tensor([game + [-1] * (60 - len(game)) for game in moves])
    assert not othello.replay(padded, 8).legal[:, -1].any()  # both agree on the rules to the last move
    rates: dict[str, list[float]] = {"8": [], "6": [], "plain": []}
    for repeat in range(repeats + 1):
        measured = {
            "8": rate(n_ours, lambda seed=repeat: othello.random_games(8, n_ours, seed)),  # type: ignore[misc]
            "6": rate(n_ours, lambda seed=repeat: othello.random_games(6, n_ours, seed)),  # type: ignore[misc]
            "plain": rate(n_plain, lambda seed=repeat: plain_games(8, n_plain, seed)),  # type: ignore[misc]
        }
        if repeat:
            for name, value in measured.items():
                rates[name].append(value)
    torch.set_num_threads(threads)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    rows: list[dict[str, object]] = []
    for name, board, reference in (("othello_games", "8", medians["plain"]), ("othello_games_6x6", "6", TARGET_GAMES)):
        rows.append(
            {
                "name": name,
                "ours": round(medians[board]),
                "reference": round(reference),
                "unit": "games/s",
                "ratio": round(medians[board] / reference, 1),
                "repeats": repeats,
                "threads": 1,
                "ours_spread": middle_half(rates[board]),
            }
        )
    rows[0]["reference_spread"] = middle_half(rates["plain"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=7)
    for row in measure(max(2, parser.parse_args().repeats)):
        print(json.dumps(row))


if __name__ == "__main__":
    main()
