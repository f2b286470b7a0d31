"""Is what came back of the kind that was asked for?  Conversion where it makes sense, a sentence where it does not."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.checks.outcome import Finding, Mismatch
from course_utils.checks.values import describe


def conformed(result: Any, returns: Any, who: str, verb: str = "returned") -> Any:
    """`result` in the form the check wants. Raises Mismatch with what to do about it."""
    if isinstance(returns, tuple):
        if isinstance(result, Tensor) and result.ndim == 1 and set(returns) <= {int, float}:
            result = result.tolist()  # several numbers, as an array
        if isinstance(result, Tensor) and result.ndim and set(returns) == {Tensor}:
            result = list(result)  # several tensors, stacked: they unpack alike
        if not isinstance(result, (tuple, list)) or len(result) != len(returns):
            names = ", ".join("abcdef"[: len(returns)])
            came = f"{len(result)} values" if isinstance(result, (tuple, list)) else kind_of(result)
            _reject(who, verb, came, f"{len(returns)} values, as in `return {names}`,", result)
        return tuple(
            conformed(part, kind, f"part {i + 1} of what {who} returned", "is")
            for i, (part, kind) in enumerate(zip(result, returns, strict=True))
        )
    if returns is object:
        return result
    if result is None:
        if verb == "is":
            _reject(who, verb, "None", wanted_kind(returns), result)
        raise Mismatch(Finding(f"{who} returned None: is there a `return` at its end?", expected=wanted_kind(returns)))
    accepted, converted = _converted(result, returns)
    if not accepted:
        _reject(who, verb, kind_of(result), wanted_kind(returns), result)
    return converted


def _converted(result: Any, returns: Any) -> tuple[bool, Any]:
    """Whether `result` can stand for a value of the kind `returns`, and that value."""
    if returns is Tensor:
        if isinstance(result, Tensor):
            return result.device.type != "meta", result
        number = isinstance(result, (bool, int, float, complex))
        return number, torch.as_tensor(result) if number else None
    scalar = result.item() if isinstance(result, Tensor) and result.numel() == 1 else result
    if returns is bool:
        return isinstance(scalar, bool), scalar
    if returns is int:
        whole = isinstance(scalar, (bool, int)) or (isinstance(scalar, float) and scalar.is_integer())
        return whole, int(scalar) if whole else None
    if returns is float:
        number = isinstance(scalar, (bool, int, float))
        return number, float(scalar) if number else None
    if returns in (list, tuple):
        if isinstance(result, Tensor) and result.ndim == 1:
            return True, returns(result.tolist())
        fits = isinstance(result, (list, tuple))
        return fits, returns(result) if fits else None
    if returns is dict:
        return isinstance(result, Mapping), result
    return isinstance(result, returns), result


def _reject(who: str, verb: str, came: str, wanted: str, result: Any) -> None:
    hint = ""
    if inspect.isgenerator(result):
        hint = "A function with `yield` gives its values one by one. Collect them and `return` the whole."
    elif inspect.iscoroutine(result):
        result.close()
        hint = "Remove `async`: the check calls an ordinary function."
    elif isinstance(result, (list, tuple)) and "tensor" in wanted:
        hint = "Make one tensor of it: `torch.stack(…)` for a list of tensors, `torch.tensor(…)` for a list of numbers."
        if isinstance(result, tuple):
            hint = "Return the one tensor that is asked for."
    elif callable(result):
        hint = "Did you leave out the parentheses of a call?"
    what = f"{who} {verb} {came} where {wanted} {'are' if 'values' in wanted else 'is'} wanted"
    raise Mismatch(Finding(what, hint, expected=wanted, got=describe(result)))


def wanted_kind(returns: Any) -> str:
    names = {Tensor: "a tensor", int: "a whole number", float: "a number", bool: "True or False", str: "a text"}
    return names.get(returns) or f"a {getattr(returns, '__name__', returns)}"


def kind_of(result: Any) -> str:
    if inspect.isgenerator(result):
        return "a generator"
    if inspect.iscoroutine(result):
        return "a coroutine"
    if isinstance(result, Tensor) and result.device.type == "meta":
        return "a tensor without values (on the device `meta`)"
    if isinstance(result, Tensor):
        return f"a tensor of shape {tuple(result.shape)}"
    if result is None:
        return "None"
    if callable(result):
        return "a function" if not inspect.isclass(result) else "a class"
    names = {str: "a text (str)", list: "a list", tuple: "a tuple", dict: "a dict", bool: "True or False (bool)"}
    plain = {int: "a whole number (int)", float: "a number (float)", set: "a set", np.ndarray: "a NumPy array"}
    return (names | plain).get(type(result)) or f"an object of class {type(result).__name__}"
