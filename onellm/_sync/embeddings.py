# GENERATED from onellm/resources/embeddings.py by onellm._sync.generate. Do not edit: run make sync.

"""`embeddings`. https://platform.openai.com/docs/api-reference/embeddings"""

from typing import TYPE_CHECKING

from typing_extensions import Unpack

from onellm._sync.pipelines import EmbeddingStream
from onellm._sync.portal import run
from onellm.resources.embeddings import AsyncEmbeddings
from onellm.types.embeddings import CreateEmbeddingResponse, EmbeddingInput, EmbeddingParams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from os import PathLike

    from onellm.types.pipelines import OnError, PipelineInput


class Embeddings:
    """Texts as vectors."""

    def __init__(self, held: AsyncEmbeddings) -> None:
        self._async = held

    def create(
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
        return run(self._async.create(model=model, input=input, **params))

    def stream(
        self,
        inputs: "Iterable[PipelineInput]",
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
    ) -> "EmbeddingStream":
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
        return EmbeddingStream(
            self._async.stream(
                inputs,
                model=model,
                batch_size=batch_size,
                batch_tokens=batch_tokens,
                batch_bytes=batch_bytes,
                count_tokens=count_tokens,
                concurrency=concurrency,
                ordered=ordered,
                on_error=on_error,
                checkpoint=checkpoint,
                **params,
            )
        )
