"""Chat Completions, spoken by OpenAI and dozens of other hosts.

https://platform.openai.com/docs/api-reference/chat and, for the stream, …/chat-streaming
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Raw, Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.openai import messages, repair
from onellm.dialects.params import refuse, rename
from onellm.dialects.tool_calls import ToolCallAssembler
from onellm.errors import APIStatusError, OneLLMError, ResponseDecodeError, StreamInterruptedError
from onellm.transport.sse import EventTooLargeError, SseDecoder
from onellm.types.chat import (
    ChatCompletion,
    ChatCompletionAudio,
    ChatCompletionChunk,
    ChatCompletionMessage,
    Choice,
    ChoiceDelta,
    ChoiceLogprobs,
    ChunkChoice,
    CompletionUsage,
    FinishReason,
    FunctionCall,
    PromptTokensDetails,
    ProviderData,
    Role,
)
from onellm.types.chat_params import ChatRequest
from onellm.types.request import Request

# The words for an end that differ from OpenAI's; a dialect's own table goes before this one.
FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "function_call": "function_call",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "model_length": "length",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "sensitive": "content_filter",
    "tool_use": "tool_calls",
    "error": "error",
    "abort": "error",
    "network_error": "error",
    "insufficient_system_resource": "error",
}

_encode = msgspec.json.Encoder().encode
_decode_chunk = msgspec.json.Decoder(ChatCompletionChunk, strict=False).decode
_decode_completion = msgspec.json.Decoder(ChatCompletion, strict=False).decode


ChunkT = TypeVar("ChunkT")

# What only a call with tools has, and is refused with them.
_TOOL_PARAMS = frozenset({"tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"})


class _BaseResp(Struct):
    status_code: int = 0


_NULL = Raw(b"null")


class _MaybeError(Struct):
    error: Raw = _NULL  # of any type, null included: a union with None would take nothing else
    base_resp: _BaseResp | None = None


_decode_maybe_error = msgspec.json.Decoder(_MaybeError).decode


class OpenAIChat(Struct, frozen=True, kw_only=True):
    """Chat Completions. Fields are a host's quirks; the defaults are OpenAI's own behaviour.

    The request:
    path:              joined to the base URL
    renames:           arguments that the host knows by another name
    values:            values of an argument that the host spells differently; None: it has no such value
    refuses:           arguments that the host does not take, each with the reason
    response_formats:  the types of `response_format` that the host takes
    schema_key:        the key beside `type` under which the host looks for a JSON schema
    stream_usage:      whether the host gives a stream's usage only when asked with `stream_options`
    tools, vision, audio_input, reasoning:  False where the host is known to have none; True where some model may
    flat_content:      whether the host takes texts only, no lists of parts
    message_names:     whether the host takes `name` on messages
    tool_id_length:    the length that the host's tool-call ids have, where it insists on one
    replay:            message fields that the host wants back in later turns

    The answer:
    finish:            the host's own words for an end
    codes:             the host's own error codes
    usage_in:          where a stream's usage stands: in the chunk, in its `x_groq`, or in its choice
    cached_in:         the field of `usage` that counts cached tokens, where it is not OpenAI's
    adds_reasoning:    whether the host leaves reasoning out of `completion_tokens`
    citations_in:      top-level fields that name sources, the better one first
    base_resp:         whether an error may come as `base_resp` with a status code that is not 0
    """

    path: str = "chat/completions"
    renames: Mapping[str, str] = {}
    values: Mapping[str, Mapping[str, str | None]] = {}
    refuses: Mapping[str, str] = {}
    response_formats: frozenset[str] = frozenset({"text", "json_object", "json_schema"})
    schema_key: str = "json_schema"
    stream_usage: bool = True
    tools: bool = True
    vision: bool = True
    audio_input: bool = True
    reasoning: bool = True
    flat_content: bool = False
    message_names: bool = True
    tool_id_length: int | None = None
    replay: tuple[str, ...] = ()
    finish: Mapping[str, FinishReason] = {}
    codes: Mapping[str, type[APIStatusError]] = {}
    usage_in: Literal["chunk", "x_groq", "choice"] = "chunk"
    cached_in: str | None = None
    adds_reasoning: bool = False
    citations_in: tuple[str, ...] = ()
    base_resp: bool = False

    def encode_request(self, request: ChatRequest) -> HttpRequest:
        return self._encode(request, {})

    def encode_stream(self, request: ChatRequest) -> HttpRequest:
        stream: dict[str, Any] = {"stream": True}
        if self.stream_usage and "stream_options" not in request.params:
            stream["stream_options"] = {"include_usage": True}
        return self._encode(request, stream)

    def _encode(self, request: ChatRequest, stream: dict[str, Any]) -> HttpRequest:
        body = {
            "model": request.model,
            "messages": self.encode_messages(request),
            **self.encode_params(request),
            **stream,
            **(request.extra_body or {}),
        }
        return HttpRequest(path=self.path, body=_encode(body))

    def encode_messages(self, request: ChatRequest) -> list[dict[str, Any]]:
        """The history as the host takes it."""
        return [self._encode_message(message, request) for message in request.messages]

    def encode_params(self, request: ChatRequest) -> dict[str, Any]:
        """The arguments under the host's names."""
        params = dict(request.params)
        if not self.tools:
            for name in _TOOL_PARAMS & params.keys():
                request.unsupported(name, "it has no tools")
                del params[name]
        refuse(params, self.refuses, request)
        for name, spelling in self.values.items():
            given = params.get(name)
            if not isinstance(given, str) or given not in spelling:
                continue
            if (spelled := spelling[given]) is None:
                request.unsupported(f"{name}={given!r}", f"it takes other values of {name}")
                del params[name]
            else:
                params[name] = spelled
                request.adjustments.append(f"sent {name}={given!r} as {spelled!r}")
        rename(params, self.renames, request)
        if (form := params.get("response_format")) is not None:
            self._encode_format(form, params, request)
        return params

    def _encode_format(self, form: dict[str, Any], params: dict[str, Any], request: ChatRequest) -> None:
        if form["type"] not in self.response_formats:
            takes = f"it takes {', '.join(sorted(self.response_formats))}" if self.response_formats else "it has none"
            request.unsupported(f'response_format {{"type": "{form["type"]}"}}', takes)
            del params["response_format"]
        elif self.schema_key != "json_schema" and "json_schema" in form:
            params["response_format"] = {"type": form["type"], self.schema_key: form["json_schema"]}

    def _encode_message(self, message: dict[str, Any], request: ChatRequest) -> dict[str, Any]:
        if message["role"] == "assistant":
            message = messages.from_answer(message, request.provider, self.replay)
        if not self.message_names and "name" in message:
            message = {key: value for key, value in message.items() if key != "name"}
            request.adjustments.append("left the names of messages out")
        if self.flat_content:
            message = messages.flatten(message, request)
        elif not (self.vision and self.audio_input) and isinstance(message.get("content"), list):
            parts: list[dict[str, Any]] = message["content"]
            message = {**message, "content": [part for part in parts if self._takes(part, request)]}
        if self.tool_id_length is not None:
            message = messages.short_ids(message, self.tool_id_length)
        return message

    def _takes(self, part: dict[str, Any], request: ChatRequest) -> bool:
        kind = part.get("type")
        if (kind == "image_url" and not self.vision) or (kind == "input_audio" and not self.audio_input):
            request.unsupported(f"content part {kind!r}", "none of its models takes it")
            return False
        return True

    def decode_response(self, body: bytes, request: ChatRequest) -> ChatCompletion:
        if self.has_error(body):
            raise self.decode_error(200, {}, body, now=0.0)
        try:
            reply = _decode_completion(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            value = repair.completion(lenient.decode_json(body, "a chat completion"))
            reply = lenient.convert(value, ChatCompletion, "a chat completion")
        if not reply.choices and b'"choices"' not in body:
            raise ResponseDecodeError("not a chat completion: it has no choices", body=body)
        reply.raw = body
        for choice in reply.choices:
            self.normalise(choice, choice.message)
        if reply.usage is not None:
            self.normalise_usage(reply.usage, body)
        self.complete(reply, body, request)
        return reply

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)

    def reducer(self, request: ChatRequest, *, max_event_bytes: int) -> "ChatStreamReducer":
        return ChatStreamReducer(self, request, SseDecoder(max_event_bytes=max_event_bytes))

    def has_error(self, data: bytes) -> bool:
        """Whether a body or chunk with HTTP status 200 is an error all the same."""
        if b'"error"' not in data and not (self.base_resp and b'"base_resp"' in data):
            return False
        return is_error(data, base_resp=self.base_resp)

    def normalise(self, choice: Choice | ChunkChoice, message: ChatCompletionMessage | ChoiceDelta) -> None:
        """Bring one choice under OpenAI's names, in place."""
        raw = choice.finish_reason
        if raw is not None:
            choice.finish_reason_raw = raw or None
            if raw:
                choice.finish_reason = self.finish.get(raw) or FINISH.get(raw, "other")
            else:  # "" is said where tool calls end the turn, and where nothing has ended
                choice.finish_reason = "tool_calls" if message.tool_calls else None
        if message.reasoning_content is not None and message.reasoning is None:
            message.reasoning = message.reasoning_content

    def normalise_usage(self, usage: CompletionUsage, data: bytes) -> None:
        """Bring the count of tokens under OpenAI's meaning, in place; data is the JSON it came in."""
        if self.cached_in is not None and usage.prompt_tokens_details is None:
            cached = repair.usage_field(data, self.cached_in)
            if cached is not None:
                usage.prompt_tokens_details = PromptTokensDetails(cached_tokens=cached)
        if self.adds_reasoning and usage.completion_tokens_details is not None:
            usage.completion_tokens += usage.completion_tokens_details.reasoning_tokens or 0

    def complete(self, reply: ChatCompletion, last: bytes, request: ChatRequest) -> None:
        """Add what stands outside the choices, and keep what the host wants back; last is the last JSON received."""
        if self.citations_in:
            found = repair.citations(last, self.citations_in)
            for choice in reply.choices:
                choice.message.citations = found
        for choice in reply.choices:
            message = choice.message
            kept: dict[str, Any] = {
                name: value for name in self.replay if (value := getattr(message, name, None)) is not None
            }
            if message.tool_calls and any(call.extra_content for call in message.tool_calls):
                kept["tool_calls"] = [call.to_dict() for call in message.tool_calls]
            if kept:
                message.provider_data = ProviderData(provider=request.provider, data=kept)


def is_error(data: bytes, *, base_resp: bool = False) -> bool:
    """Whether JSON that has an "error" somewhere is one."""
    try:
        found = _decode_maybe_error(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    failed = base_resp and found.base_resp is not None and found.base_resp.status_code != 0
    return found.error != _NULL or failed


def interrupted(request: Request) -> StreamInterruptedError:
    return StreamInterruptedError(
        "the stream ended before its last event; what came until then may be cut short",
        provider=request.provider,
        model=request.model,
    )


class SseReducer(Generic[ChunkT]):
    """What the streams of OpenAI's completions share: one JSON value an event, and `[DONE]` at the end."""

    def __init__(self, codes: Mapping[str, type[APIStatusError]], decoder: SseDecoder | None = None) -> None:
        self.error: OneLLMError | None = None
        self.finished = False
        self._codes = codes
        self._decoder = decoder

    def feed(self, data: bytes) -> list[ChunkT]:
        chunks: list[ChunkT] = []
        assert self._decoder is not None, "feed_chunk is for streams without SSE"  # noqa: S101
        try:
            for event in self._decoder.feed(data):
                if event.data.startswith(b"[DONE]"):
                    self.finished = True
                    break
                if event.event == "error":
                    raise self._refusal(event.data)
                self.feed_chunk(event.data, chunks.append)
        except EventTooLargeError as exc:
            self.error = ResponseDecodeError(str(exc))
        except OneLLMError as exc:
            self.error = exc
        return chunks

    def feed_chunk(self, data: bytes, emit: Callable[[ChunkT], object]) -> None:
        raise NotImplementedError

    def _settle(self) -> None:
        """Nothing more comes.

        Raises:
            OneLLMError: what was wrong with the stream before its end.
        """
        if self._decoder is not None and self.error is None:
            try:
                self._decoder.close()
            except EventTooLargeError as exc:
                self.error = ResponseDecodeError(str(exc))
        if self.error is not None:
            raise self.error

    def _refusal(self, data: bytes) -> APIStatusError:
        return errors.decode_error(200, {}, data, now=0.0, codes=self._codes)


class ChatStreamReducer(SseReducer[ChatCompletionChunk]):
    """Folds a stream of Chat Completions chunks; also one without SSE around them, by `feed_chunk`."""

    def __init__(self, dialect: OpenAIChat, request: ChatRequest, decoder: SseDecoder | None = None) -> None:
        super().__init__(dialect.codes, decoder)
        self._dialect = dialect
        self._request = request
        self._first: ChatCompletionChunk | None = None
        self._last = b""
        self._usage: CompletionUsage | None = None
        self._usage_in: Literal["x_groq", "choice"] | None = None if dialect.usage_in == "chunk" else dialect.usage_in
        self._service_tier: str | None = None
        self._choices: dict[int, _Choice] = {}
        # A chunk with usage and no choices is OpenAI's answer to our own asking: shown to those who asked too.
        self._shows_usage = "stream_options" in request.params

    def feed_chunk(self, data: bytes, emit: Callable[[ChatCompletionChunk], object]) -> None:
        """Take one chunk's JSON in; `emit` gets the chunk if the caller is to see it.

        Raises:
            APIStatusError: the chunk is an error.
            ResponseDecodeError: it is no chunk.
        """
        if self._dialect.has_error(data):
            raise self._refusal(data)
        try:
            chunk = _decode_chunk(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            value = repair.chunk(lenient.decode_json(data, "a chat completion chunk"))
            chunk = lenient.convert(value, ChatCompletionChunk, "a chat completion chunk")
        chunk.raw = data
        if self._first is None:
            self._first = chunk
        if self._usage_in is not None and chunk.usage is None and b'"usage"' in data:
            chunk.usage = repair.usage(data, self._usage_in)
        if chunk.usage is not None:
            self._dialect.normalise_usage(chunk.usage, data)
            self._usage = chunk.usage
        self._last = data
        if chunk.service_tier is not None:
            self._service_tier = chunk.service_tier
        for choice in chunk.choices:
            state = self._choices.get(choice.index)
            if state is None:
                state = self._choices[choice.index] = _Choice()
            state.add(choice, self._dialect)
        if chunk.choices or self._shows_usage:
            emit(chunk)

    def close(self) -> ChatCompletion:
        self._settle()
        ended = bool(self._choices) and all(state.finish is not None for state in self._choices.values())
        if self._first is None or not (self.finished or ended):
            raise interrupted(self._request)
        first = self._first
        reply = ChatCompletion(
            id=first.id,
            created=first.created,
            model=first.model,
            choices=[state.whole(index) for index, state in sorted(self._choices.items())],
            usage=self._usage,
            service_tier=self._service_tier,
            system_fingerprint=first.system_fingerprint,
        )
        reply.provider = first.provider
        reply.request_id = first.request_id
        reply.adjustments = first.adjustments
        self._dialect.complete(reply, self._last, self._request)
        return reply


class _Choice:
    """What the chunks of one choice have added up to. Pieces are joined once, at the end."""

    __slots__ = (
        "annotations",
        "audio",
        "audio_data",
        "audio_transcript",
        "content",
        "details",
        "finish",
        "finish_raw",
        "function_name",
        "function_pieces",
        "logprobs",
        "reasoning",
        "reasoning_content",
        "refusal",
        "role",
        "tools",
    )

    def __init__(self) -> None:
        self.role: Role = "assistant"
        self.content: list[str] = []
        self.refusal: list[str] = []
        self.reasoning: list[str] = []
        self.reasoning_content: list[str] = []
        self.details: list[dict[str, Any]] = []
        self.tools: ToolCallAssembler | None = None
        self.function_name: str | None = None
        self.function_pieces: list[str] = []
        self.annotations: list[Any] = []
        self.audio: ChatCompletionAudio | None = None
        self.audio_data: list[str] = []
        self.audio_transcript: list[str] = []
        self.logprobs: ChoiceLogprobs | None = None
        self.finish: FinishReason | None = None
        self.finish_raw: str | None = None

    def add(self, choice: ChunkChoice, dialect: OpenAIChat) -> None:
        delta = choice.delta
        if choice.finish_reason is not None or delta.reasoning_content is not None:
            dialect.normalise(choice, delta)
            if choice.finish_reason is not None:
                self.finish, self.finish_raw = choice.finish_reason, choice.finish_reason_raw
        if delta.content is not None:
            self.content.append(delta.content)
        if delta.reasoning:
            self.reasoning.append(delta.reasoning)
        if delta.tool_calls is not None:
            self.tools = self.tools or ToolCallAssembler()
            for call in delta.tool_calls:
                self.tools.add(call)
        if choice.logprobs is not None:
            self._add_logprobs(choice.logprobs)
        if any((delta.role, delta.refusal, delta.reasoning_content, delta.reasoning_details)) or any(
            (delta.annotations, delta.audio, delta.function_call)
        ):
            self._add_rare(delta)

    def _add_rare(self, delta: ChoiceDelta) -> None:
        if delta.role:
            self.role = delta.role
        if delta.refusal:
            self.refusal.append(delta.refusal)
        if delta.reasoning_content:
            self.reasoning_content.append(delta.reasoning_content)
        if delta.reasoning_details:
            self.details.extend(delta.reasoning_details)
        if delta.annotations:
            self.annotations.extend(delta.annotations)
        if delta.function_call is not None:
            self.function_name = self.function_name or delta.function_call.name
            self.function_pieces.append(delta.function_call.arguments or "")
        if delta.audio is not None:
            self.audio = audio = self.audio or ChatCompletionAudio()
            audio.id = audio.id or delta.audio.id or ""
            self.audio_data.append(delta.audio.data or "")
            self.audio_transcript.append(delta.audio.transcript or "")
            audio.expires_at = delta.audio.expires_at or audio.expires_at

    def _add_logprobs(self, logprobs: ChoiceLogprobs) -> None:
        if self.logprobs is None:
            self.logprobs = ChoiceLogprobs()
        if logprobs.content is not None:
            self.logprobs.content = self.logprobs.content or []
            self.logprobs.content.extend(logprobs.content)
        if logprobs.refusal is not None:
            self.logprobs.refusal = self.logprobs.refusal or []
            self.logprobs.refusal.extend(logprobs.refusal)

    def whole(self, index: int) -> Choice:
        called = self.function_name is not None
        if self.audio is not None:
            self.audio.data = "".join(self.audio_data)
            self.audio.transcript = "".join(self.audio_transcript)
        message = ChatCompletionMessage(
            role=self.role,
            content="".join(self.content) if self.content else None,
            refusal="".join(self.refusal) or None,
            reasoning="".join(self.reasoning) or None,
            reasoning_content="".join(self.reasoning_content) or None,
            reasoning_details=self.details or None,
            tool_calls=self.tools.calls() if self.tools else None,
            function_call=FunctionCall(name=self.function_name or "", arguments="".join(self.function_pieces))
            if called
            else None,
            annotations=self.annotations or None,
            audio=self.audio,
        )
        return Choice(
            index=index,
            message=message,
            finish_reason=self.finish,
            finish_reason_raw=self.finish_raw,
            logprobs=self.logprobs,
        )
