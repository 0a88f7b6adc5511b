"""Text completions in OpenAI's older shape. https://platform.openai.com/docs/api-reference/completions"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest, with_model
from onellm.dialects.chat_fold import worst
from onellm.dialects.error_in_answer import is_error
from onellm.dialects.lenient import DECODE_ERRORS, encode_json
from onellm.dialects.openai import repair
from onellm.dialects.openai.chat import FINISH
from onellm.dialects.params import refuse, rename
from onellm.dialects.sse_reducer import SseReducer, interrupted
from onellm.errors import APIStatusError, ResponseDecodeError, UnsupportedParameterError
from onellm.transport.sse import SseDecoder
from onellm.types.chat import CompletionUsage, FinishReason, PromptFilterResult
from onellm.types.completions import Completion, CompletionChoice, CompletionLogprobs, CompletionRequest

if TYPE_CHECKING:
    from onellm.dialects.protocols import Reducer

_decode = msgspec.json.Decoder(Completion, strict=False).decode


class OpenAICompletions(Struct, frozen=True, kw_only=True):
    """Text completions. Fields are a host's quirks; the defaults are OpenAI's own behaviour.

    path, hosted_at:  see `HttpRequest`
    refuses:          arguments that the host does not take, each with the reason
    renames:          arguments that the host knows by another name
    one_prompt:       whether the host takes one text only, no lists and no token ids
    stream_usage:     whether the host gives a stream's usage only when asked with `stream_options`
    finish:           the host's own words for an end
    codes:            the host's own error codes
    """

    path: str = "completions"
    hosted_at: str = ""
    refuses: Mapping[str, str] = {}
    renames: Mapping[str, str] = {}
    one_prompt: bool = False
    stream_usage: bool = True
    finish: Mapping[str, FinishReason] = {}
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_request(self, request: CompletionRequest) -> HttpRequest:
        return self._encode(request, {})

    def encode_stream(self, request: CompletionRequest) -> HttpRequest:
        stream: dict[str, Any] = {"stream": True}
        if self.stream_usage and "stream_options" not in request.params:
            stream["stream_options"] = {"include_usage": True}
        return self._encode(request, stream)

    def _encode(self, request: CompletionRequest, stream: dict[str, Any]) -> HttpRequest:
        params = dict(request.params)
        refuse(params, self.refuses, request)
        rename(params, self.renames, request)
        body = {
            "model": request.model,
            "prompt": self._one(request) if self.one_prompt else request.prompt,
            **params,
            **stream,
            **(request.extra_body or {}),
        }
        return HttpRequest(
            path=with_model(self.path, request.model),
            hosted_at=with_model(self.hosted_at, request.model),
            body=encode_json(body),
        )

    def _one(self, request: CompletionRequest) -> str:
        match request.prompt:
            case str() as text:
                return text
            case [str() as text]:
                return text
            case _:
                raise UnsupportedParameterError(
                    f"{request.provider} takes one text as prompt: make a call for each text",
                    provider=request.provider,
                    model=request.model,
                    param="prompt",
                )

    def decode_response(self, body: bytes, request: CompletionRequest) -> Completion:  # noqa: ARG002 - other dialects'
        if b'"error"' in body and is_error(body):
            raise self.decode_error(200, {}, body, now=0.0)
        reply = decode_completion(body, "a text completion")
        if not reply.choices and b'"choices"' not in body:
            raise ResponseDecodeError("not a text completion: it has no choices", body=body)
        for choice in reply.choices:
            self.normalise(choice)
        return reply

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)

    def reducer(self, request: CompletionRequest, *, max_event_bytes: int) -> "Reducer[Completion, Completion]":
        return CompletionStreamReducer(self, request, SseDecoder(max_event_bytes=max_event_bytes))

    def normalise(self, choice: CompletionChoice) -> None:
        """Bring the end of one choice under OpenAI's names, in place; "" is said where nothing has ended."""
        raw = choice.finish_reason
        choice.finish_reason_raw = raw or None
        choice.finish_reason = (self.finish.get(raw) or FINISH.get(raw, "other")) if raw else None


def decode_completion(data: bytes, what: str) -> Completion:
    """A whole answer or a chunk, with what it came in.

    Raises:
        ResponseDecodeError: it is neither; `what` says what was expected.
    """
    try:
        reply = _decode(data)
    except DECODE_ERRORS:
        reply = lenient.convert(lenient.decode_json(data, what), Completion, what)
    reply.raw = data
    if any(choice.logprobs is not None and choice.logprobs.tokens is None for choice in reply.choices):
        repair.completion_logprobs(reply, data)
    return reply


class CompletionStreamReducer(SseReducer[Completion]):
    """Folds a stream of text completion chunks."""

    def __init__(self, dialect: OpenAICompletions, request: CompletionRequest, decoder: SseDecoder) -> None:
        super().__init__(dialect.codes, decoder)
        self._dialect = dialect
        self._request = request
        self._first: Completion | None = None
        self._usage: CompletionUsage | None = None
        self._prompt_filtered: list[PromptFilterResult] | None = None
        self._choices: dict[int, _Choice] = {}
        # A chunk with usage and no choices is the answer to our own asking: shown to those who asked too.
        self._shows_usage = "stream_options" in request.params

    def feed_chunk(self, data: bytes, emit: Callable[[Completion], object]) -> None:
        if data == b"null":  # what llama.cpp's server sends between the answers to two prompts, seen 2026-11
            return
        if b'"error"' in data and is_error(data):
            raise self._refusal(data)
        chunk = decode_completion(data, "a text completion chunk")
        if self._first is None or not (
            self._first.id or self._first.model
        ):  # some hosts begin with a chunk that is of no answer yet
            self._first = chunk
        if chunk.usage is not None:
            self._usage = chunk.usage
        self._prompt_filtered = self._prompt_filtered or chunk.prompt_filter_results
        for choice in chunk.choices:
            state = self._choices.get(choice.index)
            if state is None:
                state = self._choices[choice.index] = _Choice()
            state.add(choice, self._dialect)
        if chunk.choices or self._shows_usage:
            emit(chunk)

    def close(self) -> Completion:
        self._settle()
        ended = len(self._choices) >= self._request.expected_choices and all(
            state.finish is not None for state in self._choices.values()
        )
        first = self._first
        if first is None or not (self.finished or ended):
            raise interrupted(self._request)
        return Completion(
            id=first.id,
            created=first.created,
            model=first.model,
            choices=[state.whole(index) for index, state in sorted(self._choices.items())],
            usage=self._usage,
            system_fingerprint=first.system_fingerprint,
            prompt_filter_results=self._prompt_filtered,
        )


class _Choice:
    """What the chunks of one choice have added up to."""

    __slots__ = ("filtered", "finish", "finish_raw", "logprobs", "text")

    def __init__(self) -> None:
        self.text: list[str] = []
        self.filtered: dict[str, Any] | None = None
        self.logprobs: CompletionLogprobs | None = None
        self.finish: FinishReason | None = None
        self.finish_raw: str | None = None

    def add(self, choice: CompletionChoice, dialect: OpenAICompletions) -> None:
        if choice.text:
            self.text.append(choice.text)
        if choice.finish_reason is not None:
            dialect.normalise(choice)
            self.finish, self.finish_raw = choice.finish_reason, choice.finish_reason_raw
        if choice.logprobs is not None:
            if self.logprobs is None:
                self.logprobs = CompletionLogprobs()
            _extend(self.logprobs, choice.logprobs)
        if choice.content_filter_results is not None:
            self.filtered = worst(self.filtered or {}, choice.content_filter_results)

    def whole(self, index: int) -> CompletionChoice:
        return CompletionChoice(
            index=index,
            text="".join(self.text),
            finish_reason=self.finish,
            finish_reason_raw=self.finish_raw,
            logprobs=self.logprobs,
            content_filter_results=self.filtered,
        )


def _extend(whole: CompletionLogprobs, piece: CompletionLogprobs) -> None:
    """Add a piece's lists to the whole's, in place."""
    for name in CompletionLogprobs.__struct_fields__:
        added = getattr(piece, name)
        if added is not None:
            setattr(whole, name, (getattr(whole, name) or []) + added)
