"""`responses`. https://platform.openai.com/docs/api-reference/responses"""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast, overload

from typing_extensions import Unpack

from onellm.errors import InvalidRequestError
from onellm.policy.execute import Options
from onellm.resources import response_input, validation
from onellm.resources.core import Bound, Core
from onellm.resources.pages import AsyncPages
from onellm.resources.streams import AsyncAnswerStream
from onellm.types.options import CallOptions
from onellm.types.pages import Listing, ListRequest
from onellm.types.response_events import ResponseStreamEvent
from onellm.types.response_items import ResponseOutputItem
from onellm.types.response_params import (
    InputItemListParams,
    InputTokenParams,
    ResponseInput,
    ResponseParams,
    ResponseRequest,
    ResponseRetrieveParams,
    StoredResponseRequest,
)
from onellm.types.responses import InputTokenCountResponse, Response, ResponseDeleted

if TYPE_CHECKING:
    from onellm.providers.protocols import ResponseProvider

_OF_STREAMS = ("starting_after", "include_obfuscation")


class AsyncResponseStream(AsyncAnswerStream[ResponseStreamEvent, Response]):
    """A streamed response.

    `async for event in stream` gives typed events, `stream.text()` only the text; `get_final_response()` the whole
    response. Use it in `async with`: leaving closes the connection there and then.
    """

    async def text(self) -> AsyncIterator[str]:
        """The pieces of the messages' texts."""
        async for event in self:
            if event.type == "response.output_text.delta":
                yield event.delta

    async def get_final_response(self) -> Response:
        """`get_final` under the name that `openai`'s client has for it."""
        return await self.get_final()


class AsyncInputItems:
    """What a response was made from."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def list(
        self, response_id: str, *, provider: str | None = None, **params: Unpack[InputItemListParams]
    ) -> AsyncPages[ResponseOutputItem]:
        """The items, of all pages where one iterates, or of the first page alone.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError, APIStatusError: when a page is asked for: no answer, or a refusal.
        """
        call = "responses.input_items.list"
        bound, options, given = _of_provider(self._core, provider, params, InputItemListParams, call)
        served = cast("ResponseProvider", bound.provider)
        response = validation.text(response_id, "response_id")

        async def fetch(following: Mapping[str, str]) -> Listing[ResponseOutputItem]:
            request = ListRequest(
                provider=bound.provider.name,
                model="",
                params=dict(given),
                next=following,
                on_unsupported=options.on_unsupported,
            )
            return await options.send(served.list_response_items, response, request)

        return AsyncPages(fetch)


class AsyncInputTokens:
    """How long an input is."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def count(
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
        call = "responses.input_tokens.count"
        provider, request, options = _of_model(self._core, model, input, params, InputTokenParams, call)
        return await options.send(provider.count_input_tokens, request)


class AsyncResponses:
    """Answers made of items: texts, thinking, calls of tools."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.input_items = AsyncInputItems(core)
        self.input_tokens = AsyncInputTokens(core)

    @overload
    async def create(
        self,
        *,
        model: str,
        input: ResponseInput | None = None,
        stream: Literal[False] | None = None,
        **params: Unpack[ResponseParams],
    ) -> Response: ...

    @overload
    async def create(
        self,
        *,
        model: str,
        input: ResponseInput | None = None,
        stream: Literal[True],
        **params: Unpack[ResponseParams],
    ) -> AsyncResponseStream: ...

    @overload
    async def create(
        self,
        *,
        model: str,
        input: ResponseInput | None = None,
        stream: bool | None = None,
        **params: Unpack[ResponseParams],
    ) -> Response | AsyncResponseStream: ...

    async def create(
        self,
        *,
        model: str,
        input: ResponseInput | None = None,  # noqa: A002 - OpenAI's name
        stream: bool | None = None,
        **params: Unpack[ResponseParams],
    ) -> Response | AsyncResponseStream:
        """Answer an input, whole or with `stream=True` as the answer is made.

        model is "provider/model"; input is a text, or a list of dicts and of items that came out of a response:
        `input += response.output`. The other arguments are those of OpenAI's Responses, see `ResponseParams`; None is
        the same as leaving out.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused, or began and failed.
        """
        provider, request, options = _of_model(self._core, model, input, params, ResponseParams, "responses.create")
        if stream:
            return AsyncResponseStream(await options.send(provider.stream_response, request))
        return await options.send(provider.create_response, request)

    @overload
    async def retrieve(
        self,
        response_id: str,
        *,
        stream: Literal[False] | None = None,
        provider: str | None = None,
        **params: Unpack[ResponseRetrieveParams],
    ) -> Response: ...

    @overload
    async def retrieve(
        self,
        response_id: str,
        *,
        stream: Literal[True],
        provider: str | None = None,
        **params: Unpack[ResponseRetrieveParams],
    ) -> AsyncResponseStream: ...

    @overload
    async def retrieve(
        self,
        response_id: str,
        *,
        stream: bool | None = None,
        provider: str | None = None,
        **params: Unpack[ResponseRetrieveParams],
    ) -> Response | AsyncResponseStream: ...

    async def retrieve(
        self,
        response_id: str,
        *,
        stream: bool | None = None,
        provider: str | None = None,
        **params: Unpack[ResponseRetrieveParams],
    ) -> Response | AsyncResponseStream:
        """A response that the provider keeps, as it is now; with `stream=True` its events, those to come included.

        `starting_after` leaves out the events up to that `sequence_number`: a stream that broke off goes on there.

        Raises:
            NotFoundError: there is no such response.
        """
        bound, options, given = _of_provider(self._core, provider, params, ResponseRetrieveParams, "responses.retrieve")
        served = cast("ResponseProvider", bound.provider)
        if not stream and (wrong := [name for name in _OF_STREAMS if name in given]):
            raise InvalidRequestError(f"responses.retrieve: {wrong[0]} goes with stream=True", param=wrong[0])
        request = StoredResponseRequest(
            provider=bound.provider.name,
            model="",
            response_id=validation.text(response_id, "response_id"),
            params=given,
            on_unsupported=options.on_unsupported,
        )
        if stream:
            return AsyncResponseStream(await options.send(served.restream_response, request))
        return await options.send(served.retrieve_response, request)

    async def delete(
        self, response_id: str, *, provider: str | None = None, **options: Unpack[CallOptions]
    ) -> ResponseDeleted:
        """Delete a response that the provider keeps.

        Raises:
            NotFoundError: there is no such response.
        """
        bound, taken, _ = _of_provider(self._core, provider, options, CallOptions, "responses.delete")
        served = cast("ResponseProvider", bound.provider)
        return await taken.send(served.delete_response, validation.text(response_id, "response_id"))

    async def cancel(
        self, response_id: str, *, provider: str | None = None, **options: Unpack[CallOptions]
    ) -> Response:
        """Stop a response that is being made in the background.

        Raises:
            NotFoundError: there is no such response.
        """
        bound, taken, _ = _of_provider(self._core, provider, options, CallOptions, "responses.cancel")
        served = cast("ResponseProvider", bound.provider)
        return await taken.send(served.cancel_response, validation.text(response_id, "response_id"))


def _of_model(  # noqa: PLR0917 - what the calls share
    core: Core, model: str, given_input: ResponseInput | None, params: Mapping[str, Any], known: Any, call: str
) -> "tuple[ResponseProvider, ResponseRequest, Options]":
    name, own_model = core.split(model)
    given = response_input.params(params, known, call)
    bound = core.require(name, "responses")
    options = core.options(bound, given)
    request = ResponseRequest(
        provider=name,
        model=own_model,
        input=response_input.response_input(given_input),
        params=given,
        extra_body=options.extra_body,
        on_unsupported=options.on_unsupported,
    )
    return cast("ResponseProvider", bound.provider), request, options


def _of_provider(
    core: Core, provider: str | None, params: Mapping[str, Any], known: Any, call: str
) -> tuple[Bound, Options, dict[str, Any]]:
    name = core.config.default_provider if provider is None else validation.text(provider, "provider")
    given = validation.params(params, known, call)
    bound = core.require(name, "responses")
    return bound, core.options(bound, given), given
