"""Which waves is a function of numbers modulo p made of?

Conventions, the same everywhere in the course:

* p is odd. Frequency k runs from 1 to (p − 1)/2 and means the angle w_k = 2πk/p; frequency p − k is the same wave.
* The basis is real and orthonormal. Its rows are the constant, cos 1, sin 1, cos 2, sin 2, …: row 2k − 1 is
  √(2/p)·cos(w_k x) and row 2k is √(2/p)·sin(w_k x).
* A table over (a, b) is a tensor [a, b, …]; its coefficients have the same shape, component of a first.
* Shares are fractions of a sum of squares, constant left out.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from einops import einsum
from jaxtyping import Float, Int
from torch import Tensor

from course_utils.errors import CourseError


def fourier_basis(p: int) -> Float[Tensor, "p p"]:
    """Which p waves make up every function on 0 … p − 1?

    Returns:
        An orthonormal basis, one component a row: constant, cos 1, sin 1, cos 2, sin 2, …, in float64.

    Raises:
        CourseError: an even p, whose highest frequency has a cosine but no sine.
    """
    if p % 2 == 0 or p < 3:
        raise CourseError(f"This basis is for odd p of at least 3; it was given p = {p}.")
    angles = _angles(list(range(1, p // 2 + 1)), p)
    basis = torch.full((p, p), 1 / math.sqrt(p), dtype=torch.float64)
    basis[1::2] = math.sqrt(2 / p) * angles.cos()
    basis[2::2] = math.sqrt(2 / p) * angles.sin()
    return basis


def _angles(freqs: list[int], p: int) -> Float[Tensor, "k p"]:
    """w_k x for each frequency and number. Reduced modulo p before scaling, so that large products stay exact."""
    return 2 * math.pi / p * torch.outer(torch.tensor(freqs), torch.arange(p)).remainder(p).double()


def component_names(p: int) -> list[str]:
    """What each row of :func:`fourier_basis` is called: ``const``, ``cos 1``, ``sin 1``, …"""
    return ["const"] + [f"{wave} {k}" for k in range(1, p // 2 + 1) for wave in ("cos", "sin")]


def frequency_shares(matrix: Float[Tensor, "p n"], basis: Float[Tensor, "p p"]) -> Float[Tensor, "freq"]:
    """How much of a matrix with one row per number does each frequency carry?

    Args:
        matrix: one row per number 0 … p − 1, for example the embedding.
        basis: :func:`fourier_basis`, or another orthonormal basis ordered in the same way.

    Returns:
        Entry k − 1 is frequency k's share: the sum of squares of its cosine and sine components, divided by that of
        all components but the constant. The shares sum to 1.
    """
    power = (basis.to(matrix.dtype) @ matrix).pow(2).sum(1)[1:]
    by_frequency = power.reshape(-1, 2).sum(1)
    return by_frequency / by_frequency.sum()


def key_frequencies(shares: Float[Tensor, "freq"], threshold: float = 0.03) -> list[int]:
    """Which frequencies carry more than ``threshold`` of the total, in increasing order?

    There is no published rule. Ours is a share of 3 % of W_L's sum of squares, chosen because it lies in the wide gap
    between the smallest frequency used and the largest not used, in every run of the course.
    """
    return [k for k, share in enumerate(shares.tolist(), start=1) if share > threshold]


def gini(values: Float[Tensor, "n"]) -> float:
    """How unequal are the values? 0: all equal; near 1: a single one holds everything (Hurley and Rickard 2009)."""
    ordered = values.abs().double().sort().values
    n = len(ordered)
    ranks = torch.arange(1, n + 1, dtype=torch.float64)
    return float(1 - 2 * (ordered / ordered.sum() * (n - ranks + 0.5) / n).sum())


def fourier_2d(table: Float[Tensor, "p p *rest"], basis: Float[Tensor, "p p"]) -> Float[Tensor, "p p *rest"]:
    """Which products of a wave in a and a wave in b make up a function of (a, b)?

    Returns:
        Coefficients: entry [i, j] belongs to basis[i] over a times basis[j] over b. Sums of squares are kept.
    """
    basis = basis.to(table.dtype)
    return einsum(basis, einsum(basis, table, "i a, a b ... -> i b ..."), "j b, i b ... -> i j ...")


def inverse_fourier_2d(
    coefficients: Float[Tensor, "p p *rest"], basis: Float[Tensor, "p p"]
) -> Float[Tensor, "p p *rest"]:
    """The function of (a, b) that has these coefficients."""
    basis = basis.to(coefficients.dtype)
    return einsum(basis, einsum(basis, coefficients, "i a, i j ... -> a j ..."), "j b, a j ... -> a b ...")


class NeuronFrequency(NamedTuple):
    """For each neuron: the frequency that explains most of it, and the share of its variance that it explains."""

    frequency: Int[Tensor, "neuron"]
    explained: Float[Tensor, "neuron"]


def _power_about_mean(
    activations: Float[Tensor, "p p neuron"], basis: Float[Tensor, "p p"]
) -> tuple[Float[Tensor, "p p neuron"], Float[Tensor, "neuron"]]:
    """Squares of each neuron's coefficients without its mean, and their sum, kept off zero so that it can be divided by.

    A neuron that is constant, but not zero, has rounding errors for coefficients: they count for nothing.
    """
    power = fourier_2d(activations, basis).pow(2)
    rounding = torch.finfo(power.dtype)
    smallest = (rounding.eps * power[0, 0]).clamp_min(rounding.tiny)
    power[0, 0] = 0
    return power, power.sum((0, 1)).maximum(smallest)


def neuron_frequencies(activations: Float[Tensor, "p p neuron"], basis: Float[Tensor, "p p"]) -> NeuronFrequency:
    """Does each neuron keep to one frequency?

    A frequency k explains a neuron by eight components: cos and sin of a alone, of b alone, and the four products.
    A neuron that is 0 everywhere has share 0.
    """
    power, total = _power_about_mean(activations, basis)
    n_freq = basis.shape[0] // 2
    alone = power[1:, 0].unflatten(0, (n_freq, 2)).sum(1) + power[0, 1:].unflatten(0, (n_freq, 2)).sum(1)
    blocks = power[1:, 1:].unflatten(1, (n_freq, 2)).unflatten(0, (n_freq, 2)).sum((1, 3))  # (freq a, freq b, neuron)
    shares = (alone + blocks.diagonal().T) / total
    explained, best = shares.max(0)
    return NeuronFrequency(best + 1, explained)


def product_share(activations: Float[Tensor, "p p neuron"], basis: Float[Tensor, "p p"]) -> Float[Tensor, "neuron"]:
    """What share of each neuron's variance lies in products of a wave in a with a wave in b?

    A function f(a) + g(b) has share 0. Adding a number's waves can never give more; a multiplication must.
    """
    power, total = _power_about_mean(activations, basis)
    return power[1:, 1:].sum((0, 1)) / total


def cosine_logits(alphas: Float[Tensor, "k"], freqs: list[int], p: int) -> Float[Tensor, "p p p"]:
    """Σ_k α_k cos(w_k(a + b − c)): the logits that the trigonometric algorithm gives, as a table [a, b, c].

    Args:
        alphas: the weight of each frequency.
        freqs: the frequencies k, one per weight.
        p: the modulus.
    """
    x = torch.arange(p)
    distance = (x[:, None, None] + x[None, :, None] - x[None, None, :]).remainder(p)
    return (alphas.double() @ _angles(freqs, p).cos())[distance]


class CosineFit(NamedTuple):
    """Best α_k for logits ≈ Σ α_k cos(w_k(a + b − c)), and the share of the logits' variance that the sum explains."""

    alphas: Float[Tensor, "k"]
    explained: float


def fit_cosines(logits: Float[Tensor, "p p p"], freqs: list[int]) -> CosineFit:
    """How well do the logits fit Σ_k α_k cos(w_k(a + b − c))?

    Softmax ignores what is common to all classes, so each question's mean over c is taken off first. The waves are
    orthogonal over all (a, b, c), hence each α_k is a projection.
    """
    p = logits.shape[0]
    centred = logits.double() - logits.double().mean(-1, keepdim=True)
    # The mean over (a, b) at each distance d = a + b − c holds everything a sum of such waves can express.
    x = torch.arange(p)
    answers = (x[:, None] + x[None, :]).remainder(p)
    by_distance = torch.stack([centred[x[:, None], x[None, :], (answers - d).remainder(p)].mean() for d in range(p)])
    waves = _angles(freqs, p).cos()
    alphas = waves @ by_distance * 2 / p
    fitted = alphas @ waves
    # Fitted and residual are orthogonal, so the explained share is a ratio of sums of squares.
    return CosineFit(alphas, float(p**2 * fitted.pow(2).sum() / centred.pow(2).sum()))


def sum_directions(freqs: list[int], p: int) -> Float[Tensor, "two_k p p"]:
    """The tables cos(w_k(a + b)) and sin(w_k(a + b)) for each k, scaled to be orthonormal over (a, b)."""
    x = torch.arange(p)
    total = (x[:, None] + x[None, :]).remainder(p)
    angles = _angles(freqs, p)
    waves = torch.stack([angles.cos(), angles.sin()], 1).flatten(0, 1)  # (two_k, p): cos and sin of each frequency
    return waves[:, total] * math.sqrt(2) / p


class SplitLogits(NamedTuple):
    """Logits split by direction over (a, b): ``restricted`` keeps the mean and the a + b waves, ``excluded`` lacks them."""

    restricted: Float[Tensor, "p p p"]
    excluded: Float[Tensor, "p p p"]


def split_logits(logits: Float[Tensor, "p p p"], freqs: list[int]) -> SplitLogits:
    """What do the logits look like with only the key directions, and without them? (Nanda et al. 2023, section 5)

    Each class's logit is a table over (a, b). ``restricted`` is its mean over (a, b) plus its projection on
    cos(w_k(a + b)) and sin(w_k(a + b)) for the given k; ``excluded`` is the logits minus that projection alone, so
    ``restricted + excluded = logits + mean``.
    """
    directions = sum_directions(freqs, logits.shape[0]).to(logits.dtype)
    kept = einsum(directions, einsum(directions, logits, "d a b, a b c -> d c"), "d a b, d c -> a b c")
    return SplitLogits(logits.mean((0, 1), keepdim=True) + kept, logits - kept)


def margin(alphas: Float[Tensor, "k"], freqs: list[int], p: int) -> float:
    """By how much does the right answer's logit Σ α_k beat the best wrong one's? The least over all wrong answers."""
    by_distance = alphas.double() @ _angles(freqs, p).cos()
    return float(by_distance[0] - by_distance[1:].max())


def neuron_directions(W_L: Float[Tensor, "neuron p"], freqs: list[int]) -> Float[Tensor, "two_k neuron"]:
    """Along which directions of neuron space does W_L read the given frequencies of the answer?

    Returns:
        For each k the vectors u_k and v_k whose outer products with the cos k and sin k waves over c make up W_L's part
        of frequency k. They are neither orthogonal nor of unit length.

    Raises:
        CourseError: an even p, or one below 3.
    """
    basis = fourier_basis(W_L.shape[1]).to(W_L.dtype)
    rows = [row for k in freqs for row in (2 * k - 1, 2 * k)]
    return basis[rows] @ W_L.T


def circle(W_E: Float[Tensor, "p d_model"], k: int) -> Float[Tensor, "p 2"]:
    """Where do the numbers lie in the plane in which the embedding holds frequency k?

    The plane is spanned by the embedding's cos k and sin k components (two vectors of length d_model). Coordinates are
    taken along an orthonormal basis of it whose first axis lies along the cos k component; either axis may be turned
    round.

    Raises:
        CourseError: an even p, or one below 3.
    """
    basis = fourier_basis(W_E.shape[0]).to(W_E.dtype)
    components = basis[2 * k - 1 : 2 * k + 1] @ W_E  # (2, d_model)
    axes = torch.linalg.qr(components.T).Q  # (d_model, 2); QR leaves the signs open
    return W_E @ axes


def subtraction_from_addition(logits: Float[Tensor, "p p p"]) -> Float[Tensor, "p p p"]:
    """What would the table [a, b, c] of a network that adds be if b were renamed −b? That of one that subtracts.

    It is its own inverse: it also turns a subtraction table into an addition table.
    """
    p = logits.shape[0]
    return logits[:, (-torch.arange(p)).remainder(p)]


class HandMadeMLP(NamedTuple):
    """Weights that add modulo p by formula: embedding, neurons' input weights, neurons' logit weights."""

    W_E: Float[Tensor, "p two_k"]
    W_in: Float[Tensor, "two_k neurons"]
    W_L: Float[Tensor, "neurons p"]


def weights_by_hand(p: int, freqs: list[int], n_phases: int) -> HandMadeMLP:
    """Which weights carry out the algorithm, written down without training?

    * W_E row x holds cos(w_k x), sin(w_k x) for each k, so the sum of two rows holds cos(w_k a) + cos(w_k b), ….
    * For each k, ``n_phases`` neurons at phases φ = 2πj/n: input cos φ and sin φ, so that neuron φ sees
      cos(w_k a − φ) + cos(w_k b − φ) = 2 cos(w_k(a − b)/2) cos(w_k(a + b)/2 − φ).
    * The ReLU of a wave contains its second harmonic: weights cos(2φ − w_k c) pick out cos(w_k(a + b) − w_k c).
    """
    angles = _angles(freqs, p).T  # (p, k): w_k x
    W_E = torch.stack([angles.cos(), angles.sin()], -1).flatten(1)  # (p, two_k)
    phases = 2 * math.pi * torch.arange(n_phases, dtype=torch.float64) / n_phases
    one_frequency = torch.stack([phases.cos(), phases.sin()])  # (2, n_phases)
    W_in = torch.block_diag(*[one_frequency] * len(freqs))  # (two_k, k * n_phases)
    W_L = (2 * phases[None, :, None] - angles.T[:, None, :]).cos().flatten(0, 1)  # (k * n_phases, p)
    return HandMadeMLP(W_E, W_in, W_L)
