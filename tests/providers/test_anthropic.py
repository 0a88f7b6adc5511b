"""Anthropic over a real socket: its keys, lists, files and batches."""

import json
import subprocess
import sys
from typing import Any

import pytest
from forms import fields, files
from loopback import Answer, Loopback
from wire import messages as wire
from wire.chat_completions import TEXT

from onellm import AnthropicOptions, AsyncOneLLM
from onellm.errors import BadRequestError, InvalidRequestError, UnsupportedParameterError
from onellm.types.chat import ChatCompletion

KEY = "sk-ant-0123456789"
HI: Any = {"role": "user", "content": "Hi"}
BATCH: dict[str, Any] = {
    "id": "msgbatch_1",
    "type": "message_batch",
    "processing_status": "ended",
    "request_counts": {"processing": 0, "succeeded": 1, "errored": 1, "canceled": 1, "expired": 0},
    "created_at": "2026-08-19T14:47:00.5+00:00",
    "ended_at": "2026-08-19T15:47:00+00:00",
    "expires_at": "2026-08-20T14:47:00+00:00",
    "results_url": "https://elsewhere.example/v1/messages/batches/msgbatch_1/results",
}
FILE = {
    "id": "file_1",
    "type": "file",
    "filename": "a.pdf",
    "mime_type": "application/pdf",
    "size_bytes": 3,
    "created_at": "2026-08-19T14:34:11.612000Z",
    "downloadable": False,
}


def connect(loopback: Loopback, **settings: Any) -> AsyncOneLLM:
    own = {"base_url": loopback.url, "api_key": KEY, **settings}
    return AsyncOneLLM(providers={"anthropic": own}, default_provider="anthropic", max_retries=0)


async def test_one_credential_goes_out(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in x-api-key; a token, and what a function gives, as a bearer; the key where both variables are set."""
    loopback.plays(Answer(chunks=[wire.ANSWER]))
    cases: list[tuple[dict[str, str], dict[str, Any], tuple[str | None, str | None]]] = [
        ({"ANTHROPIC_API_KEY": "k-1"}, {}, ("k-1", None)),
        ({"ANTHROPIC_AUTH_TOKEN": "t-1"}, {}, (None, "Bearer t-1")),
        ({"ANTHROPIC_API_KEY": "k-1", "ANTHROPIC_AUTH_TOKEN": "t-1"}, {}, ("k-1", None)),
        ({"ANTHROPIC_AUTH_TOKEN": "t-1"}, {"api_key": "k-2"}, ("k-2", None)),
        ({}, {"api_key": lambda: "t-2"}, (None, "Bearer t-2")),
    ]
    for variables, settings, expected in cases:
        with monkeypatch.context() as patch:
            for name, value in {"ANTHROPIC_BASE_URL": loopback.url, **variables}.items():
                patch.setenv(name, value)
            async with AsyncOneLLM(providers={"anthropic": settings}) as client:
                await client.chat.completions.create(model="anthropic/m", messages=[HI])
        headers = loopback.requests[-1].headers
        assert (headers.get("x-api-key"), headers.get("authorization")) == expected
        assert headers["anthropic-version"] == "2023-06-01"


async def test_version_and_betas_are_headers(loopback: Loopback) -> None:
    loopback.plays(Answer(chunks=[wire.ANSWER], headers={"request-id": "req_9"}))
    options = AnthropicOptions(version="2026-10-21", betas=("a-1", "b-2"))
    async with connect(loopback) as client:
        reply = await client.chat.completions.create(model="anthropic/m", messages=[HI], anthropic=options)
    (request,) = loopback.requests
    assert (request.path, request.headers["anthropic-version"]) == ("/v1/messages", "2026-10-21")
    assert request.headers["anthropic-beta"] == "a-1,b-2"
    assert reply.request_id == "req_9"
    assert reply.adjustments == ("sent max_tokens=32000, as the call has none and the API needs one",)


async def test_tokens_are_counted(loopback: Loopback) -> None:
    loopback.plays(Answer(chunks=[{"input_tokens": 13}]))
    async with connect(loopback) as client:
        count = await client.chat.completions.count_tokens(model="anthropic/m", messages=[HI])
    (request,) = loopback.requests
    assert (request.path, request.json) == ("/v1/messages/count_tokens", {"model": "m", "messages": [HI]})
    assert (count.input_tokens, count.provider) == (13, "anthropic")


async def test_models_of_all_pages(loopback: Loopback) -> None:
    """A list that says the same last id again ends."""
    first = {"data": [{"id": "a", "type": "model"}], "has_more": True, "last_id": "a"}
    loopback.plays(Answer(chunks=[first]), Answer(chunks=[{**first, "data": [{"id": "b"}]}]))
    async with connect(loopback) as client:
        assert [model.id async for model in client.models.list("anthropic")] == ["a", "b"]
    assert [request.query for request in loopback.requests] == [{"limit": "1000"}, {"limit": "1000", "after_id": "a"}]


async def test_files(loopback: Loopback) -> None:
    """A form without a purpose; sizes and times under OpenAI's names; pages by their cursor."""
    loopback.plays(Answer(chunks=[FILE]))
    async with connect(loopback) as client:
        made = await client.files.create(
            file=("a.pdf", b"%PDF", "application/pdf"),
            purpose="user_data",
            expires_after={"anchor": "created_at", "seconds": 3600},
        )
        assert (made.id, made.bytes, made.created_at) == ("file_1", 3, 1787150051)
        assert made.adjustments == ("left out purpose='user_data': files have none",)
        (sent,) = loopback.requests
        assert (sent.method, sent.path) == ("POST", "/v1/files")
        assert fields(sent) == [("expires_in_seconds", "3600")]
        assert files(sent) == [("file", "a.pdf", "application/pdf", b"%PDF")]
        pages = ({"data": [FILE], "next_page": "page_2"}, {"data": [FILE | {"id": "file_2"}], "next_page": None})
        loopback.plays(*(Answer(chunks=[page]) for page in pages))
        assert [file.id async for file in client.files.list(limit=1)] == ["file_1", "file_2"]
        assert [request.query for request in loopback.requests[1:]] == [
            {"limit": "1"},
            {"limit": "1", "page": "page_2"},
        ]
        loopback.plays(Answer(chunks=[{"id": "file_1", "type": "file_deleted"}]))
        assert (await client.files.delete("file_1")).deleted is True
        with pytest.raises(UnsupportedParameterError, match="purpose"):
            await client.files.list(purpose="batch")


def result(custom_id: str, **said: Any) -> bytes:
    return json.dumps({"custom_id": custom_id, "result": said}).encode() + b"\n"


async def test_a_batch_of_requests_without_a_file(loopback: Loopback) -> None:
    """The requests stand in the call; the results come by custom_id, errors among them, from the provider's host."""
    refused = {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}, "request_id": "req_2"}
    results = [
        result("b", type="errored", error=refused),
        result("a", type="succeeded", message=json.loads(wire.ANSWER)),
        result("c", type="canceled"),
    ]
    body = {"model": "anthropic/m", "max_tokens": 5, "messages": [HI]}
    async with connect(loopback) as client:
        loopback.plays(Answer(chunks=[BATCH | {"processing_status": "in_progress", "results_url": None}]))
        batch = await client.batches.create(requests=[{"custom_id": each, "body": body} for each in "abc"])
        assert (batch.status, batch.status_raw, batch.ended) == ("in_progress", "in_progress", False)
        with pytest.raises(InvalidRequestError, match="wait for it"):
            await anext(client.batches.results("msgbatch_1"))
        loopback.plays(Answer(chunks=[BATCH]))
        batch = await client.batches.wait("msgbatch_1")
        assert (batch.status, batch.created_at, batch.completed_at) == ("completed", 1787150820, 1787154420)
        counts = batch.request_counts
        assert counts is not None
        assert (counts.total, counts.completed, counts.failed) == (3, 1, 2)
        loopback.plays(Answer(chunks=[BATCH]), Answer(chunks=results, content_type="application/x-jsonl"))
        found = {each.custom_id: each async for each in client.batches.results("msgbatch_1")}
    create, *_, last = loopback.requests
    assert (create.method, create.path) == ("POST", "/v1/messages/batches")
    params = {**body, "model": "m"}
    assert create.json == {"requests": [{"custom_id": each, "params": params} for each in "abc"]}
    assert (last.method, last.path) == ("GET", "/v1/messages/batches/msgbatch_1/results")
    assert last.headers["x-api-key"] == KEY
    answer = found["a"].response
    assert isinstance(answer, ChatCompletion)
    assert answer.choices[0].message.content == TEXT
    assert isinstance(found["b"].error, BadRequestError)
    assert (found["b"].error.message, found["b"].request_id) == ("no", "req_2")
    assert found["c"].error is not None
    assert found["c"].error.code == "batch_cancelled"


async def test_what_a_batch_of_it_cannot_have(loopback: Loopback) -> None:
    requests: Any = [{"custom_id": "a", "body": {"model": "anthropic/m"}}]
    async with connect(loopback) as client:
        wrongs: list[dict[str, Any]] = [{"endpoint": "/v1/embeddings"}, {"completion_window": "1h"}, {"metadata": {}}]
        for wrong in wrongs:
            with pytest.raises(UnsupportedParameterError, match=next(iter(wrong))):
                await client.batches.create(requests=requests, **wrong)
        with pytest.raises(UnsupportedParameterError, match="give requests"):
            await client.batches.create(input_file_id="file_1")
    assert loopback.requests == []


async def test_batches_of_all_pages_and_their_end(loopback: Loopback) -> None:
    pages = (
        {"data": [BATCH], "has_more": True, "last_id": "msgbatch_1"},
        {"data": [BATCH | {"id": "msgbatch_2"}], "has_more": False, "last_id": "msgbatch_2"},
    )
    loopback.plays(*(Answer(chunks=[page]) for page in pages))
    async with connect(loopback) as client:
        assert [batch.id async for batch in client.batches.list(limit=1)] == ["msgbatch_1", "msgbatch_2"]
        assert loopback.requests[1].query == {"limit": "1", "after_id": "msgbatch_1"}
        none = {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 2, "expired": 0}
        loopback.plays(Answer(chunks=[BATCH | {"request_counts": none}]))
        ended = await client.batches.cancel("msgbatch_1")
    assert (loopback.requests[-1].method, loopback.requests[-1].path) == (
        "POST",
        "/v1/messages/batches/msgbatch_1/cancel",
    )
    assert (ended.status, ended.status_raw) == ("cancelled", "ended")


async def test_a_pause_is_gone_on_with_by_appending_the_message(loopback: Loopback) -> None:
    """The paused turn is the last message of the next call, its blocks unchanged."""
    blocks: list[dict[str, Any]] = [
        {"type": "text", "text": "Let me look. "},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
    ]
    loopback.plays(Answer(chunks=[wire.whole(blocks, "pause_turn")]), Answer(chunks=[wire.ANSWER]))
    options = AnthropicOptions(tools=({"type": "web_search_20250305", "name": "web_search"},))
    async with connect(loopback) as client:
        paused = await client.chat.completions.create(model="anthropic/m", messages=[HI], anthropic=options)
        assert paused.choices[0].finish_reason_raw == "pause_turn"
        messages: list[Any] = [HI, paused.choices[0].message]
        await client.chat.completions.create(model="anthropic/m", messages=messages, anthropic=options)
    assert loopback.requests[1].json["messages"] == [HI, {"role": "assistant", "content": blocks}]


def test_it_loads_nothing_of_others_and_others_nothing_of_it() -> None:
    """One provider's modules are imported when it is asked for; the official package never is."""
    code = """
import sys
from onellm import AsyncOneLLM, get_provider
get_provider({name!r})
print(*(name for name in sys.modules if name.startswith(("onellm.providers.", "onellm.dialects.", "anthropic"))))
"""
    loaded: dict[str, set[str]] = {}
    for name in ("openai", "anthropic"):
        run = subprocess.run([sys.executable, "-c", code.format(name=name)], capture_output=True, text=True, check=True)  # noqa: S603 - ours
        loaded[name] = set(run.stdout.split())
    assert not [module for module in loaded["openai"] if "anthropic" in module]
    ours = [module for module in loaded["anthropic"] if "anthropic" in module]
    assert "onellm.dialects.anthropic.chat" in ours
    assert all(module.startswith("onellm.") for module in ours)
    assert not {"onellm.providers.compatible", "onellm.dialects.openai.chat"} & loaded["anthropic"]
