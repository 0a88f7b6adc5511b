"""Answers that do not fit their types: what does not fit is left out, the rest is kept."""

import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onellm.dialects.lenient import convert, decode_json, encode_json
from onellm.errors import InvalidRequestError, OneLLMError, ResponseDecodeError
from onellm.types.chat import ChatCompletion, ChatCompletionChunk


def completion(value: Any) -> ChatCompletion:
    return convert(value, ChatCompletion, "a chat completion")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"choices": None}, {"choices": []}),
        ({"choices": "x"}, {"choices": []}),
        ({"choices": [None, {"index": 1}]}, {"choices": [{"index": 1}]}),
        ({"id": 5, "created": None, "model": "m"}, {"model": "m"}),
        ({"created": 12.5}, {"created": 12.5}),
        ({"usage": {"prompt_tokens": 3.0, "total_tokens": "4"}}, {"usage": {"prompt_tokens": 3, "total_tokens": 4}}),
        ({"usage": {"prompt_tokens": 3.5}}, {"usage": {"prompt_tokens": 0}}),
        ({"usage": {"prompt_tokens": None, "completion_tokens": True}}, {"usage": {"total_tokens": 0}}),
        ({"choices": [{"message": None, "finish_reason": 3}]}, {"choices": [{"finish_reason": None}]}),
        (
            {"choices": [{"message": {"content": ["x"], "role": "assistant"}}]},
            {"choices": [{"message": {"content": None}}]},
        ),
        (
            {"choices": [{"message": {"tool_calls": [None, {"id": "a", "function": None}]}}]},
            {"choices": [{"message": {"tool_calls": [{"id": "a"}]}}]},
        ),
    ],
)
def test_what_does_not_fit_is_left_out(value: Any, expected: Any) -> None:
    assert completion(value) == msgspec.convert(expected, ChatCompletion)


def test_a_null_in_each_of_many_items() -> None:
    """Hosts send `top_logprobs: null` with each token; there is no limit to that."""
    tokens = [{"token": str(n), "logprob": -1.0, "top_logprobs": None, "bytes": None} for n in range(5000)]
    value = {"choices": [{"logprobs": {"content": tokens}}, {"logprobs": None}, {"logprobs": {"content": tokens[:2]}}]}
    before = time.process_time()
    reply = completion(value)
    assert time.process_time() - before < 1
    assert [len(choice.logprobs.content or ()) if choice.logprobs else 0 for choice in reply.choices] == [5000, 0, 2]
    assert reply.choices[0].logprobs is not None
    assert reply.choices[0].logprobs.content is not None
    assert reply.choices[0].logprobs.content[4999].token == "4999"
    assert reply.choices[0].logprobs.content[4999].top_logprobs == []


def test_more_than_can_be_mended() -> None:
    """A hundred different wrong values are no chat completion; finding them all would cost a pass each."""
    with pytest.raises(ResponseDecodeError, match="more than 64 fields do not fit"):
        completion({"choices": [{"index": "x"} for _ in range(100)]})


@pytest.mark.parametrize("value", [None, 1, "x", [], [{}]])
def test_no_object(value: Any) -> None:
    with pytest.raises(ResponseDecodeError, match="not a chat completion") as caught:
        completion(value)
    assert caught.value.raw == msgspec.json.encode(value)


def test_our_own_fields_cannot_be_sent() -> None:
    """A body with our names in it is odd, and no reason for a KeyError."""
    with pytest.raises(OneLLMError):
        completion({"onellm.request_id": 5, "choices": []})


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"\xff", b"[" * 100_000, b'{"a":NaN}', b"data: {}"])
def test_what_is_no_json(body: bytes) -> None:
    with pytest.raises(ResponseDecodeError, match="not a thing") as caught:
        decode_json(body, "a thing")
    assert caught.value.raw == body


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "index", "content", "tool_calls", "function", "usage", "logprobs", "id"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(json_values)
def test_any_json_is_read_or_refused(value: Any) -> None:
    """Nothing but our own error comes out, whatever goes in."""
    for kind in (ChatCompletion, ChatCompletionChunk):
        try:
            assert isinstance(convert(msgspec.json.decode(msgspec.json.encode(value)), kind, "it"), kind)
        except ResponseDecodeError:
            assert not isinstance(value, dict)


@pytest.mark.parametrize("value", [object(), "\ud800", {1: object()}, 1j])
def test_a_request_that_is_no_json(value: object) -> None:
    with pytest.raises(InvalidRequestError, match="cannot be written as JSON"):
        encode_json({"x": value})


def test_a_request_nested_too_deep() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(InvalidRequestError, match="cannot be written as JSON"):
        encode_json({"x": value})
    while value:  # or taking it down recurses
        value = value.pop()
