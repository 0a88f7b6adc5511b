"""`batches`. https://platform.openai.com/docs/api-reference/batch"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping
from itertools import chain
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self, cast

from msgspec import structs
from typing_extensions import Unpack

from onellm.errors import APIStatusError, BadRequestError, InvalidRequestError, OneLLMError, ResponseDecodeError
from onellm.policy.execute import Options
from onellm.providers.protocols import InlineBatchProvider
from onellm.resources import validation
from onellm.resources.core import Bound, Core
from onellm.resources.files import AsyncFiles, list_request
from onellm.resources.pages import AsyncPages
from onellm.types.batches import (
    Batch,
    BatchCreateParams,
    BatchCreateRequest,
    BatchListParams,
    BatchRequest,
    BatchRequests,
    BatchResult,
)
from onellm.types.options import CallOptions
from onellm.types.pages import Listing

if TYPE_CHECKING:
    from onellm.providers.protocols import BatchProvider, Binary, FileProvider

_IN_MEMORY = 8 << 20  # bytes of requests; more go to a file
_WRITE = 1 << 20  # bytes collected before they are written: a hop to a thread costs 50 us
_FIRST_WAIT = 2.0  # seconds between two looks at a batch; the wait grows
_LONGEST_WAIT = 60.0
_GROWTH = 1.5


class AsyncBatchResults:
    """The results of a batch, in no order, read from the provider's files as they come: use it in `async for`.

    What is not read is dropped when it is closed: leave it early only in `async with`.
    """

    def __init__(self, source: AsyncGenerator[BatchResult, None]) -> None:
        self._source = source

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> BatchResult:
        return await anext(self._source)

    async def aclose(self) -> None:
        """Close the connection now. What has not been read is dropped."""
        await self._source.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


_OF_THE_BATCH = ("extra_body", "extra_query")  # and not of its file


class AsyncBatches:
    """Many requests that a provider answers within a day, for less. `provider` names whose; the default provider's
    where it is not given, and no model says another.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._files = AsyncFiles(core.without(*_OF_THE_BATCH))
        self._sleep: Callable[[float], Awaitable[object]] = asyncio.sleep

    async def create(
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
        if (requests is None) == (input_file_id is None):
            raise InvalidRequestError("give requests or input_file_id, and not both", param="requests")
        given = validation.params(params, BatchCreateParams, "batches.create")
        asked = given.get("max_retries") is not None
        names = _Names(self._core, provider, given.pop("model", None))
        waiting = None if requests is None else _checked(requests)
        first = None if waiting is None else next(waiting, None)
        if waiting is not None and first is None:
            raise InvalidRequestError("requests is empty: give at least one request", param="requests")
        name = names.provider if first is None else names.of(first)
        bound = self._core.require(name, "batches")
        served = cast("BatchProvider", bound.provider)
        sending = {option: given[option] for option in ("extra_headers", "timeout", "max_retries") if option in given}
        options = self._core.options(bound, given).begun()
        if options.call.timeouts.until is not None:
            sending["timeout"] = options.call.timeouts
        if first is not None and served.one_batch_model:
            names.expect_one(first)
        request = BatchCreateRequest(
            provider=name,
            model=(names.model or "") if first is None or served.one_batch_model else "",
            input_file_id=input_file_id or "",
            endpoint=validation.text(endpoint, "endpoint"),
            completion_window=validation.text(completion_window, "completion_window"),
            params=given,
            extra_body=options.extra_body,
            on_unsupported=options.on_unsupported,
        )
        served.check_batch(request)
        if first is None or waiting is None:
            return await options.send_making(served.create_batch, request, asked=asked)
        encoded = _encoded(served, names, first, waiting, endpoint)
        if isinstance(served, InlineBatchProvider) and served.inline_batches:
            held, whole = _held(encoded, served.most_inline_requests)
            if whole:
                request.lines = held
                return await options.send_making(served.create_batch, request, asked=asked)
            encoded = chain(held, encoded)
        self._core.require(name, "files")
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as lines:
            await _write(encoded, cast("IO[bytes]", lines))
            sent = await self._files.create(
                file=("batch.jsonl", cast("IO[bytes]", lines), "application/jsonl"),
                purpose="batch",
                provider=name,
                **sending,
            )
        request.input_file_id = sent.id
        try:
            return await options.send_making(served.create_batch, request, asked=asked)
        except APIStatusError as exc:
            if exc.status_code is not None and exc.status_code < 500:  # noqa: PLR2004 - it has surely not begun
                with contextlib.suppress(OneLLMError):
                    await self._files.delete(sent.id, provider=name)
            raise

    async def retrieve(self, batch_id: str, *, provider: str | None = None, **options: Unpack[CallOptions]) -> Batch:
        """How far a batch is.

        Raises:
            NotFoundError: there is no such batch.
        """
        bound, taken, _ = self._prepare("batches.retrieve", provider, options, CallOptions)
        served = cast("BatchProvider", bound.provider)
        return await taken.send(served.retrieve_batch, validation.text(batch_id, "batch_id"))

    def list(self, *, provider: str | None = None, **params: Unpack[BatchListParams]) -> AsyncPages[Batch]:
        """The batches, of all pages where one iterates, or of the first page alone.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError, APIStatusError: when a page is asked for: no answer, or a refusal.
        """
        bound, options, given = self._prepare("batches.list", provider, params, BatchListParams)
        served = cast("BatchProvider", bound.provider)

        async def fetch(following: Mapping[str, str]) -> Listing[Batch]:
            request = list_request(bound, options, given, following)
            return await options.send(served.list_batches, request)

        return AsyncPages(fetch)

    async def cancel(self, batch_id: str, *, provider: str | None = None, **options: Unpack[CallOptions]) -> Batch:
        """Ask for a batch to be ended; what has been answered stays.

        Raises:
            NotFoundError: there is no such batch.
        """
        bound, taken, _ = self._prepare("batches.cancel", provider, options, CallOptions)
        served = cast("BatchProvider", bound.provider)
        return await taken.send(served.cancel_batch, validation.text(batch_id, "batch_id"))

    async def wait(
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
        if poll_interval is not None and poll_interval <= 0:
            raise InvalidRequestError("poll_interval: give seconds above 0", param="poll_interval")
        pause = _FIRST_WAIT if poll_interval is None else poll_interval
        longest = max(_LONGEST_WAIT, pause)
        while not (batch := await self.retrieve(batch_id, provider=provider, **options)).ended:
            await self._sleep(pause)
            pause = min(pause * _GROWTH, longest)
        return batch

    def results(
        self, batch_id: str, *, provider: str | None = None, **options: Unpack[CallOptions]
    ) -> AsyncBatchResults:
        """What came of each request of a batch that has ended, in no order: responses, and errors as objects.

        Raises, when the first is asked for:
            InvalidRequestError: the batch has not ended.
            BadRequestError: the batch failed as a whole.
            NotFoundError: there is no such batch.
        """
        bound, taken, _ = self._prepare("batches.results", provider, options, CallOptions)
        if not _inline(bound.provider):
            self._core.require(bound.provider.name, "files")
        return AsyncBatchResults(_results(bound, taken, validation.text(batch_id, "batch_id")))

    def _prepare(
        self, call: str, provider: str | None, params: Mapping[str, Any], known: Any
    ) -> tuple[Bound, Options, dict[str, Any]]:
        name = self._core.config.default_provider if provider is None else validation.text(provider, "provider")
        given = validation.params(params, known, call)
        bound = self._core.require(name, "batches")
        return bound, self._core.options(bound, given), given


class _Names:
    """Whose the models of a batch are. They are "provider/model"; all of one provider."""

    def __init__(self, core: Core, provider: str | None, model: object) -> None:
        self._core = core
        self._given = None if provider is None else validation.text(provider, "provider")
        self._one = False
        self.provider = self._given or core.config.default_provider
        self.model: str | None = None
        if model is not None:
            self.provider, self.model = self._split(model)
            self._given = self.provider

    def _split(self, model: object) -> tuple[str, str]:
        if self._given is not None and isinstance(model, str) and model:
            return self._given, model.removeprefix(f"{self._given}/")
        return self._core.split(model)

    def of(self, request: BatchRequest) -> str:
        """The provider of the first request, and so of the batch."""
        model = request.body.get("model")
        if self._given is None and model is not None:
            self.provider = self._core.split(model)[0]
        return self.provider

    def expect_one(self, first: BatchRequest) -> None:
        """The first request's model is that of the batch."""
        self._one = True
        if self.model is None and first.body.get("model") is not None:
            self.model = self._split(first.body["model"])[1]

    def own(self, request: BatchRequest, place: int) -> BatchRequest:
        """The request with the provider's own name of its model.

        Raises:
            InvalidRequestError: it has no model, one of another provider, or another than the batch's.
        """
        model = request.body.get("model")
        if model is None and self.model is None:
            raise InvalidRequestError(f"requests[{place}].body has no model", param="requests")
        name, own = (self.provider, self.model) if model is None else self._split(model)
        if name != self.provider:
            raise InvalidRequestError(
                f"requests[{place}]: a batch is of one provider, and {model!r} is not of {self.provider}",
                param="requests",
            )
        if self._one and own != self.model:
            raise InvalidRequestError(
                f"requests[{place}]: {self.provider} takes one model for a batch, and {own!r} is not {self.model!r}",
                param="requests",
            )
        return structs.replace(request, body={**request.body, "model": own})


def _checked(requests: BatchRequests) -> Iterator[BatchRequest]:
    if isinstance(requests, str | bytes | Mapping) or not isinstance(requests, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] - callers err
        raise InvalidRequestError("requests must be a list of requests", param="requests")
    return (_request(request, place) for place, request in enumerate(requests))


def _request(given: object, place: int) -> BatchRequest:
    custom_id: object
    body: object
    if isinstance(given, BatchRequest):
        custom_id, body = given.custom_id, given.body
    elif isinstance(given, Mapping):
        fields = cast("Mapping[str, Any]", given)
        if unknown := set(fields) - {"custom_id", "body", "method", "url"}:
            raise InvalidRequestError(
                f"requests[{place}] has no field {min(unknown)!r}: what the endpoint takes goes into body",
                param="requests",
            )
        custom_id, body = fields.get("custom_id"), fields.get("body")
    else:
        raise InvalidRequestError(f"requests[{place}] must be a dict or a BatchRequest", param="requests")
    if not isinstance(body, Mapping):
        raise InvalidRequestError(f"requests[{place}].body must be a dict", param="requests")
    name = validation.text(custom_id, f"requests[{place}].custom_id")
    return BatchRequest(custom_id=name, body=cast("Mapping[str, Any]", body))


def _encoded(
    provider: "BatchProvider", names: _Names, first: BatchRequest, others: Iterable[BatchRequest], endpoint: str
) -> Iterator[bytes]:
    seen: set[str] = set()
    for place, request in enumerate(chain((first,), others)):
        if request.custom_id in seen:
            raise InvalidRequestError(
                f"requests[{place}].custom_id: {request.custom_id!r} is there already", param="requests"
            )
        seen.add(request.custom_id)
        own = names.own(request, place)
        yield provider.encode_batch_line(own.custom_id, own.body, endpoint)


def _held(lines: Iterator[bytes], most: int | None) -> tuple[list[bytes], bool]:
    """The lines that a call may hold, and whether they are all; else it is as many as were looked at."""
    if most is None:
        return [*lines], True
    held: list[bytes] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if len(held) > most or size > _IN_MEMORY:
            return held, False
    return held, True


async def _write(lines: Iterator[bytes], target: IO[bytes]) -> None:
    waiting = bytearray()
    for line in lines:
        waiting += line
        if len(waiting) >= _WRITE:
            await asyncio.to_thread(target.write, bytes(waiting))
            waiting.clear()
    await asyncio.to_thread(target.write, bytes(waiting))


async def _results(bound: Bound, options: Options, batch_id: str) -> AsyncGenerator[BatchResult, None]:
    provider = cast("BatchProvider", bound.provider)
    files = cast("FileProvider", bound.provider)
    batch = await options.send(provider.retrieve_batch, batch_id)
    if not batch.ended:
        raise InvalidRequestError(
            f"batch {batch_id} is {batch.status}: wait for it with `await client.batches.wait({batch_id!r})`",
            provider=batch.provider,
        )
    found = [file_id for file_id in (batch.output_file_id, batch.error_file_id) if file_id]
    if not found and batch.status == "failed":
        raise BadRequestError(_why(batch), provider=batch.provider, request_id=batch.request_id, body=batch.raw)
    if (
        isinstance(provider, InlineBatchProvider)
        and provider.inline_batches
        and not (found and provider.most_inline_requests)  # of files, they come in files
    ):
        source = await options.send(provider.open_batch_results, batch)
        async with contextlib.aclosing(_lines(source, f"the results of {batch_id}", options)) as lines:
            async for line in lines:
                yield provider.read_batch_line(line, batch)
        return
    for file_id in found:
        source = await options.send(files.open_file, file_id)
        async with contextlib.aclosing(_lines(source, file_id, options)) as lines:
            async for line in lines:
                yield provider.read_batch_line(line, batch)


async def _lines(source: "Binary", what: str, options: Options) -> AsyncGenerator[bytes, None]:
    """The lines of an answer as it comes, without blank ones; it is closed at the end, however that comes."""
    try:
        waiting = bytearray()
        looked = 0  # up to here there is no line end
        while piece := await source.read():
            waiting += piece
            begin = 0
            while (end := waiting.find(b"\n", max(begin, looked))) >= 0:
                if line := bytes(waiting[begin:end]).strip():
                    yield line
                begin = end + 1
            del waiting[:begin]
            looked = len(waiting)
            if looked > options.call.max_event_bytes:
                raise ResponseDecodeError(
                    f"a line of {what} is longer than {options.call.max_event_bytes} bytes", provider=source.provider
                )
        if line := bytes(waiting).strip():
            yield line
    finally:
        source.close()


def _inline(provider: object) -> bool:
    return isinstance(provider, InlineBatchProvider) and provider.inline_batches


def _why(batch: Batch) -> str:
    errors = batch.errors.data if batch.errors is not None else []
    said = "; ".join(
        (f"line {error.line}: " if error.line is not None else "") + (error.message or error.code or "no reason given")
        for error in errors[:3]
    )
    return f"batch {batch.id} failed: {said or 'no reason given'}"
