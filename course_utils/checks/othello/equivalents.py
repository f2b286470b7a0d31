"""Which mutants of the references are right answers too?  Named as `selftest` names them, with the reason."""

from __future__ import annotations

EQUIVALENT_MUTANTS: dict[str, dict[str, str]] = {}

OTHER_RIGHT_MUTANTS: dict[str, dict[str, str]] = {}
