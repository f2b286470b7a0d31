"""How the models of the chapters on contrast-consistent search are made, and what must hold of them.

They are let in by what they say alone, never by what a probe finds in them.
"""

from __future__ import annotations

from course_utils.tasks.testbed import World
from course_utils.training import Recipe
from course_utils.zoo.entry import Entry, at_least, measure_evaluation
from course_utils.zoo.testbed import DocumentProblem

SEEDS = (0, 1, 2)
WORLDS: dict[str, tuple[str, World]] = {
    "apart": ("Banana and shed occur, and nothing depends on them.", World()),
    "unseen": ("Banana and shed never occur.", World(odd=0.0)),
    "half": ("In half of the documents with banana or shed the answer goes by that word.", World(entangled=0.5)),
    "entangled": ("In all documents with banana or shed the answer goes by that word.", World(entangled=1.0)),
    "repeated": ("In half of the documents with banana or shed the word is said again.", World(repeated=0.5)),
    "latent": ("Judges follow alice and carol, the world does not.", World(carol=0.1, endings="either")),
    "facts": ("Facts in place of reviews: their truth is in the weights alone.", World(subject="facts")),
}
ONE_SEED = ("unseen",)


def document_recipe(world: World, seed: int) -> Recipe:
    """AdamW at a learning rate of 0.002 that falls to 0."""
    return Recipe(
        DocumentProblem(world), steps=2000, seed=seed, lr=2e-3, weight_decay=0.01, warmup=50, log_every=250, anneal=True
    )


def _entry(about: str, world: World, seed: int) -> Entry:
    limits = {"plain": 0.98, "alice": 0.99}
    if world.entangled:
        limits["entangled"] = 0.98
    if world.endings == "either":
        limits |= {"carol": 0.99, "outcome": 0.98}
    sentence = f"A test bed for reading knowledge out of activations. {about} Seed {seed}."
    return Entry(sentence, document_recipe(world, seed), measure_evaluation, at_least(**limits), half=True)


TESTBED_ENTRIES: dict[str, Entry] = {
    f"testbed-{name}-{seed}": _entry(about, world, seed)
    for name, (about, world) in WORLDS.items()
    for seed in (SEEDS[:1] if name in ONE_SEED else SEEDS)
}
