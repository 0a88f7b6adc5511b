"""Cohere's row over a real socket: what the suites of single operations do not say."""

import subprocess
import sys
from typing import Any

import pytest
from forms import fields, files
from loopback import Answer, Loopback
from wire import cohere as wire

from onellm import AsyncOneLLM
from onellm.errors import (
    ContentFilterError,
    InvalidRequestError,
    RateLimitError,
    UnsupportedFeatureError,
    UnsupportedParameterError,
)
from onellm.providers.registry import get_provider

ASK: dict[str, Any] = {"model": "cohere/m", "messages": [{"role": "user", "content": "Hello"}]}
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "


def connect(server: Loopback, **more: Any) -> AsyncOneLLM:
    return AsyncOneLLM(providers={"cohere": {"api_key": "k", "base_url": server.url}}, **more)


async def test_a_deny_listed_token_is_no_busy_gateway() -> None:
    """498 elsewhere is a host with too much to do, and tried again."""
    async with Loopback() as server, connect(server) as client:
        server.plays(Answer(status=498, chunks=[{"message": "blocked"}], headers={"x-debug-trace-id": "t1"}))
        with pytest.raises(ContentFilterError, match="blocked") as caught:
            await client.chat.completions.create(**ASK)
        assert len(server.requests) == 1
    assert (caught.value.status_code, caught.value.request_id, caught.value.retryable) == (498, "t1", False)


async def test_rerank() -> None:
    """Texts go as they are, what is billed comes back; the text of a result is the one that was sent."""
    answer = {
        "id": "r",
        "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}],
        "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
    }
    async with Loopback() as server, connect(server, max_retries=0) as client:
        server.plays(Answer(chunks=[answer]))
        reply = await client.rerank.create(
            model="cohere/m", query="q", documents=["a", {"text": "b"}], return_documents=True
        )
        (request,) = server.requests
        with pytest.raises(UnsupportedParameterError):
            await client.rerank.create(model="cohere/m", query="q", documents=[{"title": "a"}])
        server.plays(Answer(status=429, chunks=[{"message": "slow down"}]))
        with pytest.raises(RateLimitError, match="slow down"):
            await client.rerank.create(model="cohere/m", query="q", documents=["a"])
    assert (request.path, request.json) == ("/v2/rerank", {"model": "m", "query": "q", "documents": ["a", "b"]})
    assert [(r.index, r.document) for r in reply.results] == [(1, "b"), (0, "a")]
    assert reply.usage is not None
    assert reply.usage.search_units == 1


async def test_all_pages_of_models_are_read() -> None:
    """To the last; a token that has been asked for once is not asked for again."""
    pages: list[dict[str, Any]] = [
        {"models": [{"name": "a"}], "next_page_token": "p2"},
        {"models": [{"name": "b", "features": ["tools"]}], "next_page_token": "p2"},
    ]
    async with Loopback() as server, connect(server) as client:
        server.plays(*(Answer(chunks=[page]) for page in pages))
        models = [model async for model in client.models.list("cohere")]
        assert [request.query for request in server.requests] == [
            {"page_size": "1000"},
            {"page_size": "1000", "page_token": "p2"},
        ]
    assert [(model.id, model.provider) for model in models] == [("a", "cohere"), ("b", "cohere")]
    assert models[1].model_extra["features"] == ["tools"]


async def test_embeddings_are_split_at_96_and_joined() -> None:
    async with Loopback() as server, connect(server) as client:
        server.chooses(lambda request: Answer(chunks=[wire.embeddings([[float(t)] for t in request.json["texts"]])]))
        reply = await client.embeddings.create(model="cohere/m", input=[str(n) for n in range(200)], dimensions=256)
        sizes = sorted(len(request.json["texts"]) for request in server.requests)
        assert {request.json["output_dimension"] for request in server.requests} == {256}
    assert sizes == [8, 96, 96]
    assert [item.embedding[0] for item in reply.data] == list(range(200))
    assert reply.usage.total_tokens == 15


async def test_transcription_needs_its_language() -> None:
    """The form has it; what the API does not do is refused before anything is sent."""
    async with Loopback() as server, connect(server) as client:
        server.plays(Answer(chunks=[{"text": "Hello"}]))
        ask: dict[str, Any] = {"file": ("a.wav", WAV), "model": "cohere/m"}
        with pytest.raises(InvalidRequestError, match='language="en"'):
            await client.audio.transcriptions.create(**ask)
        with pytest.raises(UnsupportedFeatureError, match="stream"):
            await client.audio.transcriptions.create(**ask, language="en", stream=True)
        with pytest.raises(UnsupportedParameterError, match="prompt"):
            await client.audio.transcriptions.create(**ask, language="en", prompt="x")
        assert server.requests == []
        reply = await client.audio.transcriptions.create(**ask, language="en")
        (request,) = server.requests
    assert (reply.text, request.path) == ("Hello", "/v2/audio/transcriptions")
    assert dict(fields(request)) == {"model": "m", "language": "en"}
    assert files(request) == [("file", "a.wav", "audio/wav", WAV)]
    assert request.body.rindex(b'name="file"') > request.body.rindex(b'name="language"')


async def test_the_name_of_the_app_and_the_address_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the package of the provider reads from the environment is read here too."""
    async with Loopback() as server:
        server.plays(Answer(chunks=[wire.ANSWER]))
        monkeypatch.setenv("CO_API_URL", server.url)
        monkeypatch.setenv("CO_API_KEY", "from-env")
        async with AsyncOneLLM(providers={"cohere": {"options": {"client_name": "my-app"}}}) as client:
            await client.chat.completions.create(**ASK)
        (request,) = server.requests
    assert (request.headers["x-client-name"], request.headers["authorization"]) == ("my-app", "Bearer from-env")


async def test_three_turns_with_parallel_calls() -> None:
    """Plan and calls go back as they came, each result to its call; then the answer does, with what it cited."""
    cited = {"start": 0, "end": 5, "text": "Sunny", "sources": [], "type": "TEXT_CONTENT"}
    second = wire.whole({"content": wire.texts("Sunny."), "citations": [cited]})
    async with Loopback() as server, connect(server) as client:
        server.plays(Answer(chunks=[wire.TOOL_ANSWER]), Answer(chunks=[second]), Answer(chunks=[wire.ANSWER]))
        messages: list[Any] = list(ASK["messages"])
        for _ in range(3):
            reply = await client.chat.completions.create(model="cohere/m", messages=messages)
            message = reply.choices[0].message
            messages.append(message)
            calls = message.tool_calls or []
            messages += [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls]
        history = server.requests[2].json["messages"]
    assert [message["role"] for message in history] == ["user", "assistant", "tool", "tool", "assistant"]
    assert history[1]["tool_plan"] == wire.PLAN
    assert [call["id"] for call in history[1]["tool_calls"]] == [id_ for id_, *_ in wire.CALLS]
    assert "content" not in history[1]
    assert history[4] == {"role": "assistant", "content": "Sunny.", "citations": [cited]}


def test_flags() -> None:
    said = get_provider("cohere").get_model_capabilities("m")
    assert {name for name, value in said.items() if not value} >= {"audio_input_support", "token_counts_support"}
    assert said["json_schema_support"]
    assert said["rerank_support"]


def test_using_it_loads_no_other_provider() -> None:
    """Neither their modules nor the package of its own maker."""
    code = "import sys; from onellm import get_provider; get_provider('cohere'); print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - ours
    loaded = set(done.stdout.split())
    assert "onellm.providers.cohere" in loaded
    assert not loaded & {f"onellm.providers.{name}" for name in ("compatible", "llama_cpp", "mistral", "together")}
    assert not {name for name in loaded if name == "cohere" or name.startswith("cohere.")}
