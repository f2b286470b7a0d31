"""Can a network be kept from forgetting by holding on to the weights that matter? Elastic weight consolidation.

Kirkpatrick et al. 2017 (arXiv 1612.00796): while a network learns something new, each weight is pulled back to where it was,
the more strongly the more the old answers depend on it. How much they do is the diagonal of the Fisher information.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

State = dict[str, Tensor]
"""One tensor for each weight, by name."""


def fisher_diagonal(
    model: nn.Module, logits: Callable[[], Float[Tensor, "examples classes"]], probes: int = 100, seed: int = 0
) -> State:
    """How much do the model's answers depend on each weight? In nats per squared unit of weight.

    F_i is the mean over examples of Σ_c p_c (∂ log p_c / ∂θ_i)², where p are the model's own probabilities: to second order,
    the mean divergence of the answers after a step δ of the weights is ½ Σ F_ij δ_i δ_j, and this is its diagonal.

    The sum over examples and classes is estimated, not carried out. For random signs v the square of the gradient of
    Σ v √p log p, sum over all examples and classes, has the sum wanted as its mean; ``probes`` such squares are averaged.

    Args:
        model: its parameters are the weights. Their ``grad`` is left alone.
        logits: computes the logits of the examples from the model, with gradients.
        probes: how many random draws; the relative error of an entry is about √(2 / probes).
        seed: of the draws.
    """
    generator = torch.Generator().manual_seed(seed)
    names, weights = zip(*model.named_parameters(), strict=True)
    log_p = logits().double().log_softmax(1)
    root = (log_p / 2).exp().detach()
    total = [torch.zeros_like(weight, dtype=torch.float64) for weight in weights]
    for _ in range(probes):
        signs = torch.randint(0, 2, log_p.shape, generator=generator).double() * 2 - 1
        gradients = torch.autograd.grad((log_p * root * signs).sum(), weights, retain_graph=True)
        for sum_of_squares, gradient in zip(total, gradients, strict=True):
            sum_of_squares += gradient.double().square()
    return {
        name: (part / probes / len(log_p)).to(weight.dtype)
        for name, part, weight in zip(names, total, weights, strict=True)
    }


def pull_back(weights: Mapping[str, Tensor], anchor: State, importance: State) -> Float[Tensor, ""]:
    """½ Σ F_i (θ_i − θ*_i)²: what elastic weight consolidation adds to the loss, times a strength.

    Args:
        weights: θ, by name.
        anchor: the weights to stay near to, θ*, under the same names.
        importance: F, for example :func:`fisher_diagonal`; all ones pulls every weight alike.
    """
    parts = [(importance[name] * (weight - anchor[name]).square()).sum() for name, weight in weights.items()]
    return torch.stack(parts).sum() / 2
