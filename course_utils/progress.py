"""What goes on inside a network while its loss says nothing? Measures of a circuit that is growing, and what they rest on.

Definitions are those of Nanda et al. 2023 (arXiv 2301.05217, section 5) unless a docstring says otherwise. Losses are in
nats, computed in float64.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_utils import fourier
from course_utils.errors import CourseError


class ProgressLosses(NamedTuple):
    """What the key directions achieve alone, and what is left of the network without them, in nats."""

    restricted: float
    excluded: float


def progress_losses(
    logits: Float[Tensor, "p p p"], freqs: list[int], answers: Int[Tensor, "p p"], train: Bool[Tensor, "p p"]
) -> ProgressLosses:
    """Restricted loss over all questions, and excluded loss over the training questions.

    Restricted: the mean cross-entropy when only each class's mean and the directions cos and sin of w_k(a + b), k in
    freqs, are kept of the logits. Excluded: when only those directions are removed. The paper and chapter 22 take it over the
    training questions; the loss without these directions in chapter 21 is that of
    :func:`course_utils.fourier.split_logits`' second part over *all* questions, and is another number.

    Args:
        logits: at any moment of training, [a, b, c].
        freqs: the key frequencies of the *finished* network, at every moment.
        answers: the right class of each question.
        train: which questions are in the training set.
    """
    split = fourier.split_logits(logits.double(), freqs)
    return ProgressLosses(
        F.cross_entropy(split.restricted.flatten(0, 1), answers.flatten()).item(),
        F.cross_entropy(split.excluded[train], answers[train]).item(),
    )


class MirrorAccuracy(NamedTuple):
    """Accuracy on test questions (a, b), by whether (b, a) was in the training set."""

    seen: float
    unseen: float


def mirror_accuracy(correct: Bool[Tensor, "p p"], train: Bool[Tensor, "p p"]) -> MirrorAccuracy:
    """How much of what the network knows of the test set does it know because a + b = b + a?

    Args:
        correct: whether the question (a, b) is answered rightly.
        train: whether it is in the training set. All other questions are the test set.

    Returns:
        Fractions; nan over no questions at all.
    """
    mirror = train.T
    return MirrorAccuracy(*(correct[~train & part].double().mean().item() for part in (mirror, ~mirror)))


class Phases(NamedTuple):
    """The steps at which memorisation, circuit formation and cleanup end."""

    memorised: int
    formed: int
    clean: int


def phase_boundaries(
    steps: list[int], excluded: list[float], restricted: list[float], sum_of_squares: list[float]
) -> Phases:
    """When does one phase end and the next begin? By rule, at measured steps:

    * memorised: the step of the least excluded loss. Until then the network does ever better without the key
      directions; from then on it leans on them.
    * formed: the first step with a restricted loss under 0.01 nats: the key directions alone solve the task.
    * clean: the first step from which on the sum of squared weights stays within 5 % of its last value.

    The papers draw these lines by eye; the thresholds are ours.

    Args:
        steps: increasing.
        excluded: excluded loss on the training set at each step.
        restricted: restricted loss.
        sum_of_squares: of all weights.

    Raises:
        CourseError: a run that forms no circuit.
    """
    memorised = steps[min(range(len(steps)), key=excluded.__getitem__)]
    formed = next((step for step, loss in zip(steps, restricted, strict=True) if loss < 0.01), None)
    if formed is None:
        raise CourseError("The restricted loss never falls under 0.01 nats: this run has formed no circuit.")
    last = sum_of_squares[-1]
    away = [i for i, value in enumerate(sum_of_squares) if abs(value - last) > 0.05 * last]
    return Phases(memorised, formed, steps[away[-1] + 1] if away else steps[0])


def descend_product(a: float, b: float, lr: float, steps: int) -> Float[Tensor, "steps_plus_1"]:
    """The product ab during gradient descent on ½(ab − 1)², from step 0 to step ``steps``.

    Both factors are updated at once, each by −lr times its derivative: −lr·(ab − 1)·b for a, −lr·(ab − 1)·a for b.
    """
    products = [a * b]
    for _ in range(steps):
        error = a * b - 1
        a, b = a - lr * error * b, b - lr * error * a
        products.append(a * b)
    return torch.tensor(products, dtype=torch.float64)


def power_law(x: Float[Tensor, "n"], y: Float[Tensor, "n"]) -> tuple[float, float]:
    """The exponent n and the factor c of y ≈ c·xⁿ, by least squares on the logarithms."""
    log_x, log_y = x.double().log(), y.double().log()
    centred = log_x - log_x.mean()
    exponent = (centred * log_y).sum() / centred.square().sum()
    return exponent.item(), (log_y.mean() - exponent * log_x.mean()).exp().item()


def balance(A: Float[Tensor, "m k"], B: Float[Tensor, "k n"]) -> tuple[Float[Tensor, "m k"], Float[Tensor, "k n"]]:
    """The pair (sA, B/s) with the least sum of squares among all s > 0. The product is unchanged.

    s²‖A‖² + ‖B‖²/s² is least where both terms are equal: s² = ‖B‖ / ‖A‖.
    """
    s = math.sqrt(B.norm().item() / A.norm().item())
    return s * A, B / s


def exact_loss(logits: Float[Tensor, "n classes"], labels: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
    """Each example's cross-entropy in nats, right to six digits however small or large, in the logits' own dtype.

    −log softmax of the right class c is log(1 + e^d) with d = logsumexp of the other logits − the logit of c. Computed
    so, a loss of 1e-20 is 1e-20 also in float32, where log-softmax gives 0 below 6e-8.
    """
    right = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], -torch.inf).logsumexp(1)
    return torch.logaddexp(others - right[:, 0], torch.zeros_like(others))


def initial_circularity(start: Float[Tensor, "p d_model"], final: Float[Tensor, "p d_model"], k: int) -> float:
    """What share of the start, seen in the final network's plane of frequency k, is a wave of frequency k?

    The plane is spanned by the cos k and sin k components (each a vector of d_model) of what training added to the
    start: the final embedding minus its least-squares multiple of the initial one. The start, projected on the plane, is a
    table of p rows and two columns; the share is of its sum of squares over all waves but the constant. For a start
    that knows nothing of the plane it is about 2/(p − 1).
    """
    start, final = start.double(), final.double()
    basis = fourier.fourier_basis(start.shape[0])
    added = final - (final * start).sum() / start.square().sum() * start
    wave = basis[2 * k - 1 : 2 * k + 1]
    plane = torch.linalg.qr((wave @ added).T).Q  # (d_model, 2)
    power = (basis @ start @ plane).square().sum(1)
    return (power[2 * k - 1 : 2 * k + 1].sum() / power[1:].sum()).item()


def slow_gradient(
    gradient: Float[Tensor, "*shape"], mean: Float[Tensor, "*shape"], memory: float, amplify: float
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """One step of the filter that amplifies slow gradients (Lee et al. 2024, arXiv 2405.20233).

    The new mean is memory·mean + (1 − memory)·gradient; the filtered gradient is gradient + amplify·(new mean).

    Returns:
        The filtered gradient and the new mean. The arguments are left as they are.
    """
    mean = memory * mean + (1 - memory) * gradient
    return gradient + amplify * mean, mean
