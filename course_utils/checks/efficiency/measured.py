"""Two models whose margin is known for every scale of their parameters, and what measures it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_utils.checks.fourier.inputs import noise


class Chain(nn.Module):
    """Matrices one after the other, ReLUs between them: the length of the result grows like s^(number of matrices)."""

    x: Tensor

    def __init__(self, sizes: tuple[int, ...], seed: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.matrices = nn.ParameterList(
            nn.Parameter(noise(n, m, seed=seed + i, dtype=dtype) + 0.3)
            for i, (n, m) in enumerate(itertools.pairwise(sizes))
        )
        self.register_buffer("x", noise(sizes[0], seed=seed + 9, dtype=dtype).abs() + 0.1)

    def forward(self) -> Tensor:
        x = self.x
        for i, matrix in enumerate(self.matrices):
            x = (x if i == 0 else x.relu()) @ matrix
        return x.norm()


class Terms(NamedTuple):
    """The margin constant + first · s + fifth · s⁵: no power law, but a slope everywhere."""

    constant: float
    first: float
    fifth: float

    def at(self, s: float) -> float:
        return self.constant + self.first * s + self.fifth * s**5

    def exponent(self) -> float:
        """The slope of ln(margin) over ln(s) at s = 1."""
        return (self.first + 5 * self.fifth) / self.at(1)

    def slack(self, step: float) -> float:
        """Ten times by how much two ways to measure the slope with this step are off, an error of the order of step²; and what
        logarithms of margins and scales in single precision are off, which is divided by the step."""
        below, above = self.at(1 - step), self.at(1 + step)
        logarithmic = math.log(above / below) / math.log((1 + step) / (1 - step))
        relative = (above - below) / (2 * step * self.at(1))
        return (
            10 * max(abs(logarithmic - self.exponent()), abs(relative - self.exponent()))
            + 2e-7 * (1 + self.exponent()) / step
        )


class Sum(nn.Module):
    """A model with a term of degree 0 in the parameters (a buffer), one of degree 1 and one of degree 5."""

    constant: Tensor

    def __init__(self, terms: Terms, size: int, seed: int) -> None:
        super().__init__()
        u, v = noise(size, size + 1, seed=seed), noise(size + 4, seed=seed + 1)
        self.u = nn.Parameter(u * terms.first / u.norm())
        self.v = nn.Parameter(v / v.norm() * terms.fifth**0.2)
        self.register_buffer("constant", torch.tensor(terms.constant, dtype=torch.float64))

    def forward(self) -> Tensor:
        return self.constant + self.u.norm() + self.v.norm() ** 5


@dataclass(frozen=True)
class Margin:
    """Measures the model as it is now. A dataclass, so that a check's copy of it measures the check's copy of the model."""

    model: nn.Module = field(compare=False)

    def __call__(self) -> float:
        return self.model().item()


def chain(*sizes: int, seed: int, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Margin]:
    """A network of len(sizes) − 1 matrices, and its margin."""
    model = Chain(sizes, seed, dtype)
    return model, Margin(model)


def sum_of(terms: Terms, size: int, seed: int) -> tuple[nn.Module, Margin]:
    """A model with this margin, and the margin."""
    model = Sum(terms, size, seed)
    return model, Margin(model)
