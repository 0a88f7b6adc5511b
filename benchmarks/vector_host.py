"""A host of embeddings in a process of its own, whose vectors tell which text they are of, and which keeps count.

    python -m benchmarks.vector_host

POST /v1/embeddings     of texts that end in a number: DIMENSIONS float32 in base64, see `vector`
POST /paced/embeddings  the same, PACE seconds after it was asked for
GET  /v1/sent           how many requests came, how many different texts, and how many of these more than once

Prints its port, and ends with its standard input.
"""

import asyncio
import base64
import contextlib
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

DIMENSIONS = 8
PACE = 0.150
_STEP = 1 << 20  # float32 counts exactly up to 2**24
_PACK = struct.Struct(f"<{DIMENSIONS}f").pack


class _Request(Struct):
    input: list[str]


class Sent(Struct):
    """What came so far."""

    requests: int = 0
    texts: int = 0
    repeated: int = 0


def vector(number: int) -> tuple[float, ...]:
    """The vector of a text that ends in this number."""
    return number % _STEP, number // _STEP, 1.0, *[0.5] * (DIMENSIONS - 3)


def number_of(row: list[float]) -> int:
    """The number that a vector is of."""
    return int(row[0]) + int(row[1]) * _STEP


class _Host(asyncio.Protocol):
    """One connection. Requests come one after another."""

    counts = bytearray(1 << 24)
    requests = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_server gives
        transport.set_write_buffer_limits(high=1 << 24)
        self._transport = transport
        self._received = bytearray()

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end]).lower()
        at = head.find(b"content-length: ")
        length = int(head[at + 16 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._received) < end + 4 + length:
            return
        body = bytes(self._received[end + 4 :])
        self._received.clear()
        answer = self._embed(body) if head.startswith(b"post") else msgspec.json.encode(self._sent())
        whole = (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer
        )
        if head.startswith(b"post /paced"):
            asyncio.get_running_loop().call_later(PACE, self._transport.write, whole)
        else:
            self._transport.write(whole)

    def _embed(self, body: bytes) -> bytes:
        texts = _decode(body).input
        _Host.requests += 1
        numbers = [int(text.rpartition(" ")[2]) for text in texts]
        for number in numbers:
            self.counts[number] = min(self.counts[number] + 1, 255)
        data = ",".join(
            [
                f'{{"index":{place},"embedding":"{base64.b64encode(_PACK(*vector(number))).decode()}"}}'
                for place, number in enumerate(numbers)
            ]
        )
        usage = f'"usage":{{"prompt_tokens":{len(texts)},"total_tokens":{len(texts)}}}'
        return f'{{"object":"list","model":"m","data":[{data}],{usage}}}'.encode()

    def _sent(self) -> Sent:
        different = len(self.counts) - self.counts.count(0)
        return Sent(requests=_Host.requests, texts=different, repeated=different - self.counts.count(1))


_decode = msgspec.json.Decoder(_Request).decode


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Host, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until whoever started it is gone
    server.close()


@contextlib.contextmanager
def running() -> Iterator[str]:
    """The host's URL, without a path, while it runs."""
    command = [sys.executable, "-m", "benchmarks.vector_host"]
    pipe = subprocess.PIPE
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=root) as process:  # noqa: S603 - ourselves
        assert process.stdout is not None and process.stdin is not None  # noqa: PT018, S101 - pipes were asked for
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


if __name__ == "__main__":
    asyncio.run(_serve())
