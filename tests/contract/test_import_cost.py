"""What using a provider loads: after a real call, none of the other providers' modules, and no extra."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from loopback import Answer, Loopback, streamed
from process import python
from wire import bedrock, chat_completions, cohere, gemini, messages

CALL = """
import asyncio, json, sys
for blocked in {blocked!r}:
    sys.modules[blocked] = None
from onellm import AsyncOneLLM, RetryPolicy, errors

async def main():
    async with AsyncOneLLM(providers={{{name!r}: {settings!r}}}, retry=RetryPolicy(max_retries=0)) as client:
        try:
            reply = await client.chat.completions.create(
                model={model!r}, messages=[{{"role": "user", "content": "hi"}}], timeout=20
            )
        except errors.OneLLMError as exc:
            return [type(exc).__name__, str(exc)]
        return ["", reply.choices[0].message.content]

said = asyncio.run(main())
print(json.dumps([said, [name for name, module in sys.modules.items() if module is not None]]))
"""

# Of each: the model, its answer, its own modules of providers, and the dialects that it speaks. Two have models of
# Anthropic's, and so speak its dialect; rows of one table are all in one module.
NATIVE: dict[str, tuple[str, bytes, set[str], set[str]]] = {
    "anthropic": ("m", messages.ANSWER, {"anthropic"}, {"anthropic"}),
    "azure": ("m", chat_completions.ANSWER, {"azure"}, {"openai"}),
    "bedrock": ("m", bedrock.ANSWER, {"bedrock", "aws"}, {"bedrock", "anthropic"}),
    "cohere": ("m", cohere.ANSWER, {"cohere"}, {"cohere"}),
    "google": ("m", gemini.ANSWER, {"google", "gemini_host"}, {"gemini"}),
    "vertex": ("m", gemini.ANSWER, {"vertex", "gemini_host", "google_auth"}, {"gemini", "anthropic"}),
    "openai": ("m", chat_completions.ANSWER, {"compatible"}, {"openai"}),
}
FORMATS = {"anthropic", "bedrock", "cohere", "gemini"}
OF_ONE = set().union(*(own for _, _, own, _ in NATIVE.values())) | {"bedrock_mantle", "llama_cpp"}
EXTRAS = {
    *("anthropic", "azure", "boto3", "botocore", "cohere", "google", "google.auth", "google.genai", "grpc", "httpx"),
    *("numpy", "openai", "pydantic", "redis", "requests", "stamina", "xllamacpp"),
}


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        yield loopback


async def call(
    name: str, server: Loopback, *, blocked: tuple[str, ...] = (), **settings: Any
) -> tuple[list[str], set[str]]:
    """What a process of its own says that makes one call, and the modules that it has loaded."""
    model, answer, _, _ = NATIVE[name]
    server.plays(Answer(chunks=[answer]))
    given = {"base_url": f"{server.url}/base/v9", "proxy": "", **settings}
    script = CALL.format(name=name, settings=given, model=f"{name}/{model}", blocked=blocked)
    said, loaded = json.loads(await python(script, flags=()))
    return said, set(loaded)


@pytest.mark.parametrize("name", NATIVE)
async def test_a_call_loads_one_provider(name: str, server: Loopback) -> None:
    _, _, own, speaks = NATIVE[name]
    said, loaded = await call(name, server, api_key="sk-cost-0123456789")
    assert said == ["", chat_completions.TEXT]
    assert len(server.requests) == 1
    providers = {module.removeprefix("onellm.providers.") for module in loaded}
    assert providers & OF_ONE <= own
    assert {each for each in FORMATS if any(module.startswith(f"onellm.dialects.{each}.") for module in loaded)} == (
        speaks & FORMATS
    )
    assert not EXTRAS & loaded
    if "openai" not in speaks:
        assert "onellm.dialects.openai.chat" not in loaded


# A first answer of OpenAI's, and how many modules of ours have been loaded by then. A module is a tenth of a
# millisecond and more: what goes beyond the bound belongs where it is used.
FIRST: dict[str, tuple[str, Answer, int]] = {
    "chat": (
        "(await client.chat.completions.create(model='openai/m', messages=asked)).choices[0].message.content",
        Answer(chunks=[chat_completions.ANSWER]),
        46,
    ),
    "stream": (
        "await (await client.chat.completions.create(model='openai/m', messages=asked, stream=True)).__anext__()",
        streamed(*chat_completions.STREAM),
        53,
    ),
    "embeddings": (
        "(await client.embeddings.create(model='openai/m', input='hi')).data[0].embedding[0]",
        Answer(chunks=[{"data": [{"index": 0, "embedding": "AACAPw=="}]}]),
        46,
    ),
}
FIRST_CALL = """
import asyncio, json, sys
from onellm import AsyncOneLLM
asked = [{{"role": "user", "content": "hi"}}]

async def main():
    async with AsyncOneLLM(providers={{"openai": {settings!r}}}) as client:
        {call}

asyncio.run(main())
print(json.dumps(sorted(name for name in sys.modules if name.partition(".")[0] == "onellm")))
"""


@pytest.mark.parametrize("kind", FIRST)
async def test_a_first_answer_loads_few_modules(kind: str, server: Loopback) -> None:
    """Those of its own operation: the row serves seventeen."""
    expression, answer, most = FIRST[kind]
    server.plays(answer)
    settings = {"base_url": f"{server.url}/v1", "api_key": "sk-cost-0123456789", "proxy": ""}
    loaded = json.loads(await python(FIRST_CALL.format(settings=settings, call=expression), flags=()))
    assert len(server.requests) == 1
    assert "onellm.transport.http" in loaded
    assert len(loaded) <= most, loaded


async def test_importing_loads_no_provider() -> None:
    script = "import sys, onellm; onellm.AsyncOneLLM; print(*sys.modules)"
    loaded = set((await python(script, flags=())).split())
    assert not {module for module in loaded if module.startswith("onellm.providers.")} & {
        f"onellm.providers.{each}" for each in OF_ONE
    }
    assert not [module for module in loaded if module.startswith(tuple(f"onellm.dialects.{each}" for each in FORMATS))]
    assert not EXTRAS & loaded


@pytest.mark.parametrize(
    ("name", "options", "blocked"),
    [
        ("azure", {"entra": True}, ("azure", "azure.identity", "azure.identity.aio")),
        ("bedrock", {"region": "us-east-1"}, ("botocore", "botocore.session")),
        ("vertex", {"project": "p"}, ("google.auth", "google.oauth2")),
    ],
)
async def test_without_the_extra_the_error_names_it(
    name: str, options: dict[str, Any], blocked: tuple[str, ...], server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent then; and with a key nothing of the extra is missed."""
    for variable in ("AZURE_OPENAI_API_KEY", "AWS_BEARER_TOKEN_BEDROCK", "GOOGLE_VERTEX_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    (kind, message), _ = await call(name, server, blocked=blocked, options=options)
    assert kind == "MissingDependencyError"
    assert f'pip install "onellm[{name}]"' in message
    assert server.requests == []
    said, _ = await call(name, server, blocked=blocked, api_key="sk-cost-0123456789")
    assert said == ["", chat_completions.TEXT]
