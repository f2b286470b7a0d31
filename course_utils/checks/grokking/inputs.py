"""What do the checks feed to an answer?  Seeded numbers, questions split into training and test set, tables of answers."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from course_utils.checks.fourier.inputs import basis_of, cosine_table, noise, wave

__all__ = ["answer_table", "basis_of", "cosine_table", "noise", "questions", "wave"]


def questions(p: int, fraction: float, seed: int = 0) -> Bool[Tensor, "p p"]:
    """A random part of all questions (a, b); (a, b) may be in it without (b, a)."""
    return torch.rand(p, p, generator=torch.Generator().manual_seed(seed)) < fraction


def answer_table(p: int, seed: int = 0) -> Int[Tensor, "p p"]:
    """A right answer for each question that has nothing to do with a + b."""
    return torch.randint(p, (p, p), generator=torch.Generator().manual_seed(seed))
