"""Tokens that run out: one is kept, and renewed before its end, once for all who wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from weakref import WeakKeyDictionary

from msgspec import Struct

from onellm.types.secret import Secret

_MARGIN = 300.0  # seconds before its end at which a token is renewed; those of Google and Microsoft live an hour


class Token(Struct, frozen=True):
    """A bearer token, and the Unix time of its end."""

    secret: Secret
    expires: float


class TokenCache:
    """Keeps one token.

    The waiters of one event loop share one renewal; cancelling one of them cancels nothing for the others. While a
    token is still good, a renewal that fails is not an error: the next request tries again.
    """

    def __init__(
        self, fetch: Callable[[], Awaitable[Token]], *, margin: float = _MARGIN, clock: Callable[[], float] = time.time
    ) -> None:
        self._fetch = fetch
        self._margin = margin
        self._clock = clock
        self._token: Token | None = None
        self._renewals: WeakKeyDictionary[asyncio.AbstractEventLoop, _Renewal] = WeakKeyDictionary()

    async def get(self) -> Secret:
        """The token. What its source raises is raised, where there is no good one left."""
        token = self._token
        if token is not None and self._clock() < token.expires - self._margin:
            return token.secret
        try:
            token = await self._renewed()
        except Exception:  # whatever its source raises: the token at hand may still be good
            if token is None or self._clock() >= token.expires:
                raise
        return token.secret

    def drop(self, secret: Secret) -> None:
        """Forget a token that was refused, unless it has been renewed meanwhile."""
        if self._token is not None and self._token.secret == secret:
            self._token = None

    async def _renewed(self) -> Token:
        loop = asyncio.get_running_loop()
        renewal = self._renewals.get(loop)
        if renewal is None:
            renewal = self._renewals[loop] = _Renewal(loop.create_task(self._renew(loop)))
        renewal.waiters += 1
        try:
            return await asyncio.shield(renewal.task)
        finally:
            renewal.waiters -= 1
            if renewal.waiters == 0 and not renewal.task.done():
                self._renewals.pop(loop, None)
                renewal.task.cancel()

    async def _renew(self, loop: asyncio.AbstractEventLoop) -> Token:
        try:
            self._token = token = await self._fetch()
        finally:
            if (renewal := self._renewals.get(loop)) is not None and renewal.task is asyncio.current_task():
                del self._renewals[loop]
        return token


class _Renewal:
    def __init__(self, task: asyncio.Task[Token]) -> None:
        self.task = task
        self.waiters = 0
