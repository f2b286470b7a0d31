"""Which small changes of a correct function does a check let through?  Mutants of one function.

The usual tools change whole projects on disk and start a test run for each change; a check needs one function changed,
in a warm process, thousands of times.
"""

from __future__ import annotations

import ast
import copy
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
}  # fmt: skip
_PAIRS = (
    ("sum", "mean"), ("sin", "cos"), ("min", "max"), ("amin", "amax"), ("argmin", "argmax"), ("zeros", "ones"),
    ("zeros_like", "ones_like"), ("any", "all"), ("floor", "ceil"), ("triu", "tril"), ("real", "imag"), ("exp", "log"),
    ("cumsum", "cumprod"), ("softmax", "log_softmax"), ("std", "var"), ("sum", "prod"), ("append", "extend"),
)  # fmt: skip
_SWAPPED = {
    name: [b for a, b in _PAIRS if a == name] + [a for a, b in _PAIRS if b == name] for pair in _PAIRS for name in pair
}
_DROPPED = frozenset((
    "abs", "sqrt", "square", "exp", "log", "relu", "conj", "softmax", "log_softmax", "norm", "neg", "sign", "round",
    "floor", "sort", "flip", "sorted", "reversed", "triu", "tril", "t", "transpose", "permute",
))  # fmt: skip

_MOST_CHARACTERS = 90


@dataclass(frozen=True)
class Mutant:
    """A changed function. `description` names the change: "line 3: `a + b` → `a - b`" (line 1 is the ``def``)."""

    description: str
    source: str


def mutants(function: Callable[..., Any]) -> list[Mutant]:
    """All mutants of a plain function, each different in text from the others; none where there is no source."""
    tree = _parsed(function)
    if tree is None:
        return []
    for number, node in enumerate(ast.walk(tree)):
        node.number = number  # type: ignore[attr-defined]
    found: dict[str, Mutant] = {}
    original = ast.unparse(tree)
    for node, parent in list(_mutable(tree)):
        for label, changed in _variants(node, parent):
            source = ast.unparse(ast.fix_missing_locations(_Replace(node.number, changed).visit(copy.deepcopy(tree))))
            if source != original and source not in found:
                found[source] = Mutant(f"line {node.lineno}: {label}", source)
    counts: dict[str, int] = {}
    named = []
    for mutant in found.values():
        counts[mutant.description] = count = counts.get(mutant.description, 0) + 1
        again = f" ({count})" if count > 1 else ""
        named.append(Mutant(mutant.description + again, mutant.source))
    return named


def built(mutant: Mutant, function: Callable[..., Any]) -> Callable[..., Any]:
    """The mutant as a function that sees what the original sees; a recursive call reaches the mutant itself."""
    function = _plain(function)
    names = dict(function.__globals__)
    if function.__closure__:
        names.update(inspect.getclosurevars(function).nonlocals)
    exec(compile(mutant.source, "<mutant>", "exec"), names)
    return names[function.__name__]


def _plain(function: Any) -> Any:
    return inspect.unwrap(function) if callable(function) else function


def _parsed(function: Any) -> ast.FunctionDef | None:
    """The function's tree without decorators, annotations and docstring, which do nothing when it runs."""
    function = _plain(function)
    if not inspect.isfunction(function) or function.__name__ == "<lambda>":
        return None
    try:
        module = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError, TypeError):
        return None
    tree = module.body[0]
    if not isinstance(tree, ast.FunctionDef):
        return None
    ast.increment_lineno(tree, 1 - tree.lineno)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.decorator_list, node.returns = [], None
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass(lineno=node.lineno, col_offset=0)]
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.copy_location(ast.Name("object", ast.Load()), node.annotation)
    return tree


def _mutable(tree: ast.AST) -> Iterator[tuple[Any, ast.AST]]:
    """Nodes to change, with their parents. What only words an error (raise, assert, f-strings) is left alone."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, (ast.Raise, ast.Assert, ast.JoinedStr)):
            continue
        if hasattr(child, "lineno"):
            yield child, tree
        yield from _mutable(child)


class _Replace(ast.NodeTransformer):
    def __init__(self, number: int, new: ast.AST | None) -> None:
        self.number, self.new = number, new

    def visit(self, node: ast.AST) -> Any:
        if getattr(node, "number", None) == self.number:
            return copy.deepcopy(self.new)
        return self.generic_visit(node)


def _variants(node: Any, parent: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The changed forms of one node, each with its label; a number is shown in what surrounds it."""
    if isinstance(node, ast.stmt):
        yield from _statements(node)
        return
    shown = parent if isinstance(node, ast.Constant) and isinstance(parent, (ast.expr, ast.keyword)) else node
    for new in _expressions(node):
        after = _Replace(node.number, new).visit(copy.deepcopy(shown))
        yield f"`{_short(shown)}` → `{_short(after)}`", new


def _statements(node: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    nothing = ast.copy_location(ast.Pass(), node)
    if isinstance(node, (ast.AugAssign, ast.Expr)):
        yield f"`{_short(node)}` dropped", nothing
    if isinstance(node, ast.AugAssign) and type(node.op) in _OPERATORS:
        new = _with(node, op=_OPERATORS[type(node.op)]())
        yield f"`{_short(node)}` → `{_short(new)}`", new
    if isinstance(node, ast.Assign):
        target = node.targets[0]
        used = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
        # The first assignment of a name cannot be dropped without a NameError, which every check notices.
        if not isinstance(target, ast.Name) or target.id in used:
            yield f"`{_short(node)}` dropped", nothing
    if isinstance(node, ast.If):
        for truth in (True, False):
            yield f"`if {_short(node.test)}` → `if {truth}`", _with(node, test=ast.Constant(truth))
    if isinstance(node, (ast.Break, ast.Continue)):
        yield f"`{_short(node)}` dropped", nothing


def _expressions(node: Any) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp):
        if type(node.op) in _OPERATORS:
            yield _with(node, op=_OPERATORS[type(node.op)]())
        if isinstance(node.op, (ast.MatMult, ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)):
            yield _with(node, left=node.right, right=node.left)
        yield node.left
        if isinstance(node.op, (ast.Add, ast.Sub, ast.Mult)):
            yield node.right
    elif isinstance(node, ast.UnaryOp):
        number = node.operand.value if isinstance(node.operand, ast.Constant) else None
        if isinstance(node.op, ast.USub) and isinstance(number, (int, float)):
            yield from (_with(node, operand=ast.Constant(number + 1)), node.operand)
        elif isinstance(node.op, (ast.USub, ast.Not, ast.Invert)):
            yield node.operand
    elif isinstance(node, ast.Compare):
        for new in _COMPARISONS.get(type(node.ops[0]), ()):
            yield _with(node, ops=[new(), *node.ops[1:]])
    elif isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        yield from node.values
    elif isinstance(node, ast.Constant):
        yield from map(ast.Constant, _constants(node.value))
    elif isinstance(node, ast.Subscript):
        yield from _subscripts(node)
    elif isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse)
    elif isinstance(node, ast.Attribute):
        for name in _SWAPPED.get(node.attr, ()):
            yield _with(node, attr=name)
        if node.attr in ("T", "mT", "real", "imag"):
            yield node.value
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    elif isinstance(node, (ast.Tuple, ast.List)) and isinstance(node.ctx, ast.Load) and len(node.elts) > 1:
        yield _with(node, elts=[node.elts[1], node.elts[0], *node.elts[2:]])
    elif isinstance(node, (ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)):
        for i, loop in enumerate(node.generators):
            if loop.ifs:
                yield _with(node, generators=[*node.generators[:i], _with(loop, ifs=[]), *node.generators[i + 1 :]])


def _constants(constant: Any) -> Iterator[Any]:
    if isinstance(constant, bool):
        yield not constant
    elif isinstance(constant, int):
        yield from (constant + 1, constant - 1)
    elif isinstance(constant, float):
        yield from (constant * 2, constant + 1)
    elif isinstance(constant, str) and "->" in constant:  # an einsum or einops pattern: two axes of the result swapped
        left, _, right = constant.partition("->")
        axes = right.split() if " " in right.strip() else list(right.strip())
        if len(axes) > 1 and "(" not in right:
            axes[-2:] = axes[-1:-3:-1]
            yield f"{left}->{' ' + ' '.join(axes) if ' ' in right.strip() else ''.join(axes)}"


def _subscripts(node: ast.Subscript) -> Iterator[ast.expr]:
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    for i, part in enumerate(parts):
        changed: list[ast.expr] = []
        if isinstance(part, ast.Slice):
            if part.lower is not None:
                changed.append(_with(part, lower=None))
            if part.upper is not None:
                changed.append(_with(part, upper=None))
            if part.step is not None:
                changed.append(_with(part, step=None))
        for new in changed:
            whole = [*parts[:i], new, *parts[i + 1 :]]
            yield _with(node, slice=_with(node.slice, elts=whole) if isinstance(node.slice, ast.Tuple) else new)
    if isinstance(node.slice, ast.Tuple) and len(parts) > 1:
        yield _with(node, slice=_with(node.slice, elts=[parts[1], parts[0], *parts[2:]]))


def _calls(node: ast.Call) -> Iterator[ast.expr]:
    plain = not any(isinstance(a, ast.Starred) for a in node.args)
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if plain and len(node.args) > 1:
        yield _with(node, args=[node.args[1], node.args[0], *node.args[2:]])
    for i in range(len(node.keywords)):
        yield _with(node, keywords=[*node.keywords[:i], *node.keywords[i + 1 :]])
    if isinstance(node.func, ast.Name):
        for other in _SWAPPED.get(name, ()):
            if other in ("min", "max", "sum", "any", "all"):
                yield _with(node, func=ast.Name(other, ast.Load()))
    if name in _DROPPED:
        if isinstance(node.func, ast.Attribute) and not _is_module(node.func.value):
            yield node.func.value
        elif node.args and plain:
            yield node.args[0]
    if name in ("range", "arange") and plain and len(node.args) == 1:
        yield _with(node, args=[ast.Constant(1), *node.args])
        yield _with(node, args=[ast.BinOp(node.args[0], ast.Sub(), ast.Constant(1))])
    if name in ("range", "arange") and plain and len(node.args) >= 2:
        yield _with(node, args=[node.args[0], ast.BinOp(node.args[1], ast.Sub(), ast.Constant(1)), *node.args[2:]])


def _is_module(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in ("torch", "np", "numpy", "math", "F", "einops", "nn")


def _with(node: Any, **changes: Any) -> Any:
    new = copy.copy(node)
    for name, value in changes.items():
        setattr(new, name, value)
    if hasattr(new, "number"):
        del new.number  # a changed copy may hold its original, as in `-x` → `x`
    return new


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"
