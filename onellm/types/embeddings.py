"""Embeddings: what callers say, and what they get. https://platform.openai.com/docs/api-reference/embeddings"""

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from msgspec import Meta, field

from onellm.errors import MissingDependencyError
from onellm.types.base import Answer, Model
from onellm.types.options import ModelOptions
from onellm.types.request import Request

if TYPE_CHECKING:
    from decimal import Decimal

    import numpy as np
    from numpy.typing import NDArray

    FloatArray: TypeAlias = array[float]
else:
    FloatArray = array  # Python 3.11 takes no index here, and annotations are read when answers come from a cache

EmbeddingInput: TypeAlias = str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]]
"""One text, many texts, one text as token ids, or many as token ids."""


InputType: TypeAlias = Literal["query", "document", "similarity", "classification", "clustering"]
"""Beyond OpenAI: what the vectors are for. Some models make others of a question than of what is searched."""


class EmbeddingParams(ModelOptions, total=False):
    """Everything `embeddings.create` takes beside input and model; None is the same as leaving out."""

    dimensions: Annotated[int, Meta(ge=1)] | None
    encoding_format: Literal["float", "base64"] | None
    input_type: InputType | None
    user: str | None


class EmbeddingUsage(Model, kw_only=True, gc=False):
    """Tokens billed."""

    prompt_tokens: int = 0
    total_tokens: int = 0


class Embedding(Model, kw_only=True, gc=False):
    """One vector: float32, a sequence of floats that supports the buffer protocol.

    `list(vector)` gives Python floats, `numpy.asarray(vector)` an array without a copy. index is the input's place.
    """

    index: int = 0
    embedding: FloatArray = field(default_factory=lambda: array("f"))
    object: str = "embedding"

    def to_dict(self) -> dict[str, Any]:
        return {"object": self.object, "index": self.index, "embedding": self.embedding.tolist()}

    def model_dump(self, *, exclude_none: bool = False) -> dict[str, Any]:  # noqa: ARG002 - nothing here is None
        return self.to_dict()


class CreateEmbeddingResponse(Answer, kw_only=True, gc=False):
    """The vectors, in the order of the inputs."""

    object: str = "list"
    data: list[Embedding] = field(default_factory=list[Embedding])
    model: str = ""
    usage: EmbeddingUsage = field(default_factory=EmbeddingUsage)

    def to_dict(self) -> dict[str, Any]:
        return {
            "object": self.object,
            "data": [item.to_dict() for item in self.data],
            "model": self.model,
            "usage": self.usage.to_dict(),
        }

    def model_dump(self, *, exclude_none: bool = False) -> dict[str, Any]:  # noqa: ARG002 - nothing here is None
        return self.to_dict()

    def cost(self) -> "Decimal | None":
        """What it cost in US dollars, by the price list of `genai-prices`; None where that is not known.

        Raises:
            MissingDependencyError: `genai-prices` is not installed.
        """
        from onellm.types.prices import cost  # noqa: PLC0415 - for callers who use it

        return cost(self.provider, self.model, self.usage, created=0, tier=None)

    def to_numpy(self) -> "NDArray[np.float32]":
        """The vectors as one (n, d) float32 matrix, row i for input i.

        Raises:
            MissingDependencyError: numpy is not installed.
        """
        try:
            import numpy as np  # noqa: PLC0415 - an extra
        except ImportError as exc:
            raise MissingDependencyError('to_numpy needs numpy: pip install "onellm[numpy]"') from exc
        matrix = np.empty((len(self.data), len(self.data[0].embedding) if self.data else 0), dtype=np.float32)
        for row, item in enumerate(self.data):
            matrix[row] = item.embedding
        return matrix


class EmbeddingsRequest(Request, kw_only=True, gc=False):
    """A validated embeddings call, small enough for one request.

    input:   texts, or lists of token ids
    single:  the caller gave one, and not in a list: so it is sent
    """

    input: list[str] | list[list[int]]
    single: bool = False
    params: dict[str, Any]
