"""What a message of a history says in OpenAI's shape: to see whether it is still what was received."""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Messages are dicts of any shape.

from collections.abc import Mapping
from typing import Any

import msgspec

from onellm.dialects.lenient import DECODE_ERRORS


def text_of(message: Mapping[str, Any]) -> str:
    """Its text, the pieces joined."""
    content = message.get("content")
    return content if isinstance(content, str) else "".join(part.get("text") or "" for part in content or ())


def calls_of(message: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The names of the functions that it calls, and their arguments: as text where they are not JSON."""
    return [
        (call["function"]["name"], _value(call["function"]["arguments"]))
        for call in message.get("tool_calls") or ()
        if call["type"] == "function"
    ]


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text or "{}")
    except DECODE_ERRORS:
        return text
