"""How much logit does a circuit buy for its parameters, and which of two circuits does a penalty on parameters prefer?

The questions, and the word efficiency for logit per parameter norm, are those of Varma et al. 2023 (arXiv 2309.02390). The
paper gives no formulas for the measurements here; where a definition is ours, its docstring says so.

θ is all weights of a network as one vector. L is the mean training loss in nats, J = L + λ/2 ‖θ‖² with λ > 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.optimize import least_squares
from scipy.special import expit
from torch import Tensor, nn

from course_utils import fourier
from course_utils.errors import CourseError

T = TypeVar("T")


def squared_norm(weights: Iterable[Tensor]) -> float:
    """‖θ‖²: the sum of squares of all weights, added up in float64. Embeddings and unembedding count like the others."""
    return sum(weight.detach().double().square().sum().item() for weight in weights)


def regularised_loss(loss: float, squares: float, penalty: float) -> float:
    """J = L + λ/2 ‖θ‖², in nats. Of two circuits at rest under the same λ the one with the lower J is the more efficient.

    That reading is ours. The paper speaks of logit per norm: at equal loss a lower J is a lower norm.
    """
    return loss + penalty / 2 * squares


class Rest(NamedTuple):
    """How close is a network to a point where J = L + λ/2 ‖θ‖² is stationary? Two measures; each alone can mislead.

    Attributes:
        ratio: −θ·∇L / (λ‖θ‖²). At a stationary point ∇L = −λθ, and it is 1. It looks along one direction only, that of
            scaling all weights. It is needed (a network with 0.9 is not at rest) but not enough: it comes to 1 within a
            hundred steps, while one circuit can take over from another for thousands.
        residual: ‖∇J‖ / (λ‖θ‖). It looks along all directions and is 0 at a stationary point, but only of a smooth J: ReLUs
            put minima on kinks, where the gradient jumps and never vanishes.

    What settles the matter is a longer run that ends at the same place.
    """

    ratio: float
    residual: float


def rest_ratio(weights: Sequence[Tensor], gradients: Sequence[Tensor], penalty: float) -> float:
    """−θ·∇L / (λ‖θ‖²): how far does the loss's push outwards balance the penalty's pull inwards? 1 if θ is stationary.

    Args:
        weights: θ, in parts of any shapes.
        gradients: ∇L in the same parts, of the loss without the penalty.
        penalty: λ.
    """
    along = sum((w.double() * g.double()).sum().item() for w, g in zip(weights, gradients, strict=True))
    return -along / (penalty * squared_norm(weights))


def rest(loss: Float[Tensor, ""], weights: Iterable[Tensor], penalty: float) -> Rest:
    """Both measures of :class:`Rest`, from a loss that was computed with gradients. The weights' ``grad`` is left alone.

    Raises:
        CourseError: a penalty that is not positive.
    """
    if penalty <= 0:
        raise CourseError(f"Rest is defined for a penalty above 0; it was {penalty}.")
    weights = list(weights)
    gradients = torch.autograd.grad(loss, weights)
    with torch.no_grad():
        left = squared_norm(g.double() + penalty * w.double() for w, g in zip(weights, gradients, strict=True))
        ratio = rest_ratio(weights, gradients, penalty)
    return Rest(ratio, math.sqrt(left / squared_norm(weights)) / penalty)


def margins(logits: Float[Tensor, "pairs p"], answers: Int[Tensor, "pairs"]) -> Float[Tensor, "pairs"]:
    """By how much does each right answer's logit beat the largest wrong one? Negative where it does not."""
    right = logits.gather(1, answers[:, None])
    wrong = logits.scatter(1, answers[:, None], -torch.inf).max(1).values
    return right[:, 0] - wrong


def scaling_exponent(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> float:
    """k: if all weights are multiplied by s, the margin grows like s^k, near s = 1.

    The logarithmic derivative by central differences. A network of m matrices one after the other, ReLUs between them, has
    k = m. A network's k is not that of a circuit inside it, which can grow by its own weights alone.

    Args:
        model: its weights are scaled, and put back exactly.
        margin: what is measured of the model, positive.
    """
    weights = list(model.parameters())
    kept = [weight.detach().clone() for weight in weights]
    values = []
    with torch.no_grad():
        for scale in (1 - step, 1 + step):
            for weight, original in zip(weights, kept, strict=True):
                weight.copy_(original * scale)
            values.append(margin())
        for weight, original in zip(weights, kept, strict=True):
            weight.copy_(original)
    return math.log(values[1] / values[0]) / math.log((1 + step) / (1 - step))


def trigonometric_share(logits: Float[Tensor, "p p p"], freqs: list[int] | None = None) -> float:
    """What share of the logits [a, b, c] has the form Σ_k α_k cos(w_k(a + b − c))? Of the sum of squares, from 0 to 1.

    Each question's mean over c is taken off first. The paper calls a network generalising if over 95 % of its logits' norm
    lies in the trigonometric subspace.

    Args:
        logits: all p² questions.
        freqs: which frequencies; None for all of them, that is for every even function of a + b − c.
    """
    p = logits.shape[0]
    return fourier.fit_cosines(logits, freqs or list(range(1, p // 2 + 1))).explained


class Transition(NamedTuple):
    """Where and how steeply does accuracy rise with the number of questions?

    Attributes:
        midpoint: the number D at which the fitted curve is at ½.
        width: from 10 % to 90 %, as a factor of D: 1 is a jump.
    """

    midpoint: float
    width: float


def transition(sizes: Float[np.ndarray, "n"], accuracies: Float[np.ndarray, "n"]) -> Transition:
    """Fit accuracy ≈ 1 / (1 + (m / D)^s), a logistic curve in ln D, by least squares; the width is 81^(1/s).

    Raises:
        CourseError: fewer than three sizes, or accuracies that are not on both sides of ½.
    """
    if len(set(sizes.tolist())) < 3 or not accuracies.min() < 0.5 < accuracies.max():
        raise CourseError("A transition is fitted to three sizes or more, with accuracies on both sides of ½.")
    x = np.log(sizes)

    def errors(place: Float[np.ndarray, "2"]) -> Float[np.ndarray, "n"]:
        middle, log_steepness = place
        return expit(np.exp(log_steepness) * (x - middle)) - accuracies

    nearest = x[np.abs(accuracies - 0.5).argmin()]
    middle, log_steepness = least_squares(errors, (nearest, math.log(5.0))).x
    return Transition(math.exp(middle), 81 ** math.exp(-log_steepness))


def crossing(x: Float[np.ndarray, "n"], one: Float[np.ndarray, "n"], other: Float[np.ndarray, "n"]) -> float | None:
    """At which x do two curves, straight between their points, first meet? None if they do not.

    For two circuits: x the number of questions, the curves their J. Where they are equal neither is more efficient.
    """
    difference = other - one
    for i in range(len(x) - 1):
        left, right = difference[i], difference[i + 1]
        if left * right <= 0 and left != right:
            return float(x[i] - left * (x[i + 1] - x[i]) / (right - left))
    return None


class Interval(NamedTuple):
    """An estimate, and the 2.5 % and 97.5 % points of its bootstrap."""

    estimate: float
    low: float
    high: float


def bootstrap(
    groups: list[T], estimate: Callable[[list[T]], float | None], draws: int = 1000, seed: int = 0
) -> Interval:
    """How far would an estimate move with other groups of the same kind? Groups are drawn with replacement, whole.

    A group holds what belongs together, such as all runs of one subset seed. Draws that give None or a
    :class:`CourseError` (a curve that never crosses) are left out.

    Raises:
        CourseError: more than half of the draws give nothing.
    """
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        value = _attempt(estimate, [groups[i] for i in rng.integers(len(groups), size=len(groups))])
        if value is not None:
            values.append(value)
    all_of_it = _attempt(estimate, groups)
    if all_of_it is None or len(values) < draws / 2:
        raise CourseError("Most draws of the bootstrap give no estimate: widen the range of sizes.")
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(all_of_it, float(low), float(high))


def _attempt(estimate: Callable[[list[T]], float | None], groups: list[T]) -> float | None:
    try:
        return estimate(groups)
    except CourseError:
        return None


class Overlap(NamedTuple):
    """How many large weights do two networks have at the same places?

    Attributes:
        shared: what share of the one's large weights is large in the other as well.
        chance: what it would be if places did not matter: the share of weights called large.
        z: the difference in standard deviations of chance.
    """

    shared: float
    chance: float
    z: float


def large_weight_overlap(one: Iterable[Tensor], other: Iterable[Tensor], top: float = 0.05) -> Overlap:
    """Do two networks' largest weights lie at the same places more often than chance would have it?

    Large are the ``top`` share by size within each tensor: between tensors the scale differs in the same way in every
    network, and would count as agreement. Chance draws places within each tensor (a hypergeometric number of hits). Two
    networks of the same initialisation agree more than chance by that alone: compare with other pairs of networks.

    Raises:
        CourseError: tensors of different shapes.
    """
    hits = expected = variance = chosen = 0.0
    for a, b in zip(one, other, strict=True):
        if a.shape != b.shape:
            raise CourseError(f"Weights of shape {tuple(a.shape)} and {tuple(b.shape)} have no places in common.")
        n = a.numel()
        k = round(top * n)
        if k == 0 or k == n:
            continue
        places = [set(w.detach().abs().flatten().topk(k).indices.tolist()) for w in (a, b)]
        hits += len(places[0] & places[1])
        expected += k * k / n
        variance += k * k * (n - k) ** 2 / (n * n * (n - 1))
        chosen += k
    return Overlap(hits / chosen, expected / chosen, (hits - expected) / math.sqrt(variance))
