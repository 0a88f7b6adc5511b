# GENERATED from onellm/resources/pipelines.py by onellm._sync.generate. Do not edit: run make sync.

"""Pipelines as callers see them: batches and answers, one after another."""

from types import TracebackType
from typing import Generic, Self

from onellm._sync.portal import run
from onellm.resources.pipelines import AsyncChatMap, AsyncEmbeddingStream, AsyncPipelineStream, ResultT
from onellm.types.pipelines import ChatResult, EmbeddingBatch, PipelineProgress


class PipelineStream(Generic[ResultT]):
    """What comes of many inputs: use it in `for`, and leave it early only in `with`.

    Leaving cancels what is under way and closes the source where that is a generator; so does an error.
    """

    def __init__(self, held: AsyncPipelineStream[ResultT]) -> None:
        self._async = held

    @property
    def progress(self) -> PipelineProgress:
        """How far it is; counts go on while it is read."""
        return self._async.progress

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ResultT:
        try:
            return run(self._async.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        """Cancel what is under way, and close the source."""
        run(self._async.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        run(self._async.__aexit__(exc_type, exc, traceback))


class EmbeddingStream:
    """The vectors of many inputs, batch by batch: use it in `for`, and leave it early only in `with`.

    Leaving cancels what is under way and closes the source where that is a generator; so does an error.
    """

    def __init__(self, held: AsyncEmbeddingStream) -> None:
        self._async = held

    @property
    def progress(self) -> PipelineProgress:
        """How far it is; counts go on while it is read."""
        return self._async.progress

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> EmbeddingBatch:
        try:
            return run(self._async.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        """Cancel what is under way, and close the source."""
        run(self._async.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        run(self._async.__aexit__(exc_type, exc, traceback))


class ChatMap:
    """What comes of many requests, one after another: use it in `for`, and leave it early only in `with`.

    Leaving cancels what is under way and closes the source where that is a generator; so does an error. A batch that
    was begun goes on at its provider.
    """

    def __init__(self, held: AsyncChatMap) -> None:
        self._async = held

    @property
    def progress(self) -> PipelineProgress:
        """How far it is; counts go on while it is read."""
        return self._async.progress

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ChatResult:
        try:
            return run(self._async.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        """Cancel what is under way, and close the source."""
        run(self._async.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        run(self._async.__aexit__(exc_type, exc, traceback))
