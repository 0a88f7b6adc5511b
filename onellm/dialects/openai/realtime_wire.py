"""The events of OpenAI's Realtime as they arrive. https://developers.openai.com/api/reference/resources/realtime/server-events"""

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from onellm.dialects.lenient import DECODE_ERRORS, convert, decode_json
from onellm.errors import ResponseDecodeError
from onellm.types.realtime_events import RateLimit, RealtimeUsage

# What the beta, and hosts that were modelled on it, call these.
ALIASES = {
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "conversation.item.created": "conversation.item.added",
    "transcription_session.created": "session.created",
    "transcription_session.updated": "session.updated",
}


class Item(Struct):
    type: str | None = None
    id: str | None = None
    role: str | None = None
    name: str | None = None
    call_id: str | None = None
    arguments: str | None = None
    output: str | None = None
    content: list["Part"] | None = None


class Part(Struct):
    type: str | None = None
    text: str | None = None
    transcript: str | None = None
    image_url: str | None = None


class Problem(Struct):
    type: str | None = None
    code: str | None = None
    message: str | None = None
    param: str | None = None
    event_id: str | None = None


class StatusDetails(Struct):
    reason: str | None = None
    error: Problem | None = None


class TokenDetails(Struct):
    text_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class Usage(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_token_details: TokenDetails | None = None
    output_token_details: TokenDetails | None = None


class Answered(Struct):
    id: str | None = None
    status: str | None = None
    status_details: StatusDetails | None = None
    output: list[Item] | None = None
    conversation_id: str | UnsetType | None = UNSET
    usage: Usage | None = None


class SessionObject(Struct):
    id: str | None = None
    model: str | None = None


class Limit(Struct):
    name: str | None = None
    limit: int | None = None
    remaining: int | None = None
    reset_seconds: float | None = None


class Event(Struct):
    """Any event but those of sound."""

    type: str = ""
    session: SessionObject | None = None
    item: Item | None = None
    item_id: str | None = None
    content_index: int | None = None
    response_id: str | None = None
    response: Answered | None = None
    delta: str | None = None
    text: str | None = None
    transcript: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    audio_start_ms: float | None = None
    audio_end_ms: float | None = None
    rate_limits: list[Limit] | None = None
    error: Problem | None = None


class Sound(Struct):
    """A piece of sound: its base64 is decoded where it stands."""

    type: str
    delta: bytes
    response_id: str | None = None
    item_id: str | None = None


_decode = msgspec.json.Decoder(Event, strict=False).decode
_decode_sound = msgspec.json.Decoder(Sound).decode
_HEAD = 200  # bytes within which hosts write the type


def decode_sound(frame: bytes) -> Sound | None:
    """A frame of sound, which nearly all are; None where it is another, or has to be read with more care."""
    if frame.find(b'audio.delta"', 0, _HEAD) < 0:
        return None
    try:
        sound = _decode_sound(frame)
    except DECODE_ERRORS:
        return None
    return sound if ALIASES.get(sound.type, sound.type) == "response.output_audio.delta" else None


def decode_event(frame: bytes) -> Event:
    """A frame of any kind.

    Raises:
        ResponseDecodeError: it is not a JSON object with a type.
    """
    try:
        event = _decode(frame)
    except DECODE_ERRORS:
        event = convert(decode_json(frame, "an event"), Event, "an event")
    if not event.type:
        raise ResponseDecodeError("not an event: it has no type", body=frame)
    event.type = ALIASES.get(event.type, event.type)
    return event


def usage(found: Usage | None) -> RealtimeUsage | None:
    if found is None:
        return None
    heard = found.input_token_details or TokenDetails()
    said = found.output_token_details or TokenDetails()
    return RealtimeUsage(
        input_tokens=found.input_tokens,
        output_tokens=found.output_tokens,
        total_tokens=found.total_tokens,
        input_text_tokens=heard.text_tokens,
        input_audio_tokens=heard.audio_tokens,
        input_image_tokens=heard.image_tokens,
        cached_tokens=heard.cached_tokens,
        output_text_tokens=said.text_tokens,
        output_audio_tokens=said.audio_tokens,
        reasoning_tokens=said.reasoning_tokens,
    )


def rate_limits(found: list[Limit]) -> tuple[RateLimit, ...]:
    return tuple(
        RateLimit(name=each.name or "", limit=each.limit, remaining=each.remaining, reset=each.reset_seconds)
        for each in found
    )


def replayable(item: Item) -> dict[str, Any] | None:
    """An item as it can be said again in another session: sound as its words. None where nothing of it can."""
    match item.type:
        case "function_call":
            return {
                "type": "function_call",
                "call_id": item.call_id or "",
                "name": item.name or "",
                "arguments": item.arguments or "",
            }
        case "function_call_output":
            return {"type": "function_call_output", "call_id": item.call_id or "", "output": item.output or ""}
        case "message" if item.role:
            kept = [part for part in map(_replayable_part, item.content or ()) if part]
            if item.role == "assistant":
                kept = [{**part, "type": "output_text"} for part in kept if "text" in part]
            return {"type": "message", "role": item.role, "content": kept}
        case _:
            return None


def _replayable_part(part: Part) -> dict[str, Any] | None:
    if words := part.text or part.transcript:
        return {"type": "input_text", "text": words}
    if part.type == "input_image" and part.image_url:
        return {"type": "input_image", "image_url": part.image_url}
    return None
