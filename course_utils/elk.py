"""Does a method read what a network knows, or something else that stands beside it? A small benchmark.

Eliciting latent knowledge means finding the truth in a network's activations without being told any answers, even where the
network says something else. In the worlds of :mod:`course_utils.tasks.testbed` the truth is known, and so is what can be
mistaken for it. A *bed* is a trained network with questions to learn from and questions to be tested on; a *method* is a
function that is given the former and returns a function that answers the latter. A new one takes a few lines:

>>> from course_utils import ccs, directions, elk
>>> def second_component(training):
...     difference = ccs.normalised(training.pairs).difference
...     direction = directions.principal(difference, 2)[1]
...     return lambda evidence: ccs.normalised(evidence.pairs).difference @ direction
>>> results = elk.evaluate(
...     second_component, beds=["plain", "latent-judge"], model_seeds=[0], probe_seeds=[0]
... )
>>> [row["bed"] for row in results.rows()]
['plain', 'latent-judge']

``print(results)`` shows a table, and ``print(elk.compare(elk.METHODS))`` one with the methods that are there. What a bed shows is
what suffices for a method to go wrong; how often that happens in a network that was not made for it, none can show.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from torch import Tensor

from course_utils import ccs
from course_utils.elk_beds import BEDS, Bed, BedSpec, Evidence, Split, load
from course_utils.elk_methods import (
    METHODS,
    Method,
    Scores,
    Training,
    black_box,
    clusters,
    largest_variance,
    mean_difference,
    random_direction,
    regression,
    search,
    search_once,
    unsaid,
)
from course_utils.errors import CourseError

__all__ = [
    "BEDS",
    "METHODS",
    "Bed",
    "BedSpec",
    "Comparison",
    "Evidence",
    "Method",
    "Results",
    "Run",
    "Scores",
    "Split",
    "Training",
    "black_box",
    "clusters",
    "compare",
    "evaluate",
    "largest_variance",
    "load",
    "mean_difference",
    "random_direction",
    "regression",
    "search",
    "search_once",
    "unsaid",
]


_kept = lru_cache(maxsize=40)(load)  # all beds with three networks, some 40 MB


class Run(NamedTuple):
    """One fit of a method on one bed: shares of the test questions on which its answers agree with something.

    Attributes:
        bed, model_seed, probe_seed: which one.
        truth: with the truth.
        nuisance: with the nuisance, or its opposite if that is more often.
        lied_to: with the truth, where it is not the speaker's opinion.
    """

    bed: str
    model_seed: int
    probe_seed: int
    truth: float
    nuisance: float | None
    lied_to: float | None


COLUMNS = ("bed", "truth", "models", "probes", "nuisance", "lied-to")


@dataclass(frozen=True)
class Results:
    """How one method did, fit by fit. Prints as a table."""

    runs: tuple[Run, ...]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each bed.

        ``truth``, ``nuisance`` and ``lied_to`` are means over networks and seeds of the probe (None where they mean nothing);
        ``models`` is how far the best and the worst network's mean truth lie apart, and ``probes`` how far the best and the
        worst seed of the probe do on one network, on average.
        """
        rows = []
        for bed in dict.fromkeys(run.bed for run in self.runs):
            runs = [run for run in self.runs if run.bed == bed]
            seeds = dict.fromkeys(run.model_seed for run in runs)
            each = [[run.truth for run in runs if run.model_seed == seed] for seed in seeds]
            means = [sum(one) / len(one) for one in each]
            rows.append(
                {
                    "bed": bed,
                    "truth": _mean([run.truth for run in runs]),
                    "models": max(means) - min(means),
                    "probes": _mean([max(one) - min(one) for one in each]),
                    "nuisance": _mean([run.nuisance for run in runs]),
                    "lied_to": _mean([run.lied_to for run in runs]),
                }
            )
        return rows

    def __str__(self) -> str:
        return _table([list(COLUMNS), *([_cell(value) for value in row.values()] for row in self.rows())])

    __repr__ = __str__


def evaluate(
    method: Method,
    *,
    labels: bool = False,
    beds: Iterable[str] = tuple(BEDS),
    model_seeds: Iterable[int] = (0, 1, 2),
    probe_seeds: Iterable[int] = (0, 1, 2, 3, 4),
    layer: int = 1,
    n: int = 1000,
) -> Results:
    """How often do a method's answers agree with the truth, and with what could be taken for it?

    Without labels no method can know which side is yes. If it disagrees with the truth of the *training* questions more often
    than not, its scores are turned round: one bit, which it is given for nothing. Methods with labels are left as they are.

    Args:
        method: is given a :class:`~course_utils.elk_methods.Training` and returns a function from
            :class:`~course_utils.elk_beds.Evidence` to scores (n,), above 0 for yes.
        labels: give it the truth of the training questions.
        beds: which of ``BEDS``.
        model_seeds: which of the networks trained alike.
        probe_seeds: given to the method one after another.
        layer, n: after which layer activations are read, and how many questions, as for :func:`~course_utils.elk_beds.load`.

    Returns:
        One :class:`Run` for each bed, network and seed of the probe.

    Raises:
        CourseError: no such bed, network or layer; scores of another shape, or that are not numbers.
    """
    seeds, probes = tuple(model_seeds), tuple(probe_seeds)
    runs = [
        _run(method, labels, name, seed, probe, _kept(name, seed, layer, n))
        for name in beds
        for seed in seeds
        for probe in probes
    ]
    return Results(tuple(runs))


def _run(method: Method, labels: bool, name: str, model_seed: int, probe_seed: int, bed: Bed) -> Run:
    train, test = bed.train, bed.test
    scores = method(Training(*train.evidence(), probe_seed, train.truth.clone() if labels else None))
    answer = _scored(scores, test) > 0
    if not labels and ccs.agreement(_scored(scores, train) > 0, train.truth) < 0.5:
        answer = ~answer
    told = test.questions.opinion != test.truth
    return Run(
        name,
        model_seed,
        probe_seed,
        ccs.agreement(answer, test.truth).item(),
        None if test.nuisance is None else ccs.up_to_sign(ccs.agreement(answer, test.nuisance)).item(),
        ccs.agreement(answer[told], test.truth[told]).item() if bed.spec.lied_to else None,
    )


def _scored(scores: Scores, split: Split) -> Tensor:
    found, wanted = scores(split.evidence()), tuple(split.truth.shape)
    if not isinstance(found, Tensor) or found.shape != wanted:
        given = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise CourseError(
            f"A method's scores are a tensor of shape {list(wanted)}, one a question; these were {given}."
        )
    if found.isnan().any():
        raise CourseError("Some of the method's scores are not numbers (nan).")
    return found.detach()


@dataclass(frozen=True)
class Comparison:
    """How several methods did. Prints as two tables: truth on all beds, and on the lied-to questions where there are such."""

    results: Mapping[str, Results]

    def table(self, column: str = "truth") -> str:
        """One column of each method's rows (``truth``, ``models``, ``probes``, ``nuisance``, ``lied_to``), by bed."""
        found = {name: {row["bed"]: row[column] for row in each.rows()} for name, each in self.results.items()}
        beds = [bed for bed in next(iter(found.values())) if any(row[bed] is not None for row in found.values())]
        body = [[bed, *(_cell(row[bed]) for row in found.values())] for bed in beds]
        return _table([[column.replace("_", "-"), *found], *body])

    def __str__(self) -> str:
        return f"{self.table('truth')}\n\n{self.table('lied_to')}"

    __repr__ = __str__


def compare(methods: Mapping[str, tuple[Method, bool]], **settings: Any) -> Comparison:
    """Several methods on the same beds.

    Args:
        methods: by name, a method and whether it is given labels, as in ``METHODS``.
        settings: as for :func:`evaluate`.

    Raises:
        CourseError: what :func:`evaluate` raises.
    """
    return Comparison({name: evaluate(method, labels=labels, **settings) for name, (method, labels) in methods.items()})


def _mean(values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers else None


def _cell(value: Any) -> str:
    return "–" if value is None else value if isinstance(value, str) else f"{value:.2f}"


def _table(rows: list[list[str]]) -> str:
    """Rows in columns; long words at the head of a column stand below each other."""
    head = [textwrap.wrap(cell, 11) for cell in rows[0]]
    height = max(map(len, head))
    top = [[*[""] * (height - len(lines)), *lines] for lines in head]
    lines = [[column[i] for column in top] for i in range(height)] + rows[1:]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))])
        for line in lines
    )
