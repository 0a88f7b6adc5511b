"""The limit of aiohttp and msgspec: what somebody would write who needs one call of one provider and nothing else.

No errors, no retries, no time limits, no whole grammar of event streams, and only the fields that are read. `Http` is
aiohttp as its documentation has it; `moved.Http` is what every ratio that `run` prints is against.
"""

from array import array
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from msgspec import Struct


class Message(Struct, gc=False):
    content: str | None = None


class Choice(Struct, gc=False):
    message: Message
    finish_reason: str | None = None


class Usage(Struct, gc=False):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Completion(Struct, gc=False):
    id: str
    choices: list[Choice]
    usage: Usage | None = None


class Delta(Struct, gc=False):
    content: str | None = None


class ChunkChoice(Struct, gc=False):
    delta: Delta
    finish_reason: str | None = None


class Chunk(Struct, gc=False):
    id: str
    choices: list[ChunkChoice]


class Vector(Struct, gc=False):
    index: int
    embedding: bytes


class Vectors(Struct, gc=False):
    data: list[Vector]


_encode = msgspec.json.Encoder().encode
_decode_completion = msgspec.json.Decoder(Completion).decode
_decode_chunk = msgspec.json.Decoder(Chunk).decode
_decode_vectors = msgspec.json.Decoder(Vectors).decode


class Http:
    """A session with headers that never change, no limit of connections, no time limits, no cookies."""

    def __init__(self, key: str, **more: Any) -> None:
        self.session = ClientSession(
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
            connector=TCPConnector(limit=0),
            timeout=ClientTimeout(total=None),
            cookie_jar=DummyCookieJar(),
            **more,
        )

    def post(self, url: str, body: bytes) -> Awaitable[ClientResponse]:
        return self.session.post(url, data=body)

    async def read(self, response: ClientResponse) -> bytes:
        return await response.read()

    async def close(self) -> None:
        await self.session.close()


async def chat(http: Http, url: str, model: str, messages: list[dict[str, Any]]) -> Completion:
    response = await http.post(f"{url}/chat/completions", _encode({"model": model, "messages": messages}))
    return _decode_completion(await http.read(response))


async def stream(
    http: Http,
    url: str,
    model: str,
    messages: list[dict[str, Any]],
    note: Callable[[str], object] | None = None,
) -> int:
    """How many chunks had content."""
    count = 0
    tail = b""
    body = _encode({"model": model, "messages": messages, "stream": True})
    response = await http.post(f"{url}/chat/completions", body)
    while data := await response.content.readany():
        *blocks, tail = (tail + data).split(b"\n\n")
        for block in blocks:
            if block != b"data: [DONE]" and (text := _decode_chunk(block[6:]).choices[0].delta.content):
                count += 1
                if note is not None:
                    note(text)
    return count


async def embeddings(http: Http, url: str, model: str, inputs: list[str]) -> "list[array[float]]":
    body = _encode({"model": model, "input": inputs, "encoding_format": "base64"})
    response = await http.post(f"{url}/embeddings", body)
    vectors = _decode_vectors(await http.read(response))
    return [array("f", vector.embedding) for vector in vectors.data]
