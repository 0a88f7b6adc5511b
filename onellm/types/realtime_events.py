"""What happens in a realtime session: one class an event, the same for every provider.

Ids are the provider's; where it has none they are made up, and stay the same within a turn. Times are what their
names say. The order within one frame of the provider is kept, with usage before the end that it belongs to.

These always hold: a response that started is done exactly once, also when it was interrupted or the connection was
lost; nothing of a response comes after its `ResponseDone`; `SessionClosed` is the last event, and comes once.
"""

from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

Role: TypeAlias = Literal["user", "assistant"]
ResponseStatus: TypeAlias = Literal["completed", "cancelled", "incomplete", "failed"]

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class RealtimeEvent(Struct, frozen=True, kw_only=True, gc=False, repr_omit_defaults=True):
    """raw: the provider's frame as received, JSON; b"" where the event is made here, as when a connection is lost."""

    raw: bytes = b""

    def to_dict(self) -> dict[str, Any]:
        """The provider's own event, decoded when asked for; empty where there is none."""
        return _decode(self.raw) if self.raw else {}


class SessionReady(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """The session is configured: the first event of every session, and again after a reconnect."""

    session_id: str | None = None
    model: str | None = None


class SessionUpdated(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """A change of the session has been taken on; the session as it is now is in `to_dict()`."""


class InputSpeechStarted(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """The user began to speak.

    offset_ms:   where in the audio that was sent
    interrupts:  whether speech stops the model, by the session's settings: sound that waits to be taken is dropped
    """

    item_id: str | None = None
    offset_ms: int | None = None
    interrupts: bool = True


class InputSpeechStopped(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """The user stopped speaking. offset_ms: where in the audio that was sent."""

    item_id: str | None = None
    offset_ms: int | None = None


class InputCommitted(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """What the user said is now part of the conversation."""

    item_id: str | None = None


class TranscriptDelta(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """Words that were spoken, by the user or by the model.

    cumulative:  `text` is all that this turn has so far, and may revise what came before, not a piece to be added
    """

    role: Role
    text: str
    cumulative: bool = False
    item_id: str | None = None
    response_id: str | None = None


class TranscriptDone(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """All words of one turn. error: why there are none; the session goes on without them."""

    role: Role
    text: str
    error: str | None = None
    item_id: str | None = None
    response_id: str | None = None


class ResponseStarted(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    response_id: str


class TextDelta(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """A piece of an answer in text. What is said aloud is `TranscriptDelta`."""

    text: str
    response_id: str
    item_id: str | None = None


class TextDone(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    text: str
    response_id: str
    item_id: str | None = None


class AudioDelta(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """A piece of what the model says.

    pcm:  16-bit little-endian mono samples at `session.output_rate`; G.711 bytes where that format was asked for
    """

    pcm: bytes
    response_id: str
    item_id: str | None = None


class AudioDone(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    response_id: str
    item_id: str | None = None


class RealtimeToolCall(Struct, frozen=True, kw_only=True, gc=False):
    """A call of a tool, whole. arguments: JSON, as in chat. has_id: whether the id is the provider's own."""

    id: str
    name: str
    arguments: str
    has_id: bool = True


class ToolCallDelta(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """A piece of a call's arguments."""

    call_id: str
    arguments: str
    response_id: str
    name: str | None = None


class ToolCallReady(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """A tool is to be called: by `send_tool_result(call.id, ...)`, unless it is a function that was given."""

    call: RealtimeToolCall
    response_id: str


class ToolCallsCancelled(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """The model no longer waits for these: results are not sent, functions that still run are cancelled."""

    call_ids: tuple[str, ...]


class ToolResultSent(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """A function that was given as a tool has run, and its result has gone out."""

    call: RealtimeToolCall
    output: str
    error: Exception | None = None


class Interrupted(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """The user spoke over the model: stop playing, drop the audio that is queued."""

    response_id: str | None = None
    item_id: str | None = None


class RealtimeUsage(Struct, frozen=True, kw_only=True, gc=False, repr_omit_defaults=True):
    """Tokens of one response; None is not said. Parts are included in their whole."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_text_tokens: int | None = None
    input_audio_tokens: int | None = None
    input_image_tokens: int | None = None
    cached_tokens: int | None = None
    output_text_tokens: int | None = None
    output_audio_tokens: int | None = None
    reasoning_tokens: int | None = None


class ResponseDone(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """A response is over.

    reason:         why it is not "completed": "turn_detected", "client_cancelled", "max_output_tokens",
                    "content_filter", "connection_lost", or the provider's own word
    error:          what failed
    more_expected:  the model goes on by itself, as after a tool call that it does not wait for
    """

    response_id: str
    status: ResponseStatus = "completed"
    reason: str | None = None
    error: str | None = None
    usage: RealtimeUsage | None = None
    more_expected: bool = False


class RateLimit(Struct, frozen=True, kw_only=True, gc=False):
    """name: "requests" or "tokens"; reset: seconds until it is whole again."""

    name: str
    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None


class RateLimitsUpdated(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    limits: tuple[RateLimit, ...]


class SessionWarning(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """Something is not as it was asked for, and the session goes on."""

    message: str
    code: str | None = None


class SessionError(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """The provider refused something; the session goes on.

    event_id:  of the frame that it refused
    """

    message: str
    type: str | None = None
    code: str | None = None
    param: str | None = None
    event_id: str | None = None


class SessionExpiring(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """The provider will end the connection. time_left: seconds; handle: resumes the session elsewhere."""

    time_left: float | None = None
    handle: str | None = None


class SessionResumable(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """A new handle: `connect(resume=handle)` goes on from here. None: not at this moment."""

    handle: str | None = None


class SessionReconnected(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """The connection was lost, and there is a new one.

    restored:  "session" (by the provider's handle, all is as it was), "items" (the finished turns were said again),
               or "nothing"
    """

    restored: Literal["session", "items", "nothing"]
    attempt: int = 1


class SessionClosed(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """The last event. code: of the WebSocket's close; 1006 where there was none."""

    code: int
    reason: str = ""
    clean: bool = True


class UnknownEvent(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    """An event that only this provider has: `type`, and all of it in `to_dict()`."""

    type: str = ""
