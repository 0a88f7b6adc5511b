"""Ray Data: embeddings and answers for datasets that are larger than one machine.

    ds.map_batches(EmbedBatch, fn_constructor_kwargs={"model": "openai/text-embedding-3-small"}, ...)

Ray makes an object of the class in each of its actors, which has a client of its own. Calls block: Ray runs `async`
ones in a loop that stands still while it fetches blocks and while nobody takes what is done, and requests under way
there would run out of their time. What is under way together is inside a call, in the client's own loop. Objects can be
called by several threads at once, and without Ray.

https://docs.ray.io/en/latest/data/api/doc/ray.data.Dataset.map_batches.html
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, TypeVar, cast

import msgspec
from typing_extensions import Unpack

from onellm._sync.client import OneLLM
from onellm.errors import ConfigurationError, InvalidRequestError, ResponseDecodeError
from onellm.integrations._columns import Sheet, column, numpy, sheet
from onellm.policy.retry import RetryPolicy
from onellm.types.chat_params import ChatParams
from onellm.types.embeddings import EmbeddingParams
from onellm.types.execution import Breaker
from onellm.types.limits import Limits
from onellm.types.options import HttpOptions, OnUnsupported, Timeouts
from onellm.types.pipelines import ChatRequestParam, ChatResult
from onellm.types.secret import Secret

if TYPE_CHECKING:
    from typing import Self

__all__ = ["ChatBatch", "ClientOptions", "EmbedBatch"]

Batch = TypeVar("Batch")
OnError: TypeAlias = Literal["raise", "null"]

_KEYS = {"api_key", "api_keys"}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class ClientOptions(TypedDict, total=False):
    """Settings of the client that each actor makes; `AsyncOneLLM` says what they are.

    What is secret is a `Secret`, here and anywhere inside `providers`: Ray shows the arguments of a class. Keys that
    are not given come from the environment of the actors.
    """

    api_key: Secret | Sequence[Secret] | Callable[[], str]
    base_url: str
    organization: str
    project: str
    timeout: float | Timeouts
    max_retries: int
    default_headers: Mapping[str, str | Secret]
    default_provider: str
    providers: Mapping[str, Mapping[str, object]]
    on_unsupported: OnUnsupported
    http: HttpOptions
    retry: RetryPolicy
    deadline: float
    fallback_models: Sequence[str] | Mapping[str, Sequence[str]]
    breaker: Breaker


class _ModelBatch:
    """A client, and how to make it again where a copy is unpickled."""

    def __init__(
        self,
        model: str,
        *,
        on_error: OnError,
        error_column: str,
        concurrency: int,
        limits: Limits | Mapping[str, Limits] | None,
        client: ClientOptions | None,
        params: Mapping[str, Any],
    ) -> None:
        if on_error not in ("raise", "null"):
            raise InvalidRequestError(f'on_error is "raise" or "null", not {on_error!r}', param="on_error")
        self._model = model
        self._on_error = on_error
        self._error_column = error_column
        self._concurrency = concurrency
        self._limits = limits
        self._options = client or {}
        self._params = dict(params)
        self._open()

    def close(self) -> None:
        """Close the client's connections. They go with the object, too, as they do where an actor of Ray's ends."""
        self._client.close()

    def _open(self) -> None:
        options = cast("dict[str, Any]", _revealed(self._options))
        self._client = OneLLM(limits=self._limits, **options)

    def _added(self, batch: Sheet, columns: dict[str, Any], errors: list[str | None]) -> Any:
        if self._on_error == "null":
            columns[self._error_column] = batch.texts(errors)
        return batch.extended(columns)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_client"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._model!r})"


class EmbedBatch(_ModelBatch):
    """Adds a column of vectors to batches: Arrow tables, dicts of numpy arrays, pandas frames."""

    def __init__(
        self,
        model: str,
        *,
        input_column: str = "text",
        output_column: str = "embedding",
        on_error: OnError = "raise",
        error_column: str = "error",
        request_size: int | None = None,
        concurrency: int = 8,
        limits: Limits | Mapping[str, Limits] | None = None,
        client: ClientOptions | None = None,
        **params: Unpack[EmbeddingParams],
    ) -> None:
        """Make a client; nothing is sent yet.

        input_column:   texts, or lists of token ids
        output_column:  the vectors. In Arrow tables they are lists of a fixed size of float32; of numpy a float32
            matrix; in pandas an array each
        on_error:       "raise" fails the batch with the first input that fails. With "null" its vector is null, a row
            of NaN in a matrix, and `error_column` says why; what no other input could change, such as a key, raises
        request_size:   the most inputs of one request, where that is to be less than the provider takes
        concurrency:    requests of one call that are under way together
        limits:         of this actor alone, unless they are shared: Limits(…, shared="redis://…")
        client:         settings of the client
        params:         arguments of the calls: dimensions, input_type, timeout, …

        Raises:
            ConfigurationError: a setting is wrong, or a key is no `Secret`.
            MissingDependencyError: numpy is not installed.
        """
        numpy()
        self._input_column = input_column
        self._output_column = output_column
        self._request_size = request_size
        self._dimensions = params.get("dimensions")
        super().__init__(
            model,
            on_error=on_error,
            error_column=error_column,
            concurrency=concurrency,
            limits=limits,
            client=client,
            params=params,
        )

    def __call__(self, batch: Batch) -> Batch:
        """The batch with its vectors, in its own format.

        Raises:
            InvalidRequestError: the input column is not there.
            OneLLMError: inputs failed, and `on_error` is "raise"; or all would.
        """
        given = sheet(batch)
        if not given.names:  # an empty block of Ray's has no columns
            return batch
        inputs = column(given, self._input_column, "input_column")
        rows, errors = self._embed(inputs)
        missing = numpy().array([error is not None for error in errors], dtype=bool)
        added = {self._output_column: given.vectors(rows, missing)}
        return cast("Batch", self._added(given, added, errors))

    def _embed(self, inputs: list[Any]) -> tuple[Any, list[str | None]]:
        """The vectors as one matrix, zeros where there is none, and what is wrong with which input."""
        errors: list[str | None] = [None] * len(inputs)
        rows: Any = None
        with self._client.embeddings.stream(
            inputs,
            model=self._model,
            batch_size=self._request_size,
            concurrency=self._concurrency,
            ordered=False,
            on_error="raise" if self._on_error == "raise" else "skip",
            **cast("EmbeddingParams", self._params),
        ) as stream:
            for part in stream:
                for failure in part.failures:
                    errors[failure.index] = str(failure.error)
                if not part.ids:
                    continue
                if rows is None:
                    rows = self._zeros(len(inputs), part.vectors.shape[1])
                if part.vectors.shape[1] != rows.shape[1]:
                    raise ResponseDecodeError(
                        f"vectors of {rows.shape[1]} and of {part.vectors.shape[1]} numbers in one batch"
                    )
                rows[part.ids] = part.vectors  # ids are the inputs' places
        if rows is None and self._dimensions:
            rows = self._zeros(len(inputs), self._dimensions)
        return rows, errors

    def _zeros(self, count: int, dimensions: int) -> Any:
        self._dimensions = dimensions
        return numpy().zeros((count, dimensions), dtype="float32")


class ChatBatch(_ModelBatch):
    """Adds a column of answers to batches: Arrow tables, dicts of numpy arrays, pandas frames."""

    def __init__(
        self,
        model: str,
        *,
        prompt_column: str = "prompt",
        messages_column: str | None = None,
        system: str | None = None,
        output_column: str = "answer",
        finish_reason_column: str | None = None,
        response_column: str | None = None,
        usage_columns: bool = False,
        on_error: OnError = "raise",
        error_column: str = "error",
        concurrency: int = 16,
        limits: Limits | Mapping[str, Limits] | None = None,
        client: ClientOptions | None = None,
        **params: Unpack[ChatParams],
    ) -> None:
        """Make a client; nothing is sent yet.

        prompt_column:    what the user says
        messages_column:  whole conversations, instead of prompts: lists of messages, or these as JSON
        system:           what comes before all of them
        output_column:    the text of the first choice; null where there is none, as when a tool is called
        finish_reason_column, response_column:  why it ended, and the whole answer as JSON, where they are named
        usage_columns:    whether there are `prompt_tokens` and `completion_tokens`
        on_error:         "raise" fails the batch with the first request that fails. With "null" its answer is null, and
            `error_column` says why; what no other request could change, such as a key, raises
        concurrency:      requests of one call that are under way together
        limits:           of this actor alone, unless they are shared: Limits(…, shared="redis://…")
        client:           settings of the client
        params:           arguments of the calls: temperature, max_tokens, timeout, …

        Raises:
            ConfigurationError: a setting is wrong, or a key is no `Secret`.
        """
        self._column = (prompt_column, "prompt_column")
        if messages_column is not None:
            self._column = (messages_column, "messages_column")
        self._system = system
        self._output_column = output_column
        self._finish_reason_column = finish_reason_column
        self._response_column = response_column
        self._usage_columns = usage_columns
        super().__init__(
            model,
            on_error=on_error,
            error_column=error_column,
            concurrency=concurrency,
            limits=limits,
            client=client,
            params=params,
        )

    def __call__(self, batch: Batch) -> Batch:
        """The batch with its answers, in its own format.

        Raises:
            InvalidRequestError: the column of prompts is not there.
            OneLLMError: requests failed, and `on_error` is "raise"; or all would.
        """
        given = sheet(batch)
        if not given.names:  # an empty block of Ray's has no columns
            return batch
        asked = [self._request(value) for value in column(given, *self._column)]
        with self._client.chat.completions.map(
            asked,
            model=self._model,
            concurrency=self._concurrency,
            on_error="raise" if self._on_error == "raise" else "skip",
            **cast("ChatParams", self._params),
        ) as answers:
            results = list(answers)
        added = {self._output_column: given.texts([_content(result) for result in results])}
        if self._finish_reason_column is not None:
            added[self._finish_reason_column] = given.texts([_finish_reason(result) for result in results])
        if self._usage_columns:
            usages = [None if result.response is None else result.response.usage for result in results]
            added["prompt_tokens"] = given.counts([None if usage is None else usage.prompt_tokens for usage in usages])
            added["completion_tokens"] = given.counts(
                [None if usage is None else usage.completion_tokens for usage in usages]
            )
        if self._response_column is not None:
            added[self._response_column] = given.texts([_whole(result) for result in results])
        errors = [None if result.error is None else str(result.error) for result in results]
        return cast("Batch", self._added(given, added, errors))

    def _request(self, value: Any) -> ChatRequestParam:
        """A request; what is none goes on, and comes back with what is wrong with it."""
        if self._column[1] == "messages_column" and isinstance(value, str):
            try:
                value = _decode(value)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return cast("ChatRequestParam", None)
        if self._system is None or not isinstance(value, str | list):
            return cast("ChatRequestParam", value)
        said = [{"role": "user", "content": value}] if isinstance(value, str) else cast("list[object]", value)
        return [{"role": "system", "content": self._system}, *said]


def _content(result: ChatResult) -> str | None:
    choices = result.response.choices if result.response is not None else []
    return choices[0].message.content if choices else None


def _finish_reason(result: ChatResult) -> str | None:
    choices = result.response.choices if result.response is not None else []
    return choices[0].finish_reason if choices else None


def _whole(result: ChatResult) -> str | None:
    return None if result.response is None else _encode(result.response.to_dict()).decode()


def _revealed(given: object, name: str = "") -> object:
    """Settings with their secrets in the clear.

    Raises:
        ConfigurationError: a key is a text that anybody may have seen by now.
    """
    if isinstance(given, Secret):
        return given.reveal()
    if isinstance(given, Mapping):
        settings = cast("Mapping[str, object]", given)
        return {key: _revealed(value, key) for key, value in settings.items()}
    if isinstance(given, list | tuple):
        return [_revealed(value, name) for value in cast("Sequence[object]", given)]
    if name in _KEYS and isinstance(given, str):
        raise ConfigurationError(
            f"client: {name} is a text, which Ray shows: give Secret(key), or set the key's variable where actors run"
        )
    return given
