"""Requests that wait for their turn: the limits of a client, and the transport that takes what answers say of them."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from onellm.errors import ConfigurationError, MissingDependencyError
from onellm.policy.limits import Cost, estimate, most_written
from onellm.policy.turns import Pacer, Remote, Turn
from onellm.providers.base import Call, ProviderSettings
from onellm.providers.protocols import Response, ResponseStream, Transport
from onellm.types.limits import Limits, RedisLimits
from onellm.types.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import NoReturn

    from onellm.types.files import Form
    from onellm.types.options import Timeouts
    from onellm.types.request import Request

_EVERY_PROVIDER = ""
_AT_ONCE = 0.001  # seconds that are no wait


class Pacing:
    """The limits of one client: by provider, by "provider/model", and "" for providers that have none of their own."""

    def __init__(self, limits: Mapping[str, Limits]) -> None:
        self._limits = limits
        self._paces: dict[str, ProviderPace | None] = {}
        if any(each.shared is not None for each in limits.values()):
            require_redis()

    def names(self, provider: str) -> bool:
        """Whether limits are given for a provider by its name."""
        return any(name.partition("/")[0] == provider for name in self._limits if name)

    def of(self, provider: str) -> "ProviderPace | None":
        """What paces a provider; None where it has no limits."""
        if provider not in self._paces:
            whole = self._limits.get(provider, self._limits.get(_EVERY_PROVIDER))
            models = {
                name.partition("/")[2]: limits
                for name, limits in self._limits.items()
                if name.startswith(f"{provider}/")
            }
            made = ProviderPace(provider, whole, models) if whole or models else None
            # Two threads may come here at once: setdefault is one step, and one of the two is dropped unused.
            self._paces.setdefault(provider, made)
        return self._paces[provider]

    def forget(self, provider: str) -> None:
        """Another provider has its name from now on."""
        self._paces.pop(provider, None)

    async def aclose(self) -> None:
        """Close what the current event loop has open."""
        for pace in list(self._paces.values()):
            if pace is not None:
                await pace.aclose()


class ProviderPace:
    """Paces the requests of one provider: a `Pace`. Each of its keys has the limits for itself.

    One queue for all event loops where limits are kept in the process; where they are shared, one for each.
    """

    def __init__(self, provider: str, whole: Limits | None, models: Mapping[str, Limits]) -> None:
        self._provider = provider
        self._whole = whole
        self._models = models
        self._shared = _shared(provider, [*([whole] if whole else ()), *models.values()])
        self._of_keys: dict[object, Pacer] = {}
        self._of_loops: dict[asyncio.AbstractEventLoop, dict[object, tuple[Pacer, Remote]]] = {}

    def pacer(self, settings: ProviderSettings) -> Pacer:
        """The queue that requests with these settings wait in, in the current event loop."""
        key = settings.api_key
        if self._shared is None:
            found = self._of_keys.get(key)
            # Two threads may come here at once: setdefault is one step, and one of the two is dropped unused.
            return found or self._of_keys.setdefault(key, Pacer(self._whole, self._models))
        loop = asyncio.get_running_loop()
        if (of_keys := self._of_loops.get(loop)) is None:
            for other in [other for other in self._of_loops if other.is_closed()]:
                self._of_loops.pop(other, None)
            of_keys = self._of_loops[loop] = {}
        if key not in of_keys:
            from onellm.policy.redis_limits import RedisRemote  # noqa: PLC0415 - for those who share

            limits = {**({"": self._whole} if self._whole else {}), **self._models}
            remote = RedisRemote(self._shared, f"{self._provider}:{account_of(settings)}", limits, loop)
            of_keys[key] = (Pacer(self._whole, self._models, remote), remote)
        return of_keys[key][0]

    async def enter(self, call: Call, body: object, request: "Request") -> Call:
        if request.model not in self._models and self._whole is None:
            return call
        written = most_written(getattr(request, "params", {}))
        pacer = self.pacer(call.settings)
        paced = PacedTransport(pacer, request.model, Cost(tokens=estimate(body) + written), call)
        return structs.replace(call, timeouts=await paced.wait(call.timeouts), transport=paced)

    def give_up(self, call: Call) -> None:
        if isinstance(call.transport, PacedTransport):
            call.transport.give_up()

    async def aclose(self) -> None:
        for _, remote in self._of_loops.pop(asyncio.get_running_loop(), {}).values():
            await remote.aclose()


def require_redis() -> None:
    """Raise where the package is not installed: before anything waits for it.

    Raises:
        MissingDependencyError: it is not.
    """
    from importlib.util import find_spec  # noqa: PLC0415 - for those who share

    if find_spec("redis") is None:
        raise MissingDependencyError('limits that are shared need redis: pip install "onellm[redis]"')


def account_of(settings: ProviderSettings) -> str:
    """A digest of where requests go and whose they are: limits are an account's. The key cannot be read from it."""
    from hashlib import blake2b  # noqa: PLC0415 - for those who share

    key = settings.api_key.reveal() if isinstance(settings.api_key, Secret) else ""
    return blake2b(f"{settings.base_url} {key}".encode(), digest_size=8, person=b"onellm").hexdigest()


def _shared(provider: str, limits: Sequence[Limits]) -> RedisLimits | None:
    """Where the limits of a provider are kept: all that are shared in one place, so that they are taken in one step."""
    places = {each.shared for each in limits if isinstance(each.shared, RedisLimits)}
    if len(places) > 1:
        raise ConfigurationError(f"limits: those of {provider} and its models must be shared in one place")
    return next(iter(places), None)


class PacedTransport:
    """The transport of one paced request. What it sends beyond that, with a new token, waits for turns of its own."""

    def __init__(self, pacer: Pacer, model: str, cost: Cost, call: Call) -> None:
        self._pacer = pacer
        self._model = model
        self._cost = cost
        self._priority = call.priority
        self._transport: Transport = call.transport
        self._turn: Turn | None = None

    async def wait(self, timeouts: "Timeouts") -> "Timeouts":
        """Wait for the turn of the next request, and give what is left of its time.

        Raises:
            APITimeoutError: it has not come within the total limit, or before the deadline.
        """
        began = time.monotonic()
        limit, left = timeouts.total, None if timeouts.until is None else max(0.0, timeouts.until - began)
        deadline = left is not None and (limit is None or left < limit)
        self._turn = await self._pacer.turn(
            self._model, self._cost, self._priority, left if deadline else limit, deadline=deadline
        )
        waited = time.monotonic() - began
        if limit is None or waited < _AT_ONCE:
            return timeouts
        return structs.replace(timeouts, total=max(_AT_ONCE, limit - waited))

    def give_up(self) -> None:
        """End a turn in which nothing was sent."""
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.end()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: "bytes | Form | None",
        timeouts: "Timeouts",
        proxy: str | None = None,
    ) -> Response:
        turn, timeouts = await self._take(timeouts)
        try:
            response = await self._transport.request(
                method, url, headers=headers, body=body, timeouts=timeouts, proxy=proxy
            )
            turn.answered(response.status, response.headers)
        finally:
            turn.end()
        return PacedResponse(response, turn)

    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: "bytes | Form | None",
        timeouts: "Timeouts",
        proxy: str | None = None,
    ) -> ResponseStream:
        turn, timeouts = await self._take(timeouts)
        try:
            response = await self._transport.stream(
                method, url, headers=headers, body=body, timeouts=timeouts, proxy=proxy
            )
            turn.answered(response.status, response.headers)
        except BaseException:
            turn.end()
            raise
        return PacedStream(response, turn)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _take(self, timeouts: "Timeouts") -> "tuple[Turn, Timeouts]":
        if self._turn is None:
            timeouts = await self.wait(timeouts)
        turn, self._turn = self._turn, None
        assert turn is not None  # noqa: S101 - waited for
        turn.sent()
        return turn, timeouts


class PacedResponse:
    """A whole answer that can be told what it took."""

    __slots__ = ("body", "headers", "status", "used")

    def __init__(self, response: Response, turn: Turn) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.body
        self.used = turn.used


class PacedStream:
    """An answer that is read as it comes; its turn is over when it is. It, too, can be told what it took."""

    def __init__(self, stream: ResponseStream, turn: Turn) -> None:
        self.status = stream.status
        self.headers = stream.headers
        self.receive: Callable[[], Awaitable[bytes]] = stream.receive
        self.rest = stream.rest
        self.used = turn.used
        self._stream = stream
        self._turn = turn

    async def read(self) -> bytes:
        try:
            data = await self._stream.read()
        except BaseException:
            self._turn.end()
            raise
        if not data:
            self._turn.end()
        return data

    def failed(self, exc: BaseException) -> "NoReturn":
        self._turn.end()
        self._stream.failed(exc)

    async def read_error(self) -> bytes:
        try:
            return await self._stream.read_error()
        finally:
            self._turn.end()

    async def finish(self) -> None:
        try:
            await self._stream.finish()
        finally:
            self._turn.end()

    def close(self) -> None:
        self._stream.close()
        self._turn.end()
