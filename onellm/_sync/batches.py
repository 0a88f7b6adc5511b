# GENERATED from onellm/resources/batches.py by onellm._sync.generate. Do not edit: run make sync.

"""`batches`. https://platform.openai.com/docs/api-reference/batch"""

from types import TracebackType
from typing import Self

from typing_extensions import Unpack

from onellm._sync.iteration import awaited
from onellm._sync.pages import Page
from onellm._sync.portal import run
from onellm.resources.batches import AsyncBatches, AsyncBatchResults
from onellm.types.batches import Batch, BatchCreateParams, BatchListParams, BatchRequests, BatchResult
from onellm.types.options import CallOptions


class BatchResults:
    """The results of a batch, in no order, read from the provider's files as they come: use it in `for`.

    What is not read is dropped when it is closed: leave it early only in `with`.
    """

    def __init__(self, held: AsyncBatchResults) -> None:
        self._async = held

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> BatchResult:
        try:
            return run(self._async.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        """Close the connection now. What has not been read is dropped."""
        run(self._async.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        run(self._async.__aexit__(exc_type, exc, traceback))


class Batches:
    """Many requests that a provider answers within a day, for less. `provider` names whose; the default provider's
    where it is not given, and no model says another.
    """

    def __init__(self, held: AsyncBatches) -> None:
        self._async = held

    def create(
        self,
        *,
        requests: BatchRequests | None = None,
        input_file_id: str | None = None,
        endpoint: str = "/v1/chat/completions",
        completion_window: str = "24h",
        provider: str | None = None,
        **params: Unpack[BatchCreateParams],
    ) -> Batch:
        """Begin a batch, of requests or of a file of them that is there already.

        requests:  their bodies go out as they are, under the provider's own names, but for `model`, which is
            "provider/model" as everywhere and says the provider where `provider` does not. They are looked at and
            sent one by one, as a file with the purpose "batch"; that file stays. There is none where the provider
            takes requests in the call itself, and they are not too many for that.
        endpoint:  where the requests go: "/v1/chat/completions", "/v1/embeddings", …

        As for files, what may have begun is not begun again unless `max_retries` stands in the call itself.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        return run(
            self._async.create(
                requests=requests,
                input_file_id=input_file_id,
                endpoint=endpoint,
                completion_window=completion_window,
                provider=provider,
                **params,
            )
        )

    def retrieve(self, batch_id: str, *, provider: str | None = None, **options: Unpack[CallOptions]) -> Batch:
        """How far a batch is.

        Raises:
            NotFoundError: there is no such batch.
        """
        return run(self._async.retrieve(batch_id, provider=provider, **options))

    def list(self, *, provider: str | None = None, **params: Unpack[BatchListParams]) -> Page[Batch]:
        """The batches, of all pages where one iterates, or of the first page alone.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError, APIStatusError: when a page is asked for: no answer, or a refusal.
        """
        return Page(run(awaited(self._async.list(provider=provider, **params))))

    def cancel(self, batch_id: str, *, provider: str | None = None, **options: Unpack[CallOptions]) -> Batch:
        """Ask for a batch to be ended; what has been answered stays.

        Raises:
            NotFoundError: there is no such batch.
        """
        return run(self._async.cancel(batch_id, provider=provider, **options))

    def wait(
        self,
        batch_id: str,
        *,
        poll_interval: float | None = None,
        provider: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Batch:
        """The batch when it has ended, however it has: `status` says.

        poll_interval:  seconds between the first two looks; 2 where it is not given. The wait grows by half each time,
            to 60 seconds or to poll_interval where that is longer. `timeout` is of each look; `asyncio.timeout` limits
            the whole.

        Raises:
            NotFoundError: there is no such batch.
        """
        return run(self._async.wait(batch_id, poll_interval=poll_interval, provider=provider, **options))

    def results(self, batch_id: str, *, provider: str | None = None, **options: Unpack[CallOptions]) -> BatchResults:
        """What came of each request of a batch that has ended, in no order: responses, and errors as objects.

        Raises, when the first is asked for:
            InvalidRequestError: the batch has not ended.
            BadRequestError: the batch failed as a whole.
            NotFoundError: there is no such batch.
        """
        return BatchResults(self._async.results(batch_id, provider=provider, **options))
