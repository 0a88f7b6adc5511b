"""What the hooks of a client are told, in which order, and that no key is in it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hosts import Hosts
from loopback import Answer, Loopback, soon, streamed
from msgspec import structs
from threaded import Provider
from wire.chat_completions import embeddings
from wire.openai import ASK, BAD_REQUEST, CHAT, STREAM

from onellm import (
    AsyncOneLLM,
    BadRequestError,
    ErrorEvent,
    Hedge,
    OneLLM,
    RequestEvent,
    ResponseEvent,
    RetryEvent,
    StreamInterruptedError,
)
from onellm.types.chat_params import ChatRequest

OK = Answer(chunks=[CHAT])
DOWN = Answer(status=500)
ONE: dict[str, Any] = {**ASK, "model": "a/one"}


@pytest.fixture
async def hosts() -> AsyncIterator[Hosts]:
    async with Loopback() as server:
        yield Hosts(server)


class Told:
    """Hooks that keep what they are told; half of them are async."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def sync(self, event: Any) -> None:
        self.events.append(event)

    async def later(self, event: Any) -> None:
        await asyncio.sleep(0)
        self.events.append(event)

    @property
    def hooks(self) -> dict[str, Any]:
        return {"on_request": self.sync, "on_response": self.later, "on_retry": self.later, "on_error": self.sync}

    @property
    def kinds(self) -> list[str]:
        return [type(event).__name__.removesuffix("Event") for event in self.events]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def client(hosts: Hosts, told: Told) -> AsyncIterator[AsyncOneLLM]:
    async with AsyncOneLLM(providers=hosts.providers, **told.hooks) as bound:
        yield bound


async def test_a_call_is_a_request_and_a_response(client: AsyncOneLLM, hosts: Hosts, told: Told) -> None:
    """Who is asked what, and the answer that the caller has."""
    hosts.play(a=OK)
    reply = await client.chat.completions.create(**ONE)
    asked, answered = told.events
    assert type(asked) is RequestEvent
    assert structs.asdict(asked) == {
        "operation": "chat.completions.create",
        "provider": "a",
        "model": "one",
        "stream": False,
        "attempt": 1,
        "request": asked.request,
    }
    assert type(asked.request) is ChatRequest
    assert asked.request.messages == ASK["messages"]
    assert type(answered) is ResponseEvent
    assert answered.answer is reply
    assert 0 < answered.seconds < 60


async def test_retries_and_fallbacks_are_told(client: AsyncOneLLM, hosts: Hosts, told: Told) -> None:
    """Each with its error, the wait, and who is asked next."""
    hosts.play(a=[Answer(status=429, headers={"Retry-After": "2"}), DOWN], b=OK)
    await client.chat.completions.create(**ONE, fallback_models=["b/two"], max_retries=1)
    assert told.kinds == ["Request", "Retry", "Request", "Retry", "Request", "Response"]
    again, moved = told.events[1], told.events[3]
    assert type(again) is RetryEvent
    assert (again.provider, again.model, again.next, again.attempt) == ("a", "one", "a/one", 1)
    assert 2 <= again.wait <= 2.5
    assert again.error.status_code == 429
    assert (moved.provider, moved.next, moved.wait, moved.attempt) == ("a", "b/two", 0, 2)
    assert (told.events[4].provider, told.events[4].model, told.events[4].attempt) == ("b", "two", 3)
    assert (told.events[5].provider, told.events[5].model) == ("b", "two")


async def test_an_error_is_told_once(client: AsyncOneLLM, hosts: Hosts, told: Told) -> None:
    """When nothing more is tried; it is the error that the caller has."""
    hosts.play(a=[DOWN, Answer(status=400, chunks=[BAD_REQUEST])])
    with pytest.raises(BadRequestError) as caught:
        await client.chat.completions.create(**ONE)
    assert told.kinds == ["Request", "Retry", "Request", "Error"]
    last = told.events[-1]
    assert type(last) is ErrorEvent
    assert last.error is caught.value
    assert (last.provider, last.model, last.attempt) == ("a", "one", 2)


async def test_a_stream_is_answered_at_its_end(client: AsyncOneLLM, hosts: Hosts, told: Told) -> None:
    """With the whole answer, once, whoever reads it to the end."""
    hosts.play(a=streamed(*STREAM))
    stream: Any = await client.chat.completions.create(**ONE, stream=True)
    assert told.kinds == ["Request"]
    assert told.events[0].stream
    final = await stream.get_final_completion()
    assert await stream.next_chunks() == ()
    assert told.kinds == ["Request", "Response"]
    assert told.events[1].answer == final


async def test_a_stream_that_breaks_off_is_an_error(client: AsyncOneLLM, hosts: Hosts, told: Told) -> None:
    hosts.play(a=streamed(*STREAM[:3], done=False, cut="close"))
    stream: Any = await client.chat.completions.create(**ONE, stream=True)
    with pytest.raises(StreamInterruptedError):
        await stream.get_final_completion()
    assert told.kinds == ["Request", "Error"]


async def test_a_stream_that_is_left_has_no_end(client: AsyncOneLLM, hosts: Hosts, told: Told) -> None:
    hosts.play(a=streamed(*STREAM, pause={3: asyncio.Event().wait}))
    stream: Any = await client.chat.completions.create(**ONE, stream=True)
    async with stream:
        await anext(stream)
    await soon(hosts.requests[0].gone.wait())
    assert told.kinds == ["Request"]


async def test_a_restart_is_a_retry(client: AsyncOneLLM, hosts: Hosts, told: Told) -> None:
    hosts.play(a=[streamed(*STREAM[:3], done=False, cut="close"), streamed(*STREAM)])
    stream: Any = await client.chat.completions.create(**ONE, stream=True, on_interrupt="restart")
    await stream.get_final_completion()
    assert stream.restarts == 1
    assert told.kinds == ["Request", "Retry", "Request", "Response"]


async def test_both_requests_of_a_hedge_are_told(client: AsyncOneLLM, hosts: Hosts, told: Told) -> None:
    hosts.play(a=Answer(head=False, cut="stall"), b=OK)
    await soon(client.chat.completions.create(**ONE, hedge=Hedge(after=0.05, to=["b/two"])))
    assert told.kinds == ["Request", "Request", "Response"]
    assert told.events[-1].provider == "b"


async def test_embeddings_in_parts_are_one_answer(client: AsyncOneLLM, hosts: Hosts, told: Told) -> None:
    """Each request is told of, and the whole once."""
    hosts.server.chooses(lambda request: Answer(chunks=[embeddings([[0.5]] * len(request.json["input"]))]))
    await client.embeddings.create(model="a/one", input=["x"] * 2049)
    assert told.kinds == ["Request", "Request", "Response"]


async def test_calls_without_a_model(client: AsyncOneLLM, hosts: Hosts, told: Told) -> None:
    hosts.play(a=Answer(chunks=[{"object": "list", "data": [{"id": "one"}]}]))
    await client.models.list("a").first()
    assert (told.events[0].operation, told.events[0].provider, told.events[0].model) == ("models.list", "a", "")
    assert told.events[0].request is None


async def test_what_a_hook_raises_the_call_raises(hosts: Hosts) -> None:
    """Before anything is sent, where it is the first."""

    class StopError(Exception):
        pass

    def stop(_: RequestEvent) -> None:
        raise StopError

    async with AsyncOneLLM(providers=hosts.providers, on_request=stop) as client:
        with pytest.raises(StopError):
            await client.chat.completions.create(**ONE)
    assert not hosts.requests


async def test_no_event_holds_a_key(client: AsyncOneLLM, hosts: Hosts, told: Told) -> None:
    hosts.play(a=[DOWN, Answer(status=401)])
    with pytest.raises(Exception, match="401"):
        await client.chat.completions.create(**ONE, extra_headers={"X-Secret": "key-of-a"})
    assert told.kinds == ["Request", "Retry", "Request", "Error"]
    assert "key-of" not in repr(told.events)
    assert "key-of" not in str([vars(event.error) for event in told.events if hasattr(event, "error")])


def test_hooks_of_a_blocking_client() -> None:
    """They run in the thread of its event loop."""
    told = Told()
    provider = Provider()
    try:
        provider.loopback.plays(OK)
        with OneLLM(api_key="k", base_url=f"{provider.loopback.url}/v1", **told.hooks) as client:
            client.chat.completions.create(**ASK)
    finally:
        provider.close()
    assert told.kinds == ["Request", "Response"]
