"""The same call by `openai`'s own client and by ours: what is sent and what is read."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from loopback import Answer, Loopback, sse, type_sse
from served import KEY, client_for
from wire.completions import STREAM, WHOLE

from onellm import AsyncOneLLM

CALLS: list[dict[str, Any]] = [
    {"prompt": "Say this is a test"},
    {"prompt": None},
    {"prompt": ["a", "b"], "n": 2, "best_of": 3},
    {"prompt": [1, 2, 3], "echo": True, "logprobs": 5, "max_tokens": 0},
    {"prompt": [[1, 2], [3]], "logit_bias": {"50256": -100}, "stop": ["\n", "END"]},
    {"prompt": "def f(", "suffix": "return 1", "seed": 7, "temperature": 0, "top_p": 0.5, "user": "u"},
    {"prompt": "ü🌊", "frequency_penalty": -1.5, "presence_penalty": 2, "extra_body": {"min_p": 0.1}},
]


@pytest.fixture
async def loopback() -> AsyncIterator[Loopback]:
    async with Loopback() as server:
        yield server


@pytest.fixture
async def ours(loopback: Loopback) -> AsyncIterator[AsyncOneLLM]:
    async with client_for("openai", loopback) as client:
        yield client


@pytest.fixture
async def theirs(loopback: Loopback) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key=KEY, base_url=f"{loopback.url}/v1", max_retries=0) as client:
        yield client


@pytest.mark.parametrize("call", CALLS, ids=",".join)
async def test_same_request_and_same_answer(
    loopback: Loopback, ours: AsyncOneLLM, theirs: openai.AsyncOpenAI, call: dict[str, Any]
) -> None:
    """The body is equal as JSON, and so is every field of the answer that theirs has."""
    loopback.plays(Answer(chunks=[WHOLE]))
    expected = await theirs.completions.create(model="davinci-002", **call)
    reply = await ours.completions.create(model="openai/davinci-002", **call)
    one, other = loopback.requests
    assert (one.method, one.path, one.json) == (other.method, other.path, other.json)
    assert reply.to_dict()["choices"][0] == expected.to_dict()["choices"][0] | {"finish_reason_raw": "length"}
    for name, value in expected.to_dict(exclude_unset=False, exclude_none=True).items():
        if name != "choices":
            assert reply.to_dict()[name] == value


async def test_same_streamed_request_and_same_chunks(
    loopback: Loopback, ours: AsyncOneLLM, theirs: openai.AsyncOpenAI
) -> None:
    """With the usage asked for by both, both send the same and read the same."""
    loopback.plays(Answer(chunks=sse(*STREAM), content_type=type_sse))
    call: dict[str, Any] = {"prompt": "Roses", "stream": True, "stream_options": {"include_usage": True}}
    expected = [chunk async for chunk in await theirs.completions.create(model="davinci-002", **call)]
    async with await ours.completions.create(model="openai/davinci-002", **call) as stream:
        chunks = [chunk async for chunk in stream]
    one, other = loopback.requests
    assert one.json == other.json
    assert [[choice.text for choice in chunk.choices] for chunk in chunks] == [
        [choice.text for choice in chunk.choices] for chunk in expected
    ]
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices] == [
        chunk.choices[0].finish_reason for chunk in expected if chunk.choices
    ]
    assert chunks[-1].usage is not None
    assert expected[-1].usage is not None
    assert chunks[-1].usage.to_dict() == expected[-1].usage.to_dict()
