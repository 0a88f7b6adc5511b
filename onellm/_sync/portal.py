"""The event-loop thread behind the blocking clients: one a process, started on first use.

    reply = run(client.chat.completions.create(...))      # block until the coroutine has finished
    for chunk in iterate(stream.next_batch): ...          # one hop to the loop for each network read
    post(stream.abort)                                    # and do not wait: for __del__

It works in any number of threads, inside a running event loop (it blocks that loop's thread, not its own), in a child
after fork, which gets a thread of its own, and until the interpreter's exit handlers have run. Those registered after
this module was imported run before its own, with the loop still there.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from contextvars import copy_context
from threading import get_ident
from typing import TYPE_CHECKING, Any, Generic, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

__all__ = ["iterate", "loop_factory", "post", "run"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

loop_factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
"""Makes the loop. Set it before the first blocking call, for example to `uvloop.new_event_loop`; uvloop is never taken
unasked, as it changes what a process can do with signals, forks and subprocesses."""

# Seconds that an interrupted call, and the exit of the interpreter, wait for cancelled coroutines to clean up.
_GRACE = 5.0

# Windows delivers Ctrl-C only between waits, POSIX also during one.
_TICK = 0.1 if sys.platform == "win32" else -1


class _Call(Generic[T]):
    """A coroutine on its way through the loop, and the lock on which its thread waits."""

    __slots__ = ("abandoned", "context", "coro", "done", "finished", "task")

    def __init__(self, coro: Coroutine[Any, Any, T]) -> None:
        self.coro = coro
        self.context = copy_context()
        self.task: asyncio.Task[T] | None = None
        self.finished = False
        self.abandoned = False
        self.done = threading.Lock()
        self.done.acquire()

    def begin(self, serving: _LoopThread) -> None:
        if serving.stopping:
            self.lose()
            return
        self.task = serving.loop.create_task(self.coro, context=self.context)
        self.task.add_done_callback(self.finish, context=self.context)

    def finish(self, task: asyncio.Task[T]) -> None:
        if self.abandoned and not task.cancelled():
            task.exception()  # nobody will ask for it, so asyncio must not log that nobody did
        self.finished = True
        self.done.release()

    def finished_task(self) -> asyncio.Task[T]:
        if self.task is None or not self.task.done():
            raise RuntimeError("OneLLM's event-loop thread has died; threading.excepthook was told why")
        return self.task

    def cancel(self) -> None:
        self.abandoned = True
        if self.task is not None:
            self.task.cancel()
        else:
            self.lose()

    def lose(self) -> None:
        """Wake the thread without an answer: the loop will give none."""
        if not self.finished:
            if self.task is None:
                self.coro.close()
            self.finished = True
            self.done.release()


class _LoopThread:
    """One loop, the thread that runs it, and the calls that wait for it."""

    def __init__(self) -> None:
        self.loop = loop_factory()
        with contextlib.suppress(AttributeError):  # a loop without attributes of its own
            self.loop.ends_in_order = True  # type: ignore[attr-defined] # read by what closes connections at exit
        self.calls: set[_Call[Any]] = set()
        self.stopping = False
        # A daemon: a thread that the interpreter waits for would keep every script from ending.
        self.thread = threading.Thread(target=self._serve, name="onellm", daemon=True)
        try:
            self.thread.start()
        except RuntimeError:
            self.loop.close()
            raise
        except BaseException:  # Ctrl-C; the thread may be up all the same
            self.stop()
            raise

    def stop(self) -> None:
        with suppress(RuntimeError):  # already closed
            self.loop.call_soon_threadsafe(self._halt)

    def _halt(self) -> None:
        self.stopping = True
        self.loop.stop()

    def _serve(self) -> None:
        try:
            while not self.stopping:
                # A SystemExit or KeyboardInterrupt in a coroutine also stops run_forever. Its task carries it to the
                # thread that waits for it, and the others need the loop still.
                with suppress(SystemExit, KeyboardInterrupt):
                    self.loop.run_forever()
        finally:
            self.stopping = True
            try:
                self.loop.run_until_complete(_drain(self.loop))
            finally:
                self.loop.close()  # from here on call_soon_threadsafe raises, so no call is added unseen
                for call in list(self.calls):
                    call.lose()


async def _drain(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel every task, and those that their cleanup starts. Unbounded: who waits for the thread sets the limit."""
    while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    await loop.shutdown_asyncgens()


class _Portal:
    """The way into the process's loop thread, whichever that is at the time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._serving: _LoopThread | None = None
        self._closed = False

    def run(self, coro: Coroutine[Any, Any, T]) -> T:
        """Give what the coroutine returns, or raise what it raises; block until then.

        It runs in a copy of the caller's context. Ctrl-C cancels it, waits for its cleanup (5 seconds at most) and
        raises KeyboardInterrupt.

        Raises:
            TypeError: it is no coroutine.
            RuntimeError: called in the loop thread itself, where it would wait for itself, or as the interpreter exits.
            SystemExit: instead of RuntimeError in a daemon thread, as the interpreter exits: being cut off then is no
                failure, and this is the exception that ends a thread without a report.
        """
        if not asyncio.iscoroutine(coro):  # the loop would refuse it, out of this thread's sight
            raise TypeError(
                f"run() needs a coroutine, not {type(coro).__name__}: what an `async def` gives when called"
            )
        serving = self._serving
        if serving is None or serving.stopping or self._closed or get_ident() == serving.thread.ident:
            try:
                serving = self._start()
            except BaseException:
                coro.close()  # or it warns that it was never awaited
                raise
        call = _Call(coro)
        try:
            serving.calls.add(call)
            serving.loop.call_soon_threadsafe(call.begin, serving, context=call.context)
            while not call.done.acquire(timeout=_TICK):
                pass
            return call.finished_task().result()
        except BaseException as error:
            if not call.finished:
                _abandon(call, serving.loop)
            if self._closed and isinstance(error, Exception | asyncio.CancelledError):
                raise _exiting() from error
            raise
        finally:
            serving.calls.discard(call)
            # The task holds the exception, whose traceback holds this frame: without this a cycle keeps all they hold.
            del call

    def post(self, callback: Callable[[*Ts], object], *args: *Ts) -> None:
        """Call it in the loop thread, some time soon. Where there is no loop, or none any more, do nothing.

        Never blocks and never raises, so that it can be called in `__del__`, in a signal handler and at exit.
        """
        serving = self._serving
        if serving is not None:
            with suppress(RuntimeError):  # the loop is closed
                serving.loop.call_soon_threadsafe(callback, *args)

    def close(self) -> None:
        """Cancel what runs, close the loop and refuse what comes; at most 5 seconds. For atexit."""
        with self._lock:
            self._closed = True
            serving = self._serving
        if serving is not None:
            serving.stop()
            # A coroutine that resists leaves its thread behind, whole: what is never destroyed gives no warning.
            serving.thread.join(_GRACE)

    def forget(self) -> None:
        """Start afresh in a child after fork: the thread stayed in the parent, and whoever held the lock with it.

        The inherited loop is left as it is. It is not closed, as it shares its epoll object with the parent's loop.
        """
        self._lock = threading.Lock()
        self._serving = None

    def _start(self) -> _LoopThread:
        if (serving := self._serving) is not None and get_ident() == serving.thread.ident:
            raise RuntimeError("a blocking call in OneLLM's own event loop waits for itself; use AsyncOneLLM there")
        with self._lock:
            if self._closed:
                raise _exiting()
            if (serving := self._serving) is None or serving.stopping:
                self._serving = serving = _LoopThread()
            return serving


def _abandon(call: _Call[Any], loop: asyncio.AbstractEventLoop) -> None:
    """Cancel a call whose thread was interrupted, and wait for its cleanup."""
    try:
        loop.call_soon_threadsafe(call.cancel)
    except RuntimeError:  # the loop is closed
        if call.task is None:
            call.coro.close()
    else:
        call.done.acquire(timeout=_GRACE)


def _exiting() -> BaseException:
    message = "the interpreter is exiting and OneLLM's event loop is closed: make blocking calls before that"
    return SystemExit(message) if threading.current_thread().daemon else RuntimeError(message)


class _Batches(Iterator[T]):
    # A class and not a generator: after an exception a generator is at its end, and the rest of a stream that was
    # interrupted would look like the end of the answer.

    __slots__ = ("_batch", "_next_batch")

    def __init__(self, next_batch: Callable[[], Awaitable[Sequence[T]]]) -> None:
        self._batch: Iterator[T] = iter(())
        self._next_batch: Callable[[], Awaitable[Sequence[T]]] | None = next_batch

    def __next__(self) -> T:
        for item in self._batch:  # the fastest way to take one item
            return item
        if self._next_batch is not None:
            self._batch = iter(run(_fetch(self._next_batch)))
            for item in self._batch:
                return item
            self._next_batch = None
        raise StopIteration


async def _fetch(next_batch: Callable[[], Awaitable[Sequence[T]]]) -> Sequence[T]:
    return await next_batch()


def iterate(next_batch: Callable[[], Awaitable[Sequence[T]]]) -> Iterator[T]:
    """Iterate over what `next_batch` gives, with one hop to the loop for each batch; an empty batch is the end.

    An exception, Ctrl-C included, does not end the iterator: the next item is asked for anew.
    """
    return _Batches(next_batch)


_portal = _Portal()
run = _portal.run
post = _portal.post

atexit.register(_portal.close)
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_portal.forget)
