"""Requests that wait for their turn: the queue of a provider, and the transport that takes what its answers say.

A provider has one queue for each model that limits apply to. Out of those whose limits let a request go, that of the
highest priority goes; among equals, the one that came first. Every eighth turn is that of the one that has waited
longest, whatever its priority, so that all get theirs. A large request is not overtaken by small ones that would fit.

What is here belongs to no event loop and no thread: a turn may be given in one loop to a request of another. All that
happens goes through one inbox, and whoever holds the lock works it off; nobody waits for the lock, so that the
garbage collector, too, may end a turn at any place.
"""

import asyncio
import contextlib
import heapq
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from msgspec import structs

from onellm.errors import APITimeoutError
from onellm.policy.limits import Cost, Gate, Permit, estimate, most_written
from onellm.providers.protocols import Call, Response, ResponseStream, Transport
from onellm.types.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import NoReturn

    from onellm.types.files import Form
    from onellm.types.options import Timeouts
    from onellm.types.request import Request

_OLDEST_EVERY = 8  # turns, one of which is that of the one that has waited longest
_EVERY_PROVIDER = ""
_MOST_GONE = 64  # of those that have left a line, how many may lie in it beside those that wait


class Pacing:
    """The limits of one client: by provider, by "provider/model", and "" for providers that have none of their own."""

    def __init__(self, limits: Mapping[str, Limits]) -> None:
        self._limits = limits
        self._pacers: dict[str, Pacer | None] = {}

    def names(self, provider: str) -> bool:
        """Whether limits are given for a provider by its name."""
        return any(name.partition("/")[0] == provider for name in self._limits if name)

    def of(self, provider: str) -> "Pacer | None":
        """The queues of a provider; None where it has no limits."""
        if provider not in self._pacers:
            whole = self._limits.get(provider, self._limits.get(_EVERY_PROVIDER))
            models = {
                name.partition("/")[2]: limits
                for name, limits in self._limits.items()
                if name.startswith(f"{provider}/")
            }
            # Two threads may come here at once: setdefault is one step, and one of the two is dropped unused.
            self._pacers.setdefault(provider, Pacer(whole, models) if whole or models else None)
        return self._pacers[provider]


class _Waiter:
    """A request that waits. `turn` is None until it may go."""

    __slots__ = ("cost", "future", "gone", "line", "loop", "priority", "turn")

    def __init__(self, line: "_Line", cost: Cost, priority: int, loop: asyncio.AbstractEventLoop) -> None:
        self.line = line
        self.cost = cost
        self.priority = priority
        self.loop = loop
        self.turn: Turn | None = None
        self.gone = False
        self.future: asyncio.Future[None] | None = None

    def hand_over(self) -> "Turn":
        """Its turn, which is the caller's to end: what is left of the waiter in its line must not hold it."""
        turn, self.turn = self.turn, None
        assert turn is not None  # noqa: S101 - it has come
        return turn

    def wake(self) -> None:
        """Let it look again; from any thread."""
        if (future := self.future) is None:
            return
        if asyncio._get_running_loop() is self.loop:  # noqa: SLF001 - documented for library authors
            _settle(future)
        else:
            with contextlib.suppress(RuntimeError):  # its loop is closed, and nobody waits there
                self.loop.call_soon_threadsafe(_settle, future)


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class _Line:
    """The requests that wait for one model, by priority and by age."""

    __slots__ = ("_by_age", "_by_priority", "gate", "waiting")

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.waiting = 0
        self._by_priority: list[tuple[int, int, _Waiter]] = []
        self._by_age: deque[tuple[int, _Waiter]] = deque()

    def add(self, waiter: _Waiter, number: int) -> None:
        heapq.heappush(self._by_priority, (-waiter.priority, number, waiter))
        self._by_age.append((number, waiter))
        self.waiting += 1

    def remove(self, waiter: _Waiter) -> None:
        """Take one out that is in: what is left of it goes when it comes to the front, or when there is much of it."""
        waiter.gone = True
        waiter.future = None  # which holds the task that waits
        self.waiting -= 1
        if max(len(self._by_age), len(self._by_priority)) > 2 * self.waiting + _MOST_GONE:
            self._by_age = deque(entry for entry in self._by_age if not entry[1].gone)
            self._by_priority = [entry for entry in self._by_priority if not entry[2].gone]
            heapq.heapify(self._by_priority)

    def first(self, *, oldest: bool) -> tuple[int, int, _Waiter]:
        """Who is first of those that wait, and where it stands among those of other lines."""
        if oldest:
            while self._by_age[0][1].gone:
                self._by_age.popleft()
            number, waiter = self._by_age[0]
            return 0, number, waiter
        while self._by_priority[0][2].gone:
            heapq.heappop(self._by_priority)
        return self._by_priority[0]


class _Alarm:
    """What wakes one event loop when somebody's turn has come."""

    __slots__ = ("at", "handle", "loop", "ring", "waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self.loop = loop
        self.ring = ring
        self.waiting = 0
        self.at = inf
        self.handle: asyncio.TimerHandle | None = None

    def set(self, at: float) -> None:
        """Ring at a time, and no earlier one; `inf` is not at all."""
        if at == self.at:
            return
        self.at = at
        if asyncio._get_running_loop() is self.loop:  # noqa: SLF001 - documented for library authors
            self._set()
        else:
            with contextlib.suppress(RuntimeError):  # closed
                self.loop.call_soon_threadsafe(self._set)

    def _set(self) -> None:
        if self.handle is not None:
            self.handle.cancel()
            self.handle = None
        if self.at < inf:
            self.handle = self.loop.call_later(max(0.0, self.at - time.monotonic()), self._rings)

    def _rings(self) -> None:
        self.handle = None
        self.at = inf
        self.ring()


class Turn:
    """A request's turn. `end` it once the request is over, from any thread; a second end is nothing."""

    __slots__ = ("_ended", "_gates", "_line", "_pacer", "_permits", "_sent")

    def __init__(self, pacer: "Pacer", line: _Line, gates: tuple[Gate, ...], permits: tuple[Permit, ...]) -> None:
        self._pacer = pacer
        self._line = line
        self._gates = gates
        self._permits = permits
        self._ended = False
        self._sent = False

    def sent(self) -> None:
        """Its request goes out."""
        self._sent = True

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """The head of its answer has come. What it says is said of the model."""
        self._pacer.happens(self._answered, status, headers)

    def _answered(self, now: float, status: int, headers: Mapping[str, str]) -> None:
        self._line.gate.answered(self._permits[0], status, headers, now, time.time())

    def end(self) -> None:
        if not self._ended:
            self._ended = True
            self._pacer.happens(self._end)

    def _end(self, now: float) -> None:  # noqa: ARG002 - all that happens is told the time
        for gate, permit in zip(self._gates, self._permits, strict=True):
            gate.end()
            if not self._sent:
                gate.unsent(permit)

    def __del__(self) -> None:
        self.end()


class Pacer:
    """The queues of one provider.

    Its own limits hold for all its models together; a model's for that model alone. What answers say, and how far
    concurrency is lowered, is kept by model: that is how providers count.
    """

    def __init__(self, whole: Limits | None, models: Mapping[str, Limits]) -> None:
        self._whole = whole
        self._models = models
        self._gate = Gate(_only_numbers(whole)) if whole is not None else None
        self._lines: dict[str, _Line] = {}
        self._begin()
        _pacers.add(self)

    def _begin(self) -> None:
        self._inbox: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._lock = threading.Lock()
        self._alarms: dict[asyncio.AbstractEventLoop, _Alarm] = {}
        self._arrivals = 0
        self._turns = 0

    # --- for those who send ---

    async def enter(self, call: Call, body: object, request: "Request") -> Call:
        """`Pace.enter`: the call with a transport that ends the turn, and with what is left of its total limit."""
        limits = self._models.get(request.model, self._whole)
        if limits is None:
            return call
        written = most_written(getattr(request, "params", {}))
        paced = PacedTransport(self, request.model, Cost(tokens=estimate(body) + written), call)
        began = time.monotonic()
        await paced.wait(call.timeouts.total)
        return structs.replace(call, transport=paced, timeouts=_left(call.timeouts, began))

    def give_up(self, call: Call) -> None:
        """`Pace.give_up`."""
        if isinstance(call.transport, PacedTransport):
            call.transport.give_up()

    async def turn(self, model: str, cost: Cost, priority: int, limit: float | None) -> Turn:
        """Wait for a turn, `limit` seconds at most.

        Raises:
            APITimeoutError: it has not come by then.
        """
        loop = asyncio.get_running_loop()
        waiter = _Waiter(self._line(model), cost, priority, loop)
        self.happens(self._arrives, waiter)
        if waiter.turn is not None:
            return waiter.hand_over()
        future = waiter.future = loop.create_future()
        timer = None if limit is None else loop.call_later(limit, _settle, future)
        try:
            if waiter.turn is None:  # it may have come from another thread meanwhile
                await future
        except BaseException:
            self.happens(self._leaves, waiter)
            raise
        finally:
            if timer is not None:
                timer.cancel()
        if waiter.turn is None:
            self.happens(self._leaves, waiter)
            raise _no_turn(model, limit or 0.0)
        return waiter.hand_over()

    def happens(self, what: Callable[..., None], *given: Any) -> None:
        """Do `what(now, *given)`, and let out whom it lets out: here, or where another thread is at it, there."""
        inbox = self._inbox
        inbox.append((what, given))
        lock = self._lock
        while inbox and lock.acquire(blocking=False):
            try:
                now = time.monotonic()
                while inbox:
                    what, given = inbox.popleft()
                    what(now, *given)
                self._let_out(now)
            finally:
                lock.release()

    def forget_after_fork(self) -> None:
        """The child of a fork has no part in what its parent waits for and has under way."""
        _inherited.append((self._lines, self._alarms, self._inbox))
        gates = [line.gate for line in self._lines.values()]
        self._lines = {model: _Line(line.gate) for model, line in self._lines.items()}
        self._begin()
        for gate in (*gates, *([self._gate] if self._gate else ())):
            gate.forget_under_way()

    # --- what happens, one thing at a time ---

    def _line(self, model: str) -> _Line:
        line = self._lines.get(model)
        if line is None:
            limits = self._models.get(model)
            if limits is None:
                assert self._whole is not None  # noqa: S101 - or nobody waits
                # Its numbers are the provider's; but what is learned is learned of the model.
                limits = structs.replace(self._whole, requests_per_minute=None, tokens_per_minute=None)
            line = self._lines.setdefault(model, _Line(Gate(limits)))
        return line

    def _arrives(self, now: float, waiter: _Waiter) -> None:  # noqa: ARG002 - as all that happens
        self._arrivals += 1
        waiter.line.add(waiter, self._arrivals)
        alarm = self._alarms.get(waiter.loop)
        if alarm is None:
            ring = partial(_ring, weakref.ref(self))
            alarm = self._alarms[waiter.loop] = _Alarm(waiter.loop, ring)
        alarm.waiting += 1

    def _leaves(self, now: float, waiter: _Waiter) -> None:
        if waiter.turn is not None:  # it came too late
            waiter.turn.end()
        elif not waiter.gone:
            self._remove(waiter)
        del now

    def _remove(self, waiter: _Waiter) -> None:
        waiter.line.remove(waiter)
        alarm = self._alarms[waiter.loop]
        alarm.waiting -= 1
        if not alarm.waiting:
            del self._alarms[waiter.loop]
            alarm.set(inf)

    def _let_out(self, now: float) -> None:
        """Give turns to all whose turn it is, and set the alarms for the next."""
        whole = self._gate
        next_at = inf
        while True:
            lines = [line for line in list(self._lines.values()) if line.waiting]  # a copy: other threads add theirs
            if not lines:
                break
            oldest = self._turns % _OLDEST_EVERY == _OLDEST_EVERY - 1
            next_at = inf
            chosen: _Waiter | None = None
            for _, _, waiter in sorted((line.first(oldest=oldest) for line in lines), key=_place):
                if whole is not None and (at := whole.ready_at(waiter.cost, now)) > now:
                    next_at = min(next_at, at)
                    break  # what stands behind it must not take what it waits for
                if (at := waiter.line.gate.ready_at(waiter.cost, now)) <= now:
                    chosen = waiter
                    break
                next_at = min(next_at, at)
            if chosen is None:
                break
            if chosen.loop.is_closed():  # nobody waits there
                self._remove(chosen)
                continue
            self._turns += 1
            self._give(chosen, now)
        for alarm in self._alarms.values():
            alarm.set(next_at)

    def _give(self, waiter: _Waiter, now: float) -> None:
        gate = waiter.line.gate
        gates = (gate,) if self._gate is None else (gate, self._gate)
        waiter.turn = Turn(self, waiter.line, gates, tuple(each.take(waiter.cost, now) for each in gates))
        waiter.wake()
        self._remove(waiter)


def _place(entry: tuple[int, int, _Waiter]) -> tuple[int, int]:
    return entry[:2]


def _ring(pacer: "weakref.ref[Pacer]") -> None:
    if (found := pacer()) is not None:
        found.happens(_nothing)


def _nothing(now: float) -> None:
    """Only the time has gone on."""


def _only_numbers(limits: Limits) -> Limits:
    """The limits that all models of a provider share: what is learned is learned of each."""
    return structs.replace(limits, adaptive=False, learn=False)


def _left(timeouts: "Timeouts", began: float) -> "Timeouts":
    waited = time.monotonic() - began
    if timeouts.total is None or waited < _AT_ONCE:
        return timeouts
    return structs.replace(timeouts, total=max(_AT_ONCE, timeouts.total - waited))


_AT_ONCE = 0.001  # seconds that are no wait


def _no_turn(model: str, limit: float) -> APITimeoutError:
    error = APITimeoutError(
        f"no turn for a request to {model} within {limit:g} s (queue): the limits let fewer out than are asked; "
        "raise the time with timeout=, or send less at once"
    )
    error.phase = "queue"
    error.unsent = True
    error.retryable = False  # the caller's own limit: trying again would only exceed it
    return error


class PacedTransport:
    """The transport of one paced request. What it sends beyond that, with a new token, waits for turns of its own."""

    def __init__(self, pacer: Pacer, model: str, cost: Cost, call: Call) -> None:
        self._pacer = pacer
        self._model = model
        self._cost = cost
        self._priority = call.priority
        self._transport: Transport = call.transport
        self._turn: Turn | None = None

    async def wait(self, limit: float | None) -> None:
        """Wait for the turn of the next request.

        Raises:
            APITimeoutError: it has not come within `limit` seconds.
        """
        self._turn = await self._pacer.turn(self._model, self._cost, self._priority, limit)

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
        return response

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
            began = time.monotonic()
            await self.wait(timeouts.total)
            timeouts = _left(timeouts, began)
        turn, self._turn = self._turn, None
        assert turn is not None  # noqa: S101 - waited for
        turn.sent()
        return turn, timeouts


class PacedStream:
    """An answer that is read as it comes; its turn is over when it is."""

    def __init__(self, stream: ResponseStream, turn: Turn) -> None:
        self.status = stream.status
        self.headers = stream.headers
        self.receive: Callable[[], Awaitable[bytes]] = stream.receive
        self.rest = stream.rest
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


_pacers: "weakref.WeakSet[Pacer]" = weakref.WeakSet()
_inherited: list[object] = []  # what a fork left in the child: kept, so that no finalizer touches the parent's loops


def _after_fork_in_child() -> None:
    for pacer in _pacers:
        pacer.forget_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
