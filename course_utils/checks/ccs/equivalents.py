"""Which mutants of the references are right answers too?  Named as `selftest` names them, with the reason."""

from __future__ import annotations

_EVEN = "The loss does not mind which side is which."
_ONE_WAY_OF_SCALING = "The exercise has one way of normalising, and so no second argument."
_NO_TIES = "No p⁺ is equal to its p⁻: such a question has no answer to be judged."
_AGREEMENT = "Two agree whichever is named first."
_BOTH_TURNED = "Both sides turn their sign, and the products of two stay."
_SQUARED = "It is squared."
_N_LESS_1 = "Dividing by n or by n − 1 are both right."

EQUIVALENT_MUTANTS: dict[str, dict[str, str]] = {
    "test_ccs_loss": {
        "line 5: `inconsistency(p_positive, p_negative)` → `inconsistency(p_negative, p_positive)`": _EVEN,
        "line 5: `unconfidence(p_positive, p_negative)` → `unconfidence(p_negative, p_positive)`": _EVEN,
    },
    "test_normalise": {
        "line 11: `if how not in NORMALISATIONS` → `if False`": _ONE_WAY_OF_SCALING,
        "line 13: `if how == 'none'` → `if False`": _ONE_WAY_OF_SCALING,
        "line 16: `centred if how == 'mean' else centred / centred.std(0, correction=0).clamp_min(1e-06)` → "
        "`centred / centred.std(0, correction=0).clamp_min(1e-06)`": _ONE_WAY_OF_SCALING,
    },
    "test_losses": {
        "line 8: `(positive, negative)` → `(negative, positive)`": _EVEN,
        "line 9: `ccs_loss(p_positive, p_negative)` → `ccs_loss(p_negative, p_positive)`": _EVEN,
    },
    "test_accuracy_up_to_sign": {
        "line 8: `agreement(p_positive > p_negative, label)` → `agreement(label, p_positive > p_negative)`": _AGREEMENT,
        "line 8: `p_positive > p_negative` → `p_positive <= p_negative`": "The opposite answers count as much.",
        "line 8: `p_positive > p_negative` → `p_positive >= p_negative`": _NO_TIES,
    },
    "test_variance_parts": {
        "line 10: `a @ b` → `b @ a`": "A dot product has no order.",
        "line 9: `(positive, negative)` → `(negative, positive)`": "Neither part minds which side is which.",
        "line 9: `side - side.mean(0)` → `side.mean(0) - side`": _BOTH_TURNED,
    },
    "test_reassigned": {"line 9: `p_positive > p_negative` → `p_positive >= p_negative`": _NO_TIES},
    "test_feature_found": {"line 5: `agreement(answer, feature)` → `agreement(feature, answer)`": _AGREEMENT},
    "test_probe_for_labels": {
        "line 15: `margin * torch.cat([sign, -sign])` → `margin / torch.cat([sign, -sign])`": (
            "Dividing by 1 or −1 is multiplying by it."
        ),
    },
    "test_salience": {
        "line 7: `x[label].mean(0) - x[~label].mean(0)` → `x[~label].mean(0) - x[label].mean(0)`": _SQUARED,
        "line 8: `x - x.mean(0)` → `x.mean(0) - x`": _SQUARED,
    },
}

# Other numbers that do what is asked: right answers, although they are not the reference's.
OTHER_RIGHT_MUTANTS: dict[str, dict[str, str]] = {
    "test_normalise": {
        "line 16: `centred.std(0, correction=0)` → `centred.std(0)`": _N_LESS_1,
        "line 16: `correction=0` → `correction=1`": _N_LESS_1,
        "line 16: `centred.std(0, correction=0).clamp_min(1e-06)` → `centred.std(0, correction=0).clamp_min(2e-06)`": (
            "Both are far below every standard deviation that is not 0."
        ),
    },
}
