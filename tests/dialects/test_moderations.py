"""Moderations without a socket: bytes in, values out."""

import copy
import json
import pickle
from typing import Any

import pytest
from wire.moderations import MISTRAL, OPENAI

from onellm import BadRequestError, ResponseDecodeError, UnsupportedParameterError
from onellm.dialects.openai.moderations import OpenAIModerations
from onellm.types.moderations import ByCategory, ModerationRequest

DIALECT = OpenAIModerations()
TEXTS_ONLY = OpenAIModerations(takes_parts=False)
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


def ask(given: Any = "I want to kill them.", **fields: Any) -> ModerationRequest:
    return ModerationRequest(provider="here", model=fields.pop("model", "m"), input=given, **fields)


def sent(dialect: OpenAIModerations, request: ModerationRequest) -> Any:
    encoded = dialect.encode_request(request)
    assert encoded.body is not None
    return json.loads(encoded.body)


def test_categories_have_the_providers_names() -> None:
    """By name with its slashes, and by the attribute that `openai` has for it."""
    reply = DIALECT.decode_response(json.dumps(OPENAI).encode(), ask())
    result = reply.results[0]
    assert result.flagged
    assert result.categories["hate/threatening"] is True
    assert result.categories.hate_threatening is True
    assert result.categories.self_harm_intent is False
    assert result.category_scores["violence"] == result.category_scores.violence == 0.994572103023529
    assert result.category_applied_input_types is not None
    assert result.category_applied_input_types.sexual_minors == []
    assert list(result.categories) == list(OPENAI["results"][0]["categories"])
    assert reply.to_dict() == OPENAI
    assert json.loads(reply.model_dump_json()) == OPENAI


def test_a_provider_that_does_not_say_flagged() -> None:
    """Its input is flagged if any of its categories is."""
    reply = DIALECT.decode_response(json.dumps(MISTRAL).encode(), ask())
    assert reply.results[0].flagged
    assert reply.results[0].categories.hate_and_discrimination
    assert reply.results[0].category_applied_input_types is None
    clean = copy.deepcopy(MISTRAL)
    clean["results"][0]["categories"]["hate_and_discrimination"] = False
    assert not DIALECT.decode_response(json.dumps(clean).encode(), ask()).results[0].flagged


def test_null_is_absent() -> None:
    """Older models have no value for newer categories."""
    wire = {"results": [{"flagged": False, "categories": {"hate": False, "illicit": None}, "category_scores": None}]}
    result = DIALECT.decode_response(json.dumps(wire).encode(), ask()).results[0]
    assert result.categories == {"hate": False}
    assert result.category_scores == {}


def test_category_that_does_not_exist() -> None:
    """A misspelling is an error that names those there are; what Python itself looks for is not taken for one."""
    categories = ByCategory({"hate": False, "self-harm": True})
    with pytest.raises(AttributeError, match="no category 'hat'; there are hate, self-harm"):
        _ = categories.hat
    with pytest.raises(KeyError):
        categories["self_harm"]
    for again in (copy.copy(categories), copy.deepcopy(categories), pickle.loads(pickle.dumps(categories))):  # noqa: S301 - our own
        assert again == categories
        assert again.self_harm is True


@pytest.mark.parametrize(
    "wire",
    [
        b"<html>",
        b"{}",
        b'{"results": []}',
        b'{"results": [{}]}',
        b'{"results": [{"categories": {}}]}',
        b'{"results": [{"categories": {"hate": "maybe"}}]}',
        b'{"results": [{"flagged": false}, {"flagged": false}]}',
    ],
)
def test_what_cannot_be_read_is_an_error_and_never_unflagged(wire: bytes) -> None:
    """Nothing said, something odd said, or said of other inputs."""
    with pytest.raises(ResponseDecodeError):
        DIALECT.decode_response(wire, ask())


def test_error_in_a_200_is_an_error() -> None:
    """A body that is an error is one, whatever its status."""
    with pytest.raises(BadRequestError):
        DIALECT.decode_response(b'{"error": {"message": "no", "type": "invalid_request_error"}}', ask())


def test_as_many_results_as_inputs() -> None:
    """Texts are judged one by one, parts together."""
    two = json.dumps({"results": [{"flagged": False}, {"flagged": True}]}).encode()
    assert [item.flagged for item in DIALECT.decode_response(two, ask(["a", "b"])).results] == [False, True]
    with pytest.raises(ResponseDecodeError, match="2 results came for 1 inputs"):
        DIALECT.decode_response(two, ask([{"type": "text", "text": "a"}, IMAGE]))


def test_request() -> None:
    """The input is sent as it is; no model leaves the choice to the host."""
    parts = [{"type": "text", "text": "a"}, IMAGE]
    assert sent(DIALECT, ask(parts)) == {"model": "m", "input": parts}
    assert sent(DIALECT, ask("a", model="", extra_body={"metadata": {"k": "v"}})) == {
        "input": "a",
        "metadata": {"k": "v"},
    }


def test_request_to_a_host_of_texts() -> None:
    """Text parts are one text. An image is never left out, whatever on_unsupported says: it would pass unseen."""
    assert sent(TEXTS_ONLY, ask("a"))["input"] == "a"
    assert sent(TEXTS_ONLY, ask(["a", "b"]))["input"] == ["a", "b"]
    assert sent(TEXTS_ONLY, ask([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]))["input"] == "a\nb"
    with pytest.raises(UnsupportedParameterError) as caught:
        TEXTS_ONLY.encode_request(ask([{"type": "text", "text": "a"}, IMAGE], on_unsupported="drop"))
    assert caught.value.param == "input"
