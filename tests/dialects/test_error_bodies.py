"""Error bodies of every shape that is known to occur, and of any other.

Bodies marked "real" are trimmed from recorded answers; the others are those of the provider's documentation.
"""

import time
from email.utils import formatdate
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from onellm.dialects.errors import ErrorInfo, decode_error, is_error, parse_error, request_id
from onellm.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ContextLengthExceededError,
    InternalServerError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    RequestTooLargeError,
    UnprocessableEntityError,
)

NOW = 1_700_000_000.0
I = ErrorInfo  # noqa: E741 - a table reads better so

# name: (status, body, what it says, its class)
SHAPES: dict[str, tuple[int, bytes, ErrorInfo, type[APIStatusError]]] = {
    "1 real, OpenAI": (
        400,
        (
            b'{"error": {"message": "Unsupported value: \'minimal\'", "type": "invalid_request_error",'
            b' "param": "reasoning.effort", "code": "unsupported_value"}}'
        ),
        I(
            message="Unsupported value: 'minimal'",
            code="unsupported_value",
            type="invalid_request_error",
            param="reasoning.effort",
        ),
        BadRequestError,
    ),
    "1 real, a number for a code": (
        429,
        b'{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"busy","provider_name":"X"}}}',
        I(message="Provider returned error", status=429),
        RateLimitError,
    ),
    "1 real, the type is the code": (
        401,
        b'{"error":{"message":"Invalid API key","type":"invalid_api_key","code":401}}',
        I(message="Invalid API key", type="invalid_api_key", status=401),
        AuthenticationError,
    ),
    "1 a number in text for a code": (
        429,
        b'{"error":{"code":"1113","message":"Insufficient balance"}}',
        I(message="Insufficient balance", code="1113"),
        RateLimitError,
    ),
    "1 a status in text for a code": (
        503,
        b'{"error":{"code":"503","message":"Loading model","type":"unavailable_error"}}',
        I(message="Loading model", type="unavailable_error", status=503),
        OverloadedError,
    ),
    "1 real, without a code": (
        404,
        b'{"type":"error","error":{"type":"not_found_error","message":"model: m"},"request_id":"req_1"}',
        I(message="model: m", type="not_found_error"),
        NotFoundError,
    ),
    "1 the type in the metadata": (
        502,
        b'{"error":{"code":502,"message":"gone","metadata":{"error_type":"provider_unavailable"}}}',
        I(message="gone", type="provider_unavailable", status=502),
        InternalServerError,
    ),
    "1 a code beside the object": (
        429,
        b'{"error":{"message":"wait"},"code":"too_many","status_code":429}',
        I(message="wait", code="too_many", status=429),
        RateLimitError,
    ),
    "1 a code that everybody knows": (
        400,
        b'{"error":{"code":"context_length_exceeded","message":"too long","type":"invalid_request_error"}}',
        I(message="too long", code="context_length_exceeded", type="invalid_request_error"),
        ContextLengthExceededError,
    ),
    "1 the type says it": (
        400,
        b'{"error":{"code":400,"message":"too long","type":"exceed_context_size_error","n_ctx":512}}',
        I(message="too long", type="exceed_context_size_error", status=400),
        ContextLengthExceededError,
    ),
    "2 text": (401, b'{"error":"Unauthorized"}', I(message="Unauthorized"), AuthenticationError),
    "2 text and its type": (
        422,
        b'{"error":"`inputs` is empty","error_type":"validation"}',
        I(message="`inputs` is empty", type="validation"),
        UnprocessableEntityError,
    ),
    "2 real, text and code": (
        400,
        b'{"code":"Client specified an invalid argument","error":"Incorrect API key provided"}',
        I(message="Incorrect API key provided", code="Client specified an invalid argument"),
        BadRequestError,
    ),
    "3 real, in an array": (
        400,
        (
            b'[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":'
            b'[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}]'
        ),
        I(message="API key not valid.", code="INVALID_ARGUMENT", type="API_KEY_INVALID", status=400),
        AuthenticationError,
    ),
    "3 with a RetryInfo": (
        429,
        (
            b'[{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"x"},'
            b'{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"58s"}]}}]'
        ),
        I(message="quota", code="RESOURCE_EXHAUSTED", status=429, retry_after=58.0),
        RateLimitError,
    ),
    "4 flat": (
        400,
        b'{"object":"error","message":"bad","type":"invalid_request_invalid_args","param":null,"code":"1500"}',
        I(message="bad", code="1500", type="invalid_request_invalid_args"),
        BadRequestError,
    ),
    "4 flat, a report for a message": (
        422,
        (
            b'{"object":"error","message":{"detail":[{"type":"missing","loc":["body","model"],"msg":"Field missing"}]},'
            b'"type":"invalid_request_error","code":null}'
        ),
        I(message="body.model: Field missing", type="invalid_request_error"),
        UnprocessableEntityError,
    ),
    "5 real, flat": (
        401,
        b'{"code":"wrong_api_key","message":"Wrong API Key","param":"api_key","type":"invalid_request_error"}',
        I(message="Wrong API Key", code="wrong_api_key", type="invalid_request_error", param="api_key"),
        AuthenticationError,
    ),
    "5 flat with error_type": (
        413,
        b'{"message":"batch size 64 > 32","code":413,"error_type":"Validation"}',
        I(message="batch size 64 > 32", type="Validation", status=413),
        RequestTooLargeError,
    ),
    "6 real, detail": (422, b'{"detail":"No such thing"}', I(message="No such thing"), UnprocessableEntityError),
    "6 violations": (
        422,
        b'{"detail":[{"loc":["body","n",0],"msg":"not a number"},{"msg":"wrong"},"odd",{"x":1}]}',
        I(message='body.n.0: not a number; wrong; odd; {"x":1}'),
        UnprocessableEntityError,
    ),
    "6 an error in the detail": (
        429,
        b'{"detail":{"error":"Model busy"}}',
        I(message="Model busy"),
        RateLimitError,
    ),
    "7 real, problem+json": (
        422,
        b'{"detail":"- Additional property model is not allowed\\n","status":422,"title":"Input validation failed"}',
        I(message="- Additional property model is not allowed\n", type="Input validation failed", status=422),
        UnprocessableEntityError,
    ),
    "7 only a title": (
        402,
        b'{"title":"Insufficient credit","status":402,"detail":null}',
        I(message="Insufficient credit", type="Insufficient credit", status=402),
        QuotaExceededError,
    ),
    "8 base_resp": (
        200,
        b'{"base_resp":{"status_code":1004,"status_msg":"login fail"}}',
        I(message="login fail", code="1004"),
        InternalServerError,
    ),
    "9 success is false": (
        403,
        b'{"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"messages":[],"result":null}',
        I(message="Authentication error", code="10000"),
        PermissionDeniedError,
    ),
    "10 real, a message": (
        403,
        b'{"message":"The security token included in the request is invalid."}',
        I(message="The security token included in the request is invalid."),
        PermissionDeniedError,
    ),
    "11 real, HTML": (
        401,
        b"<html>\r\n<head><title>401 Authorization\r\n Required</title></head>\r\n<body>no</body></html>",
        I(message="401 Authorization Required"),
        AuthenticationError,
    ),
    "11 HTML without a title": (502, b"<h1>Bad\n gateway</h1>", I(message="<h1>Bad gateway</h1>"), InternalServerError),
    "11 real, plain text": (
        408,
        b"upstream request timeout\n",
        I(message="upstream request timeout"),
        APIStatusError,
    ),
    "11 not utf-8": (500, b"\xff\xfe no", I(message="\ufffd\ufffd no"), InternalServerError),
    "11 nothing": (404, b"", I(message=""), NotFoundError),
}


@pytest.mark.parametrize(("status", "body", "info", "cls"), SHAPES.values(), ids=SHAPES)
def test_the_shapes(status: int, body: bytes, info: ErrorInfo, cls: type[APIStatusError]) -> None:
    assert parse_error(body) == info
    error = decode_error(status, {}, body, now=NOW)
    assert isinstance(error, cls)
    assert (error.status_code, error.code, error.type, error.param) == (status, info.code, info.type, info.param)
    assert error.raw == body
    assert error.retry_after == info.retry_after
    assert error.message == (info.message or f"HTTP {status} without an explanation")


ODD: dict[str, tuple[bytes, ErrorInfo]] = {
    "an empty object": (b"{}", I(message="{}")),
    "an empty list": (b"[]", I(message="[]")),
    "a list in a list": (b"[[1]]", I(message="[[1]]")),
    "a list of text": (b'["no"]', I(message="no")),
    "text": (b'"no"', I(message="no")),
    "a number": (b"5", I(message="5")),
    "null": (b"null", I(message="null")),
    "an empty error": (b'{"error":{}}', I(message='{"error":{}}')),
    "a bool for an error": (b'{"error":true,"message":"no"}', I(message="no")),
    "a bool for a code": (b'{"error":{"message":"no","code":true}}', I(message="no")),
    "a float for a code": (b'{"error":{"message":"no","code":429.0}}', I(message="no", status=429)),
    "a list for a message": (b'{"error":{"message":["a",1]}}', I(message='["a",1]')),
    "a number for a message": (b'{"message":7}', I(message="7")),
    "numbers for texts": (b'{"error":{"message":"no","type":1,"param":2,"status":3,"code":[]}}', I(message="no")),
    "text for details": (b'{"error":{"message":"no","details":"x","metadata":"y"}}', I(message="no")),
    "odd details": (
        b'{"error":{"message":"no","details":[1,{"retryDelay":5},{"retryDelay":"soon"}]}}',
        I(message="no"),
    ),
    "a number for a detail": (b'{"detail":5}', I(message="5")),
    "odd base_resp": (b'{"base_resp":{"status_code":"1"},"message":"no"}', I(message="no")),
    "odd errors": (b'{"errors":["no"]}', I(message='{"errors":["no"]}')),
    "a status far too long": (
        b'{"error":{"message":"no","code":"' + b"9" * 5000 + b'"}}',
        I(message="no", code="9" * 5000),
    ),
    "a number far too large": (b'{"code":' + b"9" * 5000 + b"}", I(message='{"code":' + "9" * 492)),
    "cut": (b'{"error":{"mess', I(message='{"error":{"mess')),
}


@pytest.mark.parametrize(("body", "info"), ODD.values(), ids=ODD)
def test_odd_bodies(body: bytes, info: ErrorInfo) -> None:
    """Wrong types anywhere are no reason to fail: what can be read is."""
    assert parse_error(body) == info


@pytest.mark.parametrize("nesting", [(b"[", b"]"), (b'{"detail":', b"}"), (b'{"error":', b"}"), (b'{"message":', b"}")])
@pytest.mark.parametrize("depth", [300, 900, 100_000])
def test_deep_nesting_is_text(nesting: tuple[bytes, bytes], depth: int) -> None:
    body = nesting[0] * depth + b"1" + nesting[1] * depth
    assert parse_error(body).message


def test_a_page_of_any_size_gives_a_short_message() -> None:
    assert len(parse_error(b"x" * 10_000_000).message) == 500
    assert len(parse_error(b'{"x":"' + b"y" * 10_000 + b'"}').message) == 500


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "error",
                    "errors",
                    "message",
                    "detail",
                    "details",
                    "code",
                    "type",
                    "param",
                    "status",
                    "title",
                    "status_code",
                    "error_type",
                    "base_resp",
                    "status_msg",
                    "metadata",
                    "retryDelay",
                    "loc",
                    "msg",
                    "object",
                    "success",
                    "reason",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
headers = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-ms", "x-request-id", "x-should-retry"]), st.text()
)


def assert_sound(body: bytes, status: int, sent: dict[str, str]) -> None:
    info = parse_error(body)
    assert isinstance(info.message, str)
    assert all(value is None or (isinstance(value, str) and value) for value in (info.code, info.type, info.param))
    assert info.status is None or 400 <= info.status < 600
    error = decode_error(status, sent, body, now=NOW)
    assert isinstance(error, APIStatusError)
    assert error.message
    assert error.retry_after is None or 0 <= error.retry_after < float("inf")


@given(json_values, st.sampled_from([200, 302, 400, 429, 500]), headers)
def test_any_json_is_read(value: Any, status: int, sent: dict[str, str]) -> None:
    """Whatever the JSON, there is a message and an exception, and nothing is raised."""
    assert_sound(msgspec.json.encode(value), status, sent)
    assert is_error(value) in (True, False)


@given(st.binary(), st.sampled_from([200, 400, 503]), headers)
@example(b'{"message":"\\ud800"}', 400, {})
def test_any_bytes_are_read(body: bytes, status: int, sent: dict[str, str]) -> None:
    assert_sound(body, status, sent)


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "-1"}, 0.0),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after-ms": "x", "retry-after": "2"}, 2.0),
        ({"retry-after": formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(NOW - 30, usegmt=True)}, 0.0),
        ({"retry-after": "Tuesday, 14-Nov-23 22:13:50 GMT"}, 30.0),  # RFC 9110's two old forms of a date
        ({"retry-after": "Tue Nov 14 22:13:50 2023"}, 30.0),
        ({"retry-after": "Tue, 14 Nov 2023 23:13:50 +0100"}, 30.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 -0000"}, 30.0),
        ({"retry-after": "Tue, 14 Nov 99999 22:13:50 GMT"}, None),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 +99999999999"}, None),
    ],
)
def test_retry_after(sent: dict[str, str], seconds: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds, milliseconds and all three forms of an HTTP date, which is UTC wherever we are."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert decode_error(429, sent, b"", now=NOW).retry_after == seconds
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(("delay", "seconds"), [("58s", 58.0), ("0.5s", 0.5), ("1m", None), ("s", None), ("-1s", None)])
def test_retry_info(delay: str, seconds: float | None) -> None:
    """google.rpc.RetryInfo goes before the header; what is no duration leaves it to the header."""
    body = msgspec.json.encode({"error": {"message": "no", "details": [{"retryDelay": delay}]}})
    assert decode_error(429, {}, body, now=NOW).retry_after == seconds
    assert decode_error(429, {"retry-after": "7"}, body, now=NOW).retry_after == (7.0 if seconds is None else seconds)


@pytest.mark.parametrize(
    ("name", "value"),
    [("x-request-id", "a"), ("request-id", "b"), ("x-amzn-requestid", "c"), ("apim-request-id", "d"), ("cf-ray", "e")],
)
def test_request_ids(name: str, value: str) -> None:
    assert request_id({name: value, "date": "x"}) == value
    assert decode_error(500, {name: value}, b"", now=NOW).request_id == value
    assert request_id({name: ""}) is None


def test_the_providers_own_word_on_retrying() -> None:
    assert decode_error(400, {"x-should-retry": "true"}, b"", now=NOW).retryable
    assert not decode_error(500, {"x-should-retry": "false"}, b"", now=NOW).retryable
    assert decode_error(500, {"x-should-retry": "maybe"}, b"", now=NOW).retryable
    assert not BadRequestError.retryable
    assert InternalServerError.retryable


@pytest.mark.parametrize("status", [300, 301, 302, 307, 308])
def test_a_redirect_is_an_error_that_is_not_retried(status: int) -> None:
    """Redirects are not followed with credentials; asking again would be redirected again."""
    error = decode_error(status, {"location": "https://example.com"}, b"", now=NOW)
    assert (type(error), error.status_code, error.retryable) == (APIStatusError, status, False)


@pytest.mark.parametrize(
    ("body", "cls"),
    [
        (b'{"error":{"message":"busy","code":429}}', RateLimitError),
        (b'{"error":{"message":"busy","type":"overloaded_error"}}', OverloadedError),
        (b'{"error":{"message":"no","type":"invalid_request_error"}}', BadRequestError),
        (b'{"error":{"message":"no"},"status_code":413}', RequestTooLargeError),
        (b'{"error":"no"}', InternalServerError),
    ],
)
def test_an_error_inside_a_200_is_what_its_status_would_have_been(body: bytes, cls: type[APIStatusError]) -> None:
    assert type(decode_error(200, {}, body, now=NOW)) is cls


def test_a_dialects_own_codes() -> None:
    body = b'{"error":{"code":"1113","message":"no balance"}}'
    assert type(decode_error(429, {}, body, now=NOW, codes={"1113": QuotaExceededError})) is QuotaExceededError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"error": {"message": "x"}}, True),
        ({"error": "x"}, True),
        ([{"error": {"code": 400}}], True),
        ({"object": "error", "message": "x"}, True),
        ({"base_resp": {"status_code": 1004}}, True),
        ({"success": False, "errors": [{"code": 1}]}, True),
        ({"base_resp": {"status_code": 0}}, False),
        ({"success": False, "errors": []}, False),
        ({"error": None}, False),
        ({"error": ""}, False),
        ({"error": {}}, False),
        ({"id": "x"}, False),
        ([], False),
        ("error", False),
        (None, False),
    ],
)
def test_what_is_an_error_inside_a_200(value: object, expected: bool) -> None:
    assert is_error(value) is expected
