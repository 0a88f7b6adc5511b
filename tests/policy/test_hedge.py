"""Hedging: another is asked when the first is late; who answers first wins, and the others end at once."""

import asyncio
import io
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from hosts import Hosts
from loopback import Answer, Loopback, soon, streamed
from wire.openai import ASK, BAD_REQUEST, CHAT, chunk

from onellm import (
    AsyncOneLLM,
    DeadlineExceededError,
    FallbackError,
    Hedge,
    InternalServerError,
    InvalidRequestError,
    UnknownProviderError,
)
from onellm.policy.hedge import first_answer

OK = Answer(chunks=[CHAT])
DOWN = Answer(status=500)
SILENT = Answer(head=False, cut="stall")
SOON = 0.05
ONE: dict[str, Any] = {**ASK, "model": "a/one", "max_retries": 0}
WORDS = [chunk({"role": "assistant"}), chunk({"content": "Bonjour"}), chunk({}, "stop")]


@pytest.fixture
async def hosts() -> AsyncIterator[Hosts]:
    async with Loopback() as server:
        yield Hosts(server)


@pytest.fixture
async def client(hosts: Hosts) -> AsyncIterator[AsyncOneLLM]:
    async with AsyncOneLLM(providers=hosts.providers) as bound:
        yield bound


async def test_one_that_is_in_time_is_alone(client: AsyncOneLLM, hosts: Hosts) -> None:
    """Nothing else is sent."""
    hosts.play(a=OK, b=OK)
    reply = await client.chat.completions.create(**ONE, hedge=Hedge(after=20, to=["b/two"]))
    assert (reply.provider, hosts.asked) == ("a", "a")


async def test_one_that_is_late_has_company_and_the_first_answer_wins(client: AsyncOneLLM, hosts: Hosts) -> None:
    """The loser's connection is closed at once."""
    hosts.play(a=SILENT, b=OK)
    reply = await soon(client.chat.completions.create(**ONE, hedge=Hedge(after=SOON, to=["b/two"])))
    assert (reply.provider, hosts.asked) == ("b", "ab")
    await soon(hosts.requests[0].gone.wait())
    assert not hosts.requests[1].gone.is_set()


async def test_the_first_may_still_win(client: AsyncOneLLM, hosts: Hosts) -> None:
    """Then the second's connection is the one that is closed."""
    second = asyncio.Event()
    hosts.play(a=Answer(chunks=[CHAT], pause={0: second.wait}), b=SILENT)
    call = asyncio.create_task(client.chat.completions.create(**ONE, hedge=Hedge(after=SOON, to=["b/two"])))
    await soon(hosts.server.wait_for_requests(2))
    second.set()
    assert (await soon(call)).provider == "a"
    await soon(hosts.requests[1].gone.wait())


async def test_without_a_name_it_is_the_same_model(client: AsyncOneLLM, hosts: Hosts) -> None:
    hosts.play(a=[SILENT, OK])
    reply = await soon(client.chat.completions.create(**ONE, hedge=Hedge(after=SOON)))
    assert (reply.provider, hosts.asked) == ("a", "aa")
    assert hosts.requests[0].body == hosts.requests[1].body


async def test_several_are_asked_one_after_another(client: AsyncOneLLM, hosts: Hosts) -> None:
    hosts.play(a=SILENT, b=SILENT, c=OK)
    reply = await soon(client.chat.completions.create(**ONE, hedge=Hedge(after=SOON, to=["b/two", "c/three"])))
    assert (reply.provider, hosts.asked) == ("c", "abc")
    for request in hosts.requests[:2]:
        await soon(request.gone.wait())


async def test_a_failure_is_no_lateness(client: AsyncOneLLM, hosts: Hosts) -> None:
    """What fails in time fails: fallbacks are against that."""
    hosts.play(a=DOWN, b=OK, c=OK)
    hedge = Hedge(after=20, to=["b/two"])
    with pytest.raises(InternalServerError):
        await client.chat.completions.create(**ONE, hedge=hedge)
    reply = await client.chat.completions.create(**ONE, hedge=hedge, fallback_models=["c/three"])
    assert (reply.provider, hosts.asked) == ("c", "aac")


@pytest.mark.parametrize("failing", ["first", "second"])
async def test_one_fails_and_the_other_answers(failing: str) -> None:
    """Whichever it is, the call has its answer."""
    both = asyncio.Event()
    failed = asyncio.Event()
    begun: list[str] = []

    async def call(name: str) -> str:
        begun.append(name)
        if len(begun) == 2:
            both.set()
        await both.wait()
        if name == failing:
            failed.set()
            raise InternalServerError("down")
        await failed.wait()
        return name

    starts = [partial(call, "first"), partial(call, "second")]
    assert await soon(first_answer(starts, 0.001, print)) == ({"first", "second"} - {failing}).pop()


async def test_all_fail(client: AsyncOneLLM, hosts: Hosts) -> None:
    """The first one's error, with a note of the other's; it may fall back."""
    second = asyncio.Event()
    slow_refusal = Answer(status=500, chunks=["{}"], pause={0: second.wait})
    hosts.play(a=slow_refusal, b=Answer(status=400, chunks=[BAD_REQUEST]), c=DOWN)
    hedge = Hedge(after=SOON, to=["b/two"])
    call = asyncio.create_task(client.chat.completions.create(**ONE, hedge=hedge))
    await soon(hosts.server.wait_for_requests(2))
    second.set()
    with pytest.raises(InternalServerError) as caught:
        await soon(call)
    assert caught.value.__notes__[0].startswith("hedged: b/two")
    with pytest.raises(FallbackError) as all_failed:
        await soon(client.chat.completions.create(**ONE, hedge=hedge, fallback_models=["c/three"]))
    assert len(all_failed.value.errors) == 2


async def test_cancelling_ends_all_of_them(client: AsyncOneLLM, hosts: Hosts) -> None:
    hosts.play(a=SILENT, b=SILENT)
    call = asyncio.create_task(client.chat.completions.create(**ONE, hedge=Hedge(after=SOON, to=["b/two"])))
    await soon(hosts.server.wait_for_requests(2))
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    for request in hosts.requests:
        await soon(request.gone.wait())


async def test_the_deadline_ends_all_of_them(client: AsyncOneLLM, hosts: Hosts) -> None:
    hosts.play(a=SILENT, b=SILENT)
    with pytest.raises(DeadlineExceededError):
        await soon(client.chat.completions.create(**ONE, hedge=Hedge(after=SOON, to=["b/two"]), deadline=0.3))
    for request in hosts.requests:
        await soon(request.gone.wait())
    assert hosts.asked == "ab"


async def test_a_stream_is_late_until_its_first_content(client: AsyncOneLLM, hosts: Hosts) -> None:
    """A role that came at once is no answer. What wins is read on; what lost is closed."""
    hosts.play(a=streamed(WORDS[0], WORDS[1], pause={1: asyncio.Event().wait}), b=streamed(*WORDS))
    stream: Any = await soon(client.chat.completions.create(**ONE, stream=True, hedge=Hedge(after=SOON, to=["b/two"])))
    assert (await stream.get_final_completion()).provider == "b"
    await soon(hosts.requests[0].gone.wait())


async def test_two_streams_at_once_are_one(client: AsyncOneLLM, hosts: Hosts) -> None:
    """Of two whose first content comes at the same time, one is read, and the other's connection is closed."""
    both = asyncio.Event()
    hosts.play(**{name: streamed(*WORDS, pause={1: both.wait, 2: asyncio.Event().wait}) for name in "ab"})
    call = asyncio.create_task(
        client.chat.completions.create(**ONE, stream=True, hedge=Hedge(after=SOON, to=["b/two"]))
    )
    await soon(hosts.server.wait_for_requests(2))
    both.set()
    stream: Any = await soon(call)
    pieces = [piece.choices[0].delta.content for piece in (await anext(stream), await anext(stream))]
    assert pieces[-1] == "Bonjour"
    gone = [asyncio.create_task(request.gone.wait()) for request in hosts.requests]
    done, pending = await asyncio.wait(gone, return_when=asyncio.FIRST_COMPLETED, timeout=20)
    assert (len(done), len(pending)) == (1, 1)
    await stream.aclose()
    await soon(asyncio.gather(*pending))


async def test_bytes_may_be_hedged(client: AsyncOneLLM, hosts: Hosts) -> None:
    """Speech is late until its first byte."""
    hosts.play(a=SILENT, b=Answer(chunks=[b"RIFF"], content_type="audio/wav"))
    call: Any = {"model": "a/one", "input": "Hi", "voice": "v", "max_retries": 0}
    spoken = await soon(client.audio.speech.create(**call, hedge=Hedge(after=SOON, to=["b/two"])))
    assert await spoken.read() == b"RIFF"
    await soon(hosts.requests[0].gone.wait())


async def test_the_client_may_hedge_every_call(hosts: Hosts) -> None:
    hosts.play(a=SILENT, b=OK)
    async with AsyncOneLLM(providers=hosts.providers, hedge=Hedge(after=SOON, to=["b/two"])) as client:
        assert (await soon(client.chat.completions.create(**ONE))).provider == "b"


async def test_what_makes_something_is_not_asked_twice(hosts: Hosts) -> None:
    """A file would be there twice; and where one source gives the bytes, two cannot read it."""

    async def late() -> None:
        await soon(asyncio.to_thread(time.sleep, 0.1))

    pause: Any = {0: late}
    hosts.play(a=Answer(chunks=[{"id": "file-1", "object": "file"}], pause=pause))
    async with AsyncOneLLM(providers=hosts.providers, hedge=Hedge(after=0.01)) as client:
        await client.files.create(file=b"x", purpose="batch", provider="a")
        await client.files.retrieve("file-1", provider="a")
        assert len(hosts.requests) == 2
        hosts.play(a=Answer(chunks=[{"text": "hi"}], pause=pause))
        await client.audio.transcriptions.create(model="a/one", file=("a.wav", io.BytesIO(b"RIFF")))
        assert len(hosts.requests) == 3
        await client.audio.transcriptions.create(model="a/one", file=("a.wav", b"RIFF"))
        assert len(hosts.requests) == 5


async def test_what_is_no_hedge(client: AsyncOneLLM) -> None:
    mistakes: list[dict[str, Any]] = [{"after": 0}, {"after": -1}, {"after": 1, "to": "a/one"}]
    for wrong in mistakes:
        with pytest.raises(InvalidRequestError, match="hedge"):
            Hedge(**wrong)
    with pytest.raises(InvalidRequestError, match="hedge"):
        await client.chat.completions.create(**{**ONE, "hedge": 5})
    with pytest.raises(UnknownProviderError):
        await client.chat.completions.create(**ONE, hedge=Hedge(after=1, to=["nobody/x"]))


async def test_an_answer_beside_the_first_is_disposed_of() -> None:
    """Two that come at once: the one that was begun first wins, and the other, which may hold a connection, goes."""
    both = asyncio.Event()
    waiting: list[str] = []
    disposed: list[str] = []

    async def answer(name: str) -> str:
        waiting.append(name)
        if len(waiting) == 2:
            both.set()
        await both.wait()
        return name

    won = await first_answer([lambda: answer("one"), lambda: answer("two")], 0.001, disposed.append)
    await asyncio.sleep(0)
    assert (won, disposed) == ("one", ["two"])


async def test_a_bug_is_not_hidden() -> None:
    """An exception that is none of ours passes as it is."""

    async def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await first_answer([broken], 1, print)
