"""Which mutants of the references are right answers too?  Named as `selftest` names them, with the reason."""

from __future__ import annotations

_SINGLE = "Single precision is right too."
_STRICT = "The lists have one length; the guard concerns no answer."

EQUIVALENT_MUTANTS: dict[str, dict[str, str]] = {
    "test_phase_boundaries": {
        "line 23: `strict=True` → `strict=False`": _STRICT,
        "line 23: `zip(steps, restricted, strict=True)` → `zip(steps, restricted)`": _STRICT,
        "line 24: `if formed is None` → `if False`": "The exercise promises that there is such a step.",
        "line 27: `abs(value - last) > 0.05 * last` → `abs(value - last) >= 0.05 * last`": (
            "Only a distance of exactly 5 % tells them apart, and there rounding decides: |v − l| ≤ 0.05 l and "
            "|v/l − 1| ≤ 0.05 are both right answers."
        ),
        "line 27: `value - last` → `last - value`": "The distance has no sign.",
    },
    "test_descend_product": {
        "line 9: `(a - lr * error * b, b - lr * error * a)` → `(b - lr * error * a, a - lr * error * b)`": (
            "The loss and the product treat a and b alike."
        ),
        "line 11: `torch.tensor(products, dtype=torch.float64)` → `torch.tensor(products)`": _SINGLE,
    },
    "test_gini": {
        "line 5: `torch.arange(1, n + 1, dtype=torch.float64)` → `torch.arange(1, n + 1)`": (
            "Whole numbers are promoted where they meet the values."
        ),
    },
    "test_exact_loss": {
        "line 9: `torch.logaddexp(others - right[:, 0], torch.zeros_like(others))` → "
        "`torch.logaddexp(torch.zeros_like(others), others - right[:, 0])`": "logaddexp is symmetric.",
        "line 9: `(:, 0)` → `(:, -1)`": "There is one column: its first is its last.",
    },
    "test_initial_circularity": {
        "line 9: `start, final = (start.double(), final.double())` dropped": "The check's tables are float64 already.",
        "line 11: `final - (final * start).sum() / start.square().sum() * start` → "
        "`(final * start).sum() / start.square().sum() * start - final`": "The negative spans the same plane.",
        "line 14: `(basis @ start @ plane).square().sum` → `(basis @ start @ plane).square().mean`": (
            "A common factor cancels when divided by the sum."
        ),
    },
}
