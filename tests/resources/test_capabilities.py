"""`models.capabilities`: what the provider publishes, then what its row says, then nothing."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from command_line import unset_all
from loopback import Answer, Loopback

from onellm import AsyncOneLLM, PermissionDeniedError, UnsupportedParameterError
from onellm.providers.compatible import ROWS
from onellm.providers.http import HttpProvider
from onellm.providers.registry import get_provider, list_providers
from onellm.types.capabilities import FLAGS, UNKNOWN, Capabilities, Capability

YES = Capability("yes", "provider says")
NO = Capability("no", "provider says")


@pytest.fixture
async def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Loopback]:
    unset_all(monkeypatch, tmp_path)
    async with Loopback() as loopback:
        yield loopback


async def ask(host: Loopback, name: str, model: str, answer: Any, status: int = 200) -> Capabilities:
    host.plays(Answer(chunks=[answer], status=status))
    settings = {"api_key": "sk-1", "base_url": f"{host.url}/api/v1"}
    async with AsyncOneLLM(providers={name: settings}, max_retries=0) as client:
        return await client.models.capabilities(f"{name}/{model}")


# A provider, a model, its description as the host's documentation or a recording has it, and what is made of it.
OPENROUTER = {
    "id": "openai/gpt-3.5-turbo",
    "context_length": 16385,
    "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
    "pricing": {"prompt": "0.0000005", "input_cache_read": "0.0000001"},
    "top_provider": {"context_length": 16385, "max_completion_tokens": 4096},
    "supported_parameters": ["max_tokens", "response_format", "tools", "tool_choice"],
}
MISTRAL = {
    "id": "mistral-medium-2505",
    "capabilities": {"completion_chat": True, "function_calling": True, "vision": False, "audio": False},
    "max_context_length": 131072,
    "type": "base",
}
FIREWORKS = {
    "id": "accounts/fireworks/models/glm-4p5",
    "supports_chat": True,
    "supports_image_input": False,
    "supports_tools": True,
    "context_length": 131072,
}
ROUTED = {
    "id": "org/model",
    "architecture": {"input_modalities": ["text"]},
    "providers": [
        {"provider": "small", "context_length": 8192, "supports_tools": False, "supports_structured_output": False},
        {"provider": "large", "context_length": 65536, "supports_tools": True, "supports_structured_output": False},
    ],
}
CATALOG = {
    "id": "openai/gpt-4.1",
    "supported_input_modalities": ["text", "image"],
    "capabilities": ["streaming", "tool-calling"],
    "limits": {"max_input_tokens": 1048576, "max_output_tokens": 32768},
}
GATEWAY = {
    "id": "anthropic/claude-sonnet-4.5",
    "type": "language",
    "context_window": 200000,
    "max_tokens": 64000,
    "tags": ["file-input", "reasoning", "tool-use", "vision"],
}
PUBLISHED: dict[str, tuple[str, str, str, Any, dict[str, Any]]] = {
    "openrouter": (
        "openrouter",
        "openai/gpt-3.5-turbo:nitro",
        "/api/v1/models",
        {"data": [{"id": "x/other", "context_length": 5}, OPENROUTER]},
        {
            "context_window": 16385,
            "max_output_tokens": 4096,
            "tools": YES,
            "json_mode": YES,
            "json_schema": NO,
            "reasoning": NO,
            "vision": YES,
            "audio_input": NO,
            "document_input": NO,
            "prompt_caching": YES,
        },
    ),
    "mistral": (
        "mistral",
        "mistral-medium-2505",
        "/api/v1/models/mistral-medium-2505",
        MISTRAL,
        {"context_window": 131072, "tools": YES, "vision": NO, "audio_input": NO, "chat": YES},
    ),
    "fireworks": (
        "fireworks",
        "accounts/fireworks/models/glm-4p5",
        "/api/v1/models",
        {"data": [FIREWORKS]},
        {"context_window": 131072, "tools": YES, "vision": NO, "chat": YES},
    ),
    "huggingface": (
        "huggingface",
        "org/model",
        "/api/v1/models",
        {"data": [ROUTED]},
        {"context_window": 65536, "tools": YES, "json_schema": NO, "vision": NO},
    ),
    "huggingface, one host": (
        "huggingface",
        "org/model:small",
        "/api/v1/models",
        {"data": [ROUTED]},
        {"context_window": 8192, "tools": NO, "json_schema": NO, "vision": NO},
    ),
    "github": (
        "github",
        "openai/gpt-4.1",
        "/api/v1/catalog/models",
        [CATALOG],
        {
            "context_window": 1048576,
            "max_output_tokens": 32768,
            "vision": YES,
            "audio_input": NO,
            "tools": YES,
            "streaming": YES,
        },
    ),
    "vercel": (
        "vercel",
        "anthropic/claude-sonnet-4.5",
        "/api/v1/models",
        {"data": [GATEWAY]},
        {"context_window": 200000, "max_output_tokens": 64000, "vision": YES, "document_input": YES, "reasoning": YES},
    ),
    "together": (
        "together",
        "org/chat",
        "/api/v1/models",
        [{"id": "org/chat", "type": "chat", "context_length": 32768}],
        {"context_window": 32768, "chat": YES},
    ),
    "groq": (
        "groq",
        "openai/gpt-oss-20b",
        "/api/v1/models",
        {"data": [{"id": "openai/gpt-oss-20b", "context_window": 131072, "max_completion_tokens": 65536}]},
        {"context_window": 131072, "max_output_tokens": 65536},
    ),
    "vllm": (
        "vllm",
        "Qwen/Qwen3-0.6B",
        "/api/v1/models",
        {"data": [{"id": "Qwen/Qwen3-0.6B", "max_model_len": 8192, "permission": []}]},
        {"context_window": 8192},
    ),
    "llama-server": (
        "llama-server",
        "any",
        "/api/props",
        {
            "default_generation_settings": {"n_ctx": 4096, "params": {}},
            "modalities": {"vision": False, "audio": True},
            "chat_template_caps": {"supports_tools": True},
        },
        {"context_window": 4096, "vision": NO, "audio_input": YES, "tools": YES},
    ),
}


@pytest.mark.parametrize("case", PUBLISHED)
async def test_what_the_provider_publishes_comes_first(case: str, host: Loopback) -> None:
    name, model, path, answer, expected = PUBLISHED[case]
    found = await ask(host, name, model, answer)
    assert {key: getattr(found, key) for key in expected} == expected
    assert found.model == f"{name}/{model}"
    assert found.raw
    [sent] = host.requests
    assert (sent.method, sent.path, sent.body) == ("GET", path, b"")
    assert sent.headers["authorization"] == "Bearer sk-1"


# Of native APIs: a provider, its settings, a model, the path that is asked, its description, and what is made of it.
NATIVE: dict[str, tuple[dict[str, Any], str, str, Any, dict[str, Any]]] = {
    "google": (
        {"api_key": "k"},
        "gemini-3.8-flash",
        "/models/gemini-3.8-flash",
        {
            "name": "models/gemini-3.8-flash",
            "inputTokenLimit": 1048576,
            "outputTokenLimit": 65536,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
            "thinking": True,
        },
        {
            "context_window": 1048576,
            "max_output_tokens": 65536,
            "chat": YES,
            "embeddings": NO,
            "reasoning": YES,
            "vision": Capability("yes", "row"),
            "prompt_caching": Capability("yes", "row"),
        },
    ),
    "anthropic": (
        {"api_key": "k"},
        "claude-opus-5",
        "/v1/models/claude-opus-5",
        {
            "type": "model",
            "id": "claude-opus-5",
            "max_input_tokens": 1000000,
            "max_tokens": 128000,
            "capabilities": {
                "image_input": {"supported": True},
                "pdf_input": {"supported": False},
                "structured_outputs": {"supported": True},
                "thinking": {"supported": True, "types": {"adaptive": {"supported": True}}},
                "effort": None,
            },
        },
        {
            "context_window": 1000000,
            "max_output_tokens": 128000,
            "vision": YES,
            "document_input": NO,
            "json_schema": YES,
            "reasoning": YES,
            "audio_input": Capability("no", "row"),
            "prompt_caching": Capability("yes", "row"),
        },
    ),
    "cohere": (
        {"api_key": "k"},
        "command-a-plus-05-2026",
        "/v1/models/command-a-plus-05-2026",
        {
            "name": "command-a-plus-05-2026",
            "endpoints": ["chat", "generate"],
            "features": ["tools", "strict_tools", "json_schema"],
            "context_length": 128000,
        },
        {
            "context_window": 128000,
            "chat": YES,
            "embeddings": NO,
            "tools": YES,
            "json_schema": YES,
            "vision": Capability("yes", "row"),
            "audio_input": Capability("no", "row"),
        },
    ),
    "bedrock": (
        {"api_key": "k", "options": {"region": "us-east-1"}},
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "/foundation-models",
        {
            "modelSummaries": [
                {"modelId": "amazon.nova-micro-v1:0", "inputModalities": ["TEXT"]},
                {
                    "modelId": "anthropic.claude-haiku-4-5-20251001-v1:0",
                    "inputModalities": ["TEXT", "IMAGE"],
                    "outputModalities": ["TEXT"],
                    "responseStreamingSupported": True,
                    "converse": {"maxTokensMaximum": 65536},
                    "explicitPromptCaching": {"isSupported": True},
                },
            ]
        },
        {
            "max_output_tokens": 65536,
            "vision": YES,
            "streaming": YES,
            "embeddings": NO,
            "prompt_caching": YES,
            "audio_input": Capability("yes", "row"),
        },
    ),
}


@pytest.mark.parametrize("name", NATIVE)
async def test_what_native_apis_publish_comes_first(name: str, host: Loopback) -> None:
    settings, model, path, answer, expected = NATIVE[name]
    host.plays(Answer(chunks=[answer]))
    async with AsyncOneLLM(providers={name: {**settings, "base_url": host.url}}, max_retries=0) as client:
        found = await client.models.capabilities(f"{name}/{model}")
    assert {key: getattr(found, key) for key in expected} == expected
    assert found.raw
    [sent] = host.requests
    assert (sent.method, sent.path, sent.body) == ("GET", path, b"")


def test_every_row_that_publishes_has_a_case() -> None:
    """Of all providers, in whichever module they are."""
    providers = {name: get_provider(name) for name in list_providers()}
    asked = {name for name, row in providers.items() if isinstance(row, HttpProvider) and row.publishes_capabilities}
    assert asked == {name for name, *_ in PUBLISHED.values()} | NATIVE.keys() | {"ollama"}


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if not row.publishes_capabilities])
async def test_a_row_answers_for_a_provider_that_says_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No key is needed, and nothing is sent."""
    unset_all(monkeypatch, tmp_path)
    async with AsyncOneLLM() as client:
        found = await client.models.capabilities(f"{name}/any-model")
    row = ROWS[name].get_model_capabilities("any-model")
    for part, flag in FLAGS.items():
        capability = getattr(found, part)
        if flag in row:
            assert capability == Capability("yes" if row[flag] else "no", "row")
        else:
            assert capability is UNKNOWN
            assert not capability
    assert (found.context_window, found.max_output_tokens, found.raw) == (None, None, b"")


async def test_what_the_provider_leaves_open_comes_from_the_row(host: Loopback) -> None:
    """Groq's row knows that it takes no sound; its list says nothing of that. Of documents nobody says anything."""
    found = await ask(host, "groq", "m", {"data": [{"id": "m", "context_window": 1000}]})
    assert found.audio_input == Capability("no", "row")
    assert found.tools == Capability("yes", "row")
    assert (str(found.tools), str(found.document_input)) == ("yes (row)", "unknown")


async def test_a_model_that_is_not_in_the_list_has_its_row(host: Loopback) -> None:
    found = await ask(host, "openrouter", "x/unknown", {"data": [OPENROUTER]})
    assert (found.tools, found.context_window) == (Capability("yes", "row"), None)


async def test_a_refusal_is_an_error(host: Loopback) -> None:
    """A provider that does not answer is not one that says no."""
    with pytest.raises(PermissionDeniedError, match="not yours"):
        await ask(host, "mistral", "m", {"message": "not yours"}, status=403)


async def test_nothing_is_kept(host: Loopback) -> None:
    """A model that was changed is asked about anew."""
    for length in (1000, 2000):
        found = await ask(host, "vllm", "m", {"data": [{"id": "m", "max_model_len": length}]})
        assert found.context_window == length
    assert len(host.requests) == 2


@pytest.mark.parametrize("item", [{}, {"id": 5}, {"id": "m", "capabilities": 1, "limits": None, "context_length": "9"}])
async def test_odd_descriptions_say_nothing(item: Any, host: Loopback) -> None:
    found = await ask(host, "openrouter", "m", {"data": [item]})
    assert found.context_window is None
    assert found.tools.source == "row"


# --- what a flag rules out ---

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
SOUND = {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
RULED_OUT: dict[str, dict[str, Any]] = {
    "vision_support": {"messages": [{"role": "user", "content": [IMAGE]}]},
    "audio_input_support": {"messages": [{"role": "user", "content": [SOUND]}]},
    "function_calling_support": {"tools": [TOOL]},
    "json_mode_support": {"response_format": {"type": "json_object"}},
    "json_schema_support": {"response_format": SCHEMA},
    "reasoning_support": {"reasoning_effort": "low"},
}
LACKING = [
    (name, flag)
    for name, row in ROWS.items()
    for flag in RULED_OUT
    if row.chat is not None and not row.get_model_capabilities("")[flag]
]


@pytest.mark.parametrize(("name", "flag"), LACKING)
async def test_what_a_flag_rules_out_is_refused_and_says_who_could(name: str, flag: str, host: Loopback) -> None:
    """Nothing is sent; those that are named have the flag, and the refusing one is not among them."""
    settings = {"api_key": "sk-1", "base_url": f"{host.url}/v1"}
    call: dict[str, Any] = {"messages": [{"role": "user", "content": "x"}], **RULED_OUT[flag]}
    async with AsyncOneLLM(providers={name: settings}) as client:
        for stream in (False, True):
            with pytest.raises(UnsupportedParameterError, match="These can") as caught:
                await client.chat.completions.create(model=f"{name}/m", stream=stream, **call)
    assert not host.requests
    named = caught.value.message.partition("at least: ")[2].partition(" and ")[0].split(", ")
    assert len(named) == 8
    assert all(get_provider(other).get_model_capabilities("")[flag] for other in named)
    assert name not in named


NATIVE_LACKING = [
    (name, flag)
    for name in ("anthropic", "bedrock", "cohere", "google", "vertex")
    for flag in RULED_OUT
    if not get_provider(name).get_model_capabilities("")[flag]
]


@pytest.mark.parametrize(("name", "flag"), NATIVE_LACKING)
async def test_what_native_apis_lack_is_refused_and_says_who_could(name: str, flag: str, host: Loopback) -> None:
    settings = {"api_key": "sk-1", "base_url": host.url}
    call: dict[str, Any] = {"messages": [{"role": "user", "content": "x"}], **RULED_OUT[flag]}
    async with AsyncOneLLM(providers={name: settings}) as client:
        with pytest.raises(UnsupportedParameterError, match="These can, some of their models at least: ") as caught:
            await client.chat.completions.create(model=f"{name}/m", **call)
    assert not host.requests
    assert name not in caught.value.message.partition("at least: ")[2].partition(" and ")[0].split(", ")


def test_there_are_rows_that_lack_each() -> None:
    assert {flag for _, flag in LACKING} >= RULED_OUT.keys() - {"reasoning_support"}


async def test_one_argument_of_what_a_provider_has_names_nobody(host: Loopback) -> None:
    """Mistral has tools, only not `functions`: another provider is no answer to that."""
    async with AsyncOneLLM(providers={"mistral": {"api_key": "k", "base_url": host.url}}) as client:
        with pytest.raises(UnsupportedParameterError) as caught:
            await client.chat.completions.create(
                model="mistral/m", messages=[{"role": "user", "content": "x"}], functions=[{"name": "f"}]
            )
    assert "These can" not in caught.value.message
