"""What a realtime dialect is: pure functions between our commands and events and one protocol's frames.

A dialect is a frozen Struct of quirks, as all are; a codec is one connection's state, as a reducer is one stream's.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from onellm.dialects.base import ErrorDecoder, HttpRequest
from onellm.errors import OneLLMError, StreamInterruptedError
from onellm.types.realtime import RealtimeCommand, RealtimeRequest, RealtimeToken
from onellm.types.realtime_events import RealtimeEvent


class SocketRequest(Struct, frozen=True, kw_only=True, gc=False):
    """A WebSocket to open. `path` is joined to the base URL, whose scheme becomes ws or wss.

    hosted_at:  a path from the host's root, in place of `path`, for what stands outside the base URL's own path
    """

    path: str
    hosted_at: str = ""
    headers: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    subprotocols: tuple[str, ...] = ()


class RealtimeFacts(Struct, frozen=True, kw_only=True, gc=False):
    """What a session can do; asked before anything is sent. Rates are samples a second.

    lifetime:  seconds after which the provider ends a connection without saying so first; None where it says so itself
    """

    input_rate: int
    output_rate: int
    cancels: bool
    truncates: bool
    clears: bool
    updates: bool
    creates_responses: bool
    images: bool
    resumes: Literal["session", "items", "nothing"]
    lifetime: float | None = None


class Ending(Struct, frozen=True, kw_only=True):
    """What the end of a connection means. error: None where it is in order; reconnects: whether a new one may help."""

    error: OneLLMError | None
    reconnects: bool


class RealtimeCodec(Protocol):
    """One connection. Frames are JSON, sent as text; what comes may be text or binary."""

    @property
    def facts(self) -> RealtimeFacts: ...

    def open(self) -> Sequence[bytes]:
        """What is sent first; `SessionReady` among the events of `decode` says that it was taken on."""
        ...

    def seed(self) -> Sequence[bytes]:
        """The conversation so far, to be sent once the session is ready."""
        ...

    def encode(self, command: RealtimeCommand) -> Sequence[bytes]:
        """The frames for a command; none where it must wait for something: `due` has them then.

        Raises:
            UnsupportedFeatureError: the protocol has no such thing; says what to do.
        """
        ...

    def decode(self, frame: bytes) -> Sequence[RealtimeEvent]:
        """What a frame says.

        Raises:
            ResponseDecodeError: it is not the protocol's.
        """
        ...

    def due(self) -> Sequence[bytes]:
        """What has to be sent because of what came: asked after each `decode`."""
        ...

    def close(self) -> Sequence[RealtimeEvent]:
        """The connection is gone: the ends of what was under way."""
        ...

    def resumed(self) -> "RealtimeCodec | None":
        """The codec of a connection that goes on where this one was lost; None where nothing can."""
        ...


class RealtimeDialect(ErrorDecoder, Protocol):
    """Realtime over one protocol."""

    def connect_request(self, request: RealtimeRequest) -> SocketRequest: ...

    def codec(self, request: RealtimeRequest) -> RealtimeCodec:
        """The codec of a new session.

        Raises:
            UnsupportedParameterError: the protocol cannot express an argument.
        """
        ...

    def ending(self, code: int, reason: str) -> Ending:
        """What a close frame says; 1006 is a connection that was lost without one."""
        ...


class RealtimeTokenDialect(ErrorDecoder, Protocol):
    """Tokens that a browser may hold, for one session."""

    def encode_token(self, request: RealtimeRequest, *, seconds: int | None, now: float) -> HttpRequest: ...
    def decode_token(self, body: bytes) -> RealtimeToken: ...


# Close codes after which a new connection may get further: the network, a restart, a limit of time.
MAY_RECONNECT = frozenset({1001, 1005, 1006, 1011, 1012, 1013, 1015})
_NORMAL = 1000


def ending(code: int, reason: str) -> Ending:
    """What a close code means where the protocol has no meanings of its own. https://www.rfc-editor.org/rfc/rfc6455#section-7.4"""
    if code == _NORMAL:
        return Ending(error=None, reconnects=False)
    said = f": {reason}" if reason else ""
    error = StreamInterruptedError(f"the session was closed by the other side, code {code}{said}", code=str(code))
    error.retryable = code in MAY_RECONNECT
    return Ending(error=error, reconnects=error.retryable)
