"""Streams over a real socket: what ends them, what cuts them, what closes their connection."""

import asyncio
import gc
import threading

import pytest
from loopback import Answer, Loopback, soon, sse, streamed, type_sse
from wire.openai import ASK, CHAT, NO_QUOTA, PIECES, RATE_LIMIT, SERVER_ERROR, STREAM, chunk

from onellm import (
    APIConnectionError,
    APIStatusError,
    AsyncOneLLM,
    InternalServerError,
    OneLLMError,
    QuotaExceededError,
    RateLimitError,
    ResponseDecodeError,
    StreamInterruptedError,
    UnsupportedFeatureError,
)
from onellm.resources.streams import AsyncChatCompletionStream
from onellm.types.chat import ChatCompletion


async def texts(stream: AsyncChatCompletionStream) -> list[str]:
    return [text async for text in stream.text()]


def same(reply: ChatCompletion) -> ChatCompletion:
    """An answer without the bytes it came in."""
    reply.raw = b""
    return reply


async def until_finished(stream: AsyncChatCompletionStream) -> None:
    """Until the client has read `[DONE]`; it then waits for the end of the body."""
    while not stream._source._reducer.finished:  # type: ignore[attr-defined] # noqa: ASYNC110 - no event tells
        await asyncio.sleep(0)


async def never() -> None:
    await asyncio.Event().wait()


# --- how a stream ends ---


async def test_chunks_come_as_they_are_sent(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A chunk is handed out before the next one has been written."""
    ready = asyncio.Event()
    loopback.plays(streamed(*STREAM, pause={3: ready.wait}))
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        pieces = stream.text()
        assert [await soon(anext(pieces)), await soon(anext(pieces))] == PIECES[:2]
        ready.set()
        assert [piece async for piece in pieces] == PIECES[2:]
    assert loopback.requests[0].json == {
        "model": "gpt-5.4-mini",
        "messages": ASK["messages"],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_final_completion_equals_the_whole_answer(client: AsyncOneLLM, loopback: Loopback) -> None:
    """The same call with and without `stream=True` gives the same answer."""
    headers = {"x-request-id": "req_1"}
    loopback.plays(Answer(chunks=[CHAT], headers=headers), streamed(*STREAM, headers=headers))
    whole = await client.chat.completions.create(**ASK)
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        final = await stream.get_final_completion()
        assert stream.request_id == "req_1"
        assert await stream.get_final_completion() is final
        assert await stream._source.read() == ()
    assert same(final) == same(whole)
    assert final.choices[0].message.content == "".join(PIECES)
    assert final.usage is not None
    assert final.usage.total_tokens == 29
    assert [request.json.get("stream") for request in loopback.requests] == [None, True]


async def test_final_completion_after_some_chunks(client: AsyncOneLLM, loopback: Loopback) -> None:
    """What has been read and what has not are both in the final answer."""
    loopback.plays(streamed(*STREAM))
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        assert (await anext(stream)).choices[0].delta.role == "assistant"
        assert (await stream.get_final_completion()).choices[0].message.content == "".join(PIECES)
        assert [chunk async for chunk in stream] == []


@pytest.mark.parametrize("cut", ["", "eof"])
async def test_clean_end_before_the_last_event_is_an_error(client: AsyncOneLLM, loopback: Loopback, cut: str) -> None:
    """A body that ends well, in the middle of an answer, is no answer."""
    loopback.plays(streamed(*STREAM[:3], done=False, cut=cut))
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        seen: list[str] = []
        with pytest.raises(StreamInterruptedError, match="before its last event") as caught:
            async for piece in stream.text():
                seen.append(piece)  # noqa: PERF401 - the loop raises
        with pytest.raises(StreamInterruptedError):
            await stream.get_final_completion()
    assert seen == PIECES[:2]
    assert (caught.value.provider, caught.value.model) == ("openai", "gpt-5.4-mini")
    assert len(loopback.requests) == 1


@pytest.mark.parametrize("cut", ["close", "reset"])
async def test_cut_stream_is_an_error(client: AsyncOneLLM, loopback: Loopback, cut: str) -> None:
    """A connection that breaks in the body is an error, whatever has come until then, and is not tried again."""
    ready = asyncio.Event()
    loopback.plays(streamed(*STREAM[:3], done=False, cut=cut, pause={3: ready.wait}))
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        assert (await soon(anext(stream))).choices[0].delta.content == ""
        ready.set()
        with pytest.raises(APIConnectionError, match=r"broke off|no answer") as caught:
            await soon(stream.get_final_completion())
        with pytest.raises(OneLLMError):
            await stream.get_final_completion()
    assert (caught.value.provider, caught.value.model) == ("openai", "gpt-5.4-mini")
    assert "127.0.0.1" in str(caught.value)
    assert len(loopback.requests) == 1
    await soon(loopback.wait_until_alone())


async def test_end_without_done_is_whole_when_every_choice_has_finished(
    client: AsyncOneLLM, loopback: Loopback
) -> None:
    """Some hosts leave `[DONE]` out; the finish reasons say as much."""
    loopback.plays(streamed(*STREAM, done=False))
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        assert await texts(stream) == PIECES
        assert (await stream.get_final_completion()).choices[0].finish_reason == "stop"


async def test_end_without_done_is_an_error_when_a_choice_has_not_finished(
    client: AsyncOneLLM, loopback: Loopback
) -> None:
    """With n=2, one finish reason is not two."""
    other = chunk({}, choices=[{"index": 1, "delta": {"content": "Hi"}, "finish_reason": None}])
    loopback.plays(streamed(STREAM[0], other, STREAM[5], done=False))
    async with await client.chat.completions.create(**ASK, n=2, stream=True) as stream:
        with pytest.raises(StreamInterruptedError):
            await texts(stream)
    assert loopback.requests[0].json["n"] == 2


async def test_empty_stream_is_tried_again_and_then_an_error(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Nothing has been handed out, so a stream that ends at once is a failed attempt."""
    loopback.plays(streamed(done=False), streamed(*STREAM))
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        assert await texts(stream) == PIECES
    loopback.plays(streamed(done=False))
    with pytest.raises(StreamInterruptedError):
        await client.chat.completions.create(**ASK, stream=True, max_retries=0)
    assert len(loopback.requests) == 3


# --- errors inside a 200 ---


async def test_error_as_first_event_is_raised_by_create(client: AsyncOneLLM, loopback: Loopback) -> None:
    """It is the exception that its status would have been, and one that waiting does not end is not tried again."""
    loopback.plays(streamed(NO_QUOTA, done=False, headers={"x-request-id": "req_7"}, cut="stall"))
    with pytest.raises(QuotaExceededError, match="current quota") as caught:
        await client.chat.completions.create(**ASK, stream=True)
    assert caught.value.code == "insufficient_quota"
    assert caught.value.request_id == "req_7"
    assert (caught.value.provider, caught.value.model) == ("openai", "gpt-5.4-mini")
    assert len(loopback.requests) == 1
    await soon(loopback.requests[0].gone.wait())


async def test_retryable_error_as_first_event_is_tried_again(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Until a chunk has been handed out, nothing is lost by trying again."""
    loopback.plays(streamed(RATE_LIMIT, done=False), streamed(b": ping\n\n", SERVER_ERROR), streamed(*STREAM))
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        assert await texts(stream) == PIECES
    assert [request.json["stream"] for request in loopback.requests] == [True, True, True]


async def test_later_error_is_raised_after_the_good_chunks(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Also when all came in one read; it is not tried again, for something was handed out."""
    body = b"".join(sse(*STREAM[:3], SERVER_ERROR, *STREAM[3:]))
    loopback.plays(Answer(chunks=[body], content_type=type_sse, cut="stall"))
    stream = await client.chat.completions.create(**ASK, stream=True)
    seen: list[str] = []
    with pytest.raises(InternalServerError, match="while processing"):
        async for piece in stream.text():
            seen.append(piece)  # noqa: PERF401 - the loop raises
    assert seen == PIECES[:2]
    with pytest.raises(InternalServerError):
        await stream.get_final_completion()
    assert len(loopback.requests) == 1
    await soon(loopback.requests[0].gone.wait())


async def test_event_that_is_no_json_is_an_error(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Half of an event is not silently left out."""
    loopback.plays(streamed(*STREAM[:3], b'data: {"id": "chatc\n\n', cut="stall"))
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        with pytest.raises(ResponseDecodeError) as caught:
            await texts(stream)
    assert caught.value.provider == "openai"
    await soon(loopback.requests[0].gone.wait())


async def test_json_where_a_stream_was_asked_for_is_an_error(client: AsyncOneLLM, loopback: Loopback) -> None:
    """An error in it is raised as such; a whole answer cannot be handed out as a stream."""
    loopback.plays(Answer(chunks=[RATE_LIMIT]), Answer(chunks=[CHAT]))
    with pytest.raises(RateLimitError):
        await client.chat.completions.create(**ASK, stream=True, max_retries=0)
    with pytest.raises(UnsupportedFeatureError, match="openai answered a streamed call with one whole answer"):
        await client.chat.completions.create(**ASK, stream=True)
    assert len(loopback.requests) == 2


async def test_refusal_of_a_stream_keeps_the_connection(client: AsyncOneLLM, loopback: Loopback) -> None:
    """The body of an error is read to its end, so that the next attempt needs no new connection."""
    loopback.plays(Answer(status=429, chunks=[RATE_LIMIT]), streamed(*STREAM))
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        assert await texts(stream) == PIECES
    assert [request.connection for request in loopback.requests] == [1, 1]


# --- what closes the connection ---


async def test_breaking_off_closes_the_connection(client: AsyncOneLLM, loopback: Loopback) -> None:
    """`break` in the loop, and the end of `async with` after it."""
    loopback.plays(streamed(*STREAM, pause={3: never}))
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        async for _ in stream:
            break
        assert not loopback.requests[0].gone.is_set()
    await soon(loopback.requests[0].gone.wait())
    assert [chunk async for chunk in stream] == []
    with pytest.raises(StreamInterruptedError, match="closed before its end"):
        await stream.get_final_completion()


async def test_exception_in_the_block_closes_the_connection(client: AsyncOneLLM, loopback: Loopback) -> None:
    """The exception passes on."""
    loopback.plays(streamed(*STREAM, pause={3: never}))
    with pytest.raises(ZeroDivisionError):
        async with await client.chat.completions.create(**ASK, stream=True) as stream:
            await anext(stream)
            raise ZeroDivisionError
    await soon(loopback.requests[0].gone.wait())


async def test_aclose_closes_the_connection_and_drops_what_was_not_read(
    client: AsyncOneLLM, loopback: Loopback
) -> None:
    """Chunks that have come and not been read are dropped; a second `aclose` does nothing."""
    loopback.plays(Answer(chunks=[b"".join(sse(*STREAM[:4]))], content_type=type_sse, pause={1: never}))
    stream = await client.chat.completions.create(**ASK, stream=True)
    await anext(stream)
    await stream.aclose()
    await stream.aclose()
    assert await stream.next_chunks() == ()
    await soon(loopback.requests[0].gone.wait())


async def test_cancelled_task_closes_the_connection(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Cancelling whoever waits for a chunk ends the request there and then, with the reference still held."""
    loopback.plays(streamed(*STREAM, pause={1: never}))
    stream = await client.chat.completions.create(**ASK, stream=True)
    await anext(stream)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await soon(loopback.requests[0].gone.wait())
    with pytest.raises(StreamInterruptedError):
        await anext(stream)


async def test_cancelled_create_closes_the_connection(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Also before the answer has begun, and between its head and its first chunk."""
    for answer in (streamed(head=False, done=False, cut="stall"), streamed(done=False, cut="stall")):
        loopback.plays(answer)
        calling = asyncio.create_task(client.chat.completions.create(**ASK, stream=True))
        count = len(loopback.requests) + 1
        await soon(loopback.wait_for_requests(count))
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await soon(loopback.requests[-1].gone.wait())
        assert len(loopback.requests) == count


async def test_losing_the_last_reference_closes_the_connection(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Without `async with` and without `aclose`."""
    loopback.plays(streamed(*STREAM, pause={1: never}))
    stream = await client.chat.completions.create(**ASK, stream=True)
    await anext(stream)
    del stream
    gc.collect()
    await soon(loopback.requests[0].gone.wait())


async def test_another_thread_can_close_a_stream(client: AsyncOneLLM, loopback: Loopback) -> None:
    """`close_now` from any thread ends the connection; the one who waits gets an error, not a short answer."""
    loopback.plays(streamed(*STREAM, pause={1: never}))
    stream = await client.chat.completions.create(**ASK, stream=True)
    await anext(stream)
    waiting = asyncio.ensure_future(stream.next_chunks())
    await asyncio.sleep(0)
    thread = threading.Thread(target=stream.close_now)
    thread.start()
    with pytest.raises(APIConnectionError):
        await soon(waiting)
    thread.join()
    await soon(loopback.requests[0].gone.wait())


async def test_stream_outlives_its_client(loopback: Loopback) -> None:
    """Whoever keeps only the stream keeps its connection; the end of the stream ends that too."""
    ready = asyncio.Event()
    loopback.plays(streamed(*STREAM, pause={2: ready.wait}))
    stream = await AsyncOneLLM(api_key="k", base_url=loopback.url).chat.completions.create(**ASK, stream=True)
    gc.collect()
    await anext(stream)
    ready.set()
    assert await texts(stream) == PIECES
    gc.collect()
    await soon(loopback.wait_until_alone())


# --- connections are used again ---


async def test_connection_of_a_read_stream_is_used_again(client: AsyncOneLLM, loopback: Loopback) -> None:
    """The end of the body may come after `[DONE]`, or never be asked for; the connection is free either way."""
    for _ in range(3):
        loopback.plays(streamed(*STREAM))
        async with await client.chat.completions.create(**ASK, stream=True) as stream:
            assert await texts(stream) == PIECES
    assert [request.connection for request in loopback.requests] == [1, 1, 1]
    assert not loopback.requests[0].gone.is_set()


async def test_end_of_the_body_is_waited_for_a_little(client: AsyncOneLLM, loopback: Loopback) -> None:
    """It mostly comes just after `[DONE]`, and the connection is free then."""
    streams: list[AsyncChatCompletionStream] = []
    go_on = asyncio.Event()
    pause = {1: go_on.wait, len(STREAM) + 1: lambda: until_finished(streams[0])}
    loopback.plays(streamed(*STREAM, pause=pause), Answer(chunks=[CHAT]))
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        streams.append(stream)
        go_on.set()
        assert await soon(texts(stream)) == PIECES
    await client.chat.completions.create(**ASK)
    assert [request.connection for request in loopback.requests] == [1, 1]


async def test_end_of_the_body_is_not_waited_for_long(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A host that keeps the body open after `[DONE]` costs a connection, not the caller's time."""
    loopback.plays(streamed(*STREAM, cut="stall"))
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        assert await soon(texts(stream)) == PIECES
    await soon(loopback.requests[0].gone.wait())


async def test_caller_may_cancel_the_wait_for_the_end_of_the_body(client: AsyncOneLLM, loopback: Loopback) -> None:
    """That wait is an await like any other."""
    go_on = asyncio.Event()
    loopback.plays(streamed(*STREAM, pause={1: go_on.wait}, cut="stall"))
    stream = await client.chat.completions.create(**ASK, stream=True)
    reading = asyncio.create_task(texts(stream))
    await asyncio.sleep(0)
    go_on.set()
    await soon(until_finished(stream))
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await soon(loopback.requests[-1].gone.wait())


@pytest.mark.parametrize("rest", [[b"data: more\n\n"], []])
async def test_body_that_goes_on_after_the_last_event_is_dropped(
    client: AsyncOneLLM, loopback: Loopback, rest: list[bytes]
) -> None:
    """More bytes after `[DONE]`, or a reset: the answer is whole, the connection is not used again."""
    streams: list[AsyncChatCompletionStream] = []
    body = [*sse(*STREAM), *rest]
    go_on = asyncio.Event()
    pause = {1: go_on.wait, len(STREAM) + 1: lambda: until_finished(streams[0])}
    loopback.plays(
        Answer(chunks=body, content_type=type_sse, pause=pause, cut="stall" if rest else "reset"), Answer(chunks=[CHAT])
    )
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        streams.append(stream)
        go_on.set()
        assert await soon(texts(stream)) == PIECES
        assert (await stream.get_final_completion()).choices[0].finish_reason == "stop"
    await client.chat.completions.create(**ASK)
    assert [request.connection for request in loopback.requests] == [1, 2]


async def test_error_inside_a_200_without_a_status_is_no_success(client: AsyncOneLLM, loopback: Loopback) -> None:
    """`{"error": …}` as the body of a 200, without a stream."""
    loopback.plays(Answer(chunks=[SERVER_ERROR]))
    with pytest.raises(APIStatusError, match="while processing"):
        await client.chat.completions.create(**ASK)
    assert len(loopback.requests) == 3
