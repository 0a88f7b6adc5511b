"""Answers of the chat: the stream's lines folded, and a whole answer through the same fold.

https://docs.ollama.com/api/chat
"""

from collections.abc import Callable, Mapping
from hashlib import sha256

from onellm.dialects import errors, lenient
from onellm.dialects.chat_fold import ChoiceFold
from onellm.dialects.ollama.lines import Line, LineReducer, WireCall, WireFunction, WireMessage, decode_line
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.transport.ndjson import NdjsonDecoder
from onellm.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChoiceDelta,
    ChoiceDeltaToolCall,
    ChoiceLogprobs,
    ChunkChoice,
    CompletionUsage,
    DeltaFunction,
    ProviderData,
)
from onellm.types.chat_params import ChatRequest

_LINE, _ANSWER = "a line of a chat", "a chat answer"


class OllamaReducer(LineReducer[ChatCompletionChunk]):
    """Folds a stream of a chat. A tool call comes whole, in one line."""

    def __init__(
        self,
        codes: Mapping[str, type[APIStatusError]],
        request: ChatRequest,
        decoder: NdjsonDecoder | None = None,
    ) -> None:
        super().__init__(codes, request, decoder)
        self._fold = ChoiceFold()
        self._begun = False
        self._calls = 0
        self._created = 0
        self._model = request.model
        self._usage: CompletionUsage | None = None
        self._last = b""

    def feed_chunk(self, data: bytes, emit: Callable[[ChatCompletionChunk], object]) -> None:
        """Take one line; `emit` gets the chunk that it makes, if it makes one.

        Raises:
            ResponseDecodeError: it is no line.
        """
        line = decode_line(data, _LINE)
        choice = self._take(line, data)
        if choice is not None:
            chunk = ChatCompletionChunk(created=self._created, model=self._model, choices=[choice], raw=data)
            if self.finished:
                chunk.usage = self._usage
            emit(chunk)

    def close(self) -> ChatCompletion:
        self._end()
        fold = self._fold
        if not fold.content and fold.tools is None:
            fold.content.append("")  # an answer that says nothing is not one that is absent
        if fold.reasoning:
            fold.provider_data = ProviderData(
                provider=self._request.provider, data={"thinking": "".join(fold.reasoning)}
            )
        return ChatCompletion(
            created=self._created, model=self._model, choices=[fold.whole(0)], usage=self._usage, raw=self._last
        )

    def fold_whole(self, body: bytes) -> ChatCompletion:
        """An answer that came whole: one line that says everything."""
        if b'"error"' in body and errors.is_error(lenient.decode_json(body, _ANSWER)):
            raise self._refusal(body)
        line = decode_line(body, _ANSWER)
        if line.message is None or not line.done:
            raise ResponseDecodeError(
                f"not a chat answer: it {'is not done' if line.message else 'has no message'}", body=body[:2000]
            )
        self._take(line, body)
        return self.close()

    def _take(self, line: Line, data: bytes) -> ChunkChoice | None:
        """What a line adds; None where a caller sees nothing of it."""
        message = line.message or WireMessage()
        if not self._created:
            self._created = line.created
        self._model = line.model or self._model
        delta = ChoiceDelta(content=message.content or None, reasoning=message.thinking or None)
        if message.tool_calls:
            delta.tool_calls = [self._call(call, line) for call in message.tool_calls]
        choice = ChunkChoice(delta=delta)
        if line.logprobs:
            choice.logprobs = ChoiceLogprobs(content=line.logprobs)
        if line.done:
            called = self._calls and line.finish == "stop"
            choice.finish_reason = "tool_calls" if called else line.finish
            choice.finish_reason_raw = line.done_reason
            self._usage, self._last = line.usage, data
            self.finished = True
        elif not (delta.content or delta.reasoning or delta.tool_calls or choice.logprobs):
            return None
        if not self._begun:
            self._begun = True
            delta.role = "assistant"
        self._fold.add(choice)
        return choice

    def _call(self, call: WireCall, line: Line) -> ChoiceDeltaToolCall:
        """A call with an id: old servers give none, and what goes back needs one that no other call has."""
        function = call.function or WireFunction()
        arguments = bytes(function.arguments).decode() or "{}"
        index, self._calls = self._calls, self._calls + 1
        made = f"{line.created_at}/{index}/{function.name}/{arguments}"
        return ChoiceDeltaToolCall(
            index=index,
            id=call.id or f"call_{sha256(made.encode()).hexdigest()[:24]}",
            type="function",
            function=DeltaFunction(name=function.name, arguments=arguments),
        )
