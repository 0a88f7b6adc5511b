"""What Cohere's own package sends, and what we send for the same call: captured by one server, compared.

The package is in the extra `oracle`. Differences are in the headers only: method, path, key and JSON are equal.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from loopback import Answer, Loopback, type_sse
from wire import cohere as wire
from wire.rerank import DOCUMENTS, QUERY

from onellm import AsyncOneLLM, CohereOptions
from onellm.types.chat import ChatCompletion

cohere: Any = pytest.importorskip("cohere", reason="needs the package cohere (extra: oracle)")

ASK = [{"role": "user", "content": "Hello"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"name": "weather", "description": "Weather in a city", "parameters": SCHEMA}
TOOL = {"type": "function", "function": FUNCTION}
TIME = {"type": "function", "function": {**FUNCTION, "name": "clock"}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}
DOCUMENT = {"id": "doc-1", "data": {"title": "Ruby", "text": "Ruby was made by Matz."}}


def call(id_: str, city: str) -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": "weather", "arguments": f'{{"city":"{city}"}}'}}


def result(id_: str, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "content": content}


FOUND = [{"type": "document", "document": {"id": "w", "data": {"weather": "sunny"}}}]
CONVERSATION = [
    {"role": "system", "content": "Be brief."},
    *ASK,
    {"role": "assistant", "content": "Hi."},
    {"role": "user", "content": [{"type": "text", "text": "Who are you?"}]},
]
CALLED = [
    *ASK,
    {"role": "assistant", "tool_plan": "I will look.", "tool_calls": [call("a", "Paris"), call("b", "Rome")]},
    result("a", "sunny"),
    result("b", FOUND),
]
THOUGHT = [
    *ASK,
    {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Hi."}]},
    *ASK,
]

# Each call in the package's words, and in ours.
CHATS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text": ({"messages": ASK}, {"messages": ASK}),
    "system and turns": ({"messages": CONVERSATION}, {"messages": CONVERSATION}),
    "sampling": (
        {
            "messages": ASK,
            "max_tokens": 20,
            "temperature": 0.5,
            "p": 0.9,
            "k": 5,
            "seed": 7,
            "stop_sequences": ["a", "b"],
            "frequency_penalty": 0.1,
            "presence_penalty": 0.2,
            "logprobs": True,
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
            "logprobs": True,
            "cohere": CohereOptions(k=5),
        },
    ),
    "tools": (
        {"messages": ASK, "tools": [TOOL], "tool_choice": "REQUIRED", "strict_tools": True},
        {
            "messages": ASK,
            "tools": [{"type": "function", "function": {**FUNCTION, "strict": True}}],
            "tool_choice": "required",
        },
    ),
    "one tool": (
        {"messages": ASK, "tools": [TIME], "tool_choice": "REQUIRED"},
        {
            "messages": ASK,
            "tools": [TOOL, TIME],
            "tool_choice": {"type": "function", "function": {"name": "clock"}},
        },
    ),
    "no tool": (
        {"messages": ASK, "tools": [TOOL], "tool_choice": "NONE"},
        {"messages": ASK, "tools": [TOOL], "tool_choice": "none"},
    ),
    "parallel calls with results": ({"messages": CALLED, "tools": [TOOL]}, {"messages": CALLED, "tools": [TOOL]}),
    "thinking in the history": ({"messages": THOUGHT}, {"messages": THOUGHT}),
    "image": (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "What?"}, IMAGE]}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "What?"}, IMAGE]}]},
    ),
    "documents": (
        {"messages": ASK, "documents": ["Plain.", DOCUMENT], "citation_options": {"mode": "ACCURATE"}},
        {"messages": ASK, "cohere": {"documents": ["Plain.", DOCUMENT], "citation_mode": "ACCURATE"}},
    ),
    "json": (
        {"messages": ASK, "response_format": {"type": "json_object"}},
        {"messages": ASK, "response_format": {"type": "json_object"}},
    ),
    "schema": (
        {"messages": ASK, "response_format": {"type": "json_object", "json_schema": SCHEMA}},
        {
            "messages": ASK,
            "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA, "strict": True}},
        },
    ),
    "thinking": (
        {"messages": ASK, "thinking": {"type": "enabled", "token_budget": 2048}},
        {"messages": ASK, "reasoning_effort": "low"},
    ),
    "no thinking": (
        {"messages": ASK, "thinking": {"type": "disabled"}},
        {"messages": ASK, "reasoning_effort": "none"},
    ),
    "native": (
        {"messages": ASK, "safety_mode": "STRICT", "priority": 3, "thinking": {"type": "enabled", "token_budget": 99}},
        {
            "messages": ASK,
            "cohere": CohereOptions(safety_mode="STRICT", priority=3, thinking={"type": "enabled", "token_budget": 99}),
        },
    ),
}


async def both(
    theirs: Callable[[Any], Awaitable[object]], ours: Callable[[AsyncOneLLM], Awaitable[object]], answer: Answer
) -> None:
    """The two requests are one."""
    async with Loopback() as server:
        server.plays(answer)
        async with cohere.AsyncClientV2(api_key="k", base_url=server.url, client_name="app") as package:
            await theirs(package)
        settings = {"api_key": "k", "base_url": server.url, "options": {"client_name": "app"}}
        async with AsyncOneLLM(providers={"cohere": settings}) as client:
            await ours(client)
    one, other = server.requests
    assert (other.method, other.path, other.query) == (one.method, one.path, one.query)
    for name in ("authorization", "x-client-name", "content-type"):
        assert other.headers.get(name) == one.headers.get(name)
    if one.body:
        plain = one.json
        if plain.get("stream") is False:  # the package says so; leaving it out is the same
            del plain["stream"]
        assert other.json == plain
    else:
        assert other.body == b""


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", CHATS)
async def test_chat(name: str, stream: bool) -> None:
    package_says, we_say = CHATS[name]

    async def theirs(package: Any) -> None:
        if stream:
            async for _ in package.chat_stream(model="m", **package_says):
                pass
        else:
            await package.chat(model="m", **package_says)

    async def ours(client: AsyncOneLLM) -> None:
        reply = await client.chat.completions.create(model="cohere/m", **we_say, stream=stream)
        if not isinstance(reply, ChatCompletion):
            await reply.get_final_completion()

    streamed = Answer(chunks=wire.STREAM, content_type=type_sse)
    await both(theirs, ours, streamed if stream else Answer(chunks=[wire.ANSWER]))


@pytest.mark.parametrize(
    ("package_says", "we_say"),
    [
        ({"input_type": "search_document"}, {}),
        ({"input_type": "search_query", "output_dimension": 256}, {"input_type": "query", "dimensions": 256}),
        (
            {"input_type": "clustering", "truncate": "NONE"},
            {"input_type": "clustering", "extra_body": {"truncate": "NONE"}},
        ),
    ],
)
async def test_embed(package_says: dict[str, Any], we_say: dict[str, Any]) -> None:
    await both(
        lambda package: package.embed(model="m", texts=["a", "b"], embedding_types=["float"], **package_says),
        lambda client: client.embeddings.create(model="cohere/m", input=["a", "b"], **we_say),
        Answer(chunks=[wire.embeddings(wire.VECTORS[:2])]),
    )


async def test_embed_images() -> None:
    url = "data:image/png;base64,iVBORw0KGgo="
    inputs = [
        {"content": [{"type": "text", "text": "a"}]},
        {"content": [{"type": "image_url", "image_url": {"url": url}}]},
    ]
    await both(
        lambda package: package.embed(
            model="m", inputs=inputs, input_type="search_document", embedding_types=["float"]
        ),
        lambda client: client.embeddings.create(model="cohere/m", input=["a", url], input_type="document"),
        Answer(chunks=[wire.embeddings(wire.VECTORS[:2])]),
    )


async def test_rerank() -> None:
    answer = {"id": "r", "results": [{"index": 1, "relevance_score": 0.5}], "meta": {"billed_units": {}}}
    await both(
        lambda package: package.rerank(model="m", query=QUERY, documents=DOCUMENTS, top_n=1),
        lambda client: client.rerank.create(model="cohere/m", query=QUERY, documents=DOCUMENTS, top_n=1),
        Answer(chunks=[answer]),
    )


async def test_models() -> None:
    await both(
        lambda package: package.models.list(page_size=1000),
        lambda client: client.models.list("cohere"),
        Answer(chunks=[wire.models()]),
    )
    await both(
        lambda package: package.models.get("m"),
        lambda client: client.models.retrieve("cohere/m"),
        Answer(chunks=[wire.model()]),
    )
