"""What does the learner's code return?  `call` and `value` run it so that nothing it does or returns breaks a check."""

from __future__ import annotations

import inspect
import io
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks.frames import learner_frames
from course_utils.checks.outcome import Finding, Mismatch, NotAttempted
from course_utils.checks.returned import conformed, kind_of
from course_utils.checks.values import describe, loosened, protected, unchanged
from course_utils.checks.watchdog import TimeUp


@dataclass(frozen=True)
class Raised:
    """A call that ended in an exception, kept so that a mistake in the catalogue can be seen to end the same way."""

    kind: type[BaseException]
    message: str


@dataclass(frozen=True)
class Recorded:
    """One use of the answer: what went in, what came out. `args` is None where the answer itself is the value."""

    args: tuple[Any, ...] | None
    kwargs: dict[str, Any]
    result: Any
    changed: tuple[str, ...] = ()  # inputs written on
    after: tuple[Any, ...] | None = None  # the inputs afterwards, where writing on them is the exercise
    seed: int = 0


@dataclass
class Recording:
    """What happened to an answer during one check."""

    uses: list[Recorded] = field(default_factory=list)
    stopped_at: tuple[str, ...] = ()


recording: ContextVar[Recording | None] = ContextVar("recording", default=None)


def call(answer: Callable[..., Any], *args: Any, returns: Any = Tensor, may_mutate: bool = False, **kwargs: Any) -> Any:
    """Run the answer on these arguments and hand back what it returned, in the form that the check wants.

    The answer gets copies of all arguments (same dtype, same strides) and is reported if it writes on them, unless
    `may_mutate`, when it gets the arguments themselves. The random number generators are seeded by the number of the
    call, and their state is put back.

    returns: what the exercise asks for. Tensor (default; a number or a NumPy array is accepted and turned into one),
        int, float, bool, str, list, dict, tuple; a tuple of these for several results, as in (Tensor, float); object
        for anything.

    Raises Mismatch with a sentence for the learner, NotAttempted where the stub is untouched.
    """
    _require_function(answer)
    _require_signature(answer, args, kwargs)
    use = invoke(answer, args, kwargs, may_mutate=may_mutate, seed=_number_of_calls())
    _keep(use)
    shown = f"`{_name(answer)}({_arguments(args, kwargs)})`"
    if isinstance(use.result, _Trouble):
        raise Mismatch(
            Finding(
                what=f"{shown} raised {use.result.kind.__name__}: {use.result.message}".rstrip(": "),
                why=_exception_hint(use.result),
                frames=use.result.frames,
            )
        )
    result = conformed(use.result, returns, f"`{_name(answer)}`")
    if use.changed:
        inputs = " and ".join(f"`{name}`" for name in use.changed)
        raise Mismatch(
            Finding(
                what=f"`{_name(answer)}` changed its input {inputs}",
                why="The caller still needs it as it was. Work on a copy (`x.clone()`), or use an operation that "
                "returns a new tensor: `x = x * 2` in place of `x *= 2`.",
            )
        )
    return result


def value(answer: Any, returns: Any = Tensor) -> Any:
    """The answer itself, for an exercise that binds a name to an expression; `returns` as in `call`."""
    _keep(Recorded(None, {}, loosened(answer)))
    return conformed(loosened(answer), returns, "your answer", verb="is")


@dataclass(frozen=True)
class _Trouble(Raised):
    frames: tuple[str, ...] = ()


def invoke(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    may_mutate: bool = False,
    seed: int = 0,
) -> Recorded:
    """One call, with its arguments protected and its exceptions turned into a value.

    Lets through only `TimeUp`, KeyboardInterrupt, and NotAttempted for an untouched stub.
    """
    inputs = (tuple(args), dict(kwargs))
    before, before_kw = protected(inputs)
    given, given_kw = inputs if may_mutate else protected(inputs)
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    result: Any
    try:
        with torch.enable_grad():
            result = loosened(function(*given, **given_kw))
    except TimeUp as stop:
        current = recording.get()
        if current is not None:
            current.stopped_at = learner_frames(stop.__traceback__)
        raise
    except (KeyboardInterrupt, NotAttempted):
        raise
    except BaseException as error:  # SystemExit included: exit() in a cell must not end a check
        if isinstance(error, NotImplementedError) and str(error).startswith("Exercise "):
            raise NotAttempted(_exercise_id(str(error))) from None
        result = _Trouble(type(error), _first_lines(error), learner_frames(error.__traceback__))
    finally:
        torch.set_rng_state(state)
    changed: tuple[str, ...] = ()
    if not may_mutate:
        names = _parameter_names(function, len(args))
        pairs = [*zip(names, given, before, strict=True), *((k, given_kw[k], before_kw[k]) for k in before_kw)]
        changed = tuple(name for name, now, then in pairs if not unchanged(now, then))
    after = tuple(_state(a) for a in (*given, *given_kw.values())) if may_mutate else None
    return Recorded(before, before_kw, result, changed, after, seed)


class FirstLines(io.TextIOBase):
    """A text stream that keeps the beginning of what is written and counts the rest."""

    def __init__(self, lines: int = 12, characters: int = 1200) -> None:
        super().__init__()
        self._lines, self._characters = lines, characters
        self._kept: list[str] = []
        self._size = 0
        self._total = 0

    encoding = "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        room = self._characters - self._size
        if room > 0:
            self._kept.append(text[:room])
            self._size += len(text[:room])
        self._total += len(text)
        return len(text)

    def text(self) -> str:
        """The first lines, and how much was left out."""
        kept = "".join(self._kept)
        lines = kept.splitlines()
        short = "\n".join(lines[: self._lines]).rstrip()
        left_out = self._total - len(kept) + sum(len(line) + 1 for line in lines[self._lines :])
        return f"{short}\n… and {left_out:,} more characters" if left_out > 0 and short else short


def _require_function(answer: Any) -> None:
    if inspect.isclass(answer):
        raise Mismatch(
            Finding(
                f"you passed the class `{answer.__name__}` itself",
                "The check calls your answer with the exercise's arguments. Pass a function, or an instance of the "
                "class that can be called.",
            )
        )
    if not callable(answer):
        raise Mismatch(
            Finding(
                f"a function is needed here, but your answer is {kind_of(answer)}",
                "Pass the function itself, without calling it: `test_…(f)`, not `test_…(f(x))`.",
                got=describe(answer),
            )
        )


def _require_signature(answer: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    try:
        signature = inspect.signature(answer)
    except (TypeError, ValueError):  # built-in functions may have none
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        plain = signature.replace(
            parameters=[p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()],
            return_annotation=inspect.Signature.empty,
        )
        raise Mismatch(
            Finding(
                f"`{_name(answer)}` cannot be called with the arguments of the exercise: {error}",
                "Keep the parameters of the exercise, in its order.",
                expected=f"a call {_name(answer)}({_arguments(args, kwargs)})",
                got=f"parameters {plain}",
            )
        ) from None


def _exception_hint(trouble: _Trouble) -> str:
    if trouble.kind is RecursionError:
        return "The function calls itself without end: is there a case in which it does not?"
    if trouble.kind is SystemExit:
        return "Leave out `exit()`: return a value in its place."
    if trouble.kind is NameError:
        return "A name is used that has not been defined: run the cell that defines it, or check its spelling."
    if trouble.kind is RuntimeError and all(word in trouble.message.lower() for word in ("double", "float")):
        return (
            "Single and double precision meet here. Make all tensors of one kind: give yours the dtype of the arguments "
            "(a check may pass either), or `dtype=torch.float64` where no argument is a tensor."
        )
    return ""


def _state(argument: Any) -> Any:
    return loosened(dict(argument.state_dict())) if isinstance(argument, nn.Module) else loosened(argument)


def _parameter_names(function: Callable[..., Any], count: int) -> list[str]:
    try:
        names = [p.name for p in inspect.signature(function).parameters.values() if p.kind <= p.POSITIONAL_OR_KEYWORD]
    except (TypeError, ValueError):
        names = []
    return [names[i] if i < len(names) else f"argument {i + 1}" for i in range(count)]


def _arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    shown = [_brief(a) for a in args] + [f"{k}={_brief(v)}" for k, v in kwargs.items()]
    return ", ".join(shown)


def _brief(argument: Any) -> str:
    if isinstance(argument, Tensor):
        return f"tensor {tuple(argument.shape)}" if argument.ndim else f"tensor {describe(argument)}"
    if isinstance(argument, (int, float, bool, str, type(None))):
        return repr(argument)
    return type(argument).__name__


def _name(answer: Any) -> str:
    while hasattr(answer, "func"):  # functools.partial
        answer = answer.func
    name = getattr(answer, "__name__", type(answer).__name__)
    return "your lambda" if name == "<lambda>" else name


def _first_lines(error: BaseException) -> str:
    try:
        text = str(error).strip()
    except Exception:  # an exception class of the learner's own may not print
        return ""
    lines = text.splitlines()
    short = "\n".join(lines[:4])
    return short if len(short) <= 400 else short[:400] + "…"


def _exercise_id(message: str) -> str:
    found = re.match(r"Exercise (\w+(?:\.\w+)*)", message)
    return found.group(1) if found else ""


def _number_of_calls() -> int:
    current = recording.get()
    return len(current.uses) if current else 0


def _keep(use: Recorded) -> None:
    current = recording.get()
    if current is not None:
        current.uses.append(use)
