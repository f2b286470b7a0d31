"""Which mutants of the references are right answers too?  Named as `selftest` names them, with the reason."""

from __future__ import annotations

_ALL_KEPT = "Then all activations are kept, and the same one is read."
_EITHER = "It is the same axis."
_ONE_LENGTH = "All four have one entry for each head; the guard concerns no answer."
_LIST = "The order in a list of names to look up makes no difference."
_ONE_SHAPE = "Only the shape of the zeros is used, and all sequences have the same."

EQUIVALENT_MUTANTS: dict[str, dict[str, str]] = {
    "test_attention_head": {"line 12: `-1` → `1`": _EITHER, "line 14: `-1` → `1`": _EITHER},
    "test_transformer": {
        "line 11: `strict=True` → `strict=False`": _ONE_LENGTH,
        "line 11: `zip(*matrices, strict=True)` → `zip(*matrices)`": _ONE_LENGTH,
    },
    "test_answer_from_tables": {"line 15: `scores[tokens].softmax(0)` → `scores[tokens].softmax(-1)`": _EITHER},
    "test_frozen_logits": {
        "line 14: `model.run_with_cache(version, names=name)` → `model.run_with_cache(version)`": _ALL_KEPT,
    },
    "test_ablated_logits": {
        "line 22: `if how not in ABLATIONS` → `if False`": "The guard words an error; there are three kinds of ablation.",
        "line 25: `model.run_with_cache(others, names=name)` → `model.run_with_cache(others)`": _ALL_KEPT,
        "line 26: `elsewhere[0]` → `elsewhere[-1]`": _ONE_SHAPE,
        "line 29: `z = z.clone()` dropped": "The activation belongs to this run: a hook may write on it.",
    },
    "test_rotate_stream": {
        "line 7: `('W_E', 'W_pos', 'W_O', 'W_out')` → `('W_pos', 'W_E', 'W_O', 'W_out')`": _LIST,
        "line 7: `('W_Q', 'W_K', 'W_V', 'W_in', 'W_U')` → `('W_K', 'W_Q', 'W_V', 'W_in', 'W_U')`": _LIST,
        "line 10: `-1` → `1`": "Every name has a dot in it: what is after the last one is the second of two parts.",
        "line 10: `name.rsplit('.', 1)` → `name.rsplit('.', 2)`": "The last part is the same.",
        "line 11: `rotation.T @ weight if kind in readers else weight` → `rotation.T @ weight`": (
            "In these networks every weight reads from the stream or writes into it."
        ),
    },
}
