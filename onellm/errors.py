"""Every exception that OneLLM raises.

    OneLLMError
    ├── UsageError                        fix the call; nothing was sent
    │   ├── ConfigurationError            a setting is wrong or unsafe
    │   │   ├── MissingKeyError           no API key was found
    │   │   └── MissingDependencyError    an extra is not installed
    │   ├── InvalidRequestError           an argument is wrong; the message has its path
    │   ├── CheckpointError               the checkpoint is of another run, or cannot be used
    │   ├── UnknownProviderError          no provider of that name
    │   ├── UnsupportedFeatureError       the provider lacks the operation
    │   │   └── UnsupportedParameterError the provider cannot express the argument
    │   └── ClientClosedError             the client was closed before the call
    └── APIError
        ├── MaxTurnsError                 a run of tools came to no end
        ├── CircuitOpenError              not sent: the model has failed again and again of late
        ├── CacheUnavailableError         a cache cannot be reached; calls are made without it
        ├── FallbackError                 all that could have answered have failed; `errors` has each
        ├── APIConnectionError            no whole answer arrived
        │   ├── APITimeoutError           a time limit ran out; `phase` says which
        │   │   └── DeadlineExceededError the time for all of a call ran out; `phase` says in what
        │   └── StreamInterruptedError    a stream ended before its end was announced
        ├── ResponseDecodeError           the answer is not what its dialect documents
        │   └── ResponseValidationError   what the model wrote does not fit the type that was asked for
        └── APIStatusError                the provider answered and refused
            ├── BadRequestError                 400
            │   ├── ContextLengthExceededError  more tokens than the model takes
            │   └── ContentFilterError          refused for what it says
            ├── AuthenticationError             401
            ├── PermissionDeniedError           403
            ├── NotFoundError                   404
            ├── RequestTimeoutError             408, 504, 524
            ├── ConflictError                   409
            ├── RequestTooLargeError            413
            ├── UnprocessableEntityError        422
            ├── RateLimitError                  429
            │   └── QuotaExceededError          402, or a 429 that no waiting ends
            └── InternalServerError             5xx
                └── OverloadedError             498, 503, 529: the provider is busy

Names are those of the `openai` package where it has one. `retryable` belongs to the class: whether the
same call may succeed later. An instance differs from its class only where the provider said so itself
(`x-should-retry`).
"""

from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Phase = Literal["queue", "connect", "first_byte", "idle", "total", "retry_wait"]


class OneLLMError(Exception):
    """The root of the tree.

    message:      what happened and what to do
    provider:     the provider's name, or None where no provider was involved
    model:        the provider's own model id
    status_code:  the HTTP status, or None where there was none
    code:         the provider's machine-readable code
    type, param:  the other two fields of OpenAI's error object
    request_id:   the provider's id of the request, for its support desk
    retry_after:  seconds that the provider asked to wait
    raw:          the error body as received
    headers:      of the answer, looked up by names in any case, cookies left out; empty where there was none
    """

    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        model: str | None = None,
        status_code: int | None = None,
        code: str | None = None,
        type: str | None = None,  # noqa: A002 - OpenAI's name
        param: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        body: bytes = b"",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.provider = provider
        self.model = model
        self.status_code = status_code
        self.code = code
        self.type = type
        self.param = param
        self.request_id = request_id
        self.retry_after = retry_after
        self.raw = body
        self.headers: Mapping[str, str] = {}

    @property
    def body(self) -> Any:
        """The body as `openai`'s errors have it: the decoded error object, a text where it is no JSON, or None."""
        if not self.raw:
            return None
        try:
            decoded: Any = msgspec.json.decode(self.raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self.raw.decode("utf-8", "replace")
        match decoded:
            case {"error": inner}:
                return inner
            case _:
                return decoded

    @property
    def response(self) -> "ErrorResponse | None":
        """The answer that refused, for what was written for `openai`'s errors; None where there was none."""
        return None if self.status_code is None else ErrorResponse(self.status_code, self.headers, self.raw)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message), self.__dict__

    def __str__(self) -> str:
        where = "/".join(part for part in (self.provider, self.model) if part)
        facts = [
            str(fact)
            for fact in (self.status_code, self.code, self.request_id and f"request {self.request_id}")
            if fact is not None
        ]
        text = f"{where}: {self.message}" if where else self.message
        return f"{text} ({', '.join(facts)})" if facts else text


class ErrorResponse:
    """An answer that refused. Headers are looked up by names in any case."""

    def __init__(self, status_code: int, headers: "Mapping[str, str]", content: bytes) -> None:
        self.status_code = status_code
        self.headers = headers
        self.content = content

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as plain Python values.

        Raises:
            ValueError: it is no JSON.
        """
        return msgspec.json.decode(self.content)


def _rebuild(cls: type[OneLLMError], message: str) -> OneLLMError:
    return cls(message)


class UsageError(OneLLMError):
    """The call is wrong; nothing was sent."""


class ConfigurationError(UsageError):
    """A setting is wrong or unsafe."""


class MissingKeyError(ConfigurationError):
    """No API key was found for a provider that needs one."""


class MissingDependencyError(ConfigurationError):
    """An optional package is not installed."""


class InvalidRequestError(UsageError):
    """An argument is wrong; the message begins with its path, such as `messages[2].content[0].type`."""


class CheckpointError(UsageError):
    """The checkpoint of a pipeline is of another run, or cannot be used; says why."""


class UnknownProviderError(UsageError):
    """No provider of that name is registered."""


class UnsupportedFeatureError(UsageError):
    """The provider does not have the operation."""


class UnsupportedParameterError(UnsupportedFeatureError):
    """The provider cannot express an argument; `param` names it. `on_unsupported="drop"` leaves it out.

    feature:  the flag of a provider that stands for it, such as "vision_support", where one does
    """

    feature: str | None = None


class ClientClosedError(UsageError):
    """The client was closed before the call."""


class APIError(OneLLMError):
    """The request was sent, or tried."""


class MaxTurnsError(APIError):
    """The model still called tools when the turns of a run were used up; `run.messages` is the conversation."""


class CacheUnavailableError(APIError):
    """A cache cannot be reached. Stores raise it; callers of a client do not see it, as calls are made without it."""


class CircuitOpenError(APIError):
    """Not sent: this model of this provider has failed again and again of late. `retry_after` is when it is tried."""


class FallbackError(APIError):
    """All that could have answered have failed; the message has a line for each.

    errors:  what each of them raised, in the order in which they were asked
    """

    errors: "tuple[OneLLMError, ...]" = ()


class APIConnectionError(APIError):
    """No whole answer arrived. `unsent` where there was no connection: the provider has seen nothing of the call."""

    retryable = True
    unsent: bool = False


class APITimeoutError(APIConnectionError):
    """A time limit ran out; `phase` is the one, such as "first_byte"; "queue" where it went by waiting for a turn."""

    phase: Phase | None = None


class DeadlineExceededError(APITimeoutError):
    """The call's `deadline` passed. `phase` is what it passed in: "queue" waiting for its turn, "connect",
    "first_byte", "idle" between two reads of a stream, "retry_wait" with no time left to wait for another attempt,
    whose error is then the `__cause__`, or "total" where the provider does not say.
    """

    retryable = False


class StreamInterruptedError(APIConnectionError):
    """A stream ended before the event that ends it."""


class ResponseDecodeError(APIError):
    """The answer is not what its dialect documents."""


class ResponseValidationError(ResponseDecodeError):
    """What the model wrote does not fit the type that was asked for; the message has the path, `raw` the text."""


class APIStatusError(APIError):
    """The provider answered with an error."""


class BadRequestError(APIStatusError):
    """400: the request is malformed or asks for what the model cannot do."""


class ContextLengthExceededError(BadRequestError):
    """The prompt, or prompt and answer together, hold more tokens than the model takes."""


class ContentFilterError(BadRequestError):
    """The provider's safety system refused the request."""

    @property
    def inner_error(self) -> "dict[str, Any]":
        """What the error says further inside, under `innererror` or `inner_error`; {} where it does not."""
        said = self._said()
        return _dict(said.get("innererror")) or _dict(said.get("inner_error"))

    @property
    def content_filter_results(self) -> "dict[str, Any]":
        """What each filter found, by category, such as {"hate": {"filtered": True, "severity": "high"}}; {} where
        the provider does not say."""
        for place in (self.inner_error, self._said()):
            for name in ("content_filter_result", "content_filter_results"):
                if found := _dict(place.get(name)):
                    return found
        return {}

    def _said(self) -> "dict[str, Any]":
        return _dict(self.body)


def _dict(value: object) -> "dict[str, Any]":
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType] - JSON


class AuthenticationError(APIStatusError):
    """401: the key is missing, wrong or revoked."""


class PermissionDeniedError(APIStatusError):
    """403: the key is valid but may not do this."""


class NotFoundError(APIStatusError):
    """404: no such model, file or path."""


class RequestTimeoutError(APIStatusError):
    """408, 504, 524: the provider, or something in front of it, gave up waiting."""

    retryable = True


class ConflictError(APIStatusError):
    """409: the resource is being changed by somebody else."""

    retryable = True


class RequestTooLargeError(APIStatusError):
    """413: the body is larger than the provider takes."""


class UnprocessableEntityError(APIStatusError):
    """422: the request is well formed and cannot be carried out."""


class RateLimitError(APIStatusError):
    """429: too many requests or tokens; `retry_after` says how long to wait where the provider does."""

    retryable = True


class QuotaExceededError(RateLimitError):
    """The account has no credit or quota left; waiting does not help."""

    retryable = False


class InternalServerError(APIStatusError):
    """5xx: the provider failed."""

    retryable = True


class OverloadedError(InternalServerError):
    """498, 503, 529 and the codes that say so: the provider is too busy."""


STATUS: "dict[int, type[APIStatusError]]" = {
    400: BadRequestError,
    401: AuthenticationError,
    402: QuotaExceededError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: RequestTimeoutError,
    409: ConflictError,
    413: RequestTooLargeError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    498: OverloadedError,
    503: OverloadedError,
    504: RequestTimeoutError,
    524: RequestTimeoutError,
    529: OverloadedError,
}

# Codes and types that several providers share; a dialect's own table goes before this one.
CODE: "dict[str, type[APIStatusError]]" = {
    "context_length_exceeded": ContextLengthExceededError,
    "exceed_context_size_error": ContextLengthExceededError,
    "content_filter": ContentFilterError,
    "content_policy_violation": ContentFilterError,
    "contentFilter": ContentFilterError,
    "ResponsibleAIPolicyViolation": ContentFilterError,
    "moderation_blocked": ContentFilterError,
    "insufficient_quota": QuotaExceededError,
    "PerDay": QuotaExceededError,  # in the id of a quota of google.rpc's that is counted by the day
    "billing_hard_limit_reached": QuotaExceededError,
    "invalid_api_key": AuthenticationError,
    "API_KEY_INVALID": AuthenticationError,
    "rate_limit_exceeded": RateLimitError,
    "model_not_found": NotFoundError,
    "overloaded_error": OverloadedError,
    "server_error": InternalServerError,
}

# Types that are too broad to go before a status, and that decide where there is none: inside a 200.
WITHOUT_STATUS: "dict[str, type[APIStatusError]]" = {
    "invalid_request_error": BadRequestError,
    "BadRequestError": BadRequestError,
    "authentication_error": AuthenticationError,
    "permission_error": PermissionDeniedError,
    "not_found_error": NotFoundError,
    "NotFoundError": NotFoundError,
    "rate_limit_error": RateLimitError,
    "requests": RateLimitError,
    "tokens": RateLimitError,
}


def api_error_class(
    status: int | None,
    codes: "Iterable[str | None]",
    table: "Mapping[str, type[APIStatusError]] | None" = None,
) -> type[APIStatusError]:
    """The class for a refusal: by the provider's machine-readable codes, then by status.

    codes are tried in their order, first in the dialect's own table. status is None for an error inside a 200
    that names no status of its own; what then remains unknown failed after it began: `InternalServerError`.
    """
    given = [code for code in codes if code]
    for known in (table or {}, CODE, {} if status else WITHOUT_STATUS):
        for code in given:
            if code in known:
                return known[code]
    if status is None or status >= 500:  # noqa: PLR2004 - the HTTP boundary
        return STATUS.get(status or 500, InternalServerError)
    return STATUS.get(status, APIStatusError)
