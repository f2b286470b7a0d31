"""Which property does the answer miss?  The `expect` functions that a check is made of.

Each takes `what=` (the thing examined, in the learner's words) and `why=` (the reason it has to hold), and raises
`Mismatch` with what was expected, what came and where they differ most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.checks.outcome import Finding, Mismatch
from course_utils.checks.pictures import picture_of
from course_utils.checks.returned import kind_of, wanted_kind
from course_utils.checks.values import agree, close, describe, excerpt, tensor_of, wide


def expect(condition: Any, *, what: str, why: str = "", expected: Any = None, got: Any = None) -> None:
    """The condition holds. `expected` and `got` are shown where given (texts as they are)."""
    holds = bool(condition.all()) if isinstance(condition, Tensor) else bool(condition)
    if not holds:
        raise Mismatch(Finding(what, why, _shown(expected), _shown(got)))


def expect_type(got: Any, kind: type | tuple[type, ...], *, what: str, why: str = "") -> None:
    """The value is of this type, or of one of these."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(got, kinds):
        wanted = " or ".join(wanted_kind(k) for k in kinds)
        raise Mismatch(Finding(f"{what} is {kind_of(got)} where {wanted} is wanted", why, wanted, describe(got)))


def expect_dtype(got: Tensor, dtype: torch.dtype | str, *, what: str, why: str = "") -> None:
    """The tensor holds this kind: "float", "int", "bool" or "complex" (any precision); or exactly a dtype."""
    if isinstance(dtype, str):
        kinds = {
            "float": got.is_floating_point(),
            "complex": got.is_complex(),
            "bool": got.dtype == torch.bool,
            "int": not (got.is_floating_point() or got.is_complex() or got.dtype == torch.bool),
        }
        fits, wanted = kinds[dtype], f"a tensor of {dtype}s" if dtype != "bool" else "a tensor of True and False"
    else:
        fits, wanted = got.dtype == dtype, f"dtype {str(dtype).removeprefix('torch.')}"
    if not fits:
        raise Mismatch(Finding(f"{what}: wrong dtype", why, wanted, describe(got)))


def expect_shape(got: Any, shape: Sequence[int | None], *, what: str, why: str = "") -> None:
    """The tensor has this shape; None stands for any length."""
    wanted = tuple(shape)
    tensor = _as_tensor(got, what)
    have = tuple(tensor.shape)
    if len(have) == len(wanted) and all(w is None or w == h for h, w in zip(have, wanted, strict=True)):
        return
    hint = why
    if len(have) == len(wanted) and have != wanted and sorted(have) == sorted(w or 0 for w in wanted):
        hint = _sentences(why, "The axes are in another order.")
    elif len(have) != len(wanted):
        axes = f"{len(have)} axes where {len(wanted)} are wanted" if len(have) != 1 else "1 axis"
        hint = _sentences(why, f"It has {axes}.") if axes != "1 axis" else why
    expected = "shape (" + ", ".join("any" if w is None else str(w) for w in wanted) + ("," * (len(wanted) == 1)) + ")"
    raise Mismatch(Finding(f"{what}: wrong shape", hint, expected, describe(tensor)))


def expect_finite(got: Any, *, what: str, why: str = "") -> None:
    """No element is NaN or infinite."""
    tensor = _as_tensor(got, what)
    bad = ~torch.isfinite(tensor)
    if bool(bad.any()):
        raise Mismatch(_not_finite(tensor, bad, what, why))


def expect_close(
    got: Any,
    want: Any,
    *,
    what: str,
    why: str = "",
    rtol: float | None = None,
    atol: float | None = None,
    picture: bool = True,
) -> None:
    """The numbers are those wanted, up to rounding, in the same shape: nothing is broadcast.

    By default 1e-4 relative, and 1e-5 of the largest wanted value absolute (or 1e-5 where all wanted are zero); wider
    for float16. Any dtypes compare. Where it helps, a failure carries a picture of both arrays.
    """
    mine, wanted = _as_tensor(got, what), _as_tensor(want, "the wanted value")
    if mine.shape != wanted.shape:
        _shape_differs(mine, wanted, what, why)
    agrees = close(mine, wanted, rtol, atol)
    if bool(agrees.all()):
        return
    bad = ~torch.isfinite(mine.cpu()) & torch.isfinite(wanted.cpu())
    if bool(bad.any()):
        raise Mismatch(_not_finite(mine, bad, what, why))
    difference = (wide(mine) - wide(wanted)).abs()
    difference = torch.where(agrees, torch.zeros_like(difference), difference)
    worst = int(torch.nan_to_num(difference, posinf=1e300).argmax())
    index = tuple(int(i) for i in np.unravel_index(worst, mine.shape))  # torch's own takes a second: it imports sympy
    where = f" at {list(index)}" if index else ""
    at = f" (got {excerpt(mine[index])}, expected {excerpt(wanted[index])})" if index else ""
    count = f"; {int((~agrees).sum()):,} of {agrees.numel():,} values differ" if agrees.numel() > 1 else ""
    relation = _relation(mine, wanted, rtol, atol)
    raise Mismatch(
        Finding(
            f"{what}: not what it should be",
            _sentences(why, relation),
            describe(wanted),
            describe(mine),
            f"largest difference {float(difference[index]):.3g}{where}{at}{count}",
            picture=picture_of(mine, wanted, what) if picture else None,
        )
    )


def expect_equal(got: Any, want: Any, *, what: str, why: str = "") -> None:
    """The values are exactly those wanted: for whole numbers, texts, lists, sets and dicts."""
    mine, wanted = tensor_of(got), tensor_of(want)
    if isinstance(want, Tensor) and mine is not None and wanted is not None:
        if mine.shape == wanted.shape and bool((wide(mine) == wide(wanted)).all()):
            return
        expect_close(got, want, what=what, why=why, rtol=0, atol=0)
        return
    exactly = isinstance(want, (int, str, set, frozenset)) and not isinstance(got, Tensor)
    same = got == want if exactly else agree(got, want)
    if not same:
        raise Mismatch(Finding(f"{what}: not what it should be", why, describe(want), describe(got)))


def noncontiguous(tensor: Tensor) -> Tensor:
    """The same values with gaps between them in memory: what a slice or a transpose hands on. For inputs of checks."""
    if tensor.ndim == 0:
        return tensor
    spread = tensor.new_zeros((*tensor.shape[:-1], 2 * tensor.shape[-1]))
    spread[..., ::2] = tensor
    return spread[..., ::2]


def _as_tensor(value: Any, what: str) -> Tensor:
    tensor = tensor_of(value)
    if tensor is None:
        raise Mismatch(Finding(f"{what} is {kind_of(value)} where numbers are wanted", got=describe(value)))
    return tensor


def _not_finite(tensor: Tensor, bad: Tensor, what: str, why: str) -> Finding:
    count, first = int(bad.sum()), bad.cpu().nonzero()[0].tolist()
    nan = bool(torch.isnan(tensor[tuple(first)]))
    name = "NaN (not a number)" if nan else "infinity"
    causes = "0 divided by 0, the logarithm or root of a negative number"
    if not nan:
        causes = "a division by 0, the logarithm of 0"
    amount = f"{count:,} of {tensor.numel():,} values" if tensor.ndim else "the value"
    where = f", the first at {first}" if first else ""
    return Finding(
        f"{what} contains {name}: {amount}{where}", _sentences(why, f"Usual causes: {causes}."), got=describe(tensor)
    )


def _shape_differs(mine: Tensor, wanted: Tensor, what: str, why: str) -> None:
    if mine.ndim == 2 and mine.mT.shape == wanted.shape and bool(close(mine.mT, wanted).all()):
        why = _sentences(why, "Yours is the transpose of what is wanted.")
    elif mine.numel() == wanted.numel() and bool(close(mine.reshape(wanted.shape), wanted).all()):
        why = _sentences(why, "The values are right, only the shape differs.")
    expect_shape(mine, tuple(wanted.shape), what=what, why=why)


def _relation(mine: Tensor, wanted: Tensor, rtol: float | None, atol: float | None) -> str:
    """A simple way in which the answer goes wrong everywhere, in a sentence; empty where none is seen."""
    a, b = wide(mine), wide(wanted)
    if a.is_complex() or b.is_complex() or a.numel() < 2 or not bool(torch.isfinite(a).all() & torch.isfinite(b).all()):
        return ""

    def same(candidate: Tensor) -> bool:
        return bool(close(candidate, b, rtol or 1e-3, atol).all())

    if not bool(a.any()):
        return "Yours is zero everywhere."
    if same(-a):
        return "Yours has the opposite sign everywhere."
    if a.ndim == 2 and a.shape[0] == a.shape[1] and same(a.mT):
        return "Yours is the transpose of what is wanted."
    factor = float((a * b).sum() / (b * b).sum()) if bool(b.any()) else 0.0
    if abs(factor) > 1e-9 and abs(factor - 1) > 1e-3 and same(a / factor):
        return f"Yours is {factor:.4g} times what is wanted, everywhere."
    if b.std() > 0 and same(a - (a - b).mean()):
        return f"Yours is too large by {float((a - b).mean()):.4g} everywhere."
    for axis in range(min(a.ndim, 3)):
        if a.shape[axis] > 1 and same(a.flip(axis)):
            return f"Yours is in reversed order along axis {axis}."
        if a.shape[axis] > 2 and any(same(a.roll(s, axis)) for s in (1, -1)):
            return f"Yours is shifted by one along axis {axis}."
    return ""


def _sentences(first: str, second: str) -> str:
    """Two sentences after each other; the first often comes without its full stop."""
    if first and second and first[-1] not in ".!?:":
        first += "."
    return f"{first} {second}".strip()


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else describe(value)
