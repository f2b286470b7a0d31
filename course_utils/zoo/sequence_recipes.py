"""How the models of the chapters on circuits and on induction heads are made, and what is measured of them."""

from __future__ import annotations

from typing import Any

from course_utils.tasks.repeats import RepeatTask
from course_utils.tasks.skip_trigrams import LargestTask, PhraseTask
from course_utils.training import Recipe
from course_utils.zoo.entry import Entry, at_least, measure_evaluation
from course_utils.zoo.sequences import RepeatProblem, SmearedRepeatProblem, TrigramProblem


def repeats(steps: int = 1200, seed: int = 0, problem: RepeatProblem | None = None, **changes: Any) -> Recipe:
    """The setting of the induction chapter: AdamW, learning rate 0.007, decay 0.1."""
    settings: dict[str, Any] = {"lr": 7e-3, "weight_decay": 0.1, "log_every": 20} | changes
    return Recipe(problem or RepeatProblem(), steps=steps, seed=seed, **settings)


def trigrams(problem: TrigramProblem, steps: int, seed: int = 0, **changes: Any) -> Recipe:
    """The setting of the circuits chapter: AdamW, decay 0.1."""
    settings: dict[str, Any] = {"lr": 3e-3, "weight_decay": 0.1, "log_every": 20} | changes
    return Recipe(problem, steps=steps, seed=seed, **settings)


# Dense where the heads form.
INDUCTION_SNAPSHOTS = (0, 60, 100, 120, 140, 160, 180, 200, 240, 300, 400, 600)

SEQUENCE_ENTRIES: dict[str, Entry] = {
    "largest-number": Entry(
        about="Find the one large number in a list: one layer, one head, a low learning rate.",
        recipe=trigrams(TrigramProblem(LargestTask()), steps=3000, lr=3e-4),
        measure=measure_evaluation,
        gates=at_least(test_accuracy=1.0),
    ),
    "largest-number-two-heads": Entry(
        about="The same task and setting with two heads.",
        recipe=trigrams(TrigramProblem(LargestTask(), n_heads=2, d_head=16), steps=3000, lr=3e-4),
        measure=measure_evaluation,
        gates=at_least(test_accuracy=1.0),
    ),
    "phrases": Entry(
        about="Complete a phrase whose noun depends on a verb and a preposition together: one layer, one head.",
        recipe=trigrams(TrigramProblem(PhraseTask()), steps=2000),
        measure=measure_evaluation,
        gates=at_least(test_accuracy=0.99),
    ),
    "induction": Entry(
        about="Continue copied spans of random tokens: two layers with one head each.",
        recipe=repeats(snapshots=INDUCTION_SNAPSHOTS),
        measure=measure_evaluation,
        gates=at_least(test_accuracy=0.99, previous=0.7, prefix=0.85),
    ),
    "induction-four-heads": Entry(
        about="The same task with four heads a layer, at a lower learning rate.",
        recipe=repeats(1500, problem=RepeatProblem(n_heads=4, d_head=16), lr=3e-3),
        measure=measure_evaluation,
        gates=at_least(test_accuracy=0.99),
    ),
    "induction-one-layer": Entry(
        about="The same task with one layer, which cannot do it, in twice the steps at a lower learning rate.",
        recipe=repeats(2400, problem=RepeatProblem(n_layers=1), lr=3e-3),
        measure=measure_evaluation,
        gates=lambda metrics: [],
    ),
    "induction-smeared": Entry(
        about="The same task with one layer whose keys have looked one place back.",
        recipe=repeats(problem=SmearedRepeatProblem()),
        measure=measure_evaluation,
        gates=at_least(test_accuracy=0.99),
    ),
    "translation": Entry(
        about="Copies are translated by a fixed dictionary: two layers with one head each.",
        recipe=repeats(problem=RepeatProblem(RepeatTask(translation=1))),
        measure=measure_evaluation,
        gates=at_least(test_accuracy=0.99),
    ),
}
