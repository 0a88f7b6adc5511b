"""What holds for every provider, for the older API of Azure: its row speaks v1 where nothing else is said."""

from typing import Any

import pytest
from loopback import Answer, Loopback, type_sse
from wire.chat_completions import (
    ANSWER,
    DONE,
    OVERLOADED_EVENT,
    QUESTION,
    STREAM,
    TEXT,
    TOOL_ANSWER,
    TOOL_STREAM,
    check_chat_body,
    refusal,
)

from onellm import AsyncOneLLM, RetryPolicy
from onellm.errors import BadRequestError, OverloadedError, RateLimitError, StreamInterruptedError

VERSION = "2024-12-01-preview"
ASK: dict[str, Any] = {"model": "azure/gpt.mine", "messages": [{"role": "user", "content": QUESTION}]}
TARGET = f"/openai/deployments/gpt.mine/chat/completions?api-version={VERSION}"
QUICK = RetryPolicy(max_retries=2, initial=0.001, maximum=0.001, jitter=0.0)


def connect(loopback: Loopback) -> AsyncOneLLM:
    own = {"api_key": "k-1", "base_url": loopback.url, "options": {"api_version": VERSION}}
    return AsyncOneLLM(providers={"azure": own}, retry=QUICK)


def streaming(*events: bytes, **how: Any) -> Answer:
    return Answer(chunks=events, content_type=type_sse, **how)


@pytest.mark.parametrize("tools", [False, True], ids=["text", "tools"])
async def test_the_answer_equals_the_folded_stream(loopback: Loopback, tools: bool) -> None:
    """And each goes out at the deployment's path, with the version and the key."""
    body, events = (TOOL_ANSWER, TOOL_STREAM) if tools else (ANSWER, STREAM)
    loopback.plays(Answer(chunks=[body]), streaming(*events))
    async with connect(loopback) as client:
        whole = await client.chat.completions.create(**ASK)
        async with await client.chat.completions.create(**ASK, stream=True) as stream:
            folded = await stream.get_final_completion()
    assert [request.target for request in loopback.requests] == [TARGET] * 2
    assert [request.headers["api-key"] for request in loopback.requests] == ["k-1"] * 2
    for request, streams in zip(loopback.requests, (False, True), strict=True):
        check_chat_body(request.json, "gpt.mine", stream=streams)
        assert request.headers["content-type"] == "application/json"
    told, refolded = whole.choices[0].message, folded.choices[0].message
    assert (told.content, told.tool_calls) == (refolded.content, refolded.tool_calls)
    assert told.content == (None if tools else TEXT)
    assert (whole.usage, whole.choices[0].finish_reason) == (folded.usage, folded.choices[0].finish_reason)


@pytest.mark.parametrize("stream", [False, True])
async def test_429_is_retried_then_raised(loopback: Loopback, stream: bool) -> None:
    loopback.plays(Answer(status=429, chunks=[refusal("slow down", "429")], headers={"retry-after-ms": "1"}))
    async with connect(loopback) as client:
        with pytest.raises(RateLimitError, match="slow down") as caught:
            await client.chat.completions.create(**ASK, stream=stream)
    assert [request.target for request in loopback.requests] == [TARGET] * 3
    assert (caught.value.provider, caught.value.model, caught.value.code) == ("azure", "gpt.mine", None)
    assert caught.value.retry_after == 0.001


@pytest.mark.parametrize("stream", [False, True])
async def test_400_is_sent_once(loopback: Loopback, stream: bool) -> None:
    loopback.plays(Answer(status=400, chunks=[refusal("timeout, try again", "unsupported_value")]))
    async with connect(loopback) as client:
        with pytest.raises(BadRequestError, match="try again"):
            await client.chat.completions.create(**ASK, stream=stream)
    assert len(loopback.requests) == 1


@pytest.mark.parametrize("cut", ["close", "eof", "reset"])
async def test_a_cut_stream_is_an_error(loopback: Loopback, cut: str) -> None:
    loopback.plays(streaming(*STREAM[:3], cut=cut))
    async with connect(loopback) as client:
        with pytest.raises(StreamInterruptedError):
            async with await client.chat.completions.create(**ASK, stream=True) as stream:
                await stream.get_final_completion()
    assert len(loopback.requests) == 1


async def test_an_error_event_inside_a_stream(loopback: Loopback) -> None:
    loopback.plays(streaming(*STREAM[:3], OVERLOADED_EVENT, DONE))
    async with connect(loopback) as client:
        with pytest.raises(OverloadedError, match="The server is overloaded"):
            async with await client.chat.completions.create(**ASK, stream=True) as stream:
                await stream.get_final_completion()
    assert len(loopback.requests) == 1
