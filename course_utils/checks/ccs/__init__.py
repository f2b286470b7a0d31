"""Checks for ccs: contrast pairs, the loss of contrast-consistent search, and what it finds besides knowledge.

Right is what counting question by question, solving and NumPy say; nothing here is compared with the library.
"""

from __future__ import annotations

from course_utils.checks.ccs import (
    accuracy,
    all_restarts,
    assigned,
    features,
    fitted,
    loss,
    pairs,
    removed,
    salient,
    scaling,
    variance,
)
from course_utils.checks.ccs.equivalents import EQUIVALENT_MUTANTS, OTHER_RIGHT_MUTANTS

__all__ = ["EQUIVALENT_MUTANTS", "OTHER_RIGHT_MUTANTS"]

# In the order of the exercises.
test_contrast_pairs = pairs.test_contrast_pairs
test_ccs_loss = loss.test_ccs_loss
test_normalise = scaling.test_normalise
test_losses = all_restarts.test_losses
test_accuracy_up_to_sign = accuracy.test_accuracy_up_to_sign
test_variance_parts = variance.test_variance_parts
test_reassigned = assigned.test_reassigned
test_feature_found = features.test_feature_found
test_probe_for_labels = fitted.test_probe_for_labels
test_salience = salient.test_salience
test_without = removed.test_without
