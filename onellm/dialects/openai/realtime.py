"""Realtime over WebSockets, spoken by OpenAI and a number of other hosts.

https://developers.openai.com/api/reference/resources/realtime
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from msgspec import Struct

from onellm.dialects import errors
from onellm.dialects.base import HttpRequest
from onellm.dialects.lenient import DECODE_ERRORS, encode_json
from onellm.errors import APIStatusError, ResponseDecodeError

if TYPE_CHECKING:
    from onellm.dialects.openai.realtime_codec import OpenAIRealtimeCodec
    from onellm.dialects.realtime import Ending, SocketRequest
    from onellm.types.realtime import RealtimeRequest, RealtimeToken

Shape: TypeAlias = Literal["nested", "flat", "beta"]
"""Of the session object: `audio.input` and `audio.output`; voice and turn detection on top; all on top, older names."""


class OpenAIRealtime(Struct, frozen=True, kw_only=True):
    """Realtime. Fields are a host's quirks; the defaults are OpenAI's own behaviour.

    path:             joined to the base URL
    model_query:      the part of the URL's query that names the model
    shape:            of the session object
    transcriber:      what writes down what the user says, where the caller names no model
    rates:            the sample rates of PCM that the host takes, the usual one first; others than that are asked for
    texts:            whether answers may be text
    g711:             whether it takes G.711
    truncates:        whether what was not heard can be taken back
    loses_responses:  a response that the user speaks into may end without a word
    lifetime:         seconds after which a connection is ended without notice
    refuses, codes:   as in chat
    """

    path: str = "realtime"
    model_query: str = "model"
    shape: Shape = "nested"
    transcriber: str = "gpt-transcribe"
    rates: tuple[int, ...] = (24_000,)
    texts: bool = True
    g711: bool = True
    truncates: bool = True
    loses_responses: bool = False
    lifetime: float | None = 3600.0
    refuses: Mapping[str, str] = {}
    codes: Mapping[str, type[APIStatusError]] = {}

    def connect_request(self, request: "RealtimeRequest") -> "SocketRequest":
        from onellm.dialects.realtime import SocketRequest  # noqa: PLC0415 - only for those who use it

        # A session that only writes down takes its model from the session object.
        # https://developers.openai.com/api/docs/guides/realtime-transcription
        writes = bool(request.params.get("transcribe_only"))
        query = {"intent": "transcription"} if writes else {self.model_query: request.model}
        return SocketRequest(path=self.path, query=query)

    def codec(self, request: "RealtimeRequest") -> "OpenAIRealtimeCodec":
        from onellm.dialects.openai.realtime_codec import OpenAIRealtimeCodec  # noqa: PLC0415 - likewise

        return OpenAIRealtimeCodec(self, request)

    def ending(self, code: int, reason: str) -> "Ending":
        from onellm.dialects.realtime import ending  # noqa: PLC0415 - likewise

        return ending(code, reason)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)


class OpenAIRealtimeTokens(Struct, frozen=True, kw_only=True):
    """Tokens for one who has no key.

    realtime:       how the session that they are for is asked for
    sends_session:  whether the token says what the session is to be
    """

    path: str = "realtime/client_secrets"
    realtime: OpenAIRealtime = OpenAIRealtime()
    sends_session: bool = True

    def encode_token(self, request: "RealtimeRequest", *, seconds: int | None, now: float) -> HttpRequest:  # noqa: ARG002 - counted from there
        from onellm.dialects.openai.realtime_session import encode_session  # noqa: PLC0415 - only for those who use it

        body: dict[str, Any] = {}
        if self.sends_session:
            session = encode_session(self.realtime, request, request.params)
            model = {} if session.get("type") == "transcription" else {"model": request.model}
            body["session"] = {**session, **model}
        else:
            for name in request.params:
                request.unsupported(name, "its tokens say nothing of the session: whoever connects does")
        if seconds is not None:
            anchor = {"anchor": "created_at"} if self.sends_session else {}
            body["expires_after"] = {**anchor, "seconds": seconds}
        return HttpRequest(path=self.path, body=encode_json(body | dict(request.extra_body or {})))

    def decode_token(self, body: bytes) -> "RealtimeToken":
        import msgspec  # noqa: PLC0415 - its decoder is made for this one call

        from onellm.types.realtime import RealtimeToken  # noqa: PLC0415 - only for those who use it

        try:
            secret = msgspec.json.decode(body, type=_Secret)
        except DECODE_ERRORS as exc:
            raise ResponseDecodeError(f"not a client secret: {exc}", body=body) from exc
        inner = secret.client_secret or secret  # as the beta answered
        if not inner.value:
            raise ResponseDecodeError("not a client secret: it has no value", body=body)
        return RealtimeToken(value=inner.value, expires_at=inner.expires_at, raw=body)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.realtime.codes)


class _Secret(Struct):
    value: str | None = None
    expires_at: float | None = None
    client_secret: "_Secret | None" = None
