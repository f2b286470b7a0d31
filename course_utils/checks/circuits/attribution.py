"""Exercise: which part of the stream speaks for the answer?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import circuits
from course_utils.checks.circuits.inputs import noise
from course_utils.checks.framework import (
    Mistake,
    call,
    check,
    expect_close,
    expect_dtype,
    expect_finite,
    expect_shape,
    noncontiguous,
)

Inputs = tuple[Tensor, Tensor, Tensor]


def _of_logits(change: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """A wrong answer made from all contributions (part, batch, vocab) and from those to the answers (part, batch)."""

    def wrong(parts: Tensor, W_U: Tensor, answers: Tensor) -> Tensor:
        logits = parts @ W_U
        return change(logits, _to_answers(logits, answers))

    return wrong


def _to_answers(logits: Tensor, answers: Tensor) -> Tensor:
    return logits[:, torch.arange(len(answers)), answers]


_right = _of_logits(lambda logits, said: said - logits.mean(-1))


def _mean_of_the_others(parts: Tensor, W_U: Tensor, answers: Tensor) -> Tensor:
    logits, vocab = parts @ W_U, W_U.shape[1]
    said = _to_answers(logits, answers)
    return said - (logits.sum(-1) - said) / (vocab - 1)


def _strongest_rival(parts: Tensor, W_U: Tensor, answers: Tensor) -> Tensor:
    logits = parts @ W_U
    rows = torch.arange(len(answers))
    total = logits.sum(0)
    total[rows, answers] = -torch.inf
    return _to_answers(logits, answers) - _to_answers(logits, total.argmax(-1))


def _answers_ignored(parts: Tensor, W_U: Tensor, answers: Tensor) -> Tensor:
    return _right(parts, W_U, (parts.sum(0) @ W_U).argmax(-1))


def _mean_over_dimensions(parts: Tensor, W_U: Tensor, answers: Tensor) -> Tensor:
    return _to_answers(parts @ (W_U - W_U.mean(0)), answers)


def _every_answer(parts: Tensor, W_U: Tensor, answers: Tensor) -> Tensor:
    logits = parts @ W_U
    return (logits - logits.mean(-1, keepdim=True))[:, :, answers]


def _first_answer(parts: Tensor, W_U: Tensor, answers: Tensor) -> Tensor:
    return _right(parts, W_U, answers[:1].expand_as(answers))


def _unit_directions(parts: Tensor, W_U: Tensor, answers: Tensor) -> Tensor:
    directions = W_U[:, answers] - W_U.mean(1, keepdim=True)
    return torch.einsum("pbm,mb->pb", parts, directions / directions.norm(dim=0))


def _by_loops(parts: Tensor, W_U: Tensor, answers: Tensor) -> Tensor:
    """Contribution after contribution, in NumPy."""
    P, W = parts.double().numpy(), W_U.double().numpy()
    said = np.zeros(P.shape[:2])
    for part in range(P.shape[0]):
        for row in range(P.shape[1]):
            logits = [sum(P[part, row, m] * W[m, v] for m in range(W.shape[0])) for v in range(W.shape[1])]
            said[part, row] = logits[int(answers[row])] - sum(logits) / len(logits)
    return torch.from_numpy(said)


def _centred_first(parts: Tensor, W_U: Tensor, answers: Tensor) -> Tensor:
    """The unembedding's columns with their mean taken off, then a gather, in single precision."""
    centred = (W_U.float() - W_U.float().mean(dim=-1, keepdim=True)).T
    return (parts.float() * centred[answers]).sum(-1)


def _by_gather(parts: Tensor, W_U: Tensor, answers: Tensor) -> Any:
    logits = torch.tensordot(parts, W_U, 1)
    logits = logits - logits.mean(2, keepdim=True)
    return logits.gather(2, answers.expand(len(parts), -1)[..., None])[..., 0]


MISTAKES = [
    Mistake(
        "mean not subtracted",
        _of_logits(lambda logits, said: said),
        "This is each part's contribution to the answer's logit. What a part adds to *all* logits alike says nothing: "
        "subtract the mean of its contributions to all logits.",
    ),
    Mistake(
        "mean over the dimensions",
        _mean_over_dimensions,
        "You take the mean of W_U over the dimensions of the stream. Wanted is the mean over the vocabulary: one mean logit "
        "for each part and row.",
    ),
    Mistake(
        "mean over the batch",
        _of_logits(lambda logits, said: said - said.mean(1, keepdim=True)),
        "You subtract the mean over the batch. Wanted is the mean over the vocabulary, row by row.",
    ),
    Mistake(
        "mean over the parts",
        _of_logits(lambda logits, said: said - said.mean(0)),
        "You subtract the mean over the parts, so that they sum to 0. Wanted is the mean over the vocabulary, for each part "
        "by itself.",
    ),
    Mistake(
        "one mean for all parts",
        _of_logits(lambda logits, said: said - logits.sum(0).mean(-1)),
        "You subtract the mean of the *whole* stream's logits from every part, so that their sum is too low. Each part has its "
        "own mean.",
    ),
    Mistake(
        "one mean for everything",
        _of_logits(lambda logits, said: said - logits.mean()),
        "You subtract one number everywhere. Each part in each row has its own mean over the vocabulary.",
    ),
    Mistake(
        "sum in place of mean",
        _of_logits(lambda logits, said: said - logits.sum(-1)),
        "You subtract the sum of the contributions to all logits. Subtract their mean.",
    ),
    Mistake(
        "mean added",
        _of_logits(lambda logits, said: said + logits.mean(-1)),
        "You add the mean where it has to be subtracted.",
    ),
    Mistake(
        "mean of the others",
        _mean_of_the_others,
        "You compare with the mean of the *other* logits. The mean is over all of them, the answer's included.",
    ),
    Mistake(
        "strongest rival",
        _strongest_rival,
        "You compare with the strongest other token. The exercise compares with the mean over the vocabulary.",
    ),
    Mistake(
        "mean only",
        _of_logits(lambda logits, said: logits.mean(-1)),
        "This is the mean over the vocabulary. Subtract it from the contribution to the answer's logit.",
    ),
    Mistake(
        "log-probabilities",
        lambda parts, W_U, answers: _to_answers((parts @ W_U).log_softmax(-1), answers),
        "You take a log-softmax of each part. That is not linear: the parts no longer sum to the whole. Subtract the mean of "
        "the logits.",
    ),
    Mistake(
        "largest logit",
        _answers_ignored,
        "You ask about the token that the whole stream favours. The tokens to ask about are in `answers`.",
    ),
    Mistake(
        "first answer for all",
        _first_answer,
        "You use the first answer for every row. Row b is asked about `answers[b]`.",
    ),
    Mistake(
        "every answer for every row",
        _every_answer,
        "Your result has an axis too many: each row is asked about the answers of all rows. Row b is asked about `answers[b]` "
        "alone.",
    ),
    Mistake(
        "all logits",
        _of_logits(lambda logits, said: logits - logits.mean(-1, keepdim=True)),
        "You return what each part says about every token. Only the answer of each row is wanted.",
    ),
    Mistake(
        "sum over the parts",
        lambda parts, W_U, answers: _right(parts, W_U, answers).sum(0),
        "You have added up the parts. One number for each part and each row is wanted.",
    ),
    Mistake(
        "mean over the rows",
        lambda parts, W_U, answers: _right(parts, W_U, answers).mean(1),
        "You have averaged over the batch. One number for each part and each row is wanted.",
    ),
    Mistake(
        "transposed",
        lambda parts, W_U, answers: _right(parts, W_U, answers).T,
        "Your axes are (batch, part). The parts come first.",
    ),
    Mistake(
        "shares",
        lambda parts, W_U, answers: _right(parts, W_U, answers) / _right(parts, W_U, answers).sum(0),
        "You divide by the sum over the parts. The contributions themselves are wanted, in units of logits.",
    ),
    Mistake(
        "directions of length 1",
        _unit_directions,
        "You make the directions unit vectors. Then the contributions are no longer logits: leave their length as it is.",
    ),
]


def _inputs(parts: int, batch: int, d_model: int, vocab: int, seed: int) -> Inputs:
    """Parts and unembedding with means that are far from zero; answers that come more than once."""
    stream = noise(parts, batch, d_model, seed=seed) + noise(parts, 1, d_model, seed=seed + 1)
    W_U = noise(d_model, vocab, seed=seed + 2) + 1.3 * noise(d_model, 1, seed=seed + 3)
    return stream, W_U, torch.randint(vocab, (batch,), generator=torch.Generator().manual_seed(seed))


@check(
    reference=circuits.logit_attribution,
    alternatives=[_by_loops, _centred_first, _by_gather],
    mistakes=MISTAKES,
    cases=lambda: [_inputs(4, 6, 5, 9, seed=61), _inputs(3, 2, 7, 4, seed=71)],
)
def test_logit_attribution(answer: Any) -> None:
    """Measure how much each part of the residual stream speaks for the answer, against the mean over the vocabulary."""
    W_U = torch.tensor([[4.0, 1.0, 1.0, 2.0], [0.0, 0.0, 6.0, 2.0], [5.0, 5.0, 5.0, 5.0]]).double()
    stream = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[0.0, 0.0, 7.0], [2.0, 0.0, 1.0]]]).double()
    said = call(answer, stream, W_U, torch.tensor([0, 2]))
    expect_shape(said, (2, 2), what="what two parts say in two rows", why="One number for each part and row.")
    expect_close(
        said,
        torch.tensor([[2.0, 4.0], [0.0, -2.0]]),
        what="what two parts say in two rows, [part, row]",
        why="By hand: part 0 adds 4, 1, 1, 2 to the logits in row 0, mean 2, so it speaks for token 0 with 2. Part 1 adds 35 "
        "to every logit there, which says nothing.",
    )
    for parts, batch, d_model, vocab in ((3, 5, 7, 4), (6, 2, 4, 9), (2, 8, 5, 13), (1, 3, 6, 2), (7, 1, 3, 6)):
        given = _inputs(parts, batch, d_model, vocab, seed=10 * parts)
        if parts == 6:
            given = tuple(map(noncontiguous, given))  # type: ignore[assignment]
        said = call(answer, *given)
        what = f"what {parts} part{'s' * (parts > 1)} say in {batch} row{'s' * (batch > 1)}"
        expect_shape(said, (parts, batch), what=what, why="One number for each part and row.")
        expect_dtype(said, "float", what=what)
        expect_finite(said, what=what)
        logits = given[0].sum(0) @ given[1]
        whole = torch.stack([row[a] - row.mean() for row, a in zip(logits, given[2].tolist(), strict=True)])
        expect_close(said, _by_loops(*given), what=what, why="Worked out contribution by contribution.")
        expect_close(
            said.double().sum(0),
            whole,
            what=f"the sum over the parts of {what}",
            why="Together they make the answer's logit minus the mean logit of the row.",
        )
