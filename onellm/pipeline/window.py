"""Jobs under way together: so many and no more, their results in order or as they come."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, suppress
from typing import Any, Generic, TypeAlias, TypeVar

T = TypeVar("T")

Job: TypeAlias = Callable[[], Coroutine[Any, Any, T]]


class Window(Generic[T]):
    """Runs the jobs of a source.

    size:     jobs that are begun and whose results are not taken; the source is asked for no more
    ordered:  whether results come in the order of the jobs

    A job that fails ends all: its error comes at its place, the others are cancelled. One of the source comes after
    the results of all jobs before it.
    """

    def __init__(self, jobs: AsyncGenerator[Job[T], None], *, size: int, ordered: bool) -> None:
        self._jobs = jobs
        self._ordered = ordered
        self._free = asyncio.Semaphore(size)
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[T]] = set()  # begun and not taken
        self._line: deque[asyncio.Task[T]] = deque()  # of these, in order, or those that are done
        self._feeder: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def next(self) -> T:
        """The next result.

        Raises:
            StopAsyncIteration: there is none.
        """
        if self._closed:
            raise StopAsyncIteration
        if self._feeder is None:
            self._loop = asyncio.get_running_loop()
            self._feeder = asyncio.create_task(self._feed())
            self._feeder.add_done_callback(lambda _: self._changed.set())
        while not (self._line and self._line[0].done()):
            if self._feeder.done() and not self._tasks:
                failed = None if self._feeder.cancelled() else self._feeder.exception()
                await self.aclose()
                raise StopAsyncIteration if failed is None else failed
            self._changed.clear()
            await self._changed.wait()
            if self._closed:
                raise StopAsyncIteration
        task = self._line.popleft()
        self._tasks.discard(task)
        self._free.release()
        try:
            return task.result()
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Cancel what is under way, wait for its end and close the source."""
        self._closed = True
        self._changed.set()
        begun: list[asyncio.Task[Any]] = [*self._tasks, *([self._feeder] if self._feeder else [])]
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
        self._tasks.clear()
        self._line.clear()

    def abandon(self) -> None:
        """Close it without waiting, from any thread: for `__del__`."""
        if self._closed or self._loop is None:
            return
        self._closed = True
        with suppress(RuntimeError):  # the loop is closed, and all in it has ended
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        for task in (*self._tasks, self._feeder):
            if task is not None:
                task.add_done_callback(_note)
                task.cancel()

    async def _feed(self) -> None:
        async with aclosing(self._jobs):
            while True:
                await self._free.acquire()
                job = await anext(self._jobs, None)
                if job is None:
                    return
                task = asyncio.create_task(job())
                self._tasks.add(task)
                if self._ordered:
                    self._line.append(task)
                task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[T]) -> None:
        if not self._ordered:
            self._line.append(task)
        self._changed.set()


def _note(task: "asyncio.Task[Any]") -> None:
    """Take the exception that nobody asks for, or asyncio logs that nobody did."""
    if not task.cancelled():
        task.exception()
