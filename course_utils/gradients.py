"""What can be done to a gradient between the backward pass and the optimiser's step?

One filter adds a true L2 penalty, the others are meant to make a network grok sooner. A filter is a frozen dataclass with
one method, ``apply(model, memory)``: it changes the gradients in place. What it has to remember from step to step lies in
``memory``, a dictionary of tensors that the trainer owns and stores in checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class GradientFilter(Protocol):
    """Changes a model's gradients in place, before each update."""

    def apply(self, model: nn.Module, memory: dict[str, Tensor]) -> None:
        """Changes each weight's ``grad``; ``memory`` is empty before the first step."""


@dataclass(frozen=True)
class L2Penalty:
    """Adds the gradient of strength/2 · ‖θ‖² over all weights: the run then minimises the loss plus that.

    AdamW's decay is something else. It multiplies the weights after Adam has divided the gradient by its size, so that no
    fixed function is least where it comes to rest (Loshchilov and Hutter 2019, arXiv 1711.05101). Set ``weight_decay`` to 0.
    """

    strength: float

    def apply(self, model: nn.Module, memory: dict[str, Tensor]) -> None:
        for weight in model.parameters():
            assert weight.grad is not None
            weight.grad.add_(weight.detach(), alpha=self.strength)


@dataclass(frozen=True)
class PartialL2Penalty(L2Penalty):
    """The same, while some weights stay what they are.

    Attributes:
        frozen: the names of the weights that do not move, as in ``model.named_parameters()``.
    """

    frozen: tuple[str, ...] = ()

    def apply(self, model: nn.Module, memory: dict[str, Tensor]) -> None:
        super().apply(model, memory)
        weights = dict(model.named_parameters())
        for name in self.frozen:
            gradient = weights[name].grad
            assert gradient is not None
            gradient.zero_()


@dataclass(frozen=True)
class SlowGradient:
    """Amplifies what stays the same from step to step: g becomes g + amplify · (running mean of g).

    The premise: what makes a network generalise is a slow, steady part of its gradients. The filter is Grokfast-EMA (Lee
    et al. 2024, arXiv 2405.20233, algorithm 2).

    Attributes:
        memory: how much of the running mean is kept in each step.
        amplify: how many times the running mean is added.
    """

    memory: float = 0.98
    amplify: float = 2.0

    def apply(self, model: nn.Module, memory: dict[str, Tensor]) -> None:
        for name, weight in model.named_parameters():
            gradient = weight.grad
            assert gradient is not None
            if name not in memory:
                memory[name] = gradient.clone()
            mean = memory[name].lerp_(gradient, 1 - self.memory)
            gradient.add_(mean, alpha=self.amplify)


@dataclass(frozen=True)
class OrthogonalGradient:
    """Takes away the part of each matrix's gradient that points along the matrix itself: ⊥Grad.

    A network that fits its training set can lower its loss for ever by multiplying its weights by more than 1. Without that
    direction it has to change what it computes (Prieto et al. 2025, arXiv 2501.04697, section 5). The gradient is scaled
    back to its length.
    """

    def apply(self, model: nn.Module, memory: dict[str, Tensor]) -> None:
        for weight in model.parameters():
            gradient = weight.grad
            assert gradient is not None
            length = gradient.norm()
            along = (gradient * weight.detach()).sum() / weight.detach().square().sum().clamp_min(1e-30)
            gradient.sub_(along * weight.detach())
            gradient.mul_(length / gradient.norm().clamp_min(1e-30))


def stablemax_loss(logits: Float[Tensor, "n classes"], labels: Int[Tensor, "n"]) -> Float[Tensor, ""]:
    """Cross-entropy with s(x) in place of exp(x): x + 1 above 0, 1 / (1 − x) below; the mean in nats, in float64.

    s grows like a line where exp explodes, so that a confident network's loss is not rounded to 0 (Prieto et al. 2025,
    section 4.2).
    """
    x = logits.double()
    s = torch.where(x >= 0, x + 1, 1 / (1 - x.clamp_max(0)))
    return -(s.gather(1, labels[:, None])[:, 0] / s.sum(1)).log().mean()
