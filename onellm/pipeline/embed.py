"""`embeddings.stream`: inputs packed into requests, vectors in batches."""

import asyncio
from array import array
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from onellm.errors import OneLLMError, ResponseDecodeError
from onellm.pipeline import inputs
from onellm.pipeline.failures import blames_input, handle, located, may_pass
from onellm.pipeline.packing import Packer, TokenCounter, byte_size, estimate_tokens
from onellm.pipeline.recent import Recent
from onellm.pipeline.sources import pieces
from onellm.pipeline.window import Job, Window
from onellm.types.embeddings import CreateEmbeddingResponse
from onellm.types.pipelines import EmbeddingBatch, Id, OnError, PipelineFailure, PipelineInput, PipelineProgress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector: TypeAlias = array[float]
else:
    Vector = array  # of Python 3.12 it can be subscripted
Send: TypeAlias = Callable[[list[Any]], Awaitable[CreateEmbeddingResponse]]

_AHEAD = 2  # batches begun and not taken, for each request under way
_HOPELESS = 32  # inputs refused alone, before any was taken, that show the call to be wrong and not them
_REMEMBERED = 16 << 20  # bytes of inputs and vectors that are kept for inputs which repeat


class _Batch:
    """Inputs on their way. Of equal ones the first goes out, the others wait for its vector.

    sent:     the inputs that go out with this batch
    found:    of each, the vector or why there is none
    origins:  of each input its vector, what is wrong with it, or where it goes out: a batch and a place in its `found`
    """

    def __init__(self, start: int) -> None:
        self.start = start
        self.ids: list[Id] = []
        self.inputs: list[Any] = []
        self.sent: list[Any] = []
        self.found: list[Vector | OneLLMError | None] = []
        self.origins: list[tuple[_Batch, int] | Vector | OneLLMError] = []
        self.of_texts = True
        self.failed: BaseException | None = None
        self.over = asyncio.Event()

    def failure(self, row: int, error: OneLLMError) -> PipelineFailure:
        return PipelineFailure(index=self.start + row, id=self.ids[row], input=self.inputs[row], error=error)


class EmbeddingPipeline:
    """Reads, packs, sends, and gives batches; `next` until it raises StopAsyncIteration."""

    def __init__(
        self,
        source: Iterable[PipelineInput] | AsyncIterable[PipelineInput],
        send: Send,
        *,
        packer: Packer,
        count_tokens: TokenCounter | None,
        concurrency: int,
        ordered: bool,
        on_error: OnError,
    ) -> None:
        self.progress = PipelineProgress()
        self._source = source
        self._send = send
        self._packer = packer
        self._count_tokens = count_tokens
        self._on_error: OnError = on_error
        self._gate = asyncio.Semaphore(concurrency)
        self._under_way: dict[Any, tuple[_Batch, int]] = {}
        self._recent = Recent(_REMEMBERED)
        self._dimensions = 0
        self._taken = 0  # inputs that the provider has given a vector for
        self._refused = 0
        self._stop: tuple[int, BaseException] | None = None  # nothing that begins after this place is sent, and why
        self._window: Window[EmbeddingBatch] = Window(self._jobs(), size=_AHEAD * concurrency, ordered=ordered)

    async def next(self) -> EmbeddingBatch:
        """The next batch.

        Raises:
            StopAsyncIteration: there is none.
            OneLLMError: an input failed with on_error="raise", or all of them would.
        """
        return await self._window.next()

    async def aclose(self) -> None:
        """Cancel what is under way, and close the source."""
        await self._window.aclose()

    def abandon(self) -> None:
        """Close it without waiting, from any thread."""
        self._window.abandon()

    # --- reading ---

    async def _jobs(self) -> AsyncGenerator[Job[EmbeddingBatch], None]:
        batch: _Batch | None = None
        async with aclosing(pieces(self._source)) as source:
            async for piece in source:
                for given in piece:
                    item_id, item = inputs.split(given, self.progress.read)
                    wrong = inputs.wrong(item)
                    tokens, size = (0, 0) if wrong else self._measure(item)
                    if batch is not None and not self._fits(batch, item, tokens, size):
                        yield partial(self._run, batch)
                        batch = None
                    if batch is None:
                        batch = _Batch(self.progress.read)
                        self._packer.clear()
                    batch.ids.append(item_id)
                    batch.inputs.append(item)
                    if wrong is not None:
                        batch.origins.append(wrong)
                    elif self._add(batch, item):
                        self._packer.add(tokens, size)
                    self.progress.read += 1
        if batch is not None:
            yield partial(self._run, batch)

    def _measure(self, item: Any) -> tuple[int, int]:
        """Tokens and bytes of an input."""
        if self._count_tokens is not None and isinstance(item, str):
            return self._count_tokens(item), byte_size(item)
        return estimate_tokens(item), byte_size(item)

    def _fits(self, batch: _Batch, item: Any, tokens: int, size: int) -> bool:
        """Whether an input goes into a batch. Texts and token ids do not go into one request; size 0 is not sent."""
        if len(batch.inputs) >= self._packer.items:
            return False
        if size and batch.sent and batch.of_texts is not isinstance(item, str):
            return False
        return self._packer.fits(tokens, size)

    def _add(self, batch: _Batch, item: Any) -> bool:
        """Note where the vector is to come from; True where that is this batch."""
        key = inputs.key(item)
        known = self._under_way.get(key) or self._recent.get(key)
        if known is not None:
            batch.origins.append(known)
            self.progress.repeated += 1
            return False
        origin = self._under_way[key] = batch, len(batch.sent)
        batch.origins.append(origin)
        batch.of_texts = isinstance(item, str)
        batch.sent.append(item)
        batch.found.append(None)
        return True

    # --- sending ---

    async def _run(self, batch: _Batch) -> EmbeddingBatch:
        try:
            await self._fill(batch, 0, len(batch.sent))
        except BaseException as exc:
            batch.failed = exc
            self._stop = self._stop or (-1, exc)
            raise
        finally:
            batch.over.set()
            self._remember(batch)
        ids: list[Id] = []
        vectors: list[Vector] = []
        failures: list[PipelineFailure] = []
        for row, origin in enumerate(batch.origins):
            found = await _result(*origin) if isinstance(origin, tuple) else origin
            if isinstance(found, OneLLMError):
                failures.append(batch.failure(row, found))
            else:
                ids.append(batch.ids[row])
                vectors.append(found)
        try:
            await handle(failures, self._on_error, "inputs")
        except Exception as exc:
            self._stop = self._stop or (batch.start, exc)
            raise
        self.progress.done += len(batch.inputs)
        self.progress.failed += len(failures)
        return EmbeddingBatch(batch.start, ids, self._matrix(vectors), failures)

    def _remember(self, batch: _Batch) -> None:
        for item, found in zip(batch.sent, batch.found, strict=True):
            key = inputs.key(item)
            del self._under_way[key]
            if isinstance(found, array):
                self._recent.put(key, found)

    async def _fill(self, batch: _Batch, begin: int, end: int) -> bool:
        """Get the vectors of some inputs; where the request is refused for what is in it, those of each half.

        One half after the other: an error that all inputs have then shows before each of them was sent alone. True
        where one request was enough.
        """
        if begin == end:
            return True
        try:
            async with self._gate:
                if self._stop is not None and batch.start > self._stop[0]:
                    raise self._stop[1]
                self.progress.requests += 1
                reply = await self._send(batch.sent[begin:end])
            vectors = _vectors(reply, end - begin)
        except OneLLMError as exc:
            if may_pass(exc) and self._on_error != "raise":
                batch.found[begin:end] = [exc] * (end - begin)
                return False
            if not blames_input(exc):
                raise
            if end - begin == 1:
                self._refuse(batch, begin, exc)
                return False
        else:
            batch.found[begin:end] = vectors
            self._taken += end - begin
            self.progress.prompt_tokens += reply.usage.prompt_tokens
            return True
        middle = (begin + end) // 2
        whole = await self._fill(batch, begin, middle)
        if self._on_error == "raise" and any(isinstance(found, OneLLMError) for found in batch.found[begin:middle]):
            return False
        if await self._fill(batch, middle, end) and whole:  # nothing was wrong with any input, but with their number
            self._packer.items = min(self._packer.items, end - middle)
        return False

    def _refuse(self, batch: _Batch, place: int, exc: OneLLMError) -> None:
        self._refused += 1
        if not self._taken and self._refused >= _HOPELESS:
            raise located(exc, f"{self._refused} inputs, and no other, were sent alone and refused; the last")
        batch.found[place] = exc

    def _matrix(self, vectors: list[Vector]) -> "NDArray[np.float32]":
        """The vectors as one buffer."""
        dimensions = {len(vector) for vector in vectors}
        if len(dimensions) > 1:
            raise ResponseDecodeError(f"vectors of {min(dimensions)} and of {max(dimensions)} numbers in one batch")
        if dimensions:
            (self._dimensions,) = dimensions
        return matrix(bytearray().join(vectors), len(vectors), self._dimensions)


def matrix(buffer: bytearray, count: int, dimensions: int) -> "NDArray[np.float32]":
    """float32 in a buffer as (n, d): numpy's where it is installed, otherwise a memoryview."""
    try:
        import numpy as np  # noqa: PLC0415 - an extra
    except ImportError:
        view: Any = memoryview(buffer)
        return view.cast("f", (count, dimensions)) if buffer else view.cast("f")  # type: ignore[no-any-return] # it is what callers without numpy get
    return np.frombuffer(buffer, dtype=np.float32).reshape(count, dimensions)


def _vectors(reply: CreateEmbeddingResponse, count: int) -> list[Vector]:
    if len(reply.data) != count:
        raise ResponseDecodeError(f"{len(reply.data)} vectors came for {count} inputs", provider=reply.provider)
    return [item.embedding for item in reply.data]


async def _result(batch: _Batch, place: int) -> Vector | OneLLMError:
    if not batch.over.is_set():
        await batch.over.wait()
    found = batch.found[place]
    if found is not None:
        return found
    if isinstance(batch.failed, OneLLMError):
        raise batch.failed
    # With "raise", what follows a failed input was not sent; the failure is there.
    return next(found for found in batch.found if isinstance(found, OneLLMError))
