"""Pipelines: what goes into them, and what they give."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, TypeAlias

from msgspec import Struct

from onellm.errors import OneLLMError
from onellm.types.chat import ChatCompletion

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Id: TypeAlias = int | str
"""The caller's own name for an input; where there is none, its place."""

PipelineInput: TypeAlias = str | Sequence[int] | tuple[Id, str | Sequence[int]]
"""A text or token ids, by itself or as (id, input)."""


class PipelineFailure(Struct, frozen=True, kw_only=True):
    """One input that failed.

    index:  its place, from 0
    id:     as it was given; where none was, the place
    input:  as it was given
    error:  why; `error.retryable` where it may not be the input's fault
    """

    index: int
    id: Id
    input: Any
    error: OneLLMError


OnError: TypeAlias = Literal["raise", "skip"] | Callable[[PipelineFailure], object]
"""What becomes of an input that fails: the pipeline ends with its error, or goes on; a function is told of each."""


class PipelineProgress(Struct, kw_only=True):
    """How far a pipeline is.

    read:      inputs taken from the source
    done:      inputs with which it has finished, well or not; the others here are parts of it
    failed:    those that failed
    resumed:   those that a checkpoint had
    repeated:  those that are equal to another under way, and were not sent
    requests:  what was sent; a retry is no further request
    prompt_tokens, completion_tokens:  as billed in this run
    """

    read: int = 0
    done: int = 0
    failed: int = 0
    resumed: int = 0
    repeated: int = 0
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Rows(NamedTuple):
    start: int
    ids: "list[Id]"
    vectors: "NDArray[np.float32]"


class EmbeddingBatch(_Rows):
    """Some inputs' vectors: `start, ids, vectors = batch`.

    start:     the place of the first input of the batch
    ids:       one a vector: the caller's, or the input's place; an input that failed is not among them
    vectors:   float32, (n, d): a numpy array where numpy is installed, otherwise a memoryview of that shape
    failures:  the inputs of the batch that failed
    resumed:   whether it comes from a checkpoint
    """

    failures: "Sequence[PipelineFailure]"
    resumed: bool

    def __new__(
        cls,
        start: int,
        ids: "list[Id]",
        vectors: "NDArray[np.float32]",
        failures: "Sequence[PipelineFailure]" = (),
        *,
        resumed: bool = False,
    ) -> Self:
        made = super().__new__(cls, start, ids, vectors)
        made.failures = failures
        made.resumed = resumed
        return made

    def __repr__(self) -> str:
        more = f", {len(self.failures)} failures" if self.failures else ""
        return f"EmbeddingBatch(start={self.start}, {len(self.ids)} vectors{more})"


ChatRequestParam: TypeAlias = (
    str | Sequence[Any] | Mapping[str, Any] | tuple[Id, str | Sequence[Any] | Mapping[str, Any]]
)
"""A prompt, a list of messages or a dict of `create`'s arguments; by itself or as (id, request)."""


class ChatResult(Struct, frozen=True, kw_only=True):
    """What came of one request: a response or an error.

    index:    the request's place, from 0
    id:       as it was given; where none was, the place
    resumed:  whether it comes from a checkpoint
    """

    index: int
    id: Id
    response: ChatCompletion | None = None
    error: OneLLMError | None = None
    resumed: bool = False
