"""A multilayer perceptron with hooks: the smallest network that groks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_utils.models.hooks import HookedModule, HookPoint


@dataclass(frozen=True)
class MLPConfig:
    """``d_in`` inputs, ``d_hidden`` ReLU neurons, ``d_out`` logits; one hidden layer, no biases."""

    d_in: int
    d_hidden: int
    d_out: int
    init_scale: float = 1.0


class MLP(HookedModule):
    """``logits = ReLU(x W_in) W_out``, with ``hook_pre`` before the ReLU and ``hook_post`` after it.

    Args:
        cfg: the shape.
        seed: which random initialisation (normal, standard deviation ``init_scale / sqrt(fan in)``).
    """

    def __init__(self, cfg: MLPConfig, seed: int = 0) -> None:
        super().__init__()
        self.cfg = cfg
        self.W_in = nn.Parameter(torch.empty(cfg.d_in, cfg.d_hidden))
        self.W_out = nn.Parameter(torch.empty(cfg.d_hidden, cfg.d_out))
        self.hook_pre, self.hook_post = HookPoint(), HookPoint()
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight in (self.W_in, self.W_out):
                weight.normal_(0.0, cfg.init_scale / weight.shape[0] ** 0.5, generator=generator)
        self.name_hook_points()

    def forward(self, x: Float[Tensor, "batch d_in"]) -> Float[Tensor, "batch d_out"]:
        return self.hook_post(self.hook_pre(x @ self.W_in).relu()) @ self.W_out
