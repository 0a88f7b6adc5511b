# GENERATED from onellm/resources/parsing.py by onellm._sync.generate. Do not edit: run make sync.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false
# A twin works on the state of what it holds.

"""`chat.completions.parse`: answers of a type."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Generic, Self

from onellm._sync.portal import run
from onellm.resources.parsing import AsyncParsedChatCompletionStream, T
from onellm.types.caching import CacheHit
from onellm.types.chat import ChatCompletionChunk
from onellm.types.headers import Headers
from onellm.types.parsed import ParsedChatCompletion


class ParsedChatCompletionStream(Generic[T]):
    """A streamed answer of a type: chunks with `for`, `partial()` while it grows, the value at the end."""

    def __init__(self, held: AsyncParsedChatCompletionStream[T]) -> None:
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

    def get_final(self) -> ParsedChatCompletion[T]:
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

    def partial(self) -> Any:
        """What has come so far, as plain dicts and lists, with what is open closed; None before anything is there.

        It may be ahead of the chunks that were handed out: those of one network read come together.
        """
        return self._async.partial()

    def get_final_completion(self) -> ParsedChatCompletion[T]:
        """The whole answer with its value; reads what has not been read.

        Raises:
            StreamInterruptedError: the stream ended, or was closed, before its terminal event.
            ResponseValidationError: the answer does not fit.
        """
        return run(self._async.get_final_completion())
