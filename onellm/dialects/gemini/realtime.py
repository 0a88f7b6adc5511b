"""Sessions with Live models, in both places where Gemini is. https://ai.google.dev/api/live"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from onellm.dialects import errors
from onellm.errors import (
    APIStatusError,
    BadRequestError,
    InternalServerError,
    OneLLMError,
    QuotaExceededError,
    RequestTooLargeError,
    StreamInterruptedError,
)

if TYPE_CHECKING:
    from onellm.dialects.gemini.live import LiveCodec
    from onellm.dialects.realtime import Ending, SocketRequest
    from onellm.types.realtime import RealtimeRequest

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
_FAILED = 1011
_SPENT = ("quota", "billing")


class GeminiLive(Struct, frozen=True, kw_only=True):
    """BidiGenerateContent. Fields are what differs between its two places.

    address:  where it is, from the host's root
    publishers, file_uri, needs_mime_type:  as `GeminiChat` has them
    """

    address: str
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

        asked = encode_setup(request, publishers=self.publishers)
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
