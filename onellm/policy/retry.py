"""Trying again. The first attempt pays nothing for it: stamina is imported when something has failed."""

import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, TypeVar, TypeVarTuple

from msgspec import Struct

from onellm.errors import APIConnectionError, APITimeoutError, OneLLMError, RateLimitError

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """When and how often a request is sent again; times are seconds.

    max_retries:   attempts after the first; 0 is never
    initial, maximum, jitter:  the wait doubles from `initial` up to `maximum`, with up to `jitter` added at random
    longest_wait:  a provider that asks to wait longer than this is not waited for; one that asks for less is, and up
                   to a quarter more, so that calls which were refused together do not come back together
    budget:        no further attempt is made once this much time has gone by since the first began, nor one that a
                   provider's wait would put after it
    """

    max_retries: int = 2
    initial: float = 0.5
    maximum: float = 8.0
    jitter: float = 1.0
    longest_wait: float = 120.0
    budget: float = 600.0


class Watcher(Protocol):
    """Who is asked before a call is tried again."""

    async def again(self, failed: OneLLMError, attempt: int, wait: float) -> None:
        """The attempt of that number, from 1, has failed; another follows after `wait` seconds, unless this raises."""
        ...


async def retry(
    call: Callable[[*Arguments], Awaitable[T]],
    policy: RetryPolicy,
    *arguments: *Arguments,
    watcher: Watcher | None = None,
) -> T:
    """Await `call(*arguments)`, again where it failed in a way that may pass.

    The arguments stand apart because a lambda that holds them is five more objects a call for the collector; one here,
    that nearly no call comes to, would still be two.

    Raises:
        OneLLMError: the last attempt's.
    """
    began = time.monotonic()
    try:
        return await call(*arguments)
    except OneLLMError as exc:
        failed = exc
    try:
        return await retry_failed(failed, began, call, policy, *arguments, watcher=watcher)
    finally:
        del failed  # or the exception holds this frame, and the frame the exception


async def retry_failed(
    failed: OneLLMError,
    began: float,
    call: Callable[[*Arguments], Awaitable[T]],
    policy: RetryPolicy,
    *arguments: *Arguments,
    watcher: Watcher | None = None,
) -> T:
    """`retry` of what the caller has tried once, at `began` of `time.monotonic`, and that has failed."""
    try:
        if policy.max_retries < 1 or not _may_pass(failed, policy, began):
            raise failed
        return await _again(partial(call, *arguments), policy, failed, began, watcher)
    finally:
        del failed  # likewise


async def retry_making(
    call: Callable[[*Arguments], Awaitable[T]],
    policy: RetryPolicy,
    *arguments: *Arguments,
    asked: bool,
    watcher: Watcher | None = None,
) -> T:
    """`retry` for a call that makes something: again only where the provider has certainly made nothing.

    That is: no connection, or an answer that puts the call off. A lost connection, a time limit and a failure inside
    the provider say nothing of it, and a second attempt could make a second one. With `asked` it is `retry`.

    Raises:
        OneLLMError: the last attempt's; `retryable` is False where it is not known what came of it.
    """
    if asked:
        return await retry(call, policy, *arguments, watcher=watcher)

    async def attempt() -> T:
        try:
            return await call(*arguments)
        except OneLLMError as exc:
            unsent = isinstance(exc, APIConnectionError) and exc.unsent
            put_off = isinstance(exc, RateLimitError) or exc.status_code in _PUT_OFF
            exc.retryable = exc.retryable and (unsent or put_off)
            raise

    return await retry(attempt, policy, watcher=watcher)


_MOST_DOUBLINGS = 64
_PUT_OFF = frozenset({409, 429, 503, 529})


async def _again(
    call: Callable[[], Awaitable[T]], policy: RetryPolicy, failed: OneLLMError, began: float, watcher: Watcher | None
) -> T:
    import logging  # noqa: PLC0415 - on the path of failure only

    import stamina  # noqa: PLC0415 - likewise

    logger = logging.getLogger("stamina")
    if not logger.handlers:  # its notes go where logging was set up to go, and nowhere where it was not
        logger.addHandler(logging.NullHandler())
    waits: dict[int, float] = {}  # by attempt: told to the watcher before stamina asks

    def wait(exc: Exception) -> bool | float:
        if not isinstance(exc, OneLLMError) or not _may_pass(exc, policy, began):
            return False
        if (told := waits.pop(id(exc), None)) is not None:
            return told
        return exc.retry_after is None or _asked_wait(exc.retry_after, policy)

    pending = [failed]
    made = 0
    async for attempt in stamina.retry_context(
        on=wait,
        attempts=policy.max_retries + 1,
        timeout=None,  # stamina would count from the first failure
        wait_initial=policy.initial,
        wait_max=policy.maximum,
        wait_jitter=policy.jitter,
    ):
        with attempt:
            made += 1
            try:
                if pending:  # the attempt that has been made: stamina counts it, and waits as it asks
                    raise pending.pop()
                return await call()
            except OneLLMError as exc:
                if watcher is not None and made <= policy.max_retries and _may_pass(exc, policy, began):
                    waits[id(exc)] = seconds = _wait(exc.retry_after, made, policy)
                    await watcher.again(exc, made, seconds)
                raise
    raise failed  # pragma: no cover - stamina ends by a result or an exception


def _wait(retry_after: float | None, made: int, policy: RetryPolicy) -> float:
    """The wait after so many attempts, as stamina works it out where nobody asks before."""
    if retry_after is not None:
        return _asked_wait(retry_after, policy)
    doubled = policy.initial * 2.0 ** min(made - 1, _MOST_DOUBLINGS)
    return min(policy.maximum, doubled + random.uniform(0, policy.jitter))  # noqa: S311 - no secret


def _asked_wait(retry_after: float, policy: RetryPolicy) -> float:
    return retry_after + random.uniform(0, min(policy.jitter, retry_after / 4))  # noqa: S311 - no secret


def _may_pass(exc: OneLLMError, policy: RetryPolicy, began: float) -> bool:
    if not exc.retryable:
        return False
    if isinstance(exc, APITimeoutError) and exc.phase == "total":  # a deadline is not `retryable`
        return False  # the caller's own limit: trying again would only exceed it
    wait = exc.retry_after or 0.0
    return wait <= policy.longest_wait and time.monotonic() - began + wait < policy.budget
