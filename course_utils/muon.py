"""Which step changes what a layer does by the same amount in all directions? Muon, for the matrices of a transformer.

A gradient's momentum has a few large singular values and many small ones, so that steps along it follow a few directions.
Muon sets all of them to 1, nearly, by a polynomial that needs only matrix products (Jordan et al. 2024,
https://kellerjordan.github.io/posts/muon/). Embeddings, unembedding, biases and LayerNorms are left to AdamW.

Each head's matrix is a matrix of its own. An update is scaled to a root mean square of 1 an entry before the learning
rate, about what AdamW's is, so that one learning rate serves both.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_utils.errors import CourseError

# One step takes a singular value s to 3.4445 s − 4.7750 s³ + 2.0315 s⁵: five of them take all but the smallest to about 1.
POLYNOMIAL = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


def orthogonalised(matrices: Float[Tensor, "*batch rows columns"]) -> Float[Tensor, "*batch rows columns"]:
    """Each matrix with its singular values moved near 1 (between 0.7 and 1.2) and its singular vectors kept."""
    a, b, c = POLYNOMIAL
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)  # now no singular value is above 1
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon:
    """Muon for all matrices of a model's ``blocks``, AdamW for its other weights. Used like a PyTorch optimiser.

    Args:
        model: a model with ``blocks``.
        lr: the learning rate of both.
        weight_decay: each step multiplies every weight by 1 − lr · weight_decay.
        betas: AdamW's.
        momentum: how much of the running sum of gradients is kept in each step.

    Raises:
        CourseError: a model without such matrices.
    """

    def __init__(
        self,
        model: nn.Module,
        lr: float,
        weight_decay: float,
        betas: tuple[float, float],
        momentum: float = 0.95,
        fused: bool = True,
    ) -> None:
        named = list(model.named_parameters())
        self.matrices = [weight for name, weight in named if name.startswith("blocks.") and weight.ndim >= 2]
        if not self.matrices:
            raise CourseError("Muon updates the matrices of a model's blocks, and this model has none. Use AdamW.")
        inside = {id(weight) for weight in self.matrices}
        others = [weight for _, weight in named if id(weight) not in inside]
        self.adam = torch.optim.AdamW(others, lr=lr, weight_decay=weight_decay, betas=betas, fused=fused)
        self.momentum = momentum
        self.running = [torch.zeros_like(weight) for weight in self.matrices]
        self.param_groups: list[dict[str, Any]] = [
            {"params": self.matrices, "lr": lr, "weight_decay": weight_decay},
            *self.adam.param_groups,
        ]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets all gradients."""
        self.adam.zero_grad(set_to_none)
        for weight in self.matrices:
            weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """One update of all weights by their gradients, with the learning rates and decays of ``param_groups``."""
        self.adam.step()
        lr, decay = self.param_groups[0]["lr"], self.param_groups[0]["weight_decay"]
        wide: dict[tuple[int, int], list[int]] = {}  # matrices of one shape, whichever way they lie, go together
        directions = []
        for i, (weight, running) in enumerate(zip(self.matrices, self.running, strict=True)):
            assert weight.grad is not None
            running.mul_(self.momentum).add_(weight.grad)
            ahead = weight.grad.add(running, alpha=self.momentum)  # Nesterov: where the sum will be one step on
            directions.append(ahead.flatten(0, -3) if ahead.ndim > 2 else ahead[None])
            rows, columns = weight.shape[-2:]
            wide.setdefault((min(rows, columns), max(rows, columns)), []).append(i)
        for (rows, columns), members in wide.items():
            lying = [directions[i] if directions[i].shape[-2] == rows else directions[i].mT for i in members]
            found = orthogonalised(torch.cat(lying)).split([len(part) for part in lying])
            for i, part in zip(members, found, strict=True):
                weight = self.matrices[i]
                update = part if weight.shape[-2] == rows else part.mT
                weight.mul_(1 - lr * decay).add_(update.reshape(weight.shape), alpha=-lr * columns**0.5)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to keep of both optimisers."""
        return {"adam": self.adam.state_dict(), "running": self.running}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from what :meth:`state_dict` gave."""
        self.adam.load_state_dict(state["adam"])
        self.param_groups[1:] = self.adam.param_groups  # loading replaces them
        for running, stored in zip(self.running, state["running"], strict=True):
            running.copy_(stored)
