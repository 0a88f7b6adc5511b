"""Pipelines as callers see them: batches and answers, one after another."""

from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from onellm.types.pipelines import ChatResult, EmbeddingBatch, PipelineProgress

ResultT = TypeVar("ResultT")
ResultT_co = TypeVar("ResultT_co", covariant=True)


class Pipeline(Protocol[ResultT_co]):
    """What does the work."""

    @property
    def progress(self) -> PipelineProgress: ...
    async def next(self) -> ResultT_co: ...
    async def aclose(self) -> None: ...
    def abandon(self) -> None: ...


class AsyncPipelineStream(Generic[ResultT]):
    """What comes of many inputs: use it in `async for`, and leave it early only in `async with`.

    Leaving cancels what is under way and closes the source where that is a generator; so does an error.
    """

    def __init__(self, pipeline: Pipeline[ResultT]) -> None:
        self._pipeline = pipeline

    @property
    def progress(self) -> PipelineProgress:
        """How far it is; counts go on while it is read."""
        return self._pipeline.progress

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ResultT:
        return await self._pipeline.next()

    async def aclose(self) -> None:
        """Cancel what is under way, and close the source."""
        await self._pipeline.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        self._pipeline.abandon()


class AsyncEmbeddingStream(AsyncPipelineStream[EmbeddingBatch]):
    """The vectors of many inputs, batch by batch: use it in `async for`, and leave it early only in `async with`.

    Leaving cancels what is under way and closes the source where that is a generator; so does an error.
    """


class AsyncChatMap(AsyncPipelineStream[ChatResult]):
    """What comes of many requests, one after another: use it in `async for`, and leave it early only in `async with`.

    Leaving cancels what is under way and closes the source where that is a generator; so does an error. A batch that
    was begun goes on at its provider.
    """
