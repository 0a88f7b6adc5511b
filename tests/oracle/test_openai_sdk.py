"""The official `openai` client and ours make the same calls against one server: the requests are the same.

What differs is listed, each with its reason; a difference that is not listed is a failure, and so is a listed one that
does not occur.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from loopback import Answer, Loopback, Recorded, type_sse
from openai import AsyncOpenAI
from wire.chat_completions import ANSWER, STREAM, TOOL_ANSWER, embeddings, model, models

from onellm import AsyncOneLLM

MODEL = "gpt-5.4-mini"
KEY = "sk-oracle-0123456789"
HI: dict[str, Any] = {"role": "user", "content": "Hi, Grüße \U0001f600"}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        "strict": True,
    },
}
CALLS = [
    {"id": f"call_{at}", "type": "function", "function": {"name": "weather", "arguments": f'{{"city": "{at}"}}'}}
    for at in "ab"
]
RESULTS = [{"role": "tool", "tool_call_id": call["id"], "content": "21 °C"} for call in CALLS]
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
FILE = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}
SCHEMA = {
    "name": "answer",
    "strict": True,
    "schema": {"type": "object", "properties": {}, "additionalProperties": False},
}

CHAT: dict[str, dict[str, Any]] = {
    "text": {"messages": [HI]},
    "several turns": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            HI,
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": "Again.", "name": "ann"},
        ]
    },
    "developer": {"messages": [{"role": "developer", "content": [{"type": "text", "text": "Be brief."}]}, HI]},
    "tools": {"messages": [HI], "tools": [TOOL], "tool_choice": "auto", "parallel_tool_calls": True},
    "a tool that must be called": {
        "messages": [HI],
        "tools": [TOOL],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
    },
    "a tool result": {
        "messages": [HI, {"role": "assistant", "content": None, "tool_calls": CALLS[:1]}, RESULTS[0]],
        "tools": [TOOL],
    },
    "parallel tool results": {
        "messages": [HI, {"role": "assistant", "content": "Looking.", "tool_calls": CALLS}, *RESULTS, HI],
        "tools": [TOOL],
    },
    "a custom tool": {
        "messages": [HI],
        "tools": [{"type": "custom", "custom": {"name": "sh", "description": "a shell"}}],
        "tool_choice": {"type": "custom", "custom": {"name": "sh"}},
    },
    "functions": {"messages": [HI], "functions": [TOOL["function"]], "function_call": {"name": "weather"}},
    "an image": {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, IMAGE]}]},
    "sound and a file": {"messages": [{"role": "user", "content": [SOUND, FILE]}], "modalities": ["text"]},
    "a schema": {"messages": [HI], "response_format": {"type": "json_schema", "json_schema": SCHEMA}},
    "json": {"messages": [HI], "response_format": {"type": "json_object"}},
    "sampling": {
        "messages": [HI],
        "n": 2,
        "logprobs": True,
        "top_logprobs": 3,
        "stop": ["\n", "END"],
        "seed": 7,
        "temperature": 0,
        "top_p": 0.5,
        "frequency_penalty": -0.5,
        "presence_penalty": 1,
        "logit_bias": {"50256": -100},
    },
    "bookkeeping": {
        "messages": [HI],
        "user": "u-1",
        "metadata": {"a": "b"},
        "store": False,
        "service_tier": "flex",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
    },
    "thinking": {"messages": [HI], "reasoning_effort": "low", "verbosity": "low", "max_completion_tokens": 100},
    "a prediction": {"messages": [HI], "prediction": {"type": "content", "content": "x"}},
    "spoken output": {"messages": [HI], "modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}},
    "the web": {"messages": [HI], "web_search_options": {"search_context_size": "low"}},
    "extras": {
        "messages": [HI],
        "extra_body": {"top_k": 4, "nested": {"a": [None]}},
        "extra_query": {"a": 1, "b": True, "c": "x y&z", "d": 1.5},
        "extra_headers": {"X-Mine": "yes"},
    },
    "max_tokens": {"messages": [HI], "max_tokens": 100},
    "a stream": {"messages": [HI], "stream": True},
    "a stream with its usage": {"messages": [HI], "stream": True, "stream_options": {"include_usage": True}},
    "a stream without its usage": {"messages": [HI], "stream": True, "stream_options": {"include_usage": False}},
    "stream is False": {"messages": [HI], "stream": False},
}
EMBEDDINGS: dict[str, dict[str, Any]] = {
    "a text": {"input": "Hi, Grüße"},
    "texts": {"input": ["a", "b"]},
    "tokens": {"input": [1, 2, 3]},
    "lists of tokens": {"input": [[1, 2], [3]]},
    "dimensions and user": {"input": "a", "dimensions": 2, "user": "u"},
    "floats": {"input": "a", "encoding_format": "float"},
    "base64": {"input": "a", "encoding_format": "base64"},
}
OTHERS: dict[str, Callable[[Any, str], Awaitable[Any]]] = {
    "list models": lambda client, _: client.models.list(),
    "retrieve a model": lambda client, prefix: client.models.retrieve(prefix + MODEL),
    "retrieve a model with odd letters": lambda client, prefix: client.models.retrieve(prefix + "ft:gpt-5.4:org::a b"),
}

# case: (what is different in our body, why)
DIFFERENCES: dict[str, tuple[dict[str, Any], str]] = {
    "max_tokens": (
        {"max_tokens": None, "max_completion_tokens": 100},
        "OpenAI's newer models refuse the old name; the new one is taken by all of them",
    ),
    "a stream": (
        {"stream_options": {"include_usage": True}},
        "our streamed answer has the usage that the whole one has, so it must be asked for",
    ),
    "stream is False": ({"stream": None}, "False is what leaving it out means"),
}


def play(request: Recorded) -> Answer:
    """The right answer to each request, so that both clients get through."""
    if request.path.endswith("/models"):
        return Answer(chunks=[models()])
    if "/models/" in request.path:
        return Answer(chunks=[model()])
    if request.path.endswith("/embeddings"):
        inputs = request.json["input"]
        count = len(inputs) if isinstance(inputs, list) and not isinstance(inputs[0], int) else 1
        return Answer(chunks=[embeddings([[0.5, 1.0]] * count, base64_=request.json["encoding_format"] == "base64")])
    if request.json.get("stream"):
        return Answer(chunks=STREAM, content_type=type_sse)
    return Answer(chunks=[TOOL_ANSWER if "tools" in request.json else ANSWER])


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Loopback]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for variable in ("OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    async with Loopback() as loopback:
        loopback.chooses(play)
        yield loopback


async def both(server: Loopback, call: Callable[[Any, str], Awaitable[Any]]) -> tuple[Recorded, Recorded]:
    """The request that each sends for one call: theirs, then ours. call gets the client and the model's prefix."""
    settings: dict[str, Any] = {
        "api_key": KEY,
        "base_url": f"{server.url}/v1",
        "organization": "org-1",
        "project": "proj-1",
        "default_headers": {"X-Default": "d"},
        "max_retries": 0,
    }
    async with AsyncOpenAI(**settings) as theirs:
        await drain(await call(theirs, ""))
    async with AsyncOneLLM(**settings) as ours:
        await drain(await call(ours, "openai/"))
    one, other = server.requests
    return one, other


async def drain(reply: Any) -> None:
    if hasattr(reply, "__aiter__"):
        async for _ in reply:
            pass


def assert_same_head(theirs: Recorded, ours: Recorded) -> None:
    assert (ours.method, ours.path, ours.query) == (theirs.method, theirs.path, theirs.query)
    kept = ("authorization", "openai-organization", "openai-project", "content-type", "x-default", "x-mine")
    assert {name: ours.headers.get(name) for name in kept} == {name: theirs.headers.get(name) for name in kept}


@pytest.mark.parametrize("name", CHAT)
async def test_chat_requests_are_the_same(name: str, server: Loopback) -> None:
    theirs, ours = await both(
        server, lambda client, prefix: client.chat.completions.create(model=prefix + MODEL, **CHAT[name])
    )
    assert_same_head(theirs, ours)
    expected = dict(theirs.json)
    different, _ = DIFFERENCES.get(name, ({}, ""))
    for key, value in different.items():
        assert expected.get(key) != value, f"the difference in {key} is gone"
        expected[key] = value
        if value is None:
            del expected[key]
    assert ours.json == expected


def test_each_difference_has_its_reason_and_its_case() -> None:
    assert set(DIFFERENCES) <= set(CHAT)
    assert all(reason for _, reason in DIFFERENCES.values())


@pytest.mark.parametrize("name", EMBEDDINGS)
async def test_embeddings_requests_are_the_same(name: str, server: Loopback) -> None:
    theirs, ours = await both(
        server, lambda client, prefix: client.embeddings.create(model=prefix + MODEL, **EMBEDDINGS[name])
    )
    assert_same_head(theirs, ours)
    assert ours.json == theirs.json


@pytest.mark.parametrize("name", OTHERS)
async def test_requests_without_a_body_are_the_same(name: str, server: Loopback) -> None:
    theirs, ours = await both(server, OTHERS[name])
    assert_same_head(theirs, ours)
    assert (ours.body, theirs.body) == (b"", b"")


async def test_what_comes_out_goes_back_in_as_theirs_does(server: Loopback) -> None:
    """The second turn of a tool call, each with the message object that its own client gave."""
    sent: list[Any] = []
    clients: list[tuple[Any, str]] = [(AsyncOpenAI, ""), (AsyncOneLLM, "openai/")]
    for make, prefix in clients:
        async with make(api_key=KEY, base_url=f"{server.url}/v1") as client:
            first = await client.chat.completions.create(model=prefix + MODEL, messages=[HI], tools=[TOOL])
            history = [HI, first.choices[0].message, *RESULTS]
            await client.chat.completions.create(model=prefix + MODEL, messages=history, tools=[TOOL])
        sent.append(server.requests[-1].json)
    theirs, ours = sent
    assert theirs["messages"][1].keys() - ours["messages"][1].keys() == set()
    assert ours == theirs


async def test_the_same_answers_are_read(server: Loopback) -> None:
    """Text, calls, usage and vectors come out alike."""

    async def read(client: Any, prefix: str) -> list[Any]:
        chat = client.chat.completions
        plain = await chat.create(model=prefix + MODEL, messages=[HI])
        called = await chat.create(model=prefix + MODEL, messages=[HI], tools=[TOOL])
        stream = await chat.create(model=prefix + MODEL, messages=[HI], stream=True)
        chunks = [chunk async for chunk in stream if chunk.choices]
        vectors = await client.embeddings.create(model=prefix + MODEL, input=["a", "b"])
        return [
            plain.choices[0].message.content,
            plain.choices[0].finish_reason,
            plain.usage.prompt_tokens_details.cached_tokens,
            [
                (call.id, call.type, call.function.name, call.function.arguments)
                for call in called.choices[0].message.tool_calls
            ],
            [(chunk.choices[0].delta.content, chunk.choices[0].finish_reason) for chunk in chunks],
            [list(item.embedding) for item in vectors.data],
            [item.id for item in (await client.models.list()).data],
            [item.id async for item in client.models.list()],
        ]

    async with AsyncOpenAI(api_key=KEY, base_url=f"{server.url}/v1") as theirs:
        expected = await read(theirs, "")
    async with AsyncOneLLM(api_key=KEY, base_url=f"{server.url}/v1") as ours:
        assert await read(ours, "openai/") == expected
