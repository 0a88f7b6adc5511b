"""Async code as blocking code that does the same to the same state."""

import ast
import re
from collections.abc import Callable

from onellm._sync.generate.source import Function, Source, is_docstring, is_public

# A loop that does nothing but yield: an async generator has no `yield from`.
_PASSES_ON = re.compile(r"^( *)for (\w+) in (.+):\n\1    yield \2$(?!\n+\1(?:    |else\b))", re.MULTILINE)


class _UntranslatableError(Exception):
    pass


def translated(source: Source, function: Function, rename: Callable[[str], str]) -> str | None:
    """The body of an async method as that of its twin, or None where that takes more than a change of words.

    `self` stays the twin; private attributes are those of what it holds, in its `_async`.
    """
    translation = _Translation(source, rename)
    body = function.body[1:] if is_docstring(function.body[0]) else function.body
    try:
        for statement in body:
            translation.visit(statement)
    except _UntranslatableError:
        return None
    if not body:
        return None
    first, last = body[0].lineno - 1, body[-1].end_lineno or 0
    while source.lines[first - 1].strip().startswith(b"#"):
        first -= 1
    return _PASSES_ON.sub(r"\1yield from \3", translation.text(first, last))


class _Translation(ast.NodeVisitor):
    def __init__(self, source: Source, rename: Callable[[str], str]) -> None:
        self._source = source
        self._rename = rename
        self._edits: list[tuple[int, int, int, bytes]] = []  # line, from column, to column, new text
        self._known: set[ast.AST] = set()  # uses of self that mean the same in the twin

    def text(self, first: int, last: int) -> str:
        lines = self._source.lines[first:last]
        for number, start, end, new in sorted(self._edits, reverse=True):
            line = lines[number - 1 - first]
            lines[number - 1 - first] = line[:start] + new + line[end:]
        return b"".join(lines).decode().rstrip("\n")

    def visit_AsyncFor(self, node: ast.AsyncFor) -> None:
        """Over self, or over what a public method of it gives: these have blocking forms."""
        if not _is_self(node.iter) and not is_public(_called_on_self(node.iter) or "_"):
            raise _UntranslatableError
        self._known.add(node.iter)
        self._replace(node, len("async "), "")
        self.generic_visit(node)

    def visit_Await(self, node: ast.Await) -> None:
        name = _called_on_self(node.value)
        if name is None:
            raise _UntranslatableError
        if is_public(name):
            self._replace(node, len("await "), "")
        else:
            self._replace(node, len("await "), "run(")
            self._insert_after(node, ")")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None:
            self._known.add(node.value)
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if _is_self(node.value):
            self._known.add(node.value)
            if not is_public(node.attr):
                self._insert_after(node.value, "._async")
            elif (name := self._rename(node.attr)) != node.attr:
                line, column = node.end_lineno or 0, node.end_col_offset or 0
                self._edits.append((line, column - len(node.attr.encode()), column, name.encode()))
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if _is_self(node) and node not in self._known:
            raise _UntranslatableError
        if (name := self._rename(node.id)) != node.id:
            self._replace(node, len(node.id.encode()), name)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Before Python 3.12 what stands in an f-string has no place in the text."""
        names = [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
        if any(name == "self" or name != self._rename(name) for name in names):
            raise _UntranslatableError

    def _refuse(self, node: ast.AST) -> None:  # noqa: ARG002 - what it is does not matter
        raise _UntranslatableError

    visit_AsyncWith = visit_AsyncFunctionDef = visit_FunctionDef = visit_Lambda = visit_comprehension = _refuse  # noqa: N815

    def _replace(self, node: ast.expr | ast.stmt, length: int, new: str) -> None:
        self._edits.append((node.lineno, node.col_offset, node.col_offset + length, new.encode()))

    def _insert_after(self, node: ast.expr, new: str) -> None:
        line, column = node.end_lineno or 0, node.end_col_offset or 0
        self._edits.append((line, column, column, new.encode()))


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _called_on_self(node: ast.expr) -> str | None:
    """`name` of `self.name(…)`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_self(node.func.value):
        return node.func.attr
    return None
