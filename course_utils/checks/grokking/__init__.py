"""Checks for grokking: progress measures, phases, mirrored questions, and the small models behind slow learning.

Right is what NumPy's transforms, brute force and identities say; nothing here is compared with `course_utils.progress`.
"""

from __future__ import annotations

from course_utils.checks.grokking import (
    exact,
    inequality,
    losses,
    mirror,
    phases,
    powers,
    product,
    scale,
    seeds,
    slow,
)
from course_utils.checks.grokking.equivalents import EQUIVALENT_MUTANTS

__all__ = ["EQUIVALENT_MUTANTS"]

# In the order of the exercises.
test_progress_losses = losses.test_progress_losses
test_phase_boundaries = phases.test_phase_boundaries
test_mirror_accuracy = mirror.test_mirror_accuracy
test_descend_product = product.test_descend_product
test_power_law = powers.test_power_law
test_gini = inequality.test_gini
test_balance = scale.test_balance
test_exact_loss = exact.test_exact_loss
test_slow_gradient = slow.test_slow_gradient
test_initial_circularity = seeds.test_initial_circularity
