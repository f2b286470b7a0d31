"""Which mutants of the references are right answers too?  Named as `selftest` names them, with the reason."""

from __future__ import annotations

_EITHER_WAY = "Two sides agree with each other, whichever is named first."
_SQUARE = "A change and its opposite have the same square."
_SIDES = "The CCS loss does not mind which side is which: sum and minimum do not."
_CENTRED = "The coordinates have mean 0: a constant beside the label changes nothing."
_LENGTH = "All coordinates become longer or shorter by one factor, which is divided out on the way back."
_NO_QUESTION = "It is about what the exercise does not ask: truth and opinion differ somewhere, and k is from 1 to n."
_DEPENDENT = "It is about dimensions that depend on each other, which the exercise leaves out."

EQUIVALENT_MUTANTS: dict[str, dict[str, str]] = {
    "test_scorecard": {
        "line 11: `agreement(answer, truth)` → `agreement(truth, answer)`": _EITHER_WAY,
        "line 12: `agreement(answer, opinion)` → `agreement(opinion, answer)`": _EITHER_WAY,
        "line 13: `agreement(answer[differ], truth[differ])` → `agreement(truth[differ], answer[differ])`": _EITHER_WAY,
    },
    "test_swap_invariant_loss": {
        "line 12: `p_negative - q_negative` → `q_negative - p_negative`": _SQUARE,
        "line 12: `p_positive - q_positive` → `q_positive - p_positive`": _SQUARE,
        "line 13: `ccs_loss(p_positive, p_negative)` → `ccs_loss(p_negative, p_positive)`": _SIDES,
        "line 13: `ccs_loss(q_positive, q_negative)` → `ccs_loss(q_negative, q_positive)`": _SIDES,
    },
    "test_cross_readings": {
        "line 10: `agreement(reader.answers(x), test_truth)` → `agreement(test_truth, reader.answers(x))`": _EITHER_WAY,
    },
    "test_erase": {
        "line 7: `label.double() - label.double().mean()` → `label.double() + label.double().mean()`": _CENTRED,
        "line 7: `label.double() - label.double().mean()` → `label.double()`": _CENTRED,
        "line 7: `label.double() - label.double().mean()` → `label.double().mean() - label.double()`": (
            "With the opposite label the direction turns round, and what lies along it stays."
        ),
        "line 8: `centred.T @ centred / len(x)` → `centred.T @ centred * len(x)`": _LENGTH,
        "line 8: `centred.T @ centred / len(x)` → `centred.T @ centred`": _LENGTH,
    },
}

# They return something else only where the exercise leaves open what is to be returned, or by rounding.
OTHER_RIGHT_MUTANTS: dict[str, dict[str, str]] = {
    "test_scorecard": {"line 8: `if not differ.any()` → `if False`": _NO_QUESTION},
    "test_lowest_of": {
        "line 10: `1 <= k <= n` → `0 <= k <= n`": _NO_QUESTION,
        "line 10: `if not 1 <= k <= n` → `if False`": _NO_QUESTION,
    },
    "test_erase": {
        "line 10: `values, vectors = (values[kept], vectors[:, kept])` dropped": _DEPENDENT,
        "line 10: `vectors[:, kept]` → `vectors[kept, :]`": _DEPENDENT,
        "line 7: `label.double().mean` → `label.double().sum`": _CENTRED,
        "line 9: `1e-08 * values.max()` → `2e-08 * values.max()`": _DEPENDENT,
        "line 9: `values > 1e-08 * values.max()` → `values >= 1e-08 * values.max()`": _DEPENDENT,
        "line 9: `values.max` → `values.min`": _DEPENDENT,
    },
}
