"""What a client counts, and how it comes to its end."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from loopback import Answer, Loopback, soon, streamed
from process import python
from wire.openai import ASK, BAD_REQUEST, CHAT, STREAM, USAGE

from onellm import (
    AsyncOneLLM,
    BadRequestError,
    ClientClosedError,
    ClientStats,
    ConfigurationError,
    Limits,
    MemoryCache,
    ModelStats,
    RetryEvent,
)

MODEL = "openai/gpt-5.4-mini"
PROMPT: Any = USAGE["prompt_tokens"]
ANSWER: Any = USAGE["completion_tokens"]
OK = Answer(chunks=[CHAT])


@pytest.fixture
async def client(loopback: Loopback) -> AsyncIterator[AsyncOneLLM]:
    async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", stats=True) as bound:
        yield bound


async def begun(client: AsyncOneLLM, loopback: Loopback, **more: Any) -> tuple[asyncio.Task[Any], asyncio.Event]:
    """A call that waits for its answer, and what lets the answer come."""
    may_come = asyncio.Event()
    loopback.plays(Answer(chunks=[CHAT], pause={0: may_come.wait}))
    before = len(loopback.requests)
    task = asyncio.create_task(client.chat.completions.create(**{**ASK, **more}))
    await soon(loopback.wait_for_requests(before + 1))
    return task, may_come


async def test_calls_are_counted(client: AsyncOneLLM, loopback: Loopback) -> None:
    """By model, and all together; a new client has counted nothing."""
    assert client.stats() == ClientStats()
    loopback.plays(OK)
    await client.chat.completions.create(**ASK)
    await client.chat.completions.create(**{**ASK, "model": "other"})
    one = ModelStats(calls=1, requests=1, input_tokens=PROMPT, output_tokens=ANSWER)
    stats = client.stats()
    assert stats.models == {MODEL: one, "openai/other": one}
    assert (stats.calls, stats.requests, stats.input_tokens) == (2, 2, 2 * PROMPT)


async def test_retries_and_errors_are_counted(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Each request, and what the call ended by."""
    loopback.plays(Answer(status=500), Answer(status=400, chunks=[BAD_REQUEST]))
    with pytest.raises(BadRequestError):
        await client.chat.completions.create(**ASK)
    assert client.stats().models[MODEL] == ModelStats(calls=1, requests=2, retries=1, errors={"BadRequestError": 1})


async def test_the_callers_hooks_are_told_all_the_same(loopback: Loopback) -> None:
    """Async ones, too."""
    told: list[RetryEvent] = []

    async def on_retry(event: RetryEvent) -> None:
        told.append(event)

    loopback.plays(Answer(status=500), OK)
    url = f"{loopback.url}/v1"
    async with AsyncOneLLM(api_key="k", base_url=url, stats=True, on_retry=on_retry) as client:
        await client.chat.completions.create(**ASK)
        assert client.stats().retries == len(told) == 1


async def test_what_is_under_way_is_seen(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A call until it is answered, a stream until it ends or is closed; one that is left early is cancelled."""
    task, may_come = await begun(client, loopback)
    assert client.stats().in_flight == 1
    may_come.set()
    await task
    assert client.stats().in_flight == 0
    loopback.plays(streamed(*STREAM))
    opened = await client.chat.completions.create(**ASK, stream=True)
    assert client.stats().in_flight == 1
    await opened.get_final_completion()
    assert (client.stats().in_flight, client.stats().cancelled) == (0, 0)
    assert client.stats().output_tokens == 2 * ANSWER
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        await anext(stream)
    opened = await client.chat.completions.create(**ASK, stream=True)
    del opened, stream
    assert (client.stats().in_flight, client.stats().cancelled) == (0, 2)
    task, _ = await begun(client, loopback)
    task.cancel()
    await asyncio.wait([task])
    assert (client.stats().in_flight, client.stats().cancelled) == (0, 3)


async def test_bytes_are_under_way_until_they_are_read(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Or closed."""
    loopback.plays(Answer(chunks=["abc"], content_type="audio/mpeg"))
    ask: Any = {"model": "tts", "voice": "nova", "input": "Hi"}
    spoken = await client.audio.speech.create(**ask)
    assert client.stats().in_flight == 1
    assert await spoken.read() == b"abc"
    assert (client.stats().in_flight, client.stats().cancelled) == (0, 0)
    async with await client.audio.speech.create(**ask):
        pass
    assert (client.stats().in_flight, client.stats().cancelled) == (0, 1)


async def test_answers_from_a_cache_cost_nothing(loopback: Loopback) -> None:
    """A hit is a call, and neither a request nor a token; so is a call that shares a request."""
    loopback.plays(Answer(chunks=[CHAT]))
    settings: dict[str, Any] = {"stats": True, "answer_cache": MemoryCache(), "share": True}
    async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", **settings) as client:
        sure = {**ASK, "temperature": 0}
        await asyncio.gather(client.chat.completions.create(**sure), client.chat.completions.create(**sure))
        await client.chat.completions.create(**sure)
        stats = client.stats()
    assert (stats.calls, stats.requests, stats.cache_hits) == (3, 1, 1)
    assert stats.input_tokens == PROMPT


async def test_a_stand_in_counts_under_its_own_name(loopback: Loopback) -> None:
    """Its requests and its tokens; the call is of whom it was meant for."""
    loopback.chooses(lambda request: Answer(status=500) if request.json["model"] == "a" else OK)
    settings: dict[str, Any] = {"stats": True, "max_retries": 0, "fallback_models": ["openai/b"]}
    async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", **settings) as client:
        await client.chat.completions.create(**{**ASK, "model": "a"})
        models = client.stats().models
    assert (models["openai/a"].calls, models["openai/a"].requests, models["openai/a"].retries) == (1, 1, 1)
    assert (models["openai/b"].calls, models["openai/b"].requests) == (0, 1)
    assert models[f"openai/{CHAT['model']}"].input_tokens == PROMPT


async def test_those_that_wait_for_their_turn_are_counted(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are limits."""
    limits = Limits(concurrency=1)
    async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", stats=True, limits=limits) as client:
        first, may_come = await begun(client, loopback)
        ledger: Any = client._core.ledger
        queue, waits = ledger.queue, asyncio.Event()

        def note(more: int) -> None:
            queue(more)
            waits.set()

        monkeypatch.setattr(ledger, "queue", note)
        second = asyncio.create_task(client.chat.completions.create(**ASK))
        await soon(waits.wait())
        assert (client.stats().queued, client.stats().in_flight) == (1, 2)
        may_come.set()
        await soon(asyncio.gather(first, second))
        assert client.stats().queued == 0


async def test_a_drained_client_makes_no_new_calls(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Those under way come to their end, and are waited for; new ones are refused, and nothing is sent."""
    task, may_come = await begun(client, loopback)
    drained = asyncio.create_task(client.drain())
    await asyncio.sleep(0)
    with pytest.raises(ClientClosedError, match="drained"):
        await client.chat.completions.create(**ASK)
    assert not drained.done()
    may_come.set()
    report = await soon(drained)
    assert (report.finished, report.left) == (1, [])
    assert (await task).id == CHAT["id"]
    assert len(loopback.requests) == 1


async def test_a_stream_is_waited_for(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Until it has ended."""
    loopback.plays(streamed(*STREAM))
    opened = await client.chat.completions.create(**ASK, stream=True)
    drained = asyncio.create_task(client.drain(timeout=20))
    await asyncio.sleep(0)
    assert not drained.done()
    await opened.get_final_completion()
    assert (await soon(drained)).finished == 1


async def test_what_is_left_when_time_is_up(client: AsyncOneLLM, loopback: Loopback) -> None:
    """It is said which, and goes on."""
    task, may_come = await begun(client, loopback)
    report = await client.drain(timeout=0.01)
    (left,) = report.left
    assert (left.operation, left.model, left.stream) == ("chat.completions.create", MODEL, False)
    assert left.seconds > 0
    may_come.set()
    await task
    again = await client.drain(timeout=1)
    assert (again.finished, again.left) == (0, [])


async def test_a_call_that_is_tried_again_is_under_way(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A drain waits for the attempts that are left to it."""
    may_fail = asyncio.Event()
    loopback.plays(Answer(status=500, pause={0: may_fail.wait}, chunks=[b""]), OK)
    task = asyncio.create_task(client.chat.completions.create(**ASK))
    await soon(loopback.wait_for_requests(1))
    drained = asyncio.create_task(client.drain())
    await asyncio.sleep(0)
    may_fail.set()
    assert (await soon(drained)).finished == 1
    assert (await task).id == CHAT["id"]


async def test_a_client_that_does_not_count_says_so(loopback: Loopback) -> None:
    """Both name what does."""
    async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1") as client:
        with pytest.raises(ConfigurationError, match="stats=True"):
            client.stats()
        with pytest.raises(ConfigurationError, match="stats=True"):
            await client.drain()


async def test_the_blocking_client_counts_and_drains(loopback: Loopback) -> None:
    """Calls of many threads; the drain waits in the thread that asks for it."""
    loopback.plays(OK)
    code = f"""
import threading
from onellm import OneLLM

with OneLLM(api_key="k", base_url={loopback.url + "/v1"!r}, stats=True) as client:
    ask = lambda: client.chat.completions.create(**{ASK!r})
    threads = [threading.Thread(target=ask) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    print(client.stats().calls, client.stats().in_flight, client.drain(timeout=5).left)
"""
    assert (await python(code, flags=("-W", "error"))).strip() == "8 0 []"


async def test_a_child_of_a_fork_begins_anew(loopback: Loopback) -> None:
    """What its parent has under way is not its own: it counts from nothing, finds what was kept, and may drain."""
    loopback.plays(OK)
    code = f"""
import os, warnings
from onellm import MemoryCache, OneLLM, SQLiteCache
from tempfile import mkdtemp

warnings.simplefilter("ignore")  # Python 3.12 warns of forks with threads
client = OneLLM(api_key="k", base_url={loopback.url + "/v1"!r}, stats=True, answer_cache=SQLiteCache(mkdtemp() + "/a"))
client.chat.completions.create(**{ASK!r})
stream = client.chat.completions.create(**{ASK!r}, answer_cache=False)
assert client.stats().calls == 2
if not (pid := os.fork()):
    reply = client.chat.completions.create(**{ASK!r})
    stats = client.stats()
    fine = reply.cached and (stats.calls, stats.cache_hits, client.drain(timeout=5).left) == (1, 1, [])
    os._exit(0 if fine else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), client.chat.completions.create(**{ASK!r}).cached is not None)
client.close()
"""
    assert (await python(code, flags=())).strip() == "0 True"


async def test_calls_of_an_account_are_counted(client: AsyncOneLLM, loopback: Loopback) -> None:
    """They have no model, and their answers no tokens."""
    loopback.plays(Answer(chunks=[{"object": "list", "data": []}]))
    await client.models.list(provider="openai")
    assert (client.stats().calls, client.stats().cancelled) == (1, 0)


async def test_a_call_that_gives_nothing_is_answered(client: AsyncOneLLM) -> None:
    """It is not one that was left: what is asked for may be that there is nothing."""
    provider: Any = client._core.bind("openai").provider
    _, request, _ = client.chat.completions._prepare("openai/m", ASK["messages"], {})

    class Nothing:
        async def around(self, *_: object) -> None:
            return None

    client._core.binding().add_layer(Nothing(), innermost=True)
    client._core._usual.clear()
    options = client._core.options(client._core.bind("openai"), {})
    assert await options.send(provider.create_chat_completion, request) is None
    assert (client.stats().calls, client.stats().cancelled) == (1, 0)
