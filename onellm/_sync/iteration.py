"""Async iterators and awaitables for blocking callers."""

from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from onellm._sync.portal import iterate

T = TypeVar("T")


def each(source: AsyncIterator[T]) -> Iterator[T]:
    """The items of an async iterator, each asked for when it is wanted.

    An async generator whose items are no longer wanted is closed by the event loop, as it loses its last reference.
    """
    return iterate(partial(_one, source))


async def _one(source: AsyncIterator[T]) -> Sequence[T]:
    async for item in source:
        return (item,)
    return ()


async def awaited(awaitable: Awaitable[T]) -> T:
    """What an awaitable gives, as a coroutine: the loop takes no others."""
    return await awaitable
