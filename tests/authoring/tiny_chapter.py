"""The source of a tiny chapter: two exercises, two evidence cells, and checks that need no library."""

from __future__ import annotations

HEADER = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# course:
#   title: "Tiny: doubling"
#   minutes: 20
#   prerequisites: ["11"]
# ---
"""

SETUP = '''\
# %% [markdown]
# # Doubling — a puzzle
#
# Why does $2x$ grow?
#
# - one
#   - nested

# %% tags=["setup"]
import os
from torch import Tensor
from jaxtyping import Float


class checks:
    """Stands in for the course's checks."""

    class toy:
        @staticmethod
        def test_double(f):
            try:
                f(1)
            except NotImplementedError as error:
                print("not attempted yet:", error)

        @staticmethod
        def test_seven(value):
            print("not attempted yet" if value is ... else value)

    @staticmethod
    def yours_or(yours, ours):
        return ours


def helper(x: int) -> int:
    return x + 0


class library:
    @staticmethod
    def double(x):
        return 2 * x

    seven = 7
'''

EXERCISE_1 = '''\
# %% [markdown]
# ### Exercise 21.1 · Double it
# Difficulty ●●○○○ · Importance ●●●○○ · 10 min
#
# Write it.
#
# <details><summary>Hint 1</summary>
#
# Two of them.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# $x + x$
#
# </details>

# %%
def double(x: int) -> int:
    """Twice ``x``."""
    # BEGIN SOLUTION
    return helper(x) + x
    # END SOLUTION


checks.toy.test_double(double)

# %%
double = checks.yours_or(double, library.double)
print("doubled", double(3))
'''

EXERCISE_2 = """\
# %% [markdown]
# ## Deeper
#
# More.

# %% [markdown]
# ### Exercise 21.2 · Seven
# Difficulty ●○○○○ · Importance ●○○○○ · 5 min
#
# <details><summary>Hint 1</summary> a </details>
# <details><summary>Hint 2</summary> b </details>
# <details><summary>What you should see</summary> 7 </details>

# %%
# BEGIN SOLUTION
# STUB: seven = ...
seven = 7
# END SOLUTION
checks.toy.test_seven(seven)
"""

EVIDENCE = """\
# %% tags=["evidence"]
seven = checks.yours_or(seven, library.seven)
limit = 14
print("claim | ours")
print("seven |", seven, "✓")
double(seven)

# %% tags=["solution-only"]
secret = 1

# %% tags=["evidence"]
print(limit)
"""

TINY = "\n".join([HEADER, SETUP, EXERCISE_1, EXERCISE_2, EVIDENCE])
NAME = "21_tiny_chapter"


def line_of(text: str, piece: str) -> int:
    """The 1-based line on which ``piece`` first occurs."""
    assert piece in text, piece
    return text[: text.index(piece)].count("\n") + 1
