"""Which mutants of the references are right answers too?  Named as `selftest` names them, with the reason."""

from __future__ import annotations

_STRICT = "The lists have one length; the guard concerns no answer."
_SYMMETRIC = "A product has no order."
_GUARD = "The exercise asks for nothing where no transition can be fitted; the guard concerns no answer."
_START = "From there the search ends at the same place: the least squares have one minimum."
_POSITIVE = "The exercise promises κ > 2; the guard concerns no answer."

EQUIVALENT_MUTANTS: dict[str, dict[str, str]] = {
    "test_cheapest_division": {
        "line 9: `norm_M < norm_G` → `norm_M <= norm_G`": "The exercise promises that the norms are different.",
    },
    "test_rest_ratio": {
        "line 9: `strict=True` → `strict=False`": _STRICT,
        "line 9: `zip(weights, gradients, strict=True)` → `zip(gradients, weights, strict=True)`": _SYMMETRIC,
        "line 9: `zip(weights, gradients, strict=True)` → `zip(weights, gradients)`": _STRICT,
    },
    "test_scaling_exponent": {
        "line 16: `strict=True` → `strict=False`": _STRICT,
        "line 16: `zip(weights, kept, strict=True)` → `zip(weights, kept)`": _STRICT,
        "line 19: `strict=True` → `strict=False`": _STRICT,
        "line 19: `zip(weights, kept, strict=True)` → `zip(weights, kept)`": _STRICT,
    },
    "test_crossing": {
        "line 6: `other - one` → `one - other`": "The sign of the difference cancels: it stands above and below.",
        "line 9: `left * right <= 0 and left != right` → `left * right <= 0`": (
            "Only a stretch along which the curves are equal tells them apart, and none is asked for."
        ),
    },
    "test_transition": {
        "line 13: `expit(np.exp(log_steepness) * (x - middle)) - accuracies` → "
        "`accuracies - expit(np.exp(log_steepness) * (x - middle))`": "The errors are squared.",
        "line 15: `accuracies - 0.5` → `0.5 - accuracies`": _START,
        "line 15: `accuracies - 0.5` → `0.5`": _START,
        "line 15: `accuracies - 0.5` → `accuracies + 0.5`": _START,
        "line 15: `accuracies - 0.5` → `accuracies - 1.0`": _START,
        "line 15: `accuracies - 0.5` → `accuracies - 1.5`": _START,
        "line 15: `accuracies - 0.5` → `accuracies`": _START,
        "line 15: `np.abs(accuracies - 0.5).argmin` → `np.abs(accuracies - 0.5).argmax`": _START,
        "line 15: `np.abs(accuracies - 0.5)` → `accuracies - 0.5`": _START,
        "line 16: `math.log(5.0)` → `math.log(10.0)`": _START,
        "line 16: `math.log(5.0)` → `math.log(6.0)`": _START,
        "line 7: `accuracies.min() < 0.5 < accuracies.max()` → `accuracies.min() <= 0.5 < accuracies.max()`": _GUARD,
        "line 7: `if len(set(sizes.tolist())) < 3 or not accuracies.min() < 0.5 < accuracies.max()` → `if False`": _GUARD,
        "line 7: `len(set(sizes.tolist())) < 3 or not accuracies.min() < 0.5 < accuracies.max()` → "
        "`len(set(sizes.tolist())) < 3 and (not accuracies.min() < 0.5 < accuracies.max())`": _GUARD,
        "line 7: `len(set(sizes.tolist())) < 3 or not accuracies.min() < 0.5 < accuracies.max()` → "
        "`len(set(sizes.tolist())) < 3`": _GUARD,
        "line 7: `len(set(sizes.tolist())) < 3 or not accuracies.min() < 0.5 < accuracies.max()` → "
        "`not accuracies.min() < 0.5 < accuracies.max()`": _GUARD,
        "line 7: `len(set(sizes.tolist())) < 3` → `len(set(sizes.tolist())) < 2`": _GUARD,
    },
    "test_ridge": {
        "line 9: `kappa <= 2` → `kappa < 2`": _POSITIVE,
    },
    "test_pull_back": {
        "line 9: `weight - anchor[name]` → `anchor[name] - weight`": "The difference is squared.",
    },
}

OTHER_RIGHT_MUTANTS: dict[str, dict[str, str]] = {
    "test_scaling_exponent": {
        "line 1: `0.01` → `0.02`": "The error is of the order of step² with this default too.",
    },
    "test_ridge": {  # beside κ > 2 they differ
        "line 9: `if kappa <= 2` → `if False`": _POSITIVE,
        "line 9: `kappa <= 2` → `kappa <= 1`": _POSITIVE,
    },
}
