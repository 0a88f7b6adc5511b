"""`chat.completions.map`: many requests, each sent by itself or as parts of a provider's batches."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import msgspec

from onellm.errors import (
    AuthenticationError,
    CheckpointError,
    ClientClosedError,
    ConfigurationError,
    InternalServerError,
    OneLLMError,
    QuotaExceededError,
)
from onellm.pipeline.failures import handle, is_final, located, may_pass
from onellm.pipeline.records import Record, Span, decode_failures, digest, encode_failures
from onellm.pipeline.requests import Request, request
from onellm.pipeline.restoring import Restored, Restoring
from onellm.pipeline.sources import pieces
from onellm.pipeline.window import Job, Window
from onellm.types.chat import ChatCompletion
from onellm.types.pipelines import ChatRequestParam, ChatResult, OnError, PipelineFailure, PipelineProgress

if TYPE_CHECKING:
    from onellm.pipeline.checkpoint import Checkpoint

Ask: TypeAlias = Callable[[dict[str, Any]], Awaitable[ChatCompletion]]
Outcome: TypeAlias = ChatCompletion | OneLLMError

_AHEAD = 4  # jobs begun and not taken, for each under way: answers differ in how long they take
_HOPELESS = 32  # requests refused, before any was answered, that show the call to be wrong and not them
_IN_ONE_GO = 64  # requests of a batch that are encoded before others in the loop have a turn
_FATAL = (AuthenticationError, ClientClosedError, ConfigurationError, QuotaExceededError)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ChatCompletion).decode


class Batches(Protocol):
    """A provider's batches, which answer many requests within hours."""

    async def encode(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """A request as the provider takes it."""
        ...

    async def begin(self, model: str, bodies: Mapping[int, dict[str, Any]]) -> str:
        """Begin a batch of requests, by their indexes; gives a name by which any process finds it."""
        ...

    def results(self, name: str) -> AsyncGenerator[tuple[int, Outcome], None]:
        """What came of each request, by its index, when the batch has ended."""
        ...


class ChatPipeline:
    """Reads requests, has them answered, and gives results; `next` until it raises StopAsyncIteration.

    ask:       answers one request
    batches:   answers many; then ask is not used
    together:  requests under way together, or batches
    most:      requests of one batch
    """

    def __init__(
        self,
        source: Iterable[ChatRequestParam] | AsyncIterable[ChatRequestParam],
        ask: Ask,
        *,
        defaults: Mapping[str, Any],
        batches: Batches | None,
        together: int,
        most: int,
        ordered: bool,
        on_error: OnError,
        checkpoint: "Checkpoint | None",
    ) -> None:
        self.progress = PipelineProgress()
        self._source = source
        self._ask = ask
        self._defaults = defaults
        self._batches = batches
        self._most = most if batches is not None else 1
        self._on_error: OnError = on_error
        self._checkpoint = checkpoint
        self._gate = asyncio.Semaphore(together)
        self._answered = self._refused = 0
        self._stop: tuple[int, BaseException] | None = None
        self._begun: dict[int, tuple[Span, str]] = {}
        self._given: list[ChatResult] = []  # taken from the window and not yet handed on, last first
        self._window: Window[list[ChatResult]] = Window(
            self._jobs(), size=together * (1 if batches is not None else _AHEAD), ordered=ordered
        )

    async def next(self) -> ChatResult:
        """The next result.

        Raises:
            StopAsyncIteration: there is none.
            OneLLMError: a request failed with on_error="raise", or all of them would.
        """
        while not self._given:
            try:
                self._given = (await self._window.next())[::-1]
            except asyncio.CancelledError:
                raise
            except BaseException:
                await self.aclose()
                raise
        return self._given.pop()

    async def aclose(self) -> None:
        """Cancel what is under way, and close the source."""
        self._given.clear()
        await self._window.aclose()
        if self._checkpoint is not None:
            await self._checkpoint.aclose()

    def abandon(self) -> None:
        """Close it without waiting, from any thread."""
        self._window.abandon()
        if self._checkpoint is not None:
            self._checkpoint.abandon()

    # --- reading ---

    async def _jobs(self) -> AsyncGenerator[Job[list[ChatResult]], None]:
        together: list[Request] = []
        done = Restoring(self._checkpoint, "requests")
        await done.open()
        await self._look_for_batches()
        async with aclosing(pieces(self._source)) as source:
            async for piece in source:
                for given in piece:
                    asked = request(given, self.progress.read, self._defaults)
                    self.progress.read += 1
                    if together and (done.has(asked.index) or not self._belongs(together, asked)):
                        yield partial(self._run, together)
                        together = []
                    if not done.has(asked.index):
                        together.append(asked)
                    elif (restored := done.take(asked.id, _told(asked))) is not None:
                        yield partial(self._restore, restored, asked.given)
                        await done.go_on()
        if together:
            yield partial(self._run, together)
        done.end(self.progress.read)

    async def _look_for_batches(self) -> None:
        if self._checkpoint is None:
            return
        self._begun = {span.start: (span, name) for span, name in await self._checkpoint.begun()}
        if self._begun and self._batches is None:
            raise CheckpointError('the checkpoint has batches that are under way: go on with mode="batch"')

    def _belongs(self, together: list[Request], asked: Request) -> bool:
        """Whether a request goes into the job of others: batches are of one model, and begun ones are what they are."""
        begun = self._begun.get(together[0].index)
        if begun is not None:
            return len(together) < begun[0].count
        return (
            len(together) < self._most
            and asked.index not in self._begun
            and asked.arguments.get("model") == together[0].arguments.get("model")
        )

    # --- asking ---

    async def _run(self, asked: list[Request]) -> list[ChatResult]:
        try:
            async with self._gate:
                if self._stop is not None and asked[0].index > self._stop[0]:
                    raise self._stop[1]
                if self._batches is None:
                    outcomes = [await self._one(asked[0])]
                else:
                    outcomes = await self._batch(self._batches, asked)
        except OneLLMError as exc:
            self._stop = self._stop or (-1, exc)
            raise
        failed = [
            PipelineFailure(index=one.index, id=one.id, input=one.given, error=outcome)
            for one, outcome in zip(asked, outcomes, strict=True)
            if isinstance(outcome, OneLLMError)
        ]
        try:
            await handle(failed, self._on_error, "requests")
        except Exception as exc:
            self._stop = self._stop or (asked[0].index, exc)
            await self._keep(asked, outcomes, failures=False)
            raise
        await self._keep(asked, outcomes, failures=True)
        self.progress.done += len(asked)
        self.progress.failed += len(failed)
        return [_result(one, outcome) for one, outcome in zip(asked, outcomes, strict=True)]

    async def _one(self, asked: Request) -> Outcome:
        """Ask for one answer."""
        if asked.wrong is not None:
            return asked.wrong
        self.progress.requests += 1
        try:
            answer = await self._ask(dict(asked.arguments))
        except OneLLMError as exc:
            if isinstance(exc, _FATAL):
                raise
            self._refused += not may_pass(exc)
            if self._on_error != "raise" and not self._answered and self._refused >= _HOPELESS:
                raise located(exc, f"{self._refused} requests were refused, and none answered; the last") from exc
            return exc
        self._count(answer)
        return answer

    async def _batch(self, batches: Batches, asked: list[Request]) -> list[Outcome]:
        """Have a batch answered: the one that was begun for these requests, if one was."""
        found: dict[int, Outcome] = {}
        span = _span(asked)
        begun = self._begun.get(span.start)
        if begun is not None and begun[0] != span:
            raise CheckpointError(
                f"the checkpoint is of other requests: a batch of {begun[0].count} from [{span.start}] on is under "
                "way, and these differ"
            )
        name = begun[1] if begun is not None else await self._begin(batches, asked, found)
        if name is not None:
            async with aclosing(batches.results(name)) as results:
                async for index, outcome in results:
                    found[index] = outcome
                    if isinstance(outcome, ChatCompletion):
                        self._count(outcome)
        lost = InternalServerError("the batch ended without a result for this request")
        return [one.wrong or found.get(one.index, lost) for one in asked]

    async def _begin(self, batches: Batches, asked: list[Request], found: dict[int, Outcome]) -> str | None:
        """Begin a batch; what cannot be sent is found there. None where that is all."""
        bodies: dict[int, dict[str, Any]] = {}
        for place, one in enumerate(asked):
            if not place % _IN_ONE_GO:
                await asyncio.sleep(0)
            if one.wrong is None:
                try:
                    bodies[one.index] = await batches.encode(dict(one.arguments))
                except OneLLMError as exc:
                    if isinstance(exc, _FATAL):
                        raise
                    found[one.index] = exc
        if not bodies:
            return None
        self.progress.requests += 1
        name = await batches.begin(asked[0].arguments["model"], bodies)
        if self._checkpoint is not None:
            await self._checkpoint.begin(_span(asked), name)
        return name

    async def _keep(self, asked: list[Request], outcomes: list[Outcome], *, failures: bool) -> None:
        """Write into the checkpoint what is final: answers, and failures that asking again could not mend."""
        if self._checkpoint is None:
            return
        kept = [
            _record(one, outcome)
            for one, outcome in zip(asked, outcomes, strict=True)
            if isinstance(outcome, ChatCompletion) or (failures and is_final(outcome))
        ]
        if self._batches is None:
            await self._checkpoint.save(kept)
        else:
            await self._checkpoint.end(_span(asked), kept)

    def _count(self, answer: ChatCompletion) -> None:
        self._answered += 1
        if answer.usage is not None:
            self.progress.prompt_tokens += answer.usage.prompt_tokens
            self.progress.completion_tokens += answer.usage.completion_tokens

    async def _restore(self, done: Restored, given: Any) -> list[ChatResult]:
        """A result from the checkpoint."""
        assert self._checkpoint is not None  # noqa: S101 - it is from there
        record = await self._checkpoint.load(done.span)
        index, own_id = done.span.start, done.ids[0]
        error = decode_failures(record.notes).get(0)
        if error is not None:
            failure = PipelineFailure(index=index, id=own_id, input=given, error=error)
            await handle([failure], self._on_error, "requests")
        self.progress.done += 1
        self.progress.failed += error is not None
        self.progress.resumed += 1
        response = _decode(record.body) if error is None else None
        return [ChatResult(index=index, id=own_id, response=response, error=error, resumed=True)]


def _result(asked: Request, outcome: Outcome) -> ChatResult:
    if isinstance(outcome, ChatCompletion):
        return ChatResult(index=asked.index, id=asked.id, response=outcome)
    return ChatResult(index=asked.index, id=asked.id, error=outcome)


def _told(asked: Request) -> object:
    """What tells a request from others; of one that is none, all that was given."""
    return repr(asked.given) if asked.wrong is not None else asked.same


def _span(asked: Sequence[Request]) -> Span:
    return Span(asked[0].index, len(asked), digest([one.id for one in asked], [_told(one) for one in asked]))


def _record(asked: Request, outcome: Outcome) -> Record:
    if isinstance(outcome, ChatCompletion):
        return Record(span=_span([asked]), body=_encode(outcome))
    return Record(span=_span([asked]), body=b"", notes=encode_failures({0: outcome}))
