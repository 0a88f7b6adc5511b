"""`preview`: the request that goes out, byte for byte, without going out."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from command_line import unset_all
from loopback import Answer, Loopback, streamed

from onellm import (
    AsyncChatCompletionStream,
    AsyncOneLLM,
    InvalidRequestError,
    OneLLM,
    UnsupportedFeatureError,
    UnsupportedParameterError,
)
from onellm.providers.compatible import ROWS

KEY = "sk-very-secret-0123456789"
QUESTION: list[Any] = [{"role": "user", "content": "Hello"}]
CHATS = [name for name, row in ROWS.items() if row.chat is not None]
REPLY = {"id": "x", "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}
CHUNK = {"id": "x", "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}


@pytest.fixture
async def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Loopback]:
    unset_all(monkeypatch, tmp_path)
    async with Loopback() as loopback:
        yield loopback


def connect(host: Loopback, name: str, **settings: Any) -> AsyncOneLLM:
    return AsyncOneLLM(providers={name: {"api_key": KEY, "base_url": f"{host.url}/v1", **settings}}, max_retries=0)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", CHATS)
async def test_what_is_shown_is_what_is_sent(name: str, stream: bool, host: Loopback) -> None:
    """For every row: method, URL, body and headers, but for the key."""
    host.plays(streamed(CHUNK) if stream else Answer(chunks=[REPLY]))
    call: dict[str, Any] = {"model": f"{name}/org/m", "messages": QUESTION, "max_completion_tokens": 9, "top_p": 0.5}
    async with connect(host, name) as client:
        shown = await client.chat.completions.preview(**call, stream=stream)
        assert not host.requests
        reply = await client.chat.completions.create(**call, stream=stream)
        if isinstance(reply, AsyncChatCompletionStream):
            await reply.get_final_completion()
        else:
            assert shown.adjustments == reply.adjustments
    [sent] = host.requests
    assert (shown.method, shown.url) == (sent.method, f"{host.url}{sent.target}")
    assert shown.body == sent.body
    assert shown.json["model"] == "org/m"
    assert (shown.provider, shown.model, shown.stream) == (name, "org/m", stream)
    for header, value in shown.headers.items():
        assert sent.headers[header.lower()] == value.replace("***", KEY)
    assert KEY not in repr(shown)
    assert shown.headers["Authorization"] == "Bearer ***"


@pytest.mark.parametrize("name", [name for name in CHATS if ROWS[name].key_env and not ROWS[name].key_optional])
async def test_no_key_is_needed(name: str, host: Loopback) -> None:
    async with AsyncOneLLM(providers={name: {"base_url": f"{host.url}/v1"}}) as client:
        shown = await client.chat.completions.preview(model=f"{name}/m", messages=QUESTION)
    assert shown.headers["Authorization"] == "Bearer ***"


async def test_where_no_key_would_go_none_is_shown(host: Loopback) -> None:
    async with AsyncOneLLM(providers={"vllm": {"base_url": f"{host.url}/v1"}}) as client:
        shown = await client.chat.completions.preview(model="vllm/m", messages=QUESTION)
    assert "Authorization" not in shown.headers


async def test_what_may_be_a_key_is_hidden_wherever_it_is(host: Loopback) -> None:
    headers = {"X-My-Token": "t-1", "Cookie": "c-1", "X-Plain": "shown"}
    async with connect(host, "openai", headers=headers) as client:
        shown = await client.preview(
            "chat.completions.create",
            model="openai/m",
            messages=QUESTION,
            extra_headers={"Api-Key": "k-1"},
            extra_query={"key": "q-1", "api-version": "2"},
        )
    assert shown.url == f"{host.url}/v1/chat/completions?key=***&api-version=2"
    found = {name: shown.headers[name] for name in ("X-My-Token", "Cookie", "X-Plain", "Api-Key")}
    assert found == {"X-My-Token": "***", "Cookie": "***", "X-Plain": "shown", "Api-Key": "***"}


async def test_a_function_that_gives_keys_is_not_called(host: Loopback) -> None:
    async with connect(host, "openai", api_key=lambda: pytest.fail("asked for a token")) as client:
        shown = await client.chat.completions.preview(model="openai/m", messages=QUESTION)
    assert shown.headers["Authorization"] == "Bearer ***"


OPERATIONS: dict[str, tuple[str, dict[str, Any], str]] = {
    "completions": ("completions.create", {"model": "openai/m", "prompt": "Once"}, "completions"),
    "embeddings": ("embeddings.create", {"model": "openai/m", "input": ["a", "b"]}, "embeddings"),
    "many embeddings": ("embeddings.create", {"model": "openai/m", "input": ["a"] * 5000}, "embeddings"),
    "moderations": ("moderations.create", {"input": "x"}, "moderations"),
    "images": ("images.generate", {"model": "openai/m", "prompt": "x"}, "images/generations"),
    "rerank": ("rerank.create", {"model": "together/m", "query": "x", "documents": ["y"]}, "rerank"),
    "speech": ("audio.speech.create", {"model": "openai/m", "voice": "v", "input": "x"}, "audio/speech"),
}


@pytest.mark.parametrize("case", OPERATIONS)
async def test_operations_of_json(case: str, host: Loopback) -> None:
    operation, arguments, path = OPERATIONS[case]
    name = arguments.get("model", "openai/").partition("/")[0]
    async with connect(host, name) as client:
        shown = await client.preview(operation, **arguments)
    assert (shown.method, shown.url) == ("POST", f"{host.url}/v1/{path}")
    assert isinstance(shown.json, dict)
    assert shown.form is None


async def test_a_form_is_shown_and_its_file_not_read(host: Loopback, tmp_path: Path) -> None:
    async with connect(host, "openai") as client:
        shown = await client.preview(
            "audio.transcriptions.create", model="openai/whisper", file=("a.wav", tmp_path / "absent.wav")
        )
    assert (shown.body, shown.json) == (None, None)
    assert shown.form is not None
    assert dict(shown.form.fields)["model"] == "whisper"
    assert [(name, file.filename) for name, file in shown.form.files] == [("file", "a.wav")]


async def test_requests_without_a_body(host: Loopback) -> None:
    async with connect(host, "openai") as client:
        shown = await client.preview("models.list")
        deleted = await client.preview("files.delete", file_id="file-1")
    assert (shown.method, shown.url, shown.json) == ("GET", f"{host.url}/v1/models", None)
    assert (deleted.method, deleted.url) == ("DELETE", f"{host.url}/v1/files/file-1")


async def test_a_wrong_call_is_the_same_error(host: Loopback) -> None:
    async with connect(host, "groq") as client:
        with pytest.raises(UnsupportedParameterError, match="logit_bias"):
            await client.chat.completions.preview(model="groq/m", messages=QUESTION, logit_bias={"1": 1})
        shown = await client.chat.completions.preview(
            model="groq/m", messages=QUESTION, logit_bias={"1": 1}, on_unsupported="drop"
        )
    assert [note for note in shown.adjustments if "logit_bias" in note]
    assert "logit_bias" not in shown.json


@pytest.mark.parametrize("operation", ["", "chat", "chat.completions.creat", "_core.aclose", "chat._x"])
async def test_a_method_must_be_one(operation: str, host: Loopback) -> None:
    async with connect(host, "openai") as client:
        with pytest.raises(InvalidRequestError, match="no method"):
            await client.preview(operation)


async def test_a_provider_inside_the_process_sends_nothing(host: Loopback) -> None:
    async with connect(host, "openai") as client:
        with pytest.raises(UnsupportedFeatureError, match="inside the process"):
            await client.chat.completions.preview(model="llama_cpp/smollm2", messages=QUESTION)


def test_the_blocking_client_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unset_all(monkeypatch, tmp_path)
    with OneLLM() as client:
        shown = client.chat.completions.preview(model="openai/m", messages=QUESTION)
        assert client.preview("chat.completions.create", model="openai/m", messages=QUESTION) == shown


def test_a_preview_imports_no_http_library() -> None:
    code = (
        "import asyncio, sys; from onellm import AsyncOneLLM\n"
        "m = [{'role': 'user', 'content': 'x'}]\n"
        "asyncio.run(AsyncOneLLM().chat.completions.preview(model='openai/m', messages=m))\n"
        "print('aiohttp' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - ours
    assert (done.stdout.strip(), done.stderr) == ("False", "")


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("anthropic/m", {}),
        ("google/m", {}),
        ("cohere/m", {}),
        ("bedrock/m", {"region": "us-east-1"}),
        ("bedrock-mantle/m", {"region": "us-east-1"}),
        ("vertex/m", {"project": "p", "location": "us-central1"}),
        ("vertex/anthropic/m", {"project": "p", "location": "us-central1"}),
    ],
)
async def test_native_providers_sign_nothing(
    model: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither a key nor a credential is looked for; the header that would prove who asks is there, hidden."""
    unset_all(monkeypatch, tmp_path)
    async with AsyncOneLLM(providers={model.partition("/")[0]: {"options": options}}) as client:
        shown = await client.chat.completions.preview(model=model, messages=QUESTION)
    hidden = [header for header, value in shown.headers.items() if value.endswith("***")]
    assert len(hidden) == 1
    assert "Hello" in str(shown.json)
