"""What is a method that reads knowledge out of a network, and which are there? The entrants of :mod:`course_utils.elk`.

A method is a function that is given a :class:`Training` and returns a function from
:class:`~course_utils.elk_beds.Evidence` to scores, above 0 for yes. CCS and CRC-TPC are methods of
Burns et al. 2022 (arXiv 2212.03827); most of the others are there to compare with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor

from course_utils import ccs, directions
from course_utils.contrast import Pairs
from course_utils.directions import Reader
from course_utils.elk_beds import Evidence
from course_utils.errors import CourseError


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
    """CRC-TPC: the direction along which the differences vary most (``"contrastive PCA"`` in the tables)."""
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
    """Logistic regression on the differences, with labels. Raises CourseError where it is given none."""
    return _answers(directions.logistic(_seen(training.pairs), _truth(training)))


def mean_difference(training: Training) -> Scores:
    """From the mean difference of no to that of yes, with labels. Raises CourseError where it is given none."""
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
"""Every method, by name, and whether it is given labels."""
