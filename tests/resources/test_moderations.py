"""`moderations` over a real socket."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from loopback import Answer, Loopback
from served import client_for, only_request
from wire.moderations import MISTRAL, OPENAI

from onellm import AsyncOneLLM, InvalidRequestError, ResponseDecodeError, UnsupportedParameterError
from onellm.types.chat import ChatCompletionMessage, ChatCompletionMessageToolCall, Function
from onellm.types.chat_params import ImagePart, TextPart


@pytest.fixture
async def loopback() -> AsyncIterator[Loopback]:
    async with Loopback() as server:
        server.plays(Answer(chunks=[OPENAI], headers={"x-request-id": "r1"}))
        yield server


@pytest.fixture
async def client(loopback: Loopback) -> AsyncIterator[AsyncOneLLM]:
    async with client_for("openai", loopback) as bound:
        yield bound


async def test_one_text(client: AsyncOneLLM, loopback: Loopback) -> None:
    """The answer has OpenAI's shape, and says who gave it."""
    reply = await client.moderations.create(model="openai/omni-moderation-latest", input="I want to kill them.")
    assert reply.results[0].flagged
    assert reply.results[0].categories["violence"]
    assert not reply.results[0].categories["violence/graphic"]
    assert (reply.provider, reply.request_id, reply.model) == ("openai", "r1", "omni-moderation-latest")
    assert only_request(loopback).json == {"model": "omni-moderation-latest", "input": "I want to kill them."}


async def test_without_a_model(client: AsyncOneLLM, loopback: Loopback) -> None:
    """The default provider is asked, and chooses; any iterable of texts will do."""
    await client.moderations.create(input=(text for text in ("a",)))
    assert only_request(loopback).json == {"input": ["a"]}


async def test_without_a_model_the_default_provider_is_asked(loopback: Loopback) -> None:
    """It need not be OpenAI."""
    loopback.plays(Answer(chunks=[MISTRAL]))
    async with client_for("mistral", loopback, default_provider="mistral") as client:
        reply = await client.moderations.create(input="a")
    assert reply.provider == "mistral"


async def test_parts_as_structs_and_dicts(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Parts may be Structs, and are sent as OpenAI spells them."""
    url = "data:image/png;base64,AA=="
    given: Any = [TextPart(text="look"), ImagePart(image_url={"url": url})]
    dicts: Any = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}]
    for parts in (given, dicts):
        await client.moderations.create(input=parts)
    assert [request.json for request in loopback.requests] == [{"input": dicts}, {"input": dicts}]


async def test_a_conversation(loopback: Loopback) -> None:
    """Its messages are judged as one, where the host has that, as chat writes them for it; answers go back in."""
    loopback.plays(Answer(chunks=[MISTRAL]))
    answered = ChatCompletionMessage(
        content=None,
        tool_calls=[
            ChatCompletionMessageToolCall(id="call_of_another_host", function=Function(name="find", arguments="{}"))
        ],
    )
    async with client_for("mistral", loopback) as client:
        reply = await client.moderations.create(
            model="mistral/m",
            input=[
                {"role": "user", "name": "Ann", "content": "Where are the knives?"},
                answered,
                {"role": "tool", "tool_call_id": "call_of_another_host", "content": "in the drawer"},
            ],
        )
    request = only_request(loopback)
    assert request.path == "/v1/chat/moderations"
    asked, called, found = request.json["input"]
    assert request.json["model"] == "m"
    assert asked == {"role": "user", "content": "Where are the knives?"}
    assert called["tool_calls"][0]["id"] == found["tool_call_id"]
    assert len(found["tool_call_id"]) == 9
    assert reply.results[0].flagged
    assert reply.adjustments == ("left the names of messages out",)


async def test_several_conversations(loopback: Loopback) -> None:
    """A result for each, and an error where there are fewer."""
    two = {**MISTRAL, "results": MISTRAL["results"] * 2}
    loopback.plays(Answer(chunks=[two]), Answer(chunks=[MISTRAL]))
    talks: Any = [[{"role": "user", "content": "a"}], ({"role": "user", "content": text} for text in "bc")]
    async with client_for("mistral", loopback) as client:
        reply = await client.moderations.create(model="mistral/m", input=talks)
        with pytest.raises(ResponseDecodeError, match="1 results came for 2 inputs"):
            await client.moderations.create(model="mistral/m", input=[[talks[0][0]], [talks[0][0]]])
    assert len(reply.results) == 2
    assert loopback.requests[0].json["input"] == [
        [{"role": "user", "content": "a"}],
        [{"role": "user", "content": "b"}, {"role": "user", "content": "c"}],
    ]


@pytest.mark.parametrize("relaxed", ["raise", "drop"])
async def test_a_host_that_judges_no_conversations(client: AsyncOneLLM, loopback: Loopback, relaxed: Any) -> None:
    """It is an error before anything is sent, however the call is relaxed: nothing passes unseen."""
    with pytest.raises(UnsupportedParameterError, match="openai judges texts, and not conversations") as caught:
        await client.moderations.create(input=[{"role": "user", "content": "a"}], on_unsupported=relaxed)
    assert caught.value.param == "input"
    assert loopback.requests == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input": [{"role": "usr", "content": "a"}]}, r"input\[0\]\.role"),
        ({"input": [{"role": "user", "content": [{"type": "txt"}]}]}, r"input\[0\]\.content\[0\]\.type"),
        ({"input": [[{"role": "user", "content": "a"}], [{"role": "user"}]]}, r"input\[1\]\[0\]"),
        ({"input": [[{"role": "user", "content": "a"}], []]}, r"input\[1\] is empty"),
        ({"input": [[{"role": "user", "content": "a"}], "a"]}, "mixes conversations and texts"),
        ({"input": [{"role": "user", "content": "a"}, "a"]}, "mixes messages and texts"),
        ({"input": [{"role": "user", "content": "a"}], "max_tokens": 3}, "max_tokens"),
        ({"input": []}, "input is empty"),
        ({"input": b"a"}, "input must be a text"),
        ({"input": None}, "input must be a text"),
        ({"input": {"type": "text", "text": "a"}}, "input must be a text"),
        ({"input": ["a", {"type": "text", "text": "a"}]}, "mixes"),
        ({"input": ["a", 3]}, "mixes"),
        ({"input": [3]}, r"input\[0\]"),
        ({"input": [{"type": "text"}]}, r"input\[0\].*text"),
        ({"input": [{"type": "video", "video": "x"}]}, r"input\[0\]\.type"),
        ({"input": "a", "max_tokens": 3}, "max_tokens"),
        ({"input": "a", "model": ""}, "model"),
    ],
)
async def test_wrong_arguments(
    client: AsyncOneLLM, loopback: Loopback, arguments: dict[str, Any], message: str
) -> None:
    """The error names the argument, and nothing is sent."""
    with pytest.raises(InvalidRequestError, match=message) as caught:
        await client.moderations.create(**arguments)
    assert caught.value.param in arguments
    assert loopback.requests == []
