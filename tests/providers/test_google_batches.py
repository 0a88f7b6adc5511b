"""Batches of Gemini over a real socket: begun with their requests in the call, read from the batch or from a file."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from loopback import Answer, Loopback
from wire import gemini

from onellm import AsyncOneLLM
from onellm.errors import (
    BadRequestError,
    InvalidRequestError,
    NotFoundError,
    RateLimitError,
    ResponseDecodeError,
    UnsupportedParameterError,
)
from onellm.types.chat import ChatCompletion

KEY = "AIza-batches-0123456789"
CONTENTS = [{"role": "user", "parts": [{"text": "Hi"}]}]
BODY = {"model": "google/gemini-x", "contents": CONTENTS}
REQUESTS: Any = [{"custom_id": each, "body": BODY} for each in "abc"]
TIMES = {"createTime": "2026-08-19T14:34:12.267870162Z", "endTime": "2026-08-19T14:40:30.652367187Z"}
ENDED = {"displayName": "d", "model": "models/gemini-x", "state": "BATCH_STATE_SUCCEEDED", **TIMES}
ANSWERED = {"response": json.loads(gemini.ANSWER)}
INLINED = [
    {**ANSWERED, "metadata": {"key": "b"}},
    {"error": {"code": 8, "message": "too many\nat once"}, "metadata": {"key": "a"}},
    {"error": {"code": 3, "message": "no"}, "metadata": {"custom_id": "c"}},
]
STATS = {"requestCount": "3", "successfulRequestCount": "1", "failedRequestCount": "2"}


def operation(state: str = "SUCCEEDED", **metadata: Any) -> dict[str, Any]:
    """A batch as its host says it."""
    return {"name": "batches/b1", "metadata": {**ENDED, "state": f"BATCH_STATE_{state}", **metadata}}


def pretty(value: Any) -> bytes:
    """As it comes: over many lines."""
    return json.dumps(value, indent=2).encode()


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        yield loopback


@pytest.fixture
async def client(server: Loopback) -> AsyncIterator[AsyncOneLLM]:
    settings = {"api_key": KEY, "base_url": f"{server.url}/v1beta", "proxy": ""}
    async with AsyncOneLLM(providers={"google": settings}, default_provider="google", max_retries=0) as made:
        yield made


async def test_its_requests_stand_in_the_call(server: Loopback, client: AsyncOneLLM) -> None:
    """Each with its key; the model is of the whole batch, and stands in the path."""
    server.plays(Answer(chunks=[pretty(operation("PENDING", batchStats={"requestCount": "3"}))]))
    batch = await client.batches.create(requests=REQUESTS, metadata={"display_name": "mine"})
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1beta/models/gemini-x:batchGenerateContent")
    assert request.headers["x-goog-api-key"] == KEY
    lines = [{"request": {"contents": CONTENTS}, "metadata": {"key": each}} for each in "abc"]
    assert request.json == {"batch": {"displayName": "mine", "inputConfig": {"requests": {"requests": lines}}}}
    assert (batch.id, batch.model, batch.status, batch.status_raw) == (
        "batches/b1",
        "gemini-x",
        "validating",
        "BATCH_STATE_PENDING",
    )
    assert batch.request_counts is not None
    assert (batch.created_at, batch.request_counts.total, batch.ended) == (1787150052, 3, False)


async def test_or_in_a_file(server: Loopback, client: AsyncOneLLM) -> None:
    server.plays(Answer(chunks=[operation("RUNNING")]))
    batch = await client.batches.create(input_file_id="files/f1", model="google/gemini-x")
    assert server.requests[0].json["batch"]["inputConfig"] == {"fileName": "files/f1"}
    assert batch.status == "in_progress"
    with pytest.raises(InvalidRequestError, match="of one model: give model"):
        await client.batches.create(input_file_id="files/f1")


async def test_results_by_their_keys(server: Loopback, client: AsyncOneLLM) -> None:
    """They stand in the batch, which is asked for once; errors have the class of their code."""
    output = {"inlinedResponses": {"inlinedResponses": INLINED}}
    server.plays(Answer(chunks=[pretty(operation(output=output, batchStats=STATS))]))
    found = {each.custom_id: each async for each in client.batches.results("batches/b1")}
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", "/v1beta/batches/b1")
    answer = found["b"].response
    assert isinstance(answer, ChatCompletion)
    assert (answer.choices[0].message.content, answer.provider) == (gemini.TEXT, "google")
    assert isinstance(found["a"].error, RateLimitError)
    assert found["a"].error.message == "too many\nat once"
    assert isinstance(found["c"].error, BadRequestError)
    assert [found[each].status_code for each in "abc"] == [429, 200, 400]


async def test_results_where_the_operation_has_them(server: Loopback, client: AsyncOneLLM) -> None:
    """The answer of the operation is another place for the same."""
    server.plays(Answer(chunks=[{**operation(), "response": {"inlinedResponses": {"inlinedResponses": INLINED[:1]}}}]))
    assert [each.custom_id async for each in client.batches.results("b1")] == ["b"]


async def test_results_of_a_file(server: Loopback, client: AsyncOneLLM) -> None:
    """It is downloaded, with the key, from beside the version's own path."""
    lines = [json.dumps({"key": "a", **ANSWERED}) + "\n", json.dumps({"key": "b", "error": {"code": 5}}) + "\n"]
    server.plays(Answer(chunks=[operation(output={"responsesFile": "files/out-1"})]), Answer(chunks=lines))
    found = {each.custom_id: each async for each in client.batches.results("batches/b1")}
    last = server.requests[-1]
    assert (last.path, last.query) == ("/download/v1beta/files/out-1:download", {"alt": "media"})
    assert last.headers["x-goog-api-key"] == KEY
    assert isinstance(found["a"].response, ChatCompletion)
    assert isinstance(found["b"].error, NotFoundError)


async def test_a_batch_that_failed_or_goes_on_has_no_results(server: Loopback, client: AsyncOneLLM) -> None:
    failed = {**operation("FAILED"), "error": {"code": 3, "message": "no such model"}}
    server.plays(Answer(chunks=[failed]), Answer(chunks=[operation("RUNNING")]), Answer(chunks=[operation("EXPIRED")]))
    with pytest.raises(BadRequestError, match="failed: no such model"):
        await anext(client.batches.results("batches/b1"))
    with pytest.raises(InvalidRequestError, match="wait for it"):
        await anext(client.batches.results("batches/b1"))
    with pytest.raises(ResponseDecodeError, match="has no results"):
        await anext(client.batches.results("batches/b1"))


async def test_cancelling_says_how_the_batch_is_then(server: Loopback, client: AsyncOneLLM) -> None:
    """The cancellation's own answer is empty."""
    server.plays(Answer(chunks=[{}]), Answer(chunks=[operation("CANCELLED")]))
    batch = await client.batches.cancel("batches/b1")
    assert [(each.method, each.path) for each in server.requests] == [
        ("POST", "/v1beta/batches/b1:cancel"),
        ("GET", "/v1beta/batches/b1"),
    ]
    assert (batch.status, batch.cancelled_at, batch.ended) == ("cancelled", 1787150430, True)


async def test_batches_of_all_pages(server: Loopback, client: AsyncOneLLM) -> None:
    pages = ({"operations": [operation()], "nextPageToken": "t2"}, {"operations": [operation("FAILED")]})
    server.plays(*(Answer(chunks=[page]) for page in pages), Answer(chunks=[{}]))
    assert [batch.status async for batch in client.batches.list(limit=1)] == ["completed", "failed"]
    assert [each.query for each in server.requests] == [{"pageSize": "1"}, {"pageSize": "1", "pageToken": "t2"}]
    assert [batch async for batch in client.batches.list()] == []


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"endpoint": "/v1/embeddings"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"metadata": {"team": "a"}}, "metadata.team: it keeps display_name only"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 3600}}, "output_expires_after"),
    ],
)
async def test_what_a_batch_cannot_have(
    params: dict[str, Any], message: str, server: Loopback, client: AsyncOneLLM
) -> None:
    with pytest.raises(UnsupportedParameterError, match=message):
        await client.batches.create(requests=REQUESTS, **params)
    assert server.requests == []


async def test_bodies_go_out_as_they_are(server: Loopback, client: AsyncOneLLM) -> None:
    """So one of another API's is no body; it is said before anything is sent."""
    body = {"model": "google/gemini-x", "messages": [{"role": "user", "content": "Hi"}]}
    with pytest.raises(InvalidRequestError, match=r"request 'a' of the batch has messages: .* give contents"):
        await client.batches.create(requests=[{"custom_id": "a", "body": body}])
    other: Any = {"custom_id": "b", "body": {**BODY, "model": "google/gemini-y"}}
    with pytest.raises(InvalidRequestError, match="takes one model for a batch"):
        await client.batches.create(requests=[*REQUESTS[:1], other])
    assert server.requests == []
