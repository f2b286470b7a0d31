"""Checks for latent: what answers go by, repairs that name the nuisance, and readers taken from place to place.

Right is what counting, drawing every set of restarts and planted data say; nothing here is compared with the library.
"""

from __future__ import annotations

from course_utils.checks.latent import erased, lowest, method, places, score_card, swapped_loss, swaps
from course_utils.checks.latent.equivalents import EQUIVALENT_MUTANTS, OTHER_RIGHT_MUTANTS

__all__ = ["EQUIVALENT_MUTANTS", "OTHER_RIGHT_MUTANTS"]

# In the order of the exercises.
test_scorecard = score_card.test_scorecard
test_swapped = swaps.test_swapped
test_swap_invariant_loss = swapped_loss.test_swap_invariant_loss
test_lowest_of = lowest.test_lowest_of
test_cross_readings = places.test_cross_readings
test_my_method = method.test_my_method
test_erase = erased.test_erase
