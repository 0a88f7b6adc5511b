"""What a client's hooks are told, and when."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from msgspec import Struct

from onellm.types.events import ErrorEvent, RequestEvent, ResponseEvent, RetryEvent

E = TypeVar("E")


class Hooks(Struct, frozen=True, kw_only=True):
    """Functions, sync or async, that are told what happens. What one raises, the call raises."""

    on_request: Callable[[RequestEvent], object] | None = None
    on_response: Callable[[ResponseEvent], object] | None = None
    on_retry: Callable[[RetryEvent], object] | None = None
    on_error: Callable[[ErrorEvent], object] | None = None


async def tell(hook: Callable[[E], object], event: E) -> None:
    """Call a hook, and await it where it is async."""
    said = hook(event)
    if isinstance(said, Awaitable):
        await said


def both(ours: Callable[[E], object], theirs: Callable[[E], object] | None) -> Callable[[E], object]:
    """A hook that calls two: one of the client's own, which is sync, and one that was there."""
    if theirs is None:
        return ours

    async def told(event: E) -> None:
        ours(event)
        await tell(theirs, event)

    return told
