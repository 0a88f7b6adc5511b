"""Equal calls that are under way together, as one request."""

import asyncio
import copy
import time
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import structs

from onellm.errors import DeadlineExceededError, OneLLMError
from onellm.policy.answer_codec import Codec, codec_of
from onellm.policy.execution import Exchange
from onellm.policy.request_key import request_key
from onellm.types.headers import head_of

_SAME_ANSWER = frozenset({"create_embeddings", "create_moderation", "create_rerank"})


class Sharing:
    """A layer that makes one request of equal calls of one event loop. Streams are not shared.

    Who comes first makes the request, in a task of its own; the others wait for it, and each gets an answer of its
    own. A waiter that is cancelled takes nothing from the others; with the last one the request ends.
    """

    def __init__(self, *, unasked: bool = False) -> None:
        """Take whether calls are shared that do not ask for it: those whose answer is the same each time."""
        self._unasked = unasked
        self._flights: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Flight]]
        self._flights = weakref.WeakKeyDictionary()

    async def around(self, exchange: Exchange, go_on: Callable[[], Awaitable[Any]]) -> Any:
        """The answer, of a request of its own or of one that is under way."""
        codec = self._codec(exchange)
        key = None if codec is None else request_key(exchange, *_conditions(exchange))
        if codec is None or key is None:
            return await go_on()
        flights = self._flights.setdefault(asyncio.get_running_loop(), {})
        until = exchange.options.call.timeouts.until
        while (flight := flights.get(key)) is not None:
            try:
                return await flight.answer(until)
            except _TooShort:
                continue  # who asked had less time than this one: ask again
            except _NoCopy:
                return await go_on()
        flight = flights[key] = _Flight(key, flights, codec, go_on)
        return await flight.wait(None)

    def _codec(self, exchange: Exchange) -> Codec | None:
        if exchange.operation.answers != "whole":
            return None
        execution = exchange.options.execution
        asked = None if execution is None else execution.share
        if not (asked or (asked is None and self._unasked and _is_deterministic(exchange))):
            return None
        return codec_of(exchange.operation)


def _is_deterministic(exchange: Exchange) -> bool:
    """Whether the same call is meant to give the same answer: vectors, scores, and texts that are not drawn by lot."""
    if exchange.operation.method in _SAME_ANSWER:
        return True
    params: dict[str, Any] = getattr(exchange.request, "params", {})
    return params.get("temperature") == 0 or params.get("seed") is not None


def _conditions(exchange: Exchange) -> tuple[object, ...]:
    """What a call asks for beside its answer; one that asks for other limits is not served by these."""
    options = exchange.options
    execution = options.execution
    around = execution and (execution.fallback_models, execution.fallback_on, execution.hedge, execution.answer_cache)
    return structs.replace(options.call.timeouts, until=None), options.retry, options.call.priority, around


class _TooShort(Exception):  # noqa: N818 - never leaves this module
    """The request ended by a deadline that is not the waiter's."""


class _NoCopy(Exception):  # noqa: N818 - never leaves this module
    """The answer cannot be given twice."""


class _Flight:
    """A request that is under way, and how many wait for it."""

    def __init__(
        self, key: str, flights: "dict[str, _Flight]", codec: Codec, go_on: Callable[[], Awaitable[Any]]
    ) -> None:
        self._key = key
        self._flights = flights
        self._codec = codec
        self._go_on = go_on
        self._waiting = 0
        self._joined = False
        self._written: bytes | None = None
        self._task = asyncio.get_running_loop().create_task(self._ask())
        self._task.add_done_callback(_noticed)

    async def _ask(self) -> Any:
        try:
            answer = await self._go_on()
            if self._joined:  # written before anybody has it, and can change it
                self._written = self._codec.encode(answer)
            return answer
        finally:
            self._leave()

    def _leave(self) -> None:
        """Who comes now asks anew."""
        if self._flights.get(self._key) is self:
            del self._flights[self._key]

    async def answer(self, until: float | None) -> Any:
        """An equal answer, for who came later.

        Raises:
            DeadlineExceededError: the waiter's own time has run out.
        """
        self._joined = True
        try:
            await self.wait(until)
        except DeadlineExceededError as exc:
            if self._task.done() and (until is None or time.monotonic() < until):
                raise _TooShort from None
            raise copy.copy(exc) from exc.__cause__
        except OneLLMError as exc:
            raise copy.copy(exc) from exc.__cause__
        if self._written is None:
            raise _NoCopy
        answer = self._codec.decode(self._written)
        answer.head = head_of(self._task.result())
        return answer

    async def wait(self, until: float | None) -> Any:
        """The answer itself."""
        self._waiting += 1
        scope = asyncio.timeout(None if until is None else until - time.monotonic())
        try:
            async with scope:
                return await asyncio.shield(self._task)
        except TimeoutError:
            if not scope.expired():
                raise
            raise DeadlineExceededError("no answer of the shared request before the deadline") from None
        finally:
            self._waiting -= 1
            if not self._waiting and not self._task.done():
                self._leave()
                self._task.cancel()


def _noticed(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled():
        task.exception()  # whoever waits has it; asyncio must not say that nobody does
