"""What every received type can do: give back what was received, as people who come from `openai` type it."""

import copy
import json
import pickle
from typing import Any

import pytest
from openai.types import CreateEmbeddingResponse as TheirEmbeddings
from openai.types import Model as TheirModel
from openai.types.chat import ChatCompletion as TheirCompletion
from openai.types.chat import ChatCompletionChunk as TheirChunk
from openai.types.chat import ChatCompletionMessage as TheirMessage
from wire.chat_completions import ANSWER, STREAM, TOOL_ANSWER, TOOL_STREAM, dump, embeddings, model, whole

from onellm.dialects.openai.chat import OpenAIChat
from onellm.dialects.openai.embeddings import OpenAIEmbeddings
from onellm.dialects.openai.models import OpenAIModels
from onellm.types.base import Answer
from onellm.types.chat import ChatCompletion, ChatCompletionChunk
from onellm.types.chat_params import ChatRequest
from onellm.types.embeddings import EmbeddingsRequest

REQUEST = ChatRequest(provider="here", model="m", messages=[], params={})
CUSTOM_ANSWER = whole(
    {"content": None, "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "sh", "input": "ls"}}]}
)


def read(body: bytes) -> ChatCompletion:
    return OpenAIChat().decode_response(body, REQUEST)


def chunks(stream: list[bytes]) -> list[ChatCompletionChunk]:
    return list(OpenAIChat().reducer(REQUEST, max_event_bytes=1 << 20).feed(b"".join(stream)))


def extended(body: bytes) -> dict[str, Any]:
    """An answer with fields at every depth that nobody knows, some of them null, one with a name of ours."""
    value: dict[str, Any] = json.loads(body)
    value |= {"provider": "upstream", "raw": 1, "x": {"y": [None]}, "nothing": None}
    value["usage"]["cost"] = 0.25
    value["choices"][0] |= {"native_finish_reason": "STOP", "seed": None}
    value["choices"][0]["message"]["images"] = [{"url": "u"}]
    return value


def holds(whole_: Any, part: Any) -> bool:
    """Whether everything in `part` stands at its place in `whole_`; a null may be missing."""
    if isinstance(part, dict):
        return isinstance(whole_, dict) and all(
            holds(whole_.get(key), value) for key, value in part.items() if value is not None
        )
    if isinstance(part, list):
        return isinstance(whole_, list) and len(whole_) == len(part) and all(map(holds, whole_, part))
    return bool(whole_ == part)


@pytest.mark.parametrize("body", [ANSWER, TOOL_ANSWER, CUSTOM_ANSWER], ids=["text", "tools", "custom"])
def test_to_dict_gives_back_what_was_received(body: bytes) -> None:
    received = extended(body)
    given = read(dump(received)).to_dict()
    assert holds(given, received)
    assert given["x"] == {"y": [None]}
    assert given["provider"] == "upstream"
    assert given["choices"][0]["finish_reason_raw"] == received["choices"][0]["finish_reason"]


def test_to_dict_keeps_the_hosts_own_words() -> None:
    reply = read(whole({"content": "x"}, "eos"))
    assert reply.choices[0].finish_reason == "stop"
    assert reply.to_dict()["choices"][0]["finish_reason"] == "eos"
    assert reply.model_dump()["choices"][0]["finish_reason"] == "stop"


def test_model_extra_is_what_the_type_does_not_name() -> None:
    reply = read(dump(extended(ANSWER)))
    assert reply.model_extra == {"provider": "upstream", "raw": 1, "x": {"y": [None]}, "nothing": None}
    assert reply.provider == ""
    assert reply.raw == dump(extended(ANSWER))
    assert read(ANSWER).model_extra == {}
    assert Answer().model_extra == {}


def same_keys(ours: Any, theirs: Any, path: str = "$") -> None:
    """Every key that openai's dump has, ours has, with the same value; ours may have more."""
    if isinstance(theirs, dict):
        assert set(theirs) <= set(ours), (path, set(theirs) - set(ours))
        for key, value in theirs.items():
            same_keys(ours[key], value, f"{path}.{key}")
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs), path
        for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            same_keys(one, other, f"{path}[{place}]")
    else:
        assert ours == theirs, path


LOGPROBS = {"content": [{"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}], "refusal": None}
ANSWERS = {
    "text": ANSWER,
    "tools": TOOL_ANSWER,
    "custom": CUSTOM_ANSWER,
    "logprobs": whole({"content": "a"}, logprobs=LOGPROBS),
    "unknown fields": dump(extended(ANSWER)),
    "audio": whole({"content": None, "audio": {"id": "a", "data": "AA==", "expires_at": 1, "transcript": "x"}}),
    "function": whole({"content": None, "function_call": {"name": "f", "arguments": "{}"}}, "function_call"),
    "annotations": whole(
        {
            "content": "a",
            "annotations": [
                {
                    "type": "url_citation",
                    "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1},
                }
            ],
        }
    ),
}


@pytest.mark.parametrize("body", ANSWERS.values(), ids=ANSWERS)
def test_model_dump_is_as_openais(body: bytes) -> None:
    theirs = TheirCompletion.model_validate_json(body)
    same_keys(read(body).model_dump(), theirs.model_dump(exclude_unset=True))
    same_keys(read(body).model_dump(exclude_none=True), theirs.model_dump(exclude_none=True))
    same_keys(json.loads(read(body).model_dump_json()), json.loads(theirs.model_dump_json(exclude_unset=True)))
    assert "null" not in read(body).model_dump_json(exclude_none=True).replace("[null]", "")


@pytest.mark.parametrize("stream", [STREAM, TOOL_STREAM], ids=["text", "tools"])
def test_the_dump_of_a_chunk_is_as_openais(stream: list[bytes]) -> None:
    for chunk in chunks(stream):
        theirs = TheirChunk.model_validate_json(chunk.raw)
        same_keys(chunk.model_dump(), theirs.model_dump(exclude_unset=True))
        assert holds(chunk.to_dict(), json.loads(chunk.raw))


def test_the_dump_of_embeddings_and_models_is_as_openais() -> None:
    body = embeddings([[0.5, 1.0], [2.0, -1.0]], base64_=False)
    request = EmbeddingsRequest(provider="here", model="m", input=["a", "b"], params={})
    reply = OpenAIEmbeddings().decode_response(body, request)
    same_keys(reply.model_dump(), TheirEmbeddings.model_validate_json(body).model_dump())
    assert reply.to_dict() == json.loads(body)
    assert json.loads(reply.model_dump_json()) == json.loads(body)
    found = OpenAIModels().decode_retrieve(model())
    same_keys(found.model_dump(), TheirModel.model_validate_json(model()).model_dump(exclude_unset=True))


def test_model_dump_has_the_fields_of_openais_types() -> None:
    """Also those that a body does not have, as None: `dump["usage"]` is no KeyError."""
    dumped = read(dump({"id": "x", "choices": [{"message": {"content": "a"}}]})).model_dump()
    assert {"id", "choices", "created", "model", "object", "service_tier", "system_fingerprint", "usage"} <= set(dumped)
    assert {"finish_reason", "index", "logprobs", "message"} <= set(dumped["choices"][0])
    names = set(TheirMessage.model_fields)
    assert names <= set(dumped["choices"][0]["message"])


def test_indentation() -> None:
    assert read(ANSWER).model_dump_json(indent=2).startswith('{\n  "')
    assert "\n" not in read(ANSWER).model_dump_json()


def test_the_repr_shows_the_answer_and_not_the_body() -> None:
    reply = read(ANSWER)
    reply.provider = "here"
    shown = repr(reply)
    assert shown.startswith("ChatCompletion(")
    assert "raw=b" not in shown
    assert "provider='here'" in shown
    assert "finish_reason='stop'" in shown
    assert "service_tier" not in repr(read(dump({"choices": [{}]})))


@pytest.mark.parametrize("body", ANSWERS.values(), ids=ANSWERS)
def test_answers_copy_and_pickle(body: bytes) -> None:
    reply = read(body)
    reply.provider, reply.request_id, reply.adjustments = "here", "r", ("left out x",)
    for twin in (copy.deepcopy(reply), pickle.loads(pickle.dumps(reply))):  # noqa: S301 - our own bytes
        assert twin == reply
        assert (twin.provider, twin.request_id, twin.adjustments, twin.raw) == ("here", "r", ("left out x",), body)


def test_no_body_can_fill_our_own_fields_by_their_names() -> None:
    body = dump({"choices": [], "provider": "evil", "request_id": "evil", "raw": "eA==", "adjustments": ["evil"]})
    reply = read(body)
    assert (reply.provider, reply.request_id, reply.adjustments, reply.raw) == ("", None, (), body)
