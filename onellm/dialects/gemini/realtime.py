"""Sessions with Live models, in both places where Gemini is. https://ai.google.dev/api/live"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.lenient import encode_json
from onellm.errors import (
    APIStatusError,
    BadRequestError,
    InternalServerError,
    OneLLMError,
    QuotaExceededError,
    RequestTooLargeError,
    ResponseDecodeError,
    StreamInterruptedError,
)

if TYPE_CHECKING:
    from onellm.dialects.gemini.live import LiveCodec
    from onellm.dialects.realtime import Ending, SocketRequest
    from onellm.types.realtime import RealtimeRequest, RealtimeToken

_NORMAL = 1000
# RFC 6455 § 7.4.1: the connection was lost, or its end of the line goes away, as Live's does after ten minutes.
_LOST = frozenset({1001, 1005, 1006, 1012, 1013, 1015})
# Live says what is wrong with a setup, a frame, a key or a handle by closing.
_REFUSED: dict[int, type[APIStatusError]] = {
    1002: BadRequestError,
    1003: BadRequestError,
    1007: BadRequestError,
    1008: BadRequestError,
    1009: RequestTooLargeError,
    1011: InternalServerError,
}
_SESSION_SECONDS = 1800  # how long a session may last that a token began, as it does where nothing is said
_FAILED = 1011
_SPENT = ("quota", "billing")


class GeminiLive(Struct, frozen=True, kw_only=True):
    """BidiGenerateContent. Fields are what differs between its two places.

    address:  where it is, from the host's root
    parent:   where publishers stand, `projects/p/locations/l/`
    publishers, file_uri, needs_mime_type:  as `GeminiChat` has them
    """

    address: str
    parent: str = ""
    publishers: bool = False
    file_uri: str = ""
    needs_mime_type: bool = False

    def connect_request(self, request: "RealtimeRequest") -> "SocketRequest":  # noqa: ARG002 - the setup has the model
        from onellm.dialects.realtime import SocketRequest  # noqa: PLC0415 - only for those who use it

        return SocketRequest(path="", hosted_at=self.address)

    def codec(self, request: "RealtimeRequest") -> "LiveCodec":
        from onellm.dialects.gemini.contents import Places  # noqa: PLC0415 - likewise
        from onellm.dialects.gemini.live import LiveCodec  # noqa: PLC0415
        from onellm.dialects.gemini.live_setup import encode_setup  # noqa: PLC0415

        asked = encode_setup(request, publishers=self.publishers, parent=self.parent)
        return LiveCodec(request, asked, Places(self.file_uri, self.needs_mime_type))

    def ending(self, code: int, reason: str) -> "Ending":
        """By the code. The reason is asked in one case alone, of which nothing else tells: a quota that is spent."""
        from onellm.dialects.realtime import Ending  # noqa: PLC0415 - likewise

        if code == _NORMAL:
            return Ending(error=None, reconnects=False)
        error = _error(code, reason)
        return Ending(error=error, reconnects=error.retryable)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now)


class GeminiLiveTokens(Struct, frozen=True, kw_only=True):
    """Tokens that stand for a key in sessions alone. realtime: how the session that they are for is asked for.

    https://ai.google.dev/gemini-api/docs/ephemeral-tokens
    """

    realtime: GeminiLive

    def encode_token(self, request: "RealtimeRequest", *, seconds: int | None, now: float) -> HttpRequest:
        """A token for the session that the request asks for, and for no other."""
        from onellm.dialects.gemini.live_setup import encode_setup  # noqa: PLC0415 - only for those who use it

        asked = encode_setup(request, publishers=self.realtime.publishers, parent=self.realtime.parent)
        body: dict[str, Any] = {"uses": asked.options.token_uses}
        if seconds is not None:
            body["newSessionExpireTime"] = _written(now + seconds)
            body["expireTime"] = _written(now + seconds + _SESSION_SECONDS)
        body["bidiGenerateContentSetup"] = asked.setup
        return HttpRequest(path="auth_tokens", body=encode_json(body))

    def decode_token(self, body: bytes) -> "RealtimeToken":
        from onellm.types.realtime import RealtimeToken  # noqa: PLC0415 - likewise

        found = lenient.convert(lenient.decode_json(body, "a token"), _Token, "a token")
        if not found.name:
            raise ResponseDecodeError("not a token: it has no name", body=body)
        return RealtimeToken(value=found.name, expires_at=_read(found.newSessionExpireTime), raw=body)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now)


class _Token(Struct, gc=False):
    name: str = ""
    newSessionExpireTime: str | None = None  # noqa: N815 - the wire's name


def _written(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(time: str | None) -> float | None:
    try:
        return datetime.fromisoformat(time or "").timestamp()
    except ValueError:
        return None


def _error(code: int, reason: str) -> OneLLMError:
    said = f"the session was closed by the other side{f': {reason}' if reason else ''}"
    refused = _REFUSED.get(code)
    if code == _FAILED and any(word in reason.lower() for word in _SPENT):
        refused = QuotaExceededError
    if refused is not None:
        return refused(said, code=str(code))
    error = StreamInterruptedError(said, code=str(code))
    error.retryable = code in _LOST  # 4000 and above are a host's own
    return error
