"""Answers of the v2 chat: the stream's events folded, and a whole answer through the same fold.

https://docs.cohere.com/docs/streaming and https://docs.cohere.com/docs/tool-use-streaming
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Citations are JSON of any shape, taken apart by patterns that prove what they use.

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct, field

from onellm.dialects import errors, lenient
from onellm.dialects.chat_fold import ChoiceFold
from onellm.dialects.lenient import DECODE_ERRORS
from onellm.dialects.sse_reducer import SseReducer, interrupted
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.transport.sse import SseDecoder
from onellm.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChoiceDelta,
    ChoiceDeltaToolCall,
    ChoiceLogprobs,
    ChunkChoice,
    Citation,
    CompletionTokensDetails,
    CompletionUsage,
    DeltaFunction,
    FinishReason,
    PromptTokensDetails,
    ProviderData,
    TokenLogprob,
)
from onellm.types.chat_params import ChatRequest

FINISH: dict[str, FinishReason] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
}
# Ends that are failures, with HTTP status 200 before them; and the status that would have said so.
_FAILED = {"ERROR": 500, "TIMEOUT": 504}
_EVENT, _ANSWER = "an event of a chat", "a chat answer"


class _Content(Struct, gc=False):
    type: str = ""
    text: str | None = None
    thinking: str | None = None


class _Function(Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _Call(Struct, gc=False):
    id: str | None = None
    function: _Function | None = None


class _Logprob(Struct, gc=False):
    text: str | None = None
    logprobs: list[float] | None = None


class _Tokens(Struct, gc=False):
    input_tokens: float | None = None
    output_tokens: float | None = None
    reasoning_tokens: float | None = None


class _Usage(Struct, gc=False):
    billed_units: _Tokens | None = None
    tokens: _Tokens | None = None
    cached_tokens: float | None = None


class _DeltaMessage(Struct, gc=False):
    """What an event adds: one object where the whole message has a list; lists in the first event, which are empty."""

    content: _Content | list[Any] | None = None
    tool_plan: str | None = None
    tool_calls: _Call | list[Any] | None = None
    citations: dict[str, Any] | list[Any] | None = None


class _Delta(Struct, gc=False):
    message: _DeltaMessage | None = None
    finish_reason: str | None = None
    usage: _Usage | None = None
    error: str | None = None


class _Event(Struct, gc=False):
    """Any event. `message` is an error's, where a gateway sends its body as an event."""

    type: str = ""
    index: int | None = None
    id: str | None = None
    delta: _Delta | None = None
    logprobs: _Logprob | None = None
    message: Any = None


class _Message(Struct, gc=False):
    content: list[_Content] | str | None = None
    tool_plan: str | None = None
    tool_calls: list[_Call] | None = None
    citations: list[dict[str, Any]] | None = None


class _Answer(Struct, gc=False):
    id: str | None = None
    message: _Message | str | None = None
    finish_reason: str | None = None
    usage: _Usage | None = None
    logprobs: list[_Logprob] | None = None


class _Part(Struct, gc=False):
    """One item of the content, as it has come until now."""

    thinking: bool
    pieces: list[str] = field(default_factory=list[str])


_decode_event = msgspec.json.Decoder(_Event, strict=False).decode
_decode_answer = msgspec.json.Decoder(_Answer, strict=False).decode


class CohereReducer(SseReducer[ChatCompletionChunk]):
    """Folds one answer."""

    def __init__(
        self, codes: Mapping[str, type[APIStatusError]], request: ChatRequest, decoder: SseDecoder | None = None
    ) -> None:
        super().__init__(codes, decoder)
        self._request = request
        self._id = ""
        self._fold = ChoiceFold()
        self._parts: dict[int, _Part] = {}
        self._plan: list[str] = []
        self._between = ""  # what parts one block of reasoning from the one before it
        self._bare_calls: set[int] = set()  # calls of which no arguments have come
        self._citations: list[dict[str, Any]] = []
        self._usage: CompletionUsage | None = None

    def feed_chunk(self, data: bytes, emit: Callable[[ChatCompletionChunk], object]) -> None:
        """Take one event in; `emit` gets the chunk that it makes, if it makes one.

        Raises:
            APIStatusError: the event is an error.
            ResponseDecodeError: it is no event.
        """
        try:
            event = _decode_event(data)
        except DECODE_ERRORS:
            event = lenient.convert(lenient.decode_json(data, _EVENT), _Event, _EVENT)
        choice = self._take(event, data)
        if choice is not None:
            chunk = ChatCompletionChunk(id=self._id, model=self._request.model, choices=[choice], raw=data)
            if self.finished:
                chunk.usage = self._usage
            emit(chunk)

    def close(self) -> ChatCompletion:
        self._settle()
        fold = self._fold
        if fold.finish is None:
            raise interrupted(self._request)
        if kept := self._kept():
            fold.provider_data = ProviderData(provider=self._request.provider, data=kept)
        return ChatCompletion(id=self._id, model=self._request.model, choices=[fold.whole(0)], usage=self._usage)

    def fold_whole(self, body: bytes) -> ChatCompletion:
        """An answer that came whole: the same events, each with all that it would have said."""
        answer = _whole(body)
        if isinstance(answer.message, str):
            raise self._refusal(body)
        message = answer.message
        if message is None:
            if errors.is_error(lenient.decode_json(body, _ANSWER)):
                raise self._refusal(body)
            raise ResponseDecodeError("not a chat answer: it has no message", body=body)
        take = self._take
        take(_Event(type="message-start", id=answer.id), body)
        if message.tool_plan:
            take(_event("tool-plan-delta", 0, tool_plan=message.tool_plan), body)
        parts = [_Content(type="text", text=message.content)] if isinstance(message.content, str) else message.content
        for index, part in enumerate(parts or ()):
            take(_event("content-start", index, content=part), body)
        for index, call in enumerate(message.tool_calls or ()):
            take(_event("tool-call-start", index, tool_calls=call), body)
            take(_event("tool-call-end", index), body)
        for index, citation in enumerate(message.citations or ()):
            take(_event("citation-start", index, citations=citation), body)
        end = _Delta(finish_reason=answer.finish_reason, usage=answer.usage)
        take(_Event(type="message-end", delta=end), body)
        if answer.logprobs:
            self._fold.logprobs = _logprobs(answer.logprobs)
        if self._fold.finish is None:
            raise ResponseDecodeError("not a chat answer: it has no finish_reason", body=body)
        reply = self.close()
        reply.raw = body
        return reply

    def _take(self, event: _Event, data: bytes) -> ChunkChoice | None:  # noqa: C901, PLR0911, PLR0912 - an event a case
        """What one event says, in our terms; None where it adds nothing that a caller sees."""
        message = event.delta.message if event.delta is not None else None
        match event.type:
            case "content-delta" | "content-start":
                if message is not None and isinstance(message.content, _Content):
                    return self._content(event, message.content)
            case "tool-call-delta" | "tool-call-start":
                if message is not None and isinstance(message.tool_calls, _Call):
                    return self._call(event.index or 0, message.tool_calls)
            case "tool-call-end":
                if event.index in self._bare_calls:
                    return self._call(event.index, _Call(function=_Function(arguments="{}")))
            case "tool-plan-delta":
                if message is not None and message.tool_plan:
                    return self._planned(message.tool_plan)
            case "citation-start":
                if message is not None and isinstance(message.citations, dict):
                    return self._cited(message.citations)
            case "message-start":
                self._id = event.id or ""
                return ChunkChoice(delta=ChoiceDelta(role="assistant", content=""))
            case "message-end":
                return self._end(event.delta or _Delta(), data)
            case "":
                if event.message is not None:
                    raise self._refusal(data)
            case _:  # content-end, citation-end, debug, and whatever is added next year
                pass
        return None

    def _content(self, event: _Event, content: _Content) -> ChunkChoice | None:
        index = event.index or 0
        part = self._parts.get(index)
        if part is None:
            thinking = content.type == "thinking" or content.thinking is not None
            part = self._parts[index] = _Part(thinking=thinking)
            if thinking:
                self._between = "\n\n" if self._fold.reasoning else ""
            else:
                self._fold.content.append("")  # a text that is there and empty is not a text that is absent
        piece = content.thinking if part.thinking else content.text
        if not piece:
            return None
        part.pieces.append(piece)
        if part.thinking:
            return self._reasoned(piece)
        self._fold.content.append(piece)
        choice = ChunkChoice(delta=ChoiceDelta(content=piece))
        if event.logprobs is not None:
            choice.logprobs = _logprobs([event.logprobs])
            self._fold.add(ChunkChoice(logprobs=choice.logprobs))
        return choice

    def _reasoned(self, piece: str) -> ChunkChoice:
        if self._between:
            piece, self._between = self._between + piece, ""
        self._fold.reasoning.append(piece)
        return ChunkChoice(delta=ChoiceDelta(reasoning=piece))

    def _planned(self, piece: str) -> ChunkChoice:
        """What the model means to do with its tools reads like thinking."""
        if not self._plan:
            self._between = "\n\n" if self._fold.reasoning else ""
        self._plan.append(piece)
        return self._reasoned(piece)

    def _call(self, index: int, call: _Call) -> ChunkChoice:
        function = call.function or _Function()
        if function.arguments:
            self._bare_calls.discard(index)
        elif call.id:
            self._bare_calls.add(index)
        delta = ChoiceDeltaToolCall(
            index=index,
            id=call.id,
            type="function" if call.id else None,
            function=DeltaFunction(name=function.name, arguments=function.arguments or ""),
        )
        choice = ChunkChoice(delta=ChoiceDelta(tool_calls=[delta]))
        self._fold.add(choice)
        return choice

    def _cited(self, citation: dict[str, Any]) -> ChunkChoice:
        self._citations.append(citation)
        before = 0
        if isinstance(within := citation.get("content_index"), int):
            texts = (part for index, part in self._parts.items() if index < within and not part.thinking)
            before = sum(len(piece) for part in texts for piece in part.pieces)
        choice = ChunkChoice(delta=ChoiceDelta(citations=_citations(citation, before)))
        self._fold.add(choice)
        return choice

    def _end(self, delta: _Delta, data: bytes) -> ChunkChoice | None:
        raw = delta.finish_reason
        if raw in _FAILED:
            said = delta.error or f"the answer ended with {raw}"
            body = {"message": said, "code": raw, "status_code": _FAILED[raw]}
            error = errors.decode_error(200, {}, msgspec.json.encode(body), now=0.0, codes=self._codes)
            error.raw = data
            raise error
        if not raw:
            return None
        if delta.usage is not None:
            self._usage = _usage(delta.usage)
        self.finished = True
        choice = ChunkChoice(finish_reason=FINISH.get(raw, "other"), finish_reason_raw=raw)
        self._fold.add(choice)
        return choice

    def _kept(self) -> dict[str, Any]:
        """What goes back with the message, beside its text and its calls."""
        kept: dict[str, Any] = {}
        if any(part.thinking for part in self._parts.values()):
            kinds = ("thinking" if part.thinking else "text" for part in self._parts.values())
            texts = ("".join(part.pieces) for part in self._parts.values())
            kept["content"] = [{"type": kind, kind: text} for kind, text in zip(kinds, texts, strict=True)]
        if self._plan:
            kept["tool_plan"] = "".join(self._plan)
        if self._citations:
            kept["citations"] = self._citations
        return kept


def _whole(body: bytes) -> _Answer:
    try:
        return _decode_answer(body)
    except DECODE_ERRORS:
        return lenient.convert(lenient.decode_json(body, _ANSWER), _Answer, _ANSWER)


def _event(kind: str, index: int, **said: Any) -> _Event:
    return _Event(type=kind, index=index, delta=_Delta(message=_DeltaMessage(**said)))


def _usage(wire: _Usage) -> CompletionUsage:
    """Tokens as the model saw them. What is billed leaves the template out, and stands in `raw`."""
    counted = wire.tokens or wire.billed_units or _Tokens()
    prompt, completion = int(counted.input_tokens or 0), int(counted.output_tokens or 0)
    usage = CompletionUsage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)
    if wire.cached_tokens is not None:
        usage.prompt_tokens_details = PromptTokensDetails(cached_tokens=int(wire.cached_tokens))
    if counted.reasoning_tokens is not None:
        usage.completion_tokens_details = CompletionTokensDetails(reasoning_tokens=int(counted.reasoning_tokens))
    return usage


def _logprobs(wire: list[_Logprob]) -> ChoiceLogprobs:
    """An entry may stand for several tokens: its probability is the product of theirs."""
    return ChoiceLogprobs(content=[TokenLogprob(token=e.text or "", logprob=sum(e.logprobs or ())) for e in wire])


def _citations(citation: dict[str, Any], before: int) -> list[Citation]:
    """One for each source. Its place counts characters of one item of the content; `before` is what precedes that.

    A plan and a thought are no part of our content: what is cited there has no place in it.
    """
    sources = citation.get("sources")
    in_text = citation.get("type") in {"TEXT_CONTENT", None}
    start, end = citation.get("start"), citation.get("end")
    found: list[Citation] = []
    for source in sources if isinstance(sources, list) and sources else [{}]:
        one = Citation(raw_citation=citation)
        if in_text and isinstance(start, int) and isinstance(end, int):
            one.start_index, one.end_index = start + before, end + before
        match source:
            case {"type": "tool", "tool_output": dict() as said} | {"document": dict() as said}:
                one.url, one.title = _text(said, "url"), _text(said, "title")
                one.text = _text(said, "text") or _text(said, "snippet") or _text(said, "content")
            case _:
                pass
        if isinstance(source, dict):
            one.document = _text(source, "id")
        found.append(one)
    return found


def _text(value: dict[str, Any], name: str) -> str | None:
    found = value.get(name)
    return found if isinstance(found, str) else None
