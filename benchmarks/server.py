"""A canned provider in a process of its own: answers are made before they are asked for, and the client is what costs.

/v1/chat/completions      an answer
/one/chat/completions     a stream of ONE_EVENTS events, each one HTTP chunk in a write of its own, as fast as they go
/burst/chat/completions   the same in writes that do not wait for each other
/packed/chat/completions  a stream of PACKED_EVENTS events, 64 of them an HTTP chunk and a write
/paced/chat/completions   a stream of PACED_EVENTS events, one each PACE seconds
/timed/chat/completions   a stream of TIMED_EVENTS events that say when they were written, one each TICK seconds
.../v1/messages           the answer and the streams as Anthropic's Messages API has them
/v1/embeddings            VECTORS vectors of DIMENSIONS float32, in base64 where that is asked for
"""

import asyncio
import base64
import contextlib
import gc
import json
import os
import random
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

ONE_EVENTS = 1000
PACKED_EVENTS = 6400
EVENTS_A_WRITE = 64
PACED_EVENTS = 100
PACE = 0.020
TIMED_EVENTS = 40
TICK = 0.050  # on which the streams of /timed come together
VECTORS = 256
DIMENSIONS = 1536

_TEXT = "The sky is blue because air scatters short waves of light more than long ones. " * 2
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
                "content": _TEXT,
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


_MESSAGE: dict[str, Any] = {
    "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 19, "output_tokens": 1},
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
    """`count` events with content, then the one that ends the answer. A hundred the same would be taken for a loop."""
    return [
        *(_event({"content": f" token{number % 50}"}) for number in range(count)),
        _event({}, "stop"),
        b"data: [DONE]\n\n",
    ]


def _named(event: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode())


def _text_event(text: str) -> bytes:
    delta = {"type": "text_delta", "text": text}
    return _named({"type": "content_block_delta", "index": 0, "delta": delta})


_MESSAGE_BEGIN = [
    _named({"type": "message_start", "message": _MESSAGE}),
    _named({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
]
_MESSAGE_END = [
    _named({"type": "content_block_stop", "index": 0}),
    _named(
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 34},
        }
    ),
    _named({"type": "message_stop"}),
]


def _message_events(count: int) -> list[bytes]:
    """The same as Anthropic says it."""
    return [*_MESSAGE_BEGIN, *(_text_event(f" token{number % 50}") for number in range(count)), *_MESSAGE_END]


def _embeddings(*, in_base64: bool) -> bytes:
    floats = random.Random(1)  # noqa: S311 - no secret
    data: list[dict[str, object]] = []
    for index in range(VECTORS):
        vector = [round(floats.uniform(-1, 1), 8) for _ in range(DIMENSIONS)]
        packed = base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": packed if in_base64 else vector})
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
    message = {**_MESSAGE, "content": [{"type": "text", "text": _TEXT}], "stop_reason": "end_turn"}
    answers = {
        b"/v1/chat/completions": [_whole(json.dumps(_ANSWER).encode())],
        b"/v1/v1/messages": [_whole(json.dumps(message).encode())],
        b"/v1/embeddings": [_whole(_embeddings(in_base64=False))],
        b"/v1/embeddings base64": [_whole(_embeddings(in_base64=True))],
        b"/timed/chat/completions": [_STREAM_HEAD],
        b"/timed/v1/messages": [_STREAM_HEAD + b"".join(_http_chunks(_MESSAGE_BEGIN))],
    }
    for path, events in ((b"chat/completions", _events), (b"v1/messages", _message_events)):
        packed = events(PACKED_EVENTS)
        packs = [b"".join(packed[i : i + EVENTS_A_WRITE]) for i in range(0, len(packed), EVENTS_A_WRITE)]
        one = [_STREAM_HEAD, *_http_chunks(events(ONE_EVENTS)), _END]
        answers[b"/one/" + path] = answers[b"/burst/" + path] = one
        answers[b"/packed/" + path] = [_STREAM_HEAD, *_http_chunks(packs), _END]
        answers[b"/paced/" + path] = [_STREAM_HEAD, *_http_chunks(events(PACED_EVENTS)), _END]
    return answers


_END = b"0\r\n\r\n"
_PACES = {b"one": 0.0, b"paced": PACE}


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
        if path == b"/v1/embeddings" and b'"base64"' in received:
            path += b" base64"
        writes = self._answers[path]
        kind = path.split(b"/", 2)[1]
        if kind == b"timed" and self._transport is not None:
            self._transport.write(writes[0])
            self._tick(TIMED_EVENTS + 1, path.endswith(b"messages"))
        elif (pace := _PACES.get(kind)) is not None:
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

    def _tick(self, left: int, messages: bool) -> None:
        """An event each TICK, at the same times for all streams; the clock is the same in all processes."""
        if self._transport is None:
            return
        if left <= TIMED_EVENTS:
            now = f"{time.monotonic():.6f}"
            if left:
                events = [_text_event(now) if messages else _event({"content": now})]
            else:
                events = _MESSAGE_END if messages else _events(0)
            self._transport.write(b"".join(_http_chunks(events)) + (b"" if left else _END))
        if left:
            loop = asyncio.get_running_loop()
            loop.call_at((loop.time() // TICK + 1) * TICK, self._tick, left - 1, messages)


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
    if hasattr(os, "sched_setaffinity") and len(cpus := sorted(os.sched_getaffinity(0))) > 1:
        os.sched_setaffinity(0, cpus[:1])  # the clients have the others
    asyncio.run(_serve())
