"""Answers of the Messages API: a stream of events, and a whole message read as one.

https://platform.claude.com/docs/en/build-with-claude/streaming
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Blocks are JSON of any shape.

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.anthropic.messages import decode_arguments, is_plain
from onellm.dialects.anthropic.names import respelled
from onellm.dialects.chat_fold import ChoiceFold
from onellm.dialects.lenient import DECODE_ERRORS
from onellm.dialects.params import asks_for_usage
from onellm.dialects.sse_reducer import SseReducer, interrupted
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.transport.sse import SseDecoder
from onellm.types.chat import (
    Annotation,
    ChatCompletion,
    ChatCompletionChunk,
    ChoiceDelta,
    ChoiceDeltaToolCall,
    ChunkChoice,
    Citation,
    CompletionTokensDetails,
    CompletionUsage,
    DeltaFunction,
    FinishReason,
    PromptTokensDetails,
    ProviderData,
    UrlCitation,
)
from onellm.types.chat_params import ChatRequest

_PAUSED = frozenset({"pause_turn"})  # the provider's own tools take long: it goes on when it is asked again
FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "compaction": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}

Emit = Callable[[ChatCompletionChunk], object]


class _OutputDetails(Struct, gc=False):
    thinking_tokens: int | None = None


class _Usage(Struct, gc=False):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None
    service_tier: str | None = None


class _StopDetails(Struct, gc=False):
    explanation: str | None = None


class _Message(Struct):
    id: str = ""
    model: str = ""
    content: list[dict[str, Any]] | None = None
    stop_reason: str | None = None
    stop_details: _StopDetails | None = None
    usage: _Usage | None = None


class _Delta(Struct):
    type: str = ""
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    citation: dict[str, Any] | None = None
    content: str | None = None
    stop_reason: str | None = None
    stop_details: _StopDetails | None = None


class _Event(Struct):
    type: str = ""
    index: int = 0
    delta: _Delta | None = None
    content_block: dict[str, Any] | None = None
    message: _Message | None = None
    usage: _Usage | None = None


_decode_event = msgspec.json.Decoder(_Event, strict=False).decode
_decode_message = msgspec.json.Decoder(_Message, strict=False).decode
_encode = msgspec.json.Encoder().encode


class _Block:
    """A block that is being written. wire: as it began; pieces: its text, thinking or arguments."""

    __slots__ = ("begin", "call", "pieces", "wire")

    def __init__(self, wire: dict[str, Any], begin: int) -> None:
        self.wire = wire
        self.pieces: list[str] = []
        self.begin = begin  # characters of content before it
        self.call = -1  # which of the message's tool calls it is


class MessageReducer(SseReducer[ChatCompletionChunk]):
    """Folds the events of one message. Each block is kept as the API would have sent it whole."""

    def __init__(
        self, request: ChatRequest, codes: Mapping[str, type[APIStatusError]], decoder: SseDecoder | None = None
    ) -> None:
        super().__init__(codes, decoder)
        self._request = request
        self._names = {sent: name for name, sent in respelled(request).items()}
        self._shows_usage = asks_for_usage(request)
        self._fold = ChoiceFold()
        self._open: dict[int, _Block] = {}
        self._blocks: list[dict[str, Any]] = []
        self._calls = 0
        self._length = 0
        self._id = self._model = ""
        self._usage = _Usage()

    def feed_chunk(self, data: bytes, emit: Emit) -> None:  # noqa: C901 - an event a case
        """Take one event in; `emit` gets what the caller is to see of it.

        Raises:
            APIStatusError: the event is an error.
            ResponseDecodeError: it is no event.
        """
        if self.finished:  # by an event of the same read
            return
        event = _read(data)
        match event.type:
            case "content_block_delta":
                if event.delta is not None:
                    self._add(event.index, event.delta, data, emit)
            case "content_block_start":
                if event.content_block is not None:
                    self._begin_block(event.index, event.content_block, data, emit)
            case "content_block_stop":
                self._end_block(event.index, data, emit)
            case "message_start":
                self._begin(event.message or _Message(), data, emit)
            case "message_delta":
                delta = event.delta or _Delta()
                self._end(delta.stop_reason, delta.stop_details, event.usage, data, emit)
            case "message_stop":
                self._finish(data, emit)
            case "error":
                raise self._refusal(data)
            case _:  # a ping, and whatever is added next year
                pass

    def take_whole(self, message: _Message) -> None:
        """A message that came at once, as its events."""

        def nobody(_: ChatCompletionChunk) -> None:
            pass

        self._begin(message, b"", nobody)
        for index, block in enumerate(message.content or ()):
            self._begin_block(index, block, b"", nobody)
            self._end_block(index, b"", nobody)
        self._end(message.stop_reason, message.stop_details, None, b"", nobody)
        self._finish(b"", nobody)

    def close(self) -> ChatCompletion:
        self._settle()
        if not self.finished:
            raise interrupted(self._request)
        if self._blocks and not is_plain(self._blocks):
            kept = {"content": self._blocks}
            self._fold.provider_data = ProviderData(provider=self._request.provider, data=kept)
        choice = self._fold.whole(0)
        if choice.finish_reason_raw in _PAUSED:
            choice.unfinished = True
        return ChatCompletion(
            id=self._id,
            model=self._model,
            choices=[choice],
            usage=self._total(),
            service_tier=self._usage.service_tier,
        )

    # --- the message ---

    def _begin(self, message: _Message, data: bytes, emit: Emit) -> None:
        self._id, self._model = message.id, message.model
        self._count(message.usage)
        self._say(ChoiceDelta(role="assistant"), data, emit)

    def _end(
        self, reason: str | None, details: _StopDetails | None, usage: _Usage | None, data: bytes, emit: Emit
    ) -> None:
        self._count(usage)
        if reason is None:
            return
        refusal = details.explanation if details is not None and reason == "refusal" else None
        choice = ChunkChoice(
            delta=ChoiceDelta(refusal=refusal or None),
            finish_reason=FINISH.get(reason, "other"),
            finish_reason_raw=reason,
        )
        self._fold.add(choice)
        emit(ChatCompletionChunk(id=self._id, model=self._model, choices=[choice], raw=data))

    def _finish(self, data: bytes, emit: Emit) -> None:
        for index in list(self._open):
            self._end_block(index, data, emit)
        self.finished = True
        if self._shows_usage:
            emit(ChatCompletionChunk(id=self._id, model=self._model, usage=self._total(), raw=data))

    def _count(self, usage: _Usage | None) -> None:
        """Totals so far: they take the place of earlier ones, and what is not said stays."""
        if usage is None:
            return
        for name in usage.__struct_fields__:
            if (value := getattr(usage, name)) is not None:
                setattr(self._usage, name, value)

    def _total(self) -> CompletionUsage:
        usage = self._usage
        # The API's input_tokens leave cached ones out; ours count them.
        prompt = (
            (usage.input_tokens or 0) + (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
        )
        written = usage.output_tokens or 0
        details = usage.output_tokens_details
        cached = (usage.cache_read_input_tokens, usage.cache_creation_input_tokens)
        return CompletionUsage(
            prompt_tokens=prompt,
            completion_tokens=written,
            total_tokens=prompt + written,
            prompt_tokens_details=None
            if cached == (None, None)
            else PromptTokensDetails(cached_tokens=cached[0], cache_write_tokens=cached[1]),
            completion_tokens_details=None
            if details is None or details.thinking_tokens is None
            else CompletionTokensDetails(reasoning_tokens=details.thinking_tokens),
        )

    # --- its blocks ---

    def _add(self, index: int, delta: _Delta, data: bytes, emit: Emit) -> None:
        block = self._open.get(index)
        if block is None:
            return
        if (text := delta.text) is not None and delta.type == "text_delta":
            block.pieces.append(text)
            self._fold.content.append(text)
            choice = ChunkChoice(delta=ChoiceDelta(content=text))
            emit(ChatCompletionChunk(id=self._id, model=self._model, choices=[choice], raw=data))
        elif (piece := delta.partial_json) is not None:
            if piece:
                block.pieces.append(piece)
                if block.call >= 0:
                    self._say_arguments(block.call, piece, data, emit)
        elif (thought := delta.thinking) is not None:
            block.pieces.append(thought)
            self._say(ChoiceDelta(reasoning=thought), data, emit)
        elif delta.signature is not None:
            block.wire["signature"] = delta.signature
        elif delta.citation is not None:
            block.wire["citations"] = [*(block.wire.get("citations") or ()), delta.citation]
        elif delta.content is not None:  # a compaction
            block.wire["content"] = (block.wire.get("content") or "") + delta.content

    def _begin_block(self, index: int, wire: dict[str, Any], data: bytes, emit: Emit) -> None:
        if not isinstance(wire.get("type"), str):
            return
        if index in self._open:  # its end never came
            self._end_block(index, data, emit)
        if "citations" in wire:
            wire["citations"] = _dicts(wire["citations"])
        self._blocks.append(wire)
        block = self._open[index] = _Block(wire, self._length)
        match wire:
            case {"type": "text", "text": str() as text} if text:
                block.pieces.append(text)
                self._say(ChoiceDelta(content=text), data, emit)
            case {"type": "thinking", "thinking": str() as thought} if thought:
                block.pieces.append(thought)
                self._say(ChoiceDelta(reasoning=thought), data, emit)
            case {"type": "tool_use"}:
                block.call = self._calls
                self._calls += 1
                name = str(wire.get("name") or "")
                function = DeltaFunction(name=self._names.get(name, name), arguments="")
                call = ChoiceDeltaToolCall(
                    index=block.call, id=str(wire.get("id") or ""), type="function", function=function
                )
                self._say(ChoiceDelta(tool_calls=[call]), data, emit)
            case _:
                pass

    def _end_block(self, index: int, data: bytes, emit: Emit) -> None:
        block = self._open.pop(index, None)
        if block is None:
            return
        wire = block.wire
        written = "".join(block.pieces)
        match wire.get("type"):
            case "text":
                wire["text"] = written
                self._length += len(written)
                if cited := wire.get("citations"):
                    self._cite(cited, block.begin, data, emit)
            case "thinking":
                wire["thinking"] = written
            case _ if written:
                wire["input"] = decode_arguments(written)
            case "tool_use":
                whole = _encode(wire.get("input") or {}).decode()
                wire.setdefault("input", {})
                self._say_arguments(block.call, whole, data, emit)
            case _:
                pass

    def _cite(self, cited: list[dict[str, Any]], begin: int, data: bytes, emit: Emit) -> None:
        found = [_citation(one, begin, self._length) for one in cited]
        annotations = [
            Annotation(
                type="url_citation",
                url_citation=UrlCitation(
                    url=one.url, title=one.title or "", start_index=one.start_index, end_index=one.end_index
                ),
            )
            for one in found
            if one.url
        ]
        self._say(ChoiceDelta(citations=found, annotations=annotations or None), data, emit)

    def _say_arguments(self, call: int, piece: str, data: bytes, emit: Emit) -> None:
        delta = ChoiceDeltaToolCall(index=call, function=DeltaFunction(arguments=piece))
        self._say(ChoiceDelta(tool_calls=[delta]), data, emit)

    def _say(self, delta: ChoiceDelta, data: bytes, emit: Emit) -> None:
        choice = ChunkChoice(delta=delta)
        self._fold.add(choice)
        emit(ChatCompletionChunk(id=self._id, model=self._model, choices=[choice], raw=data))


def fold_message(body: bytes, request: ChatRequest, codes: Mapping[str, type[APIStatusError]]) -> ChatCompletion:
    """A whole answer.

    Raises:
        APIStatusError: it is an error inside a 200.
        ResponseDecodeError: it is no message.
    """
    try:
        message = _decode_message(body)
    except DECODE_ERRORS:
        message = lenient.convert(lenient.decode_json(body, "a message"), _Message, "a message")
    if message.content is None:
        if errors.is_error(lenient.decode_json(body, "a message")):
            raise errors.decode_error(200, {}, body, now=0.0, codes=codes)
        raise ResponseDecodeError("not a message: it has no content", body=body)
    reducer = MessageReducer(request, codes)
    reducer.take_whole(message)
    reply = reducer.close()
    reply.raw = body
    return reply


def _dicts(value: Any) -> list[dict[str, Any]] | None:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else None


def _read(data: bytes) -> _Event:
    try:
        return _decode_event(data)
    except DECODE_ERRORS:
        return lenient.convert(lenient.decode_json(data, "an event of a message"), _Event, "an event of a message")


def _citation(wire: dict[str, Any], begin: int, end: int) -> Citation:
    """A citation of any of the API's types; the whole of it stays in `raw_citation`."""
    source = wire.get("source")
    url = wire.get("url") or (
        source if isinstance(source, str) and source.startswith(("https://", "http://")) else None
    )
    document = next(
        (wire[name] for name in ("file_id", "document_index", "search_result_index") if wire.get(name) is not None),
        None,
    )
    return Citation(
        url=url,
        title=wire.get("title") or wire.get("document_title"),
        text=wire.get("cited_text"),
        start_index=begin,
        end_index=end,
        document=document,
        raw_citation=wire,
    )
