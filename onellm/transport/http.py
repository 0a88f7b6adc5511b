"""HTTP by aiohttp: one session an event loop, bounded sizes, exact time limits, no redirects.

This module imports aiohttp, which costs more than all of ours: it is imported at the first request.
"""

import asyncio
import contextlib
import io
import math
import os
import ssl as ssl_module
import time
import weakref
from collections.abc import AsyncGenerator, Awaitable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import aiohttp
from aiohttp import ClientSession, ClientTimeout, TCPConnector
from msgspec import Struct

from onellm.errors import (
    APIConnectionError,
    APITimeoutError,
    ClientClosedError,
    ConfigurationError,
    DeadlineExceededError,
    ResponseDecodeError,
)
from onellm.transport import prepared
from onellm.transport.prepared import Prepared, as_it_is, find_head
from onellm.transport.watchdog import Watch, Watchdog
from onellm.types.options import HttpOptions, SharedHeaders, Timeouts

if TYPE_CHECKING:
    from onellm.transport.websocket import WebSocket
    from onellm.types.files import Form

_LARGEST_ERROR_BODY = 1 << 20
_SMALL_BODY = 1 << 20  # read in one go; also where aiohttp warns of bytes given as a body
_DRAIN_SECONDS = 0.25
_MOST_WORDS = 200  # letters of aiohttp's own in a message
_JUST_BEFORE = 0.01  # seconds before a deadline that count as it: clocks and timers differ by so much
_MOST_TIMEOUTS = 64  # different connect limits that are remembered
_LARGE = 1 << 22  # bytes: more than a read asks for, or a body of embeddings

# asyncio makes room for 256 KiB at each read. glibc asks the system for that much anew each time, and gives it back,
# until a piece as large has been freed once (mallopt(3), M_MMAP_THRESHOLD): this is that piece. It saves 10 us a read,
# and 700 pages that the kernel would clear for a body of 2 MB; twice as much is what glibc may then keep at hand.
bytes(_LARGE)


class SourceError(Exception):
    """Reading what is to be sent failed; `failure` is the caller's own exception."""

    def __init__(self, failure: Exception) -> None:
        super().__init__(str(failure))
        self.failure = failure


class HttpResponse(Struct, frozen=True, gc=False):
    """A whole answer. Header names are matched without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpTransport:
    """Sends requests, from any number of event loops; each has connections of its own.

    A loop that ends through `asyncio.run` closes its connections by itself. A loop that was closed without that,
    and the child of a fork, drop theirs without touching the sockets' other ends.
    """

    def __init__(self, options: HttpOptions, session: ClientSession | None = None) -> None:
        self._options = options
        self._session = session
        self._pools: dict[asyncio.AbstractEventLoop, _Pool] = {}
        self._closed = False
        self._finalizer = weakref.finalize(self, _let_go, self._pools)
        _transports.add(self)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: "bytes | Form | None",
        timeouts: Timeouts,
        proxy: str | None = None,
    ) -> HttpResponse:
        """Send a request and read the whole answer, whatever its status.

        Raises:
            APIConnectionError: no connection, or the answer broke off.
            APITimeoutError: a limit ran out.
            ResponseDecodeError: the body is larger than allowed.
        """
        pool = self._pool()
        watch = pool.watchdog.begin(timeouts)
        try:
            response = await _send(pool, method, url, headers, body, timeouts, proxy, watch)
            try:
                content = response.content
                limit = self._options.max_body_bytes
                if content.is_eof() and content.total_bytes <= limit:
                    body = content.read_nowait()
                elif _comes_at_once(response, limit):
                    body = await response.read()
                else:
                    body = await _read_body(response, watch, timeouts, limit)
                return HttpResponse(response.status, response.headers, body)
            except BaseException:
                response.close()
                raise
        except SourceError as exc:
            raise exc.failure from None
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError, asyncio.CancelledError) as exc:
            _translate(exc, pool, watch, timeouts, url)
        finally:
            watch.disarm()

    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: "bytes | Form | None",
        timeouts: Timeouts,
        proxy: str | None = None,
    ) -> "HttpStream":
        """Send a request and give the answer as soon as its head has come.

        Raises:
            APIConnectionError: no connection.
            APITimeoutError: a limit ran out.
        """
        pool = self._pool()
        watch = pool.watchdog.begin(timeouts)
        try:
            response = await _send(pool, method, url, headers, body, timeouts, proxy, watch)
            return HttpStream(self, pool, response, watch, timeouts, url)
        except SourceError as exc:
            raise exc.failure from None
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError, asyncio.CancelledError) as exc:
            _translate(exc, pool, watch, timeouts, url)
        finally:
            watch.disarm()

    async def connect(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        subprotocols: tuple[str, ...] = (),
        timeouts: Timeouts,
        proxy: str | None = None,
    ) -> "WebSocket":
        """Open a WebSocket, or give the answer that refuses it.

        Raises:
            APIConnectionError: no connection.
            APITimeoutError: a limit ran out.
        """
        from onellm.transport.websocket import open_socket  # noqa: PLC0415 - only for those who use it

        largest = self._options.max_event_bytes
        return await open_socket(self, self._pool(), url, headers, subprotocols, timeouts, proxy, largest)

    async def aclose(self) -> None:
        """Close the connections; those of other loops are closed there. A session that the caller gave stays open."""
        self._closed = True
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.aclose()
        _let_go(self._pools)
        for pool in self._pools.values():
            pool.leave()
        self._pools.clear()

    def _pool(self) -> "_Pool":
        pool = self._pools.get(asyncio.get_running_loop())
        return self._open_pool() if pool is None or self._closed else pool

    def _open_pool(self) -> "_Pool":
        if self._closed:
            raise ClientClosedError("the client is closed; make a new one")
        loop = asyncio.get_running_loop()
        for other in list(self._pools):  # a copy, made in one step: other threads add theirs
            if other.is_closed() and (left := self._pools.pop(other, None)) is not None:
                left.abandon()
        if self._session is not None:
            if getattr(self._session, "_loop", loop) is not loop:
                raise ConfigurationError("http_session belongs to another event loop; let OneLLM make its own")
            pool = _Pool(loop, self._session, owned=False)
        else:
            pool = _Pool(loop, _new_session(self._options), owned=True)
        self._pools[loop] = pool
        return pool

    def _forget_after_fork(self) -> None:
        for pool in self._pools.values():
            pool.abandon(inherited=True)
        _inherited.append(dict(self._pools))
        self._pools.clear()


class HttpStream:
    """An answer whose body is read as it comes. `close` at once ends the connection, also from another thread."""

    def __init__(  # noqa: PLR0917 - made in one place
        self,
        transport: HttpTransport,
        pool: "_Pool",
        response: aiohttp.ClientResponse,
        watch: Watch,
        timeouts: Timeouts,
        url: str,
    ) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response: aiohttp.ClientResponse | None = response
        self._transport: HttpTransport | None = transport  # a stream may outlive its client, whose end closes all
        self._watch = watch
        self._timeouts = timeouts
        self._idle = timeouts.idle
        self._url = url
        self._pool = pool
        self._begun = False
        self._reads = False  # the watch knows that there are many
        self.rest = watch.rest
        watch.end = partial(_break_off, response)

    def receive(self) -> Awaitable[bytes]:
        """What `read` awaits, for who reads much: one coroutine less at each wake-up.

        After it comes `rest`, or where it raised `failed`; after b"" `finish` or `close`.
        """
        response = self._response
        if response is None:
            return _nothing()
        watch = self._watch
        if self._reads:
            watch.fresh = watch.waits = True
        else:
            self._begin(watch)
        return response.content.readany()

    def _begin(self, watch: Watch) -> None:
        """Arm the first read, which is still under the limit for the first byte, or the second, and all that follow."""
        if self._begun:
            watch.arm_reads(self._idle)
            self._reads = True
        else:
            watch.resume()
            self._begun = True

    def failed(self, exc: BaseException) -> NoReturn:
        """Close, and raise what `receive` raised as ours."""
        watch = self._watch
        watch.rest()
        self.close()
        if not isinstance(exc, aiohttp.ClientError | OSError):
            raise exc
        if watch.expired:
            exc.__traceback__ = None  # aiohttp keeps the exception, and it would keep all that waited
            raise _expired(watch, self._timeouts, self._url) from None
        _translate(exc, self._pool, watch, self._timeouts, self._url)

    async def read(self) -> bytes:
        """What has come since the last read, waiting for something; b"" is the end.

        Raises:
            APIConnectionError: the connection broke off.
            APITimeoutError: nothing came for `idle` seconds, or the total ran out.
        """
        try:
            data = await self.receive()
        except BaseException as exc:  # noqa: BLE001 - raised again there
            self.failed(exc)
        self.rest()
        if not data:
            self._watch.leave()
            self._response = self._transport = None
        return data

    async def read_error(self) -> bytes:
        """The rest of an error body, bounded; the connection is done with."""
        pieces: list[bytes] = []
        size = 0
        while size < _LARGEST_ERROR_BODY and (data := await self.read()):
            pieces.append(data)
            size += len(data)
        self.close()
        return b"".join(pieces)[:_LARGEST_ERROR_BODY]

    async def finish(self) -> None:
        """The body has been read as far as it matters: free the connection for the next request.

        The end of a body often comes just after its last event; it is waited for, but not for long.
        """
        response = self._response
        if response is None:
            return
        if not response.content.at_eof():
            self._watch.arm("idle", _DRAIN_SECONDS)
            try:
                if await response.content.readany():
                    self.close()
            except (aiohttp.ClientError, OSError):
                self.close()
            except asyncio.CancelledError:
                self.close()
                raise
            finally:
                self._watch.rest()
        self._watch.leave()
        self._response = self._transport = None

    def close(self) -> None:
        """End the connection now. Safe to call twice, from another thread, and after the loop has gone."""
        response, self._response = self._response, None
        if response is None:
            return
        self._transport = None
        self._watch.leave()
        pool = self._pool
        if pool.abandoned or pool.loop.is_closed():
            _disown(response)
        elif asyncio._get_running_loop() is pool.loop:  # noqa: SLF001 - documented for library authors
            response.close()
        else:
            with contextlib.suppress(RuntimeError):  # closed meanwhile
                pool.loop.call_soon_threadsafe(response.close)

    def __del__(self) -> None:
        if self._response is not None:
            self.close()


class _Pool:
    """The connections of one event loop."""

    __slots__ = ("_keeper", "_queues", "_timeouts", "abandoned", "loop", "prepares", "session", "watchdog")

    def __init__(self, loop: asyncio.AbstractEventLoop, session: ClientSession, *, owned: bool) -> None:
        self.session = session
        self.watchdog = Watchdog(loop)
        self.loop = loop
        self.abandoned = False
        self.prepares = owned and prepared.TESTED
        self._queues = session.connector is not None and session.connector.limit > 0
        self._timeouts: dict[float | None, ClientTimeout] = {}
        self._keeper: AsyncGenerator[None, None] | None = None
        if owned:
            self._keeper = _keep(session, self.watchdog)
            _step(self._keeper.__anext__())  # to its yield: the loop knows it from here on

    def timeout(self, connect: float | None) -> ClientTimeout:
        """aiohttp's own limit, which is free where a connection is at hand; the others are the watchdog's.

        Its `connect` counts the wait for a free connection too, so where there may be one it is `sock_connect`,
        which leaves the name look-up out. It would round limits above 5 s to whole seconds.
        """
        timeout = self._timeouts.get(connect)
        if timeout is None:
            if len(self._timeouts) >= _MOST_TIMEOUTS:
                self._timeouts.clear()
            if self._queues:
                timeout = ClientTimeout(total=None, sock_connect=connect, ceil_threshold=math.inf)
            else:
                timeout = ClientTimeout(total=None, connect=connect, ceil_threshold=math.inf)
            self._timeouts[connect] = timeout
        return timeout

    async def aclose(self) -> None:
        if self._keeper is not None:
            await self._keeper.aclose()

    def leave(self) -> None:
        """Close the connections from where nothing can be awaited, in their running loop."""
        self._keeper = None  # its loop finalizes it

    def abandon(self, *, inherited: bool = False) -> None:
        """Drop the connections of a loop that cannot close them: it is closed, not running, or the parent process's.

        aiohttp and asyncio close a connection only through its loop, so this reaches for the sockets themselves.
        """
        self.abandoned = True
        if self._keeper is None or self.session.closed:
            return
        connector: Any = self.session.connector
        self.session.detach()
        _step(self._keeper.aclose())  # or its loop would be asked to, and may never run again
        idle = [entry[0] for entries in getattr(connector, "_conns", {}).values() for entry in entries]
        for protocol in (*idle, *getattr(connector, "_acquired", ())):
            # A child shares its parent's selector, which must not hear of this.
            _close_socket(protocol.transport, None if inherited or self.loop.is_closed() else self.loop)
        # A connection that is let go later must not reach for its loop: after a fork that loop's epoll is the parent's.
        connector._closed = True  # noqa: SLF001 - close() would use the loop


async def _keep(session: ClientSession, watchdog: Watchdog) -> AsyncGenerator[None, None]:
    """Closes the session when its event loop shuts down, which closes all asynchronous generators, or is let go."""
    try:
        yield
    finally:
        watchdog.stop()
        await session.close()


def _step(awaitable: Awaitable[object]) -> None:
    """Run what needs no event loop."""
    with contextlib.suppress(StopIteration):
        awaitable.__await__().send(None)


def _disown(response: aiohttp.ClientResponse) -> None:
    """Let go of an answer whose loop is gone; the finalizers would warn. Its pool closes the socket."""
    connection: Any = response.connection
    response._closed = True  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - close() would use the loop
    if connection is not None:
        connection._protocol = None  # noqa: SLF001 - likewise


def _close_socket(transport: Any, loop: Any) -> None:
    """Close a socket without its loop; one that may run again must forget it first, or never hears of the next."""
    tls = getattr(transport, "_ssl_protocol", None)
    if tls is not None:
        transport._closed = True  # noqa: SLF001 - or its finalizer warns
        transport = tls._transport  # noqa: SLF001
    sock = getattr(transport, "_sock", None)
    if sock is not None:
        if loop is not None:
            loop._remove_reader(sock.fileno())  # noqa: SLF001 - the public ones refuse a transport's socket
            loop._remove_writer(sock.fileno())  # noqa: SLF001
        sock.close()
        transport._sock = None  # noqa: SLF001 - or its finalizer warns
    elif transport is not None and loop is not None:  # uvloop's, which cannot be reached into: done when it runs again
        transport.abort()


def _let_go(pools: "dict[asyncio.AbstractEventLoop, _Pool]") -> None:
    """The transport is gone, or the interpreter ends: a running loop closes its pool, for others it is dropped.

    A loop that says that it will end in good order at exit keeps its pool: it closes that itself, and would not if
    others took it away. Without the transport the pool goes with this dict.
    """
    for loop in list(pools):  # other threads may add theirs
        if not loop.is_running():
            pools.pop(loop).abandon()
        elif not getattr(loop, "ends_in_order", False):
            pools.pop(loop).leave()


def _new_session(options: HttpOptions) -> ClientSession:
    connector = TCPConnector(
        limit=options.max_connections,  # 0 is no limit; aiohttp's own 100 would make waves of a thousand calls
        keepalive_timeout=options.keepalive,
        ssl=True if options.ssl is None else _ssl(options.ssl),
    )
    return ClientSession(
        connector=connector,
        timeout=ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        request_class=prepared.Request if prepared.TESTED else aiohttp.ClientRequest,
    )


def _ssl(value: object) -> ssl_module.SSLContext | bool:
    if isinstance(value, ssl_module.SSLContext | bool):
        return value
    raise ConfigurationError(f"http.ssl takes an ssl.SSLContext or False, not {type(value).__name__}")


def _send(  # noqa: PLR0917 - a request has so many parts
    pool: _Pool,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: "bytes | Form | None",
    timeouts: Timeouts,
    proxy: str | None,
    watch: Watch,
) -> Awaitable[aiohttp.ClientResponse]:
    limits = pool.timeout(timeouts.connect if timeouts.until is None else _connect_limit(timeouts, timeouts.until))
    if body is not None and not isinstance(body, bytes):
        return _send_form(pool, method, url, headers, body, limits, proxy, watch, timeouts.first_byte)
    if type(headers) is SharedHeaders and pool.prepares and proxy is None and body is not None:
        head = find_head(method, url, headers) if len(body) <= _SMALL_BODY else None
        if head is not None:
            return pool.session._request(  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - less than what wraps it
                method, head.url, data=Prepared(head, body), allow_redirects=False, timeout=limits
            )
    return pool.session.request(
        method,
        as_it_is(url),
        data=io.BytesIO(body) if body is not None and len(body) > _SMALL_BODY else body,
        headers=headers,
        allow_redirects=False,
        raise_for_status=False,  # this and the next: a session of the caller's own may have it otherwise
        auto_decompress=True,
        proxy=proxy,
        timeout=limits,
    )


async def _send_form(  # noqa: PLR0917 - a request has so many parts
    pool: _Pool,
    method: str,
    url: str,
    headers: Mapping[str, str],
    form: "Form",
    limits: ClientTimeout,
    proxy: str | None,
    watch: Watch,
    first_byte: float | None,
) -> aiohttp.ClientResponse:
    from onellm.transport.multipart import open_form  # noqa: PLC0415 - for requests that have files

    data = await open_form(form, lambda: watch.extend(first_byte))
    # The boundary is ours to choose, so the whole header is.
    headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}
    try:
        return await pool.session.request(
            method,
            as_it_is(url),
            data=data,
            headers=headers,
            allow_redirects=False,
            raise_for_status=False,
            auto_decompress=True,
            proxy=proxy,
            timeout=limits,
        )
    except BaseException as exc:
        data.release()
        if data.failure is not None and not isinstance(exc, asyncio.CancelledError):
            raise SourceError(data.failure) from exc
        raise


def _comes_at_once(response: aiohttp.ClientResponse, limit: int) -> bool:
    """Whether the whole body is at most a few reads, and says how long it is."""
    length = response.content_length
    return (
        length is not None and length <= _SMALL_BODY and length <= limit and "Content-Encoding" not in response.headers
    )


async def _read_body(response: aiohttp.ClientResponse, watch: Watch, timeouts: Timeouts, limit: int) -> bytes:
    """The body, up to its limit; of a refusal the beginning is enough."""
    refused = response.status >= 400  # noqa: PLR2004 - the HTTP boundary
    if refused:
        limit = _LARGEST_ERROR_BODY
    pieces: list[bytes] = []
    size = 0
    while data := await response.content.readany():
        size += len(data)
        pieces.append(data)
        if size > limit:
            if not refused:
                raise ResponseDecodeError(f"the answer is larger than max_body_bytes={limit}")
            response.close()
            return b"".join(pieces)[:limit]
        watch.arm("idle", timeouts.idle)
    return b"".join(pieces)


def _translate(exc: BaseException, pool: _Pool, watch: Watch, timeouts: Timeouts, url: str) -> NoReturn:
    """Raise ours for aiohttp's; cancellation by the caller passes."""
    where = url.partition("?")[0]
    if isinstance(exc, asyncio.CancelledError) and watch.claims_cancellation():
        raise _expired(watch, timeouts, url) from None
    if isinstance(exc, aiohttp.ServerTimeoutError):
        error = _no_connection(where, timeouts)
        error.phase = "connect"
        error.unsent = True
        raise error from None
    # aiohttp's words for these hold the whole URL, and its query may hold a key.
    if isinstance(exc, aiohttp.InvalidURL):
        raise ConfigurationError(f"not a URL: {where}") from None
    if isinstance(exc, aiohttp.ClientResponseError):
        raise APIConnectionError(f"no answer from {where}, but {_shown(exc.message)}") from None
    if isinstance(exc, aiohttp.ClientPayloadError):
        raise APIConnectionError(f"the answer from {where} broke off: {_shown(exc)}") from exc
    if isinstance(exc, aiohttp.ClientError | OSError):
        lost = APIConnectionError(f"no answer from {where}: {_shown(exc) or type(exc).__name__}")
        lost.unsent = isinstance(exc, aiohttp.ClientConnectorError)
        raise lost from exc
    if isinstance(exc, ValueError):
        # aiohttp's words name no values; the exception itself may hold a header, and with it a key.
        raise ConfigurationError(f"the request cannot be sent: {exc}") from None
    if isinstance(exc, RuntimeError) and pool.session.closed:
        raise ClientClosedError("the HTTP session is closed; make a new client") from None
    raise exc


def _connect_limit(timeouts: Timeouts, until: float) -> float:
    """The limit for a new connection under a deadline: just before it, so that the error can say what took so long."""
    left = max(until - time.monotonic(), 0.001)
    left -= min(_JUST_BEFORE, left / 10)
    return left if timeouts.connect is None else min(timeouts.connect, left)


def _no_connection(where: str, timeouts: Timeouts) -> APITimeoutError:
    if timeouts.until is not None and time.monotonic() >= timeouts.until - 2 * _JUST_BEFORE:
        return DeadlineExceededError(f"no connection to {where} before the deadline")
    return APITimeoutError(f"no connection to {where} within {timeouts.connect:g} s (connect)")


def _expired(watch: Watch, timeouts: Timeouts, url: str) -> APITimeoutError:
    where = url.partition("?")[0]
    phase = watch.expired or "total"
    if phase == "total" and timeouts.until is not None and time.monotonic() >= timeouts.until - _JUST_BEFORE:
        error: APITimeoutError = DeadlineExceededError(
            f"no whole answer from {where} before the deadline ({watch.during})"
        )
        phase = watch.during
    else:
        limit = getattr(timeouts, phase)
        error = APITimeoutError(f"no answer from {where} within {limit:g} s ({phase}); raise the limit with timeout=")
    error.phase = phase
    return error


def _break_off(response: aiohttp.ClientResponse) -> None:
    """End an answer whose time is up. The exception is one of its own: aiohttp's for a closed answer is one for all."""
    response.content.set_exception(aiohttp.ClientConnectionError("the time is up"))
    response.close()


async def _nothing() -> bytes:
    return b""


def _shown(words: object) -> str:
    """aiohttp's words on one line; of an answer that is no HTTP they hold all of it."""
    return " ".join(str(words).split())[:_MOST_WORDS]


_transports: "weakref.WeakSet[HttpTransport]" = weakref.WeakSet()
_inherited: "list[object]" = []  # what a fork left in the child: kept, so that no finalizer touches the parent's loop


def _after_fork_in_child() -> None:
    for transport in _transports:
        transport._forget_after_fork()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - one module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
