"""Those that wait: one, the line of a model, and the alarm that wakes an event loop's."""

import asyncio
import contextlib
import heapq
import time
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

from onellm.policy.limits import Cost, Gate

if TYPE_CHECKING:
    from onellm.errors import OneLLMError
    from onellm.policy.turns import Turn

_MOST_GONE = 64  # of those that have left a line, how many may lie in it beside those that wait


class Waiter:
    """A request that waits. `turn` is None until it may go; `left` is True where nobody waits for it any more."""

    __slots__ = ("cost", "failure", "future", "left", "line", "loop", "number", "place", "priority", "turn")

    def __init__(self, line: "Line", cost: Cost, priority: int, loop: asyncio.AbstractEventLoop) -> None:
        self.line = line
        self.cost = cost
        self.priority = priority
        self.loop = loop
        self.number = 0
        self.place: _Place | None = None
        self.turn: Turn | None = None
        self.failure: OneLLMError | None = None
        self.left = False
        self.future: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Let it look again; from any thread."""
        if (future := self.future) is None:
            return
        if asyncio._get_running_loop() is self.loop:  # noqa: SLF001 - documented for library authors
            settle(future)
        else:
            with contextlib.suppress(RuntimeError):  # its loop is closed, and nobody waits there
                self.loop.call_soon_threadsafe(settle, future)


def settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class _Place:
    """A waiter's place in a line. What is left of it when the waiter has gone holds nothing."""

    __slots__ = ("waiter",)

    def __init__(self, waiter: Waiter) -> None:
        self.waiter: Waiter | None = waiter


class Line:
    """The requests that wait for one model, by priority and by age.

    keys:     of its limits that are kept elsewhere
    asks_at:  before then it is no use to ask those
    """

    __slots__ = ("_by_age", "_by_priority", "_places", "asks_at", "gate", "keys", "waiting")

    def __init__(self, gate: Gate, keys: tuple[str, ...]) -> None:
        self.gate = gate
        self.keys = keys
        self.asks_at = -inf
        self.waiting = 0
        self._by_priority: list[tuple[int, int, int, _Place]] = []
        self._by_age: list[tuple[int, int, _Place]] = []
        self._places = 0

    def add(self, waiter: Waiter) -> None:
        place = waiter.place = _Place(waiter)
        self._places += 1  # one that comes back has its old number, and places are not compared
        heapq.heappush(self._by_priority, (-waiter.priority, waiter.number, self._places, place))
        heapq.heappush(self._by_age, (waiter.number, self._places, place))
        self.waiting += 1

    def remove(self, waiter: Waiter) -> None:
        """Take one out that is in: its place goes when it comes to the front, or when there are many such."""
        place, waiter.place = waiter.place, None
        if place is not None:
            place.waiter = None
        self.waiting -= 1
        if max(len(self._by_age), len(self._by_priority)) > 2 * self.waiting + _MOST_GONE:
            self._by_age = [entry for entry in self._by_age if entry[-1].waiter]
            self._by_priority = [entry for entry in self._by_priority if entry[-1].waiter]
            heapq.heapify(self._by_age)
            heapq.heapify(self._by_priority)

    def first(self, *, oldest: bool) -> tuple[int, int, Waiter]:
        """Who is first of those that wait, and where it stands among those of other lines."""
        while True:
            place = self._by_age[0][-1] if oldest else self._by_priority[0][-1]
            if (waiter := place.waiter) is not None:
                return 0 if oldest else -waiter.priority, waiter.number, waiter
            if oldest:
                heapq.heappop(self._by_age)
            else:
                heapq.heappop(self._by_priority)


class Alarm:
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
