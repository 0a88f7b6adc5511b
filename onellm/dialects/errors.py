"""One tolerant parser for error bodies; hosts agree on almost nothing.

The shapes, in the order in which they are tried:

     1  {"error": {"message", "type", "param", "code"}}      OpenAI and most others; code may be a number
     2  {"error": "text" | ["text"]}, with "code", "error_type" or "type" beside it; and "estimated_time", in seconds,
        where a model is being loaded
     3  [{"error": {...}}]                                    a JSON array around shape 1
     4  {"object": "error", "message", "type", "param", "code"}
     5  {"message", "type", "param", "code"}
     6  {"detail": "text" | [{"loc", "msg"}] | {"error": "text"}}
     7  {"title", "status", "detail", "type"}                 problem+json
     8  {"base_resp": {"status_code", "status_msg"}}          inside HTTP 200; 0 is no error
     9  {"success": false, "errors": [{"code", "message"}]}
    10  {"message": "text"}, {"Message": "text"}, with "__type" beside it or the code in the header `x-amzn-errortype`
    11  HTML, plain text, or nothing

In an answer with status 200 it is an error that `is_error` finds.
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

import math
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
from msgspec import Struct

from onellm.dialects.lenient import DECODE_ERRORS
from onellm.errors import APIStatusError, api_error_class

_LONGEST_TEXT = 500
_DURATION = r"^(\d+(?:\.\d+)?)s$"
# A gateway's own id goes before that of what stands behind it: the gateway's support is who asks for it.
_REQUEST_ID_HEADERS = (
    "apim-request-id",
    "x-request-id",
    "request-id",
    "x-amzn-requestid",
    "x-debug-trace-id",
    "cf-ray",
)


class ErrorInfo(Struct, kw_only=True):
    """What an error body says. status is the one the body names, which inside a 200 is all there is."""

    message: str = ""
    code: str | None = None
    type: str | None = None
    param: str | None = None
    status: int | None = None
    retry_after: float | None = None


def decode_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: float,
    codes: Mapping[str, type[APIStatusError]] | None = None,
) -> APIStatusError:
    """The exception for an answer with an error status, or for an error inside a 200.

    headers are looked up in lower case; now is Unix time, for a `Retry-After` that is a date; codes is the
    dialect's own table, which goes before the shared one; a status may stand in it too, as text.
    """
    info = parse_error(body)
    if info.code is None and (named := headers.get("x-amzn-errortype")):
        info.code = named.partition(":")[0]
    known_status = status if status >= 300 else info.status  # noqa: PLR2004 - redirects are not followed: errors too
    said = (info.code, info.type, str(known_status or ""))
    cls = api_error_class(known_status, said, codes)
    error = cls(
        info.message or f"HTTP {known_status or status} without an explanation",
        status_code=known_status or status,
        code=info.code,
        type=info.type,
        param=info.param,
        request_id=request_id(headers),
        retry_after=_retry_after(headers, now) if info.retry_after is None else info.retry_after,
        body=body,
    )
    match headers.get("x-should-retry"):
        case "true":
            error.retryable = True
        case "false":
            error.retryable = False
        case _:
            pass
    return error


def request_id(headers: Mapping[str, str]) -> str | None:
    """The provider's id of the request, under any of its names."""
    for name in _REQUEST_ID_HEADERS:
        if value := headers.get(name):
            return value
    return None


def parse_error(body: bytes) -> ErrorInfo:
    """What a body says, whatever its shape."""
    try:
        value = msgspec.json.decode(body)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, dict):
            return _parse_object(value)
    except DECODE_ERRORS:
        value = None
    return ErrorInfo(message=value if isinstance(value, str) else _text(body))


def is_error(value: Any) -> bool:
    """Whether the JSON of an answer with status 200 is an error all the same."""
    if isinstance(value, list) and value:
        value = value[0]
    match value:
        case {"error": error} if error:
            return True
        case {"object": "error"} | {"success": False, "errors": [_, *_]}:
            return True
        case {"base_resp": {"status_code": int() as code}}:
            return code != 0
        case _:
            return False


def _parse_object(value: dict[str, Any]) -> ErrorInfo:  # noqa: C901 - a shape a case
    match value:
        case {"error": dict() as error}:
            info = _parse_fields(error)
            if info.code is None:
                info.code = _code(value.get("code"))
            if info.status is None:
                info.status = _status(value.get("status_code"))
            info.type = info.type or _str(value.get("error_type"))
        case {"error": str() as message}:
            info = ErrorInfo(message=message, code=_code(value.get("code")))
            info.type = _str(value.get("error_type")) or _str(value.get("type"))
            info.status = _status(value.get("code")) or _status(value.get("status"))
            info.retry_after = _seconds(value.get("estimated_time"))
        case {"error": list() as errors}:
            info = ErrorInfo(message="; ".join(_violation(item) for item in errors))
        case {"base_resp": {"status_code": int() as code, **rest}}:
            info = ErrorInfo(message=str(rest.get("status_msg") or ""), code=str(code))
        case {"errors": [dict() as error, *_]}:
            info = _parse_fields(error)
        case {"detail": dict() as detail}:
            info = _parse_object(detail)
        case {"detail": list() as details}:
            info = ErrorInfo(message="; ".join(_violation(item) for item in details))
        case {"detail": detail}:
            info = _parse_fields({**value, "message": detail or value.get("title")})
            info.type = _str(value.get("title"))
        case _:
            info = _parse_fields(value)
    if not info.message:
        info.message = _json(value)
    return info


def _parse_fields(error: dict[str, Any]) -> ErrorInfo:
    message = error.get("message", error.get("Message"))
    if isinstance(message, dict):  # a validation report where the text should be
        message = _parse_object(message).message
    metadata = error.get("metadata")
    details = error.get("details")
    return ErrorInfo(
        message=message if isinstance(message, str) else "" if message is None else _json(message),
        code=_code(error.get("code"))
        or _str(error.get("status"))
        or _shape(error.get("__type"))
        or (_str(details.get("error_code")) if isinstance(details, dict) else None),
        type=_str(error.get("type"))
        or _str(error.get("error_type"))
        or (_str(metadata.get("error_type")) if isinstance(metadata, dict) else None)
        or (_reason(details) if isinstance(details, list) else None)
        or _inner_code(error),
        param=_str(error.get("param")),
        status=_status(error.get("code")) or _status(error.get("status")) or _status(error.get("status_code")),
        retry_after=_retry_info(details) if isinstance(details, list) else None,
    )


def _code(value: Any) -> str | None:
    """A code that says more than the status does."""
    if isinstance(value, int | float):
        return None if isinstance(value, bool) or _status(value) else str(value)
    return value if isinstance(value, str) and value and not _status(value) else None


def _status(value: Any) -> int | None:
    if isinstance(value, str) and len(value) == 3 and value.isdecimal():  # noqa: PLR2004 - so long is a status
        value = int(value)
    return int(value) if isinstance(value, int | float) and 400 <= value < 600 else None  # noqa: PLR2004 - HTTP errors


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value < math.inf else None


def _str(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _shape(value: Any) -> str | None:
    """The name of a shape, such as "com.example#ThrottlingException"."""
    return (_str(value) or "").rpartition("#")[2] or None


def _violation(item: Any) -> str:
    match item:
        case {"loc": list() as loc, "msg": str() as message}:
            return f"{'.'.join(map(str, loc))}: {message}"
        case {"msg": str() as message}:
            return message
        case str() as message:
            return message
        case _:
            return _json(item)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()[:_LONGEST_TEXT]


def _inner_code(error: dict[str, Any]) -> str | None:
    """The finer code of `{"code": …, "innererror": {"code": "ResponsibleAIPolicyViolation", …}}`, under either name."""
    for name in ("innererror", "inner_error"):
        match error.get(name):
            case {"code": str() as code} if code:
                return code
            case _:
                pass
    return None


def _reason(details: list[Any]) -> str | None:
    """google.rpc.ErrorInfo: `{"@type": "…ErrorInfo", "reason": "API_KEY_INVALID"}`, where the code is a broad one.

    Of google.rpc.QuotaFailure, `{"violations": [{"quotaId": "…PerDay…"}]}`, that the quota is one of a day.
    """
    for detail in details:
        match detail:
            case {"violations": [*violations]} if any(map(_of_a_day, violations)):
                return "PerDay"
            case {"reason": str() as reason} if reason:
                return reason
            case _:
                pass
    return None


def _of_a_day(violation: Any) -> bool:
    match violation:
        case {"quotaId": str() as quota}:
            return "PerDay" in quota
        case _:
            return False


def _retry_info(details: list[Any]) -> float | None:
    """google.rpc.RetryInfo: `{"@type": "…RetryInfo", "retryDelay": "58s"}`, in seconds."""
    for detail in details:
        match detail:
            case {"retryDelay": str() as delay} if duration := re.match(_DURATION, delay):
                return float(duration[1])
            case _:
                pass
    return None


def _retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds from `retry-after-ms` or `Retry-After`, which is seconds or an HTTP date (RFC 9110 § 10.2.3)."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / unit
        except (KeyError, ValueError):
            continue
        return max(0.0, seconds) if math.isfinite(seconds) else None
    try:
        date = parsedate_to_datetime(headers["retry-after"])
        return max(0.0, date.replace(tzinfo=date.tzinfo or UTC).timestamp() - now)
    except (KeyError, ValueError, OverflowError):
        return None


def _text(body: bytes) -> str:
    """The readable part of a body that is not JSON."""
    text = body[: 4 * _LONGEST_TEXT].decode("utf-8", "replace")
    if "<" in text and (title := re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)):
        text = title[1]
    return " ".join(text.split())[:_LONGEST_TEXT]
