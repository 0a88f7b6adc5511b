"""Requests whose head is made once: what aiohttp itself would send, byte for byte, and what is left to aiohttp."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest
from aiohttp.connector import Connection
from loopback import Answer, Loopback, soon

from onellm.errors import APIConnectionError, ConfigurationError
from onellm.transport import prepared
from onellm.transport.http import HttpResponse, HttpTransport
from onellm.types.options import HttpOptions, SharedHeaders, Timeouts

pytestmark = pytest.mark.skipif(not prepared.TESTED, reason="this release of aiohttp is one that makes its own heads")

LIMITS = Timeouts(connect=5.0, first_byte=10.0, idle=10.0, total=20.0)
USUAL = {"User-Agent": "onellm", "Authorization": "Bearer key", "Content-Type": "application/json", "X-Name": "Zoë"}
ANSWER = Answer(chunks=[b"{}"], length=2)


class Tap:
    """A server that keeps what it is sent, and answers each request that ends in b"}"."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = b""
        while data := await reader.read(1 << 16):
            request += data
            if request.endswith(b"}"):
                self.received.append(request)
                request = b""
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    made = HttpTransport(HttpOptions())
    yield made
    await made.aclose()


async def post(
    transport: HttpTransport, url: str, headers: Mapping[str, str], body: bytes = b'{"a": 1}'
) -> HttpResponse:
    return await soon(transport.request("POST", url, headers=headers, body=body, timeouts=LIMITS))


@pytest.mark.parametrize("path", ["/v1/chat", "/v1/a%3Ab/c", "/v1/ä?api-version=1&q=a+b", ""])
@pytest.mark.parametrize("more", [{}, {"Accept": "text/event-stream"}, {"host": "elsewhere.example"}, {"X-Twice": ""}])
async def test_prepared_request_is_the_bytes_of_aiohttp(
    transport: HttpTransport, path: str, more: dict[str, str]
) -> None:
    """For the same method, URL, headers and body; the second request, whose head is there already, too."""
    tap = Tap()
    async with await asyncio.start_server(tap.serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{path}"
        headers = {**USUAL, **more}
        shared = SharedHeaders(headers)
        for given in (headers, shared, shared):
            assert (await post(transport, url, given)).body == b"{}"
        await transport.aclose()
    aiohttps, first, second = tap.received
    assert first == second == aiohttps
    assert url in shared.made


async def test_heads_are_kept_by_url_and_not_without_end(transport: HttpTransport, loopback: Loopback) -> None:
    """A provider may have the model in its URLs, and a caller many models."""
    loopback.plays(ANSWER)
    shared = SharedHeaders(USUAL)
    for number in range(150):
        await post(transport, f"{loopback.url}/models/{number}", shared)
    assert [request.path for request in loopback.requests] == [f"/models/{number}" for number in range(150)]
    assert 0 < len(shared.made) <= 64


async def test_another_method_has_a_head_of_its_own(transport: HttpTransport, loopback: Loopback) -> None:
    """The URL is the same."""
    loopback.plays(ANSWER)
    shared = SharedHeaders(USUAL)
    for method in ("POST", "PATCH", "POST"):
        await soon(transport.request(method, loopback.url, headers=shared, body=b"{}", timeouts=LIMITS))
    assert [request.method for request in loopback.requests] == ["POST", "PATCH", "POST"]


@pytest.mark.parametrize(
    "more", [{"Expect": "100-continue"}, {"Transfer-Encoding": "chunked"}, {"Content-Encoding": "identity"}]
)
async def test_what_is_not_usual_is_left_to_aiohttp(
    transport: HttpTransport, loopback: Loopback, more: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Headers that say how a body is sent."""
    heads: list[object] = []
    monkeypatch.setattr("onellm.transport.http.find_head", lambda *all: heads.append(prepared.find_head(*all)))
    loopback.plays(ANSWER)
    if "Expect" in more:  # which the server does not know: aiohttp waits for it to agree
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(post(transport, loopback.url, SharedHeaders({**USUAL, **more})), 0.05)
    else:
        await post(transport, loopback.url, SharedHeaders({**USUAL, **more}))
        assert loopback.requests[0].headers[next(iter(more)).lower()] == next(iter(more.values()))
    assert heads == [None]


@pytest.mark.parametrize("value", ["a\r\nX-More: b", "a\0", "a\x7f"])
async def test_header_that_would_be_two_is_refused(transport: HttpTransport, loopback: Loopback, value: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigurationError, match="cannot be sent"):
        await post(transport, loopback.url, SharedHeaders({**USUAL, "X-Name": value}))
    assert not loopback.requests


async def test_a_key_is_not_shown() -> None:
    """Not by what holds it: a debugger, or a report of an error, shows what is in a frame."""
    shared = SharedHeaders({**USUAL, "Authorization": "Bearer secret"})
    head = prepared.find_head("POST", "http://127.0.0.1/v1/chat?key=secret", shared)
    assert head is not None
    shown = f"{shared!r} {shared} {head!r} {prepared.Prepared(head, b'')!r}"
    assert "secret" not in shown
    assert "Authorization" in shown
    assert "POST http://127.0.0.1/v1/chat" in shown


@pytest.mark.parametrize("url", ["http://[::1/v1", "http://127.0.0.1:99999/v1", "nowhere"])
async def test_what_is_no_url_is_refused(transport: HttpTransport, url: str) -> None:
    """With the same words as without headers that are shared."""
    said: list[str] = []
    for headers in (USUAL, SharedHeaders(USUAL)):
        with pytest.raises(ConfigurationError) as caught:
            await post(transport, url, headers)
        said.append(str(caught.value))
    assert said[0] == said[1]


async def test_user_in_the_url_is_sent_as_aiohttp_has_it(transport: HttpTransport, loopback: Loopback) -> None:
    """As an `Authorization` header."""
    loopback.plays(ANSWER)
    url = loopback.url.replace("://", "://me:secret@")
    await post(transport, url, SharedHeaders({"X-Name": "a"}))
    assert loopback.requests[0].headers["authorization"] == "Basic bWU6c2VjcmV0"


async def test_release_of_aiohttp_that_is_not_known_is_used_as_it_is(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of ours is in its way."""
    monkeypatch.setattr(prepared, "TESTED", False)
    monkeypatch.delattr(prepared.Request, "send")
    loopback.plays(ANSWER)
    transport = HttpTransport(HttpOptions())
    shared = SharedHeaders(USUAL)
    assert (await post(transport, loopback.url, shared)).body == b"{}"
    assert not shared.made
    await transport.aclose()


async def test_body_larger_than_what_a_socket_takes(transport: HttpTransport, loopback: Loopback) -> None:
    """It is written as the server reads, while the answer is waited for."""
    loopback.plays(ANSWER)
    body = b"x" * (1 << 20)
    await post(transport, loopback.url, SharedHeaders(USUAL), body)
    assert loopback.requests[0].body == body
    assert loopback.requests[0].headers["content-length"] == str(len(body))


async def test_connection_that_closes_before_it_is_written_to(transport: HttpTransport, loopback: Loopback) -> None:
    """A server may close at any time; whoever writes then hears of it."""
    loopback.plays(ANSWER)
    shared = SharedHeaders(USUAL)
    await post(transport, loopback.url, shared)
    loopback.plays(Answer(head=False, cut="close"))
    with pytest.raises(APIConnectionError):
        await post(transport, loopback.url, shared)


async def test_write_to_a_closing_connection_is_no_connection(
    transport: HttpTransport, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It closed between being chosen and being written to."""
    loopback.plays(ANSWER)
    sent = prepared.Request.send

    async def closes_first(self: prepared.Request, conn: Connection) -> object:
        assert conn.protocol is not None
        assert conn.protocol.transport is not None
        conn.protocol.transport.close()
        return await sent(self, conn)

    monkeypatch.setattr(prepared.Request, "send", closes_first)
    with pytest.raises(APIConnectionError, match="has closed"):
        await post(transport, loopback.url, SharedHeaders(USUAL))
    assert not loopback.requests
