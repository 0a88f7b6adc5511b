# GENERATED from onellm/resources/streams.py by onellm._sync.generate. Do not edit: run make sync.

"""Streams as callers see them: classes, closed at once when left."""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from onellm._sync.portal import run
from onellm.resources.streams import AsyncChatCompletionStream
from onellm.types.chat import ChatCompletion, ChatCompletionChunk


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

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ChatCompletionChunk:
        try:
            return run(self._async.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def next_chunks(self) -> Sequence[ChatCompletionChunk]:
        """All chunks that are at hand, waiting for one where there is none; empty at the end.

        Raises:
            StreamInterruptedError: the stream ended before its terminal event.
        """
        return run(self._async.next_chunks())

    def text(self) -> Iterator[str]:
        """The pieces of the first choice's content."""
        for chunk in self:
            for choice in chunk.choices:
                if choice.index == 0 and choice.delta.content:
                    yield choice.delta.content

    def get_final_completion(self) -> ChatCompletion:
        """The whole answer, as it would have come without `stream=True`; reads what has not been read.

        Raises:
            StreamInterruptedError: the stream ended, or was closed, before its terminal event.
        """
        return run(self._async.get_final_completion())

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
