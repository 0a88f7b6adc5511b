"""What reducers of server-sent events share, whatever their dialect: one JSON value an event, errors kept."""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from onellm.dialects import errors
from onellm.errors import APIStatusError, OneLLMError, ResponseDecodeError, StreamInterruptedError
from onellm.transport.sse import EventTooLargeError, SseDecoder
from onellm.types.request import Request

ChunkT = TypeVar("ChunkT")

BRACE = 0x7B  # `chunk[0]` makes no object, `chunk[:1]` does


def interrupted(request: Request) -> StreamInterruptedError:
    return StreamInterruptedError(
        "the stream ended before its last event; what came until then may be cut short",
        provider=request.provider,
        model=request.model,
    )


class SseReducer(Generic[ChunkT]):
    """A stream of JSON values, one an event; `[DONE]` ends it where the format has that word."""

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
        feed_chunk = self.feed_chunk
        try:
            for event in self._decoder.feed(data):
                chunk = event.data
                if chunk and chunk[0] == BRACE and event.event != "error":  # nearly all
                    feed_chunk(chunk, emit)
                    continue
                if chunk.startswith(b"[DONE]"):
                    self.finished = True
                    break
                if event.event == "error":
                    raise self._refusal(chunk)
                if not chunk or (event.event and not chunk.startswith(b"{")):
                    continue  # a ping, whatever its name
                feed_chunk(chunk, emit)
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
