"""Spans and metrics as OpenTelemetry's own exporters receive them."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from loopback import Answer, Loopback, soon, streamed
from process import python
from wire.openai import ASK, BAD_REQUEST, CHAT, STREAM, USAGE

from onellm import AsyncOneLLM, BadRequestError, MemoryCache, StreamInterruptedError, Telemetry

pytest.importorskip("opentelemetry.sdk")
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

PROMPT: Any = USAGE["prompt_tokens"]
ANSWER: Any = USAGE["completion_tokens"]
OK = Answer(chunks=[CHAT], headers={"x-request-id": "req_1"})


class Seen:
    """What was exported."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._reader = InMemoryMetricReader()
        self.meters = MeterProvider(metric_readers=[self._reader])

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def metric(self, name: str) -> list[Any]:
        """The points of a histogram."""
        data = self._reader.get_metrics_data()
        assert data is not None
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def settings(self, **more: Any) -> Telemetry:
        return Telemetry(tracer_provider=self.tracers, meter_provider=self.meters, **more)


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
async def client(loopback: Loopback, seen: Seen) -> AsyncIterator[AsyncOneLLM]:
    telemetry = seen.settings()
    async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", telemetry=telemetry, max_retries=0) as bound:
        yield bound


async def test_a_chat_is_a_span(client: AsyncOneLLM, loopback: Loopback, seen: Seen) -> None:
    """By the names of the conventions, and without what was said."""
    loopback.plays(OK)
    await client.chat.completions.create(**ASK, temperature=0.5, max_tokens=9, stop="x", n=2, seed=7)
    (span,) = seen.spans
    assert span.name == "chat gpt-5.4-mini"
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5.4-mini",
        "server.address": "127.0.0.1",
        "server.port": int(loopback.url.rpartition(":")[2]),
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.seed": 7,
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.stop_sequences": ("x",),
        "gen_ai.response.id": CHAT["id"],
        "gen_ai.response.model": CHAT["model"],
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": PROMPT,
        "gen_ai.usage.output_tokens": ANSWER,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "gen_ai.usage.reasoning.output_tokens": 0,
        "onellm.request_id": "req_1",
    }


async def test_an_error_is_on_its_span(client: AsyncOneLLM, loopback: Loopback, seen: Seen) -> None:
    """Its class and status, and not its words, which may quote the question."""
    loopback.plays(Answer(status=400, chunks=[BAD_REQUEST]))
    with pytest.raises(BadRequestError):
        await client.chat.completions.create(**ASK)
    (span,) = seen.spans
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == "BadRequestError"
    assert span.attributes["http.response.status_code"] == 400
    assert "robot" not in span.to_json()
    (duration,) = seen.metric("gen_ai.client.operation.duration")
    assert duration.attributes["error.type"] == "BadRequestError"


async def test_a_stream_is_a_span_until_its_end(client: AsyncOneLLM, loopback: Loopback, seen: Seen) -> None:
    """With the time of its first chunk, and the usage of its last."""
    loopback.plays(streamed(*STREAM))
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        await anext(stream)
        assert not seen.spans
        await stream.get_final_completion()
    (span,) = seen.spans
    assert span.attributes is not None
    assert span.attributes["gen_ai.request.stream"] is True
    assert span.attributes["gen_ai.response.time_to_first_chunk"] > 0  # type: ignore[operator] # a number
    assert span.attributes["gen_ai.usage.output_tokens"] == ANSWER
    (first,) = seen.metric("gen_ai.client.operation.time_to_first_chunk")
    assert (first.count, first.attributes["gen_ai.request.model"]) == (1, "gpt-5.4-mini")


@pytest.mark.parametrize("how", ["left", "lost", "cut", "cancelled"])
async def test_no_span_stays_open(client: AsyncOneLLM, loopback: Loopback, seen: Seen, how: str) -> None:
    """Of a stream that is left, lost or cut, and of a call that is cancelled."""
    never = asyncio.Event()
    if how == "cancelled":
        loopback.plays(Answer(chunks=[CHAT], pause={0: never.wait}))
        task = asyncio.create_task(client.chat.completions.create(**ASK))
        await soon(loopback.wait_for_requests(1))
        task.cancel()
        await asyncio.wait([task])
    else:
        loopback.plays(streamed(*STREAM[:3], done=False))
        stream = await client.chat.completions.create(**ASK, stream=True)
        if how == "left":
            await anext(stream)
            await stream.aclose()
        elif how == "lost":
            del stream
        else:
            with pytest.raises(StreamInterruptedError):
                await stream.get_final_completion()
    (span,) = seen.spans
    assert span.attributes is not None
    error = {"cut": "StreamInterruptedError", "cancelled": "CancelledError"}.get(how)
    assert span.attributes.get("error.type") == error
    assert (span.status.status_code is StatusCode.ERROR) == (error is not None)
    assert len(seen.metric("gen_ai.client.operation.duration")) == 1


async def test_context_goes_in_and_out(client: AsyncOneLLM, loopback: Loopback, seen: Seen) -> None:
    """A call's span is the child of what is current, and current itself while its request is made; not after."""
    inner = seen.tracers.get_tracer("transport")

    def choose(_: Any) -> Answer:
        return OK

    loopback.chooses(choose)

    class Inside:
        async def around(self, exchange: Any, go_on: Any) -> Any:
            with inner.start_as_current_span(f"POST {exchange.operation.name}"):
                return await go_on()

    client._core.binding().add_layer(Inside(), innermost=True)
    client._core._usual.clear()
    with inner.start_as_current_span("request of a user"):
        await client.chat.completions.create(**ASK)
        with inner.start_as_current_span("after"):
            pass
    post, chat, after, user = seen.spans
    assert [span.name for span in (post, chat, after, user)][:3] == [
        "POST chat.completions.create",
        "chat gpt-5.4-mini",
        "after",
    ]
    assert user.context is not None
    assert chat.context is not None
    for span, parent in ((post, chat), (chat, user), (after, user)):
        assert span.parent is not None
        assert parent.context is not None
        assert span.parent.span_id == parent.context.span_id


async def test_metrics(client: AsyncOneLLM, loopback: Loopback, seen: Seen) -> None:
    """Durations and tokens, by operation, provider and models."""
    loopback.plays(OK)
    for _ in range(2):
        await client.chat.completions.create(**ASK)
    (duration,) = seen.metric("gen_ai.client.operation.duration")
    assert (duration.count, duration.explicit_bounds[0]) == (2, 0.01)
    about = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5.4-mini",
        "gen_ai.response.model": CHAT["model"],
        "server.address": "127.0.0.1",
        "server.port": int(loopback.url.rpartition(":")[2]),
    }
    assert dict(duration.attributes) == about
    tokens = {point.attributes["gen_ai.token.type"]: point for point in seen.metric("gen_ai.client.token.usage")}
    assert {kind: point.sum for kind, point in tokens.items()} == {
        "input": 2 * PROMPT,
        "output": 2 * ANSWER,
    }


async def test_other_operations(client: AsyncOneLLM, loopback: Loopback, seen: Seen) -> None:
    """Embeddings by their name, what the conventions lack by ours; lists of an account are no calls of a model."""
    vectors = {
        "object": "list",
        "data": [{"index": 0, "embedding": [1.0]}],
        "model": "e",
        "usage": {"prompt_tokens": 3},
    }
    loopback.plays(Answer(chunks=[vectors]))
    await client.embeddings.create(model="e", input="Hi", dimensions=1, encoding_format="float")
    loopback.plays(Answer(chunks=["abc"], content_type="audio/mpeg"))
    await (await client.audio.speech.create(model="tts", voice="nova", input="Hi")).read()
    loopback.plays(Answer(chunks=[{"object": "list", "data": []}]))
    await client.models.list(provider="openai")
    embeddings, speech = seen.spans
    assert embeddings.attributes is not None
    assert (embeddings.name, speech.name) == ("embeddings e", "audio.speech tts")
    assert embeddings.attributes["gen_ai.usage.input_tokens"] == 3
    assert embeddings.attributes["gen_ai.embeddings.dimension.count"] == 1
    assert embeddings.attributes["gen_ai.request.encoding_formats"] == ("float",)


async def test_content_is_there_when_asked_for(loopback: Loopback, seen: Seen) -> None:
    """Messages in the form of the conventions."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    loopback.plays(
        Answer(chunks=[{**CHAT, "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}])
    )
    asked: Any = [
        {"role": "system", "content": "Be kind."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "data:"}}],
        },
        message,
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
    ]
    telemetry = seen.settings(content=True)
    async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", telemetry=telemetry) as client:
        await client.chat.completions.create(model="m", messages=asked)
    (span,) = seen.spans
    assert span.attributes is not None
    said = {name: json.loads(str(value)) for name, value in span.attributes.items() if "messages" in name}
    tool_call = {"type": "tool_call", "id": "c1", "name": "f", "arguments": "{}"}
    assert said["gen_ai.input.messages"] == [
        {"role": "user", "parts": [{"type": "text", "content": "Hi"}, {"type": "image_url"}]},
        {"role": "assistant", "parts": [tool_call]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "42"}]},
    ]
    assert said["gen_ai.output.messages"] == [
        {"role": "assistant", "parts": [tool_call], "finish_reason": "tool_calls"}
    ]
    assert json.loads(str(span.attributes["gen_ai.system_instructions"])) == [{"type": "text", "content": "Be kind."}]


async def test_an_answer_from_a_cache_says_so(loopback: Loopback, seen: Seen) -> None:
    """Its tokens were counted when they were paid."""
    loopback.plays(OK)
    settings: dict[str, Any] = {"telemetry": seen.settings(), "answer_cache": MemoryCache()}
    async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", **settings) as client:
        for _ in range(2):
            await client.chat.completions.create(**ASK)
    miss, hit = seen.spans
    assert miss.attributes is not None
    assert hit.attributes is not None
    assert "onellm.cache.hit" not in miss.attributes
    assert hit.attributes["onellm.cache.hit"] is True
    assert sum(point.count for point in seen.metric("gen_ai.client.token.usage")) == 2


@pytest.mark.parametrize(("off", "spans", "durations"), [("spans", 0, 1), ("metrics", 1, 0)])
async def test_either_can_be_left_out(loopback: Loopback, seen: Seen, off: str, spans: int, durations: int) -> None:
    """Spans, or metrics."""
    loopback.plays(OK)
    telemetry = seen.settings(**{off: False})
    async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", telemetry=telemetry) as client:
        await client.chat.completions.create(**ASK)
    assert len(seen.spans) == spans
    if durations:
        assert len(seen.metric("gen_ai.client.operation.duration")) == durations


async def test_without_opentelemetry_the_extra_is_named() -> None:
    """And a client that asks for no telemetry does not import it."""
    code = "import sys; sys.modules['opentelemetry'] = None\nfrom onellm import *\nAsyncOneLLM(api_key='k')\n"
    said = await python(
        f"{code}try: AsyncOneLLM(api_key='k', telemetry=True)\nexcept MissingDependencyError as e: print(e)"
    )
    assert 'pip install "onellm[otel]"' in said
