"""Streams as callers see them: classes, closed at once when left."""

from collections.abc import AsyncIterator, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from onellm.errors import StreamInterruptedError
from onellm.types.base import Answer
from onellm.types.caching import CacheHit
from onellm.types.chat import ChatCompletion, ChatCompletionChunk
from onellm.types.headers import Headers, headers_of, status_of

if TYPE_CHECKING:
    from onellm.providers.protocols import AnswerStream as StreamSource

ChunkT = TypeVar("ChunkT", bound=Answer)
AnswerT = TypeVar("AnswerT", bound=Answer)


class AsyncAnswerStream(Generic[ChunkT, AnswerT]):
    """A streamed answer of any kind."""

    def __init__(self, source: "StreamSource[ChunkT, AnswerT]") -> None:
        self._source = source
        self._read = source.read
        self._buffer: Iterator[ChunkT] = iter(())
        self._final: AnswerT | None = None
        self._closed = False

    @property
    def request_id(self) -> str | None:
        """The provider's id of the request."""
        return self._source.request_id

    @property
    def headers(self) -> Headers:
        """The headers of the HTTP answer, from its beginning on; empty where it comes from a cache, or not by HTTP."""
        return headers_of(self._source)

    @property
    def status_code(self) -> int | None:
        """The status of the HTTP answer; None where there are no `headers`."""
        return status_of(self._source)

    @property
    def restarts(self) -> int:
        """How often it has begun anew (`on_interrupt="restart"`): what came before the last of these counts no more."""
        return getattr(self._source, "restarts", 0)

    @property
    def cached(self) -> CacheHit | None:
        """Where it is replayed from the client's cache: how old it is."""
        return getattr(self._source, "cached", None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChunkT:
        for chunk in self._buffer:
            return chunk
        if self._closed or self._final is not None:
            raise StopAsyncIteration
        chunks = await self._read()  # not next_chunks(): each coroutine costs every wake-up
        if not chunks:
            self._final = self._source.final()
            raise StopAsyncIteration
        if len(chunks) > 1:
            self._buffer = iter(chunks[1:])
        return chunks[0]

    async def next_chunks(self) -> Sequence[ChunkT]:
        """All chunks that are at hand, waiting for one where there is none; empty at the end.

        Raises:
            StreamInterruptedError: the stream ended before its terminal event.
        """
        if rest := list(self._buffer):
            return rest
        if self._closed or self._final is not None:
            return ()
        chunks = await self._read()
        if not chunks:
            self._final = self._source.final()
        return chunks

    async def get_final(self) -> AnswerT:
        """The whole answer, as it would have come without `stream=True`; reads what has not been read.

        Raises:
            StreamInterruptedError: the stream ended, or was closed, before its terminal event.
        """
        while await self.next_chunks():
            pass
        if self._final is None:
            raise StreamInterruptedError("the stream was closed before its end")
        return self._final

    async def aclose(self) -> None:
        """Close the connection now. What has come and not been read is dropped."""
        self.close_now()

    def close_now(self) -> None:
        """Close it without waiting for anything; safe from any thread."""
        self._closed = True
        self._buffer = iter(())
        self._source.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close_now()

    def __del__(self) -> None:
        if not self._closed and self._final is None:
            self._source.close()


class AsyncChatCompletionStream(AsyncAnswerStream[ChatCompletionChunk, ChatCompletion]):
    """A streamed chat answer.

    `async for chunk in stream` gives the chunks, `stream.text()` only the text; `get_final_completion()` the whole
    answer. Use it in `async with`: leaving closes the connection there and then, and so does breaking off,
    cancelling, or losing the last reference.
    """

    def handed_over(self) -> "StreamSource[ChatCompletionChunk, ChatCompletion]":
        """What this reads from, for another stream to read; nothing can be read from this one then."""
        self._closed = True
        return self._source

    async def text(self) -> AsyncIterator[str]:
        """The pieces of the first choice's content."""
        async for chunk in self:
            for choice in chunk.choices:
                if choice.index == 0 and choice.delta.content:
                    yield choice.delta.content

    async def get_final_completion(self) -> ChatCompletion:
        """`get_final` under the name that `openai`'s client has for it."""
        return await self.get_final()
