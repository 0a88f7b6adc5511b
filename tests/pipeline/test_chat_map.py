"""`chat.completions.map`: many requests, each by itself or in the provider's batches, with the same results."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from forms import files
from loopback import Answer, Loopback, Recorded, soon

from onellm import AsyncOneLLM, CheckpointError, RetryPolicy
from onellm.errors import (
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    InvalidRequestError,
    UnsupportedFeatureError,
)
from onellm.resources.pipelines import AsyncChatMap
from onellm.types.pipelines import ChatResult, PipelineFailure

MODEL = "openai/m"


def said(body: Any) -> dict[str, Any]:
    """An answer that repeats the question."""
    text = body["messages"][-1]["content"]
    return {
        "id": f"chatcmpl-{text}",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }


class Host:
    """Answers, and runs batches, which have ended when they are first looked at; questions in `bad` are refused."""

    def __init__(self) -> None:
        self.bad: dict[str, int] = {}
        self.lost: set[str] = set()
        self.batches: list[list[Any]] = []
        self.looks = asyncio.Event()
        self.looks.set()

    def answer(self, request: Recorded) -> Answer:
        match request.method, request.path.removeprefix("/v1").strip("/").split("/"):
            case "POST", ["chat", _]:
                status = self.bad.get(request.json["messages"][-1]["content"], 200)
                error = {"error": {"message": "not this"}}
                return Answer(status=status, chunks=[said(request.json) if status == 200 else error])
            case "POST", ["files"]:
                self.batches.append([json.loads(line) for line in files(request)[0][3].splitlines()])
                return Answer(chunks=[{"id": f"file-{len(self.batches) - 1}", "bytes": 1, "created_at": 1}])
            case "POST", ["batches"]:
                name = request.json["input_file_id"].removeprefix("file-")
                return Answer(chunks=[{"id": f"batch-{name}", "status": "validating"}])
            case "GET", ["batches", name]:
                ended = {"id": name, "status": "completed", "output_file_id": name, "endpoint": "/v1/chat/completions"}
                return Answer(chunks=[ended], pause={0: self.looks.wait})
            case "GET", ["files", name, "content"]:
                return Answer(chunks=[self.results(self.batches[int(name.removeprefix("batch-"))])])
            case _:
                return Answer(status=404)

    def results(self, lines: list[Any]) -> bytes:
        """In another order than they were given."""
        out: list[bytes] = []
        for line in reversed(lines):
            text = line["body"]["messages"][-1]["content"]
            if text in self.lost:
                continue
            status = self.bad.get(text, 200)
            body = said(line["body"]) if status == 200 else {"error": {"message": "not this"}}
            response = {"status_code": status, "request_id": "r", "body": body}
            out.append(json.dumps({"custom_id": line["custom_id"], "response": response, "error": None}).encode())
        return b"\n".join(out) + b"\n"


@pytest.fixture
def host(loopback: Loopback) -> Host:
    made = Host()
    loopback.chooses(made.answer)
    return made


@pytest.fixture
async def client(loopback: Loopback, host: Host) -> AsyncIterator[AsyncOneLLM]:
    assert host
    url = f"{loopback.url}/v1"
    async with AsyncOneLLM(api_key="k", base_url=url, retry=RetryPolicy(max_retries=0)) as bound:
        yield bound


every_mode = pytest.mark.parametrize("mode", ["requests", "batch"])


async def collected(results: AsyncChatMap) -> list[ChatResult]:
    async with results:
        return [result async for result in results]


def texts(results: list[ChatResult]) -> list[str | None]:
    return [result.response.choices[0].message.content if result.response else None for result in results]


def questions(loopback: Loopback) -> list[str]:
    """What was asked one by one; then forget it."""
    asked = [request.json["messages"][-1]["content"] for request in loopback.requests if request.path.endswith("ions")]
    loopback.requests.clear()
    return asked


@every_mode
async def test_requests_in_every_form(mode: Any, client: AsyncOneLLM, host: Host, loopback: Loopback) -> None:
    """A prompt, messages, arguments; with an id or without; the call's arguments where a request has none."""
    given: list[Any] = [
        "one",
        [{"role": "system", "content": "s"}, {"role": "user", "content": "two"}],
        {"messages": [{"role": "user", "content": "three"}], "temperature": 0.5},
        ("d", "four"),
        (5, {"messages": [{"role": "user", "content": "five"}], "model": MODEL}),
        {"custom_id": "f", "messages": [{"role": "user", "content": "six"}]},
        ({"role": "system", "content": "s"}, {"role": "user", "content": "seven"}),
    ]
    many = client.chat.completions.map(given, model=MODEL, mode=mode, max_tokens=9, temperature=1, timeout=50)
    results = await collected(many)
    assert texts(results) == ["one", "two", "three", "four", "five", "six", "seven"]
    assert [result.id for result in results] == [0, 1, 2, "d", 5, "f", 6]
    assert [result.index for result in results] == list(range(7))
    bodies = [line["body"] for batch in host.batches for line in batch] or sorted(
        (request.json for request in loopback.requests),
        key=lambda body: texts(results).index(body["messages"][-1]["content"]),
    )
    assert [body["temperature"] for body in bodies] == [1, 1, 0.5, 1, 1, 1, 1]
    assert {(body["model"], body.get("max_tokens", body.get("max_completion_tokens"))) for body in bodies} == {("m", 9)}
    assert [len(body["messages"]) for body in bodies] == [1, 2, 1, 1, 1, 1, 2]
    assert (many.progress.prompt_tokens, many.progress.completion_tokens) == (7, 14)
    assert many.progress.requests == (7 if mode == "requests" else 1)


async def test_both_ways_give_the_same(client: AsyncOneLLM) -> None:
    one_by_one, in_batches = [
        await collected(client.chat.completions.map(["a", "b"], model=MODEL, mode=mode))
        for mode in ("requests", "batch")
    ]
    for one, other in zip(one_by_one, in_batches, strict=True):
        assert one.response is not None
        assert other.response is not None
        assert one.response.to_dict() == other.response.to_dict()
        assert (one.response.provider, one.index, one.id) == (other.response.provider, other.index, other.id)


async def test_results_come_in_order_or_as_they_come(client: AsyncOneLLM, host: Host, loopback: Loopback) -> None:
    others = asyncio.Event()

    def choose(request: Recorded) -> Answer:
        answer = host.answer(request)
        if request.json["messages"][-1]["content"] == "0":
            answer.pause = {0: others.wait}
        return answer

    loopback.chooses(choose)
    given = [str(number) for number in range(4)]
    async with client.chat.completions.map(given, model=MODEL, ordered=False) as results:
        first = [(await soon(anext(results))).index for _ in range(3)]
        others.set()
        assert [*sorted(first), (await soon(anext(results))).index] == [1, 2, 3, 0]
    assert texts(await collected(client.chat.completions.map(given, model=MODEL))) == given


async def test_no_more_are_under_way_than_asked_for(client: AsyncOneLLM, host: Host, loopback: Loopback) -> None:
    """And the source is read no further than four times as many."""
    read: list[int] = []

    async def source() -> AsyncIterator[str]:
        for number in range(1000):
            read.append(number)
            yield str(number)

    held = asyncio.Event()

    def choose(request: Recorded) -> Answer:
        answer = host.answer(request)
        answer.pause = {0: held.wait}
        return answer

    loopback.chooses(choose)
    async with client.chat.completions.map(source(), model=MODEL, concurrency=3) as results:
        waiting = asyncio.ensure_future(anext(results))
        await soon(loopback.wait_for_requests(3))
        assert len(loopback.requests) == 3
        assert len(read) <= 13
        held.set()
        assert (await soon(waiting)).index == 0


# --- what fails ---


@every_mode
async def test_failures_are_results_too(mode: Any, client: AsyncOneLLM, host: Host) -> None:
    """Refused by the provider, or wrong before anything is sent; at their places."""
    host.bad = {"b": 400}
    given: list[Any] = ["a", "b", 7, {"temperature": 1}, {"messages": [{"role": "usr", "content": "x"}]}, "c"]
    told: list[PipelineFailure] = []
    results = await collected(client.chat.completions.map(given, model=MODEL, mode=mode, on_error=told.append))
    assert texts(results) == ["a", None, None, None, None, "c"]
    kinds = [type(result.error) for result in results if result.error is not None]
    assert kinds == [BadRequestError, InvalidRequestError, InvalidRequestError, InvalidRequestError]
    assert sorted((failure.index, failure.input) for failure in told)[:2] == [(1, "b"), (2, 7)]
    assert "a request is a prompt, a list of messages or a dict, not int" in str(results[2].error)
    skipped = await collected(client.chat.completions.map(given, model=MODEL, mode=mode, on_error="skip"))
    assert texts(skipped) == texts(results)


@every_mode
async def test_the_first_failure_ends_it(mode: Any, client: AsyncOneLLM, host: Host) -> None:
    host.bad = {"b": 400}
    async with client.chat.completions.map(["a", "b", "c"], model=MODEL, mode=mode, batch_size=1) as results:
        assert (await anext(results)).index == 0
        with pytest.raises(BadRequestError, match=r"requests\[1\]: not this"):
            await anext(results)
        with pytest.raises(StopAsyncIteration):
            await anext(results)


@pytest.mark.parametrize("on_error", ["raise", "skip"])
async def test_a_wrong_key_ends_it(on_error: Any, client: AsyncOneLLM, loopback: Loopback) -> None:
    loopback.plays(Answer(status=401))
    with pytest.raises(AuthenticationError):
        await collected(client.chat.completions.map(map(str, range(90)), model=MODEL, on_error=on_error, concurrency=1))
    assert len(loopback.requests) == 1


async def test_a_call_that_no_request_passes_is_ended(client: AsyncOneLLM, loopback: Loopback) -> None:
    loopback.plays(Answer(status=404, chunks=[{"error": {"message": "no such model"}}]))
    many = client.chat.completions.map(map(str, range(9999)), model=MODEL, on_error="skip")
    with pytest.raises(Exception, match="32 requests were refused, and none answered; the last: no such model"):
        await collected(many)
    assert len(loopback.requests) < 64


async def test_a_batch_without_a_result_for_a_request(client: AsyncOneLLM, host: Host, tmp_path: Path) -> None:
    """It may have one another time: a checkpoint does not hold it."""
    host.lost = {"b"}
    ask: dict[str, Any] = {"model": MODEL, "mode": "batch", "on_error": "skip", "checkpoint": tmp_path / "run.sqlite"}
    results = await collected(client.chat.completions.map(["a", "b"], **ask))
    assert isinstance(results[1].error, InternalServerError)
    host.lost = set()
    results = await collected(client.chat.completions.map(["a", "b"], **ask))
    assert texts(results) == ["a", "b"]
    assert [result.resumed for result in results] == [True, False]
    assert [[line["custom_id"] for line in batch] for batch in host.batches] == [["0", "1"], ["1"]]


# --- batches ---


async def test_a_batch_is_of_one_model_and_of_a_size(client: AsyncOneLLM, host: Host) -> None:
    def source() -> Iterator[Any]:
        yield from map(str, range(5))
        yield {"messages": [{"role": "user", "content": "5"}], "model": "openai/other"}
        yield "6"

    many = client.chat.completions.map(source(), model=MODEL, mode="batch", batch_size=3)
    assert texts(await collected(many)) == list(map(str, range(7)))
    sizes = [[(line["custom_id"], line["body"]["model"]) for line in batch] for batch in host.batches]
    assert sorted(sizes) == [
        [("0", "m"), ("1", "m"), ("2", "m")],
        [("3", "m"), ("4", "m")],
        [("5", "other")],
        [("6", "m")],
    ]


async def test_a_provider_without_batches_says_so_at_once() -> None:
    async with AsyncOneLLM(providers={"cohere": {"api_key": "k"}}) as client:
        with pytest.raises(UnsupportedFeatureError, match=r"cohere does not serve batches; .*openai"):
            client.chat.completions.map(["a"], model="cohere/command-a", mode="batch")


async def test_a_batch_that_was_begun_is_found_again(
    client: AsyncOneLLM, host: Host, loopback: Loopback, tmp_path: Path
) -> None:
    """Left while it was under way: the next run waits for the same batch, whatever its batch_size."""
    ask: dict[str, Any] = {"model": MODEL, "mode": "batch", "checkpoint": tmp_path / "run.sqlite"}
    host.looks.clear()
    async with client.chat.completions.map(map(str, range(6)), **ask, batch_size=4) as results:
        waiting = asyncio.ensure_future(anext(results))
        async with loopback.changed:
            arrived = loopback.changed.wait_for(
                lambda: sum(request.path.startswith("/v1/batches/") for request in loopback.requests) == 2
            )
            await soon(arrived)
        waiting.cancel()
        await asyncio.wait({waiting})
    assert len(host.batches) == 2
    host.looks.set()
    with pytest.raises(CheckpointError, match='has batches that are under way: go on with mode="batch"'):
        await collected(client.chat.completions.map(map(str, range(6)), **{**ask, "mode": "requests"}))
    with pytest.raises(CheckpointError, match=r"a batch of 4 from \[0\] on is under way, and these differ"):
        await collected(client.chat.completions.map(["x"] * 6, **ask))
    assert texts(await collected(client.chat.completions.map(map(str, range(6)), **ask))) == list(map(str, range(6)))
    assert len(host.batches) == 2
    again = await collected(client.chat.completions.map(map(str, range(6)), **{**ask, "mode": "requests"}))
    assert all(result.resumed for result in again)


# --- checkpoints ---


async def test_a_map_that_was_left_goes_on(client: AsyncOneLLM, host: Host, loopback: Loopback, tmp_path: Path) -> None:
    """Answers come back whole; one way of asking goes on where the other stopped."""
    ask: dict[str, Any] = {"model": MODEL, "checkpoint": tmp_path / "run.sqlite", "concurrency": 1, "on_error": "skip"}
    given = [str(number) for number in range(20)]
    host.bad = {"1": 422}
    fresh: list[ChatResult] = []
    async with client.chat.completions.map(given, **ask) as results:
        async for result in results:
            fresh.append(result)
            if result.index == 5:
                break
    answered = questions(loopback)
    rest = client.chat.completions.map(given, **{**ask, "mode": "batch"})
    results_of_both = await collected(rest)
    assert texts(results_of_both) == [None if text == "1" else text for text in given]
    assert results_of_both[0].response == fresh[0].response
    assert results_of_both[0].response is not None
    assert fresh[0].response is not None
    assert results_of_both[0].response.to_dict() == fresh[0].response.to_dict()
    assert isinstance(results_of_both[1].error, type(fresh[1].error))
    in_batches = [line["body"]["messages"][-1]["content"] for batch in host.batches for line in batch]
    assert rest.progress.resumed == 20 - len(in_batches)
    assert not {*in_batches} & {*answered[:-1]}
    loopback.requests.clear()
    assert texts(await collected(client.chat.completions.map(given, **ask))) == texts(results_of_both)
    assert loopback.requests == []


async def test_a_checkpoint_of_another_map_is_refused(client: AsyncOneLLM, tmp_path: Path) -> None:
    ask: dict[str, Any] = {"model": MODEL, "checkpoint": tmp_path / "run.sqlite"}
    await collected(client.chat.completions.map(["a", "b"], **ask))
    others: list[tuple[dict[str, Any], str]] = [
        ({"model": "openai/x"}, 'model is "openai/m" there, and "openai/x" here'),
        ({"temperature": 0.5}, "temperature is not given there, and 0.5 here"),
    ]
    for changed, why in others:
        with pytest.raises(CheckpointError, match=why):
            await collected(client.chat.completions.map(["a", "b"], **{**ask, **changed}))
    with pytest.raises(CheckpointError, match=r"results for \[1\] to \[1\], and these differ"):
        await collected(client.chat.completions.map(["a", "c"], **ask))
    with pytest.raises(CheckpointError, match=r'call is "chat\.completions\.map" there, and "embeddings\.stream" here'):
        async with client.embeddings.stream(["a"], **ask) as stream:
            await anext(stream)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"requests": "a prompt"}, "requests must be an iterable of requests, not str"),
        ({"requests": [], "mode": "batches"}, "mode cannot be 'batches'; did you mean 'batch'"),
        ({"requests": [], "concurrency": 0}, "concurrency: give at least 1"),
        ({"requests": [], "temprature": 0}, "has no argument 'temprature'; did you mean temperature"),
    ],
)
async def test_a_wrong_call_says_so_at_once(arguments: dict[str, Any], what: str, client: AsyncOneLLM) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        client.chat.completions.map(model=MODEL, **arguments)
    assert what in str(caught.value)


async def test_a_request_without_a_model_fails_and_says_so(client: AsyncOneLLM) -> None:
    (result,) = await collected(client.chat.completions.map(["a"], on_error="skip"))
    assert "the request has no model, and the call has none" in str(result.error)
    (result,) = await collected(
        client.chat.completions.map([{"messages": [], "stream": True}], model=MODEL, on_error="skip")
    )
    assert "leave out stream" in str(result.error)
    with pytest.raises(InvalidRequestError, match=r"requests\[0\]: an id is a text or a whole number, not float"):
        await collected(client.chat.completions.map([{"custom_id": 1.5, "messages": []}], model=MODEL))
