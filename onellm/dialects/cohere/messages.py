"""Histories as the v2 chat takes them. https://docs.cohere.com/docs/chat-api"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

import binascii
from base64 import b64decode
from typing import Any

from msgspec import Struct, field

from onellm.dialects import data_url
from onellm.types.chat_params import ChatRequest

_DETAILS = frozenset({"auto", "low", "high"})
# Parts that only this API has; callers may write them as they are.
_OWN_PARTS = {"tool": "document", "assistant": "thinking"}
_TEXT_FILES = ("text/", "application/json")
# What a message that the caller wrote may say in this API's own words.
_OWN_FIELDS = ("tool_plan", "citations")


class History(Struct, kw_only=True):
    """The messages, and the documents that stood among them as files."""

    messages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    documents: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


def encode(request: ChatRequest) -> History:
    """The history as the API takes it.

    Raises:
        UnsupportedParameterError: a part that it cannot express, unless the call or the client relaxes it.
    """
    history = History()
    encoders = {"assistant": _assistant, "tool": _tool}
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
        encoded = encoders.get(role, _spoken)(message, where, request, history)
        history.messages.append({"role": role, **encoded})
    return history


def _note(request: ChatRequest, note: str) -> None:
    if note not in request.adjustments:
        request.adjustments.append(note)


def _spoken(message: dict[str, Any], where: str, request: ChatRequest, history: History) -> dict[str, Any]:
    return {"content": _content(message, where, request, history)}


def _tool(message: dict[str, Any], where: str, request: ChatRequest, history: History) -> dict[str, Any]:
    return {"tool_call_id": message["tool_call_id"], "content": _content(message, where, request, history)}


def _assistant(message: dict[str, Any], where: str, request: ChatRequest, history: History) -> dict[str, Any]:
    """A turn of the model's. What an answer of the same provider's said beside its text goes back with it."""
    sent: dict[str, Any] = {}
    content = _content(message, where, request, history) or message.get("refusal")
    kept = message.get("provider_data")
    own: dict[str, Any] = {}
    if kept is None:
        own = {name: message[name] for name in _OWN_FIELDS if message.get(name) is not None}
    elif kept["provider"] == request.provider:
        own = dict(kept["data"])
        content = _with_thinking(own.pop("content", None), content)
    calls = message.get("tool_calls")
    if content or not calls:  # beside calls an empty text is left out: the API takes no empty turns
        sent["content"] = content or ""
    sent.update(own)
    if calls:
        sent["tool_calls"] = [
            found
            for number, call in enumerate(calls)
            if (found := _call(call, f"{where}.tool_calls[{number}]", request))
        ]
    for name in ("function_call", "audio"):
        if message.get(name):
            request.unsupported(f"{where}.{name}", "it has none")
    return sent


def _with_thinking(kept: Any, content: Any) -> Any:
    """The parts that came, thinking among them; with the text that the message has now, where it was changed."""
    if not kept or isinstance(content, list):
        return content
    if "".join(part["text"] for part in kept if part["type"] == "text") == (content or ""):
        return kept
    return [part for part in kept if part["type"] != "text"] + [{"type": "text", "text": content}]


def _call(call: dict[str, Any], where: str, request: ChatRequest) -> dict[str, Any] | None:
    if call["type"] != "function":
        request.unsupported(where, "its tools are functions")
        return None
    function = call["function"]
    named = {"name": function["name"], "arguments": function["arguments"] or "{}"}
    return {"id": call["id"], "type": "function", "function": named}


def _content(message: dict[str, Any], where: str, request: ChatRequest, history: History) -> Any:
    content = message.get("content")
    if not isinstance(content, list):
        return content
    parts: list[dict[str, Any]] = []
    for number, part in enumerate(content):
        if (found := _part(part, message["role"], f"{where}.content[{number}]", request, history)) is not None:
            parts.append(found)
    return parts


def _part(part: dict[str, Any], role: str, where: str, request: ChatRequest, history: History) -> dict[str, Any] | None:
    match part:
        case {"type": "text", "text": str() as text} | {"type": "refusal", "refusal": str() as text}:
            return {"type": "text", "text": text}
        case {"type": "image_url", "image_url": image} if role == "user":
            return {"type": "image_url", "image_url": _image(image, where, request)}
        case {"type": "file", "file": {"file_data": str() as given, **rest}} if data_url.is_data_url(given):
            if (read := _text_file(given)) is not None:
                name = str(rest.get("filename") or f"file {len(history.documents)}")
                history.documents.append({"data": {"title": name, "text": read}})
                _note(request, f"sent the file {name} as a document")
                return None
        case {"type": kind} if _OWN_PARTS.get(role) == kind:
            return part
        case _:
            pass
    hint = "it takes files of text only" if part["type"] == "file" else f"it takes no {part['type']} of role {role}"
    feature = "audio_input_support" if part["type"] == "input_audio" else None
    request.unsupported(where, hint, feature=feature)
    return None


def _image(image: Any, where: str, request: ChatRequest) -> dict[str, Any]:
    if isinstance(image, str):
        return {"url": image}
    detail = image.get("detail")
    if detail is None or detail in _DETAILS:
        return dict(image)
    request.unsupported(f"{where}.image_url.detail={detail!r}", f"it takes {', '.join(sorted(_DETAILS))}")
    return {"url": image["url"]}


def _text_file(given: str) -> str | None:
    """The text of a data: URL; None where it holds none."""
    found = data_url.parse(given)
    if found is None or not found.media_type.startswith(_TEXT_FILES):
        return None
    try:
        return b64decode(found.data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
