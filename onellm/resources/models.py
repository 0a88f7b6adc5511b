"""`models`. https://platform.openai.com/docs/api-reference/models"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, cast, overload

from msgspec import structs
from typing_extensions import Unpack

from onellm.providers.protocols import CapabilityProvider, PagedModelProvider
from onellm.resources import validation
from onellm.resources.core import Core
from onellm.resources.pages import AsyncPages
from onellm.resources.streams import AsyncAnswerStream
from onellm.types.capabilities import FLAGS, Capabilities, Capability, PublishedCapabilities
from onellm.types.headers import head_of
from onellm.types.models import ModelDeleted, ModelInfo, PullProgress, PullRequest
from onellm.types.options import CallOptions
from onellm.types.pages import Listing

if TYPE_CHECKING:
    from onellm.providers.protocols import ModelProvider, ModelStoreProvider


class AsyncModelPull(AsyncAnswerStream[PullProgress, PullProgress]):
    """The progress of a model that is fetched, to be used like a streamed chat answer.

    Leaving it ends the request. What is here by then stays, and the next pull goes on from there.
    """


class AsyncModels:
    """What models there are, and what they can do."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def list(self, provider: str | None = None, **options: Unpack[CallOptions]) -> AsyncPages[ModelInfo]:
        """The models of a provider, the default one where none is named.

        They come in one page, except where a host has more of them than it lists at once.

        Raises:
            UnsupportedFeatureError: the provider has no list.
            APIConnectionError, APIStatusError: when it is awaited: no answer, or a refusal.
        """
        name = self._core.config.default_provider if provider is None else validation.text(provider, "provider")
        bound = self._core.require(name, "models")
        given = validation.params(cast("dict[str, Any]", options), CallOptions, "models.list")
        taken = self._core.options(bound, given)
        served = cast("ModelProvider", bound.provider)

        async def fetch(query: Mapping[str, str]) -> Listing[ModelInfo]:
            if isinstance(served, PagedModelProvider):
                return await taken.send(served.list_models_page, query)
            models = await taken.send(served.list_models)
            page = Listing(data=models, provider=name, request_id=models[0].request_id if models else None)
            page.head = head_of(models[0]) if models else None
            return page

        return AsyncPages(fetch)

    async def retrieve(self, model: str, **options: Unpack[CallOptions]) -> ModelInfo:
        """One model, named "provider/model".

        Raises:
            NotFoundError: the provider has no such model.
        """
        name, own_model = self._core.split(model)
        bound = self._core.require(name, "models")
        given = validation.params(cast("dict[str, Any]", options), CallOptions, "models.retrieve")
        taken = self._core.options(bound, given)
        served = cast("ModelProvider", bound.provider)
        return await taken.send(served.retrieve_model, own_model)

    async def capabilities(self, model: str, **options: Unpack[CallOptions]) -> Capabilities:
        """What a model can do, each with how that is known: yes, no or unknown.

        Its provider is asked where it publishes that; what it does not say comes from its row, which knows hosts and
        not models. Nothing is kept: the next call asks again.

        Raises:
            APIConnectionError, APIStatusError: the provider was asked: no answer, or a refusal.
        """
        name, own_model = self._core.split(model)
        given = validation.params(cast("dict[str, Any]", options), CallOptions, "models.capabilities")
        provider = self._core.provider(name)
        said: PublishedCapabilities | None = None
        if isinstance(provider, CapabilityProvider) and provider.publishes_capabilities:
            taken = self._core.options(self._core.bind(name), given)
            said = await taken.send(provider.published_capabilities, own_model)
        return _weigh(f"{name}/{own_model}", said, provider.get_model_capabilities(own_model))

    @overload
    async def pull(
        self,
        model: str,
        *,
        stream: Literal[False] | None = None,
        **options: Unpack[CallOptions],
    ) -> PullProgress: ...

    @overload
    async def pull(self, model: str, *, stream: Literal[True], **options: Unpack[CallOptions]) -> AsyncModelPull: ...

    @overload
    async def pull(
        self, model: str, *, stream: bool | None = None, **options: Unpack[CallOptions]
    ) -> PullProgress | AsyncModelPull: ...

    async def pull(
        self, model: str, *, stream: bool | None = None, **options: Unpack[CallOptions]
    ) -> PullProgress | AsyncModelPull:
        """Fetch a model, named "provider/model", to where its provider keeps them; with `stream` say how far it is.

        One that is there is looked up, and fetched anew where it has changed. The client's time limit for a whole call
        does not hold, as models are large; one that is given here does.

        Raises:
            UnsupportedFeatureError: the provider has no models of its own to fetch.
            NotFoundError: there is no such model.
        """
        name, own_model = self._core.split(model)
        bound = self._core.require(name, "model_store")
        given = validation.params(cast("dict[str, Any]", options), CallOptions, "models.pull")
        limited, given_deadline = given.get("timeout") is not None, given.get("deadline")
        taken = self._core.options(bound, given)
        limits = taken.call.timeouts if limited else structs.replace(taken.call.timeouts, total=None)
        call = structs.replace(taken.call, timeouts=limits)
        if taken.execution is not None and given_deadline is None:
            taken = structs.replace(taken, execution=structs.replace(taken.execution, deadline=None))
        served = cast("ModelStoreProvider", bound.provider)
        request = PullRequest(provider=name, model=own_model, extra_body=taken.extra_body)
        pull = AsyncModelPull(await structs.replace(taken, call=call).send(served.pull_model, request))
        if stream:
            return pull
        async with pull:
            return await pull.get_final()

    async def delete(self, model: str, **options: Unpack[CallOptions]) -> ModelDeleted:
        """Delete a model, named "provider/model", from where its provider keeps them.

        Raises:
            UnsupportedFeatureError: the provider has no models that could be deleted.
            NotFoundError: the provider has no such model.
        """
        name, own_model = self._core.split(model)
        bound = self._core.require(name, "model_store")
        given = validation.params(cast("dict[str, Any]", options), CallOptions, "models.delete")
        taken = self._core.options(bound, given)
        served = cast("ModelStoreProvider", bound.provider)
        return await taken.send(served.delete_model, own_model)


def _weigh(model: str, said: PublishedCapabilities | None, row: Mapping[str, bool]) -> Capabilities:
    """What the provider says, then what its row says."""
    said = said or PublishedCapabilities()
    known: dict[str, Capability] = {}
    for name, flag in FLAGS.items():
        if (value := getattr(said, name)) is not None:
            known[name] = Capability("yes" if value else "no", "provider says")
        elif flag in row:
            known[name] = Capability("yes" if row[flag] else "no", "row")
    return Capabilities(
        model=model,
        context_window=said.context_window,
        max_output_tokens=said.max_output_tokens,
        raw=said.raw,
        **known,
    )
