"""The list of models, in OpenAI's shape and in the shapes near it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire.chat_completions import MODEL_IDS, dump, model, models

from onellm.dialects.openai.models import OpenAIModels
from onellm.errors import AuthenticationError, NotFoundError, OneLLMError, ResponseDecodeError

DIALECT = OpenAIModels()


def test_the_list() -> None:
    first, second = DIALECT.decode_list(models())
    assert [first.id, second.id] == MODEL_IDS
    assert (first.created, first.owned_by, first.object) == (1686935002, "openai", "model")
    assert (first.model_extra, msgspec.json.decode(first.raw)["id"]) == ({"context": 128000}, MODEL_IDS[0])
    assert first.to_dict()["context"] == 128000


@pytest.mark.parametrize("value", [[{"id": "a"}], {"data": [{"id": "a"}]}, {"models": [{"id": "a"}]}])
def test_where_the_list_stands(value: Any) -> None:
    assert [item.id for item in DIALECT.decode_list(dump(value))] == ["a"]


@pytest.mark.parametrize(
    ("item", "id_", "created"),
    [
        ({"id": "a", "created": 5.5, "owned_by": None}, "a", 5.5),
        ({"id": "a", "created": "x"}, "a", 0),
        ({"id": None, "object": 3}, "", 0),
        ({}, "", 0),
    ],
)
def test_odd_models(item: Any, id_: str, created: float) -> None:
    (found,) = DIALECT.decode_list(dump([item]))
    assert (found.id, found.created) == (id_, created)
    assert msgspec.json.decode(found.raw) == item


def test_a_prefix_is_taken_off() -> None:
    dialect = OpenAIModels(prefix="models/")
    assert [item.id for item in dialect.decode_list(models("models/"))] == MODEL_IDS
    assert dialect.decode_retrieve(model("models/")).id == MODEL_IDS[0]
    assert dialect.decode_retrieve(model()).id == MODEL_IDS[0]


def test_one_model() -> None:
    found = DIALECT.decode_retrieve(model())
    assert (found.id, found.raw) == (MODEL_IDS[0], model())


@pytest.mark.parametrize("body", [b"", b"{}", b"5", b'{"data":5}', b'{"data":null}', b'["x"]', b"[[]]", b"[" * 100_000])
def test_what_is_no_list(body: bytes) -> None:
    with pytest.raises(ResponseDecodeError):
        DIALECT.decode_list(body)


def test_an_error_inside_a_200() -> None:
    body = dump({"error": {"message": "no key", "code": "invalid_api_key"}})
    for decode in (DIALECT.decode_list, DIALECT.decode_retrieve):
        with pytest.raises(AuthenticationError, match="no key"):
            decode(body)
    assert type(DIALECT.decode_error(404, {}, b"", now=0.0)) is NotFoundError


@given(st.binary())
def test_any_bytes(body: bytes) -> None:
    for decode in (DIALECT.decode_list, DIALECT.decode_retrieve):
        try:
            decode(body)
        except OneLLMError:
            continue
        assert isinstance(msgspec.json.decode(body), dict | list)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("gpt-5.4-mini", "models/gpt-5.4-mini"),
        ("vendor/model:free", "models/vendor/model:free"),
        ("a b?c#d%", "models/a%20b%3Fc%23d%25"),
    ],
)
def test_requests(name: str, path: str) -> None:
    assert DIALECT.encode_retrieve(name).path == path
    for http in (DIALECT.encode_retrieve(name), DIALECT.encode_list()):
        assert (http.method, http.body) == ("GET", None)
    assert OpenAIModels(path="v2/models").encode_list().path == "v2/models"
