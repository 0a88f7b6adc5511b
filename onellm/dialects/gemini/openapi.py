"""JSON schemas as the older `Schema` of the API, which is OpenAPI's: all that a Live session's functions can have.

https://ai.google.dev/api/caching#Schema
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is walked here.

from collections.abc import Mapping
from typing import Any

from onellm.dialects.gemini.schema import joined

_TAKEN = frozenset(
    {
        "default",
        "description",
        "example",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "nullable",
        "pattern",
        "propertyOrdering",
        "required",
    }
)
_FORMATS = frozenset({"date-time", "double", "enum", "float", "int32", "int64"})
_SAYS_NOTHING = frozenset({"$schema", "$id", "$defs", "definitions", "title"})


def as_openapi(schema: Any, removed: list[str]) -> Any:
    """A schema that `parameters` takes; `removed` gets the path of each keyword that it cannot say.

    What `$ref` names is put in its place, as far as it does not hold itself. `null` among the types becomes
    `nullable`, several types and `oneOf` become `anyOf`, and values of an `enum` that are no text stand in the
    description.
    """
    named: dict[str, Any] = {}
    if isinstance(schema, dict):
        for keyword in ("$defs", "definitions"):
            if isinstance(held := schema.get(keyword), dict):
                named |= {f"#/{keyword}/{name}": value for name, value in held.items()}
    return _Walk(named, removed).walk(schema, "", ())


class _Walk:
    def __init__(self, named: Mapping[str, Any], removed: list[str]) -> None:
        self._named = named
        self._removed = removed

    def walk(self, schema: Any, path: str, inside: tuple[str, ...]) -> dict[str, Any]:
        """One schema. inside: the references that lead to it."""
        if not isinstance(schema, dict):
            if schema is not True:
                self._removed.append(path or "the schema")
            return {}
        if isinstance(ref := schema.get("$ref"), str):
            beside = {name: value for name, value in schema.items() if name != "$ref"}
            if ref not in self._named or ref in inside:
                self._removed.append(f"{path}.$ref" if path else "$ref")
                return {"type": "object", **self.walk(beside, path, inside)}
            return {**self.walk(self._named[ref], path, (*inside, ref)), **self.walk(beside, path, inside)}
        return self._keywords(joined(schema), path, inside)

    def _keywords(  # noqa: C901 - a kind of keyword a branch
        self, schema: dict[str, Any], path: str, inside: tuple[str, ...]
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        choices: list[Any] = []
        values: Any = None
        for name, value in schema.items():
            here = f"{path}.{name}" if path else name
            if name == "type":
                choices += _types(value, found)
            elif name in ("anyOf", "oneOf") and isinstance(value, list):
                choices += value
            elif name == "properties" and isinstance(value, dict):
                found[name] = {key: self.walk(each, f"{here}.{key}", inside) for key, each in value.items()}
            elif name == "items":
                found[name] = self.walk(value, here, inside)
            elif name in ("enum", "const"):
                values = [value] if name == "const" else value
            elif name in _TAKEN:
                if name != "default" or value is not None:
                    found[name] = value
            elif name == "format" and value in _FORMATS:
                found[name] = value
            elif name not in _SAYS_NOTHING and not (name == "additionalProperties" and isinstance(value, bool)):
                self._removed.append(here)
        _restrict(values, found)
        self._choose(choices, found, path, inside)
        if "type" not in found and "properties" in found:
            found["type"] = "object"
        return found

    def _choose(self, choices: list[Any], found: dict[str, Any], path: str, inside: tuple[str, ...]) -> None:
        """One of several: `null` is none of them, and where one is left that is the schema itself."""
        several = [choice for choice in choices if choice != {"type": "null"}]
        if len(several) < len(choices):
            found["nullable"] = True
        if len(several) == 1:
            for name, value in self.walk(several[0], path, inside).items():
                found.setdefault(name, value)
        elif several:
            found["anyOf"] = [
                self.walk(choice, f"{path}.anyOf[{place}]" if path else f"anyOf[{place}]", inside)
                for place, choice in enumerate(several)
            ]


def _restrict(values: Any, found: dict[str, Any]) -> None:
    """`enum`, which has texts alone: other values are said in the description."""
    if not isinstance(values, list):
        return
    if None in values:
        found["nullable"] = True
        values = [value for value in values if value is not None]
    if values and all(isinstance(value, str) for value in values):
        found["enum"] = values
        found.setdefault("type", "string")
    elif values:
        said = f"one of {', '.join(map(str, values))}"
        found["description"] = f"{found['description']} ({said})" if "description" in found else said


def _types(value: Any, found: dict[str, Any]) -> list[dict[str, Any]]:
    """`type`, which may be several at once."""
    if not isinstance(value, list):
        if value == "null":
            found["nullable"] = True
        else:
            found["type"] = value
        return []
    named = [kind for kind in value if kind != "null"]
    if len(named) < len(value):
        found["nullable"] = True
    if len(named) == 1:
        found["type"] = named[0]
        return []
    return [{"type": kind} for kind in named]
