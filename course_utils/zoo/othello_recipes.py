"""How the models of the chapter on Othello are made, and what must hold of them."""

from __future__ import annotations

from typing import Any

from course_utils.training import Recipe
from course_utils.zoo.entry import Entry, at_least, measure_evaluation
from course_utils.zoo.othello import OthelloProblem


def games(problem: OthelloProblem, steps: int, seed: int = 0, **changes: Any) -> Recipe:
    """The setting of the chapter: Muon and AdamW at a learning rate of 0.003 that falls to 0, no decay."""
    settings: dict[str, Any] = {
        "lr": 3e-3,
        "weight_decay": 0.0,
        "warmup": 100,
        "anneal": True,
        "optimiser": "muon",
        "log_every": 250,
    } | changes
    return Recipe(problem, steps=steps, seed=seed, **settings)


OTHELLO_ENTRIES: dict[str, Entry] = {
    "othello": Entry(
        about="Which moves are legal? Six layers that read random games on a 6 × 6 board; asked for all legal moves alike.",
        recipe=games(OthelloProblem(), steps=9000),
        measure=measure_evaluation,
        gates=at_least(test_accuracy=0.99),
    ),
    "othello-sampled": Entry(
        about="The same games read by four layers that are asked for nothing but the move that was played.",
        recipe=games(OthelloProblem(targets="sampled", n_layers=4), steps=8000),
        measure=measure_evaluation,
        gates=at_least(test_accuracy=0.97),
    ),
}

# For a GPU: the papers' board, by the same code. Not shipped.
LARGE_BOARD = games(OthelloProblem(size=8, d_model=256, n_layers=8, n_heads=8, batch=512), steps=20_000)
