"""Which network is asked which questions, and what can be taken for the truth there? The beds of :mod:`course_utils.elk`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_utils import contrast, zoo
from course_utils.contrast import Pairs
from course_utils.errors import CourseError
from course_utils.models import Transformer
from course_utils.models.hooks import stream_name
from course_utils.tasks import testbed
from course_utils.tasks.testbed import VERDICTS, Questions, World

TRAIN_SEED, TEST_SEED = 7_000_001, 7_000_002  # of questions; no network was trained on documents drawn with either


@dataclass(frozen=True)
class BedSpec:
    """Which network is asked which questions.

    Attributes:
        about: one sentence.
        world: the network is ``testbed-WORLD-SEED`` of the zoo.
        train, test: the word (``"filler"`` or ``"odd"``) and the speaker in the questions.
        ending: ``"judge:"`` if activations are read at that word behind the full stop; None: at the full stop.
        nuisance: what could be taken for the truth: ``"banana"`` (is that the word?), ``"opinion"`` (the speaker's), or None.
        trained: False for the same network before its training.
    """

    about: str
    world: str
    train: tuple[str, str] = ("filler", "nobody")
    test: tuple[str, str] = ("filler", "nobody")
    ending: str | None = None
    nuisance: str | None = None
    trained: bool = True

    @property
    def lied_to(self) -> bool:
        """Are methods shown no opinions, and tested on questions with one?"""
        return self.train[1] == "nobody" and self.test[1] != "nobody"


_ODD, _ALICE, _BOB = ("odd", "nobody"), ("filler", "alice"), ("filler", "bob")
BEDS: dict[str, BedSpec] = {
    "plain": BedSpec("Reviews with nothing beside the truth.", "apart"),
    "odd-apart": BedSpec("Banana or shed in each review, which means nothing.", "apart", _ODD, _ODD, nuisance="banana"),
    "odd-half": BedSpec("Banana or shed decides half of the answers.", "half", _ODD, _ODD, nuisance="banana"),
    "odd-entangled": BedSpec("Banana or shed decides all answers.", "entangled", _ODD, _ODD, nuisance="banana"),
    "odd-repeated": BedSpec("Banana or shed is said again half of the time.", "repeated", _ODD, _ODD, nuisance="banana"),
    "alice": BedSpec("Alice's opinion decides what the network says.", "apart", _ALICE, _ALICE, nuisance="opinion"),
    "bob": BedSpec("Bob's opinion decides nothing.", "apart", _BOB, _BOB, nuisance="opinion"),
    "latent-stop": BedSpec(
        "Learnt with nobody about, tested on alice, whom the judge follows and the world does not; at the full stop.",
        "latent", test=_ALICE, nuisance="opinion",
    ),
    "latent-judge": BedSpec(
        "The same at the word behind it, where the network is about to say what it says.",
        "latent", test=_ALICE, ending="judge:", nuisance="opinion",
    ),
    "latent-alice": BedSpec(
        "The same place, learnt and tested on alice.", "latent", _ALICE, _ALICE, ending="judge:", nuisance="opinion"
    ),
    "facts": BedSpec("Facts that stand in no document; those tested are others than those learnt from.", "facts"),
    "untrained": BedSpec("Reviews, read by a network before its training.", "apart", trained=False),
}  # fmt: skip
"""Every bed, by name."""


class Evidence(NamedTuple):
    """All that is shown of questions: raw activations, and how much the network itself leans to yes."""

    pairs: Pairs
    said: Float[Tensor, "n"]


@dataclass(frozen=True)
class Split:
    """Questions with all that is known of them.

    Attributes:
        pairs: the residual stream after the layer, on both sides.
        said: how much the network leans to yes; in the latent world, what it says behind ``judge:``, wherever pairs are read.
        truth: the answers.
        nuisance: what could be taken for them; None where there is nothing.
        questions: the questions themselves.
    """

    pairs: Pairs
    said: Float[Tensor, "n"]
    truth: Bool[Tensor, "n"]
    nuisance: Bool[Tensor, "n"] | None
    questions: Questions

    def evidence(self) -> Evidence:
        """What a method may see, copied, so that it can change nothing here."""
        return Evidence(Pairs(*(side.clone() for side in self.pairs)), self.said.clone())


@dataclass(frozen=True)
class Bed:
    """A network's activations on questions to learn from and on questions to be tested on."""

    spec: BedSpec
    train: Split
    test: Split


def load(bed: str, model_seed: int = 0, layer: int = 1, n: int = 1000, model: Transformer | None = None) -> Bed:
    """The activations of one bed.

    Args:
        bed: one of ``BEDS``.
        model_seed: which of the three networks trained alike.
        layer: the residual stream after which layer, counted from 0.
        n: the number of questions to learn from, and of those to be tested on.
        model: another network of this world in place of the zoo's.

    Raises:
        CourseError: no such bed, network or layer.
    """
    if bed not in BEDS:
        raise CourseError(f"There is no bed {bed!r}. Beds are {', '.join(BEDS)}.")
    spec = BEDS[bed]
    problem = zoo.entry(f"testbed-{spec.world}-{model_seed}").recipe.problem
    if model is None:
        trained = zoo.load if spec.trained else _untrained
        model = trained(f"testbed-{spec.world}-{model_seed}")
    if not 0 <= layer < model.cfg.n_layers:
        raise CourseError(f"Layers are 0 to {model.cfg.n_layers - 1}; there is no layer {layer}.")
    train, test = (
        _split(model, problem.world, spec, kind, part, layer, n) for part, kind in enumerate((spec.train, spec.test))
    )
    return Bed(spec, train, test)


def _untrained(name: str) -> Transformer:
    recipe = zoo.entry(name).recipe
    return recipe.problem.make_model(recipe.seed).requires_grad_(False)


def _split(
    model: Transformer, world: World, spec: BedSpec, kind: tuple[str, str], part: int, layer: int, n: int
) -> Split:
    seed = (TRAIN_SEED, TEST_SEED)[part]
    if world.subject == "facts":  # there are few: half of them to learn from and the other half to be tested on
        many = testbed.draw(world, 4 * n + 100, seed, *kind)
        rows = (many.tokens[:, 1:3].sum(1) % 2 == part).nonzero()[:n, 0]
        questions = Questions(*(column[rows] for column in many))
    else:
        questions = testbed.draw(world, n, seed, *kind)
    pairs, said = _read(model, world, questions, spec.ending, layer)
    nuisance = {None: None, "banana": questions.word == 1, "opinion": questions.opinion}[spec.nuisance]
    return Split(pairs, said, questions.truth, nuisance, questions)


def _read(
    model: Transformer, world: World, questions: Questions, ending: str | None, layer: int
) -> tuple[Pairs, Float[Tensor, "n"]]:
    """:func:`course_utils.contrast.pairs` and :func:`course_utils.contrast.leaning` in one pass over each side."""
    asked = "judge:" if world.endings == "either" else None
    if ending not in (None, asked):
        raise CourseError(f"In this world no network was trained to read on behind the full stop at {ending!r}.")
    place = -1 if ending == asked else -2
    wrong, right = world.tokens(VERDICTS)
    name, sides, leanings = stream_name(layer), [], []
    for statements in contrast.statements(world, questions, asked):
        with torch.no_grad():
            parts = [
                model.run_with_cache(rows, names=[name]) for rows in statements.split(128)
            ]  # small enough to be fast
        sides.append(torch.cat([cache[name][:, place] for _, cache in parts]))
        leanings.append(torch.cat([logits[:, -1, right] - logits[:, -1, wrong] for logits, _ in parts]))
    return Pairs(sides[0], sides[1]), leanings[0] - leanings[1]
