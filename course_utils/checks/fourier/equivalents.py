"""Which mutants of the references are right answers too?  Named as `selftest` names them, with the reason."""

from __future__ import annotations

_EVEN_P = "The guard concerns even p and p < 3, which the exercise leaves out; for odd p from 3 nothing changes."
_SQUARE = "The axes have the same length."
_ORDER = "The order in which axes are summed over does not matter."
_COMMON = "A common factor cancels when divided by the sum."
_EVEN = "The cosine is even."

EQUIVALENT_MUTANTS: dict[str, dict[str, str]] = {
    "test_fourier_basis": {
        "line 10: `if p % 2 == 0 or p < 3` → `if False`": _EVEN_P,
        "line 10: `p % 2 == 0 or p < 3` → `p % 2 == 0 and p < 3`": _EVEN_P,
        "line 10: `p % 2 == 0 or p < 3` → `p % 2 == 0`": _EVEN_P,
        "line 10: `p % 2 == 0 or p < 3` → `p < 3`": _EVEN_P,
        "line 10: `p % 2 == 0` → `p % 2 == -1`": _EVEN_P,
        "line 10: `p % 2` → `2 % p`": _EVEN_P,
        "line 10: `p % 2` → `p // 2`": _EVEN_P,
        "line 10: `p % 2` → `p`": _EVEN_P,
        "line 10: `p < 3` → `p < 2`": _EVEN_P,
        "line 13: `torch.full((p, p), 1 / math.sqrt(p), dtype=torch.float64)` → `torch.full((p, p), 1 / math.sqrt(p))`": (
            "Single precision is right too."
        ),
    },
    "test_frequency_shares": {
        "line 12: `(basis.to(matrix.dtype) @ matrix).pow(2).sum` → `(basis.to(matrix.dtype) @ matrix).pow(2).mean`": _COMMON,
        "line 13: `power.reshape(-1, 2).sum` → `power.reshape(-1, 2).mean`": _COMMON,
    },
    "test_fourier_2d": {
        "line 7: `basis = basis.to(table.dtype)` dropped": "The exercise passes table and basis in one dtype.",
    },
    "test_neuron_frequencies": {
        "line 10: `(1, 3)` → `(3, 1)`": _ORDER,
        "line 8: `basis.shape[0]` → `basis.shape[-1]`": _SQUARE,
        "line 8: `basis.shape[0]` → `basis.shape[1]`": _SQUARE,
    },
    "test_cosine_logits": {
        "line 10: `x[:, None, None] + x[None, :, None] - x[None, None, :]` → "
        "`x[None, None, :] - (x[:, None, None] + x[None, :, None])`": _EVEN,
    },
    "test_fit_cosines": {
        "line 12: `answers - d` → `answers + d`": _EVEN,
        "line 12: `centred[x[:, None], x[None, :], (answers - d).remainder(p)]` → "
        "`centred[x[None, :], x[:, None], (answers - d).remainder(p)]`": "a + b is b + a.",
        "line 7: `logits.shape[0]` → `logits.shape[-1]`": _SQUARE,
        "line 7: `logits.shape[0]` → `logits.shape[1]`": _SQUARE,
    },
    "test_split_logits": {
        "line 10: `(0, 1)` → `(1, 0)`": _ORDER,
        "line 10: `keepdim=True` → `keepdim=False`": "The mean over the first two axes broadcasts in the same way.",
        "line 10: `logits.mean((0, 1), keepdim=True)` → `logits.mean((0, 1))`": (
            "The mean over the first two axes broadcasts in the same way."
        ),
        "line 8: `logits.shape[0]` → `logits.shape[-1]`": _SQUARE,
        "line 8: `logits.shape[0]` → `logits.shape[1]`": _SQUARE,
    },
    "test_weights_by_hand": {
        "line 11: `torch.arange(n_phases, dtype=torch.float64)` → `torch.arange(n_phases)`": "Single precision is right too.",
        "line 14: `2 * phases[None, :, None] - angles.T[:, None, :]` → "
        "`angles.T[:, None, :] - 2 * phases[None, :, None]`": _EVEN,
    },
    "test_product_share": {
        "line 7: `(0, 1)` → `(1, 0)`": _ORDER,
    },
    "test_margin": {
        "line 4: `1:` → `2:`": "Distances 1 and p − 1 give the same logit.",
    },
    "test_subtraction_from_addition": {
        "line 6: `logits.shape[0]` → `logits.shape[-1]`": _SQUARE,
        "line 6: `logits.shape[0]` → `logits.shape[1]`": _SQUARE,
    },
}
