"""Which mutants of the references are right answers too?  Named as `selftest` names them, with the reason."""

from __future__ import annotations

_ONE_HEAD = "There is one head: the first is the last."
_ALL_KEPT = "Then all activations are kept, and the same one is read."
_NEVER_0 = "A target comes after another place: it is never place 0."
_ONE_LENGTH = "The lists have one length; the guard concerns no answer."
_READS = "The exercise promises that `reads` is one of the three."
_LAYER_UNUSED = "A third layer is made and not used."

EQUIVALENT_MUTANTS: dict[str, dict[str, str]] = {
    "test_induction_targets": {
        "line 7: `torch.arange(1, tokens.shape[1] + 1, device=tokens.device)` → `torch.arange(1, tokens.shape[1] + 1)`": (
            "The check runs on one device."
        ),
    },
    "test_head_scores": {
        "line 8: `(0, 2)` → `(2, 0)`": "The order in which axes are averaged over does not matter.",
        "line 9: `min=0` → `min=1`": "What is read where there is no target is left out afterwards.",
        "line 9: `targets.clamp(min=0)[:, None, :, None].expand(-1, pattern.shape[1], -1, 1)` → "
        "`targets.clamp(min=0)[:, None, :, None].expand(-1, pattern.shape[1], -1, 2)`": "It is read twice, and one is taken.",
        "line 9: `(..., 0)` → `(..., -1)`": "There is one: the first is the last.",
        "line 10: `to_target.transpose(1, 2)` → `to_target.transpose(2, 1)`": "The same two axes change places.",
        "line 10: `targets >= 0` → `targets > 0`": _NEVER_0,
        "line 10: `targets >= 0` → `targets >= 1`": _NEVER_0,
    },
    "test_induction_weights": {
        "line 11: `2 * vocab` → `3 * vocab`": "The last room ends where the stream ends.",
        "line 16: `torch.zeros(2, 1, d_model, d_head)` → `torch.zeros(3, 1, d_model, d_head)`": _LAYER_UNUSED,
        "line 17: `torch.zeros(2, 1, d_head, d_model)` → `torch.zeros(3, 1, d_head, d_model)`": _LAYER_UNUSED,
        "line 21: `(0, 0, place, :n_ctx)` → `(0, -1, place, :n_ctx)`": _ONE_HEAD,
        "line 22: `(0, 0, place, :n_ctx)` → `(0, -1, place, :n_ctx)`": _ONE_HEAD,
        "line 23: `(0, 0, token, :vocab)` → `(0, -1, token, :vocab)`": _ONE_HEAD,
        "line 24: `(0, 0, :vocab, before)` → `(0, -1, :vocab, before)`": _ONE_HEAD,
        "line 28: `(1, 0, token, :vocab)` → `(1, -1, token, :vocab)`": _ONE_HEAD,
        "line 29: `(1, 0, before, :vocab)` → `(1, -1, before, :vocab)`": _ONE_HEAD,
        "line 30: `(1, 0, token, :vocab)` → `(1, -1, token, :vocab)`": _ONE_HEAD,
        "line 31: `(1, 0, :vocab, token)` → `(1, -1, :vocab, token)`": _ONE_HEAD,
        "line 33: `(1, 0, token, vocab)` → `(1, -1, token, vocab)`": _ONE_HEAD,
        "line 34: `(1, 0, vocab, vocab)` → `(1, -1, vocab, vocab)`": _ONE_HEAD,
        "line 38: `(0, 1)` → `(1, 0)`": "A dict has no order that matters here.",
    },
    "test_path_patched_logits": {
        "line 19: `if reads not in ('q', 'k', 'v')` → `if False`": _READS,
        "line 19: `('q', 'k', 'v')` → `('k', 'q', 'v')`": _READS,
        "line 22: `model.run_with_cache(x, names=z)` → `model.run_with_cache(x)`": _ALL_KEPT,
    },
    "test_formed_at": {
        "line 10: `strict=True` → `strict=False`": _ONE_LENGTH,
        "line 10: `zip(steps, scores, strict=True)` → `zip(steps, scores)`": _ONE_LENGTH,
    },
}

# Other weights that do what is asked: right answers, although their numbers are not the reference's.
OTHER_RIGHT_MUTANTS: dict[str, dict[str, str]] = {
    "test_induction_weights": {
        "line 12: `2 * vocab` → `3 * vocab`": "The stream has axes that nobody uses.",
        "line 14: `30 * d_head ** 0.5` → `29 * d_head ** 0.5`": "Scores differ by 29.",
        "line 14: `30 * d_head ** 0.5` → `31 * d_head ** 0.5`": "Scores differ by 31.",
        "line 14: `d_head ** 0.5` → `d_head * 0.5`": "Scores differ by more.",
        "line 14: `d_head ** 0.5` → `d_head ** 1.0`": "Scores differ by more.",
        "line 14: `d_head ** 0.5` → `d_head ** 1.5`": "Scores differ by more.",
        "line 14: `d_head ** 0.5` → `d_head`": "Scores differ by more.",
        "line 15: `torch.zeros` → `torch.ones`": "All tokens write the same into the other rooms: all scores shift alike.",
        "line 15: `torch.zeros` → `torch.ones` (2)": "All places write the same into the other rooms: all scores shift alike.",
        "line 15: `torch.zeros` → `torch.ones` (3)": "The other rooms add the same to all logits.",
        "line 16: `torch.zeros` → `torch.ones`": "The other rooms add the same to all scores of a query, and to all values.",
        "line 17: `torch.zeros` → `torch.ones`": "Each head adds the same to all axes of the other rooms.",
        "line 18: `30 * words` → `29 * words`": "Logits may have any size.",
        "line 18: `30 * words` → `31 * words`": "Logits may have any size.",
        "line 18: `30 * words` → `words`": "Logits may have any size.",
        "line 31: `2 * words` → `3 * words`": "The copied token is three times as loud as the query's own.",
        "line 34: `-2` → `-1`": "At the first place a match and the term that keeps away cancel: enough beside a match.",
        "line 34: `-2` → `-3`": "The first place is avoided more.",
    },
}
