"""Pipelines for blocking callers: a plain `for`, and what leaving it does."""

import threading
from collections.abc import Iterator

import pytest
from loopback import Answer, Recorded
from threaded import Provider
from wire.chat_completions import embeddings

from onellm import BadRequestError, ChatMap, EmbeddingStream, OneLLM


def vector(request: Recorded) -> Answer:
    return Answer(chunks=[embeddings([[float(text)] for text in request.json["input"]])])


def test_batches_in_a_plain_for(provider: Provider, client: OneLLM) -> None:
    provider.loopback.chooses(vector)
    rows: list[float] = []
    with client.embeddings.stream(map(str, range(50)), model="m", batch_size=7) as stream:
        assert isinstance(stream, EmbeddingStream)
        for start, ids, vectors in stream:
            assert ids == list(range(start, start + len(ids)))
            rows += vectors[:, 0].tolist()
    assert rows == list(range(50))
    assert (stream.progress.done, stream.progress.requests) == (50, 8)
    assert sorted(len(request.json["input"]) for request in provider.loopback.requests) == [1, *[7] * 7]


def test_without_with_the_end_closes_it(provider: Provider, client: OneLLM) -> None:
    provider.loopback.chooses(vector)
    assert [batch.start for batch in client.embeddings.stream(["1", "2"], model="m", batch_size=1)] == [0, 1]


def test_leaving_early_closes_the_source_and_the_connections(provider: Provider, client: OneLLM) -> None:
    closed = threading.Event()

    def endless() -> Iterator[str]:
        try:
            yield from map(str, range(10**9))
        finally:
            closed.set()

    provider.loopback.chooses(
        lambda request: vector(request) if "0" in request.json["input"] else Answer(cut="stall", head=False)
    )
    with client.embeddings.stream(endless(), model="m", batch_size=2, concurrency=2) as stream:
        assert next(stream).start == 0
        provider.arrived(3)
    provider.gone()
    assert closed.wait(20)


def test_an_input_that_fails_is_raised(provider: Provider, client: OneLLM) -> None:
    provider.loopback.plays(Answer(status=400, chunks=[{"error": {"message": "no"}}]))
    with pytest.raises(BadRequestError, match=r"inputs\[0\]: no"):
        list(client.embeddings.stream(["1"], model="m"))


def test_many_chats_in_a_plain_for(provider: Provider, client: OneLLM) -> None:
    def repeat(request: Recorded) -> Answer:
        text = request.json["messages"][-1]["content"]
        return Answer(chunks=[{"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}])

    provider.loopback.chooses(repeat)
    with client.chat.completions.map(map(str, range(40)), model="m") as results:
        assert isinstance(results, ChatMap)
        texts = [result.response.choices[0].message.content for result in results if result.response]
    assert texts == list(map(str, range(40)))
    assert results.progress.done == 40
