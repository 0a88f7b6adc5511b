"""Chat Completions, spoken by OpenAI and dozens of other hosts.

https://platform.openai.com/docs/api-reference/chat and, for the stream, …/chat-streaming
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.error_in_answer import is_error
from onellm.dialects.lenient import DECODE_ERRORS, encode_json
from onellm.dialects.openai import messages, repair
from onellm.dialects.params import refuse, refuse_foreign_options, rename
from onellm.errors import (
    APIStatusError,
    InvalidRequestError,
    ResponseDecodeError,
)
from onellm.types.chat import (
    ChatCompletion,
    ChatCompletionMessage,
    Choice,
    ChoiceDelta,
    ChunkChoice,
    CompletionUsage,
    FinishReason,
    PromptTokensDetails,
    ProviderData,
)
from onellm.types.chat_params import NATIVE_OPTIONS, ChatRequest

if TYPE_CHECKING:
    from onellm.dialects.openai.chat_stream import ChatStreamReducer

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

# How long prompts are kept at least: "in_memory" is 5 to 10 minutes after their last use.
_RETENTION = {"5m": "in_memory", "1h": "24h"}

_decode_completion = msgspec.json.Decoder(ChatCompletion, strict=False).decode


ChunkT = TypeVar("ChunkT")

# Which flag of a dialect stands for which arguments.
_FLAGGED_PARAMS = {
    "tools": ("tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"),
    "reasoning": ("reasoning_effort",),
}
_FLAGGED_PARTS = {"vision": "image_url", "audio_input": "input_audio"}


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
    caching:           how the host keeps prompts: by itself ("automatic"), likewise and for as long as
                       `prompt_cache_retention` says ("retention"), or up to marks on parts ("marks")
    uncached:          fields of the body that keep it from doing so

    The answer:
    finish:            the host's own words for an end
    codes:             the host's own error codes
    usage_in:          where in a chunk a stream's usage stands, where that is not its top
    error_in:          where in a chunk an error may stand, beside its top
    cached_in:         the field of `usage` that counts cached tokens, where it is not OpenAI's
    adds_reasoning:    whether the host leaves reasoning out of `completion_tokens`
    citations_in:      top-level fields that name sources, the better one first
    think_tags:        whether thinking may stand between tags at the start of the text; with "content" in `replay`
                       the text goes back as it came
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
    caching: Literal["automatic", "retention", "marks"] | None = None
    uncached: Mapping[str, Any] = {}
    finish: Mapping[str, FinishReason] = {}
    codes: Mapping[str, type[APIStatusError]] = {}
    usage_in: tuple[str | int, ...] = ()
    error_in: tuple[str | int, ...] = ()
    cached_in: str | None = None
    adds_reasoning: bool = False
    citations_in: tuple[str, ...] = ()
    think_tags: bool = False
    base_resp: bool = False

    @property
    def native_options(self) -> frozenset[str]:
        return frozenset()

    def encode_request(self, request: ChatRequest) -> HttpRequest:
        return self._encode(request, {})

    def encode_stream(self, request: ChatRequest) -> HttpRequest:
        stream: dict[str, Any] = {"stream": True}
        if self.stream_usage and "stream_options" not in request.params:
            stream["stream_options"] = {"include_usage": True}
        return self._encode(request, stream)

    def _encode(self, request: ChatRequest, stream: dict[str, Any]) -> HttpRequest:
        history = self.encode_messages(request)
        if self.caching == "marks":
            from onellm.dialects import prompt_cache  # noqa: PLC0415 - for hosts that have marks

            if (mark := prompt_cache.wanted_mark(request)) is not None:
                history = prompt_cache.mark_messages(history, mark)
        body = {
            "model": request.model,
            "messages": history,
            **self.encode_params(request),
            **stream,
            **(request.extra_body or {}),
        }
        return HttpRequest(path=self.path, body=encode_json(body))

    def encode_messages(self, request: ChatRequest) -> list[dict[str, Any]]:
        """The history as the host takes it."""
        if request.texts:
            return request.messages
        quirks = (
            self.flat_content
            or self.flat_text
            or self.audio_as != "object"
            or not (self.message_names and self.vision and self.audio_input)
            or self.tool_id_length is not None
        )
        return [
            self._encode_message(place, message, request)
            if quirks or message["role"] == "assistant" or "is_error" in message
            else message
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
        if not NATIVE_OPTIONS.isdisjoint(params):
            refuse_foreign_options(params, request)
        if "cache" in params:
            self._encode_cache(params, request)
        for name in self.values.keys() & params.keys():
            self._respell(name, params, request)
        rename(params, self.renames, request)
        for name in self.lists:
            if isinstance(params.get(name), str):
                params[name] = [params[name]]
        if (form := params.get("response_format")) is not None:
            self._encode_format(form, params, request)
        return params

    def _encode_cache(self, params: dict[str, Any], request: ChatRequest) -> None:
        cache = params.pop("cache")
        if self.caching is None:
            if cache != "off":
                request.unsupported("cache", "it is not known to keep prompts")
        elif cache == "off":
            if self.uncached:
                params.update(self.uncached)
            elif self.caching != "marks":
                request.unsupported("cache='off'", "it keeps prompts by itself")
        elif cache in _RETENTION and self.caching == "retention":
            if "prompt_cache_retention" in params:
                raise InvalidRequestError("give cache or prompt_cache_retention, not both", param="cache")
            params["prompt_cache_retention"] = _RETENTION[cache]
            request.adjustments.append(f"sent cache={cache!r} as prompt_cache_retention={_RETENTION[cache]!r}")
        elif cache != "on" and self.caching == "automatic":
            request.unsupported(f"cache={cache!r}", "how long it keeps prompts is up to itself, as cache='on' has it")

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
        if "is_error" in message:  # the content says so
            message = {key: value for key, value in message.items() if key != "is_error"}
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
        if self.think_tags:
            from onellm.dialects.think_tags import take_apart  # noqa: PLC0415 - for hosts that have tags

            for choice in reply.choices:
                take_apart(choice.message, request.provider, goes_back="content" in self.replay)
        if reply.usage is not None:
            self.normalise_usage(reply.usage, body)
        self.complete(reply, body, request)
        return reply

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)

    def reducer(self, request: ChatRequest, *, max_event_bytes: int) -> "ChatStreamReducer":
        from onellm.dialects.openai.chat_stream import reducer_of  # noqa: PLC0415 - for those who stream

        return reducer_of(self, request, max_event_bytes=max_event_bytes)

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
            kept: dict[str, Any] = {} if message.provider_data is None else dict(message.provider_data.data)
            for name in self.replay:
                if name != "content" and (value := getattr(message, name, None)) is not None:
                    kept[name] = value
            if kept or (message.tool_calls and any(call.extra_content for call in message.tool_calls)):
                message.provider_data = ProviderData(provider=request.provider, data=kept)
