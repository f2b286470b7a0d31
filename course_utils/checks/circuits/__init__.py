"""Checks for circuits: heads and networks by hand, their tables, freezing and ablating, and what a basis changes.

Right is what loops in NumPy and identities say; nothing here is compared with `course_utils.circuits` or
`course_utils.patching`.
"""

from __future__ import annotations

from course_utils.checks.circuits import (
    ablation,
    attribution,
    eigenvalues,
    from_tables,
    frozen,
    heads,
    network,
    ov,
    qk,
    turned,
)
from course_utils.checks.circuits.equivalents import EQUIVALENT_MUTANTS

__all__ = ["EQUIVALENT_MUTANTS"]

# In the order of the exercises.
test_attention_head = heads.test_attention_head
test_transformer = network.test_transformer
test_logit_attribution = attribution.test_logit_attribution
test_qk_circuit = qk.test_qk_circuit
test_ov_circuit = ov.test_ov_circuit
test_answer_from_tables = from_tables.test_answer_from_tables
test_frozen_logits = frozen.test_frozen_logits
test_ablated_logits = ablation.test_ablated_logits
test_eigenvalue_score = eigenvalues.test_eigenvalue_score
test_rotate_stream = turned.test_rotate_stream
