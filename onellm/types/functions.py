"""Python functions as tools: the schema that a model sees, and its arguments as values.

https://platform.openai.com/docs/guides/function-calling
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Functions of any signature are taken apart here.

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from onellm.errors import InvalidRequestError, ResponseValidationError
from onellm.types.json_schema import NotStrictError, strict_schema

if TYPE_CHECKING:
    from onellm.types.chat_params import ToolParam

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,63}")  # what every provider takes
_NOT_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_SECTION = re.compile(r"(?:args|arguments|parameters|params)\s*:?", re.IGNORECASE)
_OTHER_SECTION = re.compile(r"(?:returns?|yields?|raises?|examples?|notes?|see also)\s*:?", re.IGNORECASE)
_ITEM = re.compile(r"(?:\*{0,2})(?P<name>\w+)\s*(?:\([^)]*\))?\s*:\s*(?P<text>.*)")
_FIELD = re.compile(r":param\s+(?:[^:]*\s)?(?P<name>\w+)\s*:\s*(?P<text>.*)")


class FunctionTool:
    """A function that a model may call.

    name, description, parameters are what the model is told: the function's name, the first part of its docstring, and
    a JSON schema of its arguments, with what the docstring says of each. Types are those that msgspec knows: numbers,
    texts, bools, enums, Literals, lists, dicts, Structs, dataclasses, TypedDicts, unions, `Annotated` constraints.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        strict: bool | None = None,
    ) -> None:
        """Take a function, sync or async.

        name, description:  in place of the function's own
        strict:             whether the provider must keep the model to the schema; None leaves it to the provider. With
            True the schema is in the strict form: the model writes every argument, also one with a default

        Raises:
            InvalidRequestError: an argument has no type, or one that no schema (with strict=True, no strict one) can
                say; says which.
        """
        self.function = function
        self.strict = strict
        self.name = _NOT_NAME.sub("_", getattr(function, "__name__", "") or "tool") if name is None else name
        if not _NAME.fullmatch(self.name):
            raise InvalidRequestError(
                f"{self.name!r} cannot name a tool: it must be 1 to 64 letters, digits, _ and -, the first no digit",
                param="tools",
            )
        said, of_arguments = _docstring(function.__doc__ or "")
        self.description = said if description is None else description
        self._arguments, self._spread = _arguments(self.name, function, of_arguments)
        self._decoder = msgspec.json.Decoder(self._arguments)
        self.parameters: Mapping[str, Any] = _schema(self.name, self._arguments, strict=bool(strict))

    def __repr__(self) -> str:
        return f"FunctionTool({self.name})"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself."""
        return self.function(*args, **kwargs)

    def param(self) -> "ToolParam":
        """The tool as a request says it."""
        definition: dict[str, Any] = {"name": self.name, "parameters": self.parameters}
        if self.description:
            definition["description"] = self.description
        if self.strict is not None:
            definition["strict"] = self.strict
        return {"type": "function", "function": definition}  # type: ignore[typeddict-item] # pyright: ignore[reportReturnType] - it is one

    def arguments(self, text: str | bytes) -> tuple[list[Any], dict[str, Any]]:
        """The arguments that a model wrote, as values of the function's own types: positional ones, and named ones.

        Raises:
            ResponseValidationError: they are no JSON, or do not fit the schema; says where.
        """
        written = text.encode(errors="surrogatepass") if isinstance(text, str) else text
        try:
            decoded = self._decoder.decode(written or b"{}")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            what = str(exc).replace("`", "")
            raise ResponseValidationError(f"the arguments of {self.name} do not fit: {what}", body=written) from exc
        named = {field: getattr(decoded, field) for field in decoded.__struct_fields__}
        return [named.pop(field) for field in self._spread], named


def as_tool(tool: Any, place: int = 0) -> "FunctionTool | Mapping[str, Any]":
    """A function as a tool; a tool as it is.

    Raises:
        InvalidRequestError: it is neither.
    """
    if isinstance(tool, FunctionTool | Mapping):
        return tool
    if not callable(tool):
        raise InvalidRequestError(
            f"tools[{place}] must be a dict, a function or a FunctionTool, not {type(tool).__name__}", param="tools"
        )
    return FunctionTool(tool)


def _arguments(
    name: str, function: Callable[..., Any], said: Mapping[str, str]
) -> tuple[type[Struct], tuple[str, ...]]:
    """The function's arguments as one Struct, and the names of those that are passed by position."""
    import inspect  # noqa: PLC0415 - only for those who give functions

    hinted = function if inspect.isroutine(function) else type(function).__call__
    try:
        hints = get_type_hints(hinted, include_extras=True)
    except NameError as exc:
        raise InvalidRequestError(f"the tool {name}: its annotations cannot be read: {exc}", param="tools") from exc
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    spread: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        where = f"the tool {name}: its argument {parameter.name}"
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise InvalidRequestError(f"{where} takes any number: a model must be told each by name", param="tools")
        if parameter.name not in hints:
            raise InvalidRequestError(f"{where} has no type: a model must be told what it takes", param="tools")
        kind = hints[parameter.name]
        if (text := said.get(parameter.name)) and not _is_described(kind):
            kind = Annotated[kind, Meta(description=text)]
        if parameter.kind is parameter.POSITIONAL_ONLY:
            spread.append(parameter.name)
        if parameter.default is parameter.empty:
            fields.append((parameter.name, kind))
        else:
            fields.append((parameter.name, kind, _default(parameter.default)))
    try:
        made = msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)
        msgspec.json.Decoder(made)
    except (TypeError, ValueError) as exc:
        raise InvalidRequestError(f"the tool {name}: {exc}", param="tools") from exc
    return made, tuple(spread)


def _default(value: Any) -> Any:
    """A default as a Struct takes it: a mutable one is made anew each time, or it would be shared by all calls."""
    if isinstance(value, list | dict | set | bytearray) and value:
        return msgspec.field(default_factory=lambda: _copy(value))
    return value


def _copy(value: Any) -> Any:
    import copy  # noqa: PLC0415 - for a default that is a filled list or dict

    return copy.deepcopy(value)


def _is_described(kind: Any) -> bool:
    return get_origin(kind) is Annotated and any(
        isinstance(note, Meta) and note.description is not None for note in get_args(kind)[1:]
    )


def _schema(name: str, arguments: type[Struct], *, strict: bool) -> dict[str, Any]:
    """A JSON schema that is an object at its top: what it refers to stands in `$defs`."""
    try:
        (top,), components = msgspec.json.schema_components([arguments], ref_template="#/$defs/{name}")
    except (TypeError, KeyError) as exc:  # KeyError where two types have one name
        raise InvalidRequestError(f"the tool {name}: no schema can say it: {exc}", param="tools") from exc
    own = str(top["$ref"]).rpartition("/")[2]
    schema: dict[str, Any] = {key: value for key, value in components.pop(own).items() if key != "title"}
    if components:
        schema["$defs"] = components
    try:
        return strict_schema(schema) if strict else schema
    except NotStrictError as exc:
        raise InvalidRequestError(f"the tool {name}: no strict schema can say it: {exc}", param="tools") from exc


def _docstring(text: str) -> tuple[str, dict[str, str]]:
    """What a docstring says of the function, and of each argument: Google's sections, or `:param name:` fields."""
    import inspect  # noqa: PLC0415 - only for those who give functions

    told: list[str] = []
    arguments: dict[str, str] = {}
    section = current = ""
    indent = 0
    for line in inspect.cleandoc(text).splitlines():
        stripped = line.strip()
        depth = len(line) - len(line.lstrip())
        if found := _FIELD.match(stripped):
            section, current = "field", found["name"]
            arguments[current] = found["text"]
        elif stripped.startswith((":return", ":raises", ":rtype", ":type")) or (
            depth == 0 and _OTHER_SECTION.fullmatch(stripped)
        ):
            section, current = "other", ""
        elif depth == 0 and _SECTION.fullmatch(stripped):
            section, current, indent = "arguments", "", 0
        elif section == "arguments" and stripped and (depth <= indent or not indent) and depth:
            indent = indent or depth
            found = _ITEM.match(stripped)
            current = found["name"] if found else ""
            if found:
                arguments[current] = found["text"]
        elif section in ("arguments", "field") and stripped and depth:
            if current:
                arguments[current] = f"{arguments[current]} {stripped}".strip()
        elif not section or (depth == 0 and stripped and section == "arguments"):
            section = ""
            told.append(stripped)
    return "\n".join(told).strip(), arguments
