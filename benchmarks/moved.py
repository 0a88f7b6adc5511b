"""The minimal client where OneLLM has moved the limit: how it uses aiohttp costs less than the documented way.

Requests go out as OneLLM's do, a body that is there is taken without waiting, and reads need no fresh pages.
"""

from collections.abc import Awaitable

from aiohttp import ClientResponse

from benchmarks import minimal
from onellm.transport.prepared import Prepared, Request, find_head
from onellm.types.options import SharedHeaders


class Http(minimal.Http):
    def __init__(self, key: str) -> None:
        super().__init__(key, request_class=Request)
        self._headers = SharedHeaders(self.session.headers)
        self.session.headers.clear()
        bytes(1 << 22)  # see the transport

    def post(self, url: str, body: bytes) -> Awaitable[ClientResponse]:
        head = find_head("POST", url, self._headers)
        assert head is not None  # noqa: S101 - the URL is the server's
        return self.session._request("POST", head.url, data=Prepared(head, body), allow_redirects=False)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - as the transport does

    async def read(self, response: ClientResponse) -> bytes:
        content = response.content
        return content.read_nowait() if content.is_eof() else await response.read()
