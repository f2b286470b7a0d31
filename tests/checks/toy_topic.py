"""A topic of checks that serves only to test the framework."""

import torch

from course_utils.checks.framework import (
    Mistake,
    call,
    check,
    expect,
    expect_close,
    expect_dtype,
    expect_finite,
    expect_shape,
    later,
    noncontiguous,
    value,
)


def scale_rows(x, factors, *, shift=0.0):
    """Each row of `x` times its factor."""
    scaled = x * factors[:, None]
    if shift != 0:
        scaled = scaled + shift
    return scaled


def _columns(x, factors, *, shift=0.0):
    return x * factors[None, :] + shift if x.shape[0] == x.shape[1] else x * factors[:1]


def _with_extra(x, factors, *, shift=0.0):
    return scale_rows(x, factors, shift=shift), factors


def _not_shifted(x, factors, *, shift=0.0):
    return x * factors[:, None]


@check(
    reference=scale_rows,
    alternatives=[
        lambda x, factors, shift=0.0: torch.diag(factors) @ x + shift,
        lambda x, factors, shift=0.0: (
            torch.stack([row * f for row, f in zip(x, factors, strict=True)]).detach() + shift
        ),
    ],
    mistakes=[
        Mistake("scales columns", _columns, "This scales the columns. A factor belongs to a row."),
        Mistake("returns the factors too", _with_extra, "You also return the factors. Return only the scaled matrix."),
        Mistake("ignores the shift", _not_shifted, "`shift` is not used: add it after scaling."),
    ],
    cases=lambda: [(torch.randn(3, 3), torch.randn(3)), (torch.randn(4, 4), torch.randn(4))],
)
def test_scale_rows(answer):
    """Multiply each row of a matrix by its own factor, then add `shift`."""
    for rows, columns in ((3, 4), (5, 2), (3, 3)):
        x, factors = torch.randn(rows, columns), torch.randn(rows)
        y = call(answer, x, factors)
        expect_shape(y, (rows, columns), what="the scaled matrix")
        expect_dtype(y, "float", what="the scaled matrix")
        expect_finite(y, what="the scaled matrix")
        expect_close(
            y, torch.einsum("rc,r->rc", x, factors), what="the scaled matrix", why="row i is multiplied by factor i"
        )
    x, factors = noncontiguous(torch.randn(4, 6, dtype=torch.float64)), torch.randn(4).double()
    expect_close(call(answer, x, factors), torch.diag(factors) @ x, what="the result for a float64 input with gaps")
    for shift in (0.5, 1.0, -1.0):
        y = call(answer, torch.zeros(2, 5), torch.ones(2), shift=shift)
        expect_close(y, torch.full((2, 5), shift), what=f"the result for zeros and shift={shift}")


@check(
    reference=later(lambda: torch.arange(7.0) ** 2),
    alternatives=[torch.tensor([0, 1, 4, 9, 16, 25, 36])],
    mistakes=[Mistake("doubled", later(lambda: torch.arange(7.0) * 2), "These are the doubles. Multiply by itself.")],
)
def test_squares(answer):
    """Bind `squares` to the squares of 0 to 6."""
    squares = value(answer)
    expect_close(
        squares, torch.tensor([0.0, 1, 4, 9, 16, 25, 36]), what="`squares`", why="7 squared numbers are wanted"
    )


def fill_diagonal(matrix):
    matrix.diagonal().fill_(3.0)


@check(
    reference=fill_diagonal,
    mistakes=[Mistake("fills all", lambda matrix: matrix.fill_(3.0).sum() * 0, "You fill the whole matrix.")],
)
def test_fill_diagonal(answer):
    """Write 3 on the diagonal of the matrix itself."""
    matrix = torch.zeros(4, 4)
    call(answer, matrix, returns=object, may_mutate=True)
    expect_close(matrix, 3 * torch.eye(4), what="the matrix afterwards")


def count_even(numbers):
    count = 0
    for n in numbers:
        if n % 2 == 0:
            count += 1
    return count


@check(reference=count_even, alternatives=[lambda numbers: sum(n % 2 == 0 for n in numbers)])
def test_count_even(answer):
    """Count the even numbers."""
    for numbers, wanted in (([1, 2, 3, 4, 6], 3), ([2], 1), ([], 0), ([5, 7, 9], 0), ([0, 3, 8], 2)):
        expect(call(answer, numbers, returns=int) == wanted, what=f"the count for {numbers}", expected=str(wanted))


EQUIVALENT_MUTANTS = {
    "test_scale_rows": {
        "line 4: `if shift != 0` → `if True`": "adding a shift of 0 changes nothing",
    }
}
