"""Requests that differ in their bodies alone: what stands before a body is made once, and both go out at once.

aiohttp puts the head of a request together anew each time, in a dozen steps, and on Python 3.11 writes a body in a
task of its own: together a quarter of what a call costs. Its session takes a class for requests, and this is one. It
reaches into aiohttp's own, so it is for the releases that it was tested with; with others, and for all that is not the
usual request, aiohttp does what it always does.
"""

import asyncio
import re
from typing import Any, cast

import aiohttp
from aiohttp import ClientRequest, ClientResponse, hdrs
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from aiohttp.connector import Connection
from msgspec import Struct
from multidict import CIMultiDict
from yarl import URL

from onellm.types.options import SharedHeaders

TESTED = aiohttp.__version__.startswith("3.14.")

_MOST_HEADS = 64  # of one set of headers: for providers that have the model in the URL
_COPIED = 1 << 16  # bytes of a body up to which one write costs less than a copy does
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_USUAL = (hdrs.EXPECT, hdrs.TRANSFER_ENCODING, hdrs.CONTENT_ENCODING)


class Head(Struct, frozen=True, gc=False):
    """What all requests of one method, URL and set of headers have in common.

    data:  what is sent before the body, up to the number of its bytes
    """

    method: str
    url: URL
    data: bytes
    headers: CIMultiDict[str]
    info: RequestInfo
    key: ConnectionKey

    def __repr__(self) -> str:
        """Without its headers: one of them is likely a key."""
        return f"{type(self).__name__}({self.method} {self.url.with_query(None)})"


class Prepared(Struct, frozen=True, gc=False):
    """A request."""

    head: Head
    body: bytes

    @property
    def output_size(self) -> int:
        """What aiohttp asks of who has written a request."""
        return len(self.body)


def find_head(method: str, url: str, headers: SharedHeaders) -> Head | None:
    """The head of a request; None where it is not a usual one, or not valid, which aiohttp then says."""
    made = headers.made
    head: Head | None = made.get(url)
    if head is None or head.method != method:
        if "@" in url or (head := _make(method, url, headers)) is None:
            return None
        if len(made) >= _MOST_HEADS:
            made.clear()
        made[url] = head
    return head


def as_it_is(url: str) -> str | URL:
    """A URL whose escapes stay: yarl would make `%3A` a colon again, and a signature of the path would not fit."""
    return URL(url, encoded=True) if "%" in url and url.isascii() else url


def _make(method: str, url: str, headers: SharedHeaders) -> Head | None:
    try:
        target = URL(as_it_is(url))
    except ValueError:
        return None
    if target.scheme not in {"http", "https"} or not target.raw_host:
        return None
    usual = ClientRequest(method, target, headers=headers, loop=asyncio.get_running_loop())
    lines = usual.headers
    lines.popall(hdrs.CONTENT_LENGTH, None)
    if any(name in lines for name in _NOT_USUAL):
        return None
    text = f"{usual.method} {target.raw_path_qs} HTTP/1.1\r\n"
    for name, value in lines.items():
        if _CONTROL.search(name) or _CONTROL.search(value):
            return None
        text += f"{name}: {value}\r\n"
    text += "Content-Length: "
    return Head(usual.method, target, text.encode(), lines, usual.request_info, usual.connection_key)


class Request(ClientRequest):
    """A request of aiohttp's, or where its data is a `Prepared` one that is written as it is."""

    _prepared: Prepared | None = None
    chunked = compress = length = server_hostname = None
    proxy = proxy_auth = proxy_headers = None

    def __init__(  # pyright: ignore[reportMissingSuperCall] - of what that does, this is all that is needed
        self,
        method: str,
        url: URL,
        *,
        data: Any = None,
        loop: asyncio.AbstractEventLoop,
        response_class: type[ClientResponse],
        timer: Any,
        session: Any,
        ssl: Any,
        traces: Any,
        **others: Any,
    ) -> None:
        if type(data) is not Prepared:
            super().__init__(
                method,
                url,
                data=data,
                loop=loop,
                response_class=response_class,
                timer=timer,
                session=session,
                ssl=ssl,
                traces=traces,
                **others,
            )
            return
        self._prepared = data
        self.method = method
        self.original_url = self.url = url
        self.headers = data.head.headers
        self.loop = loop
        self.response_class = response_class
        self._session = session
        self._timer = timer
        self._ssl = ssl
        self._traces = traces

    @property
    def connection_key(self) -> ConnectionKey:
        prepared = self._prepared
        return super().connection_key if prepared is None else prepared.head.key

    async def send(self, conn: Connection) -> ClientResponse:
        prepared = self._prepared
        if prepared is None:
            return await super().send(conn)
        protocol = conn.protocol
        transport = None if protocol is None else protocol.transport
        if transport is None or transport.is_closing():
            raise aiohttp.ClientConnectionResetError("the connection has closed")
        head, body = prepared.head, prepared.body
        if len(body) <= _COPIED:
            transport.write(b"%b%d\r\n\r\n%b" % (head.data, len(body), body))
        else:
            transport.write(b"%b%d\r\n\r\n" % (head.data, len(body)))
            transport.write(body)
        return self.response_class(
            self.method,
            self.url,
            writer=None,
            continue100=None,
            timer=self._timer,
            request_info=head.info,
            traces=self._traces,
            loop=self.loop,
            session=self._session,
            stream_writer=cast("Any", prepared),  # which has what is asked of it
        )
