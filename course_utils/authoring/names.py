"""Which names does a piece of code define, and which does it take from the notebook around it?"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator
from dataclasses import dataclass, field

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
SCOPES = (*DEFINITIONS, ast.Lambda)


@dataclass
class Bindings:
    """The names a cell binds at top level, by how: to values, by ``import``, by ``def`` or ``class``."""

    values: dict[str, int] = field(default_factory=dict)
    imports: dict[str, int] = field(default_factory=dict)
    definitions: dict[str, int] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        return name in self.values or name in self.imports or name in self.definitions


def bindings(tree: ast.Module) -> Bindings:
    """What the top level of a cell binds, with the row of each binding; bodies of functions are not looked into."""
    found = Bindings()
    for node in _same_scope(tree):
        if isinstance(node, DEFINITIONS):
            found.definitions.setdefault(node.name, node.lineno)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                found.imports.setdefault(alias.asname or alias.name.split(".")[0], node.lineno)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.values.setdefault(node.id, node.lineno)
    return found


def _same_scope(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node that runs in the scope of ``tree``, in order; definitions are yielded and not entered."""
    for child in ast.iter_child_nodes(tree):
        yield child
        if not isinstance(child, (*SCOPES, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            yield from _same_scope(child)


def first_row(statement: ast.stmt) -> int:
    """The first row of a statement, its decorators included."""
    decorators = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def global_reads(source: str, statement: ast.stmt) -> dict[str, int]:
    """The names that running this top-level statement, or calling what it defines, reads from the notebook's globals.

    Parameters, local variables and what the statement itself binds first are not among them. Gives name → row.
    """
    rows = source.split("\n")[first_row(statement) - 1 : statement.end_lineno]
    table = symtable.symtable("\n".join(rows), "cell", "exec")
    names = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    waiting = list(table.get_children())
    while waiting:
        inner = waiting.pop()
        waiting += inner.get_children()
        names |= {s.get_name() for s in inner.get_symbols() if s.is_global() and s.is_referenced()}
    if not isinstance(statement, DEFINITIONS):
        # From Python 3.12 on, a comprehension's variables count among the names of the scope around it.
        names -= _comprehension_variables(statement)
    first: dict[str, int] = {}
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
            first[node.id] = min(node.lineno, first.get(node.id, node.lineno))
    return first


def _comprehension_variables(statement: ast.stmt) -> set[str]:
    loops = [node.target for node in ast.walk(statement) if isinstance(node, ast.comprehension)]
    return {node.id for target in loops for node in ast.walk(target) if isinstance(node, ast.Name)}


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    """All parameters of a function, in the order they are written."""
    a = function.args
    rest = [a.vararg] if a.vararg else []
    return [*a.posonlyargs, *a.args, *rest, *a.kwonlyargs, *([a.kwarg] if a.kwarg else [])]


def shapeless(annotation: ast.expr) -> bool:
    """Does this annotation name a tensor or array without its shape, as in ``Tensor``, ``list[Tensor]``?"""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            return shapeless(ast.parse(annotation.value, mode="eval").body)
        except SyntaxError:
            return False
    if isinstance(annotation, ast.Subscript):
        if isinstance(annotation.slice, ast.Tuple) and len(annotation.slice.elts) == 2:
            shape = annotation.slice.elts[1]
            if isinstance(shape, ast.Constant) and isinstance(shape.value, str) and _is_array(annotation.slice.elts[0]):
                return False
        if isinstance(annotation.value, ast.Name) and annotation.value.id == "Literal":
            return False
    if _is_array(annotation):
        return True
    return any(shapeless(child) for child in ast.iter_child_nodes(annotation) if isinstance(child, ast.expr))


def _is_array(node: ast.expr) -> bool:
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name in ("Tensor", "ndarray", "Array", "ArrayLike")


def library_calls(tree: ast.AST, module: str) -> list[tuple[ast.Call, str]]:
    """The calls ``module.name(…)`` in the code, in order, each with its ``name`` (dotted: ``fourier.test_basis``)."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := _dotted(node.func)).startswith(f"{module}."):
            found.append((node, name.removeprefix(f"{module}.")))
    return sorted(found, key=lambda pair: (pair[0].lineno, pair[0].col_offset))


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return f"{_dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""
