"""Directions in which pairs of statements differ: found without labels, found with them, drawn at random, and taken away.

A direction answers a question by the side on which the pair's difference lies: yes where ``difference @ direction`` is above
a threshold.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor


class Reader(NamedTuple):
    """Yes where ``difference @ direction`` is above ``threshold``."""

    direction: Float[Tensor, "d_model"]
    threshold: float = 0.0

    def scores(self, difference: Float[Tensor, "n d_model"]) -> Float[Tensor, "n"]:
        """How far each difference lies on the side of yes."""
        return difference @ self.direction - self.threshold

    def answers(self, difference: Float[Tensor, "n d_model"]) -> Bool[Tensor, "n"]:
        """Yes or no."""
        return self.scores(difference) > 0


def principal(difference: Float[Tensor, "n d_model"], k: int = 1) -> Float[Tensor, "k d_model"]:
    """The k directions along which the differences vary most, the first first; largest entry of each positive."""
    centred = difference - difference.mean(0)
    vectors = torch.linalg.svd(centred.double(), full_matrices=False).Vh[:k]
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return (vectors * largest.sign()).to(difference)


def contrastive_pca(difference: Float[Tensor, "n d_model"]) -> Reader:
    """CRC-TPC of Burns et al. 2022: the first principal component of the differences, cut at 0. Finds it without labels."""
    return Reader(principal(difference)[0])


def two_means(difference: Float[Tensor, "n d_model"], seed: int = 0) -> Reader:
    """k-means with two clusters, from ten starts: yes for those nearer to the second centre.

    Which centre is the second is up to the seed: without labels no method can tell yes from no.
    """
    found = KMeans(2, n_init=10, random_state=seed).fit(difference.double().numpy())
    first, second = torch.from_numpy(found.cluster_centers_).to(difference)
    direction = second - first
    return Reader(direction, float(direction @ (first + second) / 2))


def logistic(
    difference: Float[Tensor, "n d_model"], label: Bool[Tensor, "n"], penalty: float = 1e-3, bias: bool = True
) -> Reader:
    """Logistic regression on the differences, which needs the labels: what a linear reader can reach.

    Minimises ``mean cross-entropy + penalty/2 · |direction|²`` (nats).
    """
    fit = LogisticRegression(C=1 / (penalty * len(label)), max_iter=2000, fit_intercept=bias, tol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit.fit(difference.double().numpy(), label.numpy())
    return Reader(torch.from_numpy(fit.coef_[0]).to(difference), -float(fit.intercept_[0]) if bias else 0.0)


def mean_difference(difference: Float[Tensor, "n d_model"], label: Bool[Tensor, "n"]) -> Reader:
    """From the mean of the differences labelled no to that of those labelled yes, cut half way."""
    yes, no = difference[label].mean(0), difference[~label].mean(0)
    return Reader(yes - no, float((yes - no) @ (yes + no) / 2))


class VarianceParts(NamedTuple):
    """What the variance of the differences along a direction is made of; the two parts add up to it."""

    spread: float
    opposition: float


def variance_parts(
    positive: Float[Tensor, "n d_model"], negative: Float[Tensor, "n d_model"], direction: Float[Tensor, "d_model"]
) -> VarianceParts:
    """Var(a − b) = [Var a + Var b] + [−2 Cov(a, b)], for the sides' projections a and b on the direction.

    The first part is large if both sides are spread out, as a confident probe spreads them; the second if what is high
    on one side is low on the other, as a consistent probe has it (Emmons 2023). Sums are divided by n.
    """
    a, b = ((side - side.mean(0)).double() @ direction.double() for side in (positive, negative))
    return VarianceParts((a @ a + b @ b).item() / len(a), -2 * (a @ b).item() / len(a))


def salience(difference: Float[Tensor, "n d_model"], label: Bool[Tensor, "n"]) -> float:
    """The share of the differences' variance, all dimensions added up, that lies between the means of the two labels.

    1 if each label has one difference; 0 if both have the same mean.
    """
    x, share = difference.double(), label.double().mean()
    between = share * (1 - share) * (x[label].mean(0) - x[~label].mean(0)).square().sum()
    return (between / (x - x.mean(0)).square().sum(1).mean()).item()


def random_directions(d_model: int, n: int, seed: int = 0) -> Float[Tensor, "n d_model"]:
    """n directions of length 1, drawn uniformly: what any method must be better than."""
    drawn = torch.randn(n, d_model, generator=torch.Generator().manual_seed(seed))
    return drawn / drawn.norm(dim=1, keepdim=True)


def without(x: Float[Tensor, "n d_model"], direction: Float[Tensor, "d_model"]) -> Float[Tensor, "n d_model"]:
    """x with its part along the direction taken away."""
    unit = direction / direction.norm()
    return x - (x @ unit)[:, None] * unit


def erase(x: Float[Tensor, "n d_model"], label: Bool[Tensor, "n"]) -> Float[Tensor, "n d_model"]:
    """x changed as little as can be so that no linear function of it goes with the label (LEACE, Belrose et al. 2023).

    Least in the sense of mean squared change. After it both labels have the same mean.
    """
    centred = (x - x.mean(0)).double()
    towards = label.double() - label.double().mean()
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(x))
    kept = values > 1e-8 * values.max()
    values, vectors = values[kept], vectors[:, kept]
    coordinates = centred @ vectors / values.sqrt()  # white: variance 1 in every direction
    along = coordinates.T @ towards
    along = along / along.norm()
    moved = (coordinates @ along)[:, None] * along
    return (x.double() - moved * values.sqrt() @ vectors.T).to(x)
