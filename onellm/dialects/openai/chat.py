"""Chat Completions, spoken by OpenAI and dozens of other hosts.

https://platform.openai.com/docs/api-reference/chat and, for the stream, …/chat-streaming
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.lenient import DECODE_ERRORS, encode_json
from onellm.dialects.tool_calls import ToolCallAssembler
from onellm.errors import (
    APIStatusError,
    InvalidRequestError,
    OneLLMError,
    ResponseDecodeError,
    StreamInterruptedError,
)
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
    ProviderData,
    Role,
)
from onellm.types.chat_params import ChatRequest

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

# What a message carries out of an answer that no host takes back under these names.
_OUTPUT_ONLY = frozenset(
    {
        "annotations",
        "citations",
        "parsed",
        "provider_data",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
    }
)

_decode_chunk = msgspec.json.Decoder(ChatCompletionChunk, strict=False).decode
_decode_completion = msgspec.json.Decoder(ChatCompletion, strict=False).decode


# Which flag of a dialect stands for which arguments, and which for which content parts.
_FLAGGED_PARAMS = {
    "tools": ("tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"),
    "reasoning": ("reasoning_effort",),
}
_FLAGGED_PARTS = {"vision": "image_url", "audio_input": "input_audio"}


class _MaybeError(Struct):
    error: Raw = Raw(b"null")


_decode_maybe_error: Callable[[bytes], _MaybeError | list[_MaybeError]]
_decode_maybe_error = msgspec.json.Decoder(_MaybeError | list[_MaybeError]).decode
_NO_ERROR = frozenset({b"null", b"false", b'""', b"{}", b"[]", b"0"})


class OpenAIChat(Struct, frozen=True, kw_only=True):
    """Chat Completions. Fields are a host's quirks; the defaults are OpenAI's own behaviour.

    path:              joined to the base URL
    max_tokens_field:  the name under which the host takes the limit; None passes what the caller gave
    stream_usage:      whether the host gives a stream's usage only when asked with `stream_options`
    response_formats:  the types of `response_format` that the host takes
    tools, vision, audio_input, reasoning:  False where the host is known to have none; True where some model may
    replay:            message fields that the host wants back in later turns
    finish:            the host's own words for an end
    codes:             the host's own error codes
    """

    path: str = "chat/completions"
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    stream_usage: bool = True
    response_formats: frozenset[str] = frozenset({"text", "json_object", "json_schema"})
    tools: bool = True
    vision: bool = True
    audio_input: bool = True
    reasoning: bool = True
    replay: tuple[str, ...] = ()
    finish: Mapping[str, FinishReason] = {}
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_request(self, request: ChatRequest, *, stream: bool) -> HttpRequest:
        body: dict[str, Any] = {"model": request.model, "messages": self.encode_messages(request)}
        body.update(self.encode_params(request))
        if stream:
            body["stream"] = True
            if self.stream_usage and "stream_options" not in body:
                body["stream_options"] = {"include_usage": True}
        if request.extra_body:
            body.update(request.extra_body)
        return HttpRequest(path=self.path, body=encode_json(body))

    def encode_messages(self, request: ChatRequest) -> list[dict[str, Any]]:
        """The history as the host takes it."""
        messages = request.messages
        if not (self.vision and self.audio_input):
            messages = self._without_parts(request)
        return [
            self._encode_assistant(message, request) if message["role"] == "assistant" else message
            for message in messages
        ]

    def encode_params(self, request: ChatRequest) -> dict[str, Any]:
        """The arguments under the host's names."""
        params = request.params
        other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
        if self.max_tokens_field and (given := other[self.max_tokens_field]) in params:
            if self.max_tokens_field in params:
                raise InvalidRequestError("give max_completion_tokens or max_tokens, not both", param=given)
            params = {self.max_tokens_field if key == given else key: value for key, value in params.items()}
            request.adjustments.append(f"sent {given} as {self.max_tokens_field}")
        wanted: str = params.get("response_format", {}).get("type", "text")
        if wanted not in self.response_formats:
            request.unsupported(
                f'response_format {{"type": "{wanted}"}}', f"it takes {', '.join(sorted(self.response_formats))}"
            )
            params = {key: value for key, value in params.items() if key != "response_format"}
        for flag, names in _FLAGGED_PARAMS.items():
            if not getattr(self, flag):
                for name in [name for name in names if name in params]:
                    request.unsupported(name, f"it has no {flag}")
                    params = {key: value for key, value in params.items() if key != name}
        return params

    def _without_parts(self, request: ChatRequest) -> list[dict[str, Any]]:
        """The messages without the parts that the host is known not to take."""
        refused = {part for flag, part in _FLAGGED_PARTS.items() if not getattr(self, flag)}
        messages: list[dict[str, Any]] = []
        for place, message in enumerate(request.messages):
            content: Any = message.get("content")
            if isinstance(content, list):
                parts: list[dict[str, Any]] = msgspec.to_builtins(content)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - validated
                for number, part in enumerate(parts):
                    if part["type"] in refused:
                        request.unsupported(f"messages[{place}].content[{number}]", f"it takes no {part['type']}")
                message = {**message, "content": [part for part in parts if part["type"] not in refused]}  # noqa: PLW2901
            messages.append(message)
        return messages

    def _encode_assistant(self, message: dict[str, Any], request: ChatRequest) -> dict[str, Any]:
        """A message from an answer as a message in a history: nothing empty, nothing only said outwards."""
        sent = {key: value for key, value in message.items() if value is not None and key not in _OUTPUT_ONLY}
        sent.setdefault("content", None)
        kept = message.get("provider_data")
        foreign = kept is not None and kept["provider"] != request.provider
        if not sent.get("tool_calls", True):
            del sent["tool_calls"]  # [] is refused where there must be one
        elif "tool_calls" in sent:
            sent["tool_calls"] = [_encode_call(call, foreign=foreign) for call in sent["tool_calls"]]
        if kept is not None and not foreign:
            sent.update(kept["data"])
        if isinstance(audio := sent.get("audio"), dict):
            sent["audio"] = {"id": audio["id"]}  # pyright: ignore[reportUnknownArgumentType] - validated: has an id
        return sent

    def decode_response(self, body: bytes, request: ChatRequest) -> ChatCompletion:
        if b'"error"' in body and _error_in(body):
            raise self.decode_error(200, {}, body, now=0.0)
        try:
            reply = _decode_completion(body)
        except DECODE_ERRORS:
            value = self.repair_response(lenient.decode_json(body, "a chat completion"))
            reply = lenient.convert(value, ChatCompletion, "a chat completion")
        if not reply.choices:
            if errors.is_error(lenient.decode_json(body, "a chat completion")):
                raise self.decode_error(200, {}, body, now=0.0)
            if b'"choices"' not in body:
                raise ResponseDecodeError("not a chat completion: it has no choices", body=body)
        reply.raw = body
        for choice in reply.choices:
            self.normalise(choice, choice.message)
            self._keep_for_replay(choice.message, request)
        return reply

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)

    def reducer(self, request: ChatRequest, *, max_event_bytes: int) -> "ChatStreamReducer":
        return ChatStreamReducer(self, request, SseDecoder(max_event_bytes=max_event_bytes))

    # The seams for a host whose quirk is code. The defaults do what most hosts need.

    def repair_response(self, value: Any) -> Any:
        """Mend a whole answer that did not decode; what still does not fit is left out."""
        return value

    def repair_chunk(self, value: Any) -> Any:
        """The same for a chunk."""
        return value

    def normalise(self, choice: Choice | ChunkChoice, message: ChatCompletionMessage | ChoiceDelta) -> None:
        """Bring one choice under OpenAI's names, in place."""
        raw = choice.finish_reason
        if raw is not None:
            choice.finish_reason_raw = raw or None
            if raw:
                choice.finish_reason = self.finish.get(raw) or FINISH.get(raw, "other")
            else:  # "" is said where tool calls end the turn, and in a stream where nothing has ended
                ended = isinstance(choice, Choice) and message.tool_calls
                choice.finish_reason = "tool_calls" if ended else None
        if message.reasoning_content is not None and message.reasoning is None:
            message.reasoning = message.reasoning_content

    def _keep_for_replay(self, message: ChatCompletionMessage, request: ChatRequest) -> None:
        kept = {name: value for name in self.replay if (value := getattr(message, name)) is not None}
        if kept or any(call.extra_content for call in message.tool_calls or ()):
            message.provider_data = ProviderData(provider=request.provider, data=kept)


class ChatStreamReducer:
    """Folds a stream of Chat Completions chunks; also one without SSE around them, by `feed_chunk`."""

    def __init__(self, dialect: OpenAIChat, request: ChatRequest, decoder: SseDecoder | None = None) -> None:
        self.error: OneLLMError | None = None
        self.finished = False
        self._dialect = dialect
        self._request = request
        self._decoder = decoder
        self._head: ChatCompletion | None = None  # what is said of the whole, each field when it first comes
        self._usage: CompletionUsage | None = None
        self._service_tier: str | None = None
        self._choices: dict[int, _Choice] = {}
        # A chunk with usage and no choices is OpenAI's answer to our own asking: shown to those who asked too.
        self._shows_usage = "stream_options" in request.params

    def feed(self, data: bytes) -> list[ChatCompletionChunk]:
        chunks: list[ChatCompletionChunk] = []
        assert self._decoder is not None, "feed_chunk is for streams without SSE"  # noqa: S101
        if self.finished or self.error is not None:
            return chunks
        try:
            for event in self._decoder.feed(data):
                if event.data.startswith(b"[DONE]"):
                    self.finished = True
                    break
                if event.event == "error":
                    raise self._refusal(event.data)
                if not event.data or (event.event and not event.data.startswith(b"{")):
                    continue  # a ping, whatever its name
                self.feed_chunk(event.data, chunks.append)
        except EventTooLargeError as exc:
            self.error = ResponseDecodeError(str(exc))
        except OneLLMError as exc:
            self.error = exc
        return chunks

    def feed_chunk(self, data: bytes, emit: Callable[[ChatCompletionChunk], object]) -> None:
        """Take one chunk's JSON in; `emit` gets the chunk if the caller is to see it.

        Raises:
            APIStatusError: the chunk is an error.
            ResponseDecodeError: it is no chunk.
        """
        chunk = self._decode(data)
        head = self._head
        if head is None or not (head.id and head.model and head.created):
            head = self._begin(chunk)
        if chunk.system_fingerprint is not None:
            head.system_fingerprint = head.system_fingerprint or chunk.system_fingerprint
        if chunk.usage is not None:
            self._usage = chunk.usage
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
        if self._decoder is not None and self.error is None:
            try:
                self._decoder.close()
            except EventTooLargeError as exc:
                self.error = ResponseDecodeError(str(exc))
        if self.error is not None:
            raise self.error
        ended = bool(self._choices) and all(state.finish is not None for state in self._choices.values())
        if self._head is None or not (self.finished or ended):
            raise StreamInterruptedError(
                "the stream ended before its last event; what came until then may be cut short",
                provider=self._request.provider,
                model=self._request.model,
            )
        reply = self._head
        reply.choices = [self._whole(index, state) for index, state in sorted(self._choices.items())]
        reply.usage = self._usage
        reply.service_tier = self._service_tier
        return reply

    def _begin(self, chunk: ChatCompletionChunk) -> ChatCompletion:
        """Take over what is said of the whole; some hosts send a first chunk in which it is still empty."""
        head = self._head = self._head or ChatCompletion()
        head.id = head.id or chunk.id
        head.model = head.model or chunk.model
        head.created = head.created or chunk.created
        return head

    def _decode(self, data: bytes) -> ChatCompletionChunk:
        if b'"error"' in data and _error_in(data):
            raise self._refusal(data)
        try:
            chunk = _decode_chunk(data)
        except DECODE_ERRORS:
            value = self._dialect.repair_chunk(lenient.decode_json(data, "a chat completion chunk"))
            chunk = lenient.convert(value, ChatCompletionChunk, "a chat completion chunk")
        if not chunk.choices and errors.is_error(lenient.decode_json(data, "a chat completion chunk")):
            raise self._refusal(data)
        chunk.raw = data
        return chunk

    def _refusal(self, data: bytes) -> APIStatusError:
        return errors.decode_error(200, {}, data, now=0.0, codes=self._dialect.codes)

    def _whole(self, index: int, state: "_Choice") -> Choice:
        choice = state.whole(index)
        self._dialect._keep_for_replay(choice.message, self._request)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - one module
        return choice


class _Choice:
    """What the chunks of one choice have added up to. Pieces are joined once, at the end."""

    __slots__ = (
        "annotations",
        "audio",
        "audio_data",
        "audio_transcript",
        "blank_finish",
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
        self.blank_finish = False

    def add(self, choice: ChunkChoice, dialect: OpenAIChat) -> None:
        delta = choice.delta
        if choice.finish_reason is not None or delta.reasoning_content is not None:
            self.blank_finish = choice.finish_reason is not None and not choice.finish_reason
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
        if self.finish is None and self.blank_finish and self.tools is not None:
            self.finish = "tool_calls"
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


def _encode_call(call: dict[str, Any], *, foreign: bool) -> dict[str, Any]:
    """A tool call of the history: nothing empty, and no signature of another provider's."""
    other = "function" if call["type"] == "custom" else "custom"
    return {
        key: value
        for key, value in call.items()
        if value is not None and key != other and not (foreign and key == "extra_content")
    }


def _error_in(data: bytes) -> bool:
    """Whether there is a top-level `error` that says something."""
    try:
        found = _decode_maybe_error(data)
    except DECODE_ERRORS:
        return False
    if isinstance(found, list):
        return any(bytes(item.error) not in _NO_ERROR for item in found[:1])
    return bytes(found.error) not in _NO_ERROR
