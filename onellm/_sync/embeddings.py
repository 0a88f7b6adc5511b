# GENERATED from onellm/resources/embeddings.py by onellm._sync.generate. Do not edit: run make sync.

"""`embeddings`. https://platform.openai.com/docs/api-reference/embeddings"""

from typing_extensions import Unpack

from onellm._sync.portal import run
from onellm.resources.embeddings import AsyncEmbeddings
from onellm.types.embeddings import CreateEmbeddingResponse, EmbeddingInput, EmbeddingParams


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
