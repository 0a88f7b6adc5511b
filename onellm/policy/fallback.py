"""Falling back: which errors another model may not have, and what is said when all have failed."""

from collections.abc import Collection, Iterator, Sequence
from typing import cast

from onellm.errors import (
    APIConnectionError,
    AuthenticationError,
    CircuitOpenError,
    ClientClosedError,
    ConfigurationError,
    ConflictError,
    ContentFilterError,
    ContextLengthExceededError,
    DeadlineExceededError,
    FallbackError,
    InternalServerError,
    NotFoundError,
    OneLLMError,
    PermissionDeniedError,
    RateLimitError,
    RequestTimeoutError,
    ResponseDecodeError,
    UnsupportedFeatureError,
)
from onellm.types.files import FilePath, InputFile, OneShot, Source
from onellm.types.request import Request

# What lies with the provider, and not with what it was asked.
_OF_THE_PROVIDER = (
    APIConnectionError,
    AuthenticationError,
    CircuitOpenError,
    ConflictError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestTimeoutError,
    ResponseDecodeError,
)
# What lies with a provider that nobody chose for this very call.
_OF_ONE_OF_SEVERAL = (*_OF_THE_PROVIDER, ConfigurationError, UnsupportedFeatureError)


def falls(exc: OneLLMError, *, also_on: Collection[str], place: int, chosen: bool) -> bool:
    """Whether another model may be asked after this error.

    place:   of the model that raised it, from 0
    chosen:  whether the first was named by the call; of a route, each stands for the others
    """
    if isinstance(exc, DeadlineExceededError | ClientClosedError):
        return False
    if isinstance(exc, ContentFilterError):
        return "content_filter" in also_on
    if place > 0:  # what the first was not blamed for, the next may still take
        return True
    if isinstance(exc, ContextLengthExceededError):
        return "context_length" in also_on
    return isinstance(exc, _OF_THE_PROVIDER if chosen else _OF_ONE_OF_SEVERAL)


def spent(request: Request | None) -> bool:
    """Whether a file of the request gives its bytes once, and has begun to."""
    return any(isinstance(source, OneShot) and source.begun for source in _sources(request))


def one_reader(request: Request | None) -> bool:
    """Whether a file of the request is one that two cannot read at once."""
    return any(not isinstance(source, bytes | bytearray | memoryview | FilePath) for source in _sources(request))


def _sources(request: Request | None) -> Iterator[Source]:
    for name in request.__struct_fields__ if request is not None else ():
        value: object = getattr(request, name)
        for each in cast("list[object]", value) if isinstance(value, list) else [value]:
            if isinstance(each, InputFile):
                yield each.source


def all_failed(errors: Sequence[OneLLMError]) -> FallbackError:
    """One error for all of them."""
    lines = "\n".join(f"  {type(exc).__name__}: {exc}" for exc in errors)
    error = FallbackError(f"none of {len(errors)} models could answer:\n{lines}")
    error.errors = tuple(errors)
    waits = [exc.retry_after for exc in errors if exc.retry_after is not None]
    error.retry_after = min(waits, default=None)
    return error
