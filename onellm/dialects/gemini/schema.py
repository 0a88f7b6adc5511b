"""JSON schemas, as far as generateContent knows them: the rest is taken out, and named.

https://ai.google.dev/api/generate-content#FIELDS.response_json_schema
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is walked here.

from typing import Any

_TAKEN = frozenset(
    {
        "$anchor",
        "$defs",
        "$id",
        "$ref",
        "additionalProperties",
        "anyOf",
        "description",
        "enum",
        "format",
        "items",
        "maxItems",
        "maximum",
        "minItems",
        "minimum",
        "oneOf",
        "prefixItems",
        "properties",
        "propertyOrdering",
        "required",
        "title",
        "type",
    }
)
_NAMED = ("properties", "$defs")  # hold schemas under names of the caller's
_LISTED = ("anyOf", "oneOf", "prefixItems")
_SINGLE = ("items", "additionalProperties")


def clean(schema: Any, removed: list[str], path: str = "") -> Any:
    """A schema that the API takes; `removed` gets the path of each keyword that is not.

    `const` becomes an `enum` of one, `definitions` becomes `$defs`, and what `allOf` joins is put together. Beside a
    `$ref` nothing may stand that does not begin with `$`.
    """
    if not isinstance(schema, dict):
        return schema
    schema = joined(schema)
    cleaned: dict[str, Any] = {}
    for name, value in schema.items():
        here = f"{path}.{name}" if path else name
        if name == "const" and "enum" not in schema:
            cleaned["enum"] = [value]
        elif name == "definitions" and "$defs" not in schema:
            cleaned["$defs"] = _each(value, removed, here)
        elif name not in _TAKEN or ("$ref" in schema and not name.startswith("$")):
            removed.append(here)
        elif name in _NAMED:
            cleaned[name] = _each(value, removed, here)
        elif name in _LISTED and isinstance(value, list):
            cleaned[name] = [clean(item, removed, f"{here}[{place}]") for place, item in enumerate(value)]
        elif name in _SINGLE:
            cleaned[name] = clean(value, removed, here)
        elif name == "$ref" and isinstance(value, str):
            cleaned[name] = value.replace("#/definitions/", "#/$defs/")
        else:
            cleaned[name] = value
    return cleaned


def _each(schemas: Any, removed: list[str], path: str) -> Any:
    if not isinstance(schemas, dict):
        return schemas
    return {name: clean(schema, removed, f"{path}.{name}") for name, schema in schemas.items()}


def joined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with what its `allOf` says in itself, where each of these is a plain object."""
    parts = schema.get("allOf")
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        return schema
    if any("$ref" in part for part in parts) and (len(parts) > 1 or len(schema) > 1):
        return schema  # what a reference stands for cannot be joined
    whole: dict[str, Any] = {}
    for part in (*map(joined, parts), {name: value for name, value in schema.items() if name != "allOf"}):
        for name, value in part.items():
            held = whole.get(name)
            if isinstance(held, dict) and isinstance(value, dict):
                whole[name] = {**held, **value}
            elif name == "required" and isinstance(held, list) and isinstance(value, list):
                whole[name] = [*held, *(item for item in value if item not in held)]
            else:
                whole[name] = value
    return whole
