# GENERATED from onellm/resources/streams.py by onellm._sync.generate. Do not edit: run make sync.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false
# A twin works on the state of what it holds.

"""Streams as callers see them: classes, closed at once when left."""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self

from onellm._sync.portal import run
from onellm.resources.streams import AnswerT, AsyncAnswerStream, AsyncChatCompletionStream, ChunkT
from onellm.types.caching import CacheHit
from onellm.types.chat import ChatCompletion, ChatCompletionChunk
from onellm.types.headers import Headers

if TYPE_CHECKING:
    from onellm.providers.protocols import AnswerStream as StreamSource


class AnswerStream(Generic[ChunkT, AnswerT]):
    """A streamed answer of any kind."""

    def __init__(self, held: AsyncAnswerStream[ChunkT, AnswerT]) -> None:
        self._async = held

    @property
    def request_id(self) -> str | None:
        """The provider's id of the request."""
        return self._async.request_id

    @property
    def headers(self) -> Headers:
        """The headers of the HTTP answer, from its beginning on; empty where it comes from a cache, or not by HTTP."""
        return self._async.headers

    @property
    def status_code(self) -> int | None:
        """The status of the HTTP answer; None where there are no `headers`."""
        return self._async.status_code

    @property
    def restarts(self) -> int:
        """How often it has begun anew (`on_interrupt="restart"`): what came before the last of these counts no more."""
        return self._async.restarts

    @property
    def cached(self) -> CacheHit | None:
        """Where it is replayed from the client's cache: how old it is."""
        return self._async.cached

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ChunkT:
        for chunk in self._async._buffer:
            return chunk
        if self._async._closed or self._async._final is not None:
            raise StopIteration
        chunks = run(self._async._read())  # not next_chunks(): each coroutine costs every wake-up
        if not chunks:
            self._async._final = self._async._source.final()
            raise StopIteration
        if len(chunks) > 1:
            self._async._buffer = iter(chunks[1:])
        return chunks[0]

    def next_chunks(self) -> Sequence[ChunkT]:
        """All chunks that are at hand, waiting for one where there is none; empty at the end.

        Raises:
            StreamInterruptedError: the stream ended before its terminal event.
        """
        return run(self._async.next_chunks())

    def get_final(self) -> AnswerT:
        """The whole answer, as it would have come without `stream=True`; reads what has not been read.

        Raises:
            StreamInterruptedError: the stream ended, or was closed, before its terminal event.
        """
        return run(self._async.get_final())

    def close(self) -> None:
        """Close the connection now. What has come and not been read is dropped."""
        run(self._async.aclose())

    def close_now(self) -> None:
        """Close it without waiting for anything; safe from any thread."""
        self._async.close_now()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        run(self._async.__aexit__(exc_type, exc, traceback))


class ChatCompletionStream:
    """A streamed chat answer.

    `for chunk in stream` gives the chunks, `stream.text()` only the text; `get_final_completion()` the whole
    answer. Use it in `with`: leaving closes the connection there and then, and so does breaking off,
    cancelling, or losing the last reference.
    """

    def __init__(self, held: AsyncChatCompletionStream) -> None:
        self._async = held

    @property
    def request_id(self) -> str | None:
        """The provider's id of the request."""
        return self._async.request_id

    @property
    def headers(self) -> Headers:
        """The headers of the HTTP answer, from its beginning on; empty where it comes from a cache, or not by HTTP."""
        return self._async.headers

    @property
    def status_code(self) -> int | None:
        """The status of the HTTP answer; None where there are no `headers`."""
        return self._async.status_code

    @property
    def restarts(self) -> int:
        """How often it has begun anew (`on_interrupt="restart"`): what came before the last of these counts no more."""
        return self._async.restarts

    @property
    def cached(self) -> CacheHit | None:
        """Where it is replayed from the client's cache: how old it is."""
        return self._async.cached

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ChatCompletionChunk:
        for chunk in self._async._buffer:
            return chunk
        if self._async._closed or self._async._final is not None:
            raise StopIteration
        chunks = run(self._async._read())  # not next_chunks(): each coroutine costs every wake-up
        if not chunks:
            self._async._final = self._async._source.final()
            raise StopIteration
        if len(chunks) > 1:
            self._async._buffer = iter(chunks[1:])
        return chunks[0]

    def next_chunks(self) -> Sequence[ChatCompletionChunk]:
        """All chunks that are at hand, waiting for one where there is none; empty at the end.

        Raises:
            StreamInterruptedError: the stream ended before its terminal event.
        """
        return run(self._async.next_chunks())

    def get_final(self) -> ChatCompletion:
        """The whole answer, as it would have come without `stream=True`; reads what has not been read.

        Raises:
            StreamInterruptedError: the stream ended, or was closed, before its terminal event.
        """
        return run(self._async.get_final())

    def close(self) -> None:
        """Close the connection now. What has come and not been read is dropped."""
        run(self._async.aclose())

    def close_now(self) -> None:
        """Close it without waiting for anything; safe from any thread."""
        self._async.close_now()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        run(self._async.__aexit__(exc_type, exc, traceback))

    def handed_over(self) -> "StreamSource[ChatCompletionChunk, ChatCompletion]":
        """What this reads from, for another stream to read; nothing can be read from this one then."""
        return self._async.handed_over()

    def text(self) -> Iterator[str]:
        """The pieces of the first choice's content."""
        for chunk in self:
            for choice in chunk.choices:
                if choice.index == 0 and choice.delta.content:
                    yield choice.delta.content

    def get_final_completion(self) -> ChatCompletion:
        """`get_final` under the name that `openai`'s client has for it."""
        return run(self._async.get_final_completion())
