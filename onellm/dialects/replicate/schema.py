"""What a model takes, read from the OpenAPI description that it publishes.

https://replicate.com/docs/reference/openapi
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# A description is JSON of any shape, taken apart by patterns that prove what they use.

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from onellm.dialects import lenient
from onellm.errors import ResponseDecodeError
from onellm.types.base import Answer


class Field(Struct, frozen=True, kw_only=True):
    """One input: its JSON type, "" where that is not said, and the values that it may have, where they are few."""

    type: str = ""
    enum: tuple[Any, ...] = ()


class ModelSchema(Answer, kw_only=True):
    """The inputs of a model, by their names.

    version:  the one to run, where the host does not choose it: the newest of a model that is not official
    known:    whether the model publishes a description
    """

    inputs: Mapping[str, Field]
    version: str | None = None
    known: bool = True

    def first(self, names: tuple[str, ...]) -> str | None:
        """The first of these names that is an input."""
        return next((name for name in names if name in self.inputs), None)


class Release(Answer, kw_only=True):
    """What a deployment runs. model: its name, with its version"""

    model: str


def decode_release(body: bytes) -> Release:
    """From a deployment.

    Raises:
        ResponseDecodeError: it does not say what it runs.
    """
    match lenient.decode_json(body, "a deployment"):
        case {"current_release": {"model": str() as model, "version": str() as version}} if model:
            return Release(model=f"{model}:{version}" if version else model)
        case _:
            raise ResponseDecodeError("the deployment does not say which model it runs", body=body[:2000])


def decode_schema(body: bytes) -> ModelSchema:
    """From a model, or from one of its versions.

    Raises:
        ResponseDecodeError: it is no JSON.
    """
    match lenient.decode_json(body, "a model"):
        case {"openapi_schema": dict() as schema}:
            return _read(schema, None)
        case {"latest_version": {"openapi_schema": dict() as schema, "id": str() as newest}, **rest}:
            return _read(schema, newest if rest.get("is_official") is False else None)
        case _:
            return ModelSchema(inputs={}, known=False)


def _read(schema: dict[str, Any], version: str | None) -> ModelSchema:
    match schema:
        case {"components": {"schemas": {"Input": {"properties": dict() as properties}} as parts}}:
            inputs = {name: _field(value, parts) for name, value in properties.items()}
            return ModelSchema(inputs=inputs, version=version)
        case _:
            return ModelSchema(inputs={}, version=version, known=False)


def _field(value: Any, parts: dict[str, Any]) -> Field:
    match value:
        case {"type": str() as kind, **rest}:
            return Field(type=kind, enum=_enum(rest.get("enum")))
        case {"$ref": str() as ref}:
            return _field({"type": "", **_part(ref, parts)}, parts)
        case {"allOf": [{"$ref": str() as ref}, *_]}:
            return _field({"type": "", **_part(ref, parts)}, parts)
        case {"anyOf": [*choices]}:
            real = [choice for choice in choices if not (isinstance(choice, dict) and choice.get("type") == "null")]
            return _field(real[0], parts) if len(real) == 1 else Field()
        case _:
            return Field()


def _part(ref: str, parts: dict[str, Any]) -> dict[str, Any]:
    found = parts.get(ref.rpartition("/")[2])
    return {key: item for key, item in found.items() if key in {"type", "enum"}} if isinstance(found, dict) else {}


def _enum(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else ()
