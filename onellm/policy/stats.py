"""Counting calls, and waiting for the last of them."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from threading import Lock
from typing import Any

from msgspec import structs

from onellm.errors import ClientClosedError, OneLLMError
from onellm.policy.execution import Exchange
from onellm.policy.forks import begins_anew
from onellm.policy.watched import Tokens, to_its_end
from onellm.providers.base import Call
from onellm.providers.protocols import Pace
from onellm.types.events import RequestEvent, RetryEvent
from onellm.types.request import Request
from onellm.types.stats import CallUnderWay, ClientStats, Drained, ModelStats

_MOST_MODELS = 4096  # that are counted apart, so that a service that makes up names does not grow
_OTHERS = "other"


class Ledger:
    """Counts the calls of a client, in any number of threads. It is a layer, the outermost of all."""

    def __init__(self) -> None:
        self._closed = False
        self._numbers = 0
        self.begin_anew()
        begins_anew(self)

    def begin_anew(self) -> None:
        """From nothing; also after a fork, as what its parent has under way is no matter of the child."""
        self._lock = Lock()
        self._models: dict[str, _Counts] = {}
        self._under_way: dict[int, _Entry] = {}
        self._queued = 0
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    async def around(self, exchange: Exchange, go_on: Callable[[], Awaitable[Any]]) -> Any:
        """The call, counted.

        Raises:
            ClientClosedError: the client is being drained.
        """
        entry = self._begin(exchange)
        try:
            answer = await go_on()
        except BaseException as exc:
            entry.over(None, exc if isinstance(exc, OneLLMError) else None)
            raise
        return to_its_end(exchange, answer, entry)

    def _begin(self, exchange: Exchange) -> "_Entry":
        name = _name(exchange.provider, exchange.model)
        with self._lock:
            if self._closed:
                raise ClientClosedError("the client is being drained, and makes no new calls", provider=None)
            self._numbers += 1
            entry = _Entry(self, self._numbers, exchange, name)
            self._under_way[self._numbers] = entry
            counts = self._of(name)
            counts.calls += 1
            counts.in_flight += 1
        return entry

    def end(self, entry: "_Entry", answer: Any, error: BaseException | None) -> None:
        """A call is over."""
        with self._lock:
            if self._under_way.pop(entry.number, None) is None:
                return
            counts = self._of(entry.name)
            counts.in_flight -= 1
            if error is not None:
                counts.errors[type(error).__name__] += 1
            elif answer is None:
                counts.cancelled += 1
            elif getattr(answer, "cached", None) is not None:
                counts.cache_hits += 1
            waiting = self._let_go()
        _wake(waiting)

    def _let_go(self) -> "list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]]":
        if self._under_way:
            return []
        waiting, self._waiting = self._waiting, []
        return waiting

    def _of(self, name: str) -> "_Counts":
        found = self._models.get(name)
        if found is None:
            name = name if len(self._models) < _MOST_MODELS else _OTHERS
            found = self._models.setdefault(name, _Counts())
        return found

    # --- what is nearer to the provider ---

    def sent(self, event: RequestEvent) -> None:
        """A request goes out."""
        with self._lock:
            self._of(_name(event.provider, event.model)).requests += 1

    def failed(self, event: RetryEvent) -> None:
        """A request has failed, and another follows."""
        with self._lock:
            self._of(_name(event.provider, event.model)).retries += 1

    def note(self, exchange: Exchange, answer: Any) -> None:
        """An answer has come from a provider."""
        tokens = Tokens(answer)
        if not tokens.input and not tokens.output:
            return
        provider: str = getattr(answer, "provider", "") or exchange.provider
        own = provider == exchange.provider and not getattr(answer, "fallbacks", ())
        name = _name(provider, exchange.model if own else getattr(answer, "model", ""))
        with self._lock:
            counts = self._of(name)
            counts.input_tokens += tokens.input or 0
            counts.output_tokens += tokens.output or 0

    def pace(self, pace: Pace) -> "_CountedPace":
        """What makes requests wait, with those that wait counted."""
        return _CountedPace(pace, self)

    def queue(self, more: int) -> None:
        """So many more wait for their turn."""
        with self._lock:
            self._queued += more

    # --- what is asked of it ---

    def stats(self) -> ClientStats:
        """The counts as they are now."""
        with self._lock:
            models = {name: counts.frozen() for name, counts in self._models.items()}
            queued = self._queued
        whole = _Counts()
        for each in models.values():
            whole.add(each)
        return ClientStats(**structs.asdict(whole.frozen()), queued=queued, models=models)

    async def drain(self, timeout: float | None) -> Drained:  # noqa: ASYNC109 - it answers when time is up
        """Refuse new calls, and wait for those under way, `timeout` seconds at most."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        with self._lock:
            self._closed = True
            before = set(self._under_way)
            if before:
                self._waiting.append((loop, done))
        if before:
            try:
                async with asyncio.timeout(timeout):
                    await done
            except TimeoutError:
                done.cancel()
        now = time.monotonic()
        with self._lock:
            left = [entry.under_way(now) for entry in self._under_way.values()]
            finished = len(before - self._under_way.keys())
        return Drained(finished=finished, left=left)


class Spending:
    """The innermost layer of a ledger: what providers have really answered, and no cache."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def around(self, exchange: Exchange, go_on: Callable[[], Awaitable[Any]]) -> Any:
        """The call, its tokens noted when it is over."""
        return to_its_end(exchange, await go_on(), _Spent(self._ledger, exchange))


class _Spent:
    def __init__(self, ledger: Ledger, exchange: Exchange) -> None:
        self._ledger = ledger
        self._exchange = exchange

    def first(self) -> None:
        """That it has begun is no matter."""

    def over(self, answer: Any, error: BaseException | None) -> None:
        """Note what it took."""
        if error is None and answer is not None:
            self._ledger.note(self._exchange, answer)


class _Entry:
    """A call that is under way."""

    def __init__(self, ledger: Ledger, number: int, exchange: Exchange, name: str) -> None:
        self._ledger = ledger
        self.number = number
        self.name = name
        self._operation = exchange.operation
        self._began = time.monotonic()

    def first(self) -> None:
        """That it has begun is no matter."""

    def over(self, answer: Any, error: BaseException | None) -> None:
        """Leave the ledger."""
        self._ledger.end(self, answer, error)

    def under_way(self, now: float) -> CallUnderWay:
        return CallUnderWay(
            operation=self._operation.name,
            model=self.name,
            stream=self._operation.answers != "whole",
            seconds=now - self._began,
        )


class _Counts:
    __slots__ = (
        "cache_hits",
        "calls",
        "cancelled",
        "errors",
        "in_flight",
        "input_tokens",
        "output_tokens",
        "requests",
        "retries",
    )

    def __init__(self) -> None:
        self.calls = self.in_flight = self.requests = self.retries = self.cancelled = self.cache_hits = 0
        self.input_tokens = self.output_tokens = 0
        self.errors: Counter[str] = Counter()

    def frozen(self) -> ModelStats:
        return ModelStats(
            **{name: getattr(self, name) for name in self.__slots__ if name != "errors"}, errors=dict(self.errors)
        )

    def add(self, other: ModelStats) -> None:
        for name in self.__slots__:
            if name != "errors":
                setattr(self, name, getattr(self, name) + getattr(other, name))
        self.errors.update(other.errors)


class _CountedPace:
    """A `Pace` whose queue is counted."""

    def __init__(self, pace: Pace, ledger: Ledger) -> None:
        self._pace = pace
        self._ledger = ledger

    async def enter(self, call: Call, body: object, request: Request) -> Call:
        """Wait for the turn of a request."""
        self._ledger.queue(1)
        try:
            return await self._pace.enter(call, body, request)
        finally:
            self._ledger.queue(-1)

    def give_up(self, call: Call) -> None:
        """The turn is not wanted."""
        self._pace.give_up(call)


def _name(provider: str, model: str) -> str:
    return f"{provider}/{model}" if model else provider


def _wake(waiting: "list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]]") -> None:
    for loop, done in waiting:
        try:
            loop.call_soon_threadsafe(_settle, done)
        except RuntimeError:  # who waited there is gone with its loop
            continue


def _settle(done: "asyncio.Future[None]") -> None:
    if not done.done():
        done.set_result(None)
