"""The API reference: nothing of the library is forgotten, everything on a page is described."""

from __future__ import annotations

import importlib
import inspect
import re
import types

import pytest

from course_utils.book import api_pages as reference
from course_utils.book.api_look import as_written, returns_as_field

SHOWN = [module for group in reference.GROUPS.values() for module in group.modules]


def _module(name: str) -> types.ModuleType:
    return importlib.import_module(f"course_utils.{name}")


def _own(module: types.ModuleType) -> list[object]:
    """Public functions and classes that a page shows: those defined in the module, or named by a package's ``__all__``."""
    listed = getattr(module, "__all__", ())
    found = []
    for name, value in vars(module).items():
        described = inspect.isfunction(value) or inspect.isclass(value)
        at_home = getattr(value, "__module__", None) == module.__name__ or name in listed
        if described and at_home and not name.startswith("_"):
            found.append(value)
    return found


def test_every_public_module_is_on_a_page_or_said_to_be_internal() -> None:
    assert reference.forgotten() == []


def test_a_new_module_would_be_noticed() -> None:
    new = ["surprise", "tasks.surprise", "models.surprise", "plots.surprise", "zoo.surprise"]
    assert [module for module in new if reference.is_internal(module)] == []
    assert reference.is_internal("checks.surprise.surprise")


def test_what_is_listed_exists_and_is_listed_once() -> None:
    modules = reference.modules()
    assert sorted({*SHOWN, *reference.INTERNAL} - set(modules)) == []
    assert len(SHOWN) == len(set(SHOWN))
    assert not set(SHOWN) & (set(reference.INTERNAL) - {"checks"})


@pytest.mark.parametrize("name", SHOWN)
def test_everything_public_on_a_page_has_a_docstring(name: str) -> None:
    module = _module(name)
    assert module.__doc__
    assert [value.__name__ for value in _own(module) if not (value.__doc__ or "").strip()] == []


@pytest.mark.parametrize("name", SHOWN)
def test_no_docstring_is_what_python_wrote_itself(name: str) -> None:
    """A dataclass or named tuple without a docstring gets its own signature for one."""
    own = {value.__name__: value.__doc__ or "" for value in _own(_module(name))}
    assert [each for each, text in own.items() if text.startswith(f"{each}(")] == []


def test_packages_show_all_that_they_offer() -> None:
    for name, order in reference.ORDERED.items():
        module = _module(name)
        offered = {member for member in module.__all__ if callable(getattr(module, member))}
        assert set(order) == offered


def test_pages_are_the_same_each_time_and_have_a_section_for_each_module() -> None:
    pages = reference.api_pages()
    assert pages == reference.api_pages()
    assert list(pages) == ["api/index.md", *(f"api/{name}.md" for name in reference.GROUPS)]
    found = [line for page in pages.values() for line in re.findall(r"automodule:: course_utils\.(\S+)", page)]
    assert found == SHOWN


def test_the_index_asks_each_modules_question() -> None:
    index = reference.api_pages()["api/index.md"]
    assert "| {py:mod}`fourier <course_utils.fourier>` | Which waves is a function of numbers modulo p made of? |" in index
    rows = [line for line in index.splitlines() if line.startswith("| {py:mod}")]
    assert len(rows) == len(SHOWN)
    assert [row for row in rows if not re.search(r"[.?] \|$", row)] == []


def test_signatures_keep_the_annotations_of_the_source() -> None:
    from course_utils import ccs, fourier
    from course_utils.zoo.problems import ModularMLP

    arguments, result = as_written(fourier.frequency_shares) or ("", "")
    assert arguments.replace("'", '"') == '(matrix: Float[Tensor, "p n"], basis: Float[Tensor, "p p"])'
    assert result.replace("'", '"') == 'Float[Tensor, "freq"]'
    assert "loss: PairLoss = ccs_loss" in (as_written(ccs.objective) or ("", ""))[0]
    assert "positive: Float[Tensor, 'n d_model']" in (as_written(ccs.Pairs) or ("", ""))[0]
    assert "task: ModularTask = ModularTask()" in (as_written(ModularMLP) or ("", ""))[0]


@pytest.mark.parametrize("name", SHOWN)
def test_no_signature_shows_an_address(name: str) -> None:
    signatures = [as_written(value) for value in _own(_module(name))]
    assert [each for each in signatures if each and re.search(r"0x|<|\n", "".join(each))] == []


def test_what_is_returned_keeps_its_colons() -> None:
    docstring = [
        "Ask.",
        "",
        "Returns:",
        "    Two things: this",
        "    and that.",
        "",
        "Raises:",
        "    CourseError: never.",
    ]
    assert returns_as_field(docstring) == [
        "Ask.", "", ":returns:", "    Two things: this", "    and that.", "", "Raises:", "    CourseError: never."
    ]  # fmt: skip
