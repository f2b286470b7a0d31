"""Checks for othello: what is legal, what probes read from a network's stream, and whether it follows when that is edited.

Right is what counting square by square, move by move and pair by pair says; nothing here is compared with the library.
"""

from __future__ import annotations

from course_utils.checks.othello import (
    by_ply,
    cosines,
    edited,
    frame,
    lens,
    lines,
    majority,
    network,
    probe,
    rules,
    scores,
    separation,
)
from course_utils.checks.othello.equivalents import EQUIVALENT_MUTANTS, OTHER_RIGHT_MUTANTS

__all__ = ["EQUIVALENT_MUTANTS", "OTHER_RIGHT_MUTANTS"]

# In the order of the exercises.
test_mover_frame = frame.test_mover_frame
test_legality = rules.test_legality
test_linear_probe = probe.test_linear_probe
test_majority = majority.test_majority
test_colour_network = network.test_colour_network
test_accuracy_by_ply = by_ply.test_accuracy_by_ply
test_set_score = scores.test_set_score
test_intervention_error = edited.test_intervention_error
test_state_cosines = cosines.test_state_cosines
test_line_scores = lines.test_line_scores
test_separation = separation.test_separation
test_logit_lens = lens.test_logit_lens
