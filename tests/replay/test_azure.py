"""Real answers of Azure: what its content filters said, whose ids the requests have, and what was left out.

That texts, calls, usage, vectors and errors are read as they stand is tested with those of all hosts, in
`test_compatible` and `test_operations`.
"""

import json
from collections import Counter
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from traffic import FOLDER, Exchange, exchanges

from onellm.dialects.errors import request_id
from onellm.errors import NotFoundError, RequestTimeoutError, RequestTooLargeError
from onellm.providers.azure import PROVIDER
from onellm.providers.base import ProviderSettings
from onellm.types.chat import ChatCompletion, ChatCompletionChunk
from onellm.types.chat_params import ChatRequest
from onellm.types.secret import Secret

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the folder of recorded traffic (ONELLM_TRAFFIC)")

ALL = [exchange for exchange in exchanges() if exchange.provider == "azure"]
CHATS = [e for e in ALL if e.kind in {"chat", "chat_stream"}]
WHOLE = [e for e in CHATS if e.kind == "chat"]
STREAMS = [e for e in CHATS if e.kind == "chat_stream"]
ERRORS = [e for e in ALL if e.kind == "error"]
# The Responses API has types of its own: its answers are read by the tests of that operation.
LEFT_OUT = {"responses"}


def ids(exchange: Exchange) -> str:
    return exchange.id


def test_the_recordings_are_all_here() -> None:
    """All 98 of them, each read here or by the tests of all hosts, but the answers of one operation."""
    counts = Counter(exchange.kind for exchange in ALL)
    assert counts == {
        "chat": 34,
        "chat_stream": 23,
        "completions": 2,
        "embeddings": 11,
        "error": 5,
        "models": 1,
        "responses": 22,
    }
    assert set(counts) >= LEFT_OUT


@pytest.mark.parametrize("exchange", WHOLE, ids=ids)
def test_whole_answer_has_what_filters_said(exchange: Exchange) -> None:
    assert PROVIDER.chat is not None
    reply = PROVIDER.chat.decode_response(exchange.body, _request())
    said = json.loads(exchange.body)
    assert _prompts(reply) == said.get("prompt_filter_results")
    assert [choice.content_filter_results for choice in reply.choices] == [
        choice.get("content_filter_results") for choice in said["choices"]
    ]
    assert reply.usage is not None
    assert reply.usage.total_tokens in (0, reply.usage.prompt_tokens + reply.usage.completion_tokens)


@pytest.mark.parametrize("exchange", STREAMS, ids=ids)
def test_stream_has_what_filters_said(exchange: Exchange) -> None:
    """Whole and byte by byte; every chunk that is shown has choices, and the head is never that of the blank one."""
    assert PROVIDER.chat is not None
    events: list[Any] = [
        json.loads(line[5:])
        for line in exchange.body.splitlines()
        if line.startswith(b"data:") and b"[DONE]" not in line
    ]
    replies: list[ChatCompletion] = []
    for size in (len(exchange.body), 1):
        reducer = PROVIDER.chat.reducer(_request(), max_event_bytes=1 << 20)
        chunks: list[ChatCompletionChunk] = []
        for start in range(0, len(exchange.body), size):
            chunks += reducer.feed(exchange.body[start : start + size])
        reply = reducer.close()
        replies.append(reply)
        assert all(chunk.choices for chunk in chunks)
        prompts = next((e["prompt_filter_results"] for e in events if e.get("prompt_filter_results")), None)
        assert _prompts(reply) == (prompts and _prompts(chunks[0])) == prompts
        told = [choice for event in events for choice in event["choices"] if "content_filter_results" in choice]
        (choice,) = reply.choices
        assert set(choice.content_filter_results or {}) == {
            category for each in told for category in each["content_filter_results"]
        }
        assert (choice.content_filter_results is None) is (not told)
        assert reply.id == next(e["id"] for e in events if e["id"])
        assert reply.model == next((e["model"] for e in events if e["model"]), "")
    assert replies[0].to_dict() == replies[1].to_dict()


CLASSES = {404: NotFoundError, 408: RequestTimeoutError, 413: RequestTooLargeError}


@pytest.mark.parametrize("exchange", ERRORS, ids=ids)
def test_error_has_its_class_and_the_gateways_id(exchange: Exchange) -> None:
    assert PROVIDER.chat is not None
    error = PROVIDER.chat.decode_error(exchange.status, exchange.headers, exchange.body, now=0.0)
    assert type(error) is CLASSES[exchange.status]
    assert error.code == ("DeploymentNotFound" if exchange.status == 404 else None)
    assert error.retryable is (exchange.status == 408)
    assert error.request_id == exchange.headers["apim-request-id"]


@pytest.mark.parametrize("exchange", ALL, ids=ids)
def test_gateways_id_is_the_one_to_name(exchange: Exchange) -> None:
    """Where there is one; the id of what stands behind it goes after it."""
    known = [exchange.headers.get(name) for name in ("apim-request-id", "x-request-id")]
    assert request_id(exchange.headers) == next((found for found in known if found), None)


@pytest.mark.parametrize("exchange", [e for e in ALL if "/models/" not in e.url], ids=ids)
def test_url_of_a_call_is_read_as_a_base_url(exchange: Exchange) -> None:
    """Also as it was recorded, with two slashes: whoever copies it reaches the same API, in the same version."""
    parts = urlsplit(exchange.url)
    url, options = PROVIDER.read_base_url(exchange.url)
    settings = PROVIDER.settle(ProviderSettings(api_key=Secret("k"), base_url=url, options=options))
    root = f"https://{parts.netloc}/openai"
    assert settings.base_url == (f"{root}/v1" if "/openai/v1/" in parts.path else root)
    assert settings.query == dict(parse_qsl(parts.query))


def _prompts(reply: ChatCompletion | ChatCompletionChunk) -> Any:
    found = reply.prompt_filter_results
    return None if found is None else [each.model_dump() for each in found]


def _request() -> ChatRequest:
    return ChatRequest(provider="azure", model="m", messages=[], params={})
