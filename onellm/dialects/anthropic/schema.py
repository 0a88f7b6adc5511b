"""The subset of JSON Schema that the Messages API holds answers to.

https://platform.claude.com/docs/en/build-with-claude/structured-outputs
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from typing import Any

import msgspec

from onellm.errors import InvalidRequestError

_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"},
)
_DEFINITIONS = ("$defs", "definitions")
_BRANCHES = {"anyOf": "anyOf", "oneOf": "anyOf", "allOf": "allOf"}
_KEPT = ("type", "enum", "const", "title", "description")
_DEEPEST = 200


def subset(schema: Any, path: str, moved: list[str]) -> Any:
    """A schema in the subset. What does not fit is moved into `description`, and its paths are added to `moved`.

    Raises:
        InvalidRequestError: it is nested too deep to be one.
    """
    return _subset(schema, path, moved, 0)


def _subset(schema: Any, path: str, moved: list[str], depth: int) -> Any:
    if depth > _DEEPEST:
        raise InvalidRequestError(
            f"{path.split('.', maxsplit=1)[0]}: the schema is nested deeper than {_DEEPEST} levels"
        )
    if not isinstance(schema, dict):
        return schema

    def within(value: Any, *steps: str) -> Any:
        return _subset(value, ".".join((path, *steps)), moved, depth + 1)

    left = dict(schema)
    sent: dict[str, Any] = {}
    for name in _DEFINITIONS:
        if isinstance(known := left.get(name), dict):
            sent[name] = {key: within(value, name, str(key)) for key, value in known.items()}
            del left[name]
    if "$ref" in left:  # nothing may stand beside it
        moved += [f"{path}.{name}" for name in left if name != "$ref"]
        return sent | {"$ref": left["$ref"]}
    for name, theirs in _BRANCHES.items():
        if isinstance(branches := left.get(name), list) and theirs not in sent:
            sent[theirs] = [within(branch, name, str(at)) for at, branch in enumerate(branches)]
            del left[name]
    sent |= {name: left.pop(name) for name in _KEPT if name in left}
    _keep_by_type(left, sent, within)
    if left:
        words = ", ".join(f"{name}: {_word(value)}" for name, value in left.items())
        sent["description"] = f"{sent['description']}\n\n{{{words}}}" if sent.get("description") else f"{{{words}}}"
        moved += [f"{path}.{name}" for name in left]
    return sent


def _keep_by_type(left: dict[str, Any], sent: dict[str, Any], within: Any) -> None:
    kinds = sent.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "object" in kinds or "properties" in left:
        properties = left.pop("properties", {})
        sent["properties"] = (
            {name: within(value, "properties", name) for name, value in properties.items()}
            if isinstance(properties, dict)
            else properties
        )
        if "required" in left:
            sent["required"] = left.pop("required")
        if left.get("additionalProperties") in (False, None):
            left.pop("additionalProperties", None)
        sent["additionalProperties"] = False
    if "items" in left:
        sent["items"] = within(left.pop("items"), "items")
    if left.get("minItems") in (0, 1):
        sent["minItems"] = left.pop("minItems")
    if left.get("format") in _FORMATS:
        sent["format"] = left.pop("format")


def _word(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
