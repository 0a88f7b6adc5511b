"""Sessions of Live without a socket: what they send, and what their frames say."""

import json
from collections.abc import Mapping
from typing import Any

from msgspec import structs

from onellm.dialects.gemini.live import LiveCodec
from onellm.dialects.gemini.realtime import GeminiLive
from onellm.types.realtime import (
    CreateMessage,
    RealtimeCommand,
    RealtimeRequest,
)
from onellm.types.realtime_events import (
    RealtimeEvent,
    RealtimeUsage,
)

LIVE = GeminiLive(address="ws/somewhere")
SOUND = b"\x01\x00\x02\x00"
PICTURE: dict[str, Any] = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AAAA"}}
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather now.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
USAGE = RealtimeUsage(
    input_tokens=69,
    output_tokens=180,
    total_tokens=249,
    input_text_tokens=11,
    input_audio_tokens=58,
    output_text_tokens=26,
    output_audio_tokens=150,
    reasoning_tokens=4,
)


def asked(model: str = "gemini-live", **params: Any) -> RealtimeRequest:
    return RealtimeRequest(provider="google", model=model, params=params)


def codec(dialect: GeminiLive = LIVE, **params: Any) -> LiveCodec:
    return dialect.codec(asked(**params))


def setup(**params: Any) -> dict[str, Any]:
    (frame,) = codec(**params).open()
    found: dict[str, dict[str, Any]] = json.loads(frame)
    assert found.keys() == {"setup"}
    return found["setup"]


def sent(session: LiveCodec, command: RealtimeCommand) -> list[dict[str, Any]]:
    return [json.loads(frame) for frame in session.encode(command)]


def says(session: LiveCodec, *frames: bytes) -> list[RealtimeEvent]:
    """The events of frames, without what they were made of."""
    events = [event for frame in frames for event in session.decode(frame)]
    assert all(event.raw in frames for event in events)
    return [structs.replace(event, raw=b"") for event in events]


def message(*content: Mapping[str, Any], **more: Any) -> CreateMessage:
    return CreateMessage(role=more.pop("role", "user"), content=content, **more)


def words(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
