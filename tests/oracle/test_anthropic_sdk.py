"""The official `anthropic` client and ours make the same calls against one server: the requests are the same.

Each case says a call in the API's own words, for their client, and in OpenAI's, for ours. What differs is listed, each
with its reason; a difference that is not listed is a failure, and so is a listed one that does not occur.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from loopback import Answer, Loopback, Recorded, type_sse
from wire import messages as wire

from onellm import AnthropicOptions, AsyncOneLLM

sdk = pytest.importorskip("anthropic")

MODEL = "claude-sonnet-4-6"
KEY = "sk-ant-oracle-0123456789"
HI: dict[str, Any] = {"role": "user", "content": "Hi, Grüße \U0001f600"}
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CLOSED = {**SCHEMA, "additionalProperties": False}
FUNCTION: dict[str, Any] = {"name": "weather", "description": "The weather in a city", "parameters": SCHEMA}
TOOL: dict[str, Any] = {"type": "function", "function": FUNCTION}
THEIR_TOOL: dict[str, Any] = {"name": "weather", "description": FUNCTION["description"], "input_schema": SCHEMA}
CALLS = [
    {"id": f"toolu_{at}", "type": "function", "function": {"name": "weather", "arguments": f'{{"city": "{at}"}}'}}
    for at in "ab"
]
THEIR_CALLS = [{"type": "tool_use", "id": f"toolu_{at}", "name": "weather", "input": {"city": at}} for at in "ab"]
RESULTS = [{"role": "tool", "tool_call_id": call["id"], "content": "21 °C"} for call in CALLS]
THEIR_RESULTS = [{"type": "tool_result", "tool_use_id": call["id"], "content": "21 °C"} for call in CALLS]
CONTROL = {"type": "ephemeral", "ttl": "1h"}
PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
THINKING = {"type": "enabled", "budget_tokens": 2048}


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


# What is asked of theirs, and of ours.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text": ({"messages": [HI]}, {"messages": [HI]}),
    "a system prompt and several turns": (
        {
            "system": "Be brief.",
            "messages": [HI, {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Again."}],
        },
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                HI,
                {"role": "assistant", "content": "Hello."},
                {"role": "user", "content": "Again."},
            ]
        },
    ),
    "an answer begun": (
        {"messages": [HI, {"role": "assistant", "content": "It"}]},
        {"messages": [HI, {"role": "assistant", "content": "It"}]},
    ),
    "tools": (
        {
            "messages": [HI],
            "tools": [THEIR_TOOL],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        },
        {"messages": [HI], "tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False},
    ),
    "a strict tool that must be called": (
        {
            "messages": [HI],
            "tools": [{**THEIR_TOOL, "input_schema": CLOSED, "strict": True}],
            "tool_choice": {"type": "tool", "name": "weather"},
        },
        {
            "messages": [HI],
            "tools": [{"type": "function", "function": {**FUNCTION, "strict": True}}],
            "tool_choice": {"type": "function", "function": {"name": "weather"}},
        },
    ),
    "parallel tool results": (
        {
            "messages": [
                HI,
                {"role": "assistant", "content": [text("Looking."), *THEIR_CALLS]},
                user(*THEIR_RESULTS, text("Well?")),
            ],
            "tools": [THEIR_TOOL],
        },
        {
            "messages": [
                HI,
                {"role": "assistant", "content": "Looking.", "tool_calls": CALLS},
                *RESULTS,
                {"role": "user", "content": "Well?"},
            ],
            "tools": [TOOL],
        },
    ),
    "a server tool": (
        {"messages": [HI], "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}]},
        {"messages": [HI], "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}]},
    ),
    "images": (
        {
            "messages": [
                user(
                    text("What?"),
                    {"type": "image", "source": PNG},
                    {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
                )
            ]
        },
        {
            "messages": [
                user(
                    text("What?"),
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
                    {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
                )
            ]
        },
    ),
    "documents": (
        {
            "messages": [
                user(
                    {"type": "document", "source": PDF, "title": "a.pdf", "citations": {"enabled": True}},
                    {
                        "type": "document",
                        "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"},
                        "citations": {"enabled": True},
                    },
                    {
                        "type": "document",
                        "source": {"type": "file", "file_id": "file_1"},
                        "citations": {"enabled": True},
                    },
                )
            ]
        },
        {
            "messages": [
                user(
                    {
                        "type": "file",
                        "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"},
                    },
                    {"type": "file", "file": {"file_data": "data:text/plain;base64,R3LDvMOfZQ=="}},
                    {"type": "file", "file": {"file_id": "file_1"}},
                )
            ],
            "anthropic": AnthropicOptions(citations=True),
        },
    ),
    "a schema": (
        {"messages": [HI], "output_config": {"format": {"type": "json_schema", "schema": CLOSED}}},
        {
            "messages": [HI],
            "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}},
        },
    ),
    "thinking with a budget": (
        {"messages": [HI], "thinking": THINKING, "max_tokens": 4096},
        {"messages": [HI], "anthropic": {"thinking": THINKING}, "max_tokens": 4096},
    ),
    "effort": (
        {"messages": [HI], "thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
        {"messages": [HI], "reasoning_effort": "high"},
    ),
    "caching": (
        {
            "system": [text("Long.", cache_control=CONTROL)],
            "messages": [user(text("a", cache_control=CONTROL), text("b"))],
            "tools": [{**THEIR_TOOL, "cache_control": CONTROL}],
            "cache_control": {"type": "ephemeral"},
        },
        {
            "messages": [
                {"role": "system", "content": [text("Long.", cache_control=CONTROL)]},
                user(text("a", cache_control=CONTROL), text("b")),
            ],
            "tools": [{**TOOL, "cache_control": CONTROL}],
            "anthropic": AnthropicOptions(cache_control={"type": "ephemeral"}),
        },
    ),
    "bookkeeping": (
        {
            "messages": [HI],
            "stop_sequences": ["END"],
            "metadata": {"user_id": "u-1"},
            "service_tier": "standard_only",
        },
        {"messages": [HI], "stop": "END", "user": "u-1", "service_tier": "default"},
    ),
}
# What theirs has, what ours has, and why.
HEADERS: dict[str, tuple[str, str, str]] = {
    "anthropic-version": ("2026-10-21", "2023-06-01", "the older version takes temperature, top_p and top_k"),
    "authorization": (f"Bearer {KEY}", "", "the key goes into x-api-key, as the API's own documentation has it"),
}


def play(request: Recorded) -> Answer:
    if request.path.endswith("/count_tokens"):
        return Answer(chunks=[{"input_tokens": 3}])
    if request.json.get("stream"):
        return Answer(chunks=wire.STREAM, content_type=type_sse)
    return Answer(chunks=[wire.ANSWER])


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        loopback.chooses(play)
        yield loopback


def theirs_at(server: Loopback) -> Any:
    return sdk.AsyncAnthropic(api_key=KEY, base_url=server.url, max_retries=0)


def ours_at(server: Loopback) -> AsyncOneLLM:
    return AsyncOneLLM(providers={"anthropic": {"api_key": KEY, "base_url": server.url}}, max_retries=0)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", CASES)
async def test_messages_requests_are_the_same(name: str, stream: bool, server: Loopback) -> None:
    their_call, our_call = ({"max_tokens": 100, **call} for call in CASES[name])
    async with theirs_at(server) as client:
        reply = await client.messages.create(model=MODEL, stream=stream, **their_call)
        if stream:
            assert [event.type async for event in reply][-1] == "message_stop"
    async with ours_at(server) as client:
        answer: Any = await client.chat.completions.create(model=f"anthropic/{MODEL}", stream=stream, **our_call)
        if stream:
            assert (await answer.get_final_completion()).choices[0].finish_reason == "stop"
    theirs, ours = server.requests
    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    expected = theirs.json
    if not stream:
        assert expected.pop("stream", False) is False  # which is what leaving it out means
    assert ours.json == expected


async def test_headers_that_differ_do_so_for_a_reason(server: Loopback) -> None:
    async with theirs_at(server) as client:
        await client.messages.create(model=MODEL, max_tokens=5, messages=[HI])
    async with ours_at(server) as ours_:
        messages: Any = [HI]
        await ours_.chat.completions.create(model=f"anthropic/{MODEL}", max_tokens=5, messages=messages)
    theirs, ours = server.requests
    for header, (their_value, our_value, why) in HEADERS.items():
        assert why
        assert (theirs.headers.get(header, ""), ours.headers.get(header, "")) == (their_value, our_value)
    assert ours.headers["x-api-key"] == KEY


@pytest.mark.parametrize("name", ["text", "tools", "a schema", "documents", "caching", "effort"])
async def test_counts_ask_the_same(name: str, server: Loopback) -> None:
    their_call, our_call = CASES[name]
    async with theirs_at(server) as client:
        assert (await client.messages.count_tokens(model=MODEL, **their_call)).input_tokens == 3
    async with ours_at(server) as ours_:
        counted = await ours_.chat.completions.count_tokens(model=f"anthropic/{MODEL}", **our_call)
    theirs, ours = server.requests
    assert counted.input_tokens == 3
    assert (ours.path, ours.json) == (theirs.path, theirs.json)


async def test_the_same_answers_are_read(server: Loopback) -> None:
    """Text, thinking, calls, signatures and usage, whole and streamed, come out alike."""
    blocks: list[dict[str, Any]] = [
        {"type": "thinking", "thinking": "Need weather.", "signature": "EqQB"},
        {"type": "text", "text": "Checking.", "citations": None},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"city": "Paris"}},
    ]
    events = [
        wire.start(),
        *wire.block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "Need weather."},
            {"type": "signature_delta", "signature": "EqQB"},
        ),
        *wire.text_block(1, "Checking."),
        *wire.tool_block(2, "toolu_1", "f", '{"city": "Paris"}'),
        *wire.end("tool_use"),
    ]
    server.chooses(
        lambda request: (
            Answer(chunks=events, content_type=type_sse)
            if request.json.get("stream")
            else Answer(chunks=[wire.whole(blocks, "tool_use")])
        )
    )
    messages: Any = [HI]
    async with theirs_at(server) as client:
        async with client.messages.stream(model=MODEL, max_tokens=5, messages=messages) as stream:
            folded = await stream.get_final_message()
        whole = await client.messages.create(model=MODEL, max_tokens=5, messages=messages)
    async with ours_at(server) as ours_:
        for stream_it, theirs in ((True, folded), (False, whole)):
            reply: Any = await ours_.chat.completions.create(
                model=f"anthropic/{MODEL}", max_tokens=5, messages=messages, stream=stream_it
            )
            ours = await reply.get_final_completion() if stream_it else reply
            message = ours.choices[0].message
            thinking, said, called = theirs.content
            assert (message.reasoning, message.content) == (thinking.thinking, said.text)
            assert message.provider_data.data["content"][0]["signature"] == thinking.signature
            (call,) = message.tool_calls
            assert (call.id, call.function.name) == (called.id, called.name)
            assert json.loads(call.function.arguments) == called.input
            assert ours.usage.completion_tokens == theirs.usage.output_tokens
            assert ours.choices[0].finish_reason_raw == theirs.stop_reason
