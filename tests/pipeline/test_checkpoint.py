"""Checkpoints of `embeddings.stream`: nothing is lost and nothing is paid twice, however a run ended."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from command_line import ROOT
from loopback import Answer, Loopback, Recorded, soon
from process import python
from wire.chat_completions import embeddings

from onellm import AsyncOneLLM, CheckpointError, RetryPolicy
from onellm.dialects.openai.embeddings import OpenAIEmbeddings
from onellm.errors import BadRequestError, InternalServerError, InvalidRequestError
from onellm.pipeline.checkpoint import Checkpoint
from onellm.pipeline.records import Record, Span, decode_failures, digest, encode_failures
from onellm.providers.compatible import compatible
from onellm.resources.pipelines import AsyncEmbeddingStream
from onellm.types.pipelines import EmbeddingBatch


@pytest.fixture
async def client(loopback: Loopback) -> AsyncIterator[AsyncOneLLM]:
    """A client of a host that takes three inputs a request."""
    loopback.chooses(vector)
    settings = {"mine": {"api_key": "k", "base_url": loopback.url}}
    async with AsyncOneLLM(providers=settings, retry=RetryPolicy(max_retries=0)) as bound:
        bound.register(compatible("mine", embeddings=OpenAIEmbeddings(max_inputs=3)))
        yield bound


def vector(request: Recorded) -> Answer:
    return Answer(chunks=[embeddings([[float(text), 0.5] for text in request.json["input"]])])


def refusing(bad: set[str], status: int) -> Any:
    def choose(request: Recorded) -> Answer:
        return Answer(status=status) if bad & set(request.json["input"]) else vector(request)

    return choose


@pytest.fixture
def stream(client: AsyncOneLLM, tmp_path: Path) -> Any:
    """Streams ten inputs into one checkpoint, unless told otherwise."""

    def begin(inputs: Any = None, **more: Any) -> AsyncEmbeddingStream:
        source = map(str, range(10)) if inputs is None else inputs
        arguments = {"model": "mine/e", "checkpoint": tmp_path / "run.sqlite", "concurrency": 1, **more}
        return client.embeddings.stream(source, **arguments)

    return begin


async def collected(stream: AsyncEmbeddingStream) -> list[EmbeddingBatch]:
    async with stream:
        return [batch async for batch in stream]


def sent(loopback: Loopback) -> list[list[str]]:
    asked = [request.json["input"] for request in loopback.requests]
    loopback.requests.clear()
    return asked


def rows(batches: list[EmbeddingBatch]) -> list[list[float]]:
    return [row for batch in batches for row in batch.vectors.tolist()]


EXPECTED = [[float(number), 0.5] for number in range(10)]


async def test_a_run_that_was_left_goes_on(stream: Any, loopback: Loopback) -> None:
    """What was done comes from the file, at its place; only the rest is sent."""
    async with stream() as begun:
        assert (await anext(begun)).start == 0
        assert (await anext(begun)).start == 3
    before = sent(loopback)
    assert before[:2] == [["0", "1", "2"], ["3", "4", "5"]]
    again = stream()
    batches = await collected(again)
    assert rows(batches) == EXPECTED
    assert [batch.start for batch in batches] == [0, 3, 6, 9]
    assert [batch.resumed for batch in batches[:2]] == [True, True]
    assert again.progress.resumed >= 6
    after = sent(loopback)
    assert "5" not in {text for part in after for text in part}
    assert await collected(stream()) != []
    assert sent(loopback) == []


async def test_a_finished_run_is_read_again_without_a_request(stream: Any, loopback: Loopback) -> None:
    first = await collected(stream())
    sent(loopback)
    again = stream()
    second = await collected(again)
    assert (rows(second), [batch.ids for batch in second]) == (rows(first), [batch.ids for batch in first])
    assert all(batch.resumed for batch in second)
    assert (again.progress.done, again.progress.resumed, again.progress.requests) == (10, 10, 0)
    assert sent(loopback) == []


async def test_how_requests_are_packed_may_change(stream: Any, loopback: Loopback) -> None:
    """What was done stays as it is; what lies between is packed anew."""
    loopback.chooses(refusing({"4"}, 500))
    await collected(stream(on_error="skip"))
    sent(loopback)
    loopback.chooses(vector)
    batches = await collected(stream(batch_size=2, concurrency=3))
    assert rows(batches) == EXPECTED
    assert [batch.start for batch in batches] == [0, 3, 5, 6, 9]
    assert sorted(sent(loopback)) == [["3", "4"], ["5"]]


async def test_more_inputs_may_follow(stream: Any, loopback: Loopback) -> None:
    await collected(stream(["0", "1", "2", "3"]))
    sent(loopback)
    assert rows(await collected(stream())) == EXPECTED
    assert sent(loopback) == [["4", "5", "6"], ["7", "8", "9"]]


async def test_a_bad_input_is_not_asked_for_again(stream: Any, loopback: Loopback) -> None:
    """Its failure comes from the file, too; one that may pass is tried again."""
    loopback.chooses(refusing({"4"}, 400))
    first = await collected(stream(on_error="skip"))
    sent(loopback)
    second = await collected(stream(on_error="skip"))
    assert sent(loopback) == []
    for batches in (first, second):
        (failure,) = [failure for batch in batches for failure in batch.failures]
        assert (failure.index, failure.id, failure.input, type(failure.error)) == (4, 4, "4", BadRequestError)
        assert (failure.error.status_code, failure.error.provider, failure.error.model) == (400, "mine", "e")
        assert rows(batches) == [row for row in EXPECTED if row[0] != 4]
    with pytest.raises(BadRequestError, match=r"inputs\[4\]: "):
        await collected(stream())
    assert sent(loopback) == []


async def test_what_was_paid_before_a_bad_input_is_kept(stream: Any, loopback: Loopback) -> None:
    """The stream ends with the error; the halves that had been answered are not asked for again."""
    loopback.chooses(refusing({"7"}, 400))
    eight = [str(number) for number in range(8)]
    with pytest.raises(BadRequestError, match=r"inputs\[7\]: "):
        await collected(stream(eight, batch_size=8))
    assert sent(loopback)[-1] == ["7"]
    loopback.chooses(vector)
    assert rows(await collected(stream(eight, batch_size=8))) == EXPECTED[:8]
    assert sent(loopback) == [["7"]]


async def test_an_outage_ends_the_run_and_the_next_goes_on(stream: Any, loopback: Loopback) -> None:
    loopback.chooses(refusing({"6"}, 500))
    async with stream() as begun:
        with pytest.raises(InternalServerError):
            async for _ in begun:
                pass
    assert len(sent(loopback)) == 3
    loopback.chooses(vector)
    assert rows(await collected(stream())) == EXPECTED
    assert sent(loopback) == [["6", "7", "8"], ["9"]]


async def test_batches_as_they_come_are_kept_too(stream: Any, loopback: Loopback) -> None:
    await collected(stream(ordered=False, concurrency=4))
    sent(loopback)
    batches = await collected(stream(ordered=False, concurrency=4))
    assert sorted(rows(batches)) == EXPECTED
    assert sent(loopback) == []


async def test_no_batch_lacks_an_input_that_was_to_go_out_with_another(stream: Any, loopback: Loopback) -> None:
    """The first batch ends at its bad input, before the equal one of the second went out."""
    loopback.chooses(refusing({"9"}, 400))
    inputs = ["9", "1", "2", "1", "4", "5"]
    async with stream(inputs, ordered=False, concurrency=2) as begun:
        with pytest.raises(BadRequestError, match=r"inputs\[0\]: "):
            async for batch in begun:
                assert len(batch.ids) == 3
    loopback.chooses(vector)
    assert [row[0] for row in rows(await collected(stream(inputs)))] == [9, 1, 2, 1, 4, 5]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"model": "mine/other"}, 'is of another run: model is "mine/e" there, and "mine/other" here'),
        ({"dimensions": 2}, "dimensions is not given there, and 2 here"),
        ({"extra_body": {"a": 1}}, 'extra_body is not given there, and {"a":1} here'),
        ({"inputs": ["0", "1", "x"]}, r"is of other inputs: it has results for \[0\] to \[2\], and these differ"),
        ({"inputs": [("a", str(n)) for n in range(10)]}, r"results for \[0\] to \[2\], and these differ"),
        ({"inputs": ["0", "1", "2"]}, r"up to \[5\] at least, and these are only 3"),
        ({"inputs": ["0", "1"]}, r"up to \[2\] at least, and these are only 2"),
    ],
    ids=["model", "parameter", "body", "texts", "ids", "fewer", "within a batch"],
)
async def test_a_checkpoint_of_another_run_is_refused(
    changed: dict[str, Any], why: str, stream: Any, loopback: Loopback
) -> None:
    """With the reason, and before anything is sent."""
    await collected(stream())
    sent(loopback)
    with pytest.raises(CheckpointError, match=why):
        await collected(stream(**changed))
    assert sent(loopback) == []
    assert rows(await collected(stream())) == EXPECTED


async def test_what_changes_no_vector_may_change(stream: Any, loopback: Loopback) -> None:
    await collected(stream())
    sent(loopback)
    more = {"timeout": 5, "max_retries": 1, "extra_headers": {"a": "b"}, "encoding_format": "float", "ordered": False}
    await collected(stream(**more))
    assert sent(loopback) == []


async def test_a_checkpoint_of_another_format_is_refused(stream: Any, tmp_path: Path) -> None:
    await collected(stream())
    with sqlite3.connect(tmp_path / "run.sqlite") as file:
        file.execute("PRAGMA user_version = 0")
    file.close()
    with pytest.raises(CheckpointError, match="has format 0, and this version of OneLLM has format 1"):
        await collected(stream())


@pytest.mark.parametrize("kind", ["text", "database"])
async def test_another_file_is_left_alone(kind: str, stream: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    if kind == "text":
        path.write_text("precious notes, " * 100)
    else:
        with sqlite3.connect(path) as file:
            file.execute("CREATE TABLE precious (note TEXT)")
        file.close()
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        await collected(stream())
    if kind == "text":
        assert path.read_text() == "precious notes, " * 100


async def test_a_folder_that_is_not_there_is_named(stream: Any, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere/run\.sqlite cannot be used: unable to open"):
        await collected(stream(checkpoint=tmp_path / "nowhere" / "run.sqlite"))


async def test_two_runs_cannot_share_a_checkpoint(stream: Any) -> None:
    """They would both pay for the same inputs."""
    async with stream() as begun:
        await anext(begun)
        with pytest.raises(CheckpointError, match="is in use by another run"):
            await collected(stream())
    assert rows(await collected(stream())) == EXPECTED


async def test_what_was_answered_and_not_taken_is_kept(stream: Any, loopback: Loopback) -> None:
    """Leaving waits until it is written."""
    async with stream(concurrency=2) as begun:
        await anext(begun)
        await soon(loopback.wait_for_requests(4))
        await soon(asyncio.wait(begun._pipeline._window._tasks))
        assert begun.progress.done == 10
    sent(loopback)
    assert rows(await collected(stream())) == EXPECTED
    assert sent(loopback) == []


async def test_a_stream_that_is_dropped_frees_its_checkpoint(stream: Any) -> None:
    begun = stream()
    await anext(begun)
    thread = begun._pipeline._checkpoint._thread
    del begun
    await asyncio.to_thread(thread.shutdown)
    assert rows(await collected(stream())) == EXPECTED


async def test_a_file_that_cannot_be_written_ends_the_run(tmp_path: Path) -> None:
    kept = Checkpoint(tmp_path / "run.sqlite", {"model": "m"})
    await kept.open()
    span = Span(0, 1, b"d")
    await kept.save([Record(span=span, body=b"a"), Record(span=Span(1, 1, b"d"), body=b"b")])
    assert kept._connection is not None
    await kept._do(kept._connection.execute, "PRAGMA query_only = ON")
    results = await asyncio.gather(
        *(kept.save([Record(span=span, body=b"c")]) for _ in range(3)), return_exceptions=True
    )
    assert [type(result) for result in results] == [CheckpointError] * 3
    assert "readonly" in str(results[0])
    assert (await kept.load(span)).body == b"a"
    await kept.aclose()
    await kept.aclose()


def test_digests_tell_inputs_apart() -> None:
    """The order, the ids, texts from token ids, and where one text ends and the next begins."""
    given: list[tuple[list[Any], list[Any]]] = [
        ([0, 1], ["a", "b"]),
        ([0, 1], ["b", "a"]),
        ([1, 2], ["a", "b"]),
        (["0", 1], ["a", "b"]),
        ([0, 1], ["ab", ""]),
        ([0, 1], [[1], [2]]),
        ([0, 1], ["[1]", "[2]"]),
        ([0], ["\ud800"]),
        ([0], [b"a"]),
    ]
    assert len({digest(*one) for one in given}) == len(given)
    assert digest([0], [(1, 2)]) == digest([0], [[1, 2]])


def test_failures_come_back_as_they_were() -> None:
    refused = BadRequestError("no", provider="p", model="m", status_code=400, code="c", param="input", request_id="r")
    found = decode_failures(encode_failures({3: refused, 5: InvalidRequestError("empty", param="inputs")}))
    assert [(row, type(error)) for row, error in found.items()] == [(3, BadRequestError), (5, InvalidRequestError)]
    assert {name: value for name, value in vars(found[3]).items() if name != "headers"} == {
        name: value for name, value in vars(refused).items() if name != "headers"
    }
    assert encode_failures({}) == b""
    assert decode_failures(b"") == {}
    unknown = decode_failures(b'[{"row": 0, "kind": "sys", "message": "from a newer version"}]')
    assert str(unknown[0]) == "from a newer version"


# --- killed ---

KILLED = """
import asyncio, gc, os, random, signal, sys
from onellm import AsyncOneLLM
import onellm.pipeline.checkpoint, onellm.pipeline.embed, onellm.transport.http, numpy

url, path, COUNT, KILLS = sys.argv[1], sys.argv[2], 4000, 20

async def run(told):
    rows = []
    async with AsyncOneLLM(api_key="k", base_url=url) as client:
        inputs = (f"text {number}" for number in range(COUNT))
        stream = client.embeddings.stream(inputs, model="m", batch_size=20, concurrency=4, checkpoint=path)
        os.write(told, b"open ")
        async with stream:
            async for start, ids, vectors in stream:
                assert start == len(rows) and ids == list(range(start, start + len(ids)))
                rows += [int(row[0]) for row in vectors]
                os.write(told, b".")
        return rows, stream.progress

chance = random.Random(int(sys.argv[3]))
for kill in range(KILLS):
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        asyncio.run(run(writing))
        os._exit(0)
    os.close(writing)
    # So many batches further than the last, on the average; those that were done come at once.
    left = chance.randrange(5 + 10 * (kill + 1))
    while left > 0 and (told := os.read(reading, left)):
        left -= len(told)
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] in (0, signal.SIGKILL)
    os.close(reading)

rows, progress = asyncio.run(run(os.open(os.devnull, os.O_WRONLY)))
assert rows == list(range(COUNT))
print(progress.resumed, progress.requests)
"""


@pytest.fixture
def host() -> Iterator[str]:
    """The host of the benchmarks, which counts what it is sent."""
    command = [sys.executable, "-m", "benchmarks.vector_host"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:  # noqa: S603 - ours
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.stdin.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
@pytest.mark.parametrize("seed", [1])
async def test_killed_at_twenty_moments_nothing_is_lost(seed: int, host: str, tmp_path: Path) -> None:
    """Every vector is there once, in order; only what was under way at a kill is sent again."""
    printed = await python(KILLED, f"{host}/v1", str(tmp_path / "run.sqlite"), str(seed), flags=("-W", "error"))
    resumed, requests = map(int, printed.split())
    assert resumed + 20 * requests == 4000
    with urlopen(f"{host}/v1/sent") as answer:  # noqa: ASYNC210, S310 - the host of this test
        counted = json.load(answer)
    assert counted["texts"] == 4000
    assert counted["requests"] - 200 <= 20 * 4  # kills, and the requests that each could find under way
    assert 0 < counted["repeated"] <= 20 * 4 * 20
