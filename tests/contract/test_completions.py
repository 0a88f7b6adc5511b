"""Every row that serves `completions` does it over a real socket; every other one says who does."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from loopback import Answer, Loopback, sse, type_sse
from served import KEY, client_for, every_row, every_row_without, only_request
from wire.completions import FIM_STREAM, FIM_WHOLE, STREAM, WHOLE

from onellm import BadRequestError, RateLimitError, UnsupportedFeatureError, UnsupportedParameterError
from onellm.dialects.openai.completions import OpenAICompletions
from onellm.dialects.openai.fim import ChatShapedCompletions
from onellm.providers.compatible import ROWS

# Where it is found below the base URL, if not at `completions`.
PATHS = {"mistral": "/v1/fim/completions"}


@pytest.fixture
async def loopback() -> AsyncIterator[Loopback]:
    async with Loopback() as server:
        yield server


def dialect(name: str) -> OpenAICompletions:
    found = ROWS[name].completions
    assert isinstance(found, OpenAICompletions)
    return found


def wire(name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the host answers, whole and streamed."""
    return (FIM_WHOLE, FIM_STREAM) if isinstance(dialect(name), ChatShapedCompletions) else (WHOLE, STREAM)


@every_row("completions")
async def test_request_and_answer(name: str, loopback: Loopback) -> None:
    """The path, the key and the body are the host's; the answer is OpenAI's."""
    whole, _ = wire(name)
    loopback.plays(Answer(chunks=[whole]))
    async with client_for(name, loopback) as client:
        reply = await client.completions.create(
            model=f"{name}/some/model", prompt="def f(", suffix="return 1", max_tokens=16, stop=["\n"]
        )
    request = only_request(loopback)
    assert (request.method, request.path) == ("POST", PATHS.get(name, "/v1/completions"))
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert request.json == {
        "model": "some/model",
        "prompt": "def f(",
        "suffix": "return 1",
        "max_tokens": 16,
        "stop": ["\n"],
    }
    said = whole["choices"][0]
    assert reply.choices[0].text == said.get("text", said.get("message", {}).get("content"))
    assert reply.choices[0].finish_reason == said["finish_reason"]
    assert reply.usage is not None
    assert reply.usage.total_tokens == whole["usage"]["total_tokens"]
    assert (reply.provider, reply.object) == (name, "text_completion")


@every_row("completions")
async def test_streamed_answer_equals_the_whole(name: str, loopback: Loopback) -> None:
    """The stream folds to the same answer, and asks for usage where the host gives it only then."""
    whole, stream = wire(name)
    loopback.plays(Answer(chunks=[whole]), Answer(chunks=sse(*stream), content_type=type_sse))
    async with client_for(name, loopback) as client:
        expected = await client.completions.create(model=f"{name}/m", prompt="a")
        async with await client.completions.create(model=f"{name}/m", prompt="a", stream=True) as opened:
            text = "".join([piece async for piece in opened.text()])
            final = await opened.get_final_completion()
    assert text == expected.choices[0].text
    assert (final.choices, final.usage, final.id) == (expected.choices, expected.usage, expected.id)
    body = loopback.requests[1].json
    assert body.pop("stream") is True
    assert body.pop("stream_options", None) == ({"include_usage": True} if dialect(name).stream_usage else None)
    assert body == {"model": "m", "prompt": "a"}


@every_row("completions")
async def test_429_is_tried_again_then_raised_with_its_wait(name: str, loopback: Loopback) -> None:
    """What the host asks to wait stands in the error."""
    loopback.plays(Answer(status=429, chunks=[{"error": {"message": "slow down"}}], headers={"retry-after": "0"}))
    async with client_for(name, loopback, max_retries=1) as client:
        with pytest.raises(RateLimitError) as caught:
            await client.completions.create(model=f"{name}/m", prompt="a")
    assert (caught.value.retry_after, caught.value.provider, caught.value.model) == (0.0, name, "m")
    assert len(loopback.requests) == 2


@every_row("completions")
@pytest.mark.parametrize("stream", [False, True])
async def test_400_is_not_tried_again(name: str, loopback: Loopback, stream: bool) -> None:
    """A bad request is one request, whatever words its message has in it."""
    loopback.plays(Answer(status=400, chunks=[{"error": {"message": "rate limit, try again", "param": "prompt"}}]))
    async with client_for(name, loopback) as client:
        with pytest.raises(BadRequestError) as caught:
            await client.completions.create(model=f"{name}/m", prompt="a", stream=stream)
    assert (caught.value.provider, caught.value.param) == (name, "prompt")
    assert len(loopback.requests) == 1


@every_row("completions")
async def test_what_the_host_lacks_is_said(name: str, loopback: Loopback) -> None:
    """An argument that the row refuses raises before anything is sent, or is left out where the caller says so."""
    loopback.plays(Answer(chunks=[wire(name)[0]]))
    every: dict[str, Any] = {
        "best_of": 2,
        "echo": True,
        "frequency_penalty": 1,
        "logit_bias": {"1": 1},
        "logprobs": 1,
        "n": 2,
        "presence_penalty": 1,
        "seed": 1,
        "user": "u",
    }
    quirks = dialect(name)
    lacking = quirks.refuses.keys() & every.keys()
    async with client_for(name, loopback) as client:
        for param in sorted(lacking):
            with pytest.raises(UnsupportedParameterError) as caught:
                await client.completions.create(model=f"{name}/m", prompt="a", **{param: every[param]})
            assert (caught.value.param, caught.value.provider) == (param, name)
        assert loopback.requests == []
        reply = await client.completions.create(model=f"{name}/m", prompt="a", on_unsupported="drop", **every)
    kept = {quirks.renames.get(param, param): every[param] for param in every.keys() - lacking}
    assert only_request(loopback).json == {"model": "m", "prompt": "a", **kept}
    assert len(reply.adjustments) == len(lacking) + len(quirks.renames)


@every_row_without("completions")
async def test_row_without_it_says_who_serves_it(name: str, loopback: Loopback) -> None:
    """Nothing is sent; the message names providers that can."""
    async with client_for(name, loopback) as client:
        with pytest.raises(UnsupportedFeatureError, match=r"completions.*fireworks.*openai") as caught:
            await client.completions.create(model=f"{name}/m", prompt="a")
    assert caught.value.provider == name
    assert loopback.requests == []


def test_address_outside_the_base_url() -> None:
    """Fill-in-the-middle of DeepSeek is a beta below another path."""
    hosted = {name: dialect(name).hosted_at for name, row in ROWS.items() if row.completions is not None}
    assert {name: url for name, url in hosted.items() if url} == {
        "deepseek": "https://api.deepseek.com/beta/completions"
    }
