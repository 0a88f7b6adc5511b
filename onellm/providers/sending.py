"""How a row's requests go out and its answers come in: addresses, headers, refusals, another try with a new token."""

# The types of all operations stand in annotations alone: what imports a row pays for those it uses.
from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlencode

from msgspec import Struct, structs

from onellm.dialects.base import ErrorDecoder, HttpRequest
from onellm.dialects.errors import request_id
from onellm.dialects.lenient import encode_json
from onellm.errors import APIStatusError, OneLLMError
from onellm.providers.answers import HttpAnswerStream, HttpBinary, locate, note_usage, open_answer
from onellm.providers.auth import BEARER, Auth, Outgoing, Renews, previewed_headers
from onellm.types.base import Answer
from onellm.types.headers import Headers, as_head
from onellm.types.options import SharedHeaders
from onellm.types.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from onellm.dialects.protocols import Dialect, StreamDialect
    from onellm.providers.base import Call, ProviderSettings
    from onellm.providers.protocols import Binary, Pace, Response, ResponseStream
    from onellm.types.pages import Listing, ListRequest

D = TypeVar("D")
RequestT = TypeVar("RequestT", bound=Request)
AnswerT = TypeVar("AnswerT", bound=Answer)
ChunkT = TypeVar("ChunkT", bound=Answer)

_USER_AGENT = "onellm"
_OK = 200
_REDIRECT = 300
_HTTP_ERROR = 400
_UNAUTHORIZED = 401


class HttpHost(Struct, frozen=True, kw_only=True):
    """Where requests go, and how they prove who sends them."""

    name: str
    base_url: str | None
    headers: Mapping[str, str] = {}
    auth: Auth = BEARER

    async def ask(self, dialect: Dialect[RequestT, AnswerT], request: RequestT, call: Call) -> AnswerT:
        """Send one request, read one whole answer."""
        request.adjustments.clear()  # a retry encodes anew
        http = None
        try:
            http = dialect.encode_request(request)
            if call.pace is None:
                address = self._usual_address(http, call) or await self._address(http, call)
            else:
                call, address = await self._turn(http, call, call.pace, request)
            response = await _request(http, call, address)
            if response.status >= _REDIRECT:
                if response.status == _UNAUTHORIZED and (again := await self._renewed(http, call, address[1])):
                    response = await _request(http, call, again)
                if response.status >= _REDIRECT:
                    raise refusal(dialect, response.status, response.headers, response.body)
            reply = dialect.decode_response(response.body, request)
            if call.pace is not None:
                note_usage(response, reply)
        except OneLLMError as exc:
            if http is not None:
                _mark_final(exc, http)
            locate(exc, self.name, request.model)
        reply.provider = self.name
        reply.request_id = request_id(response.headers)
        reply.head = response.headers if response.status == _OK else (response.status, response.headers)
        if request.adjustments:
            reply.adjustments = tuple(request.adjustments)
        self.read_headers(reply, response.headers)
        return reply

    def read_headers(self, reply: Answer, headers: Mapping[str, str]) -> None:
        """Add what only the headers of an answer say."""

    async def fetch(
        self,
        dialect: ErrorDecoder,
        encode: Callable[[], HttpRequest],
        decode: Callable[[bytes], AnswerT],
        call: Call,
        *,
        model: str | None = None,
    ) -> AnswerT:
        """`ask` for what belongs to an account and not to a model."""
        try:
            response = await self._send(dialect, encode(), call)
            found = decode(response.body)
        except OneLLMError as exc:
            locate(exc, self.name, model)
        self._sign([found], response)
        return found

    async def _list(self, dialect: _Lists[AnswerT], request: ListRequest, call: Call) -> Listing[AnswerT]:
        request.adjustments.clear()
        try:
            http = dialect.encode_list(request)
            response = await self._send(dialect, http, call)
            query = {**http.query, **{name: str(value) for name, value in (call.query or {}).items()}}
            listing = dialect.decode_list(response.body, query)
        except OneLLMError as exc:
            locate(exc, self.name, None)
        self._sign([listing, *listing.data], response)
        listing.adjustments = tuple(request.adjustments)
        return listing

    def _sign(self, received: Sequence[Answer], response: Response) -> None:
        found, head = request_id(response.headers), as_head(response.status, response.headers)
        for each in received:
            each.provider = self.name
            each.request_id = found
            each.head = head

    async def ask_stream(
        self, dialect: StreamDialect[RequestT, AnswerT, ChunkT], request: RequestT, call: Call
    ) -> HttpAnswerStream[ChunkT, AnswerT]:
        """Send one request, read its answer up to the first chunk."""
        request.adjustments.clear()
        try:
            response = await self._open(dialect, dialect.encode_stream(request), call, request)
            return await open_answer(self.name, dialect, request, response, call)
        except OneLLMError as exc:
            locate(exc, self.name, request.model)

    async def _send(self, dialect: ErrorDecoder, http: HttpRequest, call: Call) -> Response:
        if call.body and http.method != "GET" and http.body is None and http.form is None:
            http = structs.replace(http, body=encode_json(dict(call.body)))
        address = await self._address(http, call)
        response = await _request(http, call, address)
        if response.status == _UNAUTHORIZED and (again := await self._renewed(http, call, address[1])):
            response = await _request(http, call, again)
        if response.status >= _REDIRECT:
            raise refusal(dialect, response.status, response.headers, response.body)
        return response

    async def _open(
        self, dialect: ErrorDecoder, http: HttpRequest, call: Call, request: Request | None = None
    ) -> ResponseStream:
        if call.pace is None or request is None:
            address = self._usual_address(http, call) or await self._address(http, call)
        else:
            call, address = await self._turn(http, call, call.pace, request)
        try:
            response = await _stream(http, call, address)
            if response.status >= _REDIRECT:
                body = await response.read_error()
                again = None
                if response.status == _UNAUTHORIZED:
                    again = await self._renewed(http, call, address[1])
                if again is None:
                    raise refusal(dialect, response.status, response.headers, body)
                response = await _stream(http, call, again)
                if response.status >= _REDIRECT:
                    raise refusal(dialect, response.status, response.headers, await response.read_error())
        except OneLLMError as exc:
            _mark_final(exc, http)
            raise
        return response

    async def _turn(
        self, http: HttpRequest, call: Call, pace: Pace, request: Request
    ) -> tuple[Call, tuple[str, dict[str, str]]]:
        """Wait for a request's turn. It is signed after that: signatures and tokens last for minutes."""
        call = await pace.enter(call, http.body, request)
        try:
            return call, self._usual_address(http, call) or await self._address(http, call)
        except BaseException:
            pace.give_up(call)
            raise

    async def _renewed(
        self, http: HttpRequest, call: Call, sent: Mapping[str, str]
    ) -> tuple[str, dict[str, str]] | None:
        """Where to send what was refused with 401 once more, with a new token; None where there is no new one."""
        if not isinstance(self.auth, Renews) or (http.form is not None and not http.form.repeatable):
            return None
        self.auth.forget(sent, call.settings)
        address = await self._address(http, call)
        return None if address[1] == sent else address

    async def _open_binary(self, dialect: ErrorDecoder, http: HttpRequest, call: Call) -> Binary:
        try:
            response = await self._open(dialect, http, call)
            binary = HttpBinary(self.name, Request(provider=self.name, model=""), response)
            await binary.open()
        except OneLLMError as exc:
            locate(exc, self.name, None)
        return binary

    def _usual_address(self, http: HttpRequest, call: Call) -> tuple[str, dict[str, str]] | None:
        """Where nearly all requests go: JSON to the base URL, with headers that are worked out once a client."""
        settings = call.settings
        if (
            http.body is None
            or http.hosted_at
            or http.headers
            or http.query
            or settings.query
            or call.headers
            or call.query
        ):
            return None
        shared = settings.usual_headers
        if shared is None:
            fixed = self.auth.fixed_headers(settings)
            if fixed is None:
                return None
            headers = {**self._first_headers(settings), "Content-Type": "application/json", **fixed}
            shared = settings.usual_headers = SharedHeaders(headers)
        return shared.addresses.get(http.path) or shared.address(settings.base_url, http.path)

    def _first_headers(self, settings: ProviderSettings) -> dict[str, str]:
        return {"User-Agent": _USER_AGENT, **self.headers, **settings.headers}

    def address(self, http: HttpRequest, settings: ProviderSettings) -> str:
        """The URL of a request, without its query."""
        hosted = http.hosted_at and settings.base_url == self.base_url
        return http.hosted_at if hosted else f"{settings.base_url}/{http.path}"

    async def _address(self, http: HttpRequest, call: Call) -> tuple[str, dict[str, str]]:
        settings = call.settings
        url = self.address(http, settings)
        if http.query or settings.query or call.query:
            asked = {**settings.query, **http.query, **(call.query or {})}
            query = {name: _query_value(value) for name, value in asked.items()}
            url = f"{url}?{urlencode(query, doseq=True)}"
        headers = self._first_headers(settings)
        if http.body is not None:
            headers["Content-Type"] = "application/json"
        if http.headers:
            headers.update(http.headers)
        if settings.preview:
            headers.update(previewed_headers(self.auth, settings))
        else:
            headers.update(await self.auth.headers(Outgoing(http.method, url, http.body, time.time()), settings))
        if call.headers:
            for name, value in call.headers.items():
                for ours in [ours for ours in headers if ours.lower() == name.lower()]:
                    del headers[ours]
                if value is not None:
                    headers[name] = value
        return url, headers


def _request(http: HttpRequest, call: Call, address: tuple[str, dict[str, str]]) -> Coroutine[Any, Any, Response]:
    return call.transport.request(
        http.method,
        address[0],
        headers=address[1],
        body=http.body if http.form is None else http.form,
        timeouts=call.timeouts,
        proxy=call.settings.proxy,
    )


def _stream(http: HttpRequest, call: Call, address: tuple[str, dict[str, str]]) -> Coroutine[Any, Any, ResponseStream]:
    return call.transport.stream(
        http.method,
        address[0],
        headers=address[1],
        body=http.body if http.form is None else http.form,
        timeouts=call.timeouts,
        proxy=call.settings.proxy,
    )


def _query_value(value: object) -> object:
    """JSON's words for the bools; everything else as Python writes it."""
    return str(value).lower() if isinstance(value, bool) else value


class _Lists(ErrorDecoder, Protocol[AnswerT]):
    """What the dialects of lists that come in pages have in common."""

    def encode_list(self, request: ListRequest) -> HttpRequest: ...
    def decode_list(self, body: bytes, query: Mapping[str, str]) -> Listing[AnswerT]: ...


def _mark_final(exc: OneLLMError, http: HttpRequest) -> None:
    """A request whose source has given bytes that it cannot give again is not sent again."""
    if http.form is not None and not http.form.repeatable:
        exc.retryable = False


def refusal(dialect: ErrorDecoder, status: int, headers: Mapping[str, str], body: bytes) -> APIStatusError:
    """The exception for an answer that is none. A redirect is one: following it would take the key elsewhere."""
    if status >= _HTTP_ERROR:
        error = dialect.decode_error(status, headers, body, now=time.time())
        error.headers = Headers(headers)
        return error
    where = headers.get("location", "nowhere").partition("?")[0]
    return APIStatusError(
        f"the host redirects to {where}, and a key is not sent on: is base_url right?",
        status_code=status,
        request_id=request_id(headers),
        body=body,
    )
