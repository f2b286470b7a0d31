"""Exercise: weights, written by formula, with which a small network adds modulo p."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import fourier
from course_utils.checks.fourier.inputs import check, noise
from course_utils.checks.framework import Mistake, call, expect, expect_dtype, expect_equal, expect_finite, expect_shape

Weights = tuple[Tensor, Tensor, Tensor]


def _embedding(p: int, freqs: list[int], modulus: int | None = None, start: int = 0) -> Tensor:
    """(p, two_k): cos and sin of each frequency side by side."""
    angles = 2 * math.pi * torch.outer(torch.arange(start, p + start), torch.tensor(freqs)).double() / (modulus or p)
    return torch.stack([angles.cos(), angles.sin()], -1).flatten(1)


def _phases(n: int, turn: float = 2 * math.pi) -> Tensor:
    return turn * torch.arange(n).double() / n


def _inputs(phases: Tensor, count: int, cos: float = 1.0, sin: float = 1.0) -> Tensor:
    return torch.block_diag(*[torch.stack([cos * phases.cos(), sin * phases.sin()])] * count)


def _outputs(
    p: int, freqs: list[int], phases: Tensor, twice: float = 2.0, sign: float = -1.0, speed: float = 1.0
) -> Tensor:
    angles = 2 * math.pi * torch.outer(torch.tensor(freqs), torch.arange(p)).double() / p
    return (twice * phases[None, :, None] + sign * speed * angles[:, None, :]).cos().flatten(0, 1)


def _variant(n_turn: float = 2 * math.pi, modulus: int | None = None, start: int = 0, **output: float) -> Any:
    """A wrong answer: the right weights with one thing changed."""

    def wrong(p: int, freqs: list[int], n_phases: int) -> Weights:
        phases = _phases(n_phases, n_turn)
        embedding = _embedding(p, freqs, modulus, start)
        return embedding, _inputs(phases, len(freqs)), _outputs(p, freqs, phases, **output)

    return wrong


def _other_frequencies(choose: Any) -> Any:
    return lambda p, freqs, n: _variant()(p, choose(freqs), n)


def _order_mismatch(p: int, freqs: list[int], n_phases: int) -> Weights:
    """W_E in blocks of cosines and sines, W_in for pairs."""
    embedding = _embedding(p, freqs)
    _, W_in, W_L = _variant()(p, freqs, n_phases)
    return torch.cat([embedding[:, ::2], embedding[:, 1::2]], 1), W_in, W_L


def _all_mixed(p: int, freqs: list[int], n_phases: int) -> Weights:
    """Every neuron reads every frequency."""
    W_E, W_in, W_L = _variant()(p, freqs, n_phases)
    return W_E, W_in[:2, :n_phases].repeat(len(freqs), len(freqs)), W_L


def _one_circle(p: int, freqs: list[int], n_phases: int) -> Weights:
    W_E, _, W_L = _variant()(p, freqs, n_phases)
    return W_E, _inputs(_phases(n_phases), len(freqs), sin=0), W_L


def _neuron_order(p: int, freqs: list[int], n_phases: int) -> Weights:
    """W_L by phase first, W_in by frequency first."""
    W_E, W_in, W_L = _variant()(p, freqs, n_phases)
    return W_E, W_in, W_L.reshape(len(freqs), n_phases, p).transpose(0, 1).flatten(0, 1)


def _closed_circle(p: int, freqs: list[int], n_phases: int) -> Weights:
    phases = torch.linspace(0, 2 * math.pi, n_phases).double()
    return _embedding(p, freqs), _inputs(phases, len(freqs)), _outputs(p, freqs, phases)


def _output_angles_doubled(p: int, freqs: list[int], n_phases: int) -> Weights:
    phases = _phases(n_phases)
    return _embedding(p, freqs), _inputs(phases, len(freqs)), _outputs(p, freqs, phases, speed=2.0)


def _first_alone(p: int, freqs: list[int], n_phases: int) -> Weights:
    """The neurons of every frequency but the first are dead."""
    W_E, W_in, W_L = _variant()(p, freqs, n_phases)
    return W_E, torch.cat([W_in[:, :n_phases], 0 * W_in[:, n_phases:]], 1), W_L


def _first_alone_heard(p: int, freqs: list[int], n_phases: int) -> Weights:
    """All neurons work, but the answer listens to those of the first frequency only."""
    W_E, W_in, W_L = _variant()(p, freqs, n_phases)
    return W_E, W_in, torch.cat([W_L[:n_phases], 0 * W_L[n_phases:]])


def _five_phases(p: int, freqs: list[int], n_phases: int) -> Weights:
    """Five working neurons a frequency, whatever n_phases is; the others are zeros."""
    K, idle = len(freqs), n_phases - 5
    W_E, W_in, W_L = _variant()(p, freqs, 5)
    W_in = torch.nn.functional.pad(W_in.reshape(2 * K, K, 5), (0, idle)).flatten(1)
    return W_E, W_in, torch.nn.functional.pad(W_L.reshape(K, 5, p), (0, 0, 0, idle)).flatten(0, 1)


def _negative_output(p: int, freqs: list[int], n_phases: int) -> Weights:
    W_E, W_in, W_L = _variant()(p, freqs, n_phases)
    return W_E, W_in, -W_L


def _transposed_output(p: int, freqs: list[int], n_phases: int) -> Weights:
    W_E, W_in, W_L = _variant()(p, freqs, n_phases)
    return W_E, W_in, W_L.T


def _one_hot(p: int, freqs: list[int], n_phases: int) -> Weights:
    _, W_in, W_L = _variant()(p, freqs, n_phases)
    return torch.eye(p).double()[:, : 2 * len(freqs)], W_in, W_L


def _random(p: int, freqs: list[int], n_phases: int) -> Weights:
    K = len(freqs)
    return noise(p, 2 * K, seed=1), noise(2 * K, K * n_phases, seed=2), noise(K * n_phases, p, seed=3)


def _loops(p: int, freqs: list[int], n_phases: int) -> Any:
    """Number by number in NumPy, neurons ordered by phase first, sines before cosines, single precision."""
    K = len(freqs)
    W_E, W_in, W_L = np.zeros((p, 2 * K)), np.zeros((2 * K, K * n_phases)), np.zeros((K * n_phases, p))
    for f, k in enumerate(freqs):
        w = 2 * np.pi * k / p
        for x in range(p):
            W_E[x, f], W_E[x, K + f] = np.sin(w * x), np.cos(w * x)
        for j in range(n_phases):
            phase = 2 * np.pi * j / n_phases
            W_in[f, j * K + f], W_in[K + f, j * K + f] = np.sin(phase), np.cos(phase)
            for c in range(p):
                W_L[j * K + f, c] = np.cos(2 * phase) * np.cos(w * c) + np.sin(2 * phase) * np.sin(w * c)
    return W_E.astype(np.float32), W_in.astype(np.float32), W_L.astype(np.float32)


def _shifted_phases(p: int, freqs: list[int], n_phases: int) -> list[Tensor]:
    """Phases that begin elsewhere, neurons turned the other way round the circle, other scales."""
    phases = 0.3 - _phases(n_phases)
    return [5 * _embedding(p, freqs), 0.1 * _inputs(phases, len(freqs)), 3 * _outputs(p, freqs, phases)]


def _outputs_by_least_squares(p: int, freqs: list[int], n_phases: int) -> Weights:
    """W_L solved for: what the neurons can best say about which class is right."""
    W_E, W_in = _embedding(p, freqs), _inputs(_phases(n_phases), len(freqs))
    hidden = torch.relu((W_E[:, None] + W_E[None]) @ W_in).reshape(p * p, -1)
    x = torch.arange(p)
    waves = [torch.cos(2 * math.pi * k * (x[:, None, None] + x[:, None] - x) / p) for k in freqs]
    right = torch.stack(waves).sum(0).reshape(p * p, p)
    return W_E, W_in, torch.from_numpy(np.linalg.lstsq(hidden.numpy(), right.double().numpy(), rcond=None)[0])


MISTAKES = [
    Mistake(
        "φ in place of 2φ",
        _variant(twice=1.0),
        "Your output weights are cos(φ − wc). That picks out the neurons' *first* harmonic, cos(w(a + b)/2 − φ) with half the "
        "angle and a sign that depends on a − b. What a ReLU adds is the second harmonic: think of 2φ.",
    ),
    Mistake(
        "sign of c",
        _variant(sign=1.0),
        "Your output weights are cos(2φ + wc), so the largest logit is at c = −(a + b). c needs the other sign.",
    ),
    Mistake(
        "sign of W_L",
        _negative_output,
        "Your W_L has the opposite sign: the right answer gets the lowest logit of all. Leave out the minus.",
    ),
    Mistake(
        "only the first frequency works",
        _first_alone,
        "Only the neurons of the first frequency work; the columns of W_in for the others are 0. Each frequency has its "
        "own block in W_in.",
    ),
    Mistake(
        "only the first frequency is read",
        _first_alone_heard,
        "W_L reads the neurons of the first frequency only; its other rows are 0. Each neuron has a row cos(2φ − w_k c).",
    ),
    Mistake(
        "always five phases",
        _five_phases,
        "You use five phases whatever n_phases is, and leave the other neurons at 0. Spread all n_phases over the circle.",
    ),
    Mistake(
        "phases over half a circle",
        _variant(n_turn=math.pi),
        "Your phases cover half a circle. Then the first harmonic, which is larger than the second, does not cancel in the "
        "sum over neurons. Spread them over the whole circle.",
    ),
    Mistake(
        "phases with both ends",
        _closed_circle,
        "Your phases run from 0 to 2π with both ends included, so the first and the last are one and the same, and the sum "
        "over neurons no longer cancels. The step is 2π divided by the number of phases.",
    ),
    Mistake(
        "columns of W_E in another order than rows of W_in",
        _order_mismatch,
        "W_E holds all cosines and then all sines, but W_in expects each frequency's cosine and sine side by side. Any order "
        "will do as long as it is the same in both.",
    ),
    Mistake(
        "neurons in two orders",
        _neuron_order,
        "In W_in your neurons are ordered by frequency first, in W_L by phase first. Any order will do as long as the columns "
        "of W_in and the rows of W_L are the same neurons.",
    ),
    Mistake(
        "every neuron reads every frequency",
        _all_mixed,
        "Each of your neurons reads all frequencies at once. The formula 2 cos(w(a − b)/2) cos(w(a + b)/2 − φ) needs one "
        "frequency for each neuron: leave the other rows of its column at 0.",
    ),
    Mistake(
        "neurons read cosines only",
        _one_circle,
        "Your neurons read the cosines only. A phase needs both: cos(wa − φ) = cos wa cos φ + sin wa sin φ.",
    ),
    Mistake(
        "output turns twice as fast",
        _output_angles_doubled,
        "Your output weights are cos(2φ − 2wc): the largest logit is where 2c = a + b. The second harmonic of "
        "w(a + b)/2 is w(a + b), so c goes with w.",
    ),
    Mistake(
        "position in the list taken for the frequency",
        _other_frequencies(lambda freqs: [i + 1 for i in range(len(freqs))]),
        "You use 1, 2, 3, … as frequencies: the position in the list, not what stands there.",
    ),
    Mistake(
        "frequencies one too low",
        _other_frequencies(lambda freqs: [k - 1 for k in freqs]),
        "Your frequencies are one too low. `freqs` holds them as they are: 1 is one turn.",
    ),
    Mistake(
        "numbers from 1",
        _variant(start=1),
        "Row x of your embedding holds the angle of x + 1, so the answers come out 2 too high. The numbers are 0 … p − 1.",
    ),
    Mistake(
        "p = 113 written in",
        _variant(modulus=113),
        "The modulus 113 is written into your embedding. Use the argument p.",
    ),
    Mistake(
        "W_L transposed",
        _transposed_output,
        "W_L is transposed: it takes neurons (its rows) to classes (its columns).",
    ),
    Mistake(
        "one-hot embedding",
        _one_hot,
        "Your embedding is cut from the identity matrix. Row x is to hold cos(w x) and sin(w x) for each frequency.",
    ),
    Mistake(
        "random weights",
        _random,
        "These are random numbers. Each weight follows from a formula: begin with W_E, whose row x holds cos and sin of w x.",
    ),
]


@check(
    reference=fourier.weights_by_hand,
    alternatives=[_loops, _shifted_phases, _outputs_by_least_squares],
    mistakes=MISTAKES,
    cases=lambda: [(13, [4, 2, 5], 7), (11, [5, 3], 9)],
)
def test_weights_by_hand(answer: Any) -> None:
    """Write down weights with which a network of ReLU neurons adds modulo p."""
    for p, freqs, n_phases in (
        (7, [3], 5),
        (11, [4, 1], 7),
        (13, [6, 2, 3], 5),
        (5, [2, 1], 9),
        (23, [11, 4, 7, 1], 11),
    ):
        W_E, W_in, W_L = (part for part in call(answer, p, list(freqs), n_phases, returns=(Tensor, Tensor, Tensor)))
        K = len(freqs)
        given = f"for p = {p}, freqs = {freqs}, n_phases = {n_phases}"
        for part, shape, name, why in (
            (W_E, (p, 2 * K), "W_E", "A row for each number, a cosine and a sine for each frequency."),
            (W_in, (2 * K, K * n_phases), "W_in", "A row for each column of W_E, a column for each neuron."),
            (W_L, (K * n_phases, p), "W_L", "A row for each neuron, a column for each class."),
        ):
            expect_shape(part, shape, what=f"{name} {given}", why=why)
            expect_dtype(part, "float", what=f"{name} {given}")
            expect_finite(part, what=f"{name} {given}")
        W_E, W_in, W_L = W_E.double(), W_in.double(), W_L.double()
        power = torch.fft.rfft(W_E, dim=0).abs().square().sum(1)
        shares = power[1:] / power.sum().clamp_min(1e-300)
        expect(
            float(shares[[k - 1 for k in freqs]].sum()) > 1 - 1e-4,
            what=f"W_E {given} contains other frequencies than those given",
            why="Row x holds cos(2πkx/p) and sin(2πkx/p) for the given k, nothing else, not even a constant.",
            expected=f"all of its sum of squares at {sorted(freqs)}",
            got=f"{float(shares[[k - 1 for k in freqs]].sum()):.1%} of it",
        )
        expect(
            float(shares[[k - 1 for k in freqs]].min()) > 1e-3,
            what=f"W_E {given} leaves out one of the frequencies",
            why="Each given frequency has its cosine and its sine in W_E.",
        )
        for part, name in ((W_in.T, "column of W_in"), (W_L, "row of W_L")):
            sizes = part.square().sum(1)
            expect(
                bool((sizes > 1e-9 * sizes.max()).all()),
                what=f"a {name} is 0 {given}",
                why="Each frequency has n_phases neurons, and every one of them takes part in the answer.",
                expected="no idle neuron",
                got=f"{int((sizes <= 1e-9 * sizes.max()).sum())} idle of {len(sizes)}",
            )
        x = torch.arange(p)
        right = (x[:, None] + x) % p
        logits = torch.relu((W_E[:, None] + W_E[None]) @ W_in) @ W_L
        why = f"The logits ReLU((W_E[a] + W_E[b]) @ W_in) @ W_L are to be largest at (a + b) mod {p}."
        expect_equal(logits.argmax(-1), right, what=f"the network's answers {given}", why=why)
        own = logits.gather(-1, right[..., None])[..., 0]
        rivals = logits.scatter(-1, right[..., None], -torch.inf).max(-1).values
        expect(
            bool((own - rivals > 1e-6 * logits.abs().max()).all()),
            what=f"the right answer only ties with another one {given}",
            why=why,
        )
        turned = logits.gather(-1, (right[..., None] - x) % p)  # the classes by their distance d = a + b − c
        weights = torch.fft.rfft(turned.mean((0, 1))).real[freqs]
        expect(
            float(weights.min()) > 1e-3 * float(weights.max()),
            what=f"a frequency does not raise the right answer's logit {given}",
            why="Each given frequency is to add its wave cos(w_k(a + b − c)) to the logits.",
        )
