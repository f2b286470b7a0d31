"""Does a network use what a probe reads? Change it there, and see whether the answers follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_utils.models import Transformer
from course_utils.models.hooks import HookFunction, stream_name
from course_utils.tasks import othello

BATCH = 128  # cases run together

Edit = Callable[[int, Float[Tensor, "n d_model"], Int[Tensor, "n"]], Float[Tensor, "n d_model"]]
"""Given a layer, the residual stream after it and which cases these are: what to put there."""


def set_score(
    resid: Float[Tensor, "n d_model"],
    direction: Float[Tensor, "n d_model"],
    bias: Float[Tensor, "n"],
    target: Float[Tensor, "n"],
) -> Float[Tensor, "n d_model"]:
    """The smallest change after which each row's score, resid · direction + bias, is its target."""
    missing = target - (resid * direction).sum(1) - bias
    return resid + (missing / direction.square().sum(1))[:, None] * direction


def logits_at(
    model: Transformer,
    tokens: Int[Tensor, "n pos"],
    place: Int[Tensor, "n"],
    edit: Edit | None = None,
    layers: Sequence[int] = (),
) -> Float[Tensor, "n d_vocab_out"]:
    """What does the network say at one place of each sequence, when the stream is edited there after some layers?

    What comes after the place is not read. Nothing before it changes: earlier places cannot see this one.
    """
    logits = torch.empty(len(tokens), model.cfg.n_out)
    for cases in place.argsort().split(BATCH):  # of similar lengths
        rows, at = torch.arange(len(cases)), place[cases]

        def hook(layer: int, cases: Int[Tensor, "n"] = cases, rows: Tensor = rows, at: Tensor = at) -> HookFunction:
            def replace(resid: Float[Tensor, "n pos d_model"], _: object) -> Tensor:
                assert edit is not None
                resid = resid.clone()
                resid[rows, at] = edit(layer, resid[rows, at], cases)
                return resid

            return replace

        hooks = [(stream_name(layer), hook(layer)) for layer in layers] if edit is not None else []
        with torch.no_grad():
            logits[cases] = model.run_with_hooks(tokens[cases, : int(at.max()) + 1], fwd_hooks=hooks)[rows, at]
    return logits


@dataclass(frozen=True)
class Cases:
    """Positions of Othello in each of which one disc is chosen, to be changed.

    Attributes:
        size: squares along a side.
        tokens: the game's moves.
        ply: the place of the position: after the move with this index.
        board: as the side that moves next sees it: 0 empty, 1 mine, 2 theirs.
        square: the square of the chosen disc.
        black_next: does black move next?
    """

    size: int
    tokens: Int[Tensor, "n pos"]
    ply: Int[Tensor, "n"]
    board: Int[Tensor, "n square"]
    square: Int[Tensor, "n"]
    black_next: Bool[Tensor, "n"]

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, which: Tensor) -> Cases:
        parts = (self.tokens, self.ply, self.board, self.square, self.black_next)
        return Cases(self.size, *(part[which] for part in parts))

    @property
    def present(self) -> Int[Tensor, "n"]:
        """What the chosen square holds."""
        return self.board.gather(1, self.square[:, None])[:, 0]

    def edited(self, wanted: Int[Tensor, "n"]) -> Int[Tensor, "n square"]:
        """The boards with the chosen squares in these states."""
        return self.board.scatter(1, self.square[:, None], wanted[:, None])

    def legal(self, board: Int[Tensor, "n square"]) -> Bool[Tensor, "n move"]:
        """The moves that the rules allow on these boards."""
        return othello.legal_in(board, self.size)


def draw_cases(size: int, n: int, seed: int, plies: tuple[int, int]) -> Cases:
    """One position of each of n random games, at a ply from the first to the last given, and one of its discs.

    Left out are games that have ended before, and positions at which no move is legal when the disc changes sides.
    """
    generator = torch.Generator().manual_seed(seed)
    games = othello.random_games(size, n, seed)
    rows, ply = torch.arange(n), torch.randint(plies[0], plies[1] + 1, (n,), generator=generator)
    board = games.relative()[rows, ply].long()
    square = ((board != othello.EMPTY) * torch.rand(board.shape, generator=generator)).argmax(1)
    cases = Cases(size, games.tokens()[:, :-1], ply, board, square, games.black_next[rows, ply])
    flipped = cases.legal(cases.edited(othello.MINE + othello.THEIRS - cases.present))
    return cases[(games.legal[rows, ply] != 0) & flipped.any(1)]
