"""Names and ids as the Messages API takes them: letters, digits, `_` and `-`."""

import hashlib
import re

from onellm.types.chat_params import ChatRequest

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_ID = re.compile(r"[a-zA-Z0-9_-]+")
_OTHER = re.compile(r"[^a-zA-Z0-9_-]")


def respelled(request: ChatRequest) -> dict[str, str]:
    """The names of a call's tools that the API refuses, each with the one that is sent in its place.

    The same call gives the same: names in an answer are turned back by it.
    """
    wrong = [name for name in dict.fromkeys(_names(request)) if not _NAME.fullmatch(name)]
    if not wrong:
        return {}
    taken = {name for name in _names(request) if _NAME.fullmatch(name)}
    found: dict[str, str] = {}
    for name in wrong:
        plain = _OTHER.sub("_", name)
        if not _NAME.fullmatch(plain) or plain in taken:
            plain = f"{plain[:100]}_{_digest(name)}"
        taken.add(plain)
        found[name] = plain
    return found


def tool_id(given: str) -> str:
    """A tool call's id; one of another provider's spelling is respelled, always alike."""
    return given if _ID.fullmatch(given) else f"{_OTHER.sub('_', given)[:40]}_{_digest(given)}"


def _names(request: ChatRequest) -> list[str]:
    tools = [_name(tool) for tool in request.params.get("tools") or ()]
    called = [_name(call) for message in request.messages for call in message.get("tool_calls") or ()]
    return [name for name in (*tools, *called) if name is not None]


def _name(tool: "dict[str, dict[str, str]]") -> str | None:
    return tool.get("function", {}).get("name")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
