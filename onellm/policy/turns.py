"""Turns: who may send next. The queue of a provider, which gives them, and what ends them.

A provider has one line for each model that limits apply to. Out of those whose limits let a request go, that of the
highest priority goes; among equals, the one that came first. Every eighth turn is that of the one that has waited
longest, whatever its priority, so that all get theirs. A large request is not overtaken by small ones that would fit.

What is here belongs to no event loop and no thread: a turn may be given in one loop to a request of another. All that
happens goes through one inbox, and whoever holds the lock works it off; nobody waits for the lock, so that the
garbage collector, too, may end a turn at any place.
"""

import asyncio
import copy
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import inf
from typing import Any, Protocol

from msgspec import Struct, structs

from onellm.errors import APITimeoutError, DeadlineExceededError, OneLLMError
from onellm.policy.limits import Cost, Gate, Permit
from onellm.policy.lines import Alarm, Line, Waiter, settle
from onellm.types.limits import Limits

_OLDEST_EVERY = 8  # turns, one of which is that of the one that has waited longest
_MOST_ASKED = 16  # requests that are asked for together where limits are kept elsewhere
_ALONE, _LONGEST_ALONE = 1.0, 30.0  # seconds for which those are not asked again after they could not be reached
_REFUSED, _FAILED = 400, 500


class Ask(Struct, frozen=True):
    """What limits that are kept elsewhere are asked: may this go out?

    id:    of the turn that it would be
    keys:  of the limits: "" is the provider's own, another a model's
    """

    id: str
    keys: tuple[str, ...]
    cost: Cost


class Remote(Protocol):
    """Limits that are kept elsewhere, for more than this process. All of it is called in one event loop."""

    def ask(self, asks: "Sequence[Ask]", heard: "Callable[[Sequence[float] | OneLLMError | None], None]") -> None:
        """Ask, and tell what comes of it: for each the seconds to wait, 0 where it may go.

        None is told where they cannot be reached and this process is to go on alone, an error where it is not.
        """
        ...

    def ended(self, ask: Ask) -> None:
        """What could go out is over."""
        ...

    def corrected(self, ask: Ask, requests: float, tokens: float) -> None:
        """It took so much more than was said, or less."""
        ...

    def closed(self, key: str, seconds: float) -> None:
        """The provider asks all to wait."""
        ...

    async def aclose(self) -> None: ...


class Turn:
    """A request's turn. `end` it once the request is over, from any thread; a second end is nothing."""

    __slots__ = ("_ask", "_ended", "_gates", "_given_by", "_pacer", "_permits", "_sent")

    def __init__(self, pacer: "Pacer", gates: tuple[Gate, ...], permits: tuple[Permit, ...], ask: Ask | None) -> None:
        self._pacer = pacer
        self._gates = gates
        self._permits = permits
        self._ask = ask
        self._given_by = pacer.id
        self._ended = False
        self._sent = False

    def sent(self) -> None:
        """Its request goes out."""
        self._sent = True

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """The head of its answer has come. What it says is said of the model."""
        self._pacer.happens(self._answered, status, headers)

    def _answered(self, now: float, status: int, headers: Mapping[str, str]) -> None:
        gate = self._gates[0]
        wait = gate.answered(self._permits[0], status, headers, now, time.time())
        if wait is not None and self._ask is not None:
            self._pacer.remote_closed(self._ask, wait)
        if _REFUSED <= status < _FAILED:  # nothing was read, and nothing written
            self._used(now, 0.0)

    def used(self, tokens: float) -> None:
        """How many tokens it came to."""
        if any(gate.limits.tokens_per_minute is not None for gate in self._gates):
            self._pacer.happens(self._used, tokens)

    def _used(self, now: float, tokens: float) -> None:  # noqa: ARG002 - all that happens is told the time
        for gate, permit in zip(self._gates, self._permits, strict=True):
            gate.used(permit, tokens)
        if self._ask is not None:
            self._pacer.remote_corrected(self._ask, 0.0, tokens - self._ask.cost.tokens)

    def end(self) -> None:
        if not self._ended:
            self._ended = True
            if self._given_by == self._pacer.id:  # else it was given before a fork, in the parent
                self._pacer.happens(self._end)

    def _end(self, now: float) -> None:  # noqa: ARG002 - all that happens is told the time
        for gate, permit in zip(self._gates, self._permits, strict=True):
            gate.end()
            if not self._sent:
                gate.unsent(permit)
        if (ask := self._ask) is not None:
            self._pacer.remote_ended(ask)
            if not self._sent:
                self._pacer.remote_corrected(ask, -ask.cost.requests, -ask.cost.tokens)

    def __del__(self) -> None:
        self.end()


class Pacer:
    """The queue of one provider.

    Its own limits hold for all its models together; a model's for that model alone. What answers say, and how far
    concurrency is lowered, is kept by model: that is how providers count.

    With a `remote` it is of one event loop, and what its own limits let out is let out when those agree.
    """

    def __init__(self, whole: Limits | None, models: Mapping[str, Limits], remote: Remote | None = None) -> None:
        self._whole = whole
        self._models = models
        self._gate = Gate(_only_numbers(whole)) if whole is not None else None
        self._lines: dict[str, Line] = {}
        self._remote = remote
        self._begin()
        _pacers.add(self)

    def _begin(self) -> None:
        self._inbox: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._lock = threading.Lock()
        self._alarms: dict[asyncio.AbstractEventLoop, Alarm] = {}
        self._arrivals = 0
        self._turns = 0
        self._asked = 0
        self._asking = False
        self._alone_until = -inf
        self._alone = _ALONE
        self.id = os.urandom(6).hex()

    # --- for those who send ---

    async def turn(self, model: str, cost: Cost, priority: int, limit: float | None, *, deadline: bool = False) -> Turn:
        """Wait for a turn, `limit` seconds at most; with `deadline` those are what is left of the call's.

        Raises:
            APITimeoutError: it has not come by then.
            APIConnectionError: limits that are kept elsewhere cannot be reached, and are not to be gone without.
        """
        loop = asyncio.get_running_loop()
        waiter = Waiter(self.line(model), cost, priority, loop)
        self.happens(self._arrives, waiter)
        if waiter.turn is None:
            future = waiter.future = loop.create_future()
            timer = None if limit is None else loop.call_later(limit, settle, future)
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
            raise waiter.failure or _no_turn(model, None if deadline else limit)
        return waiter.turn

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

    def line(self, model: str) -> Line:
        """The line of a model."""
        line = self._lines.get(model)
        if line is None:
            limits = self._models.get(model)
            keys = ("",) if self._whole is not None and self._whole.shared is not None else ()
            if limits is None:
                assert self._whole is not None  # noqa: S101 - or nobody waits
                # Its numbers are the provider's; but what is learned is learned of the model.
                limits = structs.replace(self._whole, requests_per_minute=None, tokens_per_minute=None)
            if limits.shared is not None:
                keys = (model, *keys)  # also where it has no numbers: a wait that is asked for is shared
            line = self._lines.setdefault(model, Line(Gate(limits), keys))
        return line

    def forget_after_fork(self) -> None:
        """The child of a fork has no part in what its parent waits for and has under way."""
        _inherited.append((self._lines, self._alarms, self._inbox))
        self._lines = {model: Line(line.gate, line.keys) for model, line in self._lines.items()}
        self._begin()
        for gate in (*(line.gate for line in self._lines.values()), *([self._gate] if self._gate else ())):
            gate.under_way = 0

    # --- what is kept elsewhere ---

    def remote_ended(self, ask: Ask) -> None:
        if self._remote is not None:
            self._remote.ended(ask)

    def remote_corrected(self, ask: Ask, requests: float, tokens: float) -> None:
        if self._remote is not None:
            self._remote.corrected(ask, requests, tokens)

    def remote_closed(self, ask: Ask, seconds: float) -> None:
        if self._remote is not None:
            self._remote.closed(ask.keys[0], seconds)

    # --- what happens, one thing at a time ---

    def _arrives(self, now: float, waiter: Waiter) -> None:  # noqa: ARG002 - as all that happens
        self._arrivals += 1
        waiter.number = self._arrivals
        self._enlist(waiter)

    def _leaves(self, now: float, waiter: Waiter) -> None:  # noqa: ARG002 - as all that happens
        waiter.left = True
        if waiter.turn is not None:  # it came too late
            waiter.turn.end()
        elif waiter.place is not None:
            self._remove(waiter)

    def _enlist(self, waiter: Waiter) -> None:
        waiter.line.add(waiter)
        alarm = self._alarms.get(waiter.loop)
        if alarm is None:
            ring = partial(_ring, weakref.ref(self))
            alarm = self._alarms[waiter.loop] = Alarm(waiter.loop, ring)
        alarm.waiting += 1

    def _remove(self, waiter: Waiter) -> None:
        waiter.line.remove(waiter)
        alarm = self._alarms[waiter.loop]
        alarm.waiting -= 1
        if not alarm.waiting:
            del self._alarms[waiter.loop]
            alarm.set(inf)

    def _let_out(self, now: float) -> None:
        """Give turns to all whose turn it is, and set the alarms for the next."""
        if not self._alarms:
            return  # nobody waits
        asked: list[Waiter] = []
        while True:
            waiter, next_at = self._next(now)
            if waiter is None:
                break
            self._remove(waiter)
            if waiter.loop.is_closed():  # nobody waits there
                continue
            self._turns += 1
            if self._remote is None or not waiter.line.keys or now < self._alone_until:
                self._give(waiter, now, None)
                continue
            for gate in self._gates(waiter):  # until it is known whether it goes, it goes
                gate.under_way += 1
            asked.append(waiter)
            if len(asked) == _MOST_ASKED:
                break
        if asked:
            self._ask(asked)
        for alarm in self._alarms.values():
            alarm.set(next_at)

    def _next(self, now: float) -> tuple[Waiter | None, float]:
        """Whose turn it is; and where it is nobody's, when it may be somebody's."""
        next_at = inf
        lines: list[Line] = []
        for line in list(self._lines.values()):  # a copy: other threads add theirs
            if not line.waiting or (line.keys and self._asking):
                continue
            if line.asks_at > now:
                next_at = min(next_at, line.asks_at)
            else:
                lines.append(line)
        oldest = self._turns % _OLDEST_EVERY == _OLDEST_EVERY - 1
        for _, _, waiter in sorted((line.first(oldest=oldest) for line in lines), key=_place):
            if self._gate is not None and (at := self._gate.ready_at(waiter.cost, now)) > now:
                return None, min(next_at, at)  # what stands behind it must not take what it waits for
            if (at := waiter.line.gate.ready_at(waiter.cost, now)) <= now:
                return waiter, next_at
            next_at = min(next_at, at)
        return None, next_at

    def _gates(self, waiter: Waiter) -> tuple[Gate, ...]:
        gate = waiter.line.gate
        return (gate,) if self._gate is None else (gate, self._gate)

    def _give(self, waiter: Waiter, now: float, ask: Ask | None) -> None:
        gates = self._gates(waiter)
        turn = Turn(self, gates, tuple(gate.take(waiter.cost, now) for gate in gates), ask)
        if waiter.left:
            turn.end()
            return
        waiter.turn = turn
        waiter.wake()

    def _ask(self, waiters: list[Waiter]) -> None:
        assert self._remote is not None  # noqa: S101 - or nothing is asked
        self._asking = True
        asks: list[Ask] = []
        for waiter in waiters:
            self._asked += 1
            asks.append(Ask(f"{self.id}{self._asked}", waiter.line.keys, waiter.cost))
        self._remote.ask(asks, partial(self.happens, self._heard, list(zip(waiters, asks, strict=True))))

    def _heard(self, now: float, asked: list[tuple[Waiter, Ask]], waits: Sequence[float] | OneLLMError | None) -> None:
        self._asking = False
        if waits is None:
            self._alone_until = now + self._alone
            self._alone = min(2 * self._alone, _LONGEST_ALONE)
        else:
            self._alone = _ALONE
        for place, (waiter, ask) in enumerate(asked):
            for gate in self._gates(waiter):
                gate.under_way -= 1
            if waits is None:
                self._give(waiter, now, None)
            elif isinstance(waits, OneLLMError):
                waiter.failure = copy.copy(waits)  # each raises one of its own
                waiter.wake()
            elif (wait := waits[place]) <= 0:
                self._give(waiter, now, ask)
            else:
                self._turns -= 1
                waiter.line.asks_at = now + wait
                if not waiter.left:
                    self._enlist(waiter)


def _place(entry: tuple[int, int, Waiter]) -> tuple[int, int]:
    return entry[:2]


def _ring(pacer: "weakref.ref[Pacer]") -> None:
    if (found := pacer()) is not None:
        found.happens(_nothing)


def _nothing(now: float) -> None:
    """Only the time has gone on."""


def _only_numbers(limits: Limits) -> Limits:
    """The limits that all models of a provider share: what is learned is learned of each."""
    return structs.replace(limits, adaptive=False, learn=False)


def _no_turn(model: str, limit: float | None) -> APITimeoutError:
    when = "before the deadline" if limit is None else f"within {limit:g} s"
    words = f"no turn for a request to {model} {when} (queue): the limits let out less than is asked; give it more time"
    error = DeadlineExceededError(words) if limit is None else APITimeoutError(f"{words} with timeout=")
    error.phase = "queue"
    error.unsent = True
    error.retryable = False  # the caller's own limit: trying again would only exceed it
    return error


_pacers: "weakref.WeakSet[Pacer]" = weakref.WeakSet()
_inherited: list[object] = []  # what a fork left in the child: kept, so that no finalizer touches the parent's loops


def _after_fork_in_child() -> None:
    for pacer in _pacers:
        pacer.forget_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
