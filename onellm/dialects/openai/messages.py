"""Histories as hosts want them: the differences between Chat Completions' messages, each a small function."""

import hashlib
from typing import Any, Literal, TypeAlias

import msgspec

from onellm.types.chat_params import ChatRequest

AudioAs: TypeAlias = Literal["object", "text", "audio_content"]

# What a message carries out of an answer that no host takes back under these names.
OUTPUT_ONLY = frozenset(
    {
        "annotations",
        "citations",
        "images",
        "parsed",
        "provider_data",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
    }
)

# The flag of a provider that stands for a type of content part.
PART_FLAGS = {"image_url": "vision_support", "input_audio": "audio_input_support"}


def from_answer(message: dict[str, Any], provider: str, replay: tuple[str, ...]) -> dict[str, Any]:
    """A message from an answer as one of a history: nothing empty, nothing only said outwards.

    What its provider wants back is added if that is who gets it. A message that the caller wrote has no
    provider_data; what it says under the host's `replay` names is then meant for the host.
    """
    kept = message.get("provider_data")
    foreign = kept is not None and kept["provider"] != provider
    allowed: tuple[str, ...] = () if kept else replay
    sent = {
        key: value
        for key, value in message.items()
        if value is not None and (key not in OUTPUT_ONLY or key in allowed) and not (key == "tool_calls" and not value)
    }
    sent.setdefault("content", None)
    if "tool_calls" in sent:
        sent["tool_calls"] = [_call(call, foreign=foreign) for call in sent["tool_calls"]]
    if kept is not None and not foreign:
        sent.update(kept["data"])
    if isinstance(audio := sent.get("audio"), dict):
        sent["audio"] = {"id": audio["id"]}
    return sent


def _call(call: dict[str, Any], *, foreign: bool) -> dict[str, Any]:
    """A tool call of the history: nothing empty, and no signature of another provider's."""
    other = "function" if call["type"] == "custom" else "custom"
    return {
        key: value
        for key, value in call.items()
        if value is not None and key != other and not (foreign and key == "extra_content")
    }


def flatten(message: dict[str, Any], where: str, request: ChatRequest) -> dict[str, Any]:
    """Text parts as one text, for a host that takes no lists."""
    if not isinstance(message.get("content"), list):
        return message
    message = without_parts(message, None, where, request)
    return {**message, "content": "\n".join(part["text"] for part in message["content"])}


def flatten_text(message: dict[str, Any]) -> dict[str, Any]:
    """A list of nothing but text parts as one text; a list that holds more stays."""
    match message.get("content"):
        case [*parts] if all(part["type"] == "text" for part in parts):
            return {**message, "content": "\n".join(part["text"] for part in parts)}
        case _:
            return message


def respell_audio(message: dict[str, Any], spell: AudioAs) -> dict[str, Any]:
    """Sound in a host's own spelling."""
    match message.get("content"):
        case [*parts] if any(part["type"] == "input_audio" for part in parts):
            return {**message, "content": [_audio(part, spell) for part in parts]}
        case _:
            return message


def _audio(part: dict[str, Any], spell: AudioAs) -> dict[str, Any]:
    match part:
        case {"type": "input_audio", "input_audio": {"data": str() as sound, "format": str() as format_}}:
            if spell == "text":
                return {**part, "input_audio": sound}
            return {"type": "audio_content", "audio_content": {"content": f"data:audio/{format_};base64,{sound}"}}
        case _:
            return part


def without_parts(
    message: dict[str, Any], refused: set[str] | None, where: str, request: ChatRequest
) -> dict[str, Any]:
    """A message without the content parts that the host is known not to take; refused None is all but text."""
    parts: list[dict[str, Any]] = msgspec.to_builtins(message["content"])
    kept: list[dict[str, Any]] = []
    for number, part in enumerate(parts):
        if part["type"] in refused if refused is not None else part["type"] != "text":
            feature = PART_FLAGS.get(part["type"])
            request.unsupported(f"{where}.content[{number}]", f"it takes no {part['type']}", feature=feature)
        else:
            kept.append(part)
    return {**message, "content": kept}


def short_ids(message: dict[str, Any], length: int) -> dict[str, Any]:
    """Tool-call ids of another host as ids of exactly `length` letters and digits; the same id gives the same."""
    if "tool_call_id" in message:
        message = {**message, "tool_call_id": short_id(message["tool_call_id"], length)}
    if calls := message.get("tool_calls"):
        message = {**message, "tool_calls": [{**call, "id": short_id(call["id"], length)} for call in calls]}
    return message


def short_id(value: str, length: int) -> str:
    if len(value) == length and value.isascii() and value.isalnum():
        return value
    return hashlib.sha256(value.encode()).hexdigest()[:length]
