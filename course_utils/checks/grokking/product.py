"""Exercise: gradient descent on the smallest network with two layers, a product of two numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_utils import progress
from course_utils.checks.framework import Mistake, call, check, expect_close, expect_dtype, expect_finite, expect_shape


def _trajectory(a: float, b: float, lr: float, steps: int, update: Any, seen: Any = lambda a, b: a * b) -> Tensor:
    """What is seen of (a, b) from the start on, for any rule of updating."""
    kept = [seen(a, b)]
    for _ in range(steps):
        a, b = update(a, b, lr)
        kept.append(seen(a, b))
    return torch.tensor(kept, dtype=torch.float64)


def _descend(a: float, b: float, lr: float, factor: float = 1.0) -> tuple[float, float]:
    error = factor * (a * b - 1)
    return a - lr * error * b, b - lr * error * a


def _b_sees_new_a(a: float, b: float, lr: float) -> tuple[float, float]:
    error = a * b - 1
    a = a - lr * error * b
    return a, b - lr * error * a


def _one_after_the_other(a: float, b: float, lr: float) -> tuple[float, float]:
    a = a - lr * (a * b - 1) * b
    return a, b - lr * (a * b - 1) * a


def _own_factor(a: float, b: float, lr: float) -> tuple[float, float]:
    error = a * b - 1
    return a - lr * error * a, b - lr * error * b


def _no_factor(a: float, b: float, lr: float) -> tuple[float, float]:
    error = a * b - 1
    return a - lr * error, b - lr * error


def _with(update: Any, seen: Any = lambda a, b: a * b) -> Any:
    return lambda a, b, lr, steps: _trajectory(a, b, lr, steps, update, seen)


def _frozen_error(a: float, b: float, lr: float, steps: int) -> Tensor:
    error = a * b - 1
    return _trajectory(a, b, lr, steps, lambda x, y, lr: (x - lr * error * y, y - lr * error * x))


def _product_alone(a: float, b: float, lr: float, steps: int) -> Tensor:
    return torch.tensor([1 + (a * b - 1) * (1 - lr) ** t for t in range(steps + 1)], dtype=torch.float64)


def _of_product_and_squares(a: float, b: float, lr: float, steps: int) -> list[float]:
    """The same descent without a and b: multiplied out, the product and the sum of squares make each other's next value."""
    product, squares = a * b, a * a + b * b
    kept = [product]
    for _ in range(steps):
        pull = lr * (product - 1)
        product, squares = (
            product - pull * squares + pull**2 * product,
            squares - 4 * pull * product + pull**2 * squares,
        )
        kept.append(product)
    return kept


def _by_autograd(a: float, b: float, lr: float, steps: int) -> Tensor:
    """An optimizer does it, in single precision."""
    pair = torch.tensor([a, b], requires_grad=True)
    optimizer = torch.optim.SGD([pair], lr=lr)
    kept = [pair.detach().prod()]
    for _ in range(steps):
        optimizer.zero_grad()
        (0.5 * (pair.prod() - 1) ** 2).backward()
        optimizer.step()
        kept.append(pair.detach().prod())
    return torch.stack(kept)


def _by_sum_and_difference(a: float, b: float, lr: float, steps: int) -> Tensor:
    """a + b and a − b are each multiplied by a factor."""
    both, apart = a + b, a - b
    kept = torch.zeros(steps + 1, dtype=torch.float64)
    for t in range(steps + 1):
        product = (both**2 - apart**2) / 4
        kept[t] = product
        both, apart = both * (1 - lr * (product - 1)), apart * (1 + lr * (product - 1))
    return kept


MISTAKES = [
    Mistake(
        "start missing",
        lambda a, b, lr, steps: _with(_descend)(a, b, lr, steps)[1:],
        "The product at step 0, before any update, is missing: `steps` updates make `steps` + 1 products.",
    ),
    Mistake(
        "last step missing",
        lambda a, b, lr, steps: _with(_descend)(a, b, lr, max(steps - 1, 0))[: max(steps, 0)],
        "The product after the last update is missing: `steps` updates make `steps` + 1 products.",
    ),
    Mistake(
        "one update too many, start missing",
        lambda a, b, lr, steps: _with(_descend)(a, b, lr, steps + 1)[1:],
        "You have `steps` + 1 products, but they begin after the first update. The first is the product at step 0.",
    ),
    Mistake(
        "b sees the new a",
        _with(_b_sees_new_a),
        "You update a first and use the new a in b's derivative. Gradient descent takes both derivatives at the same point: "
        "compute both updates before you assign either.",
    ),
    Mistake(
        "one after the other",
        _with(_one_after_the_other),
        "You update a, and then take b's derivative at the new point, error and all. Gradient descent takes both derivatives "
        "at the same point: compute both updates before you assign either.",
    ),
    Mistake(
        "loss without the half",
        _with(lambda a, b, lr: _descend(a, b, lr, 2.0)),
        "Your steps are twice as long: this is descent on (ab − 1)². The loss here is half of that, and the 2 from the "
        "square cancels the ½.",
    ),
    Mistake(
        "half kept",
        _with(lambda a, b, lr: _descend(a, b, lr, 0.5)),
        "Your steps are half as long as they should be: the derivative of ½(ab − 1)² has no ½ left in it.",
    ),
    Mistake(
        "uphill",
        _with(lambda a, b, lr: _descend(a, b, -lr)),
        "You walk uphill: subtract lr times the derivative (or turn round the sign of the error, not both).",
    ),
    Mistake(
        "inner derivative missing",
        _with(_no_factor),
        "You change a and b by lr times the error. By the chain rule a's derivative has a factor b, and b's a factor a.",
    ),
    Mistake(
        "own factor",
        _with(_own_factor),
        "You multiply a's derivative by a and b's by b. The derivative of ab with respect to a is the *other* factor.",
    ),
    Mistake(
        "error of the start in every step",
        _frozen_error,
        "The error ab − 1 is computed once, before the loop. It changes with every step.",
    ),
    Mistake(
        "product as the parameter",
        _product_alone,
        "You descend on the product itself, as if it were one parameter. The parameters are a and b: the product then moves "
        "slowly while both are small.",
    ),
    Mistake(
        "loss in place of product",
        _with(_descend, lambda a, b: 0.5 * (a * b - 1) ** 2),
        "You return the losses. Wanted are the products ab.",
    ),
    Mistake(
        "error in place of product",
        _with(_descend, lambda a, b: a * b - 1),
        "You return the errors ab − 1. Wanted are the products ab.",
    ),
    Mistake(
        "a in place of product",
        _with(_descend, lambda a, b: a),
        "You return the values of a. Wanted are the products ab.",
    ),
]

_RUNS = (
    (0.3, 0.8, 0.1, 7),
    (-0.5, 1.5, 0.2, 12),
    (1e-3, 2e-3, 0.3, 40),
    (2.0, 1.5, 0.05, 23),
    (-0.2, 0.1, 0.4, 9),
    (1.2, 0.6, 1.05, 30),  # ends in swings between two products
)


@check(
    reference=progress.descend_product,
    alternatives=[_by_autograd, _by_sum_and_difference, lambda *args: torch.tensor(_of_product_and_squares(*args))],
    mistakes=MISTAKES,
    cases=lambda: [(0.7, 0.4, 0.15, 6), (-0.6, 0.9, 0.3, 11), (1.7, 0.3, 0.2, 3)],
)
def test_descend_product(answer: Any) -> None:
    """Follow the product ab during gradient descent on ½(ab − 1)²."""
    products = call(answer, 2.0, 1.0, 0.1, 1)
    expect_shape(products, (2,), what="the products of one step", why="Step 0 and step 1.")
    expect_dtype(products, "float", what="the products")
    expect_close(
        products,
        [2.0, (2 - 0.1 * 1) * (1 - 0.1 * 2)],
        what="the products of one step with lr = 0.1 from a = 2, b = 1",
        why="The error is 1, so the derivatives are 1 · b = 1 for a and 1 · a = 2 for b.",
    )
    for a, b, lr, steps in _RUNS:
        products = call(answer, a, b, lr, steps)
        what = f"the products from a = {a:g}, b = {b:g} with lr = {lr:g}"
        expect_shape(products, (steps + 1,), what=what, why="One for the start and one for each step.")
        expect_finite(products, what=what)
        wanted = _of_product_and_squares(a, b, lr, steps)
        expect_close(products[0], wanted[0], what=f"the first of {what}", why="It is ab before any update.")
        expect_close(
            products[1], wanted[1], what=f"the second of {what}", why="It is ab after both were updated once, together."
        )
        expect_close(products, wanted, what=what, why="Worked out from the product and a² + b² alone.")
    at_rest = call(answer, 0.25, 4.0, 0.3, 5)
    expect_close(at_rest, torch.ones(6), what="the products from ab = 1", why="The loss is 0 there: nothing moves.")
    nothing = call(answer, 0.5, -3.0, 0.1, 0)
    expect_close(nothing, [-1.5], what="the products of 0 steps", why="There is still the start.")
