# GENERATED from onellm/resources/responses.py by onellm._sync.generate. Do not edit: run make sync.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false
# A twin works on the state of what it holds.

"""`responses`. https://platform.openai.com/docs/api-reference/responses"""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Literal, Self, overload

from typing_extensions import Unpack

from onellm._sync.iteration import awaited
from onellm._sync.pages import Page
from onellm._sync.portal import run
from onellm.resources.responses import AsyncInputItems, AsyncInputTokens, AsyncResponses, AsyncResponseStream
from onellm.types.caching import CacheHit
from onellm.types.headers import Headers
from onellm.types.options import CallOptions
from onellm.types.response_events import ResponseStreamEvent
from onellm.types.response_items import ResponseOutputItem
from onellm.types.response_params import (
    InputItemListParams,
    InputTokenParams,
    ResponseInput,
    ResponseParams,
    ResponseRetrieveParams,
)
from onellm.types.responses import InputTokenCountResponse, Response, ResponseDeleted


class ResponseStream:
    """A streamed response.

    `for event in stream` gives typed events, `stream.text()` only the text; `get_final_response()` the whole
    response. Use it in `with`: leaving closes the connection there and then.
    """

    def __init__(self, held: AsyncResponseStream) -> None:
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

    def __next__(self) -> ResponseStreamEvent:
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

    def next_chunks(self) -> Sequence[ResponseStreamEvent]:
        """All chunks that are at hand, waiting for one where there is none; empty at the end.

        Raises:
            StreamInterruptedError: the stream ended before its terminal event.
        """
        return run(self._async.next_chunks())

    def get_final(self) -> Response:
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

    def text(self) -> Iterator[str]:
        """The pieces of the messages' texts."""
        for event in self:
            if event.type == "response.output_text.delta":
                yield event.delta

    def get_final_response(self) -> Response:
        """`get_final` under the name that `openai`'s client has for it."""
        return run(self._async.get_final_response())


class InputItems:
    """What a response was made from."""

    def __init__(self, held: AsyncInputItems) -> None:
        self._async = held

    def list(
        self, response_id: str, *, provider: str | None = None, **params: Unpack[InputItemListParams]
    ) -> Page[ResponseOutputItem]:
        """The items, of all pages where one iterates, or of the first page alone.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError, APIStatusError: when a page is asked for: no answer, or a refusal.
        """
        return Page(run(awaited(self._async.list(response_id, provider=provider, **params))))


class InputTokens:
    """How long an input is."""

    def __init__(self, held: AsyncInputTokens) -> None:
        self._async = held

    def count(
        self,
        *,
        model: str,
        input: ResponseInput | None = None,  # noqa: A002 - OpenAI's name
        **params: Unpack[InputTokenParams],
    ) -> InputTokenCountResponse:
        """The number of tokens that a response's input would have.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        return run(self._async.count(model=model, input=input, **params))


class Responses:
    """Answers made of items: texts, thinking, calls of tools."""

    def __init__(self, held: AsyncResponses) -> None:
        self._async = held
        self.input_items = InputItems(held.input_items)
        self.input_tokens = InputTokens(held.input_tokens)

    @overload
    def create(
        self,
        *,
        model: str,
        input: ResponseInput | None = None,
        stream: Literal[False] | None = None,
        **params: Unpack[ResponseParams],
    ) -> Response: ...

    @overload
    def create(
        self,
        *,
        model: str,
        input: ResponseInput | None = None,
        stream: Literal[True],
        **params: Unpack[ResponseParams],
    ) -> ResponseStream: ...

    @overload
    def create(
        self,
        *,
        model: str,
        input: ResponseInput | None = None,
        stream: bool | None = None,
        **params: Unpack[ResponseParams],
    ) -> Response | ResponseStream: ...

    def create(
        self,
        *,
        model: str,
        input: ResponseInput | None = None,  # noqa: A002 - OpenAI's name
        stream: bool | None = None,
        **params: Unpack[ResponseParams],
    ) -> Response | ResponseStream:
        """Answer an input, whole or with `stream=True` as the answer is made.

        model is "provider/model"; input is a text, or a list of dicts and of items that came out of a response:
        `input += response.output`. The other arguments are those of OpenAI's Responses, see `ResponseParams`; None is
        the same as leaving out.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused, or began and failed.
        """
        reply = run(self._async.create(model=model, input=input, stream=stream, **params))
        if isinstance(reply, AsyncResponseStream):
            return ResponseStream(reply)
        return reply

    @overload
    def retrieve(
        self,
        response_id: str,
        *,
        stream: Literal[False] | None = None,
        provider: str | None = None,
        **params: Unpack[ResponseRetrieveParams],
    ) -> Response: ...

    @overload
    def retrieve(
        self,
        response_id: str,
        *,
        stream: Literal[True],
        provider: str | None = None,
        **params: Unpack[ResponseRetrieveParams],
    ) -> ResponseStream: ...

    @overload
    def retrieve(
        self,
        response_id: str,
        *,
        stream: bool | None = None,
        provider: str | None = None,
        **params: Unpack[ResponseRetrieveParams],
    ) -> Response | ResponseStream: ...

    def retrieve(
        self,
        response_id: str,
        *,
        stream: bool | None = None,
        provider: str | None = None,
        **params: Unpack[ResponseRetrieveParams],
    ) -> Response | ResponseStream:
        """A response that the provider keeps, as it is now; with `stream=True` its events, those to come included.

        `starting_after` leaves out the events up to that `sequence_number`: a stream that broke off goes on there.

        Raises:
            NotFoundError: there is no such response.
        """
        reply = run(self._async.retrieve(response_id, stream=stream, provider=provider, **params))
        if isinstance(reply, AsyncResponseStream):
            return ResponseStream(reply)
        return reply

    def delete(
        self, response_id: str, *, provider: str | None = None, **options: Unpack[CallOptions]
    ) -> ResponseDeleted:
        """Delete a response that the provider keeps.

        Raises:
            NotFoundError: there is no such response.
        """
        return run(self._async.delete(response_id, provider=provider, **options))

    def cancel(self, response_id: str, *, provider: str | None = None, **options: Unpack[CallOptions]) -> Response:
        """Stop a response that is being made in the background.

        Raises:
            NotFoundError: there is no such response.
        """
        return run(self._async.cancel(response_id, provider=provider, **options))
