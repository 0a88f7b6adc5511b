"""The same call by `openai`'s own client and by ours: what is sent and what is read."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from loopback import Answer, Loopback, Recorded, type_sse
from openai.types.responses.input_item_list_params import InputItemListParams as TheirItems
from openai.types.responses.input_token_count_params import InputTokenCountParams as TheirCount
from openai.types.responses.response_create_params import ResponseCreateParamsBase as TheirParams
from openai.types.responses.response_retrieve_params import ResponseRetrieveParamsBase as TheirRetrieve
from served import KEY, client_for
from wire.responses import MESSAGE, STREAM, WHOLE, named

from onellm.types.options import ModelOptions
from onellm.types.response_params import (
    InputItemListParams,
    InputTokenParams,
    ResponseParams,
    ResponseRetrieveParams,
)

TOOL: dict[str, Any] = {
    "type": "function",
    "name": "weather",
    "description": "The weather in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": True,
}
TURNS: list[dict[str, Any]] = [
    {"role": "developer", "content": "Be brief."},
    {
        "role": "user",
        "content": [
            {"type": "input_text", "text": "ü🌊"},
            {"type": "input_image", "image_url": "https://a.b/c", "detail": "low"},
        ],
    },
    {"type": "message", "role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]},
    {"type": "item_reference", "id": "msg_0"},
    {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": "21 °C"},
]
# Every parameter of the official signature, alone: one that we miss shows up by its name.
PARAMS: dict[str, Any] = {
    "access_programs": {"cyber": "standard"},
    "background": True,
    "background_options": {"completion_window": "2h"},
    "context_management": [{"type": "compaction", "compact_threshold": 1000}],
    "conversation": {"id": "conv_1"},
    "image": {"context_compression": "auto"},
    "include": ["reasoning.encrypted_content"],
    "input": TURNS,
    "instructions": "Be brief.",
    "max_output_tokens": 100,
    "max_tool_calls": 2,
    "metadata": {"a": "b"},
    "model": "gpt-5.4-mini",
    "moderation": {"model": "omni-moderation-latest"},
    "parallel_tool_calls": False,
    "previous_response_id": "resp_0",
    "prompt": {"id": "pmpt_1", "variables": {"a": "b"}},
    "prompt_cache_key": "k",
    "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
    "prompt_cache_retention": "24h",
    "reasoning": {"effort": "low", "summary": "auto"},
    "safety_identifier": "s",
    "service_tier": "flex",
    "store": False,
    "stream_options": {"include_obfuscation": False},
    "temperature": 0,
    "text": {
        "format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}, "strict": True},
        "verbosity": "low",
    },
    "tool_choice": {"type": "function", "name": "weather"},
    "tools": [TOOL, {"type": "web_search"}],
    "top_logprobs": 3,
    "top_p": 0.5,
    "truncation": "auto",
    "user": "u",
}
# The official client's `to_dict` warns of an item that it does not know.
KNOWN: dict[str, Any] = WHOLE | {"output": [item for item in WHOLE["output"] if item["type"] != "telepathy_call"]}
PAGE = {"object": "list", "data": [MESSAGE], "has_more": False}
KEPT: dict[str, tuple[str, tuple[str, ...], dict[str, Any], Any]] = {
    "retrieve": ("retrieve", ("resp_1",), {}, KNOWN),
    "retrieve, odd letters": ("retrieve", ("resp_1/x?",), {"include": ["a.b", "c.d"]}, KNOWN),
    "retrieve with extras": (
        "retrieve",
        ("resp_1",),
        {"extra_query": {"q": "1"}, "extra_headers": {"X-Test": "t"}},
        KNOWN,
    ),
    "delete": ("delete", ("resp_1",), {}, {"id": "resp_1", "object": "response", "deleted": True}),
    "cancel": ("cancel", ("resp_1",), {}, KNOWN),
    "input items": ("input_items.list", ("resp_1",), {}, PAGE),
    "input items with all": (
        "input_items.list",
        ("resp_1",),
        {"after": "a", "include": ["message.output_text.logprobs"], "limit": 3, "order": "asc"},
        PAGE,
    ),
    "count": (
        "input_tokens.count",
        (),
        {"model": "gpt-5.4-mini", "input": TURNS, "instructions": "a", "tools": [TOOL], "truncation": "auto"},
        {"object": "response.input_tokens", "input_tokens": 11},
    ),
}


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        loopback.plays(Answer(chunks=[KNOWN]))
        yield loopback


def their_client(server: Loopback) -> Any:
    return openai.AsyncOpenAI(api_key=KEY, base_url=f"{server.url}/v1", max_retries=0)


def sent(request: Recorded) -> Any:
    path, _, query = request.target.partition("?")
    told = ("authorization", "x-test", *(("content-type",) if request.method == "POST" else ()))
    headers = {name: request.headers.get(name) for name in told}
    return request.method, path, sorted(query.split("&")), headers, request.json if request.body else None


async def both(server: Loopback, path: str, positional: tuple[str, ...], call: dict[str, Any]) -> tuple[Any, Any]:
    async with their_client(server) as theirs, client_for("openai", server) as ours:
        found: list[Any] = []
        for client in (theirs, ours):
            method: Any = client.responses
            for step in path.split("."):
                method = getattr(method, step)
            found.append(await method(*positional, **call))
    first, second = (sent(request) for request in server.requests)
    assert second == first
    return found[0], found[1]


@pytest.mark.parametrize("name", sorted(PARAMS))
async def test_every_parameter_is_sent_alike(server: Loopback, name: str) -> None:
    theirs, ours = await both(server, "create", (), {"model": "gpt-5.4-mini", "input": "Hi", name: PARAMS[name]})
    assert server.requests[1].json[name] == PARAMS[name]
    assert ours.to_dict() == theirs.to_dict()
    assert ours.output_text == theirs.output_text


async def test_extras_are_sent_alike(server: Loopback) -> None:
    extras = {"extra_body": {"k": [None]}, "extra_query": {"q": "1"}, "extra_headers": {"X-Test": "t"}}
    await both(server, "create", (), {"model": "gpt-5.4-mini", "input": "Hi", **extras})


async def test_what_came_out_goes_back_in_alike(server: Loopback) -> None:
    """Each client's own items, in the input of the next turn."""
    server.plays(Answer(chunks=[KNOWN]))
    async with their_client(server) as theirs, client_for("openai", server) as ours:
        for client in (theirs, ours):
            reply: Any = await client.responses.create(model="gpt-5.4-mini", input="Hi")
            turns: list[Any] = [{"role": "user", "content": "Hi"}, *reply.output]
            await client.responses.create(model="gpt-5.4-mini", input=turns, store=False)
    assert sent(server.requests[3]) == sent(server.requests[1])
    assert server.requests[3].json["input"][1:] == KNOWN["output"]


@pytest.mark.parametrize("name", KEPT)
async def test_kept_responses_are_asked_for_alike(server: Loopback, name: str) -> None:
    path, positional, call, answer = KEPT[name]
    server.plays(Answer(chunks=[answer]))
    theirs, ours = await both(server, path, positional, call)
    if path == "input_items.list":
        assert [item.to_dict() for item in ours.data] == [item.to_dict() for item in theirs.data]
    elif path != "delete":  # theirs gives nothing
        assert ours.to_dict() == theirs.to_dict()


@pytest.mark.parametrize("path", ["create", "retrieve"])
async def test_streams_are_asked_for_and_read_alike(server: Loopback, path: str) -> None:
    """The same request, and the same events with the same fields."""
    events = [event for event in STREAM[:-1] if event["type"] != "response.telepathy.delta"]
    events.append({**STREAM[-1], "response": KNOWN})
    server.plays(Answer(chunks=named(*events), content_type=type_sse))
    positional = ("resp_1",) if path == "retrieve" else ()
    call: dict[str, Any] = (
        {"starting_after": 3, "include_obfuscation": False, "include": ["a.b"]}
        if path == "retrieve"
        else {"model": "gpt-5.4-mini", "input": TURNS}
    )
    read: list[list[Any]] = []
    async with their_client(server) as theirs, client_for("openai", server) as ours:
        for client in (theirs, ours):
            async with await getattr(client.responses, path)(*positional, stream=True, **call) as stream:
                read.append([event async for event in stream])
    assert sent(server.requests[1]) == sent(server.requests[0])
    assert [event.to_dict() for event in read[1]] == [event.to_dict() for event in read[0]] == events
    assert [type(event).__name__ for event in read[1]] == [type(event).__name__ for event in read[0]]
    for mine, other in zip(read[1], read[0], strict=True):
        for field in set(type(other).model_fields) & {"delta", "text", "item_id", "output_index", "content_index"}:
            assert getattr(mine, field) == getattr(other, field)


@pytest.mark.parametrize(
    ("theirs", "ours", "apart"),
    [
        (TheirParams, ResponseParams, {"model", "input"}),
        (TheirRetrieve, ResponseRetrieveParams, set[str]()),
        (TheirItems, InputItemListParams, set[str]()),
        (TheirCount, InputTokenParams, {"model", "input"}),
    ],
)
def test_parameters_are_those_of_the_official_signature(theirs: Any, ours: Any, apart: set[str]) -> None:
    """By name; what stands apart is an argument of its own."""
    assert ours.__annotations__.keys() - ModelOptions.__annotations__.keys() == theirs.__annotations__.keys() - apart


def test_every_parameter_is_tried() -> None:
    assert PARAMS.keys() == TheirParams.__annotations__.keys()
