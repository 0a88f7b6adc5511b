"""What Bedrock calls its errors, by HTTP and inside a stream.

https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html and the exceptions of each operation there
"""

from collections.abc import Mapping

import msgspec

from onellm.dialects import errors
from onellm.dialects.lenient import DECODE_ERRORS
from onellm.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InternalServerError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    RequestTimeoutError,
    ResponseDecodeError,
)
from onellm.transport.eventstream import EventStreamMessage

CODES: dict[str, type[APIStatusError]] = {
    "AccessDeniedException": PermissionDeniedError,
    "ConflictException": ConflictError,
    "ExpiredTokenException": AuthenticationError,
    "IncompleteSignatureException": AuthenticationError,
    "InternalServerException": InternalServerError,
    "InvalidSignatureException": AuthenticationError,
    "MissingAuthenticationTokenException": AuthenticationError,
    "ModelErrorException": InternalServerError,  # the model failed, behind a 424
    "ModelNotReadyException": RateLimitError,  # the model is being loaded; a 429
    "ModelStreamErrorException": InternalServerError,
    "ModelTimeoutException": RequestTimeoutError,
    "ResourceNotFoundException": NotFoundError,
    "ServiceQuotaExceededException": QuotaExceededError,
    "ServiceUnavailableException": OverloadedError,
    "ThrottlingException": RateLimitError,
    "UnrecognizedClientException": AuthenticationError,
    "ValidationException": BadRequestError,
    "IncompleteSignature": AuthenticationError,  # these three without the ending, as other services of Amazon's do
    "InvalidClientTokenId": AuthenticationError,
    "MissingAuthenticationToken": AuthenticationError,
}
# The statuses that they have outside a stream.
_STATUS = {
    "InternalServerException": 500,
    "ModelStreamErrorException": 424,
    "ModelTimeoutException": 408,
    "ServiceUnavailableException": 503,
    "ThrottlingException": 429,
    "ValidationException": 400,
}


def decode_error(status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
    return errors.decode_error(status, headers, body, now=now, codes=CODES)


def from_frame(message: EventStreamMessage) -> APIStatusError:
    """The exception of a frame that is one: its name begins with a small letter there."""
    name = message.headers.get(":exception-type") or message.headers.get(":error-code") or ""
    name = str(name)
    code = name[:1].upper() + name[1:]
    said = str(message.headers.get(":error-message") or "") or errors.parse_error(message.payload).message
    cls = CODES.get(code, InternalServerError)
    return cls(
        said or f"{code or 'an error'} without an explanation",
        status_code=_STATUS.get(code, 500),
        code=code or None,
        body=message.payload,
    )


def not_an_answer(body: bytes, what: str) -> APIStatusError | ResponseDecodeError:
    """The exception for a body with status 200 that is not what it should be."""
    try:
        value = msgspec.json.decode(body)
    except DECODE_ERRORS as exc:
        return ResponseDecodeError(f"not {what}: {exc}", body=body)
    match value:
        case {"__type": str()} | {"message": str()} | {"Message": str()}:
            return decode_error(200, {}, body, now=0.0)
        case _:
            return ResponseDecodeError(f"not {what}", body=body)
