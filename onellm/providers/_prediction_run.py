"""One run at a host of predictions, from its beginning to its end: within the call's time, and cancelled with it."""

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Sequence
from typing import Any
from urllib.parse import urlsplit

from msgspec import structs

from onellm.dialects.base import HttpRequest
from onellm.dialects.replicate.outputs import PredictionReducer, chunk, decode_chat, ending, text_of, usage
from onellm.dialects.replicate.predictions import LONGEST_WAIT, Prediction, Predictions
from onellm.errors import APIStatusError, APITimeoutError, OneLLMError, ResponseDecodeError
from onellm.providers.answers import HttpAnswerStream, locate
from onellm.providers.auth import Outgoing
from onellm.providers.base import Call
from onellm.providers.http import HttpProvider
from onellm.providers.protocols import ResponseStream
from onellm.providers.sending import refusal
from onellm.types.chat import ChatCompletion, ChatCompletionChunk, ChoiceDelta, ChunkChoice
from onellm.types.chat_params import ChatRequest
from onellm.types.headers import head_of
from onellm.types.request import Request

_TELLING = 2.0  # seconds in which the host is told that a run was given up
_SPARE = 2.0  # seconds that the host's own wait ends before ours
_MOST_SLOWING = 10  # the wait between two looks grows to so many times the first
_MOST_FAILURES = 5  # looks in a row that may fail in a way that may pass

_under_way: set[asyncio.Task[Any]] = set()  # a loop holds its tasks weakly


def spawn(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    """A task that is kept until it is done."""
    task = asyncio.get_running_loop().create_task(work)
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    return task


class Run:
    """The requests of one call. The call's total limit holds for all of them together.

    interval: seconds before the run is looked at for the first time; the wait grows from there
    """

    def __init__(
        self, host: HttpProvider, dialect: Predictions, call: Call, interval: float, own_hosts: frozenset[str]
    ) -> None:
        self._host = host
        self._dialect = dialect
        self._call = structs.replace(call, body=None)  # the caller's own fields are the run's
        self._interval = interval
        self._own_hosts = own_hosts
        total = call.timeouts.total
        ends = None if total is None else time.monotonic() + total
        until = call.timeouts.until
        self._ends = until if ends is None or (until is not None and until < ends) else ends

    @property
    def limit(self) -> int:
        """The most bytes of a file."""
        return self._call.max_body_bytes

    @property
    def max_event_bytes(self) -> int:
        return self._call.max_event_bytes

    @property
    def wait(self) -> int:
        """Seconds that the host may hold an answer back for the run's end, so that ours is not given up before it."""
        limits = [self._left(), self._call.timeouts.first_byte, self._call.timeouts.total]
        least = min((limit for limit in limits if limit is not None), default=float(LONGEST_WAIT) + _SPARE)
        return max(0, int(min(least - _SPARE, LONGEST_WAIT)))

    def call(self) -> Call:
        """The call with the time that is left of it.

        Raises:
            APITimeoutError: none is.
        """
        left = self._left()
        if left is None:
            return self._call
        if left <= 0:
            raise self._late()
        return structs.replace(self._call, timeouts=structs.replace(self._call.timeouts, total=left))

    async def begin(self, http: HttpRequest, request: Request) -> Prediction:
        """Begin a run. Its id comes with the answer: where the caller leaves before, the run ends when it is known."""
        call = self.call()
        if call.pace is not None:  # not as part of what goes on when the caller leaves
            call = await call.pace.enter(call, http.body, request)
        beginning = asyncio.ensure_future(self._ask(http, call))
        try:
            return await asyncio.shield(beginning)
        except asyncio.CancelledError:
            spawn(self._abandon(beginning))
            raise

    async def end(self, prediction: Prediction, *, look: bool = False) -> Prediction:
        """The run once it has ended; with `look` it is looked at in any case. Where that fails, it is cancelled.

        Raises:
            APIStatusError: it failed.
            APITimeoutError: the time is over.
        """
        wait = self._interval
        failures = 0
        try:
            while look or not prediction.ended:
                if not look:
                    await self._pause(wait)
                    wait = min(wait * 1.5, self._interval * _MOST_SLOWING)
                look = False
                try:
                    prediction = await self._ask(self._dialect.encode_get(prediction.id), self.call())
                    failures = 0
                except OneLLMError as exc:
                    failures += 1
                    out_of_time = isinstance(exc, APITimeoutError) and exc.phase == "total"
                    if not exc.retryable or out_of_time or failures > _MOST_FAILURES:
                        raise
                    wait = max(wait, exc.retry_after or 0.0)
        except (Exception, asyncio.CancelledError):
            await self.cancel(prediction)
            raise
        if (failure := self._dialect.failure(prediction)) is not None:
            raise failure
        return prediction

    async def cancel(self, prediction: Prediction) -> None:
        """Tell the host that the run is given up; `_TELLING` seconds at most, and not at all once cancelled again."""
        # A task of its own: the caller's is cancelled, perhaps, and may be once more.
        await asyncio.shield(spawn(self.tell(prediction)))

    async def tell(self, prediction: Prediction) -> None:
        """Cancel a run, unless it has ended; what the host says to it changes nothing."""
        if prediction.ended:
            return
        with contextlib.suppress(OneLLMError, TimeoutError):
            async with asyncio.timeout(_TELLING):
                http = self._dialect.encode_cancel(prediction.id)
                await self._host.fetch(self._dialect, lambda: http, self._dialect.decode, self._call)

    async def open(self, url: str, *, accept: str = "*/*") -> ResponseStream:
        """What stands at a URL that the host named: its key goes along only to its own hosts.

        Raises:
            ResponseDecodeError: the URL is not one to ask.
        """
        call = self.call()
        base = urlsplit(call.settings.base_url)
        try:
            asked = urlsplit(url)
            hostname, here = asked.hostname or "", (asked.scheme, asked.netloc) == (base.scheme, base.netloc)
        except ValueError as exc:
            raise ResponseDecodeError(f"the host named no URL: {exc}") from exc
        if not hostname or (asked.scheme != "https" and not here):
            raise ResponseDecodeError(f"the host named a URL that is not https: {url[:200]}")
        headers = {"User-Agent": "onellm", "Accept": accept}
        own = call.settings.base_url == self._host.base_url and _is_under(hostname, self._own_hosts)
        if here or (own and asked.scheme == "https"):
            headers |= await self._host.auth.headers(Outgoing("GET", url, None, time.time()), call.settings)
        response = await call.transport.stream(
            "GET", url, headers=headers, body=None, timeouts=call.timeouts, proxy=call.settings.proxy
        )
        if response.status >= 300:  # noqa: PLR2004 - redirects are not followed
            raise refusal(self._dialect, response.status, response.headers, await response.read_error())
        return response

    async def _pause(self, seconds: float) -> None:
        left = self._left()
        if left is not None and left <= 0:
            raise self._late()
        await asyncio.sleep(seconds if left is None else min(seconds, left))

    async def _ask(self, http: HttpRequest, call: Call) -> Prediction:
        return await self._host.fetch(self._dialect, lambda: http, self._dialect.decode, call)

    async def _abandon(self, beginning: "asyncio.Future[Prediction]") -> None:
        with contextlib.suppress(OneLLMError):
            await self.tell(await beginning)

    def _left(self) -> float | None:
        return None if self._ends is None else self._ends - time.monotonic()

    def _late(self) -> APITimeoutError:
        total = self._call.timeouts.total or 0.0
        late = APITimeoutError(f"the prediction did not end within {total:g} s (total); raise the limit with timeout=")
        late.phase = "total"
        return late


class PredictionStream:
    """A streamed chat: the text as it comes, then what the prediction says of it.

    A model that does not stream gives its text in one chunk, when it has all of it. So does a run whose stream cannot
    be opened just now: begun again, it would be paid for again. Leaving early cancels the run.
    """

    def __init__(self, run: Run, dialect: Predictions, prediction: Prediction, request: ChatRequest, name: str) -> None:
        self.request_id, self.head = prediction.request_id, head_of(prediction)
        self._run = run
        self._dialect = dialect
        self._prediction = prediction
        self._request = request
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._inner: HttpAnswerStream[ChatCompletionChunk, ChatCompletion] | None = None
        self._first: Sequence[ChatCompletionChunk] = ()
        self._final: ChatCompletion | None = None
        self._over = False

    async def open(self) -> None:
        """Up to and with the first chunk."""
        try:
            if (response := await self._stream()) is not None:
                reducer = PredictionReducer(
                    self._dialect, self._prediction, self._request, max_event_bytes=self._run.max_event_bytes
                )
                self._inner = HttpAnswerStream(self._name, self._request, response, reducer)
                self._inner.request_id = self.request_id
        except (Exception, asyncio.CancelledError):
            self._over = True
            await self._run.cancel(self._prediction)
            raise
        self._first = await self.read()

    async def _stream(self) -> ResponseStream | None:
        """None where there is none."""
        if (url := self._prediction.stream_url) is None:
            return None
        try:
            return await self._run.open(url, accept="text/event-stream")
        except OneLLMError as exc:
            if not exc.retryable or (isinstance(exc, APITimeoutError) and exc.phase == "total"):
                raise
            return None

    async def read(self) -> Sequence[ChatCompletionChunk]:
        if self._first:
            first, self._first = self._first, ()
            return first
        if self._over:
            return ()
        try:
            if self._inner is not None and (chunks := await self._inner.read()):
                return chunks
        except (Exception, asyncio.CancelledError) as exc:
            self._over = True
            if not isinstance(exc, APIStatusError):  # which says that it has ended
                await self._run.cancel(self._prediction)
            raise
        return await self._end()

    async def _end(self) -> Sequence[ChatCompletionChunk]:
        """The last chunks: what the prediction says once it has ended."""
        self._over = True
        try:
            done = await self._run.end(self._prediction, look=True)
            chunks: list[ChatCompletionChunk] = []
            if self._inner is None:
                self._final = decode_chat(done, self._request)
                delta = ChoiceDelta(content=text_of(done))
                chunks.append(chunk(done, self._request, ChunkChoice(delta=delta)))
            else:
                self._final = self._inner.final()
                self._final.usage = usage(done)
        except OneLLMError as exc:
            locate(exc, self._name, self._request.model)
        last = chunk(done, self._request, ending())
        last.usage = self._final.usage
        chunks.append(last)
        for made in (*chunks, self._final):
            made.provider, made.request_id = self._name, self.request_id
        self._final.adjustments = tuple(self._request.adjustments)
        self._final.head = self.head
        return chunks

    def final(self) -> ChatCompletion:
        assert self._final is not None, "read has given none"  # noqa: S101 - what the protocol says
        return self._final

    def close(self) -> None:
        if self._inner is not None:
            self._inner.close()
        if self._over:
            return
        self._over = True
        run, prediction = self._run, self._prediction
        with contextlib.suppress(RuntimeError):  # the loop is closed, and with it the connections
            self._loop.call_soon_threadsafe(lambda: spawn(run.tell(prediction)))

    def __del__(self) -> None:
        self.close()


def _is_under(hostname: str, hosts: frozenset[str]) -> bool:
    return any(hostname == host or hostname.endswith(f".{host}") for host in hosts)
