"""Tokens that run out: renewed early, once for all who wait, and never for a waiter who has gone."""

import asyncio

import pytest

from onellm.providers.tokens import Token, TokenCache
from onellm.types.secret import Secret


class Source:
    """Gives tokens that live 1000 seconds; each waits for `go`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0
        self.ended = 0
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.failure: Exception | None = None
        self.cache = TokenCache(self.fetch, margin=300, clock=lambda: self.now)

    async def fetch(self) -> Token:
        self.asked += 1
        self.begun.set()
        try:
            await self.go.wait()
            if self.failure:
                raise self.failure
            return Token(Secret(f"token-{self.asked}", name="a token"), self.now + 1000)
        finally:
            self.ended += 1

    async def get(self) -> str:
        return (await self.cache.get()).reveal()


async def test_many_waiters_share_one_request() -> None:
    source = Source()
    waiting = [asyncio.create_task(source.get()) for _ in range(100)]
    await asyncio.sleep(0)
    source.go.set()
    assert set(await asyncio.gather(*waiting)) == {"token-1"}
    assert await source.get() == "token-1"
    assert source.asked == 1


async def test_a_token_is_renewed_before_its_end() -> None:
    source = Source()
    source.go.set()
    assert await source.get() == "token-1"
    source.now = 699
    assert await source.get() == "token-1"
    source.now = 700
    assert await source.get() == "token-2"


async def test_a_good_token_outlives_a_renewal_that_fails() -> None:
    source = Source()
    source.go.set()
    await source.get()
    source.failure, source.now = OSError("no network"), 800
    assert await source.get() == "token-1"
    assert source.asked == 2
    source.now = 1000
    with pytest.raises(OSError, match="no network"):
        await source.get()


async def test_one_waiter_leaving_cancels_nothing_for_the_others() -> None:
    source = Source()
    gone, stays = asyncio.create_task(source.get()), asyncio.create_task(source.get())
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    source.go.set()
    assert await stays == "token-1"
    assert source.asked == 1


async def test_the_last_waiter_leaving_ends_the_request() -> None:
    source = Source()
    gone = asyncio.create_task(source.get())
    await source.begun.wait()
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    await asyncio.sleep(0)
    assert source.ended == 1
    source.go.set()
    assert await source.get() == "token-2"


async def test_a_refused_token_is_forgotten_once() -> None:
    """Requests that were under way together are refused together: only the first drops the token."""
    source = Source()
    source.go.set()
    refused = await source.cache.get()
    source.cache.drop(refused)
    assert await source.get() == "token-2"
    source.cache.drop(refused)
    assert await source.get() == "token-2"
    assert source.asked == 2


def test_each_event_loop_asks_for_itself() -> None:
    """A renewal belongs to its loop; the token belongs to all."""
    cache_of: list[Source] = []

    async def first() -> str:
        cache_of.append(Source())
        cache_of[0].go.set()
        return await cache_of[0].get()

    assert asyncio.run(first()) == "token-1"
    assert asyncio.run(cache_of[0].get()) == "token-1"
    assert cache_of[0].asked == 1
