"""`embeddings`. https://platform.openai.com/docs/api-reference/embeddings"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from msgspec import structs
from typing_extensions import Unpack

from onellm.errors import InvalidRequestError
from onellm.policy.execute import Options
from onellm.providers.protocols import CountsInputs
from onellm.resources import validation
from onellm.resources.core import Core
from onellm.types.embeddings import (
    CreateEmbeddingResponse,
    EmbeddingInput,
    EmbeddingParams,
    EmbeddingsRequest,
    EmbeddingUsage,
)

if TYPE_CHECKING:
    from onellm.providers.protocols import EmbeddingProvider

_AT_ONCE = 8  # requests of one call that are under way together


class AsyncEmbeddings:
    """Texts as vectors."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def create(
        self,
        *,
        model: str,
        input: EmbeddingInput,  # noqa: A002 - OpenAI's name
        **params: Unpack[EmbeddingParams],
    ) -> CreateEmbeddingResponse:
        """Turn texts, or token ids, into vectors: float32, in the order of the inputs.

        Any number of inputs: more than the provider takes at once, by count or by an estimate of their tokens, are
        sent in several requests, some of them together, and joined; usage is added up, and `raw` is then empty.
        Vectors travel in base64 where the provider can, unless `encoding_format="float"` asks for text; what is
        given back is the same.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        name, own_model = self._core.split(model)
        given = validation.params(params, EmbeddingParams, "embeddings.create")
        inputs, single = _inputs(input)
        bound = self._core.require(name, "embeddings")
        options = self._core.options(bound, given)
        request = EmbeddingsRequest(
            provider=name,
            model=own_model,
            input=inputs,
            single=single,
            params=given,
            extra_body=options.extra_body,
            on_unsupported=options.on_unsupported,
        )
        provider = cast("EmbeddingProvider", bound.provider)
        return await options.send_whole(_create, provider.create_embeddings, provider, request)


def _create(
    provider: "EmbeddingProvider", request: EmbeddingsRequest, options: Options
) -> Coroutine[Any, Any, CreateEmbeddingResponse]:
    """The whole call, in as many requests as its provider wants it."""
    most = (
        provider.embedding_inputs(request, options.call)
        if isinstance(provider, CountsInputs)
        else provider.max_embedding_inputs
    )
    parts = _parts(request.input, most, provider.max_embedding_tokens)
    if len(parts) == 1:
        return options.send(provider.create_embeddings, request)
    return _in_parts(provider, request, options, parts)


def _inputs(given: EmbeddingInput) -> tuple[list[str] | list[list[int]], bool]:
    """The inputs as a list, and whether the caller gave one that was in none."""
    single = isinstance(given, str)
    if isinstance(given, str):
        inputs: list[Any] = [given]
    elif isinstance(given, bytes | Mapping) or not isinstance(given, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] - callers err
        raise InvalidRequestError(
            f"input must be a text, texts or token ids, not {type(given).__name__}", param="input"
        )
    else:
        inputs = list(given)
        if inputs and all(isinstance(token, int) for token in inputs):
            inputs, single = [inputs], True
    if not inputs:
        raise InvalidRequestError("input is empty: give at least one text", param="input")
    for place, item in enumerate(inputs):
        where = "input" if single else f"input[{place}]"
        if isinstance(item, str):
            validation.text(item, where)
        elif not isinstance(item, list | tuple) or not item or not all(isinstance(token, int) for token in item):
            raise InvalidRequestError(f"{where} must be a text or a list of token ids", param="input")
    return inputs, single


def _parts(inputs: list[str] | list[list[int]], most: int, most_tokens: int | None) -> list[slice]:
    """What goes into one request each. An input that is too large by itself goes alone: its provider says so."""
    estimates = [_most_tokens(item) for item in inputs] if most_tokens is not None else []
    if most_tokens is None or sum(estimates) <= most_tokens:
        return [slice(start, start + most) for start in range(0, len(inputs), most)]
    parts: list[slice] = []
    start = tokens = 0
    for place, estimate in enumerate(estimates):
        tokens += estimate
        if place > start and (tokens > most_tokens or place - start == most):
            parts.append(slice(start, place))
            start, tokens = place, estimate
    return [*parts, slice(start, len(inputs))]


def _most_tokens(item: str | Sequence[int]) -> int:
    """About as many tokens as an input can have: one for three bytes. English has four, a Chinese character is 3."""
    return (len(item.encode()) + 2) // 3 if isinstance(item, str) else len(item)


async def _in_parts(
    provider: "EmbeddingProvider", request: EmbeddingsRequest, options: Options, parts: list[slice]
) -> CreateEmbeddingResponse:
    """Several requests, joined. One that fails cancels the others."""
    import asyncio  # noqa: PLC0415 - a third of what importing the client costs, and only wanted here

    gate = asyncio.Semaphore(_AT_ONCE)

    async def send(part: slice) -> CreateEmbeddingResponse:
        async with gate:
            piece = structs.replace(request, input=request.input[part], adjustments=[])
            reply = await options.send(provider.create_embeddings, piece)
        reply.raw = b""  # the vectors are there; their text would be held until the last part has come
        return reply

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(send(part)) for part in parts]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    replies = [task.result() for task in tasks]
    whole = replies[0]
    for reply, part in zip(replies[1:], parts[1:], strict=True):
        for item in reply.data:
            item.index += part.start
        whole.data.extend(reply.data)
    whole.usage = EmbeddingUsage(
        prompt_tokens=sum(reply.usage.prompt_tokens for reply in replies),
        total_tokens=sum(reply.usage.total_tokens for reply in replies),
    )
    return whole
