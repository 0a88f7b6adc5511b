"""Time limits that cost nothing per read: one timer a loop, not one a request.

`asyncio.timeout` and aiohttp's `sock_read` reschedule a timer at each use, 5 to 10 us; here a call notes when
its limit runs out, and a single timer looks at the earliest note.
"""

import asyncio
import math

from onellm.errors import Phase


class Watch:
    """The time limits of one call. `arm` before an await that may hang, `rest` or `disarm` after it."""

    __slots__ = ("_cancelling", "_known", "_total_at", "_watchdog", "deadline", "expired", "phase", "task")

    def __init__(self, watchdog: "Watchdog", total: float | None) -> None:
        self._watchdog = watchdog
        self._total_at = math.inf if total is None else watchdog.loop.time() + total
        self._cancelling = 0
        self._known = False
        self.task: asyncio.Task[object] | None = None  # the one that waits; None between two waits
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
        self.deadline = deadline
        self.resume()

    def extend(self, limit: float | None) -> None:
        """What the task waits for is under way: the limit it waits under begins anew. For any task of the loop."""
        if limit is None or self.phase == "total":
            return
        self.deadline = self._watchdog.loop.time() + limit
        if self.deadline >= self._total_at:
            self.deadline = self._total_at
            self.phase = "total"

    def resume(self) -> None:
        """Wait on under the deadline that was set before."""
        watchdog = self._watchdog
        task = asyncio.current_task(watchdog.loop)
        if task is None or self.deadline == math.inf:
            return
        self.task = task
        self._cancelling = task.cancelling()
        if not self._known:
            self._known = True
            watchdog.watches.add(self)
        if self.deadline < watchdog.next:
            watchdog.schedule(self.deadline)

    def rest(self) -> None:
        """The await is over and another may follow: the watchdog keeps the watch, which costs less than its return."""
        self.task = None

    def disarm(self) -> None:
        """The await is over, and none follows."""
        self.task = None
        self.leave()

    def leave(self) -> None:
        """No await follows; from any thread."""
        if self._known:
            self._known = False
            self._watchdog.watches.discard(self)

    def expire(self) -> None:
        """The limit has run out: cancel the task that waits."""
        if self.task is not None:
            self.expired = self.phase
            self.task.cancel()

    def claims_cancellation(self) -> bool:
        """Whether the `CancelledError` just caught is this limit's, and not somebody else's as well."""
        return self.expired is not None and self.task is not None and self.task.uncancel() <= self._cancelling


class Watchdog:
    """Expires the watches of one event loop."""

    __slots__ = ("_timer", "loop", "next", "watches")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.watches: set[Watch] = set()
        self.next = math.inf  # when it looks at them again
        self._timer: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        """Let the timer go, unless something waits."""
        if self._timer is not None and not any(watch.task for watch in self.watches):
            self._timer.cancel()
            self._timer = None
            self.next = math.inf

    def schedule(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.next = at
        self._timer = self.loop.call_at(at, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.next = math.inf
        now = self.loop.time()
        earliest = math.inf
        for watch in list(self.watches):
            if watch.task is None or watch.expired:
                continue
            if watch.deadline <= now:
                watch.expire()
            elif watch.deadline < earliest:
                earliest = watch.deadline
        if earliest < math.inf:
            self.schedule(earliest)
