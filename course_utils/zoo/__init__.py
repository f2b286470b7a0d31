"""The course's trained models: recipes, shipped weights, and cards that say how each came to be.

``load(name)`` gives a model, ``load(name, step=…)`` an earlier moment of its training, ``history(name)`` its curves,
``card(name)`` its recipe, metrics, time and file hashes. ``rebuild`` trains it again; ``verify`` recomputes the card.
"""

from course_utils.zoo.entry import Entry
from course_utils.zoo.recipes import ENTRIES, neuron_logit_map
from course_utils.zoo.store import card, entry, history, load, names, snapshot_steps, table
from course_utils.zoo.tables import TABLES, make_table
from course_utils.zoo.workshop import rebuild, verify

__all__ = [
    "ENTRIES",
    "TABLES",
    "Entry",
    "card",
    "entry",
    "history",
    "load",
    "make_table",
    "names",
    "neuron_logit_map",
    "rebuild",
    "snapshot_steps",
    "table",
    "verify",
]
