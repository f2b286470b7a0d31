"""Numbers and tables of evidence cells: few digits, the same on every machine as far as rounding can make them."""

from __future__ import annotations

import math
import random

import pytest
import torch

from course_utils import CourseError
from course_utils.evidence import number, percent, table, verdict

EXAMPLES = [
    (0, "0"), (1, "1.0"), (0.9999, "1.0"), (9.96, "10"), (99.6, "100"), (113.2, "110"), (-0.5, "-0.50"), (3.14159, "3.1"),
    (0.04371, "0.044"), (0.001, "0.0010"), (9.99e-4, "0.0010"), (2.4e-7, "2.4e-7"), (-2.4e-7, "-2.4e-7"), (1e-300, "1.0e-300"),
    (999999, "1.0e6"), (123456, "120000"), (1234567, "1.2e6"), (math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf"),
]  # fmt: skip


@pytest.mark.parametrize(("x", "text"), EXAMPLES)
def test_number(x, text):
    assert number(x) == text


def test_number_takes_tensors_and_tolerances():
    assert number(torch.tensor(0.25)) == "0.25"
    assert number(113.2, 1e-3) == "113"
    assert number(0.5, 0.1) == "0.5"
    assert number(3e-9, below=1e-6) == "< 1.0e-6"
    assert number(-3e-5, below=1e-6) == "-3.0e-5"


@pytest.mark.parametrize("rtol", [1e-1, 1e-2, 1e-3, 5e-3])
def test_last_digit_is_worth_what_the_tolerance_says(rtol):
    generator = random.Random(0)
    for _ in range(2000):
        x = 10 ** generator.uniform(-8, 8)
        off = abs(float(number(x, rtol)) - x) / x
        assert off <= 5.2 * 10 ** math.ceil(math.log10(rtol) - 1e-9)


@pytest.mark.parametrize("x", [1, 10, 0.1, 0.25, 0.125, 0.5, 2.5, 12.5, 1 / 3, 0.75, 0.001, 1e6, 99.5, 0.045, 1e-3])
@pytest.mark.parametrize("rtol", [1e-2, 1e-3])
def test_likely_values_survive_another_machine(x, rtol):
    noise = rtol / 100
    assert number(x * (1 + noise), rtol) == number(x, rtol) == number(x * (1 - noise), rtol)


def test_few_values_flip():
    generator = random.Random(1)
    values = [10 ** generator.uniform(-3, 3) for _ in range(5000)]
    flips = sum(number(x) != number(x * (1 + 1e-4)) for x in values)
    assert flips / len(values) < 0.01


def test_percent():
    assert percent(0.9731) == "97.3 %"
    assert percent(1) == "100.0 %"
    assert percent(0.125, step=1) == percent(0.125 - 1e-6, step=1) == "13 %"
    assert percent(-0.00001) == "0.0 %"
    assert percent(-0.123) == "-12.3 %"
    assert percent(0.00123, step=0.01) == "0.12 %"
    assert percent(math.nan) == "nan %"


@pytest.mark.parametrize(
    "call", [lambda: number(1, 0), lambda: number(1, 0.5), lambda: percent(1, 0.3), lambda: percent(1, 0)]
)
def test_impossible_precision(call):
    with pytest.raises(CourseError, match="must be"):
        call()


def test_verdict():
    assert verdict(True) == "holds"
    assert verdict(torch.tensor(False)) == "does not hold"


def test_table(capsys):
    table([["a claim", 5, number(5.0)], ["b", "x", verdict(True)]], ("claim", "paper", "ours"))
    assert capsys.readouterr().out == (
        "claim   | paper | ours\n--------+-------+------\na claim | 5     | 5.0\nb       | x     | holds\n"
    )


def test_table_wraps_long_cells(capsys):
    long = "The rest of the spectrum is empty to the eye, and what is left of it does not matter to the loss at all"
    table([[long, "5", "5", "56", "learning rate 1e-3 in place of 1e-2, decay 1", "holds"]] * 2, width=90)
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 90 for line in lines)
    assert lines[0].startswith("claim")
    assert sum(set(line) == {"-", "+"} for line in lines) == 2
    column = " ".join(line.split(" | ")[0].strip() for line in lines[2:] if " | " in line)
    assert column.count(long) == 2


def test_table_of_uneven_rows():
    with pytest.raises(CourseError, match="Row 2"):
        table([["a", "b"], ["a"]], ("x", "y"))
