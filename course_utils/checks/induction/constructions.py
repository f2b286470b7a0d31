"""Weights of a small transformer written by hand, right and wrong: what the check of `induction_weights` is tried on."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

Weights = dict[str, Any]
Change = Callable[[Weights, int, int], None]

NAMES = ["embed.W_E", "pos_embed.W_pos", "unembed.W_U"]
NAMES += [f"blocks.{layer}.attn.{matrix}" for layer in (0, 1) for matrix in ("W_Q", "W_K", "W_V", "W_O")]


def in_rooms(
    vocab: int,
    n_ctx: int,
    *,
    offset: int = 1,
    lead: float = 30.0,
    scaled: bool = True,
    asks: str = "token",
    matched: str = "before",
    copied: str = "token",
    written: str = "before",
    loud: float = 2.0,
    avoid: float = 2.0,
) -> Weights:
    """The stream in three rooms, one after the other: the token, the place, the token before; float64.

    offset: how many places back head 0 looks. lead: by how much scores differ. asks, matched, copied: which room head 1
    makes its queries, keys and values of. written: the room that head 0 writes to. loud: how strongly head 1 writes.
    avoid: how strongly every query keeps away from place 0.
    """
    rooms = {"token": slice(0, vocab), "place": slice(vocab, vocab + n_ctx), "before": slice(vocab + n_ctx, None)}
    d_model, d_head = 2 * vocab + n_ctx, vocab + n_ctx
    w: Weights = {
        name: torch.zeros(1, d_model, d_head).double() for name in NAMES if name[-3:] in ("W_Q", "W_K", "W_V")
    }
    w |= {f"blocks.{layer}.attn.W_O": torch.zeros(1, d_head, d_model).double() for layer in (0, 1)}
    words, places = torch.eye(vocab).double(), torch.eye(n_ctx).double()
    sharp = lead * math.sqrt(d_head) if scaled else lead
    w["embed.W_E"] = torch.cat([words, torch.zeros(vocab, n_ctx + vocab)], 1)
    w["pos_embed.W_pos"] = torch.cat([torch.zeros(n_ctx, vocab), places, torch.zeros(n_ctx, vocab)], 1)
    w["unembed.W_U"] = torch.cat([20 * words, torch.zeros(n_ctx + vocab, vocab)])

    w["blocks.0.attn.W_Q"][0, rooms["place"], :n_ctx] = sharp * places.roll(-offset, 1)
    w["blocks.0.attn.W_K"][0, rooms["place"], :n_ctx] = places
    w["blocks.0.attn.W_V"][0, rooms["token"], :vocab] = words
    w["blocks.0.attn.W_O"][0, :vocab, rooms[written]] = words

    w["blocks.1.attn.W_Q"][0, rooms[asks], :vocab] = sharp * words
    w["blocks.1.attn.W_K"][0, rooms[matched], :vocab] = words
    w["blocks.1.attn.W_V"][0, rooms[copied], :vocab] = words
    w["blocks.1.attn.W_O"][0, :vocab, rooms["token"]] = loud * words
    w["blocks.1.attn.W_Q"][0, rooms[asks], vocab] = sharp
    w["blocks.1.attn.W_K"][0, vocab, vocab] = -avoid
    return {name: w[name] for name in NAMES}


def changed(change: Change, **options: Any) -> Any:
    """A wrong answer: the right weights, and then something done to them."""

    def wrong(vocab: int, n_ctx: int) -> Weights:
        weights = in_rooms(vocab, n_ctx, **options)
        change(weights, vocab, n_ctx)
        return weights

    return wrong


def exchange_layers(weights: Weights, vocab: int, n_ctx: int) -> None:
    for matrix in ("W_Q", "W_K", "W_V", "W_O"):
        first, second = f"blocks.0.attn.{matrix}", f"blocks.1.attn.{matrix}"
        weights[first], weights[second] = weights[second], weights[first]


def exchange_queries_and_keys(weights: Weights, vocab: int, n_ctx: int) -> None:
    q, k = "blocks.0.attn.W_Q", "blocks.0.attn.W_K"
    weights[q], weights[k] = weights[k], weights[q]


def drop_head_axis(weights: Weights, vocab: int, n_ctx: int) -> None:
    weights.update({name: w[0] for name, w in weights.items() if w.ndim == 3})


def transpose(name: str) -> Change:
    def change(weights: Weights, vocab: int, n_ctx: int) -> None:
        weights.update({key: w.mT for key, w in weights.items() if key.endswith(name)})

    return change


def silence_head_0(weights: Weights, vocab: int, n_ctx: int) -> None:
    weights["blocks.0.attn.W_O"].zero_()


def randomise(weights: Weights, vocab: int, n_ctx: int) -> None:
    for i, name in enumerate(weights):
        weights[name] = torch.randn(weights[name].shape, generator=torch.Generator().manual_seed(i))


def forget_places(weights: Weights, vocab: int, n_ctx: int) -> None:
    weights["pos_embed.W_pos"].zero_()


def short_names(vocab: int, n_ctx: int) -> Weights:
    return {name.rsplit(".", 1)[-1] + ("_" + name[7] if "blocks" in name else ""): w
            for name, w in in_rooms(vocab, n_ctx).items()}  # fmt: skip


def number_by_number(vocab: int, n_ctx: int) -> Weights:
    """NumPy in single precision; rooms in another order; the first place sends its token's negative along."""
    d_model, d_head = n_ctx + 2 * vocab + 1, n_ctx + vocab
    w = {name: np.zeros((1, d_model, d_head), np.float32) for name in NAMES if name[-3:] in ("W_Q", "W_K", "W_V")}
    w |= {f"blocks.{layer}.attn.W_O": np.zeros((1, d_head, d_model), np.float32) for layer in (0, 1)}
    w["embed.W_E"] = np.zeros((vocab, d_model), np.float32)
    w["pos_embed.W_pos"] = np.zeros((n_ctx, d_model), np.float32)
    w["unembed.W_U"] = np.zeros((d_model, vocab), np.float32)
    token, before, flag, sharp = n_ctx, n_ctx + vocab, n_ctx + 2 * vocab, 25 * math.sqrt(d_head)
    for i in range(n_ctx):
        w["pos_embed.W_pos"][i, i] = 1
        w["blocks.0.attn.W_K"][0, i, i] = sharp
        if i:
            w["blocks.0.attn.W_Q"][0, i, i - 1] = 1
    w["pos_embed.W_pos"][0, flag] = 1
    for t in range(vocab):
        w["embed.W_E"][t, token + t] = 1
        w["blocks.0.attn.W_V"][0, token + t, t] = 1
        w["blocks.0.attn.W_O"][0, t, before + t] = 1
        w["blocks.1.attn.W_Q"][0, token + t, t] = sharp
        w["blocks.1.attn.W_K"][0, before + t, t] = 1
        w["blocks.1.attn.W_K"][0, flag, t] = -3  # no query likes the first place
        w["blocks.1.attn.W_V"][0, token + t, t] = 5
        w["blocks.1.attn.W_O"][0, t, token + t] = 1
        w["unembed.W_U"][token + t, t] = 1
    return w


def in_mixed_directions(vocab: int, n_ctx: int) -> Weights:
    """No room has axes of its own: the stream and each head's inside are turned by random rotations."""
    weights = in_rooms(vocab, n_ctx, lead=50, loud=3)
    stream, *inside = (
        torch.linalg.qr(torch.randn(n, n, generator=torch.Generator().manual_seed(n + i)).double()).Q
        for i, n in enumerate((2 * vocab + n_ctx, *(vocab + n_ctx,) * 4))
    )
    turned = {}
    for name, w in weights.items():
        matrix = name[-3:]
        if matrix in ("W_E", "pos", "W_O"):
            w = w @ stream
        else:
            w = stream.T @ w
        if matrix in ("W_Q", "W_K"):
            w = w @ inside[int(name[7])]
        if matrix == "W_V":
            w = w @ inside[2 + int(name[7])]
        if matrix == "W_O":
            w = inside[2 + int(name[7])].T @ w
        turned[name] = w
    return turned


def on_a_circle(vocab: int, n_ctx: int) -> Weights:
    """Places are angles: two numbers for all of them, and a third that says which is the first."""
    angle = 2 * math.pi * torch.arange(n_ctx).double() / n_ctx
    step = 2 * math.pi / n_ctx
    place = torch.stack([angle.cos(), angle.sin()], 1)
    back = torch.tensor([[math.cos(step), -math.sin(step)], [math.sin(step), math.cos(step)]]).double()
    d_model, d_head = 2 * vocab + 3, max(vocab + 1, 2)
    scale = math.sqrt(d_head)
    w: Weights = {
        name: torch.zeros(1, d_model, d_head).double() for name in NAMES if name[-3:] in ("W_Q", "W_K", "W_V")
    }
    w |= {f"blocks.{layer}.attn.W_O": torch.zeros(1, d_head, d_model).double() for layer in (0, 1)}
    words = torch.eye(vocab).double()
    w["embed.W_E"] = torch.cat([torch.zeros(vocab, 3), words, 0 * words], 1)
    w["pos_embed.W_pos"] = torch.cat([place, torch.eye(n_ctx)[:, :1], torch.zeros(n_ctx, 2 * vocab)], 1)
    w["unembed.W_U"] = torch.cat([torch.zeros(3, vocab), words, 0 * words])
    w["blocks.0.attn.W_Q"][0, :2, :2] = scale * 20 / (1 - math.cos(step)) * back
    w["blocks.0.attn.W_K"][0, :2, :2] = torch.eye(2)
    w["blocks.0.attn.W_V"][0, 3 : 3 + vocab, :vocab] = words
    w["blocks.0.attn.W_O"][0, :vocab, 3 + vocab :] = 4 * words
    w["blocks.1.attn.W_Q"][0, 3 : 3 + vocab, :vocab] = words
    w["blocks.1.attn.W_Q"][0, 3 : 3 + vocab, vocab] = 1
    w["blocks.1.attn.W_K"][0, 3 + vocab :, :vocab] = 5 * scale * words
    w["blocks.1.attn.W_K"][0, 2, vocab] = -100 * scale
    w["blocks.1.attn.W_V"][0, 3 : 3 + vocab, :vocab] = words
    w["blocks.1.attn.W_O"][0, :vocab, 3 : 3 + vocab] = 7 * words
    return w
