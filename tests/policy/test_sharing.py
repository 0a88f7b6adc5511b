"""Equal calls that are under way together are one request; nobody's end is another's."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from loopback import Answer, Loopback, soon
from wire.openai import ASK, BAD_REQUEST, CHAT

from onellm import AsyncOneLLM, BadRequestError, DeadlineExceededError, Timeouts

VECTORS = {"object": "list", "model": "e", "data": [{"index": 0, "embedding": [0.5, -1.0]}], "usage": {}}
SURE: dict[str, Any] = {**ASK, "temperature": 0}
TEXT: dict[str, Any] = {"model": "e", "input": "Hello"}


@pytest.fixture
async def sharing(loopback: Loopback) -> AsyncIterator[AsyncOneLLM]:
    async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", share=True, max_retries=0) as client:
        yield client


class Slow:
    """An answer that comes when the test says so."""

    def __init__(self, loopback: Loopback, body: Any, status: int = 200) -> None:
        self.may_come = asyncio.Event()
        loopback.plays(Answer(status=status, chunks=[body], pause={0: self.may_come.wait}))


async def begun(loopback: Loopback, *calls: Any) -> list[asyncio.Task[Any]]:
    """The calls as tasks, the first of which has reached the server."""
    tasks = [asyncio.create_task(call) for call in calls]
    await soon(loopback.wait_for_requests(1))
    return tasks


async def test_equal_embeddings_are_one_request(sharing: AsyncOneLLM, loopback: Loopback) -> None:
    """Each caller has an answer of its own, equal to the others'."""
    slow = Slow(loopback, VECTORS)
    tasks = await begun(loopback, *(sharing.embeddings.create(**TEXT) for _ in range(3)))
    slow.may_come.set()
    first, second, third = await soon(asyncio.gather(*tasks))
    assert len(loopback.requests) == 1
    assert first == second == third
    assert first.data[0].embedding.tolist() == [0.5, -1.0]
    second.data.clear()
    assert first.data
    assert third.data


async def test_chats_that_are_not_drawn_by_lot_are_shared(sharing: AsyncOneLLM, loopback: Loopback) -> None:
    """With temperature 0; and with a seed that is another call."""
    slow = Slow(loopback, CHAT)
    calls = (sharing.chat.completions.create(**ask) for ask in (SURE, SURE, {**ASK, "seed": 1}, {**ASK, "seed": 1}))
    tasks = await begun(loopback, *calls)
    await soon(loopback.wait_for_requests(2))
    slow.may_come.set()
    replies = await soon(asyncio.gather(*tasks))
    assert len(loopback.requests) == 2
    assert replies[0] == replies[1]
    assert [request.json.get("seed") for request in loopback.requests] == [None, 1]


async def test_a_chat_by_lot_is_shared_where_it_asks_for_it(client: AsyncOneLLM, loopback: Loopback) -> None:
    """On the call, also of a client that shares nothing by itself; and `share=False` keeps a call apart."""
    slow = Slow(loopback, CHAT)
    shared = [client.chat.completions.create(**ASK, share=True) for _ in range(2)]
    tasks = await begun(loopback, *shared, client.chat.completions.create(**ASK))
    await soon(loopback.wait_for_requests(2))
    slow.may_come.set()
    await soon(asyncio.gather(*tasks))
    assert len(loopback.requests) == 2


async def test_a_call_may_keep_apart(sharing: AsyncOneLLM, loopback: Loopback) -> None:
    """`share=False`."""
    loopback.plays(Answer(chunks=[VECTORS]))
    await asyncio.gather(*(sharing.embeddings.create(**TEXT, share=False) for _ in range(2)))
    assert len(loopback.requests) == 2


async def test_calls_one_after_another_are_two(sharing: AsyncOneLLM, loopback: Loopback) -> None:
    """Sharing keeps nothing."""
    loopback.plays(Answer(chunks=[VECTORS]))
    await sharing.embeddings.create(**TEXT)
    await sharing.embeddings.create(**TEXT)
    assert len(loopback.requests) == 2


@pytest.mark.parametrize("gone", [0, 1])
async def test_who_is_cancelled_takes_nothing_from_others(sharing: AsyncOneLLM, loopback: Loopback, gone: int) -> None:
    """Not even the one whose request it was."""
    slow = Slow(loopback, VECTORS)
    tasks = await begun(loopback, *(sharing.embeddings.create(**TEXT) for _ in range(2)))
    tasks[gone].cancel()
    with pytest.raises(asyncio.CancelledError):
        await soon(tasks[gone])
    slow.may_come.set()
    reply = await soon(tasks[1 - gone])
    assert reply.data[0].embedding.tolist() == [0.5, -1.0]
    assert len(loopback.requests) == 1


async def test_with_the_last_waiter_the_request_ends(sharing: AsyncOneLLM, loopback: Loopback) -> None:
    """Its connection is closed, and who asks then asks anew."""
    Slow(loopback, VECTORS)
    tasks = await begun(loopback, *(sharing.embeddings.create(**TEXT) for _ in range(2)))
    for task in tasks:
        task.cancel()
    assert all(
        isinstance(each, asyncio.CancelledError) for each in await asyncio.gather(*tasks, return_exceptions=True)
    )
    await soon(loopback.requests[0].gone.wait())
    loopback.plays(Answer(chunks=[VECTORS]))
    assert (await sharing.embeddings.create(**TEXT)).data
    assert len(loopback.requests) == 2


async def test_an_error_is_for_all_that_wait(sharing: AsyncOneLLM, loopback: Loopback) -> None:
    """Each has one of its own."""
    slow = Slow(loopback, BAD_REQUEST, status=400)
    tasks = await begun(loopback, *(sharing.embeddings.create(**TEXT) for _ in range(2)))
    slow.may_come.set()
    first, second = await soon(asyncio.gather(*tasks, return_exceptions=True))
    assert type(first) is type(second) is BadRequestError
    assert str(first) == str(second)
    assert first is not second
    assert len(loopback.requests) == 1


async def test_a_waiter_has_its_own_deadline(sharing: AsyncOneLLM, loopback: Loopback) -> None:
    """Of two, one has little time: it is told, and the other gets the answer."""
    slow = Slow(loopback, VECTORS)
    calls = (sharing.embeddings.create(**TEXT), sharing.embeddings.create(**TEXT, deadline=0.05))
    patient, hurried = await begun(loopback, *calls)
    with pytest.raises(DeadlineExceededError):
        await soon(hurried)
    slow.may_come.set()
    assert (await soon(patient)).data
    assert len(loopback.requests) == 1


async def test_the_deadline_of_the_first_is_not_the_others(sharing: AsyncOneLLM, loopback: Loopback) -> None:
    """The request ends with the time of who made it; another that waits asks again."""
    never = asyncio.Event()
    loopback.plays(Answer(chunks=[VECTORS], pause={0: never.wait}), Answer(chunks=[VECTORS]))
    calls = (sharing.embeddings.create(**TEXT, deadline=0.05), sharing.embeddings.create(**TEXT))
    hurried, patient = await begun(loopback, *calls)
    with pytest.raises(DeadlineExceededError):
        await soon(hurried)
    assert (await soon(patient)).data
    assert len(loopback.requests) == 2


async def test_calls_with_other_limits_are_two(sharing: AsyncOneLLM, loopback: Loopback) -> None:
    """One that may take longer is not served by one that may not."""
    loopback.plays(Answer(chunks=[VECTORS]))
    timeouts = (None, Timeouts(total=5))
    await asyncio.gather(*(sharing.embeddings.create(**TEXT, timeout=timeout) for timeout in timeouts))
    assert len(loopback.requests) == 2


async def test_calls_with_credentials_of_their_own_are_two(sharing: AsyncOneLLM, loopback: Loopback) -> None:
    """They are of different people."""
    loopback.plays(Answer(chunks=[VECTORS]))
    headers = ({"Authorization": "Bearer a"}, {"Authorization": "Bearer b"})
    await asyncio.gather(*(sharing.embeddings.create(**TEXT, extra_headers=header) for header in headers))
    assert [request.headers["authorization"] for request in loopback.requests] == ["Bearer a", "Bearer b"]


async def test_many_inputs_are_shared_as_a_whole(sharing: AsyncOneLLM, loopback: Loopback) -> None:
    """A call of several requests is one call."""

    def choose(request: Any) -> Answer:
        data = [{"index": i, "embedding": [float(i)]} for i, _ in enumerate(request.json["input"])]
        return Answer(chunks=[{**VECTORS, "data": data}])

    loopback.chooses(choose)
    texts = [str(i) for i in range(2050)]
    first, second = await asyncio.gather(*(sharing.embeddings.create(model="e", input=texts) for _ in range(2)))
    assert len(loopback.requests) == 2
    assert first == second
    assert len(first.data) == 2050
