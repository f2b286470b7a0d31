"""What is in a value, and are two values the same?  Copying, describing and comparing whatever an answer returns."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import inspect
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

RTOL = 1e-4
_COARSE = {torch.float16: 1e-2, torch.bfloat16: 3e-2}


def protected(value: Any, copies: dict[int, Any] | None = None) -> Any:
    """A copy that a learner's code may write on: tensors keep dtype, strides and `requires_grad`; generators of random
    numbers keep their state; anything unknown (a callable, an open file) is passed as it is.

    A module and a dataclass that holds it, copied together, stay together: the copy holds the module's copy. `copies` are
    those made so far, as `copy.deepcopy` keeps them.
    """
    copies = {} if copies is None else copies
    if isinstance(value, nn.Module) or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
        try:
            return copy.deepcopy(value, copies)
        except Exception:  # a hook or an attribute that cannot be copied: better the original than no check
            return value
    if isinstance(value, Tensor):
        return _copied(value)
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, torch.Generator):
        twin = torch.Generator(device=value.device)
        twin.set_state(value.get_state())
        return twin
    return _rebuilt(value, functools.partial(protected, copies=copies))


def loosened(value: Any) -> Any:
    """A returned value for keeping and comparing: tensors detached and copied, NumPy turned into torch and Python."""
    if isinstance(value, Tensor):
        return (value if value.layout is torch.strided else value.to_dense()).detach().clone()
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiubc":
        return torch.from_numpy(np.array(value, copy=True, order="C"))
    if isinstance(value, np.generic):
        return value.item()
    return _rebuilt(value, loosened)


def doubled(value: Any) -> Any:
    """A returned value with NumPy turned into torch and single precision into double; everything else as it is."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiubc":
        value = torch.from_numpy(np.array(value, copy=True, order="C"))
    if isinstance(value, Tensor):
        return value.double() if value.dtype.is_floating_point else value
    return _rebuilt(value, doubled)


def unchanged(now: Any, before: Any) -> bool:
    """Is an input still bit by bit what it was before the call, a module without new hooks on it?"""
    if isinstance(before, nn.Module):
        new, old = now.state_dict(), before.state_dict()
        return (
            new.keys() == old.keys() and all(unchanged(new[k], old[k]) for k in old) and _hooks(now) == _hooks(before)
        )
    if isinstance(before, Tensor):
        if not isinstance(now, Tensor) or now.shape != before.shape or now.dtype != before.dtype:
            return False
        now, before = now.detach(), before.detach()
        return torch.equal(now, before) or bool(((now == before) | ((now != now) & (before != before))).all())
    if isinstance(before, np.ndarray):
        return now.shape == before.shape and np.array_equal(now, before, equal_nan=before.dtype.kind in "fc")
    if isinstance(before, (list, tuple)):
        return len(now) == len(before) and all(unchanged(a, b) for a, b in zip(now, before, strict=True))
    if type(before) is dict:
        return now.keys() == before.keys() and all(unchanged(now[k], before[k]) for k in before)
    return True


def tensor_of(value: Any) -> Tensor | None:
    """The value as a detached tensor: a tensor, a NumPy array, a number, nested lists of numbers. None for others."""
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, (bool, int, float, complex, np.generic, np.ndarray, list, tuple)):
        try:
            if isinstance(value, (list, tuple)) and any(isinstance(v, Tensor) for v in value):
                return torch.stack([torch.as_tensor(v).detach() for v in value])
            return torch.as_tensor(loosened(value) if isinstance(value, np.ndarray) else value)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            return None
    return None


def wide(tensor: Tensor) -> Tensor:
    """The tensor on the CPU in double precision, where differences are taken."""
    tensor = tensor.detach().cpu()
    return tensor.to(torch.complex128) if tensor.is_complex() else tensor.to(torch.float64)


def tolerances(got: Tensor, want: Tensor, rtol: float | None = None, atol: float | None = None) -> tuple[float, float]:
    """The relative and absolute difference that rounding explains.

    By default 1e-4 relative (1e-2 for float16, 3e-2 for bfloat16), and a tenth of that of the largest wanted value
    absolute, because sums of large terms cancel to small ones with an error of the large terms' size.
    """
    if rtol is None:
        rtol = max(_COARSE.get(got.dtype, RTOL), _COARSE.get(want.dtype, RTOL))
    if atol is None:
        finite = wide(want)
        finite = finite[torch.isfinite(finite)].abs()
        largest = float(finite.max()) if finite.numel() else 0.0
        atol = 0.1 * rtol * (largest if largest > 1e-12 else 1.0)
    return rtol, atol


def close(got: Tensor, want: Tensor, rtol: float | None = None, atol: float | None = None) -> Tensor:
    """Which elements agree?  Both tensors have one shape; NaN agrees with NaN, an infinity with itself."""
    rtol, atol = tolerances(got, want, rtol, atol)
    common = torch.complex128 if got.is_complex() or want.is_complex() else torch.float64
    return torch.isclose(wide(got).to(common), wide(want).to(common), rtol, atol, equal_nan=True)


def agree(one: Any, other: Any) -> bool:
    """Are two returned values the same up to rounding, in structure, shapes and numbers (not in dtype or layout)?"""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(agree(one[k], other[k]) for k in one)
    if _is_number(one) and _is_number(other):
        a, b = tensor_of(one), tensor_of(other)
        return a is not None and b is not None and a.shape == b.shape and bool(close(a, b).all())
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(agree(a, b) for a, b in zip(one, other, strict=True))
    if inspect.isgenerator(one) or inspect.isgenerator(other):
        return inspect.isgenerator(one) and inspect.isgenerator(other)
    if type(one) is not type(other):
        return False
    try:
        return one is other or bool(one == other)
    except Exception:  # a class of the learner's own may compare in any way
        return False


def describe(value: Any) -> str:
    """One line that says what a value is: type, shape, dtype, a few values."""
    if isinstance(value, Tensor):
        if value.ndim == 0:
            return f"{_number(value.item())} ({_dtype(value)})"
        return f"shape {tuple(value.shape)}, {_dtype(value)}: {excerpt(value)}"
    if isinstance(value, np.ndarray):
        return f"NumPy array of shape {value.shape}, {value.dtype}"
    if isinstance(value, nn.Module):
        return f"a module of class {type(value).__name__}"
    if isinstance(value, (bool, int, float, complex, type(None))):
        return _number(value)
    if isinstance(value, (tuple, list)):
        inside = ", ".join(describe(v) for v in value[:3]) + (", …" if len(value) > 3 else "")
        return _shortened(f"a {type(value).__name__} of {len(value)}: ({inside})", 240)
    if isinstance(value, Mapping):
        return _shortened(f"a dict with the keys {sorted(map(str, value))}", 160)
    try:
        text = repr(value)
    except Exception:  # a learner's own __repr__ may fail
        text = "(cannot be shown)"
    return _shortened(f"{type(value).__name__} {text}", 120)


def excerpt(tensor: Tensor, rows: int = 3, columns: int = 5) -> str:
    """The first few values of a tensor, to four digits."""
    if tensor.ndim == 0:
        return _number(tensor.item())
    most = columns if tensor.ndim == 1 else rows
    inside = [excerpt(part, 2, columns) for part in tensor[:most]]
    return "[" + ", ".join(inside) + (", …" if tensor.shape[0] > most else "") + "]"


def _copied(tensor: Tensor) -> Tensor:
    plain = tensor.detach()
    twin = plain.clone()
    if twin.stride() != plain.stride():  # a view with gaps: clone() closes them, and a check may want them
        with contextlib.suppress(RuntimeError):  # elements that share memory, as after expand(), need room of their own
            twin = torch.empty_strided(plain.shape, plain.stride(), dtype=plain.dtype, device=plain.device).copy_(plain)
    return twin.requires_grad_(tensor.requires_grad)


def _rebuilt(value: Any, change: Any) -> Any:
    if type(value) in (list, tuple, set):
        return type(value)(change(v) for v in value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(change(v) for v in value))
    if type(value) is dict:
        return {k: change(v) for k, v in value.items()}
    return value


def _hooks(module: nn.Module) -> list[tuple[int, int, int]]:
    """How many hooks hang on each part of a module: PyTorch's own, and those of the course's hook points."""
    return [
        (len(part._forward_pre_hooks), len(part._forward_hooks), len(getattr(part, "functions", ())))
        for part in module.modules()
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, (Tensor, bool, int, float, complex, np.ndarray, np.generic))


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else {True: "NaN"}.get(math.isnan(value), f"{value}")
    return f"{value:.4g}" if isinstance(value, complex) else str(value)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
