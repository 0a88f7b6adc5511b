"""Time limits that cost nothing per read: one timer a loop, not one a request.

`asyncio.timeout` and aiohttp's `sock_read` reschedule a timer at each use, 5 to 10 us; here a call notes when
its limit runs out, and a single timer looks at the earliest note. Who reads often notes even less, only that it waits
anew: the timer, which then ticks, puts the time to it.
"""

import asyncio
import math
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from onellm.errors import Phase
from onellm.types.options import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable


_TICKS = 16  # how often the timer looks within the limit of a read


class Watch(Struct, eq=False):
    """The time limits of one call. `arm` before an await that may hang, `rest` or `disarm` after it.

    total_at:    when the whole call's time is up; `deadline` is when that of what is waited for is
    during:      what is waited for; `phase` is whose limit is the first to run out
    task:        the one that waits, where it is to be cancelled; `cancelling` is how often it has been
    end:         makes the await fail when a limit has run out; None is to cancel the task that waits
    limit:       of each wait, for those that are only noted
    fresh:       a wait was noted, and the timer has not put a time to it
    known:       the watchdog looks at it
    """

    watchdog: "Watchdog"
    total_at: float
    deadline: float = math.inf
    phase: Phase = "total"
    during: Phase = "total"
    task: "asyncio.Task[object] | None" = None
    cancelling: int = 0
    waits: bool = False
    known: bool = False
    end: "Callable[[], object] | None" = None
    expired: Phase | None = None
    limit: float | None = None
    fresh: bool = False

    def arm(self, phase: Phase, limit: float | None) -> None:
        """From now on, for `limit` seconds, the current task may wait; the total limit counts too."""
        watchdog = self.watchdog
        deadline = self.total_at
        self.during = phase
        self.phase = "total"
        self.fresh = False
        if limit is not None and (at := watchdog.time() + limit) < deadline:
            deadline = at
            self.phase = phase
        self.deadline = deadline
        if self.known and self.end is not None and deadline >= watchdog.next:
            self.waits = True  # all that resume() has to do for most reads of a stream
        else:
            self.resume()

    def arm_reads(self, limit: float | None) -> None:
        """`arm("idle", limit)`, after which `fresh = waits = True` is enough to arm it again.

        The limit of those begins with the next tick, so they run out up to a sixteenth of it late, and never early.
        """
        self.arm("idle", limit)
        self.limit = limit
        if limit is not None and self.known:
            watchdog = self.watchdog
            tick = watchdog.time() + limit / _TICKS
            if tick < watchdog.next:
                watchdog.schedule(tick)

    def look(self, now: float) -> float:
        """End the wait if its time is up; gives when to look again."""
        limit = self.limit
        if self.fresh:
            self.fresh = False
            self.deadline = self.total_at
            self.phase = "total"
            if limit is not None and now + limit < self.deadline:
                self.deadline = now + limit
                self.phase = "idle"
        if self.waits and self.deadline <= now:
            self.expire()
            return math.inf
        at = self.deadline if self.waits else math.inf
        return at if limit is None else min(at, now + limit / _TICKS)

    def extend(self, limit: float | None) -> None:
        """What the task waits for is under way: the limit it waits under begins anew. For any task of the loop."""
        if limit is None or self.phase == "total":
            return
        self.deadline = self.watchdog.time() + limit
        if self.deadline >= self.total_at:
            self.deadline = self.total_at
            self.phase = "total"

    def resume(self) -> None:
        """Wait on under the deadline that was set before."""
        watchdog = self.watchdog
        if self.deadline == math.inf:
            return
        if self.end is None:
            task = asyncio.current_task(watchdog.loop)
            if task is None:
                return
            self.task = task
            self.cancelling = task.cancelling()
        self.waits = True
        if not self.known:
            self.known = True
            watchdog.watches.add(self)
        if self.deadline < watchdog.next:
            watchdog.schedule(self.deadline)

    def rest(self) -> None:
        """The await is over and another may follow: the watchdog keeps the watch, which costs less than its return."""
        self.waits = False
        self.task = None

    def disarm(self) -> None:
        """The await is over, and none follows."""
        self.waits = False
        self.task = None
        if self.known:  # leave(), without the call: every request comes here
            self.known = False
            self.watchdog.watches.discard(self)

    def leave(self) -> None:
        """No await follows; from any thread."""
        if self.known:
            self.known = False
            self.watchdog.watches.discard(self)

    def expire(self) -> None:
        """The limit has run out: end the wait."""
        if self.end is not None:
            self.expired = self.phase
            self.end()
        elif self.task is not None:
            self.expired = self.phase
            self.task.cancel()

    def claims_cancellation(self) -> bool:
        """Whether the `CancelledError` just caught is this limit's, and not somebody else's as well."""
        return self.expired is not None and self.task is not None and self.task.uncancel() <= self.cancelling


class Watchdog:
    """Expires the watches of one event loop."""

    __slots__ = ("_timer", "loop", "next", "time", "watches")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        own = getattr(loop.time, "__func__", None) is asyncio.BaseEventLoop.time  # which is this, in a frame of Python
        self.time: Callable[[], float] = time.monotonic if own else loop.time
        self.watches: set[Watch] = set()
        self.next = math.inf  # when it looks at them again
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, total: float | None, until: float | None = None) -> Watch:
        """Limits of a call that takes at most so long, and ends by `until`, a time of `time.monotonic`."""
        total_at = math.inf if total is None else self.time() + total
        if until is not None:  # the loop's clock need not be that one
            total_at = min(total_at, self.time() + until - time.monotonic())
        return Watch(self, total_at)

    def begin(self, timeouts: Timeouts) -> Watch:
        """`watch`, armed for the first byte: what every request begins with, so without the calls."""
        limit = timeouts.first_byte
        if timeouts.total is None or timeouts.until is not None or limit is None:
            watch = self.watch(timeouts.total, timeouts.until)
            watch.arm("first_byte", limit)
            return watch
        now = self.time()
        deadline = total_at = now + timeouts.total
        phase: Phase = "total"
        if now + limit < deadline:
            deadline = now + limit
            phase = "first_byte"
        task = asyncio.current_task(self.loop)
        if task is None:
            return Watch(self, total_at, deadline, phase, "first_byte")
        watch = Watch(self, total_at, deadline, phase, "first_byte", task, task.cancelling(), True, True)  # noqa: FBT003
        self.watches.add(watch)
        if deadline < self.next:
            self.schedule(deadline)
        return watch

    def stop(self) -> None:
        """Let the timer go, unless something waits, or only notes it when it does."""
        if self._timer is not None and not any(watch.waits or watch.limit is not None for watch in self.watches):
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
        now = self.time()
        earliest = math.inf
        for watch in list(self.watches):
            if not watch.expired:
                earliest = min(earliest, watch.look(now))
        if earliest < math.inf:
            self.schedule(earliest)
