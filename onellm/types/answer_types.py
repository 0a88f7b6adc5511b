"""Python types as the form of an answer: the schema that a model is held to, and what it wrote as a value."""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Types of any kind are taken apart here.

import re
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import msgspec
from msgspec import Struct

from onellm.errors import InvalidRequestError, ResponseValidationError
from onellm.types.json_schema import NotStrictError, strict_schema
from onellm.types.partial_json import partial_json

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_NOT_NAME = re.compile(r"[^a-zA-Z0-9_-]+")
_FENCED = re.compile(r"\s*```(?:json)?\s*\n(?P<inside>.*?)\n\s*```\s*", re.DOTALL | re.IGNORECASE)
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
        self.kind = kind
        self.name = (_NOT_NAME.sub("_", getattr(kind, "__name__", "")).strip("_") or "answer")[:64]
        self.free = kind is dict
        self._wrapped = False
        if callable(getattr(kind, "model_validate_json", None)):
            schema = _top(kind.model_json_schema())
            self._decode: Callable[[bytes], Any] = kind.model_validate_json
        else:
            schema = self._described(kind)
        self.loose: str | None = None
        try:
            schema = strict_schema(schema)
        except NotStrictError as exc:
            self.loose = str(exc)
        self.strict = self.loose is None
        self.schema = schema

    def _described(self, kind: Any) -> dict[str, Any]:
        try:
            schema = _top(msgspec.json.schema(kind))
            if schema.get("type") != "object":  # a list, a text, a union: its place is in an object
                self._wrapped = True
                kind = msgspec.defstruct("Answer", [(_VALUE, kind)])
                schema = _top(msgspec.json.schema(kind))
            self._decode = msgspec.json.Decoder(kind).decode
        except (TypeError, ValueError) as exc:
            raise InvalidRequestError(
                f"response_format: no schema can say {self.name}: {exc}", param="response_format"
            ) from exc
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
        if unfence and (found := _FENCED.fullmatch(text)):
            text = found["inside"]
        written = text.encode()
        try:
            value = self._decode(written)
        except ValueError as exc:  # msgspec's and pydantic's own errors are ones
            what = _explained(exc)
            if self._wrapped:
                what = what.replace("$.value", "$")
            raise ResponseValidationError(f"the answer is no {self.name}: {what}", body=written) from exc
        return cast("T", getattr(value, _VALUE) if self._wrapped else value)

    def read_partial(self, text: str) -> Any:
        """What has been written so far, as plain dicts and lists."""
        value = partial_json(text)
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


def _explained(exc: ValueError) -> str:
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


def is_answer_type(kind: object) -> bool:
    """Whether this is a type, and not one of the dicts that `create` takes as `response_format`."""
    return not isinstance(kind, dict | str | bytes | Struct)
