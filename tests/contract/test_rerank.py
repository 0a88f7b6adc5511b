"""Every row that serves `rerank` does it over a real socket; every other one says who does."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from loopback import Answer, Loopback
from served import KEY, client_for, every_row, every_row_without, only_request
from wire.rerank import ANSWERS, BEST_FIRST, DOCUMENTS, QUERY, SCORES, SHAPES

from onellm import BadRequestError, RateLimitError, UnsupportedFeatureError, UnsupportedParameterError
from onellm.dialects.rerank import Rerank
from onellm.providers.compatible import ROWS

# What each row is sent for the same call, where it is not the usual body at the usual path.
USUAL: dict[str, Any] = {"model": "some/model-1.0", "query": QUERY, "documents": DOCUMENTS, "top_n": 2}
BODIES: dict[str, dict[str, Any]] = {
    "deepinfra": {"queries": [QUERY] * 3, "documents": DOCUMENTS},
    "fireworks": {**USUAL, "return_documents": False},
    "nvidia": {
        "model": "some/model-1.0",
        "query": {"text": QUERY},
        "passages": [{"text": document} for document in DOCUMENTS],
    },
    "sglang": {**USUAL, "return_documents": False},
    "tei": {"query": QUERY, "texts": DOCUMENTS},
}
PATHS = {"deepinfra": "/v1/inference/some/model-1.0", "nvidia": "/v1/ranking"}


@pytest.fixture
async def loopback() -> AsyncIterator[Loopback]:
    async with Loopback() as server:
        yield server


@every_row("rerank")
async def test_request_and_answer(name: str, loopback: Loopback) -> None:
    """The path, the key and the body are the host's; the answer is the same from all."""
    loopback.plays(Answer(chunks=[ANSWERS[SHAPES[name]]]))
    async with client_for(name, loopback) as client:
        reply = await client.rerank.create(
            model=f"{name}/some/model-1.0", query=QUERY, documents=DOCUMENTS, top_n=2, return_documents=True
        )
    request = only_request(loopback)
    assert (request.method, request.path) == ("POST", PATHS.get(name, "/v1/rerank"))
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json == BODIES.get(name, USUAL)
    assert [(item.index, item.relevance_score, item.document) for item in reply.results] == [
        (place, SCORES[place], DOCUMENTS[place]) for place in BEST_FIRST[:2]
    ]
    assert reply.provider == name


@every_row("rerank")
async def test_429_is_tried_again_then_raised_with_its_wait(name: str, loopback: Loopback) -> None:
    """What the host asks to wait stands in the error."""
    loopback.plays(Answer(status=429, chunks=[{"error": {"message": "slow down"}}], headers={"retry-after": "0"}))
    async with client_for(name, loopback, max_retries=1) as client:
        with pytest.raises(RateLimitError) as caught:
            await client.rerank.create(model=f"{name}/m", query=QUERY, documents=DOCUMENTS)
    assert (caught.value.retry_after, caught.value.provider, caught.value.model) == (0.0, name, "m")
    assert len(loopback.requests) == 2


@every_row("rerank")
async def test_400_is_not_tried_again(name: str, loopback: Loopback) -> None:
    """A bad request is one request, whatever words its message has in it."""
    loopback.plays(Answer(status=400, chunks=[{"error": {"message": "rate limit, try again"}}]))
    async with client_for(name, loopback) as client:
        with pytest.raises(BadRequestError) as caught:
            await client.rerank.create(model=f"{name}/m", query=QUERY, documents=DOCUMENTS)
    assert caught.value.provider == name
    assert len(loopback.requests) == 1


@every_row("rerank")
async def test_objects_are_sent_or_refused(name: str, loopback: Loopback) -> None:
    """A document with more than a text is refused, before anything is sent, where the host takes texts only."""
    loopback.plays(Answer(chunks=[ANSWERS[SHAPES[name]]]))
    document = {"text": "a", "image": "data:image/png;base64,AA=="}
    dialect = ROWS[name].rerank
    assert isinstance(dialect, Rerank)
    async with client_for(name, loopback) as client:
        if dialect.takes_objects:
            await client.rerank.create(model=f"{name}/m", query=QUERY, documents=[document, "b", "c"])
            assert only_request(loopback).json[dialect.documents_field][0] == document
        else:
            with pytest.raises(UnsupportedParameterError):
                await client.rerank.create(model=f"{name}/m", query=QUERY, documents=[document, "b", "c"])
            assert loopback.requests == []


@every_row_without("rerank")
async def test_row_without_it_says_who_serves_it(name: str, loopback: Loopback) -> None:
    """Nothing is sent; the message names providers that can."""
    async with client_for(name, loopback) as client:
        with pytest.raises(UnsupportedFeatureError, match=r"rerank.*fireworks.*openrouter") as caught:
            await client.rerank.create(model=f"{name}/m", query=QUERY, documents=DOCUMENTS)
    assert caught.value.provider == name
    assert loopback.requests == []


def test_addresses_outside_the_base_url() -> None:
    """Two hosts keep reranking apart from the rest."""
    dialects = {name: row.rerank for name, row in ROWS.items() if isinstance(row.rerank, Rerank)}
    assert {name: dialect.hosted_at for name, dialect in dialects.items() if dialect.hosted_at} == {
        "deepinfra": "https://api.deepinfra.com/v1/inference/{model}",
        "nvidia": "https://ai.api.nvidia.com/v1/retrieval/{model}/reranking",
    }
