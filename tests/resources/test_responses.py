"""`client.responses`: what is checked before anything is sent, and what goes out."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from loopback import Answer, Loopback, streamed
from served import client_for, only_request
from wire.responses import STREAM, WHOLE

from onellm import AsyncOneLLM, InvalidRequestError
from onellm.types.response_items import ContentPart, ResponseFunctionToolCall, ResponseFunctionToolCallOutputItem

USER = {"role": "user", "content": "Hi"}


@pytest.fixture
async def loopback() -> AsyncIterator[Loopback]:
    async with Loopback() as server:
        server.plays(Answer(chunks=[WHOLE]))
        yield server


@pytest.fixture
async def client(loopback: Loopback) -> AsyncIterator[AsyncOneLLM]:
    async with client_for("openai", loopback) as made:
        yield made


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (b"Hi", "input must be a text or a list of items, not bytes"),
        (USER, "input must be a text or a list of items, not dict"),
        (7, "input must be a text or a list of items, not int"),
        (["Hi"], r"input\[0\] must be a dict or an item of a response, not str"),
        ([USER, {}], r"input\[1\] has neither a role nor a type"),
        ([{"role": "usr", "content": "a"}], r"input\[0\].role cannot be 'usr'; did you mean 'user'\?"),
        ([{"role": 3, "content": "a"}], r"input\[0\].role cannot be 3; it is user, assistant, system, developer"),
        ([{"role": "tool", "content": "a"}], r"a tool's answer has the type 'function_call_output' here"),
        ([{"type": "function_cal", "name": "f"}], r"input\[0\].type is 'function_cal'; did you mean 'function_call'\?"),
        ([{"type": 3}], r"input\[0\].type must be a text, not int"),
        ([{"role": "user"}], r"input\[0\] \(message\) has no content"),
        ([{"type": "message", "content": "a"}], r"input\[0\].role cannot be None"),
        ([{"type": "function_call_output", "output": "a"}], r"input\[0\] \(function_call_output\) has no call_id"),
        (
            [USER, {"role": "user", "content": [{"type": "text", "text": "a"}]}],
            r"input\[1\].content\[0\].type is 'text'; did you mean 'input_text'\?",
        ),
        ([{"role": "user", "content": [{"type": "input_txt"}]}], r"did you mean 'input_text'\?"),
        ([{"role": "user", "content": ["a"]}], r"input\[0\].content\[0\] must be a dict, not str"),
        ([{"role": "user", "content": [{"text": "a"}]}], r"input\[0\].content\[0\] has no type"),
    ],
)
async def test_wrong_input_is_named_before_anything_is_sent(
    client: AsyncOneLLM, loopback: Loopback, given: Any, message: str
) -> None:
    with pytest.raises(InvalidRequestError, match=message) as caught:
        await client.responses.create(model="m", input=given)
    assert caught.value.param == "input"
    assert loopback.requests == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"messages": [USER]}, "no argument 'messages'; it is input here"),
        ({"max_tokens": 5}, "it is max_output_tokens here"),
        ({"response_format": {"type": "text"}}, 'it is text={"format": …} here'),
        ({"reasoning_effort": "low"}, 'it is reasoning={"effort": …} here'),
        ({"instruction": "a"}, "did you mean instructions"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": "warm"}, "temperature"),
        ({"truncation": "some"}, "truncation"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, r"tools\[0\]: name, description"),
        ({"text": {"format": {"type": "json_schema", "json_schema": {"name": "a"}}}}, "text.format: name, schema"),
    ],
)
async def test_wrong_argument_is_named(
    client: AsyncOneLLM, loopback: Loopback, given: dict[str, Any], message: str
) -> None:
    """Also one that Chat Completions spells so."""
    with pytest.raises(InvalidRequestError) as caught:
        await client.responses.create(model="m", input="a", **given)
    assert message.replace("\\", "") in str(caught.value)
    assert loopback.requests == []


async def test_what_is_not_known_here_passes(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Types of items and parts that are new."""
    turns: list[dict[str, Any]] = [
        {"type": "telepathy_call", "thought": "…"},
        {"role": "user", "content": [{"type": "input_smell", "smell": "rose"}]},
    ]
    await client.responses.create(model="m", input=turns)
    assert only_request(loopback).json["input"] == turns


async def test_input_may_be_made_of_structs(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Items and parts that the caller made go without what they leave open; any iterable will do."""
    call = ResponseFunctionToolCall(call_id="c", name="f", arguments="{}")
    answer = ResponseFunctionToolCallOutputItem(call_id="c", output=[ContentPart(type="input_text", text="21")])
    parts = {"role": "user", "content": (ContentPart(type="input_text", text="a"),)}
    await client.responses.create(model="m", input=(item for item in (call, answer, parts)))
    assert only_request(loopback).json["input"] == [
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "21"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "a"}]},
    ]
    assert repr(call) == "ResponseFunctionToolCall(call_id='c', name='f', arguments='{}')"


async def test_text_of_a_stream(client: AsyncOneLLM, loopback: Loopback) -> None:
    loopback.plays(streamed(*STREAM))
    async with await client.responses.create(model="m", input="a", stream=True) as stream:
        assert [piece async for piece in stream.text()] == ["Grüße, ", "🌊!"]
        assert (await stream.get_final_response()).id == "resp_1"


@pytest.mark.parametrize("name", ["starting_after", "include_obfuscation"])
async def test_arguments_of_streams_want_a_stream(client: AsyncOneLLM, loopback: Loopback, name: str) -> None:
    one: Any = {name: 1 if name == "starting_after" else True}
    with pytest.raises(InvalidRequestError, match=f"{name} goes with stream=True"):
        await client.responses.retrieve("resp_1", **one)
    assert loopback.requests == []


async def test_id_must_be_there(client: AsyncOneLLM, loopback: Loopback) -> None:
    for call in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(InvalidRequestError, match="response_id must be a text that is not empty"):
            await call("")
    with pytest.raises(InvalidRequestError, match="response_id"):
        client.responses.input_items.list("")
    assert loopback.requests == []


async def test_tokens_are_counted(client: AsyncOneLLM, loopback: Loopback) -> None:
    loopback.plays(Answer(chunks=[{"object": "response.input_tokens", "input_tokens": 11}]))
    counted = await client.responses.input_tokens.count(model="m", input=[USER])
    assert (counted.input_tokens, counted.provider) == (11, "openai")
    request = only_request(loopback)
    assert (request.path, request.json) == ("/v1/responses/input_tokens", {"model": "m", "input": [USER]})
