"""One async class becomes one blocking class."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from onellm._sync.generate.layout import TAB, call, header, one_line
from onellm._sync.generate.source import (
    Function,
    Import,
    Member,
    Source,
    Types,
    head,
    is_docstring,
    is_public,
    merge_import,
    names_in,
    parameters,
    quoted_names_in,
    stands_apart,
    type_variables,
    union,
    unquoted,
)
from onellm._sync.generate.translate import translated

# Arguments of constructors that have no place in a twin.
OMITTED = {
    "http_session": "an aiohttp session works in the loop it was made in, and callers make nothing in the loop thread",
}

RENAMED = {
    "aclose": "close",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
}
PLAIN = {"AsyncIterator": "Iterator", "AsyncIterable": "Iterable", "StopAsyncIteration": "StopIteration"}
HELPERS = {"run": "onellm._sync.portal", "each": "onellm._sync.iteration", "awaited": "onellm._sync.iteration"}

_BODY = TAB * 2
_STUB = " ..."
_DECORATORS = {"overload", "property", "cached_property"}


@dataclass
class Index:
    """All sources, and the async classes in them.

    clients:  the source whose classes callers make; those of the others, a client makes
    homes:    where each public async class stands
    twins:    what stands for it
    awaited:  of those that are awaited themselves, and so have no twin, the type variables and what awaiting gives
    """

    sources: list[Source]
    clients: Source
    homes: dict[str, Source] = field(default_factory=dict[str, Source])
    twins: dict[str, Import] = field(default_factory=dict[str, Import])
    awaited: dict[str, tuple[list[str], ast.expr]] = field(default_factory=dict[str, tuple[list[str], ast.expr]])

    def plain(self, name: str) -> str:
        """A name as it is in blocking code."""
        twin = self.twins.get(name)
        return (twin.name if twin else None) or RENAMED.get(name) or PLAIN.get(name) or name

    def docstring(self, source: Source, node: ast.Expr) -> str:
        """A docstring, less what only async callers write."""
        text = source.segment(node.value)
        text = re.sub(r"\basync (?=(?:with|for)\b)|\bawait (?=[\w`])", "", text)
        if re.search(r"\bawait\b", text):
            raise source.error(node, "a docstring tells blocking callers to await")
        return re.sub(r"\b(?:aclose|Async\w+)\b", lambda found: self.plain(found[0]), text)

    def find_class(self, source: Source, name: str) -> tuple[Source, ast.ClassDef] | None:
        """The class of that name in a source, if it is one of these sources'."""
        if name in source.classes:
            return source, source.classes[name]
        origin = source.imports.get(name)
        for other in self.sources:
            if origin and other.module == origin.module and origin.name in other.classes:
                return other, other.classes[origin.name]
        return None


class Twin:
    """The blocking class of one async class: `text`, and the `imports` it needs."""

    def __init__(self, index: Index, name: str) -> None:
        self._index = index
        self._async = name
        self._source = index.homes[name]
        self._node = self._source.classes[name]
        self._name = index.plain(name)
        self._members = self._collect(self._source, self._node, {})
        self.imports: dict[str, Import] = {}
        if self._node.decorator_list:
            raise self._source.error(self._node, "a decorated class has no blocking form")
        if self._name in self._source.imports or self._name in self._source.own:
            raise self._source.error(self._node, f"the module has another {self._name}")
        self.text = self._text()

    def _text(self) -> str:
        generic = [ast.unparse(base) for base in self._node.bases if head(base) == "Generic"]
        first = f"class {self._name}{f'({generic[0]})' if generic else ''}:"
        parts = [*self._constructor(), *self._attributes()]
        for name, member in self._members.items():
            if is_public(name) and not (name == "__iter__" and "__aiter__" in self._members):
                parts += self._method(name, member)
        if generic:
            self._use(self._source, f"{TAB}{generic[0]}")
        docstring = self._docstring(self._source, self._node, TAB)
        return first + docstring + ("\n\n" if docstring else "\n") + "\n\n".join(parts)

    # --- what the async class has ---

    def _collect(self, source: Source, node: ast.ClassDef, bound: dict[str, ast.expr]) -> dict[str, Member]:
        """Its methods and those of its bases, by name."""
        members: dict[str, Member] = {}
        for base in reversed(node.bases):
            if (found := self._index.find_class(source, head(base))) is not None:
                given = base.slice if isinstance(base, ast.Subscript) else None
                values = given.elts if isinstance(given, ast.Tuple) else [given] if given else []
                filled = [Types(bound).of(value) for value in values]
                members |= self._collect(*found, dict(zip(type_variables(found[1]), filled, strict=True)))
        own: defaultdict[str, list[Function]] = defaultdict(list)
        for statement in node.body:
            if isinstance(statement, Function):
                own[statement.name].append(statement)
        return members | {name: Member(source, definitions, bound) for name, definitions in own.items()}

    def _assigned(self) -> Iterator[tuple[str, ast.Assign | ast.AnnAssign]]:
        """The public attributes that its constructor sets."""
        if "__init__" in self._members:
            for node in ast.walk(self._members["__init__"].last):
                if isinstance(node, ast.Assign | ast.AnnAssign):
                    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                        if isinstance(target, ast.Attribute) and is_public(target.attr):
                            yield target.attr, node

    def _namespaces(self) -> dict[str, str]:
        """The attributes that are async objects, each with its class."""
        found: dict[str, str] = {}
        for name, node in self._assigned():
            if isinstance(node.value, ast.Call) and (kind := ast.unparse(node.value.func)) in self._index.homes:
                found[name] = kind
        return found

    # --- what the twin has ---

    def _constructor(self) -> Iterator[str]:
        variables = ", ".join(type_variables(self._node))
        held = f"held: {self._async}[{variables}]" if variables else f"held: {self._async}"
        filled = [f"self.{name} = {self._index.plain(kind)}(held.{name})" for name, kind in self._namespaces().items()]
        from_held = ["self._async = held", *filled]
        member = self._members.get("__init__")
        if self._source is not self._index.clients or member is None:
            yield self._used(f"{TAB}def __init__(self, {held}) -> None:\n{_indented(from_held)}")
            return
        start = self._header("__init__", member, member.last) + self._docstring(member.source, member.last, _BODY)
        arguments = [one.passed_on for one in parameters(member.last) if one.kind != "mark" and one.name not in OMITTED]
        yield self._used("\n".join([start, *call("", ["self._hold", self._async], arguments)]), member.source)
        yield self._used(f"{TAB}def _hold(self, {held}) -> None:\n{_indented(from_held)}")
        around = ["twin = cls.__new__(cls)", "twin._hold(held)  # noqa: SLF001 - its own", "return twin"]
        self._import("Self", Import("typing", "Self"))
        yield self._used(f"{TAB}@classmethod\n{TAB}def _around(cls, {held}) -> Self:\n{_indented(around)}")
        if any(definition.returns and head(definition.returns) == "Self" for definition in self._plain_methods()):
            like = ["twin = self._around(held)", "vars(twin).update(attributes(self) | vars(twin))", "return twin"]
            self._import("attributes", Import("onellm.client", "attributes"))
            yield self._used(f"{TAB}def _like(self, {held}) -> Self:\n{_indented(like)}")

    def _plain_methods(self) -> Iterator[Function]:
        """Its public methods that are not awaited."""
        for name, member in self._members.items():
            if not name.startswith("_") and not member.is_coroutine:
                yield member.last

    def _attributes(self) -> Iterator[str]:
        """Public attributes that are no namespaces, as properties."""
        namespaces = self._namespaces()
        declared = [
            (node.target.id, node)
            for node in self._node.body
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and is_public(node.target.id)
        ]
        start = self._members.get("__init__")
        for name, node in [*declared, *self._assigned()]:
            if name in namespaces:
                continue
            source, bound = (
                (start.source, start.bound) if start and node in ast.walk(start.last) else (self._source, {})
            )
            if not isinstance(node, ast.AnnAssign):
                raise source.error(node, f"a public attribute needs a type: self.{name}: … = …")
            kind = self._type(node.annotation, source, bound)
            answer = _indented(self._given_on(node.annotation, f"self._async.{name}", source))
            yield self._used(f"{TAB}@property\n{TAB}def {name}(self) -> {kind}:\n{answer}", source)

    def _method(self, name: str, member: Member) -> Iterator[str]:
        new = RENAMED.get(name, name)
        if new not in {name, "__iter__"} and new in self._members:
            raise member.source.error(member.last, f"{name} and {new} would both become {new}")
        for definition in member.definitions:
            decorators = [ast.unparse(decorator) for decorator in definition.decorator_list]
            if wrong := sorted(set(decorators) - _DECORATORS):
                raise member.source.error(definition, f"@{wrong[0]} has no blocking form")
            text = "".join(f"{TAB}@{decorator}\n" for decorator in decorators) + self._header(new, member, definition)
            if "overload" in decorators:
                text += _STUB
            else:
                text += f"{self._docstring(member.source, definition, _BODY)}\n{self._body(name, member)}"
            yield self._used(text, member.source)

    def _body(self, name: str, member: Member) -> str:
        definition, function = member.last, f"self._async.{name}"
        if name in {"__aenter__", "__aiter__", "__anext__"} or member.is_generator:
            body = translated(member.source, definition, self._index.plain)
            if body is not None:
                return body
        lines: Iterable[str]
        match name:
            case "__aenter__":
                given = [ast.unparse(node) for node in ast.walk(definition) if isinstance(node, ast.Return)]
                if set(given) != {"return self"}:
                    raise member.source.error(definition, "__aenter__ must return self")
                lines = ["run(self._async.__aenter__())", "return self"]
            case "__aiter__":
                lines = ["return each(aiter(self._async))"]
            case "__anext__":
                asked = ["try:", f"{TAB}return run(self._async.__anext__())", "except StopAsyncIteration:"]
                lines = [*asked, f"{TAB}raise StopIteration from None"]
            case "__repr__":
                lines = ['return repr(self._async).removeprefix("Async")']
            case _ if member.decorators & {"property", "cached_property"}:
                lines = self._given_on(definition.returns, function, member.source)
            case _:
                functions = ["run", function] if member.is_coroutine else [function]
                if self._awaited(definition) is not None:
                    functions = ["run", "awaited", function]
                return "\n".join(self._passed_on(definition, functions, member.source))
        return _indented(lines)

    def _passed_on(self, definition: Function, functions: list[str], source: Source) -> Iterator[str]:
        """A call, its answer in a twin where there is one for it."""
        answer = self._awaited(definition) or (definition.returns and unquoted(definition.returns))
        iterated = answer.slice if isinstance(answer, ast.Subscript) and head(answer) == "AsyncIterator" else None
        kinds, others = self._kinds(answer if iterated is None else iterated, source)
        arguments = [parameter.passed_on for parameter in parameters(definition) if parameter.kind != "mark"]
        if iterated is not None:
            functions = ["each", *functions]
        if ast.unparse(definition.returns or ast.Constant(None)) == "None":
            yield from call("", functions, arguments)
        elif not kinds:
            yield from call("return ", functions, arguments)
        elif len(kinds) == 1 and not others and iterated is None:
            own = answer is not None and head(answer) == "Self" and source is self._index.clients
            yield from call("return ", ["self._like" if own else self._wrapper(kinds[0]), *functions], arguments)
        else:
            if "reply=reply" in arguments or "reply" in arguments:
                raise source.error(definition, "an argument must not be named reply, as the twin needs the name")
            if iterated is not None and (len(kinds) > 1 or others):
                raise source.error(definition, "items of more than one kind have no blocking form")
            yield from call("reply = ", functions, arguments)
            last = [f"return map({self._wrapper(kinds[0])}, reply)"]
            yield _indented(self._sorted(kinds, others=others) if iterated is None else last)

    def _awaited(self, definition: Function) -> ast.expr | None:
        """What awaiting gives, where a plain method gives something that is there to be awaited."""
        answer = unquoted(definition.returns) if definition.returns else None
        if answer is None or isinstance(definition, ast.AsyncFunctionDef) or head(answer) not in self._index.awaited:
            return None
        variables, given = self._index.awaited[head(answer)]
        filling = answer.slice if isinstance(answer, ast.Subscript) else None
        values = filling.elts if isinstance(filling, ast.Tuple) else [filling] if filling else []
        return Types(dict(zip(variables, values, strict=True))).of(unquoted(given))

    def _given_on(self, annotation: ast.expr | None, value: str, source: Source) -> list[str]:
        """A value, in a twin where there is one for it."""
        kinds, others = self._kinds(annotation, source)
        if not kinds:
            return [f"return {value}"]
        if len(kinds) == 1 and not others:
            return [f"return {self._wrapper(kinds[0])}({value})"]
        return [f"reply = {value}", *self._sorted(kinds, others=others)]

    def _sorted(self, kinds: list[str], *, others: bool) -> Iterator[str]:
        for kind in kinds if others else kinds[:-1]:
            yield f"if isinstance(reply, {kind}):"
            yield f"{TAB}return {self._wrapper(kind)}(reply)"
        yield "return reply" if others else f"return {self._wrapper(kinds[-1])}(reply)"

    def _wrapper(self, kind: str) -> str:
        twin = self._index.plain(kind)
        return f"{twin}._around" if self._index.homes[kind] is self._index.clients else twin

    def _kinds(self, annotation: ast.expr | None, source: Source) -> tuple[list[str], bool]:
        """The async classes that an answer may be of, and whether it may be of others than these."""
        kinds: list[str] = []
        others = False
        for part in union(annotation) if annotation is not None else ():
            name = head(part)
            if name == "Self" or name in self._index.homes:
                kinds.append(self._async if name == "Self" else name)
                continue
            others = True
            if hidden := [one for one in names_in(part) if one == "Self" or one in self._index.homes]:
                raise source.error(part, f"{hidden[0]} inside of another type has no blocking form")
        return kinds, others

    # --- text ---

    def _header(self, name: str, member: Member, definition: Function) -> str:
        source = member.source
        texts: list[tuple[str, str]] = [("self", "")]
        apart = stands_apart(definition)
        for parameter in parameters(definition):
            text, comment = parameter.name, ""
            if name == "__init__" and text in OMITTED:
                continue
            if (node := parameter.node) is not None:
                if node.annotation is None:
                    raise source.error(node, f"{text} needs a type")
                text += f": {self._type(node.annotation, source, member.bound, taken=True)}"
                comment = source.comments.get(node.end_lineno or 0, "") if apart else ""
            if parameter.default is not None:
                text += f" = {one_line(parameter.default)}"
            texts.append((text, comment))
        if definition.returns is None:
            raise source.error(definition, "the answer needs a type")
        comments = (
            source.comments.get(definition.lineno, ""),
            source.comments.get(definition.returns.end_lineno or 0, ""),
        )
        if definition.lineno == definition.returns.end_lineno:
            comments = "", comments[1]
        answer = self._type(self._awaited(definition) or definition.returns, source, member.bound)
        stub = any(ast.unparse(decorator) == "overload" for decorator in definition.decorator_list)
        return header(name, texts, answer, comments=comments, apart=apart, room=len(_STUB) if stub else 0)

    def _type(self, node: ast.expr, source: Source, bound: dict[str, ast.expr], *, taken: bool = False) -> str:
        """An annotation as the twin has it. Async iterables are not taken where something else may be given."""
        names = {name: _name(self._index.plain(name)) for name in names_in(node)}
        if taken:
            names = {name: _name(name) for name in names_in(node)}
            parts = list(union(node))
            kept = [part for part in parts if head(part) not in {"AsyncIterable", "AsyncIterator"}]
            if wrong := [name for name in names_in(node) if name in self._index.homes]:
                raise source.error(node, f"{wrong[0]} as an argument has no blocking form")
            if 0 < len(kept) < len(parts):
                text = " | ".join(ast.unparse(part) for part in kept)
                quoted = isinstance(node, ast.Constant)
                node = ast.Constant(text) if quoted else ast.parse(text, mode="eval").body
        text = one_line(Types(names | bound).of(node))
        forbidden = r"\bAsync\w*" if taken else r"\b(?:Async\w*|Awaitable|Coroutine)\b"
        if found := re.search(forbidden, text):
            raise source.error(node, f"{found[0]} has no blocking form")
        return text

    def _docstring(self, source: Source, node: ast.ClassDef | Function, indent: str) -> str:
        first = node.body[0]
        if not is_docstring(first):
            return ""
        text = self._index.docstring(source, first)
        for name in OMITTED:
            text = re.sub(rf"\n( +){name}: .*(?:\n\1 +.*)*", "", text)
        return f"\n{indent}{text}"

    # --- imports ---

    def _used(self, text: str, source: Source | None = None) -> str:
        """A part of the class, after what it names has been imported."""
        self._use(source or self._source, text)
        return text

    def _use(self, source: Source, text: str) -> None:
        tree = ast.parse(f"class _:\n{text}")
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                self._name_is_used(source, node.id, typing_only=False)
            annotation = getattr(node, "annotation", None) or getattr(node, "returns", None)
            for name in quoted_names_in(annotation) if annotation is not None else ():
                self._name_is_used(source, name, typing_only=True)

    def _name_is_used(self, source: Source, name: str, *, typing_only: bool) -> None:
        origin = self._origin(source, name)
        if origin is not None:
            self._import(name, Import(origin.module, origin.name, typing_only or origin.typing_only))

    def _origin(self, source: Source, name: str) -> Import | None:
        for asynchronous, twin in self._index.twins.items():
            if name == twin.name:
                return None if self._index.homes[asynchronous] is self._source else twin
        if name in HELPERS:
            if name in source.own or name in source.imports:
                raise source.error(source.tree, f"the name {name} is taken: a twin needs it")
            return Import(HELPERS[name], name)
        if name in self._index.homes:
            return Import(self._index.homes[name].module, name)
        for asynchronous, plain in PLAIN.items():
            if name == plain and name not in source.imports and asynchronous in source.imports:
                return Import(source.imports[asynchronous].module, name)
        # What fills a type variable of a base stands where the class does.
        places = [place for place in (source, self._source) if name in place.own or name in place.imports]
        return places[0].origin(name) if places else None

    def _import(self, name: str, origin: Import) -> None:
        merge_import(self.imports, name, origin, self._source)


def _indented(lines: Iterable[str]) -> str:
    return "\n".join(_BODY + line for line in lines)


def _name(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())
