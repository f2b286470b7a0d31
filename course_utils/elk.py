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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor

from course_utils import ccs, directions
from course_utils.ccs import Pairs
from course_utils.directions import Reader
from course_utils.elk_beds import BEDS, Bed, BedSpec, Evidence, Split, load
from course_utils.errors import CourseError

__all__ = [
    "BEDS",
    "METHODS",
    "Bed",
    "BedSpec",
    "Comparison",
    "Evidence",
    "Results",
    "Run",
    "Split",
    "Training",
    "compare",
    "evaluate",
    "load",
]


class Training(NamedTuple):
    """What a method learns from.

    Attributes:
        pairs: raw activations of questions stated both ways.
        said: how much the network itself leans to yes (:func:`course_utils.contrast.leaning`).
        seed: for whatever the method draws at random.
        truth: the answers, for methods that are evaluated with ``labels=True``; else None.
    """

    pairs: Pairs
    said: Float[Tensor, "n"]
    seed: int = 0
    truth: Bool[Tensor, "n"] | None = None


Scores = Callable[[Evidence], Float[Tensor, "n"]]
"""From what is shown of questions to a score for each, above 0 for yes."""
Method = Callable[[Training], Scores]
"""From what is shown of the questions to learn from to a function that answers others."""


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
        method: is given a :class:`Training` and returns a function from :class:`Evidence` to scores (n,), above 0 for yes.
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


def _seen(pairs: Pairs) -> Float[Tensor, "n d_model"]:
    return ccs.normalised(pairs).difference


def _answers(reader: Reader) -> Scores:
    return lambda evidence: reader.scores(_seen(evidence.pairs))


def _truth(training: Training) -> Bool[Tensor, "n"]:
    if training.truth is None:
        raise CourseError("This method learns from labels: evaluate it with labels=True.")
    return training.truth


def black_box(training: Training) -> Scores:
    """What the network itself says."""
    return lambda evidence: evidence.said


def search(training: Training, restarts: int = 10) -> Scores:
    """CCS: of several restarts the one with the lowest loss."""
    probes = ccs.fit(ccs.normalised(training.pairs), restarts, seed=10 * training.seed)
    kept = probes.lowest()

    def scores(evidence: Evidence) -> Tensor:
        positive, negative = (probes.probability(side)[kept] for side in ccs.normalised(evidence.pairs))
        return positive - negative

    return scores


def search_once(training: Training) -> Scores:
    """CCS from one random start."""
    return search(training, restarts=1)


def largest_variance(training: Training) -> Scores:
    """Contrastive PCA: the direction along which the differences vary most."""
    return _answers(directions.contrastive_pca(_seen(training.pairs)))


def unsaid(training: Training, least: float = 0.75) -> Scores:
    """What falls into two groups beside what the network says; the first component where nothing does.

    The direction that goes with what is said is taken away. Of the five components that vary most in the rest, the one with
    the largest ``(mean |z|)² / mean z²`` is kept if that is above ``least``: 1 for two equally frequent points, 2/π for a bell
    curve.
    """
    difference = _seen(training.pairs)
    spoken = directions.mean_difference(difference, training.said > training.said.mean()).direction
    rest = directions.without(difference, spoken)
    others = directions.principal(rest, 5)
    z = rest @ others.T
    two_groups = z.abs().mean(0) ** 2 / z.square().mean(0)
    found = two_groups.max() > least
    return _answers(Reader(others[two_groups.argmax()] if found else directions.principal(difference)[0]))


def clusters(training: Training) -> Scores:
    """The two clusters of the differences."""
    return _answers(directions.two_means(_seen(training.pairs), training.seed))


def regression(training: Training) -> Scores:
    """Logistic regression on the differences, with labels."""
    return _answers(directions.logistic(_seen(training.pairs), _truth(training)))


def mean_difference(training: Training) -> Scores:
    """From the mean difference of no to that of yes, with labels."""
    return _answers(directions.mean_difference(_seen(training.pairs), _truth(training)))


def random_direction(training: Training) -> Scores:
    """A direction drawn at random."""
    d_model = training.pairs.positive.shape[1]
    return _answers(Reader(directions.random_directions(d_model, 1, training.seed)[0]))


METHODS: dict[str, tuple[Method, bool]] = {
    "black box": (black_box, False),
    "CCS, lowest of 10": (search, False),
    "CCS, one restart": (search_once, False),
    "contrastive PCA": (largest_variance, False),
    "what is not said": (unsaid, False),
    "k-means": (clusters, False),
    "logistic regression (labels)": (regression, True),
    "mean difference (labels)": (mean_difference, True),
    "random direction": (random_direction, False),
}
