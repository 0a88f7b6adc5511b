"""Streams of Chat Completions. https://platform.openai.com/docs/api-reference/chat-streaming"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from onellm.dialects import errors, lenient
from onellm.dialects.chat_fold import ChoiceFold
from onellm.dialects.lenient import DECODE_ERRORS, encode_json
from onellm.dialects.openai import repair
from onellm.dialects.sse_reducer import SseReducer, interrupted
from onellm.dialects.think_tags import ThinkTags, finish
from onellm.transport.sse import SseDecoder
from onellm.types.chat import ChatCompletion, ChatCompletionChunk, ChunkChoice, CompletionUsage, PromptFilterResult
from onellm.types.chat_params import ChatRequest

if TYPE_CHECKING:
    from onellm.dialects.openai.chat import OpenAIChat

_decode_chunk = msgspec.json.Decoder(ChatCompletionChunk, strict=False).decode


class ChatStreamReducer(SseReducer[ChatCompletionChunk]):
    """Folds a stream of Chat Completions chunks; also one without SSE around them, by `feed_chunk`."""

    _tagged = False

    def __init__(self, dialect: "OpenAIChat", request: ChatRequest, decoder: SseDecoder | None = None) -> None:
        super().__init__(dialect.codes, decoder)
        self._dialect = dialect
        self._request = request
        self._head = ChatCompletion()  # what is said of the whole, each field when it first comes
        self._named = False  # its id, model and time have come
        self._begun = False
        self._last = b""
        self._usage: CompletionUsage | None = None
        self._usage_in = dialect.usage_in
        self._error_in = dialect.error_in
        self._base_resp = dialect.base_resp
        self._service_tier: str | None = None
        self._prompt_filtered: list[PromptFilterResult] | None = None  # not yet shown
        self._choices: dict[int, ChoiceFold] = {}
        # A chunk with usage and no choices is OpenAI's answer to our own asking: shown to those who asked too.
        self._shows_usage = "stream_options" in request.params

    def feed_chunk(self, data: bytes, emit: Callable[[ChatCompletionChunk], object]) -> None:  # noqa: C901, PLR0912 - see below
        """Take one chunk's JSON in; `emit` gets the chunk if the caller is to see it.

        Raises:
            APIStatusError: the chunk is an error.
            ResponseDecodeError: it is no chunk.
        """
        # Each chunk comes through here, so this is one function, and looks at as little as it can.
        dialect = self._dialect
        try:
            chunk = _decode_chunk(data)
        except DECODE_ERRORS:
            self._refuse(data)
            fixed = repair.chunk(lenient.decode_json(data, "a chat completion chunk"))
            chunk = lenient.convert(fixed, ChatCompletionChunk, "a chat completion chunk")
        chunk.raw = self._last = data
        choices = chunk.choices
        if not choices or choices[0].finish_reason is not None or not choices[0].delta.content:
            self._refuse(data)  # a piece of text that is not the last one is no error
        if not choices:
            self._read_bare(chunk, data)
        elif self._tagged:
            self._take_apart(choices)
        head = self._head if self._named else self._begin(chunk)
        if chunk.system_fingerprint is not None and not head.system_fingerprint:
            head.system_fingerprint = chunk.system_fingerprint
        if self._usage_in and chunk.usage is None and b'"usage"' in data:
            chunk.usage = repair.usage(data, self._usage_in)
        if chunk.usage is not None:
            dialect.normalise_usage(chunk.usage, data)
            self._usage = chunk.usage
        if chunk.service_tier:
            self._service_tier = chunk.service_tier
        if chunk.prompt_filter_results or self._prompt_filtered:
            self._add_prompt_filter(chunk, head)
        for choice in choices:
            state = self._choices.get(choice.index)
            if state is None:
                state = self._choices[choice.index] = ChoiceFold()
            if choice.finish_reason is not None or choice.delta.reasoning_content is not None:
                state.blank_finish = choice.finish_reason is not None and not choice.finish_reason
                dialect.normalise(choice, choice.delta)
            state.add(choice)
        if choices or self._shows_usage:
            emit(chunk)

    def close(self) -> ChatCompletion:
        self._settle()
        wanted: int = self._request.params.get("n", 1)
        ended = len(self._choices) >= wanted and all(state.finish is not None for state in self._choices.values())
        if not self._begun or not (self.finished or ended):
            raise interrupted(self._request)
        reply = self._head
        reply.choices = [state.whole(index) for index, state in sorted(self._choices.items())]
        self._finish(reply)
        reply.usage = self._usage
        reply.service_tier = self._service_tier
        self._dialect.complete(reply, self._last, self._request)
        return reply

    def _finish(self, reply: ChatCompletion) -> None:
        """For those who have more to do with the choices of the whole."""

    def _begin(self, chunk: ChatCompletionChunk) -> ChatCompletion:
        """Take over what is said of the whole; some hosts send a first chunk in which it is still empty."""
        head = self._head
        self._begun = True
        head.id = head.id or chunk.id
        head.model = head.model or chunk.model
        head.created = head.created or chunk.created
        self._named = bool(head.id and head.model and head.created)
        return head

    def _add_prompt_filter(self, chunk: ChatCompletionChunk, head: ChatCompletion) -> None:
        """What is said of the question comes in a chunk without choices, which is not shown: the next one has it."""
        if chunk.prompt_filter_results:
            head.prompt_filter_results = self._prompt_filtered = chunk.prompt_filter_results
        if chunk.choices or self._shows_usage:
            chunk.prompt_filter_results, self._prompt_filtered = self._prompt_filtered, None

    def _refuse(self, data: bytes) -> None:
        """Raise the error that a chunk may be."""
        if self._dialect.has_error(data):
            raise self._refusal(data)
        if self._error_in and b'"error"' in data and (said := repair.at(data, self._error_in)):
            raise self._refusal(encode_json({"error": said}))

    def _read_bare(self, chunk: ChatCompletionChunk, data: bytes) -> None:
        """A chunk without choices may be an error of another shape, or say something of the question."""
        value = lenient.decode_json(data, "a chat completion chunk")
        if errors.is_error(value):
            raise self._refusal(data)
        if not chunk.prompt_filter_results and (found := repair.prompt_annotations(value)):
            chunk.prompt_filter_results = found

    def _take_apart(self, choices: list[ChunkChoice]) -> None:
        """For those whose texts hold more than text."""


class TaggedChatReducer(ChatStreamReducer):
    """The same for texts that may begin with thinking between tags: chunks have it in `delta.reasoning`."""

    _tagged = True

    def __init__(self, dialect: "OpenAIChat", request: ChatRequest, decoder: SseDecoder | None = None) -> None:
        super().__init__(dialect, request, decoder)
        self._tags: dict[int, ThinkTags] = {}

    def _take_apart(self, choices: list[ChunkChoice]) -> None:
        for choice in choices:
            tags = self._tags.get(choice.index)
            if tags is None:
                tags = self._tags[choice.index] = ThinkTags()
            delta = choice.delta
            thinking = text = ""
            if delta.content:
                thinking, text = tags.feed(delta.content)
            if choice.finish_reason:
                more, rest = tags.close()
                thinking, text = thinking + more, text + rest
            if delta.content or text:
                delta.content = text or None
            if thinking:
                delta.reasoning = (delta.reasoning or delta.reasoning_content or "") + thinking

    def _finish(self, reply: ChatCompletion) -> None:
        for choice in reply.choices:
            tags = self._tags[choice.index]
            message = choice.message
            thinking, text = tags.close()  # where the stream ended without saying why
            if thinking:
                message.reasoning = (message.reasoning or "") + thinking
            if text:
                message.content = (message.content or "") + text
            if tags.found:
                finish(message, tags, self._request.provider, goes_back="content" in self._dialect.replay)


def reducer_of(dialect: "OpenAIChat", request: ChatRequest, *, max_event_bytes: int) -> ChatStreamReducer:
    """What folds one stream of a host."""
    kind = TaggedChatReducer if dialect.think_tags else ChatStreamReducer
    return kind(dialect, request, SseDecoder(max_event_bytes=max_event_bytes))
