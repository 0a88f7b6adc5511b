"""What a chunk, a call and a vector cost, in counts that no busy machine changes: calls of our own Python functions,
objects that the garbage collector has to look at, and pieces of memory that are held.

A coroutine that is entered again after it has waited counts again, as it costs again. Where a bound fails, the table
of what was called is in the message; where it has come down for good, lower the bound.
"""

import asyncio
import gc
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import aiohttp
import pytest
from loopback import Answer, Loopback, sse, streamed, type_sse

import onellm
from benchmarks import minimal, moved
from benchmarks.reducers import WIRES, Wire
from onellm.providers.registry import get_provider
from onellm.types.chat_params import ChatRequest

OURS = str(Path(onellm.__file__).parent)
AIOHTTP = str(Path(aiohttp.__file__).parent)
ASK: dict[str, Any] = {"model": "openai/gpt-5.4-mini", "messages": [{"role": "user", "content": "Hi"}]}
CONTENT: dict[str, Any] = {
    "id": "chatcmpl-1",
    "created": 1,
    "model": "gpt-5.4-mini",
    "choices": [{"index": 0, "delta": {"content": " token"}, "finish_reason": None}],
}
END: dict[str, Any] = {**CONTENT, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


@contextmanager
def counted(below: str = OURS) -> Generator[Counter[str]]:
    """Calls by name of our functions, or of those in another folder, in this thread."""
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(below):
            calls[frame.f_code.co_qualname] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(before)


def a_chunk(few: Counter[str], many: Counter[str], more: int) -> tuple[float, Counter[str]]:
    """Calls for each further chunk; what is called once a stream is in both."""
    added = Counter({name: times - few[name] for name, times in many.items() if times != few[name]})
    return sum(added.values()) / more, added


async def paced(client: Any, loopback: Loopback, chunks: int) -> Counter[str]:
    """A stream whose next chunk is written when the one before has been handed out, so that each is one wake-up."""
    wanted = asyncio.Semaphore(1)
    pause = dict.fromkeys(range(chunks), wanted.acquire)
    loopback.plays(streamed(*[CONTENT] * chunks, END, pause=pause))
    got = 0
    with counted() as calls:
        opened: Any = await client.chat.completions.create(**ASK, stream=True)
        async with opened as stream:
            async for chunk in stream:
                got += chunk.choices[0].delta.content == " token"
                wanted.release()
    assert got == chunks
    return calls


async def packed(client: Any, loopback: Loopback, chunks: int) -> Counter[str]:
    """A stream that comes in writes of 50 chunks."""
    events = sse(*[CONTENT] * chunks, END)
    loopback.plays(
        Answer(chunks=[b"".join(events[i : i + 50]) for i in range(0, len(events), 50)], content_type=type_sse)
    )
    with counted() as calls:
        opened: Any = await client.chat.completions.create(**ASK, stream=True)
        async with opened as stream:
            got = [chunk async for chunk in stream]
    assert len(got) == chunks + 1
    return calls


async def test_a_paced_chunk_is_few_calls(client: Any, loopback: Loopback) -> None:
    """From the wake-up to the caller and back to waiting: eight functions, two of them entered twice."""
    few, many = await paced(client, loopback, 20), await paced(client, loopback, 120)
    calls, added = a_chunk(few, many, 100)
    assert calls <= 10, added


async def test_a_paced_chunk_makes_no_timer(client: Any, loopback: Loopback) -> None:
    """One timer looks after the limits of a stream, whatever is read, and a read does not look at the clock."""
    calls = await paced(client, loopback, 100)
    assert calls["Watch.arm"] <= 4, calls
    assert calls["Watchdog.schedule"] <= 3, calls


async def test_a_chunk_that_comes_with_others_is_few_calls(client: Any, loopback: Loopback) -> None:
    """Decoding, folding, handing out; what a read costs is shared by the chunks that it brings."""
    few, many = await packed(client, loopback, 100), await packed(client, loopback, 1100)
    calls, added = a_chunk(few, many, 1000)
    assert calls <= 3.1, added


async def test_a_call_is_few_calls(client: Any, loopback: Loopback) -> None:
    """A chat that is not streamed, after the first of its client."""
    message = {"role": "assistant", "content": "Hello"}
    loopback.plays(Answer(chunks=[{"id": "1", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}]))
    await client.chat.completions.create(**ASK)
    with counted() as calls:
        reply: Any = await client.chat.completions.create(**ASK)
    assert reply.choices[0].message.content == "Hello"
    assert sum(calls.values()) <= 36, calls


async def test_a_call_is_few_calls_of_aiohttp(client: Any, loopback: Loopback) -> None:
    """Its own way of making a request would be half as many again."""
    message = {"role": "assistant", "content": "Hello"}
    loopback.plays(Answer(chunks=[{"id": "1", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}]))
    await client.chat.completions.create(**ASK)
    with counted(AIOHTTP) as calls:
        await client.chat.completions.create(**ASK)
    assert sum(calls.values()) <= 80, calls


async def test_a_call_with_other_defaults_is_as_few_calls(client: Any, loopback: Loopback) -> None:
    """What a client of `with_options` adds is worked out once, and not in each call."""
    message = {"role": "assistant", "content": "Hello"}
    loopback.plays(Answer(chunks=[{"id": "1", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}]))
    copy = client.with_options(timeout=60, max_retries=0, on_unsupported="drop", priority=1, extra_body={})
    counts: list[Counter[str]] = []
    for each in (client, copy):
        await each.chat.completions.create(**ASK)
        with counted() as calls:
            await each.chat.completions.create(**ASK)
        counts.append(calls)
    assert counts[0] == counts[1]


@contextmanager
def no_collections() -> Generator[None]:
    """The collector looks only when it is told to."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def tracked_in_flight(loopback: Loopback, call: Callable[[], Awaitable[object]], calls: int) -> float:
    """How many more objects the collector knows for each call that waits for its answer, the server's among them."""
    body = json.dumps({"id": "1", "choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}).encode()
    go_on = asyncio.Event()
    loopback.plays(Answer(chunks=[body], length=len(body)))
    await call()  # what is made once
    loopback.plays(Answer(chunks=[body], length=len(body), pause={0: go_on.wait}))
    waiting = len(loopback.requests) + calls
    with no_collections():
        before = len(gc.get_objects())
        tasks = [asyncio.ensure_future(call()) for _ in range(calls)]
        await loopback.wait_for_requests(waiting)
        gc.collect()
        tracked = len(gc.get_objects()) - before
    go_on.set()
    await asyncio.gather(*tasks)
    return tracked / calls


async def test_a_call_in_flight_is_few_objects_for_the_collector(client: Any, loopback: Loopback) -> None:
    """A thousand calls that wait make the collector run, and each object in flight makes it run longer.

    Beside what the minimal client of the benchmarks has in flight, whose requests, tasks and server are the same.
    """
    http = moved.Http("k")
    async with http.session:
        least = await tracked_in_flight(
            loopback, lambda: minimal.chat(http, f"{loopback.url}/v1", "m", ASK["messages"]), 1000
        )
        loopback.disconnect()
    ours = await tracked_in_flight(loopback, lambda: client.chat.completions.create(**ASK), 1000)
    assert ours - least <= 5.5, (ours, least)


async def test_an_answer_that_is_kept_keeps_a_mapping_and_no_copy(client: Any, loopback: Loopback) -> None:
    """The list of its choices, and its headers: aiohttp's mapping and the view that aiohttp gave of it."""
    body = json.dumps({"id": "1", "choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}).encode()
    loopback.plays(Answer(chunks=[body], length=len(body), headers={f"x-{number}": "1" for number in range(20)}))
    await client.chat.completions.create(**ASK)
    tracked: list[int] = []
    for headers in (True, False):
        with no_collections():
            before = len(gc.get_objects())
            kept = [await client.chat.completions.create(**ASK) for _ in range(200)]
            if not headers:
                for reply in kept:
                    reply.head = None
            loopback.requests.clear()
            gc.collect()
            tracked.append(len(gc.get_objects()) - before)
        assert kept.pop().choices
        del kept
    assert (tracked[0] - tracked[1]) / 200 <= 2.05, tracked


@pytest.mark.usefixtures("loopback")
async def test_a_chunk_that_is_kept_is_one_object_for_the_collector() -> None:
    """The list of its choices: its Structs are not tracked. What it holds in memory is few pieces."""
    provider: Any = get_provider("openai")
    request = ChatRequest(provider="openai", model="m", messages=[], params={})
    reducer: Any = provider.chat.reducer(request, max_event_bytes=1 << 20)
    event = sse(CONTENT, done=False)[0]
    kept: list[Any] = [*reducer.feed(event)]
    with no_collections():
        objects, blocks = len(gc.get_objects()), sys.getallocatedblocks()
        for _ in range(1000):
            kept += reducer.feed(event)
        objects, blocks = len(gc.get_objects()) - objects, sys.getallocatedblocks() - blocks
    assert len(kept) == 1001
    assert objects <= 1010
    assert blocks / 1000 <= 9.5


def test_a_chunk_that_is_not_kept_leaves_its_text() -> None:
    """And nothing else: the text is joined at the end."""
    provider: Any = get_provider("openai")
    request = ChatRequest(provider="openai", model="m", messages=[], params={})
    reducer: Any = provider.chat.reducer(request, max_event_bytes=1 << 20)
    event = sse(CONTENT, done=False)[0]
    reducer.feed(event)
    with no_collections():
        blocks = sys.getallocatedblocks()
        for _ in range(1000):
            reducer.feed(event)
        blocks = sys.getallocatedblocks() - blocks
    assert blocks <= 1050


async def embedded(client: Any, loopback: Loopback, count: int) -> tuple[Counter[str], Any, int]:
    """The calls of one request for vectors, its answer, and the pieces of memory that this holds."""
    vector = "AACAPwAAAEAAAEBA" * 32
    data = [{"object": "embedding", "index": index, "embedding": vector} for index in range(count)]
    loopback.plays(Answer(chunks=[{"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 1}}]))
    texts = ["a text"] * count
    with no_collections():
        blocks = sys.getallocatedblocks()
        with counted() as calls:
            reply = await client.embeddings.create(model="openai/m", input=texts)
        blocks = sys.getallocatedblocks() - blocks
    return calls, reply, blocks


async def test_a_vector_is_few_calls_and_no_floats(client: Any, loopback: Loopback) -> None:
    """However long it is: its bytes go from the wire into the array."""
    await embedded(client, loopback, 4)
    few, _, held_by_few = await embedded(client, loopback, 100)
    many, reply, held_by_many = await embedded(client, loopback, 1100)
    assert len(reply.data) == 1100
    assert list(reply.data[0].embedding[:3]) == [1.0, 2.0, 3.0]
    calls, added = a_chunk(few, many, 1000)
    assert calls <= 4.1, added
    assert (held_by_many - held_by_few) / 1000 <= 5  # of 96 numbers each


def reduced(wire: Wire, chunks: int) -> Counter[str]:
    provider: Any = get_provider(wire.provider)
    request = ChatRequest(provider=wire.provider, model="m", messages=[], params={})
    reducer: Any = provider.chat.reducer(request, max_event_bytes=1 << 20)
    reducer.feed(wire.begin)
    with counted() as calls:
        got = [chunk for _ in range(chunks) for chunk in reducer.feed(wire.event)]
    assert len(got) == chunks
    return calls


@pytest.mark.parametrize("wire", WIRES, ids=[wire.provider for wire in WIRES])
def test_a_native_chunk_is_few_calls(wire: Wire) -> None:
    """From the bytes of a read to its chunk."""
    calls, added = a_chunk(reduced(wire, 10), reduced(wire, 110), 100)
    assert calls <= 7, added
