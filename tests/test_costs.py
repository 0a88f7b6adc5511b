"""What a chunk and a call cost, in calls of our own Python functions: a count, which no busy machine changes.

A coroutine that is entered again after it has waited counts again, as it costs again. Where a bound fails, the table
of what was called is in the message; where it has come down for good, lower the bound.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from loopback import Answer, Loopback, sse, streamed, type_sse

import onellm
from benchmarks.reducers import WIRES, Wire
from onellm.providers.registry import get_provider
from onellm.types.chat_params import ChatRequest

OURS = str(Path(onellm.__file__).parent)
ASK: dict[str, Any] = {"model": "openai/gpt-5.4-mini", "messages": [{"role": "user", "content": "Hi"}]}
CONTENT: dict[str, Any] = {
    "id": "chatcmpl-1",
    "created": 1,
    "model": "gpt-5.4-mini",
    "choices": [{"index": 0, "delta": {"content": " token"}, "finish_reason": None}],
}
END: dict[str, Any] = {**CONTENT, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


@contextmanager
def counted() -> Generator[Counter[str]]:
    """Calls of our functions by name, in this thread."""
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(OURS):
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
    assert sum(calls.values()) <= 46, calls


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
