"""A canned provider in a process of its own: answers are made before they are asked for, and the client is what costs.

/v1/chat/completions      an answer
/one/chat/completions     a stream of ONE_EVENTS events, each one HTTP chunk in a write of its own, as fast as they go
/packed/chat/completions  a stream of PACKED_EVENTS events, 64 of them an HTTP chunk and a write
/paced/chat/completions   a stream of PACED_EVENTS events, one each PACE seconds
/v1/embeddings            VECTORS vectors of DIMENSIONS float32 in base64
"""

import asyncio
import base64
import contextlib
import gc
import json
import random
import struct
import subprocess
import sys
from collections.abc import Iterator

ONE_EVENTS = 1000
PACKED_EVENTS = 6400
EVENTS_A_WRITE = 64
PACED_EVENTS = 100
PACE = 0.020
VECTORS = 256
DIMENSIONS = 1536

_ANSWER = {
    "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
    "object": "chat.completion",
    "created": 1741570283,
    "model": "gpt-5.4-mini-2026-01-01",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "The sky is blue because air scatters short waves of light more than long ones. " * 2,
                "refusal": None,
                "annotations": [],
            },
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 19,
        "completion_tokens": 34,
        "total_tokens": 53,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    },
    "service_tier": "default",
    "system_fingerprint": "fp_44709d6fcb",
}


def _event(delta: dict[str, str], finish: str | None = None) -> bytes:
    chunk = {
        "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
        "object": "chat.completion.chunk",
        "created": 1741570283,
        "model": "gpt-5.4-mini-2026-01-01",
        "service_tier": "default",
        "system_fingerprint": "fp_44709d6fcb",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _events(count: int) -> list[bytes]:
    """`count` events with content, then the one that ends the answer."""
    return [_event({"content": " token"})] * count + [_event({}, "stop"), b"data: [DONE]\n\n"]


def _embeddings() -> bytes:
    floats = random.Random(1)  # noqa: S311 - no secret
    data: list[dict[str, object]] = []
    for index in range(VECTORS):
        vector = struct.pack(f"<{DIMENSIONS}f", *(floats.uniform(-1, 1) for _ in range(DIMENSIONS)))
        data.append({"object": "embedding", "index": index, "embedding": base64.b64encode(vector).decode()})
    usage = {"prompt_tokens": VECTORS, "total_tokens": VECTORS}
    answer = {"object": "list", "data": data, "model": "text-embedding-3-small", "usage": usage}
    return json.dumps(answer, separators=(",", ":")).encode()


def _whole(body: bytes) -> bytes:
    return _HEAD + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


_HEAD = b"HTTP/1.1 200 OK\r\nDate: Mon, 10 Mar 2025 01:04:43 GMT\r\nServer: canned\r\nx-request-id: req_1\r\n"
_STREAM_HEAD = _HEAD + b"Content-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"


def _http_chunks(pieces: list[bytes]) -> list[bytes]:
    return [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]


def _answers() -> dict[bytes, list[bytes]]:
    """The writes of each answer, by path."""
    packed = _events(PACKED_EVENTS)
    packs = [b"".join(packed[i : i + EVENTS_A_WRITE]) for i in range(0, len(packed), EVENTS_A_WRITE)]
    end = b"0\r\n\r\n"
    return {
        b"/v1/chat/completions": [_whole(json.dumps(_ANSWER).encode())],
        b"/v1/embeddings": [_whole(_embeddings())],
        b"/one/chat/completions": [_STREAM_HEAD, *_http_chunks(_events(ONE_EVENTS)), end],
        b"/burst/chat/completions": [_STREAM_HEAD, *_http_chunks(_events(ONE_EVENTS)), end],
        b"/packed/chat/completions": [_STREAM_HEAD, *_http_chunks(packs), end],
        b"/paced/chat/completions": [_STREAM_HEAD, *_http_chunks(_events(PACED_EVENTS)), end],
    }


_PACES = {b"/one/chat/completions": 0.0, b"/paced/chat/completions": PACE}


class _Connection(asyncio.Protocol):
    """Requests come one after another, never before the last was answered."""

    def __init__(self, answers: dict[bytes, list[bytes]]) -> None:
        self._answers = answers
        self._transport: asyncio.Transport | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_server gives
        transport.set_write_buffer_limits(high=1 << 24)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._transport = None

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = received[:end].lower()
        at = head.find(b"content-length: ")
        length = int(head[at + 16 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(received) < end + 4 + length:
            return
        self._received = b""
        path = received.split(b" ", 2)[1]
        writes = self._answers[path]
        if (pace := _PACES.get(path)) is not None:
            self._pace(writes, 0, pace)
        elif self._transport is not None:
            for write in writes:
                self._transport.write(write)

    def _pace(self, writes: list[bytes], place: int, pace: float) -> None:
        if self._transport is None:
            return
        self._transport.write(writes[place])
        if place + 1 < len(writes):
            asyncio.get_running_loop().call_later(pace, self._pace, writes, place + 1, pace)


async def _serve() -> None:
    answers = _answers()
    gc.freeze()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(answers), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until whoever started it is gone
    server.close()


@contextlib.contextmanager
def running() -> Iterator[str]:
    """The server's URL, while it runs."""
    command = [sys.executable, "-m", "benchmarks.server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - ourselves
        assert process.stdout is not None and process.stdin is not None  # noqa: PT018, S101 - pipes were asked for
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


if __name__ == "__main__":
    asyncio.run(_serve())
