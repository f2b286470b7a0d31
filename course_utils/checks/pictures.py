"""What does the difference look like?  Small pictures of an answer beside what was wanted, without a plotting library.

A heatmap is a PNG written with ``zlib`` and put inline, a curve is inline SVG. Both carry alternative text.
"""

from __future__ import annotations

import base64
import html
import math
import struct
import zlib
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

# Blue, near-white and vermilion: told apart by every common form of colour blindness, readable on dark and light.
_LOW, _MIDDLE, _HIGH = (0, 90, 160), (245, 245, 245), (200, 70, 0)
_MISSING = (120, 120, 120)
_GOT, _WANTED = "#d55e00", "#0072b2"
_MOST_PIXELS = 160
_MOST_POINTS = 400


@dataclass(frozen=True)
class Picture:
    """An answer beside what was wanted: two real arrays of equal shape, one- or two-dimensional."""

    kind: Literal["heatmap", "curve"]
    got: Tensor
    wanted: Tensor
    title: str


def picture_of(got: Tensor, wanted: Tensor, title: str) -> Picture | None:
    """Which picture helps to see where `got` differs from `wanted`?  None where numbers say it as well."""
    if got.shape != wanted.shape or got.is_complex() or wanted.is_complex():
        return None
    got, wanted = got.detach().double().cpu(), wanted.detach().double().cpu()
    if got.ndim == 2 and min(got.shape) >= 3:
        return Picture("heatmap", got, wanted, title)
    if got.ndim == 1 and got.shape[0] >= 6:
        return Picture("curve", got, wanted, title)
    return None


def as_html(picture: Picture) -> str:
    """The picture as HTML that needs no file, no script and no network."""
    if picture.kind == "curve":
        return _curve(picture)
    reach = _reach(picture)
    figures = "".join(
        f'<figure style="margin:0"><figcaption style="font-size:.85em">{label}</figcaption>'
        f"{_heatmap(array, reach, alt)}</figure>"
        for label, array, alt in (
            ("Yours", picture.got, f"Heatmap of yours: {picture.title}"),
            ("Wanted", picture.wanted, f"Heatmap of what is wanted: {picture.title}"),
        )
    )
    scale = f"Blue is −{reach:.3g}, white 0, orange {reach:.3g}; grey is not a number."
    return (
        f'<div style="display:flex;flex-wrap:wrap;gap:1.2em;margin:.5em 0 .2em">{figures}</div>'
        f'<div style="font-size:.8em">{scale}</div>'
    )


def png(pixels: list[bytes], width: int) -> bytes:
    """Rows of RGB bytes as a PNG file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, len(pixels), 8, 2, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in pixels), 6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def _reach(picture: Picture) -> float:
    """The value shown in full colour: the wanted array's largest, so that an answer of another scale looks it."""
    for array in (picture.wanted, picture.got):
        finite = array[torch.isfinite(array)]
        if finite.numel() and finite.abs().max() > 0:
            return float(finite.abs().max())
    return 1.0


def _heatmap(array: Tensor, reach: float, alt: str) -> str:
    rows, columns = (torch.linspace(0, n - 1, min(n, _MOST_PIXELS)).round().long() for n in array.shape)
    shown = array[rows][:, columns]
    position = (shown / reach).clamp(-1, 1)
    low, middle, high, missing = (torch.tensor(c, dtype=torch.float64) for c in (_LOW, _MIDDLE, _HIGH, _MISSING))
    end = torch.where((position < 0)[..., None], low, high)
    colours = middle + position.abs()[..., None] * (end - middle)
    colours = torch.where(torch.isnan(shown)[..., None], missing, colours).round().to(torch.uint8)
    data = base64.b64encode(png([bytes(row.flatten().tolist()) for row in colours], len(columns))).decode("ascii")
    height = 150
    width = max(40, min(300, round(height * len(columns) / len(rows))))
    return (
        f'<img alt="{html.escape(alt, quote=True)}" width="{width}" height="{height}" '
        f'style="image-rendering:pixelated;display:block;max-width:none" src="data:image/png;base64,{data}">'
    )


def _curve(picture: Picture) -> str:
    width, height, margin = 380, 130, 6
    both = torch.cat([picture.got, picture.wanted])
    both = both[torch.isfinite(both)]
    low, high = (float(both.min()), float(both.max())) if both.numel() else (0.0, 1.0)
    span = (high - low) or 1.0

    def points(curve: Tensor) -> str:
        chosen = torch.linspace(0, len(curve) - 1, min(len(curve), _MOST_POINTS)).round().long().tolist()
        placed = []
        for i in chosen:
            y = float(curve[i])
            if math.isfinite(y):
                x = margin + (width - 2 * margin) * i / max(1, len(curve) - 1)
                placed.append(f"{x:.1f},{height - margin - (height - 2 * margin) * (y - low) / span:.1f}")
        return " ".join(placed)

    alt = html.escape(f"Curves of yours and of what is wanted: {picture.title}", quote=True)
    return (
        f'<svg role="img" aria-label="{alt}" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'style="display:block;margin:.5em 0 .1em;max-width:100%"><title>{alt}</title>'
        f'<polyline fill="none" stroke="{_WANTED}" stroke-width="2" stroke-dasharray="6 4" '
        f'points="{points(picture.wanted)}"/>'
        f'<polyline fill="none" stroke="{_GOT}" stroke-width="2" points="{points(picture.got)}"/></svg>'
        f'<div style="font-size:.8em"><span style="color:{_GOT}" aria-hidden="true">━━</span> yours (solid), '
        f'<span style="color:{_WANTED}" aria-hidden="true">╍╍</span> wanted (dashed); '
        f"from {low:.3g} to {high:.3g}, index 0 to {len(picture.got) - 1}</div>"
    )
