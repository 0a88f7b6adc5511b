"""Lines of JSON as the API streams them: what every one of its streams has in common."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import Struct, field

from onellm.dialects import errors, lenient
from onellm.dialects.lenient import DECODE_ERRORS
from onellm.dialects.sse_reducer import SseReducer, interrupted
from onellm.errors import APIStatusError, OneLLMError, ResponseDecodeError
from onellm.transport.ndjson import LineTooLargeError, NdjsonDecoder
from onellm.types.chat import CompletionUsage, FinishReason, TokenLogprob
from onellm.types.request import Request

ChunkT = TypeVar("ChunkT")

FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length", "load": "stop", "unload": "stop"}


class WireFunction(Struct, gc=False):
    name: str = ""
    arguments: msgspec.Raw = field(default_factory=msgspec.Raw)


class WireCall(Struct, gc=False):
    id: str | None = None
    function: WireFunction | None = None


class WireMessage(Struct, gc=False):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[WireCall] | None = None


class Line(Struct, gc=False):
    """A line of a chat's or a text completion's stream, or the whole answer. Durations are left in `raw`."""

    model: str | None = None
    created_at: str | None = None
    message: WireMessage | None = None
    response: str | None = None
    thinking: str | None = None
    logprobs: list[TokenLogprob] | None = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    error: msgspec.Raw | None = None

    @property
    def created(self) -> int:
        """Unix time in seconds; 0 where it is not said."""
        try:
            return int(datetime.fromisoformat(self.created_at or "").timestamp())
        except (ValueError, OverflowError):
            return 0

    @property
    def usage(self) -> CompletionUsage:
        """A count of zero is left out on the wire: of a prompt that was cached whole, and of an empty answer."""
        prompt, completion = self.prompt_eval_count or 0, self.eval_count or 0
        return CompletionUsage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)

    @property
    def finish(self) -> FinishReason:
        """How it ended; old servers do not say."""
        return FINISH.get(self.done_reason, "other") if self.done_reason else "stop"


_decode = msgspec.json.Decoder(Line, strict=False).decode


def decode_line(data: bytes, what: str) -> Line:
    """A line, or a whole answer.

    Raises:
        ResponseDecodeError: it is no JSON object; `what` says what was expected.
    """
    try:
        return _decode(data)
    except DECODE_ERRORS:
        return lenient.convert(lenient.decode_json(data, what), Line, what)


class LineReducer(SseReducer[ChunkT]):
    """A stream of JSON objects, a line each. The last says `"done": true`; an error may stand in place of any."""

    def __init__(
        self, codes: Mapping[str, type[APIStatusError]], request: Request, decoder: NdjsonDecoder | None
    ) -> None:
        super().__init__(codes)
        self._request = request
        self._lines = decoder

    def feed(self, data: bytes) -> list[ChunkT]:
        chunks: list[ChunkT] = []
        lines = self._lines
        if self.finished or self.error is not None or lines is None:
            return chunks
        try:
            for line in lines.feed(data):
                self._read(line, chunks.append)
                if self.finished:
                    return chunks
            if lines.error is not None:  # not to be waited for
                self.error = ResponseDecodeError(str(lines.error))
        except LineTooLargeError as exc:
            self.error = ResponseDecodeError(str(exc))
        except OneLLMError as exc:
            self.error = exc
        return chunks

    def _read(self, line: bytes, emit: Callable[[ChunkT], object]) -> None:
        if b'"error"' in line and errors.is_error(lenient.decode_json(line, "a line of a stream")):
            raise self._refusal(line)
        self.feed_chunk(line, emit)

    def _end(self) -> None:
        """Nothing more comes. A last line without its line end counts if it is whole.

        Raises:
            StreamInterruptedError: the last line did not come.
            OneLLMError: what was wrong with the stream before its end.
        """
        if self.error is None and not self.finished and self._lines is not None and (rest := self._lines.close()):
            try:
                self._read(rest, _nowhere)
            except ResponseDecodeError:  # it was cut inside it
                pass
            except OneLLMError as exc:
                self.error = exc
        self._settle()
        if not self.finished:
            raise interrupted(self._request)


def _nowhere(_: object) -> None:
    """There is nobody left to hand a chunk to."""
