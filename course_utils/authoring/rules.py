"""What must hold of an exercise cell and of the cells that use its answer, so that it can be skipped, checked and read?

Each rule yields ``(line, sentence)`` pairs; ``parse`` adds file and exercise.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator

from course_utils.authoring.chapter import Cell
from course_utils.authoring.names import (
    DEFINITIONS,
    Bindings,
    Definition,
    bindings,
    global_reads,
    library_calls,
    parameters,
    shapeless,
)

Findings = Iterator[tuple[int, str]]


def test_calls(tree: ast.AST) -> list[tuple[ast.Call, str]]:
    """The calls ``checks.<topic>.test_<name>(…)``, each with ``topic.test_name``."""
    return [(call, name) for call, name in library_calls(tree, "checks") if _is_test(name)]


def _is_test(name: str) -> bool:
    topic, _, test = name.partition(".")
    return bool(topic) and test.startswith("test_") and "." not in test


def check_call(cell: Cell, tree: ast.Module) -> tuple[str | None, str | None, list[tuple[int, str]]]:
    """The name the exercise asks for and its check (None where they cannot be told), and what is wrong."""
    calls = test_calls(tree)
    if not calls:
        sentence = "the exercise cell calls no check; end it with `checks.<topic>.test_<name>(<name>)`."
        return None, None, [(cell.line, sentence)]
    call, check = calls[0]
    if len(calls) > 1:
        sentence = f"the exercise cell calls {len(calls)} checks; it needs exactly one."
        return None, None, [(cell.at(calls[1][0].lineno), sentence)]
    if not call.args or not isinstance(call.args[0], ast.Name):
        return None, check, [(cell.at(call.lineno), f"give `checks.{check}` the name of the answer itself.")]
    unknown = unknown_check(check)
    return call.args[0].id, check, [(cell.at(call.lineno), unknown)] if unknown else []


def unknown_check(check: str) -> str | None:
    """Says so when the topic module can be imported and has no such check; a topic not there yet passes."""
    topic, _, test = check.partition(".")
    try:
        module = importlib.import_module(f"course_utils.checks.{topic}")
    except Exception:  # A topic module that is broken is reported by its own tests.
        return None
    if hasattr(module, test):
        return None
    known = ", ".join(sorted(name for name in vars(module) if name.startswith("test_"))) or "none"
    return f"there is no check `{check}`; the checks of `{topic}` are: {known}."


def answer_rules(solution: Cell, tree: ast.Module, name: str, blocks: int) -> Findings:
    """The cell defines what it checks, inside a solution block; a function says its shapes and its contract."""
    if blocks == 0:
        yield solution.line, "the exercise cell has no solution block (`# BEGIN SOLUTION` … `# END SOLUTION`)."
    if name not in bindings(tree):
        yield solution.line, f"the exercise cell checks `{name}` and does not define it."
    for node in tree.body:
        if isinstance(node, DEFINITIONS) and node.name == name:
            yield from _signature(solution, node)


def _signature(cell: Cell, node: Definition) -> Findings:
    line = cell.at(node.lineno)
    if not ast.get_docstring(node):
        yield line, f"`{node.name}` has no docstring; state its contract there."
    if isinstance(node, ast.ClassDef):
        for method in node.body:
            if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _shapes(cell, method, method=True)
        return
    yield from _shapes(cell, node, method=False)


def _shapes(cell: Cell, node: ast.FunctionDef | ast.AsyncFunctionDef, method: bool) -> Findings:
    line = cell.at(node.lineno)
    for k, parameter in enumerate(parameters(node)):
        if method and k == 0:
            continue
        if parameter.annotation is None:
            what = f"parameter `{parameter.arg}` of `{node.name}`"
            yield line, f'{what} has no annotation; write `Float[Tensor, "p n"]`, `int` ….'
        elif shapeless(parameter.annotation):
            yield line, _no_shape(f"parameter `{parameter.arg}` of `{node.name}`", parameter.annotation)
    if node.returns is None:
        if not (method and node.name == "__init__"):
            yield line, f'`{node.name}` does not say what it returns; write `-> Float[Tensor, "p n"]`, `-> int` ….'
    elif shapeless(node.returns):
        yield line, _no_shape(f"the return value of `{node.name}`", node.returns)


def _no_shape(what: str, annotation: ast.expr) -> str:
    return f'{what} is annotated `{ast.unparse(annotation)}`, which has no shape; write `Float[Tensor, "p n"]`.'


def stub_rules(stub: Cell, exercise: str, name: str | None) -> Findings:
    """The stub parses, still defines the name, and is told apart from an attempt by the checks."""
    try:
        tree = ast.parse(stub.source)
    except SyntaxError as error:
        sentence = f"the stub does not parse ({error.msg}); its `# STUB:` lines must leave valid code."
        yield stub.at(error.lineno or 1), sentence
        return
    for statement in tree.body:
        if isinstance(statement, ast.Raise):
            yield (
                stub.at(statement.lineno),
                "the stub would stop the notebook here; a block outside a function needs `# STUB: name = ...`.",
            )
            return
    if name is None:
        return
    if name not in bindings(tree):
        yield stub.line, f"the stub no longer defines `{name}`; keep it with a `# STUB:` line."
    elif not (_raises_not_attempted(tree, exercise) or _is_ellipsis(tree, name)):
        yield (
            stub.line,
            "nothing in the stub says that it is not attempted; let it raise "
            f'`NotImplementedError("Exercise {exercise}: …")`, or bind `{name} = ...`.',
        )


def _raises_not_attempted(tree: ast.Module, exercise: str) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            message = node.exc.args[0]
            said = message.value if isinstance(message, ast.Constant) else ""
            ours = re.match(rf"Exercise {re.escape(exercise)}(?!\d)", str(said))
            if ours and ast.unparse(node.exc.func) == "NotImplementedError":
                return True
    return False


def _is_ellipsis(tree: ast.Module, name: str) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value and ast.unparse(node.value) == "...":
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return True
    return False


def leaning_rules(cell: Cell, tree: ast.Module, others: list[Bindings], answers: dict[str, str]) -> Findings:
    """The functions and classes of an exercise cell take what they use: they read no variable of the notebook.

    ``others`` are the bindings of all the chapter's other code cells; ``answers`` maps names to other exercises.
    """
    own = bindings(tree)
    imports = {name for found in [own, *others] for name in found.imports}
    values = {name for found in [own, *others] for name in found.values}
    for node in tree.body:
        if not isinstance(node, DEFINITIONS):
            continue
        for name, row in sorted(global_reads(cell.source, node).items(), key=lambda pair: (pair[1], pair[0])):
            if name in own.definitions or (name in imports and name not in values):
                continue
            if name in answers:
                yield (
                    cell.at(row),
                    f"`{node.name}` uses `{name}`, the answer to exercise {answers[name]}; "
                    "call the library's version, or take it as a parameter.",
                )
            elif name in values:
                yield cell.at(row), f"`{node.name}` leans on the notebook's variable `{name}`; take it as a parameter."


def use_rules(later: list[tuple[Cell, ast.Module]], name: str, check: str) -> Findings:
    """The first later cell that uses the answer begins by choosing between the learner's and the library's."""
    for cell, tree in later:
        for statement in tree.body:
            if is_choice(statement, name):
                return
            row = global_reads(cell.source, statement).get(name)
            if row is not None:
                yield (
                    cell.at(row),
                    f"`{name}` is used before `{name} = checks.yours_or({name}, {check.partition('.')[0]}.{name})`; "
                    "begin the cell with that line.",
                )
                return


def is_choice(statement: ast.stmt, name: str) -> bool:
    """Is this ``name = checks.yours_or(name, …)``?"""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
        return False
    call = statement.value
    targets = [target.id for target in statement.targets if isinstance(target, ast.Name)]
    first = call.args[0] if len(call.args) == 2 else None
    return (
        ast.unparse(call.func) == "checks.yours_or"
        and targets == [name]
        and isinstance(first, ast.Name)
        and first.id == name
    )
