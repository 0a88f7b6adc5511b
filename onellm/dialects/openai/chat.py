"""Chat Completions, spoken by OpenAI and dozens of other hosts.

https://platform.openai.com/docs/api-reference/chat and, for the stream, …/chat-streaming
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.lenient import DECODE_ERRORS, encode_json
from onellm.dialects.openai import messages, repair
from onellm.dialects.params import refuse, rename
from onellm.dialects.tool_calls import ToolCallAssembler
from onellm.errors import (
    APIStatusError,
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

_decode_chunk = msgspec.json.Decoder(ChatCompletionChunk, strict=False).decode
_decode_completion = msgspec.json.Decoder(ChatCompletion, strict=False).decode


ChunkT = TypeVar("ChunkT")

# Which flag of a dialect stands for which arguments.
_FLAGGED_PARAMS = {
    "tools": ("tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"),
    "reasoning": ("reasoning_effort",),
}
_FLAGGED_PARTS = {"vision": "image_url", "audio_input": "input_audio"}


class _BaseResp(Struct):
    status_code: int = 0


class _MaybeError(Struct):
    error: Raw = Raw(b"null")  # of any type, null included: a union with None would take nothing else
    base_resp: _BaseResp | None = None


_decode_maybe_error: Callable[[bytes], _MaybeError | list[_MaybeError]]
_decode_maybe_error = msgspec.json.Decoder(_MaybeError | list[_MaybeError]).decode
_NO_ERROR = frozenset({b"null", b"false", b'""', b"{}", b"[]", b"0"})


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
    flat_text:         whether some of the host's models do: a list of text parts is then sent as one text
    audio_as:          how sound is spelled: OpenAI's object, its base64 text alone, or a part `audio_content`
    lists:             arguments of which the host takes a list only, where OpenAI takes one text, too
    message_names:     whether the host takes `name` on messages
    tool_id_length:    the length that the host's tool-call ids have, where it insists on one
    replay:            message fields that the host wants back in later turns

    The answer:
    finish:            the host's own words for an end
    codes:             the host's own error codes
    usage_in:          where in a chunk a stream's usage stands, where that is not its top
    error_in:          where in a chunk an error may stand, beside its top
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
    flat_text: bool = False
    audio_as: messages.AudioAs = "object"
    lists: tuple[str, ...] = ()
    message_names: bool = True
    tool_id_length: int | None = None
    replay: tuple[str, ...] = ()
    finish: Mapping[str, FinishReason] = {}
    codes: Mapping[str, type[APIStatusError]] = {}
    usage_in: tuple[str | int, ...] = ()
    error_in: tuple[str | int, ...] = ()
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
        return HttpRequest(path=self.path, body=encode_json(body))

    def encode_messages(self, request: ChatRequest) -> list[dict[str, Any]]:
        """The history as the host takes it."""
        quirks = (
            self.flat_content
            or self.flat_text
            or self.audio_as != "object"
            or not (self.message_names and self.vision and self.audio_input)
            or self.tool_id_length is not None
        )
        return [
            self._encode_message(place, message, request) if quirks or message["role"] == "assistant" else message
            for place, message in enumerate(request.messages)
        ]

    def encode_params(self, request: ChatRequest) -> dict[str, Any]:
        """The arguments under the host's names."""
        params = dict(request.params)
        if not params:
            return params
        refuses = dict(self.refuses)
        for flag, names in _FLAGGED_PARAMS.items():
            if not getattr(self, flag):
                refuses |= dict.fromkeys(names, f"it has no {flag}")
        refuse(params, refuses, request)
        for name in self.values.keys() & params.keys():
            self._respell(name, params, request)
        rename(params, self.renames, request)
        for name in self.lists:
            if isinstance(params.get(name), str):
                params[name] = [params[name]]
        if (form := params.get("response_format")) is not None:
            self._encode_format(form, params, request)
        return params

    def _respell(self, name: str, params: dict[str, Any], request: ChatRequest) -> None:
        given, spelling = params[name], self.values[name]
        if not isinstance(given, str) or given not in spelling:
            return
        if (spelled := spelling[given]) is None:
            request.unsupported(f"{name}={given!r}", f"it takes other values of {name}")
            del params[name]
        else:
            params[name] = spelled
            request.adjustments.append(f"sent {name}={given!r} as {spelled!r}")

    def _encode_format(self, form: dict[str, Any], params: dict[str, Any], request: ChatRequest) -> None:
        if form["type"] not in self.response_formats:
            takes = f"it takes {', '.join(sorted(self.response_formats))}" if self.response_formats else "it has none"
            request.unsupported(f'response_format {{"type": "{form["type"]}"}}', takes)
            del params["response_format"]
        elif self.schema_key != "json_schema" and "json_schema" in form:
            params["response_format"] = {"type": form["type"], self.schema_key: form["json_schema"]}

    def _encode_message(self, place: int, message: dict[str, Any], request: ChatRequest) -> dict[str, Any]:
        if message["role"] == "assistant":
            message = messages.from_answer(message, request.provider, self.replay)
        if not self.message_names and "name" in message:
            message = {key: value for key, value in message.items() if key != "name"}
            request.adjustments.append("left the names of messages out")
        if self.flat_content:
            message = messages.flatten(message, f"messages[{place}]", request)
        elif not (self.vision and self.audio_input) and isinstance(message.get("content"), list):
            refused = {part for flag, part in _FLAGGED_PARTS.items() if not getattr(self, flag)}
            message = messages.without_parts(message, refused, f"messages[{place}]", request)
        if self.flat_text:
            message = messages.flatten_text(message)
        if self.audio_as != "object":
            message = messages.respell_audio(message, self.audio_as)
        if self.tool_id_length is not None:
            message = messages.short_ids(message, self.tool_id_length)
        return message

    def decode_response(self, body: bytes, request: ChatRequest) -> ChatCompletion:
        if self.has_error(body):
            raise self.decode_error(200, {}, body, now=0.0)
        try:
            reply = _decode_completion(body)
        except DECODE_ERRORS:
            value = repair.completion(lenient.decode_json(body, "a chat completion"))
            reply = lenient.convert(value, ChatCompletion, "a chat completion")
        if not reply.choices:
            if errors.is_error(lenient.decode_json(body, "a chat completion")):
                raise self.decode_error(200, {}, body, now=0.0)
            if b'"choices"' not in body:
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
        if data.find(b'"error"') < 0 and not (self.base_resp and b'"base_resp"' in data):  # `in` is half as slow again
            return False
        return is_error(data, base_resp=self.base_resp)

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
            if not self.replay and not message.tool_calls:
                continue
            kept: dict[str, Any] = {
                name: value for name in self.replay if (value := getattr(message, name, None)) is not None
            }
            if kept or (message.tool_calls and any(call.extra_content for call in message.tool_calls)):
                message.provider_data = ProviderData(provider=request.provider, data=kept)


def is_error(data: bytes, *, base_resp: bool = False) -> bool:
    """Whether JSON that has an "error" somewhere is one."""
    try:
        found = _decode_maybe_error(data)
    except DECODE_ERRORS:
        return False
    if isinstance(found, list):
        found = found[0] if found else _MaybeError()
    failed = base_resp and found.base_resp is not None and found.base_resp.status_code != 0
    return bytes(found.error) not in _NO_ERROR or failed


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
        emit = chunks.append
        assert self._decoder is not None, "feed_chunk is for streams without SSE"  # noqa: S101
        if self.finished or self.error is not None:
            return chunks
        try:
            for event in self._decoder.feed(data):
                chunk = event.data
                if chunk.startswith(b"[DONE]"):
                    self.finished = True
                    break
                if event.event == "error":
                    raise self._refusal(chunk)
                if not chunk or (event.event and not chunk.startswith(b"{")):
                    continue  # a ping, whatever its name
                self.feed_chunk(chunk, emit)
            if self._decoder.error is not None and not self.finished:  # not to be waited for
                self.error = ResponseDecodeError(str(self._decoder.error))
        except EventTooLargeError as exc:
            self.error = ResponseDecodeError(str(exc))
        except OneLLMError as exc:
            self.error = exc
        return chunks

    def feed_chunk(self, data: bytes, emit: Callable[[ChunkT], object]) -> None:
        raise NotImplementedError  # each kind of stream reads its own chunks

    def _settle(self) -> None:
        """Nothing more comes.

        Raises:
            OneLLMError: what was wrong with the stream before its end.
        """
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
        self._head: ChatCompletion | None = None  # what is said of the whole, each field when it first comes
        self._last = b""
        self._usage: CompletionUsage | None = None
        self._usage_in = dialect.usage_in
        self._error_in = dialect.error_in
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
        dialect = self._dialect
        chunk = self._decode(data)
        head = self._head
        if head is None or not (head.id and head.model and head.created):
            head = self._begin(chunk)
        if chunk.system_fingerprint is not None:
            head.system_fingerprint = head.system_fingerprint or chunk.system_fingerprint
        if self._usage_in and chunk.usage is None and b'"usage"' in data:
            chunk.usage = repair.usage(data, self._usage_in)
        if chunk.usage is not None:
            dialect.normalise_usage(chunk.usage, data)
            self._usage = chunk.usage
        if chunk.service_tier is not None:
            self._service_tier = chunk.service_tier
        choices = chunk.choices
        for choice in choices:
            state = self._choices.get(choice.index)
            if state is None:
                state = self._choices[choice.index] = _Choice()
            state.add(choice, dialect)
        if choices or self._shows_usage:
            emit(chunk)

    def close(self) -> ChatCompletion:
        self._settle()
        wanted: int = self._request.params.get("n", 1)
        ended = len(self._choices) >= wanted and all(state.finish is not None for state in self._choices.values())
        if self._head is None or not (self.finished or ended):
            raise interrupted(self._request)
        reply = self._head
        reply.choices = [state.whole(index) for index, state in sorted(self._choices.items())]
        reply.usage = self._usage
        reply.service_tier = self._service_tier
        self._dialect.complete(reply, self._last, self._request)
        return reply

    def _begin(self, chunk: ChatCompletionChunk) -> ChatCompletion:
        """Take over what is said of the whole; some hosts send a first chunk in which it is still empty."""
        head = self._head = self._head or ChatCompletion()
        head.id = head.id or chunk.id
        head.model = head.model or chunk.model
        head.created = head.created or chunk.created
        return head

    def _decode(self, data: bytes) -> ChatCompletionChunk:
        if self._dialect.has_error(data):
            raise self._refusal(data)
        if self._error_in and b'"error"' in data and (said := repair.at(data, self._error_in)):
            raise self._refusal(encode_json({"error": said}))
        try:
            chunk = _decode_chunk(data)
        except DECODE_ERRORS:
            value = repair.chunk(lenient.decode_json(data, "a chat completion chunk"))
            chunk = lenient.convert(value, ChatCompletionChunk, "a chat completion chunk")
        if not chunk.choices and errors.is_error(lenient.decode_json(data, "a chat completion chunk")):
            raise self._refusal(data)
        chunk.raw = self._last = data
        return chunk


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
        if (
            delta.role
            or delta.refusal
            or delta.reasoning_content
            or delta.reasoning_details
            or delta.annotations
            or delta.audio
            or delta.function_call
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
