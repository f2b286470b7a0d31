"""How fast is one full-batch training step on modular addition? ``python -m benchmarks.modular_step``.

Three references, measured in one run, interleaved, on the same model, data, loss and number of threads:

* ``step_vs_plain``: the same step by a plain full forward pass of ``models.Transformer``.
* ``step_vs_public``: the step as the paper's authors describe theirs: one einsum for each operation, over all
  positions, an optimiser that updates one weight matrix at a time. Its evaluation of the test set at each epoch is
  left out: this is the training step alone.
* ``step_vs_gemm``: the time that the step's matrix products would take at the rate this machine reaches on large square
  matrices. This is a floor: a ratio of 1 would mean that nothing else costs anything.

Prints one JSON object a row: medians, the range of the middle half, and the ratio (above 1: ours is faster).
Targets on two cores: 3.5, 7 and 0.5.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.import_time import middle_half
from course_utils.models import Transformer
from course_utils.tasks import modular
from course_utils.zoo.problems import ModularTransformer, cross_entropy


def einsum_forward(weights: dict[str, Tensor], tokens: Tensor, mask: Tensor) -> Tensor:
    """The network written as one einsum for each operation, for all positions; returns all positions' logits."""
    x = weights["embed.W_E"][tokens] + weights["pos_embed.W_pos"]
    q, k, v = (torch.einsum("hmd,bpm->bhpd", weights[f"blocks.0.attn.W_{name}"], x) for name in "QKV")
    scores = torch.einsum("bhqd,bhkd->bhqk", q, k) / q.shape[-1] ** 0.5
    pattern = scores.masked_fill(mask, -1e10).softmax(-1)
    z = torch.einsum("bhqk,bhkd->bhqd", pattern, v)
    x = x + torch.einsum("hdm,bhpd->bpm", weights["blocks.0.attn.W_O"], z)
    neurons = torch.einsum("mf,bpm->bpf", weights["blocks.0.mlp.W_in"], x).relu()
    x = x + torch.einsum("fm,bpf->bpm", weights["blocks.0.mlp.W_out"], neurons)
    return torch.einsum("mc,bpm->bpc", weights["unembed.W_U"], x)


def step_of(model: Transformer, logits: Callable[[], Tensor], answers: Tensor, fused: bool) -> Callable[[], None]:
    """One training step: forward, float64 cross-entropy, backward, AdamW."""
    kind = {"fused": True} if fused else {"foreach": False}
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1.0, betas=(0.9, 0.98), **kind)

    def step() -> None:
        optimiser.zero_grad()
        cross_entropy(logits(), answers).backward()
        optimiser.step()

    return step


def matrix_rate(size: int = 2048) -> float:
    """Floating-point operations a second in one product of two large square float32 matrices."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    started = time.perf_counter()
    a @ b
    return 2 * size**3 / (time.perf_counter() - started)


def step_operations(problem: ModularTransformer, n: int) -> float:
    """Floating-point operations in the matrix products of one of our steps: forward, and twice that backward."""
    d, d_mlp, p = problem.d_model, problem.d_mlp, problem.task.p
    return 3 * 2 * n * (d * d_mlp + d_mlp * p + d * p)


def measure(repeats: int) -> list[dict[str, object]]:
    """Times all kinds of step ``repeats`` times, interleaved, after one unmeasured round."""
    problem = ModularTransformer()
    pairs = modular.all_pairs(problem.task.p)[modular.train_mask(problem.task)]
    answers, tokens = modular.labels(pairs, problem.task), modular.tokens(pairs, problem.task.p)
    mask = torch.ones(3, 3, dtype=torch.bool).triu(1)
    models = [problem.make_model(0) for _ in range(3)]
    forward: dict[str, Callable[[], Tensor]] = {
        "ours": lambda: problem.logits(models[0], pairs),
        "plain": lambda: models[1](tokens)[:, -1],
        "public": lambda: einsum_forward(dict(models[2].named_parameters()), tokens, mask)[:, -1],
    }
    assert torch.allclose(forward["ours"](), forward["plain"](), atol=1e-4)
    assert torch.allclose(forward["ours"](), forward["public"](), atol=1e-4)
    steps = {
        name: step_of(model, logits, answers, fused=name != "public")
        for model, (name, logits) in zip(models, forward.items(), strict=True)
    }
    times: dict[str, list[float]] = {name: [] for name in [*steps, "floor"]}
    for repeat in range(repeats + 1):
        floor = step_operations(problem, len(pairs)) / matrix_rate()
        measured = {"floor": floor}
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            measured[name] = time.perf_counter() - started
        if repeat:
            for name, seconds in measured.items():
                times[name].append(1e3 * seconds)
    ours = statistics.median(times["ours"])
    rows: list[dict[str, object]] = []
    for row, reference in {"step_vs_plain": "plain", "step_vs_public": "public", "step_vs_gemm": "floor"}.items():
        median = statistics.median(times[reference])
        rows.append(
            {
                "name": row,
                "ours": round(ours, 2),
                "reference": round(median, 2),
                "unit": "ms",
                "ratio": round(median / ours, 2),
                "repeats": repeats,
                "threads": torch.get_num_threads(),
                "ours_spread": middle_half(times["ours"]),
                "reference_spread": middle_half(times[reference]),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for row in measure(max(2, arguments.repeats)):
        print(json.dumps(row))


if __name__ == "__main__":
    main()
