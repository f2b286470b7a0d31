"""Checks for the Fourier algorithm: waves, shares, neurons, logits, and a network written by hand.

Right is what NumPy's transforms, brute force and identities say; nothing here is compared with `course_utils.fourier`.
"""

from __future__ import annotations

from course_utils.checks.fourier import (
    basis,
    by_hand,
    circle,
    cosines,
    directions,
    fit,
    margin,
    neurons,
    products,
    renaming,
    shares,
    tables,
)
from course_utils.checks.fourier.equivalents import EQUIVALENT_MUTANTS

__all__ = ["EQUIVALENT_MUTANTS"]

# In the order of the exercises.
test_fourier_basis = basis.test_fourier_basis
test_frequency_shares = shares.test_frequency_shares
test_fourier_2d = tables.test_fourier_2d
test_neuron_frequencies = neurons.test_neuron_frequencies
test_cosine_logits = cosines.test_cosine_logits
test_fit_cosines = fit.test_fit_cosines
test_split_logits = directions.test_split_logits
test_weights_by_hand = by_hand.test_weights_by_hand
test_product_share = products.test_product_share
test_margin = margin.test_margin
test_circle = circle.test_circle
test_subtraction_from_addition = renaming.test_subtraction_from_addition
