"""`cache=` for hosts that want marks: which mark is asked for, and where it goes.

A mark, `{"type": "ephemeral"}` with a `ttl` beside it where one is asked for, ends a part of the prompt that is kept.
Marks that the caller has set are the only ones.
"""

from collections.abc import Sequence
from typing import Any

from onellm.types.chat_params import ChatRequest

MARK = "cache_control"
_INSTRUCTIONS = ("system", "developer")


def wanted_mark(request: ChatRequest) -> dict[str, str] | None:
    """The mark to set; None where no cache is asked for, or the caller has set marks."""
    cache = request.params.get("cache")
    if cache is None or cache == "off" or is_marked(request):
        return None
    return {"type": "ephemeral"} if cache == "on" else {"type": "ephemeral", "ttl": cache}


def refuse_lengths(params: dict[str, Any], request: ChatRequest) -> None:
    """Take `cache` out of the arguments of a host that keeps prompts by itself, and can be told nothing of it.

    Raises:
        UnsupportedParameterError: it is not "on", unless the call or the client relaxes it.
    """
    cache = params.pop("cache", None)
    if cache == "off":
        request.unsupported("cache='off'", "it keeps prompts by itself")
    elif cache not in (None, "on"):
        request.unsupported(f"cache={cache!r}", "how long it keeps prompts is up to itself, as cache='on' has it")


def is_marked(request: ChatRequest) -> bool:
    """Whether the caller has set a mark: on a message, on one of its parts or on a tool."""
    for message in request.messages:
        content: Any = message.get("content")
        if MARK in message or (not isinstance(content, str) and any(MARK in part for part in content or ())):
            return True
    return any(MARK in tool for tool in request.params.get("tools", ()))


def mark_messages(messages: Sequence[dict[str, Any]], mark: dict[str, str]) -> list[dict[str, Any]]:
    """Messages with two marks: after the instructions, before which the tools stand, and after the last message."""
    marked = list(messages)
    start = 0
    while start < len(marked) and marked[start]["role"] in _INSTRUCTIONS:
        start += 1
    for place in dict.fromkeys((start - 1, len(marked) - 1)):
        if place >= 0:
            marked[place] = mark_text(marked[place], mark)
    return marked


def mark_text(message: dict[str, Any], mark: dict[str, str]) -> dict[str, Any]:
    """A message with the mark on its last text; as it is where it has none."""
    match message.get("content"):
        case str() as text if text:
            return {**message, "content": [{"type": "text", "text": text, MARK: mark}]}
        case [*parts]:
            for place in reversed(range(len(parts))):
                if parts[place]["type"] == "text":
                    return {
                        **message,
                        "content": [*parts[:place], {**parts[place], MARK: mark}, *parts[place + 1 :]],
                    }
            return message
        case _:
            return message
