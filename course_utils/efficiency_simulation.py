"""Two circuits that share nothing but a loss and a penalty: when does the slow, cheap one take over from the quick, dear one?

The idea is that of Varma et al. 2023 (arXiv 2309.02390, section 3.3 and appendix): memorising and generalising circuits are
fixed look-up tables with learnt weights. The equations here are ours. Circuit i gives logit w_i to one class of each question:
the right one in training; in testing only the generalising circuit G is right, the memorising circuit M is wrong.

* Loss: ln(1 + (classes − 1)·e^−(w_M + w_G)) in training.
* Penalty: a logit w ∝ s^κ that is made by parameters of scale s costs P² w^(2/κ), where P is the parameter norm of one unit
  of logit. So J = loss + λ·(P_M² w_M^(2/κ) + P_G² w_G^(2/κ)).
* G is slow at first because its weight is a product, w_G = g₁·g₂, of factors that start close to 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from course_utils.errors import CourseError

MEMORISE, GENERALISE = 0.01, 1e-5
"""Where w_M and each factor of w_G start."""


@dataclass(frozen=True)
class TwoCircuits:
    """The ingredients.

    Attributes:
        norm_M, norm_G: P, the parameter norm per unit of logit at scale 1. Efficient means a small P.
        penalty: λ.
        kappa: κ, the power with which a circuit's logit grows with the scale of its parameters.
        factors: of how many sub-weights w_G is the product: 2 makes it slow, 1 not; 0 takes G away.
        lr: of gradient descent.
        spread: on each question each circuit's logit is off by a log-normal factor with this standard deviation.
        classes: among how many answers the circuits choose.
    """

    norm_M: float = 2.0
    norm_G: float = 1.0
    penalty: float = 0.005
    kappa: float = 1.2
    factors: int = 2
    lr: float = 0.01
    spread: float = 0.15
    classes: int = 113

    def train_loss(self, w_M: float, w_G: float) -> float:
        """Cross-entropy in nats: the first part of :func:`train_and_test_loss`."""
        return math.log1p((self.classes - 1) * math.exp(-(w_M + w_G)))

    def cost(self, w_M: float, w_G: float) -> float:
        """The squared parameter norm that both weights need."""
        power = 2 / self.kappa
        return self.norm_M**2 * w_M**power + self.norm_G**2 * w_G**power

    def J(self, w_M: float, w_G: float) -> float:
        """What descent lowers."""
        return self.train_loss(w_M, w_G) + self.penalty * self.cost(w_M, w_G)

    def test_accuracy(self, w_M: float, w_G: float) -> float:
        """On what share of the questions does G's logit, for the right class, beat M's, for a wrong one?

        ln(w_G/w_M) plus two independent normal errors is above 0 with probability Φ(ln(w_G/w_M) / (√2·spread)).
        """
        if w_G <= 0 or w_M <= 0:
            return float(w_G > w_M)
        return (1 + math.erf(math.log(w_G / w_M) / (2 * self.spread))) / 2


Slopes = Callable[[TwoCircuits, float, float], tuple[float, float]]
"""From the circuits, w_M and w_G to the derivatives of J by both weights."""


def slopes(circuits: TwoCircuits, w_M: float, w_G: float) -> tuple[float, float]:
    """The derivatives of J by w_M and by w_G, for κ < 2."""
    power = 2 / circuits.kappa
    loss = -1 / (1 + math.exp(w_M + w_G) / (circuits.classes - 1))
    by_M = loss + circuits.penalty * circuits.norm_M**2 * power * w_M ** (power - 1)
    by_G = loss + circuits.penalty * circuits.norm_G**2 * power * w_G ** (power - 1)
    return by_M, by_G


class Course(NamedTuple):
    """Both weights, training loss and test accuracy at the recorded steps of a descent."""

    steps: list[int]
    w_M: list[float]
    w_G: list[float]
    train_loss: list[float]
    test_accuracy: list[float]


def simulate(
    circuits: TwoCircuits,
    steps: int,
    w_M: float = MEMORISE,
    g: float = GENERALISE,
    every: int = 50,
    slopes: Slopes = slopes,
) -> Course:
    """Gradient descent on J from w_M and equal factors g, so that w_G = g^factors and ∂J/∂g is ∂J/∂w_G · g^(factors − 1).

    (The derivative of g^n is n·g^(n−1), but each of the n equal factors is a weight of its own and takes its own step.)
    For κ < 2; above, J's slope is infinite where a weight is 0: see :func:`descend_scales`.

    Raises:
        CourseError: κ of 2 or more.
    """
    if circuits.kappa >= 2:
        raise CourseError(f"simulate is for κ below 2, it was {circuits.kappa}. Use descend_scales.")
    course = Course([], [], [], [], [])
    n = circuits.factors
    for step in range(steps + 1):
        w_G = g**n if n else 0.0
        if step % every == 0 or step == steps:
            course.steps.append(step)
            course.w_M.append(w_M)
            course.w_G.append(w_G)
            course.train_loss.append(circuits.train_loss(w_M, w_G))
            course.test_accuracy.append(circuits.test_accuracy(w_M, w_G))
        by_M, by_G = slopes(circuits, w_M, w_G)
        w_M = max(0.0, w_M - circuits.lr * by_M)
        if n:
            g = max(0.0, g - circuits.lr * by_G * g ** (n - 1))
    return course


def settled_generaliser(circuits: TwoCircuits) -> float:
    """The w_G at which J is least without M: where a network that has grokked stands. By bisection of J's slope."""
    low, high = 0.0, 100.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if slopes(circuits, 0.0, middle)[1] < 0 else (low, middle)
    return low


def ungrok(circuits: TwoCircuits, steps: int, every: int = 50) -> Course:
    """Descent that starts where only G is there: what happens when training goes on with another, dearer or cheaper, M?

    The subset of the questions acts through ``norm_M`` alone.

    Raises:
        CourseError: κ of 2 or more.
    """
    g = settled_generaliser(circuits) ** (1 / circuits.factors)
    return simulate(circuits, steps, MEMORISE, g, every)


def with_size(circuits: TwoCircuits, size: int, unit: int = 1000) -> TwoCircuits:
    """The circuits on a training set of this size: M's squared norm grows with the questions, P_M² = size / unit."""
    return replace(circuits, norm_M=math.sqrt(size / unit))


def first_step_above(course: Course, accuracy: float) -> int | None:
    """The first recorded step with at least this test accuracy; None if there is none."""
    return next((s for s, a in zip(course.steps, course.test_accuracy, strict=True) if a >= accuracy), None)


def without_one_ingredient(circuits: TwoCircuits) -> dict[str, TwoCircuits]:
    """The same circuits four times, each time with one ingredient of delayed generalisation taken away."""
    return {
        "equally efficient": replace(circuits, norm_M=circuits.norm_G),
        "equally fast": replace(circuits, factors=1),
        "no penalty": replace(circuits, penalty=0.0),
        "no generalising circuit": replace(circuits, factors=0),
    }


def cheapest_division(total: float, norm_M: float, norm_G: float, kappa: float) -> tuple[float, float]:
    """(w_M, w_G) with the given total and the least cost P_M² w_M^(2/κ) + P_G² w_G^(2/κ).

    For κ < 2 the cost is convex, and at its least both slopes are equal: w_G / w_M = (P_M / P_G)^(2κ / (2 − κ)). Neither λ
    nor the total enters. From κ = 2 on the circuit with the smaller P takes all. In terms of a cost w^c, as it is often
    written, c = 2/κ, and the condition is c > 1.
    """
    if kappa >= 2:
        return (total, 0.0) if norm_M < norm_G else (0.0, total)
    tilt = math.tanh(kappa / (2 - kappa) * math.log(norm_M / norm_G))  # the ratio itself overflows close to κ = 2
    return total * (1 - tilt) / 2, total * (1 + tilt) / 2


def train_and_test_loss(w_M: float, w_G: float, classes: int) -> tuple[float, float]:
    """Mean cross-entropy in nats without any spread: in training both circuits give their logit to the right class; in testing
    G does, and M gives its logit to one wrong class."""
    train = math.log1p((classes - 1) * math.exp(-w_M - w_G))
    test = math.log1p(math.exp(w_M - w_G) + (classes - 2) * math.exp(-w_G))
    return train, test


def ridge(norm_M: float, norm_G: float, kappa: float) -> float:
    """s_M / s_G on the ridge between the two circuits for κ > 2: (P_M / P_G)^(2 / (κ − 2)). Descent goes down either side.

    s is the scale of a circuit's parameters, w = s^κ. On the ridge the two slopes of the cost, per logit, are equal.

    Raises:
        CourseError: κ of 2 or less.
    """
    if kappa <= 2:
        raise CourseError(f"At κ = {kappa} there is no ridge between the circuits.")
    return (norm_M / norm_G) ** (2 / (kappa - 2))


def descend_scales(circuits: TwoCircuits, s_M: float, s_G: float, steps: int) -> tuple[float, float]:
    """Gradient descent on J by the scales s, with w = s^κ and cost P²s²: finite slopes for every κ. Where does it end?

    For κ > 2 a circuit of scale 0 stays at 0, whatever it would cost: which circuit wins depends on the start.
    """
    k = circuits.kappa
    for _ in range(steps):
        loss = -1 / (1 + math.exp(s_M**k + s_G**k) / (circuits.classes - 1))
        by_M = loss * k * s_M ** (k - 1) + 2 * circuits.penalty * circuits.norm_M**2 * s_M
        by_G = loss * k * s_G ** (k - 1) + 2 * circuits.penalty * circuits.norm_G**2 * s_G
        s_M, s_G = max(0.0, s_M - circuits.lr * by_M), max(0.0, s_G - circuits.lr * by_G)
    return s_M, s_G
