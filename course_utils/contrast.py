"""What a network of the test bed makes of a question that is stated both ways: its activations, and what it says."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_utils.ccs import Pairs
from course_utils.interventions import stream_name
from course_utils.models import Transformer
from course_utils.tasks import testbed
from course_utils.tasks.testbed import CHARGES, VERDICTS, Questions, World


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
