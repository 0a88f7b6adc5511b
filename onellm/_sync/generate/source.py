"""The async modules, as syntax trees with the text they came from."""

import ast
import copy
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TypeGuard

Function = ast.FunctionDef | ast.AsyncFunctionDef


class GenerationError(Exception):
    """An async class has something for which there is no blocking form."""


@dataclass(frozen=True)
class Import:
    """`from module import name`, or `import module` where there is no name; perhaps only for type checkers."""

    module: str
    name: str | None
    typing_only: bool = False


@dataclass
class Source:
    """One module."""

    path: Path
    module: str

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def lines(self) -> list[bytes]:
        """With their ends, in UTF-8: a syntax tree counts columns in bytes."""
        return self.text.encode().splitlines(keepends=True)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        return {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}

    @cached_property
    def imports(self) -> dict[str, Import]:
        """What each imported name is."""
        found: dict[str, Import] = {}
        for node in self.tree.body:
            typing_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            for statement in node.body if isinstance(node, ast.If) and typing_only else [node]:
                if isinstance(statement, ast.ImportFrom):
                    for name in statement.names:
                        found[name.asname or name.name] = Import(statement.module or "", name.name, typing_only)
                elif isinstance(statement, ast.Import):
                    for name in statement.names:
                        found[name.asname or name.name] = Import(name.name, None, typing_only)
        return found

    @cached_property
    def own(self) -> set[str]:
        """The names that this module defines."""
        names = set(self.classes)
        for node in self.tree.body:
            if isinstance(node, Function):
                names.add(node.name)
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            names.update(target.id for target in targets if isinstance(target, ast.Name))
        return names

    def origin(self, name: str) -> Import:
        """Where a name comes from that this module defines or imports."""
        return Import(self.module, name) if name in self.own else self.imports[name]

    @cached_property
    def comments(self) -> dict[int, str]:
        """The comments by line, without those that answer a linter's rule about async code."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        found = {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
        return {line: comment for line, comment in found.items() if not comment.startswith("# noqa: ASYNC")}

    def segment(self, node: ast.AST) -> str:
        text = ast.get_source_segment(self.text, node)
        assert text is not None  # noqa: S101 - the node was parsed from this text
        return text

    def error(self, node: ast.AST, what: str) -> GenerationError:
        return GenerationError(f"{self.path}:{getattr(node, 'lineno', 1)}: {what}")


def merge_import(imports: dict[str, Import], name: str, origin: Import, source: Source) -> None:
    """Add an import, or find that it is there.

    Raises:
        GenerationError: the name is taken by another thing.
    """
    known = imports.get(name, origin)
    if (known.module, known.name) != (origin.module, origin.name):
        raise GenerationError(f"{source.path}: {name} is of {known.module} as well as of {origin.module}")
    imports[name] = Import(origin.module, origin.name, known.typing_only and origin.typing_only)


@dataclass
class Member:
    """A method: where it stands, its overloads and itself, and what its class's type variables are there."""

    source: Source
    definitions: list[Function]
    bound: dict[str, ast.expr]

    @property
    def last(self) -> Function:
        return self.definitions[-1]

    @property
    def decorators(self) -> set[str]:
        return {ast.unparse(decorator) for decorator in self.last.decorator_list}

    @property
    def is_coroutine(self) -> bool:
        return isinstance(self.last, ast.AsyncFunctionDef) and not self.is_generator

    @property
    def is_generator(self) -> bool:
        return any(isinstance(node, ast.Yield) for node in ast.walk(self.last))


@dataclass
class Parameter:
    """One parameter: `name` with its stars, or a bare "*" or "/", which has no type."""

    name: str
    kind: str
    node: ast.arg | None = None
    default: ast.expr | None = None

    @property
    def passed_on(self) -> str:
        """How an argument is given to a function with the same parameters."""
        return f"{self.name}={self.name}" if self.kind == "keyword" else self.name


def parameters(function: Function) -> list[Parameter]:
    """All but the first, which is self."""
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(positional) - len(given.defaults)) + list(given.defaults)
    found: list[Parameter] = []
    for place, (node, default) in enumerate(zip(positional, defaults, strict=True)):
        found.append(Parameter(node.arg, "positional", node, default))
        if place + 1 == len(given.posonlyargs):
            found.append(Parameter("/", "mark"))
    if given.vararg:
        found.append(Parameter(f"*{given.vararg.arg}", "rest", given.vararg))
    elif given.kwonlyargs:
        found.append(Parameter("*", "mark"))
    for node, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        found.append(Parameter(node.arg, "keyword", node, default))
    if given.kwarg:
        found.append(Parameter(f"**{given.kwarg.arg}", "rest", given.kwarg))
    return found[1:]


def stands_apart(function: Function) -> bool:
    """Whether each parameter has a line of its own."""
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, [given.vararg, given.kwarg])]
    lines = sorted(node.lineno for node in every)
    return len(lines) > 1 and all(one < two for one, two in pairwise(lines))


def is_docstring(node: ast.stmt) -> TypeGuard[ast.Expr]:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def is_public(name: str) -> bool:
    """Whether a twin has a method of this name. Its life and its making are its own."""
    return not name.startswith("_") or (re.fullmatch("__.*__", name) is not None and name not in _OF_ONES_OWN)


_OF_ONES_OWN = {"__init__", "__new__", "__del__", "__init_subclass__", "__class_getitem__", "__slots__"}


def type_variables(node: ast.ClassDef) -> list[str]:
    """The arguments of its `Generic`."""
    for base in node.bases:
        if isinstance(base, ast.Subscript) and ast.unparse(base.value) == "Generic":
            return ast.unparse(base.slice).strip("()").split(", ")
    return []


def unquoted(annotation: ast.expr) -> ast.expr:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return ast.parse(annotation.value, mode="eval").body
    return annotation


def union(annotation: ast.expr) -> Iterator[ast.expr]:
    """The parts of `A | B | C`."""
    annotation = unquoted(annotation)
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        yield from union(annotation.left)
        yield from union(annotation.right)
    else:
        yield annotation


def head(annotation: ast.expr) -> str:
    """`list` of `list[int]`."""
    return ast.unparse(annotation.value if isinstance(annotation, ast.Subscript) else annotation)


def names_in(annotation: ast.expr | None) -> list[str]:
    """The names in an annotation, quoted ones too; the texts of a Literal are none."""
    if annotation is None:
        return []
    found: list[str] = []
    for node in _walk_types(annotation):
        if isinstance(node, ast.Name):
            found.append(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += names_in(unquoted(node))
    return found


def quoted_names_in(annotation: ast.expr) -> Iterator[str]:
    """The names in the quoted parts of an annotation."""
    for node in _walk_types(annotation):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from names_in(unquoted(node))


def _walk_types(annotation: ast.expr) -> Iterator[ast.AST]:
    yield annotation
    if isinstance(annotation, ast.Subscript) and head(annotation) in {"Literal", "Annotated"}:
        yield annotation.value
        if head(annotation) == "Annotated" and isinstance(annotation.slice, ast.Tuple):
            yield from _walk_types(annotation.slice.elts[0])
            for node in annotation.slice.elts[1:]:
                yield from (name for name in ast.walk(node) if isinstance(name, ast.Name))
        return
    for child in ast.iter_child_nodes(annotation):
        if isinstance(child, ast.expr):
            yield from _walk_types(child)


class Types(ast.NodeTransformer):
    """Rewrites names in annotations, quoted ones too."""

    def __init__(self, names: dict[str, ast.expr]) -> None:
        self._names = names

    def of(self, annotation: ast.expr) -> ast.expr:
        changed: ast.expr = self.visit(copy.deepcopy(annotation))
        return changed

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return copy.deepcopy(self._names.get(node.id, node))

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return ast.Constant(ast.unparse(self.of(unquoted(node)))) if isinstance(node.value, str) else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if head(node) == "Literal":
            return node
        if head(node) == "Annotated" and isinstance(node.slice, ast.Tuple):
            node.slice.elts[0] = self.of(node.slice.elts[0])
            return node
        return ast.Subscript(self.visit(node.value), self.visit(node.slice), node.ctx)
