"""WebSockets by aiohttp, on the connections of `HttpTransport`: frames as bytes, bounded, and closed at once.

https://www.rfc-editor.org/rfc/rfc6455
"""

# pyright: reportPrivateUsage=false
# The other half of http.py: its pools, its limits, its errors.

import asyncio
import contextlib
import struct
import weakref
from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import ClientSession, TraceConfig, WSMsgType

from onellm.errors import APIConnectionError, APITimeoutError
from onellm.transport.prepared import as_it_is
from onellm.types.options import Timeouts

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientWebSocketResponse

    from onellm.transport.http import HttpTransport, _Pool

SWITCHED = 101
NO_STATUS = 1005  # a close frame without a code
LOST = 1006  # no close frame at all

_LARGEST_REFUSAL = 1 << 20
_HEARTBEAT = 20.0  # seconds without a frame before a ping, and after it before the connection counts as lost
_GOODBYE = 2.0  # seconds that the other side has to answer a close frame
_NORMAL = struct.pack("!H", 1000)


class WebSocket:
    """A connection of frames, or a refusal of one.

    status:        101; any other is a refusal, whose `headers` and `body` say why
    code, reason:  of the close frame, once `receive` has given None; 1006 where there was none

    What nobody receives stays on the other side: nothing is read while nobody waits in `receive`, and pings that come
    behind it are answered when it is taken. A connection that is let go is closed.
    """

    def __init__(  # noqa: PLR0917 - made in one place
        self,
        transport: "HttpTransport",
        pool: "_Pool",
        response: "ClientResponse",
        ws: "ClientWebSocketResponse[bool] | None",
        body: bytes,
        url: str,
        heartbeat: float,
    ) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.body = body
        self.code = LOST
        self.reason = ""
        self._transport: HttpTransport | None = transport if ws is not None else None
        self._pool = pool
        self._response = response
        self._ws = ws
        self._url = url.partition("?")[0]
        self._heartbeat = heartbeat
        self._reads = False
        self._heard = True
        self._pinged = False
        self._timer: asyncio.TimerHandle | None = None
        if ws is not None:
            self._set_timer()

    @property
    def closed(self) -> bool:
        return self._ws is None

    async def receive(self) -> bytes | None:
        """The next frame, text or binary; None at the end, when `code` and `reason` say why."""
        while (ws := self._ws) is not None:
            self._reads = True
            try:
                message = await ws.receive()
            finally:
                self._reads = False
            self._heard = True
            match message.type:
                case WSMsgType.TEXT | WSMsgType.BINARY:
                    return message.data  # type: ignore[no-any-return]
                case WSMsgType.PING:
                    with contextlib.suppress(APIConnectionError):
                        self._write(message.data, WSMsgType.PONG)
                case WSMsgType.PONG:
                    pass
                case WSMsgType.CLOSE:
                    self.code, self.reason = message.data or NO_STATUS, message.extra or ""
                    self.close_now()
                case WSMsgType.ERROR if isinstance(message.data, aiohttp.WebSocketError):
                    self.code, self.reason = message.data.code, str(message.data)
                    self.close_now()
                case _:
                    self.close_now()
        return None

    def send_now(self, frame: bytes) -> None:
        """Send a text frame without waiting for the socket to take it.

        Raises:
            APIConnectionError: the connection is gone.
        """
        self._write(frame, WSMsgType.TEXT)

    async def send(self, frame: bytes, limit: float | None) -> None:
        """Send a text frame; where the socket is full of what was sent before, wait until it is not.

        Raises:
            APIConnectionError: the connection is gone.
            APITimeoutError: the other side has taken nothing for `limit` seconds.
        """
        ws = self._ws
        if ws is None:
            raise self._gone()
        try:
            async with asyncio.timeout(limit):
                await ws.send_frame(frame, WSMsgType.TEXT)
        except TimeoutError:
            error = APITimeoutError(f"{self._url} has taken nothing that was sent for {limit:g} s (idle)")
            error.phase = "idle"
            raise error from None
        except (aiohttp.ClientError, OSError) as exc:
            raise self._gone() from exc

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye, wait for the answer, but not for long, and close."""
        ws = self._ws
        if ws is None:
            return
        try:
            with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
                async with asyncio.timeout(_GOODBYE):
                    await ws.close(code=code, message=reason.encode())
        finally:
            self.close_now()

    def close_now(self) -> None:
        """End the connection now. Safe to call twice, from another thread, and after the loop has gone."""
        ws, self._ws = self._ws, None
        if ws is None:
            return
        self._transport = None
        pool, timer = self._pool, self._timer
        if pool.abandoned or pool.loop.is_closed():
            from onellm.transport.http import _disown  # noqa: PLC0415 - imports this

            _disown(self._response)
        elif asyncio._get_running_loop() is pool.loop:  # noqa: SLF001 - documented for library authors
            _end(ws, self._response, timer)
        else:
            with contextlib.suppress(RuntimeError):  # closed meanwhile
                pool.loop.call_soon_threadsafe(_end, ws, self._response, timer)

    def __del__(self) -> None:
        if self._ws is not None:
            self.close_now()

    def _write(self, frame: bytes, kind: WSMsgType) -> None:
        if self._ws is None:
            raise self._gone()
        try:
            _write(self._ws, frame, kind)
        except (aiohttp.ClientError, OSError) as exc:
            raise self._gone() from exc

    def _gone(self) -> APIConnectionError:
        return APIConnectionError(f"the connection to {self._url} is closed")

    def _beat(self) -> None:
        """Ping a connection that says nothing; one that does not answer is lost. Who reads nothing, asks nothing."""
        if self._ws is None:
            return
        if self._heard or not self._reads:
            self._heard = self._pinged = False
        elif self._pinged:
            self.reason = f"no answer to a ping within {self._heartbeat:g} s"
            self._response.close()  # `receive` ends
            return
        if self._reads and not self._pinged:
            self._pinged = True
            with contextlib.suppress(APIConnectionError):
                self._write(b"", WSMsgType.PING)
        self._set_timer()

    def _set_timer(self) -> None:
        held: weakref.ref[WebSocket] = weakref.ref(self)
        self._timer = self._pool.loop.call_later(self._heartbeat, _beat, held)


def _beat(socket: "weakref.ref[WebSocket]") -> None:
    if (alive := socket()) is not None:
        alive._beat()  # noqa: SLF001 - its own


def _write(ws: "ClientWebSocketResponse[bool]", frame: bytes, kind: WSMsgType) -> None:
    """Write a frame, and do not wait for room: without compression, all is written before the first wait."""
    sending = ws.send_frame(frame, kind)
    try:
        sending.send(None)
    except StopIteration:
        return
    sending.close()


def _end(ws: "ClientWebSocketResponse[bool]", response: "ClientResponse", timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
    connection = response.connection
    if connection is not None and not ws.closed:
        with contextlib.suppress(aiohttp.ClientError, OSError):
            _write(ws, _NORMAL, WSMsgType.CLOSE)
    transport = connection.transport if connection is not None else None
    response.close()
    if transport is not None:
        transport.abort()  # what the other side does not read would hold the socket open


async def open_socket(  # noqa: PLR0917 - a request has so many parts
    owner: "HttpTransport",
    pool: "_Pool",
    url: str,
    headers: Mapping[str, str],
    subprotocols: tuple[str, ...],
    timeouts: Timeouts,
    proxy: str | None,
    largest: int,
    heartbeat: float = _HEARTBEAT,
) -> WebSocket:
    """Ask for a WebSocket.

    Raises:
        APIConnectionError: no connection, or no HTTP.
        APITimeoutError: `connect`, `first_byte` or `total` ran out.
    """
    from onellm.transport.http import _translate  # noqa: PLC0415 - imports this

    kept = _Kept()
    watch = pool.watchdog.watch(timeouts.total)
    # A session of its own on the pool's connections, for two things that aiohttp's WebSockets do not offer: to read
    # what a refusal says, and not to follow a redirect with the key.
    session = ClientSession(
        connector=pool.session.connector,
        connector_owner=False,
        timeout=pool.timeout(timeouts.connect),
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[kept.trace()],
    )
    try:
        watch.arm("first_byte", timeouts.first_byte)
        ws = await session.ws_connect(
            as_it_is(url),
            headers=headers,
            protocols=subprotocols,
            proxy=proxy,
            compress=0,  # sound does not shrink, and each frame would cost a pass of zlib
            max_msg_size=largest,
            autoping=False,  # answered in `receive`, where their arrival counts as life
            decode_text=False,
        )
    except (_RefusedError, aiohttp.WSServerHandshakeError) as exc:
        if kept.response is None or kept.response.status == SWITCHED:
            _translate(exc, pool, watch, timeouts, url)
        return WebSocket(owner, pool, kept.response, None, kept.body, url, heartbeat)
    except (aiohttp.ClientError, OSError, ValueError, RuntimeError, asyncio.CancelledError) as exc:
        _translate(exc, pool, watch, timeouts, url)
    finally:
        watch.disarm()
        session.detach()
    assert kept.response is not None  # noqa: S101 - a connection has had an answer
    return WebSocket(owner, pool, kept.response, ws, b"", url, heartbeat)


class _RefusedError(Exception):
    """Never leaves this module."""


class _Kept:
    """The answer to an upgrade."""

    def __init__(self) -> None:
        self.response: ClientResponse | None = None
        self.body = b""

    def trace(self) -> TraceConfig:
        trace = TraceConfig()
        trace.on_request_end.append(self._answered)
        trace.on_request_redirect.append(self._redirected)
        return trace

    async def _answered(
        self, _session: ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        self.response = params.response
        if params.response.status != SWITCHED:
            while len(self.body) < _LARGEST_REFUSAL and (more := await params.response.content.readany()):
                self.body += more
            params.response.close()
            raise _RefusedError

    async def _redirected(
        self, _session: ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestRedirectParams
    ) -> None:
        self.response = params.response
        params.response.close()
        raise _RefusedError
