"""Hedging: another request when the first is late. Who answers first wins, and the others end at once."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from onellm.errors import OneLLMError

T = TypeVar("T")


async def first_answer(
    starts: Sequence[Callable[[], Coroutine[Any, Any, T]]], after: float, dispose: Callable[[T], object]
) -> T:
    """The answer that comes first of calls begun one after another, `after` seconds apart, while none has come.

    One that fails before another was begun fails for all: a hedge is against waiting. An answer that comes beside the
    first goes to `dispose`.

    Raises:
        OneLLMError: all that were begun have failed; the first one's, with a note for each of the others.
    """
    begun: list[asyncio.Task[T]] = []
    waiting: set[asyncio.Task[T]] = set()
    done: set[asyncio.Task[T]] = set()
    winner: asyncio.Task[T] | None = None
    loop = asyncio.get_running_loop()
    due = loop.time()
    try:
        while True:
            if len(begun) < len(starts):
                begun.append(loop.create_task(starts[len(begun)]()))
                waiting.add(begun[-1])
                due = loop.time() + after
            while waiting:
                timeout = max(0.0, due - loop.time()) if len(begun) < len(starts) else None
                done, waiting = await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
                winner = next((each for each in begun if each in done and _answered(each)), None)
                if winner is not None:
                    return winner.result()
                if not done:
                    break  # late: the next is asked
            else:
                raise _failed(begun)
    finally:
        _end_others(begun, winner, dispose)
        del begun, waiting, done, winner  # they hold the exception that holds this frame


def _answered(task: "asyncio.Task[Any]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _failed(tasks: "Sequence[asyncio.Task[Any]]") -> BaseException:
    """The first one's error, unless another's is one of ours that fails the whole: a bug, or a cancellation."""
    if any(task.cancelled() for task in tasks):
        return asyncio.CancelledError()
    errors = [exc for task in tasks if (exc := task.exception()) is not None]
    strange = next((exc for exc in errors if not isinstance(exc, OneLLMError)), None)
    if strange is not None:
        return strange
    for other in errors[1:]:
        errors[0].add_note(f"hedged: {other}")
    return errors[0]


_ending: "set[asyncio.Task[Any]]" = set()  # a loop holds its tasks weakly


def _end_others(
    tasks: "Sequence[asyncio.Task[T]]", winner: "asyncio.Task[T] | None", dispose: Callable[[T], object]
) -> None:
    """Cancel the calls that are not wanted any more."""

    def over(task: "asyncio.Task[T]") -> None:
        _ending.discard(task)
        if _answered(task):
            dispose(task.result())

    for task in tasks:
        if task is winner:
            continue
        if not task.done():
            task.cancel()
            _ending.add(task)
        task.add_done_callback(over)
