"""Every row that serves `responses` does it over a real socket; every other one says who does."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from loopback import Answer, Loopback, type_sse
from served import KEY, client_for, every_row, every_row_without, only_request
from wire.responses import BEGUN, MESSAGE, STREAM, WHOLE, named

from onellm import (
    BadRequestError,
    InternalServerError,
    RateLimitError,
    StreamInterruptedError,
    UnsupportedFeatureError,
    UnsupportedParameterError,
)
from onellm.dialects.openai.responses import OpenAIResponses
from onellm.providers.compatible import ROWS

BODY = json.dumps(WHOLE, ensure_ascii=False).encode()
EVERY: dict[str, Any] = {
    "background": True,
    "conversation": "conv_1",
    "include": ["reasoning.encrypted_content"],
    "previous_response_id": "resp_0",
    "safety_identifier": "s",
    "store": True,
    "truncation": "auto",
    "max_output_tokens": 9,
}


@pytest.fixture
async def loopback() -> AsyncIterator[Loopback]:
    async with Loopback() as server:
        server.plays(Answer(chunks=[BODY], headers={"x-request-id": "req_1"}))
        yield server


def dialect(name: str) -> OpenAIResponses:
    found = ROWS[name].responses
    assert isinstance(found, OpenAIResponses)
    return found


@every_row("responses")
async def test_request_and_answer(name: str, loopback: Loopback) -> None:
    """The path, the key and the body are the host's; what came out goes back in byte for byte."""
    async with client_for(name, loopback) as client:
        turns: list[Any] = [{"role": "user", "content": "Hi"}]
        reply = await client.responses.create(model=f"{name}/some/model", input=turns, instructions="Be brief.")
        turns += reply.output
        turns.append({"type": "function_call_output", "call_id": "call_1", "output": "21 °C"})
        await client.responses.create(model=f"{name}/some/model", input=turns)
    first, second = loopback.requests
    assert (first.method, first.path) == ("POST", f"/v1/{dialect(name).path}")
    assert first.headers["authorization"] == f"Bearer {KEY}"
    assert first.headers["content-type"] == "application/json"
    assert first.json == {
        "model": "some/model",
        "input": [{"role": "user", "content": "Hi"}],
        "instructions": "Be brief.",
    }
    assert second.json["input"][1:-1] == WHOLE["output"]
    assert BODY[BODY.index(b'"output": [') + 11 : BODY.index(b'], "parallel')].replace(b"}, {", b"},{") in (
        second.body.replace(b"}, {", b"},{")
    )
    assert (reply.provider, reply.request_id, reply.output_text) == (name, "req_1", "Grüße, 🌊!")
    assert reply.to_dict() == WHOLE


@every_row("responses")
async def test_streamed_answer_equals_the_whole(name: str, loopback: Loopback) -> None:
    async with client_for(name, loopback) as client:
        expected = await client.responses.create(model=f"{name}/m", input="a")
        loopback.plays(Answer(chunks=named(*STREAM), content_type=type_sse, headers={"x-request-id": "req_1"}))
        async with await client.responses.create(model=f"{name}/m", input="a", stream=True) as opened:
            events = [event async for event in opened]
            final = await opened.get_final_response()
    assert loopback.requests[1].json == {"model": "m", "input": "a", "stream": True}
    assert final == expected
    assert [event.to_dict() for event in events] == STREAM
    assert {(event.provider, event.request_id) for event in events} == {(name, "req_1")}


@every_row("responses")
@pytest.mark.parametrize("cut", ["", "close", "reset"])
async def test_cut_stream_is_an_error(name: str, loopback: Loopback, cut: str) -> None:
    """Properly ended, closed or reset: without its last event it is no answer."""
    loopback.plays(Answer(chunks=named(*STREAM[:-1]), content_type=type_sse, cut=cut))
    async with client_for(name, loopback) as client:
        opened = await client.responses.create(model=f"{name}/m", input="a", stream=True)
        with pytest.raises(StreamInterruptedError) as caught:
            await opened.get_final_response()
    assert (caught.value.provider, caught.value.model) == (name, "m")


@every_row("responses")
async def test_failure_inside_a_stream(name: str, loopback: Loopback) -> None:
    """The exception that its status would have been."""
    failed = BEGUN | {"status": "failed", "error": {"code": "server_error", "message": "it broke"}}
    events = named(STREAM[0], {"type": "response.failed", "response": failed})
    loopback.plays(Answer(chunks=events, content_type=type_sse))
    async with client_for(name, loopback, max_retries=0) as client:
        with pytest.raises(InternalServerError, match="it broke") as caught:
            async with await client.responses.create(model=f"{name}/m", input="a", stream=True) as opened:
                await opened.get_final_response()
    assert (caught.value.provider, caught.value.code) == (name, "server_error")


@every_row("responses")
async def test_429_is_tried_again_then_raised_with_its_wait(name: str, loopback: Loopback) -> None:
    loopback.plays(Answer(status=429, chunks=[{"error": {"message": "slow down"}}], headers={"retry-after": "0"}))
    async with client_for(name, loopback, max_retries=1) as client:
        with pytest.raises(RateLimitError) as caught:
            await client.responses.create(model=f"{name}/m", input="a")
    assert (caught.value.retry_after, caught.value.provider, caught.value.model) == (0.0, name, "m")
    assert len(loopback.requests) == 2


@every_row("responses")
@pytest.mark.parametrize("stream", [False, True])
async def test_400_is_not_tried_again(name: str, loopback: Loopback, stream: bool) -> None:
    loopback.plays(Answer(status=400, chunks=[{"error": {"message": "rate limit, try again", "param": "input"}}]))
    async with client_for(name, loopback) as client:
        with pytest.raises(BadRequestError) as caught:
            await client.responses.create(model=f"{name}/m", input="a", stream=stream)
    assert (caught.value.provider, caught.value.param) == (name, "input")
    assert len(loopback.requests) == 1


@every_row("responses")
async def test_what_the_host_lacks_is_said(name: str, loopback: Loopback) -> None:
    """An argument that the row refuses raises before anything is sent, or is left out where the caller says so."""
    lacking = dialect(name).refuses.keys()
    assert lacking <= EVERY.keys()
    async with client_for(name, loopback) as client:
        for param in sorted(lacking):
            one: Any = {param: EVERY[param]}
            with pytest.raises(UnsupportedParameterError) as caught:
                await client.responses.create(model=f"{name}/m", input="a", **one)
            assert (caught.value.param, caught.value.provider) == (param, name)
        assert loopback.requests == []
        reply = await client.responses.create(model=f"{name}/m", input="a", on_unsupported="drop", **EVERY)
    kept = {param: value for param, value in EVERY.items() if param not in lacking}
    assert only_request(loopback).json == {"model": "m", "input": "a", **kept}
    assert len(reply.adjustments) == len(lacking)


@every_row("responses")
async def test_kept_responses(name: str, loopback: Loopback) -> None:
    """They are asked for again, streamed on, listed, cancelled and deleted at the host's path, or it is said."""
    row = dialect(name)
    pages = [{"data": [MESSAGE | {"id": each}], "has_more": more} for each, more in (("a", True), ("b", False))]
    async with client_for(name, loopback) as client:
        kept = client.responses
        if not row.keeps:
            for call in (kept.retrieve, kept.delete, kept.cancel, kept.input_items.list):
                with pytest.raises(UnsupportedFeatureError, match="keeps no responses") as caught:
                    await call("resp_1", provider=name)
                assert caught.value.provider == name
            assert loopback.requests == []
            return
        assert (await kept.retrieve("resp_1", provider=name)).to_dict() == WHOLE
        if row.cancels:
            assert (await kept.cancel("resp_1", provider=name)).id == "resp_1"
        else:
            with pytest.raises(UnsupportedFeatureError, match="cannot cancel"):
                await kept.cancel("resp_1", provider=name)
        loopback.plays(Answer(chunks=named(*STREAM[5:]), content_type=type_sse))
        async with await kept.retrieve("resp_1", stream=True, starting_after=4, provider=name) as opened:
            assert (await opened.get_final_response()).id == "resp_1"
        loopback.plays(*(Answer(chunks=[page]) for page in pages))
        assert [item.id async for item in kept.input_items.list("resp_1", limit=1, provider=name)] == ["a", "b"]
        loopback.plays(Answer(chunks=[{"id": "resp_1", "object": "response", "deleted": True}]))
        assert (await kept.delete("resp_1", provider=name)).deleted is True
    path = f"/v1/{row.path}/resp_1"
    assert [(request.method, request.path, request.query) for request in loopback.requests] == [
        ("GET", path, {}),
        *([("POST", f"{path}/cancel", {})] if row.cancels else []),
        ("GET", path, {"stream": "true", "starting_after": "4"}),
        ("GET", f"{path}/input_items", {"limit": "1"}),
        ("GET", f"{path}/input_items", {"limit": "1", "after": "a"}),
        ("DELETE", path, {}),
    ]


@every_row_without("responses")
async def test_row_without_it_says_who_serves_it(name: str, loopback: Loopback) -> None:
    """Nothing is sent; the message names providers that can."""
    async with client_for(name, loopback) as client:
        with pytest.raises(UnsupportedFeatureError, match=r"responses.*groq.*openai") as caught:
            await client.responses.create(model=f"{name}/m", input="a")
    assert caught.value.provider == name
    assert loopback.requests == []
