"""How long does contrast-consistent search take with ten restarts? ``python -m benchmarks.ccs``.

The reference fits the restarts one after another, as the method is usually written: a linear layer and a sigmoid, autograd
and ``torch.optim.AdamW`` on all pairs at once. Both begin each restart at the same weights and take as many steps at the
same learning rate, and must end at the same loss. The pairs are synthetic: Gaussian, with an answer along one direction.

Prints one JSON object: processor seconds of one thread, which other work on the machine does not lengthen, the ratio
(above 1: ours is faster), wall seconds of both, the mean loss of each and their largest difference. The target is 10.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch
from jaxtyping import Float
from torch import Tensor, nn

from benchmarks.import_time import middle_half
from course_utils import ccs
from course_utils.ccs import Pairs

SAME = 1e-4  # how far losses may lie apart


def synthetic_pairs(n: int, d_model: int, seed: int = 0) -> Pairs:
    """Normalised pairs: what both sides share, noise on each, and the answer with opposite signs along one direction."""
    g = torch.Generator().manual_seed(seed)
    answer = 2.0 * (torch.rand(n, 1, generator=g) < 0.5) - 1
    direction = torch.randn(d_model, generator=g)
    shared = torch.randn(n, d_model, generator=g)
    noise = 0.3 * torch.randn(2, n, d_model, generator=g)
    moved = 1.5 * answer * direction / direction.norm()
    return ccs.normalised(Pairs(shared + noise[0] + moved, shared + noise[1] - moved))


def one_after_another(
    pairs: Pairs, starts: Float[Tensor, "restart d_model+1"], steps: int = 1000, lr: float = 0.01
) -> list[tuple[Float[Tensor, "d_model+1"], float]]:
    """Each restart's weights, its bias behind them, and its loss; ``starts`` are what they begin with."""
    found = []
    for start in starts:
        linear = nn.Linear(pairs.positive.shape[1], 1)
        with torch.no_grad():
            linear.weight[0] = start[:-1]
            linear.bias[0] = start[-1]
        probe = nn.Sequential(linear, nn.Sigmoid())
        optimiser = torch.optim.AdamW(probe.parameters(), lr=lr, weight_decay=0.01)
        for _ in range(steps):
            optimiser.zero_grad()
            _loss(probe, pairs).backward()
            optimiser.step()
        with torch.no_grad():
            found.append((torch.cat([linear.weight[0], linear.bias]).clone(), _loss(probe, pairs).item()))
    return found


def _loss(probe: nn.Module, pairs: Pairs) -> Tensor:
    yes, no = probe(pairs.positive), probe(pairs.negative)
    consistent = ((yes - (1 - no)) ** 2).mean()
    confident = (torch.min(yes, no) ** 2).mean()
    return consistent + confident


def measure(repeats: int, n: int = 1000, d_model: int = 64, restarts: int = 10, steps: int = 1000) -> dict[str, object]:
    """Fits both ways ``repeats`` times, after one short unmeasured round of each."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    pairs = synthetic_pairs(n, d_model)
    begun = ccs.fit(pairs, restarts, steps=0)
    starts = torch.cat([begun.weight, begun.bias[:, None]], 1)
    ccs.fit(pairs, restarts, steps=20)
    one_after_another(pairs, starts[:1], 20)
    cpu: dict[str, list[float]] = {"ours": [], "reference": []}
    wall: dict[str, list[float]] = {"ours": [], "reference": []}
    for _ in range(repeats):
        before = time.process_time(), time.perf_counter()
        fitted = ccs.fit(pairs, restarts, steps=steps)
        between = time.process_time(), time.perf_counter()
        plain = one_after_another(pairs, starts, steps)
        after = time.process_time(), time.perf_counter()
        for name, (first, last) in {"ours": (before, between), "reference": (between, after)}.items():
            cpu[name].append(last[0] - first[0])
            wall[name].append(last[1] - first[1])
    torch.set_num_threads(threads)
    losses = torch.tensor([loss for _, loss in plain])
    apart = (fitted.loss - losses).abs().max().item()
    if apart > SAME:
        raise AssertionError(f"The losses lie {apart:.1e} apart, more than {SAME:.0e}.")
    ours, reference = (statistics.median(cpu[name]) for name in ("ours", "reference"))
    row: dict[str, object] = {
        "name": "ccs_restarts",
        "ours": round(ours, 3),
        "reference": round(reference, 2),
        "unit": "CPU s",
        "ratio": round(reference / ours, 1),
        "repeats": repeats,
        "threads": 1,
        "restarts": restarts,
        "steps": steps,
        "pairs": n,
        "ours_wall_s": round(statistics.median(wall["ours"]), 3),
        "reference_wall_s": round(statistics.median(wall["reference"]), 2),
        "ours_loss": round(fitted.loss.mean().item(), 6),
        "reference_loss": round(losses.mean().item(), 6),
        "losses_apart": float(f"{apart:.1e}"),
    }
    if repeats > 1:
        row |= {"ours_spread": middle_half(cpu["ours"]), "reference_spread": middle_half(cpu["reference"])}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.repeats)))


if __name__ == "__main__":
    main()
