"""Time limits, on a clock that the test moves."""

import asyncio
from collections.abc import Callable

import pytest

from onellm.errors import Phase
from onellm.transport.watchdog import Watch, Watchdog


class Timer:
    """A handle, as `call_at` gives one."""

    def __init__(self, at: float, callback: Callable[[], object]) -> None:
        self.at = at
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """The part of an event loop that a watchdog uses."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[Timer] = []
        self.made = 0

    def time(self) -> float:
        return self.now

    def call_at(self, at: float, callback: Callable[[], object]) -> Timer:
        self.timers.append(timer := Timer(at, callback))
        self.made += 1
        return timer

    def pending(self) -> list[Timer]:
        return [timer for timer in self.timers if not timer.cancelled]

    async def advance(self, seconds: float) -> None:
        """Move on, run what is due, and let the tasks take notice."""
        self.now += seconds
        due = [timer for timer in self.pending() if timer.at <= self.now]
        self.timers = [timer for timer in self.pending() if timer.at > self.now]
        for timer in due:
            timer.callback()
        for _ in range(3):
            await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def watchdog(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Watchdog:
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "time", clock.time)
    monkeypatch.setattr(loop, "call_at", clock.call_at)
    return Watchdog(loop)


async def wait(watch: Watch, phase: Phase, limit: float | None) -> str:
    """Wait for ever under a limit; say how it ended."""
    watch.arm(phase, limit)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        if watch.claims_cancellation():
            return str(watch.expired)
        raise
    finally:
        watch.disarm()
    return "never"


async def begin(watch: Watch, phase: Phase, limit: float | None) -> "asyncio.Task[str]":
    task = asyncio.create_task(wait(watch, phase, limit))
    await asyncio.sleep(0)
    return task


async def test_limit_expires_at_its_time_and_no_sooner(clock: Clock, watchdog: Watchdog) -> None:
    """The waiting task is cancelled, knows by which limit, and is not left marked as cancelled."""
    task = await begin(watchdog.watch(None), "idle", 5.0)
    await clock.advance(4.9)
    assert not task.done()
    await clock.advance(0.1)
    assert task.result() == "idle"
    assert task.cancelling() == 0


@pytest.mark.parametrize(
    ("phase_limit", "total", "ended"), [(5.0, 3.0, "total"), (3.0, 5.0, "idle"), (None, 3.0, "total")]
)
async def test_the_sooner_limit_counts(
    clock: Clock, watchdog: Watchdog, phase_limit: float | None, total: float, ended: str
) -> None:
    """The total limit runs from the watch's making, the phase's from its arming."""
    task = await begin(watchdog.watch(total), "idle", phase_limit)
    await clock.advance(3.0)
    assert task.result() == ended


async def test_total_runs_on_between_waits(clock: Clock, watchdog: Watchdog) -> None:
    """Time that the caller takes between two reads is part of the call."""
    watch = watchdog.watch(10.0)
    watch.arm("idle", 5.0)
    watch.disarm()
    await clock.advance(8.0)
    task = await begin(watch, "idle", 5.0)
    await clock.advance(2.0)
    assert task.result() == "total"


async def test_progress_begins_the_limit_anew(clock: Clock, watchdog: Watchdog) -> None:
    """An upload that goes on is not late; the total limit stays where it is."""
    watch = watchdog.watch(10.0)
    task = await begin(watch, "first_byte", 4.0)
    for _ in range(2):
        await clock.advance(3.0)
        watch.extend(4.0)
    watch.extend(None)
    await clock.advance(3.9)
    assert not task.done()
    watch.extend(4.0)
    await clock.advance(0.1)
    assert task.result() == "total"


async def test_no_limit_makes_no_timer(clock: Clock, watchdog: Watchdog) -> None:
    """None is no limit."""
    task = await begin(watchdog.watch(None), "first_byte", None)
    assert clock.made == 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_disarmed_watch_does_not_expire(clock: Clock, watchdog: Watchdog) -> None:
    """A limit that was met is no limit any more; nothing is cancelled later."""
    watch = watchdog.watch(None)
    watch.arm("idle", 1.0)
    watch.disarm()
    await clock.advance(2.0)
    watch.expire()
    assert watch.expired is None
    assert not watch.claims_cancellation()
    assert clock.pending() == []


async def test_outside_a_task_there_is_nothing_to_cancel(clock: Clock, watchdog: Watchdog) -> None:
    """A callback of the loop may use a watch; it has no limits there."""
    armed = asyncio.Event()

    def callback() -> None:
        watchdog.watch(1.0).arm("idle", 1.0)
        armed.set()

    asyncio.get_running_loop().call_soon(callback)
    await armed.wait()
    assert clock.made == 0


async def test_a_thousand_watches_have_one_timer(clock: Clock, watchdog: Watchdog) -> None:
    """And each expires at its own time, also those that were armed with a nearer one."""
    tasks = [await begin(watchdog.watch(None), "idle", 1.0 + (number * 7) % 100) for number in range(1000)]
    assert len(clock.pending()) == 1
    await clock.advance(50.5)
    assert len([task for task in tasks if task.done()]) == 500
    assert len(clock.pending()) == 1
    await clock.advance(50.0)
    assert {task.result() for task in tasks} == {"idle"}
    assert clock.pending() == []


async def test_nearer_limit_moves_the_timer(clock: Clock, watchdog: Watchdog) -> None:
    """A later one leaves it alone: arming and disarming in turn makes no timer each time."""
    far = await begin(watchdog.watch(None), "first_byte", 60.0)
    near = await begin(watchdog.watch(None), "idle", 1.0)
    assert [timer.at for timer in clock.pending()] == [1001.0]
    for _ in range(100):
        watch = watchdog.watch(None)
        watch.arm("idle", 5.0)
        watch.disarm()
    assert clock.made == 2
    await clock.advance(1.0)
    assert near.result() == "idle"
    assert [timer.at for timer in clock.pending()] == [1060.0]
    await clock.advance(59.0)
    assert far.result() == "first_byte"


@pytest.mark.parametrize("order", ["limit first", "caller first"])
async def test_cancellation_at_the_same_time_is_the_callers(watchdog: Watchdog, order: str) -> None:
    """Whichever came first: the caller's cancellation is not turned into a timeout."""
    watch = watchdog.watch(None)
    task = await begin(watch, "idle", 1.0)
    if order == "caller first":
        task.cancel()
    watch.expire()
    if order == "limit first":
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_stop_lets_the_timer_go(clock: Clock, watchdog: Watchdog) -> None:
    """Not while something waits, and a watch after it has a timer again."""
    task = await begin(watchdog.watch(None), "idle", 1.0)
    watchdog.stop()
    assert len(clock.pending()) == 1
    await clock.advance(1.0)
    assert task.result() == "idle"
    watch = watchdog.watch(None)
    watch.arm("idle", 9.0)
    watch.disarm()
    watchdog.stop()
    assert clock.pending() == []
    watchdog.stop()
    again = await begin(watchdog.watch(None), "idle", 30.0)
    await clock.advance(30.0)
    assert again.result() == "idle"


async def test_a_watch_at_rest_does_not_expire(clock: Clock, watchdog: Watchdog) -> None:
    """Whoever reads a stream may take their time between two reads; the next read is under its limit again."""
    watch = watchdog.watch(None)
    watch.arm("idle", 1.0)
    watch.rest()
    await clock.advance(2.0)
    assert watch.expired is None
    assert clock.pending() == []
    task = await begin(watch, "idle", 1.0)
    await clock.advance(1.0)
    assert task.result() == "idle"
    assert watchdog.watches == set()


async def test_a_watch_that_has_expired_cancels_once(clock: Clock, watchdog: Watchdog) -> None:
    """A second cancellation, before the task has seen the first, would be taken for the caller's."""
    task = await begin(watchdog.watch(None), "idle", 1.0)
    clock.now += 1.0
    for _ in range(2):
        for timer in clock.pending():
            timer.callback()
        watchdog.schedule(clock.now)
    await clock.advance(0.0)
    assert task.result() == "idle"


async def test_stop_does_not_mind_watches_at_rest(clock: Clock, watchdog: Watchdog) -> None:
    """They wait for nothing, so the timer may go; a read after that has one again."""
    watch = watchdog.watch(None)
    watch.arm("idle", 9.0)
    watch.rest()
    watchdog.stop()
    assert clock.pending() == []
    task = await begin(watch, "idle", 1.0)
    await clock.advance(1.0)
    assert task.result() == "idle"


def reading(watchdog: Watchdog, limit: float | None, total: float | None = None) -> tuple[Watch, list[str]]:
    """A watch of many reads, of which the first has been armed, and where it is said that it ended them."""
    ended: list[str] = []
    watch = watchdog.watch(total)
    watch.end = lambda: ended.append(str(watch.expired))
    watch.arm_reads(limit)
    return watch, ended


async def test_reads_that_go_on_do_not_expire(clock: Clock, watchdog: Watchdog) -> None:
    """Each read has the whole limit, however long all of them take together."""
    watch, ended = reading(watchdog, 16.0)
    for _ in range(10):
        await clock.advance(15.0)
        watch.rest()
        watch.fresh = watch.waits = True
    assert ended == []
    watch.disarm()


async def test_a_read_that_stalls_expires_at_its_limit(clock: Clock, watchdog: Watchdog) -> None:
    """The limit of a noted read begins with the next tick: it is never early, and at most a sixteenth late."""
    watch, ended = reading(watchdog, 16.0)
    watch.rest()
    await clock.advance(0.5)
    watch.fresh = watch.waits = True
    await clock.advance(0.5)
    await clock.advance(15.9)
    assert ended == []
    await clock.advance(0.1)
    assert ended == ["idle"]


async def test_who_takes_long_between_two_reads_does_not_expire(clock: Clock, watchdog: Watchdog) -> None:
    """The limit is for the provider: the time that the caller takes for a chunk does not count."""
    watch, ended = reading(watchdog, 16.0)
    watch.rest()
    for _ in range(50):
        await clock.advance(1.0)
    watch.fresh = watch.waits = True
    for _ in range(17):
        assert ended == []
        await clock.advance(1.0)
    assert ended == ["idle"]


async def test_the_total_counts_for_noted_reads_too(clock: Clock, watchdog: Watchdog) -> None:
    """A stream that never stalls ends when the whole call's time is up, and says so."""
    watch, ended = reading(watchdog, 16.0, total=20.0)
    for _ in range(19):
        await clock.advance(1.0)
        watch.rest()
        watch.fresh = watch.waits = True
    assert ended == []
    await clock.advance(1.0)
    await clock.advance(1.0)
    assert ended == ["total"]


async def test_stop_keeps_the_timer_of_those_who_only_note_their_reads(clock: Clock, watchdog: Watchdog) -> None:
    """They would not start it again, and a read that stalls would wait for ever."""
    watch, ended = reading(watchdog, 16.0)
    watch.rest()
    watchdog.stop()
    assert len(clock.pending()) == 1
    watch.fresh = watch.waits = True
    for _ in range(18):
        await clock.advance(1.0)
    assert ended == ["idle"]
    watch.disarm()


async def test_reads_without_limits_need_no_timer(clock: Clock, watchdog: Watchdog) -> None:
    """Where neither a read nor the whole has a limit nothing ticks."""
    watch, _ = reading(watchdog, None)
    watch.fresh = watch.waits = True
    assert clock.pending() == []
    watch.disarm()
