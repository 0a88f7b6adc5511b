"""The loop thread of the blocking clients: one call, many threads, Ctrl-C, and streams.

What concerns a process as a whole (fork, exit) is in test_portal_process.py.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import signal
import sys
import threading
import traceback
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVarTuple

import pytest

from onellm._sync import portal
from onellm._sync.portal import iterate, post, run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

THREADS = 32

Ts = TypeVarTuple("Ts")

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs pthread_kill")


async def give(item: object) -> object:
    return item


async def interrupt_main_thread() -> None:
    ident = threading.main_thread().ident
    assert ident is not None
    signal.pthread_kill(ident, signal.SIGINT)


@pytest.fixture
def own_portal() -> Iterator[portal._Portal]:
    """A portal of the test's own, to be started and ended."""
    one = portal._Portal()
    yield one
    one.close()


def test_the_result_comes_back() -> None:
    item = object()
    assert run(give(item)) is item


@pytest.mark.parametrize("given", [give, None, 1, [].__iter__()], ids=["function", "None", "int", "iterator"])
def test_what_is_no_coroutine_is_refused(given: Any) -> None:
    """In the thread that gave it; the loop goes on."""
    with pytest.raises(TypeError, match=f"needs a coroutine, not {type(given).__name__}"):
        run(given)
    assert run(give(1)) == 1


def test_every_call_runs_in_one_daemon_thread_of_that_name() -> None:
    threads = {run(give_thread()) for _ in range(3)}
    with ThreadPoolExecutor(1) as pool:
        threads.add(pool.submit(lambda: run(give_thread())).result())
    (thread,) = threads
    assert thread.name == "onellm"
    assert thread.daemon


async def give_thread() -> threading.Thread:
    return threading.current_thread()


class Unwell(Exception):  # noqa: N818 (a test's own)
    """An exception that can be weakly referenced."""


async def fail_below(message: str) -> None:
    raise Unwell(message)


async def fail(message: str) -> None:
    await fail_below(message)


def test_an_exception_keeps_its_traceback() -> None:
    with pytest.raises(Unwell, match="on purpose") as caught:
        run(fail("on purpose"))
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-2:] == ["fail", "fail_below"]


def test_an_exception_leaves_no_reference_cycle() -> None:
    gc.collect()
    gc.disable()
    try:
        reference = failed_call()
        run(give(None))  # the loop thread is done with the first call when it begins another
        assert reference() is None
    finally:
        gc.enable()


def failed_call() -> weakref.ref[Unwell]:
    try:
        run(fail("on purpose"))
    except Unwell as error:
        return weakref.ref(error)
    pytest.fail("no exception")


def test_the_loop_survives_an_exception_that_stops_it() -> None:
    """SystemExit and KeyboardInterrupt end run_forever; they are for the caller, and other calls go on."""
    gate = threading.Event()

    async def wait_for_gate() -> str:
        post(gate.set)
        await leave.wait()
        return "finished"

    async def exit_with(error: BaseException) -> None:
        raise error

    leave = asyncio.Event()
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(lambda: run(wait_for_gate()))
        assert gate.wait(10)
        for error in (SystemExit(3), KeyboardInterrupt()):
            with pytest.raises(type(error)) as caught:
                run(exit_with(error))
            assert caught.value is error
        post(leave.set)
        assert other.result() == "finished"


VARIABLE = contextvars.ContextVar("VARIABLE", default="unset")


def test_the_context_is_the_callers_copied() -> None:
    async def read_and_set() -> str:
        seen = VARIABLE.get()
        VARIABLE.set("set in the coroutine")
        return seen

    token = VARIABLE.set("set by the caller")
    try:
        assert run(read_and_set()) == "set by the caller"
        assert VARIABLE.get() == "set by the caller"
    finally:
        VARIABLE.reset(token)
    assert run(read_and_set()) == "unset"


async def test_works_inside_a_running_loop() -> None:
    """As in a notebook: this thread's loop stands still, the coroutine runs in the other."""
    assert run(give_loop()) is not asyncio.get_running_loop()


async def give_loop() -> asyncio.AbstractEventLoop:
    await asyncio.sleep(0)
    return asyncio.get_running_loop()


def test_a_call_from_the_loop_thread_is_an_error_and_no_deadlock() -> None:
    async def call_blocking() -> object:
        return run(give(1))

    with pytest.raises(RuntimeError, match="use AsyncOneLLM"):
        run(call_blocking())
    assert run(give(1)) == 1


def test_32_threads_at_once() -> None:
    """Every coroutine waits for all others: none would finish if calls queued behind each other."""
    barrier = asyncio.Barrier(THREADS)

    async def meet(number: int) -> int:
        await barrier.wait()
        return number

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(lambda number: run(meet(number)), range(THREADS))) == list(range(THREADS))


def test_threads_that_come_first_together_share_one_loop(own_portal: portal._Portal) -> None:
    together = threading.Barrier(THREADS)

    def first_call() -> asyncio.AbstractEventLoop:
        together.wait()
        return own_portal.run(give_loop())

    with ThreadPoolExecutor(THREADS) as pool:
        loops = {future.result() for future in [pool.submit(first_call) for _ in range(THREADS)]}
    assert len(loops) == 1


def test_the_loop_comes_from_loop_factory(own_portal: portal._Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.new_event_loop()
    monkeypatch.setattr(portal, "loop_factory", lambda: loop)
    assert own_portal.run(give_loop()) is loop


def test_a_thread_that_cannot_start_leaves_nothing_behind(
    own_portal: portal._Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No unclosed loop, no coroutine that was never awaited; and the next call tries again."""
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            own_portal.run(give(1))
    assert own_portal.run(give(1)) == 1


def refuse(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_ctrl_c_during_the_start_leaves_nothing_behind(
    own_portal: portal._Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def start_and_interrupt(thread: threading.Thread) -> None:
        start(thread)
        started.append(thread)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start_and_interrupt)
        with pytest.raises(KeyboardInterrupt):
            own_portal.run(give(1))
    started[0].join(10)
    assert not started[0].is_alive()
    assert own_portal.run(give(1)) == 1


# A loop that ends


def test_a_closed_portal_refuses_calls_and_ignores_posts(own_portal: portal._Portal) -> None:
    assert own_portal.run(give(1)) == 1
    own_portal.close()
    with pytest.raises(RuntimeError, match="the interpreter is exiting"):
        own_portal.run(give(1))
    own_portal.post(pytest.fail, "the loop is gone")


@pytest.mark.parametrize(("daemon", "expected"), [(False, RuntimeError), (True, SystemExit)])
def test_closing_cuts_off_what_runs_after_its_cleanup(
    own_portal: portal._Portal, *, daemon: bool, expected: type[BaseException]
) -> None:
    """A thread of the program hears of it as an error; a daemon thread ends as if it had asked to."""
    events: list[object] = []
    started = threading.Event()

    async def wait_forever() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.create_task(give(None))  # a cleanup may take more than one step, and tasks of its own
            events.append("cleaned up")

    def call() -> None:
        try:
            own_portal.run(wait_forever())
        except BaseException as error:  # noqa: BLE001 (which one is the question)
            events.append(type(error))

    thread = threading.Thread(target=call, daemon=daemon)
    thread.start()
    assert started.wait(10)
    own_portal.close()
    thread.join(10)
    assert events == ["cleaned up", expected]


def test_a_call_that_the_closing_loop_never_began_is_refused(own_portal: portal._Portal) -> None:
    """Its thread is woken, its coroutine closed. The loop is held in a callback until the call waits behind it."""
    own_portal.run(give(1))
    gate = threading.Event()
    own_portal.post(gate.wait, 10)
    serving = own_portal._serving
    assert serving is not None
    serving.stop()
    raised: list[BaseException] = []

    def call() -> None:
        try:
            own_portal.run(give(1))
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    spin_until(lambda: len(serving.calls) == 1)
    gate.set()
    thread.join(10)
    assert not thread.is_alive()
    assert len(raised) == 1
    assert own_portal.run(give(2)) == 2, "the next call starts another loop"


def test_a_call_that_arrives_between_the_last_step_of_the_loop_and_its_close_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = portal._Portal()
    armed = iter([False, True])
    closing, queued = threading.Event(), threading.Event()

    class LateLoop(asyncio.SelectorEventLoop):
        def call_soon_threadsafe(
            self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
        ) -> asyncio.Handle:
            if not next(armed, False):
                return super().call_soon_threadsafe(callback, *args, context=context)
            assert one._serving is not None
            one._serving.stop()
            assert closing.wait(10)
            handle = super().call_soon_threadsafe(callback, *args, context=context)
            queued.set()
            return handle

        def close(self) -> None:
            closing.set()
            assert queued.wait(10)
            super().close()

    monkeypatch.setattr(portal, "loop_factory", LateLoop)
    assert one.run(give(1)) == 1
    with pytest.raises(RuntimeError, match="has died"):
        one.run(give(1))


def spin_until(happened: Callable[[], bool]) -> None:
    while not happened():
        pass


# Ctrl-C


@posix
def test_ctrl_c_cancels_the_coroutine_and_waits_for_its_cleanup() -> None:
    events: list[str] = []

    async def wait_forever() -> None:
        try:
            await interrupt_main_thread()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            events.append("cleaned up")
            raise

    with pytest.raises(KeyboardInterrupt):
        run(wait_forever())
    assert events == ["cleaned up"]
    assert run(give(1)) == 1


@posix
def test_ctrl_c_does_not_wait_forever_for_a_coroutine_that_resists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portal, "_GRACE", 0.01)
    leave = asyncio.Event()
    left = threading.Event()

    async def resist() -> None:
        try:
            await interrupt_main_thread()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await leave.wait()
            left.set()

    with pytest.raises(KeyboardInterrupt):
        run(resist())
    assert not left.is_set()
    post(leave.set)
    assert left.wait(10)


@posix
def test_an_exception_after_ctrl_c_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fail_to_clean_up() -> None:
        try:
            await interrupt_main_thread()
            await asyncio.Event().wait()
        finally:
            raise Unwell

    with pytest.raises(KeyboardInterrupt):
        run(fail_to_clean_up())
    run(give(None))
    gc.collect()
    assert caplog.records == []


@posix
def test_ctrl_c_before_the_loop_has_begun_the_call() -> None:
    """The loop is held in a callback until the main thread, which waits behind it, was interrupted."""
    run(give(None))
    serving = portal._portal._serving
    assert serving is not None
    gate = threading.Event()
    post(gate.wait, 10)

    def interrupt_and_let_go() -> None:
        spin_until(lambda: len(serving.calls) == 1)
        asyncio.run(interrupt_main_thread())
        gate.set()

    helper = threading.Thread(target=interrupt_and_let_go)
    helper.start()
    with pytest.raises(KeyboardInterrupt):
        run(asyncio.Event().wait())
    helper.join()
    assert run(give(1)) == 1


def test_a_call_cancelled_before_it_began_wakes_its_thread() -> None:
    """Nor does it warn that its coroutine was never awaited."""
    call = portal._Call(give(1))
    call.cancel()
    assert call.done.acquire(blocking=False)


# Without waiting


def test_post_runs_in_the_loop_thread() -> None:
    names: list[str] = []
    done = threading.Event()
    run(give(None))
    post(lambda name: names.append(f"{name} {threading.current_thread().name}"), "in")
    post(done.set)
    assert done.wait(10)
    assert names == ["in onellm"]


def test_post_starts_no_loop() -> None:
    one = portal._Portal()
    one.post(pytest.fail, "there is no loop")
    assert one._serving is None


# Streams


def batches_of(*batches: list[int]) -> tuple[Callable[[], Awaitable[list[int]]], list[str]]:
    """Give these batches, then empty ones; and the threads in which they were asked for."""
    remaining = iter(batches)
    threads: list[str] = []

    async def next_batch() -> list[int]:
        threads.append(threading.current_thread().name)
        return next(remaining, [])

    return next_batch, threads


def test_iterate_goes_to_the_loop_once_a_batch() -> None:
    next_batch, threads = batches_of([1, 2, 3], [4])
    items = iterate(next_batch)
    assert threads == [], "nothing is fetched before it is asked for"
    assert [next(items), next(items), next(items)] == [1, 2, 3]
    assert threads == ["onellm"]
    assert list(items) == [4]
    assert threads == ["onellm"] * 3


def test_iterate_stays_at_the_end() -> None:
    next_batch, threads = batches_of([1], [], [2])
    items = iterate(next_batch)
    assert list(items) == [1]
    assert list(items) == []
    assert len(threads) == 2


def test_iterate_does_not_take_an_exception_for_the_end() -> None:
    """After it the next batch is asked for again: the stream knows whether it can go on."""
    outcomes: Iterator[list[int] | Exception] = iter([[1], Unwell("cut"), Unwell("still cut"), [2], []])

    async def next_batch() -> list[int]:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    items = iterate(next_batch)
    assert next(items) == 1
    with pytest.raises(Unwell, match=r"^cut"):
        next(items)
    with pytest.raises(Unwell, match="still cut"):
        next(items)
    assert list(items) == [2]


@posix
def test_iterate_goes_on_after_ctrl_c() -> None:
    batches = asyncio.Queue[list[int]]()
    interrupt = iter([True])

    async def next_batch() -> list[int]:
        if next(interrupt, False):
            await interrupt_main_thread()
        return await batches.get()

    items = iterate(next_batch)
    with pytest.raises(KeyboardInterrupt):
        next(items)
    post(batches.put_nowait, [1, 2])
    post(batches.put_nowait, [])
    assert list(items) == [1, 2]
