"""Checks for efficiency: two circuits under a penalty, when a network is at rest, where one circuit takes over from another.

Right is what searches, numerical derivatives and sums entry by entry say; nothing here is compared with the library.
"""

from __future__ import annotations

from course_utils.checks.efficiency import (
    anchored,
    division,
    exponent,
    ingredients,
    losses,
    meeting,
    rest,
    slopes,
    steepness,
    watershed,
)
from course_utils.checks.efficiency.equivalents import EQUIVALENT_MUTANTS, OTHER_RIGHT_MUTANTS

__all__ = ["EQUIVALENT_MUTANTS", "OTHER_RIGHT_MUTANTS"]

# In the order of the exercises.
test_cheapest_division = division.test_cheapest_division
test_slopes = slopes.test_slopes
test_without_one_ingredient = ingredients.test_without_one_ingredient
test_train_and_test_loss = losses.test_train_and_test_loss
test_rest_ratio = rest.test_rest_ratio
test_scaling_exponent = exponent.test_scaling_exponent
test_crossing = meeting.test_crossing
test_transition = steepness.test_transition
test_ridge = watershed.test_ridge
test_pull_back = anchored.test_pull_back
