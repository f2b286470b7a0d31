'''Is the answer right, if not what differs, and what did I probably do?

Topics are imported when they are first used::

    from course_utils import checks

    checks.fourier.test_fourier_basis(fourier_basis)

**Writing a check**

A topic is a module `course_utils/checks/<topic>.py` with one function `test_<exercise>(answer)` per exercise::

    from course_utils import fourier
    from course_utils.checks.framework import Mistake, call, check, expect_close, expect_shape, noncontiguous

    def _transposed(x, factors):
        return x * factors[:, None]

    @check(
        reference=fourier.scale_columns,
        alternatives=[lambda x, factors: torch.einsum("rc,c->rc", x, factors)],
        mistakes=[
            Mistake("scales rows", _transposed, "This scales the rows. A factor belongs to a column: the last axis."),
        ],
        cases=lambda: [(torch.randn(4, 4), torch.randn(4))],
    )
    def test_scale_columns(answer):
        """Multiply each column of a matrix by its own factor."""
        for rows, columns in ((2, 3), (5, 4)):
            x, factors = torch.randn(rows, columns), torch.randn(columns)
            y = call(answer, x, factors)
            expect_shape(y, (rows, columns), what="the result")
            for j in range(columns):
                expect_close(y[:, j], x[:, j] * float(factors[j]), what=f"column {j}", why="it has its own factor")
        x = noncontiguous(torch.randn(3, 5, dtype=torch.float64))
        expect_close(call(answer, x, torch.ones(5).double()), x, what="the result for factors of 1")

* Right is defined by properties, identities or an independent computation, never by calling the reference.
* Let every size differ from every other, so that a wrong axis shows; let biases differ from zero; use several sizes.
  The generators of torch, NumPy and Python are seeded before each check, so plain `torch.randn` is deterministic.
* `call(answer, …)` runs learner code. It protects the inputs and always hands back what `returns=` says (a tensor
  unless told otherwise), in the dtype that the learner chose: write `y.double()` before mixing it with tensors of your
  own in a product. `value(answer)` does the same for an exercise that binds a name to a value.
* `expect_*` take `what=` (the thing examined) and `why=` (why it has to hold): together the learner's report.
* The catalogue: name, wrong implementation, and a sentence that says what the answer is and what to do. An answer is
  recognised by agreeing with an entry on all calls made until the first failure, and on all `cases`.
* `python -m course_utils.checks.selftest <topic>` then says which entries are not recognised and which mutants of the
  reference survive. A mutant that cannot be told from the reference goes into the topic's table
  `EQUIVALENT_MUTANTS = {"test_scale_columns": {"<the mutant's description>": "the reason"}}`.

Limits: an endless loop in Python is stopped after 20 s (the check's `seconds=`; the environment variable
COURSE_CHECK_SECONDS rules over both; 0 means never). A call that hangs in C is stopped only by `course check`.
'''

from __future__ import annotations

import functools
import importlib
import pkgutil
import sys
from typing import Any, TypeVar

from course_utils.checks.outcome import CheckFailed, Outcome, Report
from course_utils.checks.session import session
from course_utils.errors import CourseError, did_you_mean

__all__ = ["CheckFailed", "Outcome", "Report", "UnknownCheck", "session", "topics", "yours_or"]

_FRAMEWORK = frozenset(
    {
        "calling",
        "diagnosis",
        "expectations",
        "frames",
        "framework",
        "mutation",
        "outcome",
        "pictures",
        "progress_store",
        "rendering",
        "returned",
        "selftest",
        "session",
        "values",
        "watchdog",
    }
)

T = TypeVar("T")


class UnknownCheck(CourseError, AttributeError):
    """There is no topic or check of this name. The message lists those that exist."""


def yours_or(answer: Any, library: T) -> T:
    """The learner's `answer` if its check has passed in this process, the `library`'s otherwise.

    Prints one line that says which is in use, and why the library's. An answer is known by identity: a function defined
    anew has to pass anew.
    """
    return session.yours_or(answer, library)


def topics() -> list[str]:
    """The names of all topics, in alphabetical order."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name not in _FRAMEWORK and m.name[0] != "_")


def __getattr__(name: str) -> Any:
    if name.startswith("_") or name in _FRAMEWORK:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    known = topics()
    if name not in known:
        raise UnknownCheck(_unknown("topic of checks", name, known))
    module = importlib.import_module(f"{__name__}.{name}")
    for topic in known:  # one topic may have imported another
        loaded = sys.modules.get(f"{__name__}.{topic}")
        if loaded is not None and "__getattr__" not in vars(loaded):
            loaded.__getattr__ = functools.partial(_missing, topic)  # type: ignore[method-assign]
    return module


def _missing(topic: str, attribute: str) -> Any:
    """What a topic answers where it has no check of this name."""
    module = sys.modules[f"{__name__}.{topic}"]
    if attribute.startswith("_"):
        raise AttributeError(f"module {module.__name__!r} has no attribute {attribute!r}")
    from course_utils.checks.framework import all_checks

    raise UnknownCheck(_unknown(f"check in the topic {topic!r}", attribute, list(all_checks(module))))


def __dir__() -> list[str]:
    return sorted({*__all__, *topics()})


def _unknown(kind: str, name: str, known: list[str]) -> str:
    guess = did_you_mean(name, known)
    return f"There is no {kind} called {name!r}.{guess} There are: {', '.join(known) or 'none yet'}."
