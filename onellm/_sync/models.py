# GENERATED from onellm/resources/models.py by onellm._sync.generate. Do not edit: run make sync.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false
# A twin works on the state of what it holds.

"""`models`. https://platform.openai.com/docs/api-reference/models"""

from collections.abc import Sequence
from types import TracebackType
from typing import Literal, Self, overload

from typing_extensions import Unpack

from onellm._sync.iteration import awaited
from onellm._sync.pages import Page
from onellm._sync.portal import run
from onellm.resources.models import AsyncModelPull, AsyncModels
from onellm.types.caching import CacheHit
from onellm.types.capabilities import Capabilities
from onellm.types.headers import Headers
from onellm.types.models import ModelDeleted, ModelInfo, PullProgress
from onellm.types.options import CallOptions


class ModelPull:
    """The progress of a model that is fetched, to be used like a streamed chat answer.

    Leaving it ends the request. What is here by then stays, and the next pull goes on from there.
    """

    def __init__(self, held: AsyncModelPull) -> None:
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

    def __next__(self) -> PullProgress:
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

    def next_chunks(self) -> Sequence[PullProgress]:
        """All chunks that are at hand, waiting for one where there is none; empty at the end.

        Raises:
            StreamInterruptedError: the stream ended before its terminal event.
        """
        return run(self._async.next_chunks())

    def get_final(self) -> PullProgress:
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


class Models:
    """What models there are, and what they can do."""

    def __init__(self, held: AsyncModels) -> None:
        self._async = held

    def list(self, provider: str | None = None, **options: Unpack[CallOptions]) -> Page[ModelInfo]:
        """The models of a provider, the default one where none is named.

        They come in one page, except where a host has more of them than it lists at once.

        Raises:
            UnsupportedFeatureError: the provider has no list.
            APIConnectionError, APIStatusError: when it is awaited: no answer, or a refusal.
        """
        return Page(run(awaited(self._async.list(provider, **options))))

    def retrieve(self, model: str, **options: Unpack[CallOptions]) -> ModelInfo:
        """One model, named "provider/model".

        Raises:
            NotFoundError: the provider has no such model.
        """
        return run(self._async.retrieve(model, **options))

    def capabilities(self, model: str, **options: Unpack[CallOptions]) -> Capabilities:
        """What a model can do, each with how that is known: yes, no or unknown.

        Its provider is asked where it publishes that; what it does not say comes from its row, which knows hosts and
        not models. Nothing is kept: the next call asks again.

        Raises:
            APIConnectionError, APIStatusError: the provider was asked: no answer, or a refusal.
        """
        return run(self._async.capabilities(model, **options))

    @overload
    def pull(
        self,
        model: str,
        *,
        stream: Literal[False] | None = None,
        **options: Unpack[CallOptions],
    ) -> PullProgress: ...

    @overload
    def pull(self, model: str, *, stream: Literal[True], **options: Unpack[CallOptions]) -> ModelPull: ...

    @overload
    def pull(
        self, model: str, *, stream: bool | None = None, **options: Unpack[CallOptions]
    ) -> PullProgress | ModelPull: ...

    def pull(
        self, model: str, *, stream: bool | None = None, **options: Unpack[CallOptions]
    ) -> PullProgress | ModelPull:
        """Fetch a model, named "provider/model", to where its provider keeps them; with `stream` say how far it is.

        One that is there is looked up, and fetched anew where it has changed. The client's time limit for a whole call
        does not hold, as models are large; one that is given here does.

        Raises:
            UnsupportedFeatureError: the provider has no models of its own to fetch.
            NotFoundError: there is no such model.
        """
        reply = run(self._async.pull(model, stream=stream, **options))
        if isinstance(reply, AsyncModelPull):
            return ModelPull(reply)
        return reply

    def delete(self, model: str, **options: Unpack[CallOptions]) -> ModelDeleted:
        """Delete a model, named "provider/model", from where its provider keeps them.

        Raises:
            UnsupportedFeatureError: the provider has no models that could be deleted.
            NotFoundError: the provider has no such model.
        """
        return run(self._async.delete(model, **options))
