"""Random sequences in which a stretch occurs a second time: what comes next can be known only by looking back.

All tokens are drawn at random, without replacement unless told otherwise, and then a span is copied to a later place:
``7 2 8 3 1 9 4 [8 3 1 9] 5``. Nothing about a token says what follows it, except inside the copy, where the
earlier occurrence does. The first token of a copy cannot be predicted; the others can.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from course_utils.errors import CourseError

FILLINGS = ("distinct", "uniform", "zipf")


@dataclass(frozen=True)
class RepeatTask:
    """What the sequences are like.

    Attributes:
        vocab: how many tokens there are.
        length: tokens a sequence.
        copy: the shortest and the longest span that is copied, in tokens.
        copies: how many times the span occurs after its first time.
        gap: the smallest and the largest number of tokens between a span and its copy; None allows all that fit.
        filling: how the tokens are drawn: ``"distinct"`` (without replacement), ``"uniform"`` or ``"zipf"``
            (token r with a probability proportional to 1/(r + 1)).
        translation: None copies the tokens themselves. A number makes two languages: the sequence is written in tokens
            below vocab/2, and copies in the others, by a dictionary drawn from this seed (see :func:`dictionary`).
        alphabet: only the first so many tokens occur; None: all.
    """

    vocab: int = 64
    length: int = 32
    copy: tuple[int, int] = (3, 10)
    copies: int = 1
    gap: tuple[int, int] | None = None
    filling: str = "distinct"
    translation: int | None = None
    alphabet: int | None = None

    def __post_init__(self) -> None:
        shortest, longest = self.copy
        if self.filling not in FILLINGS:
            raise CourseError(f"Unknown filling {self.filling!r}: choose one of {', '.join(FILLINGS)}.")
        if not 1 <= shortest <= longest:
            raise CourseError(f"Copy lengths go from the shortest to the longest, from 1 up; they were {self.copy}.")
        if self.copies < 1:
            raise CourseError(f"A span is copied at least once; copies was {self.copies}.")
        if self.gap is not None and not 0 <= self.gap[0] <= self.gap[1]:
            raise CourseError(f"Gaps go from the smallest to the largest, from 0 up; they were {self.gap}.")
        room = self.vocab if self.translation is None else self.vocab // 2
        if self.alphabet is not None and not 1 <= self.alphabet <= room:
            raise CourseError(f"An alphabet has 1 to {room} of the tokens here; it was {self.alphabet}.")
        least_gap = self.gap[0] if self.gap else 0
        need = longest * (1 + self.copies) + least_gap * self.copies
        if need > self.length:
            raise CourseError(f"Spans of {longest}, gaps and copies need {need} tokens; sequences have {self.length}.")
        if self.filling == "distinct" and self.length > self.n_written:
            raise CourseError(f"{self.length} places cannot be filled with {self.n_written} distinct tokens.")

    @property
    def n_written(self) -> int:
        """How many tokens the sequences are written in: ``alphabet``, or the first language, or all."""
        return self.alphabet or (self.vocab if self.translation is None else self.vocab // 2)


class Repeats(NamedTuple):
    """Sequences, and for each place the place it was copied from (−1: not copied)."""

    tokens: Int[Tensor, "batch pos"]
    source: Int[Tensor, "batch pos"]


def draw(task: RepeatTask, n: int, seed: int) -> Repeats:
    """n sequences; the same seed gives the same ones."""
    g = torch.Generator().manual_seed(seed)
    place = torch.arange(task.length).expand(n, -1)
    span = torch.randint(task.copy[0], task.copy[1] + 1, (n, 1), generator=g)
    room = task.length - span * (1 + task.copies)
    low, high = (0, task.length) if task.gap is None else task.gap
    high_gap = (room // task.copies).clamp(max=high)
    gap = low + (torch.rand(n, 1, generator=g) * (high_gap - low + 1)).long()
    start = (torch.rand(n, 1, generator=g) * (room - gap * task.copies + 1)).long()

    # Count places from the first copy on, in periods of one span and one gap: inside a span is copied, inside a gap is not.
    period = span + gap
    since = place - start
    copied = (since >= period) & (since < (1 + task.copies) * period) & (since % period < span)
    origin = torch.where(copied, start + since % period, place)
    first = _fill(task, n, g).gather(1, origin)
    tokens = first if task.translation is None else torch.where(copied, dictionary(task)[first], first)
    return Repeats(tokens, torch.where(copied, origin, -1))


def _fill(task: RepeatTask, n: int, g: torch.Generator) -> Int[Tensor, "batch pos"]:
    if task.filling == "distinct":
        return torch.rand(n, task.n_written, generator=g).argsort(1)[:, : task.length]
    weights = torch.ones(task.n_written)
    if task.filling == "zipf":
        weights = 1 / torch.arange(1, task.n_written + 1)
    return torch.multinomial(weights, n * task.length, replacement=True, generator=g).reshape(n, task.length)


def dictionary(task: RepeatTask) -> Int[Tensor, "half"]:
    """The second language's word for each token of the first."""
    half = task.vocab // 2
    order = torch.randperm(half, generator=torch.Generator().manual_seed(task.translation or 0))
    return half + order


def behind_source(source: Int[Tensor, "batch pos"]) -> Int[Tensor, "batch pos"]:
    """Where should an induction head look? The place behind the one each token was copied from; −1: not copied."""
    return torch.where(source >= 0, source + 1, -1)


def predictable(source: Int[Tensor, "batch pos"]) -> Bool[Tensor, "batch pos"]:
    """At which places can the *next* token be known? Where this token and the next are copies of neighbours."""
    follows = (source[:, 1:] == source[:, :-1] + 1) & (source[:, :-1] >= 0)
    return torch.cat([follows, torch.zeros_like(follows[:, :1])], 1)
