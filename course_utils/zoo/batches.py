"""Which examples does a step of a run see? Seeds that keep steps, runs and test sets apart."""

from __future__ import annotations

TEST_SEED = 2**31 - 1


def batch_seed(step: int, seed: int) -> int:
    """A seed of its own for every step of every run, apart from that of the test sequences."""
    return (seed * 1_000_003 + step) % TEST_SEED


def part_of_many(step: int, seed: int, batch: int, steps_at_once: int) -> tuple[int, slice]:
    """Where is this step's batch, if examples are drawn for so many steps at once? The seed they are drawn with, and the rows."""
    first = batch * (step % steps_at_once)
    return batch_seed(step // steps_at_once, seed), slice(first, first + batch)
