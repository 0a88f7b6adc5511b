"""`chat.completions.map`: the provider's batches as a pipeline uses them."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from onellm.errors import OneLLMError, ResponseDecodeError
from onellm.resources.batches import AsyncBatches
from onellm.resources.core import Core
from onellm.types.batches import BatchRequest, BatchResult
from onellm.types.chat import ChatCompletion
from onellm.types.preview import PreviewedRequest

if TYPE_CHECKING:
    from onellm.providers.protocols import BatchProvider


class ProviderBatches:
    """Batches of chats. Their requests are those that `create` would send."""

    def __init__(self, core: Core, preview: Callable[..., Awaitable[PreviewedRequest]]) -> None:
        self._core = core
        self._preview = preview
        self._batches = AsyncBatches(core.without("extra_body", "extra_query"))  # they are the requests'

    async def encode(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The body of the request."""
        previewed = await self._preview(**arguments)
        body: dict[str, Any] = previewed.json
        return {"model": previewed.model, **body}

    async def begin(self, model: str, bodies: Mapping[int, dict[str, Any]]) -> str:
        """Begin a batch; its name is that of its provider and its id."""
        provider, own_model = self._core.split(model)
        served = cast("BatchProvider", self._core.require(provider, "batches").provider)
        batch = await self._batches.create(
            requests=(BatchRequest(custom_id=str(index), body=body) for index, body in bodies.items()),
            provider=provider,
            model=own_model if served.one_batch_model else None,
        )
        return f"{provider}/{batch.id}"

    async def results(self, name: str) -> AsyncGenerator[tuple[int, ChatCompletion | OneLLMError], None]:
        """Wait for a batch, and read what came of it."""
        provider, _, batch_id = name.partition("/")
        await self._batches.wait(batch_id, provider=provider)
        async with self._batches.results(batch_id, provider=provider) as results:
            async for result in results:
                yield int(result.custom_id), _outcome(result)


def _outcome(result: BatchResult) -> ChatCompletion | OneLLMError:
    if isinstance(result.response, ChatCompletion):
        return result.response
    return result.error or ResponseDecodeError("the batch has no chat completion for this request", body=result.raw)
