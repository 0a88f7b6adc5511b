"""Streams of Converse: frames in, chunks out.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from onellm.dialects import lenient
from onellm.dialects.bedrock import faults
from onellm.dialects.bedrock.fold import FINISH, MessageFold, WireUsage, citation
from onellm.dialects.lenient import DECODE_ERRORS
from onellm.dialects.params import asks_for_usage
from onellm.dialects.sse_reducer import interrupted
from onellm.errors import OneLLMError, ResponseDecodeError
from onellm.transport.eventstream import EventStreamDecoder, EventStreamError, EventStreamMessage
from onellm.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChoiceDelta,
    ChoiceDeltaToolCall,
    ChunkChoice,
    DeltaFunction,
)
from onellm.types.chat_params import ChatRequest


class _ToolInput(Struct, gc=False):
    input: str | None = None


class _Reasoning(Struct, gc=False):
    text: str | None = None
    signature: str | None = None
    redactedContent: str | None = None  # noqa: N815 - Converse's names, here and below


class _Delta(Struct, gc=False):
    text: str | None = None
    toolUse: _ToolInput | None = None  # noqa: N815
    reasoningContent: _Reasoning | None = None  # noqa: N815
    citation: dict[str, Any] | None = None
    toolResult: list[Any] | None = None  # noqa: N815
    image: dict[str, Any] | None = None


class _DeltaEvent(Struct, gc=False):
    contentBlockIndex: int = 0  # noqa: N815
    delta: _Delta | None = None


class _Call(Struct, gc=False):
    toolUseId: str = ""  # noqa: N815
    name: str = ""
    type: str | None = None


class _Start(Struct, gc=False):
    toolUse: _Call | None = None  # noqa: N815
    toolResult: dict[str, Any] | None = None  # noqa: N815
    image: dict[str, Any] | None = None


class _Tier(Struct, gc=False):
    type: str | None = None


class _Event(Struct, gc=False):
    """Every other event, in one."""

    contentBlockIndex: int = 0  # noqa: N815
    start: _Start | None = None
    stopReason: str | None = None  # noqa: N815
    usage: WireUsage | None = None
    serviceTier: _Tier | None = None  # noqa: N815


EventT = TypeVar("EventT")

_decode_delta = msgspec.json.Decoder(_DeltaEvent, strict=False).decode
_decode_event = msgspec.json.Decoder(_Event, strict=False).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode


class ConverseReducer:
    """Folds a stream of Converse. Its end is `messageStop`; `metadata`, with the usage, comes after it."""

    def __init__(self, request: ChatRequest, *, max_event_bytes: int) -> None:
        self.error: OneLLMError | None = None
        self.finished = False
        self._request = request
        self._model = request.model
        self._decoder = EventStreamDecoder(max_event_bytes=max_event_bytes)
        self._fold = MessageFold()
        self._number = -1  # the block whose text goes into _texts
        self._texts: list[str] = []
        self._last: dict[str, Raw] = {}  # what the last two events say of the whole
        self._shows_usage = asks_for_usage(request)

    def feed(self, data: bytes) -> list[ChatCompletionChunk]:
        chunks: list[ChatCompletionChunk] = []
        if self.finished or self.error is not None:
            return chunks
        try:
            for message in self._decoder.feed(data):
                chunk = self._read(message)
                if chunk is not None:
                    chunks.append(chunk)
            if self._decoder.error is not None and not self.finished:  # not to be waited for
                self.error = ResponseDecodeError(str(self._decoder.error))
        except EventStreamError as exc:
            self.error = ResponseDecodeError(str(exc))
        except OneLLMError as exc:
            self.error = exc
        return chunks

    def _read(self, message: EventStreamMessage) -> ChatCompletionChunk | None:  # noqa: PLR0911 - an event a case
        headers, payload = message.headers, message.payload
        kind = headers.get(":event-type")
        if kind == "contentBlockDelta":
            return self._delta(payload)
        if headers.get(":message-type") in ("exception", "error"):
            raise faults.from_frame(message)
        match kind:
            case "messageStart":
                return self._chunk(payload, ChoiceDelta(role="assistant"))
            case "contentBlockStart":
                return self._start(payload)
            case "contentBlockStop":
                return self._stop(payload)
            case "messageStop":
                return self._end(payload)
            case "metadata":
                return self._metadata(payload)
            case _:  # what is added next year
                return None

    def _delta(self, payload: bytes) -> ChatCompletionChunk | None:
        try:
            event = _decode_delta(payload)
        except DECODE_ERRORS:
            event = _convert(payload, _DeltaEvent)
        delta = event.delta
        if delta is None:
            return None
        text = delta.text
        if text is not None:
            if event.contentBlockIndex != self._number:
                self._number = event.contentBlockIndex
                self._texts = self._fold.texts(self._number)
            if not text:
                return None
            self._texts.append(text)
            return self._chunk(payload, ChoiceDelta(content=text))
        return self._other(event.contentBlockIndex, delta, payload)

    def _other(self, number: int, delta: _Delta, payload: bytes) -> ChatCompletionChunk | None:
        """A delta that is no text."""
        fold = self._fold
        if (reasoning := delta.reasoningContent) is not None:
            fold.reason(number, reasoning.text, reasoning.signature, reasoning.redactedContent)
            return self._chunk(payload, ChoiceDelta(reasoning=reasoning.text)) if reasoning.text else None
        if delta.toolUse is not None:
            piece = delta.toolUse.input
            if piece:
                fold.block(number).input.append(piece)
                return self._call_chunk(payload, fold.place(number), DeltaFunction(arguments=piece))
        elif delta.citation is not None:
            fold.block(number).citations.append(delta.citation)
            return self._chunk(payload, ChoiceDelta(citations=[citation(delta.citation, None)]))
        elif delta.toolResult is not None:
            fold.result_content(number, delta.toolResult)
        elif delta.image is not None:
            fold.image(number, delta.image)
        return None

    def _start(self, payload: bytes) -> ChatCompletionChunk | None:
        event = _event(payload)
        start, number = event.start, event.contentBlockIndex
        if start is None:
            return None
        if (call := start.toolUse) is not None:
            place = self._fold.call(number, call.toolUseId, call.name, call.type)
            return self._call_chunk(
                payload, place, DeltaFunction(name=call.name, arguments=""), id_=call.toolUseId, type_="function"
            )
        if start.toolResult is not None:
            self._fold.result(number, start.toolResult)
        elif start.image is not None:
            self._fold.image(number, start.image)
        return None

    def _stop(self, payload: bytes) -> ChatCompletionChunk | None:
        number = _event(payload).contentBlockIndex
        place = self._fold.place(number)
        if place is None or self._fold.block(number).input:
            return None
        return self._call_chunk(payload, place, DeltaFunction(arguments="{}"))  # a call without arguments

    def _end(self, payload: bytes) -> ChatCompletionChunk:
        raw = _event(payload).stopReason or ""
        self._fold.finish_raw = raw
        self._remember(payload)
        chunk = self._chunk(payload, ChoiceDelta())
        choice = chunk.choices[0]
        choice.finish_reason, choice.finish_reason_raw = FINISH.get(raw, "other"), raw
        self.finished = self._fold.usage is not None
        return chunk

    def _metadata(self, payload: bytes) -> ChatCompletionChunk | None:
        event = _event(payload)
        fold = self._fold
        self._remember(payload)
        fold.usage = (event.usage or WireUsage()).ours()
        if event.serviceTier is not None:
            fold.service_tier = event.serviceTier.type
        self.finished = fold.finish_raw is not None
        if not self._shows_usage:
            return None
        return ChatCompletionChunk(model=self._model, usage=fold.usage, service_tier=fold.service_tier, raw=payload)

    def _remember(self, payload: bytes) -> None:
        self._last.update(_decode_fields(payload))
        self._last.pop("p", None)  # it hides how long the event is

    def _chunk(self, payload: bytes, delta: ChoiceDelta) -> ChatCompletionChunk:
        return ChatCompletionChunk(model=self._model, choices=[ChunkChoice(delta=delta)], raw=payload)

    def _call_chunk(
        self,
        payload: bytes,
        place: int | None,
        function: DeltaFunction,
        *,
        id_: str | None = None,
        type_: str | None = None,
    ) -> ChatCompletionChunk | None:
        if place is None:  # a tool that the service runs itself is no call of the caller's
            return None
        call = ChoiceDeltaToolCall(index=place, id=id_, type=type_, function=function)
        return self._chunk(payload, ChoiceDelta(tool_calls=[call]))

    def close(self) -> ChatCompletion:
        """The whole answer; its `raw` is what the stream said of the whole: stopReason, usage, metrics, trace."""
        if self.error is not None:
            raise self.error
        if self._fold.finish_raw is None:
            raise interrupted(self._request)
        reply = self._fold.whole(provider=self._request.provider, model=self._model)
        reply.raw = _encode(self._last)
        return reply


def _event(payload: bytes) -> _Event:
    try:
        return _decode_event(payload)
    except DECODE_ERRORS:
        return _convert(payload, _Event)


def _convert(payload: bytes, to: type[EventT]) -> EventT:
    return lenient.convert(lenient.decode_json(payload, "an event of Converse"), to, "an event of Converse")
