"""`completions` over a real socket."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from loopback import Answer, Loopback, sse, type_sse
from msgspec import structs
from served import KEY, client_for, only_request
from wire.completions import STREAM, WHOLE, chunk

from onellm import (
    APIConnectionError,
    AsyncCompletionStream,
    AsyncOneLLM,
    BadRequestError,
    InternalServerError,
    InvalidRequestError,
    StreamInterruptedError,
    UnsupportedFeatureError,
)
from onellm.dialects.openai.completions import OpenAICompletions
from onellm.providers.compatible import ROWS


@pytest.fixture
async def loopback() -> AsyncIterator[Loopback]:
    async with Loopback() as server:
        yield server


@pytest.fixture
async def client(loopback: Loopback) -> AsyncIterator[AsyncOneLLM]:
    async with client_for("openai", loopback, max_retries=1) as bound:
        yield bound


def streamed(*events: Any, done: bool = True, **how: Any) -> Answer:
    return Answer(chunks=sse(*events, done=done), content_type=type_sse, **how)


async def opened(client: AsyncOneLLM) -> AsyncCompletionStream:
    return await client.completions.create(model="openai/davinci-002", prompt="Roses are red,", stream=True)


async def test_whole_answer(client: AsyncOneLLM, loopback: Loopback) -> None:
    """The answer has OpenAI's shape, and says who gave it."""
    loopback.plays(Answer(chunks=[WHOLE], headers={"x-request-id": "r1"}))
    reply = await client.completions.create(model="openai/davinci-002", prompt="Roses are red,", max_tokens=16)
    assert reply.choices[0].text == " blue, ünd 🌊.\n"
    assert reply.choices[0].finish_reason == "length"
    assert reply.usage is not None
    assert reply.usage.total_tokens == 24
    assert (reply.provider, reply.request_id) == ("openai", "r1")
    request = only_request(loopback)
    assert (request.method, request.path) == ("POST", "/v1/completions")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json == {"model": "davinci-002", "prompt": "Roses are red,", "max_tokens": 16}


async def test_final_completion_equals_the_whole_answer(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A streamed answer is the same in the end, but for the bytes it came in."""
    loopback.plays(Answer(chunks=[WHOLE]), streamed(*STREAM))
    whole = await client.completions.create(model="openai/davinci-002", prompt="Roses are red,")
    async with await opened(client) as stream:
        pieces = [piece async for piece in stream.text()]
        final = await stream.get_final_completion()
    assert pieces == [" blue,", " ünd 🌊", ".\n"]
    assert structs.replace(whole, raw=b"") == final
    assert loopback.requests[1].json == {
        "model": "davinci-002",
        "prompt": "Roses are red,",
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_chunks_come_as_they_are_sent(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A chunk is handed out before the next one has been written, and says who gave it."""
    ready = asyncio.Event()
    loopback.plays(streamed(*STREAM, pause={1: ready.wait}, headers={"x-request-id": "r2"}))
    async with await opened(client) as stream:
        first = await anext(stream)
        assert (first.choices[0].text, first.provider, first.request_id) == (" blue,", "openai", "r2")
        ready.set()
        rest = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].text for chunk in rest) == " ünd 🌊.\n"
    assert stream.request_id == "r2"


async def test_final_completion_reads_what_was_not_read(client: AsyncOneLLM, loopback: Loopback) -> None:
    """One may ask for the whole at any time, and twice."""
    loopback.plays(streamed(*STREAM))
    async with await opened(client) as stream:
        await anext(stream)
        final = await stream.get_final_completion()
        assert final.choices[0].text == " blue, ünd 🌊.\n"
        assert await stream.get_final_completion() is final


@pytest.mark.parametrize("cut", ["close", "reset"])
async def test_cut_stream_is_an_error(client: AsyncOneLLM, loopback: Loopback, cut: str) -> None:
    """What came until then is handed out first, and nothing is sent again."""
    release = asyncio.Event()
    loopback.plays(streamed(*STREAM[:2], done=False, cut=cut, pause={2: release.wait}))
    async with await opened(client) as stream:
        assert (await anext(stream)).choices[0].text == " blue,"
        release.set()
        with pytest.raises(APIConnectionError) as caught:
            [chunk async for chunk in stream]
    assert caught.value.provider == "openai"
    assert len(loopback.requests) == 1


async def test_stream_that_ends_properly_without_its_end_is_an_error(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A body may be whole and the answer in it not."""
    loopback.plays(streamed(*STREAM[:2], done=False))
    async with await opened(client) as stream:
        with pytest.raises(StreamInterruptedError) as caught:
            await stream.get_final_completion()
    assert (caught.value.provider, caught.value.model) == ("openai", "davinci-002")


async def test_error_inside_a_stream(client: AsyncOneLLM, loopback: Loopback) -> None:
    """It is the error that its status would have been, after the chunks that came before it."""
    failed = {"error": {"message": "the server had an error", "type": "server_error"}}
    loopback.plays(streamed(STREAM[0], failed, headers={"x-request-id": "r3"}))
    async with await opened(client) as stream:
        assert (await anext(stream)).choices[0].text == " blue,"
        with pytest.raises(InternalServerError) as caught:
            await anext(stream)
    assert caught.value.request_id == "r3"
    assert len(loopback.requests) == 1


async def test_error_before_the_first_chunk_is_tried_again(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Nothing was handed out yet: an error that may pass is one more request."""
    failed = {"error": {"message": "busy", "type": "server_error"}}
    loopback.plays(Answer(status=503, chunks=[failed], headers={"retry-after": "0"}), streamed(*STREAM))
    async with await opened(client) as stream:
        assert (await stream.get_final_completion()).choices[0].finish_reason == "length"
    assert len(loopback.requests) == 2


async def test_leaving_closes_the_connection(client: AsyncOneLLM, loopback: Loopback) -> None:
    """The provider sees at once that nobody listens any more."""
    loopback.plays(streamed(*STREAM, pause={1: asyncio.Event().wait}))
    async with await opened(client) as stream:
        await anext(stream)
    await asyncio.wait_for(loopback.requests[0].gone.wait(), 5)
    with pytest.raises(StreamInterruptedError):
        await stream.get_final_completion()


async def test_losing_the_stream_closes_the_connection(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Without `async with`, the last reference takes the connection with it."""
    loopback.plays(streamed(*STREAM, pause={1: asyncio.Event().wait}))
    stream = await opened(client)
    await anext(stream)
    del stream
    gc.collect()
    await asyncio.wait_for(loopback.requests[0].gone.wait(), 5)


async def test_several_prompts(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Each prompt has its answers; tuples and token ids are sent as lists."""
    loopback.plays(streamed(chunk("a", "b"), chunk("", "", finish="stop")))
    stream = await client.completions.create(model="openai/davinci-002", prompt=((1, 2), (3,)), stream=True)
    async with stream:
        final = await stream.get_final_completion()
    assert [(choice.index, choice.text) for choice in final.choices] == [(0, "a"), (1, "b")]
    assert only_request(loopback).json["prompt"] == [[1, 2], [3]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prompt": []}, "prompt is empty"),
        ({"prompt": [[1], []]}, "prompt is empty"),
        ({"prompt": ["a", 1]}, "mixes"),
        ({"prompt": b"a"}, "prompt must be a text"),
        ({"prompt": 1}, "prompt must be a text"),
        ({"prompt": [1.5]}, r"prompt\[0\]"),
        ({"prompt": "a", "max_tokens": -1}, "max_tokens"),
        ({"prompt": "a", "temprature": 1}, "did you mean temperature"),
        ({"prompt": "a", "logprobs": True}, "logprobs"),
        ({"prompt": "a", "n": 0}, "n: "),
    ],
)
async def test_wrong_arguments(
    client: AsyncOneLLM, loopback: Loopback, arguments: dict[str, Any], message: str
) -> None:
    """The error names the argument, and nothing is sent."""
    with pytest.raises(InvalidRequestError, match=message) as caught:
        await client.completions.create(model="openai/davinci-002", **arguments)
    assert caught.value.param in arguments
    assert loopback.requests == []


async def test_no_prompt_begins_a_new_document(client: AsyncOneLLM, loopback: Loopback) -> None:
    """None is sent as null, as OpenAI's own client does; an empty text is one."""
    loopback.plays(Answer(chunks=[WHOLE]))
    await client.completions.create(model="openai/davinci-002", prompt=None)
    await client.completions.create(model="openai/davinci-002", prompt="")
    assert [request.json["prompt"] for request in loopback.requests] == [None, ""]


async def test_answer_that_is_no_stream(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A host that does not stream says so by its answer; an error in it is that error."""
    loopback.plays(Answer(chunks=[WHOLE]))
    with pytest.raises(UnsupportedFeatureError):
        await opened(client)
    loopback.plays(Answer(chunks=[{"error": {"message": "no", "type": "invalid_request_error"}}]))
    with pytest.raises(BadRequestError):
        await opened(client)


async def test_provider_of_ones_own_serves_completions(loopback: Loopback) -> None:
    """A host that only the settings know speaks OpenAI's API, this part of it too."""
    loopback.plays(Answer(chunks=[WHOLE]))
    async with AsyncOneLLM(providers={"mine": {"base_url": f"{loopback.url}/v1", "proxy": ""}}) as client:
        reply = await client.completions.create(model="mine/any", prompt="a")
    assert (reply.provider, only_request(loopback).path) == ("mine", "/v1/completions")


async def test_operation_that_is_hosted_elsewhere(loopback: Loopback) -> None:
    """It has its own address as long as the base URL is the provider's, and stands below a base URL of one's own."""
    loopback.plays(Answer(chunks=[WHOLE]))
    row = ROWS["deepseek"]
    assert isinstance(row.completions, OpenAICompletions)
    there = structs.replace(row.completions, hosted_at=f"{loopback.url}/beta/completions")
    provider = structs.replace(row, name="here", base_url=f"{loopback.url}/v1", completions=there)
    for settings, path in (({}, "/beta/completions"), ({"base_url": f"{loopback.url}/proxy"}, "/proxy/completions")):
        async with AsyncOneLLM(providers={"here": {"api_key": KEY, "proxy": "", **settings}}) as client:
            client.register(provider)
            await client.completions.create(model="here/deepseek-v4-pro", prompt="def f(", suffix="return 1")
        assert loopback.requests[-1].path == path
        assert loopback.requests[-1].headers["authorization"] == f"Bearer {KEY}"
