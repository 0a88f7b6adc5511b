"""`embeddings.stream`: any number of inputs, read lazily, packed, sent together, given back in batches."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import numpy as np
import pytest
from loopback import Answer, Loopback, Recorded, soon
from process import python
from wire.chat_completions import embeddings

from onellm import AsyncOneLLM, RetryPolicy
from onellm.dialects.openai.embeddings import OpenAIEmbeddings
from onellm.errors import (
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    InvalidRequestError,
    ResponseDecodeError,
)
from onellm.providers.compatible import compatible
from onellm.resources.pipelines import AsyncEmbeddingStream
from onellm.types.pipelines import EmbeddingBatch, PipelineFailure

MODEL = "mine/e"


@pytest.fixture
async def client(loopback: Loopback) -> AsyncIterator[AsyncOneLLM]:
    """A client of a host that takes three inputs a request."""
    loopback.chooses(vector)
    settings = {"mine": {"api_key": "k", "base_url": loopback.url}}
    async with AsyncOneLLM(providers=settings, retry=RetryPolicy(max_retries=1)) as bound:
        bound.register(compatible("mine", embeddings=OpenAIEmbeddings(max_inputs=3)))
        yield bound


def numbers(texts: list[Any]) -> list[list[float]]:
    """What the host makes of texts, and of token ids."""
    return [[float(text), 0.5] if isinstance(text, str) else [float(sum(text)), -1.0] for text in texts]


def vector(request: Recorded) -> Answer:
    return Answer(chunks=[embeddings(numbers(request.json["input"]))])


def refusing(bad: set[str], status: int = 400) -> Callable[[Recorded], Answer]:
    """A host that refuses a request with one of these in it."""

    def choose(request: Recorded) -> Answer:
        if bad & set(request.json["input"]):
            return Answer(status=status, chunks=[{"error": {"message": "not this one"}}])
        return vector(request)

    return choose


def texts(count: int) -> Iterator[str]:
    return map(str, range(count))


async def collected(stream: AsyncEmbeddingStream) -> list[EmbeddingBatch]:
    async with stream:
        return [batch async for batch in stream]


def sent(loopback: Loopback) -> list[list[Any]]:
    return [request.json["input"] for request in loopback.requests]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 100])
async def test_batches_come_in_order(count: int, client: AsyncOneLLM, loopback: Loopback) -> None:
    """Each with its place, its ids and a float32 matrix; none with more than the host takes."""
    batches = await collected(client.embeddings.stream(texts(count), model=MODEL, user="u"))
    assert [batch.start for batch in batches] == list(range(0, count, 3))
    assert [item_id for _, ids, _ in batches for item_id in ids] == list(range(count))
    assert [row for batch in batches for row in batch.vectors.tolist()] == [[float(n), 0.5] for n in range(count)]
    assert {(type(batch.vectors), batch.vectors.dtype, batch.vectors.shape[1]) for batch in batches} <= {
        (np.ndarray, np.dtype(np.float32), 2)
    }
    assert sorted(map(len, sent(loopback))) == sorted(len(batch.ids) for batch in batches)
    assert all(request.json["model"] == "e" and request.json["user"] == "u" for request in loopback.requests)


async def test_a_matrix_can_be_changed_in_place(client: AsyncOneLLM) -> None:
    (batch,) = await collected(client.embeddings.stream(["3"], model=MODEL))
    batch.vectors[:] /= 2
    assert batch.vectors.tolist() == [[1.5, 0.25]]


async def test_an_async_iterable_is_read_too(client: AsyncOneLLM) -> None:
    async def source() -> AsyncIterator[str]:
        for text in texts(7):
            yield text

    batches = await collected(client.embeddings.stream(source(), model=MODEL))
    assert [batch.ids for batch in batches] == [[0, 1, 2], [3, 4, 5], [6]]


async def test_ids_of_the_callers_own(client: AsyncOneLLM, loopback: Loopback) -> None:
    given: list[Any] = [("a", "1"), (7, "2"), [3, 4], ("t", [5])]
    batches = await collected(client.embeddings.stream(given, model=MODEL))
    assert [batch.ids for batch in batches] == [["a", 7], [2, "t"]]
    assert sorted(sent(loopback), key=str) == [["1", "2"], [[3, 4], [5]]]  # texts and tokens not in one request
    assert [row for batch in batches for row in batch.vectors.tolist()] == [[1, 0.5], [2, 0.5], [7, -1], [5, -1]]


async def test_batches_come_in_order_or_as_they_come(client: AsyncOneLLM, loopback: Loopback) -> None:
    """The first request is answered when the others have been."""
    others = asyncio.Event()

    def choose(request: Recorded) -> Answer:
        answer = vector(request)
        if "0" in request.json["input"]:
            answer.pause = {0: others.wait}
        return answer

    loopback.chooses(choose)
    async with client.embeddings.stream(texts(9), model=MODEL, ordered=False) as stream:
        starts = [(await soon(anext(stream))).start for _ in range(2)]
        others.set()
        assert [*sorted(starts), (await soon(anext(stream))).start] == [3, 6, 0]
    assert [batch.start for batch in await collected(client.embeddings.stream(texts(9), model=MODEL))] == [0, 3, 6]


async def test_the_source_is_read_no_further_than_the_window(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Two requests under way, and as many batches ahead; nothing before the first batch is asked for."""
    read: list[int] = []

    async def source() -> AsyncIterator[str]:
        for number in range(1000):
            read.append(number)
            yield str(number)

    held = asyncio.Event()
    loopback.chooses(lambda request: Answer(chunks=vector(request).chunks, pause={0: held.wait}))
    async with client.embeddings.stream(source(), model=MODEL, concurrency=2) as stream:
        assert read == []
        first = asyncio.ensure_future(anext(stream))
        await soon(loopback.wait_for_requests(2))
        assert len(loopback.requests) == 2
        assert len(read) <= 4 * 3 + 1
        held.set()
        assert (await soon(first)).start == 0
    assert len(read) <= 5 * 3 + 1 + 3


async def test_an_iterator_that_blocks_does_not_stop_the_loop(client: AsyncOneLLM) -> None:
    """It waits for what only the loop can do, and what it gave before is sent meanwhile."""
    answered = threading.Event()
    threads: set[int] = set()

    def source() -> Iterator[str]:
        threads.add(threading.get_ident())
        yield from texts(1023)
        threads.add(threading.get_ident())
        yield "1023"
        assert answered.wait(20)
        threads.add(threading.get_ident())
        yield "1024"

    async with client.embeddings.stream(source(), model=MODEL) as stream:
        assert (await soon(anext(stream))).start == 0
        answered.set()
        assert [batch.start async for batch in stream][-1] == 1023
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_what_the_source_raises_comes_after_its_items(client: AsyncOneLLM) -> None:
    def source() -> Iterator[str]:
        yield from texts(5)
        raise ValueError("the disk is gone")

    async with client.embeddings.stream(source(), model=MODEL) as stream:
        assert (await anext(stream)).ids == [0, 1, 2]
        with pytest.raises(ValueError, match="the disk is gone"):
            await anext(stream)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


# --- packing ---


@pytest.mark.parametrize(
    ("limits", "sizes"),
    [
        ({"batch_size": 2}, [2, 2, 1]),
        ({"batch_tokens": 8}, [2, 2, 1]),  # an estimate: 4 each
        ({"batch_tokens": 8, "count_tokens": lambda text: 1 if int(text) < 3 else 8}, [3, 1, 1]),
        ({"batch_bytes": 12}, [1, 1, 1, 1, 1]),
        ({"batch_bytes": 20}, [2, 2, 1]),
    ],
    ids=["inputs", "tokens", "counted tokens", "bytes, one too many each", "bytes"],
)
async def test_a_request_holds_no_more_than_it_may(
    limits: dict[str, Any], sizes: list[int], client: AsyncOneLLM, loopback: Loopback
) -> None:
    source = [f"{number:010}" for number in range(5)]
    batches = await collected(client.embeddings.stream(source, model=MODEL, **limits))
    assert [len(batch.ids) for batch in batches] == sizes
    assert sorted(map(len, sent(loopback))) == sorted(sizes)


async def test_equal_inputs_are_sent_once(client: AsyncOneLLM, loopback: Loopback) -> None:
    """In a batch, under way together, and soon after; each has its vector."""
    source = ["1", "1", "2", "1", "3", "2", *["1"] * 7]
    stream = client.embeddings.stream(source, model=MODEL)
    batches = await collected(stream)
    assert [row[0] for batch in batches for row in batch.vectors.tolist()] == [float(text) for text in source]
    assert sorted(sent(loopback)) == [["1", "2"], ["3"]]
    assert (stream.progress.repeated, stream.progress.requests) == (10, 2)
    many = [str(number % 10) for number in range(200)]
    loopback.requests.clear()
    batches = await collected(client.embeddings.stream(many, model=MODEL, concurrency=1))
    assert [row[0] for batch in batches for row in batch.vectors.tolist()] == [float(text) for text in many]
    assert sorted(text for part in sent(loopback) for text in part) == sorted(texts(10))


# --- what fails ---


async def test_one_bad_input_costs_no_other_its_vector(client: AsyncOneLLM, loopback: Loopback) -> None:
    loopback.chooses(refusing({"4", "17"}))
    stream = client.embeddings.stream((("id" + text, text) for text in texts(20)), model=MODEL, on_error="skip")
    batches = await collected(stream)
    assert [item_id for batch in batches for item_id in batch.ids] == [f"id{n}" for n in range(20) if n not in {4, 17}]
    assert all(len(batch.ids) == len(batch.vectors) for batch in batches)
    first, second = [failure for batch in batches for failure in batch.failures]
    assert (first.index, first.id, first.input) == (4, "id4", "4")
    assert isinstance(second.error, BadRequestError)
    assert (stream.progress.done, stream.progress.failed) == (20, 2)
    assert sorted(part for part in sent(loopback) if {"3", "4", "5"} & set(part)) == [
        ["3"],
        ["3", "4", "5"],
        ["4"],
        ["4", "5"],
        ["5"],
    ]


async def test_all_of_a_batch_may_fail(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Its matrix has no rows, and still as many columns as the others."""
    loopback.chooses(refusing({"3", "4", "5"}))
    batches = await collected(client.embeddings.stream(texts(9), model=MODEL, on_error="skip", concurrency=1))
    assert [batch.vectors.shape for batch in batches] == [(3, 2), (0, 2), (3, 2)]
    assert np.concatenate([batch.vectors for batch in batches]).shape == (6, 2)


async def test_the_first_bad_input_ends_the_stream(client: AsyncOneLLM, loopback: Loopback) -> None:
    """After the batches before it; the message begins with its place."""
    loopback.chooses(refusing({"4"}))
    async with client.embeddings.stream(texts(20), model=MODEL) as stream:
        assert (await anext(stream)).start == 0
        with pytest.raises(BadRequestError, match=r"inputs\[4\]: not this one"):
            await anext(stream)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_an_equal_input_fails_with_it(client: AsyncOneLLM, loopback: Loopback) -> None:
    loopback.chooses(refusing({"4"}))
    source = ["4", "1", "2", "3", "4", "5"]
    batches = await collected(client.embeddings.stream(source, model=MODEL, on_error="skip"))
    assert [failure.index for batch in batches for failure in batch.failures] == [0, 4]
    assert sum(part == ["4"] for part in sent(loopback)) == 1


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_function_is_told_of_each_failure(asynchronous: bool, client: AsyncOneLLM, loopback: Loopback) -> None:
    told: list[PipelineFailure] = []

    async def later(failure: PipelineFailure) -> None:
        told.append(failure)

    loopback.chooses(refusing({"4", "7"}))
    await collected(client.embeddings.stream(texts(9), model=MODEL, on_error=later if asynchronous else told.append))
    assert sorted(failure.index for failure in told) == [4, 7]


async def test_what_the_function_raises_ends_the_stream(client: AsyncOneLLM, loopback: Loopback) -> None:
    def give_up(failure: PipelineFailure) -> None:
        raise KeyError(failure.id)

    loopback.chooses(refusing({"4"}))
    async with client.embeddings.stream(texts(9), model=MODEL, on_error=give_up) as stream:
        assert (await anext(stream)).start == 0
        with pytest.raises(KeyError, match="4"):
            await anext(stream)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ("", "is empty"),
        ("half \ud800", "half of a surrogate pair"),
        (None, "not NoneType"),
        (b"1", "not bytes"),
        ([], "not list"),
        (["1"], "not list"),
    ],
)
async def test_what_no_provider_takes_is_not_sent(
    given: Any, what: str, client: AsyncOneLLM, loopback: Loopback
) -> None:
    batches = await collected(client.embeddings.stream(["1", given, "2"], model=MODEL, on_error="skip"))
    assert sent(loopback) == [["1", "2"]]
    assert batches[0].ids == [0, 2]
    (failure,) = batches[0].failures
    assert (failure.index, isinstance(failure.error, InvalidRequestError)) == (1, True)
    assert what in failure.error.message
    with pytest.raises(InvalidRequestError, match=r"inputs\[1\]: "):
        await collected(client.embeddings.stream(["1", given, "2"], model=MODEL))


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_request_that_is_too_large_is_halved(status: int, client: AsyncOneLLM, loopback: Loopback) -> None:
    """And those after it are smaller."""

    def choose(request: Recorded) -> Answer:
        return Answer(status=status) if len(request.json["input"]) > 5 else vector(request)

    loopback.chooses(choose)
    stream = client.embeddings.stream(texts(200), model=MODEL, batch_size=8, concurrency=1)
    batches = await collected(stream)
    assert [item_id for batch in batches for item_id in batch.ids] == list(range(200))
    too_large = [part for part in sent(loopback) if len(part) > 5]
    assert 1 <= len(too_large) <= 3
    assert len(batches[-1].ids) == 4


async def test_one_large_input_makes_no_request_smaller(client: AsyncOneLLM, loopback: Loopback) -> None:
    loopback.chooses(refusing({"4"}, 413))
    batches = await collected(client.embeddings.stream(texts(12), model=MODEL, on_error="skip", concurrency=1))
    assert [len(batch.ids) for batch in batches] == [3, 2, 3, 3]


async def test_a_call_that_no_input_passes_is_ended(client: AsyncOneLLM, loopback: Loopback) -> None:
    """And not sent again for each of a million inputs."""
    loopback.plays(Answer(status=400, chunks=[{"error": {"message": "dimensions: too many"}}]))
    with pytest.raises(BadRequestError, match="and no other, were sent alone and refused; the last: dimensions"):
        await collected(client.embeddings.stream(texts(10_000), model=MODEL, on_error="skip"))
    assert len(loopback.requests) < 120


@pytest.mark.parametrize("on_error", ["raise", "skip"])
async def test_a_wrong_key_ends_the_stream(on_error: Any, client: AsyncOneLLM, loopback: Loopback) -> None:
    """Whatever becomes of inputs that fail: none could do better."""
    loopback.plays(Answer(status=401))
    with pytest.raises(AuthenticationError):
        await collected(client.embeddings.stream(texts(9), model=MODEL, on_error=on_error, concurrency=1))
    assert len(loopback.requests) == 1


async def test_a_failure_that_may_pass_is_retried_first(client: AsyncOneLLM, loopback: Loopback) -> None:
    failed: list[Recorded] = []

    def choose(request: Recorded) -> Answer:
        if "4" in request.json["input"] and not failed:
            failed.append(request)
            return Answer(status=503)
        return vector(request)

    loopback.chooses(choose)
    batches = await collected(client.embeddings.stream(texts(9), model=MODEL))
    assert [item_id for batch in batches for item_id in batch.ids] == list(range(9))
    assert len(loopback.requests) == 4


async def test_a_failure_that_lasts_is_that_of_its_batch(client: AsyncOneLLM, loopback: Loopback) -> None:
    """It says nothing of one input, so it is not sent in halves."""
    loopback.chooses(refusing({"4"}, 500))
    batches = await collected(client.embeddings.stream(texts(9), model=MODEL, on_error="skip"))
    assert [failure.index for batch in batches for failure in batch.failures] == [3, 4, 5]
    assert all(failure.error.retryable for batch in batches for failure in batch.failures)
    assert len(loopback.requests) == 4
    with pytest.raises(InternalServerError):
        await collected(client.embeddings.stream(texts(9), model=MODEL))


async def test_vectors_of_two_lengths_are_an_error(client: AsyncOneLLM, loopback: Loopback) -> None:
    loopback.plays(Answer(chunks=[embeddings([[1.0], [1.0, 2.0]])]))
    with pytest.raises(ResponseDecodeError, match="vectors of 1 and of 2 numbers"):
        await collected(client.embeddings.stream(["1", "2"], model=MODEL))


# --- leaving ---


@pytest.mark.parametrize("how", ["leave", "aclose", "forget"])
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_leaving_early_ends_what_is_under_way(
    how: str, asynchronous: bool, client: AsyncOneLLM, loopback: Loopback
) -> None:
    """The connections are closed, and a generator is."""
    closed = threading.Event()

    def endless() -> Iterator[str]:
        try:
            yield from map(str, range(10**9))
        finally:
            closed.set()

    async def endless_async() -> AsyncIterator[str]:
        try:
            for number in range(10**9):
                yield str(number)
        finally:
            closed.set()

    def choose(request: Recorded) -> Answer:
        return vector(request) if "0" in request.json["input"] else Answer(cut="stall", head=False)

    loopback.chooses(choose)
    source: Any = endless_async() if asynchronous else endless()
    stream = client.embeddings.stream(source, model=MODEL)
    assert (await soon(anext(stream))).start == 0
    await soon(loopback.wait_for_requests(5))
    if how == "leave":
        async with stream:
            pass
    elif how == "aclose":
        await stream.aclose()
    else:
        del stream
        gc.collect()
    await soon(asyncio.gather(*(request.gone.wait() for request in loopback.requests[1:5])))
    assert await asyncio.to_thread(closed.wait, 20)
    assert len(asyncio.all_tasks()) < 40


async def test_cancelling_the_reader_loses_nothing(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Who waits for a batch may be cancelled: the batch comes to whoever asks next."""
    held = asyncio.Event()
    loopback.chooses(lambda request: Answer(chunks=vector(request).chunks, pause={0: held.wait}))
    async with client.embeddings.stream(texts(6), model=MODEL) as stream:
        waiting = asyncio.ensure_future(anext(stream))
        await soon(loopback.wait_for_requests(2))
        waiting.cancel()
        await asyncio.wait({waiting})
        held.set()
        assert [batch.start async for batch in stream] == [0, 3]


# --- how it is called ---


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"inputs": "a text"}, "inputs must be an iterable of texts, not str"),
        ({"inputs": 5}, "inputs must be an iterable of texts, not int"),
        ({"inputs": [], "batch_size": 0}, "batch_size: give at least 1"),
        ({"inputs": [], "concurrency": 0}, "concurrency: give at least 1"),
        ({"inputs": [], "dimensoins": 2}, "embeddings.stream has no argument 'dimensoins'; did you mean dimensions"),
        ({"inputs": [], "on_error": "ignore"}, "on_error cannot be 'ignore'; it is one of 'raise', 'skip', or a func"),
    ],
)
async def test_a_wrong_call_says_so_at_once(arguments: dict[str, Any], what: str, client: AsyncOneLLM) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        client.embeddings.stream(model=MODEL, **arguments)
    assert what in str(caught.value)


async def test_a_wrong_id_says_so(client: AsyncOneLLM) -> None:
    given: Any = [("a", "1"), (1.5, "2")]
    with pytest.raises(InvalidRequestError, match=r"inputs\[1\]: an id is a text or a whole number, not float"):
        await collected(client.embeddings.stream(given, model=MODEL))


WITHOUT_NUMPY = """
import asyncio, sys
sys.modules["numpy"] = None
from onellm import AsyncOneLLM

async def main():
    async with AsyncOneLLM(api_key="k", base_url=sys.argv[1]) as client:
        async with client.embeddings.stream(["1", "2"], model="m") as stream:
            async for start, ids, vectors in stream:
                print(start, ids, type(vectors).__name__, vectors.format, vectors.shape, vectors.tolist())

asyncio.run(main())
"""


async def test_without_numpy_vectors_are_a_buffer_of_that_shape(loopback: Loopback) -> None:
    loopback.chooses(vector)
    printed = await python(WITHOUT_NUMPY, loopback.url, flags=("-W", "error"))
    assert printed == "0 [0, 1] memoryview f (2, 2) [[1.0, 0.5], [2.0, 0.5]]\n"
