"""Time limits that cost nothing per read: one timer a loop, not one a request.

`asyncio.timeout` and aiohttp's `sock_read` reschedule a timer at each use, 5 to 10 us; here a call notes when
its limit runs out, and a single timer looks at the earliest note.
"""

import asyncio
import math

from onellm.errors import Phase


class Watch:
    """The time limits of one call. `arm` before an await that may hang, `disarm` after it."""

    __slots__ = ("_cancelling", "_task", "_total_at", "_watchdog", "deadline", "expired", "phase")

    def __init__(self, watchdog: "Watchdog", total: float | None) -> None:
        self._watchdog = watchdog
        self._total_at = math.inf if total is None else watchdog.loop.time() + total
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self.deadline = math.inf
        self.phase: Phase = "total"
        self.expired: Phase | None = None

    def arm(self, phase: Phase, limit: float | None) -> None:
        """From now on, for `limit` seconds, the current task may wait; the total limit counts too."""
        deadline = self._total_at
        self.phase = "total"
        if limit is not None and (at := self._watchdog.loop.time() + limit) < deadline:
            deadline = at
            self.phase = phase
        self.resume(deadline)

    def extend(self, limit: float | None) -> None:
        """What the task waits for is under way: the limit it waits under begins anew. For any task of the loop."""
        if limit is None or self.phase == "total":
            return
        self.deadline = self._watchdog.loop.time() + limit
        if self.deadline >= self._total_at:
            self.deadline = self._total_at
            self.phase = "total"

    def resume(self, deadline: float) -> None:
        """Wait on under a deadline that was set before."""
        self.deadline = deadline
        if deadline == math.inf:
            return
        task = asyncio.current_task(self._watchdog.loop)
        if task is None:
            return
        self._task = task
        self._cancelling = task.cancelling()
        self._watchdog.add(self)

    def disarm(self) -> None:
        """The await is over."""
        self._task = None
        self._watchdog.discard(self)

    def expire(self) -> None:
        """The limit has run out: cancel the task that waits."""
        if self._task is not None:
            self.expired = self.phase
            self._task.cancel()

    def claims_cancellation(self) -> bool:
        """Whether the `CancelledError` just caught is this limit's, and not somebody else's as well."""
        return self.expired is not None and self._task is not None and self._task.uncancel() <= self._cancelling


class Watchdog:
    """Expires the watches of one event loop."""

    __slots__ = ("_next", "_timer", "_watches", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._watches: set[Watch] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._next = math.inf

    def add(self, watch: Watch) -> None:
        self._watches.add(watch)
        if watch.deadline < self._next:
            self._schedule(watch.deadline)

    def discard(self, watch: Watch) -> None:
        self._watches.discard(watch)

    def _schedule(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = at
        self._timer = self.loop.call_at(at, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._next = math.inf
        now = self.loop.time()
        earliest = math.inf
        for watch in list(self._watches):
            if watch.deadline <= now:
                self._watches.discard(watch)
                watch.expire()
            elif watch.deadline < earliest:
                earliest = watch.deadline
        if earliest < math.inf:
            self._schedule(earliest)
