"""Checks for ccs: contrast pairs, the loss of contrast-consistent search, and what it finds besides knowledge.

Right is what counting question by question, solving and NumPy say; nothing here is compared with the library.
"""

from __future__ import annotations

from course_utils.checks.ccs import accuracy, all_restarts, loss, pairs, scaling, variance

# In the order of the exercises.
test_contrast_pairs = pairs.test_contrast_pairs
test_ccs_loss = loss.test_ccs_loss
test_normalise = scaling.test_normalise
test_losses = all_restarts.test_losses
test_accuracy_up_to_sign = accuracy.test_accuracy_up_to_sign
test_variance_parts = variance.test_variance_parts
