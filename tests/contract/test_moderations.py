"""Every row that serves `moderations` does it over a real socket; every other one says who does."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from loopback import Answer, Loopback
from served import KEY, client_for, every_row, every_row_without, only_request
from wire.moderations import ANSWERS

from onellm import BadRequestError, RateLimitError, UnsupportedFeatureError, UnsupportedParameterError
from onellm.dialects.openai.moderations import OpenAIModerations
from onellm.providers.compatible import ROWS


@pytest.fixture
async def loopback() -> AsyncIterator[Loopback]:
    async with Loopback() as server:
        yield server


@every_row("moderations")
async def test_request_and_answer(name: str, loopback: Loopback) -> None:
    """The path, the key and the body are the host's; the answer is OpenAI's, with the host's own categories."""
    loopback.plays(Answer(chunks=[ANSWERS[name]]))
    async with client_for(name, loopback) as client:
        reply = await client.moderations.create(model=f"{name}/some-model", input=["a text"])
    request = only_request(loopback)
    assert (request.method, request.path) == ("POST", "/v1/moderations")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json == {"model": "some-model", "input": ["a text"]}
    said = ANSWERS[name]["results"][0]
    assert reply.results[0].flagged is True
    assert reply.results[0].categories == said["categories"]
    assert reply.results[0].category_scores == said["category_scores"]
    assert (reply.provider, reply.id, reply.model) == (name, ANSWERS[name]["id"], ANSWERS[name]["model"])


@every_row("moderations")
async def test_429_is_tried_again_then_raised_with_its_wait(name: str, loopback: Loopback) -> None:
    """What the host asks to wait stands in the error."""
    loopback.plays(Answer(status=429, chunks=[{"error": {"message": "slow down"}}], headers={"retry-after": "0"}))
    async with client_for(name, loopback, max_retries=1) as client:
        with pytest.raises(RateLimitError) as caught:
            await client.moderations.create(model=f"{name}/m", input="a")
    assert (caught.value.retry_after, caught.value.provider, caught.value.model) == (0.0, name, "m")
    assert len(loopback.requests) == 2


@every_row("moderations")
async def test_400_is_not_tried_again(name: str, loopback: Loopback) -> None:
    """A bad request is one request, whatever words its message has in it."""
    loopback.plays(Answer(status=400, chunks=[{"error": {"message": "rate limit, try again"}}]))
    async with client_for(name, loopback) as client:
        with pytest.raises(BadRequestError) as caught:
            await client.moderations.create(model=f"{name}/m", input="a")
    assert caught.value.provider == name
    assert len(loopback.requests) == 1


@every_row("moderations")
async def test_images_are_judged_or_refused(name: str, loopback: Loopback) -> None:
    """An image is sent to a host that takes it, and is an error before anything is sent elsewhere."""
    loopback.plays(Answer(chunks=[ANSWERS[name]]))
    dialect = ROWS[name].moderations
    assert isinstance(dialect, OpenAIModerations)
    async with client_for(name, loopback, on_unsupported="drop") as client:
        if dialect.takes_parts:
            await client.moderations.create(
                model=f"{name}/m", input=[{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
            )
            assert only_request(loopback).json["input"][0]["type"] == "image_url"
        else:
            with pytest.raises(UnsupportedParameterError):
                await client.moderations.create(
                    model=f"{name}/m", input=[{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
                )
            assert loopback.requests == []


@every_row("moderations")
async def test_conversations_are_judged_or_refused(name: str, loopback: Loopback) -> None:
    """They go to the host's own address for them, and are an error before anything is sent where it has none."""
    loopback.plays(Answer(chunks=[ANSWERS[name]]))
    dialect = ROWS[name].moderations
    assert isinstance(dialect, OpenAIModerations)
    talk: Any = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    async with client_for(name, loopback, on_unsupported="drop") as client:
        if dialect.chat_path:
            reply = await client.moderations.create(model=f"{name}/m", input=talk)
            request = only_request(loopback)
            assert request.path == f"/v1/{dialect.chat_path}"
            assert request.headers["authorization"] == f"Bearer {KEY}"
            assert request.json == {"model": "m", "input": talk}
            assert len(reply.results) == 1
        else:
            with pytest.raises(UnsupportedParameterError, match="conversations") as caught:
                await client.moderations.create(model=f"{name}/m", input=talk)
            assert (caught.value.provider, caught.value.param, loopback.requests) == (name, "input", [])


@every_row_without("moderations")
async def test_row_without_it_says_who_serves_it(name: str, loopback: Loopback) -> None:
    """Nothing is sent; the message names providers that can."""
    async with client_for(name, loopback) as client:
        with pytest.raises(UnsupportedFeatureError, match=r"moderations.*mistral.*openai") as caught:
            await client.moderations.create(model=f"{name}/m", input="a")
    assert caught.value.provider == name
    assert loopback.requests == []
