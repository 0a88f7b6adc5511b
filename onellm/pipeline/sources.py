"""Reading inputs as they are wanted, from whatever can be iterated over."""

import asyncio
import contextvars
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")

_MOST = 1024  # items of one piece
_LONGEST = 0.02  # seconds after which a piece goes out as far as it has come
_PATIENCE = 1.0  # seconds that closing waits for an iterator which is just giving an item


async def pieces(source: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[Sequence[T], None]:
    """The items of a source, in pieces; no more is read than is asked for.

    An async iterable is read in the event loop, a list where it is. Any other iterator may wait for a file or a
    database, so it is read in a thread of its own, always the same one. A generator is closed at the end.
    """
    if isinstance(source, AsyncIterable):
        items = aiter(source)
        try:
            async for item in items:
                yield (item,)
        finally:
            if isinstance(items, AsyncGenerator):
                await cast("AsyncGenerator[T, Any]", items).aclose()
    elif isinstance(source, list | tuple):
        held: Sequence[T] = source
        for start in range(0, len(held), _MOST):
            yield held[start : start + _MOST]
    else:
        reader = _Reader(iter(source))
        try:
            while piece := await reader.read():
                yield piece
        finally:
            await reader.aclose()


class _Reader(Generic[T]):
    """An iterator in a thread. A daemon: one that waits forever for its next item must not keep the process alive."""

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._loop = asyncio.get_running_loop()
        self._wanted: SimpleQueue[asyncio.Future[list[T]] | None] = SimpleQueue()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._failed: BaseException | None = None
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._serve,), name="onellm-source", daemon=True)
        self._thread.start()

    async def read(self) -> list[T]:
        """The next items; none is the end."""
        answer: asyncio.Future[list[T]] = self._loop.create_future()
        self._wanted.put(answer)
        return await answer

    async def aclose(self) -> None:
        """Close the iterator. Nobody can end a `next` that blocks: it is not waited for, and closed after it."""
        self._wanted.put(None)
        await asyncio.wait({self._ended}, timeout=_PATIENCE)

    def _serve(self) -> None:
        while (answer := self._wanted.get()) is not None:
            items = self._pull()
            failed = None if items else self._failed
            if not self._tell(answer, items, failed):
                break
        source: object = self._items
        if isinstance(source, Generator):
            with suppress(Exception):  # what its cleanup raises has nobody left to be told
                cast("Generator[object]", source).close()
        self._tell(self._ended, None, None)

    def _pull(self) -> list[T]:
        """Some items; what is raised between them comes after those before it."""
        pulled: list[T] = []
        if self._failed is not None:
            return pulled
        began = time.monotonic()
        try:
            for item in self._items:
                pulled.append(item)
                if len(pulled) == _MOST or time.monotonic() - began > _LONGEST:
                    break
        except BaseException as exc:  # noqa: BLE001 - it is raised where the items are read
            self._failed = exc
        return pulled

    def _tell(self, future: "asyncio.Future[Any]", value: object, failed: BaseException | None) -> bool:
        def settle() -> None:
            if future.done():
                return
            if failed is None:
                future.set_result(value)
            elif isinstance(failed, StopIteration):  # a future takes none
                future.set_exception(RuntimeError("the iterator raised StopIteration"))
            else:
                future.set_exception(failed)

        try:
            self._loop.call_soon_threadsafe(settle)
        except RuntimeError:  # the loop is closed
            return False
        return True
