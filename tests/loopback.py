"""A scripted provider on 127.0.0.1: plays the bytes it is given, records what it is sent.

It is a plain asyncio server that writes HTTP by hand, so that a test can cut an answer anywhere, stall it, reset it
or lie in it.
"""

import asyncio
import json
import socket
import ssl as ssl_module
import struct
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar
from urllib.parse import parse_qsl, urlsplit

T = TypeVar("T")

type_json = "application/json"
type_sse = "text/event-stream"


@dataclass(kw_only=True)
class Answer:
    """What the server does with one request.

    chunks:   pieces of the body, each written by itself; a `str` is encoded, any other value is sent as JSON
    pause:    awaited before the chunk of that number is written; the last chunk's number + 1 is after all of them
    cut:      how the answer ends: "" properly, "close" by closing early, "reset" by a TCP reset, "stall" never,
              "eof" properly by closing, where neither length nor chunks say where the body ends
    head:     False writes no status line and no headers: with a cut, the connection ends before the answer begins
    length:   a Content-Length of one's own, true or not, instead of chunked encoding
    """

    status: int = 200
    chunks: Iterable[Any] = ()
    content_type: str = type_json
    headers: dict[str, str] = field(default_factory=dict)
    pause: dict[int, Callable[[], Any]] = field(default_factory=dict)
    cut: str = ""
    head: bool = True
    length: int | None = None
    keep_alive: bool = True


@dataclass(kw_only=True)
class Recorded:
    """A request as it arrived. Header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int
    gone: asyncio.Event  # set when the client has closed the connection

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def sse(*events: Any, done: bool = True) -> list[bytes]:
    """Events as a host of Chat Completions sends them, one chunk each."""
    lines = [
        event if isinstance(event, bytes) else b"data: " + json.dumps(event).encode() + b"\n\n" for event in events
    ]
    return [*lines, b"data: [DONE]\n\n"] if done else lines


def streamed(*events: Any, done: bool = True, **how: Any) -> Answer:
    """A stream of these events."""
    return Answer(chunks=sse(*events, done=done), content_type=type_sse, **how)


async def soon(awaitable: Awaitable[T]) -> T:
    """What is awaited, which must not take long; a test that would hang fails instead."""
    return await asyncio.wait_for(awaitable, 20)


class Loopback:
    """The server. Answers are played in order; the last one is played again for every further request."""

    def __init__(self, ssl: ssl_module.SSLContext | None = None) -> None:
        self.requests: list[Recorded] = []
        self.connections = 0
        self.open_connections = 0
        self.changed = asyncio.Condition()
        self._ssl = ssl
        self._answers: list[Answer] = []
        self._choose: Callable[[Recorded], Answer] | None = None
        self.talks: Callable[[Recorded, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] | None = None
        self._server: asyncio.Server | None = None
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._ssl, backlog=2048)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        tasks = list(self._serving)
        self.disconnect()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        scheme = "https" if self._ssl else "http"
        return f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def plays(self, *answers: Answer) -> None:
        """Play these from now on."""
        self._answers = list(answers)
        self._choose = None

    def chooses(self, choose: Callable[[Recorded], Answer]) -> None:
        """Play what `choose` gives for each request."""
        self._choose = choose

    def disconnect(self) -> None:
        """Drop all connections, idle ones too."""
        for writer in self._serving.values():
            writer.transport.abort()

    async def wait_for_requests(self, count: int) -> None:
        """Until so many have arrived."""
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.requests) >= count)

    async def wait_until_alone(self) -> None:
        """Until no client is connected."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.open_connections == 0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving[task] = writer
        self.connections += 1
        self.open_connections += 1
        number = self.connections
        gone = asyncio.Event()
        # Read on while an answer is being written, or the client's end of it goes unnoticed.
        inbox = asyncio.StreamReader()
        pump = asyncio.create_task(self._pump(reader, inbox, gone, task))
        try:
            while (request := await _read_request(inbox, number, gone)) is not None:
                self.requests.append(request)
                await self._notify()
                if self.talks is not None and request.headers.get("upgrade") == "websocket":
                    await self.talks(request, inbox, writer)
                    break
                if not await _play(self._answer(request), writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:  # one end has closed; asyncio's streams of 3.11 log what ends a handler
            pass
        finally:
            pump.cancel()
            writer.close()
            del self._serving[task]

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        inbox: asyncio.StreamReader,
        gone: asyncio.Event,
        serving: "asyncio.Task[None]",
    ) -> None:
        try:
            while received := await reader.read(1 << 16):
                inbox.feed_data(received)
        except OSError:  # a reset, or TLS that broke off
            pass
        finally:
            gone.set()
            inbox.feed_eof()
            serving.cancel()
            self.open_connections -= 1
            await self._notify()

    def _answer(self, request: Recorded) -> Answer:
        if self._choose is not None:
            return self._choose(request)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()


async def _read_request(reader: asyncio.StreamReader, number: int, gone: asyncio.Event) -> Recorded | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = b""
    if "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    elif headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    return Recorded(method=method, target=target, headers=headers, body=body, connection=number, gone=gone)


async def _play(answer: Answer, writer: asyncio.StreamWriter) -> bool:
    """Write one answer; False where the connection ends with it."""
    chunked = answer.length is None and answer.cut != "eof"
    if answer.head:
        writer.write(_head(answer, chunked=chunked))
    for number, chunk in enumerate([*map(_bytes, answer.chunks), b""]):
        if number in answer.pause:
            await writer.drain()
            await answer.pause[number]()
        if chunk:
            writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
            await writer.drain()
    match answer.cut:
        case "reset":
            sock: socket.socket = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        case "stall":
            await asyncio.Event().wait()
        case "close" | "eof":
            return False
        case _:
            pass
    if chunked:
        writer.write(b"0\r\n\r\n")
    await writer.drain()
    return answer.keep_alive


def _head(answer: Answer, *, chunked: bool) -> bytes:
    headers = {"Content-Type": answer.content_type, **answer.headers}
    if chunked:
        headers["Transfer-Encoding"] = "chunked"
    elif answer.length is not None:
        headers["Content-Length"] = str(answer.length)
    if not answer.keep_alive:
        headers["Connection"] = "close"
    lines = [f"HTTP/1.1 {answer.status} X", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _bytes(chunk: Any) -> bytes:
    if isinstance(chunk, bytes):
        return chunk
    return chunk.encode() if isinstance(chunk, str) else json.dumps(chunk).encode()
