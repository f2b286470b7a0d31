"""What a network of the test bed makes of a question that is stated both ways: its activations, and what it says."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_utils.errors import CourseError
from course_utils.models import Transformer
from course_utils.models.hooks import stream_name
from course_utils.tasks import testbed
from course_utils.tasks.testbed import CHARGES, VERDICTS, Questions, World

NORMALISATIONS = ("none", "mean", "scale")


class Pairs(NamedTuple):
    """Activations of n questions, stated to be so and stated not to be so."""

    positive: Float[Tensor, "n d_model"]
    negative: Float[Tensor, "n d_model"]

    @property
    def difference(self) -> Float[Tensor, "n d_model"]:
        """The positive side less the negative one."""
        return self.positive - self.negative

    def at(self, rows: Tensor | slice) -> Pairs:
        """Some of the questions."""
        return Pairs(self.positive[rows], self.negative[rows])


def normalise(x: Float[Tensor, "n d_model"], how: str = "scale") -> Float[Tensor, "n d_model"]:
    """One side of the pairs with its mean taken away, and divided by its standard deviation in each dimension.

    Args:
        x: activations, one question a row.
        how: ``"none"`` changes nothing, ``"mean"`` takes the mean away, ``"scale"`` does both.

    Raises:
        CourseError: another ``how``.
    """
    if how not in NORMALISATIONS:
        raise CourseError(f"Normalisation is one of {', '.join(NORMALISATIONS)}; it was {how!r}.")
    if how == "none":
        return x
    centred = x - x.mean(0)
    return centred if how == "mean" else centred / centred.std(0, correction=0).clamp_min(1e-6)


def normalised(pairs: Pairs, how: str = "scale") -> Pairs:
    """Each side normalised on its own, so that which side it is cannot be told from its mean.

    Arguments and errors are those of :func:`normalise`.
    """
    return Pairs(normalise(pairs.positive, how), normalise(pairs.negative, how))


def statements(
    world: World, questions: Questions, ending: str | None = None
) -> tuple[Int[Tensor, "n pos"], Int[Tensor, "n pos"]]:
    """The questions stated to be positive and to be negative, up to the full stop or to a word behind it (``judge:``)."""
    negative, positive = (world.token(charge) for charge in CHARGES)
    sides = testbed.contrast_pairs(questions.tokens, positive, negative, world.token("."))
    if ending is None:
        return sides
    last = torch.full((len(questions.truth), 1), world.token(ending))
    return torch.cat([sides[0], last], 1), torch.cat([sides[1], last], 1)


def pairs(
    model: Transformer, world: World, questions: Questions, ending: str | None = None, place: int = -1
) -> list[Pairs]:
    """The residual stream after each layer at one place of both statements (−1: the last).

    Args:
        model: a network of the test bed.
        world: the one whose documents it reads.
        questions: n questions.
        ending: a word behind the full stop, where the network reads on; None: the statement ends there.
        place: which place of the statement, counted as in a list.

    Returns:
        For each layer the activations of n questions, not normalised.
    """
    names = [stream_name(layer) for layer in range(model.cfg.n_layers)]
    with torch.no_grad():
        found = [model.run_with_cache(side, names=names)[1] for side in statements(world, questions, ending)]
    return [Pairs(found[0][name][:, place], found[1][name][:, place]) for name in names]


def leaning(model: Transformer, world: World, questions: Questions, ending: str | None = None) -> Float[Tensor, "n"]:
    """How much more the network says "right" (against "wrong") of the positive statement than of the negative one.

    The logit of "right" less that of "wrong" at the last place, for the positive statement less for the negative one:
    above 0 where the network leans to yes.
    """
    wrong, right = world.tokens(VERDICTS)
    with torch.no_grad():
        logits = [model(side)[:, -1] for side in statements(world, questions, ending)]
    positive, negative = (side[:, right] - side[:, wrong] for side in logits)
    return positive - negative


def zero_shot(model: Transformer, world: World, questions: Questions, ending: str | None = None) -> Bool[Tensor, "n"]:
    """What the network itself says: yes where it leans to yes."""
    return leaning(model, world, questions, ending) > 0
