"""`rerank` over a real socket."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from loopback import Answer, Loopback
from msgspec import structs
from served import KEY, client_for, only_request
from wire.rerank import ANSWERS, DOCUMENTS, QUERY

from onellm import AsyncOneLLM, InvalidRequestError
from onellm.dialects.rerank import Rerank
from onellm.providers.compatible import ROWS, compatible


@pytest.fixture
async def loopback() -> AsyncIterator[Loopback]:
    async with Loopback() as server:
        server.plays(Answer(chunks=[ANSWERS["cohere-like"]], headers={"x-request-id": "r1"}))
        yield server


@pytest.fixture
async def client(loopback: Loopback) -> AsyncIterator[AsyncOneLLM]:
    async with client_for("openrouter", loopback) as bound:
        yield bound


async def test_results_come_best_first(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Any iterable of texts is ranked; the answer says who gave it."""
    reply = await client.rerank.create(
        model="openrouter/voyageai/rerank-2.5-lite",
        query=QUERY,
        documents=(document for document in DOCUMENTS),
        top_n=2,
        return_documents=True,
    )
    assert [(item.index, item.document) for item in reply.results] == [(1, DOCUMENTS[1]), (2, DOCUMENTS[2])]
    assert reply.usage is not None
    assert (reply.usage.total_tokens, reply.usage.search_units) == (17, 1)
    assert (reply.provider, reply.request_id) == ("openrouter", "r1")
    assert reply.model_extra == {"provider": "VoyageAI by MongoDB"}
    assert only_request(loopback).json == {
        "model": "voyageai/rerank-2.5-lite",
        "query": QUERY,
        "documents": DOCUMENTS,
        "top_n": 2,
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": ""}, "query"),
        ({"query": None}, "query"),
        ({"documents": []}, "documents is empty"),
        ({"documents": "one text"}, "documents must be a list"),
        ({"documents": {"text": "a"}}, "documents must be a list"),
        ({"documents": 3}, "documents must be a list"),
        ({"documents": ["a", 3]}, r"documents\[1\]"),
        ({"top_n": 0}, "top_n"),
        ({"top_k": 1}, "did you mean top_n"),
    ],
)
async def test_wrong_arguments(
    client: AsyncOneLLM, loopback: Loopback, arguments: dict[str, Any], message: str
) -> None:
    """The error names the argument, and nothing is sent."""
    with pytest.raises(InvalidRequestError, match=message) as caught:
        await client.rerank.create(model="openrouter/m", **{"query": QUERY, "documents": DOCUMENTS, **arguments})
    assert caught.value.param in arguments
    assert loopback.requests == []


async def test_operation_that_is_hosted_elsewhere(loopback: Loopback) -> None:
    """The key goes to the provider's other host only as long as the base URL is the provider's own."""
    loopback.plays(Answer(chunks=[ANSWERS["rankings"]]))
    row = ROWS["nvidia"]
    assert isinstance(row.rerank, Rerank)
    there = structs.replace(row.rerank, hosted_at=f"{loopback.url}/v1/retrieval/{{model}}/reranking")
    provider = structs.replace(row, name="here", base_url="http://127.0.0.1:9/v1", rerank=there)
    cases = [
        ({}, "/v1/retrieval/nvidia/rerank-1_0/reranking"),
        ({"base_url": f"{loopback.url}/v1"}, "/v1/ranking"),
    ]
    for settings, path in cases:
        async with AsyncOneLLM(providers={"here": {"api_key": KEY, "proxy": "", **settings}}) as client:
            client.register(provider)
            reply = await client.rerank.create(model="here/nvidia/rerank-1.0", query=QUERY, documents=DOCUMENTS)
        assert [item.index for item in reply.results] == [1, 2, 0]
        assert loopback.requests[-1].path == path


async def test_host_of_ones_own(loopback: Loopback) -> None:
    """A compatible host reranks where it is given the dialect."""
    async with AsyncOneLLM(providers={"mine": {"proxy": ""}}) as client:
        client.register(compatible("mine", f"{loopback.url}/api", rerank=Rerank(path="v2/rerank")))
        await client.rerank.create(model="mine/m", query=QUERY, documents=DOCUMENTS)
    assert only_request(loopback).path == "/api/v2/rerank"
