"""`embeddings`. https://platform.openai.com/docs/api-reference/embeddings"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from collections.abc import AsyncIterable, Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from msgspec import structs
from typing_extensions import Unpack

from onellm.errors import InvalidRequestError
from onellm.pipeline.packing import measure
from onellm.policy.execute import Options
from onellm.providers.base import CountsInputs
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
    from os import PathLike

    from onellm.providers.protocols import EmbeddingProvider
    from onellm.resources.pipelines import AsyncEmbeddingStream
    from onellm.types.pipelines import OnError, PipelineInput

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

    def stream(
        self,
        inputs: "Iterable[PipelineInput] | AsyncIterable[PipelineInput]",
        *,
        model: str,
        batch_size: int | None = None,
        batch_tokens: int | None = None,
        batch_bytes: int | None = None,
        count_tokens: "Callable[[str], int] | None" = None,
        concurrency: int = 8,
        ordered: bool = True,
        on_error: "OnError" = "raise",
        checkpoint: "str | PathLike[str] | None" = None,
        **params: Unpack[EmbeddingParams],
    ) -> "AsyncEmbeddingStream":
        """Turn any number of inputs into vectors, a batch at a time: `start, ids, vectors = batch`.

        inputs:  texts or token ids, or (id, input); any iterable, async or not. It is read as it is wanted: memory
            holds twice `concurrency` batches, however many inputs there are.
        batch_size, batch_tokens, batch_bytes:  the most inputs, tokens and bytes of one request. Without them they
            are the provider's limits; tokens count by `count_tokens`, or by an estimate.
        concurrency:  requests under way together
        ordered:      False gives batches as they come
        on_error:     "raise" ends the stream with the error of the first input that fails, "skip" goes on, and the
            failures are on their batches; a function is told of each failure
        checkpoint:  a file for what is done. The same call with the same file goes on where an earlier one stopped,
            however it ended: batches that were done come from the file, and only the others are sent.

        A request that is refused for what is in it is sent in halves, so that one bad input costs no other its
        vector, and one that was too large is sent again. Equal inputs that are under way together, or come soon
        after one another, are sent once.

        Raises, as batches are asked for:
            APIError: a request failed for good; with "skip" only what no other input could change, such as a key.
            CheckpointError: the checkpoint is of other inputs, another model or other parameters, or is in use.
        """
        name, own_model = self._core.split(model)
        given = validation.params(params, EmbeddingParams, "embeddings.stream")
        validation.not_one(inputs, "inputs", "texts")
        validation.on_error(on_error)
        limits = {"batch_size": batch_size, "batch_tokens": batch_tokens, "batch_bytes": batch_bytes}
        for limit, value in {**limits, "concurrency": concurrency}.items():
            if value is not None and value < 1:
                raise InvalidRequestError(f"{limit}: give at least 1", param=limit)
        from onellm.pipeline.embed import EmbeddingPipeline  # noqa: PLC0415 - for callers who use it
        from onellm.pipeline.packing import Packer  # noqa: PLC0415 - likewise
        from onellm.resources.pipelines import AsyncEmbeddingStream  # noqa: PLC0415 - likewise

        bound = self._core.require(name, "embeddings")
        options = self._core.options(bound, given)
        provider = cast("EmbeddingProvider", bound.provider)
        whole = EmbeddingsRequest(
            provider=name,
            model=own_model,
            input=[],
            params=given,
            extra_body=options.extra_body,
            on_unsupported=options.on_unsupported,
        )

        kept = None
        if checkpoint is not None:
            from onellm.pipeline.checkpoint import Checkpoint  # noqa: PLC0415 - imports sqlite3

            same = {name: value for name, value in given.items() if name != "encoding_format"}
            more = {"extra_body": options.extra_body, "extra_query": options.call.query}
            kept = Checkpoint(checkpoint, {"call": "embeddings.stream", "model": f"{name}/{own_model}", **more, **same})

        def as_packed(
            served: "EmbeddingProvider", request: EmbeddingsRequest, options: Options
        ) -> Coroutine[Any, Any, CreateEmbeddingResponse]:
            # A fallback may take less at once than the provider that the batch was packed for.
            if served is provider:
                return options.send(provider.create_embeddings, request)
            return _create(served, request, options)

        def send(part: list[Any]) -> Coroutine[Any, Any, CreateEmbeddingResponse]:
            piece = structs.replace(whole, input=part, adjustments=[])
            return options.send_whole(as_packed, provider.create_embeddings, provider, piece)

        return AsyncEmbeddingStream(
            EmbeddingPipeline(
                inputs,
                send,
                packer=Packer(
                    items=batch_size or _most_inputs(provider, whole, options),
                    tokens=batch_tokens or provider.max_embedding_tokens,
                    size=batch_bytes,
                ),
                count_tokens=count_tokens,
                concurrency=concurrency,
                ordered=ordered,
                on_error=on_error,
                checkpoint=kept,
            )
        )


def _create(
    provider: "EmbeddingProvider", request: EmbeddingsRequest, options: Options
) -> Coroutine[Any, Any, CreateEmbeddingResponse]:
    """The whole call, in as many requests as its provider wants it."""
    parts = _parts(request.input, _most_inputs(provider, request, options), provider.max_embedding_tokens)
    if len(parts) == 1:
        return options.send(provider.create_embeddings, request)
    return _in_parts(provider, request, options, parts)


def _most_inputs(provider: "EmbeddingProvider", request: EmbeddingsRequest, options: Options) -> int:
    """How many inputs one request may have."""
    if isinstance(provider, CountsInputs):
        return provider.embedding_inputs(request, options.call)
    return provider.max_embedding_inputs


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
    estimates = [measure(item)[0] for item in inputs] if most_tokens is not None else []
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
