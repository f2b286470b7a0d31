"""Checks for induction heads: where they look, what they carry, how two heads compose, and when they form.

Right is what loops, NumPy and small examples worked by hand say; nothing here is compared with the library.
"""

from __future__ import annotations

from course_utils.checks.induction import (
    composition,
    context,
    copying,
    formation,
    paths,
    places,
    scores,
    smeared,
    virtual,
    weights,
)
from course_utils.checks.induction.equivalents import EQUIVALENT_MUTANTS, OTHER_RIGHT_MUTANTS

__all__ = ["EQUIVALENT_MUTANTS", "OTHER_RIGHT_MUTANTS"]

# In the order of the exercises.
test_induction_targets = places.test_induction_targets
test_head_scores = scores.test_head_scores
test_induction_weights = weights.test_induction_weights
test_copying_score = copying.test_copying_score
test_virtual_qk = virtual.test_virtual_qk
test_composition_scores = composition.test_composition_scores
test_path_patched_logits = paths.test_path_patched_logits
test_in_context_score = context.test_in_context_score
test_formed_at = formation.test_formed_at
test_smear_keys = smeared.test_smear_keys
