"""`chat.completions.parse`: answers of a type, asked for in the way that the host takes, and read."""

import asyncio
import copy
import pickle
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import msgspec
import pytest
from loopback import Answer, Loopback, sse, type_sse
from msgspec import Struct
from pydantic import BaseModel
from threaded import Provider
from wire.chat_completions import chunk, usage_chunk, whole

from onellm import (
    AsyncOneLLM,
    InvalidRequestError,
    OneLLM,
    ResponseValidationError,
    StreamInterruptedError,
    UnsupportedFeatureError,
)
from onellm.dialects.openai.chat import OpenAIChat
from onellm.providers.compatible import compatible
from onellm.providers.http import HttpProvider
from onellm.types.answer_types import AnswerType
from onellm.types.chat import ChatCompletionMessage
from onellm.types.parsed import ParsedChatCompletionMessage

TEXT_ONLY = frozenset({"text"})
HOSTS = {
    "schema": OpenAIChat(),
    "json": OpenAIChat(response_formats=frozenset({"text", "json_object"})),
    "tools": OpenAIChat(response_formats=TEXT_ONLY),
    "prompt": OpenAIChat(response_formats=TEXT_ONLY, tools=False),
}
NOTES = {
    "schema": (),
    "json": ("asked for JSON, with the form of the answer in the prompt: it takes no schema",),
    "tools": ("asked for a tool call in the form of the answer: it takes no schema and has no JSON mode",),
    "prompt": ("put the form of the answer into the prompt: it has no JSON mode",),
}
every_way = pytest.mark.parametrize("way", HOSTS)
in_prompt = pytest.mark.parametrize("way", ["json", "prompt"])

QUESTION: Any = {"role": "user", "content": "Which city?"}


class City(Struct):
    name: str
    people: int = 0


class Country(BaseModel):
    name: str
    cities: list[str]


@dataclass
class River:
    name: str
    km: float


class Lake(TypedDict):
    name: str
    deep: bool


ROME = '{"name":"Rome","people":2800000}'
WRONG = '{"name":"Rome","people":"many"}'


@pytest.fixture
def host(loopback: Loopback) -> Any:
    """A client of which each way is a provider."""

    def connect(way: str, **options: Any) -> AsyncOneLLM:
        client = AsyncOneLLM(**options)
        client.register(compatible(way, f"{loopback.url}/v1", chat=HOSTS[way]))
        return client

    return connect


def ask(way: str, kind: Any = City, **params: Any) -> dict[str, Any]:
    return {"model": f"{way}/m", "messages": [QUESTION], "response_format": kind, **params}


def says(way: str, text: str, finish: str = "stop") -> Answer:
    """The host's answer of this text; a call, where it was asked for one."""
    if way != "tools":
        return Answer(chunks=[whole({"content": text}, finish)])
    call = {"id": "call_1", "type": "function", "function": {"name": "City", "arguments": text}}
    return Answer(chunks=[whole({"content": None, "tool_calls": [call]}, "tool_calls" if finish == "stop" else finish)])


def streams(way: str, text: str, size: int = 5, finish: str = "stop", **how: Any) -> Answer:
    """The same in pieces."""
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    deltas: list[dict[str, Any]] = [{"content": piece} for piece in pieces]
    if way == "tools":
        functions = [{"name": "City", "arguments": ""}, *({"arguments": piece} for piece in pieces)]
        deltas = [{"tool_calls": [{"index": 0, "function": function}]} for function in functions]
        deltas[0]["tool_calls"][0] |= {"id": "call_1", "type": "function"}
        finish = "tool_calls"
    events = [*map(chunk, deltas), chunk({}, finish), usage_chunk()]
    return Answer(chunks=sse(*events), content_type=type_sse, **how)


# --- how it is asked ---


@every_way
async def test_the_type_is_asked_for_as_the_host_takes_it(way: str, loopback: Loopback, host: Any) -> None:
    """By schema, JSON mode, a tool that must be called, or words; what stands in for a schema is told."""
    loopback.plays(says(way, ROME))
    async with host(way) as client:
        reply = await client.chat.completions.parse(**ask(way))
    sent = loopback.requests[0].json
    answer = AnswerType[City](City)
    function = {"name": "City", "description": "Give the answer.", "parameters": answer.schema}
    assert {name: sent.get(name) for name in ("response_format", "tools", "tool_choice")} == {
        "response_format": {"schema": answer.response_format(), "json": {"type": "json_object"}}.get(way),
        "tools": [{"type": "function", "function": function}] if way == "tools" else None,
        "tool_choice": {"type": "function", "function": {"name": "City"}} if way == "tools" else None,
    }
    told = [{"role": "system", "content": answer.instruction()}] if way in ("json", "prompt") else []
    assert sent["messages"] == [*told, QUESTION]
    assert all(msgspec.json.encode(answer.schema).decode() in message["content"] for message in told)
    assert reply.choices[0].message.parsed == City("Rome", 2_800_000)
    assert (reply.choices[0].message.content, reply.choices[0].message.tool_calls) == (ROME, None)
    assert reply.choices[0].finish_reason == "stop"
    assert (reply.adjustments, reply.provider) == (NOTES[way], way)


@in_prompt
async def test_the_form_stands_behind_the_systems(way: str, loopback: Loopback, host: Any) -> None:
    systems = [{"role": "system", "content": "Be brief."}, {"role": "developer", "content": "Be kind."}]
    loopback.plays(says(way, ROME))
    async with host(way) as client:
        await client.chat.completions.parse(**ask(way) | {"messages": [*systems, QUESTION]})
    assert [message["role"] for message in loopback.requests[0].json["messages"]] == [
        "system",
        "developer",
        "system",
        "user",
    ]


@every_way
async def test_any_object_is_json_mode(way: str, loopback: Loopback, host: Any) -> None:
    """JSON mode wants the word JSON in the conversation, and has it."""
    loopback.plays(Answer(chunks=[whole({"content": '{"a":[1]}'})]))
    async with host(way) as client:
        reply = await client.chat.completions.parse(**ask(way, dict[str, Any]))
    sent = loopback.requests[0].json
    assert sent.get("response_format") == ({"type": "json_object"} if way in ("schema", "json") else None)
    assert "tools" not in sent
    assert "one JSON object" in sent["messages"][0]["content"]
    assert reply.choices[0].message.parsed == {"a": [1]}
    (note,) = reply.adjustments
    assert note.endswith("JSON mode wants it there" if way in ("schema", "json") else "it has no JSON mode")


async def test_a_type_that_no_strict_schema_says_guides(loopback: Loopback, client: AsyncOneLLM) -> None:
    loopback.plays(says("schema", '{"a":1}'))
    await client.chat.completions.parse(**ask("openai", dict[str, int]))
    form = loopback.requests[0].json["response_format"]["json_schema"]
    assert (form["strict"], form["schema"]["additionalProperties"]) == (False, {"type": "integer"})


async def test_with_tools_of_the_caller_s_no_call_is_forced(loopback: Loopback, host: Any) -> None:
    def look_up(word: str) -> None: ...

    loopback.plays(says("prompt", ROME))
    async with host("tools") as client:
        reply = await client.chat.completions.parse(**ask("tools", tools=[look_up]))
    sent = loopback.requests[0].json
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["look_up"]
    assert "tool_choice" not in sent
    assert reply.adjustments == NOTES["prompt"]


async def test_a_host_that_did_not_call_is_read_by_its_words(loopback: Loopback, host: Any) -> None:
    """Some write the answer where a call was required."""
    loopback.plays(says("prompt", f"```json\n{ROME}\n```"))
    async with host("tools") as client:
        reply = await client.chat.completions.parse(**ask("tools"))
    assert reply.choices[0].message.parsed == City("Rome", 2_800_000)


# --- what is read ---

VALUES: list[tuple[Any, str, Any]] = [
    (Country, '{"name":"Italy","cities":["Rome"]}', Country(name="Italy", cities=["Rome"])),
    (River, '{"name":"Po","km":652}', River("Po", 652.0)),
    (Lake, '{"name":"Como","deep":true}', {"name": "Como", "deep": True}),
    (list[City], f'{{"value":[{ROME}]}}', [City("Rome", 2_800_000)]),
    (list[Country], '{"value":[{"name":"Italy","cities":[]}]}', [Country(name="Italy", cities=[])]),
    (Literal["yes", "no"], '{"value":"no"}', "no"),
    (int | None, '{"value":null}', None),
    (City | None, f'{{"value":{ROME}}}', City("Rome", 2_800_000)),
]


@pytest.mark.parametrize(("kind", "text", "value"), VALUES, ids=[str(case[0]) for case in VALUES])
async def test_values_of_any_type(kind: Any, text: str, value: Any, loopback: Loopback, client: AsyncOneLLM) -> None:
    loopback.plays(says("schema", text), streams("schema", text))
    reply = await client.chat.completions.parse(**ask("openai", kind))
    async with await client.chat.completions.parse(**ask("openai", kind, stream=True)) as stream:
        streamed = await stream.get_final_completion()
    assert [reply.choices[0].message.parsed, streamed.choices[0].message.parsed] == [value, value]
    sent = loopback.requests[0].json["response_format"]["json_schema"]
    assert (sent["strict"], sent["schema"]["type"]) == (True, "object")


async def test_each_of_several_answers_is_read(loopback: Loopback, client: AsyncOneLLM) -> None:
    texts = [ROME, '{"name":"Oslo"}']
    choices = [
        {"index": place, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for place, text in enumerate(texts)
    ]
    loopback.plays(Answer(chunks=[{"id": "c", "model": "m", "choices": choices}]))
    reply = await client.chat.completions.parse(**ask("openai", n=2))
    assert loopback.requests[0].json["n"] == 2
    assert [choice.message.parsed for choice in reply.choices] == [City("Rome", 2_800_000), City("Oslo")]


@pytest.mark.parametrize(
    ("message", "finish"),
    [
        ({"content": None, "refusal": "I will not."}, "stop"),
        ({"content": '{"name":"Ro'}, "content_filter"),
        (
            {"tool_calls": [{"id": "1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}]},
            "tool_calls",
        ),
    ],
    ids=["refused", "filtered", "tools"],
)
async def test_what_is_no_answer_has_no_value(
    message: dict[str, Any], finish: str, loopback: Loopback, client: AsyncOneLLM
) -> None:
    """A refusal, a filter and a call of the caller's tools are seen where they always are."""
    loopback.plays(Answer(chunks=[whole(message, finish)]))
    reply = await client.chat.completions.parse(**ask("openai"))
    found = reply.choices[0].message
    assert (found.parsed, found.refusal, reply.choices[0].finish_reason) == (None, message.get("refusal"), finish)
    assert bool(found.tool_calls) is (finish == "tool_calls")


@every_way
async def test_a_misfit_says_where_and_who(way: str, loopback: Loopback, host: Any) -> None:
    loopback.plays(says(way, WRONG))
    async with host(way) as client:
        with pytest.raises(ResponseValidationError, match=r"no City: Expected int, got str - at \$.people") as caught:
            await client.chat.completions.parse(**ask(way))
    assert (caught.value.raw, caught.value.provider) == (WRONG.encode(), way)
    assert len(loopback.requests) == 1


@every_way
async def test_an_answer_that_was_cut_off_says_so(way: str, loopback: Loopback, host: Any) -> None:
    loopback.plays(says(way, ROME[:10], "length"))
    async with host(way) as client:
        with pytest.raises(ResponseValidationError, match="cut off at the limit of its length: give more max_tokens"):
            await client.chat.completions.parse(**ask(way, max_tokens=3))


# --- asked again ---


@every_way
async def test_the_model_is_shown_its_error(way: str, loopback: Loopback, host: Any) -> None:
    """The second request has the answer that did not fit, and what was wrong with it; the tokens of both count."""
    loopback.plays(says(way, WRONG), says(way, ROME))
    async with host(way) as client:
        reply = await client.chat.completions.parse(**ask(way, retries_on_invalid=1))
    first, second = (request.json for request in loopback.requests)
    assert second["messages"][:-2] == first["messages"]
    answered, told = second["messages"][-2:]
    assert answered == {"role": "assistant", "content": WRONG}
    assert told["role"] == "user"
    assert "Expected int, got str - at $.people" in told["content"]
    assert {**first, "messages": []} == {**second, "messages": []}
    assert reply.choices[0].message.parsed == City("Rome", 2_800_000)
    assert reply.usage == msgspec.convert(
        {
            "prompt_tokens": 38,
            "completion_tokens": 20,
            "total_tokens": 58,
            "prompt_tokens_details": {"cached_tokens": 16, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 8,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        type(reply.usage),
    )
    assert reply.adjustments == (*NOTES[way], "asked again 1 time: an answer did not fit")


async def test_it_is_asked_again_as_often_as_it_may(loopback: Loopback, client: AsyncOneLLM) -> None:
    """An empty answer has nothing to be shown; each misfit stays in the conversation."""
    loopback.plays(says("schema", ""), says("schema", WRONG), says("schema", WRONG))
    with pytest.raises(ResponseValidationError, match="people"):
        await client.chat.completions.parse(**ask("openai", retries_on_invalid=2))
    roles = [[message["role"] for message in request.json["messages"]] for request in loopback.requests]
    assert roles == [["user"], ["user", "user"], ["user", "user", "assistant", "user"]]


async def test_of_several_answers_the_wrong_one_is_shown(loopback: Loopback, client: AsyncOneLLM) -> None:
    choices = [
        {"index": place, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for place, text in enumerate([ROME, WRONG])
    ]
    loopback.plays(Answer(chunks=[{"id": "c", "model": "m", "choices": choices}]), says("schema", ROME))
    await client.chat.completions.parse(**ask("openai", n=2, retries_on_invalid=1))
    assert loopback.requests[1].json["messages"][1]["content"] == WRONG


# --- streams ---


@every_way
async def test_a_stream_grows_into_its_value(way: str, loopback: Loopback, host: Any) -> None:
    """Each event is sent when the one before it has been seen."""
    seen_it = asyncio.Semaphore(0)
    answer = streams(way, ROME)
    answer.pause = dict.fromkeys(range(1, len(list(answer.chunks)) - 3), seen_it.acquire)
    loopback.plays(answer)
    grown: list[Any] = []
    async with host(way) as client, await client.chat.completions.parse(**ask(way, stream=True)) as stream:
        assert stream.partial() is None
        async for _ in stream:
            grown.append(stream.partial())
            seen_it.release()
        reply = await stream.get_final_completion()
        again = await stream.get_final_completion()
    assert loopback.requests[0].json["stream"] is True
    seen = [value for place, value in enumerate(grown) if value and value not in grown[:place]]
    assert seen == [{"name": "R"}, {"name": "Rome"}, {"name": "Rome", "people": 2_800_000}]
    assert reply.choices[0].message.parsed == City("Rome", 2_800_000)
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == (ROME, "stop")
    assert (reply.adjustments, again) == (NOTES[way], reply)


@every_way
async def test_a_streamed_misfit_is_an_error_at_the_end(way: str, loopback: Loopback, host: Any) -> None:
    """Every time that the answer is asked for; what came was handed out."""
    loopback.plays(streams(way, WRONG))
    seen = 0
    async with host(way) as client, await client.chat.completions.parse(**ask(way, stream=True)) as stream:
        with pytest.raises(ResponseValidationError, match="people"):
            async for _ in stream:
                seen += 1
        with pytest.raises(ResponseValidationError, match="people") as caught:
            await stream.get_final_completion()
        assert stream.partial() == {"name": "Rome", "people": "many"}
    assert (caught.value.raw, caught.value.provider) == (WRONG.encode(), way)
    assert seen > 5


async def test_a_cut_stream_is_no_answer(loopback: Loopback, client: AsyncOneLLM) -> None:
    """Not even where what came would fit."""
    answer = streams("schema", ROME)
    answer.chunks = list(answer.chunks)[:-3]
    answer.cut = "close"
    loopback.plays(answer)
    async with await client.chat.completions.parse(**ask("openai", stream=True)) as stream:
        with pytest.raises(StreamInterruptedError):
            await stream.get_final_completion()
        assert stream.partial() == {"name": "Rome", "people": 2_800_000}


async def test_leaving_a_typed_stream_closes_its_connection(loopback: Loopback, client: AsyncOneLLM) -> None:
    answer = streams("schema", ROME)
    answer.chunks = list(answer.chunks)[:3]
    answer.cut = "stall"
    loopback.plays(answer)
    async with await client.chat.completions.parse(**ask("openai", stream=True)) as stream:
        await anext(stream)
    await loopback.requests[0].gone.wait()


# --- the message ---


async def test_the_message_goes_back_in_as_what_it_said(loopback: Loopback, client: AsyncOneLLM) -> None:
    """`parsed` is ours: it is in no request, and in no dump."""
    loopback.plays(says("schema", ROME))
    reply = await client.chat.completions.parse(**ask("openai"))
    message = reply.choices[0].message
    await client.chat.completions.create(model="openai/m", messages=[QUESTION, message, QUESTION])
    assert loopback.requests[1].json["messages"][1] == {"role": "assistant", "content": ROME}
    assert isinstance(message, ChatCompletionMessage)
    dumps = [message.to_dict(), message.model_dump(), reply.to_dict(), reply.model_dump()]
    assert "parsed" not in str(dumps) + reply.model_dump_json() + message.model_dump_json()
    assert reply.model_dump()["choices"][0]["message"]["content"] == ROME


async def test_a_typed_answer_is_copied_and_pickled(loopback: Loopback, client: AsyncOneLLM) -> None:
    loopback.plays(says("schema", ROME))
    reply = await client.chat.completions.parse(**ask("openai"))
    for twin in (copy.deepcopy(reply), pickle.loads(pickle.dumps(reply))):  # noqa: S301 - our own
        assert twin == reply
        assert twin.choices[0].message.parsed == City("Rome", 2_800_000)
        assert isinstance(twin.choices[0].message, ParsedChatCompletionMessage)
        assert (twin.raw, twin.provider) == (reply.raw, "openai")


# --- what is refused ---


@pytest.mark.parametrize(
    ("params", "says_"),
    [
        (
            {"response_format": {"type": "json_object"}},
            "response_format: give a type; a dict of OpenAI's is for create",
        ),
        ({"response_format": None}, "response_format: give a type"),
        ({"response_format": complex}, "response_format: no schema can say complex"),
        ({"retries_on_invalid": -1}, "retries_on_invalid: give a number from 0"),
        ({"retries_on_invalid": 1, "stream": True}, "retries_on_invalid: a stream cannot be taken back"),
        ({"temperatur": 1}, "has no argument 'temperatur'; did you mean temperature"),
        ({"messages": []}, "messages is empty"),
        ({"messages": "Hello"}, "messages must be a list of messages"),
    ],
)
async def test_a_wrong_call_is_refused(
    params: dict[str, Any], says_: str, loopback: Loopback, client: AsyncOneLLM
) -> None:
    with pytest.raises(InvalidRequestError, match=says_):
        await client.chat.completions.parse(**ask("openai") | params)
    assert loopback.requests == []


async def test_a_host_without_chat_is_refused(loopback: Loopback) -> None:
    async with AsyncOneLLM() as client:
        client.register(HttpProvider(name="none", base_url=loopback.url, key_optional=True))
        with pytest.raises(UnsupportedFeatureError, match="none does not serve chat"):
            await client.chat.completions.parse(**ask("none"))
    assert loopback.requests == []


# --- without an event loop ---


def test_the_blocking_twin() -> None:
    provider = Provider()
    provider.loopback.plays(says("schema", WRONG), says("schema", ROME), streams("schema", ROME))
    try:
        with OneLLM(api_key="k", base_url=f"{provider.loopback.url}/v1") as client:
            reply = client.chat.completions.parse(**ask("openai", retries_on_invalid=1))
            with client.chat.completions.parse(**ask("openai", stream=True)) as stream:
                grown = [stream.partial() for _ in stream]
                streamed = stream.get_final_completion()
    finally:
        provider.close()
    assert reply.choices[0].message.parsed == streamed.choices[0].message.parsed == City("Rome", 2_800_000)
    assert grown[-1] == {"name": "Rome", "people": 2_800_000}
