"""What a failure says about the input, and what becomes of it."""

import inspect

from onellm.errors import (
    APIConnectionError,
    BadRequestError,
    CircuitOpenError,
    ConflictError,
    FallbackError,
    InternalServerError,
    InvalidRequestError,
    OneLLMError,
    QuotaExceededError,
    RateLimitError,
    RequestTimeoutError,
    RequestTooLargeError,
    ResponseDecodeError,
    UnprocessableEntityError,
    UnsupportedFeatureError,
)
from onellm.types.pipelines import OnError, PipelineFailure

_OF_THE_INPUT = (BadRequestError, UnprocessableEntityError, RequestTooLargeError, ResponseDecodeError)
_PASSING = (
    APIConnectionError,
    CircuitOpenError,
    RequestTimeoutError,
    ConflictError,
    RateLimitError,
    InternalServerError,
)


def blames_input(exc: OneLLMError) -> bool:
    """Whether another input could do better: the request is malformed, too large, or answered by nonsense."""
    if isinstance(exc, FallbackError):
        return all(map(blames_input, exc.errors))
    return isinstance(exc, _OF_THE_INPUT)


def may_pass(exc: OneLLMError) -> bool:
    """Whether the same input could do better later; what else fails is a wrong key or model, and ends a pipeline."""
    if isinstance(exc, FallbackError):
        return any(map(may_pass, exc.errors))
    return isinstance(exc, _PASSING) and not isinstance(exc, QuotaExceededError)


def located(exc: OneLLMError, what: str) -> OneLLMError:
    """The error with the input's place in front of its message."""
    exc.message = f"{what}: {exc.message}"
    exc.args = (exc.message,)
    return exc


def is_final(exc: OneLLMError) -> bool:
    """Whether asking again could only end the same way, so that a checkpoint may hold it."""
    return blames_input(exc) or isinstance(exc, InvalidRequestError | UnsupportedFeatureError)


async def handle(failures: list[PipelineFailure], on_error: OnError, name: str) -> None:
    """Raise the first, pass over them, or tell a function.

    Raises:
        OneLLMError: with "raise"; its message begins with the place, such as `inputs[7]`.
    """
    if on_error == "raise" and failures:
        raise located(failures[0].error, f"{name}[{failures[0].index}]")
    if callable(on_error):
        for failure in failures:
            said = on_error(failure)
            if inspect.isawaitable(said):
                await said
