"""Which mutants of the references are right answers too?  Named as `selftest` names them, with the reason."""

from __future__ import annotations

_NO_MEAN = "The activations have mean 0 there: a constant beside what is wanted changes no weight."
_ONE_AXIS = "Vectors have one axis."
_ROWS = "Only the number of rows is used, and any column has it."
_TINY = "It is tiny beside the spread of the activations, and so is what it changes."

EQUIVALENT_MUTANTS: dict[str, dict[str, str]] = {
    "test_linear_probe": {
        "line 9: `wanted - wanted.mean(0)` → `wanted + wanted.mean(0)`": _NO_MEAN,
        "line 9: `wanted - wanted.mean(0)` → `wanted`": _NO_MEAN,
        "line 9: `wanted.mean` → `wanted.sum`": _NO_MEAN,
        "line 11: `torch.eye(len(moments), dtype=moments.dtype)` → `torch.eye(len(moments))`": (
            "Ones and zeros are exact in single precision, and the sum is in double."
        ),
    },
    "test_majority": {"line 3: `torch.zeros` → `torch.ones`": "One more for every state: the order stays."},
    "test_accuracy_by_ply": {
        "line 10: `torch.zeros(plies, dtype=values.dtype).index_add_(0, ply.long(), values)` → "
        "`torch.zeros(plies, dtype=values.dtype).index_add_(-1, ply.long(), values)`": _ONE_AXIS,
        "line 13: `(:, 0)` → `(:, -1)`": _ROWS,
        "line 13: `(:, 0)` → `(:, 1)`": _ROWS,
    },
    "test_state_cosines": {
        "line 6: `weight - weight.mean(1, keepdim=True)` → `weight.mean(1, keepdim=True) - weight`": (
            "All directions turn round, and the angles between them stay."
        ),
    },
    "test_line_scores": {
        "line 9: `[reads[:, first, EMPTY], reads[:, middle, THEIRS], reads[:, last, MINE]]` → "
        "`[reads[:, middle, THEIRS], reads[:, first, EMPTY], reads[:, last, MINE]]`": "The least has no order.",
    },
    "test_separation": {
        "line 7: `torch.searchsorted(without, activation[present], right=False)` → "
        "`torch.searchsorted(without, activation[present])`": "That is the default.",
    },
}

# Other numbers that do what is asked: right answers, although they are not the reference's.
OTHER_RIGHT_MUTANTS: dict[str, dict[str, str]] = {
    "test_linear_probe": {
        "line 11: `1e-06 * moments.diagonal().mean() * torch.eye(len(moments), dtype=moments.dtype)` → "
        "`1e-06 * moments.diagonal().mean()`": _TINY,
        "line 11: `1e-06 * moments.diagonal().mean()` → `1e-06 / moments.diagonal().mean()`": _TINY,
        "line 11: `1e-06 * moments.diagonal().mean()` → `1e-06`": _TINY,
        "line 11: `1e-06 * moments.diagonal().mean()` → `2e-06 * moments.diagonal().mean()`": _TINY,
        "line 11: `moments.diagonal().mean` → `moments.diagonal().sum`": _TINY,
        "line 12: `moments + ridge` → `moments - ridge`": _TINY,
        "line 12: `moments + ridge` → `moments`": _TINY,
    },
    "test_colour_network": {
        "line 6: `[[1.0, -1.0, 1.0, -1.0], [1.0, -1.0, -1.0, 1.0]]` → `[[1.0, -1.0, -1.0, 1.0], [1.0, -1.0, 1.0, -1.0]]`": (
            "m and s change places, which a product does not mind."
        ),
    },
}
