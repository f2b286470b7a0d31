"""Exercise: what would the model answer if this were its last stream?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from course_utils import probe_directions
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_finite, expect_shape, noncontiguous
from course_utils.checks.othello.inputs import noise
from course_utils.models import Transformer, TransformerConfig

EPS = 1e-5


def _by_hand(model: Any, resid: Tensor) -> Any:
    """In NumPy, from the weights' names, row by row."""
    w = {name: weight.detach().double().numpy() for name, weight in model.state_dict().items()}
    rows = []
    for x in resid.detach().double().numpy():
        centred = x - x.mean()
        normal = centred / np.sqrt((centred**2).mean() + EPS)
        rows.append((normal * w["ln_final.w"] + w["ln_final.b"]) @ w["unembed.W_U"] + w["unembed.b_U"])
    return np.stack(rows)


def _by_function(model: Any, resid: Tensor) -> Tensor:
    norm = model.ln_final
    return F.linear(F.layer_norm(resid, resid.shape[-1:], norm.w, norm.b), model.W_U.T, model.unembed.b_U)


def _folded(model: Any, resid: Tensor) -> Tensor:
    """LayerNorm's weights made part of the unembedding."""
    x = resid - resid.mean(-1, keepdim=True)
    x = x / (x.var(-1, unbiased=False, keepdim=True) + EPS).sqrt()
    return x @ (model.ln_final.w[:, None] * model.W_U) + (model.ln_final.b @ model.W_U + model.unembed.b_U)


def _normal(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:])


def _read(change: Callable[[Any, Tensor], Tensor]) -> Any:
    """A wrong answer: something else is unembedded."""
    return lambda model, resid: change(model, resid) @ model.W_U + model.unembed.b_U


def _right(model: Any, resid: Tensor) -> Tensor:
    norm = model.ln_final
    return (_normal(resid) * norm.w + norm.b) @ model.W_U + model.unembed.b_U


def _unbiased(model: Any, resid: Tensor) -> Tensor:
    x = (resid - resid.mean(-1, keepdim=True)) / resid.std(-1, keepdim=True)
    return x * model.ln_final.w + model.ln_final.b


def _by_variance(model: Any, resid: Tensor) -> Tensor:
    x = (resid - resid.mean(-1, keepdim=True)) / resid.var(-1, unbiased=False, keepdim=True)
    return x * model.ln_final.w + model.ln_final.b


def _by_size(model: Any, resid: Tensor) -> Tensor:
    x = resid / resid.square().mean(-1, keepdim=True).sqrt()
    return x * model.ln_final.w + model.ln_final.b


def _over_rows(model: Any, resid: Tensor) -> Tensor:
    x = (resid - resid.mean(0)) / resid.var(0, unbiased=False).add(EPS).sqrt()
    return x * model.ln_final.w + model.ln_final.b


MISTAKES = [
    Mistake(
        "no LayerNorm",
        _read(lambda model, resid: resid),
        "You leave out the final LayerNorm. The model's stream goes through it before it is unembedded.",
    ),
    Mistake(
        "neither LayerNorm nor bias",
        lambda model, resid: resid @ model.W_U,
        "You multiply by the unembedding only. The final LayerNorm comes before it, and its bias is added after it.",
    ),
    Mistake(
        "no bias",
        lambda model, resid: _right(model, resid) - model.unembed.b_U,
        "You leave out the unembedding's bias.",
    ),
    Mistake(
        "bias twice",
        lambda model, resid: _right(model, resid) + model.unembed.b_U,
        "You add the unembedding's bias twice: calling `model.unembed` adds it already.",
    ),
    Mistake(
        "LayerNorm without its weights",
        _read(lambda model, resid: _normal(resid)),
        "You normalise the stream, but you leave out the weight and bias that the final LayerNorm has learnt.",
    ),
    Mistake(
        "LayerNorm without its scale",
        _read(lambda model, resid: _normal(resid) + model.ln_final.b),
        "You leave out the weight that the final LayerNorm has learnt for each dimension.",
    ),
    Mistake(
        "LayerNorm without its shift",
        _read(lambda model, resid: _normal(resid) * model.ln_final.w),
        "You leave out the bias that the final LayerNorm has learnt for each dimension.",
    ),
    Mistake(
        "first layer's LayerNorm",
        _read(lambda model, resid: model.blocks[0].ln1(resid)),
        "You use the LayerNorm of the first layer. The final one is called `ln_final`.",
    ),
    Mistake(
        "last layer's LayerNorm",
        _read(lambda model, resid: model.blocks[-1].ln2(resid)),
        "You use the LayerNorm before the last MLP. The final one is called `ln_final`.",
    ),
    Mistake(
        "LayerNorm twice",
        _read(lambda model, resid: model.ln_final(model.ln_final(resid))),
        "The stream goes through the final LayerNorm twice with you. Once is enough.",
    ),
    Mistake(
        "last layer once more",
        lambda model, resid: _right(model, model.blocks[-1](resid[None])[0]),
        "You run the last layer on the stream. It is to be taken as it comes *after* the last layer.",
    ),
    Mistake(
        "LayerNorm after the unembedding",
        lambda model, resid: _normal(resid @ model.W_U + model.unembed.b_U),
        "You normalise the logits. LayerNorm comes first, on the stream, with its learnt weights.",
    ),
    Mistake(
        "other standard deviation",
        _read(_unbiased),
        "Your standard deviation divides by d_model − 1, as `std` does unless told otherwise. LayerNorm divides by d_model.",
    ),
    Mistake(
        "divided by the variance",
        _read(_by_variance),
        "You divide by the variance. LayerNorm divides by its root, the standard deviation.",
    ),
    Mistake(
        "mean left in",
        _read(_by_size),
        "You scale the stream without taking its mean away. LayerNorm takes the mean over dimensions away first.",
    ),
    Mistake(
        "normalised over rows",
        _read(_over_rows),
        "You normalise each dimension over the rows. LayerNorm normalises each row over its dimensions.",
    ),
    Mistake(
        "probabilities",
        lambda model, resid: _right(model, resid).softmax(-1),
        "You return probabilities. Wanted are logits: leave the softmax out.",
    ),
    Mistake(
        "logarithms of probabilities",
        lambda model, resid: _right(model, resid).log_softmax(-1),
        "You return logarithms of probabilities. Wanted are the logits as they are.",
    ),
    Mistake(
        "embedding backwards",
        lambda model, resid: model.ln_final(resid) @ model.W_E.T,
        "You use the embedding backwards. The unembedding has weights of its own, W_U, and a bias.",
    ),
    Mistake(
        "stream only",
        lambda model, resid: model.ln_final(resid),
        "You return the normalised stream. Unembed it.",
    ),
    Mistake(
        "best move",
        lambda model, resid: _right(model, resid).argmax(-1),
        "You return which logit is the largest. Return all logits.",
    ),
]


def _model(d_model: int, vocab: int, out: int | None, layers: int, seed: int, dtype: torch.dtype) -> Transformer:
    """A small random transformer in which no weight or bias is 0 or 1."""
    cfg = TransformerConfig(
        d_vocab=vocab,
        n_ctx=6,
        d_model=d_model,
        n_heads=2,
        d_head=3,
        n_layers=layers,
        d_mlp=9,
        d_vocab_out=out,
        layer_norm=True,
        biases=True,
    )
    model = Transformer(cfg, seed).to(dtype)
    with torch.no_grad():
        for i, (name, weight) in enumerate(model.named_parameters()):
            if not name.rsplit(".", 1)[-1].startswith("W_"):
                weight.add_(0.5 * noise(*weight.shape, seed=seed + i))
    return model


def _question(
    n: int, d_model: int, vocab: int, out: int | None, layers: int, seed: int, dtype: torch.dtype = torch.float64
) -> tuple[Transformer, Float[Tensor, "n d_model"]]:
    resid = 1.5 * noise(n, d_model, seed=seed) * torch.linspace(0.4, 3, n)[:, None] + 0.7
    return _model(d_model, vocab, out, layers, seed, dtype), resid.to(dtype)


@check(
    reference=probe_directions.logit_lens,
    alternatives=[_by_hand, _by_function, _folded],
    mistakes=MISTAKES,
    cases=lambda: [_question(4, 10, 8, None, 2, 70), _question(7, 6, 5, 11, 1, 80)],
)
def test_logit_lens(answer: Any) -> None:
    """Unembed a stream as if it came out of the last layer: through the final LayerNorm, weights and bias."""
    for n, d_model, vocab, out, layers, dtype in (
        (5, 8, 7, None, 2, torch.float64),
        (3, 12, 9, 10, 1, torch.float32),
        (6, 7, 11, 4, 3, torch.float64),
        (1, 16, 5, None, 1, torch.float32),
    ):
        model, resid = _question(n, d_model, vocab, out, layers, seed=10 * d_model, dtype=dtype)
        resid = noncontiguous(resid) if n == 6 else resid
        found = call(answer, model, resid)
        what = f"the logits of {n} row{'s' * (n > 1)} of {d_model} dimensions"
        expect_shape(
            found, (n, model.cfg.n_out), what=what, why="A row for each row of resid, a column for each token."
        )
        expect_finite(found, what=what)
        expect_close(
            found,
            torch.from_numpy(_by_hand(model, resid)),
            what=what,
            why="Each row through the final LayerNorm with its learnt weight and bias, then the unembedding and its bias.",
        )
