"""Python types as the form of an answer: the schema that a model is held to, and what it wrote as a value."""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Types of any kind are taken apart here.

import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, get_args

import msgspec
from msgspec import Struct

from onellm.errors import InvalidRequestError, ResponseValidationError
from onellm.types.json_schema import NotStrictError, strict_schema
from onellm.types.partial_json import partial_json

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_NOT_NAME = re.compile(r"[^a-zA-Z0-9_-]+")
_FENCE = re.compile(r"\s*```(?:json)?[ \t]*\r?\n", re.IGNORECASE)
_FENCE_END = re.compile(r"\s*```\s*\Z")
_VALUE = "value"  # the only property of the object around an answer that is no object


class AnswerType(Generic[T]):
    """A type that answers are read as.

    name, schema:  what the model is told; the schema is an object at its top, as most providers want it
    strict:        whether the schema is in the form that a model can be held to
    loose:         why it is not
    free:          any JSON object will do
    """

    def __init__(self, kind: Any) -> None:
        """Take a Struct, a dataclass, a TypedDict, a pydantic model, or any other type that msgspec knows.

        Raises:
            InvalidRequestError: no schema can say it.
        """
        self.name = (_NOT_NAME.sub("_", getattr(kind, "__name__", "")).strip("_") or "answer")[:64]
        self._wrapped = False
        try:
            schema = self._described(kind)
        except (TypeError, ValueError, RuntimeError, KeyError) as exc:  # RuntimeError is pydantic's
            why = f"two types in it are called {exc}" if isinstance(exc, KeyError) else str(exc)
            raise InvalidRequestError(
                f"response_format: no schema can say {self.name}: {why}", param="response_format"
            ) from exc
        self.free = schema == {"type": "object"}
        self.loose: str | None = None
        try:
            schema = strict_schema(schema)
        except NotStrictError as exc:
            self.loose = str(exc)
        self.strict = self.loose is None
        self.schema = schema

    def _described(self, kind: Any) -> dict[str, Any]:
        if _is_pydantic(kind):
            self._decode: Callable[[bytes], Any] = kind.model_validate_json
            return _top(kind.model_json_schema())
        if any(map(_is_pydantic, _parts(kind))):  # a list or a union of its models: msgspec does not know them
            self._wrapped = True
            return self._described(sys.modules["pydantic"].create_model("Answer", **{_VALUE: (kind, ...)}))
        schema = _top(msgspec.json.schema(kind))
        if schema.get("type") != "object":  # a list, a text, a union: its place is in an object
            self._wrapped = True
            kind = msgspec.defstruct("Answer", [(_VALUE, kind)])
            schema = _top(msgspec.json.schema(kind))
        self._decode = msgspec.json.Decoder(kind).decode
        return schema

    def response_format(self) -> dict[str, Any]:
        """The schema as a request says it."""
        described = {"name": self.name, "schema": self.schema, "strict": self.strict}
        return {"type": "json_schema", "json_schema": described}

    def read(self, text: str, *, unfence: bool = False) -> T:
        """What a model wrote, as a value. With `unfence`, JSON in a code block is taken out of it.

        Raises:
            ResponseValidationError: it is no JSON, or does not fit; says where, and holds the text.
        """
        inside = _unfenced(text) if unfence else text
        try:
            value = self._decode(inside.encode(errors="surrogatepass"))
        except (ValueError, RecursionError) as exc:  # msgspec's and pydantic's own errors are ValueErrors
            what = _explained(exc)
            if self._wrapped:
                what = what.replace(f"$.{_VALUE}", "$")
            written = text.encode(errors="surrogatepass")
            raise ResponseValidationError(f"the answer is no {self.name}: {what}", body=written) from exc
        return cast("T", getattr(value, _VALUE) if self._wrapped else value)

    def read_partial(self, text: str, *, unfence: bool = False) -> Any:
        """What has been written so far, as plain dicts and lists."""
        value = partial_json(_unfenced(text) if unfence else text)
        return value.get(_VALUE) if self._wrapped and isinstance(value, dict) else value

    def instruction(self) -> str:
        """The schema in words, for a provider that has no place for it."""
        if self.free:
            return "Answer with one JSON object and nothing else: no explanation, no code block."
        schema = msgspec.json.encode(self.schema).decode()
        return (
            "Answer with one JSON object and nothing else: no explanation, no code block. "
            f"It must fit this JSON schema:\n{schema}"
        )


def _unfenced(text: str) -> str:
    """The inside of a code block, also of one that is still open; any other text as it is."""
    begin = _FENCE.match(text)
    return _FENCE_END.sub("", text[begin.end() :]) if begin else text


def _is_pydantic(kind: Any) -> bool:
    return callable(getattr(kind, "model_validate_json", None))


def _parts(kind: Any) -> Iterator[Any]:
    """What a list, a union or any other type of types is made of."""
    for part in get_args(kind):
        yield part
        yield from _parts(part)


def _explained(exc: Exception) -> str:
    """What does not fit, and where; pydantic lists all that does not."""
    listed: Any = getattr(exc, "errors", None)
    if callable(listed):
        found: Any = listed(include_url=False, include_input=False)
        return "; ".join(f"{one['msg']} - at {'.'.join(['$', *map(str, one['loc'])])}" for one in found)
    return str(exc).replace("`", "")


def _top(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema whose top is not only a reference: strict output and many hosts want the object there."""
    ref = schema.get("$ref")
    if ref is None:
        return schema
    name = str(ref).rpartition("/")[2]
    definitions: dict[str, Any] = dict(schema["$defs"])
    top = dict(definitions[name])
    used = msgspec.json.encode([top, {key: one for key, one in definitions.items() if key != name}])
    if f'"{ref}"'.encode() not in used:  # nothing else needs it
        del definitions[name]
    return top | ({"$defs": definitions} if definitions else {})


def answer_type(kind: Any) -> AnswerType[Any]:
    """The same as `AnswerType`, which is kept for the types that were used last: a schema takes a while to make.

    Raises:
        InvalidRequestError: no schema can say it.
    """
    try:
        return _kept(kind)
    except TypeError:  # it has no hash
        return AnswerType(kind)


@lru_cache(maxsize=256)
def _kept(kind: Any) -> AnswerType[Any]:
    return AnswerType(kind)


def is_answer_type(kind: object) -> bool:
    """Whether this may be a type, and is none of the dicts that `create` takes as `response_format`."""
    return kind is not None and not isinstance(kind, dict | str | bytes | Struct)
