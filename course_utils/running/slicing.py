"""Which top-level statements of a file does an exercise need?

A backward slice: the names an exercise uses, the statements that bind them, the names those use, and so on. What is
not in the slice (figures, displays, training runs) is not executed, and an error there cannot spoil a check.
"""

from __future__ import annotations

import ast
import builtins
import re
import symtable
import warnings
from dataclasses import dataclass

_GLOBAL_SETTINGS = re.compile(
    r"^(?:\w+\.)*(?:manual_seed|seed|set_default_dtype|set_default_device|set_grad_enabled|set_printoptions"
    r"|set_num_threads|set_float32_matmul_precision|use_deterministic_algorithms|path\.(?:insert|append))\("
)
_BUILTINS = frozenset(dir(builtins)) | {"__file__", "__name__", "display", "get_ipython"}
_MAGIC = re.compile(r"^(\s*)(?:[%!?]|[\w.]+\?{1,2}\s*$)")
_ASSIGNED_MAGIC = re.compile(r"^(\s*[\w, ]+=\s*)(?:!|%\w).*$")


@dataclass(frozen=True)
class Statement:
    """One top-level statement. ``now`` are the names it reads when executed, ``later`` those its functions read."""

    cell: int
    index: int
    node: ast.stmt
    binds: frozenset[str]
    touches: frozenset[str]
    now: frozenset[str]
    later: frozenset[str]
    always: bool

    @property
    def key(self) -> tuple[int, int]:
        """Position in the file: (cell, statement in the cell)."""
        return (self.cell, self.index)

    @property
    def is_conditional(self) -> bool:
        """Whether its bindings may not happen, so that an earlier binding can still be the one in force."""
        return isinstance(self.node, (ast.If, ast.For, ast.While, ast.Try, ast.With, ast.Match, ast.AugAssign))


@dataclass(frozen=True)
class Parsed:
    """A code cell's statements, and the sentence about its syntax error if it has one (then what could be saved)."""

    statements: tuple[Statement, ...]
    error: str = ""
    error_line: int = 0
    text: str = ""


def parse_cell(source: str, number: int, line: int = 0) -> Parsed:
    """The statements of one code cell; ``line`` is how many lines of the file come before it.

    Lines for IPython (``%magic``, ``!command``, ``name?``) are dropped. If the cell does not parse, the statements
    that parse on their own are kept and the error is described.
    """
    try:
        return Parsed(_statements(_parse(source), number, line), text=source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    plain = drop_magics(source)
    try:
        return Parsed(_statements(_parse(plain), number, line), text=source)
    except SyntaxError as error:
        where = (error.lineno or 1) + line
        quoted = (error.text or "").strip()
        sentence = f"{error.msg} in line {where}" + (f": {quoted}" if quoted else "")
    except (ValueError, RecursionError, MemoryError) as error:
        where, sentence = 1 + line, f"Python cannot read this cell ({error})"
    return Parsed(_statements(_salvage(plain), number, line), sentence, where, source)


def drop_magics(source: str) -> str:
    """The source with IPython's own lines replaced by ``pass``, so that line numbers stay as they are."""
    lines = source.split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    if lines[first].startswith("%%"):
        if not re.match(r"%%(time|timeit|capture|prun|python3?)\b", lines[first]):
            return "\n".join("" for _ in lines)
        lines[first] = "pass"
    out = []
    for line in lines:
        line = _ASSIGNED_MAGIC.sub(r"\1None", line)
        match = _MAGIC.match(line)
        out.append(f"{match.group(1)}pass" if match else line)
    return "\n".join(out)


def _parse(source: str) -> list[ast.stmt]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source).body


def _salvage(source: str) -> list[ast.stmt]:
    lines = source.split("\n")
    starts = [
        i
        for i, line in enumerate(lines)
        if re.match(r"[A-Za-z_@(\[{'\"]", line) and not re.match(r"(else|elif|except|finally|case)\b", line)
    ]
    starts = [i for n, i in enumerate(starts) if n == 0 or not lines[starts[n - 1]].startswith("@")]
    kept: list[ast.stmt] = []
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=False):
        try:
            nodes = _parse("\n" * start + "\n".join(lines[start:end]))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        kept.extend(nodes)
    return kept


def _statements(body: list[ast.stmt], number: int, line: int) -> tuple[Statement, ...]:
    out: list[Statement] = []
    for node in body:
        for part in _split_imports(node):
            if line:
                ast.increment_lineno(part, line)
            out.append(_describe(part, number, len(out)))
    return tuple(out)


def _split_imports(node: ast.stmt) -> list[ast.stmt]:
    """One import a name, so that a check does not pay for the plotting library imported on the same line."""
    if not isinstance(node, (ast.Import, ast.ImportFrom)) or len(node.names) < 2:
        return [node]
    parts: list[ast.stmt] = []
    for alias in node.names:
        part = ast.Import([alias]) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, [alias], node.level)
        parts.append(ast.copy_location(part, node))
    return parts


def _describe(node: ast.stmt, cell: int, index: int) -> Statement:
    source = ast.unparse(node)
    binds, now, later = _names(source)
    touches = frozenset(_touched(node))
    always = (
        isinstance(node, ast.ImportFrom)
        and any(alias.name == "*" for alias in node.names)
        or isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        or isinstance(node, ast.Expr)
        and _GLOBAL_SETTINGS.match(source) is not None
    )
    return Statement(cell, index, node, binds, touches, now, later, bool(always))


def _names(source: str) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Names a statement binds at top level, reads while it is executed, and reads inside its functions."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            top = symtable.symtable(source, "<cell>", "exec")
    except (SyntaxError, ValueError, RecursionError):
        return frozenset(), frozenset(), frozenset()
    binds: set[str] = set()
    now: set[str] = set()
    later: set[str] = set()
    for symbol in top.get_symbols():
        if symbol.is_assigned() or symbol.is_imported():
            binds.add(symbol.get_name())
        if symbol.is_referenced():
            now.add(symbol.get_name())
    pending = [(child, False) for child in top.get_children()]
    while pending:
        table, deferred = pending.pop()
        comprehension = table.get_name() in ("genexpr", "listcomp", "setcomp", "dictcomp")
        deferred = deferred or (str(table.get_type()).lower().endswith("function") and not comprehension)
        for symbol in table.get_symbols():
            if not symbol.is_global():
                continue
            if symbol.is_referenced():
                (later if deferred else now).add(symbol.get_name())
            if symbol.is_declared_global() and symbol.is_assigned():
                binds.add(symbol.get_name())
        pending += [(child, deferred) for child in table.get_children()]
    return frozenset(binds), frozenset(now - _BUILTINS), frozenset(later - _BUILTINS)


def _touched(node: ast.AST) -> set[str]:
    """Names whose value a statement changes in place: ``x[0] = 1``, ``x.p = 2``, ``x.append(3)``."""
    found: set[str] = set()
    pending: list[ast.AST] = [node]
    while pending:
        item = pending.pop()
        if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            continue
        targets: list[ast.expr] = []
        if isinstance(item, ast.Assign):
            targets = list(item.targets)
        elif isinstance(item, (ast.AugAssign, ast.AnnAssign)):
            targets = [item.target]
        elif isinstance(item, ast.Expr) and isinstance(item.value, ast.Call):
            targets = [item.value.func]
        for target in targets:
            if isinstance(target, (ast.Attribute, ast.Subscript)) and (base := _base(target)):
                found.add(base)
        pending.extend(ast.iter_child_nodes(item))
    return found


def _base(node: ast.expr) -> str:
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def is_check_call(node: ast.stmt) -> str:
    """The dotted name of the check that a statement calls (``fourier.test_basis``), or an empty string."""
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        return ""
    parts: list[str] = []
    func: ast.expr = node.value.func
    while isinstance(func, ast.Attribute):
        parts.append(func.attr)
        func = func.value
    if isinstance(func, ast.Name):
        parts.append(func.id)
    return ".".join(reversed(parts[:2])) if parts and parts[0].startswith("test_") else ""


def backward_slice(
    statements: list[Statement], names: frozenset[str], end: tuple[int, int]
) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Keys of the statements needed to have ``names`` at position ``end``: (those up to it, those after it).

    A later statement is taken only for a name that nothing before binds: learners define helpers below.
    """
    usable = [s for s in statements if not is_check_call(s.node)]
    imported = {n for s in usable if isinstance(s.node, (ast.Import, ast.ImportFrom)) for n in s.binds}
    before: set[tuple[int, int]] = {s.key for s in usable if s.always and s.key <= end}
    after: set[tuple[int, int]] = set()
    seen: set[tuple[str, tuple[int, int], bool]] = set()
    after_end = (end[0], end[1] + 1)
    pending = [(name, after_end, False) for name in names - _BUILTINS]
    while pending:
        want = pending.pop()
        if want in seen:
            continue
        seen.add(want)
        name, position, everything = want
        found: list[Statement] = []
        bound = False
        for s in reversed(usable):
            if (
                s.key >= position
                or s.key > end
                or not (name in s.binds or (name in s.touches and name not in imported))
            ):
                continue
            found.append(s)
            bound = bound or name in s.binds
            if name in s.binds and not s.is_conditional and not everything:
                break
        if not bound:
            later = [s for s in usable if s.key > end and name in s.binds and not _is_handover(s.node)]
            found += later
            after |= {s.key for s in later}
        for s in found:
            if s.key <= end:
                before.add(s.key)
            limit = s.key if s.key <= end else (10**9, 0)
            pending += [(n, min(limit, after_end), False) for n in s.now]
            pending += [(n, after_end, True) for n in s.later]
    return before, after


def _is_handover(node: ast.stmt) -> bool:
    """Whether this is the line that takes the learner's function or the library's: ``f = checks.yours_or(f, g)``."""
    return isinstance(node, ast.Assign) and "yours_or(" in ast.unparse(node.value)
