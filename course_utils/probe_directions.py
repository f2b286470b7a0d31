"""What do a probe's directions say about the network: among themselves, and to the neurons that read them?"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_utils.models import Transformer
from course_utils.tasks.othello import EMPTY, MINE, THEIRS


def state_cosines(weight: Float[Tensor, "d_model state"]) -> Float[Tensor, "state state"]:
    """Cosines between the directions that speak for each state, less what they have in common.

    A vector added to all of them changes no probability.
    """
    own = F.normalize(weight - weight.mean(1, keepdim=True), dim=0)
    return own.T @ own


def neuron_reads(
    W_in: Float[Tensor, "d_model neuron"],
    scale: Float[Tensor, "d_model"],
    weight: Float[Tensor, "d_model square state"],
) -> Float[Tensor, "neuron square state"]:
    """Cosines between neurons' input weights and the directions of a probe of the stream that they read.

    The LayerNorm before an MLP takes away the mean of the stream and multiplies each dimension by a learnt weight, ``scale``:
    both are taken into the input weights. The directions are taken less what the states of a square have in common.
    """
    inputs = scale[:, None] * W_in
    inputs = F.normalize(inputs - inputs.mean(0), dim=0)
    own = weight - weight.mean(2, keepdim=True)
    own = F.normalize(own - own.mean(0), dim=0)
    return torch.einsum("d n, d s k -> n s k", inputs, own)


def short_lines(size: int) -> Int[Tensor, "line 3"]:
    """All triples of neighbouring squares in a row, in each of the eight directions, as numbers of squares."""
    found = []
    for row in range(size):
        for column in range(size):
            for down in (-1, 0, 1):
                for right in (-1, 0, 1):
                    end = (row + 2 * down, column + 2 * right)
                    if (down or right) and all(0 <= place < size for place in end):
                        found.append([(row + k * down) * size + column + k * right for k in range(3)])
    return torch.tensor(found)


def line_scores(
    reads: Float[Tensor, "neuron square state"], lines: Int[Tensor, "line 3"]
) -> Float[Tensor, "neuron line"]:
    """How much each neuron reads "empty, theirs, mine" along each line: the least of the three.

    With the least of them, a neuron that misses one part cannot make up for it by another.
    """
    first, middle, last = lines.T
    return torch.stack([reads[:, first, EMPTY], reads[:, middle, THEIRS], reads[:, last, MINE]]).amin(0)


def line_present(relative: Int[Tensor, "n square"], line: Int[Tensor, "3"]) -> Bool[Tensor, "n"]:
    """On which boards are the squares of the line empty, theirs and mine?"""
    return (relative[:, line] == torch.tensor([EMPTY, THEIRS, MINE])).all(1)


def separation(activation: Float[Tensor, "n"], present: Bool[Tensor, "n"]) -> float:
    """How likely is a case with the feature to activate more than one without, both drawn at random? Ties count half.

    ½ is chance, 1 perfect. Also known as the area under the ROC curve.
    """
    without = activation[~present].sort().values
    below = torch.searchsorted(without, activation[present], right=False)
    not_above = torch.searchsorted(without, activation[present], right=True)
    return ((below + not_above).double().mean() / (2 * len(without))).item()


def logit_lens(model: Transformer, resid: Float[Tensor, "*shape d_model"]) -> Float[Tensor, "*shape d_vocab_out"]:
    """What the network would answer if this were its stream after the last layer (nostalgebraist 2020)."""
    return model.unembed(model.ln_final(resid))
