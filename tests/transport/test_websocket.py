"""WebSockets of the transport: frames as bytes, life signs, refusals, and ends."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator

import aiohttp
import pytest
from loopback import soon
from realtime_server import Peer, RealtimeServer

from onellm.errors import APIConnectionError, APITimeoutError, ConfigurationError
from onellm.transport.http import HttpTransport
from onellm.transport.websocket import LOST, WebSocket, open_socket
from onellm.types.options import HttpOptions, Timeouts

TIMEOUTS = Timeouts()


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    made = HttpTransport(HttpOptions())
    yield made
    await made.aclose()


async def connect(transport: HttpTransport, server: RealtimeServer, timeouts: Timeouts = TIMEOUTS) -> WebSocket:
    return await transport.connect(f"{server.url}/v1?key=secret", headers={"X-Key": "k"}, timeouts=timeouts)


async def with_heartbeat(transport: HttpTransport, server: RealtimeServer, seconds: float) -> WebSocket:
    pool = transport._pool()  # pyright: ignore[reportPrivateUsage] - the interval is not for callers
    return await open_socket(transport, pool, server.url, {}, (), TIMEOUTS, None, 1 << 20, seconds)


async def test_frames_are_bytes(transport: HttpTransport, realtime: RealtimeServer) -> None:
    """Text is not decoded on its way; the bytes that come are those that were sent, whatever kind of frame has them."""

    async def script(peer: Peer) -> None:
        sent = await peer.expect("x")
        peer.send(sent, sent, binary=True)
        peer.frame('"é"'.encode(), 1)
        await peer.close(1000, "done")

    realtime.plays(script)
    socket = await connect(transport, realtime)
    await socket.send(b'{"x":1}', 5)
    assert [await soon(socket.receive()) for _ in range(4)] == [b'{"x": 1}', b'{"x": 1}', '"é"'.encode(), None]
    assert (socket.code, socket.reason, socket.closed) == (1000, "done", True)
    assert realtime.peer.headers["x-key"] == "k"
    assert await soon(socket.receive()) is None
    with pytest.raises(APIConnectionError, match="is closed"):
        socket.send_now(b"{}")
    with pytest.raises(APIConnectionError, match="is closed") as caught:
        await socket.send(b"{}", 5)
    assert "secret" not in str(caught.value)


async def test_a_refusal_keeps_its_body(transport: HttpTransport, realtime: RealtimeServer) -> None:
    """aiohttp would close it unread."""
    realtime.refuses(429, b"x" * 100_000, retry_after="3")
    socket = await connect(transport, realtime)
    assert (socket.status, socket.headers["Retry-After"], len(socket.body)) == (429, "3", 100_000)
    assert socket.closed
    assert await socket.receive() is None


async def test_a_host_that_is_silent_is_pinged_and_then_lost(
    transport: HttpTransport, realtime: RealtimeServer
) -> None:
    """A connection whose other end is gone without a word does not hang for ever."""

    async def deaf(peer: Peer) -> None:
        peer.writer.write = lambda _: None  # type: ignore[method-assign, assignment] # nothing goes out, pongs neither
        await peer.gone.wait()

    realtime.plays(deaf)
    socket = await with_heartbeat(transport, realtime, 0.02)
    assert await soon(socket.receive()) is None
    assert socket.code == LOST
    assert "no answer to a ping" in socket.reason


async def test_a_host_that_answers_pings_is_alive(transport: HttpTransport, realtime: RealtimeServer) -> None:
    pinged = asyncio.Event()

    async def script(peer: Peer) -> None:
        for _ in range(3):
            await pinged.wait()
            pinged.clear()
        peer.send({"type": "late"})

    frame = Peer.frame

    def noting(self: Peer, payload: bytes, opcode: int, *, last: bool = True) -> None:
        if opcode == 10:
            pinged.set()
        frame(self, payload, opcode, last=last)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Peer, "frame", noting)
        realtime.plays(script)
        socket = await with_heartbeat(transport, realtime, 0.02)
        assert await soon(socket.receive()) == b'{"type": "late"}'
    socket.close_now()


async def test_who_reads_nothing_loses_nothing(transport: HttpTransport, realtime: RealtimeServer) -> None:
    """While nobody receives, no answer to a ping could be seen: none is asked for, and the connection stays."""
    beats = asyncio.Event()

    async def script(peer: Peer) -> None:
        await beats.wait()
        peer.send({"type": "late"})

    realtime.plays(script)
    socket = await with_heartbeat(transport, realtime, 0.005)
    loop = asyncio.get_running_loop()
    loop.call_later(0.05, beats.set)
    await soon(beats.wait())
    assert not socket.closed
    assert await soon(socket.receive()) == b'{"type": "late"}'
    socket.close_now()


async def test_closing_waits_for_the_other_side_but_not_for_long(
    transport: HttpTransport, realtime: RealtimeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that goes on sending, and never answers the close frame, does not hold it up."""
    monkeypatch.setattr("onellm.transport.websocket._GOODBYE", 0.05)

    async def rude(peer: Peer) -> None:
        peer.frame = lambda *_, **__: None  # type: ignore[method-assign]
        with contextlib.suppress(ConnectionError):
            while not peer.gone.is_set():
                peer.writer.write(b"\x81\x02{}")
                await peer.drain()
                await asyncio.sleep(0)

    realtime.plays(rude)
    socket = await connect(transport, realtime)
    await soon(socket.aclose())
    assert socket.closed
    await soon(realtime.peer.gone.wait())
    assert realtime.peer.closed == (1000, "")


async def test_a_socket_that_is_let_go_is_closed(transport: HttpTransport, realtime: RealtimeServer) -> None:
    async def script(peer: Peer) -> None:
        await peer.gone.wait()

    realtime.plays(script)
    socket = await connect(transport, realtime)
    del socket
    gc.collect()
    await soon(realtime.peer.gone.wait())


async def test_closing_from_another_thread(transport: HttpTransport, realtime: RealtimeServer) -> None:
    async def script(peer: Peer) -> None:
        await peer.gone.wait()

    realtime.plays(script)
    socket = await connect(transport, realtime)
    await asyncio.to_thread(socket.close_now)
    await soon(realtime.peer.gone.wait())
    socket.close_now()


async def test_time_limits_of_the_upgrade(transport: HttpTransport) -> None:
    """A host that takes the connection and says nothing."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for limits in (Timeouts(first_byte=0.05), Timeouts(total=0.05)):
            with pytest.raises(APITimeoutError) as caught:
                await transport.connect(url, headers={}, timeouts=limits)
            assert caught.value.phase == ("first_byte" if limits.first_byte == 0.05 else "total")
        await transport.aclose()


async def test_no_connection_and_no_websocket(transport: HttpTransport) -> None:
    with pytest.raises(APIConnectionError) as caught:
        await transport.connect("http://127.0.0.1:9/x?key=secret", headers={}, timeouts=TIMEOUTS)
    assert caught.value.unsent
    assert "secret" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="not a URL"):
        await transport.connect("http://", headers={}, timeouts=TIMEOUTS)

    async def liar(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n"
        )
        await reader.read()
        writer.close()

    async with await asyncio.start_server(liar, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}?key=secret"
        with pytest.raises(APIConnectionError, match="Invalid challenge response") as caught:
            await transport.connect(url, headers={}, timeouts=TIMEOUTS)
        assert "secret" not in str(caught.value)


async def test_a_proxy_sees_the_upgrade(transport: HttpTransport, realtime: RealtimeServer) -> None:
    """Plain HTTP goes through it with its whole URL, as any request does."""
    lines: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(await reader.readline())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as server:
        through = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        socket = await transport.connect(f"{realtime.url}/v1", headers={}, timeouts=TIMEOUTS, proxy=through)
    assert socket.status == 403
    assert lines == [f"GET {realtime.url}/v1 HTTP/1.1\r\n".encode()]


async def test_a_session_of_the_callers_own_stays_open(realtime: RealtimeServer) -> None:
    async def script(peer: Peer) -> None:
        await peer.gone.wait()

    realtime.plays(script)
    async with aiohttp.ClientSession() as session:
        transport = HttpTransport(HttpOptions(), session)
        socket = await connect(transport, realtime)
        await socket.aclose()
        await transport.aclose()
        assert not session.closed
