"""JSON schemas as strict structured output takes them.

https://platform.openai.com/docs/guides/structured-outputs/supported-schemas
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from collections.abc import Mapping
from typing import Any

# What says how a value is checked or shown, and not what it is; strict output has no place for it.
# A set is read from a list with anything twice, too.
_DROPPED = frozenset({"default", "discriminator", "$schema", "examples", "uniqueItems"})
# What strict output cannot hold a model to.
_NOT_STRICT = frozenset(
    {
        "prefixItems", "patternProperties", "propertyNames", "unevaluatedProperties", "dependentRequired",
        "dependentSchemas", "if", "then", "else", "not", "minProperties", "maxProperties", "contains",
    }
)  # fmt: skip


class NotStrictError(ValueError):
    """The schema says what strict output cannot hold a model to."""


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same schema in the strict form: every object closed, every property required, no defaults.

    A property that had a default is always written by the model then; a reader needs no other schema for that.

    Raises:
        NotStrictError: no strict schema says the same: free dicts, tuples, values of any type; says which.
    """
    return _strict(schema, schema, "", ())


def _strict(schema: Any, root: Mapping[str, Any], where: str, inside: tuple[str, ...]) -> dict[str, Any]:
    """One schema of those in `root`. `inside` are the references that it is being written out for."""
    if not isinstance(schema, dict):
        raise NotStrictError(f"{where or 'the schema'} takes a value of any type")
    if found := _NOT_STRICT & schema.keys():
        raise NotStrictError(f"{where or 'the schema'} has {min(found)}")
    fitted: dict[str, Any] = {key: value for key, value in schema.items() if key not in _DROPPED}
    if "$ref" in fitted and not fitted.keys() <= {"$ref", "$defs"}:
        return _written_out(fitted, root, where, inside)
    if (parts := fitted.pop("allOf", None)) is not None:
        if len(parts) != 1:
            raise NotStrictError(f"{where or 'the schema'} has allOf")
        return _strict({**parts[0], **fitted}, root, where, inside)
    for key in ("$defs", "definitions"):
        if isinstance(definitions := fitted.get(key), dict):
            fitted[key] = {name: _strict(one, root, name, (f"#/{key}/{name}",)) for name, one in definitions.items()}
    if isinstance(options := fitted.pop("oneOf", fitted.get("anyOf")), list):
        fitted["anyOf"] = [_strict(option, root, where, inside) for option in options]
    _fit(fitted, root, where, inside)
    return fitted


def _written_out(
    fitted: dict[str, Any], root: Mapping[str, Any], where: str, inside: tuple[str, ...]
) -> dict[str, Any]:
    """A reference with something beside it, as what it stands for: strict output wants a reference to stand alone.

    A schema that holds itself would be written out for ever: there the reference stays, and what is beside it goes.
    """
    ref = str(fitted.pop("$ref"))
    if ref in inside:
        return {"$ref": ref}
    return _strict({**_resolve(ref, root), **fitted}, root, where, (*inside, ref))


def _fit(fitted: dict[str, Any], root: Mapping[str, Any], where: str, inside: tuple[str, ...]) -> None:
    """One schema by its kind, in place."""
    kind = fitted.get("type")
    if isinstance(kind, list) and {"object", "array"} & set(kind):
        raise NotStrictError(f"{where or 'the schema'} has several types in one")
    if kind == "object" or "properties" in fitted:
        _close(fitted, root, where, inside)
    elif kind == "array" or "items" in fitted:
        if "items" not in fitted:
            raise NotStrictError(f"{where or 'the schema'} is a list of anything")
        fitted["items"] = _strict(fitted["items"], root, f"{where}[]", inside)
    elif "enum" in fitted or "const" in fitted:
        fitted.setdefault("type", _kind_of(fitted.get("enum", [fitted.get("const")]), where))
    elif not fitted.keys() & {"type", "anyOf", "$ref"}:
        raise NotStrictError(f"{where or 'the schema'} takes a value of any type")


def _close(fitted: dict[str, Any], root: Mapping[str, Any], where: str, inside: tuple[str, ...]) -> None:
    if fitted.get("additionalProperties") not in (None, False) or "properties" not in fitted:
        raise NotStrictError(f"{where or 'the schema'} is a dict with any keys")
    fitted["type"] = "object"
    fitted["properties"] = {
        name: _strict(one, root, f"{where}.{name}".removeprefix("."), inside)
        for name, one in fitted["properties"].items()
    }
    fitted["required"] = list(fitted["properties"])
    fitted["additionalProperties"] = False


def _kind_of(values: list[Any], where: str) -> str | list[str]:
    kinds = {_KINDS.get(type(value), "") for value in values}
    if not kinds or "" in kinds:
        raise NotStrictError(f"{where or 'the schema'} is one of values that are no texts, numbers or bools")
    return kinds.pop() if len(kinds) == 1 else sorted(kinds)


_KINDS: dict[type, str] = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def _resolve(ref: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = root
    for key in ref.removeprefix("#/").split("/"):
        found = found.get(key) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping):
        raise NotStrictError(f"{ref} leads nowhere")
    return found
