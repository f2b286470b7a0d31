"""Exercise: with which power of all weights' scale does the margin grow?"""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import nn

from course_utils import efficiency
from course_utils.checks.efficiency import scalings
from course_utils.checks.efficiency.measured import Terms, chain, sum_of
from course_utils.checks.framework import Mistake, call, check, expect, expect_close, expect_finite

MISTAKES = [
    Mistake(
        "weights not put back",
        scalings.not_put_back,
        "Your exponent may be right, but the parameters are left as you last scaled them. Keep copies (`.detach().clone()`) "
        "and copy them back in the end.",
    ),
    Mistake(
        "scaled on top of what was scaled",
        scalings.scaled_in_turn(lambda h: [1 - h, 1 + h], slice(0, 2)),
        "The second scale is applied to parameters that are scaled already (and they are not put back). If you keep the "
        "parameters themselves, detached views, or a `state_dict()`, they change together: keep copies, `.detach().clone()`.",
    ),
    Mistake(
        "divided back",
        scalings.scaled_in_turn(lambda h: [1 - h, (1 + h) / (1 - h), 1 / (1 + h)], slice(0, 2)),
        "You undo the scaling by a division, and rounding changes the parameters a little each time. Keep copies and copy "
        "them back.",
    ),
    Mistake(
        "in place on parameters that want gradients",
        scalings.in_place_on_leaves,
        "PyTorch does not let you write on parameters while it records for gradients. Scale them inside "
        "`with torch.no_grad():`.",
    ),
    Mistake(
        "nothing scaled",
        lambda model, margin, step=0.01: 0.0,
        "Your exponent is 0: both margins that you measure are the same. margin() measures `model` itself, so its own "
        "parameters have to be scaled (not a copy's), and margin() has to be called anew for each scale.",
    ),
    Mistake(
        "logarithm of s left out",
        scalings.variant(lambda a, b, h: math.log(b / a)),
        "You return the difference of the margin's logarithms. Divide it by the difference of the logarithms of s.",
    ),
    Mistake(
        "plain derivative",
        scalings.variant(lambda a, b, h: (b - a) / (2 * h)),
        "You return the slope of the margin itself over s. Wanted is the slope of its *logarithm* over the logarithm of s, "
        "which does not depend on how large the margin is.",
    ),
    Mistake(
        "difference of the margins",
        scalings.variant(lambda a, b, h: b - a),
        "You return the difference of the two margins. Wanted is the slope of their logarithms over the logarithm of s.",
    ),
    Mistake(
        "one step in place of two",
        scalings.variant(lambda a, b, h: math.log(b / a) / h),
        "Your exponent is twice too large: from 1 − step to 1 + step it is two steps.",
    ),
    Mistake(
        "from 1 upwards",
        scalings.variant(lambda a, b, h: math.log(b / a) / math.log1p(h), 0.0),
        "You measure from s = 1 upwards. The slope on one side is that in the middle of the step, not at 1: measure at "
        "1 − step and 1 + step.",
    ),
    Mistake(
        "from 1 downwards",
        scalings.variant(lambda a, b, h: math.log(b / a) / -math.log1p(-h), -1.0, 0.0),
        "You measure from s = 1 downwards. The slope on one side is that in the middle of the step, not at 1: measure at "
        "1 − step and 1 + step.",
    ),
    Mistake(
        "relative growth on one side",
        scalings.variant(lambda a, b, h: (b / a - 1) / h, 0.0),
        "You measure by how much the margin grows from s = 1 upwards, in proportion. That is off by an error of the order of "
        "the step; from 1 − step to 1 + step it is much smaller.",
    ),
    Mistake(
        "sign",
        scalings.variant(lambda a, b, h: -scalings.exponent(a, b, h)),
        "Your exponent has the wrong sign: a margin that grows with the weights has a positive one.",
    ),
    Mistake(
        "upside down",
        scalings.variant(lambda a, b, h: 1 / scalings.exponent(a, b, h)),
        "Your exponent is upside down: it is the change in ln(margin) divided by the change in ln(s).",
    ),
    Mistake(
        "rounded",
        scalings.variant(lambda a, b, h: float(round(scalings.exponent(a, b, h)))),
        "You round to a whole number. The exponent is one for a plain chain of matrices only.",
    ),
    Mistake(
        "two logarithms",
        scalings.variant(lambda a, b, h: math.log10(b / a) / math.log((1 + h) / (1 - h))),
        "You mix decimal and natural logarithms. Any base will do, but the same for margin and s.",
    ),
    Mistake(
        "first parameter only",
        scalings.some_only(lambda weights: weights[:1]),
        "You scale the first parameter only. s multiplies all of the model's parameters.",
    ),
    Mistake(
        "last parameter only",
        scalings.some_only(lambda weights: weights[-1:]),
        "You scale the last parameter only. s multiplies all of the model's parameters.",
    ),
    Mistake(
        "matrices only",
        scalings.some_only(lambda weights: [w for w in weights if w.ndim > 1]),
        "You scale the matrices only. s multiplies all of the model's parameters, vectors too.",
    ),
    Mistake(
        "buffers too",
        scalings.buffers_too,
        "You scale everything in the model's state. It may hold buffers, which are no parameters: see `model.parameters()`.",
    ),
    Mistake(
        "state not copied, buffers too",
        scalings.whole_state_not_copied,
        "`state_dict()` holds the model's own tensors, which change with it: the second scale is applied to what is scaled "
        "already. Clone them. And leave out what is no parameter: see `model.named_parameters()`.",
    ),
    Mistake(
        "step ignored",
        scalings.own_step,
        "You take a step of 0.01 whatever `step` is.",
    ),
    Mistake(
        "step added",
        scalings.shifted,
        "You add the step to the parameters. They are to be multiplied by 1 + step.",
    ),
]


class _Before:
    """A model's parameters as they are now, to compare with later."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.state = model, copy.deepcopy(model.state_dict())
        self.objects = [(name, id(weight), weight.requires_grad) for name, weight in model.named_parameters()]

    def expect_unchanged(self, whose: str) -> None:
        after = self.model.state_dict()
        moved = [n for n, value in self.state.items() if n not in after or not torch.equal(after[n], value)]
        expect(
            not moved,
            what=f"the parameters of {whose} are not as they were before",
            why=f"Changed: {', '.join(moved)}. They have to come back exactly, to the last digit: copy them before, and copy "
            "them back.",
        )
        expect(
            self.objects == [(n, id(weight), weight.requires_grad) for n, weight in self.model.named_parameters()],
            what=f"the parameters of {whose} have their old values, but are other objects, or want gradients no longer",
            why="An optimizer that held them has lost them. Write into the parameters that are there, with `copy_`.",
        )


@check(
    reference=efficiency.scaling_exponent,
    alternatives=[scalings.by_vector, scalings.by_state, scalings.by_line, scalings.by_single_logarithms],
    mistakes=MISTAKES,
    cases=lambda: [sum_of(Terms(0.7, 1.2, 0.5), 4, 61), (*sum_of(Terms(-0.5, 2.0, 0.6), 2, 71), 0.003)],
)
def test_scaling_exponent(answer: Any) -> None:
    """Measure with which power of the scale of all parameters a margin grows."""
    for sizes, dtype in (((3, 5, 4), torch.float64), ((4, 6, 5, 7), torch.float32), ((6, 2), torch.float64)):
        model, margin = chain(*sizes, seed=len(sizes), dtype=dtype)
        before = _Before(model)
        whose = f"a network of {len(sizes) - 1} matrices ({str(dtype).removeprefix('torch.')})"
        found = call(answer, model, margin, returns=float, may_mutate=True)
        expect_finite(found, what=f"the exponent of {whose}")
        expect_close(
            found,
            float(len(sizes) - 1),
            rtol=0,
            atol=6e-3,
            what=f"the exponent of {whose}",
            why="Each matrix multiplies the margin by s, and ReLUs let a positive factor through.",
        )
        before.expect_unchanged(whose)
    for terms, step in (
        (Terms(1.0, 0.5, 0.8), 0.01),
        (Terms(0.5, 3.0, 0.4), 0.001),
        (Terms(-0.6, 1.5, 0.5), 0.02),
        (Terms(-1.5, 1.0, 1.0), 0.0005),
    ):
        size = round(2 * terms.first) + 1
        model, margin = sum_of(terms, size, seed=size)
        before = _Before(model)
        whose = "a model whose margin is {:g} + {:g} s + {:g} s⁵".format(*terms)
        rest = () if step == 0.01 else (step,)
        found = call(answer, model, margin, *rest, returns=float, may_mutate=True)
        expect_finite(found, what=f"the exponent of {whose}")
        expect_close(
            found,
            terms.exponent(),
            rtol=0,
            atol=terms.slack(step),
            what=f"the exponent of {whose}, with a step of {step:g}",
            why="Worked out from the formula. What is off by about step², or by rounding in single precision, is accepted.",
        )
        before.expect_unchanged(whose)
