"""A scripted provider on 127.0.0.1: plays the bytes it is given, records what it is sent.

It is a plain asyncio server that writes HTTP by hand, so that a test can cut an answer anywhere, stall it, reset it
or lie in it.
"""

import asyncio
import json
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

type_json = "application/json"
type_sse = "text/event-stream"


@dataclass(kw_only=True)
class Answer:
    """What the server does with one request.

    chunks:   pieces of the body, each written by itself; a `str` is encoded, any other value is sent as JSON
    pause:    awaited before the chunk of that number is written; the last chunk's number + 1 is after all of them
    cut:      how the answer ends: "" properly, "close" by closing early, "reset" by a TCP reset, "stall" never
    length:   a Content-Length of one's own, true or not, instead of chunked encoding
    """

    status: int = 200
    chunks: Iterable[Any] = ()
    content_type: str = type_json
    headers: dict[str, str] = field(default_factory=dict)
    pause: dict[int, Callable[[], Any]] = field(default_factory=dict)
    cut: str = ""
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


class Loopback:
    """The server. Answers are played in order; the last one is played again for every further request."""

    def __init__(self) -> None:
        self.requests: list[Recorded] = []
        self.connections = 0
        self.open_connections = 0
        self._answers: list[Answer] = []
        self._choose: Callable[[Recorded], Answer] | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.arrived = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def plays(self, *answers: Answer) -> None:
        """Play these from now on."""
        self._answers = list(answers)
        self._choose = None

    def chooses(self, choose: Callable[[Recorded], Answer]) -> None:
        """Play what `choose` gives for each request."""
        self._choose = choose

    async def wait_for_requests(self, count: int) -> None:
        async with self.arrived:
            await self.arrived.wait_for(lambda: len(self.requests) >= count)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.open_connections += 1
        number = self.connections
        gone = asyncio.Event()
        try:
            while (request := await _read_request(reader, number, gone)) is not None:
                self.requests.append(request)
                async with self.arrived:
                    self.arrived.notify_all()
                if self._choose is not None:
                    answer = self._choose(request)
                else:
                    answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                watcher = asyncio.create_task(_watch(reader, gone))
                try:
                    if not await _play(answer, writer):
                        break
                finally:
                    watcher.cancel()
                    await asyncio.gather(watcher, return_exceptions=True)
                if gone.is_set():
                    break
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            gone.set()
            self.open_connections -= 1
            writer.close()
            self._tasks.discard(task)


async def _read_request(reader: asyncio.StreamReader, number: int, gone: asyncio.Event) -> Recorded | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
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


async def _watch(reader: asyncio.StreamReader, gone: asyncio.Event) -> None:
    """Notice that the client has closed while an answer is being written. Clients here do not pipeline."""
    while not reader.at_eof() and not reader._buffer:  # type: ignore[attr-defined]
        try:
            await reader._wait_for_data("watch")  # type: ignore[attr-defined]
        except (ConnectionError, RuntimeError):
            break
    if reader.at_eof() or reader.exception() is not None:
        gone.set()


async def _play(  # noqa: C901 - one way to end after another
    answer: Answer, writer: asyncio.StreamWriter
) -> bool:
    """Write one answer; False where the connection ends with it."""
    chunks = [_bytes(chunk) for chunk in answer.chunks]
    headers = {"Content-Type": answer.content_type, **answer.headers}
    chunked = answer.length is None and answer.cut != "eof"
    if chunked:
        headers["Transfer-Encoding"] = "chunked"
    elif answer.length is not None:
        headers["Content-Length"] = str(answer.length)
    if not answer.keep_alive:
        headers["Connection"] = "close"
    lines = [f"HTTP/1.1 {answer.status} X", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    for number, chunk in enumerate([*chunks, None]):
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


def _bytes(chunk: Any) -> bytes:
    if isinstance(chunk, bytes):
        return chunk
    return chunk.encode() if isinstance(chunk, str) else json.dumps(chunk).encode()
