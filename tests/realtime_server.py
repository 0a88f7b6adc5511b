"""A scripted WebSocket server on 127.0.0.1: plays a conversation frame by frame, and records what it is sent.

It frames by hand, so that a test can fragment, ping, stall, reset, or close with any code.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

from onellm.types.realtime_events import RealtimeEvent, UnknownEvent

if TYPE_CHECKING:
    from loopback import Recorded

    from onellm import AsyncRealtimeSession

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass
class Peer:
    """One connection, as the script of a test sees it."""

    target: str
    headers: dict[str, str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    received: list[Any] = field(default_factory=list)
    pongs: "asyncio.Queue[bytes]" = field(default_factory=asyncio.Queue)
    closed: tuple[int, str] | None = None  # what the client's close frame said
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    _inbox: "asyncio.Queue[Any]" = field(default_factory=asyncio.Queue)
    _taken: int = 0

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))

    async def expect(self, *kinds: str) -> Any:
        """The next frames, which must be of these types; the last one of them."""
        event: Any = None
        for kind in kinds:
            event = await asyncio.wait_for(self._inbox.get(), 20)
            assert event is not None, f"the client is gone, and {kind} was expected"
            assert kind in (event.get("type"), next(iter(event))), event
        return event

    async def pong(self) -> bytes:
        return await asyncio.wait_for(self.pongs.get(), 20)

    def send(self, *events: Any, binary: bool = False) -> None:
        """Send events, a frame each."""
        for event in events:
            payload = event if isinstance(event, bytes) else json.dumps(event).encode()
            self.frame(payload, BINARY if binary else TEXT)

    def frame(self, payload: bytes, opcode: int, *, last: bool = True) -> None:
        first = bytes([(0x80 if last else 0) | opcode])
        size = len(payload)
        if size < 126:
            head = first + bytes([size])
        elif size < 1 << 16:
            head = first + b"\x7e" + struct.pack("!H", size)
        else:
            head = first + b"\x7f" + struct.pack("!Q", size)
        self.writer.write(head + payload)

    def fragments(self, event: Any, *cuts: int) -> None:
        """Send one event in several frames."""
        payload = json.dumps(event).encode()
        edges = [0, *cuts, len(payload)]
        pieces = [payload[start:end] for start, end in pairwise(edges)]
        for place, piece in enumerate(pieces):
            self.frame(piece, TEXT if not place else 0, last=place == len(pieces) - 1)

    def ping(self, payload: bytes = b"") -> None:
        self.frame(payload, PING)

    async def drain(self) -> None:
        await self.writer.drain()

    async def close(self, code: int | None = 1000, reason: str = "") -> None:
        """Send a close frame, and end the connection; without a code, end it without one."""
        if code is not None:
            self.frame(struct.pack("!H", code) + reason.encode(), CLOSE)
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()
        self.writer.close()

    def reset(self) -> None:
        self.writer.transport.abort()

    async def pump(self) -> None:
        """Read what the client sends, to its end."""
        try:
            while True:
                opcode, payload = await self._frame()
                match opcode:
                    case 1 | 2:
                        event = json.loads(payload)
                        self.received.append(event)
                        self._inbox.put_nowait(event)
                    case 10:
                        self.pongs.put_nowait(payload)
                    case 9:
                        self.frame(payload, PONG)
                    case 8:
                        self.closed = (struct.unpack("!H", payload[:2])[0], payload[2:].decode())
                        if not self.writer.is_closing():
                            self.frame(payload, CLOSE)
                    case _:
                        raise AssertionError(opcode)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.gone.set()
            self._inbox.put_nowait(None)

    async def _frame(self) -> tuple[int, bytes]:
        first, second = await self.reader.readexactly(2)
        assert first & 0x80, "the client sends whole frames"
        assert second & 0x80, "a client masks what it sends"
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
        mask = await self.reader.readexactly(4)
        payload = await self.reader.readexactly(size)
        key = (mask * (size // 4 + 1))[:size]
        return first & 0xF, (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


Script = Callable[[Peer], Awaitable[None]]


class RealtimeServer:
    """The server. Scripts are played in order; the last one is played again for every further connection."""

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.scripts: list[Script] = []
        self.refusals: list[bytes] = []  # whole HTTP answers, in place of an upgrade
        self.failures: list[BaseException] = []
        self.requests: list[str] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 24)
        return self

    async def __aexit__(self, exc_type: object, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        if exc_type is None and self.failures:
            raise self.failures[0]

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def plays(self, *scripts: Script) -> None:
        self.scripts = list(scripts)

    def refuses(self, status: int, body: Any, **headers: str) -> None:
        """Refuse the next upgrade."""
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(payload)}\r\n{lines}\r\n"
        self.refusals.append(head.encode() + payload)

    @property
    def peer(self) -> Peer:
        return self.peers[-1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._talk(reader, writer)
        except (asyncio.CancelledError, ConnectionError, asyncio.IncompleteReadError):
            pass
        except BaseException as exc:  # noqa: BLE001 - the test is told of it at its end
            self.failures.append(exc)
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        self.requests.append(first)
        if self.refusals:
            writer.write(self.refusals.pop(0))
            await writer.drain()
            writer.close()
            return
        peer = Peer(first.split(" ")[1], headers, reader, writer)
        self.peers.append(peer)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        await talk(peer, script)


async def talk(peer: Peer, script: Script) -> None:
    """Take an upgrade on, and play a script until the client is gone."""
    key = hashlib.sha1(peer.headers["sec-websocket-key"].encode() + _MAGIC).digest()  # noqa: S324 - the protocol's
    peer.writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(key) + b"\r\n\r\n"
    )
    pump = asyncio.create_task(peer.pump())
    try:
        await script(peer)
        await peer.drain()
        await peer.gone.wait()
    finally:
        pump.cancel()
        await asyncio.gather(pump, return_exceptions=True)


# --- the frames of OpenAI's protocol, from its reference: …/resources/realtime/server-events --------------------------


def created(**session: Any) -> dict[str, Any]:
    return {
        "type": "session.created",
        "event_id": "ev",
        "session": {"id": "sess_1", "object": "realtime.session", **session},
    }


def updated(**session: Any) -> dict[str, Any]:
    inner = {"id": "sess_1", "object": "realtime.session", "type": "realtime", "model": "gpt-realtime", **session}
    return {"type": "session.updated", "event_id": "ev", "session": inner}


def response_created(name: str = "resp_1", **fields: Any) -> dict[str, Any]:
    response = {
        "id": name,
        "object": "realtime.response",
        "status": "in_progress",
        "conversation_id": "conv_1",
        **fields,
    }
    return {"type": "response.created", "event_id": "ev", "response": response}


def of_response(kind: str, name: str = "resp_1", item: str = "item_1", **fields: Any) -> dict[str, Any]:
    return {
        "type": f"response.{kind}",
        "event_id": "ev",
        "response_id": name,
        "item_id": item,
        "output_index": 0,
        "content_index": 0,
        **fields,
    }


def sound(pcm: bytes, name: str = "resp_1", item: str = "item_1") -> dict[str, Any]:
    return of_response("output_audio.delta", name, item, delta=base64.b64encode(pcm).decode())


def response_done(name: str = "resp_1", status: str = "completed", **fields: Any) -> dict[str, Any]:
    response = {"id": name, "object": "realtime.response", "status": status, "output": [], **fields}
    return {"type": "response.done", "event_id": "ev", "response": response}


def tool_call(call_id: str, name: str, arguments: str, response: str = "resp_1") -> list[dict[str, Any]]:
    item = {"id": f"item_{call_id}", "type": "function_call", "name": name, "call_id": call_id}
    whole = {**item, "status": "completed", "arguments": arguments}
    return [
        {"type": "response.output_item.added", "response_id": response, "output_index": 0, "item": item},
        of_response("function_call_arguments.delta", response, item["id"], call_id=call_id, delta=arguments),
        of_response("function_call_arguments.done", response, item["id"], call_id=call_id, arguments=arguments),
        {"type": "response.output_item.done", "response_id": response, "output_index": 0, "item": whole},
    ]


USAGE = {
    "total_tokens": 253,
    "input_tokens": 132,
    "output_tokens": 121,
    "input_token_details": {"text_tokens": 119, "audio_tokens": 13, "image_tokens": 0, "cached_tokens": 64},
    "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
}


async def ready(peer: Peer) -> None:
    """The beginning of every session."""
    peer.send(created())
    await peer.expect("session.update")
    peer.send(updated())


def heard(kind: str, item: str = "item_u", **fields: Any) -> dict[str, Any]:
    """What the host says of the user's sound."""
    return {"type": f"input_audio_buffer.{kind}", "event_id": "ev", "item_id": item, **fields}


async def until(session: "AsyncRealtimeSession", *kinds: type[RealtimeEvent]) -> list[RealtimeEvent]:
    """The events up to the first of each kind in turn; those without a meaning of ours are left out."""
    events: list[RealtimeEvent] = []
    left = list(kinds)
    async with asyncio.timeout(20):
        async for event in session:
            if not isinstance(event, UnknownEvent):
                events.append(event)
            if isinstance(event, left[0]):
                left.pop(0)
                if not left:
                    return events
    raise AssertionError(events)


def shown(event: RealtimeEvent) -> tuple[str, ...]:
    """An event without its frame."""
    named = {name: getattr(event, name) for name in event.__struct_fields__ if name != "raw"}
    return (type(event).__name__, *(f"{name}={value!r}" for name, value in named.items() if value is not None))


def names(events: "list[RealtimeEvent]") -> list[str]:
    return [type(event).__name__ for event in events]


# --- a host that talks ------------------------------------------------------------------------------------------------


async def echo_host(peer: Peer) -> None:  # noqa: C901 - an event a case
    """Says what it was told, aloud or in text; calls the first tool once before it does, where there is one."""
    session: dict[str, Any] = {}
    said, told, count = "", True, 0
    peer.send(created())
    while (event := await peer._inbox.get()) is not None:
        match event:
            case {"type": "session.update"}:
                session |= event["session"]
                told = not session.get("tools")
                peer.send(updated(**session))
            case {"type": "conversation.item.create", "item": {"type": "message", "content": [{"text": text}, *_]}}:
                said = text
            case {"type": "conversation.item.create", "item": {"type": "function_call_output", "output": output}}:
                said, told = output, True
            case {"type": "input_audio_buffer.commit"}:
                said = "something"
                peer.send(heard("committed"))
                kind = "conversation.item.input_audio_transcription.completed"
                peer.send({"type": kind, "event_id": "ev", "item_id": "item_u", "transcript": "Something"})
            case {"type": "response.create"}:
                count += 1
                name = f"resp_{count}"
                peer.send(response_created(name))
                if not told:
                    tool = session["tools"][0]
                    arguments = json.dumps(dict.fromkeys(tool["parameters"]["properties"], "Monday"))
                    peer.send(*tool_call("call_1", tool["name"], arguments, name))
                elif session.get("output_modalities") == ["text"]:
                    for word in ("You said: ", said):
                        peer.send(of_response("output_text.delta", name, delta=word))
                    peer.send(of_response("output_text.done", name, text=f"You said: {said}"))
                else:
                    for word in ("You said: ", said):
                        peer.send(of_response("output_audio_transcript.delta", name, delta=word))
                        peer.send(sound(b"\x01\x00" * 2400, name))
                    peer.send(of_response("output_audio_transcript.done", name, transcript=f"You said: {said}"))
                peer.send(response_done(name, usage=USAGE))
            case _:
                pass
        await peer.drain()


async def echoes(request: "Recorded", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """`echo_host`, for who asks the loopback for a WebSocket."""
    await talk(Peer(request.target, request.headers, reader, writer), echo_host)
