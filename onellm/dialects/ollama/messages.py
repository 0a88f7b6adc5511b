"""Histories as the chat takes them. https://docs.ollama.com/api/chat"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from typing import Any

import msgspec

from onellm.dialects.lenient import DECODE_ERRORS
from onellm.types.chat_params import ChatRequest

_IMAGE = "data:image/"
_UNREADABLE = "INVALID_JSON"  # under which arguments stand that are no JSON object


def encode(request: ChatRequest) -> list[dict[str, Any]]:
    """The history as the API takes it: contents are texts, images stand beside them.

    Raises:
        UnsupportedParameterError: a part that it cannot express, unless the call or the client relaxes it.
    """
    sent: list[dict[str, Any]] = []
    called: dict[str, str] = {}  # the names of the functions, by the ids of their calls
    for place, message in enumerate(request.messages):
        where = f"messages[{place}]"
        role = message["role"]
        if role == "function":
            request.unsupported(where, "functions are tools there: give tool_calls and a message of role tool")
            continue
        if role == "developer":
            role = "system"
            _note(request, "sent developer messages as system messages")
        if message.get("name") is not None:
            _note(request, "left the names of messages out")
        encoded: dict[str, Any] = {"role": role, **_content(message, where, request)}
        if role == "assistant":
            _assistant(message, encoded, where, request)
            called.update((call["id"], call["function"]["name"]) for call in encoded.get("tool_calls", ()))
        elif role == "tool":
            encoded["tool_call_id"] = message["tool_call_id"]
            if name := called.get(message["tool_call_id"]):
                encoded["tool_name"] = name
        sent.append(encoded)
    return sent


def _note(request: ChatRequest, note: str) -> None:
    if note not in request.adjustments:
        request.adjustments.append(note)


def _assistant(message: dict[str, Any], encoded: dict[str, Any], where: str, request: ChatRequest) -> None:
    """A turn of the model's. What it thought goes back to the provider that it came from."""
    if not encoded["content"] and message.get("refusal"):
        encoded["content"] = message["refusal"]
    kept = message.get("provider_data")
    if kept is not None and kept["provider"] == request.provider:
        encoded.update(kept["data"])
    calls = [
        _call(call, f"{where}.tool_calls[{number}]", request)
        for number, call in enumerate(message.get("tool_calls") or ())
    ]
    if found := [call for call in calls if call is not None]:
        encoded["tool_calls"] = found
    for name in ("function_call", "audio"):
        if message.get(name):
            request.unsupported(f"{where}.{name}", "it has none")


def _call(call: dict[str, Any], where: str, request: ChatRequest) -> dict[str, Any] | None:
    if call["type"] != "function":
        request.unsupported(where, "its tools are functions")
        return None
    function = call["function"]
    try:
        arguments = msgspec.json.decode(function["arguments"] or "{}")
    except DECODE_ERRORS:
        arguments = None
    if not isinstance(arguments, dict):  # a model wrote them: the conversation goes on
        arguments = {_UNREADABLE: function["arguments"]}
    return {"id": call["id"], "function": {"name": function["name"], "arguments": arguments}}


def _content(message: dict[str, Any], where: str, request: ChatRequest) -> dict[str, Any]:
    content = message.get("content")
    if not isinstance(content, list):
        return {"content": content or ""}
    texts: list[str] = []
    images: list[str] = []
    for number, part in enumerate(content):
        at = f"{where}.content[{number}]"
        match part:
            case {"type": "text", "text": str() as text} | {"type": "refusal", "refusal": str() as text}:
                texts.append(text)
            case {"type": "image_url", "image_url": {"url": str() as url} | (str() as url)}:
                if (image := _image(url, at, request)) is not None:
                    images.append(image)
            case _:
                request.unsupported(at, f"it takes texts and images, and no part of type {part['type']}")
    if len(texts) > 1:
        _note(request, "sent the parts of a text as one, a line each")
    encoded: dict[str, Any] = {"content": "\n".join(texts)}
    if images:
        encoded["images"] = images
    return encoded


def _image(url: str, where: str, request: ChatRequest) -> str | None:
    """The base64 of a data URI, without what stands before it."""
    head, comma, data = url.partition(",")
    if comma and head.startswith(_IMAGE) and head.endswith(";base64"):
        return data
    hint = "it takes images as data:image/png;base64,… only, and fetches none: give the bytes that are there"
    request.unsupported(f"{where}.image_url", hint)
    return None
