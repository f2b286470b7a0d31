"""Can an answer be found in a network's activations without being told any? Contrast-consistent search and its rivals.

Each question is put twice, once stated to be so and once stated not to be so; :class:`~course_utils.contrast.Pairs` holds
the network's activations for both, which :func:`~course_utils.contrast.normalised` prepares (``ccs.Pairs`` and
``ccs.normalised`` are the same). Every method here ends in a direction, and reads an answer off the *difference* of the two
sides.

Definitions: Burns et al. (2022) for the loss, the normalisation and the methods' names; Farquhar et al. (2023) for the
symmetric loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_utils.contrast import NORMALISATIONS as NORMALISATIONS
from course_utils.contrast import Pairs as Pairs
from course_utils.contrast import normalise as normalise
from course_utils.contrast import normalised as normalised
from course_utils.errors import CourseError

Objective = Callable[[Float[Tensor, "restart d_model"], Float[Tensor, "restart"]], Float[Tensor, "restart"]]
"""From the weights and biases of all restarts to the loss of each."""
Slope = Callable[[Float[Tensor, "restart d_model+1"]], Float[Tensor, "restart d_model+1"]]
"""From all restarts' weights, each with its bias behind them, to the gradients of their losses."""
PairLoss = Callable[[Float[Tensor, "*restart n"], Float[Tensor, "*restart n"]], Float[Tensor, "*restart"]]
"""From both sides' probabilities, p⁺ and p⁻, to the mean loss over questions."""


def inconsistency(
    p_positive: Float[Tensor, "*restart n"], p_negative: Float[Tensor, "*restart n"]
) -> Float[Tensor, "*restart n"]:
    """How far the two probabilities are from adding up to 1, squared."""
    return (p_positive - (1 - p_negative)) ** 2


def unconfidence(
    p_positive: Float[Tensor, "*restart n"], p_negative: Float[Tensor, "*restart n"]
) -> Float[Tensor, "*restart n"]:
    """The smaller of the two probabilities, squared: 0 if one of the statements is surely wrong."""
    return torch.minimum(p_positive, p_negative) ** 2


def ccs_loss(
    p_positive: Float[Tensor, "*restart n"], p_negative: Float[Tensor, "*restart n"]
) -> Float[Tensor, "*restart"]:
    """The loss of Burns et al.: mean inconsistency plus mean lack of confidence."""
    return (inconsistency(p_positive, p_negative) + unconfidence(p_positive, p_negative)).mean(-1)


def losses(
    weight: Float[Tensor, "restart d_model"],
    bias: Float[Tensor, "restart"],
    positive: Float[Tensor, "n d_model"],
    negative: Float[Tensor, "n d_model"],
) -> Float[Tensor, "restart"]:
    """The loss of each restart's probe, sigmoid(weight · x + bias), on the same pairs."""
    p_positive, p_negative = (torch.sigmoid(weight @ side.T + bias[:, None]) for side in (positive, negative))
    return ccs_loss(p_positive, p_negative)


def symmetric_loss(
    p_positive: Float[Tensor, "*restart n"], p_negative: Float[Tensor, "*restart n"]
) -> Float[Tensor, "*restart"]:
    """The same with the smallest of p⁺, p⁻, 1 − p⁺, 1 − p⁻ for confidence, which treats yes and no alike."""
    least = torch.minimum(p_positive, p_negative)
    least = torch.minimum(least, torch.minimum(1 - p_positive, 1 - p_negative))
    return (inconsistency(p_positive, p_negative) + least**2).mean(-1)


class Probes(NamedTuple):
    """One probe for each restart: the probability that a statement is right is sigmoid(weight · x + bias).

    Attributes:
        weight: a direction for each restart.
        bias: what is added.
        loss: each restart's on the questions it was fitted to, after the last step.
    """

    weight: Float[Tensor, "restart d_model"]
    bias: Float[Tensor, "restart"]
    loss: Float[Tensor, "restart"]

    def probability(self, x: Float[Tensor, "n d_model"]) -> Float[Tensor, "restart n"]:
        """Each probe's probability that each statement is right."""
        return torch.sigmoid(self.weight @ x.T + self.bias[:, None])

    def lowest(self) -> int:
        """The restart with the lowest loss, which is the one that the method keeps."""
        return int(self.loss.argmin())


def answers(
    p_positive: Float[Tensor, "*restart n"], p_negative: Float[Tensor, "*restart n"]
) -> Float[Tensor, "*restart n"]:
    """The induced probability of yes: the mean of what both statements say of the question."""
    return (p_positive + 1 - p_negative) / 2


def accuracy_up_to_sign(
    p_positive: Float[Tensor, "*restart n"], p_negative: Float[Tensor, "*restart n"], label: Bool[Tensor, "n"]
) -> Float[Tensor, "*restart"]:
    """How often the answers agree with the labels, or the opposite answers, if that is more often.

    The answer is yes where p⁺ is above p⁻. Without labels no method can tell a probe of "right" from one of "wrong".
    """
    return up_to_sign(agreement(p_positive > p_negative, label))


def reassigned(
    p_positive: Float[Tensor, "*restart n"], p_negative: Float[Tensor, "*restart n"], wanted: Bool[Tensor, "n"]
) -> tuple[Float[Tensor, "*restart n"], Float[Tensor, "*restart n"]]:
    """Probabilities with the same symmetric loss, question by question, whose answers are the wanted ones.

    Where the answer (yes where p⁺ is above p⁻) is not the wanted one, both sides are put at 1 − p. This is the
    construction behind Theorem 2 of Farquhar et al. (2023).
    """
    other = (p_positive > p_negative) != wanted
    return torch.where(other, 1 - p_positive, p_positive), torch.where(other, 1 - p_negative, p_negative)


def fit(
    pairs: Pairs,
    restarts: int = 10,
    seed: int = 0,
    steps: int = 1000,
    lr: float = 0.01,
    weight_decay: float = 0.01,
    loss: PairLoss = ccs_loss,
) -> Probes:
    """Contrast-consistent search from several random starts at once.

    The starts share nothing but the data. Adding their losses up gives each of them the gradient that it would have
    alone, and AdamW looks at each number alone, so that one optimisation does what so many would have done one by one.
    For :func:`ccs_loss` the gradient is written out (:func:`ccs_slope`); any other loss goes through autograd.

    Args:
        pairs: normalised activations.
        restarts: how many random starts.
        seed: of the first restart; the others' follow it.
        steps: of AdamW, each on all questions.
        lr, weight_decay: AdamW's.
        loss: of the probabilities of both sides.

    Returns:
        One probe for each restart. Without labels the method keeps that with the lowest loss (:meth:`Probes.lowest`).

    Raises:
        CourseError: sides of different shapes.
    """
    if pairs.positive.shape != pairs.negative.shape:
        raise CourseError(f"The sides differ: {list(pairs.positive.shape)} and {list(pairs.negative.shape)}.")
    slope = ccs_slope(pairs) if loss is ccs_loss else None
    return descend(objective(pairs, loss), pairs.positive.shape[1], restarts, seed, steps, lr, weight_decay, slope)


def objective(pairs: Pairs, loss: PairLoss = ccs_loss) -> Objective:
    """The loss of each restart on these pairs, as a function of all restarts' weights and biases."""
    both, n = torch.cat(pairs).T.contiguous(), len(pairs.positive)

    def losses(weight: Tensor, bias: Tensor) -> Tensor:
        p = torch.sigmoid(torch.addmm(bias[:, None], weight, both))  # (restart, 2 n)
        return loss(p[:, :n], p[:, n:])

    return losses


def ccs_slope(pairs: Pairs) -> Slope:
    """The gradient of :func:`ccs_loss`, each restart's in its row, as a function of all weights with the biases behind them.

    With p⁺ and p⁻ the sides' probabilities, half the loss of a question has the slope p⁺ + p⁻ − 1 in either of them, and
    in the smaller one that one itself as well.
    """
    n = len(pairs.positive)
    rows = F.pad(torch.cat(pairs), (0, 1), value=1.0)  # the bias reads a column of ones
    columns, share, half = rows.T.contiguous(), rows * (2 / n), rows.new_tensor(0.5)

    def slope(probe: Tensor) -> Tensor:
        p = torch.sigmoid(probe @ columns)  # (restart, 2 n)
        positive, negative = p[:, :n], p[:, n:]
        off = positive + negative - 1
        smaller = torch.heaviside(negative - positive, half)  # 1 where it is p⁺; a tie counts half for each
        steep = torch.cat([torch.addcmul(off, positive, smaller), torch.addcmul(off, negative, 1 - smaller)], 1)
        return (steep * (p - p * p)) @ share

    return slope


def by_autograd(losses: Objective) -> Slope:
    """The gradient of any losses, as :func:`ccs_slope` gives that of one."""

    def slope(probe: Tensor) -> Tensor:
        with torch.enable_grad():
            free = probe.detach().requires_grad_()
            return torch.autograd.grad(losses(free[:, :-1], free[:, -1]).sum(), free)[0]

    return slope


def descend(
    losses: Objective,
    d_model: int,
    restarts: int = 10,
    seed: int = 0,
    steps: int = 1000,
    lr: float = 0.01,
    weight_decay: float = 0.01,
    slope: Slope | None = None,
) -> Probes:
    """AdamW on the whole data from random starts, uniform within 1/√d_model as a linear layer's are.

    Args:
        losses: of each restart, given all weights and biases.
        d_model: dimensions of the activations.
        restarts, seed, steps, lr, weight_decay: as for :func:`fit`.
        slope: their gradient, if it is known; None: autograd finds it.
    """
    probe = torch.stack([_start(d_model, seed + restart) for restart in range(restarts)]).requires_grad_()
    slope = by_autograd(losses) if slope is None else slope
    optimiser = torch.optim.AdamW([probe], lr=lr, weight_decay=weight_decay, fused=True)
    with torch.no_grad():
        for _ in range(steps):
            probe.grad = slope(probe)
            optimiser.step()
        weight, bias = probe[:, :-1].clone(), probe[:, -1].clone()
        return Probes(weight, bias, losses(weight, bias))


def _start(d_model: int, seed: int) -> Float[Tensor, "d_model+1"]:
    g = torch.Generator().manual_seed(seed)
    return (2 * torch.rand(d_model + 1, generator=g) - 1) / d_model**0.5


def probe_for_labels(
    positive: Float[Tensor, "n d_model"],
    negative: Float[Tensor, "n d_model"],
    label: Bool[Tensor, "n"],
    margin: float = 10.0,
) -> tuple[Float[Tensor, "d_model"], Float[Tensor, ""]]:
    """A linear probe that answers these labels, whatever they are, surely and consistently (Theorem 1 of Farquhar et al.).

    Its logits are to be +margin on the positive side where the label is yes and on the negative side where it is no, and
    −margin elsewhere: the smallest such weights, bias among them, where there are such (for 2 n up to d_model + 1 rows
    that do not depend on each other), else those with the least squared error.
    """
    rows = F.pad(torch.cat([positive, negative]).double(), (0, 1), value=1.0)
    sign = 2.0 * label.double() - 1
    found = torch.linalg.pinv(rows) @ (margin * torch.cat([sign, -sign]))
    return found[:-1].to(positive), found[-1].to(positive)


def agreement(answer: Bool[Tensor, "*restart n"], label: Bool[Tensor, "n"]) -> Float[Tensor, "*restart"]:
    """The share of questions on which answer and label agree."""
    return (answer == label).double().mean(-1)


def up_to_sign(share: Float[Tensor, "*restart"]) -> Float[Tensor, "*restart"]:
    """The better of a share and that of the opposite answers: without labels, no method can tell yes from no."""
    return torch.maximum(share, 1 - share)


def feature_found(
    answer: Bool[Tensor, "restart n"], features: Bool[Tensor, "feature n"], least: float = 0.9
) -> Int[Tensor, "restart"]:
    """Which feature does each probe answer? The one it agrees with most, up to sign; −1 if with none at least so often."""
    share = up_to_sign(torch.stack([agreement(answer, feature) for feature in features]))
    most, which = share.max(0)
    return torch.where(most >= least, which, -1)
