"""What hosts' own packages send, and what we send for the same call: captured by one server, compared.

The packages are the extra `oracle`. A difference that is meant stands in the table with its reason; any other fails.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import pytest
from loopback import Answer, Loopback, Recorded, sse, type_sse

from onellm import AsyncOneLLM

WHOLE = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop", "logprobs": None}
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
CHUNKS = [
    {
        **WHOLE,
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": end}],
    }
    for end in (None, "stop")
]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CALLS: dict[str, dict[str, Any]] = {
    "text": {"messages": [{"role": "user", "content": "Hello"}]},
    "conversation": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi."},
            {"role": "user", "content": "Who are you?"},
        ],
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 20,
    },
    "tools": {
        "messages": [
            {"role": "user", "content": "Weather in Paris?"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {
                        "id": "abcdefghi",
                        "type": "function",
                        "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "abcdefghi", "content": "sunny"},
        ],
        "tools": [TOOL],
        "tool_choice": "auto",
    },
    "stream": {"messages": [{"role": "user", "content": "Hello"}], "stream": True},
}


@dataclass(frozen=True, kw_only=True)
class Sdk:
    """A host's own package.

    call:         makes the call with a client for the server at this URL; streams are read to their end
    base:         what our base URL has after the server's
    differences:  top-level fields that differ, each with the reason
    spelled_out:  fields of messages and tool calls that the package always sends, with the values of leaving them out
    """

    package: str
    call: Callable[[Any, str, dict[str, Any]], Awaitable[None]]
    base: str
    differences: dict[str, str] = field(default_factory=dict)
    spelled_out: dict[str, Any] = field(default_factory=dict)


def _stainless(client: str, **options: Any) -> Callable[[Any, str, dict[str, Any]], Awaitable[None]]:
    """Clients that are generated as `openai`'s is."""

    async def call(package: Any, url: str, given: dict[str, Any]) -> None:
        async with getattr(package, client)(api_key="k", base_url=url, max_retries=0, **options) as made:
            answer = await made.chat.completions.create(model="m", **given)
            if given.get("stream"):
                async for _ in answer:
                    pass

    return call


async def _mistral(package: Any, url: str, given: dict[str, Any]) -> None:
    given = dict(given)
    async with package.Mistral(api_key="k", server_url=url) as client:
        if given.pop("stream", False):
            async for _ in await client.chat.stream_async(model="m", **given):
                pass
        else:
            await client.chat.complete_async(model="m", **given)


async def _huggingface(package: Any, url: str, given: dict[str, Any]) -> None:
    async with package.AsyncInferenceClient(base_url=f"{url}/v1", api_key="k") as client:
        answer = await client.chat_completion(model="m", **given)
        if given.get("stream"):
            async for _ in answer:
                pass


USAGE = "usage is asked for, so that the folded answer has it"
SDKS = {
    "groq": Sdk(package="groq", call=_stainless("AsyncGroq"), base="/openai/v1"),
    "together": Sdk(
        package="together", call=_stainless("AsyncTogether"), base="/v1", differences={"stream_options": USAGE}
    ),
    "cerebras": Sdk(
        package="cerebras.cloud.sdk",
        call=_stainless("AsyncCerebras", warm_tcp_connection=False),
        base="/v1",
        differences={"stream_options": USAGE},
    ),
    "fireworks": Sdk(
        package="fireworks", call=_stainless("AsyncFireworks"), base="/v1", differences={"stream_options": USAGE}
    ),
    "sambanova": Sdk(
        package="sambanova", call=_stainless("AsyncSambaNova"), base="", differences={"stream_options": USAGE}
    ),
    "perplexity": Sdk(package="perplexity", call=_stainless("AsyncPerplexity"), base=""),
    "mistral": Sdk(
        package="mistralai.client",
        call=_mistral,
        base="/v1",
        differences={"stream": "the package says false where it does not stream; leaving it out is the same"},
        spelled_out={"prefix": False, "index": 0},
    ),
    "huggingface": Sdk(
        package="huggingface_hub",
        call=_huggingface,
        base="/v1",
        differences={
            "stream_options": USAGE,
            "stream": "the package says false where it does not stream; leaving it out is the same",
        },
    ),
}
NO_TOOLS = {"perplexity"}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", SDKS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::ResourceWarning")
async def test_we_send_what_the_hosts_package_sends(name: str, call: str) -> None:
    sdk = SDKS[name]
    if call == "tools" and name in NO_TOOLS:
        pytest.skip(f"{name} has no tools")
    try:
        package = import_module(sdk.package)
    except ImportError:
        pytest.skip(f"needs the package {sdk.package} (extra: oracle)")
    given = CALLS[call]
    async with Loopback() as server:
        server.plays(_answer(given))
        await sdk.call(package, server.url, given)
        theirs = server.requests[-1]
        async with AsyncOneLLM(providers={name: {"api_key": "k", "base_url": server.url + sdk.base}}) as client:
            answer = await client.chat.completions.create(model=f"{name}/m", **given)
            if given.get("stream"):
                await answer.get_final_completion()
        ours = server.requests[-1]

    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert ours.headers["authorization"] == theirs.headers["authorization"]
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    assert _body(ours, sdk) == _body(theirs, sdk)


def _answer(given: dict[str, Any]) -> Answer:
    if given.get("stream"):
        return Answer(content_type=type_sse, chunks=sse(*CHUNKS))
    return Answer(chunks=[WHOLE])


def _body(request: Recorded, sdk: Sdk) -> dict[str, Any]:
    body: dict[str, Any] = request.json
    return {key: _plain(value, sdk) for key, value in body.items() if key not in sdk.differences}


def _plain(value: Any, sdk: Sdk) -> Any:
    if isinstance(value, list):
        return [_plain(item, sdk) for item in value]
    if isinstance(value, dict):
        spelled = sdk.spelled_out
        return {key: _plain(item, sdk) for key, item in value.items() if not (key in spelled and spelled[key] == item)}
    return value
