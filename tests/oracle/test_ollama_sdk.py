"""What Ollama's own package sends, and what we send for the same call: captured by one server, compared.

The package is in the extra `oracle`. `DIFFERENCES` lists what differs in the JSON, and why; method, path and key are
equal.
"""

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import pytest
from loopback import Answer, Loopback, Recorded
from wire import ollama as wire

from onellm import AsyncOneLLM, OllamaOptions
from onellm.providers.ollama import read_host
from onellm.types.chat_params import MessageParam

ollama: Any = pytest.importorskip("ollama", reason="needs the package ollama (extra: oracle)")

HI: list[MessageParam] = [{"role": "user", "content": "Hello"}]
ASK: list[Any] = [{"role": "user", "content": "Hello"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"name": "weather", "description": "Weather in a city", "parameters": SCHEMA}
TOOL = {"type": "function", "function": FUNCTION}
PNG = "iVBORw0KGgo="
CALLED = {"function": {"name": "weather", "arguments": {"city": "Rome"}}}

# Fields that the package leaves out or adds, and why that is the same to the server.
DIFFERENCES = {
    "tools": "the package sends [] where there are none",
    "tool_call_id": "the package knows results by the function's name only; newer servers by the id, too",
    "id": "likewise, of a call",
    "content": "the package leaves an empty one out",
    "insecure": "the package says of a pull that it is not",
}

# Each call in the package's words, and in ours.
CHATS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text": ({"messages": ASK}, {"messages": ASK}),
    "sampling": (
        {
            "messages": ASK,
            "options": {
                "num_predict": 20,
                "temperature": 0.5,
                "top_p": 0.9,
                "top_k": 5,
                "seed": 7,
                "stop": ["a", "b"],
                "frequency_penalty": 0.1,
                "presence_penalty": 0.2,
                "num_ctx": 8192,
            },
        },
        {
            "messages": ASK,
            "max_tokens": 20,
            "temperature": 0.5,
            "top_p": 0.9,
            "seed": 7,
            "stop": ["a", "b"],
            "frequency_penalty": 0.1,
            "presence_penalty": 0.2,
            "ollama": OllamaOptions(top_k=5, num_ctx=8192),
        },
    ),
    "thinking": ({"messages": ASK, "think": "high"}, {"messages": ASK, "reasoning_effort": "high"}),
    "no thinking": ({"messages": ASK, "think": False}, {"messages": ASK, "reasoning_effort": "none"}),
    "kept": ({"messages": ASK, "keep_alive": "5m"}, {"messages": ASK, "ollama": OllamaOptions(keep_alive="5m")}),
    "unloaded": ({"messages": ASK, "keep_alive": 0}, {"messages": ASK, "ollama": OllamaOptions(keep_alive=0)}),
    "log probabilities": (
        {"messages": ASK, "logprobs": True, "top_logprobs": 2},
        {"messages": ASK, "logprobs": True, "top_logprobs": 2},
    ),
    "json": ({"messages": ASK, "format": "json"}, {"messages": ASK, "response_format": {"type": "json_object"}}),
    "schema": (
        {"messages": ASK, "format": SCHEMA},
        {"messages": ASK, "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}}},
    ),
    "tools": ({"messages": ASK, "tools": [TOOL]}, {"messages": ASK, "tools": [TOOL]}),
    "image": (
        {"messages": [{"role": "user", "content": "What?", "images": [PNG]}]},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What?"},
                        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                    ],
                }
            ]
        },
    ),
    "a call and its result": (
        {
            "messages": [
                *ASK,
                {"role": "assistant", "content": "", "tool_calls": [CALLED]},
                {"role": "tool", "content": "sunny", "tool_name": "weather"},
            ]
        },
        {
            "messages": [
                *ASK,
                {
                    "role": "assistant",
                    "tool_calls": [
                        {
                            "id": "a",
                            "type": "function",
                            "function": {"name": "weather", "arguments": '{"city": "Rome"}'},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "a", "content": "sunny"},
            ]
        },
    ),
}


def same(value: Any) -> Any:
    """JSON without what differs for a reason; of `tools` and `content`, only empty ones."""
    if isinstance(value, dict):
        return {
            name: same(item)
            for name, item in value.items()
            if name not in DIFFERENCES or (name in ("tools", "content") and item)
        }
    return [same(item) for item in value] if isinstance(value, list) else value


async def both(
    theirs: Callable[[Any], Awaitable[Any]], ours: Callable[[AsyncOneLLM], Awaitable[Any]], answer: Answer
) -> tuple[Recorded, Recorded]:
    """One call by each, to one server: their requests are equal."""
    async with Loopback() as server:
        server.plays(answer)
        async with ollama.AsyncClient(host=server.url, headers={"Authorization": "Bearer k"}) as package:
            await theirs(package)
        async with AsyncOneLLM(providers={"ollama": {"api_key": "k", "base_url": server.url}}) as client:
            await ours(client)
        first, second = server.requests
    assert (second.method, second.path) == (first.method, first.path)
    assert second.headers["authorization"] == first.headers["authorization"]
    if first.body or second.body:
        assert same(second.json) == same(first.json)
    return first, second


@pytest.mark.parametrize("name", CHATS)
async def test_chat(name: str) -> None:
    package_says, we_say = CHATS[name]
    await both(
        lambda package: package.chat(model="m", **package_says),
        lambda client: client.chat.completions.create(model="ollama/m", **we_say),
        Answer(chunks=[wire.ANSWER]),
    )


async def test_streamed_chat() -> None:
    said: list[str] = []

    async def theirs(package: Any) -> None:
        said.append("".join([part.message.content or "" async for part in await package.chat("m", ASK, stream=True)]))

    async def ours(client: AsyncOneLLM) -> None:
        async with await client.chat.completions.create(model="ollama/m", messages=HI, stream=True) as stream:
            said.append("".join([piece async for piece in stream.text()]))

    # No U+2028: the package would take it for the end of a line.
    lines = [*map(wire.said, wire.pieces("Grüße, 你好")), wire.end()]
    await both(theirs, ours, Answer(chunks=lines, content_type=wire.STREAM_TYPE))
    assert said == ["Grüße, 你好"] * 2


@pytest.mark.parametrize(
    ("package_says", "we_say"),
    [
        ({}, {}),
        ({"suffix": " end", "options": {"num_predict": 5}}, {"suffix": " end", "max_tokens": 5}),
        ({"raw": True}, {"extra_body": {"raw": True}}),
    ],
    ids=["plain", "filled in", "raw"],
)
async def test_generate(package_says: dict[str, Any], we_say: dict[str, Any]) -> None:
    """The package sends empty texts and `raw: false` where nothing was given."""

    async def ours(client: AsyncOneLLM) -> None:
        await client.completions.create(model="ollama/m", prompt="Once", **we_say)

    answer = Answer(chunks=[wire.line(response="x", done=True, done_reason="stop")])
    async with Loopback() as server:
        server.plays(answer)
        async with ollama.AsyncClient(host=server.url) as package:
            await package.generate(model="m", prompt="Once", **package_says)
        async with AsyncOneLLM(providers={"ollama": {"base_url": server.url}}) as client:
            await ours(client)
        first, second = server.requests
    unsaid = {name: value for name, value in first.json.items() if value in ("", False, None) and name != "stream"}
    assert (second.method, second.path) == (first.method, first.path)
    assert second.json == {name: value for name, value in first.json.items() if name not in unsaid}


async def test_embed() -> None:
    await both(
        lambda package: package.embed(model="m", input=["a", "b"], dimensions=3, truncate=False),
        lambda client: client.embeddings.create(
            model="ollama/m", input=["a", "b"], dimensions=3, extra_body={"truncate": False}
        ),
        Answer(chunks=[wire.embeddings(wire.VECTORS[:2])]),
    )
    await both(
        lambda package: package.embed(model="m", input="a"),
        lambda client: client.embeddings.create(model="ollama/m", input="a"),
        Answer(chunks=[wire.embeddings(wire.VECTORS[:1])]),
    )


async def test_models() -> None:
    await both(
        lambda package: package.list(), lambda client: client.models.list("ollama"), Answer(chunks=[wire.models()])
    )
    await both(
        lambda package: package.show("m"),
        lambda client: client.models.retrieve("ollama/m"),
        Answer(chunks=[wire.model()]),
    )
    await both(
        lambda package: package.delete("m"), lambda client: client.models.delete("ollama/m"), Answer(chunks=[b""])
    )


async def test_pull() -> None:
    async def theirs(package: Any) -> None:
        assert [part.status async for part in await package.pull("m", stream=True)][-1] == "success"

    async def ours(client: AsyncOneLLM) -> None:
        async with await client.models.pull("ollama/m", stream=True) as pull:
            assert [part.status async for part in pull][-1] == "success"

    await both(theirs, ours, Answer(chunks=wire.PULL_STREAM, content_type=wire.STREAM_TYPE))


HOSTS = [
    "",
    "1.2.3.4",
    ":56789",
    "1.2.3.4:56789",
    "http://1.2.3.4",
    "https://1.2.3.4",
    "https://1.2.3.4:56789",
    "example.com",
    "example.com:56789",
    "http://example.com",
    "example.com/",
    "example.com:56789/",
    "example.com/path",
    "https://example.com:56789/path/",
    "[0001:002:003:0004::1]",
    "[0001:002:003:0004::1]:56789",
    "http://[0001:002:003:0004::1]",
    "[0001:002:003:0004::1]/path",
    "https://[0001:002:003:0004::1]:56789/path",
]


@pytest.mark.parametrize("host", HOSTS)
def test_hosts_are_read_alike(host: str) -> None:
    """The usual port of a scheme may be said or not."""
    ports = {"http": ":80", "https": ":443"}
    theirs: str = import_module("ollama._client")._parse_host(host)
    scheme = theirs.partition("://")[0]
    place, slash, path = theirs.removeprefix(f"{scheme}://").partition("/")
    assert read_host(host) == f"{scheme}://{place.removesuffix(ports[scheme])}{slash}{path}"
