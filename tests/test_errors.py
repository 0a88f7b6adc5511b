"""The exception tree: as its module draws it, whole after pickling, and sorted by code before status."""

import copy
import inspect
import pickle
import re

import pytest

import onellm
from onellm import errors
from onellm.errors import (
    APIError,
    APIStatusError,
    APITimeoutError,
    OneLLMError,
    QuotaExceededError,
    RateLimitError,
    api_error_class,
)

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, OneLLMError) and value.__module__ == errors.__name__
}
every_class = pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)

FACTS = {
    "provider": "groq",
    "model": "llama-3.3-70b",
    "status_code": 429,
    "code": "rate_limit_exceeded",
    "type": "tokens",
    "param": "messages",
    "request_id": "req_1",
    "retry_after": 1.5,
    "body": b'{"error": {}}',
}


def drawn() -> dict[str, str | None]:
    """Each class of the docstring's tree with the class above it."""
    parents: dict[str, str | None] = {}
    above: list[str] = []
    for line in inspect.getdoc(errors).splitlines():  # type: ignore[union-attr]
        if node := re.match(r"^ {4}((?:[│ ] {3})*)([├└]── )?([A-Z]\w+Error)\b", line):
            depth = len(node[1]) // 4 + bool(node[2])
            del above[depth:]
            parents[node[3]] = above[-1] if above else None
            above.append(node[3])
    return parents


def test_the_drawing_is_the_tree() -> None:
    """Every class stands in the docstring, under the class it inherits from, and nothing else does."""
    tree = {name: None if cls is OneLLMError else cls.__bases__[0].__name__ for name, cls in CLASSES.items()}
    assert drawn() == tree
    assert len(tree) > 20


@every_class
def test_every_class_is_exported(cls: type[OneLLMError]) -> None:
    assert cls.__name__ in onellm.__all__
    assert getattr(onellm, cls.__name__) is cls


@every_class
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_errors_pickle_with_all_fields(cls: type[OneLLMError], protocol: int) -> None:
    """What crosses to another process says all that it said here, also what was set on the instance later."""
    error = cls("too fast", **FACTS)  # type: ignore[arg-type]
    error.retryable = not cls.retryable
    error.add_note("seen in a test")
    if isinstance(error, APITimeoutError):
        error.phase = "idle"
    twin = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301 - our own bytes
    assert type(twin) is cls
    assert vars(twin) == vars(error)
    assert {**FACTS, "raw": FACTS["body"], "body": {}}.items() == {n: getattr(twin, n) for n in (*FACTS, "raw")}.items()
    assert (str(twin), twin.args, twin.retryable) == (str(error), error.args, error.retryable)
    assert vars(copy.deepcopy(error)) == vars(error)


def test_the_phase_of_a_timeout_pickles() -> None:
    error = APITimeoutError("slow")
    error.phase = "first_byte"
    assert pickle.loads(pickle.dumps(error)).phase == "first_byte"  # noqa: S301 - our own bytes
    assert pickle.loads(pickle.dumps(APITimeoutError("slow"))).phase is None  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "no"),
        ({"provider": "groq"}, "groq: no"),
        ({"provider": "groq", "model": "openai/gpt-oss-20b"}, "groq/openai/gpt-oss-20b: no"),
        ({"model": "m", "code": "c"}, "m: no (c)"),
        ({"status_code": 500, "request_id": "r"}, "no (500, request r)"),
        (FACTS, "groq/llama-3.3-70b: no (429, rate_limit_exceeded, request req_1)"),
    ],
)
def test_str_says_where_and_what(given: dict[str, object], text: str) -> None:
    assert str(OneLLMError("no", **given)) == text  # type: ignore[arg-type]


@pytest.mark.parametrize("status", sorted(errors.STATUS))
def test_the_status_decides_where_no_code_does(status: int) -> None:
    assert api_error_class(status, ("unheard_of", None, "")) is errors.STATUS[status]


@pytest.mark.parametrize("code", sorted(errors.CODE))
@pytest.mark.parametrize("status", [None, 400, 403, 429, 500])
def test_the_code_goes_before_the_status(code: str, status: int | None) -> None:
    assert api_error_class(status, (None, code)) is errors.CODE[code]


def test_the_dialects_own_codes_go_first() -> None:
    table = {"insufficient_quota": RateLimitError}
    assert api_error_class(429, ("insufficient_quota",), table) is RateLimitError
    assert api_error_class(429, ("insufficient_quota",)) is QuotaExceededError
    assert api_error_class(429, ("mine", "insufficient_quota"), {"mine": errors.ConflictError}) is errors.ConflictError


def test_a_type_that_is_too_broad_decides_only_without_a_status() -> None:
    assert api_error_class(404, ("invalid_request_error",)) is errors.NotFoundError
    assert api_error_class(None, ("invalid_request_error",)) is errors.BadRequestError


def test_what_is_unknown() -> None:
    assert api_error_class(None, ()) is errors.InternalServerError
    assert api_error_class(599, ()) is errors.InternalServerError
    assert api_error_class(418, ()) is APIStatusError
    assert api_error_class(302, ()) is APIStatusError


def test_what_may_pass_is_retryable() -> None:
    """The classes whose call may succeed later; a spent quota is not among them although it is a 429."""
    retryable = {name for name, cls in CLASSES.items() if cls.retryable}
    assert retryable == {
        "APIConnectionError",
        "APITimeoutError",
        "ConflictError",
        "InternalServerError",
        "OverloadedError",
        "RateLimitError",
        "RequestTimeoutError",
        "StreamInterruptedError",
    }
    assert issubclass(QuotaExceededError, RateLimitError)
    assert not QuotaExceededError.retryable


def test_nothing_was_sent_or_something_was() -> None:
    """Every class but the roots says whether a request left: it is a UsageError or an APIError."""
    for cls in CLASSES.values():
        assert cls is OneLLMError or issubclass(cls, errors.UsageError) != issubclass(cls, APIError)


BODIES: dict[str, tuple[bytes, object]] = {
    "an error object": (b'{"error": {"message": "no", "code": "c"}}', {"message": "no", "code": "c"}),
    "an object without one": (b'{"detail": "no"}', {"detail": "no"}),
    "a list": (b"[1]", [1]),
    "a text": (b"<html>\xff", "<html>\ufffd"),
    "too deep": (b"[" * 100_000, "[" * 100_000),
    "nothing": (b"", None),
}


@pytest.mark.parametrize(("raw", "body"), BODIES.values(), ids=BODIES)
def test_the_body_is_decoded_as_openais_errors_have_it(raw: bytes, body: object) -> None:
    """What an `except` clause written for `openai` takes apart; the bytes stand beside it."""
    error = APIStatusError("no", body=raw, status_code=400)
    assert (error.body, error.raw) == (body, raw)


def test_the_response_is_there_where_there_was_one() -> None:
    error = APIStatusError("no", body=b'{"error": 1}', status_code=400)
    error.headers = {"retry-after": "1"}
    assert error.response is not None
    assert (error.response.status_code, error.response.headers["retry-after"]) == (400, "1")
    assert (error.response.text, error.response.json()) == ('{"error": 1}', {"error": 1})
    assert APITimeoutError("slow").response is None
