# GENERATED from onellm/resources/models.py by onellm._sync.generate. Do not edit: run make sync.

"""`models`. https://platform.openai.com/docs/api-reference/models"""

from typing import Literal, overload

from typing_extensions import Unpack

from onellm._sync.iteration import awaited
from onellm._sync.pages import Page
from onellm._sync.portal import run
from onellm._sync.streams import ModelPull
from onellm.resources.models import AsyncModels
from onellm.resources.streams import AsyncModelPull
from onellm.types.capabilities import Capabilities
from onellm.types.models import ModelDeleted, ModelInfo, PullProgress
from onellm.types.options import CallOptions


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
