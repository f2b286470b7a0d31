"""Every mistake an author can make is refused with file, line and exercise, and all of them at once."""

# ruff: noqa: E501 (a table: one mistake a line)
from __future__ import annotations

import re
import sys
from types import ModuleType

import pytest
from tiny_chapter import EXERCISE_1, NAME, TINY, line_of

from course_utils.authoring import StructureError, parse, parse_all
from course_utils.errors import CourseError

FILE = f"solutions/{NAME}.py"
BODY = "    # BEGIN SOLUTION\n    return helper(x) + x\n    # END SOLUTION\n"
SIGNATURE = "def double(x: int) -> int:"
HINT_2 = "# <details><summary>Hint 2</summary>\n#\n# $x + x$\n#\n# </details>\n"


def problems(write, text: str, name: str = f"{NAME}.py") -> StructureError:
    root = write(text, name)
    with pytest.raises(StructureError) as caught:
        parse(root / "solutions" / name, root)
    assert isinstance(caught.value, CourseError)
    return caught.value


def edited(old: str, new: str) -> str:
    assert TINY.count(old) == 1, (old, TINY.count(old))
    return TINY.replace(old, new)


# (what, source, text on the line that is named, exercise, words of the sentence)
MISTAKES = [
    ("end missing", edited("    return helper(x) + x\n    # END SOLUTION\n", "    return x\n"), "    # BEGIN SOL", "21.1", "without an `END"),
    ("begin missing", edited("    # BEGIN SOLUTION\n    return h", "    return h"), "    # END SOL", "21.1", "without a `BEGIN"),
    ("nested", edited(BODY, BODY.replace("    return", "    #  x\n    # BEGIN SOLUTION\n    return")), "    # BEGIN SOLUTION\n    return", "21.1", "do not nest"),
    ("marker misspelt", edited(BODY, BODY.replace("    # END SOLUTION", "    ### END SOLUTION")), "    ### END", "21.1", "cannot read"),
    ("end not indented alike", edited(BODY, BODY.replace("    # END SOLUTION", "# END SOLUTION")), "# END SOLUTION\n\n\nchecks", "21.1", "not indented"),
    ("stub outside a block", edited(BODY, BODY + "    # STUB: return 1\n"), "    # STUB: return 1", "21.1", "outside a solution block"),
    ("stub in a cell of no exercise", edited("secret = 1", "# STUB: secret = 1\nsecret = 1"), "# STUB: secret", None, "outside a solution block"),
    ("stub misspelt", edited(BODY, BODY.replace("    return", "    # STUB return 1\n    return")), "    # STUB return", "21.1", "# STUB: code"),
    ("stub does not parse", edited(BODY, BODY.replace("    return", "    # STUB: return (1\n    return")), "    # STUB: return (1", "21.1", "stub does not parse"),
    ("stub would stop the notebook", edited("# STUB: seven = ...\n", ""), "# BEGIN SOLUTION\nseven", "21.2", "would stop the notebook"),
    ("stub forgets the name", edited("# STUB: seven = ...", "# STUB: eight = ..."), "# BEGIN SOLUTION\n# STUB: eight", "21.2", "no longer defines `seven`"),
    ("stub is not unattempted", edited(BODY, BODY.replace("    return", "    # STUB: return 1\n    return")), "def double(x: int", "21.1", "not attempted"),
    ("cell is not Python", edited("print(\"doubled\", double(3))", "print(("), "print((", None, "not valid Python"),
    ("title malformed", edited("### Exercise 21.1 · Double it", "### Exercise 21.1: Double it"), "# ### Exercise 21.1:", "21.1", "cannot read the exercise's header"),
    ("title of another level", edited("### Exercise 21.1 ·", "## Exercise 21.1 ·"), "# ## Exercise 21.1", "21.1", "cannot read the exercise's header"),
    ("facts malformed", edited("Difficulty ●●○○○ · Importance ●●●○○ · 10 min", "Difficulty ●●○○ · Importance ●●●○○ · 10 min"), "# Difficulty ●●○○ ·", "21.1", "line below the exercise's header"),
    ("facts missing", edited("# Difficulty ●●○○○ · Importance ●●●○○ · 10 min\n", ""), "#\n# Write it.", "21.1", "line below the exercise's header"),
    ("header not first", edited("# ### Exercise 21.1", "# Now you.\n#\n# ### Exercise 21.1"), "# ### Exercise 21.1", "21.1", "first line of its markdown cell"),
    ("one hint", edited(HINT_2, ""), "# ### Exercise 21.1", "21.1", "1 of the two hints"),
    ("hints misnumbered", edited("<summary>Hint 2</summary>\n", "<summary>Hint 3</summary>\n"), "# ### Exercise 21.1", "21.1", "numbered"),
    ("details not closed", edited("# $x + x$\n#\n# </details>", "# $x + x$\n#"), "# ### Exercise 21.1", "21.1", "</details>"),
    ("no header", TINY.replace(EXERCISE_1.split("# %%\n")[0], ""), "def double(x: int", None, "outside an exercise"),
    ("no check", edited("checks.toy.test_double(double)", "double(1)"), "def double(x: int", "21.1", "calls no check"),
    ("two checks", edited("checks.toy.test_double(double)", "checks.toy.test_double(double)\nchecks.toy.test_two(double)"), "checks.toy.test_two", "21.1", "exactly one"),
    ("check of an expression", edited("checks.toy.test_double(double)", "checks.toy.test_double(double(1))"), "checks.toy.test_double(double(", "21.1", "name of the answer"),
    ("check of another name", edited("checks.toy.test_double(double)", "checks.toy.test_double(triple)"), "def double(x: int", "21.1", "does not define"),
    ("no solution block", edited(BODY, "    return x\n"), "def double(x: int", "21.1", "no solution block"),
    ("parameter without annotation", edited(SIGNATURE, "def double(x) -> int:"), "def double(x) -> int", "21.1", "`x` of `double` has no annotation"),
    ("keyword without annotation", edited(SIGNATURE, "def double(x: int, *, scale=1) -> int:"), "def double(x: int, *", "21.1", "`scale`"),
    ("return without annotation", edited(SIGNATURE, "def double(x: int):"), "def double(x: int):", "21.1", "what it returns"),
    ("bare Tensor", edited(SIGNATURE, "def double(x: Tensor) -> int:"), "def double(x: Tensor)", "21.1", "has no shape"),
    ("bare Tensor returned", edited(SIGNATURE, "def double(x: int) -> tuple[Tensor, int]:"), "def double(x: int) -> tuple", "21.1", "has no shape"),
    ("bare torch.Tensor in quotes", edited(SIGNATURE, "def double(x: 'torch.Tensor | None') -> int:"), "def double(x: 'torch", "21.1", "has no shape"),
    ("no docstring", edited('    """Twice ``x``."""\n', ""), "def double(x: int", "21.1", "no docstring"),
    ("number used twice", edited("Exercise 21.2 ·", "Exercise 21.1 ·"), "# ### Exercise 21.1 · Seven", "21.1", "already used"),
    ("number of another chapter", edited("Exercise 21.2 ·", "Exercise 22.2 ·"), "# ### Exercise 22.2", "22.2", "belongs to chapter 22"),
    ("numbers descend", edited("Exercise 21.1 ·", "Exercise 21.5 ·"), "# ### Exercise 21.2", "21.2", "must ascend"),
    ("leans on a variable", edited("return helper(x) + x", "return helper(x) + x + limit"), "    return helper(x) + x + limit", "21.1", "variable `limit`"),
    ("leans through a lambda", edited("return helper(x) + x", "return (lambda: limit)() + x"), "    return (lambda", "21.1", "variable `limit`"),
    ("leans in a default", edited(SIGNATURE, "def double(x: int = limit) -> int:"), "def double(x: int = limit", "21.1", "variable `limit`"),
    ("leans in the stub", edited(BODY, BODY.replace("    return", "    # STUB: limit\n    # STUB: raise NotImplementedError('Exercise 21.1')\n    return")), "    # STUB: limit", "21.1", "variable `limit`"),
    ("leans on another answer", edited("return helper(x) + x", "return seven"), "    return seven", "21.1", "answer to exercise 21.2"),
    ("used before the choice", edited("double = checks.yours_or(double, library.double)\n", ""), 'print("doubled"', "21.1", "checks.yours_or"),
    ("choice comes too late", edited("double = checks.yours_or(double, library.double)\n", "double(1)\ndouble = checks.yours_or(double, library.double)\n"), "double(1)\ndouble =", "21.1", "checks.yours_or"),
    ("no exercise cell", TINY + "\n# %% [markdown]\n# ### Exercise 21.3 · Last\n# Difficulty ●○○○○ · Importance ●○○○○ · 5 min\n#\n# <details><summary>Hint 1</summary>a</details>\n# <details><summary>Hint 2</summary>b</details>\n", "# ### Exercise 21.3", "21.3", "no exercise cell"),
    ("exercise dropped from chapters", edited("# %%\ndef double", '# %% tags=["solution-only"]\ndef double'), "def double(x: int", "21.1", "solution-only"),
    ("name of two exercises", TINY.replace("seven", "double").replace("test_double(double)\n\n# %% tags=[\"ev", "test_seven(double)\n\n# %% tags=[\"ev"), "# BEGIN SOLUTION\n# STUB", "21.2", "belongs to exercise 21.1"),
    ("comment above the header", "# Copyright\n" + TINY, "# Copyright", None, "above the YAML header"),
    ("no YAML header", TINY[TINY.index("# %%") :], "# %%", None, "no YAML header"),
    ("header is not YAML", edited('#   title: "Tiny: doubling"', "#   title: [Tiny: doubling"), "#   minutes", None, "not valid YAML"),
    ("no title", edited('#   title: "Tiny: doubling"\n', ""), "# course:", None, "`title:`"),
    ("no minutes", edited("#   minutes: 20\n", "#   minutes: long\n"), "# course:", None, "`minutes:`"),
    ("unknown key", edited("#   minutes: 20\n", "#   minutes: 20\n#   minuts: 3\n"), "# course:", None, "minuts"),
    ("another kernel", edited("#     name: python3", "#     name: julia"), "#   kernelspec:", None, "kernel"),
    ("text before the first cell", edited("# %% [markdown]\n# # Doubling", "x = 1\n\n# %% [markdown]\n# # Doubling"), "x = 1", None, "first cell"),
    ("unknown cell marker", edited('# %% tags=["setup"]', "# %% Setup"), "# %% Setup", None, "cannot read `# %% Setup`"),
    ("tags that are not strings", edited('# %% tags=["setup"]', "# %% tags=[setup]"), "# %% tags=[setup]", None, "cannot read"),
    ("code in a markdown cell", edited("# Why does $2x$ grow?", "y = 2"), "y = 2", None, "must begin with `# `"),
    ("empty cell", edited("# %% tags=[\"solution-only\"]\nsecret = 1\n", "# %% tags=[\"solution-only\"]\n"), '# %% tags=["solution-only"]', None, "empty"),
    ("a magic command in a comment", edited("secret = 1", "# %matplotlib inline\nsecret = 1"), "# %matplotlib", None, "magic"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "piece", "exercise", "words"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES]
)
def test_mistake_names_file_line_and_exercise(write, source, piece, exercise, words):
    error = problems(write, source)
    line = line_of(source, piece)
    found = [p for p in error.problems if words in p.sentence]
    assert found, str(error)
    assert (found[0].file, found[0].line, found[0].exercise) == (FILE, line, exercise), str(error)
    where = f"{FILE}:{line}: " + (f"exercise {exercise}: " if exercise else "")
    assert re.search("^" + re.escape(where), str(error), re.MULTILINE), str(error)


@pytest.mark.parametrize("name", ["tiny.py", "21-tiny.py", "21_Tiny.py", "1_tiny.py", "21_.py"])
def test_file_name(write, name):
    error = problems(write, TINY, name)
    assert str(error).startswith(f"solutions/{name}:1: the file name must be PC_slug.py")


def test_unknown_check_is_named_when_its_topic_can_be_imported(write, monkeypatch):
    topic = ModuleType("course_utils.checks.toy")
    topic.test_double = topic.test_triple = lambda answer: None
    monkeypatch.setitem(sys.modules, "course_utils.checks.toy", topic)
    error = problems(write, TINY)
    (problem,) = error.problems
    assert problem.line == line_of(TINY, "checks.toy.test_seven(seven)")
    assert problem.exercise == "21.2"
    assert problem.sentence == "there is no check `toy.test_seven`; the checks of `toy` are: test_double, test_triple."


def test_all_mistakes_of_all_files_are_reported_together(write):
    source = edited(HINT_2, "").replace('    """Twice ``x``."""\n', "").replace("# STUB: seven = ...\n", "")
    root = write(source)
    write(edited("checks.toy.test_double(double)", ""), "22_other.py")
    write(TINY, "notes.py")
    with pytest.raises(StructureError) as caught:
        parse_all(root)
    text = str(caught.value)
    for piece in ("hints", "no docstring", "would stop the notebook", "calls no check", "notes.py:1", "22_other.py"):
        assert piece in text
    assert text.count("\n") >= 5


def test_two_files_with_one_number(write):
    root = write()
    write(TINY, "21_other.py")
    with pytest.raises(StructureError, match="chapter 21 too"):
        parse_all(root)


def test_not_utf8(write, tmp_path):
    root = write()
    path = root / "solutions" / f"{NAME}.py"
    path.write_bytes(TINY.encode("utf-16"))
    with pytest.raises(StructureError, match="UTF-8"):
        parse(path, root)


GOOD = [
    ("shapes by jaxtyping", SIGNATURE, 'def double(x: Float[Tensor, "p n"], k: int | None = None) -> tuple[Float[Tensor, ""], list[int]]:'),
    ("a dotted Tensor with its shape", SIGNATURE, 'def double(x: Float[torch.Tensor, "p n"] | None) -> dict[str, float]:'),
    ("quoted annotations", SIGNATURE, "def double(x: 'Float[Tensor, \"p n\"]') -> 'int':"),
    ("local name like a variable", "return helper(x) + x", "limit = 2\n    return limit * x"),
    ("comprehension name like a variable", "return helper(x) + x", "return sum(limit for limit in (x, x))"),
    ("an attribute like a variable", "return helper(x) + x", "return helper(x) + x.limit"),
    ("builtins and imports", "return helper(x) + x", "return abs(x) + len(os.sep)"),
    ("a helper in the same cell", "# %%\ndef double", "# %%\ndef twice(x: int) -> int:\n    return 2 * x\n\n\ndef double"),
    ("recursion", "return helper(x) + x", "return double(x)"),
    ("a heading inside a code fence", "# Write it.", "# ```\n# # Exercise of no kind\n# ```"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), [g[1:] for g in GOOD], ids=[g[0] for g in GOOD])
def test_what_is_right_passes(write, old, new):
    root = write(edited(old, new))
    assert parse(root / "solutions" / f"{NAME}.py", root).id == "21"


def test_an_annotation_without_a_value_in_the_stub(write):
    root = write(edited("# STUB: seven = ...\n", "# STUB: seven: int\n# STUB: seven = ...\n"))
    assert parse(root / "solutions" / f"{NAME}.py", root).exercises[1].stub.startswith("seven: int\nseven = ...\n")
