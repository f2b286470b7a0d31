"""Ways to measure the exponent of a margin, right ones and wrong ones: what the check is tested with."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn


def two_scales(
    model: nn.Module,
    margin: Callable[[], float],
    slope: Callable[[float, float], Any],
    scales: tuple[float, float],
    put_back: bool = True,
) -> Any:
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


def by_vector(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> Any:
    """The parameters as one vector; the derivative of the margin over the margin, which is the same for a small step."""
    theta = nn.utils.parameters_to_vector(model.parameters()).detach().clone()
    sizes = [1.0, 1 + step, 1 - step]
    values = []
    for size in sizes:
        nn.utils.vector_to_parameters(theta * size, model.parameters())
        values.append(margin())
    nn.utils.vector_to_parameters(theta, model.parameters())
    return np.float64((values[1] - values[2]) / (2 * step * values[0]))


def by_state(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> float:
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


def by_line(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> Any:
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


def by_single_logarithms(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> Any:
    """Margins and scales as tensors, which are float32: their rounding is divided by the step."""

    def slope(low: float, high: float) -> torch.Tensor:
        margins, scales = torch.tensor([low, high]).log(), torch.tensor([1 - step, 1 + step]).log()
        return (margins[1] - margins[0]) / (scales[1] - scales[0])

    return two_scales(model, margin, slope, (1 - step, 1 + step))


def variant(slope: Callable[[float, float, float], float], low: float = -1.0, high: float = 1.0) -> Any:
    """A wrong answer made of the margins at 1 + low · step and 1 + high · step."""

    def wrong(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> float:
        return two_scales(model, margin, lambda a, b: slope(a, b, step), (1 + low * step, 1 + high * step))

    return wrong


def exponent(a: float, b: float, step: float) -> float:
    """The slope of the logarithms, from the margins at 1 − step and 1 + step."""
    return math.log(b / a) / math.log((1 + step) / (1 - step))


def not_put_back(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> float:
    return two_scales(model, margin, lambda a, b: exponent(a, b, step), (1 - step, 1 + step), put_back=False)


def scaled_in_turn(changes: Callable[[float], list[float]], read: slice) -> Any:
    """A wrong answer that multiplies the weights as they are, by one factor after another."""

    def wrong(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> float:
        values = []
        for factor in changes(step):
            with torch.no_grad():
                for weight in model.parameters():
                    weight.mul_(factor)
            values.append(margin())
        a, b = values[read]
        return exponent(a, b, step)

    return wrong


def some_only(choose: Callable[[list[Any]], list[Any]]) -> Any:
    def wrong(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> float:
        weights, values = choose(list(model.parameters())), []
        kept = [weight.detach().clone() for weight in weights]
        for scale in (1 - step, 1 + step):
            for weight, old in zip(weights, kept, strict=True):
                weight.data = old * scale
            values.append(margin())
        for weight, old in zip(weights, kept, strict=True):
            weight.data = old
        return exponent(values[0], values[1], step)

    return wrong


def buffers_too(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> float:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    values = []
    for scale in (1 - step, 1 + step):
        model.load_state_dict({name: value * scale for name, value in before.items()})
        values.append(margin())
    model.load_state_dict(before)
    return exponent(values[0], values[1], step)


def whole_state_not_copied(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> float:
    state, values = model.state_dict(), []
    for scale in (1 - step, 1 + step):
        model.load_state_dict({name: value * scale for name, value in state.items()})
        values.append(margin())
    return exponent(values[0], values[1], step)


def own_step(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> float:
    return two_scales(model, margin, lambda a, b: exponent(a, b, 0.01), (0.99, 1.01))


def in_place_on_leaves(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> float:
    for weight in model.parameters():
        weight.mul_(1 - step)
    return margin()


def shifted(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> float:
    kept = [weight.detach().clone() for weight in model.parameters()]
    values = []
    for change in (-step, step):
        for weight, old in zip(model.parameters(), kept, strict=True):
            weight.data = old + change
        values.append(margin())
    for weight, old in zip(model.parameters(), kept, strict=True):
        weight.data = old
    return exponent(values[0], values[1], step)
