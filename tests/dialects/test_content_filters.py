"""What content filters say: beside answers, in chunks of their own, in refusals.

The bytes are those of Azure's documentation, trimmed, and of recorded answers.
https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-streaming
"""

import json
import pickle
from typing import Any

import pytest
from loopback import sse
from wire.openai import STREAM, chunk

from onellm.dialects.errors import decode_error
from onellm.dialects.openai.chat import OpenAIChat
from onellm.dialects.openai.completions import OpenAICompletions
from onellm.errors import APIStatusError, BadRequestError, ContentFilterError, NotFoundError, RateLimitError
from onellm.types.chat import ChatCompletion, ChatCompletionChunk
from onellm.types.chat_params import ChatRequest
from onellm.types.completions import Completion, CompletionRequest

SAFE = {"hate": {"filtered": False, "severity": "safe"}}
MEDIUM = {"hate": {"filtered": True, "severity": "medium"}}
LOW = {"hate": {"filtered": False, "severity": "low"}}
PROTECTED = {"protected_material_text": {"filtered": False, "detected": True}}
FAILED = {"error": {"code": "content_filter_error", "message": "The contents are not filtered"}}
PROMPT = [{"prompt_index": 0, "content_filter_results": {**SAFE, "jailbreak": {"filtered": False, "detected": False}}}]
BLANK = {"id": "", "object": "", "created": 0, "model": ""}


def filtered(results: dict[str, Any], delta: dict[str, Any] | None = None, **changed: Any) -> dict[str, Any]:
    """A chunk with annotations; without a delta as the asynchronous filter sends it."""
    choice = {"index": 0, "finish_reason": None, "content_filter_results": results, **changed}
    if delta is None:
        offsets = {"check_offset": 44, "start_offset": 44, "end_offset": 198}
        return {**BLANK, "choices": [{**choice, "content_filter_raw": [], "content_filter_offsets": offsets}]}
    return chunk({}, choices=[{**choice, "delta": delta}])


def feed(*events: Any, **params: Any) -> tuple[list[ChatCompletionChunk], ChatCompletion]:
    """The chunks of a stream and what they fold to; cut at every byte it is the same."""
    body = b"".join(sse(*events))
    folded: list[tuple[list[ChatCompletionChunk], ChatCompletion]] = []
    for size in (len(body), 1):
        request = ChatRequest(provider="p", model="m", messages=[], params=params)
        reducer = OpenAIChat().reducer(request, max_event_bytes=1 << 20)
        chunks = [chunk for at in range(0, len(body), size) for chunk in reducer.feed(body[at : at + size])]
        folded.append((chunks, reducer.close()))
    assert [each.to_dict() for each in folded[0][0]] == [each.to_dict() for each in folded[1][0]]
    assert folded[0][1].to_dict() == folded[1][1].to_dict()
    return folded[0]


def test_what_is_said_of_the_prompt_stands_on_the_first_chunk_that_is_shown() -> None:
    """The blank chunk that it came in gives neither id nor model, and nobody meets a chunk without choices."""
    chunks, reply = feed({**BLANK, "choices": [], "prompt_filter_results": PROMPT}, *STREAM)
    assert all(each.choices for each in chunks)
    assert [each.model_dump() for each in chunks[0].prompt_filter_results or []] == PROMPT
    assert [each.prompt_filter_results for each in chunks[1:]] == [None] * (len(chunks) - 1)
    assert [each.model_dump() for each in reply.prompt_filter_results or []] == PROMPT
    assert (reply.id, reply.model, reply.created) == (STREAM[0]["id"], STREAM[0]["model"], STREAM[0]["created"])


def test_whoever_asked_for_usage_gets_the_blank_chunk_as_it_is() -> None:
    chunks, _ = feed({**BLANK, "choices": [], "prompt_filter_results": PROMPT}, *STREAM, stream_options={})
    assert (chunks[0].choices, chunks[0].id) == ([], "")
    assert chunks[0].prompt_filter_results is not None
    assert chunks[1].prompt_filter_results is None


def test_the_name_that_it_once_had_is_known() -> None:
    chunks, reply = feed({**BLANK, "choices": [], "prompt_annotations": PROMPT}, *STREAM)
    assert [each.model_dump() for each in reply.prompt_filter_results or []] == PROMPT
    assert chunks[0].prompt_filter_results == reply.prompt_filter_results


def test_a_chunk_without_delta_adds_nothing_but_what_the_filter_says() -> None:
    """Between the pieces of the text, and after the one that ends it."""
    chunks, reply = feed(*STREAM[:3], filtered(SAFE), *STREAM[3:], filtered(LOW))
    (choice,) = reply.choices
    assert choice.message.content == "Good day to you."
    assert (choice.finish_reason, choice.content_filter_results) == ("stop", LOW)
    (told,) = chunks[3].choices
    assert (told.delta.content, told.content_filter_results) == (None, SAFE)
    assert told.content_filter_offsets == {"check_offset": 44, "start_offset": 44, "end_offset": 198}
    assert reply.id == STREAM[0]["id"]


def test_a_late_block_ends_the_answer_as_filtered() -> None:
    """It comes without a delta, after text that was handed out, and also after an end that was said before."""
    late = filtered(MEDIUM, finish_reason="content_filter")
    for events in (STREAM[:4], STREAM):
        chunks, reply = feed(*events, late)
        assert chunks[-1].choices[0].finish_reason == "content_filter"
        assert reply.choices[0].finish_reason == "content_filter"
        assert reply.choices[0].content_filter_results == MEDIUM


def test_the_worst_of_each_category_is_kept() -> None:
    """Of all parts of a text, in whichever order; what is no category of ours to judge is the later one."""
    pieces: list[dict[str, Any]] = [{}, SAFE, MEDIUM, LOW, PROTECTED, FAILED]
    for order in (pieces, pieces[::-1]):
        _, reply = feed(*(filtered(results, {"content": "x"}) for results in order), chunk({}, "stop"))
        assert reply.choices[0].content_filter_results == {**MEDIUM, **PROTECTED, **FAILED}
    _, reply = feed(filtered({}, {"content": "x"}), chunk({}, "stop"))
    assert reply.choices[0].content_filter_results == {}
    _, reply = feed(*STREAM)
    assert reply.choices[0].content_filter_results is None


def test_an_output_that_was_blocked_has_no_message() -> None:
    """An answer with status 200 all the same."""
    body = {
        "id": "chatcmpl-1",
        "model": "gpt-4.1-2025-04-14",
        "prompt_filter_results": PROMPT,
        "choices": [{"index": 0, "finish_reason": "content_filter", "content_filter_results": MEDIUM}],
    }
    request = ChatRequest(provider="p", model="m", messages=[], params={})
    reply = OpenAIChat().decode_response(json.dumps(body).encode(), request)
    (choice,) = reply.choices
    assert (choice.message.content, choice.finish_reason) == (None, "content_filter")
    assert choice.content_filter_results == MEDIUM
    assert reply.to_dict()["prompt_filter_results"] == PROMPT
    assert reply.model_dump()["prompt_filter_results"] == PROMPT


def test_text_completions_have_it_too() -> None:
    """Whole, and as a stream that begins with a blank chunk."""
    said = {"index": 0, "text": "blue", "finish_reason": "stop", "content_filter_results": LOW}
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m"}
    request = CompletionRequest(provider="p", model="m", prompt="x", params={})
    dialect = OpenAICompletions()
    body = json.dumps({**head, "choices": [said], "prompt_filter_results": PROMPT}).encode()
    reducer = dialect.reducer(request, max_event_bytes=1 << 20)
    first = {**BLANK, "choices": [], "prompt_filter_results": PROMPT}
    piece = {**said, "finish_reason": None, "content_filter_results": SAFE, "text": "bl"}
    rest = {**said, "text": "ue"}
    shown = reducer.feed(b"".join(sse(first, *({**head, "choices": [each]} for each in (piece, rest)))))
    assert [each.choices[0].text for each in shown] == ["bl", "ue"]
    replies: list[Completion] = [dialect.decode_response(body, request), reducer.close()]
    for reply in replies:
        assert (reply.id, reply.choices[0].text, reply.choices[0].content_filter_results) == ("cmpl-1", "blue", LOW)
        assert [each.model_dump() for each in reply.prompt_filter_results or []] == PROMPT


# --- refusals -------------------------------------------------------------------------------------------------------

_REFUSED = {"hate": {"filtered": True, "severity": "high"}, "jailbreak": {"filtered": False, "detected": False}}


def refuse(status: int, error: Any) -> APIStatusError:
    return decode_error(status, {"apim-request-id": "a-1"}, json.dumps(error).encode(), now=0.0)


@pytest.mark.parametrize("inner", ["innererror", "inner_error"])
@pytest.mark.parametrize("results", ["content_filter_result", "content_filter_results"])
@pytest.mark.parametrize("code", ["content_filter", "contentFilter", "content_policy_violation", "400", None])
def test_a_prompt_that_was_blocked(inner: str, results: str, code: str | None) -> None:
    """Under all the names that its parts have; also where only the inner error has a code that says so."""
    within = {"code": "ResponsibleAIPolicyViolation", results: _REFUSED}
    said = {"message": "The response was filtered", "type": None, "param": "prompt", "code": code, "status": 400}
    error = refuse(400, {"error": {**said, inner: within}})
    for each in (error, pickle.loads(pickle.dumps(error))):  # noqa: S301 - our own
        assert isinstance(each, ContentFilterError)
        assert each.content_filter_results == _REFUSED
        assert each.inner_error == within
        assert (each.retryable, each.status_code, each.param, each.request_id) == (False, 400, "prompt", "a-1")
        assert each.code == (None if code == "400" else code)


def test_results_that_stand_in_the_error_itself() -> None:
    error = refuse(400, {"error": {"code": "content_filter", "message": "m", "content_filter_results": _REFUSED}})
    assert isinstance(error, ContentFilterError)
    assert (error.content_filter_results, error.inner_error) == (_REFUSED, {})


@pytest.mark.parametrize("body", [b"", b"[]", b"text", b'{"error": "text"}', b'{"error": {"innererror": []}}'])
def test_a_refusal_that_says_nothing_more(body: bytes) -> None:
    error = ContentFilterError("no", body=body)
    assert (error.content_filter_results, error.inner_error) == ({}, {})


@pytest.mark.parametrize(
    ("status", "error", "cls", "code"),
    [
        (404, {"code": "404", "message": "Resource not found"}, NotFoundError, None),
        (404, {"code": "DeploymentNotFound", "message": "gone"}, NotFoundError, "DeploymentNotFound"),
        (429, {"code": "429", "message": "Please retry after 3 seconds"}, RateLimitError, None),
        (429, {"code": "RateLimitReached", "message": "later"}, RateLimitError, "RateLimitReached"),
        (400, {"code": "400", "message": "wrong", "innererror": {"code": "Other"}}, BadRequestError, None),
    ],
)
def test_codes_that_are_statuses(status: int, error: Any, cls: type[APIStatusError], code: str | None) -> None:
    """A numeric text is no code; the class comes from the status then."""
    found = refuse(status, {"error": error})
    assert type(found) is cls
    assert (found.code, found.message) == (code, error["message"])
