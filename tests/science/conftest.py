"""One thread, so that a run is the same to the bit; and a row of a shipped table, made once more."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from course_utils import zoo
from course_utils.training import train


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def made_again(one_thread):
    """From a table's name and some cells to its first row with these, as shipped and as its recipe gives it now."""

    def make(name: str, cells: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        row = next(row for row in zoo.table(name) if cells.items() <= row.items())
        recipe = next(recipe for recipe in zoo.TABLES[name].recipes if recipe.digest() == row["recipe"])
        return row, zoo.TABLES[name].measure(train(recipe))

    return make
