"""Embeddings, base64 and floats: bytes in, float32 vectors out, in the order of the inputs."""

import base64
import json
import struct
from array import array
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire.chat_completions import VECTORS, dump, embeddings

from onellm.dialects.openai.embeddings import OpenAIEmbeddings
from onellm.errors import (
    BadRequestError,
    InvalidRequestError,
    OneLLMError,
    RateLimitError,
    ResponseDecodeError,
    UnsupportedParameterError,
)
from onellm.types.embeddings import CreateEmbeddingResponse, EmbeddingsRequest

DIALECT = OpenAIEmbeddings()


def asking(*texts: str, single: bool = False, **given: Any) -> EmbeddingsRequest:
    options = {name: given.pop(name) for name in ("extra_body", "on_unsupported") if name in given}
    return EmbeddingsRequest(
        provider="here",
        model="vendor/e-1",
        input=list(texts) or ["a", "b", "c"],
        single=single,
        params=given,
        **options,
    )


def read(body: bytes, *texts: str) -> CreateEmbeddingResponse:
    return DIALECT.decode_response(body, asking(*texts))


def vectors(reply: CreateEmbeddingResponse) -> list[list[float]]:
    return [list(item.embedding) for item in reply.data]


def reordered(body: bytes, order: list[int], **more: Any) -> bytes:
    value = json.loads(body)
    return dump({**value, "data": [value["data"][place] for place in order], **more})


@pytest.mark.parametrize("base64_", [True, False])
def test_vectors_in_base64_and_as_floats_are_the_same(base64_: bool) -> None:
    reply = read(embeddings(VECTORS, base64_=base64_))
    assert vectors(reply) == VECTORS
    assert [item.index for item in reply.data] == [0, 1, 2]
    assert (reply.model, reply.usage.prompt_tokens, reply.usage.total_tokens) == ("text-embedding-3-small", 5, 5)
    assert reply.raw == embeddings(VECTORS, base64_=base64_)
    matrix = reply.to_numpy()
    assert matrix.dtype == np.dtype("float32")
    assert matrix.tolist() == VECTORS


def test_a_vector_is_float32_and_a_buffer() -> None:
    vector = read(embeddings(VECTORS)).data[0].embedding
    assert isinstance(vector, array)
    assert (vector.typecode, memoryview(vector).itemsize) == ("f", 4)
    assert np.shares_memory(np.asarray(vector), np.asarray(memoryview(vector)))


@given(st.lists(st.lists(st.floats(width=32), min_size=1, max_size=5), min_size=1, max_size=5), st.randoms())
def test_any_floats_in_any_order(given_: list[list[float]], random: Any) -> None:
    """Bit for bit, infinities and NaN included; in the order of the inputs however they come."""
    order = list(range(len(given_)))
    random.shuffle(order)
    reply = read(reordered(embeddings(given_), order), *["x"] * len(given_))
    assert [item.embedding.tobytes() for item in reply.data] == [array("f", vector).tobytes() for vector in given_]


def test_little_endian_is_what_is_read() -> None:
    body = dump({"data": [{"embedding": base64.b64encode(struct.pack("<2f", 1.5, -2.0)).decode(), "index": 0}]})
    assert vectors(read(body, "a")) == [[1.5, -2.0]]


@pytest.mark.parametrize("index", [None, 0, 7, 0.0])
def test_a_host_without_indexes_sends_in_order(index: object) -> None:
    """No index, or the same with each, says nothing: the order does."""
    value = json.loads(embeddings(VECTORS))
    for item in value["data"]:
        item["index"] = index
    reply = read(dump(value))
    assert vectors(reply) == VECTORS
    assert [item.index for item in reply.data] == [0, 1, 2]


@pytest.mark.parametrize("indexes", [[0, 0, 1], [1, 2, 3], [0, 1, None], [0, -1, 1], [0, 1, 10**9]])
def test_indexes_that_leave_a_doubt(indexes: list[int | None]) -> None:
    """A vector given to the wrong text would never be noticed."""
    value = json.loads(embeddings(VECTORS))
    for item, index in zip(value["data"], indexes, strict=True):
        item["index"] = index
    with pytest.raises(ResponseDecodeError, match="indexes of 3 vectors"):
        read(dump(value))


@pytest.mark.parametrize("count", [0, 2, 4])
def test_a_wrong_count_is_an_error(count: int) -> None:
    with pytest.raises(ResponseDecodeError, match=f"^{count} vectors came for 3 inputs"):
        read(embeddings([[1.0]] * count))


@pytest.mark.parametrize(
    "vector",
    ["AAAA", "AAAAAAA=", "AAAAgA", "!!", "", [], None, 5, [1, None], ["x"], {"float": [1.0]}],
    ids=repr,
)
def test_what_is_no_vector(vector: object) -> None:
    """Three bytes, five bytes, no padding, no base64, nothing, and other things."""
    with pytest.raises(ResponseDecodeError):
        read(dump({"data": [{"embedding": vector, "index": 0}]}), "a")


@pytest.mark.parametrize("body", [b"", b"{}", b'{"data":{}}', b"[]", b"<html>", b'{"data":[[0.5]]}', b"[" * 100_000])
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(ResponseDecodeError):
        read(body)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (None, (0, 0)),
        ({"prompt_tokens": 3.0, "total_tokens": None}, (3, 0)),
        ({"prompt_tokens": "x", "total_tokens": 4, "extra": {}}, (0, 4)),
        ([], (0, 0)),
    ],
)
def test_usage_and_model_may_be_missing_or_odd(usage: object, tokens: tuple[int, int]) -> None:
    reply = read(reordered(embeddings(VECTORS), [0, 1, 2], usage=usage, model=None))
    assert (reply.usage.prompt_tokens, reply.usage.total_tokens) == tokens
    assert (vectors(reply), reply.model) == (VECTORS, "")
    value = json.loads(embeddings(VECTORS))
    del value["usage"], value["model"]
    assert vectors(read(dump(value))) == VECTORS


def test_an_error_inside_a_200() -> None:
    with pytest.raises(RateLimitError, match="slow down"):
        read(dump({"error": {"message": "slow down", "code": 429}}))
    with pytest.raises(BadRequestError, match="bad"):
        read(dump({"data": [], "error": {"message": "bad", "type": "invalid_request_error"}}))
    assert type(DIALECT.decode_error(429, {}, b"", now=0.0)) is RateLimitError


@given(st.binary())
def test_any_bytes(body: bytes) -> None:
    with pytest.raises(OneLLMError):
        read(body)


# --- requests ---


def sent(request: EmbeddingsRequest, dialect: OpenAIEmbeddings = DIALECT) -> Any:
    http = dialect.encode_request(request)
    assert (http.method, http.path) == ("POST", "embeddings")
    assert http.body is not None
    return json.loads(http.body)


def test_a_request_asks_for_base64() -> None:
    assert sent(asking("a", "b", dimensions=4, user="u")) == {
        "model": "vendor/e-1",
        "input": ["a", "b"],
        "encoding_format": "base64",
        "dimensions": 4,
        "user": "u",
    }
    assert sent(asking("a", single=True))["input"] == "a"
    assert sent(asking("a", encoding_format="float"))["encoding_format"] == "float"
    assert sent(asking("a", extra_body={"input_type": "query"}))["input_type"] == "query"


def test_a_host_without_base64_is_not_asked_for_it() -> None:
    """What the caller gets is the same in either case, so this is no argument that is dropped."""
    plain = OpenAIEmbeddings(base64=False)
    assert "encoding_format" not in sent(asking("a"), plain)
    assert "encoding_format" not in sent(asking("a", encoding_format="base64"), plain)
    assert sent(asking("a", encoding_format="float"), plain)["encoding_format"] == "float"


def test_what_the_host_refuses() -> None:
    dialect = OpenAIEmbeddings(refuses={"dimensions": "its models have one size"})
    with pytest.raises(UnsupportedParameterError, match="one size") as caught:
        sent(asking("a", dimensions=4), dialect)
    assert caught.value.param == "dimensions"
    dropped = asking("a", dimensions=4, on_unsupported="drop")
    assert "dimensions" not in sent(dropped, dialect)
    assert dropped.adjustments == ["left out dimensions: its models have one size"]


def test_what_json_cannot_say() -> None:
    with pytest.raises(InvalidRequestError, match="cannot be written as JSON"):
        sent(asking("\ud800"))


def test_what_vectors_are_for_is_said_in_the_hosts_words() -> None:
    host = OpenAIEmbeddings(input_types={"query": "query", "document": "passage"})
    request = asking("a", input_type="document")
    assert json.loads(host.encode_request(request).body or b"")["input_type"] == "passage"
    with pytest.raises(UnsupportedParameterError, match="takes 'document', 'query'"):
        host.encode_request(asking("a", input_type="clustering"))
    with pytest.raises(UnsupportedParameterError, match="takes none"):
        OpenAIEmbeddings().encode_request(asking("a", input_type="query"))
