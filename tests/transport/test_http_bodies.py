"""Bodies that are too large, lie about themselves, or lead elsewhere; and what goes out, byte for byte."""

import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from loopback import Answer, Loopback, soon, streamed, type_sse
from wire.openai import ASK, CHAT, PIECES, SERVER_ERROR, STREAM

if TYPE_CHECKING:
    from onellm.types.chat_params import MessageParam

from onellm import (
    APIConnectionError,
    APIStatusError,
    AsyncOneLLM,
    ConfigurationError,
    HttpOptions,
    InternalServerError,
    InvalidRequestError,
    OneLLMError,
    RateLimitError,
    ResponseDecodeError,
)
from onellm.transport import http as http_module

LIMIT = 1 << 20


@pytest.fixture
async def client(loopback: Loopback) -> AsyncIterator[AsyncOneLLM]:
    """A client that takes at most 1 MiB, and 64 KiB an event, and does not try again."""
    options = HttpOptions(max_body_bytes=LIMIT, max_event_bytes=LIMIT >> 4)
    async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", http=options, max_retries=0) as bound:
        yield bound


def bomb(size: int) -> bytes:
    """A small gzip body that inflates to `size` bytes of one letter."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b"x" * (1 << 20)
    return b"".join([*(packer.compress(block) for _ in range(size >> 20)), packer.flush()])


# --- sizes ---


@pytest.mark.parametrize("length", [None, 2 * LIMIT])
async def test_body_over_the_limit_is_an_error(client: AsyncOneLLM, loopback: Loopback, length: int | None) -> None:
    """With and without Content-Length; the rest is not read."""
    rest = asyncio.Event()
    loopback.plays(Answer(chunks=[b" " * (LIMIT + 1), b" " * (LIMIT - 1)], length=length, pause={1: rest.wait}))
    with pytest.raises(ResponseDecodeError, match=f"larger than max_body_bytes={LIMIT}"):
        await soon(client.chat.completions.create(**ASK))
    await soon(loopback.requests[0].gone.wait())


@pytest.mark.parametrize("length", [None, LIMIT])
async def test_body_at_the_limit_is_read(client: AsyncOneLLM, loopback: Loopback, length: int | None) -> None:
    """The limit itself is allowed, and white space after the JSON is no harm."""
    loopback.plays(Answer(chunks=[http_bytes(CHAT).ljust(LIMIT)], length=length))
    assert (await client.chat.completions.create(**ASK)).id == CHAT["id"]


def http_bytes(value: object) -> bytes:
    """JSON as the server writes it."""
    return json.dumps(value).encode()


async def test_compressed_answer_is_read(client: AsyncOneLLM, loopback: Loopback) -> None:
    """It was asked for: the request says which encodings are taken."""
    packed = gzip.compress(http_bytes(CHAT))
    loopback.plays(Answer(chunks=[packed], length=len(packed), headers={"Content-Encoding": "gzip"}))
    assert (await client.chat.completions.create(**ASK)).id == CHAT["id"]
    assert "gzip" in loopback.requests[0].headers["accept-encoding"]


@pytest.mark.parametrize("how", ["whole", "stream", "refused"])
async def test_gzip_bomb_stays_small(client: AsyncOneLLM, loopback: Loopback, how: str) -> None:
    """256 MiB in 256 KiB: an error (or its beginning), with memory bounded by the limit and not by the bomb."""
    packed = bomb(256 << 20)
    assert len(packed) < LIMIT
    loopback.plays(
        Answer(
            status=500 if how == "refused" else 200,
            chunks=[packed],
            length=len(packed),
            content_type=type_sse if how == "stream" else "application/json",
            headers={"Content-Encoding": "gzip"},
        )
    )
    tracemalloc.start()
    try:
        with pytest.raises(InternalServerError if how == "refused" else ResponseDecodeError) as caught:
            await soon(client.chat.completions.create(**ASK, stream=how == "stream"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 * LIMIT
    assert len(caught.value.raw) <= LIMIT
    await soon(loopback.requests[0].gone.wait())


async def test_event_over_the_limit_is_an_error(client: AsyncOneLLM, loopback: Loopback) -> None:
    """After the good chunks, and without reading the rest of it."""
    huge = b"data: " + b"x" * (LIMIT >> 4)
    loopback.plays(streamed(*STREAM[:3], huge, pause={4: asyncio.Event().wait}))
    seen: list[str] = []
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        with pytest.raises(ResponseDecodeError, match="max_event_bytes"):
            async for piece in stream.text():
                seen.append(piece)  # noqa: PERF401 - the loop raises
    assert seen == PIECES[:2]
    await soon(loopback.requests[0].gone.wait())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("length", [None, 3 * LIMIT])
async def test_large_error_body_is_cut(
    client: AsyncOneLLM, loopback: Loopback, length: int | None, stream: bool
) -> None:
    """What counts is the status; an error page of any size does not hide it."""
    page = b"<html><title>Bad gateway</title>" + b" " * (3 * LIMIT - 32)
    loopback.plays(Answer(status=502, chunks=[page], length=length, content_type="text/html"))
    with pytest.raises(InternalServerError, match="Bad gateway") as caught:
        await client.chat.completions.create(**ASK, stream=stream)
    assert caught.value.status_code == 502
    assert len(caught.value.body) == http_module._LARGEST_ERROR_BODY
    await soon(loopback.requests[0].gone.wait())


async def test_small_max_body_does_not_cut_errors(loopback: Loopback) -> None:
    """Errors have a bound of their own."""
    loopback.plays(Answer(status=500, chunks=[SERVER_ERROR]))
    options = HttpOptions(max_body_bytes=10)
    async with AsyncOneLLM(api_key="k", base_url=loopback.url, http=options, max_retries=0) as client:
        with pytest.raises(InternalServerError, match="while processing"):
            await client.chat.completions.create(**ASK)


# --- lies and nonsense ---


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("size", [LIMIT >> 4, LIMIT << 1])
async def test_length_longer_than_the_body_is_a_broken_connection(loopback: Loopback, status: int, size: int) -> None:
    """Less came than was promised: whatever it was, it is no whole answer."""
    loopback.plays(Answer(status=status, chunks=[CHAT], length=size, cut="close"))
    async with AsyncOneLLM(api_key="k", base_url=loopback.url, max_retries=0) as client:
        with pytest.raises(APIConnectionError, match="broke off"):
            await client.chat.completions.create(**ASK)


async def test_length_shorter_than_the_body_spoils_only_its_own_answer(client: AsyncOneLLM, loopback: Loopback) -> None:
    """What is left over is not read as the next request's answer."""
    body = http_bytes(CHAT)
    smuggled = b"HTTP/1.1 200 X\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"
    loopback.plays(Answer(chunks=[body + smuggled], length=len(body)), Answer(chunks=[CHAT]))
    assert (await client.chat.completions.create(**ASK)).id == CHAT["id"]
    assert (await client.chat.completions.create(**ASK, max_retries=1)).id == CHAT["id"]
    loopback.plays(Answer(chunks=[body], length=len(body) - 5))
    with pytest.raises((ResponseDecodeError, APIConnectionError)):
        await client.chat.completions.create(**ASK)


NONSENSE = {
    "no http": Answer(head=False, chunks=[b"SSH-2.0-OpenSSH_9.9\r\n\r\n"], cut="close", length=0),
    "no status": Answer(head=False, chunks=[b"HTTP/1.1 ok\r\n\r\n"], cut="close", length=0),
    "endless header": Answer(head=False, chunks=[b"HTTP/1.1 200 X\r\nX: " + b"x" * 99999], cut="close", length=0),
    "wrong chunk": Answer(
        head=False, chunks=[b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"], cut="close", length=0
    ),
    "no gzip": Answer(chunks=[CHAT], headers={"Content-Encoding": "gzip"}),
    "cut gzip": Answer(chunks=[gzip.compress(http_bytes(CHAT))[:40]], headers={"Content-Encoding": "gzip"}),
    "nothing": Answer(head=False, cut="close"),
    "cut head": Answer(head=False, chunks=[b"HTTP/1.1 200 X\r\nContent-"], cut="close", length=0),
    "no body": Answer(status=204, length=0),
    "no utf-8": Answer(chunks=[b'{"id": "\xff\xfe", "choices": []}']),
    "two lengths": Answer(chunks=[CHAT], headers={"Content-Length": "5"}),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
async def test_nonsense_is_an_error_of_ours(
    client: AsyncOneLLM, loopback: Loopback, answer: Answer, stream: bool
) -> None:
    """No exception of aiohttp's, msgspec's or Python's own reaches the caller."""
    loopback.plays(answer)
    with pytest.raises(OneLLMError) as caught:
        if stream:
            async with await soon(client.chat.completions.create(**ASK, stream=True)) as chunks:
                await soon(chunks.get_final_completion())
        else:
            await soon(client.chat.completions.create(**ASK))
    assert isinstance(caught.value, APIConnectionError | ResponseDecodeError)
    assert caught.value.provider == "openai"


# --- redirects ---


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(client: AsyncOneLLM, loopback: Loopback, status: int, stream: bool) -> None:
    """The key would go along; the error says where it was to go, and trying again is no use."""
    async with Loopback() as elsewhere:
        loopback.plays(
            Answer(status=status, headers={"Location": f"{elsewhere.url}/v1/x?token=t", "x-request-id": "r"})
        )
        with pytest.raises(APIStatusError, match=f"redirects to {elsewhere.url}/v1/x, .* base_url") as caught:
            await client.chat.completions.create(**ASK, stream=stream, max_retries=2)
        assert elsewhere.requests == []
        assert elsewhere.connections == 0
    assert (caught.value.status_code, caught.value.request_id, caught.value.retryable) == (status, "r", False)
    assert "token" not in str(caught.value)
    assert len(loopback.requests) == 1


async def test_not_modified_is_an_error(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A status below 400 that is no success, and names no place."""
    loopback.plays(Answer(status=304, length=0))
    with pytest.raises(APIStatusError, match="redirects to nowhere"):
        await client.chat.completions.create(**ASK)


# --- what goes out ---


async def test_large_body_arrives_whole(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Over 1 MiB aiohttp takes another way; length and bytes are the same, also on the second attempt."""
    text = "ä" * LIMIT
    loopback.plays(Answer(status=500, chunks=[SERVER_ERROR]), Answer(chunks=[CHAT]))
    messages: list[MessageParam] = [{"role": "user", "content": text}]
    await client.chat.completions.create(model="m", messages=messages, max_retries=1)
    assert len(loopback.requests) == 2
    for request in loopback.requests:
        assert request.json["messages"] == messages
        assert int(request.headers["content-length"]) == len(request.body) > 2 * LIMIT


async def test_cookies_are_not_kept(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A host's cookies are not sent back: calls have no state but their arguments."""
    loopback.plays(Answer(chunks=[CHAT], headers={"Set-Cookie": "session=1; Path=/"}))
    for _ in range(2):
        await client.chat.completions.create(**ASK)
    assert ["cookie" in request.headers for request in loopback.requests] == [False, False]


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0b"])
async def test_header_with_a_line_end_is_refused(loopback: Loopback, value: str) -> None:
    """Wherever it was given, and before anything is sent; the value is not shown."""
    loopback.plays(Answer(chunks=[CHAT]))
    async with AsyncOneLLM(api_key="k", base_url=loopback.url) as client:
        for headers in ({"X-Own": value}, {f"X-{value}": "x"}):
            with pytest.raises(InvalidRequestError, match="line end"):
                await client.chat.completions.create(**ASK, extra_headers=headers)
    async with AsyncOneLLM(api_key="k", base_url=loopback.url, default_headers={"X-Own": f"secret{value}"}) as client:
        with pytest.raises(ConfigurationError) as caught:
            await client.chat.completions.create(**ASK)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert loopback.requests == []


async def test_callers_headers_win(client: AsyncOneLLM, loopback: Loopback) -> None:
    """In any case of letters; None takes one away; query parameters are added."""
    loopback.plays(Answer(chunks=[CHAT]))
    await client.chat.completions.create(
        **ASK,
        extra_headers={"user-AGENT": "mine/1", "x-extra": "ü", "authorization": None},
        extra_query={"api-version": "2026-01-01", "n": 2},
    )
    (request,) = loopback.requests
    assert request.headers["user-agent"] == "mine/1"
    assert request.headers["x-extra"].encode("latin-1").decode() == "ü"
    assert "authorization" not in request.headers
    assert request.headers["content-type"] == "application/json"
    assert (request.path, request.query) == ("/v1/chat/completions", {"api-version": "2026-01-01", "n": "2"})


async def test_path_and_query_go_out_as_they_are(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A model's name in a path is encoded once."""
    loopback.plays(Answer(chunks=[{"id": "a b/c:d", "object": "model", "created": 1, "owned_by": "me"}]))
    assert (await client.models.retrieve("openai/a b/c:d?e%2F")).id == "a b/c:d"
    assert loopback.requests[0].method == "GET"
    assert loopback.requests[0].target.startswith("/v1/models/a%20b")
    assert "?" not in loopback.requests[0].target
    assert loopback.requests[0].body == b""


async def test_refusal_carries_the_facts(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Status, code, request id, wait and body, as received."""
    body = {"error": {"message": "slow down", "type": "requests", "param": None, "code": "rate_limit_exceeded"}}
    loopback.plays(Answer(status=429, chunks=[body], headers={"x-request-id": "req_9", "Retry-After": "7"}))
    with pytest.raises(RateLimitError, match="slow down") as caught:
        await client.chat.completions.create(**ASK)
    error = caught.value
    assert (error.status_code, error.code, error.type) == (429, "rate_limit_exceeded", "requests")
    assert (error.request_id, error.retry_after, error.provider, error.model) == ("req_9", 7.0, "openai", ASK["model"])
    assert error.raw == http_bytes(body)
    assert error.headers["x-request-id"] == "req_9"
