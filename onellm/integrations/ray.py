"""Ray Data: embeddings and chats as steps of a dataset, over as many machines as the cluster has.

    dataset.map_batches(
        EmbedBatch,
        fn_constructor_kwargs={"model": "openai/text-embedding-3-small", "column": "text"},
        batch_size=1024,
        concurrency=4,
    )

Each actor has a client of its own, made in its process and kept for all its batches. `client` are the client's settings
as `OneLLM` takes them; they travel to the actors, so leave keys to the environment. https://docs.ray.io/en/latest/data/
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from onellm._sync.client import OneLLM
from onellm.errors import InvalidRequestError, MissingDependencyError, ResponseDecodeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Columns = dict[str, NDArray[Any]]

OnFailure = Literal["raise", "skip"]


class EmbedBatch:
    """Adds a column of vectors: float32, one matrix a batch."""

    def __init__(
        self,
        *,
        model: str,
        column: str = "text",
        into: str = "embedding",
        on_error: OnFailure = "raise",
        concurrency: int = 8,
        client: Mapping[str, Any] | None = None,
        **params: Any,
    ) -> None:
        """Make the actor's client.

        column:       where the texts are
        into:         where the vectors go
        on_error:     "raise" fails the task, which Ray may try again; "skip" gives rows of NaN, and a column
            `<into>_error` with the reasons
        concurrency:  requests of one actor under way together
        client:       settings of the client
        params:       as `embeddings.stream` takes them: dimensions, batch_size, …
        """
        self._numpy = _numpy()
        self._client = OneLLM(**(client or {}))
        self._column, self._into = column, into
        self._ask: dict[str, Any] = {"model": model, "on_error": on_error, "concurrency": concurrency, **params}

    def __call__(self, batch: "Columns") -> "Columns":
        """The batch with its vectors.

        Raises:
            InvalidRequestError: it lacks the column.
            OneLLMError: an input failed, with on_error="raise".
        """
        np = self._numpy
        texts = _column(batch, self._column)
        vectors: Any = None
        errors: list[str | None] = [None] * len(texts)
        with self._client.embeddings.stream(texts, **self._ask) as stream:
            for part in stream:
                for failure in part.failures:
                    errors[failure.index] = str(failure.error)
                if vectors is None and part.ids:
                    vectors = np.full((len(texts), part.vectors.shape[1]), np.nan, dtype=np.float32)
                if vectors is not None:
                    vectors[part.ids] = part.vectors
        if vectors is None:
            raise ResponseDecodeError(f"no text of the batch was embedded: {errors[0] if errors else 'it is empty'}")
        return {**batch, self._into: vectors, **_said(np, f"{self._into}_error", errors, self._ask)}


class ChatBatch:
    """Adds a column of answers to prompts, or to lists of messages."""

    def __init__(
        self,
        *,
        model: str,
        column: str = "prompt",
        into: str = "answer",
        system: str | None = None,
        on_error: OnFailure = "raise",
        concurrency: int = 16,
        client: Mapping[str, Any] | None = None,
        **params: Any,
    ) -> None:
        """Make the actor's client.

        column:       where the prompts are, or the lists of messages
        into:         where the text of each answer goes; its tokens are in `<into>_tokens`, prompt and answer together
        system:       instructions that go before each prompt
        on_error:     "raise" fails the task, which Ray may try again; "skip" gives None, and a column `<into>_error`
        concurrency:  requests of one actor under way together
        client:       settings of the client
        params:       as `chat.completions.map` takes them: max_tokens, temperature, …
        """
        self._numpy = _numpy()
        self._client = OneLLM(**(client or {}))
        self._column, self._into, self._system = column, into, system
        self._ask: dict[str, Any] = {"model": model, "on_error": on_error, "concurrency": concurrency, **params}

    def __call__(self, batch: "Columns") -> "Columns":
        """The batch with its answers.

        Raises:
            InvalidRequestError: it lacks the column.
            OneLLMError: a request failed, with on_error="raise".
        """
        np = self._numpy
        requests = [self._request(given) for given in _column(batch, self._column)]
        answers: list[str | None] = [None] * len(requests)
        errors: list[str | None] = [None] * len(requests)
        tokens = np.zeros(len(requests), dtype=np.int64)
        with self._client.chat.completions.map(requests, **self._ask) as results:
            for result in results:
                if result.response is None:
                    errors[result.index] = str(result.error)
                    continue
                choices = result.response.choices
                answers[result.index] = choices[0].message.content if choices else None
                tokens[result.index] = result.response.usage.total_tokens if result.response.usage else 0
        said = _said(np, f"{self._into}_error", errors, self._ask)
        return {**batch, self._into: np.array(answers, dtype=object), f"{self._into}_tokens": tokens, **said}

    def _request(self, given: Any) -> Any:
        if isinstance(given, str) and self._system is not None:
            return [{"role": "system", "content": self._system}, {"role": "user", "content": given}]
        return given


def _column(batch: "Columns", name: str) -> list[Any]:
    if name not in batch:
        raise InvalidRequestError(f"the dataset has no column {name!r}, but {', '.join(batch)}", param="column")
    return [given.tolist() if hasattr(given, "tolist") else given for given in batch[name]]


def _said(np: Any, name: str, errors: list[str | None], ask: Mapping[str, Any]) -> "Columns":
    """The column of errors, where rows may have some."""
    return {name: np.array(errors, dtype=object)} if ask["on_error"] == "skip" else {}


def _numpy() -> Any:
    try:
        import numpy as np  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise MissingDependencyError('Ray\'s batches are of numpy: pip install "onellm[ray]"') from exc
    return np
