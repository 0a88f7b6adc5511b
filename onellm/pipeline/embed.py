"""`embeddings.stream`: inputs packed into requests, vectors in batches."""

import asyncio
from array import array
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from onellm.errors import OneLLMError, ResponseDecodeError
from onellm.pipeline import inputs
from onellm.pipeline.failures import blames_input, handle, is_final, located, may_pass
from onellm.pipeline.packing import Packer, TokenCounter, measure
from onellm.pipeline.recent import Recent
from onellm.pipeline.records import Record, Span, decode_failures, digest, encode_failures
from onellm.pipeline.restoring import Restored, Restoring
from onellm.pipeline.sources import pieces
from onellm.pipeline.window import Job, Window
from onellm.types.embeddings import CreateEmbeddingResponse
from onellm.types.pipelines import EmbeddingBatch, Id, OnError, PipelineFailure, PipelineInput, PipelineProgress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from onellm.pipeline.checkpoint import Checkpoint

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
        checkpoint: "Checkpoint | None",
    ) -> None:
        self.progress = PipelineProgress()
        self._source = source
        self._send = send
        self._packer = packer
        self._count_tokens = count_tokens
        self._on_error: OnError = on_error
        self._checkpoint = checkpoint
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
        try:
            return await self._window.next()
        except asyncio.CancelledError:
            raise
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Cancel what is under way, and close the source."""
        await self._window.aclose()
        if self._checkpoint is not None:
            await self._checkpoint.aclose()

    def abandon(self) -> None:
        """Close it without waiting, from any thread."""
        self._window.abandon()
        if self._checkpoint is not None:
            self._checkpoint.abandon()

    # --- reading ---

    async def _jobs(self) -> AsyncGenerator[Job[EmbeddingBatch], None]:
        batch: _Batch | None = None
        done = Restoring(self._checkpoint, "inputs")
        await done.open()
        async with aclosing(pieces(self._source)) as source:
            async for piece in source:
                for given in piece:
                    place = self.progress.read
                    item_id, item = inputs.split(given, place)
                    self.progress.read += 1
                    if done.has(place):
                        if batch is not None:
                            yield partial(self._run, batch)
                            batch = None
                        if (restored := done.take(item_id, item)) is not None:
                            yield partial(self._restore, restored)
                            await done.go_on()
                        continue
                    wrong = inputs.wrong(item)
                    measured = (0, 0) if wrong else self._measure(item)
                    if batch is not None and not self._fits(batch, item, *measured):
                        yield partial(self._run, batch)
                        batch = None
                    if batch is None:
                        batch = _Batch(place)
                        self._packer.clear()
                    self._add(batch, item_id, item, wrong)
                    self._packer.add(*measured)
        if batch is not None:
            yield partial(self._run, batch)
        done.end(self.progress.read)

    def _measure(self, item: Any) -> tuple[int, int]:
        """Tokens and bytes of an input."""
        tokens, size = measure(item)
        if self._count_tokens is not None and isinstance(item, str):
            tokens = self._count_tokens(item)
        return tokens, size

    def _fits(self, batch: _Batch, item: Any, tokens: int, size: int) -> bool:
        """Whether an input goes into a batch. Texts and token ids do not go into one request; size 0 is not sent."""
        if len(batch.inputs) >= self._packer.items:
            return False
        if size and batch.sent and batch.of_texts is not isinstance(item, str):
            return False
        return self._packer.fits(tokens, size)

    def _add(self, batch: _Batch, item_id: Id, item: Any, wrong: OneLLMError | None) -> None:
        """Take an input into a batch, and note where its vector is to come from."""
        batch.ids.append(item_id)
        batch.inputs.append(item)
        if wrong is not None:
            batch.origins.append(wrong)
            return
        key = inputs.key(item)
        known = self._under_way.get(key) or self._recent.get(key)
        if known is not None:
            batch.origins.append(known)
            self.progress.repeated += 1
            return
        origin = self._under_way[key] = batch, len(batch.sent)
        batch.origins.append(origin)
        batch.of_texts = isinstance(item, str)
        batch.sent.append(item)
        batch.found.append(None)

    # --- sending ---

    async def _run(self, batch: _Batch) -> EmbeddingBatch:
        try:
            await self._fill(batch, 0, len(batch.sent))
        except BaseException as exc:
            batch.failed = exc
            self._stop = self._stop or (-1, exc)
            if isinstance(exc, OneLLMError):
                await self._keep(batch, [_known(origin) for origin in batch.origins], failures=False)
            raise
        finally:
            batch.over.set()
            self._remember(batch)
        rows = [await _result(*origin) if isinstance(origin, tuple) else origin for origin in batch.origins]
        failed = [batch.failure(row, found) for row, found in enumerate(rows) if isinstance(found, OneLLMError)]
        if not failed and self._stop is not None and any(found is None for found in rows):
            raise self._stop[1]  # an equal input was to go out after the one that failed
        try:
            await handle(failed, self._on_error, "inputs")
        except Exception as exc:
            self._stop = self._stop or (batch.start, exc)
            await self._keep(batch, rows, failures=False)
            raise
        await self._keep(batch, rows, failures=True)
        ids = [batch.ids[row] for row, found in enumerate(rows) if isinstance(found, array)]
        vectors = self._matrix([found for found in rows if isinstance(found, array)])
        self.progress.done += len(rows)
        self.progress.failed += len(failed)
        return EmbeddingBatch(batch.start, ids, vectors, failed)

    async def _keep(self, batch: _Batch, rows: Sequence[Vector | OneLLMError | None], *, failures: bool) -> None:
        """Write into the checkpoint what is final: vectors, and failures that asking again could not mend."""
        if self._checkpoint is None:
            return
        records: list[Record] = []
        begin = 0
        for row, found in enumerate([*rows, None]):
            if isinstance(found, array) or (failures and found is not None and is_final(found)):
                continue
            if row > begin:
                records.append(_record(batch, rows, begin, row))
            begin = row + 1
        await self._checkpoint.save(records)

    async def _restore(self, done: Restored) -> EmbeddingBatch:
        """A batch from the checkpoint."""
        assert self._checkpoint is not None  # noqa: S101 - it is from there
        record = await self._checkpoint.load(done.span)
        errors = decode_failures(record.notes)
        start, count = done.span.start, done.span.count
        failed = [
            PipelineFailure(index=start + row, id=done.ids[row], input=done.inputs[row], error=error)
            for row, error in errors.items()
        ]
        await handle(failed, self._on_error, "inputs")
        ids = [item_id for row, item_id in enumerate(done.ids) if row not in errors] if errors else done.ids
        if ids:
            self._dimensions = len(record.body) // 4 // len(ids)
        self.progress.done += count
        self.progress.failed += len(failed)
        self.progress.resumed += count
        vectors = matrix(bytearray(record.body), len(ids), self._dimensions)
        return EmbeddingBatch(start, ids, vectors, failed, resumed=True)

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


def _known(origin: tuple[_Batch, int] | Vector | OneLLMError) -> Vector | OneLLMError | None:
    return origin[0].found[origin[1]] if isinstance(origin, tuple) else origin


async def _result(batch: _Batch, place: int) -> Vector | OneLLMError | None:
    """What came of an input that went out with a batch; None where its turn did not come, as another had failed."""
    if not batch.over.is_set():
        await batch.over.wait()
    found = batch.found[place]
    if found is None and batch.failed is not None:
        raise batch.failed
    return found


def _record(batch: _Batch, rows: Sequence[Vector | OneLLMError | None], begin: int, end: int) -> Record:
    found = rows[begin:end]
    span = Span(batch.start + begin, end - begin, digest(batch.ids[begin:end], batch.inputs[begin:end]))
    failed = {row: error for row, error in enumerate(found) if isinstance(error, OneLLMError)}
    body = b"".join([vector for vector in found if isinstance(vector, array)])
    return Record(span=span, body=body, notes=encode_failures(failed))
