"""The input of a response, checked before anything is sent; what is not known here passes."""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# What callers give may be anything: it is taken apart here, by checks that prove what they use.

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from onellm.errors import InvalidRequestError
from onellm.resources import validation
from onellm.types.response_items import ITEMS, ResponseItem
from onellm.types.response_params import ResponseInput

_ROLES = ("user", "assistant", "system", "developer")
_TYPES = (*ITEMS, "item_reference", "compaction_trigger")
_PARTS = ("input_text", "input_image", "input_file", "input_audio", "output_text", "refusal")
# What an item cannot do without.
_NEEDS = {
    "message": ("role", "content"),
    "function_call": ("call_id", "name", "arguments"),
    "function_call_output": ("call_id", "output"),
    "custom_tool_call": ("call_id", "name", "input"),
    "custom_tool_call_output": ("call_id", "output"),
    "item_reference": ("id",),
    "mcp_approval_response": ("approval_request_id", "approve"),
}
# What is said differently in Chat Completions.
_PARTS_OF_CHAT = {"text": "input_text", "image_url": "input_image", "file": "input_file"}
_ROLES_OF_CHAT = {"tool": "function_call_output", "function": "function_call_output"}
_OF_CHAT = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "response_format": 'text={"format": …}',
    "reasoning_effort": 'reasoning={"effort": …}',
    "verbosity": 'text={"verbosity": …}',
    "functions": "tools",
}


def params(given: Mapping[str, Any], known: Any, call: str) -> dict[str, Any]:
    """The given arguments, checked; those that Chat Completions spells differently are named.

    Raises:
        InvalidRequestError: an argument does not exist, or its value does not fit.
    """
    for name in given:
        if name in _OF_CHAT:
            raise InvalidRequestError(f"{call} has no argument {name!r}; it is {_OF_CHAT[name]} here", param=name)
    checked = validation.params(given, known, call)
    for place, tool in enumerate(checked.get("tools", ())):
        if isinstance(tool, Mapping) and isinstance(tool.get("function"), Mapping) and "name" not in tool:
            raise InvalidRequestError(
                f"tools[{place}]: name, description and parameters stand beside type here, not under function",
                param="tools",
            )
    match checked.get("text"):
        case {"format": {"type": "json_schema", "json_schema": _}}:
            raise InvalidRequestError(
                "text.format: name, schema and strict stand beside type here, not under json_schema", param="text"
            )
        case _:
            return checked


def response_input(given: ResponseInput | None) -> str | list[Any] | None:
    """A text, or items as they are to be sent: what was received as the bytes that it came as.

    Raises:
        InvalidRequestError: neither a text nor a list, a wrong role, a near miss of a type, a missing field.
    """
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, bytes | Mapping | Struct) or not isinstance(given, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] - callers err
        raise InvalidRequestError(f"input must be a text or a list of items, not {type(given).__name__}", param="input")
    return [_item(item, f"input[{place}]") for place, item in enumerate(given)]


def _item(item: Any, where: str) -> Any:
    if isinstance(item, ResponseItem):
        return item.source if item.raw else item.to_dict()
    if not isinstance(item, Mapping):
        raise _wrong(f"{where} must be a dict or an item of a response, not {type(item).__name__}")
    kind = item.get("type")
    if kind is None and item.get("role") is None:
        raise _wrong(f"{where} has neither a role nor a type")
    if kind is not None and not isinstance(kind, str):
        raise _wrong(f"{where}.type must be a text, not {type(kind).__name__}")
    if kind is not None and kind not in _TYPES and (near := validation.nearest(kind, _TYPES, 0.8)):
        raise _wrong(f"{where}.type is {kind!r}; did you mean {near!r}?")
    _check_fields(item, kind or "message", where)
    return _plain(item)


def _check_fields(item: Mapping[Any, Any], kind: str, where: str) -> None:
    if kind == "message":
        _check_role(item.get("role"), where)
    for name in _NEEDS.get(kind, ()):
        if item.get(name) is None:
            raise _wrong(f"{where} ({kind}) has no {name}")
    if kind == "message" and isinstance(content := item["content"], list | tuple):
        for place, part in enumerate(content):
            _check_part(part, f"{where}.content[{place}]")


def _check_role(role: Any, where: str) -> None:
    if role in _ROLES:
        return
    if role in _ROLES_OF_CHAT:
        raise _wrong(f"{where}.role cannot be {role!r}: a tool's answer has the type {_ROLES_OF_CHAT[role]!r} here")
    hint = validation.nearest(role, _ROLES) if isinstance(role, str) else None
    raise _wrong(
        f"{where}.role cannot be {role!r}; " + (f"did you mean {hint!r}?" if hint else f"it is {', '.join(_ROLES)}")
    )


def _check_part(part: Any, where: str) -> None:
    if isinstance(part, Struct):
        return
    if not isinstance(part, Mapping):
        raise _wrong(f"{where} must be a dict, not {type(part).__name__}")
    kind = part.get("type")
    if not isinstance(kind, str):
        raise _wrong(f"{where} has no type")
    near = _PARTS_OF_CHAT.get(kind) or (None if kind in _PARTS else validation.nearest(kind, _PARTS, 0.8))
    if near:
        raise _wrong(f"{where}.type is {kind!r}; did you mean {near!r}?")


def _plain(value: Any) -> Any:
    """Structs as dicts without what is None, and iterables as lists, however deep."""
    match value:
        case ResponseItem():
            return value.source if value.raw else value.to_dict()
        case Struct():
            return {name: _plain(each) for name, each in msgspec.to_builtins(value).items() if each is not None}
        case Mapping():
            return {name: _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return value


def _wrong(message: str) -> InvalidRequestError:
    return InvalidRequestError(message, param="input")
