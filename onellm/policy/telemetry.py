"""Spans and metrics by OpenTelemetry's conventions for generative AI.

https://opentelemetry.io/docs/specs/semconv/gen-ai/, as of version 1.41; what they do not name is under `onellm.`.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from onellm.errors import MissingDependencyError
from onellm.policy.execution import Exchange
from onellm.policy.operations import Operation
from onellm.policy.watched import Tokens, to_its_end
from onellm.types.request import Request
from onellm.types.telemetry import Telemetry

try:
    from opentelemetry import metrics, trace
    from opentelemetry.trace import SpanKind, Status, StatusCode
except ImportError as exc:
    raise MissingDependencyError('telemetry needs opentelemetry-api: pip install "onellm[otel]"') from exc

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_SCHEMA = "https://opentelemetry.io/schemas/1.41.0"
# What the conventions call an operation; others have our name.
_OPERATIONS = {
    "chat.completions.create": "chat",
    "responses.create": "chat",
    "completions.create": "text_completion",
    "embeddings.create": "embeddings",
}
# What the conventions call a provider; others have our name.
_PROVIDERS = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
_PARAMS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
}
_OUTPUTS = {"json_object": "json", "json_schema": "json", "text": "text"}
_SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
_TOKENS = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864]
_FIRST = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]


class Tracing:
    """A layer with a span and its metrics for each call of a model. Calls of an account (files, lists) have none."""

    def __init__(self, settings: Telemetry) -> None:
        self._content = settings.content
        self._tracer = None
        if settings.spans:
            self._tracer = trace.get_tracer("onellm", tracer_provider=settings.tracer_provider, schema_url=_SCHEMA)
        self.meters = None
        if settings.metrics:
            self.meters = _Meters(
                metrics.get_meter("onellm", meter_provider=settings.meter_provider, schema_url=_SCHEMA)
            )

    async def around(self, exchange: Exchange, go_on: Callable[[], Awaitable[Any]]) -> Any:
        """The call, traced. Its span is the current one until the answer, or the begin of a stream, is there."""
        if not exchange.operation.moves:
            return await go_on()
        about = _about(exchange)
        watch = _Traced(self.meters, about, content=self._content)
        if self._tracer is None:
            return await self._watched(exchange, go_on, watch)
        span = self._tracer.start_span(
            f"{about['gen_ai.operation.name']} {exchange.model}".rstrip(),
            kind=SpanKind.CLIENT if exchange.options.call.settings.base_url else SpanKind.INTERNAL,
            attributes=about,
        )
        watch.span = span
        if span.is_recording() and exchange.request is not None:
            span.set_attributes(_asked(exchange.request, exchange.operation))
            if self._content:
                span.set_attributes(_said(exchange.request))
        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            return await self._watched(exchange, go_on, watch)

    async def _watched(self, exchange: Exchange, go_on: Callable[[], Awaitable[Any]], watch: "_Traced") -> Any:
        try:
            answer = await go_on()
        except BaseException as exc:
            watch.over(None, exc)
            raise
        return to_its_end(exchange, answer, watch)


class _Meters:
    """The instruments."""

    def __init__(self, meter: Any) -> None:
        def histogram(name: str, unit: str, description: str, bounds: Sequence[float]) -> Any:
            return meter.create_histogram(
                name, unit=unit, description=description, explicit_bucket_boundaries_advisory=bounds
            )

        operation = "gen_ai.client.operation."
        self.duration = histogram(operation + "duration", "s", "GenAI operation duration.", _SECONDS)
        self.first = histogram(operation + "time_to_first_chunk", "s", "Time to receive the first chunk.", _FIRST)
        self.tokens = histogram(
            "gen_ai.client.token.usage", "{token}", "Number of input and output tokens used.", _TOKENS
        )


class _Traced:
    """One call."""

    def __init__(self, meters: _Meters | None, about: dict[str, Any], *, content: bool) -> None:
        self.span: Span | None = None
        self._meters = meters
        self._about = about
        self._content = content
        self._began = time.monotonic()

    def first(self) -> None:
        """The first chunk is there."""
        seconds = time.monotonic() - self._began
        if self.span is not None:
            self.span.set_attribute("gen_ai.response.time_to_first_chunk", seconds)
        if self._meters is not None:
            self._meters.first.record(seconds, self._about)

    def over(self, answer: Any, error: BaseException | None) -> None:
        """The call is over, and so is its span."""
        seconds = time.monotonic() - self._began
        about = dict(self._about)
        if error is not None:
            about["error.type"] = _kind(error)
        if model := getattr(answer, "model", None):
            about["gen_ai.response.model"] = model
        tokens = Tokens(answer)
        if self.span is not None:
            self._end(self.span, answer, error, tokens)
        if self._meters is not None:
            self._meters.duration.record(seconds, about)
            if getattr(answer, "cached", None) is None:
                for kind, count in (("input", tokens.input), ("output", tokens.output)):
                    if count:
                        self._meters.tokens.record(count, {**about, "gen_ai.token.type": kind})

    def _end(self, span: "Span", answer: Any, error: BaseException | None, tokens: Tokens) -> None:
        if error is not None:
            span.set_status(Status(StatusCode.ERROR))  # without the message, which may quote the request
            span.set_attributes({"error.type": _kind(error), **_refused(error)})
        elif answer is not None:
            span.set_attributes(_answered(answer, tokens))
            if self._content and span.is_recording():
                span.set_attributes(_told(answer))
        span.end()


def _about(exchange: Exchange) -> dict[str, Any]:
    """What spans and metrics both say."""
    name = exchange.operation.name
    about: dict[str, Any] = {
        "gen_ai.operation.name": _OPERATIONS.get(name, name.removesuffix(".create")),
        "gen_ai.provider.name": _PROVIDERS.get(exchange.provider, exchange.provider),
    }
    if exchange.model:
        about["gen_ai.request.model"] = exchange.model
    address = urlsplit(exchange.options.call.settings.base_url)
    if address.hostname:
        about["server.address"] = address.hostname
        about["server.port"] = address.port or (443 if address.scheme == "https" else 80)
    return about


def _asked(request: Request, operation: Operation) -> dict[str, Any]:
    params: Mapping[str, Any] = getattr(request, "params", {})
    said = {f"gen_ai.request.{name}": params[ours] for ours, name in _PARAMS.items() if params.get(ours) is not None}
    if operation.answers == "events":
        said["gen_ai.request.stream"] = True
    if (count := params.get("n")) not in (None, 1):
        said["gen_ai.request.choice.count"] = count
    if stop := params.get("stop"):
        said["gen_ai.request.stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    if (encoding := params.get("encoding_format")) is not None:
        said["gen_ai.request.encoding_formats"] = [encoding]
    if (dimensions := params.get("dimensions")) is not None:
        said["gen_ai.embeddings.dimension.count"] = dimensions
    wanted = params.get("response_format")
    if isinstance(wanted, Mapping) and (kind := _OUTPUTS.get(wanted.get("type", ""))):  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - validated
        said["gen_ai.output.type"] = kind
    return said


def _answered(answer: Any, tokens: Tokens) -> dict[str, Any]:
    reasons = [choice.finish_reason for choice in getattr(answer, "choices", ()) if choice.finish_reason]
    cached = getattr(answer, "cached", None)
    fallbacks = getattr(answer, "fallbacks", ())
    said = {
        "gen_ai.response.id": getattr(answer, "id", None) or None,
        "gen_ai.response.model": getattr(answer, "model", None) or None,
        "gen_ai.response.finish_reasons": reasons or None,
        "gen_ai.usage.input_tokens": tokens.input,
        "gen_ai.usage.output_tokens": tokens.output,
        "gen_ai.usage.cache_read.input_tokens": tokens.cache_read,
        "gen_ai.usage.cache_creation.input_tokens": tokens.cache_write,
        "gen_ai.usage.reasoning.output_tokens": tokens.reasoning,
        "onellm.request_id": getattr(answer, "request_id", None),
        "onellm.cache.hit": True if cached is not None else None,
        "onellm.cache.age": None if cached is None else cached.age,
        "onellm.fallback.provider": answer.provider if fallbacks else None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _kind(error: BaseException) -> str:
    return type(error).__name__


def _refused(error: BaseException) -> dict[str, Any]:
    status, request_id = getattr(error, "status_code", None), getattr(error, "request_id", None)
    said = {"http.response.status_code": status, "onellm.request_id": request_id}
    return {name: value for name, value in said.items() if value is not None}


# --- content, where it is asked for ---


def _said(request: Request) -> dict[str, Any]:
    messages = getattr(request, "messages", None)
    if messages is None:
        asked = next((found for name in ("input", "prompt", "query") if (found := getattr(request, name, None))), None)
        params: Mapping[str, Any] = getattr(request, "params", {})
        asked = asked or params.get("input") or params.get("prompt")
        return {} if asked is None else {"gen_ai.input.messages": _json([{"role": "user", "parts": _parts(asked)}])}
    system = [
        part for each in messages if each.get("role") in ("system", "developer") for part in _parts(each["content"])
    ]
    others = [_message(each) for each in messages if each.get("role") not in ("system", "developer")]
    said = {"gen_ai.input.messages": _json(others)}
    if system:
        said["gen_ai.system_instructions"] = _json(system)
    return said


def _told(answer: Any) -> dict[str, Any]:
    choices = getattr(answer, "choices", None)
    if not choices:
        return {}
    messages: list[dict[str, Any]] = []
    for choice in choices:
        message = getattr(choice, "message", None)
        given = {"role": "assistant", "content": choice.text} if message is None else message.to_dict()
        messages.append({**_message(given), "finish_reason": choice.finish_reason or ""})
    return {"gen_ai.output.messages": _json(messages)}


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    role = message.get("role", "")
    if role == "tool":
        response = {"type": "tool_call_response", "id": message.get("tool_call_id"), "response": message.get("content")}
        return {"role": role, "parts": [response]}
    parts = _parts(message.get("content"))
    for call in message.get("tool_calls") or ():
        function: Mapping[str, Any] = call.get("function") or call.get("custom") or {}
        arguments = function.get("arguments", function.get("input"))
        part = {"type": "tool_call", "id": call.get("id"), "name": function.get("name"), "arguments": arguments}
        parts.append(part)
    return {"role": role, "parts": parts}


def _parts(content: Any) -> list[dict[str, Any]]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [{"type": "text", "content": content}]
    if isinstance(content, list):
        return [part for item in content for part in _part(item)]  # pyright: ignore[reportUnknownVariableType] - JSON
    return [{"type": "text", "content": str(content)}]


def _part(item: Any) -> list[dict[str, Any]]:
    match item:
        case {"type": "text" | "input_text", "text": text}:
            return [{"type": "text", "content": text}]
        case {"type": kind}:  # an image, a sound, a document: that there is one, and not its bytes
            return [{"type": kind}]
        case str():
            return [{"type": "text", "content": item}]
        case _:
            return [{"type": "tokens"}]


def _json(value: object) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()
