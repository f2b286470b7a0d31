"""Exercise: with which power of all weights' scale does the margin grow?"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils import efficiency
from course_utils.checks.efficiency.measured import Terms, chain, sum_of
from course_utils.checks.framework import Mistake, call, check, expect, expect_close, expect_finite


def _two_scales(
    model: nn.Module,
    margin: Callable[[], float],
    slope: Callable[[float, float], float],
    scales: tuple[float, float],
    put_back: bool = True,
) -> float:
    """What a function makes of the margins at two scales."""
    kept = copy.deepcopy(model.state_dict())
    values = []
    for scale in scales:
        with torch.no_grad():
            for name, weight in model.named_parameters():
                weight.copy_(kept[name] * scale)
        values.append(margin())
    if put_back:
        model.load_state_dict(kept)
    return slope(*values)


def _by_vector(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> Any:
    """The parameters as one vector; the derivative of the margin over the margin, which is the same for a small step."""
    theta = nn.utils.parameters_to_vector(model.parameters()).detach().clone()
    sizes = [1.0, 1 + step, 1 - step]
    values = []
    for size in sizes:
        nn.utils.vector_to_parameters(theta * size, model.parameters())
        values.append(margin())
    nn.utils.vector_to_parameters(theta, model.parameters())
    return np.float64((values[1] - values[2]) / (2 * step * values[0]))


def _by_state(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> float:
    """Scales that are equally far from 1 in their logarithm; loaded, and the old state loaded in the end."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    names = {name for name, _ in model.named_parameters()}
    points = []
    for log_scale in (-step, step):
        model.load_state_dict(
            {name: value * math.exp(log_scale) if name in names else value for name, value in before.items()}
        )
        points.append(math.log(margin()))
    model.load_state_dict(before)
    return (points[1] - points[0]) / (2 * step)


def _by_line(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> Any:
    """A line through the logarithms at four scales."""
    kept = [p.detach().clone() for p in model.parameters()]
    scales, values = (1 - step, 1 - step / 2, 1 + step / 2, 1 + step), []
    for scale in scales:
        for p, old in zip(model.parameters(), kept, strict=True):
            p.data = old * scale
        values.append(margin())
    for p, old in zip(model.parameters(), kept, strict=True):
        p.data = old
    return torch.tensor(np.polyfit(np.log(scales), np.log(values), 1)[0])


def _variant(slope: Callable[[float, float, float], float], low: float = -1.0, high: float = 1.0) -> Any:
    """A wrong answer made of the margins at 1 + low · step and 1 + high · step."""

    def wrong(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> float:
        return _two_scales(model, margin, lambda a, b: slope(a, b, step), (1 + low * step, 1 + high * step))

    return wrong


def _k(a: float, b: float, step: float) -> float:
    return math.log(b / a) / math.log((1 + step) / (1 - step))


def _not_put_back(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> float:
    return _two_scales(model, margin, lambda a, b: _k(a, b, step), (1 - step, 1 + step), put_back=False)


def _scaled_in_turn(changes: Callable[[float], list[float]], read: slice) -> Any:
    """A wrong answer that multiplies the weights as they are, by one factor after another."""

    def wrong(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> float:
        values = []
        for factor in changes(step):
            with torch.no_grad():
                for weight in model.parameters():
                    weight.mul_(factor)
            values.append(margin())
        a, b = values[read]
        return _k(a, b, step)

    return wrong


def _some_only(choose: Callable[[list[Any]], list[Any]]) -> Any:
    def wrong(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> float:
        weights, values = choose(list(model.parameters())), []
        kept = [weight.detach().clone() for weight in weights]
        for scale in (1 - step, 1 + step):
            for weight, old in zip(weights, kept, strict=True):
                weight.data = old * scale
            values.append(margin())
        for weight, old in zip(weights, kept, strict=True):
            weight.data = old
        return _k(values[0], values[1], step)

    return wrong


def _buffers_too(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> float:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    values = []
    for scale in (1 - step, 1 + step):
        model.load_state_dict({name: value * scale for name, value in before.items()})
        values.append(margin())
    model.load_state_dict(before)
    return _k(values[0], values[1], step)


def _in_place_on_leaves(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> float:
    for weight in model.parameters():
        weight.mul_(1 - step)
    return margin()


def _shifted(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> float:
    kept = [weight.detach().clone() for weight in model.parameters()]
    values = []
    for change in (-step, step):
        for weight, old in zip(model.parameters(), kept, strict=True):
            weight.data = old + change
        values.append(margin())
    for weight, old in zip(model.parameters(), kept, strict=True):
        weight.data = old
    return _k(values[0], values[1], step)


MISTAKES = [
    Mistake(
        "weights not put back",
        _not_put_back,
        "Your exponent may be right, but the parameters are left as you last scaled them. Keep copies (`.detach().clone()`) "
        "and copy them back in the end.",
    ),
    Mistake(
        "scaled on top of what was scaled",
        _scaled_in_turn(lambda h: [1 - h, 1 + h], slice(0, 2)),
        "The second scale is applied to parameters that are scaled already (and they are not put back). If you keep the "
        "parameters themselves, or detached views, they change together: keep copies, `.detach().clone()`.",
    ),
    Mistake(
        "divided back",
        _scaled_in_turn(lambda h: [1 - h, (1 + h) / (1 - h), 1 / (1 + h)], slice(0, 2)),
        "You undo the scaling by a division, and rounding changes the parameters a little each time. Keep copies and copy "
        "them back.",
    ),
    Mistake(
        "in place on parameters that want gradients",
        _in_place_on_leaves,
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
        _variant(lambda a, b, h: math.log(b / a)),
        "You return the difference of the margin's logarithms. Divide it by the difference of the logarithms of s.",
    ),
    Mistake(
        "plain derivative",
        _variant(lambda a, b, h: (b - a) / (2 * h)),
        "You return the slope of the margin itself over s. Wanted is the slope of its *logarithm* over the logarithm of s, "
        "which does not depend on how large the margin is.",
    ),
    Mistake(
        "difference of the margins",
        _variant(lambda a, b, h: b - a),
        "You return the difference of the two margins. Wanted is the slope of their logarithms over the logarithm of s.",
    ),
    Mistake(
        "one step in place of two",
        _variant(lambda a, b, h: math.log(b / a) / h),
        "Your exponent is twice too large: from 1 − step to 1 + step it is two steps.",
    ),
    Mistake(
        "from 1 upwards",
        _variant(lambda a, b, h: math.log(b / a) / math.log1p(h), 0.0),
        "You measure from s = 1 upwards. The slope on one side is that in the middle of the step, not at 1: measure at "
        "1 − step and 1 + step.",
    ),
    Mistake(
        "from 1 downwards",
        _variant(lambda a, b, h: math.log(b / a) / -math.log1p(-h), -1.0, 0.0),
        "You measure from s = 1 downwards. The slope on one side is that in the middle of the step, not at 1: measure at "
        "1 − step and 1 + step.",
    ),
    Mistake(
        "relative growth on one side",
        _variant(lambda a, b, h: (b / a - 1) / h, 0.0),
        "You measure by how much the margin grows from s = 1 upwards, in proportion. That is off by an error of the order of "
        "the step; from 1 − step to 1 + step it is much smaller.",
    ),
    Mistake(
        "sign",
        _variant(lambda a, b, h: -_k(a, b, h)),
        "Your exponent has the wrong sign: a margin that grows with the weights has a positive one.",
    ),
    Mistake(
        "upside down",
        _variant(lambda a, b, h: 1 / _k(a, b, h)),
        "Your exponent is upside down: it is the change in ln(margin) divided by the change in ln(s).",
    ),
    Mistake(
        "rounded",
        _variant(lambda a, b, h: float(round(_k(a, b, h)))),
        "You round to a whole number. The exponent is one for a plain chain of matrices only.",
    ),
    Mistake(
        "two logarithms",
        _variant(lambda a, b, h: math.log10(b / a) / math.log((1 + h) / (1 - h))),
        "You mix decimal and natural logarithms. Any base will do, but the same for margin and s.",
    ),
    Mistake(
        "first parameter only",
        _some_only(lambda weights: weights[:1]),
        "You scale the first parameter only. s multiplies all of the model's parameters.",
    ),
    Mistake(
        "last parameter only",
        _some_only(lambda weights: weights[-1:]),
        "You scale the last parameter only. s multiplies all of the model's parameters.",
    ),
    Mistake(
        "matrices only",
        _some_only(lambda weights: [w for w in weights if w.ndim > 1]),
        "You scale the matrices only. s multiplies all of the model's parameters, vectors too.",
    ),
    Mistake(
        "buffers too",
        _buffers_too,
        "You scale everything in the model's state. It may hold buffers, which are no parameters: see `model.parameters()`.",
    ),
    Mistake(
        "step added",
        _shifted,
        "You add the step to the parameters. They are to be multiplied by 1 + step.",
    ),
]


def _expect_same(model: nn.Module, before: dict[str, Tensor], whose: str) -> None:
    after = model.state_dict()
    moved = [name for name in before if name not in after or not torch.equal(after[name], before[name])]
    expect(
        not moved,
        what=f"the parameters of {whose} are not as they were before",
        why=f"Changed: {', '.join(moved)}. They have to come back exactly, to the last digit: copy them before, and copy them "
        "back.",
    )


@check(
    reference=efficiency.scaling_exponent,
    alternatives=[_by_vector, _by_state, _by_line],
    mistakes=MISTAKES,
    cases=lambda: [sum_of(Terms(0.7, 1.2, 0.5), 4, 61), (*sum_of(Terms(-0.5, 2.0, 0.6), 2, 71), 0.003)],
)
def test_scaling_exponent(answer: Any) -> None:
    """Measure with which power of the scale of all parameters a margin grows."""
    for sizes, dtype in (((3, 5, 4), torch.float64), ((4, 6, 5, 7), torch.float32), ((6, 2), torch.float64)):
        model, margin = chain(*sizes, seed=len(sizes), dtype=dtype)
        before = copy.deepcopy(model.state_dict())
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
        _expect_same(model, before, whose)
    for terms, step in (
        (Terms(1.0, 0.5, 0.8), 0.01),
        (Terms(0.5, 3.0, 0.4), 0.001),
        (Terms(-0.6, 1.5, 0.5), 0.02),
        (Terms(2.0, 1.0, 1.5), 0.0005),
    ):
        size = round(2 * terms.first) + 1
        model, margin = sum_of(terms, size, seed=size)
        before = copy.deepcopy(model.state_dict())
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
            why="Worked out from the formula. What is off by no more than about step² is accepted.",
        )
        _expect_same(model, before, whose)
