"""How rows reach realtime sessions: their WebSockets, and the tokens that others may open one with."""

# pyright: reportPrivateUsage=false
# The other half of HttpProvider: it sends requests as that does.

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from onellm.dialects.base import HttpRequest
from onellm.errors import OneLLMError
from onellm.providers.answers import locate
from onellm.providers.auth import Renews
from onellm.providers.sending import refusal

if TYPE_CHECKING:
    from onellm.dialects.realtime import (
        Ending,
        RealtimeCodec,
        RealtimeDialect,
        RealtimeTokenDialect,
        SocketRequest,
    )
    from onellm.providers.base import Call, ProviderSettings
    from onellm.providers.http import HttpProvider
    from onellm.providers.protocols import Socket
    from onellm.types.realtime import RealtimeRequest, RealtimeToken

_SWITCHED = 101
_UNAUTHORIZED = 401


class HttpRealtimeHost:
    """A session's way to a row."""

    def __init__(
        self, provider: "HttpProvider", dialect: "RealtimeDialect", request: "RealtimeRequest", call: "Call"
    ) -> None:
        self._provider = provider
        self._dialect = dialect
        self._request = request
        self._call = call

    def codec(self) -> "RealtimeCodec":
        self._request.adjustments.clear()  # another attempt encodes anew
        return self._dialect.codec(self._request)

    def ending(self, code: int, reason: str) -> "Ending":
        ending = self._dialect.ending(code, reason)
        if ending.error is not None:
            ending.error.provider, ending.error.model = self._provider.name, self._request.model
        return ending

    async def connect(self) -> "Socket":
        try:
            asked = self._dialect.connect_request(self._request)
            address = await self._address(asked)
            socket = await self._open(asked, address)
            provider = self._provider
            if socket.status == _UNAUTHORIZED and isinstance(provider.auth, Renews):
                provider.auth.forget(address[1], self._call.settings)
                again = await self._address(asked)
                if again[1] != address[1]:
                    socket = await self._open(asked, again)
            if socket.status != _SWITCHED:
                raise refusal(self._dialect, socket.status, socket.headers, socket.body)
        except OneLLMError as exc:
            locate(exc, self._provider.name, self._request.model)
        return socket

    async def _open(self, asked: "SocketRequest", address: tuple[str, dict[str, str]]) -> "Socket":
        url, headers = address
        return await self._call.transport.connect(
            url,
            headers=headers,
            subprotocols=asked.subprotocols,
            timeouts=self._call.timeouts,
            proxy=self._call.settings.proxy,
        )

    async def _address(self, asked: "SocketRequest") -> tuple[str, dict[str, str]]:
        """The URL, still with http or https, which the transport takes as ws and wss; and the headers."""
        hosted_at = _at_root(self._call.settings, asked.hosted_at) if asked.hosted_at else ""
        http = HttpRequest(method="GET", path=asked.path, headers=asked.headers, query=asked.query)
        url, headers = await self._provider._address(http, self._call)  # noqa: SLF001 - one class in two files
        if hosted_at:
            query = url.partition("?")[2]
            url = f"{hosted_at}?{query}" if query else hosted_at
        return url, headers


async def create_token(
    provider: "HttpProvider",
    dialect: "RealtimeTokenDialect",
    request: "RealtimeRequest",
    call: "Call",
    seconds: int | None,
) -> "RealtimeToken":
    """A token for one who has no key."""
    request.adjustments.clear()
    token = await provider.fetch(
        dialect,
        lambda: dialect.encode_token(request, seconds=seconds, now=time.time()),
        dialect.decode_token,
        call,
        model=request.model,
    )
    token.adjustments = tuple(request.adjustments)
    return token


def _at_root(settings: "ProviderSettings", path: str) -> str:
    parts = urlsplit(settings.base_url)
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))
